# shellcheck shell=bash
# The configuration and the start of each server of the benchmark. Sourced by run.sh.
#
# Every peer is configured for the best performance: users may read and write, nothing is logged,
# names are not resolved, limits on clients are lifted. `start_NAME` starts a server in the
# background on 127.0.0.1:$port, serving $served, with its own files in $own, and stores its
# process id in $pid. If $variant is `accounts`, the users are those in $accounts (make_accounts), and
# otherwise anonymous. If $tls is set, the server also accepts TLS with $certificate. `find_NAME`
# prints the path of the program, or fails. `version_NAME` prints its version.
#
#   name        package                        of
#   vsftpd      vsftpd                         Debian
#   proftpd     proftpd-core                   Debian
#   pure-ftpd   pure-ftpd                      Debian
#   pyftpdlib   pyftpdlib                      PyPI
#   unftp       unftp                          crates.io

peers='vsftpd proftpd pure-ftpd pyftpdlib unftp'
# Peers without accounts: fetch_peers.sh builds unftp without that feature.
without_accounts=unftp
# The minimal server, which shows the limit of the machine.
limit=bare
if [ "$tls" ]; then
    # unftp does not use OpenSSL, and the minimal server has no TLS.
    peers='vsftpd proftpd pure-ftpd pyftpdlib'
    limit=
fi

# Prints the path of a peer's program: from BENCH_PEERS (see fetch_peers.sh), or else an installed
# one.
find_program() {
    local folder
    for folder in usr/sbin usr/bin venv/bin bin; do
        [ -x "${BENCH_PEERS:-}/$folder/$1" ] && echo "$BENCH_PEERS/$folder/$1" && return
    done
    PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1"
}

# Runs a program with the libraries that were unpacked with it. Called in a subshell, so that the
# background process id is that of the server.
peer() {
    local libraries=${BENCH_PEERS:+$(echo "$BENCH_PEERS"/usr/lib/*-linux-gnu)}
    exec env ${libraries:+LD_LIBRARY_PATH="$libraries"} "$@"
}

# --- mt_ftp and the minimal server ---

start_mt_ftp() {
    local users='--anonymous write'
    [ "$variant" != accounts ] || users="--users $accounts/mt_ftp"
    # shellcheck disable=SC2086 # words
    "$programs/ftp_server" --port "$port" --root "$served" $users --max-sessions 100000 \
        --log-file "$own/log" ${tls:+--tls-cert "$certificate"} >/dev/null 2>"$own/output" &
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
write_enable=YES
allow_writeable_chroot=YES
nopriv_user=nobody
secure_chroot_dir=$own/empty
xferlog_enable=NO
max_clients=0
max_per_ip=0
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
    if [ "$variant" = accounts ]; then vsftpd_with_accounts; else vsftpd_anonymous; fi
}

# The fastest configuration: one process per session, without sandboxes.
vsftpd_anonymous() {
    cat >>"$own/conf" <<END
one_process_model=YES
local_enable=NO
anonymous_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_umask=022
anon_root=$served
ftp_username=$visitor
END
    peer "$(find_vsftpd)" "$own/conf" >"$own/output" 2>&1 &
    pid=$!
}

# Local accounts, checked by PAM. In a separate mount namespace, /etc/passwd, /etc/shadow and
# /etc/pam.d are replaced by the files of the benchmark. vsftpd requires two processes per session.
vsftpd_with_accounts() {
    cat >>"$own/conf" <<END
local_enable=YES
anonymous_enable=NO
local_umask=022
chroot_local_user=YES
pam_service_name=vsftpd
END
    cat /etc/passwd "$accounts/passwd" >"$own/passwd"
    cat /etc/shadow "$accounts/shadow" >"$own/shadow"
    mkdir "$own/pam.d"
    printf '%s required pam_unix.so\n' auth account >"$own/pam.d/vsftpd"
    echo 'session required pam_permit.so' >>"$own/pam.d/vsftpd"
    # shellcheck disable=SC2016 # for the shell inside
    peer unshare --mount sh -c 'own=$1; shift
        for file in passwd shadow pam.d; do mount --bind "$own/$file" "/etc/$file" || exit; done
        exec "$@"' sh "$own" "$(find_vsftpd)" "$own/conf" >"$own/output" 2>&1 &
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
AllowOverwrite on
RequireValidShell off
TCPBacklog 255
<IfModule mod_delay.c>
DelayEngine off
</IfModule>
<IfModule mod_ctrls.c>
ControlsEngine off
</IfModule>
${tls:+$(proftpd_tls)}
$(if [ "$variant" = accounts ]; then proftpd_with_accounts; else proftpd_anonymous; fi)
END
    peer "$(find_proftpd)" -n -q -c "$own/conf" >"$own/output" 2>&1 &
    pid=$!
}

proftpd_anonymous() {
    cat <<END
AuthOrder mod_auth_unix.c
<Anonymous $served>
User $visitor
Group $(id -gn "$visitor")
UserAlias anonymous $visitor
<Limit ALL>
AllowAll
</Limit>
</Anonymous>
END
}

proftpd_with_accounts() {
    # ProFTPD rejects a password file that others may read.
    (umask 077 && awk -F: -v OFS=: -v hash="$hash" '{ $2 = hash; print }' "$accounts/passwd" >"$own/passwd")
    cat <<END
AuthOrder mod_auth_file.c
AuthUserFile $own/passwd
DefaultRoot ~
END
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
# a separate mount namespace. 4: IPv4; e: anonymous only; E: accounts only; H: no name resolution;
# f none: no log; c, C: maximum numbers of clients; L: limits of listings; Y 0: no TLS, Y 1: TLS for
# clients that ask for it.
start_pure-ftpd() {
    local home users=-e
    home=$(getent passwd ftp | cut -d: -f6)
    if [ "$variant" = accounts ]; then
        pure_accounts
        users="-E -l puredb:$own/accounts.pdb"
    fi
    # shellcheck disable=SC2016,SC2086 # for the shell inside; words
    peer unshare --mount sh -c 'mount --bind "$0" "$1" && shift && exec "$@"' "$served" "$home" \
        "$(find_pure-ftpd)" -S "127.0.0.1,$port" -4 $users -H -f none \
        -c 30000 -C 30000 -L 1000000:10 -g "$own/pid" \
        -Y ${tls:-0} ${tls:+-2 "$certificate"} >"$own/output" 2>&1 &
    pid=$!
}

# Makes the database of accounts. With the default hash of pure-pw there are fewer than two logins a
# second, so the accounts have the same kind of hash as those of vsftpd.
pure_accounts() {
    every_account ":$hash:$(id -u "$visitor"):$(id -g "$visitor")::$served/./::::::::::::" >"$own/accounts"
    (peer "$(find_program pure-pw)" mkdb "$own/accounts.pdb" -f "$own/accounts")
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
port, root, names, password, certificate = sys.argv[1:]
if names:
    for name in open(names):
        authorizer.add_user(name.strip(), password, root, perm="elradfmwMT")
else:
    authorizer.add_anonymous(root, perm="elradfmwMT")
handler = FTPHandler
if certificate:
    from pyftpdlib.handlers import TLS_FTPHandler

    handler = TLS_FTPHandler
    handler.certfile = certificate
handler.authorizer = authorizer
server = FTPServer(("127.0.0.1", int(port)), handler, backlog=4096)
server.max_cons = 100000
server.max_cons_per_ip = 0
server.serve_forever()
END
    local names=
    [ "$variant" != accounts ] || names=$accounts/names
    "$(find_pyftpdlib)" -W ignore "$own/serve.py" "$port" "$served" "$names" "$password" \
        "${tls:+$certificate}" >"$own/output" 2>&1 &
    pid=$!
}

version_pyftpdlib() { "$(find_pyftpdlib)" -c 'import pyftpdlib; print(pyftpdlib.__ver__)'; }

# --- unftp ---

find_unftp() { find_program unftp; }

start_unftp() {
    "$(find_unftp)" --bind-address "127.0.0.1:$port" --bind-address-http 127.0.0.1:0 \
        --root-dir "$served" --auth-type anonymous --log-level error >"$own/output" 2>&1 &
    pid=$!
}

version_unftp() { "$(find_unftp)" --version | sed -n 's/^un[fF][tT][pP] //p'; }
