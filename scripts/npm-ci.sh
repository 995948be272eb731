#!/usr/bin/env bash
# Installs the packages that web/package-lock.json names, if those that are there are not the same.
set -euo pipefail
cd "$(dirname "$0")/../web"
lock=$(sha256sum package-lock.json | cut -c1-16)
if [ "$(cat node_modules/.installed 2>/dev/null)" != "$lock" ]; then
  npm ci --no-audit --no-fund --loglevel=error \
    --fetch-retries=3 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000
  echo "$lock" >node_modules/.installed
fi
