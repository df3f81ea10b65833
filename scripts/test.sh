#!/bin/bash
# All tests, on a machine that may be bare: installs what they need, runs them, and prints
# what was skipped and why, and `N passed, N failed, N skipped` alone on the last line (the skipped part where
# any were). Arguments go to vitest.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/bootstrap.sh
godwit_bootstrap

if [ "$(id -u)" != 0 ]; then
  echo "The tests make network namespaces and start QEMU under its own user: run them as root (sudo npm test)." >&2
  exit 1
fi
./godwit setup >&2

reports=$(mktemp -d)
beside=()
trap '[ ${#beside[@]} -eq 0 ] || kill "${beside[@]}" 2>/dev/null || true; rm -rf "$reports"' EXIT
# @param $1 the report's name; the rest are vitest's arguments
vitest_reported() {
  GROUP_ERRORS="$reports/$1.errors" vitest run --reporter=default --reporter=json --reporter=./scripts/group-errors.ts \
    --outputFile.json="$reports/$1.json" "${@:2}"
}
# Beside the others; what it prints is shown at the end. @param $1 its priority, $2 the project
vitest_beside() {
  GROUP_ERRORS="$reports/$2.errors" nice -n "$1" vitest run --project "$2" --reporter=default --reporter=json \
    --reporter=./scripts/group-errors.ts --outputFile.json="$reports/$2.json" >"$reports/$2.out" 2>&1 &
  beside+=($!)
}
status=0
if [ $# -gt 0 ]; then
  vitest_reported chosen "$@" || status=$?
else
  # Minutes of computing and nothing else: they take what the stories of the labs leave.
  vitest_beside 19 pure
  # They wait more than they compute.
  vitest_beside 5 unit
  vitest_beside 0 waiting
  vitest_reported system --project system || status=$?
  for pid in "${beside[@]}"; do wait "$pid" || status=$?; done
  cat "$reports"/*.out
fi
node scripts/test-summary.ts "$status" "$reports"/*.json
exit $status
