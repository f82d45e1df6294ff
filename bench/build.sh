#!/bin/bash
# shellcheck shell=bash
# Speed and memory of aor build: build.sh AOR [DATA_DIR]. Figures of one run on one machine, as ratios.
#
# Beside it the shell pipeline that one would write instead, on the same samples: an espeak-ng or
# flite process, sox to resample, sox to mix with the scene's sound, FLAC out; two samples at a time.
# It measures no levels, places no events and writes no metadata.
set -euo pipefail
aor=$(realpath "$1")
data=${2:-$(dirname "$0")/../data}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
jobs=2

# timed NAME COMMAND...: wall seconds, CPU seconds and peak memory into $dir/NAME.time
timed() {
    local name=$1
    shift
    /usr/bin/time -f '%e %U %S %M' -o "$dir/$name.time" "$@" >/dev/null 2>"$dir/$name.log" || {
        cat "$dir/$name.log" >&2
        exit 1
    }
}
figure() { awk -v f="$2" '{print $f}' "$dir/$1.time"; }
cpu() { awk '{print $2 + $3}' "$dir/$1.time"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", a / b}'; }
per() { awk -v s="$1" -v n="$2" 'BEGIN {printf "%.1f", 1000 * s / n}'; }

echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
timed fresh "$aor" build -d "$data" -o "$dir/bench" --limit 300 -j $jobs
n=$(wc -l <"$dir/bench/metadata.jsonl")

# What the pipeline starts from: a sound for each scene, and a line a sample.
mkdir "$dir/scenes" "$dir/shell"
"$aor" export "$dir/bench" -f jsonl >"$dir/samples.jsonl"
jq -r '.scene' "$dir/samples.jsonl" | sort -u >"$dir/names"
find "$dir/bench/.stems" -name 'take-*.flac' | sort | head -n "$(wc -l <"$dir/names")" >"$dir/takes"
paste "$dir/names" "$dir/takes" | while IFS=$'\t' read -r scene take; do
    sox "$take" -b 16 "$dir/scenes/$scene.wav"
done
voices=$data/voices.yaml
jq -r '[.id, .engine, .voice, .rate, .scene, .snr_db, .text] | @tsv' "$dir/samples.jsonl" |
    while IFS=$'\t' read -r id engine voice rate scene snr text; do
        name=$(sed -n "s/.*id: $voice,.*voice: \([^,]*\),.*/\1/p" "$voices")
        case $rate in slow) speed=0.8 ;; fast) speed=1.25 ;; *) speed=1.0 ;; esac
        printf '%s\0%s\0%s\0%s\0%s\0%s\0%s\0' "$id" "$engine" "$name" "$speed" "$scene" "$snr" "$text"
    done >"$dir/list"
cat >"$dir/one.sh" <<'ONE'
id=$1 engine=$2 voice=$3 speed=$4 scene=$5 snr=$6 text=$7
if [ "$engine" = flite ]; then
    case $speed in 0.8) stretch=1.25 ;; 1.25) stretch=0.8 ;; *) stretch=1.0 ;; esac
    flite -voice "$voice" --setf duration_stretch=$stretch -t "$text" -o "$DIR/shell/$id.wav"
else
    espeak-ng -v "$voice" -s "$(printf '%.0f' "${speed}e2")" -w "$DIR/shell/$id.wav" "$text"
fi
case $snr in 5*) gain=0.56 ;; 10*) gain=0.32 ;; *) gain=0.18 ;; esac
sox "$DIR/shell/$id.wav" -r 16000 "$DIR/shell/$id.16.wav" pad 0.5 0.5
sox -m -v 1 "$DIR/shell/$id.16.wav" -v $gain "$DIR/scenes/$scene.wav" -b 16 "$DIR/shell/$id.flac" \
    trim 0 "$(soxi -D "$DIR/shell/$id.16.wav")"
rm "$DIR/shell/$id.wav" "$DIR/shell/$id.16.wav"
ONE
export DIR=$dir
timed shell xargs -a "$dir/list" -0 -n 7 -P $jobs sh "$dir/one.sh"
[ "$(find "$dir/shell" -name '*.flac' | wc -l)" -eq "$n" ]

# The same samples at other SNRs, and with other takes of the scenes: the speech is there.
cp -r "$data" "$dir/snr"
sed -i 's/^snr_db: .*/snr_db: [4, 9, 14]/' "$dir/snr/spec.yaml"
timed snr "$aor" build -d "$dir/snr" -o "$dir/bench" --limit 300 -j $jobs
cp -r "$data" "$dir/scene"
sed -i 's/^\( *gain_db: \)-\([0-9]\)$/\1-1\2/' "$dir/scene/scenes.yaml"
timed scene "$aor" build -d "$dir/scene" -o "$dir/bench" --limit 300 -j $jobs

timed full "$aor" build -d "$data" -o "$dir/full" -j $jobs
n_full=$(wc -l <"$dir/full/metadata.jsonl")

row() {
    local wall cpu
    wall=$(per "$(figure "$1" 1)" "$3")
    cpu=$(per "$(cpu "$1")" "$3")
    printf '%-28s %7s %9.1f %9.1f %9.1f %9s %9s\n' "$2" "$3" "$wall" "$cpu" \
        "$(awk -v k="$(figure "$1" 4)" 'BEGIN {print k / 1024}')" \
        "$(ratio "$shell_wall" "$wall")" "$(ratio "$shell_cpu" "$cpu")"
}
shell_wall=$(per "$(figure shell 1)" "$n")
shell_cpu=$(per "$(cpu shell)" "$n")
printf '\n%-28s %7s %9s %9s %9s %9s %9s\n' "" samples "ms each" "CPU ms" "peak MiB" "x shell" "x in CPU"
row shell "shell pipeline" "$n"
row fresh "aor build, fresh" "$n"
row snr "aor build, other SNRs" "$n"
row scene "aor build, other scenes" "$n"
row full "aor build, the whole" "$n_full"
printf '\npeak memory, %s against %s samples: %s\n' "$n_full" "$n" \
    "$(ratio "$(figure full 4)" "$(figure fresh 4)")"

# Where the CPU time of a fresh build goes: engines run in processes named aor-speech, forked from
# the worker (the fork is part of their start-up).
if command -v perf >/dev/null && perf record -q -F 499 -g -o "$dir/perf" \
    "$aor" build -d "$data" -o "$dir/perf-bench" -j $jobs >/dev/null 2>&1; then
    echo
    perf report -i "$dir/perf" --no-children -g none --sort comm,dso 2>/dev/null | grep -v '^#' >"$dir/shares"
    fork=$(perf report -i "$dir/perf" --children -g none --sort sym 2>/dev/null |
        awk '/_Fork$/ && !n++ {sub("%", "", $1); print $1}')
    awk -v fork="${fork:-0}" '$2 == "aor-speech" {sub("%", "", $1); engines += $1}
        $2 == "aor" && $3 ~ /libFLAC/ {sub("%", "", $1); flac += $1}
        END {printf "CPU time of a fresh build: engines %.1f%%, forking them %.1f%%, FLAC %.1f%%; together %.1f%%\n",
             engines, fork, flac, engines + fork + flac}' "$dir/shares"
    echo "the rest, by library:"
    awk '$2 == "aor" && $3 !~ /libFLAC/ && NF > 2' "$dir/shares" | head -n 8
else
    echo "perf cannot measure here: no shares of CPU time"
fi
