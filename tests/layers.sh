#!/bin/sh
# Arrows between layers point one way, and each third-party library has one room.
set -u
cd "$(dirname "$0")/.." || exit 1
bad=0

# layer: the layers it may include (itself always).
allowed() {
    case $1 in
    base) echo "base" ;;
    audio | model | store | judge | stats) echo "$1 base" ;;
    speech | scene | plot) echo "$1 audio base" ;;
    bench) echo "bench speech scene audio base" ;;
    run) echo "run bench model store speech scene audio base" ;;
    report) echo "report stats judge run bench model store audio base" ;;
    steer) echo "steer report stats judge run bench model store audio base" ;;
    web) echo "web report stats judge bench store audio base" ;;
    esac
}

for dir in src/*/; do
    layer=$(basename "$dir")
    may=" $(allowed "$layer") "
    # The model layer hears audio.
    [ "$layer" = model ] && may="$may audio "
    # shellcheck disable=SC2013 # no spaces in names of layers
    for target in $(grep -rhoE '^#include "[a-z]+/' "$dir" | sed 's/.*"//; s|/||' | sort -u); do
        case $may in
        *" $target "*) ;;
        *)
            echo "layers: $layer must not include $target:"
            grep -rnE "^#include \"$target/" "$dir"
            bad=1
            ;;
        esac
    done
done

# header: the files that may include it.
room() {
    found=$(grep -rlE "^#include <$1" src cmd | sort | tr '\n' ' ')
    if [ "$found" != "$2 " ]; then
        echo "layers: <$1> is included by: ${found:-nobody}; its room is $2"
        bad=1
    fi
}
room sndfile.h src/audio/audio.c
room soxr.h src/audio/audio.c
room ebur128.h src/audio/level.c
room espeak-ng/ src/speech/espeak.c
room flite/ src/speech/flite.c
room sqlite3.h src/store/store_parts.h
room libfyaml.h src/base/yaml.c
room csv.h src/base/csv.c
room jansson.h src/base/json.h
room nettle/ src/base/fs.c
room curl/ "src/base/download.c src/base/http.c src/base/retry.c"
room llama.h "src/model/chat.cpp src/model/local_parts.h"
room 'mtmd[.]h' src/model/local_parts.h
room mtmd-helper.h "src/model/batch.c src/model/local.c"
room gguf.h src/model/direction.c
room chat.h src/model/chat.cpp
room cairo.h src/plot/picture.c
room fftw3.h src/plot/spectrogram.c
room libstemmer.h src/bench/content.c
room pcre2.h src/judge/rule_file.h
room re2/ src/judge/prefilter.cpp
room zlib.h src/report/report.c
room microhttpd.h src/web/server.c

# Only commands print data or end the process; children of ours end by _exit.
if grep -rnE '\b(printf|puts|putchar|exit)\(' src --include='*.c' --include='*.cpp' |
    grep -vE '_exit\(|[a-z]n?printf\('; then
    echo "layers: only cmd/ prints to stdout or exits"
    bad=1
fi
exit $bad
