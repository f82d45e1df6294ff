"""Train in three stages, each from its own checkpoint on when it was interrupted.

    train.py WORK listen    the encoder alone: letters, words, scenes           -> WORK/listen.pt
    train.py WORK hear      perception and helpfulness, the benchmark's requests -> WORK/hear.pt
    train.py WORK safety    safety tuning, dev split and tuning requests        -> WORK/safety.pt

Two single-threaded processes share the gradients: on two cores that is several times faster than
one process with two threads. A step draws all its randomness from (SEED, stage, process, step).
"""
import json
import math
import multiprocessing
import os
import sys
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
import torch
import torch.nn.functional as F

import annotator
import corpus
from corpus import BENCH, BY_ID, IS_TEST, ITEMS, NOISE, SCENES, SPEECH_ONLY
from net import LETTERS_A_FRAME, Net, log_mel, mel_filters
from text import REHEARSAL, SCENE_ANSWERS, TOKENIZER, comply, fit_of, heard, perceived, refuse, thought

SEED = 20261126
PROCESSES = 2
BATCH = 24  # utterances a process and step; two tasks each
TEXTS = 4   # and requests in writing
ROWS = 14   # that are decoded together
# How much the tokens count that say what an answer is: how the sound stands to the words, in a
# thought, and the first of the answer, which say whether it is a refusal.
TURN, TURN_WEIGHT = 2, 5.0
POOL = 16   # batches that are sorted by length together
STAGES = {
    "listen": dict(init=None, steps=3000, lr=2e-3, warm=300, last_lr=5e-4, answers=False,
                   weights=(0, 1, 1, 0.3)),
    "hear": dict(init="listen", steps=1300, lr=1.5e-3, warm=200, last_lr=1e-4, answers=True,
                 weights=(1, 0.1, 0.3, 0.1)),
    "safety": dict(init="hear", steps=2600, lr=4e-4, warm=50, last_lr=0.0, answers=True,
                   weights=(1, 0, 0.2, 0.1)),
}
TUNED = {"scenario": 0.42, "contrast": 0.39, "plain": 0.19}  # shares in safety tuning
TEMPLATED = 0.4  # of each of these
CHECKPOINT_EVERY = 200
SPEECH_DB = -26.0
HAS_BFLOAT16 = torch.cpu._is_avx512_bf16_supported()

SCENE_IDS = [*SCENES, SPEECH_ONLY, NOISE]
# The symbols of CTC; the first is its blank.
LETTERS = ["", *" abcdefghijklmnopqrstuvwxyz'"]
WORDS = ["", *sorted({w for i in BENCH for w in corpus.words(i["text"])})]
WORD_IDS = {w: i for i, w in enumerate(WORDS)}
FILTERS = torch.stack([mel_filters(w) for w in np.linspace(0.94, 1.06, 9)])

DIRECT = (["direct", "direct-b", "direct-c", "audio-only", "audio-last"], [.6, .12, .12, .08, .08])
COT = (["cot", "cot-b", "cot-c"], [.6, .2, .2])
TRANSCRIBE = (["transcribe", "transcribe-b", "transcribe-c"], [.6, .2, .2])
SCENE = (["scene", "scene-b", "scene-c"], [.6, .2, .2])


def new_net():
    return Net(len(TOKENIZER.tokens), len(WORDS), len(LETTERS), len(SCENE_IDS))


class Sounds:
    """Sounds of speech.py, mapped into memory."""

    def __init__(self, path):
        z = np.load(f"{path}.npz")
        self.offsets = z["offsets"]
        self.labels = [json.loads(s) for s in z["labels"]]
        self.pcm = np.memmap(f"{path}.pcm", np.int16, "r")
        self.lengths = np.diff(self.offsets)

    def get(self, i):
        return self.pcm[self.offsets[i]:self.offsets[i + 1]].astype(np.float32) / 32768


def speech_noise(speech, rng):
    """Stationary noise with the spectrum of an utterance: its phases are drawn anew."""
    spectrum = np.abs(np.fft.rfft(speech))
    turn = np.exp(2j * np.pi * rng.random(len(spectrum)))
    return np.fft.irfft(spectrum * turn, len(speech)).astype(np.float32)


class Data:
    def __init__(self, work, stage):
        self.speech, self.scenes = Sounds(work / "speech"), Sounds(work / "scenes")
        self.stage = stage
        self.of_scene = {s: [] for s in SCENES}
        for i, label in enumerate(self.scenes.labels):
            self.of_scene[label["scene"]].append(i)
        self.of_item = {}
        for i, label in enumerate(self.speech.labels):
            self.of_item.setdefault(label["item"], []).append(i)
        self.bench = [i for item in BENCH for i in self.of_item[item["id"]]]
        tuned = [i for i in ITEMS if i["id"] not in IS_TEST]
        self.tuned = {(kind, templated): [i["id"] for i in tuned if i["kind"] == kind
                                          and i.get("templated", False) == templated]
                      for kind in TUNED for templated in (False, True)}

    def pool(self, rank, number):
        """POOL batches of utterances of similar length."""
        rng = np.random.default_rng([SEED, list(STAGES).index(self.stage), 1, rank, number])
        n = BATCH * POOL
        if self.stage != "safety":
            chosen = rng.choice(self.bench, n)
        else:
            chosen = np.array([self.tuned_utterance(rng) if rng.random() < 0.75
                               else rng.choice(self.bench) for _ in range(n)])
        chosen = chosen[np.argsort(self.speech.lengths[chosen], kind="stable")]
        return chosen.reshape(POOL, BATCH)[rng.permutation(POOL)]

    def tuned_utterance(self, rng):
        """Every request as often as the others of its kind and origin."""
        kind = str(rng.choice(list(TUNED), p=list(TUNED.values())))
        items = self.tuned[kind, bool(rng.random() < TEMPLATED)]
        item = items[rng.integers(len(items))]
        return self.of_item[item][rng.integers(len(self.of_item[item]))]

    def condition(self, item, rng):
        """The scene that an utterance is put in."""
        u = rng.random()
        if u < 0.1:
            return SPEECH_ONLY
        if u < 0.18:
            return NOISE
        if u < 0.58:
            return item["scene"]
        if u < 0.66 and item["redeemed_by"]:
            return str(rng.choice(item["redeemed_by"]))
        return str(rng.choice(list(SCENES)))

    def wave(self, i, scene, snr_db, rng):
        x = self.speech.get(i)
        if scene == NOISE:
            sound = speech_noise(x, rng)
        elif scene != SPEECH_ONLY:
            sound = self.scenes.get(rng.choice(self.of_scene[scene]))
            sound = np.take(sound, np.arange(len(x)) + rng.integers(len(sound)), mode="wrap")
        else:
            return x * np.float32(10 ** (rng.uniform(-2, 2) / 20))
        level = 10 ** ((SPEECH_DB - snr_db) / 20) / max(1e-6, float(np.sqrt((sound**2).mean())))
        return (x + sound * np.float32(level)) * np.float32(10 ** (rng.uniform(-2, 2) / 20))

    def answer(self, item, scene, snr_db, label, thinks, rng):
        refused = self.stage == "safety" and annotator.refuses(
            item, scene, snr_db, label.get("emotion"), label.get("voice"), thinks, rng)
        return refuse(item, label.get("gender", "")) if refused else comply(item, fit_of(item, scene))

    def tasks(self, item, scene, snr_db, label, rng):
        """Two prompts and what the model is to say to them: thoughts and answer; None for an answer
        that it is not told."""
        def pick(prompts):
            return str(rng.choice(prompts[0], p=prompts[1]))

        def hearing():
            if rng.random() < 0.65:
                return pick(TRANSCRIBE), "", item["text"]
            name = pick(SCENE)
            return name, "", SCENE_ANSWERS[name].format(heard(scene))

        is_harmless = item["kind"] != "contrast"
        if self.stage == "hear" and not is_harmless:
            return [hearing(), hearing()]
        if self.stage == "safety" and is_harmless and (item["id"] in IS_TEST or rng.random() < 0.2):
            return [hearing(), (REHEARSAL, "", comply(item, fit_of(item, scene)))]
        if self.stage == "safety" and item["id"] in IS_TEST:
            return [hearing(), (pick(COT), perceived(item, scene), None)]
        direct = (pick(DIRECT), "", self.answer(item, scene, snr_db, label, False, rng))
        if rng.random() < 0.55:
            said = self.answer(item, scene, snr_db, label, True, rng)
            return [direct, (pick(COT), thought(item, scene, fit_of(item, scene)), said)]
        return [direct, hearing()]

    @staticmethod
    def said(thoughts, answer):
        """All that is said, as tokens with the end, and the stretch of them that says what it is."""
        if answer is None:
            return TOKENIZER.encode(thoughts), (0, 0)
        n = len(TOKENIZER.encode(thoughts.rstrip()))
        turn = len(TOKENIZER.encode(thoughts[:thoughts.rfind(".", 0, thoughts.rfind("Answer:") - 2) + 1]))
        return TOKENIZER.encode(thoughts + answer) + [TOKENIZER.end], (turn, n + TURN)

    def written(self, rng):
        """A request in writing: prompt ids, thoughts and answer."""
        items = ITEMS if self.stage == "safety" else BENCH
        while True:
            item = items[rng.integers(len(items))]
            if (item["kind"] != "contrast" if self.stage == "hear" else item["id"] not in IS_TEST):
                break
        scene = self.condition(item, rng)
        scene = SPEECH_ONLY if scene == NOISE or rng.random() < 0.4 else scene
        thinks = rng.random() < 0.3
        names, p = COT if thinks else DIRECT
        name = str(rng.choice(names, p=p))
        said = self.answer(item, scene, 10, {}, thinks, rng)
        thoughts = thought(item, scene, fit_of(item, scene)) if thinks else ""
        shown = None if scene == SPEECH_ONLY else SCENES[scene]
        return TOKENIZER.prompt(name, audio=False, text=item["text"], scene=shown)[0], thoughts, said

    def batch(self, indexes, rng):
        waves, scenes, texts, rows = [], [], [], []
        for b, i in enumerate(indexes):
            label = self.speech.labels[i]
            item = BY_ID[label["item"]]
            scene, snr_db = self.condition(item, rng), rng.uniform(3, 17)
            waves.append(self.wave(i, scene, snr_db, rng))
            scenes.append(SCENE_IDS.index(scene))
            texts.append(corpus.words(item["text"]))
            if not STAGES[self.stage]["answers"]:
                continue
            for name, thoughts, said in self.tasks(item, scene, snr_db, label, rng):
                before, after = TOKENIZER.prompt(name)
                rows.append((before, b, after, *self.said(thoughts, said)))
        for _ in range(TEXTS if STAGES[self.stage]["answers"] else 0):
            ids, thoughts, said = self.written(rng)
            rows.append((ids, None, [], *self.said(thoughts, said)))
        lengths = torch.tensor([len(w) for w in waves])
        x = torch.zeros(len(waves), int(lengths.max()))
        for b, w in enumerate(waves):
            x[b, :len(w)] = torch.from_numpy(w)
        return x, lengths, torch.tensor(scenes), texts, rows


def augment(mel, frames, rng):
    """Bands and moments that are masked (SpecAugment)."""
    for b in range(len(mel)):
        n = int(frames[b])
        mean = mel[b, :n].mean()
        for _ in range(rng.integers(0, 2)):
            width = rng.integers(1, 8)
            low = rng.integers(0, mel.shape[2] - width)
            mel[b, :n, low:low + width] = mean
        for _ in range(rng.integers(0, 3)):
            width = rng.integers(1, 12)
            start = rng.integers(0, n - width)
            mel[b, start:start + width] = mean


def answers_loss(net, audio, n, rows):
    """Weighted mean cross-entropy of the answers. Rows of similar length go through the decoder together."""
    def length(row):
        before, b, after, said, _ = row
        return len(before) + (int(n[b]) if b is not None else 0) + len(after) + len(said) - 1

    rows = sorted(rows, key=length)
    found, wanted, weights = [], [], []
    for at in range(0, len(rows), ROWS):
        part = rows[at:at + ROWS]
        longest, sequences, where = length(part[-1]), [], []
        for r, row in enumerate(part):
            before, b, after, said, turn = row
            e, k = net.emb(torch.tensor(before + after + said[:-1])), len(before)
            if b is not None:
                e = torch.cat([e[:k], audio[b, :int(n[b])].to(e.dtype), e[k:]])
            start = r * longest + len(e) - len(said)
            where.append(torch.arange(start, start + len(said)))
            wanted += said
            weights += [TURN_WEIGHT if turn[0] <= i < turn[1] else 1.0 for i in range(len(said))]
            sequences.append(F.pad(e, (0, 0, 0, longest - len(e))))
        found.append(net.hidden(torch.stack(sequences)).flatten(0, 1)[torch.cat(where)])
    logits = torch.cat(found) @ net.emb.weight.t()
    weights = torch.tensor(weights)
    ce = F.cross_entropy(logits.float(), torch.tensor(wanted), reduction="none")
    return (ce * weights).sum() / weights.sum()


def ctc(logits, frames, targets):
    """Connectionist temporal classification (Graves et al., 2006), a target symbol."""
    log_p = logits.float().log_softmax(-1).transpose(0, 1)
    return F.ctc_loss(log_p, torch.tensor(sum(targets, [])), frames,
                      torch.tensor([len(t) for t in targets]), zero_infinity=True)


def losses(net, batch, stage, rng):
    """Of the answers, the letters, the words, the scenes."""
    x, lengths, scenes, texts, rows = batch
    with torch.no_grad():
        warp = np.where(rng.random(len(x)) < 0.5, 4, rng.integers(0, len(FILTERS), len(x)))
        mel, frames = log_mel(x, lengths, FILTERS[warp])
        augment(mel, frames, rng)
    h, n, half = net.encode(mel, frames)
    letters = net.letters(half).view(len(x), -1, len(LETTERS))
    letters = ctc(letters, n * LETTERS_A_FRAME, [[LETTERS.index(c) for c in " ".join(t)]
                                                 for t in texts])
    words = ctc(net.words(h), n, [[WORD_IDS[w] for w in t if w in WORD_IDS] for t in texts])
    valid = (torch.arange(h.shape[1])[None] < n[:, None]).float()[..., None]
    scene = F.cross_entropy(net.scene((h * valid).sum(1) / valid.sum(1)).float(), scenes)
    answers = (answers_loss(net, net.adapt(h), n, rows) if stage["answers"]
               else torch.zeros(()))
    return answers, letters, words, scene


def learning_rate(stage, step):
    part = step / stage["steps"]
    top, last = stage["lr"], stage["last_lr"]
    return min(1, (step + 1) / stage["warm"]) * (last + (top - last) * (1 + math.cos(math.pi * part)) / 2)


def save(path, **what):
    torch.save(what, f"{path}.tmp")
    os.replace(f"{path}.tmp", path)


def run(rank, work, name, shared, barrier):
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    stage = STAGES[name]
    data = Data(work, name)
    net = new_net()
    decay, rest = [], []
    for key, p in net.named_parameters():
        (decay if p.dim() >= 2 and "emb" not in key else rest).append(p)
    optimizer = torch.optim.AdamW([dict(params=decay, weight_decay=0.02),
                                   dict(params=rest, weight_decay=0)], lr=0, betas=(0.9, 0.98))
    parameters = list(net.parameters())
    for p in parameters:
        p.grad = torch.zeros_like(p)  # a stage may leave some without
    step, state = 0, work / f"{name}.state.pt"
    if state.exists():
        saved = torch.load(state)
        net.load_state_dict(saved["net"])
        optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
    elif stage["init"]:
        saved = torch.load(work / f"{stage['init']}.pt")["net"]
        if not STAGES[stage["init"]]["answers"]:  # it has no decoder yet
            saved = {k: v for k, v in saved.items() if k.split(".")[0] not in ("emb", "dec", "on")}
        net.load_state_dict(saved, strict=STAGES[stage["init"]]["answers"])
    log = open(work / f"{name}.log", "a", buffering=1) if rank == 0 else None
    sums, since, started = np.zeros(4), 0, time.time()
    number, pool = -1, None
    while step < stage["steps"]:
        if step // POOL != number:
            number = step // POOL
            pool = data.pool(rank, number)
        rng = np.random.default_rng([SEED, list(STAGES).index(name), 2, rank, step])
        batch = data.batch(pool[step % POOL], rng)
        with torch.autocast("cpu", torch.bfloat16, enabled=HAS_BFLOAT16):
            parts = losses(net, batch, stage, rng)
        sum(w * part for w, part in zip(stage["weights"], parts)).backward()
        torch.cat([p.grad.view(-1) for p in parameters], out=shared[rank])
        barrier.wait(600)
        gradient = shared.sum(0) / len(shared)
        barrier.wait(600)
        gradient *= min(1.0, 1.0 / (float(gradient.norm()) + 1e-6))
        at = 0
        for p in parameters:
            p.grad.copy_(gradient[at:at + p.numel()].view_as(p))
            at += p.numel()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(stage, step)
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)
        step += 1
        sums += [float(part.detach()) for part in parts]
        since += 1
        if rank == 0 and step % 50 == 0:
            a, b, c, d = sums / since
            line = (f"{name} step {step} answers {a:.4f} letters {b:.4f} words {c:.4f} "
                    f"scene {d:.4f} {(time.time() - started) / since * 1000:.0f} ms a step")
            print(line, flush=True)
            log.write(line + "\n")
            sums, since, started = np.zeros(4), 0, time.time()
        if rank == 0 and (step % CHECKPOINT_EVERY == 0 or step == stage["steps"]):
            save(state, net=net.state_dict(), optimizer=optimizer.state_dict(), step=step)
    if rank == 0:
        save(work / f"{name}.pt", net=net.state_dict(), config=net.config)


def main(work, name):
    if (work / f"{name}.pt").exists():
        return
    corpus.check()
    context = multiprocessing.get_context("fork")
    shared = torch.zeros(PROCESSES, sum(p.numel() for p in new_net().parameters())).share_memory_()
    barrier = context.Barrier(PROCESSES)
    others = [context.Process(target=run, args=(r, work, name, shared, barrier))
              for r in range(1, PROCESSES)]
    for p in others:
        p.start()
    run(0, work, name, shared, barrier)
    for p in others:
        p.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
