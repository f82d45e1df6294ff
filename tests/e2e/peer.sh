#!/bin/sh
# Greedy answers equal those of llama-mtmd-cli and llama-server, built from the same llama.cpp, on
# 20 samples each.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
: "${LLAMA_BIN:?}"
small_bench

value() { sed -n "s/^$2: *\"\{0,1\}\([^\"]*\)\"\{0,1\}$/\1/p" "$1"; }
# Blank lines at both ends do not count: the program prints some of its own.
trim() { sed -e '/./,$!d' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'; }
answer() { sql "$1" "select r.text from response r join trial t on t.id = r.trial where t.sample = '$2'" | trim; }

# llama-mtmd-cli prints through a thread of its own and now and then loses the end (one answer in
# some forty here): what is only the beginning of our answer is asked for again.
is_cut_off() {
    n_theirs=$(tr -d '\n' <theirs | wc -c)
    [ "$n_theirs" -lt "$(tr -d '\n' <ours | wc -c)" ] && cmp -s -n "$n_theirs" ours theirs
}

# compare WHO RUN.db: ask_WHO prints the peer's answer for sample $1.
compare() {
    n_equal=0
    n_all=0
    while read -r sample; do
        n_all=$((n_all + 1))
        answer "$2" "$sample" >ours
        tries=0
        "ask_$1" "$sample" | trim >theirs
        while is_cut_off && [ $tries -lt 10 ]; do
            echo "# asked again: $sample"
            tries=$((tries + 1))
            "ask_$1" "$sample" | trim >theirs
        done
        if [ -s theirs ] && cmp -s ours theirs; then
            n_equal=$((n_equal + 1))
        else
            echo "# $sample"
            sed 's/^/#   ours:   /' ours
            sed 's/^/#   theirs: /' theirs
        fi
    done <samples
    all_equal() { [ "$n_all" -eq 20 ] && [ "$n_equal" -eq 20 ]; }
    ok "$n_equal of $n_all answers equal llama.cpp's $1" all_equal
}

PLAIN=$SOURCE/tests/data/no-system.yaml
ok "run without a system prompt" "$AOR" run "$BENCH" -c matched -p "$PLAIN" -o plain.db -t 2
# Every other sample and one more: scenarios, the contrast and the plain request are among them.
sql plain.db 'select sample from trial order by id' | awk 'NR % 2 == 1 || NR == 2' | head -n 20 >samples

ask_cli() {
    MTMD_TEST_RESPONSE_MARKER=@@@ "$LLAMA_BIN/llama-mtmd-cli" -m "$MODEL" --mmproj "$MMPROJ" \
        --audio "$BENCH/matched/$1.flac" -p "$(value "$PLAIN" instruction)" --jinja --temp 0 \
        -n "$(value "$PLAIN" max_tokens)" -t 2 2>"$1.err" </dev/null |
        awk '/@@@/ { text = ""; next } { text = text $0 "\n" } END { printf "%s", text }'
}
compare cli plain.db

DIRECT=$SOURCE/data/prompts/direct.yaml
ok "run with the default prompt" "$AOR" run "$BENCH" -c matched -o direct.db -t 2
port=$((20000 + $$ % 20000))
"$LLAMA_BIN/llama-server" -m "$MODEL" --mmproj "$MMPROJ" --host 127.0.0.1 --port $port -t 2 -np 1 \
    --jinja >server.log 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$T"' EXIT
i=0
until curl -sf "http://127.0.0.1:$port/health" >/dev/null || [ $i -ge 100 ]; do
    sleep 0.2
    i=$((i + 1))
done
ask_server() {
    flac -s -d -c "$BENCH/matched/$1.flac" | base64 -w 0 >wav.b64
    jq -n --arg system "$(value "$DIRECT" system)" --arg text "$(value "$DIRECT" instruction)" \
        --argjson max "$(value "$DIRECT" max_tokens | sed 's/ .*//')" --rawfile wav wav.b64 \
        '{temperature: 0, max_tokens: $max, cache_prompt: false, messages: [
          {role: "system", content: $system},
          {role: "user", content: [{type: "input_audio", input_audio: {data: $wav, format: "wav"}},
                                   {type: "text", text: $text}]}]}' >body.json
    curl -s "http://127.0.0.1:$port/v1/chat/completions" -H 'Content-Type: application/json' -d @body.json |
        jq -r '.choices[0].message.content'
}
compare server direct.db
finish
