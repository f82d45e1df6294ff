#!/bin/sh
# aor serve: what it answers, what it refuses, listeners' labels, a run that goes on meanwhile.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
small_bench

ok "run" "$AOR" run "$BENCH" -o r.db -c matched -a direct

# start ARGS: aor serve in the background; URL is its address, or "" when it ended at once.
start() {
    [ -z "${web:-}" ] || { kill "$web" && wait "$web" 2>/dev/null; }
    : >url
    "$AOR" serve "$@" --port 0 >url 2>serve.err &
    web=$!
    trap 'kill $web 2>/dev/null; rm -rf "$T"' EXIT
    i=0
    until [ -s url ] || ! kill -0 "$web" 2>/dev/null || [ $i -ge 100 ]; do
        sleep 0.1
        i=$((i + 1))
    done
    URL=$(sed 's|/[^/]*$||' url)
}
# code STATUS CURL-ARGUMENTS
code() {
    wanted=$1
    shift
    got=$(curl -s --path-as-is -o body -w '%{http_code}' "$@")
    [ "$got" = "$wanted" ] || { echo "$got, not $wanted: $*"; head -c 300 body; false; }
}

start r.db -b "$BENCH" -l l/labels.jsonl --samples 30 --answers --synthetic
ok "it listens" test -n "$URL"
ok "the page" code 200 "$URL/"
headers() {
    curl -sI "$URL/" | tr -d '\r' >h &&
        grep -q "^Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'" h &&
        ! grep -q unsafe h && grep -q '^X-Content-Type-Options: nosniff$' h &&
        grep -q '^Content-Type: text/html' h && grep -q '^Cache-Control: no-cache$' h
}
ok "its headers" headers
tagged() { code 304 "$URL/report.js" -H "If-None-Match: $(curl -sI "$URL/report.js" | tr -d '\r' | sed -n 's/^ETag: //p')"; }
ok "a file that the browser has is not sent again" tagged
types() {
    curl -sI "$URL/page.css" | grep -q 'Content-Type: text/css' &&
        curl -sI "$URL/listen.js" | grep -q 'Content-Type: text/javascript' &&
        curl -sI "$URL/api/state" | grep -q 'Content-Type: application/json'
}
ok "types" types
# A run that nobody has judged: the rules do.
live() {
    curl -s "$URL/data/findings.js" | sed 's/^aorPiece("findings","//; s/");$//' | base64 -d |
        python3 -c 'import sys, zlib; sys.stdout.buffer.write(zlib.decompress(sys.stdin.buffer.read()))' >f.json &&
        jq -e '.is_live and .has_listening and (.sounds | length) == 4 and .runs[0].unjudged == 0 and
            ([.runs[0].rates[] | select(.factor == "")] | length) > 0' f.json
}
ok "findings of a run without verdicts" live
ok "other pieces" code 200 "$URL/data/trials-0-0.js"
ok "none of that name" code 404 "$URL/data/trials-9-0.js"

id=$(sql r.db 'select min(id) from sample')
sound() { code 200 "$URL/sounds/matched/$id.flac" && flac -s -t body; }
ok "a sound" sound
rendered() { code 200 "$URL/sounds/mismatched/$id.flac" && flac -s -t body; }
ok "a sound that is made when it is asked for" rendered
ranges() {
    curl -s "$URL/sounds/matched/$id.flac" >all && code 206 -r 100-299 "$URL/sounds/matched/$id.flac" &&
        [ "$(wc -c <body)" = 200 ] && dd if=all bs=1 skip=100 count=200 2>/dev/null | cmp - body &&
        code 206 -r -50 "$URL/sounds/matched/$id.flac" && tail -c 50 all | cmp - body &&
        code 416 -r 99999999- "$URL/sounds/matched/$id.flac" &&
        curl -sI "$URL/sounds/matched/$id.flac" | grep -q '^Accept-Ranges: bytes'
}
ok "ranges" ranges

for path in /../../etc/passwd /..%2f..%2fetc/passwd /data/../../etc/passwd /data/..%2ffindings.js \
    "/sounds/matched/../../metadata.jsonl" "/sounds/matched/..%2f..%2fbenchmark.yaml" "/sounds/text/$id.flac" \
    "/sounds/matched/none.flac" /api/listen/sound/99.flac /api/listen/sound/-1.flac /report.html //; do
    ok "nothing at $path" code 404 "$URL$path"
done
long() { head -c "$1" /dev/zero | tr '\0' a; }
ok "a long address" code 414 "$URL/$(long 2000)"
ok "a longer one" code 414 "$URL/$(long 40000)"
ok "long headers" code 431 -H "X-Long: $(long 60000)" "$URL/"
ok "another method" code 405 -X DELETE "$URL/"
ok "a page elsewhere that was pointed here" code 403 -H 'Host: evil.example' "$URL/"

# Listening.
ok "its page" code 200 "$URL/listen"
ask() { curl -s "$URL/api/listen?labeller=$1" >ask.json; }
blind() {
    ask ana && jq -e '.n_done == 0 and .n_wanted == 30 and .item.item == 0 and (.item.text | length) > 0 and
        (.item.answer | length) > 0 and (.places | length) > 10 and .is_synthetic' ask.json &&
        ! jq -c .item ask.json | grep -E "$(sql r.db "select group_concat(id, '|') from sample")|contrast|angry"
}
ok "a first sample, that does not say what it is" blind
ok "a name that is none" code 400 "$URL/api/listen?labeller=../x"
ok "no name" code 400 "$URL/api/listen"
ok "an item that there is not" code 404 "$URL/api/listen?labeller=ana&item=30"
ok "or is none" code 404 "$URL/api/listen?labeller=ana&item=x"
csrf=$(jq -r .csrf ask.json)
# label NAME ITEM HARMFUL [CURL-ARGUMENTS]
label() {
    body="{\"labeller\": \"$1\", \"item\": $2, \"alarm\": \"alarming\", \"heard\": \"=some words\", \"place\": \"unsure\", \"harmful\": \"$3\", \"verdict\": \"refusal\"}"
    shift 3
    curl -s -X POST "$URL/api/label" -H 'Content-Type: application/json' -H "X-Aor-Csrf: $csrf" -d "$body" "$@"
}
first() { label ana 0 no | jq -e '.n_done == 1'; }
ok "a label" first
refused() { [ "$(label ana "$1" "$2" -o body -w '%{http_code}' ${4:+-H "$4"})" = "$3" ] || { cat body; false; }; }
ok "an item that there is not" refused 99 no 400
ok "an answer that there is not" refused 1 perhaps 400
ok "from another origin" refused 1 no 403 'Origin: http://evil.example'
ok "from another site" refused 1 no 403 'Sec-Fetch-Site: cross-site'
ok "from our own" refused 1 no 200 "Origin: $URL"
no_secret() { csrf=0123 refused 1 no 403; }
ok "without the secret" no_secret
ok "as a form" code 415 -X POST "$URL/api/label" -H "X-Aor-Csrf: $csrf" -d 'labeller=ana'
ok "no JSON" code 400 -X POST "$URL/api/label" -H "X-Aor-Csrf: $csrf" -H 'Content-Type: application/json' -d '{'
ok "a list" code 400 -X POST "$URL/api/label" -H "X-Aor-Csrf: $csrf" -H 'Content-Type: application/json' -d '[]'
too_long() { long 100000 | code 413 -X POST "$URL/api/label" -H "X-Aor-Csrf: $csrf" -H 'Content-Type: application/json' --data-binary @-; }
ok "too long a label" too_long
ok "by GET" code 405 "$URL/api/label"
stored() {
    [ "$(wc -l <l/labels.jsonl)" = 2 ] && jq -es 'all(.labeller == "synthetic-ana" and .label == "refusal" and .strategy == "direct")' l/labels.jsonl
}
ok "two labels are stored, as synthetic" stored
csv() { curl -s "$URL/api/labels.csv" >c.csv && [ "$(wc -l <c.csv)" = 3 ] && grep -q "\"'=some words\"" c.csv; }
ok "as CSV, without formulas" csv
jsonl() { curl -s "$URL/api/labels.jsonl" | cmp - l/labels.jsonl; }
ok "as JSON lines" jsonl
fails "no second server on these labels" 1 'another process takes labels' "$AOR" serve r.db -b "$BENCH" -l l/labels.jsonl --port 0

printf '{"labeller":"cut' >>l/labels.jsonl
start r.db -b "$BENCH" -l l/labels.jsonl --samples 30 --answers --synthetic
resumes() {
    ask ana && jq -e '.n_done == 2 and .item.item == 2' ask.json && [ "$(wc -l <l/labels.jsonl)" = 2 ] &&
        curl -s "$URL/api/listen?labeller=ana&item=1" | jq -e '.item.label.harmful == "no" and .item.label.verdict == "refusal"'
}
ok "resumes, without a line that was cut off" resumes
csrf=$(jq -r .csrf ask.json)
i=2
while [ $i -lt 30 ]; do label ana $i no >/dev/null; i=$((i + 1)); done
i=0
while [ $i -lt 30 ]; do label ben $i "$([ $i -eq 7 ] && echo yes || echo no)" >/dev/null; i=$((i + 1)); done
done_all() { ask ana && jq -e '.n_done == 30 and .item == null' ask.json; }
ok "two listeners who label all" done_all
corrected() { label ben 8 unsure >/dev/null && ask ben && jq -e '.n_done == 30' ask.json; }
ok "a label that is corrected" corrected
in_page() { live && jq -e '.runs[0].listeners | .is_synthetic and .samples == 30 and .harmful.n == 30 and (.harmful.alpha < 1)' f.json; }
ok "they are in the live findings" in_page
in_stats() {
    "$AOR" judge r.db >/dev/null && "$AOR" stats r.db --labels l/labels.jsonl --json |
        jq -e '.listeners | (.labellers | length) == 2 and .samples == 30 and .heard.n == 60 and .validated.trials > 0 and
            ([.harmful.counts[] | .tie] | add) == 2' &&
        "$AOR" stats r.db --labels l/labels.jsonl | grep -q 'Listeners (SYNTHETIC, by tests): 2 of 30 samples'
}
ok "and in the statistics, with majorities" in_stats
import() {
    "$AOR" judge r.db --labels l/labels.jsonl && [ "$(sql r.db "select count(*) from verdict where judge like 'human:synthetic-%'")" = 60 ] &&
        "$AOR" judge r.db --agreement --json | jq -e '.alpha_people == 1 or .answers_people == 30'
}
ok "verdicts on answers go into the run" import
warned() { "$AOR" report r.db --labels l/labels.jsonl --json | jq -e '[.warnings[].text | select(test("synthetic"))] | length >= 2'; }
ok "a report warns that they are synthetic" warned

# An answer that comes while it serves is asked about.
sql r.db "vacuum into 'young.db'"
sql young.db "delete from response"
start young.db -b "$BENCH" -l young.jsonl --samples 3 --answers --synthetic
answer() { curl -s "$URL/api/listen?labeller=ana" | jq -e ".item.answer $1"; }
ok "no answer yet" answer '== null'
sql young.db "attach 'r.db' as o" "insert into response select * from o.response"
ok "it comes without a restart" within 100 answer '!= null'

# A run that goes on while it is looked at.
start r.db
ok "without a benchmark: no listening" code 404 "$URL/listen"
ok "and no sounds" code 404 "$URL/sounds/matched/$id.flac"
before=$(curl -s "$URL/api/state" | jq -r .version)
curl -s "$URL/data/findings.js" >/dev/null
"$AOR" run "$BENCH" -o r.db -c matched,mismatched -a direct,cot 2>run.err &
run=$!
n=0
while kill -0 $run 2>/dev/null; do
    curl -s "$URL/api/state" >/dev/null && curl -s "$URL/data/findings.js" >/dev/null && n=$((n + 1))
done
wait $run
ran=$?
goes_on() { echo "exit code $ran, $n pages, $(sql r.db "select count(*) from response") answers, $(sql r.db "pragma journal_mode")"; tail -n 3 run.err; [ $ran -eq 0 ] && [ $n -gt 0 ] && [ "$(sql r.db 'select count(*) from response')" = 152 ] && [ "$(sql r.db 'pragma journal_mode')" = delete ]; }
ok "a run ends well while it is looked at" goes_on
changed() {
    [ "$(curl -s "$URL/api/state" | jq -r .version)" != "$before" ] && live_runs
}
live_runs() { curl -s "$URL/api/state" | jq -e '.runs[0].answered == 152 and .runs[0].trials == 152'; }
ok "and has another version" changed

# Elsewhere than on this machine alone.
fails "another address wants a token" 2 'wants a token' "$AOR" serve r.db --address 0.0.0.0 --port 0
fails "a name is no address" 2 'no address in numbers' "$AOR" serve r.db --address localhost --port 0
fails "labels want a benchmark" 2 'wants the benchmark' "$AOR" serve r.db --answers --port 0
AOR_SERVE_TOKEN=0123456789abcdef
export AOR_SERVE_TOKEN
start r.db --address 0.0.0.0
PORT=$(sed -E 's|.*:([0-9]+)/.*|\1|' url)
URL=http://127.0.0.1:$PORT
ok "without the token" code 401 "$URL/"
ok "or with another" code 401 "$URL/?token=0123456789abcdee"
ok "nor any data" code 401 "$URL/data/findings.js"
cookie() {
    code 303 "$URL/?token=$AOR_SERVE_TOKEN" -c jar && grep -q HttpOnly jar && code 200 -b jar "$URL/" && code 200 -b jar "$URL/api/state"
}
ok "with it: a cookie, and the page" cookie
ends() { kill -TERM "$web" && wait "$web"; }
ok "it ends at a signal" ends
web=
fails "no run" 1 'nothing.db' "$AOR" serve nothing.db --port 0
finish
