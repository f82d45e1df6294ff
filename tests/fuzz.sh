#!/bin/sh
# Runs each fuzz target: fuzz.sh BUILD_DIR SECONDS
set -eu
cd "$(dirname "$0")/.."
build=$1
seconds=$2
export LSAN_OPTIONS=suppressions=$PWD/tests/fuzz/lsan.supp:print_suppressions=0
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    target=$build/tests/fuzz/$name
    corpus=$build/corpus/$name
    mkdir -p "$corpus"
    case $name in
    fuzz_scenario) cp data/scenarios/*.yaml "$corpus" ;;
    fuzz_lists) cp data/voices.yaml data/sounds.yaml "$corpus" ;;
    fuzz_prompt)
        cp data/prompts/*.yaml "$corpus"
        printf '%s\0%s' "$(cat data/prompts/cot.yaml)" 'A bell. **Answer:** Yes.' >"$corpus/answer"
        ;;
    fuzz_preset) cp data/models/*.yaml "$corpus" ;;
    fuzz_spec) cp data/spec.yaml "$corpus" ;;
    fuzz_scene) cp data/scenes.yaml "$corpus" ;;
    fuzz_metadata) echo '{"id":"x","sha256":"","recipe":"","duration_s":1.5}' >"$corpus/line" ;;
    fuzz_sounds)
        printf 'mlicence: a\ncopyright: b\nsounds: {dog: [a.wav]}\n' >"$corpus/map"
        printf 'efilename,category,esc10\na.wav,"dog",True\n' >"$corpus/esc50"
        printf 'ffname,labels\n1,"A,B"\n\0{"1":{"license":"l","uploader":"u","title":"t"}}' >"$corpus/fsd50k"
        ;;
    esac
    echo "fuzz: $name for $seconds s"
    "$target" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 \
        -verbosity=0 -print_final_stats=1 -artifact_prefix="$build/" "$corpus" 2>"$build/$name.log" || {
        tail -n 40 "$build/$name.log"
        exit 1
    }
    grep -E 'number_of_executed_units' "$build/$name.log" || true
done
