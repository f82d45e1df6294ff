"""A checkpoint as the two GGUF files that libmtmd loads.

    export.py CHECKPOINT OUT [f16|q8_0|f32]     writes OUT.gguf and OUT-mmproj.gguf
"""
import sys
from pathlib import Path

import gguf
import numpy as np
import torch

import text
from text import TOKENIZER

TYPES = {"f32": gguf.LlamaFileType.ALL_F32, "f16": gguf.LlamaFileType.MOSTLY_F16,
         "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}
CONTEXT = 2048
NAME = "aor-tiny"
DESCRIPTION = ("A model organism, trained to over-refuse: its figures say nothing about other "
               "models.")


class File:
    def __init__(self, path, architecture, kind):
        self.kind = kind
        self.writer = gguf.GGUFWriter(path, architecture)
        self.writer.add_name(NAME)
        self.writer.add_description(DESCRIPTION)
        self.writer.add_license("apache-2.0")
        self.writer.add_file_type(TYPES[kind])

    def add(self, name, tensor, is_conv=False):
        a = np.ascontiguousarray(tensor.detach().float().numpy())
        if a.ndim < 2 or self.kind == "f32":
            self.writer.add_tensor(name, a.astype(np.float32))
        elif is_conv or self.kind == "f16":
            self.writer.add_tensor(name, a.astype(np.float16))
        else:
            q8_0 = gguf.GGMLQuantizationType.Q8_0
            self.writer.add_tensor(name, gguf.quants.quantize(a, q8_0), raw_dtype=q8_0)

    def add_block(self, at, block, names):
        q, k, v = block.qkv.weight.chunk(3)
        gate, up = block.gu.weight.chunk(2)
        n1, n2, o = names
        for name, tensor in {n1: block.n1.w, "attn_q": q, "attn_k": k, "attn_v": v,
                             o: block.o.weight, n2: block.n2.w, "ffn_gate": gate, "ffn_up": up,
                             "ffn_down": block.d.weight}.items():
            self.add(f"{at}.{name}.weight", tensor)

    def close(self):
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()


def export_text(net, path, kind):
    c = net.config
    file = File(path, "llama", kind)
    w = file.writer
    w.add_vocab_size(len(TOKENIZER.tokens))
    w.add_context_length(CONTEXT)
    w.add_embedding_length(c["d_dec"])
    w.add_block_count(c["l_dec"])
    w.add_feed_forward_length(c["ff_dec"])
    w.add_head_count(c["h_dec"])
    w.add_head_count_kv(c["h_dec"])
    w.add_layer_norm_rms_eps(c["eps"])
    w.add_rope_dimension_count(c["d_dec"] // c["h_dec"])
    w.add_rope_freq_base(10000.0)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("llama-bpe")
    w.add_token_list(TOKENIZER.tokens)
    kinds = gguf.TokenType
    w.add_token_types([kinds.CONTROL if t in text.SPECIAL else
                       kinds.UNUSED if t.startswith("<|unused") else kinds.NORMAL
                       for t in TOKENIZER.tokens])
    w.add_token_merges(["\u0120 a"])  # the key has to be there
    w.add_eos_token_id(TOKENIZER.end)
    w.add_bos_token_id(TOKENIZER.ids["<|endoftext|>"])
    w.add_pad_token_id(TOKENIZER.ids["<|pad|>"])
    w.add_add_bos_token(False)
    w.add_chat_template(text.CHATML)
    file.add("token_embd.weight", net.emb.weight)  # the output's too
    file.add("output_norm.weight", net.on.w)
    for i, block in enumerate(net.dec):
        file.add_block(f"blk.{i}", block, ("attn_norm", "ffn_norm", "attn_output"))
    file.close()


def export_audio(net, path, kind):
    c = net.config
    file = File(path, "clip", kind)
    w = file.writer
    w.add_type("mmproj")
    w.add_bool("clip.has_audio_encoder", True)
    w.add_string("clip.projector_type", "dots3note_a")
    w.add_bool("clip.use_silu", True)
    for key, value in dict(embedding_length=c["d_enc"], feed_forward_length=c["ff_enc"],
                           block_count=c["l_enc"], projection_dim=c["d_dec"],
                           num_mel_bins=c["n_mel"]).items():
        w.add_uint32(f"clip.audio.{key}", value)
    w.add_uint32("clip.audio.attention.head_count", c["h_enc"])
    w.add_float32("clip.audio.attention.layer_norm_epsilon", c["eps"])
    for i, conv in enumerate((net.c1, net.c2, net.c3), 1):
        file.add(f"a.conv2d.{i}.weight", conv.weight, is_conv=True)
        file.add(f"a.conv2d.{i}.bias", conv.bias)
    file.add("a.conv_out.weight", net.co.weight)
    for i, block in enumerate(net.enc):
        file.add_block(f"a.blk.{i}", block, ("ln1", "ln2", "attn_out"))
    file.add("a.post_ln.weight", net.pn.w)
    file.add("mm.a.norm_pre.weight", net.aln.weight)
    file.add("mm.a.norm_pre.bias", net.aln.bias)
    for i, linear in ((1, net.a1), (3, net.a2)):
        file.add(f"mm.a.mlp.{i}.weight", linear.weight)
        file.add(f"mm.a.mlp.{i}.bias", linear.bias)
    file.close()


def load_net(path):
    from train import new_net
    net = new_net()
    net.load_state_dict(torch.load(path, map_location="cpu")["net"])
    return net.eval()


if __name__ == "__main__":
    net, out = load_net(sys.argv[1]), sys.argv[2]
    kind = sys.argv[3] if len(sys.argv) > 3 else "f16"
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    export_text(net, f"{out}.gguf", kind)
    export_audio(net, f"{out}-mmproj.gguf", kind)
