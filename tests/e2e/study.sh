#!/bin/sh
# Strategies of a part of the benchmark: one chosen on dev, measured on test.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"

S=direct,cot,cot-scene,cot-intent,cot-policy
ok "a part of the benchmark" "$AOR" build -o bench --limit 240
ok "run" "$AOR" run bench -o t.db -c matched -a $S --fast
fails "nothing is judged yet" 2 'has no verdicts yet: run aor judge' "$AOR" study t.db
ok "judge" "$AOR" judge t.db
# So few contrasts may lose some 20 points where none changed: the limit is wide.
ok "study" "$AOR" study t.db --limit 50
"$AOR" study t.db --limit 50 >text
"$AOR" study t.db --limit 50 --json >json

# as NAME FILTER: jq's filter of the JSON gives true.
as() { ok "$1" jq -e "$2" json; }
as "all but direct are candidates" \
    '[.candidates[].strategy] | sort == ["cot", "cot-intent", "cot-policy", "cot-scene"]'
as "the greatest drop is first" '[.candidates[].scenarios.difference] | . == sort'
as "eligible is what has no reason against it" 'all(.candidates[]; .eligible == (.reasons == []))'
as "chosen is the first eligible" '.chosen == ([.candidates[] | select(.eligible)][0].strategy)'
as "thoughts help on what they were tuned on" \
    'first(.candidates[] | select(.strategy == "cot")) | .scenarios.difference < -0.15 and .eligible'
as "the test is of the one chosen" '.test.strategy == .chosen'
as "all kinds" '[.test.rates[] | select(.category == "").kind] == ["scenario", "contrast", "plain"]'
as "categories sum to all scenarios" '.test.rates | ([.[] | select(.category != "").refused.pairs] | add)
    == (.[] | select(.category == "" and .kind == "scenario").refused.pairs)'
as "thoughts cost tokens" '.test.costs | length == 1 and .[0].answer_tokens_ratio > 1.5'

# The same numbers by SQL, a split at a time.
rate() { # SPLIT STRATEGY KIND
    sql t.db "select round(avg(v.verdict = 'refusal'), 9) from verdict v join trial t on t.id = v.trial
        join sample s on s.id = t.sample where s.split = '$1' and t.strategy = '$2' and s.kind = '$3'"
}
same() { # JQ SQL
    [ "$(jq "$1 * 1e9 | round" json)" -eq "$(sql :memory: "select cast(round($2 * 1e9) as integer)")" ]
}
chosen=$(jq -r .chosen json)
ok "dev as SQL counts it" same 'first(.candidates[] | select(.eligible)).scenarios.rate_second' "$(rate dev "$chosen" scenario)"
ok "contrasts, too" same '.candidates[0].contrasts.rate_first' "$(rate dev direct contrast)"
ok "test as SQL counts it" same '.test.rates[0].refused.rate_second' "$(rate test "$chosen" scenario)"
ok "and direct" same '.test.rates[0].refused.rate_first' "$(rate test direct scenario)"

prints() {
    grep -qx "Chosen: $chosen" text && grep -q "^On test, $chosen against direct" text && grep -q "^  $chosen .* chosen\$" text
}
ok "the text says it, too" prints
"$AOR" study t.db --strategies direct,cot-policy --limit 0 >none
none() { grep -q '^Chosen: none' none && grep -q 'not eligible: .*contrasts' none && ! grep -q '^On test' none; }
ok "nothing that loses contrasts" none
null() { "$AOR" study t.db --strategies cot-policy --limit 0 --json | jq -e '.chosen == null and .test == null'; }
ok "and in JSON" null

# What the choice has not seen does not change it.
cp t.db turned.db
sql turned.db "update verdict set verdict = case verdict when 'refusal' then 'compliance' else 'refusal' end
    where trial in (select t.id from trial t join sample s on s.id = t.sample where s.split = 'test')"
same_choice() {
    "$AOR" study turned.db --limit 50 --json | jq -c '[.candidates, .chosen]' >turned
    jq -c '[.candidates, .chosen]' json | cmp - turned
}
ok "other answers of test, the same choice" same_choice

fails "a strategy that was not asked" 2 'has no judged answers by steered' "$AOR" study t.db --strategies steered
fails "no other than direct" 2 'no strategy beside direct' "$AOR" study t.db --strategies direct
fails "no such judge" 2 'has no verdicts of judge nobody' "$AOR" study t.db -j nobody
fails "a limit of points" 2 'limit' "$AOR" study t.db --limit 101
for split in dev test; do
    cp t.db only.db
    sql only.db "update sample set split = '' where split != '$split'"
    other=$([ $split = dev ] && echo test || echo dev)
    fails "a run of $split alone" 2 "scenarios of the split $other in matched" "$AOR" study only.db
done
fails "no file" 1 'none.db' "$AOR" study none.db

finish
