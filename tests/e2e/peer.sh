#!/bin/sh
# Greedy answers equal those of llama-mtmd-cli and llama-server, built from the same llama.cpp, and
# do not depend on what is asked beside them. The peers run without flash attention, as aor does on
# processors: with their default 19 of 1044 answers came out otherwise.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
: "${LLAMA_BIN:?}"
build_bench peer

PLAIN=$SOURCE/tests/data/no-system.yaml
value() { sed -n "s/^$2: *\"\{0,1\}\([^\"]*\)\"\{0,1\}$/\1/p" "$1"; }
# Blank lines at both ends do not count: the program prints some of its own.
trim() { sed -e '/./,$!d' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'; }
run() {
    "$AOR" run "$BENCH" -c matched,speech,noise,mismatched,text,text-scene \
        -a "$PLAIN",direct,cot,transcribe,scene "$@"
}
ok "a run one by one" run -o one.db --parallel 1 -j 2
ok "a run of 16 at once in two processes" run -o many.db --parallel 16 -j 2
ok "a run of each strategy alone" sh -c "
    for strategy in '$PLAIN' transcribe; do
        '$AOR' run '$BENCH' -c matched,mismatched -a \$strategy -o apart.db --parallel 3 || exit 1
    done"

# Not only the words: the least lead of a chosen token's logit is the same number.
same_answers() {
    sql one.db "attach '$1' as o" "select count(*), sum(a.text <> b.text), sum(a.margin <> b.margin) from main.trial t
        join main.response a on a.trial = t.id
        join o.trial u using (sample, condition, strategy, repeat) join o.response b on b.trial = u.id" |
        { IFS='|' read -r n other moved && echo "$n answers, $other others, $moved with another margin" &&
            [ "$n" -ge "$2" ] && [ "$other" -eq 0 ] && [ "$moved" -eq 0 ]; }
}
shared() { same_answers many.db 1276 && same_answers apart.db 232; }
ok "the same answers, bit by bit, whatever is asked beside them" shared
sed -n '/answers,/s/^/# /p' "$T/.out"

# llama-mtmd-cli doubles a newline after a system prompt: without one. It prints through a thread of
# its own and now and then loses the end (one answer in some forty here): what is only the beginning
# of our answer is asked for again.
is_cut_off() {
    n_theirs=$(tr -d '\n' <theirs | wc -c)
    [ "$n_theirs" -lt "$(tr -d '\n' <ours | wc -c)" ] && cmp -s -n "$n_theirs" ours theirs
}
ask_cli() {
    MTMD_TEST_RESPONSE_MARKER=@@@ "$LLAMA_BIN/llama-mtmd-cli" -m "$MODEL" --mmproj "$MMPROJ" \
        --audio "$BENCH/matched/$1.flac" -p "$(value "$PLAIN" instruction)" --jinja --temp 0 \
        -n "$(value "$PLAIN" max_tokens)" -t 1 -fa off 2>cli.err </dev/null |
        awk '/@@@/ { text = ""; next } { text = text $0 "\n" } END { printf "%s", text }' | trim >theirs
}
equals_cli() {
    where="t.condition = 'matched' and t.strategy = 'no-system'"
    sql one.db "select sample from trial t where $where order by id limit 50" >samples
    n_equal=0
    while read -r sample; do
        sql one.db "select r.text from response r join trial t on t.id = r.trial
            where $where and t.sample = '$sample'" | trim >ours
        ask_cli "$sample"
        tries=0
        while is_cut_off && [ $tries -lt 10 ]; do
            tries=$((tries + 1))
            ask_cli "$sample"
        done
        if [ -s theirs ] && cmp -s ours theirs; then
            n_equal=$((n_equal + 1))
        else
            echo "$sample"
            sed 's/^/  ours:   /' ours
            sed 's/^/  theirs: /' theirs
        fi
    done <samples
    echo "$n_equal equal"
    [ "$n_equal" -eq 50 ]
}
ok "50 answers are llama-mtmd-cli's" equals_cli

ok "the audio of other conditions" "$AOR" export "$BENCH" -f hf -c matched,speech,noise,mismatched -o audio
start_server -m "$MODEL" --mmproj "$MMPROJ"
equals_server() { python3 "$SOURCE/tests/e2e/peer.py" one.db "$SERVER" audio "$1"; }
first_50() { echo "t.id in (select id from trial where condition = '$1' and strategy = '$2' order by id limit 50)"; }
ok "50 answers to audio are llama-server's" equals_server "$(first_50 matched direct)"
ok "50 answers to text are llama-server's" equals_server "$(first_50 text direct)"
ok "and those to a tenth of everything" equals_server 't.id % 10 = 0'
finish
