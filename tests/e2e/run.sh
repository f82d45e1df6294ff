#!/bin/sh
# Which trials a run has and when: conditions, strategies, selections, repeats, later calls; sampled
# answers, the fast mode.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
small_bench

counts() { sql "$1" 'select (select count(*) from trial), count(*), count(distinct trial), sum(kind = '\''error'\'') from response'; }
is() { [ "$2" = "$3" ] || { echo "$1: $2, not $3" && return 1; }; }
cells() { sql "$1" "select group_concat(c, ' ') from (select condition || '/' || strategy || ':' || count(*) c from trial group by condition, strategy order by 1)"; }
# same A.db B.db N: the trials that both hold are N, with the same answers.
same() {
    is "same answers" "$(sql "$1" "attach '$2' as o" 'select count(*), sum(r.text = p.text) from response r join trial t on t.id = r.trial
        join o.trial u using (sample, condition, strategy, repeat) join o.response p on p.trial = u.id')" "$3|$3"
}

# Probes only where they make sense: no scene is heard in speech and noise, words need no transcript.
ALL=matched,speech,noise,mismatched,text,text-scene
ok "every condition and strategy" "$AOR" run "$BENCH" -c $ALL -a direct,cot,transcribe,scene -o all.db -j 2
planned() {
    is trials "$(counts all.db)" '684|684|684|0' && is cells "$(cells all.db)" "matched/cot:38 matched/direct:38 matched/scene:38 \
matched/transcribe:38 mismatched/cot:38 mismatched/direct:38 mismatched/scene:38 mismatched/transcribe:38 noise/cot:38 noise/direct:38 \
noise/transcribe:38 speech/cot:38 speech/direct:38 speech/transcribe:38 text-scene/cot:38 text-scene/direct:38 text/cot:38 text/direct:38"
}
ok "has no probe that makes no sense" planned
plan_agrees() {
    "$AOR" plan "$BENCH" -c $ALL -a direct,cot,transcribe,scene -o all.db --json >plan.json &&
        jq -e '.all.trials == 684 and .all.answered == 684 and .all.errors == 0 and (.cells | length) == 18 and .sounds == 152' plan.json
}
ok "aor plan says so" plan_agrees
for what in speech/scene noise/scene text/transcribe text-scene/scene; do
    fails "$what alone" 2 "(condition|prompt) [a-z-]*: " "$AOR" run "$BENCH" -c ${what%/*} -a ${what#*/} -o none.db
done
scenes() {
    is "scenes" "$(sql all.db "select (select count(*) from trial t join sample s on s.id = t.sample where condition = 'matched' and t.scene = s.scene),
        (select count(*) from trial t join sample s on s.id = t.sample where condition = 'mismatched' and t.scene <> s.scene),
        (select count(*) from trial where condition in ('speech', 'noise', 'text') and scene is not null)")" '152|152|0'
}
ok "trials name the scene that is heard" scenes
facts() {
    is calls "$(sql all.db "select count(*), sum(n_stored), sum(ended_at is null), sum(machine like '%2 processes%') from call")" '1|684|0|1' &&
        is info "$(sql all.db "select group_concat(key || '=' || value, ' ') from (select * from info where key in ('model.mode', 'model.prefixes',
            'sampling.temperature', 'model.text.file') order by key)")" 'model.mode=exact model.prefixes=shared model.text.file=aor-tiny.gguf sampling.temperature=0' &&
        is margins "$(sql all.db 'select sum(margin is null), sum(margin < 0), sum(checked is not null) from response')" '0|0|0'
}
ok "the run file says how it was run" facts

# A run that grows
ok "a few samples" "$AOR" run "$BENCH" -c matched --limit 10 -o grown.db
few() { n=$(sql grown.db 'select count(*) from response') && [ "$n" -gt 0 ] && [ "$n" -le 10 ] && is trials "$(counts grown.db)" "$n|$n|$n|0"; }
ok "not more than were asked for" few
ok "a category in another condition" "$AOR" run "$BENCH" -c text --only kitchen -o grown.db
ok "another strategy" "$AOR" run "$BENCH" -c matched,text -a cot,transcribe --only contrast,plain -o grown.db
grown() {
    is cells "$(cells grown.db | sed 's/matched.direct:[0-9]* //')" 'matched/cot:8 matched/transcribe:8 text/cot:8 text/direct:10' &&
        is calls "$(sql grown.db 'select count(*), sum(n_stored) = (select count(*) from response) from call')" '3|1'
}
ok "only those are added" grown
ok "everything" "$AOR" run "$BENCH" -c $ALL -a scene,transcribe,cot,direct -o grown.db
ok "the answers of the run at once" same grown.db all.db 684
asleep() { "$AOR" run "$BENCH" -c $ALL -a direct,cot,transcribe,scene -o grown.db --timeout 1 && is calls "$(sql grown.db 'select count(*) from call')" 4; }
ok "the same again asks nothing" asleep

# Pending trials that a later call does not select stay pending.
"$AOR" run "$BENCH" -c $ALL -a direct,cot,transcribe,scene -o part.db 2>/dev/null &
pid=$!
until [ "$(sql 'file:part.db?mode=ro' 'select count(*) > 0 from response' 2>/dev/null)" = 1 ]; do sleep 0.02; done
kill -TERM $pid
wait $pid
stayed() {
    was=$(sql part.db 'select count(*) from response')
    theirs="trial t join sample s on s.id = t.sample where condition = 'text-scene' and s.category = 'kitchen'"
    "$AOR" run "$BENCH" -c text-scene --only kitchen -a cot,direct -o part.db &&
        is trials "$(counts part.db)" "684|$((was + 20))|$((was + 20))|0" &&
        is theirs "$(sql part.db "select count(*) from response r join $theirs and r.trial = t.id")" 20 &&
        "$AOR" judge part.db && "$AOR" stats part.db | grep -q "^684 trials, $((664 - was)) unanswered"
}
ok "a selection answers its own pending trials only" stayed
ok "and the whole goes on" "$AOR" run "$BENCH" -c $ALL -a direct,cot,transcribe,scene -o part.db
ok "to the same answers" same part.db all.db 684

# Sampled
sampled() { "$AOR" run "$BENCH" -c matched,text -a direct,cot --only scenario --temperature 0.9 "$@"; }
fails "repeats of greedy answers" 2 'wants --temperature' "$AOR" run "$BENCH" --repeats 2 -o none.db
ok "three repeats" sampled --repeats 3 -o three.db
ok "one, and two more" sh -c "
    for n in 1 3; do
        '$AOR' run '$BENCH' -c matched,text -a direct,cot --only scenario --temperature 0.9 --repeats \$n -o more.db -j 2 || exit 1
    done"
repeats() {
    is trials "$(counts three.db)" '360|360|360|0' && is margins "$(sql three.db 'select count(margin) from response')" 0 &&
        n=$(sql three.db 'select count(*) from (select sample from trial t join response r on r.trial = t.id
            group by sample, condition, strategy having count(distinct text) > 1)') && echo "$n of 120 vary" && [ "$n" -gt 60 ]
}
ok "they are not the same" repeats
ok "whatever the order and the processes" same three.db more.db 360
ok "another seed" sampled --seed 1 -o seed.db
another() {
    n=$(sql seed.db "attach 'three.db' as o" 'select sum(r.text <> p.text) from response r join trial t on t.id = r.trial
        join o.trial u using (sample, condition, strategy, repeat) join o.response p on p.trial = u.id') && echo "$n of 120 differ" && [ "$n" -gt 60 ]
}
ok "gives other answers" another
fails "another seed in the same file" 2 'another sampling.seed' sampled --seed 1 -o three.db
fails "another temperature" 2 'another sampling.temperature' "$AOR" run "$BENCH" --temperature 0.8 -o three.db

# Fast: every fiftieth answer of a process is given a second time.
ok "fast" "$AOR" run "$BENCH" --fast -c matched,mismatched,text -a direct,cot,transcribe,scene -o fast.db -j 1 --parallel 16
sed -n 's/^aor: /# /p' "$T/.out"
checked() {
    is checked "$(sql fast.db 'select count(*), count(checked), sum(checked is null and check_margin is not null),
        sum(checked = 0 and check_margin is not null), sum(checked = 1 and check_margin is null) from response')" '380|8|0|0|0' &&
        "$AOR" run "$BENCH" --fast -c matched -o fast.db 2>log &&
        grep -q "fast.db: $(sql fast.db 'select sum(checked) from response') of 8 answers that were given a second time exactly differ" log
}
ok "its checks are in the table and in the log" checked
near() {
    sql all.db "attach 'fast.db' as o" 'select count(*), sum(r.text <> p.text), sum(r.text <> p.text and r.margin > 0.1)
        from response r join trial t on t.id = r.trial
        join o.trial u using (sample, condition, strategy, repeat) join o.response p on p.trial = u.id' >near
    IFS='|' read -r n other far <near
    echo "$other of $n differ from the exact ones, $far of them where the exact one was sure"
    [ "$n" -eq 380 ] && [ "$far" -eq 0 ] && [ "$other" -le 19 ]
}
ok "its answers differ near ties only" near
sed -n 's/^/# /p' "$T/.out"
fails "exact answers in a fast run's file" 2 'another model.mode' "$AOR" run "$BENCH" -o fast.db
fails "fast ones in an exact run's file" 2 'another model.mode' "$AOR" run "$BENCH" --fast -o all.db

# A context that is too small: a row for each trial that does not fit it.
narrow() {
    sed "s/^name: .*/name: long/; s/^instruction: .*/instruction: \"$(printf 'Zyx wvut srqp. %.0s' $(seq 20))\"/" \
        "$SOURCE/data/prompts/direct.yaml" >long.yaml
    "$AOR" run "$BENCH" -a direct,long.yaml -c matched --ctx 160 -o narrow.db
    [ "$?" -eq 3 ] && is errors "$(sql narrow.db "select count(*) > 0, sum(text not like 'context: the prompt has %') from response where kind = 'error'")" '1|0' &&
        is answers "$(sql narrow.db "select count(*) > 0 from response where kind <> 'error'")" 1
}
ok "prompts that do not fit the context" narrow
fails "another context in the same file" 2 'another model.n_ctx' "$AOR" run "$BENCH" -c text -o narrow.db
finish
