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
pure=
trap '[ -z "$pure" ] || kill "$pure" 2>/dev/null || true; rm -rf "$reports"' EXIT
# @param $1 the report's name; the rest are vitest's arguments
vitest_reported() {
  vitest run --reporter=default --reporter=json --outputFile.json="$reports/$1.json" "${@:2}"
}
status=0
if [ $# -gt 0 ]; then
  vitest_reported chosen "$@" || status=$?
else
  # Minutes of computing and nothing else: it takes what the stories of the labs leave.
  nice -n 19 vitest run --project pure --reporter=default --reporter=json \
    --outputFile.json="$reports/pure.json" >"$reports/pure.out" 2>&1 &
  pure=$!
  vitest_reported others --project unit --project system || status=$?
  wait "$pure" || status=$?
  cat "$reports/pure.out"
fi
node scripts/test-summary.ts "$status" "$reports"/*.json
exit $status
