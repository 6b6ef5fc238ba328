#!/usr/bin/env bash
# What needs a GPU, from an installed folder alone (no network, no Python), within 8 minutes: the tests tagged [gpu], the quick ones
# of them once more under compute-sanitizer where that is found, and the GPU benchmarks. On the building machine:
#
#   .venv/bin/cmake -DQSLAW_BUNDLE_TORCH=ON build && .venv/bin/cmake --build build
#   .venv/bin/cmake --install build --prefix DIR && .venv/bin/cmake --install build --prefix DIR --component tests
#
# and on one with a GPU
#
#   DIR/tests/gpu_check.sh [OUT]                DIR/tests/gpu_check.sh --rehearsal [OUT] tries all of it on the CPU, at small sizes
#
# OUT (default: gpu_check in the current folder) gets gpu_check.json and logs. Exit code 0: what ran passed, and it says what did not
# run and why; 1: something failed; 2: no GPU, or no installed folder around this script.
set -euo pipefail

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
device=cuda size=
if [[ ${1:-} == --rehearsal ]]; then
  device=cpu size=small
  shift
fi
out=${1:-gpu_check}
total_seconds=480     # of everything
test_seconds=180      # of the tests, after which none is begun
sanitizer_seconds=100 # of the runs under compute-sanitizer
quick_seconds=5       # a test that took no longer is run under it

complain() {
  printf 'error: [gpu_check] %s\n' "$*" >&2
  exit 2
}

say() { printf '%s\n' "== $*" >&2; }

require_everything() {
  [[ $device == cpu || -e /dev/nvidiactl || -e /dev/dxg ]] ||
    complain "expected an NVIDIA GPU, got none (neither /dev/nvidiactl nor /dev/dxg)"
  [[ -x $tests/qslaw_bench ]] || complain "expected this script in DIR/tests of an installed folder (its head says how), got $tests"
  [[ $device == cpu || -e $tests/../lib/libqslaw_cuda.so ]] ||
    complain "expected lib/libqslaw_cuda.so beside tests/, got a build without CUDA kernels"
}

# $1 as a JSON string.
json_text() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//$'\n'/\\n}
  text=${text//$'\t'/ }
  printf '"%s"' "$text"
}

entries=() failed=0
# record KIND NAME STATUS SECONDS [REASON]: passed, failed or skipped.
record() {
  local line
  line="{\"kind\": \"$1\", \"name\": $(json_text "$2"), \"status\": \"$3\", \"seconds\": $4"
  if [[ -n ${5:-} ]]; then line+=", \"reason\": $(json_text "$5")"; fi
  entries+=("$line}")
  if [[ $3 == failed ]]; then failed=1; fi
  say "$1 $2: $3${5:+ ($5)}, $4 s"
}

left() { echo $((total_seconds - SECONDS)); }

# limited SECONDS COMMAND...: at most so long, and no longer than is left of all; 124 when it was stopped.
limited() {
  local seconds=$1
  shift
  if ((seconds > $(left))); then seconds=$(left); fi
  timeout --kill-after=5 "$seconds" "$@"
}

# A test's name as Catch takes it on the command line.
catch_name() {
  local name=${1//\\/\\\\}
  name=${name//,/\\,}
  name=${name//\[/\\[}
  printf '%s' "${name//\*/\\*}"
}

quick=() # "executable|name" of tests that took little time
# Each in a process of its own: LibTorch keeps its first answer about CUDA.
run_test() {
  local program=$1 name=$2 start=$SECONDS code=0 log
  if ((SECONDS > test_seconds)); then record test "$name" skipped 0 "the $test_seconds s for tests were over"; return; fi
  log=$(limited 120 "$program" "$(catch_name "$name")" 2>&1) || code=$?
  printf '### %s\n%s\n' "$name" "$log" >>"$out/tests.log"
  local seconds=$((SECONDS - start)) not_run
  not_run=$(sed -n 's/^ *not run: //p' <<<"$log" | head -n 1)
  if ((code != 0)); then
    record test "$name" failed "$seconds" "exit code $code, tests.log"
  elif [[ -n $not_run ]]; then
    if [[ $device == cpu ]]; then record test "$name" skipped "$seconds" "$not_run"
    else record test "$name" failed "$seconds" "$not_run"; fi
  else
    record test "$name" passed "$seconds"
    if ((seconds <= quick_seconds)); then quick+=("$program|$name"); fi
  fi
}

run_tests() {
  local program name names=0
  for program in "$tests"/test_*; do
    while IFS= read -r name; do
      names=$((names + 1))
      run_test "$program" "$name"
    done < <("$program" --list-test-names-only '[gpu]' || true) # its exit code is their number
  done
  if ((names == 0)); then record test all failed 0 "expected tests tagged [gpu], got none"; fi
}

find_sanitizer() {
  command -v compute-sanitizer || {
    local path=${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer
    if [[ -x $path ]]; then echo "$path"; fi
  }
}

run_sanitizer() {
  local sanitizer test name start code began=$SECONDS
  sanitizer=$(find_sanitizer)
  if [[ -z $sanitizer ]]; then record sanitizer all skipped 0 "no compute-sanitizer on the PATH or in the CUDA toolkit"; return; fi
  if ((${#quick[@]} == 0)); then record sanitizer all skipped 0 "no test passed within $quick_seconds s"; return; fi
  for test in "${quick[@]}"; do
    name=${test#*|} start=$SECONDS code=0
    if ((SECONDS - began > sanitizer_seconds)); then
      record sanitizer "$name" skipped 0 "the $sanitizer_seconds s for it were over"
      continue
    fi
    limited 60 "$sanitizer" --error-exitcode 9 "${test%%|*}" "$(catch_name "$name")" >>"$out/sanitizer.log" 2>&1 || code=$?
    case $code in
      0) record sanitizer "$name" passed $((SECONDS - start)) ;;
      124 | 137) record sanitizer "$name" skipped $((SECONDS - start)) "stopped after $((SECONDS - start)) s" ;;
      *) record sanitizer "$name" failed $((SECONDS - start)) "exit code $code, sanitizer.log" ;;
    esac
  done
}

benchmarks=()
# run_benchmark PART SECONDS
run_benchmark() {
  local start=$SECONDS code=0 file=$out/bench_$1.json
  if (($(left) < 15)); then record benchmark "$1" skipped 0 "no time left"; return; fi
  limited "$2" "$tests/qslaw_bench" "$1" "$device" ${size:+"$size"} >"$file" 2>"$out/bench_$1.log" || code=$?
  case $code in
    0)
      record benchmark "$1" passed $((SECONDS - start))
      benchmarks+=("$(<"$file")")
      ;;
    124 | 137) record benchmark "$1" failed $((SECONDS - start)) "stopped after $((SECONDS - start)) s" ;;
    *) record benchmark "$1" failed $((SECONDS - start)) "$(tail -n 1 "$out/bench_$1.log")" ;;
  esac
}

gpu_name() {
  if [[ $device == cpu ]]; then echo "rehearsal on the CPU"; return; fi
  nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader 2>/dev/null || echo "unknown (no nvidia-smi)"
}

joined() {
  local IFS=$'\n' text
  text="$*"
  printf '%s' "${text//$'\n'/,$'\n'  }"
}

write_report() {
  printf '{"date": "%s", "gpu": %s, "seconds": %d,\n "parts": [\n  %s],\n "benchmarks": [\n  %s]}\n' "$(date -u +%F)" \
    "$(json_text "$(gpu_name)")" "$SECONDS" "$(joined "${entries[@]}")" "$(joined "${benchmarks[@]}")" >"$out/gpu_check.json"
  say "$out/gpu_check.json, $SECONDS s"
}

require_everything
mkdir -p "$out"
rm -f "$out"/{gpu_check.json,tests.log,sanitizer.log} "$out"/bench_*.{json,log} # OUT may be a folder with other files
run_tests
run_sanitizer
run_benchmark kernels 60
run_benchmark products 90
run_benchmark steps_7b 100
run_benchmark steps_13b 120
write_report
exit "$failed"
