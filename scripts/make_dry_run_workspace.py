#!/usr/bin/env python3
"""Lays out a folder in which every recipe of recipes/paper passes `qslaw run RECIPE --dry-run`.

    scripts/make_dry_run_workspace.py /tmp/workspace
    build/qslaw run /tmp/workspace/recipes/paper/scienceqa_13b_qslaw.yaml --dry-run
models/: real sizes, configurations only. data/: a few samples of every kind, with pictures; --instructions N writes N
instruction samples instead of a few, to see what a large file costs. recipes/paper/: copies. Nothing can be trained here.
"""
import argparse
import json
import shutil
import struct
import zlib
from pathlib import Path

import make_random_model
import torch_file

ROOT = Path(__file__).resolve().parent.parent
VICUNA = {"v1.3": 2048, "v1.5": 4096}  # longest context


def write_png(path, width, height, shade):
    """An RGB picture of a gradient."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in (x * 255 // width, y * 255 // height, shade)) for y in range(height))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def make_models(models):
    for size in ("7b", "13b"):
        for version, positions in VICUNA.items():
            make_random_model.main(["llama", str(models / f"vicuna-{size}-{version}"), "--size", size, "--max-positions",
                                    str(positions), "--config-only"])
    for name, pixels in (("clip-vit-large-patch14", 224), ("clip-vit-large-patch14-336", 336)):
        make_random_model.main(["clip", str(models / name), "--image-size", str(pixels), "--config-only"])


def write_zeros(path, shapes):
    """A file as of torch.save, of bfloat16 zeros: one element on the disk, which every tensor repeats (strides of 0)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    items = ((name, torch_file.pickled_tensor("0", shape, "bfloat16", strides=[0] * len(shape), count=1)) for name, shape in shapes.items())
    torch_file.write_archive(path, items, [b"\0\0"])


def make_projectors(models):
    """The pretrained projectors that the recipes begin with, under LLaVA's names."""
    for size, width in (("7b", 4096), ("13b", 5120)):
        linear = {"model.mm_projector.weight": [width, 1024], "model.mm_projector.bias": [width]}
        mlp = {"model.mm_projector.0.weight": [width, 1024], "model.mm_projector.0.bias": [width],
               "model.mm_projector.2.weight": [width, width], "model.mm_projector.2.bias": [width]}
        write_zeros(models / f"llava-pretrain-vicuna-{size}-v1.3/mm_projector.bin", linear)
        write_zeros(models / f"llava-v1.5-mlp2x-336px-pretrain-vicuna-{size}-v1.5/mm_projector.bin", mlp)


# Tokens, about: what the longest samples of the published data have, which decide on a step's memory.
FULL_LENGTH = 2048


def make_scienceqa(folder):
    subjects = ("natural science", "social science", "language science")
    problems, splits = {}, {"train": [], "val": [], "test": []}
    for i in range(36):
        split, key = ("train", "test")[i % 2] if i < 24 else "val", str(i + 1)
        picture = i % 4 < 2
        problems[key] = {"question": f"Which of these is number {i}?", "choices": ["the first", "the second", "the third"],
                         "answer": i % 3, "hint": "Count from the left." if i % 3 else "", "image": "image.png" if picture else None,
                         "task": "closed choice", "grade": f"grade{i % 12 + 1}", "subject": subjects[i % 3], "topic": "numbers",
                         "category": "counting", "skill": "count", "lecture": "Counting begins with one. " * (i + 1 if i else FULL_LENGTH // 6),
                         "solution": f"The number is {i}.", "split": split}
        splits[split].append(key)
        if picture:
            write_png(folder / "images" / split / key / "image.png", 40 + i, 30, i)
    write_json(folder / "problems.json", problems)
    write_json(folder / "pid_splits.json", splits)


def make_captions(folder):
    samples = []
    for i in range(16):
        name = f"00000/{i:09d}.png"
        write_png(folder / "images" / name, 32, 24 + i, i)
        samples.append({"id": f"{i:09d}", "image": name, "conversations": [
            {"from": "human", "value": "<image>\nDescribe the picture."}, {"from": "gpt", "value": f"a gradient, number {i}"}]})
    write_json(folder / "blip_laion_cc_sbu_558k.json", samples)


def instruction(i):
    """Every eighth sample is text only, one is as long as a recipe allows; lengths spread as in the mix that LLaVA-1.5 is tuned on (about 1.5 KB each)."""
    turns = []
    for turn in range(1 + i % 6):
        turns.append({"from": "human", "value": f"What is in row {turn} of the picture?"})
        turns.append({"from": "gpt", "value": "The row is a gradient from dark to light. " * (1 + (i * 7 + turn) % 12 if i != 3 else FULL_LENGTH // 10)})
    sample = {"id": f"{i:012d}", "conversations": turns}
    if i % 8:
        sample["image"] = f"coco/train2017/{i % 8:012d}.png"
        turns[0]["value"] = "<image>\n" + turns[0]["value"]
    return sample


def make_instructions(folder, count):
    for i in range(8):
        write_png(folder / f"coco/train2017/{i:012d}.png", 48, 36, i)
    with open(folder / "llava_v1_5_mix665k.json", "w") as file:
        file.write("[")
        for i in range(count):
            file.write((",\n" if i else "") + json.dumps(instruction(i)))
        file.write("]")


def make_text(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, count in (("train", 20000), ("test", 200)):
        rows = (json.dumps({"text": f" Line {i} counts the words of a short text that says little . \n"}) for i in range(count))
        (folder / f"{name}.jsonl").write_text("\n".join(rows) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--instructions", type=int, default=32, metavar="N")
    options = parser.parse_args()
    data = options.folder / "data"
    make_models(options.folder / "models")
    make_projectors(options.folder / "models")
    make_scienceqa(data / "scienceqa")
    make_captions(data / "LLaVA-Pretrain")
    make_instructions(data, options.instructions)
    make_text(data / "wikitext-2")
    shutil.copytree(ROOT / "recipes/paper", options.folder / "recipes/paper", dirs_exist_ok=True)


if __name__ == "__main__":
    main()
