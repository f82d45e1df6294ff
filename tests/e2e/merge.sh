#!/bin/sh
# A run in shards and its merge: the rows of a run at once, in whatever order and however often; what
# does not go together; what is missing; shards by the environment; SIGUSR1.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
small_bench

is() { [ "$2" = "$3" ] || { echo "$1: $2, not $3" && return 1; }; }
# All that a run is but for times and its calls' numbers.
rows() {
    sql "$1" "select s.*, t.condition, t.strategy, t.repeat, t.scene, r.kind, r.text, r.finish, r.n_prompt_tokens, r.n_answer_tokens,
            r.answer_at, r.margin, v.judge, v.verdict, v.detail, z.value
        from trial t join sample s on s.id = t.sample left join response r on r.trial = t.id
        left join verdict v on v.trial = t.id left join score z on z.trial = t.id order by s.id, t.condition, t.strategy, t.repeat;
        select * from strategy; select * from scene; select * from info where key not glob 'merged.*' order by key" >"$2"
}
# With the numbers, times and calls: what any order of merging must give.
dump() { sql "$1" .dump >"$2"; }
MORE="-c matched,speech,text -a direct,cot,transcribe"

# shellcheck disable=SC2086
for k in 1 2 3; do ok "shard $k of 3" "$AOR" run "$BENCH" $MORE -o run.db --shard $k/3; done
# shellcheck disable=SC2086
ok "the whole run at once" "$AOR" run "$BENCH" $MORE -o whole.db
names() { [ -e run-1-of-3.db ] && [ -e run-2-of-3.db ] && [ -e run-3-of-3.db ] && [ ! -e run.db ]; }
ok "each shard has a file of its own" names
empty() {
    "$AOR" run "$BENCH" --only kitchen-002 --shard 1/2 -o few.db 2>one && "$AOR" run "$BENCH" --only kitchen-002 --shard 2/2 -o few.db 2>two &&
        [ "$(cat one two | grep -c ': this shard has no trials$')" -eq 1 ]
}
ok "one that has no trials says so" empty
apart() {
    is items "$(for k in 1 2 3; do sql run-$k-of-3.db 'select distinct scenario from sample'; done | sort | uniq -d | wc -l)" 0 &&
        is trials "$(for k in 1 2 3; do sql run-$k-of-3.db 'select count(*) from trial'; done | paste -sd+ | bc)" \
            "$(sql whole.db 'select count(*) from trial')"
}
ok "a scenario and its contrast are in one shard only, and none is left out" apart
planned() {
    # shellcheck disable=SC2086
    "$AOR" plan "$BENCH" $MORE -o run.db --shard 2/3 --json >plan.json && is planned "$(jq '.all.trials, .all.answered' plan.json | paste -sd' ')" \
        "$(sql run-2-of-3.db 'select count(*) from trial') $(sql run-2-of-3.db 'select count(*) from response')"
}
ok "aor plan --shard says what a shard has" planned

sha256sum run-?-of-3.db >before
ok "merge" "$AOR" merge -o run.db run-1-of-3.db run-2-of-3.db run-3-of-3.db
equal() { rows whole.db whole.txt && rows run.db run.txt && cmp whole.txt run.txt; }
ok "gives the rows of the whole run" equal
intact() { is integrity "$(sql run.db 'pragma integrity_check; pragma journal_mode')" "ok
delete" && [ -z "$(ls ./*.tmp ./*-lock ./*-wal 2>/dev/null)" ] && sha256sum --quiet -c before; }
ok "in one whole file, and the shards are as they were" intact
dump run.db run.sql
same() { dump "$1" other.sql && cmp run.sql other.sql; }
for order in "3 1 2" "2 3 1" "3 2 1 3"; do
    rm -f other.db
    # shellcheck disable=SC2046,SC2086
    ok "merge in the order $order" "$AOR" merge -o other.db $(printf 'run-%d-of-3.db ' $order)
    ok "to the same file" same other.db
done
ok "merge again" "$AOR" merge -o run.db run-2-of-3.db run.db
ok "changes nothing" same run.db
rm other.db
missing() {
    "$AOR" merge -o other.db run-3-of-3.db 2>err
    [ "$?" -eq 3 ] && [ "$(wc -l <err)" -eq 1 ] && grep -q 'shards 1, 2 of 3 are missing' err
}
ok "missing shards are named, with exit code 3" missing
one_missing() { "$AOR" merge -o other.db run-1-of-3.db 2>err; [ "$?" -eq 3 ] && grep -q 'shard 2 of 3 is missing' err; }
ok "a later merge adds to it" one_missing
completed() { "$AOR" merge -o other.db run-2-of-3.db && same other.db; }
ok "until it is whole" completed

# What a merged file is good for
rm other.db
"$AOR" merge -o part.db run-3-of-3.db 2>/dev/null
# shellcheck disable=SC2086
ok "a run without --shard goes on in a merged file" "$AOR" run "$BENCH" $MORE -o part.db
goes_on() { rows part.db part.txt && cmp whole.txt part.txt && is calls "$(sql part.db 'select count(*), sum(n_stored) from call')" \
    "2|$(sql whole.db 'select count(*) from response')"; }
ok "and asks only what is missing" goes_on
judged() {
    "$AOR" judge whole.db && "$AOR" judge run.db && "$AOR" judge run-2-of-3.db && rows whole.db whole.txt && rows run.db run.txt &&
        cmp whole.txt run.txt && "$AOR" stats whole.db --json | jq 'del(.path, .file, .run)' >whole.json &&
        "$AOR" stats run.db --json | jq 'del(.path, .file, .run)' >run.json && [ -s run.json ]
}
ok "judge and stats read it" judged
kept() { "$AOR" merge -o run.db run-2-of-3.db run-1-of-3.db && rows run.db run.txt && cmp whole.txt run.txt; }
ok "a merge keeps verdicts and scores" kept
carried() { rm -f v.db && { "$AOR" merge -o v.db run-2-of-3.db || [ "$?" -eq 3 ]; } && is verdicts "$(sql v.db 'select count(*) from verdict')" \
    "$(sql v.db 'select count(*) from response')"; }
ok "and takes those of shards" carried

# What does not go together
fails "another model" 2 'run-3-of-3.db: .*another model.n_ctx \(1024, there 2048\)' sh -c "
    mkdir o; '$AOR' run '$BENCH' --ctx 1024 --shard 3/3 -o o/run.db 2>/dev/null; exec '$AOR' merge -o new.db run-1-of-3.db o/run-3-of-3.db"
fails "into another run" 2 'another model.n_ctx' "$AOR" merge -o whole.db o/run-3-of-3.db
fails "shards of another number" 2 'shard 1/2, there 2/3' sh -c "
    '$AOR' run '$BENCH' --shard 1/2 -o run.db 2>/dev/null; exec '$AOR' merge -o new.db run-2-of-3.db run-1-of-2.db"
fails "another shard into a shard's file" 2 'another shard \(2/3, now 1/3\)' sh -c "
    cp run-2-of-3.db x-1-of-3.db; exec '$AOR' run '$BENCH' --shard 1/3 -o x.db"
fails "a whole run into a shard's file" 2 'another shard \(2/3, now none\)' "$AOR" run "$BENCH" -o run-2-of-3.db
fails "a shard into a whole run's file" 2 'another shard \(none, now 2/3\)' sh -c "
    cp whole.db y-2-of-3.db; exec '$AOR' run '$BENCH' --shard 2/3 -o y.db"
fails "a shard as the result" 2 'run-1-of-3.db: holds shard 1/3' "$AOR" merge -o run-1-of-3.db run-2-of-3.db
trial=$(sql run-2-of-3.db 'select min(trial) from response')
conflict() { cp run-2-of-3.db c.db && sql c.db "update response set text = 'Something else.' where trial = $trial"; }
conflict
fails "another answer to a trial" 1 "c.db: .*another answer to trial $(sql c.db "select sample from trial where id = $trial"), " \
    "$AOR" merge -o new.db run-1-of-3.db run-2-of-3.db c.db
fails "also into what is merged" 1 "c.db: .*another answer to trial" "$AOR" merge -o run.db c.db
answer_wins() {
    cp run-2-of-3.db e.db && sql e.db "delete from verdict; update response set kind = 'error', finish = null, text = 'no' where trial = $trial;
        delete from response where trial > $trial" && for order in "e.db run-2-of-3.db" "run-2-of-3.db e.db"; do
        # shellcheck disable=SC2086
        rm -f new.db && { "$AOR" merge -o new.db $order || [ "$?" -eq 3 ]; } &&
            is errors "$(sql new.db "select count(*), sum(kind = 'error') from response")" "$(sql run-2-of-3.db 'select count(*), 0 from response')" || return 1
    done
}
ok "an answer stands before an error and before none" answer_wins
pending() {
    rm -f new.db
    "$AOR" merge -o new.db e.db 2>err
    [ "$?" -eq 3 ] && grep -q "1 errors, $(sql e.db 'select count(*) - 1 from trial where id not in (select trial from response where kind <> '\''error'\'')') pending" err
}
ok "errors and pending trials are counted, with exit code 3" pending
rm -f new.db
echo "not a database, but long enough to be looked at as one" >bad.db
fails "a file that is no database" 1 'bad.db: file is not a database' "$AOR" merge -o new.db run-1-of-3.db bad.db
size=$(stat -c %s run-2-of-3.db)
n_damaged=0
for at in 20 40 60 80; do
    cp run-2-of-3.db bad.db
    head -c 8192 /dev/urandom | dd of=bad.db bs=1 seek=$((size * at / 100)) conv=notrunc 2>/dev/null
    "$AOR" merge -o new.db run-1-of-3.db bad.db 2>err
    [ $? -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] && grep -qE 'bad.db: (.*malformed|is damaged|.*corrupt)' err && n_damaged=$((n_damaged + 1))
done
damaged() { is refused $n_damaged 4 && [ ! -e new.db ]; }
ok "a damaged database is refused" damaged
fails "a run that is no more" 1 'none.db: No such file' "$AOR" merge -o new.db run-1-of-3.db none.db
fails "no place for the result" 1 'nowhere/new.db.*No such file' "$AOR" merge -o nowhere/new.db run-1-of-3.db
fails "no result" 2 'wants -o' "$AOR" merge run-1-of-3.db
fails "no shard" 2 'usage: aor merge' "$AOR" merge -o new.db
nothing() { [ -z "$(ls new.db* ./*.tmp 2>/dev/null)" ]; }
ok "nothing is written then" nothing

# While a shard is written
"$AOR" run "$BENCH" -a direct,cot,transcribe,scene --temperature 1 --repeats 30 --shard 1/2 -o held.db 2>held.err &
pid=$!
until_stored() {
    i=0
    until [ "$(sql 'file:held-1-of-2.db?mode=ro' 'select count(*) > 0 from response' 2>/dev/null)" = 1 ] || [ $i -gt 400 ]; do
        sleep 0.05
        i=$((i + 1))
    done
}
until_stored
fails "a shard that is being written" 1 'held-1-of-2.db: another process writes this run' "$AOR" merge -o new.db held-1-of-2.db
drains() {
    kill -USR1 $pid
    kill -USR1 $pid
    kill -TERM $pid
    wait $pid
    [ "$?" -eq 4 ] && grep -q 'trials in flight' held.err && [ ! -e held-1-of-2.db-wal ]
}
ok "SIGUSR1, also twice: exit code 4, and one file" drains
"$AOR" run "$BENCH" -a direct,cot,transcribe,scene --temperature 1 --repeats 30 --shard 1/2 -o held.db 2>held.err &
pid=$!
sleep 0.7
kill -9 $pid
wait $pid 2>/dev/null
after_kill() { "$AOR" merge -o new.db held-1-of-2.db; [ "$?" -eq 3 ] && is stored "$(sql new.db 'select count(*) from response')" \
    "$(sql held-1-of-2.db 'select count(*) from response')"; }
ok "a shard that was killed is merged as far as it is" after_kill

# The result is there whole, or as it was.
killed() {
    i=0
    hits=0
    while [ $i -lt 10 ]; do
        "$AOR" merge -o run.db run-1-of-3.db run-2-of-3.db run-3-of-3.db 2>/dev/null &
        pid=$!
        sleep "0.0$i"
        kill -9 $pid 2>/dev/null
        wait $pid 2>/dev/null
        [ $? -eq 137 ] && hits=$((hits + 1))
        rows run.db run.txt && cmp whole.txt run.txt || return 1
        i=$((i + 1))
    done
    echo "# killed: $hits"
    "$AOR" merge -o run.db run-1-of-3.db && [ -z "$(ls run.db.* 2>/dev/null)" ] && rows run.db run.txt && cmp whole.txt run.txt
}
ok "a merge that is killed leaves the file as it was" killed
held_by_reader() {
    cp whole.db wal.db
    sql wal.db 'pragma journal_mode = wal' >/dev/null
    { echo 'begin; select count(*) from trial;'; sleep 12; } | sqlite3 wal.db >/dev/null &
    reader=$!
    sleep 0.3
    "$AOR" merge -o wal.db run-1-of-3.db 2>err
    status=$?
    kill $reader 2>/dev/null
    [ $status -eq 1 ] && grep -q 'wal.db: .*locked' err && rows wal.db wal.txt && cmp whole.txt wal.txt
}
ok "a result that another program has open in WAL mode stays" held_by_reader

# By the environment
auto() {
    wanted=$1
    shift
    "$AOR" plan "$BENCH" --json --shard "$wanted" >wanted.json && env "$@" "$AOR" plan "$BENCH" --json --shard auto | cmp - wanted.json
}
ARRAY="SLURM_PROCID=0 SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_MIN=6 SLURM_ARRAY_TASK_MAX=8"
# shellcheck disable=SC2086
ok "--shard auto: a task of a Slurm array" auto 2/3 $ARRAY SLURM_ARRAY_TASK_COUNT=3
ok "--shard auto: srun" auto 3/3 SLURM_PROCID=2 SLURM_NTASKS=3
ok "--shard auto: Open MPI in a Slurm job" auto 1/2 SLURM_PROCID=0 SLURM_NTASKS=1 OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2
ok "--shard auto: PMI" auto 2/2 PMI_RANK=1 PMI_SIZE=2
unfit() {
    name=$1 pattern=$2
    shift 2
    fails "--shard auto: $name" 2 "$pattern" env "$@" "$AOR" plan "$BENCH" --shard auto
}
unfit "no starter" 'neither a Slurm' A=1
# shellcheck disable=SC2086
unfit "an array with a step" 'from 6 to 8 has 2 tasks' $ARRAY SLURM_ARRAY_TASK_COUNT=2
# shellcheck disable=SC2086
unfit "an array without its size" 'SLURM_ARRAY_TASK_COUNT is not set' $ARRAY
unfit "a rank beyond the size" 'PMI_RANK=2 and PMI_SIZE=2' PMI_RANK=2 PMI_SIZE=2
unfit "a rank that is none" 'PMI_RANK is no number' PMI_RANK=x PMI_SIZE=2
unfit "a rank beyond all numbers" 'PMI_RANK is no number' PMI_RANK=9223372036854775807 PMI_SIZE=9223372036854775807
for bad in 0/3 4/3 2 2/ /3 1/3x a/b 1/100001; do fails "--shard $bad" 2 'wants K/N' "$AOR" run "$BENCH" --shard $bad; done
finish
