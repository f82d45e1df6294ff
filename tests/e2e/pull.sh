#!/bin/sh
# aor pull from a hub of our own: what is fetched, resumed, refused, and where the token goes.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"
unset HF_TOKEN HF_ENDPOINT CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR
export no_proxy=127.0.0.1 AOR_CACHE=$T/cache
LOG=$T/asked.jsonl
FILES=$T/files
TOKEN=hf_planted4711
mkdir "$FILES"
head -c 700000 /dev/urandom >"$FILES/text.gguf"
head -c 300000 /dev/urandom >"$FILES/mmproj.gguf"
: >"$LOG"
mkfifo pipe
python3 "$SOURCE/tests/e2e/hub_server.py" "$LOG" "$FILES" >pipe &
server=$!
trap 'kill $server $tls 2>/dev/null; rm -rf "$T"' EXIT
tls=
read -r port <pipe
URL=http://127.0.0.1:$port

# preset HOW: the model HOW.yaml, whose repository the hub answers in this way.
preset() {
    cat >"$1.yaml" <<END
title: T
family: F
developer: D
parameters: 1B
licence: L
reference: R
tested: never
llama_cpp: "yes"
gguf: {repository: ${2:-owner}/$1, text: text.gguf, mmproj: mmproj.gguf}
END
}
pull() {
    preset "$1" "${2:-}"
    "$AOR" pull --hub "$URL" "$1.yaml"
}
here() { cmp "cache/models/$1/text.gguf" "$FILES/text.gguf" && cmp "cache/models/$1/mmproj.gguf" "$FILES/mmproj.gguf"; }
# Nothing but the files and their hashes.
tidy() { [ "$(cd "cache/models/$1" && echo *)" = "mmproj.gguf mmproj.gguf.sha256 text.gguf text.gguf.sha256" ]; }
sent() { jq -se "map(select(.sent and (.path | test(\"$1\"))).sent) | add // 0" "$LOG"; }
asked() { jq -se "map(select(.method == \"GET\" and (.path | test(\"$1\")))) | length" "$LOG"; }
gets() { pull "$@" && here "$1" && tidy "$1"; }

pull ok >paths 2>messages
ok "both files are fetched" here ok
ok "and nothing else is left" tidy ok
printf '%s\n' "$AOR_CACHE/models/ok/text.gguf" "$AOR_CACHE/models/ok/mmproj.gguf" >wanted
ok "their paths are on stdout" diff wanted paths
said() { [ "$(grep -c 'SHA-256 as the hub states it' messages)" -eq 2 ]; }
ok "that their hashes were checked is said" said
sums() { (cd cache/models/ok && sha256sum -c --strict text.gguf.sha256 mmproj.gguf.sha256); }
ok "sha256sum takes the recorded hashes" sums
again() { pull ok 2>&1 | grep -c 'is there, .* as the hub states it' | grep -x 2 && [ "$(sent ok)" -eq 1000000 ]; }
ok "a second pull fetches nothing" again
damaged() {
    printf x | dd of=cache/models/ok/text.gguf bs=1 seek=5 conv=notrunc && pull ok && here ok && [ "$(sent ok)" -eq 1700000 ]
}
ok "a file that was changed here is fetched again" damaged

ok "a connection that breaks goes on where it was" gets cut
exactly() { [ "$(sent "$1")" -eq "$2" ]; }
ok "and no byte is sent twice" exactly cut 1000000
resumed() { jq -se 'map(select(.path | test("cut/text"))) | map(.range) | index("bytes=100000-") and index("bytes=200000-")' "$LOG"; }
ok "by Range" resumed
ok "a server that ignores Range begins anew" gets no-range
ok "as it sends all of it again" exactly no-range 1200000
ok "a range that was not asked for is not taken" gets shifted
ok "chunks that break off" gets chunked
ok "503 with Retry-After, then well" gets busy
ok "a signature that is refused is asked for again" gets expired
ok "a repository that was renamed" gets moved old

# Killed in the middle: the next call goes on from there.
killed() {
    preset slow
    "$AOR" pull --hub "$URL" slow.yaml 2>/dev/null &
    pid=$!
    i=0
    until [ "$(stat -c %s cache/models/slow/text.gguf.part 2>/dev/null || echo 0)" -gt 100000 ] || [ $i -gt 200 ]; do
        sleep 0.05
        i=$((i + 1))
    done
    kill "-$1" $pid
    wait $pid
    status=$?
    n_part=$(stat -c %s cache/models/slow/text.gguf.part)
    echo "$status, $n_part bytes"
    [ "$n_part" -gt 100000 ] && [ "$n_part" -lt 700000 ] && [ ! -e cache/models/slow/text.gguf ] && [ $status -eq "$2" ]
}
ok "kill -9 leaves a part" killed KILL 137
n_first=$(stat -c %s cache/models/slow/text.gguf.part)
ok "the next call ends it" gets slow
from_there() { jq -se "map(select(.path | test(\"slow/text\"))) | map(.range) | index(\"bytes=$n_first-\")" "$LOG"; }
ok "and asked for the rest alone" from_there
rm -r cache/models/slow
ok "SIGINT leaves a part, exit code 4" killed INT 4
n_first=$(stat -c %s cache/models/slow/text.gguf.part)
head -c 700000 /dev/urandom >"$FILES/text.gguf"
sed -i '/slow/d' "$LOG"
ok "when the hub has another file by then, it is fetched whole" gets slow
no_range() { jq -se 'map(select(.method and (.path | test("slow/text")))) | length > 0 and all(.range == null)' "$LOG"; }
ok "the part being dropped" no_range
two() {
    rm -r cache/models/slow
    "$AOR" pull --hub "$URL" slow.yaml >first.out 2>&1 &
    pid=$!
    i=0
    until [ -s cache/models/slow/text.gguf.part ] || [ $i -gt 200 ]; do
        sleep 0.05
        i=$((i + 1))
    done
    "$AOR" pull --hub "$URL" slow.yaml 2>second.err && return 1
    wait $pid && grep -q 'text.gguf: another process fetches it' second.err && here slow
}
ok "two pulls do not write one file" two

# A hub that states no hash.
ok "a file without LFS" gets plain
unverified() { pull plain 2>&1 | grep -c 'the hub states no SHA-256' | grep -x 2 && [ "$(asked owner/plain/)" -eq 2 ]; }
ok "that nothing was checked is said, and nothing fetched again" unverified
head -c 600000 /dev/urandom >"$FILES/text.gguf"
ok "but when its size is another" gets plain
ok "it resumes by ETag" gets plain-cut
ok "with no byte twice" exactly plain-cut 900000
ok "and without an ETag" gets plain-nothing

refused() {
    preset "$3"
    fails "$1" "${4:-1}" "$2" "$AOR" pull --hub "$URL" "$3.yaml"
    cat "$T/.all" >>messages
}
no_text() { [ ! -e "cache/models/$1/text.gguf" ] && [ ! -e "cache/models/$1/text.gguf.part" ]; }
refused "a wrong hash" "text.gguf: SHA-256 is [0-9a-f]{64}, the hub states [0-9a-f]{64}: what came is removed" wrong
ok "it is removed" no_text wrong
refused "more bytes than stated" 'is longer than the 599999 bytes that the hub states' long
refused "a gated repository" 'answered 403: gated: accept its licence and set HF_TOKEN$' gated
refused "a loop of redirects" 'redirects more than 5 times$' loop
refused "a redirect to no server" 'redirects to what is no URL$' nowhere
bounded() { [ "$(jq -se 'map(select(.path | test("loop/"))) | length' "$LOG")" -le 6 ]; }
ok "which is given up soon" bounded
refused "a server that sends nothing" '\(5 tries\)$' dead
refused "an error of the server" 'answered 500 \(5 tries\)$' down
mv "$FILES/text.gguf" kept.gguf
refused "a file that is not there" 'text.gguf: answered 404: the hub has no such file$' ok2
mv kept.gguf "$FILES/text.gguf"
# What arrives on a full disk stays, and so does what is said of it.
if [ "$(id -u)" -eq 0 ] && mkdir small && mount -t tmpfs -o size=256k tmpfs small 2>/dev/null; then
    preset ok
    AOR_CACHE=$T/small
    fails "a full disk" 1 'text.gguf.part: No space left on device$' "$AOR" pull --hub "$URL" ok.yaml
    AOR_CACHE=$T/cache
    umount small
else
    skip "a full disk" "no mount here"
fi

# The token: to the hub alone.
refused "a repository that wants a token" 'answered 401: gated: accept its licence and set HF_TOKEN$' token
export HF_TOKEN="two words"
refused "a token that is none" 'HF_TOKEN holds what is no part of a key$' token 2
export HF_TOKEN=$TOKEN
ok "with it" gets token
to_hub() { jq -se 'map(select(.host == "hub" and (.path | test("/token/")) and .authorization)) | length >= 4' "$LOG"; }
ok "it goes to the hub" to_hub
not_to_cdn() { jq -se 'map(select(.host == "cdn" and .method)) | length > 20 and all(.authorization == null)' "$LOG"; }
ok "and to no other host" not_to_cdn
refused "one that is not enough" 'set HF_TOKEN \(the one that is set was not enough\)$' gated
fails "it does not go over the net in clear" 2 '^aor: --hub is http://, where HF_TOKEN could be read' \
    "$AOR" pull --hub http://hub.example.org ok.yaml
secret() { ! grep -rq -e $TOKEN -e secret-4712 cache messages .all; }
ok "neither it nor a signature is in a file or a message" secret
unset HF_TOKEN

endpoint() { rm -r cache/models/ok && HF_ENDPOINT=$URL/ "$AOR" pull ok.yaml && here ok; }
ok "HF_ENDPOINT names the hub" endpoint
fails "a hub that is no URL" 2 '^aor: --hub wants http' "$AOR" pull --hub ftp://x ok.yaml
fails "a model that is none" 2 'there is no such model; aor models lists them$' "$AOR" pull nobody
fails "a model without GGUF" 2 'has no GGUF files to fetch' "$AOR" pull gpt-audio-1.5

# TLS: the certificate file of the environment, and no way back to http.
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=127.0.0.1 \
    -addext subjectAltName=IP:127.0.0.1 2>/dev/null
python3 "$SOURCE/tests/e2e/hub_server.py" "$LOG" "$FILES" cert.pem key.pem >pipe &
tls=$!
read -r port <pipe
URL=https://127.0.0.1:$port
rm -r cache/models/ok
refused "a certificate that nobody signed" 'certificate' ok
with() { env "$1=cert.pem" "$AOR" pull --hub "$URL" ok.yaml && here ok && rm -r cache/models/ok; }
ok "SSL_CERT_FILE" with SSL_CERT_FILE
ok "CURL_CA_BUNDLE" with CURL_CA_BUNDLE
export SSL_CERT_FILE=cert.pem
refused "https does not lead to http" 'redirects from https to http, which is refused$' insecure
finish
