//! Tests of `pump`.

use super::file::{LARGE, PIPE};
use super::*;
use crate::net::data::testing::tls_pair;
use crate::sys::{Event, PollItem};
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Says stop once as many bytes have moved, or when it is called.
struct Until {
    stop_at: u64,
    seen: u64,
}

impl Attention for Until {
    fn items(&self) -> [PollItem<'_>; 2] {
        [PollItem::nothing(), PollItem::nothing()]
    }

    fn attend(&mut self, moved: u64) -> Verdict {
        if moved >= self.stop_at { Verdict::Stop } else { Verdict::Continue }
    }

    fn moved(&mut self, total: u64) {
        assert!(total > self.seen);
        self.seen = total;
    }
}

/// Is called all the time, and says stop once something has moved.
struct Called(Event);

impl Called {
    fn new() -> Called {
        let event = Event::new().unwrap();
        event.set();
        Called(event)
    }
}

impl Attention for Called {
    fn items(&self) -> [PollItem<'_>; 2] {
        [PollItem::new(self.0.handle(), Interest::Read), PollItem::nothing()]
    }

    fn attend(&mut self, moved: u64) -> Verdict {
        if moved > 0 { Verdict::Stop } else { Verdict::Continue }
    }
}

/// Lets seven bytes move, then none for a moment, and counts how often it is asked in vain.
struct Sparing {
    left: usize,
    held_back: usize,
    called: Option<Event>,
}

impl Attention for Sparing {
    fn items(&self) -> [PollItem<'_>; 2] {
        let called = self.called.as_ref().map(|event| event.handle());
        let item = called.map_or(PollItem::nothing(), |it| PollItem::new(it, Interest::Read));
        [item, PollItem::nothing()]
    }

    fn attend(&mut self, _: u64) -> Verdict {
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
fn no_more_moves_than_is_allowed_and_holding_back_is_no_stall() {
    let bytes = content(100);
    let sparing = || Sparing { left: 7, held_back: 0, called: None };
    let no_time = Duration::ZERO;

    let (mut near, far) = pair();
    let reader = collect(far);
    let mut attention = sparing();
    let outcome = send_file(&file_of(&bytes), 0..100, &mut near, no_time, &mut attention);
    assert!(matches!(outcome.end, End::Done), "{outcome:?}");
    let outcome = send(&mut &bytes[..], &mut near, no_time, &mut sparing());
    assert!(matches!(outcome.end, End::Done), "{outcome:?}");
    drop(near);
    assert_eq!((reader.join().unwrap(), attention.held_back), (bytes.repeat(2), 14));

    let (mut near, mut far) = pair();
    far.write_all(&bytes).unwrap();
    drop(far);
    let mut attention = sparing();
    let mut sink = Sink(tempfile::tempfile().unwrap());
    let outcome = receive_file(&mut near, &mut sink, PATIENCE, &mut attention);
    assert!(matches!(outcome.end, End::Done) && outcome.moved == 100, "{outcome:?}");
    assert_eq!(attention.held_back, 14);
}

#[test]
fn who_is_held_back_is_stopped_all_the_same() {
    let (mut near, _far) = pair();
    let called = Event::new().unwrap();
    called.set();
    let mut attention = Sparing { left: 7, held_back: 0, called: Some(called) };
    let outcome = send_file(&file_of(&content(100)), 0..100, &mut near, PATIENCE, &mut attention);
    assert!(matches!(outcome.end, End::Stopped) && outcome.moved == 7, "{outcome:?}");
}

const NEVER: u64 = u64::MAX;
const PATIENCE: Duration = Duration::from_secs(60);

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
        let mut attention = Until { stop_at: NEVER, seen: 0 };
        let outcome = send(&mut &bytes[..], &mut near, PATIENCE, &mut attention);
        assert!(matches!(outcome.end, End::Done), "{outcome:?}");
        assert_eq!(outcome.moved, length as u64);
        near.tcp().shutdown(std::net::Shutdown::Write).unwrap();
        let (got, mut far) = reader.join().unwrap();
        assert!(got == expected);

        let writer = thread::spawn(move || far.write_all(&expected));
        let mut got = Vec::new();
        let mut attention = Until { stop_at: NEVER, seen: 0 };
        let outcome = receive(&mut near, &mut got, PATIENCE, &mut attention);
        writer.join().unwrap().unwrap();
        assert!(matches!(outcome.end, End::Done));
        assert!(got == bytes && attention.seen == outcome.moved);
    }
}

#[test]
fn a_stalled_peer_ends_it() {
    let (mut near, _far) = pair();
    let mut attention = Until { stop_at: NEVER, seen: 0 };
    let outcome = receive(&mut near, &mut Vec::new(), Duration::from_millis(1), &mut attention);
    assert!(matches!(outcome.end, End::Stalled));
    let outcome = send(&mut io::repeat(7), &mut near, Duration::from_millis(1), &mut attention);
    assert!(matches!(outcome.end, End::Stalled) && outcome.moved > 0);
}

#[test]
fn a_flow_without_pauses_is_still_broken_off() {
    let (mut near, mut far) = pair();
    let reader = thread::spawn(move || io::copy(&mut far, &mut io::sink()));
    let mut attention = Until { stop_at: 1, seen: 0 };
    let outcome = send(&mut io::repeat(7), &mut near, PATIENCE, &mut attention);
    assert!(matches!(outcome.end, End::Stopped));
    drop(near);
    assert!(reader.join().unwrap().unwrap() >= ATTEND_EVERY);
}

#[test]
fn whose_fault_it_was_is_told() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(ErrorKind::InvalidData.into())
        }
    }
    let (mut near, far) = pair();
    let mut attention = Until { stop_at: NEVER, seen: 0 };
    let outcome = send(&mut Broken, &mut near, PATIENCE, &mut attention);
    assert!(matches!(outcome.end, End::Local(_)));
    drop(far);
    let outcome = send(&mut io::repeat(7), &mut near, PATIENCE, &mut attention);
    assert!(matches!(outcome.end, End::Peer(_)), "{outcome:?}");
}

/// A plain file of these bytes.
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
fn every_part_of_a_file_arrives() {
    let bytes = content(3_000_001);
    let file = file_of(&bytes);
    let length = bytes.len() as u64;
    for range in [0..0, 0..1, 0..length, 1..length - 1, 65_535..65_537, length - 1..length] {
        let (mut near, far) = pair();
        let reader = collect(far);
        let mut attention = Until { stop_at: NEVER, seen: 0 };
        let outcome = send_file(&file, range.clone(), &mut near, PATIENCE, &mut attention);
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
    let mut attention = Until { stop_at: NEVER, seen: 0 };
    let file = file_of(b"short");
    let outcome = send_file(&file, 1..100, &mut near, PATIENCE, &mut attention);
    drop(near);
    assert!(matches!(outcome.end, End::Done) && outcome.moved == 4, "{outcome:?}");
    assert_eq!(reader.join().unwrap(), b"hort");
}

#[test]
fn a_file_on_its_way_is_broken_off_stalls_and_fails_like_any_source() {
    let size = 3 * ATTEND_EVERY;
    let file = file_of(b"");
    file.set_len(size).unwrap();
    let (mut near, mut far) = pair();
    let reader = thread::spawn(move || io::copy(&mut far, &mut io::sink()));
    let outcome = send_file(&file, 0..size, &mut near, PATIENCE, &mut Called::new());
    assert!(matches!(outcome.end, End::Stopped), "{outcome:?}");
    assert!(outcome.moved <= 2 * ATTEND_EVERY);
    drop(near);
    reader.join().unwrap().unwrap();

    let (mut near, far) = pair();
    let mut attention = Until { stop_at: NEVER, seen: 0 };
    let brief = Duration::from_millis(1);
    let outcome = send_file(&file, 0..size, &mut near, brief, &mut attention);
    assert!(matches!(outcome.end, End::Stalled) && outcome.moved > 0, "{outcome:?}");
    drop(far);
    let mut attention = Until { stop_at: NEVER, seen: 0 };
    let outcome = send_file(&file, 0..size, &mut near, PATIENCE, &mut attention);
    assert!(matches!(outcome.end, End::Peer(_)), "{outcome:?}");
    let unreadable = tempfile::NamedTempFile::new().unwrap();
    unreadable.as_file().set_len(10).unwrap();
    let written = File::options().write(true).open(unreadable.path()).unwrap();
    let (mut near, _far) = pair();
    let outcome = send_file(&written, 0..10, &mut near, PATIENCE, &mut attention);
    assert!(matches!(outcome.end, End::Local(_)), "{outcome:?}");
}

/// Writes to a file, and lends it.
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
fn every_byte_is_stored_once_whatever_the_pieces() {
    let large = LARGE as usize;
    for length in [0, 1, large - 1, large, large + 1, large + PIPE + 1, large + 5_000_001] {
        for piece in [10_000, 3_000_000] {
            let bytes = content(length);
            let (mut near, far) = pair();
            let writer = send_in_pieces(far, bytes.clone(), piece);
            let place = tempfile::NamedTempFile::new().unwrap();
            let mut attention = Until { stop_at: NEVER, seen: 0 };
            let mut sink = Sink(place.reopen().unwrap());
            let outcome = receive_file(&mut near, &mut sink, PATIENCE, &mut attention);
            writer.join().unwrap();
            assert!(matches!(outcome.end, End::Done), "{outcome:?}");
            assert!(outcome.moved == length as u64 && attention.seen == outcome.moved);
            assert!(std::fs::read(place.path()).unwrap() == bytes, "{length} by {piece}");
        }
    }
}

#[test]
fn a_file_that_takes_nothing_from_a_pipe_is_written_all_the_same() {
    let bytes = content(LARGE as usize + 3_000_001);
    let (mut near, far) = pair();
    let writer = send_in_pieces(far, bytes.clone(), 1_000_000);
    let place = tempfile::NamedTempFile::new().unwrap();
    let mut sink = Sink(File::options().append(true).open(place.path()).unwrap());
    let mut attention = Until { stop_at: NEVER, seen: 0 };
    let outcome = receive_file(&mut near, &mut sink, PATIENCE, &mut attention);
    writer.join().unwrap();
    assert!(matches!(outcome.end, End::Done), "{outcome:?}");
    assert!(std::fs::read(place.path()).unwrap() == bytes);
}

#[test]
fn a_large_file_on_its_way_in_is_broken_off_and_stalls_like_a_small_one() {
    let (mut near, far) = pair();
    let writer = send_in_pieces(far.try_clone().unwrap(), content(LARGE as usize + 1), 65_536);
    let mut sink = Sink(tempfile::tempfile().unwrap());
    let mut attention = Until { stop_at: NEVER, seen: 0 };
    let brief = Duration::from_secs(1);
    let outcome = receive_file(&mut near, &mut sink, brief, &mut attention);
    writer.join().unwrap();
    assert!(matches!(outcome.end, End::Stalled), "{outcome:?}");
    assert_eq!(outcome.moved, LARGE + 1);
    let mut far = far;
    let writer = thread::spawn(move || io::copy(&mut io::repeat(7), &mut far));
    let mut attention = Called::new();
    let outcome = receive_file(&mut near, &mut sink, PATIENCE, &mut attention);
    assert!(matches!(outcome.end, End::Stopped), "{outcome:?}");
    drop(near);
    assert!(writer.join().unwrap().is_err());
}

/// Both ends of a data connection under TLS.
fn tls_ends() -> Option<(Data, Data)> {
    // An end that is closed with a ticket unread resets the connection.
    let (server, client) = tls_pair(0)?;
    Some((server.into(), client.into()))
}

#[test]
fn under_tls_every_byte_goes_both_ways_and_the_end_is_told() {
    for length in [0, 1, 16_384, LARGEST_UNDER_TLS + 1, LARGE as usize + 3_000_001] {
        for server_sends in [true, false] {
            let Some((near, far)) = tls_ends() else { return };
            let (mut near, mut far) = if server_sends { (near, far) } else { (far, near) };
            let bytes = content(length);
            let file = file_of(&bytes);
            let sender = thread::spawn(move || {
                let mut attention = Until { stop_at: NEVER, seen: 0 };
                let all = 0..length as u64;
                let sent = send_file(&file, all, &mut near, PATIENCE, &mut attention);
                finish(sent, &mut near, PATIENCE, &mut attention)
            });
            let place = tempfile::NamedTempFile::new().unwrap();
            let mut sink = Sink(place.reopen().unwrap());
            let mut attention = Until { stop_at: NEVER, seen: 0 };
            let received = receive_file(&mut far, &mut sink, PATIENCE, &mut attention);
            let sent = sender.join().unwrap();
            assert!(matches!((&sent.end, &received.end), (End::Done, End::Done)), "{received:?}");
            assert_eq!((sent.moved, received.moved), (length as u64, length as u64));
            assert!(std::fs::read(place.path()).unwrap() == bytes);
        }
    }
}

#[test]
fn under_tls_an_end_that_is_not_told_is_no_end() {
    let Some((mut near, mut far)) = tls_ends() else { return };
    let mut attention = Until { stop_at: NEVER, seen: 0 };
    let sent = send(&mut &b"not all"[..], &mut near, PATIENCE, &mut attention);
    assert!(matches!(sent.end, End::Done));
    drop(near);
    let mut got = Vec::new();
    let received = receive(&mut far, &mut got, PATIENCE, &mut Until { stop_at: NEVER, seen: 0 });
    assert!(matches!(received.end, End::Peer(_)) && got == b"not all", "{received:?}");
    // A transfer that has failed is not told to be at its end.
    let Some((mut near, mut far)) = tls_ends() else { return };
    let stopped = Outcome { moved: 0, end: End::Stopped };
    let mut attention = Until { stop_at: NEVER, seen: 0 };
    let finished = finish(stopped, &mut near, PATIENCE, &mut attention);
    assert!(matches!(finished.end, End::Stopped));
    drop(near);
    let received = receive(&mut far, &mut got, PATIENCE, &mut attention);
    assert!(matches!(received.end, End::Peer(_)), "{received:?}");
}

#[test]
fn under_tls_a_peer_that_stalls_ends_it_and_rates_are_kept() {
    let Some((mut near, far)) = tls_ends() else { return };
    let brief = Duration::from_millis(1);
    let mut attention = Until { stop_at: NEVER, seen: 0 };
    let outcome = receive(&mut near, &mut Vec::new(), brief, &mut attention);
    assert!(matches!(outcome.end, End::Stalled), "{outcome:?}");
    let outcome = send(&mut io::repeat(7), &mut near, brief, &mut attention);
    assert!(matches!(outcome.end, End::Stalled) && outcome.moved > 0, "{outcome:?}");
    drop(far);

    let Some((mut near, mut far)) = tls_ends() else { return };
    let bytes = content(100);
    let mut attention = Sparing { left: 7, held_back: 0, called: None };
    let outcome = send(&mut &bytes[..], &mut near, PATIENCE, &mut attention);
    assert!(matches!(outcome.end, End::Done) && attention.held_back == 14, "{outcome:?}");
    let outcome = finish(outcome, &mut near, PATIENCE, &mut attention);
    assert!(matches!(outcome.end, End::Done), "{outcome:?}");
    let mut got = Vec::new();
    let outcome = receive(&mut far, &mut got, PATIENCE, &mut Called::new());
    assert!(matches!(outcome.end, End::Done | End::Stopped), "{outcome:?}");
}
