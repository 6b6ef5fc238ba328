#!/usr/bin/env python3
"""Prefill and decode of one sequence on the CPU, ours at 4 bits beside llama.cpp and transformers: a process each per round, in turn.

Every process loads, runs once uncounted and then a few times; a round's figure is the median of these. Output head and embeddings
are 16-bit for all, so that what differs is the blocks' linears, whose bits per weight, constants of groups included, stand beside.
"""
import json
import shutil
import statistics
import sys

from bench import (BENCH, SMALL_TOWER, head_of, make_model, median, parser_of, ratio, require_markers, run,
                   run_json, target_line, write_results)

MODELS = {  # name -> blocks, width, ffn, heads
    "small": (8, 1024, 2816, 16),
    "wide": (8, 4096, 11008, 32),  # a quarter of LLaMA-7B's blocks
    "tiny": (2, 256, 512, 4),      # to try the script
}
GROUPS = (64, 32)
OURS = {group: f"qslaw, 4 bits, groups of {group}" for group in GROUPS}
LLAMA = {"q4_0": "llama.cpp Q4_0", "q4_1": "llama.cpp Q4_1"}
DENSE = "transformers, bfloat16"
RECIPE = """name: decode
output: {out}
model: {{language: {language}, vision: {vision}, dtype: bfloat16}}
quantize: {{method: rtn, bits: 4, group_size: {group}}}
eval:
  benchmarks:
{benchmarks}
"""
BENCHMARK = "    - {{kind: speed, name: speed{i}, prompt_tokens: {prompt}, new_tokens: {new_tokens}}}"


class Model:
    """The folders and files of one size, made where they are missing."""

    def __init__(self, name, o):
        self.blocks, self.width, self.ffn, heads = MODELS[name]
        self.name, self.folder = name, o.out / name
        sizes = ["--vocab", 32000, "--width", self.width, "--ffn", self.ffn, "--layers", self.blocks, "--heads", heads]
        self.language = make_model(self.folder / "language", "llama", sizes)
        self.vision = make_model(o.out / "vision", "clip", SMALL_TOWER)
        self.weights = self.blocks * (4 * self.width**2 + 3 * self.width * self.ffn)  # of the blocks' linears
        self.gguf = {"bf16": self.folder / "bf16.gguf"}
        self.make_gguf(o)
        self.recipes = {group: self.make_ours(group, o) for group in GROUPS}

    def make_gguf(self, o):
        if not self.gguf["bf16"].exists():
            part = self.folder / "bf16.part"
            run([sys.executable, BENCH / "peer_gguf.py", self.language, part], o.threads)
            part.rename(self.gguf["bf16"])
        for kind in LLAMA:
            self.gguf[kind] = self.folder / f"{kind}.gguf"
            run([sys.executable, BENCH / "peer_llama_quantize.py", kind, self.gguf["bf16"], self.gguf[kind], "--threads", o.threads],
                o.threads)

    def make_ours(self, group, o):
        out, recipe = self.folder / f"ours_{group}", self.folder / f"ours_{group}.yaml"
        shutil.rmtree(out, ignore_errors=True)
        benchmarks = [BENCHMARK.format(i=i, prompt=o.prompt, new_tokens=o.new_tokens) for i in range(o.repeats)]
        recipe.write_text(RECIPE.format(out=out.resolve(), language=self.language.resolve(), vision=self.vision.resolve(),
                                        group=group, benchmarks="\n".join(benchmarks)))
        run([o.program, "quantize", recipe, "--device", "cpu", "--threads", o.threads, "-q"], o.threads)
        return recipe

    def bits(self):
        """Bits per weight of the blocks' linears, by contender: what lies in memory is what lies in the file."""
        bits = {OURS[group]: 8 * (self.folder / f"ours_{group}/quantize/language.safetensors").stat().st_size / self.weights
                for group in GROUPS}
        dense = self.gguf["bf16"].stat().st_size - 2 * self.weights  # head, embeddings, norms: the same in each GGUF file
        bits.update({name: 8 * (self.gguf[kind].stat().st_size - dense) / self.weights for kind, name in LLAMA.items()})
        return {**bits, DENSE: 16.0}


def run_ours(model, group, o):
    stage = model.folder / f"ours_{group}/eval"
    shutil.rmtree(stage, ignore_errors=True)
    done = run([o.program, "eval", model.recipes[group], "--device", "cpu", "--threads", o.threads, "-q"], o.threads)
    results = json.loads((stage / "report.json").read_text())["results"].values()
    return {**{key: statistics.median(r[f"{key}_tokens_per_second"] for r in results) for key in ("prefill", "decode")},
            "peak_bytes": done.peak_bytes}


def run_peer(peer, path, o):
    result = run_json([sys.executable, BENCH / "peer_decode.py", peer, path, "--prompt", o.prompt, "--new-tokens", o.new_tokens,
                       "--repeats", o.repeats, "--threads", o.threads], o.threads)
    result["prefill"] = o.prompt / statistics.median(result["prefill_seconds"])
    result["decode"] = o.new_tokens / statistics.median(result["decode_seconds"])
    return result


def measure(model, o):
    results = {OURS[group]: run_ours(model, group, o) for group in GROUPS}
    results.update({name: run_peer("llama", model.gguf[kind], o) for kind, name in LLAMA.items()})
    results[DENSE] = run_peer("transformers", model.language, o)
    return results


def table(rounds, bits):
    ours = [(key, OURS[group]) for group in GROUPS for key in ("prefill", "decode")]
    lines = ["| | bits per weight | prefill, tokens/s | decode, tokens/s | " +
             " | ".join(f"our {key}, groups of {group}" for group in GROUPS for key in ("prefill", "decode")) + " |",
             "| --- " * (4 + len(ours)) + "|"]
    for name in rounds[0]:
        ratios = ["" if name in OURS.values() else ratio(rounds, mine, name, key) for key, mine in ours]
        lines.append(f"| {name} | {bits[name]:.2f} | {median(rounds, name, 'prefill'):.0f} | {median(rounds, name, 'decode'):.1f} | " +
                     " | ".join(ratios) + " |")
    return "\n".join(lines)


def targets(rounds):
    """Q4_1 is the peer of equal form (scale and minimum per group); its 5 bits lie between our two sizes of group."""
    lines = []
    for mine in OURS.values():
        for peer in LLAMA.values():
            lines.append(target_line(f"decode, {mine} / {peer}", rounds, mine, peer, "decode", at_least=0.95))
            lines.append(target_line(f"prefill, {mine} / {peer}", rounds, mine, peer, "prefill", at_least=2))
        lines.append(target_line(f"decode, {mine} / {DENSE}", rounds, mine, DENSE, "decode", at_least=2.5))
    return "\n".join(lines)


def main():
    parser = parser_of(__doc__, "decode", {"prompt": 256, "new_tokens": 64, "repeats": 3})
    parser.add_argument("--models", nargs="+", choices=sorted(MODELS), default=["small", "wide"])
    o = parser.parse_args()
    require_markers()
    o.out.mkdir(parents=True, exist_ok=True)
    rounds, parts = {}, [head_of(o, f"batch 1, prompt of {o.prompt} tokens, {o.new_tokens} new ones, vocabulary 32,000, bfloat16")]
    for name in o.models:
        model = Model(name, o)
        rounds[name] = [measure(model, o) for _ in range(o.rounds)]
        parts += [f"### LLaMA {model.blocks} x {model.width}, ffn {model.ffn}\n", table(rounds[name], model.bits()), "",
                  targets(rounds[name]), ""]
    write_results("decode", o, rounds, "\n".join(parts).rstrip())


if __name__ == "__main__":
    main()
