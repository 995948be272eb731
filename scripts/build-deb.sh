#!/usr/bin/env bash
# Builds the Debian package into target/debian, and prints its path: the program, its manual pages and completions, the
# unit, the configuration. LONGHAUL_BINARY names a program that was built already. Needs dpkg-dev.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
if ! command -v dpkg-shlibdeps >/dev/null; then
  echo "dpkg-dev is missing: apt-get install dpkg-dev" >&2
  exit 1
fi
binary=${LONGHAUL_BINARY:-}
if [ -z "$binary" ]; then
  scripts/build-web.sh >&2
  cargo build --release --locked -p longhaul
  binary=$target/release/longhaul
fi

version=$("$binary" --version | cut -d' ' -f2)-1
architecture=$(dpkg --print-architecture)
tree=$target/debian/tree
rm -rf "$tree"
mkdir -p "$tree"
put() { install -D -m "$1" "$2" "$tree/$3"; }
put 755 "$binary" usr/bin/longhaul
put 644 deploy/systemd/longhaul.service usr/lib/systemd/system/longhaul.service
put 644 deploy/debian/longhaul.toml etc/longhaul/longhaul.toml
put 644 deploy/systemd/command-actions.conf usr/share/doc/longhaul/command-actions.conf
put 644 CHANGELOG.md usr/share/doc/longhaul/CHANGELOG.md
put 644 deploy/debian/copyright usr/share/doc/longhaul/copyright
mkdir -p "$tree"/usr/share/{bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
"$binary" completions bash >"$tree/usr/share/bash-completion/completions/longhaul"
"$binary" completions zsh >"$tree/usr/share/zsh/vendor-completions/_longhaul"
"$binary" completions fish >"$tree/usr/share/fish/vendor_completions.d/longhaul.fish"
"$binary" man "$tree/usr/share/man/man1" 2>/dev/null
gzip -9n "$tree"/usr/share/man/man1/*.1 "$tree/usr/share/doc/longhaul/CHANGELOG.md"

# dpkg-shlibdeps wants to be called where a source package is.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/debian"
printf 'Source: longhaul\n\nPackage: longhaul\nArchitecture: any\n' >"$scratch/debian/control"
libraries=$(cd "$scratch" && dpkg-shlibdeps -O "$tree/usr/bin/longhaul" 2>/dev/null | sed 's/^shlibs:Depends=//')

for script in postinst prerm postrm; do
  put 755 "deploy/debian/$script" "DEBIAN/$script"
done
echo /etc/longhaul/longhaul.toml >"$tree/DEBIAN/conffiles"
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@LIBRARIES@/$libraries/" \
  -e "s/@SIZE@/$(du -sk "$tree" | cut -f1)/" deploy/debian/control >"$tree/DEBIAN/control"
(cd "$tree" && find etc usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
chmod -R go=u-w "$tree"
package=$target/debian/longhaul_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz "-z${COMPRESSION:-6}" --build "$tree" "$package" >&2
echo "$package"
