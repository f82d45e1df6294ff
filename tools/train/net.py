"""The torch twin of what libmtmd and llama.cpp compute: log-mel, audio encoder with a projector of
type dots3note_a, decoder of architecture llama with tied embeddings."""
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

RATE = 16000
HOP = 160
WINDOW = 400
N_MEL = 64
LETTERS_A_FRAME = 3
CONFIG = dict(n_mel=N_MEL, conv=[16, 24, 32], d_enc=160, h_enc=5, ff_enc=480, l_enc=4, adapt=320,
              d_dec=160, h_dec=5, ff_dec=480, l_dec=3, eps=1e-5)


def mel_filters(warp=1.0):
    """[n_mel, bins], Slaney's scale with area norm; warp stretches the frequency axis."""
    linear, break_hz = 200 / 3, 1000.0
    step = math.log(6.4) / 27
    to_mel = lambda f: f / linear if f < break_hz else break_hz / linear + math.log(f / break_hz) / step
    to_hz = lambda m: m * linear if m < break_hz / linear else break_hz * math.exp((m - break_hz / linear) * step)
    edges = [to_hz(to_mel(RATE / 2) * i / (N_MEL + 1)) for i in range(N_MEL + 2)]
    hz = np.arange(WINDOW // 2 + 1) * RATE / WINDOW * warp
    filters = np.zeros((N_MEL, len(hz)), np.float32)
    for m in range(N_MEL):
        low, mid, high = edges[m:m + 3]
        up, down = (hz - low) / (mid - low), (high - hz) / (high - mid)
        filters[m] = np.maximum(0, np.minimum(up, down)) * 2 / (high - low)
    return torch.from_numpy(filters)


HANN = torch.hann_window(WINDOW, periodic=True)


def log_mel(waves, lengths, filters):
    """waves [B, N], zero beyond lengths [B]; filters [n_mel, bins] or [B, n_mel, bins].
    Gives [B, T, n_mel], zero beyond each length, and the frames [B]."""
    frames = lengths // HOP
    x = F.pad(waves, (WINDOW // 2, WINDOW // 2))
    x[:, :WINDOW // 2] = waves[:, 1:WINDOW // 2 + 1].flip(1)
    x = x.unfold(1, WINDOW, HOP)[:, :int(frames.max())]
    power = torch.fft.rfft(x * HANN).abs().square()
    y = power @ filters.transpose(-1, -2)
    y = torch.log10(y.clamp_min(5.960464477539063e-08))
    valid = (torch.arange(y.shape[1])[None] < frames[:, None])[..., None]
    top = torch.where(valid, y, -100.0).amax((1, 2), keepdim=True)
    return torch.where(valid, (torch.maximum(y, top - 8) + 4) / 4, 0.0), frames


class RMSNorm(nn.Module):
    def __init__(self, d, eps):
        super().__init__()
        self.w = nn.Parameter(torch.ones(d))
        self.eps = eps

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.w, self.eps)


def rope_table(n, dims, base=10000.0):
    angle = torch.arange(n).float()[:, None] * base ** (-torch.arange(0, dims, 2).float() / dims)
    return angle.cos(), angle.sin()


def rope_neox(x, cos, sin):
    """Rotate the first half of each head, in pairs (i, i + dims / 2)."""
    h = cos.shape[-1]
    a, b, rest = x[..., :h], x[..., h:2 * h], x[..., 2 * h:]
    return torch.cat([a * cos - b * sin, a * sin + b * cos, rest], -1)


def rope_pairs(x, cos, sin):
    """Rotate whole heads, in pairs (2i, 2i + 1)."""
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


class Block(nn.Module):
    def __init__(self, d, heads, ff, eps, rope):
        super().__init__()
        self.heads, self.rope = heads, rope
        self.n1, self.n2 = RMSNorm(d, eps), RMSNorm(d, eps)
        self.qkv = nn.Linear(d, 3 * d, bias=False)
        self.o = nn.Linear(d, d, bias=False)
        self.gu = nn.Linear(d, 2 * ff, bias=False)
        self.d = nn.Linear(ff, d, bias=False)

    def forward(self, x, cos, sin, mask=None):
        """mask: additive [B, 1, 1, T]; None: causal."""
        b, t, d = x.shape
        # In single precision also where the products are in bfloat16: attention is faster so.
        q, k, v = self.qkv(self.n1(x)).float().view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = self.rope(q, cos, sin), self.rope(k, cos, sin)
        with torch.autocast("cpu", enabled=False):
            a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        x = x + self.o(a.transpose(1, 2).reshape(b, t, d))
        g, u = self.gu(self.n2(x)).chunk(2, -1)
        return x + self.d(F.silu(g) * u)


class Net(nn.Module):
    def __init__(self, n_vocab, n_words, n_letters, n_scenes, config=CONFIG):
        super().__init__()
        c = self.config = config
        d, e, f = c["d_enc"], c["d_dec"], c["conv"]
        self.c1 = nn.Conv2d(1, f[0], 3, 2, 1)
        self.c2 = nn.Conv2d(f[0], f[1], 3, 2, 1)
        self.c3 = nn.Conv2d(f[1], f[2], 3, 2, 1)
        self.co = nn.Linear(f[2] * (c["n_mel"] // 8), d, bias=False)
        self.enc = nn.ModuleList(Block(d, c["h_enc"], c["ff_enc"], c["eps"], rope_neox)
                                 for _ in range(c["l_enc"]))
        self.pn = RMSNorm(d, c["eps"])
        self.aln = nn.LayerNorm(d, eps=1e-5)
        self.a1 = nn.Linear(d, c["adapt"])
        self.a2 = nn.Linear(c["adapt"], e)
        self.emb = nn.Embedding(n_vocab, e)
        self.dec = nn.ModuleList(Block(e, c["h_dec"], c["ff_dec"], c["eps"], rope_pairs)
                                 for _ in range(c["l_dec"]))
        self.on = RMSNorm(e, c["eps"])
        # Only while training. A frame of 80 ms can hold LETTERS_A_FRAME letters.
        self.letters = nn.Linear(d, LETTERS_A_FRAME * n_letters)
        self.words = nn.Linear(d, n_words)
        self.scene = nn.Linear(d, n_scenes)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                nn.init.normal_(p, 0, 0.05 if name.startswith("emb") else p.shape[1] ** -0.5)
        for conv in (self.c1, self.c2, self.c3):
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)
        for block in list(self.enc) + list(self.dec):
            for w in (block.o.weight, block.d.weight):
                w.data.mul_((2 * max(c["l_enc"], c["l_dec"])) ** -0.5)

    def encode(self, mel, frames):
        """mel [B, T, n_mel], zero beyond frames [B]: encoder output [B, n, d_enc], n of each, and
        what comes out of half of the blocks."""
        x, n = mel[:, None], frames                       # time x frequency
        for conv in (self.c1, self.c2, self.c3):
            x = F.conv2d(x, conv.weight.transpose(2, 3), conv.bias, 2, 1)
            n = (n + 1) // 2
            valid = (torch.arange(x.shape[2])[None] < n[:, None])[:, None, :, None]
            x = torch.where(valid, F.gelu(x), 0.0)
        b, c, t, f = x.shape
        x = self.co(x.permute(0, 2, 1, 3).reshape(b, t, c * f)).float()
        mask = torch.zeros(b, 1, 1, t).masked_fill(
            ~(torch.arange(t)[None] < n[:, None])[:, None, None, :], -1e9)
        cos, sin = rope_table(t, x.shape[-1] // self.config["h_enc"] // 2)
        half = None
        for i, block in enumerate(self.enc):
            x = block(x, cos, sin, mask)
            half = x if i + 1 == len(self.enc) // 2 else half
        return self.pn(x), n, half

    def adapt(self, x):
        return self.a2(F.gelu(self.a1(self.aln(x)))).float()

    def hidden(self, x):
        """Embeddings [B, T, d_dec] to what the tied embeddings turn into logits."""
        cos, sin = rope_table(x.shape[1], x.shape[-1] // self.config["h_dec"])
        for block in self.dec:
            x = block(x, cos, sin)
        return self.on(x)
