#!/usr/bin/env bash
# `quantize` of LLaMA-7B's size from the disk beside llama.cpp's quantization and a plain copy, in turn. Needs an idle machine and
# 45 GB of disk (fewer with --blocks); half an hour on two cores, and once 20 minutes more for building llama.cpp. Writes
# runs/bench/quantize_speed.json and the table of docs/results.md.
#
#   scripts/bench/quantize_speed.sh                 32 blocks, three rounds
#   scripts/bench/quantize_speed.sh --blocks 8      a quarter of it (--help: other sizes, rounds)
source "$(dirname "${BASH_SOURCE[0]}")/peers.sh"
scripts/setup.sh
install_peers
install_llama_cpp
exec .venv-peers/bin/python scripts/bench/quantize_speed.py "$@"
