//! Tests of transfers against a scripted server.

use super::*;
use crate::client::connection::{DataMode, Settings};
use crate::client::test_server::Script;
use crate::sys::Signal;
use std::io::{Seek, SeekFrom};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn fetch(connection: &mut Connection) -> Result<Vec<u8>, Error> {
    let mut got = Vec::new();
    connection.retrieve(&name("a"))?.receive(&mut got, |_| ())?;
    Ok(got)
}

fn expect_size(server: &mut Script, size: u64) {
    server.expect("TYPE I", "200 ok");
    server.expect("SIZE a", &format!("213 {size}"));
}

fn is_in_order(connection: &mut Connection) -> bool {
    connection.current_dir().is_ok_and(|dir| dir == b"/")
}

#[test]
fn a_complete_download_succeeds() {
    let mut connection = Script::serve(|server| {
        expect_size(server, 5);
        let data = server.expect_passive();
        server.expect("RETR a", "150 here");
        data.give(b"hello");
        server.say("226 done");
    });
    assert_eq!(fetch(&mut connection).unwrap(), b"hello");
}

#[test]
fn a_226_that_overtakes_its_bytes_loses_none() {
    let mut connection = Script::serve(|server| {
        expect_size(server, 5);
        let data = server.expect_passive();
        server.expect("RETR a", "150 here\r\n226 done");
        data.give(b"hello");
        server.expect("PWD", "257 \"/\"");
    });
    assert_eq!(fetch(&mut connection).unwrap(), b"hello");
    assert!(is_in_order(&mut connection));
}

#[test]
fn half_a_file_is_an_error_despite_the_226() {
    let mut connection = Script::serve(|server| {
        expect_size(server, 10);
        let data = server.expect_passive();
        server.expect("RETR a", "150 here");
        data.give(b"hello");
        server.say("226 done");
        server.expect("PWD", "257 \"/\"");
    });
    let error = fetch(&mut connection).unwrap_err();
    assert_eq!(error.to_string(), "the server sent only 5 of 10 bytes");
    assert!(is_in_order(&mut connection));
}

#[test]
fn half_a_file_without_a_final_reply_has_a_short_timeout() {
    let settings = Settings { timeout: Duration::from_secs(3600), ..Settings::default() };
    let (sender, given_up) = channel();
    let mut connection = Script::serve_as(settings, move |server| {
        expect_size(server, 10);
        let data = server.expect_passive();
        server.expect("RETR a", "150 here");
        data.give(b"hello");
        // Fails if nothing arrives, not even the end of the connection, before the timeout of the script.
        sender.send(server.hear()).unwrap();
    });
    let error = fetch(&mut connection).unwrap_err();
    assert_eq!(error.to_string(), "the server sent only 5 of 10 bytes");
    assert!(connection.is_lost());
    drop(connection);
    assert_eq!(given_up.recv().unwrap(), "");
}

#[test]
fn endless_preliminary_replies_are_an_error() {
    let mut connection = Script::serve(|server| {
        expect_size(server, 5);
        let data = server.expect_passive();
        server.expect("RETR a", "150 here");
        data.give(b"hello");
        for _ in 0..100 {
            server.say("150 here");
        }
        // Waits until the client closes the connection.
        server.hear();
    });
    assert!(matches!(fetch(&mut connection), Err(Error::TooManyReplies)));
    assert!(connection.is_lost());
}

#[test]
fn a_local_file_that_shrinks_is_an_error() {
    let mut connection = Script::serve(|server| {
        server.expect("TYPE I", "200 ok");
        let data = server.expect_passive();
        server.expect("STOR a", "150 go ahead");
        data.accept().read_to_end(&mut Vec::new()).unwrap();
        server.say("226 done");
        server.expect("PWD", "257 \"/\"");
    });
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"hello").unwrap();
    file.rewind().unwrap();
    let sent = connection.store(&name("a")).unwrap().send_file(&mut file, 0..10, |_| ());
    assert!(matches!(sent, Err(Error::Local(_))), "{sent:?}");
    assert!(is_in_order(&mut connection));
}

#[test]
fn a_complete_download_fails_after_a_426() {
    let mut connection = Script::serve(|server| {
        expect_size(server, 5);
        let data = server.expect_passive();
        server.expect("RETR a", "150 here");
        data.give(b"hello");
        server.say("426 disk error");
        server.expect("PWD", "257 \"/\"");
    });
    assert_eq!(fetch(&mut connection).unwrap_err().to_string(), "426 disk error");
    assert!(is_in_order(&mut connection));
}

#[test]
fn an_endless_file_is_aborted_and_the_session_continues() {
    let mut connection = Script::serve(|server| {
        expect_size(server, 5);
        let data = server.expect_passive();
        server.expect("RETR a", "150 here");
        data.give_until_refused();
        server.say("426 aborted");
        server.expect("ABOR", "226 fine");
        server.expect("PWD", "257 \"/\"");
    });
    let error = fetch(&mut connection).unwrap_err();
    assert!(matches!(error, Error::TooLong { expected: 5 }), "{error}");
    assert!(is_in_order(&mut connection));
}

#[test]
fn the_address_in_a_227_is_ignored() {
    let mut connection = Script::serve(|server| {
        expect_size(server, 5);
        server.expect("EPSV", "500 what?");
        let data = server.expect_passive_as([192, 0, 2, 1]);
        server.expect("RETR a", "150 here");
        data.give(b"hello");
        server.say("226 done");
        server.expect("SIZE a", "213 5");
        let data = server.expect_passive_as([192, 0, 2, 1]);
        server.expect("RETR a", "150 here");
        data.give(b"again");
        server.say("226 done");
    });
    assert_eq!(fetch(&mut connection).unwrap(), b"hello");
    assert_eq!(fetch(&mut connection).unwrap(), b"again");
}

#[test]
fn a_server_without_size_is_not_asked_again() {
    let mut connection = Script::serve(|server| {
        server.expect("TYPE I", "200 ok");
        server.expect("SIZE a", "502 no");
        for _ in 0..2 {
            let data = server.expect_passive();
            server.expect("RETR a", "150 here");
            data.give(b"hello");
            server.say("226 done");
        }
    });
    assert_eq!(fetch(&mut connection).unwrap(), b"hello");
    assert_eq!(fetch(&mut connection).unwrap(), b"hello");
}

#[test]
fn the_end_of_the_control_connection_ends_a_stalled_transfer() {
    let mut connection = Script::serve(|server| {
        expect_size(server, 10);
        let data = server.expect_passive();
        server.expect("RETR a", "150 here");
        let _open = data.begin(b"hello");
        server.leave();
    });
    assert!(matches!(fetch(&mut connection), Err(Error::Lost(_))));
    assert!(connection.is_lost());
}

#[test]
fn a_negative_reply_ends_a_stalled_transfer() {
    let mut connection = Script::serve(|server| {
        expect_size(server, 10);
        let data = server.expect_passive();
        server.expect("RETR a", "150 here");
        let _open = data.begin(b"hello");
        server.say("451 disk error");
        server.expect("PWD", "257 \"/\"");
    });
    assert_eq!(fetch(&mut connection).unwrap_err().to_string(), "451 disk error");
    assert!(is_in_order(&mut connection));
}

#[test]
fn the_reply_of_a_full_disk_is_the_error_of_an_upload() {
    let mut connection = Script::serve(|server| {
        server.expect("TYPE I", "200 ok");
        let data = server.expect_passive();
        server.expect("STOR a", "150 go ahead");
        drop(data.accept());
        server.say("552 disk full");
        server.expect("PWD", "257 \"/\"");
    });
    let upload = connection.store(&name("a")).unwrap();
    let error = upload.send(&mut io::repeat(7), |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "552 disk full");
    assert!(is_in_order(&mut connection));
}

#[test]
fn an_upload_that_the_server_confirms_too_early_fails() {
    let mut connection = Script::serve(|server| {
        server.expect("TYPE I", "200 ok");
        let data = server.expect_passive();
        server.expect("STOR a", "150 go ahead");
        let _open = data.accept();
        server.say("226 done");
        server.expect("PWD", "257 \"/\"");
    });
    let upload = connection.store(&name("a")).unwrap();
    let error = upload.send(&mut io::repeat(7), |_| ()).unwrap_err();
    assert!(matches!(error, Error::EndedEarly(_)), "{error}");
    assert!(is_in_order(&mut connection));
}

#[test]
fn an_upload_that_the_server_confirms_without_a_150_fails() {
    let mut connection = Script::serve(|server| {
        server.expect("TYPE I", "200 ok");
        let _data = server.expect_passive();
        server.expect("STOR a", "226 done");
    });
    assert!(matches!(connection.store(&name("a")), Err(Error::EndedEarly(_))));
}

/// A size above which the kernel moves the bytes without the buffer.
const LARGE: u64 = 6_000_001;

fn content(length: u64) -> Vec<u8> {
    (0..length as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[test]
fn a_large_file_is_appended_completely() {
    let mut connection = Script::serve(|server| {
        server.expect("TYPE I", "200 ok");
        let data = server.expect_passive();
        server.expect("REST 3", "350 go ahead");
        server.expect("RETR a", "150 here");
        data.give(&content(LARGE)[3..]);
        server.say("226 done");
    });
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&content(3)).unwrap();
    let mut last = 0;
    let download = connection.retrieve_from(&name("a"), 3, Some(LARGE)).unwrap();
    assert_eq!(download.receive_file(&mut file, |moved| last = moved).unwrap(), LARGE - 3);
    assert_eq!(last, LARGE - 3);
    assert_eq!(file.stream_position().unwrap(), LARGE);
    assert!(read_again(&mut file) == content(LARGE));
}

fn read_again(file: &mut File) -> Vec<u8> {
    let mut got = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut got).unwrap();
    got
}

#[test]
fn no_more_of_a_large_file_is_stored_than_expected() {
    let mut connection = Script::serve(|server| {
        server.expect("TYPE I", "200 ok");
        let data = server.expect_passive();
        server.expect("RETR a", "150 here");
        data.give_until_refused();
        server.say("426 aborted");
        server.expect("ABOR", "226 fine");
        server.expect("PWD", "257 \"/\"");
    });
    let mut file = tempfile::tempfile().unwrap();
    let download = connection.retrieve_from(&name("a"), 0, Some(LARGE)).unwrap();
    let error = download.receive_file(&mut file, |_| ()).unwrap_err();
    assert!(matches!(error, Error::TooLong { expected: LARGE }), "{error}");
    assert_eq!(file.metadata().unwrap().len(), LARGE);
    assert!(is_in_order(&mut connection));
}

#[test]
fn bytes_of_a_large_file_before_a_negative_reply_are_kept() {
    let mut connection = Script::serve(|server| {
        server.expect("TYPE I", "200 ok");
        let data = server.expect_passive();
        server.expect("RETR a", "150 here");
        let _open = data.begin(&content(LARGE));
        server.say("451 disk error");
        server.expect("PWD", "257 \"/\"");
    });
    let mut file = tempfile::tempfile().unwrap();
    let download = connection.retrieve_from(&name("a"), 0, Some(2 * LARGE)).unwrap();
    let error = download.receive_file(&mut file, |_| ()).unwrap_err();
    assert_eq!(error.to_string(), "451 disk error");
    let got = read_again(&mut file);
    assert!(!got.is_empty() && content(LARGE).starts_with(&got));
    assert!(is_in_order(&mut connection));
}

#[test]
fn a_file_that_grows_during_an_upload_is_sent_with_its_first_size() {
    let mut connection = Script::serve(|server| {
        server.expect("TYPE I", "200 ok");
        let data = server.expect_passive();
        server.expect("REST 3", "350 go ahead");
        server.expect("STOR a", "150 go ahead");
        let mut got = Vec::new();
        data.accept().read_to_end(&mut got).unwrap();
        assert!(got == content(LARGE)[3..]);
        server.say("226 done");
    });
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&content(LARGE + 5)).unwrap();
    file.seek(SeekFrom::Start(3)).unwrap();
    let upload = connection.store_from(&name("a"), 3).unwrap();
    assert_eq!(upload.send_file(&mut file, 3..LARGE, |_| ()).unwrap(), LARGE - 3);
}

#[test]
fn a_dropped_guard_leaves_the_session_usable() {
    let mut connection = Script::serve(|server| {
        expect_size(server, 10);
        let data = server.expect_passive();
        server.expect("RETR a", "150 here");
        let open = data.accept();
        server.expect("ABOR", "426 aborted\r\n226 fine");
        drop(open);
        server.expect("PWD", "257 \"/\"");
    });
    drop(connection.retrieve(&name("a")).unwrap());
    assert!(is_in_order(&mut connection));
}

#[test]
fn ctrl_c_aborts_a_transfer_and_the_session_continues() {
    let mut connection = Script::serve(|server| {
        expect_size(server, 10);
        let data = server.expect_passive();
        server.expect("RETR a", "150 here");
        let _open = data.begin(b"hello");
        server.expect("ABOR", "426 aborted\r\n226 fine");
        server.expect("PWD", "257 \"/\"");
    });
    let interrupt = connection.settings().interrupt.clone();
    let download = connection.retrieve(&name("a")).unwrap();
    let ctrl_c = |_| interrupt.arrived(Signal::Interrupt, |_| panic!("it should continue"));
    let got = download.receive(&mut Vec::new(), ctrl_c);
    assert!(matches!(got, Err(Error::Interrupted)), "{got:?}");
    assert!(is_in_order(&mut connection));
}

/// Returns a connection that sends NOOP as soon as bytes have moved.
fn serve_lively(script: impl FnOnce(&mut Script) + Send + 'static) -> Connection {
    let settings = Settings { keep_alive: Duration::ZERO, ..Settings::default() };
    Script::serve_as(settings, script)
}

/// Runs a download during which the server receives a NOOP, and replies `at_once` and `at_end`.
fn fetch_lively(at_once: Option<&'static str>, at_end: &'static str) -> Connection {
    serve_lively(move |server| {
        expect_size(server, 5);
        let data = server.expect_passive();
        server.expect("RETR a", "150 here");
        let open = data.begin(b"hello");
        assert_eq!(server.hear(), "NOOP");
        at_once.into_iter().for_each(|reply| server.say(reply));
        drop(open);
        server.say(at_end);
        server.expect("PWD", "257 \"/\"");
    })
}

const ANSWERED: [(Option<&str>, &str); 4] = [
    (Some("200 ok"), "226 done"),
    (Some("500 what?"), "226 done"),
    (None, "226 done\r\n200 ok"),
    (None, "226 done\r\n500 what?"),
];

#[test]
fn the_answer_to_a_noop_does_not_end_a_download() {
    for (at_once, at_end) in ANSWERED {
        let mut connection = fetch_lively(at_once, at_end);
        assert_eq!(fetch(&mut connection).unwrap(), b"hello", "{at_once:?}, {at_end}");
        assert!(is_in_order(&mut connection), "{at_once:?}, {at_end}");
        assert!(connection.capabilities().noop_in_transfer);
    }
}

#[test]
fn an_unanswered_noop_loses_the_connection_but_not_the_file() {
    let mut connection = fetch_lively(None, "226 done");
    assert_eq!(fetch(&mut connection).unwrap(), b"hello");
    assert!(connection.is_lost() && !connection.capabilities().noop_in_transfer);
}

#[test]
fn a_negative_reply_is_not_taken_for_that_of_a_noop() {
    for at_end in ["426 aborted\r\n200 ok", "226 done\r\n426 aborted"] {
        let mut connection = fetch_lively(None, at_end);
        assert_eq!(fetch(&mut connection).unwrap_err().to_string(), "426 aborted");
        assert!(is_in_order(&mut connection), "{at_end}");
    }
}

/// A source that returns its bytes once the server has replied.
struct Later(Receiver<()>, &'static [u8]);

impl Read for Later {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        self.1.read(buffer)
    }
}

/// Runs an upload in two pieces, between which the server receives a NOOP.
fn store_lively(
    at_once: Option<&'static str>,
    at_end: Option<&'static str>,
) -> (Result<u64, Error>, Connection) {
    let (said, later) = channel();
    let mut connection = serve_lively(move |server| {
        server.expect("TYPE I", "200 ok");
        let data = server.expect_passive();
        server.expect("STOR a", "150 go ahead");
        let mut data = data.accept();
        assert_eq!(server.hear(), "NOOP");
        at_once.into_iter().for_each(|reply| server.say(reply));
        said.send(()).unwrap();
        drop(said);
        // After a negative reply the client does not send the rest.
        let _ = data.read_to_end(&mut Vec::new());
        at_end.into_iter().for_each(|reply| server.say(reply));
        server.expect("PWD", "257 \"/\"");
    });
    let mut source = b"hello".chain(Later(later, b" there"));
    let sent = connection.store(&name("a")).unwrap().send(&mut source, |_| ());
    (sent, connection)
}

#[test]
fn the_answer_to_a_noop_does_not_end_an_upload() {
    for (at_once, at_end) in ANSWERED {
        let (sent, mut connection) = store_lively(at_once, Some(at_end));
        assert_eq!(sent.unwrap(), 11, "{at_once:?}, {at_end}");
        assert!(is_in_order(&mut connection), "{at_once:?}, {at_end}");
        assert!(connection.capabilities().noop_in_transfer);
    }
}

#[test]
fn an_upload_succeeds_if_its_noop_is_never_answered() {
    let (sent, mut connection) = store_lively(None, Some("226 done"));
    assert_eq!(sent.unwrap(), 11);
    assert!(connection.is_lost() && !connection.capabilities().noop_in_transfer);
}

#[test]
fn no_noop_is_sent_to_a_server_that_ended_an_upload_because_of_one() {
    let (sent, mut connection) = store_lively(Some("426 aborted\r\n200 ok"), None);
    assert_eq!(sent.unwrap_err().to_string(), "426 aborted");
    assert!(is_in_order(&mut connection));
    assert!(!connection.capabilities().noop_in_transfer);
}

#[test]
fn ctrl_c_reads_the_reply_to_a_noop() {
    let mut connection = serve_lively(|server| {
        expect_size(server, 10);
        let data = server.expect_passive();
        server.expect("RETR a", "150 here");
        let _open = data.begin(b"hello");
        assert_eq!(server.hear(), "NOOP");
        server.expect("ABOR", "426 aborted\r\n200 ok\r\n226 fine");
        server.expect("PWD", "257 \"/\"");
    });
    let interrupt = connection.settings().interrupt.clone();
    let download = connection.retrieve(&name("a")).unwrap();
    let ctrl_c = |_| interrupt.arrived(Signal::Interrupt, |_| panic!("it should continue"));
    let got = download.receive(&mut Vec::new(), ctrl_c);
    assert!(matches!(got, Err(Error::Interrupted)), "{got:?}");
    assert!(is_in_order(&mut connection));
}

#[test]
fn a_refused_file_needs_no_abor() {
    let mut connection = Script::serve(|server| {
        server.expect("TYPE I", "200 ok");
        server.expect("SIZE a", "550 none");
        let _data = server.expect_passive();
        server.expect("RETR a", "550 none");
        server.expect("PWD", "257 \"/\"");
    });
    assert_eq!(fetch(&mut connection).unwrap_err().to_string(), "550 none");
    assert!(is_in_order(&mut connection));
}

#[test]
fn a_text_has_local_line_ends_and_no_size() {
    let mut connection = Script::serve(|server| {
        server.expect("TYPE A", "200 ok");
        let data = server.expect_passive();
        server.expect("RETR a", "150 here");
        data.give(b"a\r\nb\r\n");
        server.say("226 done");
    });
    connection.set_representation(Representation::Ascii);
    assert_eq!(fetch(&mut connection).unwrap(), b"a\nb\n");
}

#[test]
fn in_active_mode_the_server_connects() {
    let settings = Settings { mode: DataMode::Active, ..Settings::default() };
    let mut connection = Script::serve_as(settings, |server| {
        expect_size(server, 5);
        let address = server.expect_active();
        server.expect("RETR a", "150 here");
        let mut data = TcpStream::connect(address).unwrap();
        data.write_all(b"hello").unwrap();
        drop(data);
        server.say("226 done");
    });
    assert_eq!(fetch(&mut connection).unwrap(), b"hello");
}

#[test]
fn in_active_mode_a_425_ends_the_wait() {
    let settings = Settings { mode: DataMode::Active, ..Settings::default() };
    let mut connection = Script::serve_as(settings, |server| {
        expect_size(server, 5);
        server.expect_active();
        server.expect("RETR a", "150 here");
        server.say("425 cannot");
        server.expect("PWD", "257 \"/\"");
    });
    assert_eq!(fetch(&mut connection).unwrap_err().to_string(), "425 cannot");
    assert!(is_in_order(&mut connection));
}

#[test]
fn in_active_mode_a_226_without_a_connection_soon_ends_the_wait() {
    let timeout = Duration::from_secs(60);
    let settings = || Settings { mode: DataMode::Active, timeout, ..Settings::default() };
    for replies in ["150 here\r\n226 done", "125 here\r\n250 done"] {
        let mut connection = Script::serve_as(settings(), move |server| {
            expect_size(server, 5);
            server.expect_active();
            server.expect("RETR a", replies);
            server.expect("PWD", "257 \"/\"");
        });
        assert!(matches!(fetch(&mut connection), Err(Error::NoData { to: None, .. })), "{replies}");
        assert!(is_in_order(&mut connection));
    }
}

#[test]
fn an_unreachable_data_port_is_an_error_before_the_command() {
    // A port that is in use, so that no other process can listen on it.
    let somebody = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = TcpStream::connect(somebody.local_addr().unwrap()).unwrap();
    let nobody = taken.local_addr().unwrap();
    let mut connection = Script::serve(move |server| {
        expect_size(server, 5);
        server.expect("EPSV", &format!("229 ok (|||{}|)", nobody.port()));
        server.expect("PASV", "502 none");
        server.expect("PWD", "257 \"/\"");
    });
    assert!(matches!(fetch(&mut connection), Err(Error::NoData { to: Some(_), .. })));
    assert!(is_in_order(&mut connection));
}
