//! Accounts: the accounts file, its two subcommands, and the permissions of accounts.

use crate::support::accounts::{AccountsFile, PASSWORD, SECRET};
use crate::support::{Server, at_once};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Mutex;
use tempfile::TempDir;

/// A run of `ftp_server` that exits by itself.
struct Run {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(words: &[&str], stdin: &str) -> Run {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_ftp_server"));
    command.args(words).write_stdin(stdin).timeout(crate::support::HASHING_PATIENCE);
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    Run { status: output.status.code(), stdout, stderr }
}

impl Run {
    fn expect(self, status: i32) -> Run {
        assert_eq!(self.status, Some(status), "{}{}", self.stdout, self.stderr);
        self
    }

    fn expect_error(self, words: &str) -> Run {
        assert!(self.stderr.contains(words), "expected {words:?}: {}", self.stderr);
        self
    }
}

fn mode(file: impl AsRef<Path>) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o7777
}

/// Starts a server with the accounts anna, who may write; ben, who may read; and carl, who may
/// write in `/carl`. Their passwords are "secret".
fn server(options: &[&str]) -> Server {
    let server = Server::with_accounts(&["anna:write:", "ben::", "carl:write:/carl"], options);
    server.write("file", "content");
    server.make_dir("carl/sub");
    server.write("carl/own", "of carl");
    server
}

#[test]
fn passwd_creates_a_file_whose_account_can_log_in() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("users");
    let users = file.to_str().unwrap();
    let run = run(&["passwd", "--access", "write", users, "dora"], "open sesame\nmore\n").expect(0);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("dora") && !run.stderr.contains("sesame"), "{}", run.stderr);
    assert_eq!(mode(&file), 0o600);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("dora:$pbkdf2-sha256$") && text.ends_with(":write:\n"), "{text}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

    let server = Server::with(&["--users", users]);
    let mut peer = server.caller();
    peer.say("USER dora").expect(331);
    peer.say("PASS open sesame").expect(230);
    peer.say("MKD dir").expect(257);
}

#[test]
fn passwd_changes_one_line_and_keeps_the_others() {
    let before = format!("# staff\n\nanna:{SECRET}:write:/a b\n# the boss\n  ben:{SECRET}::\n#end");
    let file = AccountsFile::with_text(&before);
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o640)).unwrap();
    run(&["passwd", file.path(), "anna"], "new\n").expect(0);
    let after = fs::read_to_string(file.path()).unwrap();
    let lines: Vec<(&str, &str)> = before.lines().zip(after.lines()).collect();
    assert_eq!(lines.len(), after.lines().count());
    for (old, new) in lines {
        match old.starts_with("anna:") {
            true => assert!(new != old && new.ends_with(":write:/a b"), "{new}"),
            false => assert_eq!(new, old),
        }
    }
    assert!(after.ends_with("#end"));
    assert_eq!(mode(file.path()), 0o640);

    // Without a new password, other changes keep the old one; an account that is new needs one.
    let hash = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("anna:")).unwrap().to_owned();
        line.split(':').nth(1).unwrap().to_owned()
    };
    run(&["passwd", "--access=read", file.path(), "anna"], "").expect(0);
    let kept = fs::read_to_string(file.path()).unwrap();
    assert_eq!(hash(&kept), hash(&after));
    assert!(kept.contains(":read:/a b"), "{kept}");
    for words in [["passwd", file.path(), "anna"], ["passwd", file.path(), "carla"]] {
        run(&words, "").expect(1).expect_error("a password is needed");
    }

    let words = ["passwd", "--access=read", "--home", "/c", file.path(), "anna"];
    run(&words, "newer\n").expect(0);
    let after = fs::read_to_string(file.path()).unwrap();
    assert!(after.lines().any(|line| line.starts_with("anna:") && line.ends_with(":read:/c")));
}

#[test]
fn passwd_sets_limits_and_check_shows_them() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("dora")).unwrap();
    let (root, users) = (dir.path().to_str().unwrap(), dir.path().join("users"));
    let users = users.to_str().unwrap();
    let passwd = |words: &[&str]| {
        run(&[&["passwd"], words, &[users, "dora"]].concat(), "open sesame\n").expect(0);
        let checked = run(&["check", "--root", root, "--users", users], "").expect(0).stdout;
        let line = checked.lines().find(|line| line.starts_with("account dora: ")).unwrap();
        line.to_owned()
    };
    let set = ["--home", "/dora", "--quota", "10G", "--sessions", "3", "--rate=64K"];
    let all = "account dora: read, home /dora, quota 10G, sessions 3, rate 64K";
    assert_eq!(passwd(&set), all);
    assert_eq!(passwd(&[]), all);
    let fewer = "account dora: read, home /dora, rate 64K";
    assert_eq!(passwd(&["--quota=none", "--sessions", "none"]), fewer);
    assert_eq!(passwd(&["--rate", "none"]), "account dora: read, home /dora");
}

#[test]
fn passwd_refuses_an_invalid_file_and_keeps_it() {
    let text = format!("anna:{SECRET}::\nnonsense\n");
    let file = AccountsFile::with_text(&text);
    let users = file.path();
    run(&["passwd", users, "ben"], "x\n")
        .expect(1)
        .expect_error(&format!("{users}:2: expected name:hash:access:home"));
    assert_eq!(fs::read_to_string(file.path()).unwrap(), text);
    assert_eq!(fs::read_dir(Path::new(file.path()).parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn passwd_without_a_password_changes_nothing() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("users");
    for stdin in ["", "\n", "\r\n"] {
        run(&["passwd", file.to_str().unwrap(), "anna"], stdin).expect(1).expect_error("password");
    }
    assert!(!file.exists());
}

#[test]
fn passwd_reports_usage_errors() {
    let file = AccountsFile::with_text("");
    let users = file.path();
    for words in [
        &["passwd"][..],
        &["passwd", users],
        &["passwd", users, "anna", "ben"],
        &["passwd", users, "an:na"],
        &["passwd", users, ""],
        &["passwd", "--access", "all", users, "anna"],
        &["passwd", "--home", "a:b", users, "anna"],
        &["passwd", "--nosuch", users, "anna"],
    ] {
        run(words, "x\n").expect(2).expect_error("ftp_server passwd");
    }
    let nowhere = format!("{}/in/a/file", file.path());
    run(&["passwd", &nowhere, "anna"], "x\n").expect(1).expect_error(&nowhere);
}

#[test]
fn check_reports_the_settings_and_starts_nothing() {
    let file = AccountsFile::with_text(&format!("anna:{SECRET}:write:/home\nben:{SECRET}::\n"));
    let root = TempDir::new().unwrap();
    fs::create_dir(root.path().join("home")).unwrap();
    let (users, root) = (file.path(), root.path().to_str().unwrap());
    let run = run(&["check", "--users", users, "--root", root, "--port", "0"], "").expect(0);
    for words in ["anna: write", "/home", "ben: read", users, "anonymous = none  (default)"] {
        assert!(run.stdout.contains(words), "{words} in {}", run.stdout);
    }
    assert!(!run.stdout.contains("Listening") && !run.stdout.contains(SECRET), "{}", run.stdout);
}

#[test]
fn check_reports_settings_that_would_fail() {
    let root = TempDir::new().unwrap();
    let root = root.path().to_str().unwrap();
    let broken =
        AccountsFile::with_text(&format!("anna:{SECRET}::\nben:{SECRET}:all:\ncarl:x::\n"));
    let users = broken.path();
    run(&["check", "--users", users, "--root", root], "")
        .expect(1)
        .expect_error(&format!("{users}:2: expected drop, read, store or write"))
        .expect_error(&format!("{users}:3: expected a hash"));

    let homeless = AccountsFile::with_text(&format!("anna:{SECRET}::/gone\n"));
    let users = homeless.path();
    let run = run(&["check", "--users", users, "--root", root], "").expect(1);
    assert!(run.stderr.contains("anna") && run.stderr.contains("/gone"), "{}", run.stderr);
}

#[test]
fn an_invalid_accounts_file_prevents_the_start() {
    let broken =
        AccountsFile::with_text(&format!("# a comment\nanna:{SECRET}::\nanna:{SECRET}::\nben\n"));
    let users = broken.path();
    let words = ["--users", users, "--host", "127.0.0.1", "--port", "0", "--root", "."];
    let started = run(&words, "")
        .expect(1)
        .expect_error(&format!("{users}:3: expected each name only once"))
        .expect_error(&format!("{users}:4: expected name:hash:access:home"));
    assert_eq!(started.stdout, "");
    let missing = run(&["--root=.", "--users", "/nonexistent/users", "--port", "0"], "").expect(1);
    missing.expect_error("/nonexistent/users");
}

#[test]
fn a_hash_from_passlib_is_accepted() {
    let file = AccountsFile::with_text(&format!("anna:{PASSWORD}::"));
    let server = Server::with(&["--users", file.path()]);
    let mut peer = server.caller();
    peer.say("USER anna").expect(331);
    peer.say("PASS password").expect(230);
}

#[test]
fn names_and_passwords_are_compared_exactly() {
    let server = server(&[]);
    let wrong = [
        ("anna", "Secret"),
        ("anna", "secret "),
        ("anna", " secret"),
        ("anna", "secre"),
        ("anna", "secretx"),
        ("Anna", "secret"),
        ("anna ", "secret"),
        ("anna:", "secret"),
        ("# staff", "secret"),
    ];
    at_once((2..).zip(wrong), |(host, (name, password))| {
        let mut peer = server.caller_from(host);
        peer.say(format!("USER {name}")).expect(331);
        peer.say(format!("PASS {password}")).expect(530);
        peer.say("PWD").expect(530);
    });
    server.user("anna");
}

#[test]
fn an_unknown_name_and_a_wrong_password_get_the_same_reply() {
    let server = server(&[]);
    let heard = Mutex::new(BTreeSet::new());
    at_once((2..).zip(["anna", "carl", "nobody", "root", "anonymous"]), |(host, name)| {
        let mut peer = server.caller_from(host);
        let name = peer.say(format!("USER {name}")).expect(331).text();
        let password = peer.say("PASS wrong").expect(530).text();
        heard.lock().unwrap().insert((name, password));
    });
    assert_eq!(heard.lock().unwrap().len(), 1, "{heard:?}");
}

#[test]
fn read_and_write_access_allow_what_is_documented() {
    let server = server(&[]);
    let mut ben = server.user("ben");
    assert_eq!(ben.retr("file"), b"content");
    assert!(ben.list("LIST").contains("file"));
    for command in ["STOR file", "APPE file", "DELE file", "MKD dir", "RNFR file", "RMD carl/sub"] {
        ben.say(command).expect_text(550, "Permission denied.");
    }
    let mut anna = server.user("anna");
    anna.stor("file", "new");
    anna.say("MKD dir").expect(257);
    assert_eq!(ben.retr("file"), b"new");
}

#[test]
fn an_account_sees_only_its_home() {
    let server = server(&[]);
    let mut carl = server.user("carl");
    carl.say("PWD").expect_text(257, "\"/\"");
    assert_eq!(carl.lines("NLST"), [b"own", b"sub"]);
    assert_eq!(carl.retr("/own"), b"of carl");
    for up in ["CDUP", "CWD ..", "CWD ../..", "CWD /", "CWD sub/../../.."] {
        carl.say(up).expect(250);
        carl.say("PWD").expect_text(257, "\"/\"");
    }
    for path in ["../file", "/file", "/carl/own", "../../file"] {
        carl.say(format!("SIZE {path}")).expect(550);
        carl.say(format!("DELE {path}")).expect(550);
    }
    carl.stor("../new", "inside");
    assert_eq!(server.read("carl/new"), b"inside");
    carl.say("RNFR own").expect(350);
    carl.say("RNTO ../../moved").expect(250);
    assert!(server.has("carl/moved") && !server.has("moved"));
    for root in ["RMD /", "RMD ..", "RMDA /", "RNFR /", "DELE /"] {
        carl.say(root).expect(550);
    }
}

#[test]
fn links_out_of_a_home_are_not_followed() {
    let server = server(&[]);
    symlink("../file", server.path("carl/up")).unwrap();
    symlink(server.root(), server.path("carl/root")).unwrap();
    symlink(server.path("file"), server.path("carl/absolute")).unwrap();
    symlink("..", server.path("carl/sub/home")).unwrap();
    symlink(server.path("carl/own"), server.path("carl/sub/same")).unwrap();
    let mut carl = server.user("carl");
    carl.epsv();
    for link in ["up", "absolute", "root/file"] {
        for verb in ["RETR", "STOR", "APPE", "SIZE", "MDTM", "MLST", "HASH", "XCRC"] {
            carl.say(format!("{verb} {link}")).expect(550);
        }
    }
    carl.say("CWD root").expect(550);
    carl.say("LIST root/carl").expect(550);
    // Links within the home work, in every form.
    assert_eq!(carl.retr("sub/same"), b"of carl");
    assert_eq!(carl.retr("sub/home/own"), b"of carl");
    // Removing a link removes the link itself.
    carl.say("DELE up").expect(250);
    assert_eq!(server.read("file"), b"content");
}

#[test]
fn a_link_out_of_a_home_is_a_missing_file_for_the_client_and_explained_in_the_log() {
    let server = server(&[]);
    server.make_dir("carl/sub");
    let beside = server.root().with_extension("beside").display().to_string();
    let links = [
        ("sub/up", "../../file"),
        ("home", "../anna"),
        ("absolute", server.root().to_str().unwrap()),
        ("beside", &beside),
        ("chain", "sub/up"),
    ];
    for (name, target) in links {
        symlink(target, server.path("carl").join(name)).unwrap();
    }
    symlink("cycle", server.path("carl/cycle")).unwrap();
    for (at, (name, target)) in links.into_iter().chain([("cycle", "")]).enumerate() {
        // A session of its own, because a session can cause only some lines at once.
        let mut carl = server.user("carl");
        for verb in ["CWD", "LIST", "MLSD", "STAT", "MLST", "SIZE", "MDTM", "RETR", "HASH", "STOR"]
        {
            carl.epsv();
            let reply = carl.say(format!("{verb} {name}")).expect(550).text();
            if verb != "STOR" {
                assert_eq!(carl.say(format!("{verb} missing")).expect(550).text(), reply, "{verb}");
            }
            let (command, session) = (format!("{verb} {name}"), format!("session={} ", at + 1));
            let last = if name == "chain" { "../../file" } else { target };
            let why = if name == "cycle" { "too many symbolic links" } else { last };
            server.wait_for_log(&["info", "refused", &session, &command, "cause=", why]);
        }
    }
    let log = server.log();
    let missing = log.lines().find(|line| line.contains("SIZE missing"));
    assert_eq!(missing, None, "an ordinary missing file is not logged at info");
}

#[test]
fn a_home_that_is_a_link_out_of_the_root_is_explained_in_the_log() {
    let server = server(&[]);
    fs::remove_dir_all(server.path("carl")).unwrap();
    symlink("/etc", server.path("carl")).unwrap();
    let mut peer = server.caller();
    peer.say("USER carl").expect(331);
    peer.say("PASS secret").expect_text(530, "Your home directory is not available.");
    server.wait_for_log(&["warn", "login-failed", "name=carl", "the link carl to /etc leads out"]);
}

#[test]
fn a_missing_home_refuses_the_login_and_affects_no_other_account() {
    let server = server(&[]);
    fs::remove_dir_all(server.path("carl")).unwrap();
    let mut peer = server.caller();
    peer.say("USER carl").expect(331);
    let text = peer.say("PASS secret").expect(530).text();
    assert!(!text.contains(server.root().to_str().unwrap()) && !text.contains("os error"));
    peer.say("PWD").expect(530);
    server.user("anna").say("PWD").expect(257);
}

#[test]
fn user_ends_all_rights_of_the_session() {
    let server = server(&[]);
    let mut peer = server.user("anna");
    peer.say("CWD carl").expect(250);
    peer.say("RNFR own").expect(350);
    peer.say("USER ben").expect(331);
    for command in ["RNTO gone", "PWD", "LIST", "STOR x", "RETR file", "DELE file", "STAT /"] {
        peer.say(command).expect(530);
    }
    peer.say("PASS wrong").expect(530);
    peer.say("PWD").expect(530);
    peer.say("USER ben").expect(331);
    peer.say("PASS secret").expect(230);
    peer.say("PWD").expect_text(257, "\"/\"");
    peer.say("DELE file").expect_text(550, "Permission denied.");
    // The same from one home to another.
    peer.say("USER carl").expect(331);
    peer.say("PASS secret").expect(230);
    peer.say("SIZE own").expect(213);
    peer.say("SIZE /file").expect(550);
}

#[test]
fn too_many_failed_logins_end_the_session() {
    let server = server(&["--max-login-failures", "2"]);
    let mut peer = server.caller();
    peer.say("USER anna").expect(331);
    peer.say("PASS wrong").expect(530);
    peer.say("USER nobody").expect(331);
    peer.raw("PASS wrong\r\nUSER anna\r\nPASS secret\r\n").expect(421);
    peer.expect_end();
}

#[test]
fn with_accounts_visitors_are_admitted_only_if_configured() {
    let none = server(&[]);
    assert!(none.next_line().contains("may not log in"));
    for name in ["anonymous", "ftp"] {
        let mut peer = none.caller();
        peer.say(format!("USER {name}")).expect(331);
        peer.say("PASS me@here").expect(530);
    }
    let read = server(&["--anonymous", "read"]);
    let mut visitor = read.visitor();
    assert_eq!(visitor.retr("file"), b"content");
    visitor.say("DELE file").expect(550);
    read.user("anna").say("DELE file").expect(250);
}

#[test]
fn passwords_of_accounts_are_never_logged() {
    let server = server(&["--log-level", "debug", "--max-login-failures", "100"]);
    let mut peer = server.caller();
    for line in ["PASS hunter-1", "pass hunter-2", "ACCT hunter-3", "PASS\thunter-4"] {
        peer.say(line).hear();
    }
    peer.say(format!("PASS hunter-5{}", "x".repeat(5000))).hear();
    peer.say("PASS hunter-6\0").hear();
    peer.say("PASShunter-7").hear();
    peer.say("SITE PSWD hunter-8 hunter-9").hear();
    let spellings: [&[u8]; 2] = [b"PaSs  hunter-10\r\n", b"\xff\xf4\xff\xf2PASS hunter-11 12\r\n"];
    let attempts = ["anna", "nobody"].iter().flat_map(|name| spellings.map(|line| (name, line)));
    at_once((2..).zip(attempts), |(host, (name, line))| {
        let mut peer = server.caller_from(host);
        peer.say(format!("USER {name}")).expect(331);
        peer.raw(line).expect(530);
    });
    peer.say("USER anna").expect(331);
    peer.say("PASS secret").expect(230);
    peer.say("QUIT").expect(221);
    server.wait_for_log(&["QUIT"]);
    let log = server.log();
    assert!(log.contains("PASS") && log.contains("****"), "{log}");
    assert!(!log.contains("hunter") && !log.contains("secret"), "{log}");
    assert!(!log.contains("pbkdf2") && !log.contains(&SECRET[20..]), "{log}");
}

#[test]
fn passwd_creates_the_home_and_shows_the_access() {
    let (root, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o750)).unwrap();
    let (dir, users) = (root.path().to_str().unwrap().to_owned(), elsewhere.path().join("users"));
    let (dir, users) = (dir.as_str(), users.to_str().unwrap());
    let words = ["passwd", "--root", dir, "--access=store", "--home=5b/anna", users, "anna"];
    let told = run(&words, "secret\n").expect(0).stderr;
    let home = format!("{dir}/5b/anna");
    let first = format!("anna: added to {users}; may read and store, not delete, in {home}");
    assert!(told.starts_with(&first) && told.contains("SIGHUP"), "{told}");
    let words = ["passwd", "--root", dir, users, "ben"];
    let second = run(&words, "secret\n").expect(0).stderr;
    assert_eq!(second.lines().count(), 1, "one line per account: {second}");
    assert_eq!(mode(&home), 0o750);
    if mt_ftp::sys::is_superuser() {
        assert!(told.ends_with("chown it to the user that runs the server\n"), "{told}");
    }
    let server = Server::launch(root, "127.0.0.1", &["--users", users]);
    server.caller().say("QUIT").expect(221);
    server.wait_for_log(&["closed"]);
    assert!(!server.log().contains("cannot log in"), "{}", server.log());
}

#[test]
fn passwd_refuses_homes_outside_and_names_of_visitors() {
    let root = TempDir::new().unwrap();
    let dir = root.path().to_str().unwrap();
    let users = root.path().join("users");
    let users = users.to_str().unwrap();
    for (words, why) in [
        (&["--home", "../anna", users, "anna"][..], "without .."),
        (&["--home", "/etc", users, "anna"], "inside the root of the server"),
        (&["--root", dir, "--home", "/etc", users, "anna"], "expected a directory inside"),
        (&[users, "anonymous"], "this one is for anonymous visitors"),
        (&["--list", users, "anna"], "FILE, and nothing else"),
        (&["--list", "--remove", users], "not both"),
    ] {
        run(&[&["passwd"], words].concat(), "secret\n").expect(2).expect_error(why);
    }
    assert!(!Path::new(users).exists());
}

#[test]
fn passwd_lists_and_removes_accounts() {
    let text = format!("# staff\nanna:{SECRET}:store:/anna:10G::\nben:{SECRET}::\n");
    let file = AccountsFile::with_text(&text);
    let users = file.path();
    let listed = run(&["passwd", "--list", users], "").expect(0).stdout;
    assert_eq!(listed, "anna: store, home /anna, quota 10G\nben: read, home /\n");
    run(&["passwd", "--remove", users, "anna"], "").expect(0).expect_error("SIGHUP");
    assert_eq!(fs::read_to_string(users).unwrap(), format!("# staff\nben:{SECRET}::\n"));
    run(&["passwd", "--remove", users, "anna"], "")
        .expect(1)
        .expect_error("cannot remove anna: no such account");
    run(&["passwd", "--remove", "/nonexistent/users", "anna"], "").expect(1);
}

#[test]
fn the_start_lists_unusable_accounts_in_one_line() {
    let accounts = ["anna::/gone", "ben::", "carl::/file", "ftp::"];
    let server = Server::with_accounts(&accounts, &["--anonymous", "read"]);
    let line = "warning: 3 of 4 accounts cannot log in: anna (home /gone: No such file or directory), \
                carl (home /file: No such file or directory), ftp (reserved for anonymous visitors)";
    server.wait_for_log(&[line]);
    let server = Server::with_accounts(&["anna::", "ben::"], &[]);
    server.caller().say("QUIT").expect(221);
    server.wait_for_log(&["closed"]);
    assert!(!server.log().contains("cannot log in"), "{}", server.log());
}
