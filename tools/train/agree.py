"""Do torch and libmtmd agree? Greedy answers of both to the same sounds and prompts.

    agree.py CHECKPOINT RUN.jsonl BENCH

RUN.jsonl: lines of {"sample", "prompt", "answer"} of a run of `aor run` on BENCH with the exported
files (see train.sh). Prints how many answers are the same word for word; where they part, how far
apart the two best tokens of torch were. Ends with 1 when one of them is no near tie.
"""
import json
import sys
from pathlib import Path

import torch

from export import load_net
from net import RATE, log_mel, mel_filters
from speech import read
from text import TOKENIZER

NEAR = 0.15  # logits: f16 weights against f32


@torch.no_grad()
def next_logits(net, wave, prompt, said):
    before, after = TOKENIZER.prompt(prompt)
    mel, frames = log_mel(wave[None], torch.tensor([len(wave)]), mel_filters())
    h, n, _ = net.encode(mel, frames)
    e = net.emb(torch.tensor(before + after + said))
    k = len(before)
    e = torch.cat([e[:k], net.adapt(h)[0, :int(n[0])], e[k:]])
    return net.hidden(e[None])[0, len(e) - len(said) - 1:] @ net.emb.weight.t()


def main(checkpoint, run, bench):
    net = load_net(checkpoint)
    same, near, far = 0, 0, []
    for line in open(run, encoding="utf-8"):
        row = json.loads(line)
        wave = torch.from_numpy(read(bench / "matched" / f"{row['sample']}.flac") / 32768).float()
        said = TOKENIZER.encode(row["answer"]) + [TOKENIZER.end]
        # One pass over what libmtmd said: torch would have said the same where it is the best.
        logits = next_logits(net, wave, row["prompt"], said[:-1])
        gap = [float(l.max() - l[i]) for l, i in zip(logits, said)]
        worst = max(gap)
        if worst == 0:
            same += 1
        elif worst < NEAR:
            near += 1
        else:
            far.append((row["sample"], row["prompt"], worst))
    print(f"{same} answers the same, {near} part at a near tie, {len(far)} differ")
    for sample, prompt, gap in far[:10]:
        print(f"  {sample} {prompt}: {gap:.3f} logits apart")
    return 1 if far or same == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
