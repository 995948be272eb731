#!/usr/bin/env bash
# Builds the web page, web/dist, which the server takes into its binary; nothing if it is there already, of the same
# sources. `--or-without`: where that is not possible, says so in a line and goes on.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")

wanted=${1:-}
without() {
  echo "the web page is not built: $1; /ui of the server says how to build it" >&2
  [ "$wanted" = --or-without ] && exit 0
  exit 1
}

# The files that git knows or would take; in a tree without git, all but what builds leave there.
sources() {
  git ls-files -co --exclude-standard web openapi/longhaul.json 2>/dev/null \
    || find web openapi/longhaul.json \( -name node_modules -o -path web/dist \) -prune -o -type f -print
}

[ -e web/package.json ] || without "web/package.json is missing"
now=$(sources | LC_ALL=C sort | while read -r file; do [ ! -f "$file" ] || sha256sum "$file"; done | sha256sum)
stamp=$target/web/built
if [ -e web/dist/index.html ] && [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then
  exit 0
fi
echo "building the web page"
mkdir -p "$target/web"
log=$target/web/log
node=$(scripts/node.sh 2>"$log") || without "$(tail -n 1 "$log")"
export PATH=$node:$PATH
if ! scripts/npm-ci.sh >"$log" 2>&1; then
  without "its packages cannot be installed (log: $log)"
fi
if ! (cd web && npm run --silent build) >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  without "its build fails (log: $log)"
fi
echo "$now" >"$stamp"
