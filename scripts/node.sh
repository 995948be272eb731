#!/usr/bin/env bash
# Prints the folder of a Node.js that can build web/ (20.19 or newer): this machine's, or one of PyPI's that is
# kept in target/.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
wanted=scripts/nodejs.txt

new_enough() {
  "$1" -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

if command -v node >/dev/null && command -v npm >/dev/null && new_enough node; then
  dirname "$(command -v node)"
  exit
fi
# Made once, and only ever whole.
environment=$target/node/$(sha256sum "$wanted" | cut -c1-16)
if [ ! -e "$environment/whole" ]; then
  if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    echo "Node.js 20.19 or newer is missing, and so is Python with venv, which could fetch one" >&2
    exit 1
  fi
  echo "fetching Node.js, which this machine does not have in version 20.19 or newer" >&2
  rm -rf "$environment"
  python3 -m venv "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$wanted" >&2
  new_enough "$environment/bin/node"
  touch "$environment/whole"
fi
echo "$environment/bin"
