#!/usr/bin/env bash
# Checks deploy/ as far as a machine without containers can: tests/deploy says what. Uses the built server, or the one
# that LONGHAUL_BINARY names. Arguments go to pytest in place of the folder.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
wanted=tests/deploy/requirements.txt

# One environment for each list of packages: made once, and only ever whole.
environment=$target/deploy/$(sha256sum "$wanted" | cut -c1-16)
if [ ! -e "$environment/whole" ]; then
  echo "installing what tests/deploy checks with"
  rm -rf "$environment"
  python3 -m venv "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$wanted"
  touch "$environment/whole"
fi

if [ -z "${LONGHAUL_BINARY:-}" ]; then
  "${CARGO:-cargo}" build --locked --quiet -p longhaul
  LONGHAUL_BINARY=$target/debug/longhaul
fi
LONGHAUL_BINARY=$(realpath "$LONGHAUL_BINARY")
export LONGHAUL_BINARY PYTHONDONTWRITEBYTECODE=1 PATH=$environment/bin:$PATH
exec "$environment/bin/pytest" -q -p no:cacheprovider "${@:-tests/deploy}"
