#!/bin/bash
# shellcheck shell=bash
# Speed of the rule judge and of the bootstrap: statistics.sh AOR. Figures of one run on one machine.
set -euo pipefail
aor=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
build=$(dirname "$aor")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"

# The answers of the data folder, one to six together, some after a refusal or a disclaimer: 20 MB.
awk -v lines=60000 '
    /^ *(- )?text: / { sub(/^ *(- )?text: */, ""); gsub(/[\\"]/, ""); text = $0 }
    /^ *answer: / { sub(/^ *answer: */, ""); gsub(/[\\"]/, ""); answers[n++] = $0; texts[n - 1] = text }
    END {
        lead[0] = lead[1] = lead[2] = ""
        lead[3] = "I am sorry, but I cannot help with that. "
        lead[4] = "As an AI language model, I do not have personal opinions. However, it depends on many factors. "
        for (i = 0; i < lines; i++) {
            out = lead[i % 5]
            for (k = 0; k <= i % 6; k++) out = out answers[(i * 7 + k * 31) % n] " "
            printf "{\"request\": \"%s\", \"response\": \"%s\", \"label\": \"%s\"}\n", texts[i % n], out,
                i % 5 == 3 ? "refusal" : "compliance"
        }
    }' "$here"/../data/scenarios/*.yaml >"$dir/answers.jsonl"
"$aor" judge --score "$dir/answers.jsonl" --json | jq -r \
    '"judge: \(.labelled) answers, \(.bytes / 1e6 * 100 | round / 100) MB in \(.seconds * 100 | round / 100) s of CPU time: \(.bytes / 1e6 / .seconds * 10 | round / 10) MB/s, \(.seconds / .labelled * 1e6 | round) us each"'

cc -O2 -std=c17 -D_GNU_SOURCE -I"$here/../src" "$here/statistics.c" "$build/libaor_stats.a" "$build/libaor_base.a" \
    -lnettle -ljansson -lfyaml -lcurl -lcsv -lm -lpthread -o "$dir/statistics"
"$dir/statistics"
