#!/bin/bash
# Compares the speed of our client, curl, lftp and rclone, all with our server: `make bench-clients`.
#
#   examples/bench/clients.sh [RESULTS]  RESULTS: where to write (examples/bench/clients.md)
#   ROUNDS=3           every client does every row so often, in turn; medians count
#   QUICK=1            one round of a quarter of the work, to see that all of it runs
#   BENCH_DIR=DIR      where the files are, at both ends (/dev/shm: memory, not a disk)
#   ROWS=REGEX         only these rows
#
# curl, lftp, rclone and time (which measures memory) are Debian packages; a missing one is named in
# the results. A run takes about ten minutes and 5 GiB in BENCH_DIR.
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
rounds=${ROUNDS:-${quick:-3}}
rows_wanted=${ROWS:-.}
if [ "$quick" ]; then size=256M files=500 flat=1000 dirs=20; else size=1G files=2000 flat=5000 dirs=1000; fi
named() { case $size in 1G) echo '1 GiB' ;; *) echo '256 MiB' ;; esac; }

dir=$(mktemp -d "${BENCH_DIR:-$([ -d /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")}/ftp-clients.XXXXXX")
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || :; wait 2>/dev/null || :; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

say() { echo "bench: $*" >&2; }

# --- the clients ---

find_clients() {
    clients=(mt_ftp) missing=()
    local name
    for name in curl lftp rclone; do
        if command -v "$name" >/dev/null; then clients+=("$name"); else missing+=("$name"); fi
    done
    meter=(/usr/bin/time -q -f %M -o "$dir/memory")
    if [ ! -x "${meter[0]}" ]; then meter=() missing+=(time); fi
    for name in "${missing[@]}"; do say "missing: $name (Debian: apt install $name)"; done
}

version() {
    case $1 in
        mt_ftp) "$programs/ftp_client" --version | head -n 1 | awk '{ print $NF }' ;;
        curl) curl --version | awk 'NR == 1 { print $2 }' ;;
        lftp) lftp --version | awk 'NR == 1 { print $4 }' ;;
        rclone) rclone version | awk 'NR == 1 { print $2 }' ;;
    esac
}

# --- the files ---

make_files() {
    served=$dir/served local=$dir/local here=$dir/here
    mkdir "$served" "$served/up" "$served/many" "$local" "$local/many" "$here"
    head -c "$size" /dev/zero >"$served/large"
    local number
    for ((number = 1; number <= files; number++)); do
        printf '%200d' "$number" >"$served/many/f$number"
    done
    cp "$served/many/"* "$local/many/"
    mkdir "$served/flat" "$served/tree" "$served/tree/d1"
    for ((number = 1; number <= flat; number++)); do printf '%4096d' "$number" >"$served/flat/f$number"; done
    for ((number = 1; number <= 99; number++)); do printf '%20d' "$number" >"$served/tree/d1/f$number"; done
    for ((number = 2; number <= dirs; number++)); do cp -r "$served/tree/d1" "$served/tree/d$number"; done
    cp -a "$served/flat" "$served/tree" "$local/"
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

# Prints the longest time of a row. Some versions of curl sleep for a second if a reply arrives before
# they wait for it, and are stopped.
patience() { case $1 in mirror_*) echo 90 ;; *) echo 20 ;; esac; }

bounded() { timeout "$longest" "${meter[@]}" "$@"; }
ours() { bounded "$programs/ftp_client" -q "$@" 127.0.0.1 "$port"; }
their_curl() { bounded curl -q -sS "$@"; }
their_lftp() { bounded lftp --norc -c "set ftp:ssl-allow no; open ftp://127.0.0.1:$port; $1"; }

their_rclone() {
    RCLONE_FTP_HOST=127.0.0.1 RCLONE_FTP_PORT=$port RCLONE_FTP_USER=anonymous RCLONE_FTP_PASS=$rclone_password \
        bounded rclone --config '' -q copy "$@"
}

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

mirror_flat_down() { mirror_down "$@" flat; }
mirror_flat_up() { mirror_up "$@" flat; }
mirror_tree_down() { mirror_down "$@" tree; }
mirror_tree_up() { mirror_up "$@" tree; }

mirror_down() {
    case $1 in
        mt_ftp) ours -j "$2" -c "mirror $3 ." ;;
        lftp) their_lftp "mirror --parallel=$2 $3 ." ;;
        rclone) their_rclone --transfers "$2" --checkers 8 ":ftp:$3" . ;;
    esac
}

mirror_up() {
    case $1 in
        mt_ftp) ours -j "$2" -c "mirror -R $local/$3 up" ;;
        lftp) their_lftp "mirror -R --parallel=$2 $local/$3 up" ;;
        rclone) their_rclone --transfers "$2" --checkers 8 "$local/$3" :ftp:up ;;
    esac
}

# Returns whether a client takes part in a row: curl has no mirror, and rclone is there for mirrors alone.
offers() {
    case $1:$2 in
        rclone:mirror_*) ;;
        rclone:* | curl:mirror_*) false ;;
    esac
}

# curl transfers one file after the other over one connection by default.
curl_over() {
    local connections=$1
    shift
    if [ "$connections" = 1 ]; then their_curl "$@"; else their_curl -Z --parallel-max "$connections" "$@"; fi
}

# name | function | connections | target directory | number of files that arrive | their bytes | runs
rows() {
    local large small=$((200 * files)) entries=$((100 * dirs))
    large=$(stat -c %s "$served/large")
    cat <<END
RETR $(named)|large_down|1|$here|1|$large|1
STOR $(named)|large_up|1|$served/up|1|$large|1
$files files of 200 B down, 1 connection|many_down|1|$here|$files|$small|1
$files files of 200 B down, 4 connections|many_down|4|$here|$files|$small|1
$files files of 200 B up, 1 connection|many_up|1|$served/up|$files|$small|1
$files files of 200 B up, 4 connections|many_up|4|$served/up|$files|$small|1
mirror of $flat files of 4 KiB down|mirror_flat_down|4|$here|$flat|$((4096 * flat))|2
mirror of $flat files of 4 KiB up|mirror_flat_up|4|$served/up|$flat|$((4096 * flat))|2
mirror of a tree of $entries entries down|mirror_tree_down|4|$here|$((99 * dirs))|$((20 * 99 * dirs))|2
mirror of a tree of $entries entries up|mirror_tree_up|4|$served/up|$((99 * dirs))|$((20 * 99 * dirs))|2
END
}

# Prints the name of each line of the tables and the function of its row.
lines() {
    local row work runs run
    while IFS='|' read -r row work _ _ _ _ runs; do
        for ((run = 1; run <= runs; run++)); do echo "$(line "$row" "$run")|$work"; done
    done < <(rows | grep -E "$rows_wanted")
}

line() { if [ "$2" = 1 ]; then echo "$1"; else echo "$1, again"; fi; }

# --- measuring ---

# Measures the runs of a row: in the second there is nothing to do. An incomplete transfer gives no figure,
# and a client that timed out once is skipped afterwards.
measure() {
    local client=$1 row=$2 work=$3 connections=$4 to=$5 expected=$6 bytes=$7 runs=$8 run took name longest
    local TIMEFORMAT='%R %U %S' status=0
    longest=$(patience "$work")
    for ((run = 1; run <= runs && status == 0; run++)); do
        name=$(line "$row" "$run")
        ! is_late "$name" "$client" || break
        rm -f "$dir/memory"
        took=$( { time { (cd "$here" && "$work" "$client" "$connections") >/dev/null 2>"$dir/errors"; }; } 2>&1) || status=$?
        if [ "$status" = 124 ]; then
            say "$client was stopped after $longest s: $name"
            echo "$name|$client" >>"$dir/late"
        elif [ "$status" != 0 ] || ! is_whole "$to" "$expected" "$bytes"; then
            say "$client failed: $name: $(head -n 1 "$dir/errors")"
            status=1
        else
            echo "$name|$client|$took $(cat "$dir/memory" 2>/dev/null)" >>"$dir/figures"
        fi
    done
    find "$to" -mindepth 1 -delete
}

is_late() { grep -qxF "$1|$2" "$dir/late"; }

is_whole() {
    [ "$(find "$1" -type f -printf '%s\n' | awk '{ sum += $1 } END { print NR, sum + 0 }')" = "$2 $3" ]
}

compare() {
    local round row work connections to expected bytes runs client
    : >"$dir/figures" >"$dir/late"
    for ((round = 1; round <= rounds; round++)); do
        say "round $round of $rounds"
        while IFS='|' read -r row work connections to expected bytes runs; do
            for client in "${clients[@]}"; do
                ! offers "$client" "$work" ||
                    measure "$client" "$row" "$work" "$connections" "$to" "$expected" "$bytes" "$runs" </dev/null
            done
        done < <(rows | grep -E "$rows_wanted")
    done
}

# --- results ---

# Prints the medians; column 1 is the elapsed time, columns 2 and 3 together are the processor
# time, and column 4 is the memory.
table() {
    printf '| work |'; printf ' %s |' "${clients[@]}"; printf ' vs. best other |\n'
    printf '| --- |'; printf ' ---: |%.0s' "${clients[@]}"; printf ' ---: |\n'
    local row work client cells best mine middle
    while IFS='|' read -r row work; do
        cells='' best='' mine=''
        for client in "${clients[@]}"; do
            if is_late "$row" "$client"; then middle=''; else middle=$(median "$1" "$row" "$client"); fi
            if is_late "$row" "$client" && [ "$1" = wall ]; then
                cells+=" > $(patience "$work") |"
            else
                cells+=" ${middle:-–} |"
            fi
            if [ "$client" = mt_ftp ]; then mine=$middle
            elif [ -n "$middle" ]; then best=$(printf '%s\n' "${best:-$middle}" "$middle" | sort -g | head -n 1); fi
        done
        printf '| %s |%s %s |\n' "$row" "$cells" "$(ratio "$best" "$mine")"
    done < <(lines)
}

median() {
    awk -F'|' -v what="$1" -v row="$2" -v client="$3" '
        $1 == row && $2 == client {
            n = split($3, t, " ")
            if (what == "memory") { if (n == 4) print t[4] / 1024 }
            else print what == "wall" ? t[1] : t[2] + t[3]
        }
    ' "$dir/figures" | sort -g | awk -v form="$([ "$1" = memory ] && echo %.1f || echo %.3f)" '
        { v[NR] = $1 }
        END { if (NR) printf form, NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
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
# Speed of the client compared with other clients

Written by \`make bench-clients\` on $(date -u +%Y-%m-%d) ($revision): medians of
$rounds round$([ "$rounds" = 1 ] || echo s). In each round the clients do each row in turn, one at a time, with our server over
loopback and all files in $(df --output=fstype "$dir" | tail -n 1). A ratio above 1 means that ours is faster; a ratio below 1 is
in bold. Every run starts a process, logs in, and quits. Ours, lftp and rclone keep file times, and
ours renames a file to its final name only when it is complete; curl does neither. The tree has 99 files of 20 bytes in each of
its directories; "again" is the second run of a mirror, which finds nothing to do. lftp and ours use 4
connections for a mirror, and rclone 4 transfers and 8 checkers. A client that takes longer than $(patience many) s,
or $(patience mirror_) s for a mirror, is stopped: some versions of curl sleep for a second if the reply to EPSV
arrives before they wait for it.

- machine: $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), Linux $(uname -r)
- clients: $(for client in "${clients[@]}"; do printf '%s %s, ' "$client" "$(version "$client")"; done | sed 's/, $//')
- missing: $([ ${#missing[@]} -eq 0 ] && echo none || printf '%s, ' "${missing[@]}" | sed 's/, $//')
- command: \`${quick:+QUICK=1 }ROUNDS=$rounds make bench-clients\`

## Seconds

$(table wall)

## Processor seconds of the client

$(table cpu)

## MiB of memory, at most

$(table memory)
END
    } >"$results"
}

find_clients
rclone_password=$(rclone obscure anonymous 2>/dev/null || :)
make_files
start_server
compare
write_results
say "written: $results"
cat "$results"
