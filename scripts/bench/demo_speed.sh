#!/usr/bin/env bash
# Time and memory of the demo's six methods, one at a time and alternating. Needs an idle machine; about half an hour on two
# cores. Writes docs/results.md's table.
#
#   scripts/bench/demo_speed.sh            4, 3 and 2 bits, three rounds
#   scripts/bench/demo_speed.sh --help     other bits, steps, rounds
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"
scripts/setup.sh
exec .venv/bin/python scripts/bench/demo_speed.py "$@"
