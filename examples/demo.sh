#!/bin/sh
# Demonstrates both programs: starts a server on a temporary directory and a client that stores a file,
# lists the directory, retrieves the file and quits; then compares both copies. Called by `make demo`.
set -eu
bin=$1
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || :; rm -rf "$dir"' EXIT
mkdir "$dir/served"
bin=$(cd "$bin" && pwd)
cd "$dir"
printf 'Files over FTP, since 1971.\n' > note.txt

echo '$ ftp_server --host 127.0.0.1 --port 0 --root served --log-level warn'
mkfifo said
"$bin/ftp_server" --host 127.0.0.1 --port 0 --root served --log-level warn > said &
server=$!
exec 3< said
read -r listening <&3
read -r serving <&3
echo "$listening"
echo "$serving" | sed "s|$dir/||"
port=${listening##*:}

echo
cat > commands <<END
CONNECT 127.0.0.1 $port
STORE note.txt
LIST
RETRIEVE note.txt copy.txt
QUIT
END
echo '$ ftp_client <<END'
cat commands
echo END
"$bin/ftp_client" < commands 2>&1

echo
echo '$ cmp note.txt copy.txt && echo the same'
cmp note.txt copy.txt && echo the same
