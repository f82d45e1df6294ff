#!/bin/sh
# Bad GGUF files: one clear line, exit code 1, and no trace in the run file.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
small_bench
gguf() { python3 "$SOURCE/tests/e2e/gguf.py" "$@"; }

"$AOR" run "$BENCH" -c matched --limit 4 -o run.db 2>/dev/null
dump() { sql run.db .dump | sha256sum; }
before=$(dump)
# bad NAME PATTERN TEXT.gguf MMPROJ.gguf [OPTIONS]: in a new run file, and in one that holds a run.
bad() {
    name=$1 pattern=$2 text=$3 mmproj=$4
    shift 4
    fails "$name" 1 "$pattern" "$AOR" run "$BENCH" -m "$text" --mmproj "$mmproj" -o new.db "$@"
}
no_trace() { [ -z "$(find . -name 'new.db*')" ] && [ "$(dump)" = "$before" ]; }

# Cut at 50 places, half of them in the header; the whole loop is one test.
cut_files() {
    size=$(stat -c %s "$1")
    header=$(grep -abo "$3" "$1" | head -n 1 | cut -d: -f1)
    wrong=0
    for i in $(seq 0 24); do
        echo $((4 + (header - 4) * i / 25))
        echo $((header + (size - header) * i / 25))
    done | sort -nu >places
    while read -r place; do
        head -c "$place" "$1" >cut.gguf
        "$AOR" run "$BENCH" -m "${4:-cut.gguf}" --mmproj "${5:-cut.gguf}" -o new.db >out 2>err
        status=$?
        grep -q "$2" err && [ $status -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] && [ ! -s out ] && continue
        echo "cut at $place: exit code $status and:"
        cat err
        wrong=$((wrong + 1))
    done <places
    echo "$(wc -l <places) places, $wrong wrong"
    [ "$(wc -l <places)" -ge 50 ] && [ $wrong -eq 0 ]
}
ok "a text model cut at 50 places" cut_files "$MODEL" '^aor: cut.gguf: ' blk.2.ffn_down.weight '' "$MMPROJ"
ok "an audio encoder cut at 50 places" cut_files "$MMPROJ" '^aor: cut.gguf: ' mm.a.mlp.3.bias "$MODEL"

# Bytes that are not what they were, in the header: whatever comes, it is one line or a run.
damaged() {
    wrong=0
    header=$(grep -abo "$3" "$1" | head -n 1 | cut -d: -f1)
    for i in $(seq 0 29); do
        cp "$1" flipped.gguf
        printf '\377\377\377\177' | dd of=flipped.gguf bs=1 seek=$((8 + (header - 8) * i / 30)) conv=notrunc status=none
        rm -f flip.db
        "$AOR" run "$BENCH" -m "$4" --mmproj "$5" -c matched --limit 4 -o flip.db >out 2>err
        status=$?
        grep -vE '^run [0-9]+/|trials answered|the first error' err >lines
        case $status in
        0 | 3) continue ;;
        1) [ "$(wc -l <lines)" -eq 1 ] && continue ;;
        esac
        echo "damaged at $((8 + (header - 8) * i / 30)): exit code $status and:"
        cat err
        wrong=$((wrong + 1))
    done
    [ $wrong -eq 0 ]
}
ok "a text model damaged at 30 places" damaged "$MODEL" x blk.2.ffn_down.weight flipped.gguf "$MMPROJ"
ok "an audio encoder damaged at 30 places" damaged "$MMPROJ" x mm.a.mlp.3.bias "$MODEL" flipped.gguf

gguf edit nonsense.gguf "$MODEL" general.architecture=nonsense
bad "an architecture that is none" 'nonsense.gguf: .*nonsense' nonsense.gguf "$MMPROJ"
bad "an audio encoder as text model" 'aor-tiny-mmproj.gguf: does not load' "$MMPROJ" "$MMPROJ"
bad "a text model as audio encoder" 'aor-tiny.gguf: is no projector' "$MODEL" "$MODEL"
gguf direction good.gguf 160 1 1 2
bad "a control vector as text model" 'good.gguf: does not load' good.gguf "$MMPROJ"
bad "a control vector as audio encoder" 'good.gguf: is no projector' "$MODEL" good.gguf
gguf edit projector.gguf "$MMPROJ" clip.projector_type=nonsense
bad "a projector that is none" 'projector.gguf: is no projector.*nonsense' "$MODEL" projector.gguf
gguf width narrow.gguf "$MMPROJ" 96
bad "an audio encoder of another width" 'narrow.gguf: .*(128|96)' "$MODEL" narrow.gguf
gguf edit silent.gguf "$MMPROJ" clip.has_audio_encoder:=0
bad "a projector without an audio encoder" 'silent.gguf: ' "$MODEL" silent.gguf
gguf edit mute.gguf "$MODEL" -tokenizer.chat_template
bad "a model without a chat template" 'mute.gguf: .*no chat template' mute.gguf "$MMPROJ"
printf '{{ messages[0].content }}' >deaf.jinja
bad "a chat template that leaves the audio out" 'audio.s place' "$MODEL" "$MMPROJ" --chat-template deaf.jinja
gguf edit layers.gguf "$MODEL" llama.block_count:=4
bad "a layer too few" 'layers.gguf: does not load' layers.gguf "$MMPROJ"
gguf edit heads.gguf "$MODEL" llama.attention.head_count:=3
bad "a width that its heads do not share" 'heads.gguf: ' heads.gguf "$MMPROJ"
bad "a folder as model" 'is no regular file' "$T" "$MMPROJ"
: >empty.gguf
bad "an empty file" 'empty.gguf: is no GGUF' empty.gguf "$MMPROJ"

gguf direction narrow-direction.gguf 64 1 1 2
bad "a direction of another width" 'narrow-direction.gguf: .*160' "$MODEL" "$MMPROJ" -a steered --direction narrow-direction.gguf
gguf direction deep.gguf 160 1 3
bad "a direction of a layer that is not there" 'deep.gguf: .*layers 0 to 2' "$MODEL" "$MMPROJ" -a steered --direction deep.gguf
gguf direction zero.gguf 160 1 0
bad "a direction of layer 0" 'zero.gguf: .*direction.N' "$MODEL" "$MMPROJ" -a steered --direction zero.gguf
TYPE=f16 gguf direction half.gguf 160 1 1
bad "a direction of another type" 'half.gguf: .*F32' "$MODEL" "$MMPROJ" -a steered --direction half.gguf
NAME=vector gguf direction vector.gguf 160 1 1
bad "a direction of another name" 'vector.gguf: .*direction.N' "$MODEL" "$MMPROJ" -a steered --direction vector.gguf
gguf direction infinite.gguf 160 inf 1
bad "a direction that is not finite" 'infinite.gguf: .*not finite' "$MODEL" "$MMPROJ" -a steered --direction infinite.gguf
# bad_key NAME PATTERN KEYS...
bad_key() {
    name=$1 pattern=$2
    shift 2
    gguf direction key.gguf 160 1 1 "$@"
    bad "$name" "key.gguf: .*$pattern" "$MODEL" "$MMPROJ" -a steered --direction key.gguf
}
ones=$(printf '1,%.0s' $(seq 159))1
bad_key "an operation that is none" 'aor.operation is "multiply"' aor.operation=multiply
bad_key "an operation that is no text" 'aor.operation is "of another type"' aor.operation:=1
bad_key "a scope that is none" 'aor.scope is "some"' aor.scope=some
bad_key "a strength that is none" 'aor.strength is no number' aor.strength=much
bad_key "an infinite strength" 'aor.strength is no number' aor.strength=inf
bad_key "half a condition" 'wants a layer, a threshold and a vector' aor.condition.layer:=1
bad_key "a condition of other types" 'wants a layer, a threshold and a vector' aor.condition.layer=1 aor.condition.threshold:=1. aor.condition.vector:="$ones"
bad_key "a condition of another width" 'of width 2: .*width 160' aor.condition.layer:=1 aor.condition.threshold:=1. aor.condition.vector:=1,2
bad_key "a condition on a layer that is not there" 'is on layer 3 .*layers 0 to 2' aor.condition.layer:=3 aor.condition.threshold:=1. aor.condition.vector:="$ones"
bad_key "a condition below the first layer" 'is on layer -1' aor.condition.layer:=-1 aor.condition.threshold:=1. aor.condition.vector:="$ones"
bad_key "a threshold that is not finite" 'not finite' aor.condition.layer:=1 aor.condition.threshold:=nan aor.condition.vector:="$ones"
gguf direction ablation.gguf 160 1 1 aor.operation=ablate
bad "a strength of an ablation" 'ablation.gguf: .*no strength' "$MODEL" "$MMPROJ" -a steered --direction ablation.gguf --strength 2
gguf direction nothing.gguf 160 1
bad "a file without a direction" 'nothing.gguf: holds no direction' "$MODEL" "$MMPROJ" -a steered --direction nothing.gguf
bad "no file" 'none.gguf: No such file' "$MODEL" "$MMPROJ" -a steered --direction none.gguf
head -c 300 good.gguf >cut-direction.gguf
bad "a cut direction" 'cut-direction.gguf: is no GGUF' "$MODEL" "$MMPROJ" -a steered --direction cut-direction.gguf

fails "a bad model in a run file of a good one" 2 'another model.text.sha256' "$AOR" run "$BENCH" -m nonsense.gguf --mmproj "$MMPROJ" -o run.db
fails "and a bad audio encoder" 2 'another model.mmproj.sha256' "$AOR" run "$BENCH" -m "$MODEL" --mmproj narrow.gguf -o run.db
ok "nothing of all that is in the run files" no_trace
ok "and a good model takes them" "$AOR" run "$BENCH" -c text -o new.db
finish
