#!/bin/bash
# shellcheck shell=bash
# A sweep beside restarting llama-server for each of its cells: steer.sh AOR LLAMA_BIN. All layers that a
# control vector can have x 6 strengths x (150 scenarios, 75 contrasts and 30 plain requests of dev, two variants).
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

started=$(date +%s.%N)
"$aor" steer sweep bench acts.st run.db -o sweep.db --operations add --dev-only >/dev/null 2>&1
ours=$(echo "$(date +%s.%N) - $started" | bc)
n=$(sqlite3 sweep.db "select count(*) from response r join trial t on t.id = r.trial where t.strategy <> 'direct'")
cells=$(sqlite3 sweep.db "select count(distinct strategy) - 1 from trial")

# The same samples, asked of llama-server by aor run, which is no slower than curl: three of the cells, so
# that it takes a bearable time; each with the start of a server.
for layer in 1 2; do
    "$aor" steer fit acts.st run.db --layer $layer -o v$layer.gguf >/dev/null 2>&1
done
started=$(date +%s.%N)
for cell in 1:-1 2:-2 2:-4; do
    layer=${cell%%:*}
    "$llama/llama-server" -m "$models/aor-tiny.gguf" --mmproj "$models/aor-tiny-mmproj.gguf" --jinja --host 127.0.0.1 --port $port \
        -np 8 --control-vector-scaled "v$layer.gguf:${cell##*:}" --control-vector-layer-range 1 2 >server.log 2>&1 &
    server=$!
    until curl -sf "http://127.0.0.1:$port/health" >/dev/null; do sleep 0.02; done
    "$aor" run bench -o "server-$layer${cell##*:}.db" -m tiny --url "http://127.0.0.1:$port/v1" --parallel 16 -c matched -a direct --limit 510 2>/dev/null
    kill "$server"
    wait "$server" 2>/dev/null || true
done
theirs=$(echo "$(date +%s.%N) - $started" | bc)
asked=$(for f in server-*.db; do sqlite3 "$f" "select count(*) from response where kind = 'answer'"; done | paste -sd+ | bc)
echo "aor steer sweep: $cells cells, $n trials in $ours s with its start: $(echo "scale=1; $n / $ours" | bc) a second"
echo "llama-server, restarted for each of 3 cells: $asked trials in $theirs s: $(echo "scale=1; $asked / $theirs" | bc) a second"
echo "ratio: $(echo "scale=2; ($n / $ours) / ($asked / $theirs)" | bc)"
