#!/bin/sh
# Steering on a part of the benchmark, and beside llama.cpp's own programs: llama-server under the same
# control vector, llama-cvector-generator's directions.
# shellcheck source=tests/e2e/lib.sh
. "$SOURCE/tests/e2e/lib.sh"

ok "a part of the benchmark" "$AOR" build -o bench --limit 400
ok "run" "$AOR" run bench -o t.db -c matched -a direct
ok "run in words" "$AOR" run bench -o t.db -c text -a direct --limit 200
ok "judge" "$AOR" judge t.db

ok "capture" "$AOR" steer capture bench t.db -o acts.st
file() {
    python3 - <<'END'
import json, math, struct
f = open('acts.st', 'rb')
n = struct.unpack('<Q', f.read(8))[0]
head = json.loads(f.read(n))
data = f.read()
rows, layers, width = head['template']['shape']
assert layers == 3 and width == 160 and max(t['data_offsets'][1] for k, t in head.items() if k != '__metadata__') == len(data)
def tensor(name):
    a, b = head[name]['data_offsets']
    return struct.unpack('<%d%s' % ((b - a) // (8 if name == 'trial' else 4), 'q' if name == 'trial' else 'f'), data[a:b])
trials, audio, template = tensor('trial'), tensor('audio'), tensor('template')
assert min(trials) > 0 and len(set(trials)) == rows
assert not any(math.isnan(x) for x in template)
assert all(math.isnan(x) == (i // width % layers == layers - 1) for i, x in enumerate(audio)) # no logits, no last layer
END
}
ok "a safetensors file of every trial" file
only_dev() { [ "$(python3 -c "import json, struct; f = open('acts.st', 'rb'); n = struct.unpack('<Q', f.read(8))[0]; print(json.loads(f.read(n))['trial']['shape'][0])")" = "$(sql t.db "select count(*) from trial t join sample s on s.id = t.sample where s.split = 'dev' and t.condition = 'matched'")" ]; }
ok "of dev alone" only_dev
# It goes on where it was: a row that is taken out comes again, the same.
sha=$(sha256sum acts.st | cut -d' ' -f1)
resumed() {
    python3 -c "
import struct
f = open('acts.st', 'r+b'); n = struct.unpack('<Q', f.read(8))[0]
f.seek(8 + n + 8 * 5); f.write(struct.pack('<q', -1))" && "$AOR" steer capture bench t.db -o acts.st && [ "$(sha256sum acts.st | cut -d' ' -f1)" = "$sha" ]
}
ok "an interrupted capture goes on" resumed
fails "other trials" 2 'of other trials or another model' "$AOR" steer capture bench t.db -o acts.st --split all
printf 'no such file' >bad.st
fails "no safetensors" 1 'bad.st' "$AOR" steer fit bad.st t.db
head -c 2000 acts.st >cut.st
fails "one that was cut off" 1 'no whole file of activations' "$AOR" steer fit cut.st t.db
fails "a position that is none" 2 'one of instruction, template' "$AOR" steer fit acts.st t.db --position end
fails "no layer of that number" 2 'has no direction' "$AOR" steer fit acts.st t.db --layer 7 -o x.gguf

for method in mean pca logistic; do
    ok "fit by $method" "$AOR" steer fit acts.st t.db --method $method --json
done
quality() { "$AOR" steer fit acts.st t.db --position answer --json | jq -e '.layers | length == 3 and (.[2].auc > 0.9)'; }
ok "what the answer says tells refusals of held-out scenarios" quality
ok "a control vector" "$AOR" steer fit acts.st t.db --layer 1 -o v.gguf

# The same answers under it as llama-server gives with the same file.
ok "steered" "$AOR" run bench -o steered.db -c text -a steered --limit 40 --direction v.gguf --strength -30
start_server -m "$MODEL" --control-vector-scaled v.gguf:-30 --control-vector-layer-range 1 2
same_as_server() {
    python3 - "$SERVER" <<'END'
import json, sqlite3, sys, urllib.request
db = sqlite3.connect('steered.db')
same = other = changed = 0
plain = sqlite3.connect('t.db')
for sample, words, answer, margin in db.execute("select s.id, s.text, r.text, r.margin from response r join trial t on t.id = r.trial join sample s on s.id = t.sample"):
    body = {'messages': [{'role': 'system', 'content': 'You are a helpful assistant. The user speaks to you.'},
        {'role': 'user', 'content': words + '\n\n' + 'Answer the speaker in one or two sentences.'}], 'temperature': 0, 'max_tokens': 128}
    r = urllib.request.urlopen(urllib.request.Request(sys.argv[1] + '/v1/chat/completions', json.dumps(body).encode(), {'Content-Type': 'application/json'}))
    said = json.load(r)['choices'][0]['message']['content']
    if said == answer: same += 1
    elif margin < 0.05: pass # two tokens were nearly even
    else: other += 1; print(sample, margin, repr(said), repr(answer))
    changed += plain.execute("select r.text from response r join trial t on t.id = r.trial where t.sample = ? and t.condition = 'text'", (sample,)).fetchone()[0] != answer
print(same, other, changed)
sys.exit(not (same > 5 and other == 0 and changed > 0))
END
}
ok "llama-server says the same under the same file" same_as_server

# Mean differences of prompts in words, at all their tokens, beside llama-cvector-generator's: pairs of
# dev texts with equally many tokens, the first of each called refused and the second complied with.
ok "capture words" "$AOR" steer capture bench t.db -o words.st -c text
cp t.db pairs.db
make_pairs() {
    python3 - "$SERVER" <<'END'
import json, sqlite3, sys, urllib.request
db = sqlite3.connect('pairs.db')
rows = db.execute("select t.id, s.id, s.text, r.n_prompt_tokens from trial t join sample s on s.id = t.sample join response r on r.trial = t.id where t.condition = 'text' and s.split = 'dev' order by r.n_prompt_tokens, t.id").fetchall()
seen, by_length = set(), {}
for row in rows:
    if row[2] not in seen:
        seen.add(row[2])
        by_length.setdefault(row[3], []).append(row)
most = max(by_length.values(), key=len)
pairs = list(zip(most[0::2], most[1::2]))
assert len(pairs) >= 1, [len(v) for v in by_length.values()]
def prompt(words):
    body = {'messages': [{'role': 'system', 'content': 'You are a helpful assistant. The user speaks to you.'},
        {'role': 'user', 'content': words + '\n\n' + 'Answer the speaker in one or two sentences.'}]}
    r = urllib.request.urlopen(urllib.request.Request(sys.argv[1] + '/apply-template', json.dumps(body).encode(), {'Content-Type': 'application/json'}))
    return json.load(r)['prompt'].replace('\n', '\\n') + '\n'
db.execute("update verdict set verdict = 'partial'")
with open('positive.txt', 'w') as positive, open('negative.txt', 'w') as negative:
    for k, (a, b) in enumerate(pairs):
        positive.write(prompt(a[2]))
        negative.write(prompt(b[2]))
        for row, verdict in (a, 'refusal'), (b, 'compliance'):
            db.execute("update sample set scenario = ?, kind = 'scenario' where id = ?", ('pair%d' % k, row[1]))
            db.execute("update verdict set verdict = ? where trial = ?", (verdict, row[0]))
db.commit()
END
}
ok "pairs of texts" make_pairs
ok "our directions" "$AOR" steer fit words.st pairs.db --position prompt --layer 1 -o ours.gguf
generate() { "$LLAMA_BIN/llama-cvector-generator" -m "$MODEL" --positive-file positive.txt --negative-file negative.txt --method mean -o theirs.gguf -t 1 -fa off; }
ok "llama-cvector-generator's" generate
agree() {
    python3 - "$SOURCE/tests/e2e" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import array
from gguf import read
vector = lambda path, name: array.array('f', read(path)[1][name][2])
# Its direction.N is of layer N - 1; ours is of the layer it is added to, as llama.cpp adds it.
a, b = vector('ours.gguf', 'direction.1'), vector('theirs.gguf', 'direction.2')
dot = sum(x * y for x, y in zip(a, b))
cosine = dot / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5
print(cosine)
sys.exit(not cosine > 0.999)
END
}
ok "the same directions to a cosine of 0.999" agree

# A sweep: resumed after an interruption, its choice and its controls, the best vector in a file.
SWEEP="bench acts.st t.db -o sweep.db --strengths -6 --layers 1,2 --gates 100,20 --variants 2 --test-variants 1 --random 3 --limit 60"
# shellcheck disable=SC2086 # several words
has_answers() { [ "$(sql sweep.db 'select count(*) from response' 2>/dev/null || echo 0)" -gt 0 ]; }
interrupted() {
    "$AOR" steer sweep $SWEEP &
    pid=$!
    within 600 has_answers
    kill -INT $pid
    wait $pid
    [ $? -eq 4 ]
}
ok "a sweep that is interrupted" interrupted
# shellcheck disable=SC2086
swept() { "$AOR" steer sweep $SWEEP --json >sweep.json; }
ok "goes on to its end" swept
sweep() {
    jq -e '(.candidates | length) == 8 and .controls.p_rank >= 0.25 and .test.strategy == .chosen and
        ([.controls.controls[] | select(.strategy | startswith("random"))] | length) == 3' sweep.json
}
ok "cells, choice, controls" sweep
nothing_twice() { [ "$(sql sweep.db 'select count(*) = count(distinct trial) and count(*) = (select count(*) from trial) from response')" = 1 ]; }
ok "every trial once" nothing_twice
# Under its file aor run says what the sweep heard of the choice, on test.
file_of_choice() {
    "$AOR" run bench -o again.db -c matched -a steered --only test --limit 80 --direction sweep.gguf &&
        [ "$(sql again.db "attach 'sweep.db' as o" "select count(*) > 5 and count(*) = sum(r.text = p.text) from response r join trial t on t.id = r.trial
            join o.trial u on u.sample = t.sample and u.strategy = '$(jq -r .chosen sweep.json)' join o.response p on p.trial = u.id")" = 1 ]
}
ok "the chosen vector's file does the same in aor run" file_of_choice
# With a condition: some questions are answered as without steering, others not, and a file says all of it. Several cells in one step
# change at most what is nearly even.
conditional() {
    "$AOR" steer sweep bench acts.st t.db -o gated.db --operations add --scopes generated --gates 40 --strengths=-6 --layers 2 --variants 1 --test-variants 1 \
        --random 1 --limit 100 --fast --json >gated.json &&
        "$AOR" run bench -o gated-run.db -c matched -a steered --only test --limit 100 --direction gated.gguf &&
        sql gated-run.db "attach 'gated.db' as o" "select count(*), sum(r.text = p.text), sum(r.text <> q.text) from response r join trial t on t.id = r.trial
            join o.trial u on u.sample = t.sample and u.strategy = '$(jq -r .chosen gated.json)' join o.response p on p.trial = u.id
            join o.trial e on e.sample = t.sample and e.strategy = 'direct' join o.response q on q.trial = e.id" |
        { IFS='|' read -r n same changed && echo "$n $same $changed" && [ "$n" -gt 10 ] && [ "$n" -eq "$same" ] && [ "$changed" -gt 0 ] && [ "$changed" -lt "$n" ]; }
}
ok "a condition, in a sweep and through a file" conditional
study() { jq -e . <<END
$(sql sweep.db "select value from info where key = 'steer.study'")
END
}
ok "what the report shows of it" study
ok "a report" "$AOR" report sweep.db -o report
ok "its steering in a browser" env MODULES="$("$SOURCE/tools/setup/npm.sh" "$SOURCE/tests/web")" node "$SOURCE/tests/web/steering.mjs" report
# shellcheck disable=SC2086
again() { before=$(sql sweep.db 'select max(id) from trial') && "$AOR" steer sweep $SWEEP --json | cmp - sweep.json && [ "$(sql sweep.db 'select max(id) from trial')" = "$before" ]; }
ok "asked again it asks nothing, and says the same" again
python3 "$SOURCE/tests/e2e/gguf.py" edit other.gguf "$MODEL" general.name=other
fails "directions of another model" 2 'is of another model' "$AOR" steer sweep bench acts.st t.db -o x.db -m other.gguf --mmproj "$MMPROJ"
fails "a run that is no sweep" 2 'a run that is no sweep' "$AOR" steer sweep bench acts.st t.db -o t.db
finish
