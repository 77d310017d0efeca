//! `--transfer-log`: one line per file, in the format that log analyzers read.

use crate::support::accounts::AccountsFile;
use crate::support::wire::drain;
use crate::support::{Server, eventually};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use tempfile::TempDir;

/// A server with a transfer log.
struct Logging {
    server: Server,
    dir: TempDir,
}

impl Logging {
    fn start() -> Logging {
        Logging::with(&[])
    }

    fn with(options: &[&str]) -> Logging {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("xferlog");
        let server = Server::with(&[&["--transfer-log", file.to_str().unwrap()], options].concat());
        Logging { server, dir }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("xferlog")
    }

    /// Returns all lines once there are this many.
    fn lines(&self, count: usize) -> Vec<Line> {
        lines(&self.file(), count)
    }
}

/// A line by its fields after the time.
#[derive(Debug, PartialEq)]
struct Line {
    bytes: u64,
    path: String,
    /// The kind, the direction and the access.
    letters: String,
    user: String,
    end: String,
}

fn read(file: &Path) -> Vec<Line> {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines().map(parse).collect()
}

/// Returns all lines of a file once there are this many.
fn lines(file: &Path, count: usize) -> Vec<Line> {
    let is_written = || fs::read_to_string(file).is_ok_and(|text| text.lines().count() >= count);
    eventually("the lines of the transfer log", is_written);
    read(file)
}

fn parse(line: &str) -> Line {
    let (time, rest) = line.split_at(24);
    let words: Vec<&str> = time.split_whitespace().collect();
    assert!(
        matches!(
            words[..],
            [
                _,
                "Jan"
                    | "Feb"
                    | "Mar"
                    | "Apr"
                    | "May"
                    | "Jun"
                    | "Jul"
                    | "Aug"
                    | "Sep"
                    | "Oct"
                    | "Nov"
                    | "Dec",
                _,
                _,
                _
            ]
        ),
        "{line}"
    );
    let fields: Vec<&str> = rest.split(' ').collect();
    let [
        "",
        seconds,
        "127.0.0.1",
        bytes,
        path,
        kind,
        "_",
        direction,
        access,
        user,
        "ftp",
        "0",
        "*",
        end,
    ] = fields[..]
    else {
        panic!("{line:?}")
    };
    assert!(seconds.parse::<u64>().is_ok() && path.starts_with('/'), "{line}");
    Line {
        bytes: bytes.parse().unwrap(),
        path: path.into(),
        letters: [kind, direction, access].concat(),
        user: user.into(),
        end: end.into(),
    }
}

fn line(bytes: u64, path: &str, letters: &str, user: &str, end: &str) -> Line {
    let (path, letters) = (path.into(), letters.into());
    Line { bytes, path, letters, user: user.into(), end: end.into() }
}

#[test]
fn exactly_transferred_and_deleted_files_are_logged() {
    let it = Logging::start();
    it.server.make_dir("dir");
    let mut peer = it.server.visitor();
    peer.say("CWD dir").expect(250);
    peer.stor("a b", "12345");
    peer.send("APPE a b", "678");
    assert_eq!(peer.retr("a b"), b"12345678");
    peer.say("REST 6").expect(350);
    assert_eq!(peer.retr("a b"), b"78");
    peer.say("TYPE A").expect(200);
    peer.stor("text", "1\r\n");
    assert_eq!(peer.retr("text"), b"1\r\n");
    peer.list("LIST");
    peer.say("MKD sub").expect(257);
    peer.say("RMD sub").expect(250);
    peer.say("DELE text").expect(250);
    peer.epsv();
    peer.say("RETR nothing").expect(550);
    let one = |bytes, path, letters| line(bytes, path, letters, "anonymous", "c");
    assert_eq!(
        it.lines(7),
        [
            one(5, "/dir/a_b", "bia"),
            one(3, "/dir/a_b", "bia"),
            one(8, "/dir/a_b", "boa"),
            one(2, "/dir/a_b", "boa"),
            one(3, "/dir/text", "aia"),
            one(3, "/dir/text", "aoa"),
            one(0, "/dir/text", "ada"),
        ]
    );
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(it.file()).unwrap());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn an_interrupted_transfer_is_logged_as_incomplete() {
    let it = Logging::start();
    it.server.write_sparse("large", 1 << 30);
    let mut peer = it.server.visitor();
    peer.break_off("STOR file", "1234");
    let data = peer.begin("RETR large");
    peer.say("ABOR").expect(426);
    peer.expect(226);
    drop(data);
    let lines = it.lines(2);
    assert_eq!(lines[0], line(4, "/file", "bia", "anonymous", "i"));
    let Line { path, letters, end, bytes, .. } = &lines[1];
    assert_eq!((path.as_str(), letters.as_str(), end.as_str()), ("/large", "boa", "i"));
    assert!(*bytes < 1 << 30);
}

#[test]
fn a_download_of_a_truncated_file_is_logged_as_incomplete() {
    let it = Logging::start();
    it.server.write_sparse("file", 1 << 30);
    let mut peer = it.server.visitor();
    let data = peer.begin("RETR file");
    it.server.write_sparse("file", 0);
    assert!(drain(data).len() < 1 << 30);
    peer.expect(426);
    assert_eq!(it.lines(1)[0].end, "i");
    it.server.wait_for_log(&["retr", "failed=", "shorter"]);
}

#[test]
fn a_logged_path_is_relative_to_the_root_for_every_home() {
    let accounts = AccountsFile::new(&["anna:write:/homes/anna", "ben:write:"]);
    let it = Logging::with(&["--users", accounts.path()]);
    it.server.make_dir("homes/anna");
    for name in ["anna", "ben"] {
        it.server.user(name).stor("file", "");
    }
    let one = |path, user| line(0, path, "bir", user, "c");
    assert_eq!(it.lines(2), [one("/homes/anna/file", "anna"), one("/file", "ben")]);
}

/// Names that could break a line, with their form in the log.
const NAMES: [(&[u8], &str); 12] = [
    (b" ", "/_"),
    (b"a  b c", "/a__b_c"),
    (b"tab\there", "/tab_here"),
    (b"x b _ o r root ftp 0 * c", "/x_b___o_r_root_ftp_0_*_c"),
    (b"\x1b[31m\x7f", "/\\x1b_31m\\x7f"),
    (b"\x80\xfe", "/\\x80\\xfe"),
    ("ü漢🙂".as_bytes(), "/ü漢🙂"),
    ("no\u{a0}break\u{2003}em\u{2028}line".as_bytes(), "/no_break_em_line"),
    ("\u{202e}txt\u{85}".as_bytes(), "/\\xe2\\x80\\xaetxt_"),
    (b"\"one quote", "/_one_quote"),
    (b"'\\~!+,@:", "/'\\\\~!+,@:"),
    (b"copy (1) [x].txt", "/copy_(1)_[x].txt"),
];

#[test]
fn no_name_breaks_a_line() {
    let it = Logging::start();
    let mut peer = it.server.visitor();
    // webalizer treats these characters as the end of a URL.
    let more: (&[u8], &str) = (b"?#%s=&;<b>${x}|", "/?#%s=&;<b>${x}|");
    for (index, (name, shown)) in NAMES.into_iter().chain([more]).enumerate() {
        peer.stor(name, "1");
        assert_eq!(it.lines(index + 1).pop().unwrap(), line(1, shown, "bia", "anonymous", "c"));
    }
}

#[test]
fn an_unusable_transfer_log_prevents_the_start() {
    let output = Command::new(env!("CARGO_BIN_EXE_ftp_server"))
        .args(["--host", "127.0.0.1", "--port", "0", "--root", "."])
        .args(["--transfer-log", "/nonexistent/xferlog"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("the transfer log /nonexistent/xferlog: "), "{words}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_failing_transfer_log_is_reported_once_and_stops_no_session() {
    let server = Server::with(&["--transfer-log", "/dev/full"]);
    let mut peer = server.visitor();
    for _ in 0..3 {
        peer.stor("file", "");
    }
    peer.say("QUIT").expect(221);
    server.wait_for_log(&["closed"]);
    server.wait_for_log(&["transfer-log-fails"]);
    assert_eq!(server.log().matches("transfer-log-fails").count(), 1, "{}", server.log());
}

#[test]
fn a_reload_enables_disables_and_keeps_the_transfer_log() {
    let dir = TempDir::new().unwrap();
    let (config, one, two) =
        (dir.path().join("config"), dir.path().join("1"), dir.path().join("2"));
    fs::write(&config, "").unwrap();
    let server = Server::with(&["--config", config.to_str().unwrap()]);
    let mut peer = server.visitor();
    let mut reloads = 0;
    let mut set = |file: &Path| {
        fs::write(&config, format!("transfer-log = {}", file.display())).unwrap();
        reloads += 1;
        server.signal("HUP");
        eventually("a reload", || server.log().matches(" reloaded ").count() == reloads);
    };
    let paths = |file: &Path, count: usize| {
        lines(file, count).into_iter().map(|line| line.path).collect::<Vec<_>>()
    };
    peer.stor("a", "");
    set(&one);
    peer.stor("b", "");
    set(Path::new("/nonexistent/xferlog"));
    server.wait_for_log(&["not-reloaded", "/nonexistent/xferlog"]);
    peer.stor("c", "");
    set(&two);
    peer.stor("d", "");
    assert_eq!(
        (paths(&one, 2), paths(&two, 1)),
        (vec!["/b".into(), "/c".into()], vec!["/d".into()])
    );
}

/// The number of clients that move files while the logs are rotated, and the number of files of
/// each.
const CLIENTS: usize = 4;
const FILES: usize = 60;

/// Renames both logs and has them reopened, like logrotate.
fn rotate(server: &Server, dir: &Path, nth: usize) {
    for name in ["log", "xferlog"] {
        fs::rename(dir.join(name), dir.join(format!("{name}.{nth}"))).unwrap();
    }
    server.signal("HUP");
    eventually("new files", || {
        let log = fs::read_to_string(dir.join("log"));
        log.is_ok_and(|log| log.contains(" reloaded ")) && dir.join("xferlog").exists()
    });
}

/// Returns the complete content of a log that was rotated, in order.
fn rotated(dir: &Path, name: &str, times: usize) -> String {
    let old = (0..times).map(|nth| format!("{name}.{nth}"));
    let files = old.chain([name.to_owned()]);
    files.map(|file| fs::read_to_string(dir.join(file)).unwrap()).collect()
}

#[test]
fn log_rotation_during_transfers_keeps_all_lines_complete() {
    const TIMES: usize = 10;
    let dir = TempDir::new().unwrap();
    let [log, xferlog] = ["log", "xferlog"].map(|name| dir.path().join(name));
    let (log, xferlog) = (log.to_str().unwrap(), xferlog.to_str().unwrap());
    let server = Server::with(&["--log-file", log, "--transfer-log", xferlog]);
    let work = |client: usize| {
        let mut peer = server.visitor();
        for nth in 0..FILES {
            peer.stor(format!("{client}-{nth}"), "content");
        }
        peer.say("QUIT").expect(221);
    };
    thread::scope(|scope| {
        (0..CLIENTS).for_each(|client| drop(scope.spawn(move || work(client))));
        (0..TIMES).for_each(|nth| rotate(&server, dir.path(), nth));
    });
    let ended = || rotated(dir.path(), "log", TIMES).matches(" closed ").count() == CLIENTS;
    eventually("the end of all sessions", ended);
    let expected: BTreeMap<String, usize> = (0..CLIENTS)
        .flat_map(|client| (0..FILES).map(move |nth| (format!("/{client}-{nth}"), 1)))
        .collect();
    let all = || rotated(dir.path(), "xferlog", TIMES).lines().count() >= CLIENTS * FILES;
    eventually("the lines of all transfers", all);
    let mut moved = BTreeMap::new();
    for line in rotated(dir.path(), "xferlog", TIMES).lines() {
        *moved.entry(parse(line).path).or_insert(0) += 1;
    }
    assert_eq!(moved, expected);
    let mut told = BTreeMap::new();
    for line in rotated(dir.path(), "log", TIMES).lines() {
        crate::server::log::event_log::check_line(line)
            .unwrap_or_else(|why| panic!("{why}: {line}"));
        let path = line.split_once(" path=").map(|(_, rest)| rest.split(' ').next().unwrap());
        path.into_iter().for_each(|path| *told.entry(path.to_owned()).or_insert(0) += 1);
    }
    assert_eq!(told, expected);
    let before = read(Path::new(xferlog)).len();
    work(CLIENTS);
    let last = lines(Path::new(xferlog), before + FILES).pop().unwrap();
    assert_eq!(last.path, format!("/{CLIENTS}-{}", FILES - 1));
}

/// Returns the system calls of the session's thread during a download, from the 150 to the final
/// reply.
#[cfg(target_os = "linux")]
fn calls_of_a_download(options: &[&str]) -> Vec<String> {
    let trace = TempDir::new().unwrap();
    let to = trace.path().join("calls");
    // -D: the server is the direct child of the test, and strace its grandchild.
    let strace = ["strace", "-D", "-f", "-qq", "-s", "40", "-o", to.to_str().unwrap()];
    let server = Server::under(&strace, TempDir::new().unwrap(), "127.0.0.1", options);
    server.write("file", [0; 4096]);
    let mut peer = server.visitor();
    peer.retr("file");
    let calls = || fs::read_to_string(&to).unwrap();
    eventually("the final reply", || calls().contains("\"226 "));
    let calls = calls();
    let of_reply = |code: &str| calls.lines().position(|line| line.contains(code)).unwrap();
    let (begin, end) = (of_reply("\"150 "), of_reply("\"226 "));
    let between = calls.lines().skip(begin).take(end - begin + 1);
    let thread = calls.lines().nth(begin).unwrap().split(' ').next().unwrap();
    let own = between.filter(|line| line.starts_with(thread) && !line.contains(" resumed>"));
    own.map(|line| line.split_whitespace().nth(1).unwrap().split('(').next().unwrap().into())
        .collect()
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs strace"]
fn logging_a_transfer_takes_at_most_one_more_system_call() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("xferlog");
    let without = calls_of_a_download(&["--log-level", "warn"]);
    let with = &["--log-level", "warn", "--transfer-log", file.to_str().unwrap()];
    let mut with = calls_of_a_download(with);
    if let Some(wake) = with.iter().position(|call| call == "futex") {
        with.remove(wake);
    }
    assert_eq!(with, without);
}

/// Returns webalizer's statistics of a transfer log: requests and kB by file and by user.
fn webalizer(log: &Path) -> [BTreeMap<String, (u64, u64)>; 2] {
    let dir = TempDir::new().unwrap();
    let config = dir.path().join("config");
    let dump = format!("DumpURLs yes\nDumpUsers yes\nDumpPath {}\n", dir.path().display());
    fs::write(&config, dump).unwrap();
    let run = Command::new("webalizer")
        .args(["-F", "ftp", "-n", "host", "-c"])
        .arg(&config)
        .arg("-o")
        .args([dir.path(), log])
        .output()
        .unwrap();
    let said = String::from_utf8([run.stdout, run.stderr].concat()).unwrap();
    assert!(run.status.success() && !said.contains("bad"), "{said}");
    let table = |name: &str, kb: usize, key: usize| {
        let mut files = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let is_it = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().starts_with(name);
        let text = fs::read_to_string(files.find(is_it).unwrap()).unwrap();
        let rows = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        let number = |text: &str| text.parse().unwrap();
        rows.map(|row| (row[key].to_owned(), (number(row[0]), number(row[kb])))).collect()
    };
    [table("url_", 1, 2), table("user_", 2, 4)]
}

#[test]
#[ignore = "needs webalizer"]
fn webalizer_counts_the_same_files_and_bytes() {
    let it = Logging::start();
    let mut peer = it.server.visitor();
    for (name, _) in NAMES {
        peer.stor(name, [0; 3 * 1024]);
        peer.retr(name);
    }
    peer.stor("often", [0; 1024]);
    for _ in 0..9 {
        peer.retr("often");
    }
    peer.say("DELE often").expect(250);
    peer.break_off("STOR half", [0; 7 * 1024]);
    let [files, users] = webalizer(&it.file());
    let mut expected: BTreeMap<String, (u64, u64)> =
        NAMES.iter().map(|(_, shown)| (shown.to_string(), (2, 6))).collect();
    expected.insert("/often".into(), (11, 10));
    expected.insert("/half".into(), (1, 7));
    assert_eq!(files, expected);
    let requests = 2 * NAMES.len() as u64 + 12;
    let kb = 6 * NAMES.len() as u64 + 17;
    assert_eq!(users, BTreeMap::from([("anonymous".into(), (requests, kb))]));
}
