#!/usr/bin/env bash
# Installs what qslaw needs (Debian 12 packages, a .venv with CMake, Ninja and LibTorch) and builds build/qslaw.
#
#   scripts/setup.sh              everything; a second run only rebuilds what changed
#   scripts/setup.sh --packages   packages only
#   CMAKE_PREFIX_PATH=/path/to/libtorch scripts/setup.sh    uses that LibTorch instead of the PyPI wheel
# With another CMAKE_PREFIX_PATH or nvcc than the last time it builds anew.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

case ${1:-} in
  "" | --packages) ;;
  *) say "usage: scripts/setup.sh [--packages]"; exit 2 ;;
esac
install_apt_packages
make_venv
install_wheels
if [[ ${1:-} == --packages ]]; then exit 0; fi
configure build
build build qslaw
say "ready: build/qslaw"
