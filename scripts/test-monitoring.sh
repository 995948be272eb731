#!/usr/bin/env bash
# Checks deploy/monitoring with Prometheus: the rules and their tests, and every expression of rules and
# dashboard against a scrape of the built server under some load, or of the one that LONGHAUL_BINARY names.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
for program in prometheus promtool; do
  command -v "$program" >/dev/null || { echo "$program is missing: scripts/setup.sh installs it" >&2; exit 1; }
done

promtool check rules deploy/monitoring/longhaul.rules.yaml
promtool test rules deploy/monitoring/longhaul.rules.test.yaml

if [ -z "${LONGHAUL_BINARY:-}" ]; then
  "${CARGO:-cargo}" build --locked --quiet -p longhaul
  LONGHAUL_BINARY=$target/debug/longhaul
fi
LONGHAUL_BINARY=$(realpath "$LONGHAUL_BINARY")
export LONGHAUL_BINARY PYTHONDONTWRITEBYTECODE=1
exec python3 tests/monitoring/monitoring.py
