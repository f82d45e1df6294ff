#!/bin/sh
# Runs each fuzz target: fuzz.sh BUILD_DIR SECONDS
set -eu
cd "$(dirname "$0")/.."
build=$1
seconds=$2
export LSAN_OPTIONS=suppressions=$PWD/tests/fuzz/lsan.supp:print_suppressions=0
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
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
    fuzz_rubric)
        cp data/judge/llm-en.yaml "$corpus"
        printf '{"verdict": "refusal"}' >"$corpus/reply"
        ;;
    fuzz_records)
        printf 'label,a\nrefusal,"b ""c"""\n' >"$corpus/csv"
        printf '[{"label": "refusal", "a": 1}]' >"$corpus/json"
        printf '{"label": "refusal"}\n{"a": null}\n' >"$corpus/jsonl"
        ;;
    fuzz_scene) cp data/scenes.yaml "$corpus" ;;
    fuzz_metadata) echo '{"id":"x","sha256":"","recipe":"","duration_s":1.5}' >"$corpus/line" ;;
    fuzz_sounds)
        printf 'mlicence: a\ncopyright: b\nsounds: {dog: [a.wav]}\n' >"$corpus/map"
        printf 'efilename,category,esc10\na.wav,"dog",True\n' >"$corpus/esc50"
        printf 'ffname,labels\n1,"A,B"\n\0{"1":{"license":"l","uploader":"u","title":"t"}}' >"$corpus/fsd50k"
        ;;
    fuzz_wire)
        openai='"choices":[{"index":0,"message":{"content":"Yes.","refusal":null},"finish_reason":"stop"}]'
        usage='"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"audio_tokens":5}}'
        printf '\0\0\0{"model":"m",%s,%s}' "$openai" "$usage" >"$corpus/openai"
        printf '\0\0\0{"object":"error","message":"sk-KEY","code":400}' >"$corpus/hidden"
        printf '\0\0\4{"error":{"message":"no","code":"content_filter"}}' >"$corpus/filter"
        printf '\0\1\0: hi\r\ndata: {"choices":[{"delta":{"content":"Ye"}}]}\r\n\r\ndata: [DONE]\n\n' \
            >"$corpus/stream"
        printf '\0\1\0data: {"choices":[{"delta":{"refusal":"I"},"finish_reason":"stop"}]}\n\ndata: {%s}\n\n' \
            "$usage" >"$corpus/refusal"
        printf '\0\1\0data: {"error":{"message":"x","code":503}}\n\n' >"$corpus/event"
        printf '\1\0\0{"candidates":[{"content":{"parts":[{"text":"a","thought":true},{"text":"b"}]},%s}],%s}' \
            '"finishReason":"MAX_TOKENS"' '"usageMetadata":{"promptTokensDetails":[{"modality":"AUDIO"}]}' \
            >"$corpus/gemini"
        printf '\1\0\0{"promptFeedback":{"blockReason":"SAFETY"}}' >"$corpus/blocked"
        printf '\1\0\7[{"error":{"code":429,"status":"S","message":"m","details":[%s,%s]}}]' \
            '{"@type":"google.rpc.QuotaFailure","violations":[{"quotaId":"PerDay"}]}' \
            '{"@type":"google.rpc.RetryInfo","retryDelay":"4.5s"}' >"$corpus/quota"
        ;;
    fuzz_retry)
        echo 'Sun, 06 Nov 1994 08:49:57 GMT' >"$corpus/date"
        echo 'Sunday, 06-Nov-94 08:49:57 GMT' >"$corpus/rfc850"
        printf '1h2m3.5s' >"$corpus/duration"
        ;;
    esac
done

# As many at a time as there are processors.
export build seconds
# shellcheck disable=SC2016 # the inner shell's
find tests/fuzz -name 'fuzz_*.c' -exec basename {} .c \; | sort | xargs -P "$(nproc)" -n 1 sh -c '
    name=$1
    "$build/tests/fuzz/$name" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 \
        -verbosity=0 -print_final_stats=1 -artifact_prefix="$build/" "$build/corpus/$name" 2>"$build/$name.log" || {
        tail -n 40 "$build/$name.log"
        exit 255
    }
    echo "fuzz: $name for $seconds s: $(grep -o "number_of_executed_units.*" "$build/$name.log")"
' -
