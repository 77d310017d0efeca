# shellcheck shell=bash
# The configuration and the start of each server of the benchmark. Sourced by run.sh.
#
# Every peer is configured for the best performance: anonymous users may read and write, nothing is
# logged, names are not resolved, limits on clients are lifted. `start_NAME` starts a server in the
# background on 127.0.0.1:$port, serving $served, with its own files in $own, and stores its
# process id in $pid. If $tls is set, it also takes TLS with $certificate. `find_NAME` prints the
# path of the program, or fails. `version_NAME` prints its version.
#
#   name        package                        of
#   vsftpd      vsftpd                         Debian
#   proftpd     proftpd-core                   Debian
#   pure-ftpd   pure-ftpd                      Debian
#   pyftpdlib   pyftpdlib                      PyPI
#   unftp       unftp                          crates.io

peers='vsftpd proftpd pure-ftpd pyftpdlib unftp'
# The server that is no peer but the limit.
limit=bare
if [ "$tls" ]; then
    # unftp's TLS is not OpenSSL's, and the limit has none.
    peers='vsftpd proftpd pure-ftpd pyftpdlib'
    limit=
fi

# Prints the path of a peer's program: from BENCH_PEERS (see fetch_peers.sh), or else an installed
# one.
find_program() {
    local place
    for place in ${BENCH_PEERS:+"$BENCH_PEERS/usr/sbin/$1" "$BENCH_PEERS/venv/bin/$1" "$BENCH_PEERS/bin/$1"}; do
        [ -x "$place" ] && echo "$place" && return
    done
    PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1"
}

# Runs a program with the libraries that were unpacked with it. Called in a subshell, so that the
# background process id is that of the server.
peer() {
    local libraries=${BENCH_PEERS:+$(echo "$BENCH_PEERS"/usr/lib/*-linux-gnu)}
    exec env ${libraries:+LD_LIBRARY_PATH="$libraries"} "$@"
}

# --- ours, and the limit ---

start_mt_ftp() {
    "$programs/ftp_server" --port "$port" --root "$served" --anonymous write --max-sessions 100000 \
        --log-level error ${tls:+--tls-cert "$certificate"} >/dev/null &
    pid=$!
}

version_mt_ftp() { "$programs/ftp_server" --version | sed -n '1s/^[^ ]* //p'; }

start_bare() {
    "$load" bare --port "$port" --root "$served" >/dev/null &
    pid=$!
}

version_bare() { echo 'ftp_load bare'; }

# --- vsftpd ---

find_vsftpd() { find_program vsftpd; }

start_vsftpd() {
    mkdir "$own/empty"
    cat >"$own/conf" <<END
listen=YES
listen_address=127.0.0.1
listen_port=$port
background=NO
anonymous_enable=YES
local_enable=NO
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_umask=022
anon_root=$served
allow_writeable_chroot=YES
ftp_username=$visitor
nopriv_user=nobody
secure_chroot_dir=$own/empty
xferlog_enable=NO
max_clients=0
max_per_ip=0
one_process_model=YES
isolate=NO
isolate_network=NO
seccomp_sandbox=NO
END
    [ -z "$tls" ] || cat >>"$own/conf" <<END
ssl_enable=YES
allow_anon_ssl=YES
rsa_cert_file=$certificate
rsa_private_key_file=$certificate
ssl_ciphers=HIGH
ssl_tlsv1=YES
END
    # The fastest configuration: one process per session, without sandboxes.
    peer "$(find_vsftpd)" "$own/conf" >"$own/said" 2>&1 &
    pid=$!
}

version_vsftpd() { (peer "$(find_vsftpd)" -v) 0>&1 2>&1 | sed 's/.*version //'; }

# --- proftpd ---

find_proftpd() { find_program proftpd; }

start_proftpd() {
    cat >"$own/conf" <<END
ServerName bench
ServerType standalone
DefaultAddress 127.0.0.1
Port $port
SocketBindTight on
UseIPv6 off
User nobody
Group nogroup
PidFile $own/pid
ScoreboardFile none
SystemLog none
WtmpLog off
TransferLog none
UseReverseDNS off
MaxInstances none
AuthOrder mod_auth_unix.c
AllowOverwrite on
TCPBacklog 255
<IfModule mod_delay.c>
DelayEngine off
</IfModule>
<IfModule mod_ctrls.c>
ControlsEngine off
</IfModule>
${tls:+$(proftpd_tls)}
<Anonymous $served>
User $visitor
Group $(id -gn "$visitor")
UserAlias anonymous $visitor
RequireValidShell off
<Limit ALL>
AllowAll
</Limit>
</Anonymous>
END
    peer "$(find_proftpd)" -n -q -c "$own/conf" >"$own/said" 2>&1 &
    pid=$!
}

proftpd_tls() {
    local modules=${BENCH_PEERS:+$BENCH_PEERS/usr/lib/proftpd}
    [ -d "$modules" ] || modules=/usr/lib/proftpd
    cat <<END
ModulePath $modules
LoadModule mod_tls.c
TLSEngine on
TLSECCertificateFile $certificate
TLSECCertificateKeyFile $certificate
TLSProtocol TLSv1.3
TLSVerifyClient off
TLSLog none
END
}

version_proftpd() { (peer "$(find_proftpd)" -v) 2>&1 | sed 's/.*Version //'; }

# --- pure-ftpd ---

find_pure-ftpd() { getent passwd ftp >/dev/null && find_program pure-ftpd; }

# Anonymous users always get the home directory of the user ftp, so the files are mounted there in
# a separate mount namespace. 4: IPv4; e: anonymous only; H: no name resolution; f none: no log; c,
# C: maximum numbers of clients; L: limits of listings; Y 0: no TLS, Y 1: TLS for those who ask.
start_pure-ftpd() {
    local home
    home=$(getent passwd ftp | cut -d: -f6)
    # shellcheck disable=SC2016 # for the shell inside
    peer unshare --mount sh -c 'mount --bind "$0" "$1" && shift && exec "$@"' "$served" "$home" \
        "$(find_pure-ftpd)" -S "127.0.0.1,$port" -4 -e -H -f none \
        -c 30000 -C 30000 -L 1000000:10 -g "$own/pid" \
        -Y ${tls:-0} ${tls:+-2 "$certificate"} >"$own/said" 2>&1 &
    pid=$!
}

version_pure-ftpd() {
    (peer "$(find_pure-ftpd)" --help) 2>&1 | sed -n 's/^pure-ftpd v\([0-9.]*\).*/\1/p'
}

# --- pyftpdlib ---

# Prints the path of the Python that has pyftpdlib.
find_pyftpdlib() {
    local python
    for python in ${BENCH_PEERS:+"$BENCH_PEERS/venv/bin/python"} python3; do
        "$python" -c 'import pyftpdlib' 2>/dev/null && command -v "$python" && return
    done
    return 1
}

start_pyftpdlib() {
    cat >"$own/serve.py" <<'END'
import logging, sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

logging.basicConfig(level=logging.CRITICAL)
authorizer = DummyAuthorizer()
authorizer.add_anonymous(sys.argv[2], perm="elradfmwMT")
handler = FTPHandler
if len(sys.argv) > 3:
    from pyftpdlib.handlers import TLS_FTPHandler

    handler = TLS_FTPHandler
    handler.certfile = sys.argv[3]
handler.authorizer = authorizer
server = FTPServer(("127.0.0.1", int(sys.argv[1])), handler, backlog=4096)
server.max_cons = 100000
server.max_cons_per_ip = 0
server.serve_forever()
END
    "$(find_pyftpdlib)" -W ignore "$own/serve.py" "$port" "$served" ${tls:+"$certificate"} \
        >"$own/said" 2>&1 &
    pid=$!
}

version_pyftpdlib() { "$(find_pyftpdlib)" -c 'import pyftpdlib; print(pyftpdlib.__ver__)'; }

# --- unftp ---

find_unftp() { find_program unftp; }

start_unftp() {
    "$(find_unftp)" --bind-address "127.0.0.1:$port" --bind-address-http 127.0.0.1:0 \
        --root-dir "$served" --auth-type anonymous --log-level error >"$own/said" 2>&1 &
    pid=$!
}

version_unftp() { "$(find_unftp)" --version | sed -n 's/^un[fF][tT][pP] //p'; }
