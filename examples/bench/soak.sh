#!/bin/sh
# Starts the server on a directory of its own and lets `ftp_load soak` at it: `make soak`.
#
#   SOAK=1000000       how many logins, each with a listing, a RETR and a STOR of 4 KiB
#   SOAK_SECONDS=3600  the longest it may take
#
# Ends with 1 if anything failed, or if the server's memory, descriptors or threads are more at the
# end than they were after the first 1,000.
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
# The status of the soak is that of the script.
./examples/ftp_load --port "${listening##*:}" --pid "$server" --clients 16 \
    --count "${SOAK:-1000000}" --seconds "${SOAK_SECONDS:-3600}" soak
