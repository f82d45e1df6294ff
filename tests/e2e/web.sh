#!/bin/sh
# The pages in a real browser: the report from disk and from aor serve, hostile answers, listening.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
MODULES=$("$SOURCE/tools/setup/npm.sh" "$SOURCE/tests/web") || exit 1
export MODULES

# More than the small benchmark, so that no figure is empty; its prompts are few, so that it is quick.
ok "a benchmark" "$AOR" build -o bench --limit 120
export METADATA="$T/bench/metadata.jsonl"
ok "run" "$AOR" run bench -o r.db -c matched,mismatched,speech -a direct,cot
ok "run probes" "$AOR" run bench -o r.db -c matched -a transcribe,scene
ok "judge" "$AOR" judge r.db
ok "report" "$AOR" report r.db -b bench -o out
ok "in a browser" node "$SOURCE/tests/web/report.mjs" out

cp r.db h.db
sql h.db "update response set text = case trial % 6
    when 0 then '<script>globalThis.pwned=1</script></script><!--'
    when 1 then '<img src=x onerror=globalThis.pwned=1> <a href=javascript:alert(1)>x</a>'
    when 2 then 'a' || char(0x202E) || 'b' || char(0x200B)
    when 3 then char(27) || '[2Ja' || char(0) || 'b'
    when 4 then '{{constructor.constructor(\"globalThis.pwned=1\")()}}'
    else replace(hex(zeroblob(300000)), '00', '<b>') end, answer_at = 0;
    update sample set category = '</script><script>globalThis.pwned=1</script>' where category = 'kitchen';
    update sample set voice = 'datum.x;globalThis.pwned=1' where voice = 'f-slt';
    update info set value = '</title><script>globalThis.pwned=2</script>' where key = 'model.text.file'"
ok "judge hostile answers" "$AOR" judge h.db
ok "report on them" "$AOR" report h.db -o hostile
ok "hostile answers in a browser" node "$SOURCE/tests/web/hostile.mjs" hostile

"$AOR" serve r.db -b bench -l labels.jsonl --answers --synthetic --port 0 >url 2>serve.err &
web=$!
trap 'kill $web 2>/dev/null; rm -rf "$T"' EXIT
i=0
until [ -s url ] || [ $i -ge 100 ]; do
    sleep 0.1
    i=$((i + 1))
done
ok "the same report from aor serve" node "$SOURCE/tests/web/report.mjs" out "$(cat url)"
ok "two samples labelled by keyboard" node "$SOURCE/tests/web/listen.mjs" "$(cat url)" labels.jsonl
finish
