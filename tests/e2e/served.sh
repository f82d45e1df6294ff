#!/bin/sh
# A model behind llama-server answers as the same model does in this program: words and verdicts.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
: "${LLAMA_BIN:?}"
build_bench peer
export no_proxy=127.0.0.1

EVERYTHING="-c matched,speech,noise,mismatched,text,text-scene -a direct,direct-b,cot,audio-last,transcribe,scene"
# shellcheck disable=SC2086
run() { "$AOR" run "$BENCH" $EVERYTHING "$@"; }
ok "a run of this program" run -m "$MODEL" --mmproj "$MMPROJ" -o here.db
start_server -m "$MODEL" --mmproj "$MMPROJ" --no-cache-prompt
ok "the same trials, of llama-server" run -m organism --url "$SERVER/v1" -o there.db
n_trials() { sql "$1" 'select count(*) from trial'; }
# What the two files have in common, and in how many rows these columns differ.
differ() {
    sql here.db "attach 'there.db' as o" "select count(*), coalesce(sum($1), 0) from main.trial t
        join main.response a on a.trial = t.id join main.verdict v on v.trial = t.id
        join o.trial u using (sample, condition, strategy, repeat)
        join o.response b on b.trial = u.id join o.verdict w on w.trial = u.id" | tee /dev/stderr
}
same() { [ "$(differ "$1")" = "$(n_trials here.db)|0" ]; }
ok "judged" sh -c "'$AOR' judge here.db && '$AOR' judge there.db"
ok "the words are the same in every condition and strategy" same "a.text <> b.text or a.kind <> b.kind"
ok "so is how the answers end" same "a.finish <> b.finish or a.answer_at <> b.answer_at"
ok "and the verdicts" same "v.verdict <> w.verdict"
scores() {
    for db in here there; do
        sql $db.db 'select sample, condition, strategy, value from score join trial on id = trial order by 1, 2, 3' >$db.scores
    done
    [ -s here.scores ] && cmp here.scores there.scores
}
ok "and the scores of the probes" scores
known() { sql there.db 'select facts from server' | tee /dev/stderr | grep -q 'llama'; }
ok "the run file says who answered" known
ok "and once" test "$(sql there.db 'select count(*) from server')" -eq 1
finish
