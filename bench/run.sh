#!/bin/bash
# shellcheck shell=bash
# Speed and memory of aor run: run.sh AOR LLAMA_BIN. Figures of one run on one machine, as ratios.
#
# Beside it llama-server with the same GGUF files, prompts and audio: curl keeps it full from request
# bodies that were made before. Each of its settings is tried on a server of its own, so that no
# answer comes from a cache of whole prompts, and the best one counts.
set -euo pipefail
aor=$(realpath "$1")
llama_bin=$(realpath "$2")
source=$(realpath "$(dirname "$0")/..")
model=$source/models/aor-tiny/aor-tiny.gguf
mmproj=$source/models/aor-tiny/aor-tiny-mmproj.gguf
n_samples=${N_SAMPLES:-300}
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill $server 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir"

seconds() { date +%s.%N; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", a / b}'; }
rate() { awk -v n="$1" -v a="$2" -v b="$3" 'BEGIN {printf "%.1f", n / (b - a)}'; }
prompt() { sed -n "s/^$2: *\"\{0,1\}\([^\"]*\)\"\{0,1\}.*$/\1/p" "$source/data/prompts/$1.yaml" | head -n 1; }

echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
"$aor" build -o bench 2>build.log
"$aor" export bench -f jsonl >all.jsonl
# Whole items, evenly: the samples that aor run --limit takes.
"$aor" run bench -c matched --limit "$n_samples" -o picked.db 2>run.log
sqlite3 picked.db 'select sample from trial order by id' >samples
n=$(wc -l <samples)

# bodies STRATEGY...: a request for each sample and strategy, sample by sample, as a curl config
bodies() {
    rm -rf bodies && mkdir bodies
    local i=0 strategy
    while read -r id; do
        flac -s -d -c "bench/matched/$id.flac" | base64 -w 0 >wav.b64
        for strategy in "$@"; do
            jq -n --arg system "$(prompt "$strategy" system)" --arg text "$(prompt "$strategy" instruction)" \
                --argjson max "$(prompt "$strategy" max_tokens)" --rawfile wav wav.b64 \
                '{temperature: 0, max_tokens: $max, messages: [{role: "system", content: $system},
                  {role: "user", content: [{type: "input_audio", input_audio: {data: $wav, format: "wav"}},
                                           {type: "text", text: $text}]}]}' >bodies/$i.json
            {
                [ $i -eq 0 ] || echo next
                echo 'url = "http://127.0.0.1:PORT/v1/chat/completions"'
                echo 'header = "Content-Type: application/json"'
                echo "data = \"@bodies/$i.json\""
                echo "output = \"bodies/$i.out\""
            } >>bodies/config
            i=$((i + 1))
        done
    done <samples
}

# ask_server SLOTS IN_FLIGHT OPTION...: answers a second
ask_server() {
    local slots=$1 in_flight=$2 port=$((20000 + RANDOM % 20000)) a b n_requests
    shift 2
    "$llama_bin/llama-server" -m "$model" --mmproj "$mmproj" --host 127.0.0.1 --port $port -np "$slots" \
        --jinja "$@" >server.log 2>&1 &
    server=$!
    until curl -sf "http://127.0.0.1:$port/health" >/dev/null; do sleep 0.1; done
    sed "s/PORT/$port/" bodies/config >config
    rm -f bodies/*.out
    a=$(seconds)
    curl -s --parallel --parallel-immediate --parallel-max "$in_flight" -K config 2>/dev/null
    b=$(seconds)
    kill $server
    wait $server 2>/dev/null || true
    server=
    n_requests=$(find bodies -name '*.json' | wc -l)
    [ "$(grep -l '"choices"' bodies/*.out | wc -l)" -eq "$n_requests" ] || echo "some requests failed" >&2
    rate "$n_requests" "$a" "$b"
}

# best_of FA: the best setting of the server with this flash attention; prints "RATE SETTING"
best_of() {
    local threads slots figure
    for threads in 1 2; do
        for slots in 1 2 4 8; do
            figure=$(ask_server $slots $((slots * 2)) -t $threads -fa "$1")
            echo "$figure -np $slots, $((slots * 2)) in flight, -t $threads, -fa $1"
        done
    done | sort -rn | head -n 1
}

# ours OPTION...: answers a second of aor run, by its own count of trials
ours() {
    local a b
    rm -f ours.db
    a=$(seconds)
    "$aor" run bench -c matched --limit "$n_samples" -o ours.db "$@" 2>run.log
    b=$(seconds)
    rate "$(sqlite3 ours.db "select count(*) from response where kind = 'answer'")" "$a" "$b"
}

compare() {
    local name=$1 list=$2 first second fast plain off a b
    IFS=, read -ra strategies <<<"$list"
    bodies "${strategies[@]}"
    first=$(ours -a "$list")
    plain=$(best_of auto)
    off=$(best_of off)
    second=$(ours -a "$list")
    fast=$(ours -a "$list" --fast)
    printf '\n%s: %s samples x %s strategies, answers a second with the start\n' "$name" "$n" "${#strategies[@]}"
    printf '  %-32s %8s   (a second time: %s)\n' "aor run" "$first" "$second"
    printf '  %-32s %8s\n' "aor run --fast" "$fast"
    printf '  %-32s %8s   aor run has %sx   (%s)\n' "llama-server at its best" "${plain%% *}" "$(ratio "$first" "${plain%% *}")" "${plain#* }"
    printf '  %-32s %8s   aor run has %sx   (%s)\n' "the same without flash attention" "${off%% *}" "$(ratio "$first" "${off%% *}")" "${off#* }"
}
compare "one condition, direct" direct
compare "direct, cot, two probes" direct,cot,transcribe,scene

# Memory and time by the number of trials: one-token answers to the words alone.
sed 's/^max_tokens: .*/max_tokens: 1/' "$source/data/prompts/direct.yaml" >one.yaml
count() {
    local repeats=$1
    shift
    rm -f count.db
    /usr/bin/time -f '%e %M' -o "count.time" "$aor" run bench -c text -a ./one.yaml --temperature 1 --repeats "$repeats" \
        -o count.db "$@" 2>run.log
    echo "$(sqlite3 count.db "select count(*) from response where kind = 'answer'") $(cat count.time)"
}
read -r n_few few_s few_kib <<<"$(count 1 --limit 3000)"
read -r n_many many_s many_kib <<<"$(count 79)"
printf '\n%s trials: %s s, peak %s KiB in a process; %s trials: %s s, %s KiB\n' "$n_few" "$few_s" "$few_kib" "$n_many" "$many_s" "$many_kib"
printf 'time for each of the many over each of the few: %s; memory: %s\n' \
    "$(awk -v a="$many_s" -v m="$n_many" -v b="$few_s" -v n="$n_few" 'BEGIN {printf "%.2f", a / m / (b / n)}')" "$(ratio "$many_kib" "$few_kib")"
/usr/bin/time -f '%e %M' -o again.time "$aor" run bench -c text -a ./one.yaml --temperature 1 --repeats 79 -o count.db 2>run.log
read -r again_s again_kib <again.time
printf 'the same command again, with nothing to do: %s s, %s KiB\n' "$again_s" "$again_kib"
