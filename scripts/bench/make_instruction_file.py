#!/usr/bin/env python3
"""Writes an instruction file of the shape of LLaVA-1.5's mix: 665,000 samples of its ten sources in about their shares (LLaVA-1.5's
paper, table 7), conversations about pictures and 6 % text only, one to many turns, long answers and short ones: about 1 GB.

    scripts/bench/make_instruction_file.py /tmp/mix.json
    scripts/bench/make_instruction_file.py /tmp/mix.jsonl --samples 1000      one object per line
The same seed gives the same bytes. No picture is written: an `image` is only a name.
"""
import argparse
import json
import random
from pathlib import Path
from typing import NamedTuple

SAMPLES = 665_000


class Source(NamedTuple):
    thousands: int         # of samples, in the whole mix
    folder: str | None     # of its pictures
    turns: tuple           # questions per conversation, from and to
    question: int          # sentences
    answer: int            # sentences; 0: a word, -1: a box


SOURCES = [
    Source(158, "coco/train2017", (1, 4), 1, 7),    # LLaVA's own conversations, descriptions, reasoning
    Source(41, None, (2, 8), 3, 10),                # ShareGPT
    Source(83, "coco/train2017", (4, 14), 1, 0),    # VQAv2
    Source(72, "gqa/images", (6, 16), 1, 0),        # GQA
    Source(9, "coco/train2017", (2, 8), 1, 0),      # OKVQA
    Source(80, "ocr_vqa/images", (4, 6), 1, 0),     # OCR-VQA
    Source(66, "coco/train2017", (1, 3), 2, 0),     # A-OKVQA
    Source(22, "textvqa/train_images", (1, 1), 2, 1),  # TextCaps
    Source(48, "coco/train2017", (4, 12), 1, -1),   # RefCOCO
    Source(86, "vg/VG_100K", (6, 18), 1, -1),       # Visual Genome
]
WORDS = ("the of a picture shows person on street table near window light color behind two three sign reading small large left "
         "right corner standing sitting holding playing because therefore likely weather building animal").split()
RARE = ['"quoted"', "caf\u00e9", "\u732b", "\U0001f600", "back\\slash", "a\ttab", "line\nbreak", "[0]", "{x}"]


def make_sentences(rng, count=4096):
    sentences = []
    for _ in range(count):
        words = rng.choices(WORDS, k=rng.randint(6, 16))
        if rng.random() < 0.1:
            words[rng.randrange(len(words))] = rng.choice(RARE)
        sentences.append(" ".join(words).capitalize() + ".")
    return sentences


def answer_of(rng, source, sentences):
    if source.answer == 0:
        return rng.choice(WORDS)
    if source.answer < 0:
        return "[%.2f, %.2f, %.2f, %.2f]" % tuple(rng.random() for _ in range(4))
    return " ".join(rng.choices(sentences, k=rng.randint(1, 2 * source.answer - 1)))


def make_sample(rng, source, number, sentences):
    turns = []
    for _ in range(rng.randint(*source.turns)):
        turns.append({"from": "human", "value": " ".join(rng.choices(sentences, k=source.question))})
        turns.append({"from": "gpt", "value": answer_of(rng, source, sentences)})
    sample = {"id": f"{number:012d}"}
    if source.folder:
        sample["image"] = f"{source.folder}/{rng.randrange(600000):012d}.jpg"
        turns[0]["value"] = "<image>\n" + turns[0]["value"]
    sample["conversations"] = turns
    return json.dumps(sample, ensure_ascii=rng.random() < 0.5)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help=".json: an array; .jsonl: one object per line")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    sentences, weights = make_sentences(rng), [source.thousands for source in SOURCES]
    lines = options.file.suffix == ".jsonl"
    part = options.file.with_name(options.file.name + ".part")
    with open(part, "w", encoding="utf-8") as out:
        out.write("" if lines else "[")
        for i in range(options.samples):
            source = rng.choices(SOURCES, weights)[0]
            out.write(("" if i == 0 else "\n" if lines else ",\n") + make_sample(rng, source, i, sentences))
        out.write("\n" if lines else "]\n")
    part.rename(options.file)


if __name__ == "__main__":
    main()
