#!/usr/bin/env bash
# Runs tools/test.R (arguments passed on) and fails as well when R ended before the line of counts:
# a crash, or an exit in the middle of a test, must not look like success.
set -euo pipefail

# The tests decide themselves how many threads they use, two at most.
unset _R_CHECK_LIMIT_CORES_
export OMP_THREAD_LIMIT=2

log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
Rscript --vanilla tools/test.R "$@" 2>&1 | tee "$log" || status=$?
if ! tail -n 1 "$log" | grep -qE '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$'; then
  echo "The tests did not reach their end: R stopped with status $status." >&2
  exit 1
fi
exit "$status"
