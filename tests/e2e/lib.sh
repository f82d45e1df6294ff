#!/bin/sh
# Sourced by each test: TAP output, a scratch folder, the small benchmark. Wants AOR (the program),
# SOURCE (the checkout), SHARED (a folder that tests share: one build of the small benchmark).
set -u
: "${AOR:?}" "${SOURCE:?}" "${SHARED:?}"
export MODEL=$SOURCE/models/aor-tiny/aor-tiny.gguf
export MMPROJ=$SOURCE/models/aor-tiny/aor-tiny-mmproj.gguf
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
cd "$T" || exit 1
n_tests=0
n_failed=0

# ok NAME COMMAND...: passes when the command succeeds.
ok() {
    name=$1
    shift
    n_tests=$((n_tests + 1))
    if "$@" >"$T/.out" 2>&1; then
        echo "ok $n_tests - $name"
    else
        echo "not ok $n_tests - $name"
        sed 's/^/#   /' "$T/.out" | head -n 20
        n_failed=$((n_failed + 1))
    fi
}

# fails NAME CODE PATTERN COMMAND...: exit code CODE, and one line on stderr that matches, besides
# progress and the count of what was stored.
fails() {
    name=$1 code=$2 pattern=$3
    shift 3
    n_tests=$((n_tests + 1))
    "$@" >"$T/.out" 2>"$T/.all"
    status=$?
    grep -vE '^(build|check|run) [0-9]+/|trials answered' "$T/.all" >"$T/.err"
    if [ $status -eq "$code" ] && [ "$(wc -l <"$T/.err")" -eq 1 ] && grep -qE "$pattern" "$T/.err"; then
        echo "ok $n_tests - $name"
    else
        echo "not ok $n_tests - $name"
        echo "#   wanted exit code $code and one line like: $pattern"
        echo "#   got $status and:"
        sed 's/^/#   /' "$T/.err" | head -n 20
        n_failed=$((n_failed + 1))
    fi
}

skip() {
    n_tests=$((n_tests + 1))
    echo "ok $n_tests - $1 # SKIP $2"
}

finish() {
    echo "1..$n_tests"
    [ $n_failed -eq 0 ]
    exit
}

# The benchmark of tests/data/NAME.yaml, built once for all tests by this very program.
build_bench() {
    mkdir -p "$SHARED"
    (
        flock 9
        [ -n "$(find "$SHARED/$1/metadata.jsonl" -newer "$AOR" 2>/dev/null)" ] || rm -rf "${SHARED:?}/$1"
        "$AOR" build -s "$SOURCE/tests/data/$1.yaml" -o "$SHARED/$1" 2>"$SHARED/build.log"
    ) 9>"$SHARED/lock" || {
        cat "$SHARED/build.log" >&2
        exit 1
    }
    export BENCH=$SHARED/$1
}
small_bench() { build_bench small; }

# llama-server with these options, in SERVER when it is ready; it ends with the test.
start_server() {
    port=$((20000 + $$ % 20000))
    [ -z "${server:-}" ] || { kill "$server" && wait "$server" 2>/dev/null; }
    "$LLAMA_BIN/llama-server" --host 127.0.0.1 --port $port -t 1 -np 1 -fa off --jinja "$@" >server.log 2>&1 &
    server=$!
    trap 'kill $server 2>/dev/null; rm -rf "$T"' EXIT
    SERVER=http://127.0.0.1:$port
    i=0
    until curl -sf "$SERVER/health" >/dev/null || [ $i -ge 100 ]; do
        sleep 0.1
        i=$((i + 1))
    done
}

# within TENTHS COMMAND...: until it succeeds, for so many tenths of a second at most.
within() {
    left=$1
    shift
    until "$@"; do
        [ "$left" -gt 0 ] || return 1
        sleep 0.1
        left=$((left - 1))
    done
}

sql() {
    sqlite3 "$@"
}
