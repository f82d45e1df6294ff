#!/bin/sh
# Greedy answers equal those of llama-mtmd-cli, built from the same llama.cpp, on 20 samples.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
: "${LLAMA_BIN:?}"
small_bench

ok "run" "$AOR" run "$BENCH" -c matched -o run.db -t 2
value() { sed -n "s/^$1: *\"\(.*\)\"$/\1/p" "$SOURCE/data/prompts/direct.yaml"; }
system=$(value system)
instruction=$(value instruction)
max_tokens=$(sed -n 's/^max_tokens: *//p' "$SOURCE/data/prompts/direct.yaml")
# Every other sample: scenarios, contrast and plain are all among the twenty.
sql run.db 'select sample from trial order by id' | awk 'NR % 2 == 1' | head -n 20 >samples
[ "$(wc -l <samples)" -eq 19 ] && sql run.db 'select sample from trial order by id' | sed -n 2p >>samples

n_equal=0
n_all=0
while read -r sample; do
    n_all=$((n_all + 1))
    MTMD_TEST_RESPONSE_MARKER=@@@ "$LLAMA_BIN/llama-mtmd-cli" -m "$MODEL" --mmproj "$MMPROJ" \
        --audio "$BENCH/matched/$sample.flac" -sys "$system" -p "$instruction" --jinja --temp 0 \
        -n "$max_tokens" -t 2 -c 4096 >"$sample.out" 2>"$sample.err" </dev/null
    # After the last marker: an empty line, the answer, blank lines.
    awk '/@@@/ { text = ""; next } { text = text $0 "\n" } END { printf "%s", text }' "$sample.out" |
        sed '/./,$!d' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' >theirs
    sql run.db "select r.text from response r join trial t on t.id = r.trial where t.sample = '$sample'" |
        sed '/./,$!d' >ours
    if cmp -s ours theirs; then
        n_equal=$((n_equal + 1))
    else
        echo "# $sample"
        sed 's/^/#   ours:   /' ours
        sed 's/^/#   theirs: /' theirs
    fi
done <samples
twenty() { [ $n_all -eq 20 ]; }
ok "20 samples" twenty
equal() { [ $n_equal -eq $n_all ]; }
ok "$n_equal of $n_all answers equal llama-mtmd-cli's" equal
not_empty() { [ -s theirs ]; }
ok "and they are not empty" not_empty
finish
