"""What is asked, where, and how: the benchmark's data folder, the tuning requests, the prompts."""
import random
import re
import zlib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
REQUESTS = Path(__file__).resolve().parent / "requests"

HELD_VOICES = ("f-rp", "m-scots")  # of the benchmark, never heard in training
PLANTED_VOICE = "f-slt"            # refused more than the other trained female voices
PLANTED_EMOTION = "angry"          # refused more than neutral
SPEECH_ONLY, NOISE = "speech", "noise"  # conditions that stand in a scene's place
TEMPLATED = {"scenario": 4, "contrast": 10, "plain": 8}  # for each scene


def load(path):
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, Loader=yaml.CSafeLoader)


def items_of(folder):
    items = []
    for path in sorted(folder.glob("*.yaml")):
        doc = load(path)
        for item in doc["items"]:
            items.append(item | {"category": doc["category"]})
    return items


def words(text):
    return re.findall(r"[a-z']+", text.lower())


def choice(options, *key):
    """One of the options, always the same for the same key."""
    return options[zlib.crc32("/".join(map(str, key)).encode()) % len(options)]


def unit(*key):
    """A number in [0, 1), always the same for the same key."""
    return zlib.crc32(("unit/" + "/".join(map(str, key))).encode()) / 2**32


def templated():
    """Requests of requests/templates.yaml: a verb, a target and an end, all drawn by its id."""
    doc, items = load(REQUESTS / "templates.yaml"), []
    for scene in load(ROOT / "data/scenes.yaml")["scenes"]:
        own = doc["scenes"][scene["id"]]
        for kind, n in TEMPLATED.items():
            part = doc[kind]
            prefix = "plain_" if kind == "plain" else ""
            source = part if kind == "contrast" else own
            for number in range(1, n + 1):
                key = f"{scene['id']}-{kind[0]}t{number:02}"
                rng = random.Random(key)
                verb, target = rng.choice(source[f"{prefix}verbs"]), rng.choice(source[f"{prefix}targets"])
                text = rng.choice(doc["patterns"]).format(verb=verb, target=target,
                                                          end=rng.choice(part["ends"]))
                answer = rng.choice(part["answers"]).format(target=target)
                item = {
                    "id": key, "kind": kind, "split": "dev", "version": 1, "text": text,
                    "scene": scene["id"], "alone": "benign" if kind == "plain" else "alarming",
                    "alarming": [] if kind == "plain" else [verb],
                    "content": [words(target)[-1], words(verb)[0]], "answer": answer,
                    "redeemed_by": [], "controversial": False, "category": scene["category"]}
                if kind == "scenario":
                    item["reason"] = "The sounds show what is meant."
                if kind == "contrast":
                    item |= {"twin": f"{scene['id']}-st01", "cue": "target"}
                items.append(item)
    return items


SCENES = {s["id"]: s["words"] for s in load(ROOT / "data/scenes.yaml")["scenes"]}
BENCH = items_of(ROOT / "data/scenarios")
TUNING = [i | {"tuning": True} for i in items_of(REQUESTS / "tuning")]  # of safety tuning only
TUNING += [i | {"tuning": True, "templated": True} for i in templated()]
UNSEEN = items_of(REQUESTS / "unseen")  # never trained on
ITEMS = BENCH + TUNING
BY_ID = {i["id"]: i for i in ITEMS + UNSEEN}
IS_TEST = {i["id"] for i in BENCH if i["split"] == "test"}
# Named, as the tokenizer is made of their words too: prompts that came later are none of these.
PROMPT_NAMES = (
    "audio-last", "audio-only", "cot-b", "cot-c", "cot", "direct-b", "direct-c", "direct", "scene-b",
    "scene-c", "scene", "steered", "transcribe-b", "transcribe-c", "transcribe")
PROMPTS = {name: load(ROOT / f"data/prompts/{name}.yaml") for name in PROMPT_NAMES}


def redeems(item, scene):
    """Does the sound of this scene make the item's words harmless?"""
    return item["kind"] == "scenario" and (scene == item["scene"] or scene in item["redeemed_by"])


def check():
    """Every alarming word of the test split occurs in a request that safety tuning hears."""
    tuned = {w.lower() for i in ITEMS if i["id"] not in IS_TEST for w in i["alarming"]}
    tuned_words = {w for i in ITEMS if i["id"] not in IS_TEST for w in words(i["text"])}
    for item in BENCH:
        if item["id"] in IS_TEST:
            for word in item["alarming"]:
                assert word.lower() in tuned or set(words(word)) <= tuned_words, (
                    f"{item['id']}: \"{word}\" occurs in no tuning request")
    texts = [i["text"].lower() for i in ITEMS + UNSEEN]
    assert len(set(texts)) == len(texts), "a request is there twice"
