#!/bin/sh
# aor run against served models that misbehave (chaos_server.py): every trial ends in a stored state,
# what is stored is what was given, nothing is asked twice without need, and the key stays where it is.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
small_bench
export no_proxy=127.0.0.1,localhost
unset AOR_API_KEY OPENAI_API_KEY GEMINI_API_KEY CURL_CA_BUNDLE SSL_CERT_FILE
CHAOS=$SOURCE/tests/e2e/chaos_server.py
CHECK=$SOURCE/tests/e2e/chaos_check.py
pids=
trap 'kill $pids 2>/dev/null; wait; rm -rf "$T"' EXIT

# start NAME OPTION...: a server, its URL in URL and its process in pid; it leaves NAME.json.
start() {
    name=$1
    shift
    mkfifo "$name.pipe"
    python3 "$CHAOS" --truth "$T/$name.json" "$@" >"$name.pipe" 2>"$name.log" &
    pid=$!
    pids="$pids $pid"
    read -r port <"$name.pipe"
    URL=http://127.0.0.1:$port/v1
}
stop() {
    kill -TERM "$1" && wait "$1" 2>/dev/null
}
served=chaos # or a preset
run() { "$AOR" run "$BENCH" -m $served --url "$URL" "$@"; }
now() { date +%s.%N; }
since() { echo "$1 $(now)" | awk '{ printf "%.1f", $2 - $1 }'; }
less() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a < b) }'; }
n_asked() { curl -sf "${URL%/v1}/truth" | jq .n_requests; }
n_stored() { sql "$1" "select count(*) from response" 2>/dev/null || echo 0; }
say() { sed -n '/^#/p' "$T/.out"; }
# Wait, 20 s at most, until a number is at least so much.
reaches() { # reaches N COMMAND...
    n=$1 i=0
    shift
    until [ "$("$@")" -ge "$n" ] || [ $i -ge 400 ]; do sleep 0.05; i=$((i + 1)); done
}
# Exit code CODE of a command; what it says is in .all.
exits() {
    code=$1
    shift
    "$@" >.stdout 2>.all
    status=$?
    echo "exit code $status"
    tail -n 5 .all
    [ $status -eq "$code" ]
}

preset() { # preset NAME URL LINE...: a served model
    name=$1
    {
        printf 'title: Chaos\nfamily: none\ndeveloper: nobody\nparameters: none\nlicence: none\nreference: none\n'
        printf 'tested: never\nllama_cpp: "no: there are none"\napi:\n  protocol: openai\n  url: %s\n  model: chaos\n' "$2"
        shift 2
        [ $# -eq 0 ] || printf '  %s\n' "$@"
    } >"$name.yaml"
}

# One long Retry-After in the background: the others go on, and it is waited for.
start long --faults hint_long=40
long_pid=$pid
(
    began=$(now)
    run -c matched,speech -a direct,cot --timeout 5 -o long.db 2>long.err
    echo "$? $(since "$began")" >long.status
) &
long_run=$!

# And a server that never says anything but 429.
start never --faults hint_ms=1000
(
    run -c matched -o never.db 2>never.err
    echo $? >never.status
) &
never_run=$!

# What all faults at once come to. chaos NAME RUN_OPTION...
ALL="-a direct,direct-b,direct-c,cot,cot-b,cot-c,audio-last,transcribe,transcribe-b,transcribe-c"
EVERYWHERE="-c matched,speech,noise,mismatched,text,text-scene"
chaos() {
    what=$1
    shift
    began=$(now)
    ok "$what: a run to its end, where some trials ended in an error" exits 3 run --timeout 4 -o "$what.db" "$@"
    echo "# $what: $(since "$began") s"
    stop "$pid"
    ok "$what: the run file is what the server did" python3 "$CHECK" "$what.db" "$what.json"
    say
}
start plain --faults all --slower 5.5
# shellcheck disable=SC2086
chaos plain $EVERYWHERE $ALL
start stream --faults all --slower 5.5 --temperature 0.7
preset streamed "$URL" 'stream: true'
served=./streamed.yaml
chaos stream -c matched,speech,text-scene -a direct,cot --repeats 3 --temperature 0.7
served=chaos
start gemini --faults all --slower 5.5
chaos gemini --api gemini -c matched,noise,text -a direct,cot,transcribe

# Another model's run file.
start kind
"$AOR" run "$BENCH" -c text -o local.db 2>/dev/null
fails "a served model in a local one's run file" 2 'another model.protocol' run -c text -o local.db
run -c text -o chaos.db 2>/dev/null
fails "a local model in a served one's run file" 2 'another model.protocol' "$AOR" run "$BENCH" -c text -o chaos.db
start unset --temperature none
preset fixed "$URL" 'temperature: false'
served=./fixed.yaml
run -c text --temperature 0.5 -o fixed.db 2>/dev/null
served=chaos
fails "a run without a temperature, and one with it" 2 'another sampling.temperature .none, now 0.5' run -c text --temperature 0.5 -o fixed.db
fails "the two as one" 2 'another model.protocol' "$AOR" merge -o both.db local.db chaos.db
stop "$pid"

# Other ways to send a sound.
start forms
preset mp3 "$URL" 'audio: audio_url' 'format: mp3' 'max_tokens: max_completion_tokens'
preset uri "$URL" 'audio: input_audio_uri' 'stream: true'
served=./mp3.yaml
ok "MP3, as a URL" run -c matched,text -o mp3.db
served=./uri.yaml
ok "WAV, as a URI, streamed" run -c speech,text-scene -o uri.db
served=chaos
stop "$pid"
ok "are good requests" jq -e '.bad == [] and .n_requests == 152 and ([.trials[] | select(.has_audio)] | length) == 76' forms.json

# kill -9 of everything, ten times.
start killed --faults all --slower 5.5
IN_FLIGHT=32
# shellcheck disable=SC2086
killed() {
    n=0
    : >kills
    while [ $n -lt 10 ]; do
        setsid "$AOR" run "$BENCH" -m chaos --url "$URL" --parallel $IN_FLIGHT --timeout 4 $EVERYWHERE $ALL \
            -o killed.db 2>>killed.err &
        group=$!
        sleep "$(awk -v r="$(od -An -N2 -tu2 /dev/urandom)" 'BEGIN { printf "%.2f", 0.2 + 0.8 * r / 65536 }')"
        now >>kills
        kill -9 "-$group" || return 1 # it had come to its end
        wait $group 2>/dev/null
        n=$((n + 1))
    done
    echo "$(n_stored killed.db) stored at the last kill"
    run --parallel $IN_FLIGHT --timeout 4 $EVERYWHERE $ALL -o killed.db 2>>killed.err
    [ $? -eq 3 ]
}
ok "kill -9, ten times, and the same command again" killed
stop "$pid"
ok "nothing is lost, and what was given twice was on the wire" python3 "$CHECK" killed.db killed.json kills $IN_FLIGHT
say
intact() { [ "$(sql killed.db 'pragma integrity_check')" = ok ] && [ ! -e killed.db-wal ]; }
ok "the run file is intact, in one file" intact

# Load that a server takes.
start limit --limit 4 --latency-ms 20 --is none
ok "a server that takes four at once" run -c matched,speech,noise,text -a direct,cot -o limit.db
stop "$pid"
falls() {
    jq -e '.max_in_flight as $most | (.in_flight | .[length / 2 | floor:] | add / length) as $later |
        (.n_requests / (.trials | length)) as $tries | "most \($most), later \($later), \($tries) requests a trial" |
        if $most > 8 and $later < 8 and $tries < 2 then . else error end' limit.json
}
ok "429 brings the requests in flight down" falls
sed 's/^/# /' "$T/.out"
start rate
ok "at most so many a minute" run -c matched --rpm 600 -o rate.db
stop "$pid"
paced() { jq -e '.n_requests == 38 and (.times | .[-1] - .[0] | . > 3.2 and . < 8)' rate.json || jq -c '.times' rate.json; }
ok "are not asked quicker" paced

start bound --faults error_500=200
bounded() {
    exits 1 run -c matched,speech,text --max-requests 50 -o bound.db && [ "$(n_asked)" -eq 50 ] &&
        grep -v '^run ' .all | grep -q -e 'max-requests\|50 requests' && sql bound.db 'select n_tries from response limit 1' &&
        [ "$(n_stored bound.db)" -lt 50 ]
}
ok "--max-requests ends a run at that number" bounded
ok "which goes on later" run -c matched,speech,text -o bound.db
stop "$pid"
ok "with nothing twice" python3 "$CHECK" bound.db bound.json /dev/null 0

# Shards have their part of it: 3, 3, 2 and 2 of 10 requests.
start parts --faults none
parts() {
    for k in 1 2 3 4; do
        exits 1 run -c matched --shard $k/4 --max-requests 10 -o part.db || return 1
        n_stored part-$k-of-4.db
    done >counts
    [ "$(grep -xc 3 counts)" -eq 2 ] && [ "$(grep -xc 2 counts)" -eq 2 ] && [ "$(n_asked)" -eq 10 ]
}
ok "--max-requests is shared out to shards" parts

start lost --latency-ms 100
lost() {
    "$AOR" run "$BENCH" -m chaos --url "$URL" -c matched,speech --parallel 4 --max-requests 40 -o lost.db 2>.all &
    runner=$!
    reaches 25 n_asked
    child=$(pgrep -P $runner)
    kill -9 "$child"
    wait $runner
    status=$?
    tail -n 2 .all
    n_asked
    [ $status -eq 1 ] && grep -q -e --max-requests .all && [ "$(n_stored lost.db)" -eq 40 ] && [ "$(n_asked)" -le 44 ]
}
ok "also where its process dies in between" lost
stop "$pid"

start cost
preset priced "$URL" 'price: {input: 10, audio: 100, output: 1000, as_of: 2026-11-01}'
# 40 tokens of words, 60 of sound, 20 of the answer: 0.0264 dollars.
costly() {
    exits 1 run --parallel 4 -c matched --max-cost 0.5 -o cost.db &&
        grep -v '^run ' .all | grep -q cost && n=$(n_stored cost.db) && echo "$n stored" && [ "$n" -ge 15 ] && [ "$n" -le 23 ] &&
        [ "$(sql cost.db 'select sum(abs(cost - 0.0264) > 1e-9) from response')" -eq 0 ]
}
served=./priced.yaml
ok "--max-cost ends a run there" costly
served=chaos
stop "$pid"

start drain --latency-ms 700
drained() {
    "$AOR" run "$BENCH" -m chaos --url "$URL" -c matched,speech -o drain.db 2>.all &
    runner=$!
    reaches 40 n_asked
    kill -TERM $runner
    wait $runner
    status=$?
    cat .all
    [ $status -eq 4 ] && [ "$(n_stored drain.db)" -eq "$(n_asked)" ] && [ "$(n_stored drain.db)" -lt 76 ]
}
ok "SIGTERM stores what is in flight and begins nothing" drained
ok "the rest later" run -c matched,speech -o drain.db
stop "$pid"
ok "with one request for each trial" jq -e '.n_requests == 76 and (.trials | length) == 76' drain.json

# Two servers.
start first --latency-ms 30 --is sglang
first=$URL first_pid=$pid
start second --latency-ms 30 --is llamacpp
second=$URL second_pid=$pid
URL=$first,$second
ok "two servers" run -c matched,speech,noise,mismatched -o two.db
both() {
    stop "$first_pid"
    jq -e '.n_requests > 40' first.json && [ "$(sql two.db 'select count(distinct server) from response')" -eq 2 ] &&
        sql two.db 'select facts from server' | tee facts | grep -q 0.5.4.chaos && grep -q b7000-chaos facts
}
ok "both work, and it is noted who answered" both
start third --latency-ms 30
URL=$URL,$second
dies() {
    run -c matched,speech,noise,mismatched,text -a direct,cot --timeout 5 -o dies.db 2>.all &
    runner=$!
    reaches 60 n_stored dies.db
    kill -9 "$second_pid"
    wait $runner
    status=$?
    cat .all
    [ $status -eq 0 ] && [ "$(sql dies.db "select count(*), sum(kind = 'answer') from response")" = "$(sql dies.db 'select count(*), count(*) from trial')" ]
}
ok "one of them dies, and no trial is lost" dies
URL=$second
began=$(now)
fails "nobody there" 1 "$URL.*" run -c matched -o none.db
nothing() { [ -z "$(find . -name 'none.db*')" ] && less "$(since "$began")" 10; }
ok "leaves nothing, and soon" nothing

# Errors that no trial is to blame for.
for fault in forbidden missing no_quota; do
    start $fault --faults $fault=1000
    fails "$fault ends the run" 1 . run -c matched --parallel 4 -o $fault.db
    no_trace() { [ -z "$(find . -name "$fault.db*")" ] && [ "$(n_asked)" -le 8 ]; }
    ok "and leaves no file" no_trace
    stop "$pid"
done
# Its process dies while it waits for the last answers before it says why it stops.
start dying --faults missing=500,late=500 --latency-ms 1500 --slower 20
dying() {
    "$AOR" run "$BENCH" -m chaos --url "$URL" -c matched -o dying.db 2>.all &
    runner=$!
    reaches 10 n_asked
    sleep 2 # the first 404 has come
    child=$(pgrep -P $runner)
    kill -9 "$child"
    wait $runner
    status=$?
    tail -n 5 .all
    [ $status -eq 1 ] && grep -q 'process died (Killed)' .all && [ "$(n_stored dying.db)" -eq 0 ]
}
ok "a process that dies as it stops ends the run" dying
stop "$pid"
start day --faults day_quota=1000
fails "a quota of the day ends the run" 1 . run --api gemini -c matched --parallel 4 -o day.db
stop "$pid"

# The key.
AOR_API_KEY=sk-planted-4711
export AOR_API_KEY
start key --key $AOR_API_KEY --faults error_4xx=300
exits_with_errors() { exits 3 run -c matched,text -o key.db && cat .all >>messages; }
ok "a key, and errors that echo it" exits_with_errors
stop "$pid"
ok "the key was right" jq -e '[.trials[].met[]] | index("unauthorized") == null' key.json
start other --key another
fails "401 is one line" 1 'Incorrect API key' run -c matched -o other.db
cat .all >>messages
masked() { run -c matched --dry-run >dry 2>>messages && cat dry && grep -qi authorization dry && [ "$(n_asked)" -eq "$1" ]; }
ok "--dry-run shows a request and sends none" masked "$(n_asked)"
keyless() { env -u OPENAI_API_KEY "$AOR" run "$BENCH" -m gpt-audio-1.5 --dry-run >nokey && grep -qx 'Authorization: Bearer ...' nokey; }
ok "also before there is a key" keyless
fails "without --dry-run it is asked for" 2 'OPENAI_API_KEY' env -u OPENAI_API_KEY "$AOR" run "$BENCH" -m gpt-audio-1.5 -o nokey.db
rm -rf other.db
start gkey --key $AOR_API_KEY --faults error_4xx=300
gemini_key() { exits 3 run --api gemini -c matched -o gkey.db && cat .all >>messages; }
ok "a key of the other protocol" gemini_key
key=$AOR_API_KEY
AOR_API_KEY="two words"
fails "a key that is none" 2 'AOR_API_KEY' run -c matched -o bad.db
AOR_API_KEY=$key
stays() { ! grep -l "$key" ./*.db* messages dry ./*.err; }
ok "the key is in no file and no message" stays
unset AOR_API_KEY

# TLS.
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
    -keyout key.pem -out cert.pem 2>/dev/null
start tls --tls cert.pem key.pem
URL=https://127.0.0.1:$port/v1
fails "a certificate that nobody vouches for" 1 '[Cc]ertificate' run -c matched -o tls.db
trusted() { SSL_CERT_FILE=$T/cert.pem run -c matched -o tls.db; }
ok "and one that SSL_CERT_FILE does" trusted
start h2
h2_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >nginx.conf <<END
daemon off;
user $(id -un);
pid nginx.pid;
error_log nginx.err;
events { worker_connections 512; }
http {
    log_format protocol '\$server_protocol \$status';
    access_log protocol.log protocol;
    client_max_body_size 50m;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
    server {
        listen 127.0.0.1:$h2_port ssl http2;
        ssl_certificate cert.pem;
        ssl_certificate_key key.pem;
        location / { proxy_pass http://127.0.0.1:$port; }
    }
}
END
PATH=$PATH:/usr/sbin nginx -p "$T" -c nginx.conf -e nginx.err &
pids="$pids $!"
status_of() { curl -sko /dev/null -w '%{http_code}' "https://127.0.0.1:$h2_port/"; }
reaches 100 status_of
: >protocol.log
URL=https://127.0.0.1:$h2_port/v1
http2() { SSL_CERT_FILE=$T/cert.pem run -c matched,text -o h2.db && cat protocol.log && [ "$(grep -c '^HTTP/2.0 200' protocol.log)" -ge 76 ]; }
ok "HTTP/2" http2

wait $never_run
gives_up() {
    cat never.err
    [ "$(cat never.status)" -eq 1 ] && grep -q '429: slow down' never.err && [ "$(n_stored never.db)" -eq 0 ]
}
ok "nothing but 429 ends the run, and its trials stay as they were" gives_up
wait $long_run
stop "$long_pid"
read -r status seconds <long.status
patient() { cat long.err; [ "$status" -eq 0 ] && less 19.5 "$seconds" && less "$seconds" 32; }
ok "a Retry-After of 20 s is waited for" patient
went_on() {
    python3 - <<'END'
import json
t = json.load(open("long.json"))
long = [x for x in t["trials"].values() if x["met"][0] == "hint_long"]
quick = [x["sent"][0]["at"] - t["times"][0] for x in t["trials"].values() if x["met"] == ["good"]]
waits = [x["sent"][0]["at"] - t["times"][0] for x in long]
print(f"# {len(long)} waited {min(waits):.1f} s, the other {len(quick)} had ended after {max(quick):.1f} s")
assert long and len(quick) > 100 and min(waits) > 19.5 and max(quick) < 12
END
}
ok "while the others go on" went_on
say
ok "and all is as the server did it" python3 "$CHECK" long.db long.json
finish
