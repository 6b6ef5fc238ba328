#!/usr/bin/env bash
# Loading pictures for a vision tower, our loader beside PIL and transformers' CLIPImageProcessor, and whether tuning waits for it:
# 1,000 photos (made once, scripts/bench/make_photos.py). Needs an idle machine with two cores; five minutes. Writes
# runs/bench/pictures.json and the table of docs/results.md.
#
#   scripts/bench/pictures.sh                        three rounds
#   scripts/bench/pictures.sh --rounds 1 --no-table  to try it (--help: pictures, micro-batch, steps, threads)
source "$(dirname "${BASH_SOURCE[0]}")/peers.sh"
scripts/setup.sh
build build qslaw_pictures
install_peers
install_torchvision
exec .venv-peers/bin/python scripts/bench/pictures.py "$@"
