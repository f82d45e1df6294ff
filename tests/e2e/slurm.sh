#!/bin/sh
# aor slurm on a Slurm of one node that the test starts and stops: an array and its merge; tasks that
# are killed, preempted, signalled, out of time, cancelled; scripts with awkward names.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
small_bench

is() { [ "$2" = "$3" ] || { echo "$1: $2, not $3" && return 1; }; }
rows() {
    sql "$1" "select s.id, t.condition, t.strategy, t.repeat, t.scene, r.kind, r.text, r.finish, r.n_prompt_tokens, r.margin
        from trial t join sample s on s.id = t.sample left join response r on r.trial = t.id order by 1, 2, 3, 4;
        select * from info where key not glob 'merged.*' order by key" >"$2"
}

# What needs no Slurm. Names as bad as they come.
HERE="$T/it's a \"run\" %d"
mkdir "$HERE" && cd "$HERE" || exit 1
ln -s "$BENCH" "bench \$mark"
no_slurm() { env PATH=/nowhere "$AOR" slurm "bench \$mark" "$@"; }
fails "without Slurm" 1 'sbatch: No such file.*: there is no Slurm here' no_slurm -o none.db -n 2
fails "-o among the run's options" 2 '^aor: -o: aor slurm says this' no_slurm -o none.db -n 2 -- -c text -o x.db
fails "--output too" 2 '^aor: --out=x: ' no_slurm -o none.db -n 2 -- --out=x
fails "--shard too" 2 '^aor: --shard: ' no_slurm -o none.db -n 2 -- --shard 1/2
fails "a number of tasks that is none" 2 'whole number from 1' no_slurm -o none.db -n 0
fails "no number of tasks" 2 'wants -o RUN.db and -n' no_slurm -o none.db
fails "--array among those of sbatch" 2 'the array is said by' no_slurm -o none.db -n 2 --sbatch "--time=1 --array=1-3"
fails "a line break in them" 2 'line break' no_slurm -o none.db -n 2 --sbatch "--time=1
rm -rf x"
fails "no benchmark" 1 'nowhere: no such folder' "$AOR" slurm nowhere -o none.db -n 2
fails "an option that aor run has not" 2 'tempreature is no option' no_slurm -o none.db -n 2 -- --tempreature 1
fails "a number that is none" 2 'seed wants a whole number' no_slurm -o none.db -n 2 -- --seed x -c text
printed() {
    rm -rf none.shards
    no_slurm -o none.db -n 12 --at-once 3 --sbatch "--gres=gpu:1 --time=4:00:00" --print -- -m "a 'b'.gguf" -c text >print.txt &&
        sh -n print.txt && grep -qx '#SBATCH --array=1-12%3' print.txt &&
        is options "$(grep -cx '#SBATCH --gres=gpu:1 --time=4:00:00' print.txt)" 2 &&
        grep -qF "run 'bench \$mark' --shard auto -o '$T/it'\\''s a \"run\" %d/none.shards/none.db' -m 'a '\\''b'\\''.gguf' -c text &" print.txt &&
        grep -qF "$AOR merge -o " print.txt && [ ! -e none.shards ]
}
ok "--print shows the scripts and writes nothing" printed
mkdir three.shards && touch three.shards/three-1-of-4.db three.shards/three-old.db
fails "a folder with shards of another number" 2 'three-1-of-4.db: is a shard of 4, not of 3' no_slurm -o three.db -n 3
touch three.shards/three-2-of-3.db && rm three.shards/three-1-of-4.db
fails "and with those of this" 1 'there is no Slurm' no_slurm -o three.db -n 3
merged() { # the shards that the script to merge RUN.db names
    no_slurm -o "$1" -n 12 --dir both --print | sed -n '/Their merge/,$p' | sed 's/^exec .* -o/echo/' | sh
}
alone() {
    is "shards of a" "$(merged a.db)" "$HERE/a.db $HERE/both/a-2-of-12.db $HERE/both/a-11-of-12.db" &&
        is "shards of a-2" "$(merged a-2.db)" "$HERE/a-2.db $HERE/both/a-2-3-of-12.db"
}
mkdir both && touch both/a-2-of-12.db both/a-11-of-12.db both/a-2-3-of-12.db
ok "two runs in one folder are merged each alone" alone

# A Slurm of our own.
S=$T/slurm
export SLURM_CONF=$S/slurm.conf
daemons=
stop_slurm() {
    scancel -u "$(id -un)"
    # shellcheck disable=SC2086
    { kill $daemons && wait $daemons; }
} 2>/dev/null
start_slurm() {
    mkdir -p "$S/state" "$S/spool" "$S/munge" && chmod 755 "$T" "$S/munge"
    (umask 077 && head -c 1024 /dev/urandom >"$S/munge/key")
    host=$(hostname -s)
    port=$((40000 + 2 * ($$ % 10000)))
    cat >"$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
AuthType=auth/munge
# A task that is queued again waits until its credential has run out: 5 s is the least.
AuthInfo=socket=$S/munge/socket,cred_expire=5
StateSaveLocation=$S/state
SlurmdSpoolDir=$S/spool
SlurmctldPidFile=$S/slurmctld.pid
SlurmdPidFile=$S/slurmd.pid
SlurmctldLogFile=$S/slurmctld.log
SlurmdLogFile=$S/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
KillWait=10
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=16
PartitionName=all Nodes=$host Default=YES State=UP
END
    PATH=$PATH:/usr/sbin
    munged --foreground --force --key-file="$S/munge/key" --socket="$S/munge/socket" --pid-file="$S/munge/pid" \
        --log-file="$S/munge/log" --seed-file="$S/munge/seed" &
    daemons=$!
    i=0
    until munge -n -S "$S/munge/socket" -o /dev/null || [ $i -ge 50 ]; do sleep 0.1; i=$((i + 1)); done
    slurmctld -D -f "$SLURM_CONF" &
    daemons="$daemons $!"
    slurmd -D -f "$SLURM_CONF" -N "$host" &
    daemons="$daemons $!"
    i=0
    until sinfo -h -o %T 2>/dev/null | grep -qx idle || [ $i -ge 100 ]; do sleep 0.1; i=$((i + 1)); done
    sinfo -h -o %T | grep -qx idle
}
if ! start_slurm >start.log 2>&1; then
    trap 'stop_slurm; rm -rf "$T"' EXIT
    cat start.log "$S"/*.log | sed 's/^/# /' | tail -n 30
    if [ -z "${CI:-}" ] && ! command -v slurmctld >/dev/null; then
        skip "aor slurm" "no Slurm is installed"
    else
        started() { false; }
        ok "Slurm starts" started
    fi
    finish
fi
start_server -m "$MODEL" --mmproj "$MMPROJ"
trap 'stop_slurm; kill $server 2>/dev/null; rm -rf "$T"' EXIT

# submit NAME ARGUMENTS...: the jobs' numbers, in files.
submit() {
    to=$1
    shift
    "$AOR" slurm "bench \$mark" -o "$to.db" "$@" >jobs.txt && sed -n 's/^run //p' jobs.txt >"$to.array" &&
        sed -n 's/^merge //p' jobs.txt >"$to.merge" && [ -s "$to.merge" ]
}
ended() { # JOB SECONDS
    i=0
    while [ -n "$(squeue -h -j "$1" 2>/dev/null)" ] && [ $i -lt $(($2 * 5)) ]; do sleep 0.2; i=$((i + 1)); done
    [ -z "$(squeue -h -j "$1" 2>/dev/null)" ] || { squeue && return 1; }
}
show() { scontrol show job "$1" -o | grep -oE " $2=[^ ]*" | cut -d= -f2 | sort | uniq -c | sed 's/^ *//'; }
stored() { # NAME K N
    i=0
    until [ "$(sql "file:$1.shards/$1-$2-of-$3.db?mode=ro" 'select count(*) > 0 from response' 2>/dev/null)" = 1 ] || [ $i -gt 300 ]; do
        sleep 0.1
        i=$((i + 1))
    done
}

# Out of time: 76 requests at 138 a minute last 33 s. A limit of a minute, and a signal 58 s before
# it, which Slurm sends when it looks at limits next, every 30 s.
SERVED="-m aor-tiny --url $SERVER/v1 -c text -a direct,cot"
# shellcheck disable=SC2086
ok "a run against a limit of time" submit limit -n 1 --sbatch "--time=1 --signal=B:USR1@58" -- $SERVED --rpm 138

# Nothing happens to this one.
WHOLE="-c matched,text -a direct,cot -j 1"
# shellcheck disable=SC2086
ok "an array of four" submit quiet -n 4 --at-once 3 -- $WHOLE
# shellcheck disable=SC2086
ok "the same without Slurm" "$AOR" run "$BENCH" $WHOLE -o "$T/whole.db"
ok "the merge comes to its end" ended "$(cat quiet.merge)" 60
quiet() {
    is states "$(show "$(cat quiet.array)" JobState), $(show "$(cat quiet.merge)" JobState)" "4 COMPLETED, 1 COMPLETED" &&
        rows "$T/whole.db" whole.txt && rows quiet.db quiet.txt && cmp whole.txt quiet.txt &&
        [ -e quiet.shards/run-"$(cat quiet.array)"_4.log ] && is shards "$(find quiet.shards -name "quiet-?-of-4.db" | wc -l)" 4
}
ok "the merged run is that without Slurm" quiet

# One task is killed, one queued again by Slurm, two get signals.
SAMPLED="-c text -a direct,cot --temperature 0.8 --repeats 12 -j 1"
# shellcheck disable=SC2086
ok "an array that is disturbed" submit rough -n 4 -- $SAMPLED
array=$(cat rough.array)
stored rough 2 4 && scontrol requeue "${array}_2"
stored rough 3 4 && scancel --batch --signal=USR1 "${array}_3"
stored rough 4 4 && scancel --full --signal=TERM "${array}_4"
stored rough 1 4
for pid in $(pgrep -f "$AOR run .*rough.shards"); do
    if tr '\0' '\n' <"/proc/$pid/environ" | grep -qx SLURM_ARRAY_TASK_ID=1; then # its own children end with it
        kill -9 "$pid"
        break
    fi
done
# shellcheck disable=SC2086
ok "the same without Slurm" "$AOR" run "$BENCH" $SAMPLED -o "$T/sampled.db"
ok "its merge comes to its end" ended "$(cat rough.merge)" 60
disturbed() {
    is restarts "$(for k in 1 2 3 4; do show "${array}_$k" Restarts; done | paste -sd' ')" "1 0 1 1 1 1 1 1" &&
        is codes "$(for k in 1 2 3 4; do show "${array}_$k" ExitCode; done | paste -sd' ')" "1 137:0 1 0:0 1 0:0 1 0:0"
}
ok "signalled tasks are queued again and end well, the killed one ends" disturbed
said() {
    cat rough.shards/merge-*.log
    is "pending, errors" "$(sql rough.db "select sum(r.trial is null) > 0, sum(r.kind = 'error'), count(distinct t.sample) from trial t
        left join response r on r.trial = t.id")" "1|0|38" && grep -qE ' [1-9][0-9]* pending$' rough.shards/merge-*.log &&
        is "code" "$(show "$(cat rough.merge)" ExitCode)" "1 3:0" &&
        for k in 2 3 4; do is "pending of $k" "$(sql "rough.shards/rough-$k-of-4.db" \
            'select count(*) from trial where id not in (select trial from response)')" 0 || return 1; done
}
ok "the merge says what is missing, and only the killed task misses any" said
# shellcheck disable=SC2086
ok "the same command again" submit rough -n 4 -- $SAMPLED
ok "goes on to the end" ended "$(cat rough.merge)" 60
rough() {
    rows "$T/sampled.db" whole.txt && rows rough.db rough.txt && cmp whole.txt rough.txt &&
        is once "$(for k in 2 3 4; do sql rough.shards/rough-$k-of-4.db 'select (select count(*) from response) - sum(n_stored), count(*) from call'; done |
            paste -sd' ')" "0|2 0|2 0|2"
}
ok "nothing is lost and nothing asked twice" rough

# Cancelled by its owner: it does not come back.
# shellcheck disable=SC2086
ok "a run that is cancelled" submit cancelled -n 2 -- $SERVED --rpm 60
stored cancelled 1 2
stored cancelled 2 2
scancel "$(cat cancelled.array)"
ok "ends" ended "$(cat cancelled.array)" 20
gone() {
    ended "$(cat cancelled.merge)" 20 && is states "$(show "$(cat cancelled.array)" JobState)" "2 CANCELLED" &&
        grep -qE ' [1-9][0-9]* pending$' cancelled.shards/merge-*.log
}
ok "and stays away; what it stored is merged" gone

# The first one again.
ok "the run with a limit of time ends" ended "$(cat limit.merge)" 90
limit() {
    cat limit.shards/*.log
    show "$(cat limit.array)" Restarts | grep -qE '^1 [1-9]' && is states "$(show "$(cat limit.array)" JobState), $(show "$(cat limit.merge)" JobState)" \
        "1 COMPLETED, 1 COMPLETED" && is calls "$(sql limit.db 'select count(*) > 1, sum(n_stored) from call')" "1|76" &&
        is rows "$(sql limit.db "select count(*), sum(kind = 'answer') from response join server on server.id = response.server")" "76|76"
}
ok "before the limit it stored what it had, was queued again and went on" limit
finish
