#!/bin/sh
# The whole path on a part of the benchmark that comes with aor: demo.sh AOR DIR
# What is done is not done again.
set -eu
aor=$1
dir=$2
mkdir -p "$dir"
"$aor" build -o "$dir/bench" --limit 400
status=0
"$aor" run "$dir/bench" -o "$dir/organism.db" || status=$?
[ "$status" -eq 0 ] || [ "$status" -eq 3 ] || exit "$status"
"$aor" judge "$dir/organism.db" >/dev/null
"$aor" stats "$dir/organism.db"
echo
echo "Benchmark: $dir/bench   answers: $dir/organism.db"
