//! Fuzzes the server and all parsers.
//!
//! [`grammar`] generates and corrupts command lines, [`session`] sends them and misuses data
//! connections, [`replies`] parses the replies strictly, and [`parsers`] feeds the crate's parsers
//! directly. `FUZZ_SECONDS=600 cargo test fuzz` runs longer, and `FUZZ_SEED=7` starts with another
//! seed. A failure prints the seed of its batch; with `FUZZ_SEED` set to it, that batch runs first.

mod grammar;
mod parsers;
mod replies;
mod session;

use crate::support::random::{Random, setting};
use crate::support::{Server, accounts, eventually, noise};
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, process, thread};
use tempfile::TempDir;

/// Default duration in seconds.
const SECONDS: u64 = 2;

/// Maximum number of batches in a default run.
const BATCHES: u64 = 8;

/// Number of simultaneous sessions in a batch.
const SESSIONS: u64 = 32;

/// Number of batches per server, limited because this process keeps the server's log in memory.
const BATCHES_PER_SERVER: u64 = 40;

/// Length of the names of resumable partial files.
const PARTIAL_LENGTH: usize = ".ftp-partial-".len() + 32;

/// One test's share of the total duration.
struct Budget {
    ends: Instant,
    most: u64,
}

impl Budget {
    /// Takes `percent` of the total duration, and at most `most` rounds in a default run.
    fn new(percent: u64, most: u64) -> Budget {
        let seconds = setting("FUZZ_SECONDS", SECONDS);
        let most = if seconds > SECONDS { u64::MAX } else { most };
        Budget { ends: Instant::now() + Duration::from_millis(seconds * percent * 10), most }
    }

    /// Returns seeds, at least one, until the time or the rounds are used up.
    fn seeds(self) -> impl Iterator<Item = Seed> {
        let first = setting("FUZZ_SEED", 1);
        let more =
            move |round: &u64| *round == 0 || *round < self.most && Instant::now() < self.ends;
        (0..).take_while(more).map(move |round| Seed(first.wrapping_add(round)))
    }
}

/// Prints on failure how to repeat it.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- to repeat: FUZZ_SEED={}", self.0);
        }
    }
}

#[test]
fn no_input_stops_the_server() {
    let (mut target, mut codes) = (None, BTreeMap::new());
    for (round, seed) in Budget::new(80, BATCHES).seeds().enumerate() {
        if (round as u64).is_multiple_of(BATCHES_PER_SERVER) {
            target = Some(Target::new(seed.0));
        }
        for code in target.as_ref().unwrap().batch(seed.0) {
            *codes.entry(code).or_insert(0) += 1;
        }
    }
    // Otherwise the fuzzer itself is broken.
    for code in [200, 226, 227, 229, 230, 331, 350, 425, 500, 501, 530, 550] {
        assert!(codes.contains_key(&code), "no {code} among {codes:?}");
    }
}

/// A server, and files next to its root that must not change.
struct Target {
    server: Server,
    /// The numbers of threads and descriptors without a session.
    footprint: (usize, usize),
    /// The parent directory of the root.
    around: TempDir,
}

impl Target {
    fn new(seed: u64) -> Target {
        let around = tempfile::tempdir().unwrap();
        let (root, beside) = (TempDir::new_in(&around).unwrap(), around.path().join("beside"));
        fs::create_dir(&beside).unwrap();
        fs::write(beside.join("secret"), "secret").unwrap();
        let users = around.path().join("users");
        fs::write(&users, accounts::lines(&["reader:read:", "homebody:write:/home"])).unwrap();
        let level = if seed.is_multiple_of(2) { "debug" } else { "info" };
        let server = Server::launch(
            root,
            "127.0.0.1",
            &[
                "--users",
                users.to_str().unwrap(),
                "--anonymous",
                "write",
                "--login-timeout",
                "3",
                "--idle-timeout",
                "2",
                "--transfer-timeout",
                "1",
                "--log-level",
                level,
            ],
        );
        let footprint = footprint_without_sessions(&server);
        Target { server, footprint, around }
    }

    fn batch(&self, seed: u64) -> Vec<u16> {
        self.create_tree();
        let outside = self.outside();
        let mut random = Random(seed);
        let seeds: Vec<u64> = (0..SESSIONS).map(|_| random.number()).collect();
        let address = self.server.addr();
        let results: Vec<Result<Vec<u16>, String>> = thread::scope(|scope| {
            let run = |seed| scope.spawn(move || session::run(address, seed));
            let running: Vec<_> = seeds.into_iter().map(run).collect();
            running.into_iter().map(|session| session.join().unwrap()).collect()
        });
        self.serve_a_good_client();
        eventually("threads and descriptors as at the start", || {
            self.server.footprint() == self.footprint
        });
        assert_eq!(self.outside(), outside);
        check_partials(self.server.root());
        let log = self.server.log();
        let panic = log.lines().find(|line| line.contains("panicked"));
        assert!(panic.is_none(), "{panic:?}");
        let codes: Result<Vec<_>, _> = results.into_iter().collect();
        codes.unwrap_or_else(|failure| panic!("{failure}")).concat()
    }

    /// Creates the same tree for every batch.
    fn create_tree(&self) {
        let root = self.server.root();
        clear(root);
        for dir in ["dir/sub", "home/dir"] {
            self.server.make_dir(dir);
        }
        for file in ["a", "file", "dir/file", "d e", "ü", "q\"q", "home/file"] {
            self.server.write(file, format!("content of {file}\n"));
        }
        self.server.write("text", "line\r\nline\nline\r".repeat(2000));
        self.server.write("big", noise(3 << 20, 1));
        symlink("dir", root.join("link")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        symlink(self.around.path().join("beside"), root.join("out")).unwrap();
        symlink("../beside/secret", root.join("secret")).unwrap();
        let fifo = process::Command::new("mkfifo").arg(root.join("fifo")).status();
        assert!(fifo.unwrap().success());
    }

    fn serve_a_good_client(&self) {
        let mut peer = self.server.visitor();
        let content = noise(10_000, 7);
        peer.stor("good client", &content);
        assert_eq!(peer.retr("good client"), content);
        assert!(peer.list("LIST").lines().any(|line| line.ends_with(" good client")));
        peer.say("DELE good client").expect(250);
        peer.say("QUIT").expect(221);
        peer.expect_end();
    }

    /// Returns the metadata of everything outside the root.
    fn outside(&self) -> BTreeMap<PathBuf, (u32, i64, i64, u64)> {
        let mut found = BTreeMap::new();
        let mut todo = vec![self.around.path().to_owned()];
        while let Some(path) = todo.pop() {
            let data = path.symlink_metadata().unwrap();
            let look = (data.mode(), data.mtime(), data.mtime_nsec(), data.len());
            if data.is_dir() {
                let below = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
                todo.extend(below.filter(|path| path != self.server.root()));
            }
            found.insert(path, look);
        }
        found
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // The temporary directory could not be deleted with unreadable directories in it.
        clear(self.server.root());
    }
}

/// Extrapolates from one and two sessions, because some of the server's own threads may start only
/// after it has printed its address.
fn footprint_without_sessions(server: &Server) -> (usize, usize) {
    let _first = server.caller();
    let one = server.footprint();
    let _second = server.caller();
    let two = server.footprint();
    (2 * one.0 - two.0, 2 * one.1 - two.1)
}

/// Empties a directory, ignoring modes.
fn clear(dir: &Path) {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            clear(&entry.path());
            fs::remove_dir(entry.path()).unwrap();
        } else {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

/// Checks that after all sessions only resumable partial files are left.
fn check_partials(dir: &Path) {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            check_partials(&path);
        } else if name.to_string_lossy().starts_with(".ftp-partial-") {
            assert_eq!(name.len(), PARTIAL_LENGTH, "{path:?} cannot be resumed");
            let file = fs::File::open(&path).unwrap();
            assert!(file.metadata().unwrap().len() > 0, "{path:?} is empty");
            assert!(file.try_lock().is_ok(), "{path:?} is still locked");
        }
    }
}
