#!/usr/bin/env bash
# One tuning step on the CPU beside its peers: LoRA on packed 4-bit weights against transformers + peft in bfloat16 and the same
# over bitsandbytes NF4, each with autocast and without, all from the same safetensors, alternating. Needs an idle machine; 25 minutes
# on two cores.
# Writes runs/bench/tune_step.json and the table of docs/results.md.
#
#   scripts/bench/tune_step.sh            three rounds
#   scripts/bench/tune_step.sh --help     other sizes, steps, rounds
source "$(dirname "${BASH_SOURCE[0]}")/peers.sh"
scripts/setup.sh
install_peers
exec .venv-peers/bin/python scripts/bench/tune_step.py "$@"
