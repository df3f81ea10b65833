#!/bin/bash
# Everything that continuous integration checks: types, lint, format, edges between packages, dead code,
# the API's document, the page of reference, and all tests.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/bootstrap.sh
godwit_bootstrap
for step in types lint format edges dead; do
  echo "check: $step" >&2
  npm run --silent "$step"
done
echo "check: openapi" >&2
npm run --silent openapi -- --check
echo "check: requirements" >&2
npm run --silent requirements -- --check
exec bash scripts/test.sh "$@"
