#!/usr/bin/env bash
# Prefill and decode on the CPU beside llama.cpp and transformers, all from the same weights, in turn. Needs an idle machine, 7 GB of
# memory and 15 GB of disk; half an hour on two cores, and once 20 minutes more for building llama.cpp. Writes
# runs/bench/decode.json and the table of docs/results.md.
#
#   scripts/bench/decode.sh                              both sizes, three rounds
#   scripts/bench/decode.sh --models tiny --no-table     to try it (--help: other sizes, rounds)
source "$(dirname "${BASH_SOURCE[0]}")/peers.sh"
scripts/setup.sh
install_peers
install_llama_cpp
exec .venv-peers/bin/python scripts/bench/decode.py "$@"
