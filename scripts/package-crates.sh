#!/usr/bin/env bash
# Packages the crates that are published (the client library and the worker library), and checks what their
# users get: metadata, a README, and a tree of fewer than 100 crates. With --verify each package is also compiled
# from its archive alone.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly published=(longhaul-client longhaul-worker)
readonly most_crates=100

verify=(--no-verify)
if [[ "${1:-}" == --verify ]]; then
    verify=()
fi

cargo package --locked --allow-dirty "${verify[@]}" $(printf -- '-p %s ' "${published[@]}")

for crate in "${published[@]}"; do
    files=$(cargo package --locked --allow-dirty --list -p "$crate")
    for file in README.md Cargo.toml src/lib.rs; do
        grep -qx "$file" <<<"$files" || { echo "$crate: the package lacks $file" >&2; exit 1; }
    done
    count=$(cargo tree --locked -p "$crate" -e normal --prefix none | sed 's/ (\*)$//; s/ (proc-macro)//' | sort -u | wc -l)
    echo "$crate: $count crates, itself included"
    if ((count >= most_crates)); then
        echo "$crate: $count crates, and fewer than $most_crates are promised to its users" >&2
        exit 1
    fi
done
