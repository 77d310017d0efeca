//! TLS between a client and a server in this process.

use super::*;
use crate::sys::{Interest, PollItem, Waitable, poll};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

/// Returns the library in `MT_FTP_LIBSSL`, or else the system's. Without one, prints that the test is
/// skipped.
fn library() -> Option<&'static TlsLibrary> {
    let named = env::var_os("MT_FTP_LIBSSL").map(PathBuf::from);
    match tls_library(named.as_deref()) {
        Ok(library) => Some(library),
        Err(error) => {
            let _ = writeln!(io::stderr(), "skipped: {error}");
            None
        }
    }
}

/// Returns both ends of a TCP connection.
fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

/// The contexts of a server and a client, with their files.
struct Scene {
    dir: tempfile::TempDir,
    library: &'static TlsLibrary,
    server: TlsContext,
    client: TlsContext,
}

/// The names in the certificate of most tests.
const NAMES: [&str; 4] = ["ftp.example.org", "*.wild.example", "127.0.0.1", "::1"];

impl Scene {
    /// Creates a server whose certificate has [`NAMES`], and a client that trusts it.
    fn new() -> Option<Scene> {
        let library = library()?;
        let dir = tempfile::tempdir().unwrap();
        let file = certificate_file(library, dir.path(), "tls.pem", &NAMES);
        let server = TlsContext::server(library, &file, &file, TlsVersion::V1_2).unwrap();
        let client = TlsContext::client(library, Some(&file), TlsVersion::V1_2).unwrap();
        Some(Scene { dir, library, server, client })
    }

    /// Returns the certificate's file.
    fn file(&self) -> PathBuf {
        self.dir.path().join("tls.pem")
    }

    /// Returns the server's and the client's end before the handshake.
    fn ends(&self, host: &str, session: Option<&TlsSession>, id: u8) -> (Tls, Tls) {
        let (near, far) = tcp_pair();
        let server = self.server.accept(far, &[id; 16], None).unwrap();
        (server, self.client.connect(near, host, session).unwrap())
    }

    /// Returns both ends after the handshake.
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

/// Runs both handshakes until both are complete or one fails.
fn shake_hands(server: &mut Tls, client: &mut Tls) -> io::Result<()> {
    let (mut server_done, mut client_done) = (false, false);
    while !(server_done && client_done) {
        client_done = client_done || step(client, Tls::handshake)?.is_some();
        server_done = server_done || step(server, Tls::handshake)?.is_some();
    }
    Ok(())
}

/// Makes a call; returns `None` if it would block.
fn step<T>(tls: &mut Tls, call: impl FnOnce(&mut Tls) -> io::Result<T>) -> io::Result<Option<T>> {
    match call(tls) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        other => other.map(Some),
    }
}

/// Repeats a call until it no longer blocks.
fn wait<T>(tls: &mut Tls, mut call: impl FnMut(&mut Tls) -> io::Result<T>) -> io::Result<T> {
    loop {
        if let Some(done) = step(tls, &mut call)? {
            return Ok(done);
        }
        let mut items = [PollItem::new(Waitable::handle(tls), tls.wants())];
        assert!(
            poll(&mut items, Some(Duration::from_secs(10))).unwrap() > 0,
            "nothing arrived in time"
        );
    }
}

#[test]
fn data_flows_in_both_directions() {
    let Some(scene) = Scene::new() else { return };
    let (mut server, mut client) = scene.connected();
    let mut buffer = [0; 64];
    client.write_all(b"USER anna\r\n").unwrap();
    assert_eq!(wait(&mut server, |tls| tls.read(&mut buffer)).unwrap(), 11);
    server.write_all(b"331 Password?\r\n").unwrap();
    assert_eq!(wait(&mut client, |tls| tls.read(&mut buffer)).unwrap(), 15);
    assert_eq!(&buffer[..15], b"331 Password?\r\n");
    assert_eq!(client.verify_peer(), Ok(()));
    assert_eq!((client.version(), server.version()), ("TLSv1.3", "TLSv1.3"));
    assert_eq!(server.server_name().as_deref(), Some("ftp.example.org"));
    assert_eq!(client.certificate(), scene.server.own_certificate());
}

#[test]
fn only_close_notify_ends_the_data() {
    let Some(scene) = Scene::new() else { return };
    let mut buffer = [0; 64];
    let (mut server, mut client) = scene.connected();
    client.write_all(b"last").unwrap();
    client.end_sending().unwrap();
    assert_eq!(client.write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(wait(&mut server, |tls| tls.read(&mut buffer)).unwrap(), 4);
    assert!(!server.received_close_notify());
    assert_eq!(wait(&mut server, |tls| tls.read(&mut buffer)).unwrap(), 0);
    assert!(server.received_close_notify() && !client.received_close_notify());
    // The other direction is still open.
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
    assert!(!server.received_close_notify());
    assert_eq!(server.end_sending().unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

/// Creates a server context that must fail; returns the kind and the message without the directory.
fn refused(scene: &Scene, certificate: &str, key: &str) -> (TlsErrorKind, String) {
    let [certificate, key] = [certificate, key].map(|name| scene.dir.path().join(name));
    let error = TlsContext::server(scene.library, &certificate, &key, TlsVersion::V1_2);
    let error = error.map(drop).unwrap_err();
    (error.kind(), error.to_string().replace(&format!("{}/", scene.dir.path().display()), ""))
}

#[test]
fn errors_name_the_unusable_file() {
    let Some(scene) = Scene::new() else { return };
    certificate_file(scene.library, scene.dir.path(), "other.pem", &["other"]);
    let pem = fs::read_to_string(scene.file()).unwrap();
    let key_at = pem.find("-----BEGIN EC").unwrap();
    fs::write(scene.dir.path().join("certificate.pem"), &pem[..key_at]).unwrap();
    fs::write(scene.dir.path().join("broken.pem"), pem.replace("MI", "!!")).unwrap();
    fs::write(scene.dir.path().join("empty.pem"), "").unwrap();
    // Looks like the output of `openssl genpkey -aes256`.
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    fs::write(scene.dir.path().join("encrypted.pem"), encrypted).unwrap();
    let refused = |certificate, key| refused(&scene, certificate, key);
    assert_eq!(
        refused("none.pem", "tls.pem"),
        (TlsErrorKind::File, "cannot read none.pem: No such file or directory".into())
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

/// Returns a scene for each TLS version, with that version's name.
fn both_versions() -> Vec<(Scene, &'static str)> {
    let mut scenes = Vec::new();
    for version in ["TLSv1.2", "TLSv1.3"] {
        let Some(mut scene) = Scene::new() else { return Vec::new() };
        if version == "TLSv1.2" {
            scene.client.limit_to_1_2();
        } else {
            scene.client =
                TlsContext::client(scene.library, Some(&scene.file()), TlsVersion::V1_3).unwrap();
        }
        scenes.push((scene, version));
    }
    scenes
}

/// Transfers `bytes`, writing `piece` bytes at a time and reading with a buffer of `buffer` bytes.
fn move_all(from: &mut Tls, to: &mut Tls, bytes: &[u8], piece: usize, buffer: usize) -> Vec<u8> {
    let (mut sent, mut received, mut buffer) = (0, Vec::new(), vec![0; buffer]);
    while received.len() < bytes.len() {
        if sent < bytes.len() {
            let end = bytes.len().min(sent + piece);
            sent += step(from, |tls| tls.write(&bytes[sent..end])).unwrap().unwrap_or(0);
        }
        while let Some(count) = step(to, |tls| tls.read(&mut buffer)).unwrap() {
            assert!(count > 0, "the stream ended");
            received.extend(&buffer[..count]);
        }
    }
    received
}

#[test]
fn writes_and_reads_may_have_any_size() {
    for (scene, version) in both_versions() {
        let (mut server, mut client) = scene.connected();
        assert_eq!((server.version(), client.version()), (version, version));
        assert!(!client.cipher().is_empty());
        let bytes: Vec<u8> = (0..200_000_u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        for (piece, buffer) in [(1, 1), (7, 4096), (20_000, 1), (200_000, 65_536), (16_384, 16_384)]
        {
            let part = &bytes[..if piece == 1 || buffer == 1 { 3_000 } else { bytes.len() }];
            assert!(move_all(&mut server, &mut client, part, piece, buffer) == part);
            assert!(move_all(&mut client, &mut server, part, piece, buffer) == part);
        }
    }
}

#[test]
fn one_read_takes_many_records() {
    let Some(scene) = Scene::new() else { return };
    let (mut server, mut client) = scene.connected();
    assert_eq!(server.write(&[7; 40_000]).unwrap(), 40_000);
    let mut buffer = vec![0; 100_000];
    let mut received = wait(&mut client, |tls| tls.read(&mut buffer)).unwrap();
    while received < 40_000 {
        received += wait(&mut client, |tls| tls.read(&mut buffer)).unwrap();
        assert!(received > 16_384, "at least what has arrived");
    }
}

#[test]
fn decrypted_data_is_pending_but_not_reported_by_poll() {
    let Some(scene) = Scene::new() else { return };
    let (mut server, mut client) = scene.connected();
    server.write_all(b"220-one\r\n220 two\r\n").unwrap();
    let mut line = [0; 9];
    assert_eq!(wait(&mut client, |tls| tls.read(&mut line)).unwrap(), 9);
    assert_eq!(client.pending(), 9);
    let mut items = [PollItem::new(Waitable::handle(&client), Interest::Read)];
    assert_eq!(poll(&mut items, Some(Duration::ZERO)).unwrap(), 0);
    assert_eq!(client.read(&mut line).unwrap(), 9);
    assert_eq!((&line, client.pending()), (b"220 two\r\n", 0));
}

#[test]
fn tickets_make_a_socket_readable_without_data() {
    let Some(scene) = Scene::new() else { return };
    let (_server, mut client) = scene.connected();
    if client.version() == "TLSv1.3" {
        let mut items = [PollItem::new(Waitable::handle(&client), Interest::Read)];
        assert_eq!(poll(&mut items, Some(Duration::from_secs(10))).unwrap(), 1);
    }
    let error = client.read(&mut [0; 9]).unwrap_err();
    assert_eq!((error.kind(), client.wants()), (ErrorKind::WouldBlock, Interest::Read));
}

/// After a write that would block, the next may offer fewer bytes (because of a rate limit) or more.
#[test]
fn a_blocked_write_can_continue_with_any_length() {
    for (scene, _) in both_versions() {
        let (mut server, mut client) = scene.connected();
        let bytes: Vec<u8> = (0..12_000_000_u32).map(|i| (i / 251) as u8).collect();
        let mut sent = 0;
        while let Some(count) = step(&mut server, |tls| tls.write(&bytes[sent..])).unwrap() {
            sent += count;
        }
        assert_eq!(server.wants(), Interest::Write);
        let (mut received, mut buffer, mut piece) = (Vec::<u8>::new(), vec![0; 100_000], 1);
        while received.len() < bytes.len() {
            if sent < bytes.len() {
                let end = bytes.len().min(sent + piece);
                let gone = step(&mut server, |tls| tls.write(&bytes[sent..end])).unwrap();
                sent += gone.unwrap_or(0);
                piece = (piece * 3) % 40_001;
            }
            if let Some(count) = step(&mut client, |tls| tls.read(&mut buffer)).unwrap() {
                received.extend(&buffer[..count]);
            }
        }
        assert!(received == bytes);
    }
}

#[test]
fn close_notify_follows_partly_sent_records_and_tickets() {
    for (scene, _) in both_versions() {
        let (mut server, mut client) = scene.connected();
        let bytes = vec![7; 12_000_000];
        let mut sent = 0;
        while let Some(count) = step(&mut server, |tls| tls.write(&bytes[sent..])).unwrap() {
            sent += count;
        }
        server.renew_ticket();
        let (mut received, mut buffer) = (0, vec![0; 100_000]);
        while !client.received_close_notify() {
            step(&mut server, Tls::end_sending).unwrap();
            received += step(&mut client, |tls| tls.read(&mut buffer)).unwrap().unwrap_or(0);
        }
        assert!(received > sent && received <= sent + 16_384, "sent {sent}, received {received}");

        let (mut server, mut client) = scene.connected();
        server.renew_ticket();
        server.end_sending().unwrap();
        assert_eq!(wait(&mut client, |tls| tls.read(&mut buffer)).unwrap(), 0);
    }
}

/// Opens a data connection: the server has `id`, and the client offers `session`.
fn resumes(scene: &Scene, session: Option<&TlsSession>, id: u8) -> (Tls, Tls) {
    let (mut server, mut client) = scene.ends("ftp.example.org", session, id);
    shake_hands(&mut server, &mut client).unwrap();
    assert_eq!(server.is_resumed(), client.is_resumed());
    (server, client)
}

#[test]
fn a_session_is_resumed_only_for_its_own_control_connection() {
    for (scene, version) in both_versions() {
        let (mut server, mut client) = scene.connected();
        // A client that only sends never reads new tickets, so it must be able to reuse one session.
        let _ = step(&mut client, |tls| tls.read(&mut [0; 9])).unwrap();
        for round in 0..4 {
            let session = client.session();
            let (data, ours) = resumes(&scene, session.as_ref(), 1);
            assert!(data.is_resumed(), "{version}, round {round}");
            assert_eq!(ours.verify_peer(), Ok(()));
            assert!(!resumes(&scene, session.as_ref(), 2).0.is_resumed(), "{version}: other id");
        }
        assert!(!resumes(&scene, None, 1).0.is_resumed());
        // The session stays resumable after a connection was cut, abandoned, or closed.
        let (mut data, ours) = resumes(&scene, client.session().as_ref(), 1);
        ours.tcp().shutdown(Shutdown::Write).unwrap();
        let error = wait(&mut data, |tls| tls.read(&mut [0; 9])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        drop((data, ours));
        let (data, mut ours) = resumes(&scene, client.session().as_ref(), 1);
        assert!(data.is_resumed(), "{version}: the server saw it cut");
        data.tcp().shutdown(Shutdown::Write).unwrap();
        let error = wait(&mut ours, |tls| tls.read(&mut [0; 9])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        drop((data, ours));
        let (mut data, mut ours) = resumes(&scene, client.session().as_ref(), 1);
        assert!(data.is_resumed(), "{version}: the client saw it cut");
        data.abandon();
        ours.abandon();
        assert_eq!(data.read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::NotConnected);
        assert!(!data.received_close_notify());
        drop((data, ours));
        let (mut data, mut ours) = resumes(&scene, client.session().as_ref(), 1);
        assert!(data.is_resumed(), "{version}: abandoned");
        ours.end_sending().unwrap();
        assert_eq!(wait(&mut data, |tls| tls.read(&mut [0; 9])).unwrap(), 0);
        data.end_sending().unwrap();
        drop((data, ours));
        server.renew_ticket();
        server.write_all(b"226").unwrap();
        assert_eq!(wait(&mut client, |tls| tls.read(&mut [0; 9])).unwrap(), 3);
        assert!(resumes(&scene, client.session().as_ref(), 1).0.is_resumed(), "{version}: renewed");
    }
}

#[test]
fn a_server_without_tickets_sends_none() {
    let Some(mut scene) = Scene::new() else { return };
    scene.client = TlsContext::client(scene.library, None, TlsVersion::V1_3).unwrap();
    let (near, far) = tcp_pair();
    let mut server = scene.server.accept(far, &[1; 16], Some(0)).unwrap();
    let mut client = scene.client.connect(near, "ftp.example.org", None).unwrap();
    shake_hands(&mut server, &mut client).unwrap();
    let mut items = [PollItem::new(Waitable::handle(&client), Interest::Read)];
    assert_eq!(poll(&mut items, Some(Duration::ZERO)).unwrap(), 0);
}

/// Connects to the server as `host`, and returns the result of the client's certificate check.
fn verdict_for(scene: &Scene, host: &str) -> Result<(), TlsErrorKind> {
    let (mut server, mut client) = scene.ends(host, None, 1);
    assert_eq!(client.verify_peer().unwrap_err().kind(), TlsErrorKind::NoCertificate);
    shake_hands(&mut server, &mut client).unwrap();
    client.verify_peer().map_err(|error| error.kind())
}

#[test]
fn the_certificate_must_name_the_host() {
    let Some(scene) = Scene::new() else { return };
    for host in [
        "ftp.example.org",
        "FTP.Example.ORG",
        "ftp.example.org.",
        "a.wild.example",
        "127.0.0.1",
        "::1",
        "0:0:0:0:0:0:0:1",
        "::1%lo",
    ] {
        assert_eq!(verdict_for(&scene, host), Ok(()), "{host}");
    }
    for host in [
        "example.org",
        "ftp.example.org.evil.example",
        "a.b.wild.example",
        "wild.example",
        "127.0.0.2",
        "::2",
        "xftp.example.org",
    ] {
        assert_eq!(verdict_for(&scene, host), Err(TlsErrorKind::WrongName), "{host}");
    }
    for host in ["", ".", "a\0b"] {
        let (near, _far) = tcp_pair();
        let error = scene.client.connect(near, host, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{host:?}");
    }
}

#[test]
fn a_certificate_without_a_trusted_authority_is_not_trusted() {
    let Some(mut scene) = Scene::new() else { return };
    let other = certificate_file(scene.library, scene.dir.path(), "other.pem", &NAMES);
    scene.client = TlsContext::client(scene.library, Some(&other), TlsVersion::V1_2).unwrap();
    assert_eq!(verdict_for(&scene, "ftp.example.org"), Err(TlsErrorKind::SelfSigned));
    scene.client = TlsContext::client(scene.library, None, TlsVersion::V1_2).unwrap();
    assert_eq!(verdict_for(&scene, "ftp.example.org"), Err(TlsErrorKind::SelfSigned));
}

/// Checks a server with this certificate, which the client trusts.
fn verdict_of(scene: &mut Scene, file: &Path) -> Result<(), TlsErrorKind> {
    scene.server = TlsContext::server(scene.library, file, file, TlsVersion::V1_2).unwrap();
    scene.client = TlsContext::client(scene.library, Some(file), TlsVersion::V1_2).unwrap();
    verdict_for(scene, "ftp.example.org")
}

#[test]
fn a_certificate_outside_its_validity_period_is_not_trusted() {
    let Some(mut scene) = Scene::new() else { return };
    let dir = scene.dir.path().to_owned();
    let day = Duration::from_secs(24 * 60 * 60);
    let now = std::time::SystemTime::now();
    for (from, until, verdict) in [
        (now - 9 * day, now - day, Err(TlsErrorKind::Expired)),
        (now + day, now + 9 * day, Err(TlsErrorKind::NotYetValid)),
        (now - day, now + day, Ok(())),
    ] {
        let file = dir.join("time.pem");
        let names = ["ftp.example.org".to_owned()];
        let made = make::make(scene.library, &names, from, until).unwrap();
        fs::write(&file, made.pem).unwrap();
        assert_eq!(verdict_of(&mut scene, &file), verdict);
    }
}

#[test]
fn a_new_certificate_has_the_requested_names_and_validity() {
    let Some(scene) = Scene::new() else { return };
    let certificate = scene.server.own_certificate().unwrap();
    assert_eq!(certificate.names(), NAMES);
    assert_eq!(certificate.subject(), "CN=ftp.example.org");
    assert_eq!(certificate.issuer(), certificate.subject());
    let left =
        certificate.not_after().unwrap().duration_since(std::time::SystemTime::now()).unwrap();
    assert_eq!(left.as_secs().div_ceil(24 * 60 * 60), 30);
    assert!(certificate.not_before().unwrap() < std::time::SystemTime::now());
    for names in [&[][..], &["a b"], &["ok.example", "bücher.example"], &[""], &["a\0b"]] {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let error = make_certificate(scene.library, &names, 1).map(drop).unwrap_err();
        assert_eq!(error.kind(), TlsErrorKind::Name, "{names:?}");
    }
    let long = format!("{}.example.org", "a".repeat(60));
    let made = make_certificate(scene.library, std::slice::from_ref(&long), u32::MAX).unwrap();
    assert_eq!(made.certificate.names(), [long]);
    assert_eq!(made.certificate.common_name().as_deref(), Some("FTP server"));
}

#[test]
fn plain_text_instead_of_tls_is_reported() {
    let Some(scene) = Scene::new() else { return };
    let kind = |error: io::Error| TlsError::of(&error).unwrap().kind();
    let (near, mut far) = tcp_pair();
    let mut client = scene.client.connect(near, "ftp.example.org", None).unwrap();
    far.write_all(b"500 OOPS: vsftpd: cannot read certificate\r\n").unwrap();
    let error = wait(&mut client, Tls::handshake).unwrap_err();
    assert_eq!(error.to_string(), "the peer does not speak TLS here");
    assert_eq!(kind(error), TlsErrorKind::ClearText);
    for clear in ["GET / HTTP/1.0\r\n\r\n", "USER anonymous\r\nPASS x\r\n"] {
        let (mut near, far) = tcp_pair();
        let mut server = scene.server.accept(far, &[1; 16], None).unwrap();
        near.write_all(clear.as_bytes()).unwrap();
        assert_eq!(kind(wait(&mut server, Tls::handshake).unwrap_err()), TlsErrorKind::ClearText);
    }
    let (mut server, mut client) = scene.connected();
    server.tcp().write_all(b"500 OOPS: child died\r\n").unwrap();
    let error = wait(&mut client, |tls| tls.read(&mut [0; 9])).unwrap_err();
    assert_eq!(kind(error), TlsErrorKind::ClearText);
    let error = wait(&mut server, |tls| tls.read(&mut [0; 9])).unwrap_err();
    assert!(TlsError::of(&error).is_some(), "not an alert: {error}");
}

#[test]
fn a_handshake_that_the_peer_aborts_is_reported() {
    let Some(scene) = Scene::new() else { return };
    let (near, far) = tcp_pair();
    let mut server = scene.server.accept(far, &[1; 16], None).unwrap();
    drop(near);
    let error = wait(&mut server, Tls::handshake).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    assert_eq!(TlsError::of(&error).unwrap().kind(), TlsErrorKind::HandshakeEnded);
}

#[test]
fn a_version_that_is_too_old_is_reported() {
    let Some(mut scene) = Scene::new() else { return };
    scene.client.limit_to_1_2();
    let file = scene.file();
    scene.server = TlsContext::server(scene.library, &file, &file, TlsVersion::V1_3).unwrap();
    let (mut server, mut client) = scene.ends("ftp.example.org", None, 1);
    let error = shake_hands(&mut server, &mut client).unwrap_err();
    assert_eq!(TlsError::of(&error).unwrap().kind(), TlsErrorKind::NoCommonVersion);
    let error = wait(&mut client, Tls::handshake).unwrap_err();
    assert_eq!(TlsError::of(&error).unwrap().kind(), TlsErrorKind::NoCommonVersion);
}

#[test]
fn a_client_that_offers_only_other_protocols_is_refused() {
    let Some(scene) = Scene::new() else { return };
    for (protocols, taken) in
        [("\u{3}ftp", true), ("\u{2}h2\u{3}ftp", true), ("\u{2}h2\u{8}http/1.1", false)]
    {
        let (mut server, mut client) = scene.ends("ftp.example.org", None, 1);
        client.offer(&scene.library.table().unwrap(), protocols.as_bytes());
        let result = shake_hands(&mut server, &mut client);
        assert_eq!(result.is_ok(), taken, "{protocols:?}");
        if let Err(error) = result {
            let kind = TlsError::of(&error).unwrap().kind();
            assert_eq!(kind, TlsErrorKind::ApplicationProtocol, "{error}");
        }
    }
}

#[test]
fn unsupported_libraries_are_refused_by_version() {
    use super::library::check_version;
    assert_eq!(check_version("OpenSSL 1.1.1w  11 Sep 2023", 0x1010_117f), Ok(false));
    assert_eq!(check_version("OpenSSL 3.5.1 1 Jul 2025", 0x3050_0010), Ok(false));
    assert_eq!(check_version("LibreSSL 3.9.0", 0x2000_0000), Ok(true));
    for (version, number) in [
        ("OpenSSL 1.1.0l  10 Sep 2019", 0x1010_00cf),
        ("OpenSSL 4.0.0 1 Apr 2026", 0x4000_0000),
        ("BoringSSL", 0x1010_1000),
        ("", 0),
    ] {
        let error = check_version(version, number).unwrap_err();
        assert_eq!(error, format!("{version} is not supported; use OpenSSL 1.1.1 to 3"));
    }
}

/// Returns pseudorandom numbers, the same in each run.
fn numbers() -> impl Iterator<Item = u32> {
    let next = |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    std::iter::successors(Some(42), next).map(|state| (state >> 33) as u32)
}

/// Repeats a call until it fails, on an end whose peer sends nothing more.
fn failure<T>(tls: &mut Tls, call: impl FnMut(&mut Tls) -> io::Result<T>) -> TlsErrorKind {
    let error = wait(tls, call).map(drop).unwrap_err();
    TlsError::of(&error).unwrap_or_else(|| panic!("{error}")).kind()
}

#[test]
fn garbage_instead_of_a_handshake_is_an_error() {
    let Some(scene) = Scene::new() else { return };
    let mut numbers = numbers();
    for round in 0..100 {
        let length = numbers.next().unwrap() as usize % 400;
        let mut garbage: Vec<u8> = numbers.by_ref().take(length).map(|n| n as u8).collect();
        // Half of the inputs start like a handshake.
        if round % 2 == 0 {
            let looks: [u8; 6] = [22, 3, 1, (length >> 8) as u8, length as u8, 1];
            garbage.iter_mut().zip(looks).for_each(|(byte, looks)| *byte = looks);
        }
        for is_server in [true, false] {
            let (near, mut far) = tcp_pair();
            far.write_all(&garbage).unwrap();
            far.shutdown(Shutdown::Write).unwrap();
            let mut tls = match is_server {
                true => scene.server.accept(near, &[1; 16], None).unwrap(),
                false => scene.client.connect(near, "ftp.example.org", None).unwrap(),
            };
            failure(&mut tls, Tls::handshake);
            assert!(tls.read(&mut [0; 9]).is_err() && tls.write(b"x").is_err());
            assert!(
                tls.verify_peer().is_err()
                    && tls.end_sending().is_err()
                    && !tls.received_close_notify()
            );
        }
    }
}

#[test]
fn a_client_hello_with_a_flipped_bit_fails_cleanly() {
    let Some(scene) = Scene::new() else { return };
    let (near, mut far) = tcp_pair();
    let mut client = scene.client.connect(near, "ftp.example.org", None).unwrap();
    assert!(step(&mut client, Tls::handshake).unwrap().is_none());
    let mut hello = [0; 4096];
    let length = far.read(&mut hello).unwrap();
    let hello = &hello[..length];
    for number in numbers().take(300) {
        let mut changed = hello.to_vec();
        changed[number as usize / 8 % length] ^= 1 << (number % 8);
        let (mut near, far) = tcp_pair();
        let mut server = scene.server.accept(far, &[1; 16], None).unwrap();
        near.write_all(&changed).unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        failure(&mut server, Tls::handshake);
    }
}

#[test]
fn corrupt_or_oversized_records_are_errors() {
    let Some(scene) = Scene::new() else { return };
    for record in [
        &[23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20][..],
        &[23, 3, 3, 0xff, 0xff, 1],
        &[23, 3, 3, 0, 0],
        &[22, 3, 3, 0, 4, 0, 0, 0, 0],
        &[21, 3, 3, 0, 2, 1, 0],
        &[99, 3, 3, 0, 2, 1, 0],
    ] {
        let (mut server, client) = scene.connected();
        client.tcp().write_all(record).unwrap();
        client.tcp().shutdown(Shutdown::Write).unwrap();
        failure(&mut server, |tls| tls.read(&mut [0; 9]));
        assert!(!server.received_close_notify(), "{record:?}");
    }
}
