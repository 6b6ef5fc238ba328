#!/usr/bin/env python3
"""One step of scale learning on the CPU, ours beside the same method in plain PyTorch: a process each per round, in turn; the
median step of each process, its first one left out (buffers, thread pools), and its peak memory.
"""
import json
import shutil
import statistics
import sys

from bench import (BENCH, SMALL_TOWER, head_of, make_model, make_text, median, parser_of, ratio, require_markers, run,
                   run_json, target_line, write_results)

OURS = "qslaw, warmup"
PEERS = {
    "plain PyTorch, quantizer in bfloat16": ["--math", "bfloat16"],
    "the same, blocks computed again": ["--math", "bfloat16", "--checkpointing"],
    "plain PyTorch, quantizer in float32": ["--math", "float32"],
}
RECIPE = """name: scale_step
output: {out}
model: {{language: {language}, vision: {vision}, dtype: bfloat16}}
quantize: {{method: rtn, bits: {bits}, group_size: {group}}}
warmup:
  first_layer: 0
  train_projector: false
  optimizer: {{warmup_ratio: 0.0}}
  phases:
    - {{text: {{kind: text, path: {text}, max_length: {tokens}}}, max_steps: {steps}}}
  batch_size: {batch}
  micro_batch_size: {batch}
  save_every: 1000
"""


def run_ours(model, o):
    out, recipe = o.out / "ours", o.out / "recipe.yaml"
    shutil.rmtree(out, ignore_errors=True)
    recipe.write_text(RECIPE.format(out=out.resolve(), **{name: path.resolve() for name, path in model.items()}, bits=o.bits,
                                    group=o.group, tokens=o.tokens, steps=o.steps, batch=o.batch))
    for stage in ("quantize", "warmup"):  # a process each: the peak is the warm-up's own
        done = run([o.program, stage, recipe, "--device", "cpu", "--threads", o.threads, "-q"], o.threads)
    lines = [json.loads(line) for line in (out / "warmup/metrics.jsonl").read_text().splitlines()]
    return {"step_seconds": [line["step_s"] for line in lines if "step_s" in line], "peak_bytes": done.peak_bytes}


def run_peer(options, model, o):
    sizes = [f"--{name}={getattr(o, name)}" for name in ("bits", "group", "batch", "tokens", "steps", "threads")]
    return run_json([sys.executable, BENCH / "peer_scale.py", model["language"], *options, *sizes], o.threads)


def measure(model, o):
    results = {OURS: run_ours(model, o)}
    for name, options in PEERS.items():
        results[name] = run_peer(options, model, o)
    for r in results.values():
        r["tokens_per_second"] = o.batch * o.tokens / statistics.median(r["step_seconds"][1:])
    return results


def table(rounds):
    lines = ["| | tokens/s | peak memory | of it before loading | our tokens/s | our peak |", "| --- " * 6 + "|"]
    for name in rounds[0]:
        keys = ("tokens_per_second", "peak_bytes")
        ratios = ["" if name == OURS else ratio(rounds, OURS, name, key) for key in keys]
        libraries = "" if name == OURS else f"{median(rounds, name, 'libraries_bytes') / 2**20:.0f} MiB"
        lines.append(f"| {name} | {median(rounds, name, keys[0]):.0f} | {median(rounds, name, keys[1]) / 2**20:.0f} MiB | {libraries} | " +
                     " | ".join(ratios) + " |")
    return "\n".join(lines)


def targets(rounds):
    lines = []
    for name in PEERS:
        lines.append(target_line(f"speed, ours / {name}", rounds, OURS, name, "tokens_per_second", at_least=2))
        lines.append(target_line(f"peak memory, ours / {name}", rounds, OURS, name, "peak_bytes", at_most=0.6))
    return "\n".join(lines)


def main():
    parser = parser_of(__doc__, "scale_step", {"width": 1024, "ffn": 2816, "layers": 8, "bits": 4, "group": 128, "batch": 2, "tokens": 512, "steps": 6})
    o = parser.parse_args()
    require_markers()
    o.out.mkdir(parents=True, exist_ok=True)
    sizes = ["--vocab", 32000, "--width", o.width, "--ffn", o.ffn, "--layers", o.layers, "--heads", max(1, o.width // 64)]
    language = o.out / f"language_{o.layers}x{o.width}_{o.ffn}"
    model = {"language": make_model(language, "llama", sizes), "vision": make_model(o.out / "vision", "clip", SMALL_TOWER),
             "text": make_text(o.out / "text.txt")}
    rounds = [measure(model, o) for _ in range(o.rounds)]
    head = head_of(o, f"LLaMA {o.layers} x {o.width}, ffn {o.ffn}, vocabulary 32,000, {o.bits} bits, groups of {o.group}; "
                      f"{o.batch} x {o.tokens} tokens, bfloat16, gamma of every block")
    write_results("scale step", o, rounds, head + "\n" + table(rounds) + "\n\n" + targets(rounds))


if __name__ == "__main__":
    main()
