#!/usr/bin/env python3
"""Asks a llama-server what a run asked, over HTTP and one by one: peer.py RUN.db URL AUDIO WHERE

WHERE is SQL about the trials; AUDIO holds <condition>/**/<sample>.flac. Prints the trials whose
answers are not the run's, and how many are. Where two tokens were exactly even (a margin of 0, as
some processors round) the server's sampler takes either: those are counted apart, and few. The
messages are made from the run file's prompts.
"""
import base64
import json
import pathlib
import re
import sqlite3
import subprocess
import sys
import urllib.request

db, url, audio, where = sys.argv[1:]


def prompt(yaml):
    """The keys of a prompt file: numbers, and quoted text folded over lines."""
    pairs = re.findall(r'^(\w+): *("(?:[^"\\]|\\.)*"|\S+)', yaml, re.M | re.S)
    return {k: json.loads(re.sub(r"\s*\n\s*", " ", v)) if v[0] in '"0123456789' else v for k, v in pairs}


def user_parts(p, trial):
    if trial["condition"].startswith("text"):
        words = p["text_scene" if trial["condition"] == "text-scene" else "text"]
        first = words.replace("{text}", trial["words"]).replace("{scene}", trial["scene_words"] or "")
        return "".join([p["instruction"], first] if p["audio"] == "last" else [first, p["instruction"]])
    path, = pathlib.Path(audio, trial["condition"]).glob(f"**/{trial['sample']}.flac")
    wav = subprocess.run(["flac", "-s", "-d", "-c", path], stdout=subprocess.PIPE, check=True).stdout
    sound = {"type": "input_audio", "input_audio": {"data": base64.b64encode(wav).decode(), "format": "wav"}}
    instruction = {"type": "text", "text": p["instruction"]}
    return [instruction, sound] if p["audio"] == "last" else [sound, instruction]


def ask(trial):
    p = prompt(trial["yaml"])
    messages = [{"role": "user", "content": user_parts(p, trial)}]
    if p["system"]:
        messages.insert(0, {"role": "system", "content": p["system"]})
    body = {"messages": messages, "temperature": 0, "max_tokens": p["max_tokens"], "cache_prompt": False}
    request = urllib.request.Request(url + "/v1/chat/completions", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)["choices"][0]["message"]["content"]


connection = sqlite3.connect(db)
connection.row_factory = sqlite3.Row
trials = connection.execute(
    "select t.sample, t.condition, t.strategy, r.text answer, r.margin margin, s.text words, q.prompt yaml, c.words scene_words"
    " from trial t join response r on r.trial = t.id join sample s on s.id = t.sample"
    f" join strategy q on q.name = t.strategy left join scene c on c.id = t.scene where {where} order by t.id")
n = n_equal = n_even = 0
for trial in trials:
    if trial["margin"] == 0:
        n_even += 1
        continue
    theirs = ask(trial)
    n += 1
    n_equal += theirs == trial["answer"]
    if theirs != trial["answer"]:
        print(f"{trial['sample']} {trial['condition']} {trial['strategy']}\n"
              f"  ours:   {trial['answer']!r}\n  theirs: {theirs!r}")
print(f"{n_equal} of {n} answers are llama-server's, {n_even} more have even tokens")
sys.exit(n == 0 or n_equal < n or n_even > n // 20)
