//! The one loop that moves the bytes of files, in both directions and both programs.
//!
//! `std::io::copy` to a socket moves 8 KiB a time. This loop has one buffer that grows while reads
//! fill it and is given back at the end; it never waits without listening to whoever may end the
//! transfer, and it says why it ended. Time counts from the last byte that moved, so a slow
//! transfer goes on and a stalled one does not.

use crate::net::{self, Attention, Verdict, Waited};
use crate::sys::{Interest, Waitable};
use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

/// Where the buffer begins, and how large it may grow. Small files should not cost a large buffer;
/// beyond a MiB a larger one was no faster for reads from a file.
const FIRST_BUFFER: usize = 32 * 1024;
const LARGEST_BUFFER: usize = 1024 * 1024;

/// How many bytes may move before the attention is asked although nothing made the loop wait. At
/// the slowest speed that never waits this is a few milliseconds.
const ATTEND_EVERY: u64 = 8 * 1024 * 1024;

/// How a transfer ended, and how far it came.
#[derive(Debug)]
pub struct Outcome {
    /// Bytes that went over the data connection.
    pub moved: u64,
    /// Why it ended.
    pub end: End,
}

/// Why a transfer ended.
#[derive(Debug)]
pub enum End {
    /// The source came to its end.
    Done,
    /// The [`Attention`] said stop.
    Stopped,
    /// Nothing moved for as long as was allowed.
    Stalled,
    /// The data connection broke.
    Peer(io::Error),
    /// The local file or listing failed.
    Local(io::Error),
}

/// Sends all of `source` over `data`, which must not block.
pub fn send(
    source: &mut impl Read,
    data: &mut (impl Write + Waitable),
    stall: Duration,
    attention: &mut impl Attention,
) -> Outcome {
    let mut flow = Flow::new(stall, attention);
    let end = flow.send(source, data).err().unwrap_or(End::Done);
    Outcome { moved: flow.moved, end }
}

/// Receives from `data`, which must not block, to its end and writes all of it to `sink`.
pub fn receive(
    data: &mut (impl Read + Waitable),
    sink: &mut impl Write,
    stall: Duration,
    attention: &mut impl Attention,
) -> Outcome {
    let mut flow = Flow::new(stall, attention);
    let end = flow.receive(data, sink).err().unwrap_or(End::Done);
    Outcome { moved: flow.moved, end }
}

/// One transfer on its way.
struct Flow<'a, A> {
    moved: u64,
    attended: u64,
    stall: Duration,
    attention: &'a mut A,
}

impl<A: Attention> Flow<'_, A> {
    fn new(stall: Duration, attention: &mut A) -> Flow<'_, A> {
        Flow { moved: 0, attended: 0, stall, attention }
    }

    fn send(
        &mut self,
        source: &mut impl Read,
        data: &mut (impl Write + Waitable),
    ) -> Result<(), End> {
        let mut buffer = vec![0; FIRST_BUFFER];
        loop {
            let length = read(source, &mut buffer).map_err(End::Local)?;
            if length == 0 {
                return Ok(());
            }
            self.send_all(&buffer[..length], data)?;
            grow(&mut buffer, length);
        }
    }

    fn send_all(
        &mut self,
        mut bytes: &[u8],
        data: &mut (impl Write + Waitable),
    ) -> Result<(), End> {
        while !bytes.is_empty() {
            match data.write(bytes) {
                Ok(0) => return Err(End::Peer(ErrorKind::WriteZero.into())),
                Ok(count) => {
                    bytes = &bytes[count..];
                    self.advance(count)?;
                }
                Err(error) => self.pause(error, &*data, Interest::Write)?,
            }
        }
        Ok(())
    }

    fn receive(
        &mut self,
        data: &mut (impl Read + Waitable),
        sink: &mut impl Write,
    ) -> Result<(), End> {
        let mut buffer = vec![0; FIRST_BUFFER];
        loop {
            match data.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => {
                    sink.write_all(&buffer[..length]).map_err(End::Local)?;
                    self.advance(length)?;
                    grow(&mut buffer, length);
                }
                Err(error) => self.pause(error, &*data, Interest::Read)?,
            }
        }
    }

    /// Counts what has moved, and looks up now and then where nothing else makes the loop wait.
    fn advance(&mut self, count: usize) -> Result<(), End> {
        self.moved += count as u64;
        self.attention.moved(self.moved);
        if self.moved - self.attended < ATTEND_EVERY {
            return Ok(());
        }
        self.attended = self.moved;
        match self.attention.attend(self.moved) {
            Verdict::Continue => Ok(()),
            Verdict::Stop => Err(End::Stopped),
        }
    }

    /// After an error of the data connection: waits if that is all it was about.
    fn pause(
        &mut self,
        error: io::Error,
        data: &impl Waitable,
        interest: Interest,
    ) -> Result<(), End> {
        match error.kind() {
            ErrorKind::Interrupted => return Ok(()),
            ErrorKind::WouldBlock => {}
            _ => return Err(End::Peer(error)),
        }
        self.attended = self.moved;
        let deadline = net::deadline(self.stall);
        match net::wait_with(data.handle(), interest, deadline, self.moved, self.attention) {
            Ok(Waited::Ready) => Ok(()),
            Ok(Waited::Stopped) => Err(End::Stopped),
            Ok(Waited::TimedOut) => Err(End::Stalled),
            Err(error) => Err(End::Peer(error)),
        }
    }
}

fn read(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// A read that filled the buffer says there is more where that came from.
fn grow(buffer: &mut Vec<u8>, filled: usize) {
    if filled == buffer.len() && filled < LARGEST_BUFFER {
        *buffer = vec![0; (filled * 4).min(LARGEST_BUFFER)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::PollItem;
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

    const NEVER: u64 = u64::MAX;
    const PATIENCE: Duration = Duration::from_secs(60);

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        (near, far)
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
            near.shutdown(std::net::Shutdown::Write).unwrap();
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
}
