#!/bin/sh
# The whole path, on the whole benchmark, with the embedded model: demo.sh AOR DIR
# What is done is not done again.
set -eu
aor=$1
dir=$2
mkdir -p "$dir"
"$aor" build -o "$dir/bench"
status=0
"$aor" run "$dir/bench" -o "$dir/aor-tiny.db" -c matched,mismatched,speech -a direct,cot || status=$?
[ "$status" -eq 0 ] || [ "$status" -eq 3 ] || exit "$status"
"$aor" judge "$dir/aor-tiny.db" >/dev/null
"$aor" stats "$dir/aor-tiny.db"
"$aor" report "$dir/aor-tiny.db" -b "$dir/bench" -o "$dir/report"
echo
echo "Benchmark: $dir/bench   answers: $dir/aor-tiny.db   report: open $dir/report/index.html"
