#!/usr/bin/env bash
# Runs clients of the API that are not ours against the built server: tests/clients says which. Arguments go to pytest in place of the folder.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
wanted=tests/clients/requirements.txt

# One environment for each list of packages: made once, and only ever whole.
environment=$target/clients/$(sha256sum "$wanted" | cut -c1-16)
if [ ! -e "$environment/whole" ]; then
  echo "installing the clients that tests/clients runs"
  rm -rf "$environment"
  python3 -m venv "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$wanted"
  touch "$environment/whole"
fi

"${CARGO:-cargo}" build --locked --quiet -p longhaul
export LONGHAUL_BINARY=$target/debug/longhaul PYTHONDONTWRITEBYTECODE=1
exec "$environment/bin/pytest" -q -p no:cacheprovider "${@:-tests/clients}"
