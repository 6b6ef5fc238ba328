#!/usr/bin/env bash
# What needs a GPU, from an installed folder alone (no network), within 8 minutes: the tests tagged [gpu], the quick ones of them once
# more under compute-sanitizer where that is found, the GPU benchmarks, and the tuning steps of transformers + peft on the same card
# where a Python with these is found. On the building machine:
#
#   .venv/bin/cmake -DQSLAW_BUNDLE_TORCH=ON build && .venv/bin/cmake --build build
#   .venv/bin/cmake --install build --prefix DIR && .venv/bin/cmake --install build --prefix DIR --component tests
#
# and on one with a GPU
#
#   DIR/tests/gpu_check.sh [OUT]
#   --python PATH   a Python with torch for CUDA, transformers and peft; default: python3
#   --rehearsal     tries all of it on the CPU, at small sizes
#
# OUT (default: gpu_check in the current folder) gets gpu_check.json, logs, and what every benchmark printed, a line per figure, also of
# one that was stopped. Behind it a table says what is wanted of which figure and whether it is reached. Exit code 0: what ran passed,
# and gpu_check.json says what did not run or not to its end and why; 1: something failed; 2: no GPU, or no installed folder around
# this script.
set -euo pipefail
export LC_ALL=C

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
total_seconds=480    # of everything; what tests and sanitizers leave is the benchmarks'
test_seconds=100     # of the tests, after which none is begun
sanitizer_seconds=60 # of the runs under compute-sanitizer before the benchmarks; more at the end, when time is left
quick_seconds=5      # a test that took no longer is run under it

complain() {
  printf 'error: [gpu_check] %s\n' "$*" >&2
  exit 2
}

device=cuda size=() python=
while [[ ${1:-} == --* ]]; do
  case $1 in
    --rehearsal) device=cpu size=(small) ;;
    --python)
      python=${2:-}
      [[ -x $python ]] || complain "expected a program behind --python, got \"$python\""
      shift
      ;;
    *) complain "expected --rehearsal or --python PATH, got $1" ;;
  esac
  shift
done
out=${1:-gpu_check}

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
# record KIND NAME STATUS SECONDS [REASON]: passed, failed, skipped, or partial for one that was stopped.
record() {
  local line
  line="{\"kind\": \"$1\", \"name\": $(json_text "$2"), \"status\": \"$3\", \"seconds\": $4"
  if [[ -n ${5:-} ]]; then line+=", \"reason\": $(json_text "$5")"; fi
  entries+=("$line}")
  if [[ $3 == failed ]]; then failed=1; fi
  say "$1 $2: $3${5:+ ($5)}, $4 s"
}

left() { echo $((total_seconds - SECONDS)); }

# limited SECONDS COMMAND...: at most so long, and no longer than is left of all; 124 or 137 when it was stopped.
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

checks=() # "tool|executable|name" of what is to be run under compute-sanitizer
# Each in a process of its own: LibTorch keeps its first answer about CUDA.
run_test() {
  local program=$1 name=$2 shares=$3 graph=$4 start=$SECONDS code=0 log
  if ((SECONDS > test_seconds)); then record test "$name" skipped 0 "the $test_seconds s for tests were over"; return; fi
  log=$(limited 60 "$program" "$(catch_name "$name")" 2>&1) || code=$?
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
    if ((seconds > quick_seconds)); then return; fi
    # The checks do without LibTorch's cache of memory, from which a recorded graph takes its own.
    if [[ $graph == yes ]]; then record memcheck "$name" skipped 0 "records a CUDA graph"; return; fi
    checks+=("memcheck|$program|$name")
    if [[ $shares == yes ]]; then checks+=("racecheck|$program|$name"); fi
  fi
}

# The names of $1's tests with the tags $2; its exit code is their number.
test_names() { "$1" --list-test-names-only "$2" || true; }

# Tests tagged [shared] run kernels that use shared memory; those tagged [graph] record CUDA graphs.
run_tests() {
  local program name names=0 shared shares graphs graph
  for program in "$tests"/test_*; do
    shared=$(test_names "$program" '[gpu][shared]')
    graphs=$(test_names "$program" '[gpu][graph]')
    while IFS= read -r name; do
      names=$((names + 1)) shares=no graph=no
      if grep -qxF -- "$name" <<<"$shared"; then shares=yes; fi
      if grep -qxF -- "$name" <<<"$graphs"; then graph=yes; fi
      run_test "$program" "$name" "$shares" "$graph"
    done < <(test_names "$program" '[gpu]')
  done
  if ((names == 0)); then record test all failed 0 "expected tests tagged [gpu], got none"; fi
}

find_sanitizer() {
  command -v compute-sanitizer || {
    local path=${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer
    if [[ -x $path ]]; then echo "$path"; fi
  }
}

# Without LibTorch's cache every tensor is memory of its own, so that reading past its end is seen.
run_check() {
  local tool=$1 program=$2 name=$3 start=$SECONDS code=0
  PYTORCH_NO_CUDA_MEMORY_CACHING=1 limited 60 "$sanitizer" --tool "$tool" --error-exitcode 9 "$program" "$(catch_name "$name")" \
    >>"$out/sanitizer.log" 2>&1 || code=$?
  case $code in
    0) record "$tool" "$name" passed $((SECONDS - start)) ;;
    124 | 137) record "$tool" "$name" skipped $((SECONDS - start)) "stopped after $((SECONDS - start)) s" ;;
    *) record "$tool" "$name" failed $((SECONDS - start)) "exit code $code, sanitizer.log" ;;
  esac
}

next_check=0
# run_checks SECOND: those that are left, none being begun behind that second of the whole.
run_checks() {
  local check
  while ((next_check < ${#checks[@]} && SECONDS < $1)); do
    IFS='|' read -r -a check <<<"${checks[next_check]}"
    next_check=$((next_check + 1))
    run_check "${check[@]}"
  done
}

begin_checks() {
  sanitizer=$(find_sanitizer)
  if [[ -z $sanitizer ]]; then
    record sanitizer all skipped 0 "no compute-sanitizer on the PATH or in the CUDA toolkit"
    checks=()
  elif ((${#checks[@]} == 0)); then
    record sanitizer all skipped 0 "no test passed within $quick_seconds s"
  fi
  run_checks $((SECONDS + sanitizer_seconds))
}

end_checks() {
  local check
  run_checks $((total_seconds - 20))
  for check in "${checks[@]:next_check}"; do record "${check%%|*}" "${check##*|}" skipped 0 "no time left"; done
}

# The values of lines {"$1":VALUE} of the file.
values() { sed -n "s/^{\"$1\":\(.*\)}\$/\1/p" "$2"; }

benchmarks=() targets=()
# keep PART COMPLETE: what a benchmark has printed, to its end or not.
keep() {
  local file=$out/bench_$1.jsonl
  benchmarks+=("{\"part\": \"$1\", \"complete\": $2, \"results\": [$(values result "$file" | paste -sd ,)]}")
  mapfile -t -O "${#targets[@]}" targets < <(values target "$file")
}

# end_benchmark PART SECONDS CODE: records how it ended.
end_benchmark() {
  local file=$out/bench_$1.jsonl last problem
  last=$(values result "$file" | sed -n 's/.*"name":"\([^"]*\)".*/\1/p' | tail -n 1)
  problem=$(values result "$file" | sed -n 's/.*"error":"\(\([^"\\]\|\\.\)*\)".*/\1/p' | head -n 1)
  case $3 in
    0) record benchmark "$1" passed "$2" ;;
    124 | 137) record benchmark "$1" partial "$2" "stopped after $2 s behind $(values result "$file" | wc -l) results, ${last:-none}" ;;
    *) record benchmark "$1" failed "$2" "${problem:-$(tail -n 1 "$out/bench_$1.log")}" ;;
  esac
  if (($3 == 0)); then keep "$1" true; else keep "$1" false; fi
}

# run_benchmark PART SECONDS
run_benchmark() {
  local start=$SECONDS code=0
  if (($(left) < 15)); then record benchmark "$1" skipped 0 "no time left"; return; fi
  limited "$2" "$tests/qslaw_bench" "$1" "$device" "${size[@]}" >"$out/bench_$1.jsonl" 2>"$out/bench_$1.log" || code=$?
  end_benchmark "$1" $((SECONDS - start)) "$code"
}

# run_peer SIZE SECONDS: beside our own steps of tune_SIZE.
run_peer() {
  local part=peer_$1 start=$SECONDS code=0 ours=$out/bench_tune_$1.jsonl shape=(--tokens 2048 --rank 128)
  if [[ $device == cpu ]]; then shape=(--tokens 16 --rank 4 --steps 2); fi
  if [[ -z ${python:=$(command -v python3)} ]]; then record benchmark "$part" skipped 0 "no Python with transformers and peft"; return; fi
  if (($(left) < 30)); then record benchmark "$part" skipped 0 "no time left"; return; fi
  if [[ ! -s $ours ]]; then record benchmark "$part" skipped 0 "there is nothing of tune_$1 to compare with"; return; fi
  HF_HUB_OFFLINE=1 limited "$2" "$python" "$tests/peer_tune.py" bf16 "${size[0]:-$1}" --device "$device" --batch 1 "${shape[@]}" \
    --checkpointing block none --ours "$ours" >"$out/bench_$part.jsonl" 2>"$out/bench_$part.log" || code=$?
  if ((code == 3)); then record benchmark "$part" skipped $((SECONDS - start)) "$(tail -n 1 "$out/bench_$part.log")"; return; fi
  end_benchmark "$part" $((SECONDS - start)) "$code"
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
  printf '{"date": "%s", "gpu": %s, "seconds": %d,\n "parts": [\n  %s],\n "targets": [\n  %s],\n "benchmarks": [\n  %s]}\n' \
    "$(date -u +%F)" "$(json_text "$(gpu_name)")" "$SECONDS" "$(joined "${entries[@]}")" "$(joined "${targets[@]}")" \
    "$(joined "${benchmarks[@]}")" >"$out/gpu_check.json"
  say "$out/gpu_check.json, $SECONDS s"
}

# Every target on a line: reached or not, the value, what is wanted, of what.
print_targets() {
  local target pattern='^\{"reached":(true|false),"value":([^,]*),"wanted":"([^"]*)","what":"(.*)"\}$' value
  for target in "${targets[@]}"; do
    [[ $target =~ $pattern ]] || continue
    value=${BASH_REMATCH[2]}
    if [[ $value != null ]]; then value=$(printf '%.4g' "$value"); fi
    if [[ ${BASH_REMATCH[1]} == true ]]; then printf '%-12s' reached; else printf '%-12s' 'not reached'; fi
    printf '%10s  %-18s %s\n' "$value" "${BASH_REMATCH[3]}" "${BASH_REMATCH[4]}"
  done
}

require_everything
mkdir -p "$out"
rm -f "$out"/{gpu_check.json,tests.log,sanitizer.log} "$out"/bench_*.{jsonl,log} # OUT may be a folder with other files
run_tests
begin_checks
run_benchmark kernels 45
run_benchmark products 70
run_benchmark tune_7b 60
run_benchmark tune_13b 80
run_benchmark decode_7b 40
run_peer 7b 90
run_peer 13b 90
end_checks
write_report
print_targets
exit "$failed"
