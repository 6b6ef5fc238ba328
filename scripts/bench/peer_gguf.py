#!/usr/bin/env python3
"""A LLaMA folder (LlamaForCausalLM, safetensors) as a GGUF file in bfloat16, by the `gguf` package, without a tokenizer.

One tensor at a time is in memory. llama.cpp turns neighboring pairs of a head's values where Hugging Face turns value i with
i + S/2, so the rows of q and k change their order.
"""
import argparse
import json
from pathlib import Path

import gguf
import numpy
import safetensors

PARTS = {"self_attn.q_proj": "ATTN_Q", "self_attn.k_proj": "ATTN_K", "self_attn.v_proj": "ATTN_V", "self_attn.o_proj": "ATTN_OUT",
         "mlp.gate_proj": "FFN_GATE", "mlp.up_proj": "FFN_UP", "mlp.down_proj": "FFN_DOWN", "input_layernorm": "ATTN_NORM",
         "post_attention_layernorm": "FFN_NORM"}
OUTSIDE = {"model.embed_tokens": "TOKEN_EMBD", "model.norm": "OUTPUT_NORM", "lm_head": "OUTPUT"}


def gguf_name(name):
    stem = name.removesuffix(".weight")
    if stem in OUTSIDE:
        return gguf.TENSOR_NAMES[gguf.MODEL_TENSOR[OUTSIDE[stem]]] + ".weight"
    _, _, layer, part = stem.split(".", 3)
    return gguf.TENSOR_NAMES[gguf.MODEL_TENSOR[PARTS[part]]].format(bid=int(layer)) + ".weight"


def in_pairs(weight, heads):
    """Rows i and i + S/2 of each head side by side."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def read(file, name, config):
    """Norms in float32, other weights as the bits of bfloat16."""
    import torch
    tensor = file.get_tensor(name)
    if tensor.dim() == 1:
        return tensor.float().numpy()
    if tensor.dtype != torch.bfloat16:
        raise SystemExit(f"{name}: expected bfloat16, got {tensor.dtype}")
    bits = tensor.view(torch.int16).numpy()
    if ".q_proj" in name:
        bits = in_pairs(bits, config["num_attention_heads"])
    elif ".k_proj" in name:
        bits = in_pairs(bits, config["num_key_value_heads"])
    return numpy.ascontiguousarray(bits)


def add_settings(writer, config):
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    writer.add_tokenizer_model("none")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    o = parser.parse_args()
    config = json.loads((o.folder / "config.json").read_text())
    shards = json.loads((o.folder / "model.safetensors.index.json").read_text())["weight_map"]
    files = {shard: safetensors.safe_open(o.folder / shard, "pt") for shard in sorted(set(shards.values()))}
    writer = gguf.GGUFWriter(None, "llama")
    add_settings(writer, config)
    for name, shard in shards.items():
        shape = files[shard].get_slice(name).get_shape()
        is_norm = len(shape) == 1
        size = numpy.prod(shape, dtype=int) * (4 if is_norm else 2)
        writer.add_tensor_info(gguf_name(name), shape, numpy.dtype("float32" if is_norm else "int16"), size,
                               raw_dtype=None if is_norm else gguf.GGMLQuantizationType.BF16)
    writer.write_header_to_file(o.out)
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, shard in shards.items():
        writer.write_tensor_data(read(files[shard], name, config))
    writer.close()


if __name__ == "__main__":
    main()
