//! Sessions in the exact words of well-known clients.

use crate::support::Server;
use crate::support::wire;
use std::net::{Ipv4Addr, TcpListener};

/// Returns the argument of PORT for a listener on the loopback interface.
fn port_argument(listener: &TcpListener) -> String {
    let [high, low] = listener.local_addr().unwrap().port().to_be_bytes();
    format!("127,0,0,1,{high},{low}")
}

#[test]
fn filezilla() {
    let server = Server::start();
    server.write("notes für uns.txt", "text");
    let mut peer = server.caller();
    peer.say("AUTH TLS").expect(502);
    peer.say("AUTH SSL").expect(502);
    peer.say("USER anonymous").expect(331);
    peer.say("PASS anonymous@example.com").expect(230);
    peer.say("SYST").expect_text(215, "UNIX");
    let features = peer.say("FEAT").expect(211).text();
    assert!(features.contains("\n UTF8") && features.contains(" MLST "), "{features}");
    peer.say("CLNT FileZilla").expect(200);
    peer.say("OPTS UTF8 ON").expect(200);
    peer.say("PWD").expect_text(257, "\"/\"");
    peer.say("TYPE I").expect(200);
    let data = peer.pasv();
    let data = wire::connect(data);
    peer.say("MLSD").expect(150);
    let listing = String::from_utf8(wire::drain(data)).unwrap();
    peer.expect(226);
    assert!(listing.contains("type=file;size=4;"), "{listing}");
    assert!(listing.ends_with("; notes für uns.txt\r\n"), "{listing}");
    peer.say("CWD missing").expect(550);
    peer.say("MKD made").expect_text(257, "\"/made\"");
    peer.say("CWD /made").expect(250);
    let data = wire::connect(peer.pasv());
    peer.say("STOR up.txt").expect(150);
    drop(data);
    peer.expect(226);
    peer.say("MFMT 20200102030405 up.txt").expect(213);
    peer.say("MDTM up.txt").expect_text(213, "20200102030405");
    peer.say("RNFR up.txt").expect(350);
    peer.say("RNTO /moved.txt").expect(250);
    peer.say("DELE /moved.txt").expect(250);
    peer.say("CDUP").expect(250);
    peer.say("RMD made").expect(250);
}

#[test]
fn ftp_exe_of_windows() {
    let server = Server::start();
    server.write("a.txt", "one\ntwo\n");
    let mut peer = server.caller();
    peer.say("OPTS UTF8 ON").expect(200);
    peer.say("USER ftp").expect(331);
    peer.say("PASS me@").expect(230);
    // It listens first and announces its port; it never sends TYPE, so all transfers are text.
    for (command, expected) in
        [("NLST", "a.txt\r\n"), ("RETR a.txt", "one\r\ntwo\r\n"), ("NLST -l", " a.txt\r\n")]
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        peer.say(format!("PORT {}", port_argument(&listener))).expect(200);
        peer.say(command).expect(150);
        let got = String::from_utf8(wire::drain(wire::accept(&listener))).unwrap();
        peer.expect(226);
        assert!(got.ends_with(expected), "{command}: {got:?}");
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    peer.say(format!("PORT {}", port_argument(&listener))).expect(200);
    peer.say("LIST -l").expect(150);
    assert!(wire::drain(wire::accept(&listener)).starts_with(b"-rw-"));
    peer.expect(226);
    peer.say("XPWD").expect(257);
    peer.say("XMKD new").expect(257);
    peer.say("XRMD new").expect(250);
    peer.say("QUIT").expect(221);
}

#[test]
fn a_camera_that_creates_its_directories_each_time() {
    let server = Server::start();
    for shot in ["1.jpg", "2.jpg"] {
        let mut peer = server.caller();
        peer.say("USER anonymous").expect(331);
        peer.say("PASS").expect(230);
        peer.say("TYPE I").expect(200);
        for dir in ["cam", "2026-11-22"] {
            // It does not check whether the directories exist, and enters them whatever the reply
            // is.
            let made = peer.say(format!("MKD {dir}")).hear();
            assert!(matches!(made.code, 257 | 550), "{}", made.text());
            peer.say(format!("CWD {dir}")).expect(250);
        }
        let data = wire::connect(peer.pasv());
        peer.say(format!("STOR {shot}")).expect(150);
        drop(data);
        peer.expect(226);
        peer.say("QUIT").expect(221);
    }
    assert!(server.has("cam/2026-11-22/1.jpg") && server.has("cam/2026-11-22/2.jpg"));
}

#[test]
fn a_script_that_pipes_all_its_commands_at_once() {
    let server = Server::start();
    server.write("a", "content");
    let mut peer = server.caller();
    peer.raw("USER ftp\r\nPASS x\r\nTYPE I\r\nSIZE a\r\nMDTM a\r\nPWD\r\nQUIT\r\n");
    for code in [331, 230, 200, 213, 213, 257, 221] {
        peer.expect(code);
    }
    peer.expect_end();
}
