#!/bin/sh
# Starts the server on a temporary directory and runs `ftp_load soak` against it: `make soak`.
#
#   SOAK=1000000       number of logins, each with a listing, a RETR and a STOR of 4 KiB
#   SOAK_SECONDS=3600  time limit in seconds
#
# Exits with 1 if anything failed, or if the server's memory, descriptors or threads have grown
# since the first 1,000 logins.
set -eu
cd "$(dirname "$0")/../../target/release"
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || :; wait 2>/dev/null || :; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
mkdir "$dir/served"
mkfifo "$dir/said"
./ftp_server --host 127.0.0.1 --port 0 --root "$dir/served" --anonymous write --log-level error >"$dir/said" &
server=$!
exec 3<"$dir/said"
read -r listening <&3
# The exit status of the script is that of the soak test.
./examples/ftp_load --port "${listening##*:}" --pid "$server" --clients 16 \
    --count "${SOAK:-1000000}" --seconds "${SOAK_SECONDS:-3600}" soak
