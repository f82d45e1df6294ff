#!/bin/sh
# A model behind llama-server answers as the same model does in this program: words, verdicts, scores.
# Only where two tokens were exactly even (a margin of 0) does the server's sampler take another.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
: "${LLAMA_BIN:?}"
build_bench peer
export no_proxy=127.0.0.1

run() {
    "$AOR" run "$BENCH" -c matched,speech,noise,mismatched,text,text-scene -a direct,cot,transcribe,scene "$@"
}
ok "a run of this program" run -m "$MODEL" --mmproj "$MMPROJ" -o here.db
start_server -m "$MODEL" --mmproj "$MMPROJ" --no-cache-prompt
ok "the same trials, of llama-server" run -m aor-tiny --url "$SERVER/v1" -o there.db
ok "judged" sh -c "'$AOR' judge here.db && '$AOR' judge there.db"

# What both files have, without the even ones, and in how many rows this does not hold.
compare() {
    sql here.db "attach 'there.db' as o" "select count(*), sum(not coalesce($1, 0)) from main.trial t
        join main.response a on a.trial = t.id join main.verdict v on v.trial = t.id
        left join main.score c on c.trial = t.id
        join o.trial u using (sample, condition, strategy, repeat)
        join o.response b on b.trial = u.id join o.verdict w on w.trial = u.id
        left join o.score d on d.trial = u.id where a.margin > 0"
}
n_trials=$(sql here.db 'select count(*) from trial')
n_even=$(sql here.db 'select count(*) from response where margin = 0')
n_scores=$(sql here.db 'select count(*) from score')
echo "# $n_trials trials, $n_even with exactly even tokens, $n_scores scores"
few_even() { [ "$n_trials" -gt 1000 ] && [ "$n_even" -lt $((n_trials / 50)) ] && [ "$n_scores" -gt 200 ]; }
ok "few are even" few_even
same() {
    compare "$1" >counts
    cat counts
    [ "$(cat counts)" = "$((n_trials - n_even))|0" ]
}
ok "the words are the same in every condition and strategy" same "a.kind = 'answer' and b.kind = 'answer' and a.text = b.text"
ok "so is how the answers end" same "a.finish = b.finish and a.answer_at = b.answer_at"
ok "and the verdicts" same "v.verdict = w.verdict"
ok "and the scores of the probes" same "c.value is d.value"
known() {
    sql there.db 'select facts from server' >facts
    cat facts
    [ "$(wc -l <facts)" -eq 1 ] && jq -e '.software == "llamacpp" and (.version | length) > 3' facts
}
ok "the run file says who answered" known

fails "a wrong path is one line, and says what is wanted" 1 '/v2: 404: .*mostly with /v1 at its end' \
    "$AOR" run "$BENCH" -m aor-tiny --url "$SERVER/v2" -c text -o path.db

# A local and a served model are never one run.
fails "a local model in a served one's file" 2 'there.db: holds a run with another model.protocol' "$AOR" run "$BENCH" -c text -a direct-b -o there.db
fails "a served model in a local one's file" 2 'here.db: holds a run with another model.protocol' \
    "$AOR" run "$BENCH" -m aor-tiny --url "$SERVER/v1" -c text -a direct-b -o here.db
untouched() { [ "$(sql here.db 'select count(*) from trial; select count(*) from call')" = "$n_trials
1" ] && [ "$(sql there.db 'select count(*) from trial; select count(*) from call')" = "$n_trials
1" ]; }
ok "nothing was added" untouched
fails "merged into one run" 2 'there.db: .*another model.protocol' "$AOR" merge -o both.db here.db there.db
finish
