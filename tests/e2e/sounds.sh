#!/bin/sh
# A user's own recordings: aor sounds on ESC-50's layout, FSD50K's and a map; a benchmark whose scenes
# use their labels; the folder is not needed afterwards.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
DATA=${DATA:-$SOURCE/data}

# tone FILE HZ
tone() { ffmpeg -v error -f lavfi -i "sine=frequency=$2:duration=2:sample_rate=44100" "$1"; }

# The tree of ESC-50: two dogs, one of them of ESC-10, and a fire.
mkdir -p ESC-50/audio ESC-50/meta
tone ESC-50/audio/1-100032-A-0.wav 440
tone ESC-50/audio/5-9032-A-0.wav 880
tone ESC-50/audio/1-17150-A-12.wav 220
printf 'filename,fold,target,category,esc10,src_file,take\r\n' >ESC-50/meta/esc50.csv
printf '%s\r\n' '1-100032-A-0.wav,1,0,dog,True,100032,A' '5-9032-A-0.wav,5,0,dog,False,9032,A' \
    '"1-17150-A-12.wav",1,12,"crackling_fire",False,17150,A' >>ESC-50/meta/esc50.csv

ok "aor sounds on ESC-50" "$AOR" sounds ESC-50 -o esc-50.yaml
three() { [ "$(grep -c '^  - id: esc-50-' esc-50.yaml)" -eq 3 ]; }
ok "a clip for each sound" three
hash() {
    [ "$(sed -n '/id: esc-50-5-9032-a-0$/,/sha256/s/ *sha256: //p' esc-50.yaml)" = \
        "$(sha256sum <ESC-50/audio/5-9032-A-0.wav | cut -d' ' -f1)" ]
}
ok "with its file's SHA-256" hash
same() { "$AOR" sounds ESC-50 -f esc-50 2>/dev/null | cmp - esc-50.yaml; }
ok "the same on stdout, with the layout named" same
only() { "$AOR" sounds ESC-50 --only dog | grep -c '^  - id: ' | grep -qx 2; }
ok "--only takes what has the label" only

mkdir -p FSD50K/FSD50K.dev_audio FSD50K/FSD50K.ground_truth FSD50K/FSD50K.metadata
cp ESC-50/audio/1-17150-A-12.wav FSD50K/FSD50K.dev_audio/64760.wav
printf 'fname,labels,mids,split\n64760,"Frying_(food),Domestic_sounds_and_home_sounds","/m/a,/m/b",train\n' \
    >FSD50K/FSD50K.ground_truth/dev.csv
echo '{"64760": {"title": "eggs|*.wav", "license": "http://creativecommons.org/licenses/by/3.0/",
    "uploader": "a cook"}}' >FSD50K/FSD50K.metadata/dev_clips_info_FSD50K.json
ok "aor sounds on FSD50K, dev alone" "$AOR" sounds FSD50K -o mydata/sounds/fsd50k.yaml
licence() { grep -qx '    licence: "CC-BY-3.0"' mydata/sounds/fsd50k.yaml; }
ok "a clip's own licence" licence

mkdir mine
tone mine/ping.flac 660
printf 'licence: CC0-1.0\ncopyright: "me"\nsounds:\n  Whistle: [ping.flac]\n' >mine/sounds-map.yaml
ok "aor sounds on a map" "$AOR" sounds mine -o mine.yaml

# A copy of the data whose arcade is made of these sounds.
cp -r "$DATA/." mydata
chmod -R u+w mydata
cp esc-50.yaml mine.yaml mydata/sounds
cat >mydata/scenes.yaml.new <<END
scenes:
  - id: arcade
    category: gaming
    words: "dogs, a whistle and frying"
    names: [dog*, whistle*, frying]
    bed:
      - clip: crackling-fire
        gain_db: -10
      - clip: [frying-food, dog]
        gain_db: -20
    events:
      - clip: dog
        every_s: [0.5, 1]
        gain_db: [-6, 0]
      - clip: whistle
        every_s: [1, 2]
        gain_db: [-6, 0]
END
awk '/^  - id: / { skip = $3 == "arcade" } /^scenes:/ { next } !skip' mydata/scenes.yaml >>mydata/scenes.yaml.new
mv mydata/scenes.yaml.new mydata/scenes.yaml
item=$(awk '/^  - id: / { id = $3 } /^    scene: arcade$/ { print id; exit }' mydata/scenarios/gaming.yaml)
sed -i -e "s/^items:.*/items: [$item]/" -e 's/^pairs:.*/pairs: {scenario: 1, contrast: 0, plain: 0}/' mydata/spec.yaml

ok "build with labels" "$AOR" build -d mydata -o bench
two() { [ "$(wc -l <bench/metadata.jsonl)" -eq 2 ] && ls bench/.spec/sounds/fsd50k.yaml; }
ok "two samples, and .spec holds the sounds files" two
card() {
    grep -qx 'license: other' bench/README.md &&
        grep -q '^| esc-50 | CC-BY-NC-3.0 | ' bench/README.md &&
        grep -qx '| mine | CC0-1.0 | me |' bench/README.md &&
        ! grep -q '^| fsd50k |' bench/README.md && ! grep -q "$T" bench/README.md &&
        grep -qx '### CC-BY-3.0: 4 clips' bench/README.md &&
        grep -q '^- esc-50, audio/1-100032-A-0.wav: 2015 Karol' bench/README.md &&
        grep -qxF -e '- fsd50k, FSD50K.dev\_audio/64760.wav: a cook, eggs\|\*.wav, https://freesound.org/s/64760/' bench/README.md
}
ok "the card lists the licences" card

rm -rf ESC-50 FSD50K mine
ok "the benchmark opens without the folders" "$AOR" check bench
ok "and is run" "$AOR" run bench -o run.db
again() { "$AOR" build -d mydata -o bench 2>&1 | grep -q 'all up to date'; }
ok "a second build makes nothing" again
fails "a new build misses them" 1 'is not there; the sounds file that names ' "$AOR" build -d bench/.spec -o other
less() {
    rm -r mydata/sounds && cp "$DATA/scenes.yaml" mydata && "$AOR" build -d mydata -o bench &&
        [ -z "$(ls bench/.spec/sounds)" ] && "$AOR" check bench
}
ok "without them again" less

# Bad input
fails "no such folder" 1 'nowhere: no such folder' "$AOR" sounds nowhere
fails "no such layout" 2 '"wav" is no layout' "$AOR" sounds "$T" -f wav
fails "a folder of no layout" 1 'has none of sounds-map.yaml, meta/esc50.csv' "$AOR" sounds "$T"
mkdir -p bad/meta
echo 'filename,fold,target,category,esc10,src_file,take' >bad/meta/esc50.csv
fails "an empty list" 1 'names no sound' "$AOR" sounds bad
echo 'a.wav,1,0,dog,False,1,A' >>bad/meta/esc50.csv
fails "a file that is not there" 1 'esc50.csv:2: .*/bad/audio/a.wav is not there' "$AOR" sounds bad
fails "a label that nothing has" 2 'no sound has the label "cat"' "$AOR" sounds bad --only cat
echo 'b.wav,1,0,"dog' >>bad/meta/esc50.csv
fails "a row that is no CSV" 1 'esc50.csv:3: ' "$AOR" sounds bad
finish
