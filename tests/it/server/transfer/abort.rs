//! Commands that a client may send during a transfer.

use crate::support::Server;
use crate::support::wire::{Peer, connect, drain};
use std::io::Write;

/// More bytes than all buffers between server and client hold.
const LARGE: u64 = 256 << 20;

fn server_with_large_file() -> Server {
    let server = Server::start();
    server.write_sparse("large", LARGE);
    server.write("small", "content");
    server
}

#[test]
fn abor_ends_an_unread_download() {
    let server = server_with_large_file();
    let mut peer = server.visitor();
    let _data = peer.begin("RETR large");
    peer.say("ABOR").expect(426);
    peer.expect(226);
    assert_eq!(peer.retr("small"), b"content");
}

#[test]
fn abor_ends_a_download_that_is_read() {
    let server = Server::start();
    server.write_sparse("large", 1 << 40);
    let mut peer = server.visitor();
    let mut data = peer.begin("RETR large");
    let reading = std::thread::spawn(move || std::io::copy(&mut data, &mut std::io::sink()));
    peer.say("ABOR").expect(426);
    peer.expect(226);
    let _ = reading.join().unwrap();
    assert_eq!(peer.say("SIZE large").expect(213).words(), (1_u64 << 40).to_string());
}

#[test]
fn abor_ends_an_upload() {
    let server = Server::start();
    server.write("file", "old");
    let mut peer = server.visitor();
    let _data = peer.begin_with("STOR file", "new");
    peer.say("ABOR").expect(426);
    peer.expect(226);
    assert_eq!(server.read("file"), b"old");
}

#[test]
fn abor_ends_the_wait_for_the_data_connection() {
    let server = server_with_large_file();
    let mut peer = server.visitor();
    for command in ["RETR small", "STOR new", "LIST"] {
        peer.epsv();
        peer.say(command).expect(150);
        peer.say("ABOR").expect(426);
        peer.expect(226);
    }
    assert!(!server.has("new"));
}

#[test]
fn abor_sent_together_with_its_transfer_ends_it() {
    let server = server_with_large_file();
    let mut peer = server.visitor();
    let _data = connect(peer.epsv());
    peer.raw("RETR large\r\nABOR\r\nPWD\r\n");
    for code in [150, 426, 226, 257] {
        peer.expect(code);
    }
}

#[test]
fn abor_without_a_transfer_is_226() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.say("ABOR").expect(226);
    peer.say("NOOP").expect(200);
}

#[test]
fn abor_may_come_with_a_telnet_synch() {
    let server = server_with_large_file();
    let mut peer = server.visitor();
    for synch in [&b"\xff\xf4\xff\xf2"[..], b"\xff\xf4\xf2", b"\xf2"] {
        let _data = peer.begin("RETR large");
        peer.raw([synch, b"ABOR\r\n"].concat()).expect(426);
        peer.expect(226);
    }
}

#[test]
fn abor_in_pieces_is_recognized() {
    let server = server_with_large_file();
    let mut peer = server.visitor();
    let _data = peer.begin("RETR large");
    for piece in ["AB", "O", "R\r", "\n"] {
        peer.raw(piece);
    }
    peer.expect(426);
    peer.expect(226);
}

#[test]
fn noop_and_stat_are_answered_while_a_transfer_runs() {
    let server = Server::start();
    let mut peer = server.visitor();
    let mut data = peer.begin_with("STOR file", "some");
    for _ in 0..50 {
        peer.say("NOOP").expect(200);
        peer.say("STAT").expect(213);
    }
    data.write_all(b"thing").unwrap();
    drop(data);
    peer.expect(226);
    assert_eq!(server.read("file"), b"something");
}

#[test]
fn other_commands_wait_for_the_end_of_the_transfer() {
    let server = Server::start();
    let mut peer = server.visitor();
    let data = peer.begin_with("STOR file", "content");
    peer.raw("SIZE file\r\nNOOP\r\nABOR\r\n");
    drop(data);
    peer.expect(226);
    peer.expect_text(213, "213 7");
    peer.expect(200);
    peer.expect(226);
}

#[test]
fn quit_lets_the_transfer_finish() {
    let server = server_with_large_file();
    let mut peer = server.visitor();
    let data = peer.begin("RETR large");
    peer.say("QUIT");
    assert_eq!(drain(data).len() as u64, LARGE);
    peer.expect(226);
    peer.expect(221);
    peer.expect_end();
}

#[test]
fn after_quit_a_client_may_close_before_its_download_is_complete() {
    let server = server_with_large_file();
    let mut peer = server.visitor();
    let data = peer.begin("RETR large");
    peer.say("QUIT").half_close();
    drop(peer);
    assert_eq!(drain(data).len() as u64, LARGE);
}

/// Sends the last lines of a script and closes the sending half, before the server reads any of
/// it.
fn end_script(server: &Server, peer: &mut Peer, lines: &str) {
    server.signal("STOP");
    peer.raw(lines);
    peer.half_close();
    server.signal("CONT");
}

#[test]
fn a_half_closed_script_receives_its_downloads() {
    let server = server_with_large_file();
    let mut peer = server.visitor();
    let data = connect(peer.epsv());
    end_script(&server, &mut peer, "RETR large\r\nPWD\r\n");
    assert_eq!(drain(data).len() as u64, LARGE);
    for code in [150, 226, 257] {
        peer.expect(code);
    }
    peer.expect_end();
}

#[test]
fn a_half_closed_script_stores_its_uploads() {
    let server = Server::start();
    server.write("file", "old");
    for kind in ["TYPE I", "TYPE A"] {
        let mut peer = server.visitor();
        let mut data = connect(peer.epsv());
        let bytes = vec![b'x'; 1 << 20];
        end_script(&server, &mut peer, &format!("{kind}\r\nSTOR file\r\n"));
        for code in [200, 150] {
            peer.expect(code);
        }
        data.write_all(&bytes).unwrap();
        drop(data);
        peer.expect(226);
        peer.expect_end();
        assert_eq!(server.read("file"), bytes);
    }
}

#[test]
fn a_script_may_end_just_after_its_last_transfer_has_begun() {
    let server = Server::start();
    for number in 0..20 {
        let mut peer = server.visitor();
        let mut data = connect(peer.epsv());
        // The end may arrive before or after the server carries out the STOR.
        peer.raw("TYPE I\r\nSTOR file\r\n");
        peer.half_close();
        data.write_all(&[number; 100_000]).unwrap();
        drop(data);
        for code in [200, 150, 226] {
            peer.expect(code);
        }
        peer.expect_end();
        assert_eq!(server.read("file"), [number; 100_000]);
    }
}

#[test]
fn a_client_that_dies_at_the_start_of_an_upload_interrupts_it() {
    let server = Server::start();
    server.write("file", "old");
    let mut peer = server.visitor();
    let _data = connect(peer.epsv());
    server.signal("STOP");
    peer.say("STOR file");
    drop(peer);
    server.signal("CONT");
    server.wait_for_log(&["stor", "failed", "control connection"]);
    assert_eq!(server.read("file"), b"old");
}

#[test]
fn the_end_of_the_control_connection_ends_its_transfer() {
    type End = fn(Peer);
    let ends: [(&str, End); 3] = [
        ("a half close", |mut peer| {
            peer.half_close();
            while peer.hear().code != 426 {}
        }),
        ("a close", drop),
        ("a reset", Peer::reset),
    ];
    // Another command may be waiting when the connection ends.
    for waiting in ["", "NOOP\r\nSIZE small\r\n"] {
        for (what, end) in ends {
            let server = server_with_large_file();
            for (command, event) in [("RETR large", "retr"), ("STOR small", "stor")] {
                let mut peer = server.visitor();
                let _data = peer.begin(command);
                peer.raw(waiting);
                end(peer);
                server.wait_for_log(&[event, "failed", "control connection"]);
                let kept = server.read("small");
                assert_eq!(kept, b"content", "{what} in {command} after {waiting:?}");
            }
        }
    }
}

#[test]
fn a_disconnected_client_ends_its_transfer() {
    let server = server_with_large_file();
    let mut peer = server.visitor();
    let data = peer.begin("RETR large");
    drop(data);
    drop(peer);
    server.wait_for_log(&["retr", "failed"]);
}
