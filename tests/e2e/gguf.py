#!/usr/bin/env python3
"""Makes the GGUF files that the tests want: gguf.py WHAT OUT ARGUMENTS...

edit OUT IN [KEY=TEXT | KEY:=NUMBER | -KEY]...  metadata changed or left out, of the type it had
width OUT MMPROJ N        an audio encoder whose output is N wide
spm OUT IN CHARACTER      an SPM vocabulary without bytes and without CHARACTER: where a text holds
                          it, libllama's tokenizer throws, and that ends the process
mamba OUT IN              random recurrent model with IN's vocabulary and chat template
gemma3 OUT IN             random model whose attention slides over 16 tokens, likewise
direction OUT WIDTH NORM LAYER... [KEY=TEXT | KEY:=INTEGER | KEY:=F,LOAT,S]  a control vector
                          [NAME=..., TYPE=f16 in the environment]
"""
import array
import math
import os
import random
import struct
import sys

FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
TEXT, ARRAY, U32, I32, F32, BOOL = 8, 9, 4, 5, 6, 7
TENSOR_F32, TENSOR_F16 = 0, 1
ALIGNMENT = 32


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, format):
        value, = struct.unpack_from("<" + format, self.data, self.at)
        self.at += struct.calcsize("<" + format)
        return value

    def text(self):
        n = self.number("Q")
        self.at += n
        return self.data[self.at - n:self.at].decode()

    def value(self, type):
        if type == TEXT:
            return self.text()
        if type == ARRAY:
            of, n = self.number("I"), self.number("Q")
            return of, [self.value(of) for _ in range(n)]
        return self.number(FORMATS[type])


def aligned(n):
    return -(-n // ALIGNMENT) * ALIGNMENT


def read(path):
    """Metadata {key: (type, value)} and tensors {name: (shape, type, bytes)}."""
    r = Reader(open(path, "rb").read())
    r.at = 8
    n_tensors, n_keys = r.number("Q"), r.number("Q")
    keys, infos, tensors = {}, [], {}
    for _ in range(n_keys):
        key, type = r.text(), r.number("I")
        keys[key] = (type, r.value(type))
    for _ in range(n_tensors):
        name = r.text()
        shape = [r.number("Q") for _ in range(r.number("I"))]
        infos.append((name, shape, r.number("I"), r.number("Q")))
    start = aligned(r.at)
    for name, shape, type, offset in infos:
        size = math.prod(shape) * (4 if type == TENSOR_F32 else 2)
        tensors[name] = (shape, type, r.data[start + offset:start + offset + size])
    return keys, tensors


def text(s):
    s = s.encode()
    return struct.pack("<Q", len(s)) + s


def value(type, v):
    if type == TEXT:
        return text(v)
    if type == ARRAY:
        return struct.pack("<IQ", v[0], len(v[1])) + b"".join(value(v[0], x) for x in v[1])
    return struct.pack("<" + FORMATS[type], v)


def write(path, keys, tensors):
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    for key, (type, v) in keys.items():
        head += text(key) + struct.pack("<I", type) + value(type, v)
    body = b""
    for name, (shape, type, data) in tensors.items():
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, type, len(body))
        body += data.ljust(aligned(len(data)), b"\0")
    with open(path, "wb") as f:
        f.write(head.ljust(aligned(len(head)), b"\0") + body)


def floats(values):
    return array.array("f", values).tobytes()


def edit(out, source, *changes):
    keys, tensors = read(source)
    for change in changes:
        if change[0] == "-":
            del keys[change[1:]]
        elif ":=" in change:
            key, number = change.split(":=")
            keys[key] = (keys[key][0], type(keys[key][1])(float(number)))
        else:
            key, words = change.split("=", 1)
            keys[key] = (TEXT, words)
    write(out, keys, tensors)


def width(out, source, n):
    keys, tensors = read(source)
    n = int(n)
    keys["clip.audio.projection_dim"] = (U32, n)
    (n_in, _), type, data = tensors["mm.a.mlp.3.weight"]
    tensors["mm.a.mlp.3.weight"] = ([n_in, n], type, data[:n_in * n * 2])
    tensors["mm.a.mlp.3.bias"] = ([n], TENSOR_F32, tensors["mm.a.mlp.3.bias"][2][:n * 4])
    write(out, keys, tensors)


def spm(out, source, missing):
    keys, tensors = read(source)
    plain = {"\u0120": "\u2581", "\u010a": "\n"}  # GPT-2's names of space and newline
    words = []
    for i, word in enumerate(keys["tokenizer.ggml.tokens"][1][1]):
        word = plain.get(word, word)
        is_kept = word != missing and (word.startswith("<|") or word == "\u2581" or
                                       len(word) == 1 and word < "\x7f")
        words.append(word if is_kept else f"<unused{i}>")
    kinds = [5 if w.startswith("<unused") else 3 if w.startswith("<|") else 1 for w in words]
    keys["tokenizer.ggml.model"] = (TEXT, "llama")
    keys["tokenizer.ggml.tokens"] = (ARRAY, (TEXT, words))
    keys["tokenizer.ggml.token_type"] = (ARRAY, (5, kinds))
    keys["tokenizer.ggml.scores"] = (ARRAY, (F32, [0.0] * len(words)))
    keys["tokenizer.ggml.add_space_prefix"] = (BOOL, False)
    del keys["tokenizer.ggml.merges"], keys["tokenizer.ggml.pre"]
    write(out, keys, tensors)


class RandomModel:
    """The vocabulary of a file, and tensors that are drawn."""

    def __init__(self, source, architecture, numbers):
        self.random = random.Random(7)
        self.keys = {"general.architecture": (TEXT, architecture)}
        for key, v in numbers.items():
            self.keys[f"{architecture}.{key}"] = (F32 if isinstance(v, float) else U32, v)
        kept = read(source)[0]
        self.words = kept["tokenizer.ggml.tokens"][1][1]
        self.n_vocab = len(self.words)
        self.keys.update({k: v for k, v in kept.items() if k.startswith("tokenizer")})
        self.tensors = {}

    def add(self, name, *shape, scale=None, mean=0.0):
        scale = scale if scale is not None else 1 / math.sqrt(shape[0])
        drawn = (self.random.gauss(mean, scale) for _ in range(math.prod(shape)))
        self.tensors[name] = (list(shape), TENSOR_F32, floats(drawn))

    def add_ends(self, n_embd):
        self.add("token_embd.weight", n_embd, self.n_vocab, scale=1)
        self.add("output_norm.weight", n_embd, scale=0, mean=1)
        self.add("output.weight", n_embd, self.n_vocab, scale=0.5)
        # Never says bytes that are no character: programs show them otherwise.
        shape, type, data = self.tensors["output.weight"]
        row = len(data) // self.n_vocab
        rows = [data[i * row:(i + 1) * row] if w.lstrip("\u0120").isascii() else bytes(row)
                for i, w in enumerate(self.words)]
        self.tensors["output.weight"] = (shape, type, b"".join(rows))

    def write(self, out):
        write(out, self.keys, self.tensors)


def mamba(out, source):
    n, inner, state, rank, conv = 64, 128, 16, 4, 4
    m = RandomModel(source, "mamba", {
        "context_length": 1024, "embedding_length": n, "block_count": 2, "feed_forward_length": 0,
        "attention.head_count": 0, "ssm.conv_kernel": conv, "ssm.inner_size": inner, "ssm.state_size": state,
        "ssm.time_step_rank": rank, "attention.layer_norm_rms_epsilon": 1e-5})
    m.add_ends(n)
    for i in range(2):
        b = f"blk.{i}."
        m.add(b + "attn_norm.weight", n, scale=0, mean=1)
        m.add(b + "ssm_in.weight", n, 2 * inner)
        m.add(b + "ssm_conv1d.weight", conv, inner)
        m.add(b + "ssm_conv1d.bias", inner, scale=0.1)
        m.add(b + "ssm_x.weight", inner, rank + 2 * state, scale=1)
        m.add(b + "ssm_dt.weight", rank, inner, scale=0.1)
        m.add(b + "ssm_dt.bias", inner, scale=1, mean=-5)
        decay = [-float(k + 1) for _ in range(inner) for k in range(state)]
        m.tensors[b + "ssm_a"] = ([state, inner], TENSOR_F32, floats(decay))
        m.add(b + "ssm_d", inner, scale=0, mean=1)
        m.add(b + "ssm_out.weight", inner, n, scale=0.3)
    m.write(out)


def gemma3(out, source):
    n, heads, head, inner = 64, 2, 32, 128
    m = RandomModel(source, "gemma3", {
        "context_length": 1024, "embedding_length": n, "block_count": 7, "feed_forward_length": inner,
        "attention.head_count": heads, "attention.head_count_kv": heads, "attention.key_length": head,
        "attention.value_length": head, "attention.sliding_window": 16, "rope.freq_base": 10000.0,
        "attention.layer_norm_rms_epsilon": 1e-6})
    m.add_ends(n)
    for i in range(7):  # the sixth of them sees everything
        b = f"blk.{i}."
        for norm, size in [("attn_norm", n), ("attn_q_norm", head), ("attn_k_norm", head),
                           ("post_attention_norm", n), ("ffn_norm", n), ("post_ffw_norm", n)]:
            m.add(b + norm + ".weight", size, scale=0.1, mean=2 if size == head else 1)
        for name in ["attn_q", "attn_k", "attn_v"]:
            m.add(b + name + ".weight", n, heads * head)
        m.add(b + "attn_output.weight", heads * head, n)
        m.add(b + "ffn_gate.weight", n, inner)
        m.add(b + "ffn_up.weight", n, inner)
        m.add(b + "ffn_down.weight", inner, n)
    m.write(out)


def direction(out, n, norm, *others):
    draw = random.Random(8)
    keys, tensors = {"general.architecture": (TEXT, "controlvector")}, {}
    for key, v in (x.split("=") for x in others if "=" in x):
        if not key.endswith(":"):
            keys[key] = (TEXT, v)
        elif "," in v:
            keys[key[:-1]] = (ARRAY, (F32, [float(x) for x in v.split(",")]))
        else:
            keys[key[:-1]] = (F32, float(v)) if "." in v or not v[-1].isdigit() else (I32, int(v))
    for layer in (x for x in others if "=" not in x):
        v = [draw.gauss(0, 1) for _ in range(int(n))]
        scale = float(norm) / math.sqrt(sum(x * x for x in v))
        v = [x * scale for x in v]
        name = os.environ.get("NAME", "direction") + f".{layer}"
        is_half = os.environ.get("TYPE") == "f16"
        data = struct.pack(f"<{len(v)}e", *v) if is_half else floats(v)
        tensors[name] = ([len(v)], TENSOR_F16 if is_half else TENSOR_F32, data)
    write(out, keys, tensors)


if __name__ == "__main__":
    {f.__name__: f for f in [edit, width, spm, mamba, gemma3, direction]}[sys.argv[1]](*sys.argv[2:])
