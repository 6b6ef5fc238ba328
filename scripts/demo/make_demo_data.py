"""Writes recipes/demo/data and recipes/demo/base/init: a small, honest experiment on real handwritten digits.

What only the base model is trained on goes to runs/demo_base_data, which is not shipped: every training picture several
times, each copy turned, scaled, sheared and moved a little.

    python scripts/demo/make_demo_data.py            # same bytes at every run
Needs scikit-learn (the pictures), Pillow, sentencepiece.
"""
import argparse
import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import sentencepiece
from PIL import Image
from sklearn.datasets import load_digits

import base_model
import science_questions
from running_text import Sentences
from tasks import (LARGEST, WORDS, Item, caption, choose_larger, choose_plus, new_larger, new_plus,
                   old_picture_tasks, text_tasks)
from word_tokenizer import pieces_of, write_model

TRAIN_PICTURES = range(0, 1437)    # scikit-learn's examples split 80/20 in this order: the last 360 are the test
TEST_PICTURES = range(1437, 1797)  # pictures, mostly of other writers than the first
SYSTEM = ("A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
          "detailed, and polite answers to the user's questions.")
PICTURE_TOKENS = 16
BASE_COPIES = 6


def conversation(sample_id, items, picture=None):
    turns = []
    for i, item in enumerate(items):
        human = item.human()
        turns += [{"from": "human", "value": f"<image>\n{human}" if picture and i == 0 else human},
                  {"from": "gpt", "value": item.gpt()}]
    sample = {"id": sample_id, "conversations": turns}
    return {"id": sample_id, "image": picture, "conversations": turns} if picture else sample


def picture_name(index):
    return f"{index:04d}.png"


def write_pictures(images, folder):
    """8x8 pixels of 0..16 to 32x32 grayscale, bicubic, white ink on black."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        small = Image.fromarray(np.round(image * (255 / 16)).astype(np.uint8))
        large = np.asarray(small.resize((32, 32), Image.Resampling.BICUBIC))
        coarse = (np.round(large / 17) * 17).astype(np.uint8)  # 16 levels, the data's own depth: smaller files
        Image.fromarray(coarse).save(folder / picture_name(i), optimize=True)


def distorted(rng, picture):
    """`picture` turned by up to 10 degrees, scaled and sheared by up to a tenth, moved by up to two of its 32 pixels."""
    angle, scale = rng.uniform(-0.17, 0.17), rng.uniform(0.9, 1.1)
    shear, dx, dy = rng.uniform(-0.1, 0.1), rng.uniform(-2, 2), rng.uniform(-2, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    matrix = turn @ np.array([[1, shear], [0, 1]])
    center = np.array([15.5, 15.5])
    offset = center - matrix @ (center + np.array([dx, dy]))
    return picture.transform(picture.size, Image.Transform.AFFINE, [*matrix[0], offset[0], *matrix[1], offset[1]],
                             Image.Resampling.BICUBIC)


def copy_name(index, copy):
    return f"{index:04d}-{copy}.png"


def write_base(out, pictures, files):
    """The base model's own training data: `files` about `BASE_COPIES` distorted copies of every training picture."""
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    rng = random.Random("qslaw demo copies")
    for p in TRAIN_PICTURES:
        picture = Image.open(pictures / picture_name(p))
        for copy in range(BASE_COPIES):
            distorted(rng, picture).save(out / "pictures" / copy_name(p, copy))
    for name, content in files.items():
        (out / name).write_text(json_lines(content))


class Deck:
    """Deals task names so that all occur equally often and none twice in one hand."""

    def __init__(self, rng, names):
        self.rng, self.names, self.left = rng, sorted(names), []

    def deal(self, count):
        hand = []
        while len(hand) < count:
            if not self.left:
                self.left = self.rng.sample(self.names, len(self.names))
            name = next((n for n in self.left if n not in hand), None)
            if name is None:
                self.left = []
                continue
            self.left.remove(name)
            hand.append(name)
        return hand


def captions(rng, labels, names):
    """One caption for each (picture, its file's name), in random order."""
    return [conversation(f"c{name[:-4]}", [Item("describe", "Describe the picture.", caption(int(labels[p])))], name)
            for p, name in rng.sample(names, len(names))]


def base_conversations(rng, labels, names, text_count, tell_count):
    """What the base model is trained on: several turns share one system prompt and one picture."""
    old, text, sentences = old_picture_tasks(), text_tasks(False), Sentences(False)
    deck, text_deck = Deck(rng, old), Deck(rng, text)
    out = [conversation(f"p{picture[:-4]}", [old[name](rng, int(labels[p])) for name in deck.deal(3)], picture)
           for p, picture in rng.sample(names, len(names))]
    out += [conversation(f"t{i}", [text[name](rng, None) for name in text_deck.deal(7)])
            for i in range(text_count)]
    out += [conversation(f"f{i}", [Item("facts", "Tell me about numbers.", sentences.paragraph(rng, 6))])
            for i in range(tell_count)]
    return rng.sample(out, len(out))


def new_conversations(rng, labels, pictures, repeats):
    """The task to be tuned: a sum and a comparison per conversation, each asked directly or with letters."""
    out = []
    for round_index in range(repeats):
        for p in rng.sample(list(pictures), len(pictures)):
            tasks = [rng.choice([new_plus, choose_plus]), rng.choice([new_larger, choose_larger])]
            items = [task(rng, int(labels[p])) for task in rng.sample(tasks, 2)]
            out.append(conversation(f"n{round_index}-{p}", items, picture_name(p)))
    return out


def single_turns(rng, tasks, labels, pictures):
    return [conversation(f"{name}-{p}", [task(rng, int(labels[p]))], picture_name(p))
            for p in pictures for name, task in tasks.items()]


def build(out, labels):
    """All conversation and text files; returns {file name: content}."""
    rng = {name: random.Random(f"qslaw demo {name}") for name in
           ("captions", "train", "new", "old", "text", "corpus", "corpus_heldout", "calibration")}
    new = {"plus": new_plus, "larger": new_larger, "choose_plus": choose_plus, "choose_larger": choose_larger}
    held_text = text_tasks(True)
    files = {
        "captions.json": captions(rng["captions"], labels, [(p, picture_name(p)) for p in TRAIN_PICTURES]),
        "train.json": new_conversations(rng["train"], labels, TRAIN_PICTURES, 1),
        "heldout_new.json": single_turns(rng["new"], new, labels, TEST_PICTURES[::2]),
        "heldout_old.json": single_turns(rng["old"], old_picture_tasks(), labels, TEST_PICTURES[1::4]),
        "heldout_text.json": [conversation(f"{name}-{i}", [task(rng["text"], None)])
                              for i in range(80) for name, task in held_text.items()],
        "text.txt": Sentences(False).corpus(rng["corpus"], 80000),
        "text_heldout.txt": Sentences(True).corpus(rng["corpus_heldout"], 8000),
        "calibration.txt": Sentences(False).corpus(rng["calibration"], 12000),
    }
    for name, content in files.items():
        text = content if isinstance(content, str) else json_lines(content)
        (out / name).write_text(text)
    return files


def json_lines(samples):
    """A JSON array with one sample a line: small, and readable in a diff."""
    return "[\n" + ",\n".join(json.dumps(s, separators=(",", ":")) for s in samples) + "\n]\n"


def every_text(files, problems):
    for content in files.values():
        if isinstance(content, str):
            yield from content.splitlines()
        else:
            yield from (turn["value"].replace("<image>", "") for s in content for turn in s["conversations"])
    yield from (f"{p['question']} {p['hint']} {' '.join(p['choices'])}" for p in problems.values())


def words_of(texts):
    """Words as they are to be tokens: with their punctuation in the fixed prompt, without elsewhere."""
    fixed = [*SYSTEM.split(), "USER:", "ASSISTANT:", "Context:", "Options:", "N/A", "(A)", "(B)", "(C)", "(D)"]
    words = {*fixed, *map(str, range(LARGEST + 1)), *WORDS}
    for text in texts:
        words |= {w if w in fixed else w.rstrip(".,?") for w in text.split()}
    return sorted(words | {".", ",", "?"})


def token_length(tokenizer, sample):
    """Tokens of a sample in the vicuna_v1 prompt, the picture expanded; REQUIRES no unknown token."""
    turns = [t["value"] for t in sample["conversations"]]
    prompt = SYSTEM + " " + "".join(f"USER: {q} ASSISTANT: {a}</s>" for q, a in zip(turns[::2], turns[1::2]))
    count = 1
    for i, part in enumerate(prompt.split("<image>")):
        ids = [t for stretch in part.split("</s>") if stretch for t in tokenizer.encode(stretch)]
        assert tokenizer.unk_id() not in ids and not any(tokenizer.is_byte(t) and t != 3 + 10 for t in ids), part
        count += len(ids) + part.count("</s>") + (PICTURE_TOKENS if i else 0)
    return count


def check(tokenizer, files, words):
    for word in words:
        alone, inside = tokenizer.encode(word), tokenizer.encode(f"\n{word}")
        assert len(alone) == 1 or word in ".,?", (word, tokenizer.encode(word, out_type=str))
        assert len(inside) == 3, (word, inside)  # mark, newline, word
    for name, content in files.items():
        if isinstance(content, str):
            print(f"{name}: {len(content.split())} words, {len(tokenizer.encode(content))} tokens")
            continue
        lengths = [token_length(tokenizer, s) for s in content]
        turns = sum(len(s["conversations"]) // 2 for s in content)
        print(f"{name}: {len(content)} samples, {turns} turns, tokens mean {np.mean(lengths):.1f} max {max(lengths)}")


def main():
    root = Path(__file__).resolve().parents[2] / "recipes" / "demo"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=root)
    parser.add_argument("--base-out", type=Path, default=root.parents[1] / "runs" / "demo_base_data")
    args = parser.parse_args()
    data, init = args.out / "data", args.out / "base" / "init"
    digits = load_digits()
    write_pictures(digits.images, data / "pictures")
    init.mkdir(parents=True, exist_ok=True)
    files = build(data, digits.target)
    rng = random.Random("qslaw demo base")
    copies = [(p, copy_name(p, copy)) for p in TRAIN_PICTURES for copy in range(BASE_COPIES)]
    base = {"captions.json": captions(rng, digits.target, copies),
            "train.json": base_conversations(rng, digits.target, copies, 2100, 450)}
    write_base(args.base_out, data / "pictures", base)
    files.update({f"base {name}": content for name, content in base.items()})
    problems = science_questions.write(data, digits.target, TRAIN_PICTURES, TEST_PICTURES, picture_name)
    words = words_of(every_text(files, problems))
    size = write_model(words, init / "tokenizer.model")
    base_model.write(init, pieces_of(words))
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(init / "tokenizer.model"))
    print(f"{len(words)} words, {size} pieces, {len(problems)} problems "
          f"{dict(Counter(p['subject'] + '/' + p['split'] for p in problems.values()))}")
    check(tokenizer, files, words)


if __name__ == "__main__":
    main()
