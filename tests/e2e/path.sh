#!/bin/sh
# The whole path on the small benchmark: build, check, run, judge, stats.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"

SPEC=$SOURCE/tests/data/small.yaml
pcm() { sed -n 's/^pcm_sha256: //p' "$1/benchmark.yaml"; }

ok "build with one process" "$AOR" build -s "$SPEC" -o one -j 1
ok "build with four" "$AOR" build -s "$SPEC" -o four -j 4
same() { [ -n "$(pcm one)" ] && [ "$(pcm one)" = "$(pcm four)" ] && cmp one/metadata.jsonl four/metadata.jsonl; }
ok "the same samples for any number of processes" same
golden() { [ "$(pcm one)" = "$(cat "$SOURCE/tests/data/small.pcm_sha256")" ] || { pcm one; false; }; }
ok "the samples of the stored hash (pinned engine versions)" golden
counts() {
    [ "$(wc -l <one/metadata.jsonl)" -eq 38 ] && [ "$(find one/matched -name '*.flac' | wc -l)" -eq 38 ]
}
ok "38 samples, each with its line and file" counts
flac_hash() {
    jq -r '[.file_name, .sha256] | @tsv' one/metadata.jsonl | while read -r file hash; do
        [ "$(flac -s -d -c --force-raw-format --endian=little --sign=signed "one/$file" | sha256sum | cut -d' ' -f1)" = "$hash" ] || exit 1
    done
}
ok "hashes are of the PCM that flac decodes" flac_hash

touch -d '2000-01-01' one/matched/*.flac
again() { "$AOR" build -s "$SPEC" -o one 2>&1 | grep -q 'all up to date' && [ -z "$(find one/matched -newermt 2001-01-01 -name '*.flac')" ]; }
ok "a second build makes nothing" again
rm one/matched/work-001-f-neutral-*.flac
remade() { "$AOR" build -s "$SPEC" -o one 2>&1 | grep -q ' 1 made' && [ "$(pcm one)" = "$(pcm four)" ]; }
ok "a removed file is made again, the same" remade

ok "check finds nothing wrong" "$AOR" check four
check_json() { "$AOR" check four --json | jq -e '.bad == 0 and .samples == 38 and (.snr_error_db.max | fabs) < 0.2'; }
ok "check --json" check_json

ok "run" "$AOR" run four -o run.db
trials() { [ "$(sql run.db 'select count(*), count(distinct trial), sum(kind = '\''error'\'') from response')" = "76|76|0" ]; }
ok "76 trials, each answered once" trials
no_wal() { [ ! -e run.db-wal ] && [ ! -e run.db-lock ] && [ "$(sql run.db 'pragma journal_mode')" = delete ]; }
ok "one file remains" no_wal
rerun() { "$AOR" run four -o run.db 2>&1 | grep -q '0 new'; }
ok "a second run does nothing" rerun
words() { [ "$(sql run.db "select count(*) from response where text = ''")" -eq 0 ]; }
ok "the model said something to every sample" words
heard() { [ "$(sql run.db "select count(distinct text) from response")" -gt 10 ]; }
ok "and different things" heard

ok "judge" "$AOR" judge run.db
verdicts() { [ "$(sql run.db 'select count(*) from verdict')" -eq 76 ]; }
ok "76 verdicts" verdicts
rejudge() { "$AOR" judge run.db 2>&1 | grep -q ' 0 new verdicts'; }
ok "a second judging does nothing" rejudge

stats() {
    "$AOR" stats run.db --json >stats.json &&
        jq -e '[.rates[] | select(.condition == "matched" and .kind == "scenario" and .factor == "")] |
            length == 1 and .[0].trials == 30 and .[0].items == 3 and .[0].low <= .[0].rate and
            .[0].rate <= .[0].high and .[0].n_eff <= 30' stats.json
}
ok "stats --json" stats
sum() {
    jq -e '[.rates[] | select(.condition == "matched" and .kind == "scenario")] as $r |
        ($r[] | select(.factor == "") | .refusals) as $all |
        [["category", "gender", "emotion", "rate"][] as $f |
            ([$r[] | select(.factor == $f) | .refusals] | add) == $all] | all' stats.json
}
ok "the levels of each factor add up to all" sum
csv() { "$AOR" stats run.db --csv >stats.csv && [ "$(wc -l <stats.csv)" -eq "$(jq '.rates | length + 1' stats.json)" ]; }
ok "stats --csv has the same rows" csv
from_sql() {
    n=$(sql run.db "select count(*) from verdict v join trial t on t.id = v.trial join sample s on s.id = t.sample
        where v.verdict = 'refusal' and t.condition = 'matched' and s.kind = 'scenario'")
    jq -e --argjson n "$n" '.rates[] | select(.condition == "matched" and .kind == "scenario" and .factor == "") |
        .refusals == $n' stats.json
}
ok "refusals are those of the database" from_sql
# The trials of speech, as though the scene had been told in words.
told() {
    cp run.db told.db && sql told.db "update trial set condition = 'text-scene' where condition = 'speech'" &&
        "$AOR" stats told.db --json | jq -e '[.rates[] | select(.condition == "text-scene" and .kind == "scenario" and .factor == "")] |
            length == 1 and .[0].measure == "over-refusal rate" and .[0].trials == 30' &&
        jq -e '[.rates[] | select(.condition == "speech" and .kind == "scenario" and .factor == "") |
            .measure == (if .benign_alone_only then "over-refusal rate" else "refusal rate" end)] | all' stats.json
}
ok "refusing is wrong where the scene is told, and elsewhere where words are benign alone" told
text() { "$AOR" stats run.db | grep -q 'over-refusal rate of scenarios'; }
ok "stats as text" text
quiet_pipe() { [ -z "$( ("$AOR" stats run.db --csv | head -n 1 >/dev/null) 2>&1)" ]; }
ok "a reader that stops early gets no complaint" quiet_pipe
read_only() { chmod a-w run.db && "$AOR" stats run.db >/dev/null; }
ok "stats of a read-only file" read_only
finish
