#!/usr/bin/env python3
"""Writes a model folder with seeded random weights in a published layout, for speed and memory runs and for dry runs.

    scripts/make_random_model.py llava models/random-7b --size 7b              HF LlavaForConditionalGeneration
    scripts/make_random_model.py llava models/random-7b --naming new           the same under transformers' newer names
    scripts/make_random_model.py original models/random-llava --format bin     LLaVA's own layout, as liuhaotian/llava-v1.5-*
    scripts/make_random_model.py original models/random-llava --projector linear           the same with one linear layer as projector
    scripts/make_random_model.py llava16 models/random-llava16                 LLaVA-1.6 of Vicuna: the same with its own tower and image_newline
    scripts/make_random_model.py llama models/random-vicuna --size 13b --format bin      LlamaForCausalLM, as lmsys/vicuna-*
    scripts/make_random_model.py projector models/random-pretrain --size 13b   mm_projector.bin of LLaVA's first stage, for a llama and a clip
    scripts/make_random_model.py clip models/random-clip --image-size 336      CLIPVisionModel
    scripts/make_random_model.py clip_full models/random-clip                  CLIPModel: text encoder as well, as openai/clip-vit-large-patch14-336
    scripts/make_random_model.py llava tiny --width 64 --ffn 172 --layers 2 --heads 4 --vision-width 32 ...
Sizes that are given one by one replace those of --size. A seed gives the same model in every layout, naming and format.
With --config-only no weights are written: config.json, the tokenizer and the index are enough for `qslaw ... --dry-run`.
Weights need numpy (scripts/test.sh installs it); one tensor at a time is in memory.
"""
import argparse
import json
import math
import shutil
import sys
import zlib
from pathlib import Path

from torch_file import write_torch_file

ROOT = Path(__file__).resolve().parent.parent
LANGUAGE_SIZES = {"7b": dict(width=4096, ffn=11008, layers=32, heads=32), "13b": dict(width=5120, ffn=13824, layers=40, heads=40)}
BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}
LOGIT_SCALE = 2.6592  # of CLIP: ln(1 / 0.07)
SAFETENSORS_DTYPE = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}


def language_config(o):
    return {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": o.vocab, "hidden_size": o.width,
            "intermediate_size": o.ffn, "num_hidden_layers": o.layers, "num_attention_heads": o.heads,
            "num_key_value_heads": o.kv_heads or o.heads, "hidden_act": "silu", "max_position_embeddings": o.max_positions,
            "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
            "tie_word_embeddings": False, "torch_dtype": o.dtype}


def vision_config(o):
    return {"architectures": ["CLIPVisionModel"], "model_type": "clip_vision_model", "hidden_size": o.vision_width,
            "intermediate_size": o.vision_ffn, "num_hidden_layers": o.vision_layers, "num_attention_heads": o.vision_heads,
            "image_size": o.image_size, "patch_size": o.patch_size, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5,
            "projection_dim": 768, "torch_dtype": o.dtype}


def text_encoder_config(o):
    return {"model_type": "clip_text_model", "vocab_size": o.text_vocab, "hidden_size": o.text_width, "intermediate_size": 4 * o.text_width,
            "num_hidden_layers": o.text_layers, "num_attention_heads": o.text_heads, "max_position_embeddings": 77, "hidden_act": "quick_gelu",
            "layer_norm_eps": 1e-5, "projection_dim": 768, "torch_dtype": o.dtype}


def clip_config(o):
    return {"architectures": ["CLIPModel"], "model_type": "clip", "text_config": text_encoder_config(o), "vision_config": vision_config(o),
            "projection_dim": 768, "logit_scale_init_value": LOGIT_SCALE, "torch_dtype": o.dtype}


def llava_config(o):
    return {"architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "text_config": language_config(o),
            "vision_config": vision_config(o), "vision_feature_layer": -2, "vision_feature_select_strategy": "default",
            "projector_hidden_act": "gelu", "image_token_index": o.vocab - 1, "pad_token_id": 0,
            "image_seq_length": (o.image_size // o.patch_size) ** 2, "tie_word_embeddings": False, "torch_dtype": o.dtype}


def original_config(o):
    return {**language_config(o), "architectures": ["LlavaLlamaForCausalLM"], "model_type": "llava_llama",
            "mm_vision_tower": o.vision_tower, "mm_hidden_size": o.vision_width, "mm_projector_type": o.projector,
            "mm_vision_select_layer": -2, "mm_vision_select_feature": "patch", "mm_use_im_start_end": False,
            "mm_use_im_patch_token": False, "image_aspect_ratio": "pad", "tune_mm_mlp_adapter": False}


def llava16_config(o):
    """Pictures cut into parts (anyres), as liuhaotian/llava-v1.6-vicuna-* have it."""
    edge = o.image_size
    return {**original_config(o), "image_aspect_ratio": "anyres", "mm_patch_merge_type": "spatial_unpad", "unfreeze_mm_vision_tower": True,
            "image_grid_pinpoints": [[edge, 2 * edge], [2 * edge, edge], [2 * edge, 2 * edge], [3 * edge, edge], [edge, 3 * edge]]}


def language_tensors(o, prefix, head):
    """(name, shape) in checkpoint order, as all lists of tensors here."""
    kv = (o.kv_heads or o.heads) * (o.width // o.heads)
    yield prefix + "embed_tokens.weight", (o.vocab, o.width)
    for i in range(o.layers):
        layer = f"{prefix}layers.{i}."
        for name, rows, columns in (("q", o.width, o.width), ("k", kv, o.width), ("v", kv, o.width), ("o", o.width, o.width)):
            yield f"{layer}self_attn.{name}_proj.weight", (rows, columns)
        for name, rows, columns in (("gate", o.ffn, o.width), ("up", o.ffn, o.width), ("down", o.width, o.ffn)):
            yield f"{layer}mlp.{name}_proj.weight", (rows, columns)
        yield layer + "input_layernorm.weight", (o.width,)
        yield layer + "post_attention_layernorm.weight", (o.width,)
    yield prefix + "norm.weight", (o.width,)
    yield head, (o.vocab, o.width)


def affine(name, weight):
    yield name + ".weight", weight
    yield name + ".bias", (weight[0],)


def encoder_tensors(prefix, layers, D, F):
    """Of a CLIP encoder, for pictures or text."""
    for i in range(layers):
        layer = f"{prefix}encoder.layers.{i}."
        for name in ("q", "k", "v", "out"):
            yield from affine(f"{layer}self_attn.{name}_proj", (D, D))
        yield from affine(layer + "mlp.fc1", (F, D))
        yield from affine(layer + "mlp.fc2", (D, F))
        yield from affine(layer + "layer_norm1", (D,))
        yield from affine(layer + "layer_norm2", (D,))


def vision_tensors(o, prefix):
    D = o.vision_width
    yield prefix + "embeddings.class_embedding", (D,)
    yield prefix + "embeddings.patch_embedding.weight", (D, 3, o.patch_size, o.patch_size)
    yield prefix + "embeddings.position_embedding.weight", ((o.image_size // o.patch_size) ** 2 + 1, D)
    yield from affine(prefix + "pre_layrnorm", (D,))
    yield from encoder_tensors(prefix, o.vision_layers, D, o.vision_ffn)
    yield from affine(prefix + "post_layernorm", (D,))


def projector_tensors(o, first, second):
    yield from affine(first, (o.width, o.vision_width))
    if second is not None:
        yield from affine(second, (o.width, o.width))


def other_tensors(o):
    """What only one layout has."""
    if o.layout == "llava16":
        yield "model.image_newline", (o.width,)
    if o.layout == "clip_full":
        D = o.text_width
        yield "text_model.embeddings.token_embedding.weight", (o.text_vocab, D)
        yield "text_model.embeddings.position_embedding.weight", (77, D)
        yield from encoder_tensors("text_model.", o.text_layers, D, 4 * D)
        yield from affine("text_model.final_layer_norm", (D,))
        yield "text_projection.weight", (768, D)
        yield "visual_projection.weight", (768, o.vision_width)
        yield "logit_scale", ()


# Prefixes of the language model, its head, the tower and the projector's two layers.
SEED_NAMES = ("language_model.model.", "language_model.lm_head.weight", "vision_tower.vision_model.",
              "multi_modal_projector.linear_1", "multi_modal_projector.linear_2")
NAMES = {"llama": ("model.", "lm_head.weight", None, None, None), "clip": (None, None, "vision_model.", None, None),
         "clip_full": (None, None, "vision_model.", None, None), "projector": (None, None, None),
         "original": ("model.", "lm_head.weight", None),
         "llava16": ("model.", "lm_head.weight", "model.vision_tower.vision_tower.vision_model.")}
PROJECTOR_NAMES = {"linear": ("model.mm_projector", None), "mlp2x_gelu": ("model.mm_projector.0", "model.mm_projector.2")}
LLAVA_NAMES = {
    "old": SEED_NAMES,
    "v5": (*SEED_NAMES[:2], "vision_tower.", *SEED_NAMES[3:]),
    "new": ("model.language_model.", "lm_head.weight", "model.vision_tower.vision_model.",
            "model.multi_modal_projector.linear_1", "model.multi_modal_projector.linear_2")}


def part_tensors(o, names):
    """The tensors of those parts that have a name."""
    language, head, vision, first, second = names
    if vision is not None:
        yield from vision_tensors(o, vision)
    if first is not None:
        yield from projector_tensors(o, first, second)
    if language is not None:
        yield from language_tensors(o, language, head)


def layout_names(o):
    if o.layout == "llava":
        return LLAVA_NAMES[o.naming]
    names = NAMES[o.layout]
    return names if len(names) == len(SEED_NAMES) else (*names, *PROJECTOR_NAMES[o.projector])


def model_tensors(o):
    """(name, shape, name that the values depend on)"""
    names = layout_names(o)
    seed_names = part_tensors(o, [seed if name is not None else None for seed, name in zip(SEED_NAMES, names)])
    parts = [(name, shape, seed_name) for (name, shape), (seed_name, _) in zip(part_tensors(o, names), seed_names)]
    return [*parts, *((name, shape, name) for name, shape in other_tensors(o))]


def random_bytes(name, shape, o):
    """Norms 1, biases 0, CLIP's scale of logits as config.json has it, everything else normal with deviation 0.02; a function of the seed and the
    name only."""
    import numpy
    constants = [value for part, value in ((".bias", 0.0), ("norm", 1.0), ("logit_scale", LOGIT_SCALE)) if part in name]
    if constants:
        values = numpy.full(shape, constants[0], dtype=numpy.float32)
    else:
        generator = numpy.random.Generator(numpy.random.PCG64([o.seed, zlib.crc32(name.encode())]))
        values = generator.standard_normal(shape, dtype=numpy.float32)
        values *= 0.02
    if o.dtype == "bfloat16":  # the upper half of a float32, rounded to nearest even
        bits = values.view(numpy.uint32)
        bits += 0x7FFF + ((bits >> 16) & 1)
        return (bits >> 16).astype(numpy.uint16).tobytes()
    return values.astype(o.dtype).tobytes()


def plan_shards(tensors, o):
    """Lists of tensors, each of at most --shard-bytes (a larger tensor stands alone)."""
    shards, size = [[]], 0
    for name, shape, seed_name in tensors:
        count = math.prod(shape) * BYTES[o.dtype]
        if shards[-1] and size + count > o.shard_bytes:
            shards.append([])
            size = 0
        shards[-1].append((name, shape, seed_name))
        size += count
    return shards


def write_safetensors(path, tensors, o):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape, _ in tensors:
        end = offset + math.prod(shape) * BYTES[o.dtype]
        header[name] = {"dtype": SAFETENSORS_DTYPE[o.dtype], "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, shape, seed_name in tensors:
            file.write(random_bytes(seed_name, shape, o))


def write_bin(path, tensors, o):
    write_torch_file(path, [(name, shape) for name, shape, _ in tensors], o.dtype,
                     (random_bytes(seed_name, shape, o) for _, shape, seed_name in tensors))


def write_weights(o):
    tensors = model_tensors(o)
    if o.layout == "projector":
        return write_bin(o.folder / "mm_projector.bin", tensors, o)
    shards = plan_shards(tensors, o)
    stem, ending, write_shard = {"safetensors": ("model", "safetensors", write_safetensors),
                                 "bin": ("pytorch_model", "bin", write_bin)}[o.format]
    names = [f"{stem}-{i + 1:05d}-of-{len(shards):05d}.{ending}" for i in range(len(shards))]
    if not o.config_only:
        for name, shard in zip(names, shards):
            print(f"{o.folder / name}: {len(shard)} tensors", file=sys.stderr)
            write_shard(o.folder / name, shard, o)
    total = sum(math.prod(shape) for _, shape, _ in tensors) * BYTES[o.dtype]
    weight_map = {tensor: name for name, shard in zip(names, shards) for tensor, *_ in shard}
    write_json(o.folder / f"{stem}.{ending}.index.json", {"metadata": {"total_size": total}, "weight_map": weight_map})


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


# A projector alone has none.
CONFIGS = {"llava": llava_config, "llama": language_config, "clip": vision_config, "clip_full": clip_config,
           "original": original_config, "llava16": llava16_config, "projector": None}


def write_model(o):
    o.folder.mkdir(parents=True, exist_ok=True)
    if CONFIGS[o.layout] is not None:
        write_json(o.folder / "config.json", CONFIGS[o.layout](o))
    if o.layout not in ("clip", "clip_full", "projector"):
        for file in ("tokenizer.model", "added_tokens.json"):
            if (o.tokenizer / file).exists():
                shutil.copyfile(o.tokenizer / file, o.folder / file)
    if o.layout in ("llava", "clip", "clip_full"):
        write_json(o.folder / "preprocessor_config.json",
                   {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": o.image_size},
                    "crop_size": {"height": o.image_size, "width": o.image_size},
                    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]})
    write_weights(o)


# Options that not every layout has: which ones do, and what is taken where the option is not given.
CHECKPOINTS = tuple(sorted(set(CONFIGS) - {"projector"}))
OPTIONS = {"format": (CHECKPOINTS, "safetensors"), "config_only": (CHECKPOINTS, False), "naming": (("llava",), "old"),
           "projector": (("llava16", "original", "projector"), "mlp2x_gelu"),
           "vision_tower": (("llava16", "original"), "openai/clip-vit-large-patch14-336")}


def complete_options(parser, options):
    for name, (layouts, default) in OPTIONS.items():
        if getattr(options, name) is None:
            setattr(options, name, default)
        elif options.layout not in layouts:
            parser.error(f"--{name.replace('_', '-')}: expected one of the layouts {', '.join(layouts)}, got {options.layout}")
    for name, value in LANGUAGE_SIZES[options.size].items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    options.vocab = options.vocab or (32064 if options.layout == "llava" else 32000)


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layout", choices=sorted(CONFIGS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=sorted(LANGUAGE_SIZES), default="7b", help="of the language model")
    for name in ("width", "ffn", "layers", "heads"):
        parser.add_argument(f"--{name}", type=int, help="of the language model, in the place of --size's")
    parser.add_argument("--kv-heads", type=int, default=0, help="0: as many as heads")
    parser.add_argument("--vocab", type=int, default=0, help="0: 32000 (llava: 32064)")
    parser.add_argument("--max-positions", type=int, default=4096)
    for name, value in (("width", 1024), ("ffn", 4096), ("layers", 24), ("heads", 16)):
        parser.add_argument(f"--vision-{name}", type=int, default=value, help=f"default {value} (CLIP ViT-L/14)")
    for name, value in (("width", 768), ("layers", 12), ("heads", 12), ("vocab", 49408)):
        parser.add_argument(f"--text-{name}", type=int, default=value, help=f"of clip_full's text encoder, default {value}")
    parser.add_argument("--image-size", type=int, default=336, help="pixels")
    parser.add_argument("--patch-size", type=int, default=14, help="pixels")
    parser.add_argument("--dtype", choices=sorted(BYTES), default="bfloat16")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--shard-bytes", type=int, default=5_000_000_000)
    parser.add_argument("--tokenizer", type=Path, default=ROOT / "tests/fixtures/tokenizer", help="folder to copy it from")
    parser.add_argument("--format", choices=["safetensors", "bin"], help="bin: as torch.save writes it; projector always is")
    parser.add_argument("--naming", choices=sorted(LLAVA_NAMES),
                        help="of llava: as transformers writes up to 4.57 (old, the default), in version 5 (v5), or holds since 4.52 (new)")
    parser.add_argument("--projector", choices=sorted(PROJECTOR_NAMES), help="of original, llava16 and projector")
    parser.add_argument("--vision-tower", help="what original's and llava16's config.json name")
    parser.add_argument("--config-only", action="store_true", default=None, help="no weights")
    options = parser.parse_args(arguments)
    complete_options(parser, options)
    return options


def main(arguments=None):
    write_model(parse_arguments(arguments))


if __name__ == "__main__":
    main()
