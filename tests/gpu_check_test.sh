#!/usr/bin/env bash
# scripts/gpu_check.sh with programs that end in every way: what it records of them, and that its report is JSON all the same.
#
#   gpu_check_test.sh SCRIPT WORK_FOLDER
set -euo pipefail
script=$1 work=$2

complain() {
  printf 'gpu_check: %s\n' "$*" >&2
  exit 1
}

make_program() {
  cat >"$1"
  chmod +x "$1"
}

rm -rf "$work"
mkdir -p "$work/tests" "$work/bin"
trap 'rm -rf "$work"' EXIT
cp "$script" "$work/tests/gpu_check.sh"
# As Catch lists and runs tests. The first two pass only while both run.
make_program "$work/tests/test_ways" <<'PROGRAM'
#!/usr/bin/env bash
meet() {
  touch "$0.$1"
  for try in {1..100}; do
    if [[ -e $0.$2 ]]; then exit 0; fi
    sleep 0.1
  done
  exit 1
}
case "$*" in
  '--list-test-names-only [gpu]') printf '%s\n' 'meets, once' 'meets twice' 'breaks' 'has no GPU' 'shares' 'replays'; exit 6 ;;
  '--list-test-names-only [gpu][shared]') echo shares; exit 1 ;;
  '--list-test-names-only [gpu][graph]') echo replays; exit 1 ;;
  '--list-test-names-only [gpu][first]') echo shares; exit 1 ;;
  'meets\, once') if [[ ! ${checked:-} ]]; then meet one two; fi ;;
  'meets twice') if [[ ! ${checked:-} ]]; then meet two one; fi ;;
  breaks) printf 'broken\r\033[31m\n'; exit 42 ;;
  'has no GPU') printf '  not run: no "GPU"\n' ;;
  shares) ;;
  replays) if [[ ${PYTORCH_NO_CUDA_MEMORY_CACHING:-} ]]; then exit 9; fi ;;
  *) exit 99 ;;
esac
PROGRAM
make_program "$work/tests/test_without" <<'PROGRAM'
#!/usr/bin/env bash
if [[ $1 != --list-test-names-only ]]; then exit 99; fi
PROGRAM
# More errors than a pipe's first reader waits for; words with what JSON has no place for; and one that ends well.
make_program "$work/tests/qslaw_bench" <<'PROGRAM'
#!/usr/bin/env bash
case $1 in
  kernels)
    for number in {1..2000}; do printf '{"result":{"error":"the \\"first\\" of them is %d","name":"kernel"}}\n' "$number"; done
    exit 1
    ;;
  products) printf 'no memory\r\033[31m left\n' >&2; exit 1 ;;
  *) printf '{"result":{"name":"step"}}\n{"target":{"reached":true,"value":2.5,"wanted":"at least 2","what":"%s"}}\n' "$1" ;;
esac
PROGRAM
make_program "$work/bin/compute-sanitizer" <<'PROGRAM'
#!/usr/bin/env bash
while [[ $1 != */test_* ]]; do
  if [[ $1 == --tool ]]; then tool=$2; fi
  shift
done
echo "$tool $2" >>"${0%/*}/checked"
checked=yes "$@"
PROGRAM
make_program "$work/bin/no_peers" <<'PROGRAM'
#!/usr/bin/env bash
echo no Python with transformers and peft >&2
exit 3
PROGRAM

code=0
PATH=$work/bin:$PATH "$work/tests/gpu_check.sh" --rehearsal --python "$work/bin/no_peers" "$work/out" >"$work/table" 2>"$work/words" || code=$?
report=$work/out/gpu_check.json
[[ -s $report ]] || complain "expected a report whatever fails, got exit code $code and: $(tail -n 3 "$work/words")"
[[ $code == 1 ]] || complain "expected exit code 1, as something failed, got $code"

# expect KIND NAME STATUS: once among the report's parts.
expect() {
  local found
  found=$(grep -cF "{\"kind\": \"$1\", \"name\": \"$2\", \"status\": \"$3\"" "$report" || true)
  [[ $found == 1 ]] || complain "expected one $1 \"$2\" that is $3, got $found in: $(cat "$report")"
}
expect test 'meets, once' passed
expect test 'meets twice' passed
expect test breaks failed
expect test 'has no GPU' skipped
expect test shares passed
expect test replays passed
for tool in memcheck racecheck; do expect "$tool" shares passed; done
expect memcheck replays passed
expect benchmark kernels failed
expect benchmark products failed
for part in decode_7b tune_7b tune_13b; do expect benchmark "$part" passed; done
for part in peer_7b peer_13b; do expect benchmark "$part" skipped; done
[[ $(head -n 1 "$work/bin/checked") == "memcheck shares" ]] || complain "expected tests tagged [first] first, got $(cat "$work/bin/checked")"
grep -qF '"reason": "the \\\"first\\\" of them is 1"' "$report" || complain "expected the first error as the reason, got: $(cat "$report")"
grep -qF '"reason": "no memory  [31m left"' "$report" || complain "expected the last words as the reason, got: $(cat "$report")"
! grep -q '[[:cntrl:]]' "$report" || complain "expected no control characters in the report"
[[ $(grep -c '^reached  *2.5  at least 2' "$work/table") == 3 ]] || complain "expected 3 targets reached, got: $(cat "$work/table")"
[[ $(grep -c '^broken' "$work/out/tests.log") == 1 ]] || complain "expected tests.log to have what failed"
if [[ -x ${QSLAW_PYTHON:-} ]]; then
  "$QSLAW_PYTHON" -c 'import json, sys; json.load(open(sys.argv[1]))' "$report" || complain "expected JSON, got: $(cat "$report")"
fi
