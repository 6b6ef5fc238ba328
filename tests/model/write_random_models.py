"""Writes one small random model in every layout of scripts/make_random_model.py, and reads each back with the library that writes it:
transformers must find every tensor and no other, torch.load the tensors that safetensors has: write_random_models.py FOLDER
"""
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import CLIPModel, CLIPVisionModel, LlamaForCausalLM, LlavaForConditionalGeneration

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import make_random_model  # noqa: E402

SIZES = ("--width 32 --ffn 48 --layers 2 --heads 4 --vocab 1300 --vision-width 16 --vision-ffn 24 --vision-layers 3 --vision-heads 2 "
         "--text-width 16 --text-layers 1 --text-heads 2 --text-vocab 99 --image-size 28 --shard-bytes 60000").split()
ORIGINAL = "--format bin --vision-tower ../clip"
MODELS = {"old": "llava", "new": "llava --naming new", "v5": "llava --naming v5 --format bin", "llama": "llama --format bin",
          "clip": "clip --format bin", "clip_full": "clip_full --format bin", "original": f"original {ORIGINAL}",
          "linear": f"original --projector linear {ORIGINAL}", "llava16": f"llava16 {ORIGINAL}", "projector": "projector"}
# Options that the layout does not have.
REFUSED = ("projector --config-only", "projector --format safetensors", "projector --format bin", "llama --naming new", "original --naming old",
           "llava --projector linear", "llama --projector mlp2x_gelu", "clip --projector linear", "clip_full --projector linear",
           "llava --vision-tower x")
CLASSES = {"old": LlavaForConditionalGeneration, "new": LlavaForConditionalGeneration, "v5": LlavaForConditionalGeneration,
           "llama": LlamaForCausalLM, "clip": CLIPVisionModel, "clip_full": CLIPModel}
LANGUAGE, TOWER = 2 + 9 * 2 + 1, 5 + 16 * 3 + 2
TORCH_FILES = {"original": LANGUAGE + 4, "linear": LANGUAGE + 2, "llava16": LANGUAGE + TOWER + 4 + 1, "projector": 4}
# How parts are called elsewhere, and in "old".
PREFIXES = (("model.mm_projector.0.", "multi_modal_projector.linear_1."), ("model.mm_projector.2.", "multi_modal_projector.linear_2."),
            ("model.mm_projector.", "multi_modal_projector.linear_1."), ("model.vision_tower.vision_tower.vision_model.", "vision_tower."),
            ("model.vision_tower.vision_model.", "vision_tower."), ("model.vision_tower.", "vision_tower."), ("vision_tower.vision_model.", "vision_tower."),
            ("vision_model.", "vision_tower."), ("model.multi_modal_projector.", "multi_modal_projector."),
            ("model.language_model.", "language_model.model."), ("lm_head.", "language_model.lm_head."), ("model.", "language_model.model."),
            ("embeddings.", "vision_tower.embeddings."), ("encoder.", "vision_tower.encoder."), ("pre_layrnorm.", "vision_tower.pre_layrnorm."),
            ("post_layernorm.", "vision_tower.post_layernorm."))


def renamed(name):
    for prefix, old in PREFIXES:
        if name.startswith(prefix):
            return old + name.removeprefix(prefix)
    return name


def compare(where, found, expected):
    for name, tensor in found.items():
        assert tensor.dtype == torch.bfloat16, (where, name, tensor.dtype)
        assert torch.equal(tensor, expected[renamed(name)]), (where, name)


def read_with_transformers(folder, model_class):
    model, info = model_class.from_pretrained(folder, dtype=torch.bfloat16, output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        assert not info[kind], (folder.name, kind, info[kind])
    if folder.name == "clip_full":
        assert model.logit_scale == torch.tensor(model.config.logit_scale_init_value, dtype=torch.bfloat16), model.logit_scale
    # What only this layout has: no other to compare with.
    only_here = ("text_model.", "text_projection.", "visual_projection.", "logit_scale")
    return {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(only_here)}


def read_with_torch(folder):
    shards, found = sorted(folder.glob("*.bin")), {}
    assert len(shards) > 1 or folder.name == "projector"
    for shard in shards:
        found.update(torch.load(shard, weights_only=True))
    assert len(found) == TORCH_FILES[folder.name], (folder.name, sorted(found))
    return found


folder = Path(sys.argv[1])
for name, options in MODELS.items():
    layout, *rest = options.split()
    make_random_model.main([layout, str(folder / name), *rest, *SIZES])
for options in REFUSED:
    try:
        make_random_model.main([*options.split(), str(folder / "refused")])
    except SystemExit as end:
        assert end.code == 2, (options, end)
    else:
        raise AssertionError(f"{options}: expected an error")
    assert not (folder / "refused").exists(), options
expected = {}
for shard in (folder / "old").glob("*.safetensors"):
    expected.update({renamed(name): tensor for name, tensor in load_file(shard).items()})
for name, model_class in CLASSES.items():
    found = read_with_transformers(folder / name, model_class)
    assert len(found) > 20, (name, sorted(found))
    compare(name, found, expected)
for name in TORCH_FILES:
    found = read_with_torch(folder / name)
    found.pop("model.image_newline", None)
    compare(name, found, expected)
