//! Files large enough for transfers within the kernel: each byte arrives once, and a large
//! transfer ends in the same way as a small one.

use crate::support::wire::{Peer, drain};
use crate::support::{Client, PATIENCE, Server, eventually, noise};
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;

/// The size from which an upload uses splice, and the size of its pipe.
const LARGE: usize = 4 * 1024 * 1024;
const PIPE: usize = 1024 * 1024;

/// More than the buffers of two sockets hold; the file is sparse.
const HUGE: u64 = 1 << 30;

#[test]
fn large_uploads_of_every_size_arrive_whole() {
    let server = Server::start();
    let mut peer = server.visitor();
    for size in [LARGE - 1, LARGE, LARGE + 1, LARGE + PIPE, LARGE + PIPE + 1, 9_000_001] {
        let bytes = noise(size, 1);
        peer.stor("file", &bytes);
        assert!(server.read("file") == bytes, "{size} bytes");
        assert!(peer.retr("file") == bytes, "{size} bytes");
    }
    assert_eq!(server.partials(""), 0);
}

#[test]
fn an_interrupted_large_upload_is_resumed_at_its_byte() {
    let server = Server::start();
    let mut peer = server.visitor();
    let bytes = noise(LARGE * 3, 2);
    let half = LARGE + 1_234_567;
    peer.break_off("STOR file", &bytes[..half]);
    assert_eq!(server.partial_sizes(""), [half as u64]);
    for cut in [half, half - 100_000] {
        peer.say(format!("REST {cut}")).expect(350);
        peer.break_off("STOR file", &bytes[cut..cut + 10]);
    }
    peer.say("REST 5000000").expect(350);
    peer.send("STOR file", &bytes[5_000_000..]);
    assert!(server.read("file") == bytes);
}

#[test]
fn a_large_upload_can_continue_or_append_to_a_file() {
    let server = Server::start();
    let mut peer = server.visitor();
    let (old, new) = (noise(1_000_000, 3), noise(LARGE + 2_000_001, 4));
    server.write("file", &old);
    peer.say("REST 777777").expect(350);
    peer.send("STOR file", &new);
    let mut expected = [&old[..777_777], &new].concat();
    assert!(server.read("file") == expected);
    peer.send("APPE file", &new);
    expected.extend_from_slice(&new);
    assert!(server.read("file") == expected);
}

#[test]
fn an_upload_in_small_pieces_is_stored_whole() {
    let server = Server::start();
    let mut peer = server.visitor();
    let bytes = noise(LARGE + 300_000, 5);
    let mut data = peer.begin_with("STOR file", &bytes[..LARGE + 1]);
    for piece in bytes[LARGE + 1..].chunks(1_500) {
        data.write_all(piece).unwrap();
    }
    drop(data);
    peer.expect(226);
    assert!(server.read("file") == bytes);
}

#[test]
fn every_range_of_a_large_file_is_sent() {
    let server = Server::start();
    let mut peer = server.visitor();
    let bytes = noise(9_000_001, 6);
    server.write("file", &bytes);
    for offset in [1, 65_536, 8_388_607, 8_388_608, 9_000_000, 9_000_001] {
        peer.say(format!("REST {offset}")).expect(350);
        assert!(peer.retr("file") == bytes[offset..], "from {offset}");
    }
    for (start, end) in [(0, 0), (1, 8_388_608), (4_000_000, 9_000_000), (9_000_000, 9_000_000)] {
        peer.say(format!("RANG {start} {end}")).expect(350);
        assert!(peer.retr("file") == bytes[start..=end], "{start} to {end}");
    }
}

/// Begins a RETR of a huge file and waits for the first byte.
fn begin_huge(server: &Server, peer: &mut Peer) -> TcpStream {
    server.write_sparse("file", HUGE);
    let mut data = peer.begin("RETR file");
    data.read_exact(&mut [0]).unwrap();
    data
}

#[test]
fn a_file_truncated_during_a_download_is_an_error() {
    let server = Server::start();
    let mut peer = server.visitor();
    let data = begin_huge(&server, &mut peer);
    OpenOptions::new().write(true).open(server.path("file")).unwrap().set_len(2).unwrap();
    assert!((drain(data).len() as u64) < HUGE);
    peer.expect_text(426, "shorter");
    peer.say("NOOP").expect(200);
}

#[test]
fn a_growing_file_is_sent_with_its_announced_size() {
    let server = Server::start();
    let mut peer = server.visitor();
    let size = 32 * 1024 * 1024;
    server.write_sparse("file", size);
    let mut data = peer.begin("RETR file");
    data.read_exact(&mut [0]).unwrap();
    let mut file = OpenOptions::new().append(true).open(server.path("file")).unwrap();
    file.write_all(b"more").unwrap();
    assert_eq!(drain(data).len() as u64, size - 1);
    peer.expect(226);
}

#[test]
fn site_who_shows_the_progress_of_others() {
    let server = Server::with_accounts(&["anna:write:"], &["--anonymous", "write"]);
    let (mut peer, mut other) = (server.visitor(), server.user("anna"));
    let data = begin_huge(&server, &mut peer);
    let text = other.say("SITE WHO").expect(211).text();
    assert!(text.contains(&format!(" of {HUGE} bytes")) && text.contains(", retr "), "{text}");
    assert!(!text.contains("file"), "{text}");
    drop(data);
    peer.expect(426);
    assert!(!other.say("SITE WHO").expect(211).text().contains("retr"));
}

#[test]
fn abor_noop_and_stat_are_answered_during_a_large_transfer() {
    let server = Server::start();
    let mut peer = server.visitor();
    let data = begin_huge(&server, &mut peer);
    peer.say("STAT").expect_text(213, "bytes so far");
    peer.say("ABOR").expect(426);
    peer.expect(226);
    assert!((drain(data).len() as u64) < HUGE);

    server.write("file", "old");
    let _data = peer.begin_with("STOR file", noise(LARGE + 5_000, 7));
    peer.say("ABOR").expect(426);
    peer.expect(226);
    assert_eq!(server.read("file"), b"old");
}

#[test]
fn a_disconnect_during_a_large_transfer_is_detected() {
    let server = Server::start();
    let mut peer = server.visitor();
    drop(begin_huge(&server, &mut peer));
    peer.expect_text(426, "lost");

    server.write("file", "old");
    let data = peer.begin_with("STOR file", noise(LARGE + 5_000, 8));
    drop(peer);
    drop(data);
    server.wait_for_log(&["stor", "failed"]);
    assert_eq!(server.read("file"), b"old");
    assert_eq!(server.partial_sizes(""), [LARGE as u64 + 5_000]);
}

#[test]
fn a_large_transfer_that_stalls_ends() {
    let server = Server::with(&["--transfer-timeout", "1"]);
    let mut peer = server.visitor();
    let _data = begin_huge(&server, &mut peer);
    peer.expect_text(426, "stalled");
    let _data = peer.begin_with("STOR new", noise(LARGE + 5_000, 9));
    peer.expect_text(426, "stalled");
    assert!(!server.has("new"));
}

#[test]
fn a_full_disk_ends_a_large_upload_with_552_and_leaves_the_old_file() {
    // A block has 512 or 1,024 bytes, depending on the shell.
    let server = Server::with_largest_file(16 * 1024);
    server.write("file", "old");
    let mut peer = server.visitor();
    let mut data = peer.begin("STOR file");
    // The server may close the connection before the end.
    let _ = data.write_all(&noise(5 * LARGE, 10));
    drop(data);
    peer.expect(552);
    assert_eq!(server.read("file"), b"old");
    assert_eq!(server.partials(""), 0);
    peer.stor("small", "fits");
}

#[test]
fn large_transfers_leave_no_descriptors() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.stor("file", noise(LARGE + 1, 11));
    let before = server.descriptors();
    for _ in 0..3 {
        peer.stor("file", noise(LARGE + 1, 11));
        peer.break_off("STOR other", noise(LARGE + 1, 11));
        peer.retr("file");
    }
    eventually("the release of descriptors", || server.descriptors() <= before);
    assert_eq!(fs::read_dir(server.root()).unwrap().count(), 2);
}

/// Returns the number of system calls that the server made for this many transfers, including its
/// start and end.
fn calls(transfers: usize, transfer: fn(&mut Peer)) -> usize {
    let place = tempfile::NamedTempFile::new().unwrap();
    let mut server = Server::traced(place.path());
    server.write("file", noise(4096, 12));
    let mut peer = server.visitor();
    (0..transfers).for_each(|_| transfer(&mut peer));
    peer.say("QUIT").expect(221);
    peer.expect_end();
    drop(peer);
    server.terminate();
    assert!(server.exit().success());
    // The exit of the program is the last traced call.
    let trace = || fs::read_to_string(place.path()).unwrap();
    eventually("the trace is complete", || trace().contains("exit_group("));
    trace().lines().filter(|line| !line.contains("resumed>")).count()
}

#[test]
#[ignore = "needs strace"]
fn small_transfers_need_few_system_calls() {
    const MANY: usize = 50;
    let each = |transfer| (calls(MANY + 1, transfer) - calls(1, transfer)) / MANY;
    let retr = each(|peer| assert_eq!(peer.retr("file").len(), 4096));
    // 16, plus one that checks the root, one that checks whether the client has closed its half, and further
    // ones if the client is slow.
    assert!(retr <= 20, "{retr} for a RETR");
    let stor = each(|peer| peer.stor("file", [0; 4096]));
    // 29, plus four that read the metadata of the replaced file, plus those that RETR needs, too.
    assert!(stor <= 36, "{stor} for a STOR");
}

/// Returns the number of system calls that these client commands take.
fn calls_of(client: &Client, server: &Server, commands: &str) -> usize {
    let address = server.addr();
    let calls = client.path("calls");
    let mut strace = assert_cmd::Command::new("strace");
    strace.current_dir(client.path("")).timeout(PATIENCE).args(["-f", "-qq", "-e", "signal=none"]);
    // In the directories that cargo names there the loader looks for the C library, 140 calls long.
    strace.env_remove("LD_LIBRARY_PATH");
    strace.arg("-o").arg(&calls).arg(env!("CARGO_BIN_EXE_ftp_client"));
    strace.args(["-q", "-c", commands, &address.ip().to_string(), &address.port().to_string()]);
    strace.assert().success();
    // A call that another thread interrupts takes two lines.
    let calls = fs::read_to_string(calls).unwrap();
    calls.lines().filter(|line| !line.ends_with("<unfinished ...>")).count()
}

#[test]
#[ignore = "needs strace"]
fn the_client_needs_few_system_calls_for_a_large_file() {
    const MAX: usize = 600;
    let (server, client) = (Server::start(), Client::new());
    let bytes = noise(32 * 1024 * 1024, 7);
    server.write("file", &bytes);
    let down = calls_of(&client, &server, "RETRIEVE file");
    assert!(client.read("file") == bytes);
    let up = calls_of(&client, &server, "STORE file up");
    assert!(server.read("up") == bytes);
    assert!(down <= MAX && up <= MAX, "{down} calls down, {up} calls up");
}

#[test]
#[ignore = "needs strace"]
fn the_client_needs_few_system_calls_for_each_small_file() {
    const MANY: usize = 50;
    let (server, client) = (Server::start(), Client::new());
    for dir in ["one", "many"] {
        server.make_dir(dir);
        let files = if dir == "one" { 1 } else { MANY + 1 };
        (0..files).for_each(|number| server.write(format!("{dir}/{number}"), [0; 4096]));
    }
    let each = |mirror: &str, end: &str| {
        let calls = |dir| calls_of(&client, &server, &format!("{mirror} {dir} {dir}{end}"));
        let [one, many] = ["one", "many"].map(calls);
        (many - one) / MANY
    };
    let down = each("MIRROR -j 1", "");
    // 31, and further ones if the server is slow.
    assert!((20..=37).contains(&down), "{down} down");
    let up = each("MIRROR -R -j 1", "-up");
    assert!((15..=37).contains(&up), "{up} up");
}
