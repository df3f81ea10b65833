#!/bin/bash
# All tests, on a machine that may be bare: installs what they need, runs them, and prints
# `N passed, N failed` alone on the last line. Arguments go to vitest.
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
node -e '
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
  // A file that cannot even be loaded has no failed tests of its own, and counts as one.
  const brokenFiles = testResults.filter((file) => file.status === "failed" && file.assertionResults.every((one) => one.status !== "failed")).length;
  console.log(`${numPassedTests} passed, ${numFailedTests + brokenFiles} failed`);
' "$report"
exit $status
