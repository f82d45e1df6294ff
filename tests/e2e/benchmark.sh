#!/bin/sh
# A part of the shipped benchmark: shards, selections, what check measures, show, export.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"

DATA=${DATA:-$SOURCE/data}
build() { "$AOR" build -d "$DATA" "$@"; }
pcm() { sed -n 's/^pcm_sha256: //p' "$1/benchmark.yaml"; }

ok "build a part" build -o whole --limit 300
part() {
    jq -es 'length <= 300 and length > 280 and ([.[].kind] | unique | length == 3) and
        ([.[].category] | unique | length == 6) and ([.[].split] | unique | length == 2)' whole/metadata.jsonl
}
ok "of whole items of every kind, category and split" part

shards() {
    build -o parts --limit 300 --shard 1/3 -j 1 &
    build -o parts --limit 300 --shard 2/3 -j 1 &
    wait
    [ ! -e parts/metadata.jsonl ]
}
ok "two of three shards at the same time" shards
fails "which is no finished benchmark" 1 'parts: is not finished' "$AOR" check parts
fails "and takes no other number of shards" 2 'of another number of shards, is there' "$AOR" build -d "$DATA" -o parts --limit 300 --shard 1/2
ok "the third shard" build -o parts --limit 300 --shard 3/3
united() {
    build -o parts --limit 300 2>&1 | grep -q 'all up to date' && [ "$(pcm parts)" = "$(pcm whole)" ] &&
        cmp parts/metadata.jsonl whole/metadata.jsonl && [ -z "$(find parts -name '.build*.jsonl')" ]
}
ok "the whole build unites them, the same" united
# Many shards at once on a folder that is not there yet, over and over.
crowd() {
    for round in 1 2 3 4 5 6 7 8; do
        for k in 1 2 3 4 5 6; do
            build -o "crowd$round" --only gaming-p01 --shard $k/6 -j 1 || echo failed >>crowd.failed &
        done
        wait
        build -o "crowd$round" --only gaming-p01 && [ ! -e crowd.failed ] || return 1
    done
}
ok "six shards at once on a new folder, eight times" crowd
# An edit of the data while a build is at work.
cp -r "$DATA" moving
moved() {
    "$AOR" build -d moving -o moved --limit 300 &
    while [ ! -e moved/.build.jsonl ]; do sleep 0.05; done
    sed -i 's/^snr_db: .*/snr_db: [1, 2, 3]/' moving/spec.yaml
    sed -i 's/^# Scenes/# Edited scenes/' moving/scenes.yaml
    ! wait $! && ! "$AOR" check moved && "$AOR" build -d moving -o moved --limit 300 && "$AOR" check moved
}
ok "data that change under a build end it, and the next one starts from them" moved
for bad in 0/2 3/2 1 1/2x /; do
    fails "--shard $bad" 2 'wants K/N' "$AOR" build -d "$DATA" -o none --shard $bad
done

fails "a selection that leaves samples out goes elsewhere" 2 'holds samples that this selection leaves out' \
    "$AOR" build -d "$DATA" -o whole --only gaming
fails "--only of an empty list" 2 'names nothing' "$AOR" build -d "$DATA" -o none --only ''
cp -r "$DATA" yml && mv yml/scenarios/work.yaml yml/scenarios/work.yml
fails "a file that ends in .yml" 1 'work.yml: its name must end in .yaml' "$AOR" build -d yml -o none
fails "--only of nothing" 2 'is no item, scene, category, kind or split' "$AOR" build -d "$DATA" -o none --only gamming

# The same items at other SNRs: no speech and no scene is made anew.
cp -r "$DATA" snr
sed -i 's/^snr_db: .*/snr_db: [4, 9, 14]/' snr/spec.yaml
cp -r whole other
stems() { find other/.stems -type f | sort | xargs stat -c '%n %Y' | sha256sum; }
before=$(stems)
ok "build at other SNRs" "$AOR" build -d snr -o other --limit 300
ok "makes no stem" [ "$(stems)" = "$before" ]
ok "and other samples" [ "$(pcm other)" != "$(pcm whole)" ]

ok "check finds nothing wrong" "$AOR" check whole
"$AOR" check whole --json >check.json
measures() {
    jq -e '.bad == 0 and .clipped == 0 and .true_peak_db.max <= -1 and
        .snr_error_db.min > -0.2 and .snr_error_db.max < 0.2' check.json
}
ok "SNR within 0.2 dB, true peak at most -1 dBTP" measures
# level NAME FIELD: of a factor whose levels have names of their own
prosody() {
    jq -e '[.speech[] | {key: .level, value: .}] | from_entries as $s |
        [["happy", "sad", "angry", "fearful"][] | $s[.] |
            (.syllables_per_s / $s.neutral.syllables_per_s - 1 | fabs) < 0.05 and
            (.active_level_db - $s.neutral.active_level_db | fabs) < 0.5] as $kept |
        ($kept | all) and
        $s.happy.f0_hz > 1.05 * $s.neutral.f0_hz and $s.happy.f0_range_st > 1.2 * $s.neutral.f0_range_st and
        $s.sad.f0_hz < 0.95 * $s.neutral.f0_hz and $s.sad.f0_range_st < 0.7 * $s.neutral.f0_range_st and
        $s.angry.f0_hz > 1.02 * $s.neutral.f0_hz and $s.angry.f0_range_st > 1.2 * $s.neutral.f0_range_st and
        $s.fearful.f0_hz > 1.1 * $s.neutral.f0_hz and $s.fearful.f0_range_st < $s.neutral.f0_range_st' check.json
}
ok "emotions move F0 and its range as meant, and leave syllable rate and level" prosody
rates() {
    jq -e '[.speech[] | {key: .level, value: .syllables_per_s}] | from_entries |
        .slow < 0.9 * .normal and .fast > 1.1 * .normal' check.json
}
ok "rates change the syllable rate" rates
genders() {
    jq -e '[.speech[] | select(.factor == "cell")] | length == 30 and
        ([.[] | select(.level | startswith("female")) | .f0_hz] | min) >
        ([.[] | select(.level | startswith("male")) | .f0_hz] | max)' check.json
}
ok "female and male mean F0 do not overlap" genders

loudness() {
    find whole/matched -name '*.flac' | sort | awk 'NR % 14 == 1' | head -n 20 >twenty
    [ "$(wc -l <twenty)" -eq 20 ] || return 1
    while read -r file; do
        theirs=$(ffmpeg -nostdin -hide_banner -i "$file" -af ebur128 -f null - 2>&1 | sed -n 's/^ *I: *\(-[0-9.]*\) LUFS.*/\1/p' | tail -n 1)
        ours=$(jq -r --arg f "matched/$(basename "$file")" 'select(.file_name == $f) | .lufs' whole/metadata.jsonl)
        awk -v a="$ours" -v b="$theirs" -v f="$file" 'BEGIN {d = a - b; if (b == "" || d > 0.1 || d < -0.1) {print f, a, b; exit 1}}' || return 1
    done <twenty
}
ok "LUFS of 20 files within 0.1 of ffmpeg's" loudness

cp -r whole bad
id=$(sed -n '5s/.*"id":"\([^"]*\)".*/\1/p' bad/metadata.jsonl)
sed -i '5s/"lufs":-[0-9.]*/"lufs":-9.9/' bad/metadata.jsonl
lie() { "$AOR" check bad >bad.txt; [ $? -eq 3 ] && grep -q "^BAD  $id: metadata.jsonl says other numbers" bad.txt; }
ok "check finds a number that is not so" lie
told() { sed -i '3s/"emotion":"[a-z]*"/"emotion":"bored"/' bad/metadata.jsonl && "$AOR" check bad | grep -q 'metadata.jsonl says something else in its place'; }
ok "a field that is not the plan's" told
hashes() { sed -i 's/^pcm_sha256: .*/pcm_sha256: 0/' bad/benchmark.yaml && "$AOR" check bad | grep -q 'benchmark.yaml names another hash of all sound'; }
ok "a hash that is not the sound's" hashes
first=$(head -n 1 whole/metadata.jsonl | jq -r .sha256)
sed -i "2s/\"sha256\":\"[0-9a-f]*\"/\"sha256\":\"$first\"/" bad/metadata.jsonl
double() { "$AOR" check bad >bad.txt; [ $? -eq 3 ] && grep -q "is the same sound as" bad.txt; }
ok "and a double" double

asr() {
    "$AOR" check whole --asr "$MODEL" --mmproj "$MMPROJ" --json >asr.json &&
        jq -e '.asr.unanswered == 0 and (.asr.levels[] | select(.factor == "all") | .wer > 0 and .wer < 0.15 and .samples > 280)' asr.json
}
ok "intelligibility by a model" asr
no_model() { "$AOR" check whole --asr no.gguf --mmproj no.gguf >report.txt; [ $? -eq 1 ] && grep -q 'all good' report.txt; }
ok "a model that does not load costs no report" no_model
fails "--asr wants the model's encoder" 2 'wants --mmproj' "$AOR" check whole --asr "$MODEL"

id=$(head -n 1 whole/metadata.jsonl | jq -r .id)
item=$(head -n 1 whole/metadata.jsonl | jq -r .item)
show() { "$AOR" show whole "$id" | grep -q "^text  *[A-Z]" && [ "$(head -c 8 "$id.png" | od -An -c | tr -d ' \n')" = '211PNG\r\n032\n' ]; }
ok "show a sample, with a picture" show
show_item() { "$AOR" show whole "$item" --json | jq -e --arg id "$id" '.samples | length == 10 and any(. == $id)'; }
ok "show an item" show_item
fails "show of nothing" 2 'there is no sample or item "nobody"' "$AOR" show whole nobody
fails "a picture that cannot be written" 1 'no-such-dir' "$AOR" show whole "$id" -o no-such-dir/a.png

jsonl() { "$AOR" export whole -f jsonl >all.jsonl && [ "$(wc -l <all.jsonl)" -eq "$(wc -l <whole/metadata.jsonl)" ] && jq -r .audio all.jsonl | xargs ls >/dev/null; }
ok "export jsonl" jsonl
ok "export hf" "$AOR" export whole -f hf -o hf -c matched,speech
resume() { rm hf/README.md && echo "$(sed -n 's/^data_sha256: //p' whole/benchmark.yaml) 3" >hf/.export && "$AOR" export whole -f hf -o hf -c matched,speech && [ ! -e hf/.export ] && [ -e hf/README.md ]; }
ok "an interrupted export goes on" resume
alone() { jq -es 'all(.[]; .achieved_snr_db == null and .lufs < -20)' hf/speech/dev/metadata.jsonl; }
ok "speech alone has loudness and no SNR" alone
# Without the sound packages; then without the takes, by another number of processes.
ok "export noise and mismatched" "$AOR" export whole -f hf -o sounds -c noise,mismatched
snr() { jq -es 'length > 560 and all(.[]; .achieved_snr_db - .snr_db | fabs < 0.05)' sounds/*/*/metadata.jsonl; }
ok "at the SNR that was wanted, within 0.05 dB" snr
heard() {
    jq -es '(sort_by(.item, .emotion) | [.[] | {item, emotion, heard_scene}] | unique | length) * 2 == length and
        all(.[]; .heard_scene != .scene) and ([.[].heard_scene] | unique | length) == 24' sounds/mismatched/*/metadata.jsonl
}
ok "mismatched: another scene, every scene, the same for both voices of a pair" heard
again() {
    cp -r whole bare && rm bare/.stems/take-* && chmod a-w bare/.stems &&
        "$AOR" export bare -f hf -o again -c noise,mismatched && diff -r sounds again
}
ok "the same where takes are not stored" again
chmod u+w bare/.stems
fails "export of a text" 2 'condition text has no audio to export' "$AOR" export whole -f hf -o texts -c text
fails "export into a folder that is not empty" 2 'is not an empty folder' "$AOR" export whole -f hf -o hf
fails "jsonl goes to stdout" 2 'goes to stdout' "$AOR" export whole -f jsonl -o all.jsonl
fails "export of no format" 2 'wants -f' "$AOR" export whole -f csv

# Hugging Face datasets, of a version that decodes without torch.
venv=$SHARED/venv
hf_datasets() {
    (
        flock 9
        [ -e "$venv/done" ] || {
            python3 -m venv "$venv" && "$venv/bin/pip" install --quiet datasets==3.6.0 soundfile==0.14.0 &&
                touch "$venv/done"
        }
    ) 9>"$SHARED/venv.lock"
}
mkdir -p "$SHARED"
ok "install Hugging Face datasets" hf_datasets
ok "which loads the export as it is, with its splits and configurations" \
    env HF_HUB_OFFLINE=1 HF_HOME="$T/hf-home" "$venv/bin/python" "$SOURCE/tests/e2e/load_hf.py" export hf
ok "and the benchmark folder itself" \
    env HF_HUB_OFFLINE=1 HF_HOME="$T/hf-home" "$venv/bin/python" "$SOURCE/tests/e2e/load_hf.py" bench whole
finish
