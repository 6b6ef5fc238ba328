#!/usr/bin/env bash
# Opening an instruction file of LLaVA-1.5's size (665,000 samples, 1 GB, made once) beside Python's json.load of it, in turn. Needs an
# idle machine, 3 GB of disk and 6 GB of memory; five minutes. Writes runs/bench/data_open.json and the table of docs/results.md.
#
#   scripts/bench/data_open.sh                     three rounds
#   scripts/bench/data_open.sh --samples 10000     a smaller file (--help: rounds and threads)
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"
scripts/setup.sh
build build qslaw_data_open
exec .venv/bin/python scripts/bench/data_open.py "$@"
