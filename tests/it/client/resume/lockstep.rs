//! A server that sends each piece of a file only when the client has written the previous one to its disk.
//!
//! So no data is in flight when the client is stopped, and bytes that were sent twice can be counted. At the
//! end of a range behind which the client has the bytes of another one, the server sends at most one more
//! piece and waits until the client closes the connection.

use crate::support::scripted_server::{ScriptedServer, TIME, listener};
use crate::support::{Client, PATIENCE};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The number of bytes that are sent before the client must have written them.
pub const PIECE: usize = 16 * 1024;

/// The files of a server, and the limit of the bytes that it sends.
pub struct Lockstep {
    files: Mutex<Vec<(&'static str, Vec<u8>)>>,
    /// The time of all files, for MDTM and MLSD.
    time: Mutex<&'static str>,
    /// The local directory of the downloads.
    dir: PathBuf,
    /// The server refuses SIZE and MDTM.
    is_terse: AtomicBool,
    /// The number of bytes on the client's disk at which the server stops sending.
    limit: AtomicUsize,
    /// The server then closes all connections.
    cuts: AtomicBool,
    sent: AtomicUsize,
    arrived: AtomicUsize,
    transfers: AtomicUsize,
    runs: AtomicUsize,
    listener: TcpListener,
    is_over: AtomicBool,
}

impl Lockstep {
    /// Runs a test with a server of these files, which the client downloads into `dir`.
    pub fn run(dir: PathBuf, files: &[(&'static str, Vec<u8>)], test: impl FnOnce(&Lockstep)) {
        let server = Lockstep {
            files: Mutex::new(files.to_vec()),
            time: Mutex::new(TIME),
            dir,
            limit: AtomicUsize::new(usize::MAX),
            is_terse: AtomicBool::new(false),
            cuts: AtomicBool::new(false),
            sent: AtomicUsize::new(0),
            arrived: AtomicUsize::new(0),
            transfers: AtomicUsize::new(0),
            runs: AtomicUsize::new(0),
            listener: listener(),
            is_over: AtomicBool::new(false),
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                while let session = ScriptedServer::on(&server.listener)
                    && !server.is_over.load(Ordering::SeqCst)
                {
                    scope.spawn(|| server.serve(session));
                }
            });
            // This ends the server even after a panic, which would otherwise wait for it.
            let _end = End(&server);
            test(&server);
        });
    }

    pub fn addr(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Stops sending after `limit` more bytes, and then closes all connections if `cuts` is true.
    pub fn stop_after(&self, limit: usize, cuts: bool) {
        self.cuts.store(cuts, Ordering::SeqCst);
        self.limit.store(self.arrived() + limit, Ordering::SeqCst);
    }

    /// Refuses SIZE and MDTM from now on.
    pub fn tell_nothing(&self) {
        self.is_terse.store(true, Ordering::SeqCst);
    }

    /// Sends without a limit from now on.
    pub fn go_on(&self) {
        self.cuts.store(false, Ordering::SeqCst);
        self.limit.store(usize::MAX, Ordering::SeqCst);
    }

    /// Replaces a file with another one of this time.
    pub fn replace(&self, name: &'static str, content: Vec<u8>, time: &'static str) {
        let mut files = self.files.lock().unwrap();
        files.retain(|(other, _)| *other != name);
        files.push((name, content));
        *self.time.lock().unwrap() = time;
    }

    /// Removes a file.
    pub fn remove(&self, name: &str) {
        self.files.lock().unwrap().retain(|(other, _)| *other != name);
    }

    /// Returns the number of bytes on the client's disk.
    pub fn arrived(&self) -> usize {
        self.arrived.load(Ordering::SeqCst)
    }

    /// Returns the number of bytes that were sent.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    /// Returns the number of transfers.
    pub fn transfers(&self) -> usize {
        self.transfers.load(Ordering::SeqCst)
    }

    /// Returns the number of times that a client was started.
    pub fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    fn content(&self, name: &str) -> Vec<u8> {
        let files = self.files.lock().unwrap();
        let is_named = |(other, _): &&(&str, Vec<u8>)| Path::new(name).ends_with(other);
        files.iter().find(is_named).unwrap_or_else(|| panic!("{name}")).1.clone()
    }

    fn serve(&self, mut server: ScriptedServer) {
        let mut from = 0;
        server.serve(|server, verb, operand| {
            match verb {
                "PWD" => server.say("257 \"/\""),
                "SIZE" | "MDTM" if self.is_terse.load(Ordering::SeqCst) => server.say("502 what?"),
                "SIZE" => server.say(&format!("213 {}", self.content(operand).len())),
                "MDTM" => server.say(*self.time.lock().unwrap()),
                "HASH" => server.say("502 what?"),
                "MLSD" => server.send(self.listing()),
                "REST" => {
                    from = operand.parse().unwrap();
                    server.say("350 go ahead");
                }
                "RETR" => {
                    server.say("150 here");
                    self.transfers.fetch_add(1, Ordering::SeqCst);
                    let all = self.send(&mut server.data(), operand, std::mem::take(&mut from));
                    if self.cuts.load(Ordering::SeqCst) && self.is_at_limit() {
                        server.close();
                    }
                    server.say(if all { "226 done" } else { "426 aborted" });
                }
                "ABOR" => server.say("226 aborted"),
                _ => return false,
            }
            true
        });
    }

    fn listing(&self) -> String {
        let modify = &self.time.lock().unwrap()[4..];
        let files = self.files.lock().unwrap();
        let line = |(name, content): &(&str, Vec<u8>)| {
            format!("type=file;size={};modify={modify}; {name}\r\n", content.len())
        };
        files.iter().map(line).collect()
    }

    fn is_at_limit(&self) -> bool {
        self.arrived() >= self.limit.load(Ordering::SeqCst)
    }

    /// Sends a file starting at the offset `from`; returns whether its end was reached.
    fn send(&self, data: &mut TcpStream, name: &str, from: usize) -> bool {
        let content = self.content(name);
        let mut has_sent_new = false;
        for at in (from..content.len()).step_by(PIECE) {
            let piece = &content[at..(at + PIECE).min(content.len())];
            if !self.wait(data, || !self.is_at_limit()) {
                return false;
            }
            let was_here = self.is_here(name, at, piece);
            // With several local files, the piece may be in another one than that of this transfer.
            let is_beyond_range = has_sent_new && was_here && self.local_files(name).len() == 1;
            has_sent_new |= !was_here;
            if data.write_all(piece).is_err() {
                return false;
            }
            self.sent.fetch_add(piece.len(), Ordering::SeqCst);
            if !self.wait(data, || !is_beyond_range && self.is_here(name, at, piece)) {
                return false;
            }
            self.arrived.fetch_add(piece.len(), Ordering::SeqCst);
        }
        true
    }

    /// Waits for a condition; returns false if the client closes the data connection or the server cuts it.
    fn wait(&self, data: &TcpStream, holds: impl Fn() -> bool) -> bool {
        data.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            let is_open = data.peek(&mut [0]).is_err_and(|error| {
                matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
            });
            if !is_open || self.cuts.load(Ordering::SeqCst) && self.is_at_limit() {
                return false;
            }
            assert!(Instant::now() < deadline, "the client does nothing");
        }
        true
    }

    /// Returns whether the client has these bytes at this offset, in the file or its partial file.
    fn is_here(&self, name: &str, at: usize, piece: &[u8]) -> bool {
        let holds = |path: PathBuf| {
            let mut bytes = vec![0; piece.len()];
            let read = File::open(path).and_then(|file| file.read_exact_at(&mut bytes, at as u64));
            read.is_ok() && bytes == piece
        };
        self.local_files(name).into_iter().any(holds)
    }

    /// Returns the local file of this name and its partial files.
    fn local_files(&self, name: &str) -> Vec<PathBuf> {
        let name = name.rsplit('/').next().unwrap();
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let is_its = |path: &PathBuf| {
            let found = path.file_name().unwrap().to_string_lossy();
            found == name || found.starts_with(&format!(".{name}.part-"))
        };
        entries.map(|entry| entry.path()).filter(is_its).collect()
    }
}

/// Ends the server when the test is over.
struct End<'a>(&'a Lockstep);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.0.addr());
    }
}

/// A command of the client, and the files that it fetches.
#[derive(Clone, Copy, Debug)]
pub struct Fetching {
    pub command: &'static str,
    /// The subdirectory of the downloads.
    pub dir: &'static str,
    pub files: &'static [&'static str],
    pub connections: usize,
}

impl Fetching {
    /// Returns the words of the command line.
    pub fn words(self, server: &Lockstep) -> Vec<String> {
        server.runs.fetch_add(1, Ordering::SeqCst);
        let port = server.addr().port().to_string();
        let connections = self.connections.to_string();
        ["-j", &connections, "--retries", "0", "--timeout", "5", "-c", self.command, "127.0.0.1"]
            .map(str::to_owned)
            .into_iter()
            .chain([port])
            .collect()
    }

    /// Returns the names in the directory, including hidden ones.
    pub fn names(self, client: &Client) -> Vec<String> {
        let Ok(entries) = fs::read_dir(client.path(self.dir)) else { return Vec::new() };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}
