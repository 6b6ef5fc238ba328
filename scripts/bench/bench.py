"""What the benchmarks beside peers share: processes with their time and peak memory, models, recipes' runs, ratios, results."""
import argparse
import datetime
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH))
from demo_table import cpu_name, replace_table, require_markers  # noqa: E402

SMALL_TOWER = ["--vision-width", 64, "--vision-ffn", 128, "--vision-layers", 2, "--vision-heads", 2, "--image-size", 56]


class Finished(NamedTuple):
    stdout: str
    seconds: float
    peak_bytes: int  # largest resident size; a file that is mapped counts as far as it is resident


def run(command, threads):
    """One process to its end; ends the benchmark with its words when it fails."""
    command = [str(c) for c in command]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
                                   env=dict(os.environ, OMP_NUM_THREADS=str(threads)))
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        for stream in (out, errors):
            stream.seek(0)
        if process.returncode != 0:
            raise SystemExit(f"{' '.join(command)}: exit {process.returncode}\n{errors.read()[-2000:]}")
        return Finished(out.read(), seconds, usage.ru_maxrss * 1024)


def run_json(command, threads):
    """The same; the JSON object in its last line, with "peak_bytes" added."""
    done = run(command, threads)
    return {**json.loads(done.stdout.splitlines()[-1]), "peak_bytes": done.peak_bytes}


def forget(paths):
    """Drops the files' pages from the page cache."""
    os.sync()  # only pages that are on the disk can be dropped
    for path in paths:
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def make_model(folder, layout, sizes):
    """A folder of random weights (scripts/make_random_model.py), made once; another size needs another folder."""
    if not (folder / "model.safetensors.index.json").exists():  # written last
        run([sys.executable, ROOT / "scripts/make_random_model.py", layout, folder, *sizes], 1)
    return folder


def make_text(path, lines=400):
    """A text of short words for tuning steps, 200 in a line: a line is about 370 tokens of LLaMA's."""
    if not path.exists():
        words = random.Random(1)
        path.write_text("\n".join(" ".join(words.choice("one two three four five six seven eight".split()) for _ in range(200))
                                  for _ in range(lines)))
    return path


def median(rounds, name, key):
    return statistics.median(r[name][key] for r in rounds)


def ratio(rounds, ours, theirs, key):
    """Ours / theirs, taken within each round: a machine that changes its speed between rounds does not enter it."""
    values = [r[ours][key] / r[theirs][key] for r in rounds]
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def target_line(what, rounds, ours, theirs, key, at_least=None, at_most=None):
    """A line of a list: the ratio, what is wanted, and whether its median reaches it."""
    middle = statistics.median(r[ours][key] / r[theirs][key] for r in rounds)
    wanted = f"at least {at_least:g}" if at_least is not None else f"at most {at_most:g}"
    reached = middle >= at_least if at_least is not None else middle <= at_most
    return f"- {what}: {ratio(rounds, ours, theirs, key)}. Wanted: {wanted}; {'reached' if reached else 'not reached'}."


def parser_of(doc, name, sizes, rounds=3):
    """The arguments of a benchmark: what all have, and its sizes with their defaults. `rounds`: None where there is one only."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--program", default=str(ROOT / "build/qslaw"))
    parser.add_argument("--out", type=Path, default=ROOT / "runs/bench" / name)
    parser.add_argument("--no-table", dest="table", action="store_false", help="leave docs/results.md as it is")
    for size, value in {**sizes, **({"rounds": rounds} if rounds else {}), "threads": os.cpu_count() or 2}.items():
        parser.add_argument(f"--{size.replace('_', '-')}", type=int, default=value, help=f"default {value}")
    return parser


def head_of(o, what):
    return (f"{datetime.date.today()}, {cpu_name()}, {o.threads} threads; {what}; {o.rounds} rounds, all in each; medians, ratios ours / "
            "theirs with their range over the rounds.\n")


def write_results(name, o, rounds, text):
    """runs/bench/NAME.json, and the text between the markers of docs/results.md."""
    file = name.replace(" ", "_") + ".json"
    (o.out.parent / file).write_text(json.dumps({"date": str(datetime.date.today()), "cpu": cpu_name(),
                                                 "options": {k: str(v) for k, v in vars(o).items()}, "rounds": rounds}, indent=1))
    if o.table:
        replace_table(name, text)
    print(text)
