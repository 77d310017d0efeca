//! Login, and the state after its end.

use crate::support::{Server, at_once};
use std::collections::BTreeSet;
use std::sync::Mutex;

#[test]
fn the_server_sends_its_greeting_first() {
    let server = Server::start();
    server.caller().say("QUIT").expect(221);
}

#[test]
fn visitors_log_in_as_anonymous_or_ftp_in_any_case() {
    let server = Server::start();
    for name in ["anonymous", "ftp", "Anonymous", "FTP"] {
        let mut peer = server.caller();
        peer.say(format!("USER {name}")).expect(331);
        peer.say("PASS me@here").expect(230);
        peer.say("PWD").expect(257);
    }
}

#[test]
fn a_visitor_s_password_may_be_empty() {
    let server = Server::start();
    for password in ["PASS", "PASS "] {
        let mut peer = server.caller();
        peer.say("USER ftp").expect(331);
        peer.say(password).expect(230);
    }
}

#[test]
fn an_unknown_name_is_refused_after_the_password_like_a_wrong_one() {
    let server = Server::with(&["--anonymous", "none"]);
    let texts = Mutex::new(BTreeSet::new());
    at_once((2..).zip(["root", "anonymous", "ftp", "nobody at all"]), |(host, name)| {
        let mut peer = server.caller_from(host);
        peer.say(format!("USER {name}")).expect(331);
        texts.lock().unwrap().insert(peer.say("PASS secret").expect(530).text());
        peer.say("PWD").expect(530);
    });
    assert_eq!(texts.lock().unwrap().len(), 1, "{texts:?}");
}

#[test]
fn a_user_name_alone_gives_no_rights() {
    let server = Server::start();
    let mut peer = server.caller();
    peer.say("USER anonymous").expect(331);
    for command in ["PWD", "LIST", "RETR a", "STOR a", "DELE a"] {
        peer.say(command).expect(530);
    }
}

#[test]
fn pass_needs_user_before_it() {
    let server = Server::start();
    let mut peer = server.caller();
    peer.say("PASS guest@").expect(503);
    peer.login();
    peer.say("PASS guest@").expect(503);
    peer.say("PWD").expect(257);
}

#[test]
fn user_ends_an_earlier_login() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.say("USER root").expect(331);
    peer.say("PWD").expect(530);
    peer.say("PASS wrong").expect(530);
    peer.say("PWD").expect(530);
}

#[test]
fn a_failed_password_forgets_the_name() {
    let server = Server::start();
    let mut peer = server.caller();
    peer.say("USER root").expect(331);
    peer.say("PASS wrong").expect(530);
    peer.say("PASS again").expect(503);
    peer.login();
}

#[test]
fn rein_resets_the_login() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.epsv();
    peer.say("REIN").expect(220);
    peer.say("PWD").expect(530);
    peer.login();
    peer.say("LIST").expect(425);
}

#[test]
fn a_new_login_begins_at_the_root() {
    let server = Server::start();
    server.make_dir("sub");
    let mut peer = server.visitor();
    peer.say("CWD sub").expect(250);
    peer.login();
    peer.say("PWD").expect_text(257, "\"/\"");
}

#[test]
fn quit_says_goodbye_and_closes() {
    let server = Server::start();
    for mut peer in [server.caller(), server.visitor()] {
        peer.say("QUIT").expect(221);
        peer.expect_end();
    }
}

#[test]
fn readers_cannot_change_the_tree() {
    let server = Server::with(&["--anonymous", "read"]);
    server.write("file", "old");
    let mut peer = server.visitor();
    assert_eq!(peer.retr("file"), b"old");
    for command in ["STOR file", "APPE file", "STOU", "DELE file", "RNFR file", "MKD dir"] {
        peer.say(command).expect(550);
    }
    for command in ["RMD dir", "MFMT 20200101000000 file", "SITE CHMOD 600 file"] {
        peer.say(command).expect(550);
    }
    assert_eq!(server.read("file"), b"old");
}

#[test]
fn passwords_are_never_logged() {
    let server = Server::with(&["--log-level", "debug"]);
    let mut peer = server.caller();
    peer.say("USER root").expect(331);
    peer.say("PASS hunter2").expect(530);
    peer.say("ACCT hunter2").expect(202);
    // A common mistake of beginners.
    peer.say("USER root pass hunter2").expect(331);
    peer.say("PASS x").expect(530);
    peer.say("pass hunter2").expect(503);
    peer.say("QUIT").expect(221);
    server.wait_for_log(&["PASS", "****"]);
    server.wait_for_log(&["QUIT"]);
    assert!(!server.log().contains("hunter2"), "{}", server.log());
}

#[test]
fn a_name_cannot_forge_or_color_a_log_line() {
    let server = Server::start();
    let mut peer = server.caller();
    peer.say(b"USER \x1b[31m\" peer=10.0.0.1 x").expect(331);
    peer.say("PASS x").expect(530);
    server.wait_for_log(&["login-failed"]);
    let log = server.log();
    assert!(!log.contains('\x1b') && !log.contains("m\" peer="), "{log}");
}
