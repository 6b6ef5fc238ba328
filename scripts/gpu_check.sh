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
# one that was stopped. Behind it a table says what is wanted of which figure and whether it is reached, and which benchmarks did not
# run or not to their end. Exit code 0: what ran passed, and gpu_check.json says what did not run or not to its end and why; 1: something
# failed; 2: no GPU, or no installed folder around this script.
set -euo pipefail
export LC_ALL=C

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kill_seconds=5   # what is stopped by SIGTERM has so long to end
least_seconds=15 # with less left of their part no test and no check is begun
quick_seconds=5  # a test that took no longer, or is tagged [first], is run under compute-sanitizer
at_once=4        # tests that run at a time: most of what one takes is the host's, to load libraries and to compute what is expected

# The parts in their order, and the seconds of each, 480 in all. A part ends, with what it began last, at the sum up to its own, stopped
# if need be. So none takes from those behind it, the whole holds in the worst case, and what one leaves over is the next one's. Peers
# run right behind what they are compared with.
parts=()
declare -A must_end=()
total_seconds=0
while read -r part seconds; do
  parts+=("$part")
  total_seconds=$((total_seconds + seconds))
  must_end[$part]=$total_seconds
done <<'BUDGET'
tests       80
sanitizer   60
kernels     40
products    70
decode_7b   25
tune_7b     40
peer_7b     50
tune_13b    50
peer_13b    50
checks      10
report       5
BUDGET

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

# Reads to the end, unlike head, without which what writes would be stopped by SIGPIPE, and by pipefail this script.
first_line() { sed -n 1p; }

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
  printf '"%s"' "${text//[[:cntrl:]]/ }"
}

entries=() unfinished=() failed=0
# record KIND NAME STATUS SECONDS [REASON]: passed, failed, skipped, or partial for one that was stopped.
record() {
  local line
  line="{\"kind\": \"$1\", \"name\": $(json_text "$2"), \"status\": \"$3\", \"seconds\": $4"
  if [[ -n ${5:-} ]]; then line+=", \"reason\": $(json_text "$5")"; fi
  entries+=("$line}")
  if [[ $3 == failed ]]; then failed=1; fi
  if [[ $1 == benchmark && $3 != passed ]]; then unfinished+=("$(printf '%-12s%s: %s' "$3" "$2" "${5:-}")"); fi
  say "$1 $2: $3${5:+ ($5)}, $4 s"
}

# Seconds left of part $1.
left() { echo $((${must_end[$1]} - SECONDS)); }

# limited PART SECONDS COMMAND...: at most so long, and no longer than is left of the part; 124 or 137 when it was stopped.
limited() {
  local part=$1 seconds=$2 most
  shift 2
  most=$(($(left "$part") - kill_seconds))
  if ((seconds > most)); then seconds=$most; fi
  if ((seconds < 1)); then return 124; fi
  timeout --kill-after=$kill_seconds "$seconds" "$@"
}

# A test's name as Catch takes it on the command line.
catch_name() {
  local name=${1//\\/\\\\}
  name=${name//,/\\,}
  name=${name//\[/\\[}
  printf '%s' "${name//\*/\\*}"
}

checks=() # "rank|tool|graph|executable|name" of what is to be run under compute-sanitizer
# queue_checks PROGRAM NAME SHARES GRAPH FIRST: each yes or no.
queue_checks() {
  local memory_rank=3 race_rank=3
  if [[ $5 == yes ]]; then memory_rank=1 race_rank=2; fi
  checks+=("$memory_rank|memcheck|$4|$1|$2")
  if [[ $3 == yes && $4 == no ]]; then checks+=("$race_rank|racecheck|no|$1|$2"); fi
}

# start_test NUMBER PROGRAM NAME, in a process of its own: LibTorch keeps its first answer about CUDA. Leaves what it printed; and behind
# its end the exit code, seconds, and what is left of the part.
start_test() {
  local start=$SECONDS code=0
  limited tests 60 "$2" "$(catch_name "$3")" >"$work/$1.log" 2>&1 || code=$?
  printf '%s\n' "$code $((SECONDS - start)) $(left tests)" >"$work/$1.end"
}

# end_test NUMBER PROGRAM NAME SHARES GRAPH FIRST: records how it ended.
end_test() {
  local log=$work/$1.log name=$3 code seconds rest not_run
  if [[ ! -e $work/$1.end ]]; then record test "$name" skipped 0 "the time for tests was over"; return; fi
  read -r code seconds rest <"$work/$1.end"
  printf '### %s\n' "$name" | cat - "$log" >>"$out/tests.log"
  not_run=$(sed -n 's/^ *not run: //p' "$log" | first_line)
  if (((code == 124 || code == 137) && rest <= kill_seconds)); then
    record test "$name" skipped "$seconds" "stopped after $seconds s: the time for tests was over"
  elif ((code != 0)); then
    record test "$name" failed "$seconds" "exit code $code, tests.log"
  elif [[ -n $not_run ]]; then
    if [[ $device == cpu ]]; then record test "$name" skipped "$seconds" "$not_run"
    else record test "$name" failed "$seconds" "$not_run"; fi
  else
    record test "$name" passed "$seconds"
    if ((seconds <= quick_seconds)) || [[ $6 == yes ]]; then queue_checks "${@:2}"; fi
  fi
}

# The names of $1's tests with the tags $2; its exit code is their number.
test_names() { limited tests 30 "$1" --list-test-names-only "$2" || true; }

# yes or no: whether $1 is a line of $2.
is_listed() { if grep -qxF -- "$1" <<<"$2"; then echo yes; else echo no; fi; }

found=() # "executable|name|shares|graph|first" of every test
# Tests tagged [shared] run kernels that use shared memory, those tagged [graph] record CUDA graphs; the checks of those tagged
# [first] come first.
find_tests() {
  local program names name shared graphs first
  for program in "$tests"/test_*; do
    names=$(test_names "$program" '[gpu]')
    if [[ -z $names ]]; then continue; fi
    shared=$(test_names "$program" '[gpu][shared]')
    graphs=$(test_names "$program" '[gpu][graph]')
    first=$(test_names "$program" '[gpu][first]')
    while IFS= read -r name; do
      found+=("$program|$name|$(is_listed "$name" "$shared")|$(is_listed "$name" "$graphs")|$(is_listed "$name" "$first")")
    done <<<"$names"
  done
}

# A GPU in a mode of one process takes one test at a time.
allows_one_process() {
  [[ $device == cuda && $(timeout 3 nvidia-smi --query-gpu=compute_mode --format=csv,noheader 2>/dev/null) == *Exclusive* ]]
}

# All are found before the first is run, so that those for which no time is left are named.
run_tests() {
  local i running=0 test threads
  find_tests
  if ((${#found[@]} == 0)); then record test all failed 0 "expected tests tagged [gpu], got none"; fi
  if allows_one_process; then at_once=1; fi
  threads=$(($(nproc) / at_once))
  if ((threads < 1)); then threads=1; fi
  for i in "${!found[@]}"; do
    if ((running < at_once)); then running=$((running + 1)); else wait -n || true; fi
    if (($(left tests) < least_seconds)); then break; fi
    IFS='|' read -r -a test <<<"${found[i]}"
    OMP_NUM_THREADS=$threads start_test "$i" "${test[@]:0:2}" &
  done
  wait
  for i in "${!found[@]}"; do
    IFS='|' read -r -a test <<<"${found[i]}"
    end_test "$i" "${test[@]}"
  done
}

find_sanitizer() {
  command -v compute-sanitizer || {
    local path=${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer
    if [[ -x $path ]]; then echo "$path"; fi
  }
}

# run_check PART TOOL GRAPH PROGRAM NAME. Without LibTorch's cache of memory every tensor is memory of its own, so that reading past its
# end is seen; but a graph takes its memory from that cache. Errors that the CUDA API returns are the caller's to look at: LibTorch asks
# for the device before there is a context, and tests of what cannot be recorded have the API fail on purpose.
run_check() {
  local part=$1 tool=$2 graph=$3 program=$4 name=$5 start=$SECONDS code=0 environment=(PYTORCH_NO_CUDA_MEMORY_CACHING=1)
  if [[ $graph == yes ]]; then environment=(); fi
  limited "$part" 45 env "${environment[@]}" "$sanitizer" --tool "$tool" --report-api-errors no --error-exitcode 9 "$program" \
    "$(catch_name "$name")" >>"$out/sanitizer.log" 2>&1 || code=$?
  case $code in
    0) record "$tool" "$name" passed $((SECONDS - start)) ;;
    124 | 137) record "$tool" "$name" skipped $((SECONDS - start)) "stopped after $((SECONDS - start)) s" ;;
    *) record "$tool" "$name" failed $((SECONDS - start)) "exit code $code, sanitizer.log" ;;
  esac
}

next_check=0
# run_checks PART: those that are left, as far as there is time in that part.
run_checks() {
  local check
  while ((next_check < ${#checks[@]} && $(left "$1") >= least_seconds)); do
    IFS='|' read -r -a check <<<"${checks[next_check]}"
    next_check=$((next_check + 1))
    run_check "$1" "${check[@]:1}"
  done
}

begin_checks() {
  sanitizer=$(find_sanitizer)
  if [[ -z $sanitizer ]]; then
    record sanitizer all skipped 0 "no compute-sanitizer on the PATH or in the CUDA toolkit"
    checks=()
  elif ((${#checks[@]} == 0)); then
    record sanitizer all skipped 0 "no test passed within $quick_seconds s"
  else
    mapfile -t checks < <(printf '%s\n' "${checks[@]}" | sort -s -t '|' -k 1,1n)
  fi
  run_checks sanitizer
}

end_checks() {
  local check tool name
  run_checks checks
  for check in "${checks[@]:next_check}"; do
    IFS='|' read -r _ tool _ _ name <<<"$check"
    record "$tool" "$name" skipped 0 "no time left"
  done
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

# last_words PART CODE: why a benchmark with that exit code says that it ended.
last_words() {
  local line
  line=$(sed -n '/[^[:space:]]/p' "$out/bench_$1.log" | tail -n 1)
  printf '%s' "${line:-exit code $2 without a word}"
}

# end_benchmark PART SECONDS CODE: records how it ended.
end_benchmark() {
  local file=$out/bench_$1.jsonl last problem
  last=$(values result "$file" | sed -n 's/.*"name":"\([^"]*\)".*/\1/p' | tail -n 1)
  problem=$(values result "$file" | sed -n 's/.*"error":"\(\([^"\]\|\\.\)*\)".*/\1/p' | first_line)
  case $3 in
    0) record benchmark "$1" passed "$2" ;;
    124 | 137) record benchmark "$1" partial "$2" "stopped after $2 s behind $(values result "$file" | wc -l) results, ${last:-none}" ;;
    *) record benchmark "$1" failed "$2" "${problem:-$(last_words "$1" "$3")}" ;;
  esac
  if (($3 == 0)); then keep "$1" true; else keep "$1" false; fi
}

# run_benchmark PART
run_benchmark() {
  local start=$SECONDS code=0
  limited "$1" "$total_seconds" "$tests/qslaw_bench" "$1" "$device" "${size[@]}" >"$out/bench_$1.jsonl" 2>"$out/bench_$1.log" || code=$?
  end_benchmark "$1" $((SECONDS - start)) "$code"
}

# end_peer PART SECONDS CODE: as end_benchmark, but one that cannot run here (3, or it crashed) is none of our failures.
end_peer() {
  if (($3 != 3 && ($3 < 126 || $3 == 137))); then end_benchmark "$@"; return; fi
  if [[ -s $out/bench_$1.jsonl ]]; then
    record benchmark "$1" partial "$2" "$(last_words "$1" "$3")"
    keep "$1" false
  else
    record benchmark "$1" skipped "$2" "$(last_words "$1" "$3")"
  fi
}

# run_peer SIZE: beside our own steps of tune_SIZE.
run_peer() {
  local part=peer_$1 start=$SECONDS code=0 ours=$out/bench_tune_$1.jsonl shape=(--tokens 2048 --rank 128)
  if [[ $device == cpu ]]; then shape=(--tokens 16 --rank 4 --steps 2); fi
  if [[ -z ${python:=$(command -v python3)} ]]; then record benchmark "$part" skipped 0 "no Python with transformers and peft"; return; fi
  if [[ ! -s $ours ]]; then record benchmark "$part" skipped 0 "there is nothing of tune_$1 to compare with"; return; fi
  HF_HUB_OFFLINE=1 limited "$part" "$total_seconds" "$python" "$tests/peer_tune.py" bf16 "${size[0]:-$1}" --device "$device" --batch 1 \
    "${shape[@]}" --checkpointing block none --ours "$ours" >"$out/bench_$part.jsonl" 2>"$out/bench_$part.log" || code=$?
  end_peer "$part" $((SECONDS - start)) "$code"
}

gpu_name() {
  if [[ $device == cpu ]]; then echo "rehearsal on the CPU"; return; fi
  timeout 3 nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader 2>/dev/null || echo "unknown (no nvidia-smi)"
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

# Every target on a line: reached or not, the value, what is wanted, of what; then the benchmarks that did not run to their end.
print_targets() {
  local target pattern='^\{"reached":(true|false),"value":([^,]*),"wanted":"([^"]*)","what":"(.*)"\}$' value
  for target in "${targets[@]}"; do
    [[ $target =~ $pattern ]] || continue
    value=${BASH_REMATCH[2]}
    if [[ $value != null ]]; then value=$(printf '%.4g' "$value"); fi
    if [[ ${BASH_REMATCH[1]} == true ]]; then printf '%-12s' reached; else printf '%-12s' 'not reached'; fi
    printf '%10s  %-18s %s\n' "$value" "${BASH_REMATCH[3]}" "${BASH_REMATCH[4]}"
  done
  if ((${#unfinished[@]} > 0)); then printf '%s\n' "${unfinished[@]}"; fi
}

require_everything
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -f "$out"/{gpu_check.json,tests.log,sanitizer.log} "$out"/bench_*.{jsonl,log} # OUT may be a folder with other files
for part in "${parts[@]}"; do
  case $part in
    tests) run_tests ;;
    sanitizer) begin_checks ;;
    peer_*) run_peer "${part#peer_}" ;;
    checks) end_checks ;;
    report) write_report ;;
    *) run_benchmark "$part" ;;
  esac
done
print_targets
exit "$failed"
