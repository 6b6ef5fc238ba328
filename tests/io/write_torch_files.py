"""Writes files of torch.save for torch_file_test.cpp: those that must be read, each beside a safetensors file of what
torch.load gives, and those that must be refused, with a part of the message in refused.json.

    python write_torch_files.py FOLDER
"""
import json
import os
import pickle
import struct
import sys
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file

warnings.simplefilter("ignore", UserWarning)  # zipfile about the record that is there twice
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
          torch.uint8, torch.bool]


def flatten(value, name, out):
    """The reader's rule: names of nested tensors are joined by dots."""
    if isinstance(value, torch.Tensor):
        out[name] = value.detach().clone().contiguous()
    elif isinstance(value, (dict, list, tuple)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            flatten(item, f"{name}.{key}" if name else str(key), out)
    return out


def good_contents():
    torch.manual_seed(0)
    base = torch.randn(6, 5)
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2)).to(torch.bfloat16)
    yield "state_dict", module.state_dict()
    yield "dtypes", {str(t): (torch.arange(12).reshape(3, 4) % 5).to(t) for t in DTYPES}
    yield "views", {"whole": base, "transposed": base.t(), "rows": base[2:4], "steps": base[::2, 1::3], "one": base[3, 4],
                    "expanded": base[:1].expand(4, 5), "empty": torch.empty(0, 3), "past": base[6:], "scalar": torch.tensor(7)}
    yield "parameters", OrderedDict(a=torch.nn.Parameter(base), b=torch.nn.Parameter(base.t(), requires_grad=False))
    yield "nested", {0: {"self_attn.q": base}, "list": [base[0], (base[1], None)], "epoch": 3, "rate": 1e-3, "name": "\u00e9",
                     "flag": True, "size": base.shape, "dtype": torch.float16, "seed": -(2**62), "long": 2**31, "ordered": OrderedDict()}


def write_good(folder):
    for name, content in good_contents():
        for protocol in (2, 4):
            path = folder / f"{name}_{protocol}.bin"
            torch.save(content, path, pickle_protocol=protocol)
            save_file(flatten(torch.load(path, weights_only=False), "", {}), path.with_suffix(".safetensors"))
    # Records at odd places, as a program other than PyTorch may write them.
    with zipfile.ZipFile(folder / "views_2.bin") as source, zipfile.ZipFile(folder / "unaligned.pth", "w") as out:
        for number, record in enumerate(source.namelist()):
            out.writestr(record, source.read(record))
    (folder / "unaligned.safetensors").write_bytes((folder / "views_2.safetensors").read_bytes())


class Call:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments, state=None):
        self.call = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.call


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def integer(value):
    data = value.to_bytes(8, "little", signed=True)
    return b"\x8a\x08" + data


def storage(key="0", elements=6, kind="FloatStorage"):
    return b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu") + integer(elements) + b"tQ"


def sizes(values):
    return b"(" + b"".join(map(integer, values)) + b"t"


def size_of(value, levels=1):
    """torch.Size(...torch.Size(value)...)"""
    return b"ctorch\nSize\nr\0\0\0\0" + b"(j\0\0\0\0" * (levels - 1) + b"(" + value + b"tR" * levels


def tensor(shape=(2, 3), strides=(3, 1), offset=0, source=None, pickled_shape=None):
    shape = pickled_shape or sizes(shape)
    return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + (source or storage()) + integer(offset) + shape + sizes(strides) +
            b"\x89ccollections\nOrderedDict\n)RtR")


def named(value):
    return b"\x80\x02}" + text("weight") + value + b"s."


def bad_pickles():
    """name: (pickle, part of the message)"""
    import builtins
    import posix
    run = "touch executed"
    yield "os_system", pickle.dumps({"a": Call(os.system, run)}, 2), "got posix.system"
    yield "posix", pickle.dumps(Call(posix.system, run), 4), "got posix.system"
    yield "eval", pickle.dumps([Call(builtins.eval, "open('executed', 'w')")], 2), "got __builtin__.eval"
    yield "eval_4", pickle.dumps([Call(builtins.eval, "open('executed', 'w')")], 4), "got builtins.eval"
    yield "nested", pickle.dumps({"a": Call(OrderedDict, [("b", Call(os.system, run))])}, 2), "got posix.system"
    yield "inside_tensor", named(tensor(source=b"cos\nsystem\n(" + text(run) + b"tR")), "got os.system"
    yield "getattr", b"\x80\x04" + b"\x8c\x08builtins" + b"\x8c\x07getattr" + b"\x93.", "got builtins.getattr"
    yield "torch_load", named(b"ctorch\nload\n(" + text("x") + b"tR"), "got torch.load"
    yield "storage_call", named(b"ctorch\nFloatStorage\n)R"), "got a call of torch.FloatStorage"
    yield "call_text", named(text("os.system") + b")R"), "got a call of what is no known function"
    yield "set_state", named(b"ctorch\nSize\n)R}b"), "got the state of torch.Size"
    yield "set_state_dict", named(b"}}b"), "got the state of a plain value"
    yield "newline", b"\x80\x04\x8c\x04os\n\x1b\x8c\x06system\x93.", "got os  .system"
    for code in (b"i", b"o", b"\x81", b"\x82\x01", b"I1\n", b"P1\n", b"0", b"2", b"B\0\0\0\0", b"\x92"):
        yield f"operation_{code[0]}", b"\x80\x02}" + code + b".", f"got operation {code[0]}"
    yield "protocol", b"\x80\x05}.", "a pickle of protocol 2 to 4"
    yield "memo", b"\x80\x02}r\xff\xff\xff\xffj\xfe\xff\xff\xff.", "got entry 4294967294"
    yield "no_end", b"\x80\x02}", "expected a whole pickle"
    yield "cut_text", b"\x80\x02X\xff\xff\xff\x7fabc.", "expected a whole pickle"
    yield "cut_global", b"\x80\x02cos\nsystem", "expected a whole pickle"
    yield "no_value", b"\x80\x02.", "expected a value on the stack"
    yield "below_mark", b"\x80\x02}(s.", "expected 2 values on the stack"
    yield "no_mark", b"\x80\x02}u.", "expected a mark"
    yield "odd_items", b"\x80\x02}(Nu.", "expected keys and values"
    yield "append_to_dict", b"\x80\x02}Na.", "that takes items"
    yield "long", b"\x80\x02\x8a\x09123456789.", "an integer of at most 8 bytes"
    yield "too_large", b"\x80\x02" + b"N" * (17 << 20) + b".", "expected a pickle of at most"
    yield "too_many", b"\x80\x02(" + b"}" * (5 << 20) + b"t.", "values, got more"
    yield "deep", b"\x80\x02" + b"".join(b"}" + text("k") for _ in range(40)) + b"N" + b"s" * 40 + b".", "at most 16 deep"
    yield "inside_itself", b"\x80\x02}q\x00" + text("k") + b"h\x00s.", "at most 16 deep"
    levels = b"".join(b"(" + b"h" + bytes([i]) + (b"h" + bytes([i])) * 63 + b"tq" + bytes([i + 1]) for i in range(8))
    yield "shared", b"\x80\x02)q\x00" + levels + b".", "expected dictionaries of tensors"
    yield "key", b"\x80\x02}G\0\0\0\0\0\0\0\0Ns.", "expected texts or integers as keys"
    yield "long_key", b"\x80\x02}" + text("k" * 2000) + b"Ns.", "expected texts or integers as keys"
    yield "twice", b"\x80\x02}(K\x00" + tensor() + text("0") + tensor() + b"u.", "expected one tensor 0, got two"
    yield "pairs", b"\x80\x02ccollections\nOrderedDict\n(](N)etR.", "expected pairs in an OrderedDict"
    yield "other_record", named(tensor(source=storage("1"))), "expected the record data/1, got none"
    yield "outside", named(tensor(source=storage("../../../etc/passwd"))), "expected the record data/../../../etc/passwd"
    yield "storage_size", named(tensor(source=storage(elements=7))), "expected a storage of 7 elements, got one of 6"
    yield "storage_double", named(tensor(source=storage(kind="DoubleStorage"))), "expected a storage of 6 elements, got one of 3"
    yield "storage_negative", named(tensor(source=storage(elements=-1))), "sizes and strides from 0"
    yield "storage_class", named(tensor(source=storage(kind="ComplexFloatStorage"))), "got torch.ComplexFloatStorage"
    yield "storage_dtype", named(tensor(source=storage(kind="float32"))), "expected a storage's class, got torch.float32"
    yield "storage_tuple", named(tensor(source=b"(NtQ")), "expected a storage, got something else"
    yield "storage_id", named(tensor(source=text("0") + b"Q")), "a storage's description"
    yield "no_storage", named(tensor(source=b"N")), "expected a storage, got something else"
    yield "few_arguments", named(b"ctorch._utils\n_rebuild_tensor_v2\n)R"), "all arguments of torch._utils._rebuild_tensor_v2"
    yield "parameter_of_nothing", named(b"ctorch._utils\n_rebuild_parameter\n)R"), "all arguments of"
    beyond = "expected sizes, strides and offset within its storage of 6 elements"
    yield "strides", named(tensor(strides=(4, 1))), beyond
    yield "offset", named(tensor(offset=1)), beyond
    yield "offset_empty", named(tensor((0, 3), (3, 1), 7)), beyond
    yield "sizes", named(tensor((3, 3))), beyond
    yield "overflow_sizes", named(tensor((2**62, 2**62), (0, 0))), beyond
    yield "overflow_strides", named(tensor((2**40, 2), (2**40, 1))), beyond
    yield "overflow_sum", named(tensor((2, 2), (2**62, 2**62), 2**62)), beyond
    yield "negative_stride", named(tensor((2, 3), (-3, 1), 3)), "sizes and strides from 0"
    yield "negative_offset", named(tensor(offset=-1)), "sizes and strides from 0"
    yield "ranks", named(tensor((6,), (3, 1))), "expected a stride for each size"
    yield "size_text", named(b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage() + integer(0) + text("ab") + text("cd") + b"tR"), "a tuple of sizes"
    for levels in (2, 500_000):
        yield f"size_of_size_{levels}", named(tensor(pickled_shape=size_of(sizes((2, 3)), levels))), "a tuple of sizes"
    yield "size_of_text", named(tensor(pickled_shape=size_of(text("ab")))), "a tuple of sizes"
    yield "many_sizes", named(tensor((1,) * 65, (1,) * 65)), "expected at most 64 sizes, got 65"


def write_archive(path, pickled, compression=zipfile.ZIP_STORED, twice=False, **more):
    with zipfile.ZipFile(path, "w", compression) as out:
        out.writestr("archive/data.pkl", pickled)
        for name, content in {"data/0": bytes(24), **more}.items():
            out.writestr("archive/" + name, content)
        if twice:
            out.writestr("archive/data/0", bytes(24))


def write_refused(folder):
    messages = {}

    def file(name, message):
        messages[name] = message
        return folder / name

    for name, pickled, message in bad_pickles():
        write_archive(file(name + ".bin", message), pickled)
    good = named(tensor())
    write_archive(file("compressed.bin", "neither compressed nor encrypted"), good, zipfile.ZIP_DEFLATED)
    write_archive(file("big_endian.bin", "expected little-endian"), good, byteorder="big")
    write_archive(file("record_twice.bin", "expected one record archive/data/0, got two"), good, twice=True)
    whole = folder / "whole.pth"
    write_archive(whole, good)
    content = whole.read_bytes()
    for cut in (0, 1, 3, 10, len(content) // 2, len(content) - 1):
        file(f"cut_{cut}.bin", f"cut_{cut}.bin").write_bytes(content[:cut])
    torch.save({"a": torch.ones(2)}, file("legacy.bin", "torch.save(torch.load(path, weights_only=True), path)"),
               _use_new_zipfile_serialization=False)
    file("pointer.bin", "got a pointer of git-lfs").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    file("text.pt", "expected a file of torch.save, got other content").write_text("hello")
    with zipfile.ZipFile(file("no_pickle.bin", "expected the record data.pkl"), "w") as out:
        out.writestr("archive/version", "3")
    (folder / "refused.json").write_text(json.dumps(messages))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    write_good(target)
    (target / "huge").mkdir()
    torch.save({"a": torch.zeros(1).expand(2**40)}, target / "huge" / "pytorch_model.bin")
    (target / "refused").mkdir()
    write_refused(target / "refused")
