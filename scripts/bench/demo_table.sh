#!/usr/bin/env bash
# The demo experiment: six ways to adapt the small base model, at 4, 3 and 2 bits, over three seeds, by two protocols.
# Writes docs/results.md's table and runs/demo_table/results.json. About two hours on two idle cores; a run that was stopped
# goes on where it was.
#
#   scripts/bench/demo_table.sh                      everything
#   scripts/bench/demo_table.sh --bits 2 --seeds 1   a part of it (see --help)
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"
scripts/setup.sh
exec .venv/bin/python scripts/bench/demo_table.py "$@"
