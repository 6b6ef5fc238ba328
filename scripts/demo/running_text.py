"""Running sentences about numbers: the text corpus and the long text-only answers."""
from tasks import LARGEST, WORDS, compare_pairs, parity, sum_pairs, yes


def _sum_forms(a, b):
    c = a + b
    return [f"{a} plus {b} is {c}.", f"The sum of {a} and {b} is {c}.", f"What is {a} plus {b}? {c}."]


def _compare_forms(a, b):
    low, high = min(a, b), max(a, b)
    return [f"{high} is larger than {low}.", f"{low} is smaller than {high}.",
            f"Is {a} larger than {b}? {yes(a > b)}."]


def _number_forms(n):
    forms = [f"After {n} comes {n + 1}.", f"Before {n + 1} comes {n}.", f"What comes after {n}? {n + 1}.",
             f"{n} is an {parity(n)} number.", f"Is {n} even or odd? {parity(n)}."]
    if n < 10:
        forms.append(f"The word of {n} is {WORDS[n]}.")
    return forms


class Sentences:
    """Draws sentences; with `test` only sums and comparisons that are held out, so that no fact is shared."""

    def __init__(self, test):
        self.test = test
        self.sums, self.comparisons = sum_pairs(test), compare_pairs(test)

    def paragraph(self, rng, sentences):
        """Sentences that hang together: where possible a sum's result is the subject of the next sentence."""
        out, subject = [], None
        for _ in range(sentences):
            kind = rng.choice(["sum", "compare"] if self.test else ["sum", "compare", "number"])
            if kind == "sum":
                pairs = [p for p in self.sums if subject in p] or self.sums
                a, b = rng.choice(pairs)
                out.append(rng.choice(_sum_forms(a, b)))
                subject = a + b
            elif kind == "compare":
                pairs = [p for p in self.comparisons if subject in p] or self.comparisons
                a, b = rng.choice(pairs)
                out.append(rng.choice(_compare_forms(a, b)))
                subject = max(a, b)
            else:
                n = subject if subject is not None and subject < LARGEST else rng.randint(0, LARGEST - 1)
                out.append(rng.choice(_number_forms(n)))
                subject = n
        return " ".join(out)

    def corpus(self, rng, words):
        """Paragraphs, one a line, until there are at least `words` words."""
        lines, count = [], 0
        while count < words:
            lines.append(self.paragraph(rng, rng.randint(4, 9)))
            count += len(lines[-1].split())
        return "\n".join(lines) + "\n"
