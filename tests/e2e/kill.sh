#!/bin/sh
# kill -9 of the whole process group's leader at ten random moments; then the same command once
# more: exactly the planned trials, each once, and the answers of an undisturbed run.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
small_bench

started=$(date +%s.%N)
ok "an undisturbed run" "$AOR" run "$BENCH" -o whole.db
took=$(echo "$started $(date +%s.%N)" | awk '{ print $2 - $1 }')
kills=0
attempt() {
    "$AOR" run "$BENCH" -o killed.db 2>/dev/null &
    pid=$!
    # A random moment of the first quarter of a whole run: ten of them do not get to its end.
    sleep "$(awk -v r="$(od -An -N2 -tu2 /dev/urandom)" -v t="$took" 'BEGIN { printf "%.3f", r / 65536 * t / 4 }')"
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    [ "$?" -eq 137 ] && kills=$((kills + 1))
    return 0
}
i=0
while [ $i -lt 10 ]; do
    attempt
    i=$((i + 1))
done
echo "# killed while it ran: $kills of 10; stored then: $(sql killed.db 'select count(*) from response')"
some() { [ $kills -ge 3 ]; }
ok "at least three kills hit a run" some
ok "the same command goes on" "$AOR" run "$BENCH" -o killed.db
once() { [ "$(sql killed.db 'select (select count(*) from trial), count(*), count(distinct trial), sum(is_error) from response')" = "76|76|76|0" ]; }
ok "exactly the planned trials, each once" once
answers() {
    for db in whole killed; do
        sql $db.db 'select t.sample, t.condition, r.text from response r join trial t on t.id = r.trial order by 1, 2' >$db.txt
    done
    cmp whole.txt killed.txt
}
ok "the answers of an undisturbed run" answers
intact() { [ "$(sql killed.db 'pragma integrity_check')" = ok ]; }
ok "the database is intact" intact

build_killed() {
    n=0
    while [ $n -lt 4 ]; do
        "$AOR" build -s "$SOURCE/tests/data/small.yaml" -o b 2>/dev/null &
        pid=$!
        sleep 0.2
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
        n=$((n + 1))
    done
    "$AOR" build -s "$SOURCE/tests/data/small.yaml" -o b && cmp b/metadata.jsonl "$BENCH/metadata.jsonl" &&
        [ -z "$(find b -name '*.tmp' -o -name '.build.*')" ]
}
ok "a build killed four times ends as an undisturbed one" build_killed
rebuilt() {
    sed 's/seed: 7/seed: 8/' "$SOURCE/tests/data/small.yaml" >eight.yaml
    "$AOR" build -s eight.yaml -o b -j 1 2>/dev/null &
    pid=$!
    sleep 0.7
    kill -9 $pid
    wait $pid 2>/dev/null
    "$AOR" run b -o unfinished.db
    [ "$?" -eq 1 ] && "$AOR" build -s "$SOURCE/tests/data/small.yaml" -o b && "$AOR" check b &&
        cmp b/metadata.jsonl "$BENCH/metadata.jsonl"
}
ok "an unfinished rebuild is not run, and going back to the old spec makes the old samples" rebuilt
finish
