#!/usr/bin/env bash
# Checks style and types of clients/python and runs its tests against the built server, or against the one that LONGHAUL
# names. Arguments go to pytest in place of all tests; PYTHON names another interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
python=${PYTHON:-python3}
sdk=clients/python

# One environment for each interpreter and list of packages: made once, and only ever whole.
wanted=$("$python" -V | cat - "$sdk/requirements.txt" | sha256sum | cut -c1-16)
environment=$target/python/$wanted
if [ ! -e "$environment/whole" ]; then
  echo "installing what $sdk is tested with"
  rm -rf "$environment"
  "$python" -m venv "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$sdk/requirements.txt"
  touch "$environment/whole"
fi
# What is tested is the package as others would install it.
"$environment/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall "./$sdk"

if [ -z "${LONGHAUL:-}" ]; then
  "${CARGO:-cargo}" build --locked --quiet -p longhaul
  LONGHAUL=$target/debug/longhaul
fi
LONGHAUL=$(realpath "$LONGHAUL")
export LONGHAUL PYTHONDONTWRITEBYTECODE=1 RUFF_CACHE_DIR=$target/python/ruff MYPY_CACHE_DIR=$target/python/mypy
cd "$sdk"
"$environment/bin/ruff" format --check --quiet .
"$environment/bin/ruff" check --quiet .
echo "ruff: nothing to complain about"
"$environment/bin/mypy" src tests
exec "$environment/bin/pytest" -q -p no:cacheprovider "${@:-tests}"
