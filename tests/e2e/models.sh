#!/bin/sh
# Models that the embedded one is not like: one that ends its process at some texts, recurrent and
# sliding memory, steered ones. They are random or made of the embedded one.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
: "${LLAMA_BIN:?}"
small_bench
gguf() { python3 "$SOURCE/tests/e2e/gguf.py" "$@"; }

# The tokenizer throws at every text with a "g": of the small benchmark the four of gaming-p01.
gguf spm dies.gguf "$MODEL" g
ask_dying() { "$AOR" run "$BENCH" -m dies.gguf --mmproj "$MMPROJ" -c matched,text -a direct,cot -o dies.db --parallel 8 -j 2 "$@"; }
dies() {
    ask_dying
    [ "$?" -eq 3 ] && [ "$(sql dies.db 'select count(*), count(distinct trial), sum(kind = '\''error'\'') from response')" = "152|152|8" ]
}
ok "texts that end the model's process are errors, all else is answered" dies
named() {
    sql dies.db "select distinct t.condition || ' ' || s.scenario || ': ' || r.text from response r
        join trial t on t.id = r.trial join sample s on s.id = t.sample where r.kind = 'error'" >died
    cat died
    [ "$(cat died)" = "text gaming-p01: the model's process died (Aborted): unordered_map::at" ]
}
ok "the rows say how it died" named
retried() {
    ask_dying --retry-errors
    [ "$?" -eq 3 ] && [ "$(sql dies.db 'select count(*), count(distinct trial), sum(kind = '\''error'\'') from response')" = "152|152|8" ] && named
}
ok "--retry-errors tries them again, and leaves it so" retried
undisturbed() {
    "$AOR" run "$BENCH" -m dies.gguf --mmproj "$MMPROJ" -c matched,text -a direct,cot --only scenario,contrast -o lives.db --parallel 8 -j 2 &&
        [ "$(sql lives.db "attach 'dies.db' as d" 'select count(*), sum(r.text = e.text) from response r join trial t on t.id = r.trial
            join d.trial u using (sample, condition, strategy, repeat) join d.response e on e.trial = u.id')" = "136|136" ]
}
ok "the other answers are those of a run without them" undisturbed
gguf spm always.gguf "$MODEL" w # in "Answer the speaker"
ends() {
    "$AOR" run "$BENCH" -m always.gguf -c text -o always.db --parallel 8 -j 2 2>err
    [ "$?" -eq 1 ] && [ -z "$(find . -name 'always.db*')" ] &&
        [ "$(grep -c '^aor: 5 trials in a row, and no answer: the model.s process died (Aborted): unordered_map::at$' err)" -eq 1 ] &&
        [ "$(grep -c . err)" -le 4 ]
}
ok "a model that dies at everything ends the run" ends

# same_words A.db B.db N: N answers of each, the same.
same_words() {
    [ "$(sql "$1" "attach '$2' as o" 'select count(*), sum(r.text = p.text), count(distinct r.text) > 3 from response r join trial t on t.id = r.trial
        join o.trial u using (sample, condition, strategy, repeat) join o.response p on p.trial = u.id')" = "$3|$3|1" ]
}
# text_model WHAT: the random model, in parallel and one by one, and llama-server's answers.
text_model() {
    gguf "$1" "$1.gguf" "$MODEL"
    for n in 1 8; do
        ok "$1: $n at once" "$AOR" run "$BENCH" -m "$1.gguf" -c text -a direct,audio-last,cot -o "$1-$n.db" --parallel $n -j 1
    done
    echo "# $1: prefixes are $(sql "$1-8.db" "select value from info where key = 'model.prefixes'")"
    ok "$1: the same answers" same_words "$1-1.db" "$1-8.db" 114
    start_server -m "$1.gguf"
    ok "$1: llama-server's" python3 "$SOURCE/tests/e2e/peer.py" "$1-8.db" "$SERVER" . "t.id % 4 = 0"
}
text_model mamba
text_model gemma3

# Steered: layers 1 and 2 of 3.
gguf direction direction.gguf 160 1 1 2
steer() { "$AOR" run "$BENCH" -a direct,steered --direction "$@"; }
ok "steered by nothing" steer direction.gguf -c matched,text --strength 0 -o none.db
ok "steered" steer direction.gguf -c matched,text --strength 30 -o steered.db --parallel 8
differ() {
    sql "$1" "select count(*), sum(a.text <> b.text) from trial t join response a on a.trial = t.id
        join trial u on u.sample = t.sample and u.condition = t.condition and u.strategy = 'steered'
        join response b on b.trial = u.id where t.strategy = 'direct'" |
        { IFS='|' read -r n other && echo "$other of $n differ" && [ "$n" -eq 76 ] && [ "$other" -ge "$2" ] && [ "$other" -le "$3" ]; }
}
ok "a strength of 0 changes nothing" differ none.db 0 0
ok "one of 30 changes answers" differ steered.db 38 76
plain() {
    [ "$(sql steered.db "attach 'none.db' as o" "select count(*), sum(r.text = p.text) from response r join trial t on t.id = r.trial
        join o.trial u using (sample, condition, strategy) join o.response p on p.trial = u.id where strategy = 'direct'")" = "76|76" ]
}
ok "and none of those that are not steered" plain
start_server -m "$MODEL" --mmproj "$MMPROJ" --control-vector-scaled direction.gguf:30 --control-vector-layer-range 1 3
ok "llama-server's, steered alike" python3 "$SOURCE/tests/e2e/peer.py" steered.db "$SERVER" "$BENCH" "t.strategy = 'steered' and t.id % 2 = 0"
fails "another strength in the same run file" 2 'another direction.strength' steer direction.gguf -c matched,text --strength 1 -o steered.db
fails "-a steered without a direction" 2 'want each other' "$AOR" run "$BENCH" -a steered -o x.db
fails "a direction without -a steered" 2 'want each other' "$AOR" run "$BENCH" --direction direction.gguf -o x.db
finish
