#!/usr/bin/env python3
"""`qslaw quantize` (rtn, 4 bits) of a LLaMA folder on the disk beside llama.cpp's quantization to Q4_1 of the same weights and a
plain copy of the folder: a process each per round, in turn.

Before each, what the page cache holds of its source is dropped (posix_fadvise); its time ends when what it wrote is on the disk
(sync). Both alike for all three. What was written is deleted before the next one.
"""
import os
import shutil
import statistics
import sys
import time

from bench import (BENCH, SMALL_TOWER, forget, head_of, make_model, median, parser_of, ratio, require_markers, run, write_results)

OURS, PEER, COPY = "qslaw quantize, rtn", "llama.cpp, Q4_1", "cp"
PEAK_WANTED = 2.5e9
RECIPE = """name: quantize_speed
output: {out}
model: {{language: {language}, vision: {vision}, dtype: bfloat16}}
quantize: {{method: rtn, bits: 4, group_size: {group}}}
"""


def timed(command, sources, target, o):
    """Seconds until the command has ended and its output is on the disk, its peak memory, bytes written."""
    forget(sources)
    began = time.perf_counter()
    done = run(command, o.threads)
    os.sync()
    seconds = time.perf_counter() - began
    written = sum(p.stat().st_size for p in [target, *target.rglob("*")] if p.is_file())
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    return {"seconds": seconds, "command_seconds": done.seconds, "peak_bytes": done.peak_bytes, "written_bytes": written}


def make_gguf(language, o):
    path = o.out / f"{language.name}.gguf"
    if not path.exists():
        part = path.with_suffix(".part")
        run([sys.executable, BENCH / "peer_gguf.py", language, part], o.threads)
        part.rename(path)
    return path


def measure(language, gguf, vision, o):
    ours, recipe, copied, packed = o.out / "ours", o.out / "recipe.yaml", o.out / "copy", o.out / "q4_1.gguf"
    recipe.write_text(RECIPE.format(out=ours.resolve(), language=language.resolve(), vision=vision.resolve(), group=o.group))
    files = [p for p in language.iterdir() if p.is_file()]
    shutil.rmtree(ours, ignore_errors=True)
    return {
        OURS: timed([o.program, "quantize", recipe, "--device", "cpu", "--threads", o.threads, "-q"], files, ours, o),
        PEER: timed([sys.executable, BENCH / "peer_llama_quantize.py", "q4_1", gguf, packed, "--threads", o.threads], [gguf], packed, o),
        COPY: timed(["cp", "-r", language, copied], files, copied, o),
    }


def table(rounds):
    lines = ["| | seconds | written | peak memory | our seconds |", "| --- " * 5 + "|"]
    for name in rounds[0]:
        seconds, written, peak = (median(rounds, name, key) for key in ("seconds", "written_bytes", "peak_bytes"))
        lines.append(f"| {name} | {seconds:.1f} | {written / 1e9:.2f} GB | {peak / 1e9:.2f} GB | "
                     f"{'' if name == OURS else ratio(rounds, OURS, name, 'seconds')} |")
    return "\n".join(lines)


def targets(rounds):
    slower = [max(r[PEER]["seconds"], 1.5 * r[COPY]["seconds"]) for r in rounds]
    ratios = [r[OURS]["seconds"] / s for r, s in zip(rounds, slower)]
    peak = median(rounds, OURS, "peak_bytes")
    return (f"- Time over the slower of {PEER} and 1.5 copies: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}). "
            f"Wanted: at most 1.2; {'reached' if statistics.median(ratios) <= 1.2 else 'not reached'}.\n"
            f"- Peak memory: {peak / 1e9:.2f} GB. Wanted: less than {PEAK_WANTED / 1e9} GB; "
            f"{'reached' if peak < PEAK_WANTED else 'not reached'}.")


def require_space(folder, o):
    """16-bit weights three times (source, GGUF, copy) and packed ones once. What is there already counts as free."""
    weights = 2 * (o.blocks * (4 * o.width**2 + 3 * o.width * o.ffn) + 2 * 32000 * o.width)
    there = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    free = shutil.disk_usage(folder).free + there
    if free < 3.1 * weights:
        print(f"error: [disk] expected {3.1 * weights / 1e9:.0f} GB free for {o.blocks} blocks, got {free / 1e9:.0f} GB: fewer --blocks ({folder})",
              file=sys.stderr)
        sys.exit(2)


def main():
    parser = parser_of(__doc__, "quantize_speed", {"blocks": 32, "width": 4096, "ffn": 11008, "heads": 32, "group": 128})
    o = parser.parse_args()
    require_markers()
    o.out.mkdir(parents=True, exist_ok=True)
    require_space(o.out, o)
    language = make_model(o.out / f"language_{o.blocks}x{o.width}_{o.ffn}", "llama",
                          ["--layers", o.blocks, "--width", o.width, "--ffn", o.ffn, "--heads", o.heads])
    vision, gguf = make_model(o.out / "vision", "clip", SMALL_TOWER), make_gguf(language, o)
    rounds = [measure(language, gguf, vision, o) for _ in range(o.rounds)]
    head = head_of(o, f"LLaMA {o.blocks} x {o.width}, ffn {o.ffn}, bfloat16, ours in groups of {o.group}; page cache dropped before, "
                      "written to the disk at the end, alike for all")
    write_results("quantize speed", o, rounds, head + "\n" + table(rounds) + "\n\n" + targets(rounds))


if __name__ == "__main__":
    main()
