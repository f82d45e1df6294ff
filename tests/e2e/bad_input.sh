#!/bin/sh
# Bad input: one clear line, a non-zero exit, nothing lost that was stored.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
small_bench

fails "no command" 2 . "$AOR" nonsense
fails "no such option" 2 'no option' "$AOR" build --nonsense
fails "an option without its argument" 2 'wants an argument' "$AOR" build -o
fails "a number that is none" 2 'whole number from 1' "$AOR" build -o x -j many
fails "an operand too few" 2 usage "$AOR" run
fails "no such benchmark" 1 'nowhere: no such folder' "$AOR" run nowhere
fails "a folder that is no benchmark" 1 'is no benchmark' "$AOR" check "$T"
fails "no such condition" 2 'is no condition: matched, speech, noise, mismatched, text, text-scene$' "$AOR" run "$BENCH" -c loud

# Models
fails "no such model" 1 'none.gguf: No such file' "$AOR" run "$BENCH" -m none.gguf --mmproj "$MMPROJ" -o m.db
fails "a model that nobody knows" 2 '^aor: owner/none: is no file and no model of aor models; .*--url$' "$AOR" run "$BENCH" -m owner/none -o m.db
echo "not a model" >text.gguf
fails "a model that is no GGUF file" 1 'text.gguf: is no GGUF' "$AOR" run "$BENCH" -m text.gguf --mmproj "$MMPROJ" -o m.db
fails "a text model alone" 2 'mmproj' "$AOR" run "$BENCH" -m "$MODEL" -o m.db
fails "a text model as audio encoder" 1 'aor-tiny.gguf: is no projector' "$AOR" run "$BENCH" -m "$MODEL" --mmproj "$MODEL" -o m.db
fails "an audio encoder as text model" 1 'aor-tiny-mmproj.gguf: does not load' "$AOR" run "$BENCH" -m "$MMPROJ" --mmproj "$MMPROJ" -o m.db
size=$(stat -c %s "$MODEL")
for percent in 0 1 5 20 50 90 99; do
    head -c $((size * percent / 100)) "$MODEL" >cut.gguf
    fails "a text model cut at $percent%" 1 'cut.gguf: ' "$AOR" run "$BENCH" -m cut.gguf --mmproj "$MMPROJ" -o m.db
done
size=$(stat -c %s "$MMPROJ")
for percent in 1 20 50 99; do
    head -c $((size * percent / 100)) "$MMPROJ" >cut.gguf
    fails "an audio encoder cut at $percent%" 1 'cut.gguf: ' "$AOR" run "$BENCH" -m "$MODEL" --mmproj cut.gguf -o m.db
done
ok "a good model takes the same run file afterwards" "$AOR" run "$BENCH" -c speech -o m.db
fails "another benchmark's run file" 2 'another benchmark' env sh -c "
    sed 's/seed: 7/seed: 8/; s/^items:.*/items: [gaming-p01]/' '$SOURCE/tests/data/small.yaml' >other.yaml
    '$AOR' build -s other.yaml -o other 2>/dev/null
    exec '$AOR' run other -o m.db"
printf '{{ messages' >template.jinja
fails "a chat template that does not parse" 1 'chat template' "$AOR" run "$BENCH" --chat-template template.jinja -o t.db
printf '{{ raise_exception("no") }}' >template.jinja
fails "a chat template that refuses" 1 'chat template' "$AOR" run "$BENCH" --chat-template template.jinja -o t.db

sed 's/^name: .*/name: direct/' "$SOURCE/tests/data/no-system.yaml" >other-prompt.yaml
fails "another prompt of the same name in the run file" 2 'holds a run with another prompt direct' \
    "$AOR" run "$BENCH" -c speech -o m.db -a ./other-prompt.yaml
fails "no such prompt" 2 'nonsense: there is no such prompt' "$AOR" run "$BENCH" -o m.db -a nonsense
fails "two prompts of one name" 2 'two prompts are named direct' "$AOR" run "$BENCH" -o m.db -a direct,other-prompt.yaml

# YAML: line and column
data() {
    rm -rf data
    cp -r "$SOURCE/data" data
    chmod -R u+w data
}
data
printf 'name: x\nseed: [1\n' >data/spec.yaml
fails "YAML that does not parse" 1 'data/spec.yaml:[0-9]+:[0-9]+: ' "$AOR" build -d data -o b
data
sed -i 's/^seed: .*/seed: many/' data/spec.yaml
fails "a number that is none in YAML" 1 'data/spec.yaml:3:7: "many" is no number' "$AOR" build -d data -o b
data
sed -i 's/^seed:/sead:/' data/spec.yaml
fails "an unknown key" 1 'data/spec.yaml:3:1: unknown key "sead"' "$AOR" build -d data -o b
data
sed -i '0,/alone: [a-z]*/s//alone: harmless/' data/scenarios/work.yaml
fails "a word that is none of the list" 1 'work.yaml:[0-9]+:12: "harmless": one of benign' "$AOR" build -d data -o b
data
sed -i '0,/scene: .*/s//scene: moon/' data/scenarios/work.yaml
fails "a scene that is nowhere" 1 'work-001: there is no scene "moon"' "$AOR" build -d data -o b
data
sed -i 's/id: work-002/id: work-001/' data/scenarios/work.yaml
fails "an id that is there twice" 1 'work.yaml:[0-9]+:[0-9]+: id work-001 is there twice' "$AOR" build -d data -o b
fails "a data folder without scenarios" 1 'scenarios: No such file' "$AOR" build -d "$T" -s "$SOURCE/data/spec.yaml" -o b
fails "sounds that were not fetched" 1 'sounds.sh fetches' "$AOR" build -s "$SOURCE/tests/data/small.yaml" --sounds nowhere -o b

mkdir full && echo mine >full/README.md
fails "a folder with other files" 2 'neither empty nor a benchmark' "$AOR" build -s "$SOURCE/tests/data/small.yaml" -o full
mine() { [ "$(cat full/README.md)" = mine ] && [ "$(find full | wc -l)" -eq 2 ]; }
ok "and they stay" mine
fails "a folder without a name" 2 'no name' "$AOR" build -s "$SOURCE/tests/data/small.yaml" -o ""
closed() {
    rm -rf closed
    ("$AOR" build -s "$SOURCE/tests/data/small.yaml" -o closed >&- 2>&-)
    "$AOR" check closed
}
ok "closed standard streams do not end in the benchmark" closed

# A damaged benchmark
cp -r "$BENCH" damaged
sample=$(jq -r .file_name damaged/metadata.jsonl | head -n 1)
head -c 3000 "$BENCH/$sample" >"damaged/$sample"
check_finds() { "$AOR" check damaged; [ "$?" -eq 3 ]; }
ok "check finds a cut FLAC file" check_finds
run_stores() { "$AOR" run damaged -c matched -o d.db; [ "$?" -eq 3 ] && [ "$(sql d.db 'select sum(kind = '\''error'\''), count(*) from response')" = "1|38" ]; }
ok "run stores an error row for it and goes on" run_stores
error_named() { sql d.db "select text from response where kind = 'error'" | grep -q "$sample"; }
ok "the row names the file" error_named
cp "$BENCH/$(jq -r .file_name damaged/metadata.jsonl | sed -n 2p)" "damaged/$sample"
other() { "$AOR" check damaged | grep -q 'not those that metadata.jsonl names'; }
ok "check finds another sample's sound" other
cp "$BENCH/$sample" "damaged/$sample"
retried() { "$AOR" run damaged -c matched -o d.db --retry-errors && [ "$(sql d.db 'select sum(kind = '\''error'\''), count(*) from response')" = "0|38" ]; }
ok "--retry-errors answers it once the file is whole" retried
sed -i '3s/"id"/"ib"/' damaged/metadata.jsonl
fails "a damaged metadata line" 1 'metadata.jsonl:3: "id": is missing' "$AOR" run damaged -o e.db

# Databases
fails "a benchmark in place of a run" 1 ': is a folder, not a run file$' "$AOR" stats "$BENCH"
fails "and to be judged" 1 ': is a folder, not a run file$' "$AOR" judge "$BENCH"
fails "no such run" 1 'none.db: No such file' "$AOR" stats none.db
echo "not a database, but long enough to be looked at as one" >bad.db
fails "a file that is no database" 1 'bad.db: file is not a database' "$AOR" stats bad.db
sql empty.db 'create table t (x)'
fails "a database that is no run" 1 'not a run of aor' "$AOR" run "$BENCH" -o empty.db
sql wal.db 'pragma journal_mode = wal; create table t (x)' >/dev/null
before=$(sha256sum <wal.db)
fails "another program's database" 1 'not a run of aor' "$AOR" judge wal.db
untouched() { [ "$(sha256sum <wal.db)" = "$before" ]; }
ok "it stays as it was" untouched
cp m.db nulls.db && sql nulls.db 'drop table sample; create table sample (id text primary key, kind, scenario, category, text,
    alone, gender, emotion, rate, voice, engine, scene, snr_db, split) without rowid; insert into sample (id) select distinct sample from trial'
nulls() { "$AOR" judge nulls.db && "$AOR" stats nulls.db >/dev/null; }
ok "a run file with holes" nulls
fails "a run without verdicts" 2 'run aor judge' "$AOR" stats m.db
cp m.db newer.db && sql newer.db 'pragma user_version = 99'
fails "a newer schema" 1 'schema version 99' "$AOR" judge newer.db

# Signals, to the program and to the model's processes
ALL=direct,cot,transcribe,scene
all_once() { [ "$(sql "$1" 'select count(*), count(distinct trial), sum(kind = '\''error'\'') from response')" = "266|266|0" ]; }
until_answers() {
    i=0
    until [ "$(sql "file:$1?mode=ro" 'select count(*) > 0 from response' 2>/dev/null)" = 1 ] || [ $i -gt 100 ]; do
        sleep 0.02
        i=$((i + 1))
    done
}
held() {
    "$AOR" run "$BENCH" -a $ALL -o held.db 2>/dev/null &
    pid=$!
    i=0
    until [ -e held.db-lock ] || [ $i -gt 100 ]; do sleep 0.01; i=$((i + 1)); done
    "$AOR" run "$BENCH" -a $ALL -o held.db 2>held.err
    status=$?
    wait "$pid"
    [ $status -eq 1 ] && grep -q 'another process writes this run' held.err
}
ok "a second process on the same run" held
killed_model() {
    n=0
    round=0
    until "$AOR" run "$BENCH" -a $ALL -o child.db -j 2 --retry-errors || [ $round -ge 20 ]; do round=$((round + 1)); done &
    all=$!
    while kill -0 $all 2>/dev/null && [ $n -lt 12 ]; do
        sleep 0.25
        for run in $(pgrep -P $all); do
            model=$(pgrep -P "$run" | shuf -n 1)
            [ -n "$model" ] && kill -9 "$model" && n=$((n + 1))
        done
    done
    wait $all
    echo "model processes killed: $n"
    [ $n -ge 3 ] && all_once child.db
}
ok "model processes that are killed again and again cost no trial" killed_model
stalled() {
    "$AOR" run "$BENCH" -a $ALL -o stalled.db -j 2 --timeout 1 2>stalled.err &
    pid=$!
    until_answers stalled.db
    pkill -STOP -P "$pid"
    wait "$pid"
    status=$?
    cat stalled.err
    [ $status -eq 0 ] && all_once stalled.db
}
ok "models that stall are ended and started again" stalled
cancelled() {
    "$AOR" run "$BENCH" -a $ALL -o term.db 2>term.err &
    pid=$!
    until_answers term.db
    kill -TERM "$pid"
    wait "$pid"
    [ "$?" -eq 4 ] && grep -q 'trials in flight' term.err && "$AOR" run "$BENCH" -a $ALL -o term.db && all_once term.db
}
ok "SIGTERM: exit code 4, and the same command goes on" cancelled

# A full and a read-only disk
if mkdir small-disk && mount -t tmpfs -o size=300k tmpfs small-disk 2>/dev/null; then
    trap 'umount "$T/small-disk"; rm -rf "$T"' EXIT
    fails "a full disk" 1 'small-disk/run.db: database or disk is full' "$AOR" run "$BENCH" -a $ALL -o small-disk/run.db -j 2 --parallel 16
    stored=$(sql small-disk/run.db 'select count(*) from response')
    echo "# stored before the disk was full: $stored"
    some() { [ "$stored" -gt 0 ] && [ "$stored" -lt 266 ] && [ "$(sql small-disk/run.db 'pragma integrity_check')" = ok ]; }
    ok "what was stored is there" some
    mount -o remount,size=20m small-disk
    goes_on() {
        "$AOR" run "$BENCH" -a $ALL -o small-disk/run.db -j 2 --parallel 16 && all_once small-disk/run.db && [ "$(sql small-disk/run.db \
            'select sum(n_stored) from call')" -le $((266 - stored)) ]
    }
    ok "with more room the same command goes on" goes_on
    mount -o remount,size=600k small-disk 2>/dev/null
    fails "a full disk while building" 1 'small-disk/b.*(No space|full|write)' "$AOR" build -s "$SOURCE/tests/data/small.yaml" -o small-disk/b
    mount -o remount,size=40m small-disk
    rebuilt() { "$AOR" build -s "$SOURCE/tests/data/small.yaml" -o small-disk/b && cmp small-disk/b/metadata.jsonl "$BENCH/metadata.jsonl"; }
    ok "with more room the build goes on" rebuilt
    "$AOR" judge small-disk/run.db >/dev/null 2>&1
    cp small-disk/run.db small-disk/old.db && sql small-disk/old.db <"$SOURCE/tests/data/to-schema-1.sql"
    cp small-disk/old.db .
    mount -o remount,ro small-disk
    ok "stats from a read-only mount" "$AOR" stats small-disk/run.db
    ok "plan too" "$AOR" plan "$BENCH" -o small-disk/run.db
    fails "judge does not write there" 1 'small-disk/run.db.*Read-only' "$AOR" judge small-disk/run.db
    fails "a run does not go on there" 1 'small-disk/run.db.*Read-only' "$AOR" run "$BENCH" -c text -o small-disk/run.db
    fails "a run file of schema 1 is not brought up to date there" 1 'small-disk/old.db.*Read-only' "$AOR" stats small-disk/old.db
    fails "nor for a plan" 1 'small-disk/old.db.*Read-only' "$AOR" plan "$BENCH" -o small-disk/old.db
    updated() { "$AOR" stats old.db && [ "$(sql old.db 'pragma user_version')" = 3 ]; }
    ok "elsewhere it is" updated
    ok "a benchmark on a read-only mount runs" "$AOR" run small-disk/b -c speech -o ro.db
    fails "a run file on a read-only disk" 1 'small-disk/new.db.*(Read-only|unable to open)' "$AOR" run "$BENCH" -o small-disk/new.db
else
    skip "full and read-only disks" "no right to mount a tmpfs"
fi
fails "a run file in a folder that is not there" 1 'No such file' "$AOR" run "$BENCH" -o nowhere/run.db
finish
