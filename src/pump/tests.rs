//! Tests of `pump`.

use super::file::{LARGE, PIPE};
use super::*;
use crate::net::data::testing::tls_pair;
use crate::sys::{Event, PollItem};
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Hooks that stop the transfer at the first check after this many bytes have moved.
struct StopAt {
    stop_at: u64,
    seen: u64,
}

impl TransferHooks for StopAt {
    fn items(&self) -> [PollItem<'_>; 2] {
        [PollItem::nothing(), PollItem::nothing()]
    }

    fn check(&mut self, moved: u64) -> Verdict {
        if moved >= self.stop_at { Verdict::Stop } else { Verdict::Continue }
    }

    fn moved(&mut self, total: u64) {
        assert!(total > self.seen);
        self.seen = total;
    }
}

/// Hooks that are always called, and stop once data has moved.
struct Called(Event);

impl Called {
    fn new() -> Called {
        let event = Event::new().unwrap();
        event.set();
        Called(event)
    }
}

impl TransferHooks for Called {
    fn items(&self) -> [PollItem<'_>; 2] {
        [PollItem::new(self.0.handle(), Interest::Read), PollItem::nothing()]
    }

    fn check(&mut self, moved: u64) -> Verdict {
        if moved > 0 { Verdict::Stop } else { Verdict::Continue }
    }
}

/// Hooks that let seven bytes move, then none for a millisecond, and count the refusals.
struct SevenAtATime {
    left: usize,
    held_back: usize,
    called: Option<Event>,
}

impl TransferHooks for SevenAtATime {
    fn items(&self) -> [PollItem<'_>; 2] {
        let called = self.called.as_ref().map(|event| event.handle());
        let item = called.map_or(PollItem::nothing(), |it| PollItem::new(it, Interest::Read));
        [item, PollItem::nothing()]
    }

    fn check(&mut self, _: u64) -> Verdict {
        Verdict::Stop
    }

    fn moved(&mut self, total: u64) {
        self.left = 7 - (total as usize - 1) % 7 - 1;
    }

    fn allowance(&mut self) -> Result<usize, Instant> {
        if self.left > 0 {
            return Ok(self.left);
        }
        self.held_back += 1;
        self.left = 7;
        Err(Instant::now() + Duration::from_millis(1))
    }
}

#[test]
fn the_allowance_is_kept_and_waiting_for_it_is_no_stall() {
    let bytes = content(100);
    let seven_at_a_time = || SevenAtATime { left: 7, held_back: 0, called: None };
    let no_time = Duration::ZERO;

    let (mut near, far) = pair();
    let reader = collect(far);
    let mut hooks = seven_at_a_time();
    let outcome = send_file(&file_of(&bytes), 0..100, &mut near, no_time, &mut hooks);
    assert!(matches!(outcome.end, End::Done), "{outcome:?}");
    let outcome = send(&mut &bytes[..], &mut near, no_time, &mut seven_at_a_time());
    assert!(matches!(outcome.end, End::Done), "{outcome:?}");
    drop(near);
    assert_eq!((reader.join().unwrap(), hooks.held_back), (bytes.repeat(2), 14));

    let (mut near, mut far) = pair();
    far.write_all(&bytes).unwrap();
    drop(far);
    let mut hooks = seven_at_a_time();
    let mut sink = Sink(tempfile::tempfile().unwrap());
    let outcome = receive_file(&mut near, &mut sink, TIMEOUT, &mut hooks);
    assert!(matches!(outcome.end, End::Done) && outcome.moved == 100, "{outcome:?}");
    assert_eq!(hooks.held_back, 14);
}

#[test]
fn a_transfer_that_waits_for_its_allowance_can_be_stopped() {
    let (mut near, _far) = pair();
    let called = Event::new().unwrap();
    called.set();
    let mut hooks = SevenAtATime { left: 7, held_back: 0, called: Some(called) };
    let outcome = send_file(&file_of(&content(100)), 0..100, &mut near, TIMEOUT, &mut hooks);
    assert!(matches!(outcome.end, End::Stopped) && outcome.moved == 7, "{outcome:?}");
}

const NEVER: u64 = u64::MAX;
const TIMEOUT: Duration = Duration::from_secs(60);

fn pair() -> (Data, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    near.set_nonblocking(true).unwrap();
    (Data::Plain(near), far)
}

fn content(length: usize) -> Vec<u8> {
    (0..length as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[test]
fn every_byte_arrives_in_both_directions() {
    for length in [0, 1, FIRST_BUFFER - 1, FIRST_BUFFER, 3_000_001] {
        let bytes = content(length);
        let (mut near, mut far) = pair();
        let expected = bytes.clone();
        let reader = thread::spawn(move || {
            let mut got = Vec::new();
            far.read_to_end(&mut got).unwrap();
            (got, far)
        });
        let mut hooks = StopAt { stop_at: NEVER, seen: 0 };
        let outcome = send(&mut &bytes[..], &mut near, TIMEOUT, &mut hooks);
        assert!(matches!(outcome.end, End::Done), "{outcome:?}");
        assert_eq!(outcome.moved, length as u64);
        near.tcp().shutdown(std::net::Shutdown::Write).unwrap();
        let (got, mut far) = reader.join().unwrap();
        assert!(got == expected);

        let writer = thread::spawn(move || far.write_all(&expected));
        let mut got = Vec::new();
        let mut hooks = StopAt { stop_at: NEVER, seen: 0 };
        let outcome = receive(&mut near, &mut got, TIMEOUT, &mut hooks);
        writer.join().unwrap().unwrap();
        assert!(matches!(outcome.end, End::Done));
        assert!(got == bytes && hooks.seen == outcome.moved);
    }
}

#[test]
fn a_stalled_peer_ends_the_transfer() {
    let (mut near, _far) = pair();
    let mut hooks = StopAt { stop_at: NEVER, seen: 0 };
    let outcome = receive(&mut near, &mut Vec::new(), Duration::from_millis(1), &mut hooks);
    assert!(matches!(outcome.end, End::Stalled));
    let outcome = send(&mut io::repeat(7), &mut near, Duration::from_millis(1), &mut hooks);
    assert!(matches!(outcome.end, End::Stalled) && outcome.moved > 0);
}

#[test]
fn a_transfer_that_never_waits_can_be_stopped() {
    let (mut near, mut far) = pair();
    let reader = thread::spawn(move || io::copy(&mut far, &mut io::sink()));
    let mut hooks = StopAt { stop_at: 1, seen: 0 };
    let outcome = send(&mut io::repeat(7), &mut near, TIMEOUT, &mut hooks);
    assert!(matches!(outcome.end, End::Stopped));
    drop(near);
    assert!(reader.join().unwrap().unwrap() >= CHECK_EVERY);
}

#[test]
fn errors_of_the_source_and_of_the_peer_are_distinguished() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(ErrorKind::InvalidData.into())
        }
    }
    let (mut near, far) = pair();
    let mut hooks = StopAt { stop_at: NEVER, seen: 0 };
    let outcome = send(&mut Broken, &mut near, TIMEOUT, &mut hooks);
    assert!(matches!(outcome.end, End::Local(_)));
    drop(far);
    let outcome = send(&mut io::repeat(7), &mut near, TIMEOUT, &mut hooks);
    assert!(matches!(outcome.end, End::Peer(_)), "{outcome:?}");
}

/// Creates a file with these bytes.
fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn collect(mut far: TcpStream) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut got = Vec::new();
        far.read_to_end(&mut got).unwrap();
        got
    })
}

#[test]
fn any_range_of_a_file_is_sent() {
    let bytes = content(3_000_001);
    let file = file_of(&bytes);
    let length = bytes.len() as u64;
    for range in [0..0, 0..1, 0..length, 1..length - 1, 65_535..65_537, length - 1..length] {
        let (mut near, far) = pair();
        let reader = collect(far);
        let mut hooks = StopAt { stop_at: NEVER, seen: 0 };
        let outcome = send_file(&file, range.clone(), &mut near, TIMEOUT, &mut hooks);
        drop(near);
        assert!(matches!(outcome.end, End::Done), "{outcome:?}");
        assert_eq!(outcome.moved, range.end - range.start);
        assert!(reader.join().unwrap() == bytes[range.start as usize..range.end as usize]);
    }
}

#[test]
fn a_file_that_ends_early_is_sent_as_far_as_it_goes() {
    let (mut near, far) = pair();
    let reader = collect(far);
    let mut hooks = StopAt { stop_at: NEVER, seen: 0 };
    let file = file_of(b"short");
    let outcome = send_file(&file, 1..100, &mut near, TIMEOUT, &mut hooks);
    drop(near);
    assert!(matches!(outcome.end, End::Done) && outcome.moved == 4, "{outcome:?}");
    assert_eq!(reader.join().unwrap(), b"hort");
}

#[test]
fn sending_a_file_can_be_stopped_stall_and_fail() {
    let size = 3 * CHECK_EVERY;
    let file = file_of(b"");
    file.set_len(size).unwrap();
    let (mut near, mut far) = pair();
    let reader = thread::spawn(move || io::copy(&mut far, &mut io::sink()));
    let outcome = send_file(&file, 0..size, &mut near, TIMEOUT, &mut Called::new());
    assert!(matches!(outcome.end, End::Stopped), "{outcome:?}");
    assert!(outcome.moved <= 2 * CHECK_EVERY);
    drop(near);
    reader.join().unwrap().unwrap();

    let (mut near, far) = pair();
    let mut hooks = StopAt { stop_at: NEVER, seen: 0 };
    let brief = Duration::from_millis(1);
    let outcome = send_file(&file, 0..size, &mut near, brief, &mut hooks);
    assert!(matches!(outcome.end, End::Stalled) && outcome.moved > 0, "{outcome:?}");
    drop(far);
    let mut hooks = StopAt { stop_at: NEVER, seen: 0 };
    let outcome = send_file(&file, 0..size, &mut near, TIMEOUT, &mut hooks);
    assert!(matches!(outcome.end, End::Peer(_)), "{outcome:?}");
    let unreadable = tempfile::NamedTempFile::new().unwrap();
    unreadable.as_file().set_len(10).unwrap();
    let written = File::options().write(true).open(unreadable.path()).unwrap();
    let (mut near, _far) = pair();
    let outcome = send_file(&written, 0..10, &mut near, TIMEOUT, &mut hooks);
    assert!(matches!(outcome.end, End::Local(_)), "{outcome:?}");
}

/// A sink that gives access to its file.
struct Sink(File);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileSink for Sink {
    fn file(&self) -> &File {
        &self.0
    }
}

fn send_in_pieces(mut far: TcpStream, bytes: Vec<u8>, piece: usize) -> thread::JoinHandle<()> {
    thread::spawn(move || bytes.chunks(piece).for_each(|piece| far.write_all(piece).unwrap()))
}

#[test]
fn every_byte_is_stored_once_for_any_size_of_pieces() {
    let large = LARGE as usize;
    for length in [0, 1, large - 1, large, large + 1, large + PIPE + 1, large + 5_000_001] {
        for piece in [10_000, 3_000_000] {
            let bytes = content(length);
            let (mut near, far) = pair();
            let writer = send_in_pieces(far, bytes.clone(), piece);
            let place = tempfile::NamedTempFile::new().unwrap();
            let mut hooks = StopAt { stop_at: NEVER, seen: 0 };
            let mut sink = Sink(place.reopen().unwrap());
            let outcome = receive_file(&mut near, &mut sink, TIMEOUT, &mut hooks);
            writer.join().unwrap();
            assert!(matches!(outcome.end, End::Done), "{outcome:?}");
            assert!(outcome.moved == length as u64 && hooks.seen == outcome.moved);
            assert!(std::fs::read(place.path()).unwrap() == bytes, "{length} by {piece}");
        }
    }
}

#[test]
fn a_file_without_splice_is_written() {
    let bytes = content(LARGE as usize + 3_000_001);
    let (mut near, far) = pair();
    let writer = send_in_pieces(far, bytes.clone(), 1_000_000);
    let place = tempfile::NamedTempFile::new().unwrap();
    let mut sink = Sink(File::options().append(true).open(place.path()).unwrap());
    let mut hooks = StopAt { stop_at: NEVER, seen: 0 };
    let outcome = receive_file(&mut near, &mut sink, TIMEOUT, &mut hooks);
    writer.join().unwrap();
    assert!(matches!(outcome.end, End::Done), "{outcome:?}");
    assert!(std::fs::read(place.path()).unwrap() == bytes);
}

#[test]
fn receiving_a_large_file_can_stall_and_be_stopped() {
    let (mut near, far) = pair();
    let writer = send_in_pieces(far.try_clone().unwrap(), content(LARGE as usize + 1), 65_536);
    let mut sink = Sink(tempfile::tempfile().unwrap());
    let mut hooks = StopAt { stop_at: NEVER, seen: 0 };
    let brief = Duration::from_secs(1);
    let outcome = receive_file(&mut near, &mut sink, brief, &mut hooks);
    writer.join().unwrap();
    assert!(matches!(outcome.end, End::Stalled), "{outcome:?}");
    assert_eq!(outcome.moved, LARGE + 1);
    let mut far = far;
    let writer = thread::spawn(move || io::copy(&mut io::repeat(7), &mut far));
    let mut hooks = Called::new();
    let outcome = receive_file(&mut near, &mut sink, TIMEOUT, &mut hooks);
    assert!(matches!(outcome.end, End::Stopped), "{outcome:?}");
    drop(near);
    assert!(writer.join().unwrap().is_err());
}

/// Returns both ends of a data connection under TLS.
fn tls_ends() -> Option<(Data, Data)> {
    // Without tickets: closing an end with an unread ticket would reset the connection.
    let (server, client) = tls_pair(0)?;
    Some((server.into(), client.into()))
}

#[test]
fn under_tls_every_byte_arrives_and_close_notify_ends_the_data() {
    for length in [0, 1, 16_384, LARGEST_UNDER_TLS + 1, LARGE as usize + 3_000_001] {
        for server_sends in [true, false] {
            let Some((near, far)) = tls_ends() else { return };
            let (mut near, mut far) = if server_sends { (near, far) } else { (far, near) };
            let bytes = content(length);
            let file = file_of(&bytes);
            let sender = thread::spawn(move || {
                let mut hooks = StopAt { stop_at: NEVER, seen: 0 };
                let all = 0..length as u64;
                let sent = send_file(&file, all, &mut near, TIMEOUT, &mut hooks);
                finish(sent, &mut near, TIMEOUT, &mut hooks)
            });
            let place = tempfile::NamedTempFile::new().unwrap();
            let mut sink = Sink(place.reopen().unwrap());
            let mut hooks = StopAt { stop_at: NEVER, seen: 0 };
            let received = receive_file(&mut far, &mut sink, TIMEOUT, &mut hooks);
            let sent = sender.join().unwrap();
            assert!(matches!((&sent.end, &received.end), (End::Done, End::Done)), "{received:?}");
            assert_eq!((sent.moved, received.moved), (length as u64, length as u64));
            assert!(std::fs::read(place.path()).unwrap() == bytes);
        }
    }
}

#[test]
fn under_tls_an_end_without_close_notify_is_an_error() {
    let Some((mut near, mut far)) = tls_ends() else { return };
    let mut hooks = StopAt { stop_at: NEVER, seen: 0 };
    let sent = send(&mut &b"not all"[..], &mut near, TIMEOUT, &mut hooks);
    assert!(matches!(sent.end, End::Done));
    drop(near);
    let mut got = Vec::new();
    let received = receive(&mut far, &mut got, TIMEOUT, &mut StopAt { stop_at: NEVER, seen: 0 });
    assert!(matches!(received.end, End::Peer(_)) && got == b"not all", "{received:?}");
    // `finish` does not end the data of a transfer that failed.
    let Some((mut near, mut far)) = tls_ends() else { return };
    let stopped = Outcome { moved: 0, end: End::Stopped };
    let mut hooks = StopAt { stop_at: NEVER, seen: 0 };
    let finished = finish(stopped, &mut near, TIMEOUT, &mut hooks);
    assert!(matches!(finished.end, End::Stopped));
    drop(near);
    let received = receive(&mut far, &mut got, TIMEOUT, &mut hooks);
    assert!(matches!(received.end, End::Peer(_)), "{received:?}");
}

#[test]
fn under_tls_a_stalled_peer_ends_the_transfer_and_rates_are_kept() {
    let Some((mut near, far)) = tls_ends() else { return };
    let brief = Duration::from_millis(1);
    let mut hooks = StopAt { stop_at: NEVER, seen: 0 };
    let outcome = receive(&mut near, &mut Vec::new(), brief, &mut hooks);
    assert!(matches!(outcome.end, End::Stalled), "{outcome:?}");
    let outcome = send(&mut io::repeat(7), &mut near, brief, &mut hooks);
    assert!(matches!(outcome.end, End::Stalled) && outcome.moved > 0, "{outcome:?}");
    drop(far);

    let Some((mut near, mut far)) = tls_ends() else { return };
    let bytes = content(100);
    let mut hooks = SevenAtATime { left: 7, held_back: 0, called: None };
    let outcome = send(&mut &bytes[..], &mut near, TIMEOUT, &mut hooks);
    assert!(matches!(outcome.end, End::Done) && hooks.held_back == 14, "{outcome:?}");
    let outcome = finish(outcome, &mut near, TIMEOUT, &mut hooks);
    assert!(matches!(outcome.end, End::Done), "{outcome:?}");
    let mut got = Vec::new();
    let outcome = receive(&mut far, &mut got, TIMEOUT, &mut Called::new());
    assert!(matches!(outcome.end, End::Done | End::Stopped), "{outcome:?}");
}
