"""Lettered questions in ScienceQA's published file format, whose subjects stand for what is measured.

natural science: the new picture task (learned); social science: the old picture tasks (kept);
language science: text-only questions (kept).
"""
import json
import random

from tasks import LETTERS, choose_larger, choose_plus, old_picture_tasks, text_tasks

SUBJECTS = {"new": "natural science", "old": "social science", "text": "language science"}
GRADES = {"choose_digit": "grade1", "choose_parity": "grade2", "choose_larger": "grade3", "choose_plus": "grade7",
          "choose_number": "grade3", "choose_after": "grade2", "choose_even": "grade4", "choose_same": "grade1", "choose_sum": "grade7"}


def problem(item, kind, split, image):
    return {"question": item.question, "choices": item.choices, "answer": item.choices.index(item.answer),
            "hint": item.hint, "image": image, "task": "closed choice", "grade": GRADES[item.task],
            "subject": SUBJECTS[kind], "topic": "handwritten digits" if image else "numbers", "category": item.task,
            "skill": "", "lecture": "", "solution": "", "split": split}


def balanced(rng, item):
    """Puts the right choice at a position drawn evenly, whatever the task's own order was."""
    wrong = [c for c in item.choices if c != item.answer]
    item.choices = wrong
    item.choices.insert(rng.randrange(len(wrong) + 1), item.answer)
    assert len(item.choices) <= len(LETTERS)
    return item


def split_problems(rng, labels, pictures, name, split, text_rounds):
    old, text = old_picture_tasks(), text_tasks(split == "test")
    out = []
    for p in pictures:
        d = int(labels[p])
        for kind, task in (("new", choose_plus), ("new", choose_larger), ("old", old["choose_digit"]),
                           ("old", old["choose_parity"])):
            out.append(problem(balanced(rng, task(rng, d)), kind, split, name(p)))
    for _ in range(text_rounds):
        out += [problem(balanced(rng, text[t](rng, None)), "text", split, None) for t in sorted(text)
                if t.startswith("choose_")]
    return out


def write(folder, labels, train, test, name):
    """problems.json and pid_splits.json; all test pictures are asked about, and a few training ones."""
    rng = random.Random("qslaw demo problems")
    splits = {"train": split_problems(rng, labels, list(train)[:60], name, "train", 15),
              "val": split_problems(rng, labels, list(train)[60:75], name, "val", 5),
              "test": split_problems(rng, labels, test, name, "test", 50)}
    problems, ids = {}, {}
    for split, items in splits.items():
        ids[split] = [str(len(problems) + i + 1) for i in range(len(items))]
        problems.update(zip(ids[split], items))
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in problems.items())
    (folder / "problems.json").write_text("{\n" + lines + "\n}\n")
    (folder / "pid_splits.json").write_text(json.dumps(ids) + "\n")
    return problems
