#!/bin/bash
# Measures the server and other FTP servers side by side: `make bench`.
#
#   examples/bench/run.sh [RESULTS]      RESULTS: where to write, without the end of the name
#                                        (examples/bench/results)
#   ROUNDS=3           number of rounds; in each of them every server does every row, and the
#                      medians are reported
#   TLS=1              the rows of FTPS, with the peers that support it (RESULTS: results-tls)
#   QUICK=1            one round with a quarter of the work, to test that all rows run
#   BENCH_PEERS=DIR    peers that are not installed (fetch_peers.sh)
#   BENCH_DIR=DIR      directory of the served files (/dev/shm, to measure servers and not a disk)
#   ROWS=REGEX         only these rows
#   BENCH_LINES=FILE   keep the lines of JSON there, for ftp_load report
#
# It takes about 15 minutes and 5 GiB in BENCH_DIR. It requires root, as the peers do, and iproute2,
# util-linux and perl.
set -euo pipefail

# Run in a separate network namespace, in which the ports of closed connections are reused at once:
# a row leaves tens of thousands of ports in TIME_WAIT, each for a minute, which would slow down
# the following rows. Thousands of sessions also need more ports than the system's default range has.
# The namespace keeps other machines away from the peers, which let everyone write.
if [ -z "${BENCH_NETWORK:-}" ]; then
    BENCH_NETWORK=own exec unshare --net "$0" "$@"
fi
ip link set lo up
forget_ports_beyond() { echo "$1" >/proc/sys/net/ipv4/tcp_max_tw_buckets; }
ports_kept=$(cat /proc/sys/net/ipv4/tcp_max_tw_buckets)
forget_ports_beyond 2000
echo '10000 65535' >/proc/sys/net/ipv4/ip_local_port_range

cd "$(dirname "$0")/../.."
here=examples/bench
tls=${TLS:+1}
results=${1:-$here/results${tls:+-tls}}
programs=$(pwd)/target/release
load=$programs/examples/ftp_load
quick=${QUICK:+1}
rounds=${ROUNDS:-${quick:-3}}
rows_wanted=${ROWS:-.}
ulimit -n "$(ulimit -Hn)"

dir=$(mktemp -d "${BENCH_DIR:-$([ -d /dev/shm ] && echo /dev/shm || echo /tmp)}/ftp-bench.XXXXXX")
# The process and the port of each running server. Keys: the server's name and its variant.
declare -A pids ports
stop_all() {
    for key in "${!pids[@]}"; do kill "${pids[$key]}" 2>/dev/null || :; done
    wait 2>/dev/null || :
    rm -rf "$dir"
}
trap stop_all EXIT
trap 'exit 130' INT TERM

say() { echo "bench: $*" >&2; }

password=benchmark
visitor=ftp
if ! id "$visitor" >/dev/null 2>&1; then
    say 'there is no user ftp (Debian: adduser --system ftp), which pure-ftpd requires'
    visitor=nobody
fi
# shellcheck source=examples/bench/peers.sh
. "$here/peers.sh"

# Makes the certificate of all servers.
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

# Makes the accounts of all servers: `writer`, and u0, u1, … with the same password. First logins use
# different accounts in each round. The password is hashed once, because the accounts of a
# server may have the same hash.
make_accounts() {
    local count=$(((rounds + 1) * $(n 64)))
    accounts=$dir/accounts
    mkdir "$accounts"
    { echo writer; seq -f 'u%.0f' 0 $((count - 1)); } >"$accounts/names"
    hash=$(perl -e 'print crypt($ARGV[0], q($6$benchmark$))' "$password")
    echo "$password" | "$programs/ftp_server" passwd --access write "$accounts/mt_ftp.one" writer \
        >"$accounts/output" 2>&1 || { cat "$accounts/output" >&2 && exit 1; }
    every_account "$(sed -n 's/^writer//p' "$accounts/mt_ftp.one")" >"$accounts/mt_ftp"
    every_account ":x:$(id -u "$visitor"):$(id -g "$visitor")::$served:/bin/sh" >"$accounts/passwd"
    every_account ":$hash:19000:0:99999:7:::" >"$accounts/shadow"
}

# Prints a line for each account: its name and this text.
every_account() { awk -v rest="$1" '{ print $0 rest }' "$accounts/names"; }

# --- servers ---

free_port() {
    local tried
    for ((tried = 0; tried < 100; tried++)); do
        port=$((2000 + RANDOM % 8000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
    done
    say 'no free port'
    exit 1
}

# Starts a server and waits until it answers: its name, and the variant:
#
#   anonymous   anonymous sessions
#   accounts    sessions with the accounts of make_accounts
#   fresh       as anonymous, but started for one measurement: a server that has run before reuses
#               memory that it already has
start() {
    local name=$1 tried
    variant=$2
    own=$dir/$name-$variant
    # A server that did not start once is not started again.
    [ ! -e "$own" ] || return 1
    mkdir "$own"
    if [[ $variant == accounts && " $without_accounts " == *" $name "* ]]; then
        missing+=("$name with accounts")
        return 1
    fi
    free_port
    "start_$name"
    for ((tried = 0; tried < 100; tried++)); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port" && IFS= read -r -t 5 -u 3 _) 2>/dev/null; then
            pids[$name $variant]=$pid ports[$name $variant]=$port
            return
        fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    say "$name does not answer: $(tail -n 3 "$own/output" 2>/dev/null || :)"
    missing+=("$name (does not start, $variant)")
    return 1
}

# Stops a server and removes its files, so that it can be started again.
stop() {
    local key="$1 $2"
    end_sessions "${pids[$key]}"
    kill "${pids[$key]}" 2>/dev/null || :
    wait "${pids[$key]}" 2>/dev/null || :
    unset "pids[$key]" "ports[$key]"
    rm -rf "${dir:?}/$1-$2"
}

start_servers() {
    servers=() missing=()
    local name
    for name in mt_ftp $peers $limit; do
        if [ "$name" = mt_ftp ] || [ "$name" = bare ] || "find_$name" >/dev/null; then
            if start "$name" anonymous; then servers+=("$name"); fi
        else
            missing+=("$name")
        fi
    done
    say "servers: ${servers[*]}"
    for name in "${missing[@]}"; do say "missing: $name"; done
}

# --- rows ---

# Runs one measurement if its row is selected: the output file, the server, the row's name, the
# options. Rows with --user use the server's accounts. A run that fails also adds its line.
run() {
    local out=$1 server=$2 row=$3 variant=anonymous
    shift 3
    wanted "$row" || return 0
    case " $* " in *' --user '*) variant=accounts ;; esac
    run_variant "$variant" "$@"
}

# The same with a server that is started for this measurement.
run_fresh() {
    local out=$1 server=$2 row=$3
    shift 3
    wanted "$row" || return 0
    run_variant fresh "$@"
    [ -z "${pids[$server fresh]:-}" ] || stop "$server" fresh
}

run_variant() {
    local key="$server $1"
    [ "$server $1" != 'bare accounts' ] || key='bare anonymous'
    [ -n "${pids[$key]:-}" ] || start "$server" "$1" || return 0
    shift
    "$load" --port "${ports[$key]}" --pid "${pids[$key]}" --server "$server" --row "$row" \
        ${tls:+--tls} --json "$@" >>"$out" 2>/dev/null || :
    end_sessions "${pids[$key]}"
    find "$served/up" -mindepth 1 -delete
    [ ! -e "$dir/${key/ /-}/log" ] || : >"$dir/${key/ /-}/log"
}

wanted() { [[ $1 =~ $rows_wanted ]]; }

# A session whose client timed out may generate its listing for minutes and disturb the following
# measurements. For servers with a process per session, those processes are killed.
end_sessions() {
    local children
    children=$(ps -o pid= --ppid "$1") || return 0
    # shellcheck disable=SC2086 # words
    kill -KILL $children 2>/dev/null || :
}

# Prints the number of tasks, or a quarter of it in a quick run.
n() { echo $((${quick:-0} ? ($1 + 3) / 4 : $1)); }

# Prints the rows of a round: name | options. Most runs end after one second, even if tasks are left.
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
RETR 4 KiB, 8 sessions beside 1,000 idle|--file 4K --size 4K --clients 8 --idle 1000 --dir few --list --count $(n 10000) --seconds 1 retr
STOR 4 KiB, new names, 1 session|--file up/x --count $(n 5000) --seconds 1 stor
STOR 4 KiB, new names, 8 sessions|--file up/x --clients 8 --count $(n 10000) --seconds 1 stor
STOR 4 KiB, new names, 64 sessions|--file up/x --clients 64 --count $(n 10000) --seconds 1 stor
STOR 4 KiB, existing files, 1 session|--user writer --password $password --file up/x --overwrite --count $(n 5000) --seconds 1 stor
STOR 4 KiB, existing files, 8 sessions|--user writer --password $password --file up/x --overwrite --clients 8 --count $(n 10000) --seconds 1 stor
STOR 4 KiB, existing files, 64 sessions|--user writer --password $password --file up/x --overwrite --clients 64 --count $(n 10000) --seconds 1 stor
anonymous login, 16 clients|--clients 16 --count $(n 10000) --seconds 1 login
first login of each account, 16 clients|--user u --password $password --accounts $(n 64) --first-account $((round * $(n 64))) --clients 16 --count $(n 64) --seconds 10 login
repeated login with an account, 16 clients|--user u --password $password --accounts 16 --warm-up --clients 16 --count $(n 10000) --seconds 1 login
connect, log in, LIST, RETR, QUIT, 64 clients|--clients 64 --dir few --file 4K --count $(n 2000) --seconds 1 churn
LIST of 10,000 names|--dir 10k --count $(n 8) --seconds 1 list
NLST of 10,000 names|--dir 10k --verb NLST --count $(n 8) --seconds 1 list
MLSD of 10,000 names|--dir 10k --verb MLSD --count $(n 8) --seconds 1 list
LIST of 100,000 names|--dir 100k --count 1 --seconds 4 list
NLST of 100,000 names|--dir 100k --verb NLST --count 1 --seconds 4 list
MLSD of 100,000 names|--dir 100k --verb MLSD --count 1 --seconds 4 list
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
        done < <(rows)
    done
}

# Runs the measurements that take long or leave many ports behind, once.
measure_once() {
    local server sessions
    # A process for each of 10,000 sessions would exceed the resources of the machine.
    local with_many='mt_ftp pyftpdlib bare'
    sessions=$(most_sessions)
    for server in "${servers[@]}"; do
        run "$dir/compare" "$server" "RETR 4 KiB, $([ "$quick" ] && echo 10,000 || echo 40,000) in a row, 8 sessions" --file 4K \
            --clients 8 --count "$(n 40000)" --seconds 15 retr
    done
    for server in "${servers[@]}"; do
        idle "$server" 1,000
    done
    for server in $with_many; do
        [ -z "${pids[$server anonymous]:-}" ] || idle "$server" "$(grouped "$sessions")"
    done
    for server in $with_many; do
        [ -z "${pids[$server anonymous]:-}" ] || run_fresh "$dir/compare" "$server" \
            "RETR 4 KiB once a second, $(grouped "$sessions") sessions" --file 4K --size 4K \
            --clients "$sessions" --list --dir few --rate "$sessions" \
            --count $((sessions * $(n 10))) --seconds 30 --timeout 20 retr
    done
}

# Measures a fresh server with this many sessions that have logged in and, in clear, listed a
# directory.
idle() {
    local row="$2 idle sessions" list=()
    if [ -z "$tls" ]; then row+=' after a LIST' list=(--list --dir few); fi
    run_fresh "$dir/compare" "$1" "$row" --clients "${2/,/}" "${list[@]}" --file 128M \
        --count 1000 --seconds 20 --timeout 20 idle
}

# Prints the number of sessions for which a server has enough descriptors, at most 10,000. A session
# has a control connection and a listener for data connections; a tenth is left for transfers.
most_sessions() {
    local descriptors=$(($(ulimit -n) * 9 / 20))
    echo $((descriptors < 10000 ? descriptors : 10000))
}

# Prints a number with its thousands grouped.
grouped() { LC_ALL=C sed ':a; s/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/; ta' <<<"$1"; }

# Measures the cost of a task of our server as the number of sessions, the size of the file or the
# number of names grows.
measure_growth() {
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
    # This comes last, because it leaves ports in TIME_WAIT.
    forget_ports_beyond "$ports_kept"
    run "$dir/grow" mt_ftp 'RETR 4 KiB, 40,000 in a row, ports kept for a minute' --file 4K \
        --clients 8 --count 40000 --seconds 20 retr
}

# --- results ---

write_results() {
    [ -z "${BENCH_LINES:-}" ] || cat "$dir/compare" "$dir/grow" >"$BENCH_LINES"
    {
        printf '# The speed of the server and of others%s\n\n' "${tls:+, under TLS}"
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
Written by \`make bench\` on $(date -u +%Y-%m-%d), commit $(git rev-parse --short HEAD 2>/dev/null || echo '?'). The figures are medians of $rounds round$([ "$rounds" = 1 ] || echo s).
In each round every server does every row, one server at a time, over loopback, with the served files in memory.
Rows with \`in a row\`, \`idle sessions\` or \`once a second\` in their names run once. A ratio above 1 means that
mt_ftp is better; a ratio below 1 is in bold. At most 2,000 closed connections stay in TIME_WAIT (tcp_max_tw_buckets);
otherwise each row would leave fewer free ports to the next one.

$(describe_kind)

mt_ftp logs to a file at its default level. The peers log nothing, do not resolve names, and have no limits.

- machine: $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), Linux $(uname -r)
- servers: $(for server in "${servers[@]}"; do printf '%s %s, ' "$server" "$("version_$server")"; done | sed 's/, $//')
- missing: $([ ${#missing[@]} -eq 0 ] && echo none || printf '%s, ' "${missing[@]}" | sed 's/, $//')
- command: \`${tls:+TLS=1 }${quick:+QUICK=1 }ROUNDS=$rounds make bench${BENCH_PEERS:+ BENCH_PEERS=…}\`
END
}

describe_kind() {
    if [ "$tls" ]; then
        cat <<'END'
All connections use TLS 1.3 (AUTH TLS, PROT P), all servers have the same certificate, and each data connection resumes the
TLS session of its control connection.
END
    else
        cat <<'END'
`bare` is the limit of this machine and not an FTP server: it has a thread for each client and moves the same bytes over the same connections, but it checks nothing.

Rows with accounts use the password check of each server: PBKDF2 with 600,000 rounds (mt_ftp, which remembers successful
logins), SHA-512 crypt (vsftpd by PAM, proftpd, pure-ftpd), or none (pyftpdlib). Existing files are replaced by an account,
because pure-ftpd does not let anonymous users do that. A latency of the rows with `once a second` counts from the time at
which the transfer should have started.
END
    fi
}

make_files
if [ "$tls" ]; then make_certificate; else make_accounts; fi
: >"$dir/grow"
start_servers
compare
if [ "$tls" ]; then
    for server in "${servers[@]}"; do idle "$server" 1,000; done
else
    measure_once
    measure_growth
fi
write_results
say "written: $results.md, $results.svg"
"$load" report "$dir/compare"
