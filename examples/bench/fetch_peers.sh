#!/bin/sh
# Unpacks the peers into a directory without installing them:
#
#   examples/bench/fetch_peers.sh DIR        then: make bench BENCH_PEERS=DIR
#   examples/bench/fetch_peers.sh DIR NAME…  only these: vsftpd proftpd pure-ftpd pyftpdlib unftp
#
# The packages conflict with each other, and an installed server would also start as a service.
# Existing content of DIR is kept. unftp is built from source, which takes some minutes. Requires
# Debian (apt, dpkg), Python's venv, cargo, and network access.
set -eu
[ $# -ge 1 ] || { sed -n '2,9p' "$0"; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift
[ $# -ge 1 ] || set -- vsftpd proftpd pure-ftpd pyftpdlib unftp

# Unpacks packages and their missing dependencies.
unpack() {
    downloads=$(mktemp -d)
    trap 'rm -rf "$downloads"' EXIT
    mkdir "$downloads/partial"
    apt-cache show "$@" >/dev/null 2>&1 || apt-get update -qq
    apt-get install -qq --download-only --reinstall --no-install-recommends \
        -o Dir::Cache::archives="$downloads" -o APT::Sandbox::User=root "$@" >/dev/null
    for package in "$downloads"/*.deb; do
        dpkg -x "$package" "$dir"
    done
    rm -rf "$downloads"
}

fetch() {
    case $1 in
    # The wrapper provides users that the system does not have: tests/interop/support/servers.rs.
    vsftpd) unpack vsftpd libnss-wrapper ;;
    proftpd) unpack proftpd-core proftpd-mod-crypto ;;
    pure-ftpd) unpack pure-ftpd ;;
    pyftpdlib)
        python3 -m venv "$dir/venv"
        "$dir/venv/bin/pip" install --quiet pyftpdlib pyopenssl
        ;;
    unftp) cargo install --quiet --locked --no-default-features --root "$dir" unftp ;;
    *) echo "there is no $1 to fetch" >&2 && exit 2 ;;
    esac
}

for name; do
    [ -e "$dir/.has-$name-with-tls" ] || fetch "$name"
    touch "$dir/.has-$name-with-tls"
done
echo "in $dir: $*"
