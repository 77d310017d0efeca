//! SIGHUP: accounts, options and logs are reloaded, and an error in them changes nothing.

use crate::support::accounts::{PASSWORD, SECRET};
use crate::support::wire::{Peer, free_port};
use crate::support::{Server, connect_when_admitted, eventually};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A server whose files the test changes.
struct Changing {
    server: Server,
    dir: TempDir,
    reloads: usize,
}

impl Changing {
    /// Starts a server with these options in its config file and these accounts.
    fn start(config: &str, users: &str) -> Changing {
        let dir = TempDir::new().unwrap();
        let (file, accounts) = (dir.path().join("config"), dir.path().join("users"));
        fs::write(&accounts, users).unwrap();
        fs::write(&file, config.replace("USERS", accounts.to_str().unwrap())).unwrap();
        let server = Server::with(&["--config", file.to_str().unwrap()]);
        Changing { server, dir, reloads: 0 }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let accounts = self.file("users");
        fs::write(self.file(name), text.replace("USERS", accounts.to_str().unwrap())).unwrap();
    }

    /// Returns everything the server has logged, to stderr and to files.
    fn log(&self) -> String {
        let files = ["log", "log.1"].map(|name| fs::read_to_string(self.file(name)));
        files.into_iter().flatten().fold(self.server.log(), |all, text| all + &text)
    }

    /// Sends the signal and waits until the reload is done.
    fn reload(&mut self) {
        self.reloads += 1;
        self.server.signal("HUP");
        eventually("a reload", || self.log().matches(" reloaded ").count() == self.reloads);
    }
}

fn accounts(lines: &[&str]) -> String {
    lines
        .iter()
        .map(|line| line.replace("SECRET", SECRET).replace("OTHER", PASSWORD) + "\n")
        .collect()
}

#[test]
fn a_revoked_permission_applies_to_the_next_command() {
    let mut it = Changing::start("users = USERS", &accounts(&["anna:SECRET:write:"]));
    let mut anna = it.server.user("anna");
    anna.say("MKD one").expect(257);
    it.write("users", &accounts(&["anna:SECRET:read:"]));
    it.reload();
    anna.say("MKD two").expect(550);
    anna.say("CWD one").expect(250);
    it.write("users", &accounts(&["anna:SECRET:write:"]));
    it.reload();
    anna.say("MKD two").expect(257);
    assert!(it.server.has("one/two"));
}

#[test]
fn a_login_ends_if_its_account_password_or_home_changes() {
    let before = accounts(&["anna:SECRET:write:", "ben:SECRET:write:", "carl:SECRET:write:"]);
    let mut it = Changing::start("users = USERS", &before);
    it.server.make_dir("home");
    let mut peers = ["anna", "ben", "carl"].map(|name| it.server.user(name));
    for peer in &mut peers {
        peer.epsv();
        peer.say("RNFR home").expect(350);
    }
    it.write("users", &accounts(&["ben:OTHER:write:", "carl:SECRET:write:/home"]));
    it.reload();
    for peer in &mut peers {
        peer.say("RNTO elsewhere").expect(530);
        peer.say("STOR file").expect(530);
        peer.say("NOOP").expect(200);
    }
    let [_, _, carl] = &mut peers;
    carl.say("USER carl").expect(331);
    carl.say("PASS secret").expect(230);
    carl.say("RNTO elsewhere").expect(503);
    carl.say("LIST").expect(425);
    assert!(it.server.has("home"));
}

#[test]
fn a_running_transfer_keeps_its_old_settings() {
    let mut it = Changing::start("users = USERS", &accounts(&["anna:SECRET:write:"]));
    let mut anna = it.server.user("anna");
    anna.say("TYPE I").expect(200);
    let data = anna.begin_with("STOR file", "content");
    it.write("users", &accounts(&["anna:SECRET:read:"]));
    it.reload();
    drop(data);
    anna.expect(226);
    anna.say("DELE file").expect(550);
    assert_eq!(it.server.read("file"), b"content");
}

#[test]
fn visitors_who_are_no_longer_allowed_are_logged_out() {
    let mut it = Changing::start("anonymous = write", "");
    let mut visitor = it.server.visitor();
    it.write("config", "anonymous = read");
    it.reload();
    visitor.say("MKD dir").expect(550);
    visitor.say("PWD").expect(257);
    it.write("config", "anonymous = none");
    it.reload();
    visitor.say("PWD").expect(530);
    let mut stranger = it.server.caller();
    stranger.say("USER anonymous").expect(331);
    stranger.say("PASS x").expect(530);
}

#[test]
fn invalid_accounts_are_all_reported_and_the_old_ones_stay() {
    let mut it = Changing::start("users = USERS", &accounts(&["anna:SECRET:write:"]));
    let mut anna = it.server.user("anna");
    it.write("users", "nonsense\nanna:x:write:\n");
    it.reload();
    let users = it.file("users");
    for line in [1, 2] {
        it.server.wait_for_log(&["not-reloaded", &format!("{}:{line}: expected", users.display())]);
    }
    anna.say("MKD dir").expect(257);
    it.server.user("anna").say("RMD dir").expect(250);
    fs::remove_file(&users).unwrap();
    it.reload();
    it.server.user("anna").say("PWD").expect(257);
}

#[test]
fn invalid_options_are_not_applied_but_accounts_are_reloaded() {
    let mut it = Changing::start("users = USERS", &accounts(&["anna:SECRET:write:"]));
    it.write("config", "users = USERS\nidle-timeout = soon\nlisten\n");
    it.write("users", &accounts(&["anna:SECRET:read:", "ben:SECRET:read:"]));
    let mut anna = it.server.user("anna");
    it.reload();
    let config = it.file("config");
    let line = format!("{}:2:", config.display());
    it.server.wait_for_log(&["not-reloaded", &line, "idle-timeout"]);
    let line = format!("{}:3:", config.display());
    it.server.wait_for_log(&["not-reloaded", &line, "NAME = VALUE"]);
    it.server.wait_for_log(&["reloaded problems=2"]);
    anna.say("MKD dir").expect(550);
    it.server.user("ben").say("PWD").expect(257);
}

#[test]
fn a_reload_changes_limits_and_timeouts() {
    let mut it = Changing::start("max-sessions = 1", "");
    let mut first = it.server.visitor();
    Peer::connect(it.server.addr()).expect(421);
    it.write("config", "max-sessions = 2\nidle-timeout = 1");
    it.reload();
    let mut second = connect_when_admitted(it.server.addr());
    second.say("NOOP").expect(200);
    Peer::connect(it.server.addr()).expect(421);
    first.say("NOOP").expect(200);
    first.expect(421);
}

#[test]
fn options_that_need_a_restart_are_reported_and_not_changed() {
    let mut it = Changing::start("", "");
    let elsewhere = TempDir::new().unwrap();
    fs::write(elsewhere.path().join("secret"), "").unwrap();
    // Port and root are on the command line of these tests, so only the host can change.
    it.write("config", "host = 127.0.0.3\nroot = /\n");
    it.reload();
    it.server.visitor().say("SIZE secret").expect(550);
    assert!(!it.log().contains("root changes"), "the command line wins: {}", it.log());
}

#[test]
fn a_reload_reopens_a_renamed_log() {
    let dir = TempDir::new().unwrap();
    let log = dir.path().join("log");
    let mut it = Changing::start(&format!("log-file = {}", log.display()), "");
    it.dir = dir;
    it.server.caller().say("QUIT").expect(221);
    let read = |name: &str| fs::read_to_string(it.dir.path().join(name)).unwrap_or_default();
    eventually("the end of the session", || read("log").contains("closed"));
    fs::rename(&log, it.file("log.1")).unwrap();
    it.reload();
    assert!(it.log().contains(" reloaded "));
    it.server.caller().say("QUIT").expect(221);
    eventually("a line in the new file", || {
        fs::read_to_string(&log).is_ok_and(|text| text.contains("session=2"))
    });
    let old = fs::read_to_string(it.file("log.1")).unwrap();
    assert!(old.contains("session=1") && !old.contains("session=2"), "{old}");
    assert_eq!(it.server.log(), "");
}

#[test]
fn a_log_that_cannot_be_opened_continues_in_the_old_file() {
    let mut it = Changing::start("", "");
    it.write("config", "log-file = /nonexistent/log\nlog-level = debug");
    it.reload();
    it.server.wait_for_log(&["not-reloaded", "/nonexistent/log"]);
    it.server.caller().say("QUIT").expect(221);
    it.server.wait_for_log(&["closed"]);
    // The other new options are in effect.
    it.server.wait_for_log(&["command", "QUIT"]);
}

#[test]
fn a_reload_changes_the_passive_ports_and_keeps_those_in_use() {
    let ports = [free_port(), free_port()];
    let range = |n: usize| format!("passive-ports = {0}-{0}", ports[n]);
    let mut it = Changing::start(&range(0), "");
    it.server.write("file", "content");
    let mut peer = it.server.visitor();
    let old = peer.epsv();
    assert_eq!(old.port(), ports[0]);
    it.write("config", &range(1));
    it.reload();
    peer.say("RETR file").expect(150);
    assert_eq!(crate::support::wire::drain(crate::support::wire::connect(old)), b"content");
    peer.expect(226);
    assert_eq!(peer.epsv().port(), ports[1]);
}
