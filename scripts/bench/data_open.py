#!/usr/bin/env python3
"""Opening an instruction file of LLaVA-1.5's size for training (samples found and checked to be JSON, file hashed) beside Python's
json.load of the same file, and the same samples with an object per line: a process each per round, in turn. What the page cache holds of the file is dropped before each.
"""
import sys

from bench import (ROOT, forget, head_of, median, parser_of, ratio, require_markers, run, run_json, write_results)

OURS, LINES, PEER = "qslaw", "qslaw, .jsonl", "Python, json.load"
SECONDS_WANTED, PEAK_WANTED = 15, 600e6
LOAD = """import json, sys, time
began = time.perf_counter()
with open(sys.argv[1], encoding="utf-8") as file:
    samples = json.load(file)
print(json.dumps({"seconds": time.perf_counter() - began, "samples": len(samples)}))"""


def make_file(o, ending):
    path = o.out / f"mix_{o.samples}.{ending}"
    if not path.exists():
        run([sys.executable, ROOT / "scripts/bench/make_instruction_file.py", path, "--samples", o.samples], 1)
    return path


def measure(path, lines, o):
    tokenizer = ROOT / "recipes/demo/base/init"
    ours = ROOT / "build/tests/qslaw_data_open"
    commands = {OURS: [ours, path, tokenizer], LINES: [ours, lines, tokenizer], PEER: [sys.executable, "-c", LOAD, path]}
    results = {}
    for name, command in commands.items():
        forget([path, lines])
        results[name] = run_json(command, o.threads)
    if any(result["samples"] != o.samples for result in results.values()):
        raise SystemExit(f"expected {o.samples} samples, got {results}")
    return results


def table(rounds):
    lines = ["| | seconds | peak memory | our seconds | our memory |", "| --- " * 5 + "|"]
    for name in (OURS, LINES, PEER):
        ratios = "|  |  |" if name == OURS else f"| {ratio(rounds, OURS, name, 'seconds')} | {ratio(rounds, OURS, name, 'peak_bytes')} |"
        lines.append(f"| {name} | {median(rounds, name, 'seconds'):.1f} | {median(rounds, name, 'peak_bytes') / 1e6:.0f} MB {ratios}")
    return "\n".join(lines)


def targets(rounds):
    def line(what, value, wanted, unit):
        return f"- {what}: {value:.1f} {unit}. Wanted: at most {wanted:g} {unit}; {'reached' if value <= wanted else 'not reached'}."

    return "\n".join([
        line("Time", median(rounds, OURS, "seconds"), SECONDS_WANTED, "s"),
        line("Peak memory", median(rounds, OURS, "peak_bytes") / 1e6, PEAK_WANTED / 1e6, "MB"),
        f"- To count all samples' words for `group_by: modality_length`: {median(rounds, OURS, 'lengths_seconds'):.1f} s more.",
        f"- To shuffle and group an epoch of them and take one of 8 processes' share: {median(rounds, OURS, 'plan_seconds'):.2f} s."])


def main():
    o = parser_of(__doc__, "data_open", {"samples": 665_000}).parse_args()
    require_markers()
    o.out.mkdir(parents=True, exist_ok=True)
    path, lines = make_file(o, "json"), make_file(o, "jsonl")
    rounds = [measure(path, lines, o) for _ in range(o.rounds)]
    head = head_of(o, f"{o.samples:,} samples, {path.stat().st_size / 1e9:.2f} GB, a JSON array (.jsonl: an object per line); page cache dropped before, alike for all three")
    write_results("data open", o, rounds, head + "\n" + table(rounds) + "\n\n" + targets(rounds))


if __name__ == "__main__":
    main()
