//! The server is killed repeatedly in the middle of uploads.
//!
//! Several clients store files under load. The content of each upload is determined by its name
//! and a version. After a number of received bytes the server is killed and started again on the
//! same directory. Then every name must refer to a complete file, every `226` must be true, no
//! partial file may be visible, and interrupted uploads must be resumable with the right result.

use crate::support::wire::Peer;
use crate::support::{PATIENCE, Server, noise};
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::{fs, thread};
use tempfile::TempDir;

const ROUNDS: u64 = 10;
const CLIENTS: u64 = 4;

/// The number of bytes that a client sends at a time and reports.
const CHUNK: usize = 16 * 1024;

/// The maximum number of bytes that the server receives in a round before it is killed.
const MAX_TAKEN: u64 = 12 << 20;

/// An upload: its version, its start, and the time of its `226`, by a logical clock that every
/// event increments.
#[derive(Clone, Debug)]
struct Stored {
    version: u64,
    began: u64,
    done: Option<u64>,
}

/// All uploads of all names.
#[derive(Debug, Default)]
struct History {
    clock: u64,
    uploads: BTreeMap<String, Vec<Stored>>,
}

impl History {
    /// Begins a new version of a name.
    fn begin(&mut self, name: &str) -> u64 {
        self.clock += 1;
        let version = self.clock;
        let stored = Stored { version, began: self.clock, done: None };
        self.uploads.entry(name.into()).or_default().push(stored);
        version
    }

    fn finish(&mut self, name: &str, version: u64) {
        self.clock += 1;
        let all = self.uploads.get_mut(name).unwrap();
        all.iter_mut().find(|stored| stored.version == version).unwrap().done = Some(self.clock);
    }

    /// Returns whether a name may have this version now: no upload that began after its end has
    /// ended.
    fn allows(&self, name: &str, version: u64) -> bool {
        let all = &self.uploads[name];
        let Some(this) = all.iter().find(|stored| stored.version == version) else { return false };
        let later = |other: &Stored| this.done.is_some_and(|done| other.began > done);
        !all.iter().any(|other| other.done.is_some() && later(other))
    }

    /// Returns the names that were stored since this time of the clock.
    fn names_since(&self, clock: u64) -> impl Iterator<Item = &String> {
        let is_new = move |all: &Vec<Stored>| all.iter().any(|stored| stored.began > clock);
        self.uploads.iter().filter(move |(_, all)| is_new(all)).map(|(name, _)| name)
    }

    /// Returns whether a name must exist.
    fn requires(&self, name: &str) -> bool {
        self.uploads[name].iter().any(|stored| stored.done.is_some())
    }

    /// Returns the last upload of a name if it got no `226`.
    fn interrupted(&self, name: &str) -> Option<u64> {
        let last = self.uploads[name].last().unwrap();
        last.done.is_none().then_some(last.version)
    }
}

/// Returns the content of a version of a name: a line that names both, and random bytes.
fn content(name: &str, version: u64) -> Vec<u8> {
    let sizes = [0, 1, 1000, CHUNK, 100_000, 700_000, 2_000_000];
    let length = sizes[(version % 7) as usize];
    [format!("{name} {version} {length}\n").into_bytes(), noise(length, version)].concat()
}

/// Returns the version of a stored file, if its content is exactly that version.
fn version_of(name: &str, bytes: &[u8]) -> Option<u64> {
    let line = bytes.split(|&b| b == b'\n').next().unwrap();
    let mut words = std::str::from_utf8(line).ok()?.strip_prefix(name)?.split_whitespace();
    let version = words.next()?.parse().ok()?;
    (bytes == content(name, version)).then_some(version)
}

/// A client that treats the loss of its server as the end of its work.
struct Uploader {
    control: BufReader<TcpStream>,
}

impl Uploader {
    fn new(address: SocketAddr) -> io::Result<Uploader> {
        let control = TcpStream::connect_timeout(&address, PATIENCE)?;
        control.set_read_timeout(Some(PATIENCE))?;
        control.set_nodelay(true)?;
        let mut this = Uploader { control: BufReader::new(control) };
        this.reply(220)?;
        this.say("USER ftp", 331)?;
        this.say("PASS x", 230)?;
        this.say("TYPE I", 200)?;
        Ok(this)
    }

    fn say(&mut self, line: &str, code: u16) -> io::Result<String> {
        self.control.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
        self.reply(code)
    }

    /// A code other than the expected one is a failure of the test and not of the connection.
    fn reply(&mut self, code: u16) -> io::Result<String> {
        let mut line = String::new();
        self.control.read_line(&mut line)?;
        if !line.ends_with("\r\n") {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        assert!(line.starts_with(&code.to_string()), "expected {code}: {line}");
        Ok(line)
    }

    fn store(&mut self, name: &str, bytes: &[u8], taken: &Sender<u64>) -> io::Result<()> {
        let text = self.say("EPSV", 229)?;
        let port = text.split('|').nth(3).unwrap().parse().unwrap();
        let server = SocketAddr::new(self.control.get_ref().peer_addr()?.ip(), port);
        let mut data = TcpStream::connect_timeout(&server, PATIENCE)?;
        data.set_write_timeout(Some(PATIENCE))?;
        self.say(&format!("STOR {name}"), 150)?;
        for chunk in bytes.chunks(CHUNK) {
            data.write_all(chunk)?;
            let _ = taken.send(chunk.len() as u64);
        }
        drop(data);
        self.reply(226).map(drop)
    }
}

/// Stores files until the server is gone: its own names, old and new, and one name that all
/// clients use.
fn store_all(
    address: SocketAddr,
    client: u64,
    round: u64,
    history: &Mutex<History>,
    taken: Sender<u64>,
) -> io::Result<()> {
    let mut uploader = Uploader::new(address)?;
    for turn in 0.. {
        let name = match turn % 4 {
            0 => format!("new-{round}-{client}-{turn}/file"),
            3 => "shared/file".into(),
            number => format!("old-{client}-{number}/file"),
        };
        let dir = name.trim_end_matches("/file");
        uploader.say(&format!("SITE MKDIR {dir}"), 200)?;
        let version = history.lock().unwrap().begin(&name);
        uploader.store(&name, &content(&name, version), &taken)?;
        history.lock().unwrap().finish(&name, version);
    }
    Ok(())
}

/// Lets clients store until the server has received `limit` bytes, and kills it.
fn crash_under_load(server: Server, round: u64, limit: u64, history: &Mutex<History>) -> TempDir {
    let (taken, reports) = channel();
    let address = server.addr();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let taken = taken.clone();
            scope.spawn(move || store_all(address, client, round, history, taken));
        }
        drop(taken);
        wait_for(&reports, limit);
        server.crash()
    })
}

fn wait_for(reports: &Receiver<u64>, limit: u64) {
    let mut taken = 0;
    while taken < limit {
        taken += reports.recv_timeout(PATIENCE).expect("all clients ended before the crash");
    }
}

/// Checks that every name refers to a complete file that its replies allow.
fn check_files(root: &Path, history: &History) {
    for name in history.uploads.keys() {
        let bytes = match fs::read(root.join(name)) {
            Ok(bytes) => bytes,
            Err(_) if !history.requires(name) => continue,
            Err(error) => panic!("{name} got a 226 but does not exist: {error}"),
        };
        let version = version_of(name, &bytes).unwrap_or_else(|| {
            let start = bytes[..bytes.len().min(40)].escape_ascii();
            panic!("{name} is not a complete version: {} bytes, \"{start}\"", bytes.len())
        });
        let uploads = &history.uploads[name];
        assert!(history.allows(name, version), "{name} fell back to {version}: {uploads:?}");
    }
}

/// Checks that every listing command shows only files and directories that were stored.
fn check_listings(peer: &mut Peer, root: &Path, history: &History, since: u64) {
    for name in history.names_since(since) {
        let dir = name.trim_end_matches("/file");
        let there = usize::from(root.join(name).exists());
        for command in ["LIST -a", "NLST", "MLSD"] {
            let lines = peer.lines(format!("{command} {dir}"));
            let hidden = lines.iter().any(|line| String::from_utf8_lossy(line).contains("partial"));
            let dots = if command == "NLST" { 0 } else { 2 };
            let all = lines.len() == there + dots;
            assert!(!hidden && all, "{command} {dir}: {}", peer.dialogue());
        }
    }
}

/// Resumes interrupted uploads of which a partial exists, with APPE if SIZE returns its length, and
/// with REST and STOR otherwise. Returns the number of resumed uploads.
fn resume(peer: &mut Peer, root: &Path, history: &mut History, since: u64) -> u32 {
    let own = history.names_since(since).filter(|name| !name.starts_with("shared"));
    let broken = own.filter_map(|name| Some((name.clone(), history.interrupted(name)?)));
    let mut resumed = 0;
    for (name, version) in broken.collect::<Vec<_>>() {
        let (bytes, dir) = (content(&name, version), root.join(name.trim_end_matches("/file")));
        let whole = fs::read(root.join(&name)).unwrap_or_default() == bytes;
        let Some(partial) = partial_in(&dir) else { continue };
        assert!(bytes.starts_with(&partial), "{name}: the partial differs from the data sent");
        assert!(!whole, "{name} exists and so does its partial");
        let (at, rest) = (partial.len(), &bytes[partial.len()..]);
        let is_new = !root.join(&name).exists();
        if is_new {
            peer.say(format!("SIZE {name}")).expect_text(213, &format!("213 {at}"));
        }
        if is_new && !version.is_multiple_of(3) {
            peer.send(format!("APPE {name}"), rest);
        } else {
            peer.say(format!("REST {at}")).expect(350);
            peer.send(format!("STOR {name}"), rest);
        }
        resumed += 1;
        history.finish(&name, version);
        assert!(fs::read(root.join(&name)).unwrap() == bytes, "{name} was resumed wrongly");
        assert!(partial_in(&dir).is_none(), "{name} was resumed but its partial still exists");
    }
    resumed
}

fn partial_in(dir: &Path) -> Option<Vec<u8>> {
    let mut partials = fs::read_dir(dir).unwrap().filter_map(|entry| {
        let entry = entry.unwrap();
        let hidden = entry.file_name().to_string_lossy().starts_with(".ftp-partial-");
        hidden.then(|| fs::read(entry.path()).unwrap())
    });
    let first = partials.next();
    assert!(partials.next().is_none(), "two partials of one name in {}", dir.display());
    first
}

#[test]
fn a_crash_during_uploads_loses_only_the_data_not_yet_received() {
    let history = Mutex::new(History::default());
    let mut resumed = 0;
    let mut root = TempDir::new().unwrap();
    for round in 0..ROUNDS {
        let options: &[&str] = if round % 5 == 4 { &["--sync"] } else { &[] };
        let server = Server::launch(root, "127.0.0.1", options);
        let since = history.lock().unwrap().clock;
        let limit = 1 + round.wrapping_mul(0x9e37_79b9_7f4a_7c15) % MAX_TAKEN;
        root = crash_under_load(server, round, limit, &history);
        let mut history = history.lock().unwrap();
        check_files(root.path(), &history);

        let server = Server::launch(root, "127.0.0.1", &[]);
        let mut peer = server.visitor();
        check_listings(&mut peer, server.root(), &history, since);
        resumed += resume(&mut peer, server.root(), &mut history, since);
        check_files(server.root(), &history);
        root = server.crash();
    }
    assert!(resumed > 0, "no upload was in the middle when the server was killed");
}
