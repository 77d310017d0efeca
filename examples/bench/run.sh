#!/bin/bash
# Holds the server against others that people use, side by side: `make bench`.
#
#   examples/bench/run.sh [RESULTS]      RESULTS: where to write, without the end of the name
#                                        (examples/bench/results)
#   ROUNDS=5           every server does every row so often, in turn; medians count
#   TLS=1              the rows of FTPS, beside the peers that have it (RESULTS: results-tls)
#   QUICK=1            one round of a quarter of the work, to see that all of it runs
#   BENCH_PEERS=DIR    where the peers are that are not installed (fetch_peers.sh)
#   BENCH_DIR=DIR      where the files served are made (/dev/shm: what is measured is the server,
#                      not the disk)
#   ROWS=REGEX         only these rows
#   BENCH_LINES=FILE   keep the lines of JSON there, for ftp_load report
#
# It takes about ten minutes and 5 GiB in BENCH_DIR, and requires root, as the peers do, iproute2
# and util-linux.
set -euo pipefail

# Run in a separate network namespace, in which the ports of closed connections are reused at once:
# a row leaves tens of thousands of ports in TIME_WAIT, each for a minute, which would slow down
# the following rows. The namespace also protects the peers, which let everyone write, from other
# machines.
if [ -z "${BENCH_NETWORK:-}" ]; then
    BENCH_NETWORK=own exec unshare --net "$0" "$@"
fi
ip link set lo up
forget_ports_beyond() { echo "$1" >/proc/sys/net/ipv4/tcp_max_tw_buckets; }
ports_kept=$(cat /proc/sys/net/ipv4/tcp_max_tw_buckets)
forget_ports_beyond 2000

cd "$(dirname "$0")/../.."
here=examples/bench
tls=${TLS:+1}
results=${1:-$here/results${tls:+-tls}}
programs=$(pwd)/target/release
load=$programs/examples/ftp_load
quick=${QUICK:+1}
rounds=${ROUNDS:-${quick:-5}}
rows_wanted=${ROWS:-.}
ulimit -n "$(ulimit -Hn)"

dir=$(mktemp -d "${BENCH_DIR:-$([ -d /dev/shm ] && echo /dev/shm || echo /tmp)}/ftp-bench.XXXXXX")
declare -A pids ports
stop_all() {
    for name in "${!pids[@]}"; do kill "${pids[$name]}" 2>/dev/null || :; done
    wait 2>/dev/null || :
    rm -rf "$dir"
}
trap stop_all EXIT
trap 'exit 130' INT TERM

say() { echo "bench: $*" >&2; }

visitor=ftp
if ! id "$visitor" >/dev/null 2>&1; then
    say 'there is no user ftp (Debian: adduser --system ftp); pure-ftpd insists on it'
    visitor=nobody
fi
# shellcheck source=examples/bench/peers.sh
. "$here/peers.sh"

# Makes the certificate that all servers have.
make_certificate() {
    certificate=$dir/certificate.pem
    "$programs/ftp_server" certificate --name localhost "$certificate" >/dev/null
}

# --- served files ---

make_names() {
    mkdir -p "$served/$1"
    (cd "$served/$1" && seq -f 'file-%06.0f.txt' "$2" | xargs touch)
}

make_files() {
    served=$dir/served
    mkdir "$served" "$served/up"
    head -c 1G /dev/zero >"$served/1G"
    head -c 128M /dev/zero >"$served/128M"
    head -c 4096 /dev/urandom >"$served/4K"
    make_names few 10
    make_names 1k 1000
    make_names 10k 10000
    make_names 100k 100000
    # vsftpd rejects anonymous users who may write to their root directory.
    chown "$visitor" "$served/up"
    chmod 755 "$dir" "$served"
}

# --- servers ---

free_port() {
    local tried
    for ((tried = 0; tried < 100; tried++)); do
        port=$((20000 + RANDOM % 10000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
    done
    say 'no free port'
    exit 1
}

# Starts a server and waits until it answers.
start() {
    local name=$1 tried
    free_port
    own=$dir/$name
    mkdir "$own"
    "start_$name"
    for ((tried = 0; tried < 100; tried++)); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port" && IFS= read -r -t 5 -u 3 _) 2>/dev/null; then
            pids[$name]=$pid ports[$name]=$port
            return
        fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    say "$name does not answer: $(tail -n 3 "$own/said" 2>/dev/null || :)"
    missing+=("$name (does not start)")
}

start_servers() {
    servers=() missing=()
    local name
    for name in mt_ftp $peers $limit; do
        if [ "$name" = mt_ftp ] || [ "$name" = bare ] || "find_$name" >/dev/null; then
            start "$name"
            [ -z "${pids[$name]:-}" ] || servers+=("$name")
        else
            missing+=("$name")
        fi
    done
    say "servers: ${servers[*]}"
    for name in "${missing[@]}"; do say "missing: $name"; done
}

# --- rows ---

# Runs one measurement: the output file, the server, the row's name, the options. The line contains
# failures too.
run() {
    local out=$1 server=$2 row=$3
    shift 3
    "$load" --port "${ports[$server]}" --pid "${pids[$server]}" --server "$server" --row "$row" \
        ${tls:+--tls} --json "$@" >>"$out" 2>/dev/null || :
    end_sessions "${pids[$server]}"
    find "$served/up" -mindepth 1 -delete
}

# A session whose client gave up may compute its listing for minutes and disturb the following
# measurements. For servers with a process per session, those processes are killed.
end_sessions() {
    local children
    children=$(ps -o pid= --ppid "$1") || return 0
    # shellcheck disable=SC2086 # words
    kill -KILL $children 2>/dev/null || :
}

# Prints the amount of work, or a quarter of it in a quick run.
n() { echo $((${quick:-0} ? ($1 + 3) / 4 : $1)); }

# name | options; most runs end after one second, even if work is left.
rows() {
    if [ "$tls" ]; then rows_under_tls; else rows_in_clear; fi
}

rows_under_tls() {
    cat <<END
RETR 1 GiB, 1 client|--file 1G --size 1G --count $(n 2) --seconds 20 retr
STOR 1 GiB, 1 client|--file up/x --size 1G --count 1 --seconds 20 stor
RETR 4 KiB, 1 session|--file 4K --size 4K --count $(n 1000) --seconds 10 retr
RETR 4 KiB, 8 sessions|--file 4K --size 4K --clients 8 --count $(n 1000) --seconds 10 retr
STOR 4 KiB, 1 session|--file up/x --count $(n 1000) --seconds 10 stor
STOR 4 KiB, 8 sessions|--file up/x --clients 8 --count $(n 1000) --seconds 10 stor
connect, AUTH TLS, log in, QUIT, 8 clients|--clients 8 --count $(n 1000) --seconds 10 login
END
}

rows_in_clear() {
    cat <<END
RETR 1 GiB, 1 client|--file 1G --size 1G --count $(n 2) --seconds 10 retr
RETR 128 MiB, 32 clients|--file 128M --size 128M --clients 32 --count 32 --seconds 10 retr
STOR 1 GiB, 1 client|--file up/x --size 1G --count 1 --seconds 10 stor
STOR 32 MiB, 32 clients|--file up/x --size 32M --clients 32 --count 32 --seconds 10 stor
RETR 4 KiB, 1 session|--file 4K --size 4K --count $(n 5000) --seconds 1 retr
RETR 4 KiB, 8 sessions|--file 4K --size 4K --clients 8 --count $(n 10000) --seconds 1 retr
RETR 4 KiB, 64 sessions|--file 4K --size 4K --clients 64 --count $(n 10000) --seconds 1 retr
STOR 4 KiB, 1 session|--file up/x --count $(n 5000) --seconds 1 stor
STOR 4 KiB, 8 sessions|--file up/x --clients 8 --count $(n 10000) --seconds 1 stor
STOR 4 KiB, 64 sessions|--file up/x --clients 64 --count $(n 10000) --seconds 1 stor
connect, log in, QUIT, 8 clients|--clients 8 --count $(n 4000) --seconds 1 login
connect, log in, LIST, RETR, QUIT, 64 clients|--clients 64 --dir few --file 4K --count $(n 2000) --seconds 1 churn
LIST of 10,000 names|--dir 10k --count $(n 8) --seconds 1 list
NLST of 10,000 names|--dir 10k --verb NLST --count $(n 8) --seconds 1 list
MLSD of 10,000 names|--dir 10k --verb MLSD --count $(n 8) --seconds 1 list
LIST of 100,000 names|--dir 100k --count 1 --seconds 2 list
NLST of 100,000 names|--dir 100k --verb NLST --count 1 --seconds 2 list
MLSD of 100,000 names|--dir 100k --verb MLSD --count 1 --seconds 2 list
END
}

compare() {
    local round row options server
    for ((round = 1; round <= rounds; round++)); do
        say "round $round of $rounds"
        while IFS='|' read -r row options; do
            for server in "${servers[@]}"; do
                # The minimal server has no listing that could be compared.
                case "$server $row" in bare*' names') continue ;; esac
                # shellcheck disable=SC2086 # words
                run "$dir/compare" "$server" "$row" $options
            done
        done < <(rows | grep -E "$rows_wanted")
    done
}

# Runs the measurements that take long or leave many ports behind, once.
endure() {
    local server
    for server in "${servers[@]}"; do
        run "$dir/compare" "$server" "RETR 4 KiB, $([ "$quick" ] && echo 10,000 || echo 40,000) in a row, 8 sessions" --file 4K \
            --clients 8 --count "$(n 40000)" --seconds 15 retr
    done
    for server in "${servers[@]}"; do
        idle "$server" 1,000
    done
    # A process for each session would exceed the resources of the machine.
    for server in mt_ftp pyftpdlib bare; do
        [ -z "${pids[$server]:-}" ] || idle "$server" 10,000
    done
}

idle() {
    local many=${2/,/}
    [ $(($(ulimit -n) - 100)) -gt "$many" ] || { say "ulimit -n is too low for $2 sessions"; return; }
    run "$dir/compare" "$1" "$2 idle sessions" --clients "$many" --file 128M \
        --count 1000 --seconds 20 --timeout 20 idle
}

# Measures the cost of a piece of our work as its amount grows.
grow() {
    local round sessions size names
    for ((round = 1; round <= rounds; round++)); do
        for sessions in 1 8 64 512; do
            run "$dir/grow" mt_ftp "RETR 4 KiB, $sessions sessions" --file 4K \
                --clients "$sessions" --count "$(n 10000)" --seconds 5 retr
        done
        for size in 4K 64K 1M 16M 256M 1G; do
            [ -e "$served/$size" ] || head -c "$size" /dev/zero >"$served/$size"
            run "$dir/grow" mt_ftp "RETR $size" --file "$size" --seconds 5 retr \
                --count "$(case $size in *K) n 4000 ;; 1M) n 400 ;; 16M) n 32 ;; *) echo 2 ;; esac)"
        done
        for names in 1k 10k 100k; do
            run "$dir/grow" mt_ftp "LIST of $names names" --dir "$names" --count 4 --seconds 5 list
        done
    done
    # Last, because it leaves ports in TIME_WAIT.
    forget_ports_beyond "$ports_kept"
    run "$dir/grow" mt_ftp 'RETR 4 KiB, 40,000 in a row, ports kept for a minute' --file 4K \
        --clients 8 --count 40000 --seconds 20 retr
}

# --- results ---

write_results() {
    [ -z "${BENCH_LINES:-}" ] || cat "$dir/compare" "$dir/grow" >"$BENCH_LINES"
    {
        printf '# How fast the server is%s, and others\n\n' "${tls:+ under TLS}"
        describe
        printf '\n![Rates side by side](%s)\n\n## Side by side\n\n' "$(basename "$results").svg"
        "$load" report "$dir/compare"
        if [ -s "$dir/grow" ]; then
            printf '\n## Cost as work grows\n\n'
            "$load" report "$dir/grow"
        fi
    } >"$results.md"
    "$load" report --chart "$dir/compare" >"$results.svg"
}

describe() {
    cat <<END
Written by \`make bench\` on $(date -u +%Y-%m-%d) ($(git rev-parse --short HEAD 2>/dev/null || echo '?')): medians
of $rounds round$([ "$rounds" = 1 ] || echo s), in each of which every server does every row in turn, one at a time, over
loopback, with its files in memory. Ratios above 1 are ours; where they are below they stand out.
What has \`in a row\` or \`idle\` in its name ran once. $(describe_the_kind) Connections
that have ended are forgotten beyond 2,000 (tcp_max_tw_buckets), or each row would be measured in the
ports that those before it left over.

- machine: $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), Linux $(uname -r)
- servers: $(for server in "${servers[@]}"; do printf '%s %s, ' "$server" "$("version_$server")"; done | sed 's/, $//')
- missing: $([ ${#missing[@]} -eq 0 ] && echo none || printf '%s, ' "${missing[@]}" | sed 's/, $//')
- command: \`${tls:+TLS=1 }${quick:+QUICK=1 }ROUNDS=$rounds make bench${BENCH_PEERS:+ BENCH_PEERS=…}\`
END
}

describe_the_kind() {
    if [ "$tls" ]; then
        cat <<'END'
Every connection is
under TLS 1.3 (AUTH TLS, PROT P), all servers have the same certificate, and a data connection
resumes the session of its control connection.
END
    else
        cat <<'END'
`bare` is no server but the limit: it moves
the same bytes over the same connections, a thread for each client, and checks nothing.
END
    fi
}

make_files
[ -z "$tls" ] || make_certificate
: >"$dir/grow"
start_servers
compare
if [ "$tls" ]; then
    for server in "${servers[@]}"; do idle "$server" 1,000; done
else
    endure
    grow
fi
write_results
say "written: $results.md, $results.svg"
"$load" report "$dir/compare"
