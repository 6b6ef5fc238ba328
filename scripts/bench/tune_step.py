#!/usr/bin/env python3
"""One tuning step on the CPU, ours beside two peers: a process each per round, in turn; the median step of each process.

The first step of a process is left out (buffers, thread pools). Ratios are taken within a round, so that a machine that
changes its speed between rounds does not enter them.
"""
import argparse
import datetime
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(Path(__file__).resolve().parent))
from demo_table import cpu_name, replace_table, require_markers  # noqa: E402

PEERS = {"bf16": "transformers + peft, bfloat16 LoRA", "nf4": "the same over bitsandbytes NF4"}
OURS = "qslaw, LoRA on packed 4-bit"
RECIPE = """name: tune_step
output: {out}
model: {{path: {model}, dtype: bfloat16}}
quantize: {{method: rtn, bits: 4, group_size: 128}}
tune:
  method: lora
  lora: {{rank: {rank}, alpha: {alpha}, dropout: {dropout}}}
  train_projector: false
  data: {{kind: text, path: {text}, max_length: {tokens}}}
  max_steps: {steps}
  batch_size: {batch}
  micro_batch_size: {batch}
  save_every: 1000
  optimizer: {{lr: 1.0e-4, warmup_ratio: 0.0}}
"""


def make_model(o):
    model = o.out / "model"
    if not (model / "config.json").exists():
        sizes = ["--width", o.width, "--ffn", o.ffn, "--layers", o.layers, "--heads", o.width // 64]
        small_tower = ["--vision-width", 64, "--vision-ffn", 128, "--vision-layers", 2, "--vision-heads", 2, "--image-size", 56]
        command = [ROOT / "scripts/make_random_model.py", "llava", model, "--vocab", 32000, *sizes, *small_tower]
        subprocess.run([sys.executable, *map(str, command)], check=True)
    text = o.out / "text.txt"
    if not text.exists():
        words = random.Random(1)
        text.write_text("\n".join(" ".join(words.choice("one two three four five six seven eight".split()) for _ in range(200))
                                  for _ in range(400)))
    return model, text


def run(command, o):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                          env=dict(os.environ, OMP_NUM_THREADS=str(o.threads)))
    if done.returncode != 0:
        raise SystemExit(f"{command}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def run_peer(method, model, o):
    out = run([sys.executable, ROOT / "scripts/bench/peer_tune.py", method, model, "--batch", o.batch, "--tokens", o.tokens,
               "--steps", o.steps, "--rank", o.rank, "--dropout", o.dropout, "--threads", o.threads], o)
    return json.loads(out.splitlines()[-1])


def run_ours(model, text, o):
    out = o.out / "ours"
    shutil.rmtree(out, ignore_errors=True)
    recipe = o.out / "recipe.yaml"
    recipe.write_text(RECIPE.format(out=out.resolve(), model=model.resolve(), text=text.resolve(), rank=o.rank, alpha=2 * o.rank,
                                    dropout=o.dropout, tokens=o.tokens, steps=o.steps, batch=o.batch))
    for stage in ("quantize", "tune"):  # a process each: the peak is the tuning's own
        run([o.program, stage, recipe, "--device", "cpu", "--threads", o.threads, "-q"], o)
    lines = [json.loads(line) for line in (out / "tune/metrics.jsonl").read_text().splitlines()]
    report = json.loads((out / "tune/report.json").read_text())
    memory = report["memory"]
    return {"step_seconds": [line["step_s"] for line in lines], "weights": memory["weights"], "optimizer": memory["optimizer"],
            "gradients": memory["gradients"], "peak_bytes": report["peak_host_bytes"]}


def measure(model, text, o):
    results = {OURS: run_ours(model, text, o)}
    for method, name in PEERS.items():
        results[name] = run_peer(method, model, o)
    for r in results.values():
        r["tokens_per_second"] = o.batch * o.tokens / statistics.median(r["step_seconds"][1:])
        r["state_bytes"] = r["weights"] + r["optimizer"] + r["gradients"]
    return results


def ratio(rounds, name, key):
    values = [r[OURS][key] / r[name][key] for r in rounds]
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def table(rounds):
    lines = ["| | tokens/s | weights, optimizer, gradients | peak memory | our tokens/s | our state | our peak |",
             "| --- " * 7 + "|"]
    for name in rounds[0]:
        middle = {k: statistics.median(r[name][k] for r in rounds) for k in ("tokens_per_second", "state_bytes", "peak_bytes")}
        lines.append(f"| {name} | {middle['tokens_per_second']:.0f} | {middle['state_bytes'] / 2**20:.0f} MiB "
                     f"| {middle['peak_bytes'] / 2**20:.0f} MiB | " +
                     " | ".join("" if name == OURS else ratio(rounds, name, k)
                                for k in ("tokens_per_second", "state_bytes", "peak_bytes")) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=str(ROOT / "build/qslaw"))
    parser.add_argument("--out", type=Path, default=ROOT / "runs/bench/tune_step")
    for name, value in (("width", 1024), ("ffn", 2816), ("layers", 8), ("batch", 2), ("tokens", 512), ("rank", 16), ("steps", 6),
                        ("rounds", 3), ("threads", os.cpu_count() or 2)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--dropout", type=float, default=0.0)
    o = parser.parse_args()
    require_markers()
    o.out.mkdir(parents=True, exist_ok=True)
    model, text = make_model(o)
    rounds = [measure(model, text, o) for _ in range(o.rounds)]
    (o.out.parent / "tune_step.json").write_text(json.dumps({"cpu": cpu_name(), "options": {k: str(v) for k, v in vars(o).items()},
                                                             "rounds": rounds}, indent=1))
    head = (f"{datetime.date.today()}, {cpu_name()}, {o.threads} threads; LLaMA {o.layers} x {o.width}, ffn {o.ffn}, vocabulary 32,000; "
            f"{o.batch} x {o.tokens} tokens, LoRA rank {o.rank}; {o.rounds} rounds, all three in each; medians, ratios ours / theirs with "
            "their range over the rounds.\n")
    text_table = head + "\n" + table(rounds)
    replace_table("tune step", text_table)
    print(text_table)


if __name__ == "__main__":
    main()
