#!/usr/bin/env python3
"""Memory and time of `qslaw` at real sizes on the CPU, random weights, beside what `--dry-run` says before: 7B and 13B.

Peaks are the largest resident size of a process of its own, mapped files as far as they are resident. One round: a peak depends
on sizes, not on the machine's mood; the seconds stand beside it as what it took here. A size's folders are deleted behind it.
"""
import datetime
import json
import shutil
from typing import NamedTuple

from bench import ROOT, make_model, make_text, parser_of, require_markers, run, write_results
from demo_table import cpu_name

MODEL = "name: full_size\noutput: {out}\nmodel: {{path: {model}, dtype: bfloat16}}\n"
QUANTIZE = "quantize: {{method: rtn, bits: 4, group_size: 128}}\n"
TUNE = """tune:
  method: lora
  lora: {{rank: 16, alpha: 32, dropout: 0.05}}
  data: {{kind: text, path: {text}, max_length: 512}}
  max_steps: 2
  batch_size: 1
  micro_batch_size: 1
  checkpointing: true
  save_every: 1000
"""
EVAL = """eval:
  benchmarks:
    - {{kind: speed, prompt_tokens: 256, new_tokens: 16}}
    - {{kind: exact_match, path: {demo}/heldout_new.json, images: {demo}/pictures, max_new_tokens: 8, batch_size: 2, limit: 2}}
"""
LOAD = """eval:
  benchmarks:
    - {{kind: speed, prompt_tokens: 1, new_tokens: 1}}
"""
OMNIQUANT = """quantize:
  method: omniquant
  bits: 4
  group_size: 128
  calibration: {{kind: text, path: {text}, samples: {samples}, length: 2048}}
  omniquant: {{epochs: {epochs}}}
"""


class Case(NamedTuple):
    name: str
    stage: str
    recipe: str
    limit: float  # bytes of peak memory that are wanted at most; 0: what opening a packed model may need (packed_limit)


FULL = {"7b": [Case("7B, quantize rtn", "quantize", MODEL + QUANTIZE, 4e9),
               Case("7B at 4 bits, opened and a token decoded", "eval", MODEL + QUANTIZE + LOAD, 0.0),
               Case("7B at 4 bits, a LoRA step of 512 tokens", "tune", MODEL + QUANTIZE + TUNE, 12e9),
               Case("7B at 4 bits, decoding and answers about pictures", "eval", MODEL + QUANTIZE + EVAL, 6.5e9)],
        "13b": [Case("13B, quantize rtn", "quantize", MODEL + QUANTIZE, 4e9)],
        "blocks": [Case("{layers} blocks of 7B, quantize omniquant, {samples} x 2,048 tokens", "quantize", MODEL + OMNIQUANT, 10e9)]}


def measure(stage, recipe, limit, o, *more):
    """What the dry run says, then the stage itself, as a process of its own."""
    command = [o.program, stage, recipe, "--device", "cpu", "--threads", o.threads, *more]
    rows = json.loads(run([*command, "--dry-run", "--json"], o.threads).stdout)["estimate"]["rows"]
    estimate = next(row for row in rows if row["stage"] == stage)
    done = run([*command, "-q"], o.threads)
    return {"estimate_bytes": estimate["peak"], "estimate_seconds": estimate["time"], "peak_bytes": done.peak_bytes,
            "seconds": done.seconds, "limit_bytes": limit}


def packed_limit(out):
    """The packed model, one block in 16 bits and 1 GB: what opening and building a packed model may need."""
    packed = sum(p.stat().st_size for p in (out / "quantize").rglob("*.safetensors"))
    return packed + 2 * (4 * 4096**2 + 3 * 4096 * 11008) + 1e9


def measure_size(size, o):
    folder = o.out / size
    layers = ["--layers", o.layers] if size == "blocks" else []
    model = make_model(folder / "model", "llava", ["--size", "7b" if size == "blocks" else size, *layers])
    out, recipe, results = folder / "out", folder / "recipe.yaml", {}
    shutil.rmtree(out, ignore_errors=True)
    values = {"out": out.resolve(), "model": model.resolve(), "text": make_text(o.out / f"text_{o.samples}.txt", lines=4 * o.samples + 400).resolve(),
              "demo": ROOT / "recipes/demo/data", "samples": o.samples, "epochs": o.epochs}
    for case in FULL[size]:
        recipe.write_text(case.recipe.format(**values))
        name = case.name.format(layers=o.layers, samples=o.samples)
        results[name] = measure(case.stage, recipe, case.limit or packed_limit(out), o)
        print(name, results[name], flush=True)
    if not o.keep:
        shutil.rmtree(folder)
    return results


def demo(o):
    """The small model: the stages of the demo's recipe."""
    out, recipe = o.out / "demo", "recipes/demo/w4.yaml"
    shutil.rmtree(out, ignore_errors=True)
    return {f"{recipe}, {stage}": measure(stage, ROOT / recipe, 1e9, o, "--out", out.resolve())
            for stage in ("quantize", "warmup", "tune", "eval")}


def gigabytes(count):
    return f"{count / 1e9:.2f} GB"


def table(results):
    lines = ["| | peak memory | wanted at most | dry run's estimate | estimate / peak | seconds | dry run's seconds |", "| --- " * 7 + "|"]
    for name, r in results.items():
        lines.append(f"| {name} | {gigabytes(r['peak_bytes'])} | {gigabytes(r['limit_bytes'])} | {gigabytes(r['estimate_bytes'])} | "
                     f"{r['estimate_bytes'] / r['peak_bytes']:.2f} | {r['seconds']:.0f} | {r['estimate_seconds']:.0f} |")
    return "\n".join(lines)


def main():
    parser = parser_of(__doc__, "full_size", {"samples": 128, "epochs": 1, "layers": 2}, rounds=None)
    parser.add_argument("--sizes", nargs="+", choices=["demo", *FULL], default=["demo", *FULL])
    parser.add_argument("--keep", action="store_true", help="leave the models' folders, 15 GB (7b) and 27 GB (13b)")
    o = parser.parse_args()
    require_markers()
    o.out.mkdir(parents=True, exist_ok=True)
    results = {}
    for size in o.sizes:
        results |= demo(o) if size == "demo" else measure_size(size, o)
    head = f"{datetime.date.today()}, {cpu_name()}, {o.threads} threads; 7B and 13B of random weights in bfloat16, the demo in float32; one run each.\n"
    write_results("full size", o, [results], head + "\n" + table(results))


if __name__ == "__main__":
    main()
