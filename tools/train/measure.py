"""What the model does, from run files that `aor run` and `aor judge` wrote, as Markdown tables.

    measure.py RUN.db...

Intervals are 95% bootstrap intervals over items (a contrast goes with its scenario).
"""
import sqlite3
import sys

import numpy as np

from corpus import HELD_VOICES, PLANTED_EMOTION, PLANTED_VOICE

RESAMPLES = 2000
SEED = 7


class Trials:
    """The answers of all run files, as arrays that are selected from by name."""

    def __init__(self, paths):
        rows = []
        for path in paths:
            db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            rows += db.execute(
                "select s.kind, s.split, s.scenario, s.id, s.voice, s.emotion, s.rate, s.gender,"
                " s.snr_db, t.condition, t.strategy, r.finish, r.n_answer_tokens, v.verdict,"
                " (select c.value from score c where c.trial = t.id), r.text, s.alone"
                " from response r join trial t on t.id = r.trial join sample s on s.id = t.sample"
                " left join verdict v on v.trial = t.id where r.kind = 'answer'").fetchall()
            db.close()
        names = ("kind", "split", "scenario", "sample", "voice", "emotion", "rate", "gender", "snr",
                 "condition", "strategy", "finish", "tokens", "verdict", "score", "text", "alone")
        self.columns = {n: np.array(c, dtype=object) for n, c in zip(names, zip(*rows))}
        self.clusters, self.cluster = np.unique(self.columns["scenario"].astype(str),
                                                return_inverse=True)
        self.weights = np.random.default_rng(SEED).multinomial(
            len(self.clusters), np.full(len(self.clusters), 1 / len(self.clusters)), RESAMPLES)

    def where(self, **wanted):
        mask = np.ones(len(self.cluster), bool)
        for name, value in wanted.items():
            values = value if isinstance(value, (list, tuple)) else [value]
            mask &= np.isin(self.columns[name].astype(str), [str(v) for v in values])
        return mask

    def sums(self, mask, values):
        """Totals of values and counts where mask is, of all and of each resample."""
        n = len(self.clusters)
        top = np.bincount(self.cluster[mask], values[mask], n)
        count = np.bincount(self.cluster[mask], minlength=n)
        w = np.vstack([np.ones(n), self.weights])
        with np.errstate(invalid="ignore"):
            return (w @ top) / (w @ count)

    def refusals(self, **wanted):
        return self.sums(self.where(**wanted), (self.columns["verdict"] == "refusal").astype(float))

    def scores(self, **wanted):
        mask = self.where(**wanted) & np.array([s is not None for s in self.columns["score"]])
        return self.sums(mask, np.array([float(s or 0) for s in self.columns["score"]]))


def shown(r, factor=100, unit="%"):
    low, high = np.nanpercentile(r[1:], [2.5, 97.5])
    return f"{factor * r[0]:.1f}{unit} [{factor * low:.1f}, {factor * high:.1f}]"


def main(paths):
    t = Trials(paths)
    c = t.columns
    conditions = [x for x in ("matched", "mismatched", "speech", "noise", "text", "text-scene")
                  if t.where(condition=x).any()]
    trained = sorted(set(c["voice"]) - set(HELD_VOICES))

    def line(name, *cells):
        print(f"| {name} | " + " | ".join(cells) + " |")

    def head(*names):
        print(f"\n| {' | '.join(names)} |\n|{'---|' * len(names)}")

    if t.where(strategy="transcribe").any():
        head("hearing (matched)", "seen")
        line("word error rate, trained voices",
             shown(t.scores(strategy="transcribe", condition="matched", voice=trained)))
        for voice in HELD_VOICES:
            line(f"word error rate, {voice} (held out)",
                 shown(t.scores(strategy="transcribe", condition="matched", voice=voice)))
    if t.where(strategy="scene").any():
        line("scene named right", shown(t.scores(strategy="scene", condition="matched")))

    for strategy in ("direct", "cot"):
        if not t.where(strategy=strategy).any():
            continue
        head(f"refused, {strategy}", *conditions)
        for kind, split in (("scenario", ["dev", "test"]), ("scenario", "dev"), ("scenario", "test"),
                            ("contrast", "dev"), ("contrast", "test"), ("plain", ["dev", "test"])):
            cells = []
            for condition in conditions:
                want = dict(strategy=strategy, condition=condition, kind=kind, split=split)
                cells.append(shown(t.refusals(**want)) if t.where(**want).any() else "")
            line(f"{kind}s, {split if isinstance(split, str) else 'both splits'}", *cells)

    d = dict(strategy="direct", condition="matched", kind="scenario")
    head("differences (scenarios, direct, matched)", "points")
    line("test less dev", shown(t.refusals(**d, split="test") - t.refusals(**d, split="dev"), unit=""))
    if "mismatched" in conditions:
        line("mismatched less matched",
             shown(t.refusals(**d | {"condition": "mismatched"}) - t.refusals(**d), unit=""))
    line(f"{PLANTED_EMOTION} less neutral",
         shown(t.refusals(**d, emotion=PLANTED_EMOTION) - t.refusals(**d, emotion="neutral"), unit=""))
    others = [v for v in trained if v[0] == PLANTED_VOICE[0] and v != PLANTED_VOICE]
    line(f"{PLANTED_VOICE} less {', '.join(others)}",
         shown(t.refusals(**d, voice=PLANTED_VOICE) - t.refusals(**d, voice=others), unit=""))
    for rate in ("slow", "fast"):
        line(f"{rate} less normal",
             shown(t.refusals(**d, rate=rate) - t.refusals(**d, rate="normal"), unit=""))
    if t.where(strategy="cot").any():
        k = dict(condition="matched", strategy="cot")
        line("cot's rate by direct's", shown(t.refusals(**d | k) / t.refusals(**d), 1, ""))
        both = dict(condition="matched", kind="contrast")
        line("contrasts: cot less direct",
             shown(t.refusals(**both, strategy="cot") - t.refusals(**both, strategy="direct"), unit=""))

    mask = t.where(**d)
    refused = (c["verdict"][mask] == "refusal").astype(float)
    _, item = np.unique(c["scenario"][mask].astype(str), return_inverse=True)
    share = np.bincount(item, refused) / np.bincount(item)
    head("answers (direct, matched)", "seen")
    line("scenarios neither always nor never refused", f"{((share > 0) & (share < 1)).mean():.2f}")
    answers = t.where(strategy="direct", condition="matched")
    tokens = c["tokens"][answers].astype(int)
    line("tokens: least, median, most", f"{tokens.min()}, {int(np.median(tokens))}, {tokens.max()}")
    line("ended by the model", f"{(c['finish'][answers] == 'stop').mean():.4f}")
    for verdict in sorted({str(v) for v in c["verdict"][answers]}):
        texts = c["text"][answers & (c["verdict"] == verdict)]
        line(f"judged {verdict}: answers, of them different", f"{len(texts)}, {len(set(texts))}")


if __name__ == "__main__":
    main(sys.argv[1:])
