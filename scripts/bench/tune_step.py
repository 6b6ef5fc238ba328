#!/usr/bin/env python3
"""One tuning step on the CPU, ours beside two peers: a process each per round, in turn; the median step of each process.

The first step of a process is left out (buffers, thread pools). Ratios are taken within a round, so that a machine that
changes its speed between rounds does not enter them. Each peer runs as peft has it, adapters' products in float32, and under
autocast, which makes them in bfloat16, as ours are.
"""
import json
import shutil
import statistics
import sys

from bench import (BENCH, SMALL_TOWER, head_of, make_model, make_text, median, parser_of, ratio, require_markers,
                   run, run_json, target_line, write_results)

DENSE = "transformers + peft, bfloat16 LoRA"
PEERS = {
    DENSE: ["bf16", "--no-autocast"],
    "the same under autocast": ["bf16"],
    "the same over bitsandbytes NF4": ["nf4", "--no-autocast"],
    "NF4 under autocast": ["nf4"],
}
FASTEST = "the fastest peer"
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


def run_peer(options, model, o):
    method, *flags = options
    return run_json([sys.executable, BENCH / "peer_tune.py", method, model, *flags, "--batch", o.batch, "--tokens", o.tokens, "--steps", o.steps,
                     "--rank", o.rank, "--dropout", o.dropout, "--threads", o.threads], o.threads)


def run_ours(model, text, o):
    out = o.out / "ours"
    shutil.rmtree(out, ignore_errors=True)
    recipe = o.out / "recipe.yaml"
    recipe.write_text(RECIPE.format(out=out.resolve(), model=model.resolve(), text=text.resolve(), rank=o.rank, alpha=2 * o.rank,
                                    dropout=o.dropout, tokens=o.tokens, steps=o.steps, batch=o.batch))
    for stage in ("quantize", "tune"):  # a process each: the peak is the tuning's own
        done = run([o.program, stage, recipe, "--device", "cpu", "--threads", o.threads, "-q"], o.threads)
    lines = [json.loads(line) for line in (out / "tune/metrics.jsonl").read_text().splitlines()]
    memory = json.loads((out / "tune/report.json").read_text())["memory"]
    sizes = {key: memory[key] for key in ("weights", "optimizer", "gradients")}
    return {"step_seconds": [line["step_s"] for line in lines], **sizes, "peak_bytes": done.peak_bytes}


def measure(model, text, o):
    results = {OURS: run_ours(model, text, o)}
    for name, options in PEERS.items():
        results[name] = run_peer(options, model, o)
    for r in results.values():
        r["tokens_per_second"] = o.batch * o.tokens / statistics.median(r["step_seconds"][1:])
        r["state_bytes"] = r["weights"] + r["optimizer"] + r["gradients"]
    return results


def table(rounds):
    keys = ("tokens_per_second", "state_bytes", "peak_bytes")
    lines = ["| | tokens/s | weights, optimizer, gradients | peak memory | our tokens/s | our state | our peak |",
             "| --- " * 7 + "|"]
    for name in rounds[0]:
        tokens, state, peak = (median(rounds, name, key) for key in keys)
        ratios = ["" if name == OURS else ratio(rounds, OURS, name, key) for key in keys]
        lines.append(f"| {name} | {tokens:.0f} | {state / 2**20:.0f} MiB | {peak / 2**20:.0f} MiB | " + " | ".join(ratios) + " |")
    return "\n".join(lines)


def targets(rounds):
    def fastest(r):
        return max((r[name] for name in PEERS), key=lambda peer: peer["tokens_per_second"])

    beside_fastest = [{**r, FASTEST: fastest(r)} for r in rounds]
    lines = [target_line(f"tokens/s, ours / {FASTEST}", beside_fastest, OURS, FASTEST, "tokens_per_second", at_least=1.15),
             target_line(f"weights, optimizer, gradients, ours / {DENSE}", rounds, OURS, DENSE, "state_bytes", at_most=0.45)]
    lines += [target_line(f"peak memory, ours / {name}", rounds, OURS, name, "peak_bytes", at_most=0.5) for name in PEERS]
    return "\n".join(lines)


def main():
    parser = parser_of(__doc__, "tune_step", {"width": 1024, "ffn": 2816, "layers": 8, "batch": 2, "tokens": 512, "rank": 16, "steps": 6})
    parser.add_argument("--dropout", type=float, default=0.0)
    o = parser.parse_args()
    require_markers()
    o.out.mkdir(parents=True, exist_ok=True)
    sizes = ["--vocab", 32000, "--width", o.width, "--ffn", o.ffn, "--layers", o.layers, "--heads", o.width // 64]
    model, text = make_model(o.out / "model", "llava", [*sizes, *SMALL_TOWER]), make_text(o.out / "text.txt")
    rounds = [measure(model, text, o) for _ in range(o.rounds)]
    head = head_of(o, f"LLaMA {o.layers} x {o.width}, ffn {o.ffn}, vocabulary 32,000; {o.batch} x {o.tokens} tokens, LoRA rank {o.rank}")
    write_results("tune step", o, rounds, head + "\n" + table(rounds) + "\n\n" + targets(rounds))


if __name__ == "__main__":
    main()
