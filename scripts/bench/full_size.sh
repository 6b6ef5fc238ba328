#!/usr/bin/env bash
# Memory and time of `qslaw` at 7B's and 13B's sizes on the CPU beside the dry run's estimates, random weights. Needs 35 GB of
# disk, 13 GiB of free memory and about an hour on two cores; writes runs/bench/full_size.json and the table of docs/results.md.
#
#   scripts/bench/full_size.sh                           everything
#   scripts/bench/full_size.sh --sizes 7b                a part of it (--help: demo, 7b, 13b, blocks; --samples, --layers)
source "$(dirname "${BASH_SOURCE[0]}")/../environment.sh"
scripts/setup.sh
install_test_wheels
exec .venv/bin/python scripts/bench/full_size.py "$@"
