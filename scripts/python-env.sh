#!/usr/bin/env bash
# Makes an environment with the package of clients/python, as others would install it, and what it is tested with. Prints
# where it is. PYTHON names another interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
python=${PYTHON:-python3}
sdk=clients/python

# One environment for each interpreter and list of packages: made once, and only ever whole.
wanted=$("$python" -V | cat - "$sdk/requirements.txt" | sha256sum | cut -c1-16)
environment=$target/python/$wanted
if [ ! -e "$environment/whole" ]; then
  echo "installing what $sdk is tested with" >&2
  rm -rf "$environment"
  "$python" -m venv "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$sdk/requirements.txt" >&2
  touch "$environment/whole"
fi
"$environment/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall "./$sdk" >&2
echo "$environment"
