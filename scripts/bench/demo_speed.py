#!/usr/bin/env python3
"""Time and memory of the demo's methods over bits, side by side: every one once per round, a few rounds, one run at a time.

Few steps are enough, since every step does the same work. Writes the table of docs/results.md.
"""
import argparse
import datetime
import json
import os
import shutil
import statistics
from pathlib import Path
from typing import NamedTuple

from demo_table import METHODS, cpu_name, replace_table, require_markers, rows_of, run, spread


def step_time(run, stage):
    """Milliseconds of the median optimizer step; None without the stage. A step that something else disturbed does not enter."""
    path = run.out / stage / "metrics.jsonl"
    if not path.exists():
        return None
    return 1000 * statistics.median(json.loads(line)["step_s"] for line in path.read_text().splitlines())


def kib(run, kinds):
    return sum(run.reports["tune"]["memory"][kind] for kind in kinds) / 1024


class Run(NamedTuple):
    out: Path
    reports: dict  # by stage


COLUMNS = [  # (header, how to read it from a finished run)
    ("tune, ms per step", lambda run: step_time(run, "tune")),
    ("warm-up, ms per step", lambda run: step_time(run, "warmup")),
    ("peak of the process, MiB", lambda run: max(s["peak_host_bytes"] for s in run.reports.values()) / 2**20),
    ("weights while tuning, KiB", lambda run: kib(run, ["weights"])),
    ("optimizer and gradients, KiB", lambda run: kib(run, ["optimizer", "gradients"])),
]


def measure(recipe, bits, options):
    out = options.out / f"{recipe}_{bits}"
    shutil.rmtree(out, ignore_errors=True)
    sets = [f"tune.max_steps={options.steps}", "export=null", "eval=null"]
    if METHODS[recipe][1]:
        sets.append(f"quantize.bits={bits}")
    if METHODS[recipe][2]:
        sets += [f"warmup.phases.{i}.max_steps={options.steps}" for i in range(2)] + ["warmup.heldout=null"]
    finished = Run(out, run(options.program, recipe, out, sets, options.threads))
    return {name: read(finished) for name, read in COLUMNS}


def table(rounds):
    """`rounds`: of each round {(recipe, bits): {header: value}}."""
    lines = ["| method | bits | " + " | ".join(name for name, _ in COLUMNS) + " |",
             "| --- " * (len(COLUMNS) + 2) + "|"]
    for recipe, bits in rounds[0]:
        values = [[r[recipe, bits][name] for r in rounds] for name, _ in COLUMNS]
        cells = [METHODS[recipe][0], str(bits)] + ["-" if v[0] is None else spread(v) for v in values]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="build/qslaw")
    parser.add_argument("--out", type=Path, default=Path("runs/demo_speed"))
    parser.add_argument("--bits", type=int, nargs="+", default=[4, 3, 2])
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    options = parser.parse_args()
    require_markers()
    rows = [row for row in rows_of(options.bits) if row[0] != "fixed_scales"]  # a control that costs what QSLAW costs
    rounds = [{row: measure(*row, options) for row in rows} for _ in range(options.rounds)]
    head = (f"{datetime.date.today()}, {cpu_name()}, {options.threads} threads, {options.steps} steps of each stage and phase, "
            f"{options.rounds} rounds with every row in each; mean ± standard deviation over the rounds, of a step its median in the round.\n")
    text = head + "\n" + table(rounds)
    replace_table("demo speed", text)
    print(text)


if __name__ == "__main__":
    main()
