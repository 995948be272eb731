#!/usr/bin/env bash
# Checks and tests the web page: style and types, its own tests, its build, and a real browser on the built server, or on the one
# that LONGHAUL_BINARY names.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ ! -e web/package.json ]; then
  echo "web/package.json does not exist: there is no page to test"
  exit 0
fi
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
node=$(scripts/node.sh)
export PATH=$node:$PATH
scripts/npm-ci.sh
scripts/build-web.sh
node scripts/web-licences.mjs
cd web
npm run --silent lint
npm run --silent test
if [ ! -e tests ]; then
  echo "web/tests does not exist: there is nothing to run in a browser"
  exit 0
fi
if [ -z "${LONGHAUL_BINARY:-}" ]; then
  "${CARGO:-cargo}" build --locked --quiet -p longhaul
  LONGHAUL_BINARY=$target/debug/longhaul
fi
LONGHAUL_BINARY=$(realpath "$LONGHAUL_BINARY")
export LONGHAUL_BINARY
npm run --silent test:browser
