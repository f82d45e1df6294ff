#!/bin/sh
# Voices of a speech server: what it is asked, how often, and that the key stays where it is.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
DATA=${DATA:-$SOURCE/data}
ITEM=work-001
export AOR_SPEECH_KEY=sk-planted-4711 no_proxy=127.0.0.1
LOG=$T/asked.jsonl
: >"$LOG"
mkfifo pipe
python3 "$SOURCE/tests/e2e/speech_server.py" "$LOG" >pipe &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$T"' EXIT
read -r port <pipe
URL=http://127.0.0.1:$port/v1

cp -r "$DATA" data
chmod -R u+w data
sed -n '/^emotions:/,$p' "$SOURCE/data/voices.yaml" >prosody.yaml
# voices NAME...: four for each gender, all of the server.
voices() {
    {
        printf 'speech_server: {url: "%s", model: tone}\nvoices:\n' "$URL"
        for gender in female male; do
            for voice; do
                echo "  - {id: $voice-$gender, gender: $gender, engine: http, voice: $voice-$gender}"
            done
        done
        cat prosody.yaml
    } >data/voices.yaml
}
build() { "$AOR" build -d data --only "$ITEM" "$@"; }
asked() { wc -l <"$LOG"; }

voices ok busy flaky stream
ok "build with voices of a server" build -o b -j 3
whole() {
    [ "$(wc -l <b/metadata.jsonl)" -eq 10 ] && "$AOR" check b &&
        jq -se 'all(.engine == "http") and (map(.sha256) | unique | length) == 10' b/metadata.jsonl
}
ok "ten different samples, which check finds good" whole
jq -r '.body | [.voice, .speed, .instructions, .input, .model, .response_format] | @tsv' "$LOG" | sort -u >asked.tsv
# Each sample's request, from metadata.jsonl and the lists.
jq -n '{slow: 0.8, normal: 1, fast: 1.25}' >speeds.json
tr -d '\n' <prosody.yaml | grep -o 'id: [a-z]*, pitch[^}]*instructions: "[^"]*"' |
    sed 's/id: \([a-z]*\),.*instructions: \(".*"\)/{"\1": \2}/' | jq -s add >instructions.json
jq -r --slurpfile speeds speeds.json --slurpfile words instructions.json \
    '[.voice, $speeds[0][.rate], $words[0][.emotion], .text, "tone", "wav"] | @tsv' b/metadata.jsonl | sort >wanted.tsv
ok "each request is what its sample wants" diff wanted.tsv asked.tsv
only_these() { jq -se 'all(.body | keys == ["input", "instructions", "model", "response_format", "speed", "voice"])' "$LOG"; }
ok "and nothing else" only_these
# A stem is asked for once; 429 costs one more request, 500 twice two more.
counts() {
    [ "$(find b/.stems -name 'speech-*' | wc -l)" -eq 10 ] &&
        jq -se 'group_by(.body) | all(length == ({busy: 2, flaky: 3}[.[0].body.voice | split("-")[0]] // 1))' "$LOG"
}
ok "requests are as many as stems and refusals" counts
waited() {
    jq -se 'map(select(.body.voice | startswith("busy"))) | length > 0 and
        (group_by(.body) | all(.[1].at - .[0].at | . >= 1 and . < 3))' "$LOG"
}
ok "after the second that Retry-After asks for" waited

n=$(asked)
nothing_new() { build -o b 2>&1 | grep -q 'all up to date' && [ "$(asked)" -eq "$n" ]; }
ok "a second build asks nothing" nothing_new
cp b/metadata.jsonl before.jsonl
sed -i 's/pitch: 2.0, range: 1.5, tilt_db: 2/pitch: 1.0, range: 1.2, tilt_db: 3/' prosody.yaml
voices ok busy flaky stream
rm b/matched/*-f-*
prosody() { build -o b && [ "$(asked)" -eq "$n" ] && cmp before.jsonl b/metadata.jsonl; }
ok "nor does one with another pitch and tilt, or with samples to make again" prosody
sed -i 's/in a happy, cheerful voice/as if you had won/' prosody.yaml
voices ok busy flaky stream
words() {
    build -o b && [ "$(jq -s 'map(.body) | unique | length' "$LOG")" -eq 12 ] &&
        [ "$(jq -r .body.instructions "$LOG" | grep -c won)" -ge 2 ]
}
ok "other instructions ask for the two samples of that emotion" words

# Without instructions a stem serves every sample that says the same at the same rate.
sed 's/instructions: ".*"/instructions: ""/' prosody.yaml >plain.yaml && mv plain.yaml prosody.yaml
voices ok ok2 ok3 ok4
: >"$LOG"
sed -i 's/voice: ok[2-4]*-/voice: ok-/' data/voices.yaml
shared() {
    build -o shared -j 4 && [ "$(jq -s 'map(.body) | unique | length' "$LOG")" -eq "$(asked)" ] &&
        [ "$(asked)" -lt 10 ] && [ "$(asked)" -eq "$(find shared/.stems -name 'speech-*' | wc -l)" ] &&
        jq -se 'all(.body | has("instructions") | not)' "$LOG"
}
ok "samples that share a stem ask once, with several processes" shared

# Errors. All in one folder, which keeps the scene's sound.
refused() {
    how=$3
    voices "$how" "$how"2 "$how"3 "$how"4
    sed -i "s/voice: ${how}[2-4]*-/voice: $how-/" data/voices.yaml
    : >"$LOG"
    fails "$1" 1 "http, voice $how-(fe)?male: $URL/audio/speech: $2" build -o bad -j 1
    cat "$T/.all" >>messages
}
refused "401 is final" 'answered 401: Incorrect API key: Bearer \.\.\.\. x{1,200}$' denied
once() { jq -se 'length > 0 and (map(.body) | length == (unique | length))' "$LOG"; }
ok "and not asked again" once
refused "JSON instead of sound" 'answered 200 without sound: no voice.\[31m for this$' json
refused "no sound" 'Format not recognised' text
refused "an empty answer" 'answered 200 without sound$' empty
refused "a WAV that is broken off" 'broken off after 9955 of [0-9]+ bytes' truncated
refused "an answer without end" 'answers with more than 33554432 bytes' huge
refused "a redirect" 'answered 302$' moved
ok "none of which is asked again" once
kept() { [ ! -e bad/metadata.jsonl ] && [ -z "$(find bad/.stems -name 'speech-*.flac')" ]; }
ok "nor leaves a stem" kept

key=$AOR_SPEECH_KEY
export AOR_SPEECH_KEY="two words"
fails "a key that is none" 2 'AOR_SPEECH_KEY holds what is no part of a key' build -o bad -j 1
export AOR_SPEECH_KEY="$key"
sent() { jq -se 'all(.authorization == "Bearer sk-planted-4711")' "$LOG"; }
ok "the key is sent" sent
stays() { ! grep -rq "$key" b bad shared messages; }
ok "and is in no file and no message" stays

voices never never2 never3 never4
stopped() {
    before=$(asked)
    "$AOR" build -d data --only "$ITEM" -o "$T/bad" -j 2 2>stopped.err &
    pid=$!
    i=0
    until [ "$(asked)" -gt "$before" ] || [ $i -gt 200 ]; do sleep 0.05; i=$((i + 1)); done
    kill -TERM "$pid"
    started=$(date +%s)
    wait "$pid"
    status=$?
    cat stopped.err
    [ $status -eq 4 ] && [ $(($(date +%s) - started)) -le 2 ]
}
ok "a signal ends the waiting at once" stopped
alone() {
    i=0
    while pgrep -f "build .* -o $T/bad" && [ $i -lt 40 ]; do sleep 0.05; i=$((i + 1)); done
    [ $i -lt 40 ]
}
ok "and leaves no process" alone

kill $server
wait $server 2>/dev/null
refused "nobody there" '.*\(6 tries\)$' ok
finish
