//! The static programs of `make dist` in a root of another release of the system, whose glibc is not the
//! one that they were linked with.
//!
//! `MT_FTP_FOREIGN_ROOT` names such a root, in which `libnss_myhostname` is installed; the programs come
//! from `dist/`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// No name server knows it.
const NO_NAME: &str = "no-such-host.invalid";

/// Lines of `/etc/nsswitch.conf`, as distributions have them.
const SERVICES: [&str; 5] = [
    "files dns",
    "files myhostname dns",
    "files dns myhostname",
    "files mdns4_minimal [NOTFOUND=return] dns",
    "mymachines resolve [!UNAVAIL=return] files myhostname dns",
];

/// The root, with the programs in its top directory and a name server that does not answer.
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
fn static_programs_survive_names_whatever_nsswitch_conf_says() {
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
