//! TLS between both ends of a connection of this process with itself.

use super::*;
use crate::sys::{PollItem, Waitable, poll};
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The library, if there is one; tests that need it say that they are skipped.
fn library() -> Option<&'static TlsLibrary> {
    match tls_library(None) {
        Ok(library) => Some(library),
        Err(error) => {
            let _ = writeln!(io::stderr(), "skipped: {error}");
            None
        }
    }
}

/// Two ends of one TCP connection.
fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

/// A server's context and a client's, with the files that they are made of.
struct Scene {
    dir: tempfile::TempDir,
    library: &'static TlsLibrary,
    server: TlsContext,
    client: TlsContext,
}

/// The names of the certificate in most tests.
const NAMES: [&str; 4] = ["ftp.example.org", "*.wild.example", "127.0.0.1", "::1"];

impl Scene {
    /// A server whose certificate has [`NAMES`], and a client that trusts it.
    fn new() -> Option<Scene> {
        let library = library()?;
        let dir = tempfile::tempdir().unwrap();
        let file = certificate_file(library, dir.path(), "tls.pem", &NAMES);
        let server = TlsContext::server(library, &file, &file, TlsVersion::V1_2).unwrap();
        let client = TlsContext::client(library, Some(&file), TlsVersion::V1_2).unwrap();
        Some(Scene { dir, library, server, client })
    }

    /// The file of the certificate.
    fn file(&self) -> PathBuf {
        self.dir.path().join("tls.pem")
    }

    /// Both ends before the handshake: the server's first.
    fn ends(&self, host: &str, session: Option<&TlsSession>, id: u8) -> (Tls, Tls) {
        let (near, far) = tcp_pair();
        let server = self.server.accept(far, &[id; 16], None).unwrap();
        (server, self.client.connect(near, host, session).unwrap())
    }

    /// Both ends after it.
    fn connected(&self) -> (Tls, Tls) {
        let (mut server, mut client) = self.ends("ftp.example.org", None, 1);
        shake_hands(&mut server, &mut client).unwrap();
        (server, client)
    }
}

fn certificate_file(library: &TlsLibrary, dir: &Path, name: &str, names: &[&str]) -> PathBuf {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let file = dir.join(name);
    fs::write(&file, make_certificate(library, &names, 30).unwrap().pem).unwrap();
    file
}

/// Continues both handshakes in turn until both are done or one has failed.
fn shake_hands(server: &mut Tls, client: &mut Tls) -> io::Result<()> {
    let (mut server_done, mut client_done) = (false, false);
    while !(server_done && client_done) {
        client_done = client_done || step(client, Tls::handshake)?.is_some();
        server_done = server_done || step(server, Tls::handshake)?.is_some();
    }
    Ok(())
}

/// Makes one call; `None` if it would wait.
fn step<T>(tls: &mut Tls, call: impl FnOnce(&mut Tls) -> io::Result<T>) -> io::Result<Option<T>> {
    match call(tls) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        other => other.map(Some),
    }
}

/// Makes a call until it does not wait any more.
fn wait<T>(tls: &mut Tls, mut call: impl FnMut(&mut Tls) -> io::Result<T>) -> io::Result<T> {
    loop {
        if let Some(done) = step(tls, &mut call)? {
            return Ok(done);
        }
        let mut items = [PollItem::new(Waitable::handle(tls), tls.wants())];
        assert!(poll(&mut items, Some(Duration::from_secs(10))).unwrap() > 0, "nothing comes");
    }
}

#[test]
fn bytes_go_both_ways() {
    let Some(scene) = Scene::new() else { return };
    let (mut server, mut client) = scene.connected();
    let mut buffer = [0; 64];
    client.write_all(b"USER anna\r\n").unwrap();
    assert_eq!(wait(&mut server, |tls| tls.read(&mut buffer)).unwrap(), 11);
    server.write_all(b"331 Password?\r\n").unwrap();
    assert_eq!(wait(&mut client, |tls| tls.read(&mut buffer)).unwrap(), 15);
    assert_eq!(&buffer[..15], b"331 Password?\r\n");
    assert_eq!(client.verdict(), Ok(()));
    assert_eq!((client.version(), server.version()), ("TLSv1.3", "TLSv1.3"));
    assert_eq!(server.server_name().as_deref(), Some("ftp.example.org"));
    assert_eq!(client.certificate(), scene.server.own_certificate());
}

#[test]
fn only_a_close_notify_is_an_end() {
    let Some(scene) = Scene::new() else { return };
    let mut buffer = [0; 64];
    let (mut server, mut client) = scene.connected();
    client.write_all(b"last").unwrap();
    client.end_sending().unwrap();
    assert_eq!(client.write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(wait(&mut server, |tls| tls.read(&mut buffer)).unwrap(), 4);
    assert!(!server.saw_end());
    assert_eq!(wait(&mut server, |tls| tls.read(&mut buffer)).unwrap(), 0);
    assert!(server.saw_end() && !client.saw_end());
    // The other half is open.
    server.write_all(b"226").unwrap();
    assert_eq!(wait(&mut client, |tls| tls.read(&mut buffer)).unwrap(), 3);

    let (mut server, mut client) = scene.connected();
    client.write_all(b"cut").unwrap();
    client.tcp().shutdown(Shutdown::Write).unwrap();
    assert_eq!(wait(&mut server, |tls| tls.read(&mut buffer)).unwrap(), 3);
    for _ in 0..2 {
        let error = wait(&mut server, |tls| tls.read(&mut buffer)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(TlsError::of(&error).unwrap().kind(), TlsErrorKind::Truncated);
    }
    assert!(!server.saw_end());
    assert_eq!(server.end_sending().unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

/// Makes the context of a server that must fail; gives the kind and the text without the directory.
fn refused(scene: &Scene, certificate: &str, key: &str) -> (TlsErrorKind, String) {
    let [certificate, key] = [certificate, key].map(|name| scene.dir.path().join(name));
    let error = TlsContext::server(scene.library, &certificate, &key, TlsVersion::V1_2);
    let error = error.map(drop).unwrap_err();
    (error.kind(), error.to_string().replace(&format!("{}/", scene.dir.path().display()), ""))
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let Some(scene) = Scene::new() else { return };
    certificate_file(scene.library, scene.dir.path(), "other.pem", &["other"]);
    let pem = fs::read_to_string(scene.file()).unwrap();
    let key_at = pem.find("-----BEGIN EC").unwrap();
    fs::write(scene.dir.path().join("certificate.pem"), &pem[..key_at]).unwrap();
    fs::write(scene.dir.path().join("broken.pem"), pem.replace("MI", "!!")).unwrap();
    fs::write(scene.dir.path().join("empty.pem"), "").unwrap();
    // As `openssl genpkey -aes256` writes it, the content made up.
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    fs::write(scene.dir.path().join("encrypted.pem"), encrypted).unwrap();
    let refused = |certificate, key| refused(&scene, certificate, key);
    assert_eq!(
        refused("none.pem", "tls.pem"),
        (TlsErrorKind::File, "cannot read none.pem: No such file or directory (os error 2)".into())
    );
    assert_eq!(
        refused("empty.pem", "tls.pem"),
        (TlsErrorKind::File, "cannot use empty.pem: it has no certificate in PEM form".into())
    );
    assert_eq!(
        refused("tls.pem", "certificate.pem"),
        (
            TlsErrorKind::File,
            "cannot use certificate.pem: it has no private key in PEM form".into()
        )
    );
    assert_eq!(
        refused("tls.pem", "other.pem"),
        (
            TlsErrorKind::KeyMismatch,
            "cannot use other.pem: its private key is not that of the certificate".into()
        )
    );
    assert_eq!(
        refused("tls.pem", "encrypted.pem"),
        (
            TlsErrorKind::KeyEncrypted,
            "cannot use encrypted.pem: its private key is encrypted; store it without a password"
                .into()
        )
    );
    let (kind, text) = refused("broken.pem", "tls.pem");
    assert_eq!(kind, TlsErrorKind::File);
    assert!(text.starts_with("cannot use broken.pem: its certificate cannot be read ("), "{text}");
}
