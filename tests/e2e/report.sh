#!/bin/sh
# aor report: a folder that is whole, safe against hostile answers, and the same figures as stats.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
small_bench

ok "run" "$AOR" run "$BENCH" -o r.db -c matched,mismatched -a direct,cot,transcribe
# Nobody has judged it yet: the rules do, for the report alone.
ok "a report of a run without verdicts" "$AOR" report r.db -b "$BENCH" -o first
nothing_stored() { [ "$(sql r.db 'select count(*) from verdict')" = 0 ]; }
ok "the run is left as it was" nothing_stored
ok "judge" "$AOR" judge r.db
ok "a report" "$AOR" report r.db -b "$BENCH" -o out --tables

# piece FOLDER NAME: its JSON.
piece() {
    python3 - "$1/data/$2.js" <<'END'
import base64, re, sys, zlib
name, data = re.fullmatch(r'aorPiece\("([a-z0-9-]+)","([A-Za-z0-9+/=]*)"\);\n', open(sys.argv[1]).read()).groups()
sys.stdout.buffer.write(zlib.decompress(base64.b64decode(data)))
END
}
same_before() {
    for f in first out; do
        piece $f findings | jq -S '.runs[0] | del(.info)' >$f.json
    done
    cmp first.json out.json
}
ok "the same findings before and after the verdicts are stored" same_before
pieces() {
    piece out findings >f.json
    jq -e '.pieces == ["trials-0-0", "samples"] and .sounds == ["matched"] and .is_live == false and
        (.command | test("^aor report r.db -b .* -o out --tables$"))' f.json
}
ok "its pieces" pieces
# The page's numbers have nine digits, those of stats twelve.
as_stats() {
    "$AOR" stats r.db --json | jq -S '.rates | walk(if type == "number" then . * 1e6 | round else . end)' >a.json
    jq -S '.runs[0].rates | walk(if type == "number" then . * 1e6 | round else . end)' f.json | cmp - a.json
}
ok "the figures of aor stats" as_stats
whole() {
    piece out trials-0-0 >t.json && piece out samples >p.json &&
        [ "$(jq '.rows | length' t.json)" = "$(sql r.db 'select count(*) from trial')" ] &&
        jq -e '(.samples | length) == 38 and ([.samples[] | select(.kind == "scenario")] | all(.reason | length > 10))' p.json
}
ok "every trial and sample, with reasons" whole
answers() {
    jq -r '.rows[] | [.[0], .[7], .[10]] | @json' t.json | sort >page.txt
    sql r.db "select json_array(t.id, iif(y.probe = '', v.verdict, null), cast(substr(cast(r.text as blob), r.answer_at + 1) as text))
        from trial t join response r on r.trial = t.id join strategy y on y.name = t.strategy
        left join verdict v on v.trial = t.id" | sort >store.txt
    cmp page.txt store.txt
}
ok "every answer and verdict as it is stored" answers
thoughts() { jq -e '[.rows[] | select(.[9] != "")] | length > 10' t.json; }
ok "thoughts apart" thoughts
sounds() {
    [ "$(find out/sounds -type f | wc -l)" = 38 ] &&
        f=$(find out/sounds -name 'work-001-f-neutral-*' | head -n 1) && id=$(basename "$f" .js) &&
        sed -E 's/^aorSound\("matched\/[a-z0-9-]+","(.*)"\);$/\1/' "$f" | base64 -d >s.flac &&
        [ "$(flac -s -d -c --force-raw-format --endian=little --sign=signed s.flac | sha256sum)" = \
            "$(flac -s -d -c --force-raw-format --endian=little --sign=signed "$BENCH/matched/$id.flac" | sha256sum)" ]
}
ok "sounds are the benchmark's" sounds
tables() {
    head -n 1 out/tables/rates.csv | grep -q '^measure,kind,condition' &&
        [ "$(sqlite3 :memory: '.import --csv out/tables/comparisons.csv c' 'select count(*) > 5 from c')" = 1 ] &&
        "$AOR" stats r.db --csv | cmp - out/tables/rates.csv && grep -q toprule out/tables/tables.tex
}
ok "tables" tables
size() { [ "$(wc -c <out/index.html)" -lt 3000000 ] && grep -q "script-src 'self' file: 'sha256-" out/index.html; }
ok "the page is below 3 MB and has a policy" size
no_address() { ! grep -oE '(src|href)="?(https?:)?//[^" ]+' out/index.html; }
ok "it loads nothing from elsewhere" no_address
json() { "$AOR" report r.db --json | jq -e '(.summary | length) > 0 and (.warnings | length) > 0 and .runs[0].run == "r.db"'; }
ok "--json" json
organism() { jq -e '[.warnings[].text | select(test("positive control"))] | length == 1' f.json; }
ok "a positive control is called one" organism

ok "other sounds" "$AOR" report r.db -b "$BENCH" -o out --sounds mismatched,speech
other_sounds() { [ "$(find out/sounds/mismatched out/sounds/speech -type f | wc -l)" = 76 ]; }
ok "they are there" other_sounds
cp r.db r2.db
ok "two runs into the same folder" "$AOR" report r.db r2.db -o out
two() { piece out findings | jq -e '(.runs | length) == 2 and (.pieces | length) == 3 and .sounds == []'; }
ok "two runs" two
ok "and one again" "$AOR" report r.db -o out/
stale() { [ "$(find out/data -type f | sort | xargs -n 1 basename | tr '\n' ' ')" = "findings.js samples.js trials-0-0.js " ]; }
ok "pieces of an earlier report are gone" stale

# Hostile answers.
cp r.db h.db
sql h.db "update response set text = case trial % 7
    when 0 then '<script>alert(1)</script></script><!--'
    when 1 then '<img src=x onerror=alert(1)>'
    when 2 then '=HYPERLINK(\"http://x\")'
    when 3 then 'a' || char(0x202E) || 'b' || char(27) || '[2J' || char(0x200B)
    when 4 then 'a' || char(0) || 'b'
    when 5 then '\\input{/etc/passwd} \$x\$ %'
    else replace(hex(zeroblob(300000)), '00', '<b>') end, answer_at = 0;
    update sample set category = '=1+1</script>' where id like 'work-001-f%';
    update sample set voice = '\\voice\$' || char(27) || '[31m' where id like 'work-001-m%';
    update info set value = '</title><script>alert(2)</script>' where key = 'model.text.file'"
ok "a report of hostile answers" "$AOR" report h.db -o hostile --tables
inert() {
    ! grep -rlE 'alert\(|onerror=alert' hostile/index.html hostile/data &&
        cmp hostile/index.html out/index.html && piece hostile trials-0-0 | jq -e '.rows | length > 0'
}
ok "nothing of them is in the page but as data" inert
csv_inert() {
    ! grep -E '(^|,)"[=+@]' hostile/tables/*.csv && grep -q "\"'=1+1</script>\"" hostile/tables/rates.csv
}
ok "no formula in CSV" csv_inert
# shellcheck disable=SC2016 # a pattern
tex_inert() { ! grep -P '\x1B|\\voice\$|(?<!\\)\$x' hostile/tables/tables.tex; }
ok "no command in LaTeX" tex_inert
terminal() { "$AOR" stats h.db | grep -qP '\x1B' && return 1; "$AOR" judge h.db --draw 5 | head -c 100 | grep -q trial; }
ok "no escape on the terminal" terminal

fails "no output" 2 'wants -o DIR' "$AOR" report r.db
fails "--tables without a folder" 2 'want -o DIR' "$AOR" report r.db --json --tables
fails "--sounds without a benchmark" 2 'wants the benchmark' "$AOR" report r.db -o x --sounds matched
fails "a condition without sound" 2 'condition text has none' "$AOR" report r.db -b "$BENCH" -o x --sounds text
fails "no condition" 2 'is no condition' "$AOR" report r.db -b "$BENCH" -o x --sounds loud
mkdir mine && echo precious >mine/file
fails "a folder of the user's" 2 'neither empty nor a report' "$AOR" report r.db -o mine
kept() { [ "$(ls mine)" = file ]; }
ok "it is left alone" kept
fails "no run" 1 'nothing.db' "$AOR" report nothing.db -o x
fails "twice the same" 2 'is there twice' "$AOR" report r.db ./r.db -o x
"$AOR" build -s "$SOURCE/tests/data/small.yaml" -o other --only work-001 2>/dev/null
fails "another benchmark" 2 'is not the benchmark' "$AOR" report r.db -b other -o x
echo 'labeller,sample,alarm,harmful
a,b,c,d' >bad.csv
fails "labels that are none" 1 'bad.csv:2: "c" is no answer to "alarm"' "$AOR" report r.db -o x --labels bad.csv
finish
