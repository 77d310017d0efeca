#!/bin/sh
# Puts the servers that `make bench` compares with into a directory, without installing any:
#
#   examples/bench/fetch_peers.sh DIR        then: make bench BENCH_PEERS=DIR
#
# The packages conflict with each other, and an installed server would also start as a service.
# unftp is built from its source, which takes some minutes. Needs Debian (apt, dpkg), Python's venv,
# cargo, and the network.
set -eu
[ $# -eq 1 ] || { sed -n '2,7p' "$0"; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)

# The servers, and what they are linked with beyond what every Debian has.
packages='
  vsftpd libwrap0
  proftpd-core libhiredis0.14 libmemcached11 libhashkit2 libmemcachedutil2 libpcre2-posix3
  pure-ftpd libsodium23'

downloads=$(mktemp -d)
trap 'rm -rf "$downloads"' EXIT
# shellcheck disable=SC2086 # words, one a package
(cd "$downloads" && apt-get download $packages)
for package in "$downloads"/*.deb; do
    dpkg -x "$package" "$dir"
done

python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet pyftpdlib
cargo install --quiet --locked --no-default-features --root "$dir" unftp
echo "in $dir: vsftpd, proftpd, pure-ftpd, pyftpdlib, unftp"
