#!/bin/sh
# kill -9 of the program at random moments (KILLS of them; make soak has 100); then the same command
# once more: exactly the planned trials, each once, and the answers of an undisturbed run. Greedy,
# and sampled: a trial's random choice has a seed of its own.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
small_bench
KILLS=${KILLS:-10}

now() { date +%s.%N; }
random_part() { awk -v r="$(od -An -N2 -tu2 /dev/urandom)" -v t="$1" 'BEGIN { printf "%.3f", r / 65536 * t }'; }
# No process of its own that outlives the program: theirs end when it does.
children_gone() {
    i=0
    while pgrep -f "$AOR run .* -o $T/" >/dev/null && [ $i -lt 50 ]; do sleep 0.1; i=$((i + 1)); done
    ! pgrep -f "$AOR run .* -o $T/"
}
answers() {
    sql "$1" "select t.sample, t.condition, t.strategy, t.repeat, r.finish, r.n_prompt_tokens, r.text
        from response r join trial t on t.id = r.trial order by 1, 2, 3, 4" >"$1.txt"
}

# soak KIND KILLS OPTIONS...
soak() {
    kind=$1 kills=$2
    shift 2
    started=$(now)
    ok "$kind: an undisturbed run" "$AOR" run "$BENCH" "$@" -o "$T/whole.db"
    took=$(echo "$started $(now)" | awk '{ print $2 - $1 }')
    n_trials=$(sql whole.db 'select count(*) from trial')
    answers whole.db
    hits=0
    tries=0
    ends=0
    differs=0
    while [ $hits -lt "$kills" ] && [ $tries -lt $((3 * kills)) ]; do
        tries=$((tries + 1))
        "$AOR" run "$BENCH" "$@" -o "$T/killed.db" 2>/dev/null &
        pid=$!
        # A moment of the first 4/KILLS of a whole run, and of 0.4 s: many kills do not get to its end.
        sleep "$(random_part "$(awk -v t="$took" -v k="$kills" 'BEGIN { p = 4 / k; if (p < 0.4 / t) p = 0.4 / t; print p * t }')")"
        kill -9 "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
        status=$?
        [ $status -eq 137 ] && hits=$((hits + 1))
        if [ $status -eq 0 ]; then # it came to its end: from the beginning
            ends=$((ends + 1))
            { answers killed.db && cmp whole.db.txt killed.db.txt; } || differs=1
            rm -f killed.db*
        fi
    done
    stored=$(sql killed.db 'select count(*) from response' 2>/dev/null || echo 0)
    echo "# $kind: $hits kills of $tries hit a run, $ends came to the end; $stored of $n_trials stored then"
    all_hit() { [ "$hits" -eq "$kills" ]; }
    ok "$kind: $kills kills hit a run" all_hit
    ok "$kind: no model process is left" children_gone
    ok "$kind: the same command goes on" "$AOR" run "$BENCH" "$@" -o "$T/killed.db"
    once() {
        [ "$(sql killed.db 'select (select count(*) from trial), count(*), count(distinct trial), sum(kind = '\''error'\'') from response')" = \
            "$n_trials|$n_trials|$n_trials|0" ]
    }
    ok "$kind: exactly the planned trials, each once" once
    same() { [ $differs -eq 0 ] && answers killed.db && cmp whole.db.txt killed.db.txt; }
    ok "$kind: the answers of an undisturbed run" same
    intact() { [ "$(sql killed.db 'pragma integrity_check')" = ok ] && [ ! -e killed.db-wal ]; }
    ok "$kind: the database is intact, in one file" intact
    echo "# $kind: $(echo "$started $(now)" | awk '{ printf "%.0f", $2 - $1 }') s in all"
    rm -f whole.db* killed.db*
}
soak greedy "$KILLS" -c matched,mismatched,text -a direct,cot,transcribe,scene -j 2
soak sampled "$KILLS" -c matched,text -a direct,cot --temperature 0.8 --repeats 3 -j 2

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
