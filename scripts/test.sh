#!/usr/bin/env bash
# Sets up, builds everything and runs all tests. Arguments go to ctest: scripts/test.sh -R quant
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

scripts/setup.sh --packages
install_test_wheels
configure build
build build
.venv/bin/ctest --test-dir build -j2 --output-on-failure "$@"
