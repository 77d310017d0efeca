//! Transfers that the server interrupts: which the client resumes, and which not.
//!
//! Each test has one fault, with a file of some hundred KiB. It checks the exit status and the files
//! on disk: the complete file, or the old one.

mod doubtful_sizes;
#[cfg(unix)]
mod lockstep;
#[cfg(unix)]
mod partials;
mod uploads;

use crate::support::scripted_server::{Script, ScriptedServer, TIME, listener, play, play_all};
use crate::support::wire::accept;
use crate::support::{Client, at_once, noise, together};
use std::io::{Read, Write};
use std::net::TcpStream;

const SIZE: usize = 300_000;
const HALF: usize = 140_000;
const COMPARED: usize = 64 * 1024;

fn content() -> Vec<u8> {
    noise(SIZE, 23)
}

fn size() -> String {
    format!("213 {SIZE}")
}

/// Sends these bytes and closes.
fn give(mut data: TcpStream, bytes: &[u8]) {
    data.write_all(bytes).unwrap();
}

/// The script of a correct server, from the login on, for a client that has `offset` bytes already.
fn healthy(offset: usize) -> Script<'static> {
    Box::new(move |server| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        finish(server, offset);
        server.finish();
    })
}

fn finish(server: &mut ScriptedServer, offset: usize) {
    server.answer("SIZE", &size());
    server.answer("MDTM", TIME);
    let data = if offset == 0 { server.retr() } else { server.retr_from(offset) };
    give(data, &content()[offset..]);
    server.say("226 done");
}

fn assert_whole(client: &Client) {
    assert!(client.read("a") == content());
    assert_eq!(client.names(), ["a"]);
    let modified = client.path("a").metadata().unwrap().modified().unwrap();
    let since = modified.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(since.as_secs(), 1_735_787_045, "the time of the file");
}

fn assert_old(client: &Client) {
    assert_eq!(client.read("a"), b"old");
}

/// Fetches the file from a server whose first connection runs `first`.
fn fetch_from(first: impl FnOnce(&mut ScriptedServer) + Send) -> Client {
    let client = Client::with_file("a", "old");
    play(&client, "RETRIEVE a", |server| {
        server.welcome();
        first(server);
        server.finish();
    })
    .expect(0);
    client
}

#[test]
fn half_of_the_data_and_a_226_is_continued() {
    let client = fetch_from(|server| {
        give(server.begin_retr(&size()), &content()[..HALF]);
        server.say("226 done");
        finish(server, HALF);
    });
    assert_whole(&client);
}

#[test]
fn half_of_the_data_and_a_426_is_continued() {
    let client = fetch_from(|server| {
        give(server.begin_retr(&size()), &content()[..HALF]);
        server.say("426 aborted");
        finish(server, HALF);
    });
    assert_whole(&client);
}

#[test]
fn all_of_the_data_and_a_426_is_checked_again() {
    let client = fetch_from(|server| {
        give(server.begin_retr(&size()), &content());
        server.say("426 aborted");
        server.answer("SIZE", &size());
        server.answer("MDTM", TIME);
        give(server.retr_from(SIZE - COMPARED), &content()[SIZE - COMPARED..]);
        server.say("226 done");
    });
    assert_whole(&client);
}

together! { transfers_are_tried_again_after_a_pause:
    a_lost_226_is_replaced_by_a_check_of_size_and_time
    a_stalled_transfer_is_resumed
    a_server_that_does_not_return_is_status_3_with_the_first_error
    without_a_time_the_end_of_the_partial_file_is_compared
    a_stream_that_cannot_resume_fails_with_the_first_error
    a_download_in_pieces_is_compared_with_hash
    a_server_that_ignores_rest_is_detected
    a_closed_data_port_is_tried_three_times
    a_changed_file_is_fetched_from_the_beginning
    bytes_are_not_written_to_standard_output_twice
    fewer_bytes_than_the_size_are_a_failure
    the_growth_of_a_file_is_kept_after_a_resume
    if_rest_is_refused_the_whole_file_is_fetched_again
}

fn a_download_in_pieces_is_compared_with_hash() {
    let client = fetch_from(|server| {
        give(server.begin_retr(&size()), &content()[..HALF]);
        server.say("426 aborted");
        finish(server, HALF);
        // The digest of a different file.
        server.answer("HASH a", &format!("213 CRC32 0-{} 00000000 a", SIZE - 1));
        finish(server, 0);
        assert_eq!(server.next().as_deref(), Some("QUIT"));
        server.say("221 bye");
    });
    assert_whole(&client);
}

#[test]
fn a_lost_connection_is_restored_in_the_same_directory() {
    let client = Client::with_file("a", "old");
    let first = |server: &mut ScriptedServer| {
        server.welcome();
        server.answer("CWD dir", "250 ok");
        server.answer("CWD ..", "250 ok");
        let mut data = server.begin_retr(&size());
        data.write_all(&content()[..HALF]).unwrap();
        server.close();
    };
    let second = |server: &mut ScriptedServer| {
        server.welcome();
        server.answer("CWD dir", "250 ok");
        server.answer("CWD ..", "250 ok");
        server.answer("TYPE I", "200 binary");
        finish(server, HALF);
        server.finish();
    };
    play_all(&client, &[], "CD dir; CD ..; RETRIEVE a", vec![Box::new(first), Box::new(second)])
        .expect(0);
    assert_whole(&client);
}

fn a_lost_226_is_replaced_by_a_check_of_size_and_time() {
    for is_silent in [false, true] {
        let client = Client::with_file("a", "old");
        let first = move |server: &mut ScriptedServer| {
            server.welcome();
            give(server.begin_retr(&size()), &content());
            if is_silent {
                server.next();
            }
            server.close();
        };
        let second = |server: &mut ScriptedServer| {
            server.welcome();
            server.answer("TYPE I", "200 binary");
            server.answer("SIZE", &size());
            server.answer("MDTM", TIME);
            assert_eq!(server.next().as_deref(), Some("QUIT"));
            server.say("221 bye");
        };
        play_all(&client, &[], "RETRIEVE a", vec![Box::new(first), Box::new(second)]).expect(0);
        assert_whole(&client);
    }
}

fn a_stalled_transfer_is_resumed() {
    let client = Client::with_file("a", "old");
    let first = |server: &mut ScriptedServer| {
        server.welcome();
        let mut data = server.begin_retr(&size());
        data.write_all(&content()[..HALF]).unwrap();
        server.hear("ABOR");
        while server.next().is_some() {}
    };
    let scripts = vec![Box::new(first), healthy(HALF)];
    play_all(&client, &["--timeout", "1"], "RETRIEVE a", scripts).expect(0);
    assert_whole(&client);
}

#[test]
fn a_temporary_refusal_is_retried() {
    let client = fetch_from(|server| {
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE", &size());
        server.answer("MDTM", TIME);
        let _listener = server.epsv();
        server.answer("RETR", "450 busy");
        finish(server, 0);
    });
    assert_whole(&client);
}

#[test]
fn a_permanent_refusal_is_not_retried() {
    for refusal in ["550 none", "530 not you", "452 full", "553 no"] {
        let client = Client::with_file("a", "old");
        play(&client, "RETRIEVE a", |server| {
            server.welcome();
            server.answer("TYPE I", "200 binary");
            server.answer("SIZE", &size());
            server.answer("MDTM", TIME);
            let _listener = server.epsv();
            server.answer("RETR", refusal);
            assert_eq!(server.next().as_deref(), Some("QUIT"));
        })
        .expect(1)
        .expect_error(refusal);
        assert_old(&client);
        assert_eq!(client.names(), ["a"]);
    }
}

fn a_closed_data_port_is_tried_three_times() {
    let client = Client::with_file("a", "old");
    play(&client, "RETRIEVE a", |server| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        let port = server.peer().unwrap().port();
        for _ in 0..3 {
            server.answer("SIZE", &size());
            server.answer("MDTM", TIME);
            server.answer("EPSV", &format!("229 (|||{port}|)"));
            server.answer("PASV", "502 no");
        }
        assert_eq!(server.next().as_deref(), Some("QUIT"));
    })
    .expect(1)
    .expect_error("cannot open a data connection");
    assert_old(&client);
}

fn a_changed_file_is_fetched_from_the_beginning() {
    for (size, time) in [(size(), "213 20250102030406"), ("213 300001".to_owned(), TIME)] {
        let client = Client::with_file("a", "old");
        let new = noise(size[4..].parse().unwrap(), 24);
        play(&client, "RETRIEVE a", |server| {
            server.welcome();
            give(server.begin_retr(&format!("213 {SIZE}")), &content()[..HALF]);
            server.say("426 aborted");
            server.answer("SIZE", &size);
            server.answer("MDTM", time);
            give(server.retr(), &new);
            server.say("226 done");
            server.finish();
        })
        .expect(0);
        assert!(client.read("a") == new);
    }
}

fn without_a_time_the_end_of_the_partial_file_is_compared() {
    for changed in [false, true] {
        let client = Client::with_file("a", "old");
        let now = noise(SIZE, if changed { 24 } else { 23 });
        play(&client, "RETRIEVE a", |server| {
            server.welcome();
            server.answer("TYPE I", "200 binary");
            server.answer("SIZE", &size());
            server.answer("MDTM", "502 what?");
            give(server.retr(), &content()[..HALF]);
            server.say("426 aborted");
            server.answer("SIZE", &size());
            let mut data = server.retr_from(HALF - COMPARED);
            let went = data.write_all(&now[HALF - COMPARED..]);
            drop(data);
            if changed {
                let _ = went;
                server.hear("ABOR");
                server.say("426 stopped\r\n226 aborted");
                server.answer("SIZE", &size());
                give(server.retr(), &now);
            }
            server.say("226 done");
            server.finish();
        })
        .expect(0);
        assert!(client.read("a") == now);
    }
}

fn if_rest_is_refused_the_whole_file_is_fetched_again() {
    at_once(["502 what?", "501 no", "550 no"], |refusal| {
        let client = fetch_from(|server| {
            give(server.begin_retr(&size()), &content()[..HALF]);
            server.say("426 aborted");
            server.answer("SIZE", &size());
            server.answer("MDTM", TIME);
            let _listener = server.epsv();
            server.answer("REST", refusal);
            finish(server, 0);
        });
        assert_whole(&client);
    });
}

fn a_server_that_ignores_rest_is_detected() {
    let client = Client::with_file("a", "old");
    play(&client, "RETRIEVE a", |server| {
        server.welcome();
        give(server.begin_retr(&size()), &content()[..HALF]);
        server.say("426 aborted");
        server.answer("SIZE", &size());
        server.answer("MDTM", TIME);
        let mut data = server.retr_from(HALF);
        let _ = data.write_all(&content());
        drop(data);
        server.hear("ABOR");
        server.say("426 stopped\r\n226 aborted");
        finish(server, 0);
        server.finish();
    })
    .expect(0);
    assert_whole(&client);
}

fn fewer_bytes_than_the_size_are_a_failure() {
    let client = Client::with_file("a", "old");
    play(&client, "RETRIEVE a", move |server| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        for _ in 0..6 {
            server.answer("SIZE", &format!("213 {}", SIZE + 5));
            server.answer("MDTM", TIME);
            let listener = server.epsv();
            let mut line = server.next().unwrap();
            let mut from = 0;
            if let Some(offset) = line.strip_prefix("REST ") {
                from = offset.parse().unwrap();
                server.say("350 go ahead");
                line = server.next().unwrap();
            }
            assert!(line.starts_with("RETR"), "{line}");
            server.say("150 here");
            give(accept(&listener), &content()[from..]);
            server.say("226 done");
            // The client gives up after three tries without progress.
            if server.is_left() {
                break;
            }
        }
    })
    .expect(1);
    assert_old(&client);
}

fn the_growth_of_a_file_is_kept_after_a_resume() {
    let grown = [content(), b"more".to_vec()].concat();
    let client = Client::with_file("a", "old");
    play(&client, "RETRIEVE a", |server| {
        server.welcome();
        give(server.begin_retr(&size()), &content()[..HALF]);
        server.say("426 aborted");
        server.answer("SIZE", &size());
        server.answer("MDTM", TIME);
        give(server.retr_from(HALF), &grown[HALF..]);
        server.say("226 done");
        server.finish();
    })
    .expect(0);
    assert!(client.read("a") == grown);
}

fn a_server_that_does_not_return_is_status_3_with_the_first_error() {
    let client = Client::with_file("a", "old");
    play(&client, "RETRIEVE a", |server| {
        server.welcome();
        let mut data = server.begin_retr(&size());
        data.write_all(&content()[..1000]).unwrap();
        server.close();
    })
    .expect(3)
    .expect_error("the server closed the connection");
    assert_old(&client);
    assert_eq!(client.names(), ["a"]);
}

#[test]
fn retries_0_makes_no_retry() {
    let client = Client::with_file("a", "old");
    let first = |server: &mut ScriptedServer| {
        server.welcome();
        give(server.begin_retr(&size()), &content()[..HALF]);
        server.say("426 aborted");
        assert_eq!(server.next().as_deref(), Some("QUIT"));
    };
    play_all(&client, &["--retries", "0"], "RETRIEVE a", vec![Box::new(first)])
        .expect(1)
        .expect_error("426");
    assert_old(&client);
}

/// Fetches half of the file and fails.
fn leave_half(client: &Client) {
    let half = |server: &mut ScriptedServer| {
        server.welcome();
        give(server.begin_retr(&size()), &content()[..HALF]);
        server.say("426 aborted");
        server.finish();
    };
    play_all(client, &["--retries", "0"], "RETRIEVE a", vec![Box::new(half)]).expect(1);
    assert_old(client);
    assert_eq!(client.names().len(), 2, "what came is kept: {:?}", client.names());
}

#[test]
fn a_partial_file_is_continued_only_from_the_same_server() {
    let client = Client::with_file("a", "old");
    leave_half(&client);
    // Another port is another server.
    play(&client, "REGET a", |server| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE", &size());
        server.answer("MDTM", TIME);
        // The client compares the file on the server, which has different content.
        let listener = server.epsv();
        server.answer("RETR", "150 here");
        let mut data = accept(&listener);
        let _ = data.write_all(&content());
        drop(data);
        server.hear("ABOR");
        server.say("426 stopped\r\n226 aborted");
        finish(server, 0);
        server.finish();
    })
    .expect(0);
    assert!(client.read("a") == content());
}

#[test]
fn reget_continues_the_beginning_of_the_same_file() {
    let client = Client::new();
    client.write("a", &content()[..HALF]);
    play(&client, "REGET a", |server| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE", &size());
        server.answer("MDTM", TIME);
        give(server.retr_from(HALF - COMPARED), &content()[HALF - COMPARED..]);
        server.say("226 done");
        server.finish();
    })
    .expect(0);
    assert_whole(&client);
}

#[test]
fn reget_does_not_mix_two_files() {
    let client = Client::new();
    client.write("a", noise(HALF, 99));
    play(&client, "REGET a", |server| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE", &size());
        server.answer("MDTM", TIME);
        let mut data = server.retr_from(HALF - COMPARED);
        let _ = data.write_all(&content()[HALF - COMPARED..]);
        drop(data);
        server.hear("ABOR");
        server.say("426 stopped\r\n226 aborted");
        finish(server, 0);
        server.finish();
    })
    .expect(0);
    assert_whole(&client);
}

#[test]
fn reget_of_a_longer_local_file_fetches_the_whole_file() {
    let client = Client::new();
    client.write("a", noise(SIZE + 1, 99));
    play(&client, "REGET a", |server| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        finish(server, 0);
        server.finish();
    })
    .expect(0);
    assert_whole(&client);
}

/// Reads `count` bytes of an upload.
fn take(data: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    data.read_exact(&mut bytes).unwrap();
    bytes
}

const LARGE: usize = 1_500_000;

#[test]
fn an_interrupted_upload_continues_at_the_remote_size() {
    let client = Client::new();
    client.write("a", noise(LARGE, 5));
    let first = |server: &mut ScriptedServer| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE", "550 none");
        let listener = server.epsv();
        server.answer("STOR", "150 go ahead");
        let mut data = accept(&listener);
        assert!(take(&mut data, HALF) == noise(LARGE, 5)[..HALF]);
        server.close();
    };
    let second = |server: &mut ScriptedServer| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE", &format!("213 {HALF}"));
        let listener = server.epsv();
        server.answer(&format!("REST {HALF}"), "350 go ahead");
        server.answer("STOR", "150 go ahead");
        let mut rest = Vec::new();
        accept(&listener).read_to_end(&mut rest).unwrap();
        assert!(rest == noise(LARGE, 5)[HALF..]);
        server.say("226 done");
        server.answer("SIZE", &format!("213 {LARGE}"));
        server.answer("HASH", "502 what?");
        server.answer("MFMT", "213 fine");
        server.finish();
    };
    play_all(&client, &[], "STORE a", vec![Box::new(first), Box::new(second)]).expect(0);
}

#[test]
fn an_upload_is_never_appended_to_an_old_file() {
    let client = Client::new();
    client.write("a", noise(LARGE, 5));
    let first = |server: &mut ScriptedServer| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE", "213 1000");
        let listener = server.epsv();
        server.answer("STOR", "150 go ahead");
        take(&mut accept(&listener), HALF);
        server.close();
    };
    let second = |server: &mut ScriptedServer| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        // Like our own server, which keeps the old file until the new one is complete.
        server.answer("SIZE", "213 1000");
        let listener = server.epsv();
        server.answer("STOR", "150 go ahead");
        let mut all = Vec::new();
        accept(&listener).read_to_end(&mut all).unwrap();
        assert!(all == noise(LARGE, 5));
        server.say("226 done");
        server.finish();
    };
    play_all(&client, &[], "STORE a", vec![Box::new(first), Box::new(second)]).expect(0);
}

#[test]
fn a_connection_lost_after_the_file_is_stored_is_not_a_failure() {
    let client = Client::new();
    client.write("a", "content");
    let first = |server: &mut ScriptedServer| {
        server.welcome();
        drop(server.begin_stor().read_to_end(&mut Vec::new()));
        server.say("226 done");
        server.answer("SIZE", "213 7");
        server.hear("MFMT");
        server.close();
    };
    let second = |server: &mut ScriptedServer| {
        server.welcome();
        server.answer("MFMT", "213 fine");
        server.finish();
    };
    play_all(&client, &[], "STORE a", vec![Box::new(first), Box::new(second)]).expect(0);
}

#[test]
fn reput_compares_the_end_of_the_remote_file() {
    for theirs in [noise(LARGE, 5), noise(LARGE, 6)] {
        let client = Client::new();
        client.write("a", noise(LARGE, 5));
        let same = theirs == noise(LARGE, 5);
        play(&client, "REPUT a", move |server| {
            server.welcome();
            server.answer("TYPE I", "200 binary");
            server.answer("SIZE", &format!("213 {HALF}"));
            give(server.retr_from(HALF - COMPARED), &theirs[HALF - COMPARED..HALF]);
            server.say("226 done");
            let from = if same { HALF } else { 0 };
            if !same {
                server.answer("SIZE", &format!("213 {HALF}"));
            }
            let listener = server.epsv();
            if same {
                server.answer(&format!("REST {HALF}"), "350 go ahead");
            }
            server.answer("STOR", "150 go ahead");
            let mut rest = Vec::new();
            accept(&listener).read_to_end(&mut rest).unwrap();
            assert!(rest == noise(LARGE, 5)[from..]);
            server.say("226 done");
            server.answer("SIZE", &format!("213 {LARGE}"));
            server.finish();
        })
        .expect(0);
    }
}

#[test]
fn without_size_an_append_has_one_try() {
    let client = Client::new();
    client.write("a", "content");
    play(&client, "APPEND a", |server| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE a", "502 no");
        let listener = server.epsv();
        server.answer("APPE a", "150 go ahead");
        drop(accept(&listener).read_to_end(&mut Vec::new()));
        server.say("426 aborted");
        assert_eq!(server.next().as_deref(), Some("QUIT"));
    })
    .expect(1)
    .expect_error("426");
}

fn bytes_are_not_written_to_standard_output_twice() {
    let client = Client::new();
    let run = play(&client, "RETRIEVE a -", |server| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE", "213 7");
        server.answer("MDTM", TIME);
        give(server.retr(), b"con");
        server.say("426 aborted");
        server.answer("SIZE", "213 7");
        server.answer("MDTM", TIME);
        give(server.retr_from(3), b"tent");
        server.say("226 done");
        server.finish();
    })
    .expect(0);
    assert_eq!(run.stdout, "content");
    let run = play(&client, "RETRIEVE a -", |server| {
        server.welcome();
        server.answer("TYPE I", "200 binary");
        server.answer("SIZE", "213 7");
        server.answer("MDTM", "502 no");
        give(server.retr(), b"con");
        server.say("426 aborted");
        server.answer("SIZE", "213 7");
        server.finish();
    })
    .expect(1);
    assert_eq!(run.stdout, "con");
    let _ = listener();
}

fn a_stream_that_cannot_resume_fails_with_the_first_error() {
    for command in ["CAT a", "RETRIEVE a -"] {
        let failed = |last: &str| {
            let run = play_all(
                &Client::new(),
                &["-q"],
                command,
                vec![Box::new(|server| {
                    server.welcome();
                    server.answer("TYPE I", "200 binary");
                    server.answer("SIZE", "213 9");
                    server.answer("MDTM", "502 no");
                    give(server.retr(), b"content");
                    server.say(last);
                    server.finish();
                })],
            );
            let run = run.expect(1);
            assert!(!run.stderr.contains("does not match the remote file"), "{run:#?}");
            run.stderr
        };
        assert!(failed("426 aborted").ends_with(": 426 aborted\n"));
        assert!(failed("226 done").ends_with("sent only 7 of 9 bytes\n"));
    }
}
