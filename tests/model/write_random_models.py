"""Writes one small random model in every layout of scripts/make_random_model.py, and checks that torch.load finds the
same tensors in .bin shards as safetensors has: write_random_models.py FOLDER
"""
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import make_random_model  # noqa: E402

SIZES = ("--width 32 --ffn 48 --layers 2 --heads 4 --vocab 1300 --vision-width 16 --vision-ffn 24 --vision-layers 3 --vision-heads 2 "
         "--image-size 28 --shard-bytes 60000").split()
MODELS = {"old": "llava", "new": "llava --naming new", "v5": "llava --naming v5 --format bin", "llama": "llama --format bin",
          "clip": "clip --format bin", "original": "original --format bin --vision-tower ../clip"}


def renamed(name):
    for old, new in (("model.mm_projector.0.", "multi_modal_projector.linear_1."), ("model.mm_projector.2.", "multi_modal_projector.linear_2."),
                     ("model.", "language_model.model."), ("lm_head.", "language_model.lm_head.")):
        if name.startswith(old):
            return new + name.removeprefix(old)
    return name


folder = Path(sys.argv[1])
for name, options in MODELS.items():
    layout, *rest = options.split()
    make_random_model.main([layout, str(folder / name), *rest, *SIZES])
expected, found = {}, {}
for shard in (folder / "old").glob("*.safetensors"):
    expected.update(load_file(shard))
shards = sorted((folder / "original").glob("*.bin"))
assert len(shards) > 1
for shard in shards:
    found.update(torch.load(shard, weights_only=True))
assert len(found) == 2 + 9 * 2 + 1 + 4, sorted(found)
for name, tensor in found.items():
    assert tensor.dtype == torch.bfloat16 and torch.equal(tensor, expected[renamed(name)]), name
