#!/usr/bin/env python3
"""What a run file says against what chaos_server.py says it did: chaos_check.py RUN.db TRUTH [KILLS IN_FLIGHT]

KILLS has the time of each kill -9 of the run, one a line: then a trial may have got a second answer
where a kill came right after its first. Prints counts, and what is wrong; exit code 1 when anything is.
"""
import bisect
import collections
import json
import re
import sqlite3
import sys

MAX_TRIES = 6
ON_THE_WIRE_S = 2  # from the server's last byte to a synced row
db_path, truth_path, *killed = sys.argv[1:]
truth = json.load(open(truth_path, encoding="utf-8"))
trials = truth["trials"]
db = sqlite3.connect(db_path)
db.text_factory = lambda b: b.decode("utf-8")  # raises on what is not
rows = db.execute("select kind, text, finish, n_tries, reason from response").fetchall()
problems = []


def want(is_so, what):
    if not is_so:
        problems.append(what)


def scalar(sql):
    return db.execute(sql).fetchone()[0]


def is_final(trial, *kinds):
    return any(s["kind"] in kinds for s in trial["sent"])


want(not truth["bad"], f"requests that were wrong: {truth['bad'][:3]}")
n_trials = scalar("select count(*) from trial")
want(len(rows) == n_trials, f"{n_trials - len(rows)} of {n_trials} trials are pending")
want(len(trials) == n_trials, f"{len(trials)} trials came to the server")
n_heard = scalar("select count(*) from trial where condition not like 'text%'")
want(sum(t["has_audio"] for t in trials.values()) == n_heard, f"not {n_heard} trials had audio")

# Answers name their trial and try; those without words can only be counted.
named = collections.Counter()
for kind, text, finish, n_tries, _ in rows:
    if kind != "answer" or not text:
        continue
    m = re.match(r"\s?(\S+) (\d+): ", text)
    trial = trials.get(m.group(1)) if m else None
    want(trial, f"an answer that nobody gave: {text[:80]!r}")
    if not trial:
        continue
    named[m.group(1)] += 1
    sent = [s for s in trial["sent"] if s["nth"] == int(m.group(2))]
    want(sent and sent[0]["text"] == text, f"another answer than was given: {text[:80]!r} for {sent}")
    want(sent and sent[0]["finish"] == finish, f"{m.group(1)}: finish {finish} for {sent}")
    want(killed or n_tries == trial["n_requests"], f"{m.group(1)}: {n_tries} tries, {trial['n_requests']} requests")
want(all(n == 1 for n in named.values()), f"stored twice: {[k for k, n in named.items() if n > 1][:3]}")
# What was sent last is what holds: before a kill there may have been others.
lost = [k for k, t in trials.items() if k not in named and t["sent"] and t["sent"][-1]["sure"] and t["sent"][-1]["text"]]
want(not lost, f"answers that were lost: {[(k, trials[k]) for k in lost[:3]]}")

kinds = collections.Counter(kind for kind, *_ in rows)
silent = {k: t for k, t in trials.items() if k not in named}
blocked = [k for k, t in silent.items() if is_final(t, "block")]
if not killed:
    want(kinds["block"] == len(blocked), f"{kinds['block']} blocks stored, {len(blocked)} given")
    want(sum(n for *_, n, _ in rows) == truth["n_requests"], f"tries are not the {truth['n_requests']} requests")
want(all(reason for kind, *_, reason in rows if kind == "block"), "a block without a reason")
want(all(text for kind, text, *_ in rows if kind == "error"), "an error without a message")
foul = [text for kind, text, *_ in rows if kind == "error" and re.search(r"[\x00-\x1f\x7f]|bad request", text)]
want(not foul, f"errors: {foul[:3]}")
# Who has no answer and no block was refused, or was tried until the end.
n_failed = 0
for k, t in silent.items():
    n_hard = sum(not name.startswith("hint_") and name != "error_200" for name in t["met"])
    want(n_hard <= MAX_TRIES or killed, f"{k} was asked too often: {t['met']}")
    if is_final(t, "block", "answer"):
        continue
    n_failed += 1
    want(killed or is_final(t, "error") or "huge" in t["met"] or t["n_requests"] >= MAX_TRIES,
         f"{k} was given up early: {t['met']}")
# An answer that one may take for a wrong one can end either way, and so can one that a kill undid.
n_open = sum(any(not s["sure"] or killed for s in t["sent"]) for t in silent.values())
want(n_failed <= kinds["error"] <= n_failed + n_open,
     f"{kinds['error']} errors stored, {n_failed} trials got no answer, {n_open} may have got one")

twice = {k: t for k, t in trials.items() if sum(s["sure"] for s in t["sent"]) > 1}
if killed:
    kills = sorted(float(line) for line in open(killed[0], encoding="utf-8"))
    n_more = 0
    for k, t in twice.items():
        for s in [s for s in t["sent"] if s["sure"]][:-1]:
            n_more += 1
            at = bisect.bisect(kills, s["at"] - 0.05)
            want(at < len(kills) and kills[at] - s["at"] < ON_THE_WIRE_S, f"{k} was answered twice without a kill: {t}")
    want(n_more <= len(kills) * int(killed[1]), f"{n_more} answers lost at {len(kills)} kills")
    print(f"# {len(kills)} kills, {n_more} answers were on the wire at one and were given again")
else:
    want(not twice, f"answered twice: {list(twice.items())[:2]}")

print(f"# {n_trials} trials, {truth['n_requests']} requests, at most {truth['max_in_flight']} in flight: "
      + ", ".join(f"{n} {kind}s" for kind, n in sorted(kinds.items())))
for problem in problems[:15]:
    print(problem[:600])
sys.exit(bool(problems))
