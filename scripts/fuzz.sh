#!/bin/sh
# Runs fuzz targets one after the other, each for so many seconds: scripts/fuzz.sh SECONDS [TARGET...].
# Needs a nightly toolchain and cargo-fuzz (cargo install cargo-fuzz --locked). Inputs that fail are in
# fuzz/artifacts; new ones of interest stay out of the repository until `cargo fuzz cmin` has picked from them.
set -eu
seconds=${1:?how many seconds for each target}
shift
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- $(sed -n '/^\[\[bin\]\]/,/^path/s/^name = "\(.*\)"/\1/p' fuzz/Cargo.toml)
for target in "$@"; do
    found=$(mktemp -d)
    dictionary=fuzz/dictionaries/$target.dict
    [ ! -f "$dictionary" ] || dictionary="-dict=$dictionary"
    [ "${dictionary#-}" != "$dictionary" ] || dictionary=-verbosity=1
    echo "fuzz: $target for $seconds s"
    cargo +nightly fuzz run "$target" "$found" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -rss_limit_mb=512 -timeout=20 -max_len=8192 -print_final_stats=1 "$dictionary"
    rm -rf "$found"
done
