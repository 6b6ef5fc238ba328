#!/usr/bin/env python3
"""Checks that includes follow the arrows between the folders of lib/ (docs/architecture.md, "Layout").

    python tests/layers.py [repository root]
Prints one line per include against an arrow and exits 1; exits 0 when there is none.
"""
import re
import sys
from pathlib import Path

# Folder -> folders whose headers it may include directly; what those may include is allowed too.
ARROWS = {
    "core": [],
    "io": ["core"],
    "report": ["core", "io"],
    "data": ["core", "io"],
    "kernels": ["core"],
    "model": ["io", "data", "kernels"],
    "quant": ["model", "kernels", "report"],
    "train": ["model", "data", "report"],
    "eval": ["model", "data", "report"],
    "export": ["quant", "model"],
    "recipe": ["train", "eval", "export", "quant"],
}
# Header -> the only files that may include it.
RESERVED = {
    r"torch/torch\.h": [],                        # 15 s of compile time: <ATen/ATen.h> is precompiled
    r"spdlog/.*": ["lib/core/log.cpp"],           # its fmt clashes with the one in torch's include folder
    r"yaml-cpp/.*": ["lib/recipe/", "lib/report/recipe_differences.cpp"],
    r"sentencepiece.*": ["lib/io/"],
}
DEVICE_FORBIDDEN = re.compile(r"(torch|ATen|c10|at)/")  # .cu sees pointers, ints and a stream
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
SUFFIXES = {".h", ".cpp", ".cu", ".cuh"}


def reachable(folder):
    seen, stack = {folder}, [folder]
    while stack:
        for other in ARROWS[stack.pop()]:
            if other not in seen:
                seen.add(other)
                stack.append(other)
    return seen


def violation(path, header):
    """Why the file `path` (relative, posix) may not include `header`, or None."""
    parts, target = path.split("/"), header.split("/")[0]
    if parts[0] == "lib" and target in ARROWS and target not in reachable(parts[1]):
        return f"lib/{parts[1]} must not know lib/{target}"
    if parts[0] == "cuda" and target in ARROWS and target not in ("kernels", "core"):
        return f"cuda must not know lib/{target}"
    if path.endswith((".cu", ".cuh")) and DEVICE_FORBIDDEN.match(header):
        return "device code must not see torch headers"
    for pattern, allowed in RESERVED.items():
        if re.fullmatch(pattern, header) and not any(path.startswith(a) for a in allowed):
            return f"reserved for {', '.join(allowed) or 'nobody'}"
    return None


def check(root):
    """(violations as text lines, number of files read). An unknown folder of lib/ is a violation, too."""
    found, count = [], 0
    for folder in sorted(p.name for p in (root / "lib").iterdir() if p.is_dir()):
        if folder not in ARROWS:
            found.append(f"lib/{folder}: not in the table of tests/layers.py")
    files = [p for top in ("lib", "cuda", "apps") for p in sorted((root / top).rglob("*")) if p.suffix in SUFFIXES]
    for file in files:
        path = file.relative_to(root).as_posix()
        if path.split("/")[0] == "lib" and path.split("/")[1] not in ARROWS:
            continue
        count += 1
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(line)
            reason = violation(path, match[1]) if match else None
            if reason:
                found.append(f"{path}:{number}: includes {match[1]}: {reason}")
    return found, count


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]
    found, count = check(root)
    for line in found:
        print(line)
    if not count:
        print("no source found")
    print(f"{count} files, {len(found)} includes against the arrows", file=sys.stderr)
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main())
