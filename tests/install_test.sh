#!/usr/bin/env bash
# Installs a build folder, moves what came of it, and runs that from elsewhere with no environment to help it.
#
#   install_test.sh CMAKE BUILD_FOLDER WORK_FOLDER [LIBTORCH_FOLDER]
# LIBTORCH_FOLDER: where LibTorch's libraries stay; without it they must have been installed too (QSLAW_BUNDLE_TORCH).
set -euo pipefail
cmake=$1 build=$2 work=$3 torch=${4:-}
moved=$work/moved
unset LD_LIBRARY_PATH LD_PRELOAD

complain() {
  printf 'install: %s\n' "$*" >&2
  exit 1
}

# Every RPATH entry of $1 stands on the file's own place, but for LibTorch's folder where it is not installed.
check_rpath() {
  local line entries entry
  line=$(readelf -d "$1" | sed -nE 's/.*\((RUNPATH|RPATH)\).*\[(.*)\]/\2/p')
  [[ -n $line ]] || complain "expected an RPATH in $1, got none"
  IFS=: read -ra entries <<<"$line"
  for entry in "${entries[@]}"; do
    [[ $entry == '$ORIGIN'* || (-n $torch && $entry == "$torch") ]] ||
      complain "expected RPATH entries that begin with \$ORIGIN, got \"$entry\" in $1"
  done
}

# What $1 is linked with, of names that match $2, is found, and in the installed lib/.
check_libraries() {
  local linked elsewhere
  linked=$(ldd "$1")
  elsewhere=$(grep -E "lib($2)[^ ]* => " <<<"$linked" | grep -vF " => $moved/" || true)
  [[ -z $elsewhere ]] || complain "expected libraries in $moved/lib for $1, got:"$'\n'"$elsewhere"
}

rm -rf "$work"
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
"$cmake" --install "$build" --prefix "$work/installed" >/dev/null
[[ ! -e $work/installed/tests ]] || complain "expected tests/ only where it is asked for"
"$cmake" --install "$build" --prefix "$work/installed" --component tests >/dev/null
mv "$work/installed" "$moved"
cd /

libraries='sentencepiece|simdjson|turbojpeg|webp|gif|yaml-cpp|spdlog|fmt|crypto'
if [[ -z $torch ]]; then libraries+='|torch|c10|gomp|cu|nccl|nv'; fi
check_rpath "$moved/bin/qslaw"
check_libraries "$moved/bin/qslaw" "$libraries"
check_rpath "$moved/lib/libqslaw_program.so"
check_libraries "$moved/lib/libqslaw_program.so" "$libraries"
if [[ -f $build/libqslaw_cuda.so ]]; then
  check_rpath "$moved/lib/libqslaw_cuda.so"
  check_libraries "$moved/lib/libqslaw_cuda.so" "$libraries"
fi

"$moved/bin/qslaw" --help >/dev/null
[[ $("$moved/bin/qslaw" --version) == "$("$build/qslaw" --version)" ]] || complain "expected the build's --version"
"$moved/bin/qslaw" quantize "$moved/share/qslaw/recipes/demo/rtn_lora.yaml" --out "$work/run" --device cpu --threads 1 -q \
  >/dev/null
[[ -s $work/run/quantize/language.safetensors ]] || complain "expected packed weights in $work/run/quantize, got none"

for program in "$moved"/tests/test_* "$moved/tests/qslaw_bench"; do
  check_rpath "$program"
  check_libraries "$program" "$libraries"
done
# The peers' steps take part where this Python has them, and are skipped where it has not.
rehearse() {
  "$moved/tests/gpu_check.sh" --rehearsal "$@" "$work/check" >"$work/targets" 2>/dev/null ||
    complain "expected a rehearsal of gpu_check.sh that passes"
}
expect_parts() {
  [[ $(grep -c '"kind": "benchmark".*"status": "'"$1"'"' "$work/check/gpu_check.json") == "$2" ]] ||
    complain "expected $2 benchmarks that $3 in $work/check/gpu_check.json, got: $(grep benchmark "$work/check/gpu_check.json")"
}
printf '#!/bin/sh\necho no Python with transformers and peft >&2\nexit 3\n' >"$work/no_peers"
chmod +x "$work/no_peers"
if [[ -x ${QSLAW_PYTHON:-} ]]; then
  rehearse --python "$QSLAW_PYTHON"
  expect_parts passed 7 passed
  "$QSLAW_PYTHON" -c 'import json, sys
check = json.load(open(sys.argv[1]))
assert all(part["complete"] and part["results"] for part in check["benchmarks"]), check["benchmarks"]
assert len(check["targets"]) == len(open(sys.argv[2]).readlines()) > 20, check["targets"]' "$work/check/gpu_check.json" "$work/targets" ||
    complain "expected gpu_check.json with whole results and a table of its targets"
else
  rehearse --python "$work/no_peers"
  expect_parts passed 5 passed
  expect_parts skipped 2 "were skipped"
  [[ $(grep -c '^skipped *peer_.*: no Python with transformers and peft$' "$work/targets") == 2 ]] ||
    complain "expected the table to say why 2 peers were skipped, got: $(tail -n 2 "$work/targets")"
fi
if [[ ! -e /dev/nvidiactl && ! -e /dev/dxg ]]; then
  code=0
  "$moved/tests/gpu_check.sh" "$work/check" >/dev/null 2>&1 || code=$?
  [[ $code == 2 ]] || complain "expected exit code 2 of gpu_check.sh without a GPU, got $code"
fi
