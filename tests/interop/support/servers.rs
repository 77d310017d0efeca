//! Starts other FTP servers for our client: vsftpd, ProFTPD, Pure-FTPd and pyftpdlib.
//!
//! They need not be installed: the packages conflict, and an installed server starts as a service.
//! `FTP_PEERS` names a directory where `examples/bench/fetch_peers.sh` has unpacked them; without it
//! the installed programs are used. The servers need root, but change nothing in the system: each has
//! its own file of accounts. vsftpd supports only users of the system, so nss_wrapper (a test library
//! of Samba) simulates one; Debian's PAM rules for `other` services ask for the password.

use crate::support::content::os;
use crate::support::fixture::{client_in, wait_until, write};
use mt_ftp::sys::{make_certificate, tls_library};
use mt_ftp::text::fingerprint;
use std::env;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use tempfile::TempDir;

/// The login: a user that does not exist in the system, the password, and its crypt(3) hash.
const USER: &str = "tester";
const PASSWORD: &str = "secret";
const HASH: &str = "$6$mtftptests$svHCLfZ4uMyH2aQnmr8RJkJCz8nAwxU5IhCsaY4c2Z/sq/Xzhg7.xS12FjdkIixm\
                    /1oM3.AYppHuivO0evYFj0";
const ID: u32 = 12_345;

/// The number of attempts to start a server, because another process may take its port.
const TRIES: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Software {
    Vsftpd,
    Proftpd,
    PureFtpd,
    Pyftpdlib,
}

/// A running server, its root, and the directory of our client. Drop kills the server and, if the
/// test has failed, prints its output.
pub(crate) struct Peer {
    pub(crate) software: Software,
    server: Child,
    address: SocketAddr,
    served: TempDir,
    here: TempDir,
    own: TempDir,
    /// Our client's TLS settings.
    encryption: Option<Encryption>,
}

/// The connections for which a server requires TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Required {
    Nothing,
    /// The control connection; TLS is optional for data connections.
    Control,
    All,
}

/// Our client's options, and the configuration file of its TLS library.
struct Encryption {
    options: Vec<String>,
    settings: Option<PathBuf>,
}

impl Peer {
    /// Starts a server with one user, whose home is empty.
    pub(crate) fn start(software: Software) -> Peer {
        Peer::start_with(software, Required::Nothing, "off")
    }

    /// Starts ProFTPD with names in WINDOWS-1252 on disk and UTF-8 on the wire.
    pub(crate) fn start_in_windows_1252() -> Peer {
        Peer::start_with(Software::Proftpd, Required::Nothing, "UTF-8 WINDOWS-1252")
    }

    /// Starts a server that requires TLS for all connections and, if it has that option, resumption of the
    /// control connection's TLS session by data connections. Our client trusts its certificate.
    pub(crate) fn start_encrypted(software: Software) -> Peer {
        Peer::start_trusted(software, Required::All)
    }

    /// Like [`Peer::start_encrypted`], but the server also accepts data connections without TLS.
    pub(crate) fn start_with_clear_data(software: Software) -> Peer {
        Peer::start_trusted(software, Required::Control)
    }

    fn start_trusted(software: Software, required: Required) -> Peer {
        let mut peer = Peer::start_with(software, required, "off");
        peer.encryption = Some(Encryption {
            options: vec!["--tls".into(), "--tls-pin".into(), peer.pin()],
            settings: None,
        });
        peer
    }

    /// Returns the fingerprint of the server's certificate.
    pub(crate) fn pin(&self) -> String {
        fs::read_to_string(self.own.path().join("pin")).expect("a fingerprint")
    }

    /// Limits our client to TLS 1.2.
    pub(crate) fn without_tls_1_3(&mut self) {
        let settings = self.own.path().join("openssl.cnf");
        write(
            &settings,
            b"openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n\
              [c]\nMaxProtocol = TLSv1.2\n",
        );
        self.encryption.as_mut().expect("a server that encrypts").settings = Some(settings);
    }

    /// Makes our client use TLS only if the server requires it.
    pub(crate) fn on_demand(&mut self) {
        self.encryption.as_mut().expect("a server that encrypts").options.remove(0);
    }

    /// Makes our client not know the server's certificate.
    pub(crate) fn distrust(&mut self) {
        self.encryption.as_mut().expect("a server that encrypts").options.truncate(1);
    }

    fn start_with(software: Software, required: Required, encodings: &'static str) -> Peer {
        let [served, here, own] = [(); 3].map(|()| TempDir::new().expect("a temporary directory"));
        // Some servers open these directories as the user.
        for dir in [&served, &own] {
            fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).expect("a mode");
        }
        chown(served.path(), Some(ID), Some(ID)).expect("only root can start servers");
        let setup = Setup { software, served: served.path(), own: own.path(), required, encodings };
        if required != Required::Nothing {
            setup.make_certificate();
        }
        let (server, address) = setup.launch();
        Peer { software, server, address, served, here, own, encryption: None }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the server's path of the file with this name.
    pub(crate) fn there(&self, name: impl AsRef<[u8]>) -> PathBuf {
        self.served.path().join(os(name.as_ref()))
    }

    /// Returns the client's path of the file with this name, in the directory that it runs in.
    pub(crate) fn here(&self, name: impl AsRef<[u8]>) -> PathBuf {
        self.here.path().join(os(name.as_ref()))
    }

    /// Writes a file into the client's directory.
    pub(crate) fn put_here(&self, name: impl AsRef<[u8]>, content: &[u8]) {
        write(&self.here(name), content);
    }

    /// Writes a file into the server's root.
    pub(crate) fn put_there(&self, name: impl AsRef<[u8]>, content: &[u8]) {
        write(&self.there(name), content);
        self.own_by_user();
    }

    /// Makes the user the owner of all files in the root.
    pub(crate) fn own_by_user(&self) {
        own_all(self.served.path());
    }

    /// Returns our client's command line, which logs in and runs these commands.
    pub(crate) fn client(&self, options: &[&str], commands: impl AsRef<[u8]>) -> Command {
        self.client_at(self.address, options, commands)
    }

    /// Like [`Peer::client`], but connects to another address, such as a proxy's.
    pub(crate) fn client_at(
        &self,
        address: SocketAddr,
        options: &[&str],
        commands: impl AsRef<[u8]>,
    ) -> Command {
        let mut command = self.without_login(address, options, commands);
        command.args(["-u", USER]).env("FTP_PASSWORD", PASSWORD);
        command
    }

    /// Like [`Peer::client_at`], but without the user and the password.
    pub(crate) fn without_login(
        &self,
        address: SocketAddr,
        options: &[&str],
        commands: impl AsRef<[u8]>,
    ) -> Command {
        let ours = env!("CARGO_BIN_EXE_ftp_client");
        let mut command = client_in(self.here.path(), self.own.path(), ours);
        if let Some(Encryption { options, settings }) = &self.encryption {
            command.args(options).envs(settings.iter().map(|file| ("OPENSSL_CONF", file)));
        }
        command.args(options).arg("-c").arg(os(commands.as_ref()));
        command.args([address.ip().to_string(), address.port().to_string()]);
        command
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Session processes of vsftpd and similar servers remain until the client exits.
        let _ = self.server.kill();
        let _ = self.server.wait();
        if thread::panicking() {
            let said = fs::read(self.own.path().join("said")).unwrap_or_default();
            println!("--- {:?} said\n{}", self.software, String::from_utf8_lossy(&said));
        }
    }
}

fn own_all(path: &Path) {
    let data = fs::symlink_metadata(path).expect("it is there");
    std::os::unix::fs::lchown(path, Some(ID), Some(ID)).expect("an owner");
    if data.is_dir() {
        fs::read_dir(path).expect("a directory").flatten().for_each(|entry| own_all(&entry.path()));
    }
}

/// The settings that a server starts with.
struct Setup<'a> {
    software: Software,
    served: &'a Path,
    own: &'a Path,
    required: Required,
    /// The argument of ProFTPD's `UseEncoding`.
    encodings: &'static str,
}

/// The file with the server's certificate and its key.
const CERTIFICATE: &str = "certificate.pem";

impl Setup<'_> {
    fn launch(&self) -> (Child, SocketAddr) {
        for _ in 0..TRIES {
            let address = free_address();
            let mut server = self.start(address);
            let mut ended = false;
            wait_until(
                || {
                    ended = server.try_wait().expect("a child").is_some();
                    ended || TcpStream::connect(address).is_ok()
                },
                "the server listens",
            );
            if !ended {
                return (server, address);
            }
        }
        let said = fs::read(self.own.join("said")).unwrap_or_default();
        panic!("{:?} does not start: {}", self.software, String::from_utf8_lossy(&said))
    }

    fn start(&self, address: SocketAddr) -> Child {
        let (ip, port) = (address.ip(), address.port());
        let mut command = match self.software {
            Software::Vsftpd => self.vsftpd(address),
            Software::Proftpd => self.proftpd(address),
            Software::PureFtpd => self.pure_ftpd(&format!("{ip},{port}")),
            Software::Pyftpdlib => self.pyftpdlib(address),
        };
        let said = File::create(self.own.join("said")).expect("a file for what it says");
        command.stdin(Stdio::null()).stderr(said.try_clone().expect("the same")).stdout(said);
        command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Creates the server's certificate, for a name that our client does not use.
    fn make_certificate(&self) {
        let library = tls_library(None).expect("OpenSSL");
        let made = make_certificate(library, &["interop.test".to_owned()], 7).expect("one");
        let file = self.file(CERTIFICATE, &made.pem);
        // Pure-FTPd and ProFTPD require this mode.
        fs::set_permissions(file, PermissionsExt::from_mode(0o600)).expect("a mode");
        self.file("pin", &fingerprint(&made.certificate.sha256()));
    }

    /// Writes a file for the server, and returns its path.
    fn file(&self, name: &str, content: &str) -> String {
        write(&self.own.join(name), content.as_bytes());
        self.path(name)
    }

    fn path(&self, name: &str) -> String {
        self.own.join(name).display().to_string()
    }

    /// Returns the user as a line of /etc/passwd.
    fn account(&self) -> String {
        format!("{USER}:{HASH}:{ID}:{ID}::{}:/bin/sh\n", self.served.display())
    }

    fn vsftpd(&self, address: SocketAddr) -> Command {
        fs::create_dir_all(self.own.join("empty")).expect("a directory");
        let (ip, port, served) = (address.ip(), address.port(), self.served.display());
        let configuration = format!(
            "listen=YES\nlisten_address={ip}\nlisten_port={port}\nbackground=NO\n\
             anonymous_enable=NO\nlocal_enable=YES\nwrite_enable=YES\nlocal_umask=022\n\
             local_root={served}\nchroot_local_user=YES\nallow_writeable_chroot=YES\n\
             nopriv_user=nobody\nsecure_chroot_dir={empty}\npam_service_name=other\n\
             check_shell=NO\nxferlog_enable=NO\nisolate=NO\nisolate_network=NO\n\
             seccomp_sandbox=NO\nascii_upload_enable=YES\nascii_download_enable=YES\n{tls}",
            empty = self.path("empty"),
            tls = self.vsftpd_tls(),
        );
        let mut command = program("vsftpd");
        command.arg(self.file("conf", &configuration));
        let users = format!("nobody:x:65534:65534::/:/bin/false\n{}", self.account());
        command
            .env("LD_PRELOAD", library("libnss_wrapper.so"))
            .env("NSS_WRAPPER_PASSWD", self.file("passwd", &users))
            .env("NSS_WRAPPER_GROUP", self.file("group", &format!("{USER}:x:{ID}:\n")));
        command
    }

    fn vsftpd_tls(&self) -> String {
        let data = match self.required {
            Required::Nothing => return String::new(),
            Required::Control => "NO",
            Required::All => "YES",
        };
        let certificate = self.path(CERTIFICATE);
        format!(
            "ssl_enable=YES\nrsa_cert_file={certificate}\nrsa_private_key_file={certificate}\n\
             ssl_ciphers=HIGH\nssl_tlsv1=YES\nforce_local_logins_ssl=YES\n\
             force_local_data_ssl={data}\nrequire_ssl_reuse=YES\nstrict_ssl_read_eof=YES\n"
        )
    }

    fn proftpd(&self, address: SocketAddr) -> Command {
        let users = self.file("passwd", &self.account());
        // ProFTPD requires this mode.
        fs::set_permissions(&users, PermissionsExt::from_mode(0o600)).expect("a mode");
        let (ip, port, pid) = (address.ip(), address.port(), self.path("pid"));
        let configuration = format!(
            "ServerName interop\nServerType standalone\nDefaultAddress {ip}\nPort {port}\n\
             SocketBindTight on\nUseIPv6 off\nUser nobody\nGroup nogroup\nPidFile {pid}\n\
             ScoreboardFile none\nSystemLog none\nWtmpLog off\nTransferLog none\n\
             UseReverseDNS off\nAuthOrder mod_auth_file.c\nAuthUserFile {users}\n\
             RequireValidShell off\nDefaultRoot ~\nAllowOverwrite on\nAllowStoreRestart on\n\
             TimesGMT on\nUmask 022\n\
             <IfModule mod_delay.c>\nDelayEngine off\n</IfModule>\n\
             <IfModule mod_ctrls.c>\nControlsEngine off\n</IfModule>\n\
             <IfModule mod_lang.c>\nUseEncoding {}\n</IfModule>\n{}",
            self.encodings,
            self.proftpd_tls()
        );
        let mut command = program("proftpd");
        command.args(["-n", "-q", "-c", &self.file("conf", &configuration)]);
        command
    }

    fn proftpd_tls(&self) -> String {
        let required = match self.required {
            Required::Nothing => return String::new(),
            Required::Control => "ctrl",
            Required::All => "on",
        };
        let modules = peers_dir().map(|dir| dir.join("usr/lib/proftpd"));
        let modules = modules.filter(|dir| dir.exists()).unwrap_or("/usr/lib/proftpd".into());
        let (modules, certificate) = (modules.display(), self.path(CERTIFICATE));
        // By default ProFTPD requires that data connections resume the TLS session.
        format!(
            "ModulePath {modules}\nLoadModule mod_tls.c\nTLSEngine on\nTLSRequired {required}\n\
             TLSECCertificateFile {certificate}\nTLSECCertificateKeyFile {certificate}\n\
             TLSProtocol TLSv1.2 TLSv1.3\nTLSVerifyClient off\nTLSLog {}\n",
            self.path("tls.log")
        )
    }

    fn pure_ftpd(&self, listen: &str) -> Command {
        let served = self.served.display();
        let account = format!("{USER}:{HASH}:{ID}:{ID}::{served}/./::::::::::::\n");
        let (users, database) = (self.file("users", &account), self.path("users.pdb"));
        let made = program("pure-pw").args(["mkdb", &database, "-f", &users]).status();
        assert!(made.expect("pure-pw starts").success(), "pure-pw makes no accounts");
        let mut command = program("pure-ftpd");
        // E: no anonymous logins; H: no DNS lookups; z: hidden names are listed.
        command.args(["-S", listen, "-4", "-E", "-H", "-A", "-f", "none", "-z"]);
        match self.required {
            Required::Nothing => command.args(["-Y", "0"]),
            Required::Control => command.args(["-Y", "2", "-2", &self.path(CERTIFICATE)]),
            Required::All => command.args(["-Y", "3", "-2", &self.path(CERTIFICATE)]),
        };
        command.args(["-L", "100000:50", "-c", "50", "-C", "50", "-g", &self.path("pid")]);
        command.args(["-l", &format!("puredb:{database}")]);
        command
    }

    fn pyftpdlib(&self, address: SocketAddr) -> Command {
        let script = self.file("serve.py", include_str!("serve.py"));
        let mut command = program("python3");
        command.args(["-W", "ignore", &script, &address.ip().to_string()]);
        command.args([&address.port().to_string(), USER, PASSWORD]).arg(self.served);
        match self.required {
            Required::Nothing => {}
            Required::Control => drop(command.args([&self.path(CERTIFICATE), "control"])),
            Required::All => drop(command.args([&self.path(CERTIFICATE), "all"])),
        }
        command
    }
}

/// Returns a free port on an address that no other test uses, so that it is still free when the server
/// starts.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let [high, low] = (process::id() as u16).to_be_bytes();
    let ip = Ipv4Addr::new(127, high | 0x80, low, (number % 200 + 2) as u8);
    let listener = TcpListener::bind((ip, 0)).expect("a free port");
    listener.local_addr().expect("an address")
}

fn peers_dir() -> Option<PathBuf> {
    env::var_os("FTP_PEERS").map(PathBuf::from)
}

/// Returns the command of a server program, with the libraries that were unpacked with it.
fn program(name: &str) -> Command {
    let unpacked = peers_dir().into_iter().flat_map(|dir| {
        ["usr/sbin", "usr/bin", "venv/bin"].map(|place| dir.join(place).join(name))
    });
    let installed = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    let installed = installed.map(|place| Path::new(place).join(name));
    let found = unpacked.chain(installed).find(|path| path.exists());
    let mut command = Command::new(found.unwrap_or_else(|| {
        panic!("there is no {name}: examples/bench/fetch_peers.sh DIR fetches it, FTP_PEERS=DIR")
    }));
    if let Some(dir) = libraries() {
        command.env("LD_LIBRARY_PATH", dir);
    }
    command
}

/// Returns the directory of the unpacked libraries, which Debian names after the architecture.
fn libraries() -> Option<PathBuf> {
    let entries = fs::read_dir(peers_dir()?.join("usr/lib")).ok()?;
    let mut places = entries.flatten().map(|entry| entry.path());
    places.find(|path| path.as_os_str().to_string_lossy().ends_with("-linux-gnu"))
}

fn library(name: &str) -> PathBuf {
    let found = libraries().map(|dir| dir.join(name)).filter(|path| path.exists());
    found.unwrap_or_else(|| panic!("there is no {name}: see examples/bench/fetch_peers.sh"))
}
