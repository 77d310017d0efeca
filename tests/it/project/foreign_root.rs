//! Tests of the static programs of `make dist` in the root directory of another system release, with a
//! different glibc.
//!
//! `MT_FTP_FOREIGN_ROOT` names the root directory, in which `libnss_myhostname` must be installed. The
//! programs are taken from `dist/`.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A name that does not exist.
const NO_NAME: &str = "no-such-host.invalid";

/// Lines of `/etc/nsswitch.conf` from several distributions.
const SERVICES: [&str; 5] = [
    "files dns",
    "files myhostname dns",
    "files dns myhostname",
    "files mdns4_minimal [NOTFOUND=return] dns",
    "mymachines resolve [!UNAVAIL=return] files myhostname dns",
];

/// Prepares the root directory: copies the programs, and configures a name server that does not answer.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = env::var("MT_FTP_FOREIGN_ROOT").expect("MT_FTP_FOREIGN_ROOT names a directory");
    let root = here.join(root);
    for program in ["ftp_server", "ftp_client"] {
        fs::copy(here.join("dist").join(program), root.join(program)).unwrap();
    }
    let resolver = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";
    fs::write(root.join("etc/resolv.conf"), resolver).unwrap();
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost here.example\n").unwrap();
    root
}

fn run(root: &Path, words: &[&str]) -> Output {
    Command::new("chroot").arg(root).args(words).output().unwrap()
}

#[test]
#[ignore = "needs root, MT_FTP_FOREIGN_ROOT and make dist"]
fn static_programs_resolve_names_with_any_nsswitch_conf() {
    let root = root();
    for services in SERVICES {
        fs::write(root.join("etc/nsswitch.conf"), format!("hosts: {services}\n")).unwrap();
        let unknown: [(&[&str], i32); 3] = [
            (&["/ftp_client", "-c", "quit", NO_NAME], 3),
            (&["/ftp_server", "--root", "/", "--port", "0", "--host", NO_NAME], 1),
            (&["/ftp_server", "check", "--root", "/", "--passive-address", NO_NAME], 1),
        ];
        for (words, code) in unknown {
            let output = run(&root, words);
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{services}: {words:?}: {output:?}");
            assert!(told.contains(NO_NAME), "{services}: {words:?}: {told}");
        }
        for option in ["--host", "--passive-address"] {
            let output =
                run(&root, &["/ftp_server", "check", "--root", "/", option, "here.example"]);
            assert!(output.status.success(), "{services}: {option}: {output:?}");
        }
    }
}

/// A server in the root directory, killed on drop.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server for `/served` in the root directory, and returns its port.
fn serve(root: &Path, options: &[&str]) -> (Server, String) {
    let words = ["/ftp_server", "--host", "127.0.0.1", "--port", "0", "--root", "/served"];
    let mut command = Command::new("chroot");
    command.arg(root).args(words).args(options).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Server(child), line.trim_end().rsplit(':').next().unwrap().to_owned())
}

#[test]
#[ignore = "needs root, MT_FTP_FOREIGN_ROOT and make dist"]
fn static_programs_speak_tls_with_any_c_library() {
    let root = root();
    let _ = fs::remove_dir_all(root.join("served"));
    let _ = fs::remove_file(root.join("tls.pem"));
    fs::create_dir(root.join("served")).unwrap();
    for program in ["/ftp_server", "/ftp_client"] {
        let output = run(&root, &[program, "--version"]);
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(told.contains("TLS: OpenSSL ") && told.contains("part of this program"), "{told}");
    }
    let output = run(&root, &["/ftp_server", "certificate", "--name=127.0.0.1", "/tls.pem"]);
    assert!(output.status.success(), "{output:?}");

    let options = ["--tls-cert", "/tls.pem", "--tls-required", "all", "--tls-reuse", "require"];
    let (_server, port) = serve(&root, &options);
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i / 7) as u8).collect();
    fs::write(root.join("sent"), &bytes).unwrap();
    let _ = fs::remove_file(root.join("back"));
    let commands = "lcd /; store sent; list; retrieve sent back; quit";
    let trusting = ["/ftp_client", "--tls", "--tls-ca", "/tls.pem", "-c", commands];
    let output = run(&root, &[&trusting[..], &["127.0.0.1", &port]].concat());
    assert!(output.status.success(), "{output:?}");
    assert!(fs::read(root.join("back")).unwrap() == bytes);

    let output = run(&root, &["/ftp_client", "--tls", "-c", "list", "127.0.0.1", &port]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("--tls-pin"), "{told}");
}
