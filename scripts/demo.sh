#!/usr/bin/env bash
# The embedded example from nothing: sets up, then quantizes the shipped base model, learns its scales on pictures and text,
# tunes it for a new task, measures and exports it, and writes the page runs/demo_w4/report.html.
#
#   scripts/demo.sh                    the whole experiment; minutes once everything is built
#   QSLAW_DEMO=short scripts/demo.sh   every stage with few steps, to see that all of it works; its numbers mean nothing
# Further arguments go to `qslaw run`, for example --device cuda or --restart.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

scripts/setup.sh
arguments=(--resume)
if [[ ${QSLAW_DEMO:-} == short ]]; then
  arguments+=(--out runs/demo_short --set name=demo_short
    --set quantize.omniquant.epochs=1 --set quantize.calibration.samples=8
    --set warmup.phases.0.max_steps=4 --set warmup.phases.1.max_steps=4 --set warmup.heldout.every=4
    --set tune.max_steps=6)
  for benchmark in 0 1 2 3; do arguments+=(--set "eval.benchmarks.$benchmark.limit=24"); done
fi
say "qslaw run recipes/demo/w4.yaml"
build/qslaw run recipes/demo/w4.yaml "${arguments[@]}" "$@"
say "the page: $([[ ${QSLAW_DEMO:-} == short ]] && echo runs/demo_short || echo runs/demo_w4)/report.html"
