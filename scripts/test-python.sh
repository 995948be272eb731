#!/usr/bin/env bash
# Checks style and types of clients/python and runs its tests against the built server, or against the one
# that LONGHAUL names. Arguments go to pytest in place of all tests; PYTHON names another interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
environment=$(scripts/python-env.sh)

if [ -z "${LONGHAUL:-}" ]; then
  "${CARGO:-cargo}" build --locked --quiet -p longhaul
  LONGHAUL=$target/debug/longhaul
fi
LONGHAUL=$(realpath "$LONGHAUL")
export LONGHAUL PYTHONDONTWRITEBYTECODE=1 RUFF_CACHE_DIR=$target/python/ruff MYPY_CACHE_DIR=$target/python/mypy
cd clients/python
"$environment/bin/ruff" format --check --quiet .
"$environment/bin/ruff" check --quiet .
echo "ruff: nothing to complain about"
"$environment/bin/mypy" src tests
# Most of the tests wait most of their time.
exec "$environment/bin/pytest" -q -p no:cacheprovider -n 3 "${@:-tests}"
