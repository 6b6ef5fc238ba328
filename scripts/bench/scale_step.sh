#!/usr/bin/env bash
# One step of scale learning on the CPU beside the same method written plainly in PyTorch, from the same weights, in turn. Needs an
# idle machine and 8 GB of memory; a quarter of an hour on two cores. Writes runs/bench/scale_step.json and the table of
# docs/results.md.
#
#   scripts/bench/scale_step.sh            three rounds
#   scripts/bench/scale_step.sh --help     other sizes, steps, rounds
source "$(dirname "${BASH_SOURCE[0]}")/peers.sh"
scripts/setup.sh
install_peers
exec .venv-peers/bin/python scripts/bench/scale_step.py "$@"
