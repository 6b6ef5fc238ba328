#!/usr/bin/env bash
# Formats all C++ and CUDA sources in place; with --check only reports, and fails, when one is not formatted.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

mode=(-i)
case ${1:-} in
  "") ;;
  --check) mode=(--dry-run -Werror) ;;
  *) say "usage: scripts/format.sh [--check]"; exit 2 ;;
esac
find lib apps cuda tests cmake -type f \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' \) -print0 |
  sort -z | xargs -0 clang-format "${mode[@]}"
