#!/usr/bin/env python3
"""Runs the demo's methods over bits, seeds and protocols and writes the table of docs/results.md.

Protocols: `paper`, every method tunes for the same steps and the warm-up comes on top; `matched`, methods without warm-up tune
for as many more steps on the new task's data, so that all do the same number of optimizer steps. What they do not get is the
warm-up's data (captions and text): the row with fixed scales gets that, and no scale learning.
"""
import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

METHODS = {  # recipe -> (name in the table, whether bits matter, whether it warms up)
    "lora16": ("LoRA, full precision", False, False),
    "qlora": ("QLoRA (NF + LoRA)", True, False),
    "rtn_lora": ("RTN + LoRA", True, False),
    "omniquant_lora": ("OmniQuant + LoRA", True, False),
    "fixed_scales": ("same warm-up, scales fixed", True, True),
    "qslaw_pictures": ("QSLAW, pictures only", True, True),
    "w4": ("QSLAW", True, True),
}
COLUMNS = [  # (header, how to read it from a finished run)
    ("ScienceQA Avg", lambda r: r["eval"]["results"]["scienceqa"]["accuracy"]),
    ("new pictures", lambda r: r["eval"]["results"]["new_pictures"]["accuracy"]),
    ("old pictures (kept)", lambda r: r["eval"]["results"]["old_pictures"]["accuracy"]),
    ("text (kept)", lambda r: r["eval"]["results"]["text"]["accuracy"]),
    ("text perplexity", lambda r: r["eval"]["results"]["text_perplexity"]["perplexity"]),
]
WARMUP_COLUMNS = [  # the same of the warm-up alone
    ("text perplexity before", lambda w: w["heldout"]["before"]["text_perplexity"]),
    ("and after", lambda w: w["heldout"]["after"]["text_perplexity"]),
    ("picture loss before", lambda w: w["heldout"]["before"]["picture_loss"]),
    ("and after ", lambda w: w["heldout"]["after"]["picture_loss"]),
    ("codes changed, %", lambda w: 100 * w["codes_changed_share"]),
]
BITS, SEEDS, PROTOCOLS = [4, 3, 2], [1, 2, 3], ["paper", "matched"]  # of the table in docs/results.md
RESULTS = Path("docs/results.md")
TABLES = ["demo table", "demo speed", "tune step", "decode", "scale step", "quantize speed", "full size",
          "data open", "pictures"]  # what stands between markers in it


def markers(name):
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def require_markers():
    """Ends with exit code 2 unless each table has its place in docs/results.md: noticed at the end, it would cost hours."""
    text = RESULTS.read_text() if RESULTS.exists() else ""
    for begin, end in map(markers, TABLES):
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            print(f"error: [results] expected one {begin} and behind it one {end}, got something else ({RESULTS})",
                  file=sys.stderr)
            sys.exit(2)


def replace_table(name, text):
    """Puts `text` between the table's markers in docs/results.md."""
    begin, end = markers(name)
    old = RESULTS.read_text()
    RESULTS.write_text(f"{old.split(begin)[0]}{begin}\n{text}\n{end}{old.split(end)[1]}")


def rows_of(bits):
    """(recipe, bits) of a table's rows: full precision once, then the other methods by bits."""
    return [(recipe, width) for width in [16, *bits] for recipe, (_, has_bits, _) in METHODS.items()
            if has_bits == (width != 16)]


def stage_reports(folder):
    return {p.parent.name: json.loads(p.read_text()) for p in folder.glob("*/report.json")}


def run(program, recipe, out, overrides, threads):
    """One finished run's reports; the program itself skips what is complete."""
    command = [program, "run", f"recipes/demo/{recipe}.yaml", "--out", str(out), "--threads", str(threads), "--resume", "-q"]
    for override in overrides:
        command += ["--set", override]
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return stage_reports(out)


def overrides_of(recipe, bits, seed, extra_steps, options):
    """--set arguments of one run."""
    sets = [f"seed={seed}"]
    if METHODS[recipe][1]:
        sets.append(f"quantize.bits={bits}")
    if options.tune_steps or extra_steps:
        sets.append(f"tune.max_steps={options.tune_steps + extra_steps}")
    if options.limit:
        sets += [f"eval.benchmarks.{i}.limit={options.limit}" for i in range(4)]
    return sets


def plan(options):
    """(protocol, recipe, bits, seed) of every run; full precision and QSLAW are shared between bits and protocols."""
    jobs = []
    for protocol in options.protocols:
        for recipe, bits in rows_of(options.bits):
            if recipe not in options.recipes or (protocol == "matched" and METHODS[recipe][2]):
                continue  # with a warm-up it is the same run as under `paper`
            jobs += [(protocol, recipe, bits, seed) for seed in options.seeds]
    return jobs


def do_job(job, options):
    protocol, recipe, bits, seed = job
    extra = options.warmup_steps if protocol == "matched" else 0
    out = options.out / f"{protocol}_{recipe}_{bits}_{seed}"
    reports = run(options.program, recipe, out, overrides_of(recipe, bits, seed, extra, options), options.threads)
    values = {name: read(reports) for name, read in COLUMNS}
    print(*job, {k: round(v, 2) for k, v in values.items()}, flush=True)
    warmup = reports["warmup"]["results"] if "warmup" in reports else None
    return {"protocol": protocol, "recipe": recipe, "bits": bits, "seed": seed, "values": values,
            "warmup": warmup and {name: read(warmup) for name, read in WARMUP_COLUMNS},
            "steps": reports["tune"]["results"]["steps"] + (warmup["steps"] if warmup else 0)}


def spread(values, digits=1):
    """Mean and deviation; of one value there is none."""
    deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{deviation}"


def rows_in(results, protocol, recipe, bits):
    source = "paper" if METHODS[recipe][2] else protocol
    return [r for r in results if (r["protocol"], r["recipe"], r["bits"]) == (source, recipe, bits)]


def row_of(results, protocol, recipe, bits):
    rows = rows_in(results, protocol, recipe, bits)
    if not rows:
        return None
    cells = [METHODS[recipe][0], str(bits), str(rows[0]["steps"])]
    cells += [spread([r["values"][name] for r in rows]) for name, _ in COLUMNS]
    return "| " + " | ".join(cells) + " |"


def warmup_table(results, bits):
    lines = ["| method | bits | " + " | ".join(name for name, _ in WARMUP_COLUMNS) + " |",
             "| --- " * (len(WARMUP_COLUMNS) + 2) + "|"]
    for recipe, width in rows_of(bits):
        rows = rows_in(results, "paper", recipe, width) if METHODS[recipe][2] else []
        if rows:
            cells = [spread([r["warmup"][name] for r in rows], 2) for name, _ in WARMUP_COLUMNS]
            lines.append("| " + " | ".join([METHODS[recipe][0], str(width), *cells]) + " |")
    return "\n".join(lines)


def table(results, protocol, bits):
    lines = ["| method | bits | steps | " + " | ".join(name for name, _ in COLUMNS) + " |",
             "| --- " * (len(COLUMNS) + 3) + "|"]
    rows = [row_of(results, protocol, recipe, width) for recipe, width in rows_of(bits)]
    return "\n".join(lines + [row for row in rows if row])


def with_earlier(results, options):
    """The results of this call, and those of other runs that results.json has."""
    def key(result):
        return tuple(result[name] for name in ("protocol", "recipe", "bits", "seed"))

    path = options.out / "results.json"
    earlier = json.loads(path.read_text()) if path.exists() else []
    return list({key(r): r for r in [*earlier, *results]}.values())


def write_results(results, options):
    """results.json, and the tables: into docs/results.md when they are whole, else to the screen alone."""
    (options.out / "results.json").write_text(json.dumps(results, indent=1))
    results = [r for r in results if r["seed"] in options.seeds]
    parts = [f"{datetime.date.today()}, {cpu_name()}; seeds {', '.join(map(str, options.seeds))}; mean ± standard "
             "deviation over the seeds, accuracies in %.\n"]
    for protocol, title in (("paper", "Paper's protocol: the warm-up comes on top of the same tuning"),
                            ("matched", "Same total number of optimizer steps for every method")):
        if protocol in options.protocols:
            parts += [f"### {title}\n", table(results, protocol, options.bits), ""]
    parts += ["### Held-out sets before and after the warm-up\n", warmup_table(results, options.bits), ""]
    if (options.bits, options.seeds, options.protocols) == (BITS, SEEDS, PROTOCOLS):
        replace_table("demo table", "\n".join(parts))
    print("\n".join(parts))


def cpu_name():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def warmup_steps(options):
    """Steps of QSLAW's warm-up, from a finished run of it."""
    bits, seed = options.bits[0], options.seeds[0]
    reports = run(options.program, "w4", options.out / f"paper_w4_{bits}_{seed}",
                  overrides_of("w4", bits, seed, 0, options), options.threads)
    if not options.tune_steps:
        options.tune_steps = reports["tune"]["results"]["steps"]
    return reports["warmup"]["results"]["steps"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="build/qslaw")
    parser.add_argument("--out", type=Path, default=Path("runs/demo_table"))
    parser.add_argument("--bits", type=int, nargs="+", default=BITS)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--recipes", nargs="+", default=list(METHODS), choices=list(METHODS),
                        help="only these rows; the others as they are in results.json")
    parser.add_argument("--protocols", nargs="+", default=PROTOCOLS, choices=PROTOCOLS)
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2)), help="runs at a time")
    parser.add_argument("--threads", type=int, default=1, help="threads of each run")
    parser.add_argument("--tune-steps", type=int, default=0, help="instead of the recipes' epochs")
    parser.add_argument("--limit", type=int, default=0, help="questions per benchmark; 0 = all")
    options = parser.parse_args()
    require_markers()
    options.out.mkdir(parents=True, exist_ok=True)
    options.warmup_steps = warmup_steps(options)
    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda job: do_job(job, options), plan(options)))
    write_results(with_earlier(results, options), options)


if __name__ == "__main__":
    main()
