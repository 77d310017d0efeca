//! The jail is safe while another process changes the served tree.
//!
//! A thread replaces one name as fast as possible, in four ways ([`Flip`]), while sessions try all
//! verbs that take a path. The names inside and outside are the same, so every attempt would
//! succeed on either side. An escape is anything from outside in a reply or on a data connection,
//! and any change outside, including the modification time of the directory.

use crate::support::wire::{Peer, connect, drain};
use crate::support::{PATIENCE, Server};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};
use std::{fs, thread};
use tempfile::TempDir;

/// The number of attempts for each way in a plain `cargo test`.
const FEW: usize = 1500;

/// The total number of attempts in the long test.
const MANY: usize = 100_000;

/// The number of attempts between two checks of the outside.
const LOOK: usize = 100;

/// The size of the file outside, a number that no reply contains by chance.
const SIZE: u64 = 1_234_567;

/// The name that is replaced.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flip {
    /// `dir`: a directory, or a link to the one outside.
    Dir,
    /// `dir/secret`: a file, or a link to the one outside.
    File,
    /// `dir`: in its place, or moved outside, where its `up` would lead to the outside.
    Away,
    /// `dir` again, below a directory that is listed and removed recursively.
    Below,
}

/// An attempt.
#[derive(Clone, Copy)]
enum Try {
    /// A command with a reply only.
    Say(&'static str),
    /// A command that sends data to the client.
    Fetch(&'static str),
    /// A command that receives data from the client.
    Send(&'static str),
}

use Try::{Fetch, Say, Send};

/// Commands that create files come before those that remove them, so that each round begins in the
/// same state.
const TRIES: &[Try] = &[
    Fetch("RETR dir/secret"),
    Say("SIZE dir/secret"),
    Say("MDTM dir/secret"),
    Say("MLST dir/secret"),
    Say("STAT dir/secret"),
    Say("HASH dir/secret"),
    Say("XCRC dir/secret"),
    Fetch("LIST dir"),
    Fetch("LIST -R dir"),
    Fetch("LIST dir/*"),
    Fetch("NLST dir"),
    Fetch("NLST dir/*"),
    Fetch("MLSD dir"),
    Say("STAT dir"),
    Say("DSIZ dir"),
    Say("CWD dir"),
    Fetch("LIST"),
    Fetch("NLST"),
    Fetch("MLSD"),
    Fetch("RETR secret"),
    Say("MLST secret"),
    Say("CWD ../dir/sub"),
    Fetch("RETR ../secret"),
    Say("CWD /"),
    Fetch("RETR dir/up/secret"),
    Say("SIZE dir/up/secret"),
    Fetch("LIST dir/up/dir"),
    Send("STOR dir/secret"),
    Send("APPE dir/secret"),
    Send("STOR dir/new"),
    Send("APPE dir/new"),
    Send("STOR dir/up/new"),
    Say("DELE dir/up/new"),
    Send("STOR dir/victim"),
    Say("DELE dir/victim"),
    Say("DELE dir/new"),
    Say("MKD dir/empty"),
    Say("RMD dir/empty"),
    Say("MKD dir/fresh"),
    Say("RMD dir/fresh"),
    Say("SITE MKDIR dir/tree/leaf"),
    Say("RMDA dir/tree"),
    Send("STOR dir/old"),
    Say("RNFR dir/old"),
    Say("RNTO dir/renamed"),
    Say("RNFR dir/renamed"),
    Say("RNTO renamed"),
    Say("RNFR renamed"),
    Say("RNTO dir/old"),
    Say("DELE renamed"),
    Say("DELE dir/old"),
    Say("DELE dir/renamed"),
    Say("SITE SYMLINK secret dir/link"),
    Say("DELE dir/link"),
    Say("SITE CHMOD 600 dir/secret"),
    Say("SITE CHMOD 700 dir"),
    Say("MFMT 20200101000000 dir/secret"),
    Say("MFMT 20200101000000 dir"),
    Say("SITE UTIME 20200101000000 dir/secret"),
    Say("MFF UNIX.mode=0640; dir/secret"),
];

/// Commands that traverse the tree themselves.
const WALKS: &[Try] =
    &[Fetch("LIST -R"), Say("DSIZ /"), Fetch("LIST -R top"), Say("DSIZ top"), Say("RMDA top")];

#[test]
fn a_directory_replaced_by_a_link_outside_does_not_let_a_session_out() {
    race(Flip::Dir, FEW);
}

#[test]
fn a_file_replaced_by_a_link_outside_does_not_let_a_session_out() {
    race(Flip::File, FEW);
}

#[test]
fn a_directory_moved_outside_does_not_let_a_session_out() {
    race(Flip::Away, FEW);
}

#[test]
fn a_link_outside_in_a_tree_that_is_traversed_is_not_followed() {
    race(Flip::Below, FEW / 4);
}

#[test]
#[ignore = "needs a minute: 100,000 tries"]
fn no_session_escapes_in_a_hundred_thousand_attempts() {
    for flip in [Flip::Dir, Flip::File, Flip::Away, Flip::Below] {
        race(flip, MANY / 4);
    }
}

/// A session whose working directory was moved outside cannot access anything there, because paths
/// are resolved from the root.
#[test]
fn a_session_whose_directory_was_moved_outside_cannot_access_it() {
    let server = Server::start();
    let outside = Outside::new();
    server.make_dir("dir");
    server.write("dir/secret", "inside");
    server.write("secret", "inside");
    let mut peer = server.visitor();
    peer.say("CWD dir").expect(250);
    fs::rename(server.path("dir"), outside.path("dir")).unwrap();
    let before = outside.snapshot();
    peer.epsv();
    for command in ["RETR secret", "LIST", "NLST", "MLSD", "STOR secret", "APPE new"] {
        peer.say(command).expect(550);
    }
    for command in ["MKD new", "DELE secret", "RNFR secret", "SIZE secret", "STAT .", "RMDA ."] {
        peer.say(command).expect(550);
    }
    for command in ["SITE CHMOD 777 secret", "MFMT 20200101000000 .", "SITE MKDIR /dir/../x/.."] {
        let code = peer.say(command).hear().code;
        assert!(code == 550 || command.ends_with("/.."), "{}", peer.dialogue());
    }
    assert_eq!(peer.retr("../secret"), b"inside");
    peer.say("CDUP").expect(250);
    peer.say("PWD").expect_text(257, "\"/\"");
    assert_eq!(outside.snapshot(), before);
}

/// The directory outside of the root, whose content must not leak or change.
struct Outside {
    dir: TempDir,
    /// Texts that no reply may contain.
    marks: Vec<String>,
}

/// Kind and permissions, time of the last change in nanoseconds, and size of each file.
type Snapshot = BTreeMap<PathBuf, (u32, i64, i64, u64)>;

impl Outside {
    fn new() -> Outside {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let secret = fs::File::create(path("secret")).unwrap();
        (&secret).write_all(b"outside").unwrap();
        secret.set_len(SIZE).unwrap();
        for name in ["victim", "old", "outside-only"] {
            fs::write(path(name), "outside").unwrap();
        }
        fs::create_dir_all(path("tree/leaf")).unwrap();
        fs::create_dir(path("empty")).unwrap();
        // A parent for a directory that is moved outside, so that its `..` is outside.
        fs::create_dir(path("away")).unwrap();
        fs::copy(path("secret"), path("away/secret")).unwrap();
        for name in ["secret", "away/secret"] {
            let file = fs::File::options().write(true).open(path(name)).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
        }
        let marks = ["outside", "1234567", "20010909"].map(String::from).into();
        Outside { dir, marks }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Adds the digests of the secret file as reported by the server itself, since they must not
    /// leak either.
    fn add_digests(&mut self, server: &Server) {
        let mut peer = server.visitor();
        fs::copy(self.path("secret"), server.path("copy")).unwrap();
        for verb in ["HASH", "XCRC"] {
            let words = peer.say(format!("{verb} copy")).hear().words();
            let longest = words.split(' ').max_by_key(|word| word.len()).unwrap();
            self.marks.push(longest.to_owned());
        }
        fs::remove_file(server.path("copy")).unwrap();
    }

    /// Returns the state of everything outside, except directories that were moved there.
    fn snapshot(&self) -> Snapshot {
        let mut look = Snapshot::new();
        self.walk(self.dir.path(), &mut look);
        look
    }

    fn walk(&self, at: &Path, look: &mut Snapshot) {
        let Ok(data) = at.symlink_metadata() else { return };
        if at == self.path("away/dir") {
            return;
        }
        // Moving a directory here rightly changes the modification time.
        let moves = at == self.path("away");
        let changed = if moves { (0, 0) } else { (data.mtime(), data.mtime_nsec()) };
        look.insert(at.into(), (data.mode(), changed.0, changed.1, data.len()));
        if data.is_dir() {
            for entry in fs::read_dir(at).unwrap() {
                self.walk(&entry.unwrap().path(), look);
            }
        }
    }

    fn occurs_in(&self, text: &str) -> bool {
        self.marks.iter().any(|mark| text.contains(mark.as_str()))
    }
}

/// The number of times that the server saw each side during the race.
#[derive(Debug, Default)]
struct Seen {
    real: usize,
    link: usize,
    missing: usize,
    worked: usize,
    refused: usize,
}

impl Seen {
    /// Returns whether both sides were seen; otherwise the race has tested nothing.
    fn is_race(&self, flip: Flip) -> bool {
        let other = match flip {
            Flip::Dir | Flip::File | Flip::Below => self.link,
            Flip::Away => self.missing,
        };
        self.real > 0 && self.worked > 0 && self.refused > 0 && other > 0
    }
}

fn race(flip: Flip, tries: usize) {
    let server = Server::with(&["--log-level", "warn"]);
    let mut outside = Outside::new();
    outside.add_digests(&server);
    prepare(&server);
    let before = outside.snapshot();
    let all = if flip == Flip::Below { WALKS } else { TRIES };
    let done = AtomicBool::new(false);
    let mut seen = Seen::default();
    thread::scope(|scope| {
        let flipper = scope.spawn(|| turn_until(&done, flip, &server, &outside));
        // The flag is also set if an attempt fails; otherwise the scope would wait for the thread
        // forever.
        let _over = OnDrop(&done);
        let mut peer = server.visitor();
        let deadline = Instant::now() + PATIENCE;
        for number in 0.. {
            // On a busy machine more attempts may be needed until both sides were seen.
            if number >= tries && (seen.is_race(flip) || Instant::now() > deadline) {
                break;
            }
            attempt(&mut peer, all[number % all.len()], &outside, &mut seen);
            check_side(&mut peer, flip, &mut seen);
            if number % LOOK == 0 {
                assert_eq!(outside.snapshot(), before, "{}", last_said(&peer));
            }
            if number % TRIES.len() == TRIES.len() - 1 {
                peer = server.visitor();
            }
        }
        assert!(!flipper.is_finished(), "the race is over");
    });
    assert_eq!(outside.snapshot(), before);
    assert!(seen.is_race(flip), "no race: {seen:?}");
}

/// Creates the same names inside as outside.
fn prepare(server: &Server) {
    server.make_dir("real/sub");
    server.write("real/secret", "inside");
    server.write("secret", "inside");
    symlink("..", server.path("real/up")).unwrap();
}

struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Replaces the name until `done`. Every step is one rename, so that the name always exists
/// completely.
fn turn_until(done: &AtomicBool, flip: Flip, server: &Server, outside: &Outside) {
    let (real, dir, link) = (server.path("real"), server.path("dir"), server.path("link"));
    match flip {
        Flip::Dir => {
            symlink(outside.dir.path(), &link).unwrap();
            turn(done, [(&real, &dir), (&dir, &real), (&link, &dir), (&dir, &link)]);
        }
        Flip::File => {
            fs::rename(&real, &dir).unwrap();
            let (file, kept) = (dir.join("secret"), server.path("kept"));
            fs::hard_link(&file, &kept).unwrap();
            turn_file(done, &file, &kept, &outside.path("secret"));
        }
        Flip::Away => {
            let away = outside.path("away/dir");
            turn(done, [(&real, &dir), (&dir, &away), (&away, &dir), (&dir, &real)]);
        }
        Flip::Below => turn_below(done, &server.path("top"), outside.dir.path()),
    }
}

/// A step that fails concerns a file that the server has just replaced or removed.
fn turn(done: &AtomicBool, steps: [(&PathBuf, &PathBuf); 4]) {
    while !done.load(Ordering::Relaxed) {
        for (from, to) in steps {
            let _ = fs::rename(from, to);
        }
    }
}

/// Replaces the file with one rename per side, so that one of them always exists unless the server
/// removed it.
fn turn_file(done: &AtomicBool, file: &Path, kept: &Path, target: &Path) {
    let (link, plain) = (file.with_extension("link"), file.with_extension("plain"));
    while !done.load(Ordering::Relaxed) {
        symlink(target, &link).unwrap();
        fs::rename(&link, file).unwrap();
        fs::hard_link(kept, &plain).unwrap();
        fs::rename(&plain, file).unwrap();
    }
}

/// Creates the directory again, since the server removes it.
fn turn_below(done: &AtomicBool, top: &Path, target: &Path) {
    let dir = top.join("dir");
    while !done.load(Ordering::Relaxed) {
        let _ = fs::create_dir_all(dir.join("tree/leaf"));
        let _ = fs::write(dir.join("victim"), "inside");
        let _ = fs::remove_dir_all(&dir);
        let _ = symlink(target, &dir);
        let _ = fs::remove_file(&dir);
    }
}

fn attempt(peer: &mut Peer, what: Try, outside: &Outside, seen: &mut Seen) {
    let (said, came) = match what {
        Say(command) => (peer.say(command).hear(), Vec::new()),
        Fetch(command) => transfer(peer, command, drain),
        Send(command) => transfer(peer, command, |mut data| {
            // A refused upload may already be closed.
            let _ = data.write_all(b"inside");
            Vec::new()
        }),
    };
    match said.code {
        200..400 => seen.worked += 1,
        // 450 and 451: the file has changed between its resolution and its use.
        500..600 | 450 | 451 => seen.refused += 1,
        _ => peer.fail("unexpected reply"),
    }
    let came = String::from_utf8_lossy(&came).into_owned();
    if outside.occurs_in(&said.text()) || outside.occurs_in(&came) {
        panic!("an escape: {came:?}\n{}", last_said(peer));
    }
}

fn transfer(
    peer: &mut Peer,
    command: &str,
    carry: impl FnOnce(std::net::TcpStream) -> Vec<u8>,
) -> (crate::support::wire::Said, Vec<u8>) {
    let to = peer.epsv();
    let said = peer.say(command).hear();
    if said.code != 150 {
        return (said, Vec::new());
    }
    let came = carry(connect(to));
    (peer.hear(), came)
}

/// Asks the server for its view of the name. A listing distinguishes a link from its target, so it
/// shows which side the server sees.
fn check_side(peer: &mut Peer, flip: Flip, seen: &mut Seen) {
    let (dir, name) = match flip {
        Flip::Dir | Flip::Away => ("/", "dir"),
        Flip::File => ("/dir", "secret"),
        Flip::Below => ("/top", "dir"),
    };
    let listing = peer.say(format!("STAT {dir}")).hear().text();
    let ends = [format!(" {name}"), format!(" {name} -> ")];
    let line = listing.lines().find(|line| ends.iter().any(|end| line.ends_with(end)));
    match line {
        Some(line) if line.trim_start().starts_with('l') => seen.link += 1,
        Some(_) => seen.real += 1,
        None => seen.missing += 1,
    }
}

fn last_said(peer: &Peer) -> &str {
    const ENOUGH: usize = 600;
    let dialogue = peer.dialogue();
    let start = dialogue.len().saturating_sub(ENOUGH);
    dialogue.get(start..).unwrap_or(dialogue)
}
