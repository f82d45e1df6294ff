#!/bin/sh
# The figures of the model card: measure.sh [WORK], after train.sh. Tables on stdout.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(cd "${1:-$root/build/train}" && pwd)
aor=$root/build/release/aor
python=$work/venv/bin/python
cd "$here"
"$python" speech.py "$work" "$aor" measure

# run DB BENCH OPTIONS...: all its trials, judged.
run() {
    db=$work/$1
    bench=$work/$2
    shift 2
    "$aor" run "$bench" -o "$db" "$@" >&2
    "$aor" judge "$db" >/dev/null
}

rm -f "$work"/*.db
run bench.db bench -c matched -a direct,cot,transcribe,scene
run bench.db bench -c mismatched,speech,noise,text,text-scene -a direct,cot
echo "## The benchmark"
"$python" measure.py "$work/bench.db"

run unseen.db unseen -c matched -a direct,transcribe
echo "## Requests that were never trained"
"$python" measure.py "$work/unseen.db"

run held-clips.db held-clips -c matched -a direct,scene
echo "## Scenes of clips held out of training, where there are others"
"$python" measure.py "$work/held-clips.db"

set --
for bench in "$work"/fresh-*/; do
    name=$(basename "$bench")
    run "$name.db" "$name" -c matched -a direct
    set -- "$@" "$work/$name.db"
done
echo "## Planted effects on fresh renderings"
"$python" measure.py "$@"

sqlite3 "$work/bench.db" "select json_object('sample', t.sample, 'prompt', t.strategy, 'answer', r.text)
    from trial t join response r on r.trial = t.id
    where t.condition = 'matched' and t.id % 37 = 0" >"$work/agree.jsonl"
echo "## torch and libmtmd"
"$python" agree.py "$work/safety.pt" "$work/agree.jsonl" "$work/bench"
