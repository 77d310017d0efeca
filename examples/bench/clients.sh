#!/bin/bash
# Holds the client against curl and lftp, side by side, at our server: `make bench-clients`.
#
#   examples/bench/clients.sh [RESULTS]  RESULTS: where to write (examples/bench/clients.md)
#   ROUNDS=5           every client does every row so often, in turn; medians count
#   QUICK=1            one round of a quarter of the work, to see that all of it runs
#   BENCH_DIR=DIR      where the files are, at both ends (/dev/shm: memory, not a disk)
#   ROWS=REGEX         only these rows
#
# curl and lftp are Debian packages; a missing one is named in the results. A run takes about three
# minutes and 4 GiB in BENCH_DIR.
set -euo pipefail

# A row leaves thousands of ports in TIME_WAIT, each for a minute. In a separate network namespace
# they do not outlast the run and are reused at once; without the permission to create one, they
# slow down the following rows.
if [ -z "${BENCH_NETWORK:-}" ] && unshare --net true 2>/dev/null; then
    BENCH_NETWORK=own exec unshare --net "$0" "$@"
fi
if [ -n "${BENCH_NETWORK:-}" ]; then
    ip link set lo up
    echo 2000 >/proc/sys/net/ipv4/tcp_max_tw_buckets
fi

cd "$(dirname "$0")/../.."
results=$(realpath -m "${1:-examples/bench/clients.md}")
programs=$(pwd)/target/release
revision=$(git rev-parse --short HEAD 2>/dev/null || echo '?')
quick=${QUICK:+1}
rounds=${ROUNDS:-${quick:-5}}
rows_wanted=${ROWS:-.}
if [ "$quick" ]; then size=256M files=500; else size=1G files=2000; fi
named() { case $size in 1G) echo '1 GiB' ;; *) echo '256 MiB' ;; esac; }

dir=$(mktemp -d "${BENCH_DIR:-$([ -d /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")}/ftp-clients.XXXXXX")
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || :; wait 2>/dev/null || :; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

say() { echo "bench: $*" >&2; }

# --- who is there ---

find_clients() {
    clients=(mt_ftp) missing=()
    local name
    for name in curl lftp; do
        if command -v "$name" >/dev/null; then clients+=("$name"); else missing+=("$name"); fi
    done
    for name in "${missing[@]}"; do say "missing: $name (Debian: apt install $name)"; done
}

version() {
    case $1 in
        mt_ftp) "$programs/ftp_client" --version | head -n 1 | awk '{ print $NF }' ;;
        curl) curl --version | awk 'NR == 1 { print $2 }' ;;
        lftp) lftp --version | awk 'NR == 1 { print $4 }' ;;
    esac
}

# --- what there is to move ---

make_files() {
    served=$dir/served local=$dir/local here=$dir/here
    mkdir "$served" "$served/up" "$served/many" "$local" "$local/many" "$here"
    head -c "$size" /dev/zero >"$served/large"
    local number
    for ((number = 1; number <= files; number++)); do
        printf '%200d' "$number" >"$served/many/f$number"
    done
    cp "$served/many/"* "$local/many/"
    # A hard link: both ends read the same file, which is in memory in any case.
    ln "$served/large" "$local/large"
}

start_server() {
    mkfifo "$dir/said"
    "$programs/ftp_server" --host 127.0.0.1 --port 0 --root "$served" --anonymous write --log-level error >"$dir/said" &
    server=$!
    exec 3<"$dir/said"
    local listening
    read -r listening <&3
    port=${listening##*:}
}

# --- rows: the command of each client, with the given number of connections ---

# Some versions of curl sleep for a second if a reply arrives before they wait for it.
patience=20

bounded() { timeout "$patience" "$@"; }
ours() { bounded "$programs/ftp_client" -q "$@" 127.0.0.1 "$port"; }
their_curl() { bounded curl -q -sS "$@"; }
their_lftp() { bounded lftp --norc -c "set ftp:ssl-allow no; open ftp://127.0.0.1:$port; $1"; }

large_down() {
    case $1 in
        mt_ftp) ours -c 'RETRIEVE large' ;;
        curl) their_curl -O "ftp://127.0.0.1:$port/large" ;;
        lftp) their_lftp 'get large' ;;
    esac
}

large_up() {
    case $1 in
        mt_ftp) ours -c "STORE $local/large up/large" ;;
        curl) their_curl -T "$local/large" "ftp://127.0.0.1:$port/up/large" ;;
        lftp) their_lftp "put $local/large -o up/large" ;;
    esac
}

many_down() {
    case $1 in
        mt_ftp) ours -j "$2" -c 'cd many; mget *' ;;
        curl) curl_over "$2" "ftp://127.0.0.1:$port/many/f[1-$files]" -o 'f#1' ;;
        lftp) their_lftp "mirror --parallel=$2 many ." ;;
    esac
}

many_up() {
    case $1 in
        mt_ftp) (cd "$local/many" && ours -j "$2" -c 'cd up; mput *') ;;
        curl) curl_over "$2" -T "$local/many/f[1-$files]" "ftp://127.0.0.1:$port/up/" ;;
        lftp) their_lftp "mirror -R --parallel=$2 $local/many up" ;;
    esac
}

# curl transfers one file after the other over one connection by default.
curl_over() {
    local connections=$1
    shift
    if [ "$connections" = 1 ]; then their_curl "$@"; else their_curl -Z --parallel-max "$connections" "$@"; fi
}

# name | function | connections | target directory | number of files that arrive
rows() {
    cat <<END
RETR $(named)|large_down|1|$here|1
STOR $(named)|large_up|1|$served/up|1
$files files of 200 B down, 1 connection|many_down|1|$here|$files
$files files of 200 B down, 4 connections|many_down|4|$here|$files
$files files of 200 B up, 1 connection|many_up|1|$served/up|$files
$files files of 200 B up, 4 connections|many_up|4|$served/up|$files
END
}

# --- measuring ---

# Runs one measurement. An incomplete transfer gives no figure, and a client that timed out once is
# skipped afterwards.
measure() {
    local client=$1 row=$2 work=$3 connections=$4 to=$5 expected=$6 took
    local TIMEFORMAT='%R %U %S' status=0
    ! is_late "$row" "$client" || return 0
    took=$( { time { (cd "$here" && "$work" "$client" "$connections") >/dev/null 2>"$dir/errors"; }; } 2>&1) || status=$?
    if [ "$status" = 124 ]; then
        say "$client was stopped after $patience s: $row"
        echo "$row|$client" >>"$dir/late"
    elif [ "$status" != 0 ] || ! is_whole "$to" "$expected"; then
        say "$client failed: $row: $(head -n 1 "$dir/errors")"
    else
        echo "$row|$client|$took" >>"$dir/figures"
    fi
    find "$to" -mindepth 1 -delete
}

is_late() { grep -qxF "$1|$2" "$dir/late"; }

is_whole() {
    local count total
    read -r count total < <(find "$1" -type f -printf '%s\n' | awk '{ sum += $1 } END { print NR, sum + 0 }')
    [ "$count" = "$2" ] && case $2 in
        1) [ "$total" = "$(stat -c %s "$served/large")" ] ;;
        *) [ "$total" = $((200 * $2)) ] ;;
    esac
}

compare() {
    local round row work connections to expected client
    : >"$dir/figures" >"$dir/late"
    for ((round = 1; round <= rounds; round++)); do
        say "round $round of $rounds"
        while IFS='|' read -r row work connections to expected; do
            for client in "${clients[@]}"; do
                measure "$client" "$row" "$work" "$connections" "$to" "$expected" </dev/null
            done
        done < <(rows | grep -E "$rows_wanted")
    done
}

# --- results ---

# Prints the medians; column 1 is the elapsed time, columns 2 and 3 together are the processor
# time.
table() {
    printf '| work |'; printf ' %s |' "${clients[@]}"; printf ' to the best other |\n'
    printf '| --- |'; printf ' ---: |%.0s' "${clients[@]}"; printf ' ---: |\n'
    local row client cells best mine middle
    while IFS='|' read -r row _; do
        cells='' best='' mine=''
        for client in "${clients[@]}"; do
            if is_late "$row" "$client"; then middle=''; else middle=$(median "$1" "$row" "$client"); fi
            if is_late "$row" "$client" && [ "$1" = wall ]; then
                cells+=" > $patience |"
            else
                cells+=" ${middle:-–} |"
            fi
            if [ "$client" = mt_ftp ]; then mine=$middle
            elif [ -n "$middle" ]; then best=$(printf '%s\n' "${best:-$middle}" "$middle" | sort -g | head -n 1); fi
        done
        printf '| %s |%s %s |\n' "$row" "$cells" "$(ratio "$best" "$mine")"
    done < <(rows | grep -E "$rows_wanted")
}

median() {
    awk -F'|' -v what="$1" -v row="$2" -v client="$3" '
        $1 == row && $2 == client { split($3, t, " "); print what == "wall" ? t[1] : t[2] + t[3] }
    ' "$dir/figures" | sort -g | awk '
        { v[NR] = $1 }
        END { if (NR) printf "%.3f", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# Prints the ratio; above 1 our client is faster, and a ratio below 1 is in bold.
ratio() {
    [ -n "$1" ] && [ -n "$2" ] || { echo –; return; }
    awk -v other="$1" -v mine="$2" 'BEGIN {
        r = mine > 0 ? other / mine : 0; printf r < 1 ? "**%.2f**" : "%.2f", r }'
}

write_results() {
    {
        cat <<END
# How fast the client is, and others

Written by \`make bench-clients\` on $(date -u +%Y-%m-%d) ($revision): medians of
$rounds round$([ "$rounds" = 1 ] || echo s), in each of which every client does every row in turn, one at a time, at our server over
loopback, with the files of both ends in $(df --output=fstype "$dir" | tail -n 1). Ratios above 1 are ours; where they are below they
stand out. All start a process, log in, and leave. Ours and lftp keep the times of files, and ours
gives a name to whole files alone; curl does neither. Who took longer than $patience s was stopped: some
versions of curl sleep for a second where the answer to EPSV came sooner than they looked for it.

- machine: $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), Linux $(uname -r)
- clients: $(for client in "${clients[@]}"; do printf '%s %s, ' "$client" "$(version "$client")"; done | sed 's/, $//')
- missing: $([ ${#missing[@]} -eq 0 ] && echo none || printf '%s, ' "${missing[@]}" | sed 's/, $//')
- command: \`${quick:+QUICK=1 }ROUNDS=$rounds make bench-clients\`

## Seconds

$(table wall)

## Processor seconds of the client

$(table cpu)
END
    } >"$results"
}

find_clients
make_files
start_server
compare
write_results
say "written: $results"
cat "$results"
