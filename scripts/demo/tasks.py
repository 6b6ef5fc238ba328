"""Questions with one right answer about a digit (of a picture) and about numbers (text only).

A task is a function (rng, thing) -> Item. `facts` says which pairs of numbers are held out of everything trained on.
"""
import hashlib
from dataclasses import dataclass, field
from functools import partial

WORDS = "zero one two three four five six seven eight nine".split()
LARGEST = 29          # numbers run from 0 to LARGEST
SUM_LEFT = 20         # sums: one operand 0..SUM_LEFT, the other 0..9
LETTERS = "AB"


@dataclass
class Item:
    task: str
    question: str
    answer: str                                  # the direct answer, or the right choice
    choices: list = field(default_factory=list)  # empty: a direct question
    hint: str = ""

    def human(self):
        """ScienceQA's QCM prompt for lettered questions, the bare question otherwise."""
        if not self.choices:
            return self.question
        options = " ".join(f"({LETTERS[i]}) {c}" for i, c in enumerate(self.choices))
        return f"{self.question}\nContext: {self.hint or 'N/A'}\nOptions: {options}"

    def gpt(self):
        if not self.choices:
            return self.answer
        return LETTERS[self.choices.index(self.answer)]


def parity(n):
    return "odd" if n % 2 else "even"


def yes(condition):
    return "yes" if condition else "no"


def held_out(a, b):
    """A tenth of the pairs with a two-digit number; the same for (a, b) and (b, a)."""
    if max(a, b) < 10:
        return False
    key = f"{min(a, b)},{max(a, b)}".encode()
    return hashlib.sha256(key).digest()[0] < 26


def sum_pairs(test):
    pairs = {(a, b) for a in range(SUM_LEFT + 1) for b in range(10)}
    return sorted(p for p in pairs | {(b, a) for a, b in pairs} if held_out(*p) == test)


def compare_pairs(test):
    numbers = range(LARGEST + 1)
    return [(a, b) for a in numbers for b in numbers if a != b and held_out(a, b) == test]


def shuffled(rng, items):
    items = list(items)
    rng.shuffle(items)
    return items


def lettered(rng, task, question, answer, candidates):
    """Two choices, the answer and a wrong one, in random order: models this small stay near chance with four."""
    wrong = rng.choice(sorted({str(c) for c in candidates} - {answer}))
    return Item(task, question, answer, shuffled(rng, [answer, wrong]))


def around(n):
    """Numbers near n, the plausible wrong answers."""
    return [m for m in range(n - 4, n + 5) if 0 <= m <= LARGEST]


# ---- pictures: what the base model knows -------------------------------------------------------------------------

def old_picture_tasks():
    return {
        "read": lambda rng, d: Item("read", "What digit is this?", str(d)),
        "word": lambda rng, d: Item("word", "Write the digit as a word.", WORDS[d]),
        "parity": lambda rng, d: Item("parity", "Is the digit even or odd?", parity(d)),
        "larger_four": lambda rng, d: Item("larger_four", "Is the digit larger than four?", yes(d > 4)),
        "after": lambda rng, d: Item("after", "What comes after the digit?", str(d + 1)),
        "describe": lambda rng, d: Item("describe", "Describe the picture.", caption(d)),
        "choose_digit": lambda rng, d: lettered(rng, "choose_digit", "What digit is this?", str(d), range(10)),
        "choose_parity": lambda rng, d: lettered(rng, "choose_parity", "Is the digit even or odd?", parity(d),
                                                 ["even", "odd"]),
    }


def caption(d):
    return f"a handwritten {WORDS[d]}"


# ---- pictures: the new task ----------------------------------------------------------------------------------------

def plus_operand(rng):
    return rng.randint(2, 9)  # plus 1 is nearly the old task "after"


def larger_operand(rng, d):
    """Any n but the base model's 4, with yes and no equally likely where both exist."""
    below = [n for n in range(9) if n < d and n != 4]
    above = [n for n in range(9) if n >= d and n != 4]
    pools = [pool for pool in (below, above) if pool]
    return rng.choice(rng.choice(pools))


def new_plus(rng, d):
    n = plus_operand(rng)
    return Item("plus", f"What is the digit plus {n}?", str(d + n))


def new_larger(rng, d):
    n = larger_operand(rng, d)
    return Item("larger", f"Is the digit larger than {n}?", yes(d > n))


def choose_plus(rng, d):
    item = new_plus(rng, d)
    return lettered(rng, "choose_plus", item.question, item.answer, around(int(item.answer)))


def choose_larger(rng, d):
    item = new_larger(rng, d)
    return lettered(rng, "choose_larger", item.question, item.answer, ["yes", "no"])


# ---- text only -----------------------------------------------------------------------------------------------------

# Those about two numbers get the pairs to choose from first.

def number(rng):
    return rng.randint(0, LARGEST - 1)


def add(pairs, rng, _):
    a, b = rng.choice(pairs)
    return Item("sum", f"What is {a} plus {b}?", str(a + b))


def compare(pairs, rng, _):
    a, b = rng.choice(pairs)
    return Item("compare", f"Is {a} larger than {b}?", yes(a > b))


def number_after(rng, _):
    n = number(rng)
    return Item("number_after", f"What comes after {n}?", str(n + 1))


def number_parity(rng, _):
    n = number(rng)
    return Item("number_parity", f"Is {n} even or odd?", parity(n))


def choose_sum(pairs, rng, _):
    item = add(pairs, rng, None)
    return lettered(rng, "choose_sum", item.question, item.answer, around(int(item.answer)))


def choose_number(pairs, rng, _):
    a, b = rng.choice(pairs)
    return Item("choose_number", "Which number is larger?", str(max(a, b)), [str(a), str(b)], "Compare the numbers.")


def choose_after(rng, _):
    item = number_after(rng, None)
    return lettered(rng, "choose_after", item.question, item.answer, around(int(item.answer)))


def choose_same(rng, _):
    n = rng.randint(0, 9)
    return lettered(rng, "choose_same", f"Which number is {WORDS[n]}?", str(n), range(10))


def choose_even(rng, _):
    n = number(rng)
    return lettered(rng, "choose_even", f"Is {n} even or odd?", parity(n), ["even", "odd"])


def text_tasks(test):
    """Tasks whose sums and comparisons are the held-out ones (test) or all others."""
    sums, comparisons = sum_pairs(test), compare_pairs(test)
    return {"sum": partial(add, sums), "compare": partial(compare, comparisons),
            "number_after": number_after, "number_parity": number_parity,
            "choose_sum": partial(choose_sum, sums), "choose_number": partial(choose_number, comparisons),
            "choose_after": choose_after, "choose_even": choose_even, "choose_same": choose_same}
