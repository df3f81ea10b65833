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

report=$(mktemp --suffix=.json)
trap 'rm -f "$report"' EXIT
status=0
vitest run --reporter=default --reporter=json --outputFile.json="$report" "$@" || status=$?
node scripts/test-summary.ts "$report"
exit $status
