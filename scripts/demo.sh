#!/usr/bin/env bash
# The embedded example from nothing: sets up, trains a small base model on real handwritten digits, quantizes it, learns
# its scales, tunes it for a new task, measures and exports it.
#
#   scripts/demo.sh                    the whole experiment
#   QSLAW_DEMO=short scripts/demo.sh   every stage with few steps, to see that all of it works; its numbers mean nothing
# Further arguments go to `qslaw run`, for example --device cuda.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

scripts/setup.sh
recipes=(recipes/demo/base.yaml recipes/demo/w4.yaml)
if [[ ${QSLAW_DEMO:-} == short ]]; then
  recipes=(recipes/demo/short/base.yaml recipes/demo/short/w4.yaml)
fi
for recipe in "${recipes[@]}"; do
  say "qslaw run $recipe"
  build/qslaw run "$recipe" "$@"
done
