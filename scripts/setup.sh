#!/usr/bin/env bash
# Installs what this machine lacks. `setup.sh run`: what building and running need. `setup.sh`: what tests,
# proofs and benchmarks need besides. Says what it does; does nothing where all is there.
set -euo pipefail

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
    echo "please run as root: $*" >&2
    exit 1
  fi
}

packages=()
command -v cc >/dev/null || packages+=(gcc libc6-dev)
if [ "${1:-test}" != run ]; then
  python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3 python3-venv)
  command -v strace >/dev/null || packages+=(strace)
  ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || packages+=(libfaketime)
  command -v systemd-analyze >/dev/null || packages+=(systemd)
  command -v dpkg-shlibdeps >/dev/null || packages+=(dpkg-dev)
  command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || packages+=(postgresql)
  command -v chromium >/dev/null || command -v chromium-browser >/dev/null || packages+=(chromium)
  command -v haproxy >/dev/null || [ -x /usr/sbin/haproxy ] || packages+=(haproxy)
  command -v promtool >/dev/null || packages+=(prometheus)
  command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || packages+=(pgbouncer)
fi
if [ ${#packages[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "please install: ${packages[*]}" >&2
    exit 1
  fi
  echo "installing ${packages[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${packages[@]}" >/dev/null
fi

if ! command -v cargo >/dev/null; then
  echo "Rust is missing: install it from https://rustup.rs, then try again" >&2
  exit 1
fi
