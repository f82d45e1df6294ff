#!/bin/bash
# shellcheck shell=bash
# A sweep beside restarting llama-server for each of its cells: steer.sh AOR LLAMA_BIN. All layers that a
# control vector can have x 6 strengths x (300 scenarios, 150 contrasts, 60 plain requests of dev).
set -euo pipefail
aor=$(realpath "$1")
llama=$2
here=$(realpath "$(dirname "$0")")
dir=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir"
models=$here/../models/aor-tiny
port=$((20000 + $$ % 20000))
echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"

"$aor" build -o bench --only dev 2>/dev/null
"$aor" run bench -o run.db -c matched -a direct 2>/dev/null
"$aor" judge run.db >/dev/null 2>&1
"$aor" steer capture bench run.db -o acts.st 2>/dev/null

# sweep NAME OPTIONS...: cells, trials, seconds with the start.
sweep() {
    local started
    started=$(date +%s.%N)
    "$aor" steer sweep bench acts.st run.db -o "$1.db" --operations add --gates 100 --dev-only "${@:2}" >/dev/null 2>&1
    echo "$(sqlite3 "$1.db" "select count(distinct strategy) - 1, count(*) from trial" | tr '|' ' ')" \
        "$(echo "$(date +%s.%N) - $started" | bc)"
}
read -r cells n exact <<<"$(sweep exact)"
read -r _ _ fast <<<"$(sweep fast --fast)"
rate() { echo "scale=1; $1 / $2" | bc; }
echo "aor steer sweep: $cells cells, $n trials in $exact s with its start: $(rate "$n" "$exact") a second"
echo "aor steer sweep --fast: in $fast s: $(rate "$n" "$fast") a second"

# As many samples, asked of llama-server by aor run, which is no slower than curl, with the start of a server as each cell would need
# one. One cell for each setting, so that it takes a bearable time; its best is taken.
"$aor" steer fit acts.st run.db --layer 2 -o v.gguf >/dev/null 2>&1
best=0
for setting in "-np 4" "-np 8" "-np 16" "-np 4 -t 1" "-np 8 -t 1"; do
    name=server${setting// /}
    started=$(date +%s.%N)
    # shellcheck disable=SC2086 # several words
    "$llama/llama-server" -m "$models/aor-tiny.gguf" --mmproj "$models/aor-tiny-mmproj.gguf" --jinja --host 127.0.0.1 --port $port $setting \
        --control-vector-scaled v.gguf:-2 --control-vector-layer-range 1 2 >server.log 2>&1 &
    server=$!
    until curl -sf "http://127.0.0.1:$port/health" >/dev/null; do sleep 0.02; done
    "$aor" run bench -o "$name.db" -m tiny --url "http://127.0.0.1:$port/v1" --parallel 16 -c matched -a direct --limit 510 2>/dev/null
    kill "$server"
    wait "$server" 2>/dev/null || true
    took=$(echo "$(date +%s.%N) - $started" | bc)
    asked=$(sqlite3 "$name.db" "select count(*) from response where kind = 'answer'")
    echo "llama-server $setting, one cell: $asked trials in $took s with its start: $(rate "$asked" "$took") a second"
    best=$(echo "r = $asked / $took; if (r > $best) r else $best" | bc -l)
done
echo "ratio: $(echo "scale=2; $n / $exact / $best" | bc), with --fast $(echo "scale=2; $n / $fast / $best" | bc)"
