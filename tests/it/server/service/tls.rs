//! The server's certificate at the start, in `ftp_server check` and after a reload; and the shutdown
//! with TLS.

use crate::support::ftps::Ftps;
use crate::support::tls::Identity;
use crate::support::wire::Peer;
use crate::support::{PATIENCE, Server, eventually};
use assert_cmd::Command;
use mt_ftp::sys::{TlsContext, TlsVersion, make_certificate, tls_library};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use tempfile::TempDir;

fn run(words: &[&str]) -> (String, String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ftp_server"));
    let output = command.timeout(PATIENCE).args(words).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

/// Writes a certificate for these names, valid for this number of days, and its key to one file. Returns
/// its path.
fn certificate(dir: &Path, file: &str, names: &[&str], days: u32) -> String {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = make_certificate(tls_library(None).unwrap(), &names, days).unwrap();
    let path = dir.join(file);
    fs::write(&path, made.pem).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Splits a PEM file into its certificate and its key.
fn parts(file: &str) -> (String, String) {
    let pem = fs::read_to_string(file).unwrap();
    let key = pem.find("-----BEGIN PRIVATE KEY").or(pem.find("-----BEGIN EC PRIVATE KEY")).unwrap();
    let certificate = pem.find("-----BEGIN CERTIFICATE").unwrap();
    match key < certificate {
        true => (pem[certificate..].to_owned(), pem[..certificate].to_owned()),
        false => (pem[..key].to_owned(), pem[key..].to_owned()),
    }
}

#[test]
fn an_unusable_certificate_is_one_line_with_the_file_and_the_reason() {
    if Identity::new().is_none() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let good = certificate(dir.path(), "good", &["localhost"], 90);
    let other = certificate(dir.path(), "other", &["localhost"], 90);
    let (alone, key) = parts(&good);
    for (name, text) in
        [("alone", alone.as_str()), ("key", key.as_str()), ("empty", ""), ("garbage", "x\ny\n")]
    {
        fs::write(path(name), text).unwrap();
    }
    let damaged = alone.replacen('A', "!", 20);
    fs::write(path("damaged"), damaged).unwrap();
    let root = dir.path().to_str().unwrap();
    for (named, options) in [
        ("missing", vec!["--tls-cert", &path("missing")]),
        ("empty", vec!["--tls-cert", &path("empty")]),
        ("garbage", vec!["--tls-cert", &path("garbage")]),
        ("damaged", vec!["--tls-cert", &path("damaged"), "--tls-key", &good]),
        ("alone", vec!["--tls-cert", &path("alone")]),
        ("key", vec!["--tls-cert", &path("key")]),
        ("other", vec!["--tls-cert", &good, "--tls-key", &other]),
        ("missing", vec!["--tls-cert", &good, "--tls-key", &path("missing")]),
        (root, vec!["--tls-cert", root]),
        ("library", vec!["--tls-cert", &good, "--tls-library", &path("library")]),
    ] {
        let all = [&["--host", "127.0.0.1", "--port", "0", "--root", root][..], &options].concat();
        let (stdout, stderr, code) = run(&all);
        assert_eq!((stdout.as_str(), code), ("", Some(1)), "{options:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{options:?}: {stderr}");
        let is_plain = !stderr.contains("error:") && !stderr.contains("::");
        assert!(stderr.contains(named) && is_plain, "{options:?}: {stderr}");
        let (_, stderr, code) = run(&[&["check"], &all[..]].concat());
        assert!(code == Some(1) && stderr.contains(named), "check {options:?}: {stderr}");
    }
    // Without the certificate, the server does not start rather than serve without TLS.
    for options in [["--tls-key", "x"], ["--tls-port", "0"], ["--tls-required", "all"]] {
        let (_, stderr, code) =
            run(&[&["--host", "127.0.0.1", "--port", "0", "--root", root], &options[..]].concat());
        let names_both = stderr.contains(options[0]) && stderr.contains("--tls-cert");
        assert!(code == Some(1) && names_both, "{stderr}");
    }
}

#[test]
fn check_and_the_start_show_the_certificate() {
    let Some(identity) = Identity::new() else { return };
    let dir = TempDir::new().unwrap();
    let file = certificate(dir.path(), "file", &["ftp.example.org", "192.0.2.1"], 90);
    let root = TempDir::new().unwrap();
    let root = root.path().to_str().unwrap();
    let (stdout, stderr, code) = run(&["check", "--root", root, "--tls-cert", &file]);
    assert_eq!((stderr.as_str(), code), ("", Some(0)));
    let library = tls_library(None).unwrap();
    let context =
        TlsContext::server(library, Path::new(&file), Path::new(&file), TlsVersion::V1_2).unwrap();
    let digest = mt_ftp::text::fingerprint(&context.own_certificate().unwrap().sha256());
    for words in [
        "ftp.example.org, 192.0.2.1",
        "valid for 90 days",
        &digest,
        library.version(),
        &format!("tls-cert = {file}"),
    ] {
        assert!(stdout.contains(words), "{words}: {stdout}");
    }
    assert!(!stdout.contains("warning"), "{stdout}");

    let soon = identity.file();
    let soon = soon.to_str().unwrap();
    let (stdout, ..) = run(&["check", "--root", root, "--tls-cert", soon]);
    let warning = format!("warning: the certificate in {soon} expires in 7 days");
    assert!(stdout.contains(&warning), "{stdout}");
    let server = Server::with(&["--tls-cert", soon]);
    server.next_line();
    assert_eq!(server.next_line(), format!("TLS certificate SHA-256 {}", identity.pin));
    server.wait_for_log(&[&warning]);
}

#[test]
fn an_expired_certificate_starts_with_a_warning() {
    if Identity::new().is_none() {
        return;
    }
    let dir = TempDir::new().unwrap();
    let file = certificate(dir.path(), "file", &["localhost"], 0);
    eventually("the expiry", || {
        let (stdout, ..) = run(&["check", "--root", ".", "--tls-cert", &file]);
        stdout.contains("expired")
    });
    let server = Server::with(&["--tls-cert", &file]);
    server.wait_for_log(&["warning", "expired", &file]);
    server.caller().say("AUTH TLS").expect(234);
}

/// Returns the SHA-256 fingerprint of the certificate that the server now presents.
fn shown(ftps: &Ftps) -> [u8; 32] {
    let mut peer = ftps.server.caller();
    peer.say("AUTH TLS").expect(234);
    let tls = ftps.handshake_unverified(peer.tcp().try_clone().unwrap()).unwrap();
    tls.certificate().unwrap().sha256()
}

#[test]
fn a_reload_uses_a_renewed_certificate_and_keeps_sessions() {
    let Some(ftps) = Ftps::start(&["--tls-reuse", "require"]) else { return };
    ftps.server.write("file", "content");
    let mut peer = ftps.user();
    let first = shown(&ftps);
    let file = ftps.identity.file();
    let dir = file.parent().unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    certificate(dir, name, &["127.0.0.1"], 90);
    ftps.server.signal("HUP");
    eventually("the new certificate", || shown(&ftps) != first);
    let second = shown(&ftps);
    ftps.server.wait_for_log(&[" certificate ", "days=90"]);
    // Data connections of an existing session can still resume its TLS session.
    assert_eq!(ftps.fetch(&mut peer, "RETR file"), b"content");
    ftps.send(&mut peer, "STOR file", "again");
    assert_eq!(ftps.fetch(&mut peer, "RETR file"), b"again");

    fs::write(&file, "garbage").unwrap();
    ftps.server.signal("HUP");
    ftps.server.wait_for_log(&["not-reloaded", name]);
    assert_eq!(shown(&ftps), second);
    assert_eq!(ftps.fetch(&mut peer, "RETR file"), b"again");

    certificate(dir, name, &["127.0.0.1"], 3);
    ftps.server.signal("HUP");
    ftps.server.wait_for_log(&["certificate-expires", "expires in 3 days"]);
}

#[test]
fn the_shutdown_sends_421_and_close_notify_to_idle_tls_sessions() {
    let Some(mut ftps) = Ftps::start(&[]) else { return };
    let (mut stranger, mut user) = (ftps.caller(), ftps.user());
    ftps.server.terminate();
    for peer in [&mut stranger, &mut user] {
        peer.expect(421);
        peer.expect_end();
    }
    drop((stranger, user));
    assert_eq!(ftps.server.exit().code(), Some(0));
}

#[test]
fn the_shutdown_does_not_wait_for_handshakes() {
    for round in 0..10 {
        let Some(mut ftps) = Ftps::start(&[]) else { return };
        let half_open: Vec<Peer> = (0..20)
            .map(|number| {
                let mut peer = ftps.server.caller();
                peer.say("AUTH TLS").expect(234);
                // The first bytes of a ClientHello.
                (&mut peer.tcp()).write_all(&[22, 3, 1, 2, 0, 1][..number % 7]).unwrap();
                peer
            })
            .collect();
        ftps.server.terminate();
        assert_eq!(ftps.server.exit().code(), Some(0), "{round}");
        for peer in half_open {
            assert_eq!(peer.tcp().read(&mut [0; 10]).unwrap_or(0), 0);
        }
    }
}

#[test]
fn the_shutdown_lets_tls_transfers_finish() {
    let Some(mut ftps) = Ftps::start(&[]) else { return };
    let mut peer = ftps.user();
    let mut data = ftps.begin_with(&mut peer, "STOR file", "first ");
    ftps.server.terminate();
    data.write_all(b"second").unwrap();
    data.end();
    peer.expect(226);
    peer.expect(421);
    peer.expect_end();
    drop(peer);
    assert_eq!(ftps.server.exit().code(), Some(0));
    assert_eq!(ftps.server.read("file"), b"first second");
}
