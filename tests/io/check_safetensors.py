"""Reads a file that the C++ test wrote, checks its values, and writes them back: check_safetensors.py OURS THEIRS"""
import sys

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

ours, theirs = sys.argv[1:]
with safe_open(ours, "pt") as file:
    assert file.metadata() == {"format": "pt", "hash": "abc"}, file.metadata()
tensors = load_file(ours)
numbers = torch.arange(24, dtype=torch.float32).view(2, 3, 4) - 11.5
expected = {"scalar": torch.tensor(2.5), "empty": torch.empty(0, 3), "turned": numbers.permute(2, 0, 1)}
names = {"Double": torch.float64, "Float": torch.float32, "Half": torch.float16, "BFloat16": torch.bfloat16,
         "Long": torch.int64, "Int": torch.int32, "Short": torch.int16, "Char": torch.int8}
expected.update({f"of.{name}": numbers.to(dtype) for name, dtype in names.items()})
expected.update({"of.Byte": numbers.abs().to(torch.uint8), "of.Bool": numbers > 0})
assert tensors.keys() == expected.keys(), tensors.keys()
for name, tensor in expected.items():
    assert tensors[name].dtype == tensor.dtype and torch.equal(tensors[name], tensor), name
save_file({name: tensor.contiguous() for name, tensor in expected.items()}, theirs)
