"""Training speech and scenes: `aor build` with other seeds, voices and jittered prosody.

    speech.py WORK AOR train    writes WORK/speech.npz, .pcm and WORK/scenes.npz, .pcm
    speech.py WORK AOR measure  WORK/unseen, held-clips and fresh-N: what the card measures on

Each of BUILDS is a benchmark of its own under WORK; what is there is kept. No stem of them is one
of the benchmark's own, whose build (WORK/bench) is made too and compared with.
"""
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
import yaml

from corpus import HELD_VOICES, REQUESTS, ROOT, load, templated

SEED = 61000
# Voices and requests of each build: the trained voices of the benchmark and two others, or others
# only; the benchmark's requests, or those of tuning.
BUILDS = [("own", "bench"), ("own", "bench"), ("own", "bench"), ("other", "bench"),
          ("own", "tuning"), ("own", "tuning"), ("own", "templated")]
REQUESTS_OF = {"bench": ROOT / "data/scenarios", "tuning": REQUESTS / "tuning", "templated": None}
PAIRS_OF = {"bench": {"scenario": 5, "contrast": 5, "plain": 4},
            "tuning": {"scenario": 5, "contrast": 5, "plain": 4},
            "templated": {"scenario": 2, "contrast": 2, "plain": 2}}
N_FRESH = 7  # benchmarks of scenarios, 3,000 samples each, for the planted effects
SCENES_A_BUILD = 40  # cuts of each scene that are kept, of each build
RATE = 16000
SPEECH_DB = -26.0  # active level of the speech in every mix

OTHER = {
    "female": ["en-us+f1", "en-gb-x-rp+f4", "en-029+f2", "en-gb-x-gbclan+f3", "en-us+Annie",
               "en-gb-x-rp+linda", "en-gb-x-gbcwmd+steph", "en-us+belinda"],
    "male": ["en-gb-x-gbclan+m6", "flite:kal16", "en-029+m7", "en-gb-scotland+m4", "en-gb-x-gbcwmd+m5",
             "en-us+Alex", "en-gb-scotland+Denis", "en-us+paul"],
}
# Of each scene's lists of clips the last is not heard in training, where there are three or more.
MIN_CLIPS = 3


def dump(doc, path):
    path.write_text(yaml.safe_dump(doc, sort_keys=False, width=100))


def jitter(doc, rng):
    """The same voices with a pitch, emotions and rates that are a little other."""
    for v in doc["voices"]:
        v["pitch"] = round(v["pitch"] + rng.uniform(-0.8, 0.8), 3)
    for e in doc["emotions"]:
        e["pitch"] = round(e["pitch"] + rng.uniform(-0.3, 0.3), 3)
        e["range"] = round(e["range"] * rng.uniform(0.93, 1.07), 3)
        e["tilt_db"] = round(e["tilt_db"] + rng.uniform(-0.5, 0.5), 3)
    for r in doc["rates"]:
        r["speed"] = round(r["speed"] * rng.uniform(0.94, 1.06), 3)
    return doc


def voices_of(kind, number):
    """The voices of training build number: trained ones of the benchmark and others, or others."""
    doc = load(ROOT / "data/voices.yaml")
    voices = []
    for gender in ("female", "male"):
        if kind == "own":
            voices += [v for v in doc["voices"]
                       if v["gender"] == gender and v["id"] not in HELD_VOICES]
        for i in range(1 if kind == "own" else 4):
            at = (number + i) % len(OTHER[gender])
            engine, _, voice = OTHER[gender][at].rpartition(":")
            voices.append({"id": f"{gender[0]}-other{at}", "gender": gender,
                           "engine": engine or "espeak", "voice": voice, "pitch": 0})
    return doc | {"voices": voices}


def scenes_of(keep):
    """data/scenes.yaml with, of each list of clips, what keep(list) gives."""
    doc = load(ROOT / "data/scenes.yaml")
    for scene in doc["scenes"]:
        for layer in scene["bed"] + scene["events"]:
            if isinstance(layer.get("clip"), list):
                layer["clip"] = keep(layer["clip"])
    return doc


def trained_clips(clips):
    return clips[:-1] if len(clips) >= MIN_CLIPS else clips


def held_clips(clips):
    return clips[-1:] if len(clips) >= MIN_CLIPS else clips


def data_folder(folder, *, seed, voices, scenes, requests, pairs, takes):
    """A data folder for `aor build -d`: the project's own with other voices, scenes, requests (a
    folder, or None for the templated ones)."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "scenarios").mkdir(parents=True)
    shutil.copy(ROOT / "data/sounds.yaml", folder)
    dump(load(ROOT / "data/spec.yaml") | {"seed": seed, "pairs": pairs, "takes": takes},
         folder / "spec.yaml")
    dump(voices, folder / "voices.yaml")
    dump(scenes, folder / "scenes.yaml")
    if requests:
        for path in sorted(requests.glob("*.yaml")):
            shutil.copy(path, folder / "scenarios")
        return
    for category in sorted({i["category"] for i in templated()}):
        items = [{k: v for k, v in i.items() if k != "category"}
                 for i in templated() if i["category"] == category]
        dump({"category": category, "items": items}, folder / "scenarios" / f"{category}.yaml")


def build(aor, bench, data=None):
    if not (bench / "metadata.jsonl").exists() or (bench / ".build.jsonl").exists():
        subprocess.run([aor, "build", "-o", bench] + (["-d", data] if data else []), check=True)


def rows_of(folder):
    return [json.loads(line) for line in open(folder / "metadata.jsonl", encoding="utf-8")]


def read(path):
    pcm, rate = soundfile.read(path, dtype="int16")
    assert rate == RATE and pcm.ndim == 1, path
    return pcm


def stems_of(bench):
    return {p.name for p in (bench / ".stems").iterdir() if p.name[:5] in ("speec", "take-")}


class Pack:
    """Sounds one after the other in NAME.pcm, their offsets and labels in NAME.npz."""

    def __init__(self, path):
        self.path, self.file = path, open(f"{path}.pcm.tmp", "wb")
        self.offsets, self.labels = [0], []

    def add(self, pcm, label):
        self.file.write(pcm.tobytes())
        self.offsets.append(self.offsets[-1] + len(pcm))
        self.labels.append(label)

    def close(self):
        self.file.close()
        os.replace(f"{self.path}.pcm.tmp", f"{self.path}.pcm")
        np.savez(f"{self.path}.npz", offsets=np.array(self.offsets),
                 labels=np.array([json.dumps(x) for x in self.labels]))


def train(work, aor):
    work.mkdir(parents=True, exist_ok=True)
    build(aor, work / "bench")
    own_stems = stems_of(work / "bench")
    speech, scenes = Pack(work / "speech"), Pack(work / "scenes")
    for number, (kind, requests) in enumerate(BUILDS):
        bench, clean = work / f"build-{number}", work / f"clean-{number}"
        if not (bench / "metadata.jsonl").exists():
            data_folder(work / f"data-{number}", seed=SEED + number,
                        voices=jitter(voices_of(kind, number), random.Random(SEED + number)),
                        scenes=scenes_of(trained_clips),
                        requests=REQUESTS_OF[requests],
                        pairs=PAIRS_OF[requests], takes=5)
        build(aor, bench, work / f"data-{number}")
        shared = stems_of(bench) & own_stems
        assert not shared, f"{bench}: has stems of the benchmark: {sorted(shared)[:3]}"
        if not (clean / "README.md").exists():
            shutil.rmtree(clean, ignore_errors=True)
            subprocess.run([aor, "export", bench, "-f", "hf", "-c", "speech", "-o", clean],
                           check=True)
        matched = {r["id"]: r for r in rows_of(bench)}
        n_of_scene = {}
        for split in sorted((clean / "speech").iterdir()):
            for row in rows_of(split):
                pcm = read(split / row["file_name"])
                keys = ("item", "emotion", "rate", "voice", "gender")
                speech.add(pcm, {k: row[k] for k in keys} | {"build": number})
                m = matched[row["id"]]
                n = n_of_scene.get(row["scene"], 0)
                if n < SCENES_A_BUILD and abs(m["active_level_db"] - SPEECH_DB) < 0.02:
                    n_of_scene[row["scene"]] = n + 1
                    mixed = read(bench / m["file_name"]).astype(np.int32)
                    scene = np.clip(mixed - pcm, -32768, 32767).astype(np.int16)
                    scenes.add(scene, {"scene": row["scene"], "snr_db": m["achieved_snr_db"]})
        print(f"build {number}: {len(speech.labels)} utterances, {len(scenes.labels)} scenes",
              flush=True)
    speech.close()
    scenes.close()


def measure(work, aor):
    everything = {"scenario": 5, "contrast": 5, "plain": 5}
    voices = load(ROOT / "data/voices.yaml")
    plans = {
        "unseen": dict(seed=SEED + 100, voices=voices, scenes=scenes_of(list),
                       requests=REQUESTS / "unseen", pairs=everything, takes=3),
        "held-clips": dict(seed=SEED + 101, voices=voices, scenes=scenes_of(held_clips),
                           requests=REQUESTS_OF["bench"], takes=5,
                           pairs={"scenario": 1, "contrast": 0, "plain": 0}),
    }
    for i in range(N_FRESH):
        seed = SEED + 200 + i
        plans[f"fresh-{i}"] = dict(
            seed=seed, voices=jitter(load(ROOT / "data/voices.yaml"), random.Random(seed)),
            scenes=scenes_of(list), requests=REQUESTS_OF["bench"], takes=5,
            pairs={"scenario": 5, "contrast": 0, "plain": 0})
    for name, plan in plans.items():
        if not (work / name / "metadata.jsonl").exists():
            data_folder(work / f"data-{name}", **plan)
        build(aor, work / name, work / f"data-{name}")


if __name__ == "__main__":
    {"train": train, "measure": measure}[sys.argv[3]](Path(sys.argv[1]),
                                                      Path(sys.argv[2]).resolve())
