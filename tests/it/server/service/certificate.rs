//! `ftp_server certificate`: the file that it writes, and the cases in which it refuses to.

use mt_ftp::sys::{self, TlsContext, TlsLibrary, TlsVersion};
use mt_ftp::text;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use tempfile::TempDir;

/// Runs `ftp_server certificate`, and returns the exit status and both outputs.
fn certificate(words: &[&str]) -> (Option<i32>, String, String) {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_ftp_server"));
    command.arg("certificate").args(words).timeout(crate::support::PATIENCE);
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Returns the TLS library; if it is missing, prints a message, and the test is skipped.
fn library() -> Option<&'static TlsLibrary> {
    sys::tls_library(None)
        .inspect_err(|error| drop(writeln!(io::stderr(), "skipped: {error}")))
        .ok()
}

fn read(library: &'static TlsLibrary, file: &Path) -> sys::Certificate {
    TlsContext::server(library, file, file, TlsVersion::V1_2).unwrap().own_certificate().unwrap()
}

#[test]
fn the_certificate_file_is_private_and_its_content_is_described() {
    let Some(library) = library() else { return };
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("tls.pem");
    let path = file.to_str().unwrap();
    let words = ["--name", "ftp.example.org", "--name=192.0.2.7", "--days", "30", path];
    let (status, stdout, stderr) = certificate(&words);
    assert_eq!((status, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    let made = read(library, &file);
    assert_eq!(made.names(), ["ftp.example.org", "192.0.2.7"]);
    let (until, digest) = (made.not_after().map(text::rfc3339), text::fingerprint(&made.sha256()));
    assert_eq!(
        stdout,
        format!(
            "{path}: self-signed certificate for ftp.example.org, 192.0.2.7\n\
             valid for 30 days, until {}\nSHA-256 {digest}\n",
            until.unwrap()
        )
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn without_names_the_certificate_is_for_this_machine() {
    let Some(library) = library() else { return };
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("tls.pem");
    assert_eq!(certificate(&[file.to_str().unwrap()]).0, Some(0));
    let names = read(library, &file).names();
    for name in ["localhost", "127.0.0.1", "::1"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
}

#[test]
fn an_existing_file_is_replaced_only_with_renew() {
    let Some(library) = library() else { return };
    let dir = TempDir::new().unwrap();
    let (file, link) = (dir.path().join("tls.pem"), dir.path().join("link.pem"));
    let path = file.to_str().unwrap();
    symlink("tls.pem", &link).unwrap();
    assert_eq!(certificate(&["--name=one.example", path]).0, Some(0));
    let first = fs::read(&file).unwrap();
    let (status, _, stderr) = certificate(&[path]);
    assert_eq!(status, Some(1));
    assert_eq!(
        stderr,
        format!("ftp_server: cannot create {path}: it exists; use --renew to replace it\n")
    );
    assert_eq!(fs::read(&file).unwrap(), first);

    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(certificate(&["--renew", link.to_str().unwrap()]).0, Some(0));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_ne!(fs::read(&file).unwrap(), first);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
    assert_eq!(read(library, &file).names(), ["one.example"]);
    assert_eq!(certificate(&["--renew", "--name", "two.example", path]).0, Some(0));
    assert_eq!(read(library, &file).names(), ["two.example"]);
}

#[test]
fn a_file_that_is_not_a_certificate_is_never_replaced() {
    let Some(_) = library() else { return };
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("notes");
    fs::write(&file, "not a certificate").unwrap();
    let path = file.to_str().unwrap();
    let (status, _, stderr) = certificate(&["--renew", "--name", "a.example", path]);
    assert_eq!(status, Some(1));
    assert_eq!(
        stderr,
        format!("ftp_server: cannot use {path}: it has no certificate in PEM form\n")
    );
    assert_eq!(fs::read(&file).unwrap(), b"not a certificate");
    let nowhere = dir.path().join("none/tls.pem");
    let (status, _, stderr) = certificate(&[nowhere.to_str().unwrap()]);
    assert_eq!(status, Some(1));
    assert!(stderr.starts_with("ftp_server: cannot write "), "{stderr}");
}

#[test]
fn wrong_arguments_are_named_in_the_error() {
    for (words, named) in [
        (&[][..], "FILE"),
        (&["a", "b"], "FILE"),
        (&["--days", "0", "a"], "--days"),
        (&["--days", "36501", "a"], "--days"),
        (&["--name", "a b", "a"], "--name"),
        (&["--name", "", "a"], "--name"),
        (&["--nosuch", "a"], "--nosuch"),
    ] {
        let (status, stdout, stderr) = certificate(words);
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{words:?}");
        assert!(
            stderr.starts_with("ftp_server certificate: ") && stderr.contains(named),
            "{stderr}"
        );
    }
}

#[test]
fn a_library_that_cannot_be_loaded_is_named() {
    let dir = TempDir::new().unwrap();
    let (library, file) = (dir.path().join("libssl.so.3"), dir.path().join("tls.pem"));
    fs::write(&library, "no library").unwrap();
    let words = ["--tls-library", library.to_str().unwrap(), file.to_str().unwrap()];
    let (status, _, stderr) = certificate(&words);
    assert_eq!(status, Some(1));
    let named = stderr.starts_with("ftp_server: cannot load the TLS library: ");
    assert!(named && stderr.contains("libssl.so.3") && stderr.lines().count() == 1, "{stderr}");
    assert!(!file.exists());
}
