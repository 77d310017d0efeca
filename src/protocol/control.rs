//! The control connection: bounded lines in, whole replies and commands out.
//!
//! [`Control`] works over any `Read` and `Write`, so that it knows nothing of sockets and a TLS
//! stream can take the socket's place. Its contract:
//!
//! - A line is at most [`MAX_LINE`] bytes. A longer one is skipped to its end in constant memory
//!   and reported as [`Line::TooLong`], once.
//! - Lines end in LF, with or without a CR before it. Many may come in one read, or one in many.
//! - Telnet commands are removed (RFC 959 section 2.3: the control connection is a Telnet
//!   connection), and `IAC IAC` is the byte 255. A lone 255 before a byte that is no Telnet command
//!   stays what it is, because clients that know nothing of Telnet send file names with it.
//! - What follows the last LF before the end of the stream is dropped: it may be the beginning of a
//!   command that named something else.

use super::{BadReply, Command, MAX_LINE, Reply, ReplyParser};
use std::collections::VecDeque;
use std::io::{self, Read, Write};

/// One line of the peer, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The line.
    Text(Vec<u8>),
    /// It was longer than [`MAX_LINE`] and is lost.
    TooLong,
}

/// A control connection over the stream `S`.
#[derive(Debug)]
pub struct Control<S> {
    stream: S,
    telnet: Telnet,
    /// The line that is being read, and whether it has grown too long.
    partial: Vec<u8>,
    overlong: bool,
    /// Lines that were read and not yet taken. Who reads ahead has to look at how many there are.
    lines: VecDeque<Line>,
}

/// Room for a command, or a burst of small ones, in a read. It is on the stack below which an idle
/// session waits: with more, a third page of it would stay with every session.
const CHUNK: usize = 512;

impl<S> Control<S> {
    /// A control connection over `stream`.
    pub fn new(stream: S) -> Control<S> {
        Control {
            stream,
            telnet: Telnet::Data,
            partial: Vec::new(),
            overlong: false,
            lines: VecDeque::new(),
        }
    }

    /// The stream below.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// The stream below, for its settings.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The next line that has already arrived, left in its place.
    pub fn peek_line(&self) -> Option<&Line> {
        self.lines.front()
    }

    /// All lines that have already arrived, left in their place.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter()
    }

    /// The next line that has already arrived.
    pub fn take_line(&mut self) -> Option<Line> {
        self.lines.pop_front()
    }

    fn accept(&mut self, byte: u8) {
        match byte {
            b'\n' => self.end_line(),
            _ if self.partial.len() > MAX_LINE => self.overlong = true,
            _ => self.partial.push(byte),
        }
    }

    fn end_line(&mut self) {
        let mut text = std::mem::take(&mut self.partial);
        if text.last() == Some(&b'\r') {
            text.pop();
        }
        let overlong = std::mem::take(&mut self.overlong) || text.len() > MAX_LINE;
        self.lines.push_back(if overlong { Line::TooLong } else { Line::Text(text) });
    }
}

impl<S: Read> Control<S> {
    /// Reads once from the stream and sorts what came into lines; 0 is the end of the stream.
    ///
    /// # Errors
    /// What the stream says, time-outs among it.
    pub fn fill(&mut self) -> io::Result<usize> {
        let mut chunk = [0u8; CHUNK];
        let length = loop {
            match self.stream.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        for &byte in &chunk[..length] {
            let (first, second) = self.telnet.filter(byte);
            first.into_iter().chain(second).for_each(|byte| self.accept(byte));
        }
        Ok(length)
    }

    /// The next line; `None` at the end of the stream.
    ///
    /// # Errors
    /// What the stream says, time-outs among it. Nothing that was read is lost by an error.
    pub fn read_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.take_line() {
                return Ok(Some(line));
            }
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
    }

    /// The next reply of a server.
    ///
    /// # Errors
    /// `UnexpectedEof` if the stream ends, `InvalidData` with a [`BadReply`] if what comes is no
    /// reply, else what the stream says.
    pub fn read_reply(&mut self) -> io::Result<Reply> {
        let mut parser = ReplyParser::default();
        loop {
            let line = match self.read_line()? {
                Some(Line::Text(text)) => text,
                Some(Line::TooLong) => return Err(invalid(BadReply::TooLong)),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            };
            if let Some(reply) = parser.line(&line).map_err(invalid)? {
                return Ok(reply);
            }
        }
    }
}

impl<S: Write> Control<S> {
    /// Sends a reply in one write.
    ///
    /// # Errors
    /// What the stream says.
    pub fn send_reply(&mut self, reply: &Reply) -> io::Result<()> {
        let mut out = Vec::new();
        reply.write_to(&mut out);
        self.send(&out)
    }

    /// Sends a command in one write.
    ///
    /// # Errors
    /// What the stream says.
    pub fn send_command(&mut self, command: &Command) -> io::Result<()> {
        let mut out = Vec::new();
        command.write_to(&mut out);
        out.extend_from_slice(b"\r\n");
        self.send(&out)
    }

    /// Sends lines that are already written, in one write, their bytes 255 doubled.
    ///
    /// # Errors
    /// What the stream says.
    pub fn send(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.contains(&IAC) {
            let mut doubled = Vec::with_capacity(lines.len() + 8);
            for &byte in lines {
                doubled.push(byte);
                if byte == IAC {
                    doubled.push(IAC);
                }
            }
            self.stream.write_all(&doubled)?;
        } else {
            self.stream.write_all(lines)?;
        }
        self.stream.flush()
    }
}

fn invalid(bad: BadReply) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, bad)
}

const IAC: u8 = 255;

/// Where in a Telnet command the stream stands (RFC 854).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telnet {
    Data,
    /// After IAC.
    Command,
    /// After IAC WILL, WON'T, DO or DON'T: the option follows.
    Option,
    /// Between IAC SB and IAC SE.
    Subnegotiation,
    /// After an IAC in there.
    SubnegotiationCommand,
}

impl Telnet {
    /// Takes a byte and gives what of it is data: nothing, a byte, or two.
    fn filter(&mut self, byte: u8) -> (Option<u8>, Option<u8>) {
        const SE: u8 = 240;
        const SB: u8 = 250;
        const FIRST: u8 = 236; // EOF, the lowest command (RFC 1184)
        let (next, data) = match (*self, byte) {
            (Telnet::Data, IAC) => (Telnet::Command, (None, None)),
            (Telnet::Data, byte) => (Telnet::Data, (Some(byte), None)),
            (Telnet::Command, IAC) => (Telnet::Data, (Some(IAC), None)),
            (Telnet::Command, SB) => (Telnet::Subnegotiation, (None, None)),
            (Telnet::Command, 251..=254) => (Telnet::Option, (None, None)),
            (Telnet::Command, FIRST..) => (Telnet::Data, (None, None)),
            (Telnet::Command, byte) => (Telnet::Data, (Some(IAC), Some(byte))),
            (Telnet::Option, _) => (Telnet::Data, (None, None)),
            (Telnet::Subnegotiation, IAC) => (Telnet::SubnegotiationCommand, (None, None)),
            (Telnet::Subnegotiation, _) => (Telnet::Subnegotiation, (None, None)),
            (Telnet::SubnegotiationCommand, SE) => (Telnet::Data, (None, None)),
            (Telnet::SubnegotiationCommand, _) => (Telnet::Subnegotiation, (None, None)),
        };
        *self = next;
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Code;

    /// A stream that gives what it was told in the pieces it was told, and keeps what it is sent.
    struct Script {
        pieces: VecDeque<Vec<u8>>,
        sent: Vec<u8>,
    }

    impl Script {
        fn new<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Control<Script> {
            let pieces = pieces.into_iter().map(<[u8]>::to_vec).collect();
            Control::new(Script { pieces, sent: Vec::new() })
        }
    }

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(mut piece) = self.pieces.pop_front() else { return Ok(0) };
            let rest = piece.split_off(piece.len().min(buffer.len()));
            buffer[..piece.len()].copy_from_slice(&piece);
            if !rest.is_empty() {
                self.pieces.push_front(rest);
            }
            Ok(piece.len())
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.sent.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(mut control: Control<Script>) -> Vec<Line> {
        std::iter::from_fn(|| control.read_line().unwrap()).collect()
    }

    fn text(line: &[u8]) -> Line {
        Line::Text(line.to_vec())
    }

    #[test]
    fn the_same_lines_at_every_split() {
        let wire = b"USER a\r\nPASS \xff\xffx\r\n\r\n\xff\xf4\xff\xf2ABOR\nRETR a\rb\r\nQUIT\r\n";
        let expected: Vec<Line> =
            [&b"USER a"[..], b"PASS \xffx", b"", b"ABOR", b"RETR a\rb", b"QUIT"].map(text).into();
        assert_eq!(lines(Script::new(wire.chunks(1))), expected);
        for split in 0..wire.len() {
            let (a, b) = wire.split_at(split);
            let pieces = [a, b].into_iter().filter(|piece| !piece.is_empty());
            assert_eq!(lines(Script::new(pieces)), expected, "split at {split}");
        }
    }

    #[test]
    fn an_empty_piece_is_the_end() {
        assert_eq!(lines(Script::new([&b"NOOP\r\nDELE a"[..]])), [text(b"NOOP")]);
    }

    #[test]
    fn the_longest_line_passes_and_a_longer_one_is_lost_alone() {
        for (length, fits) in [(MAX_LINE, true), (MAX_LINE + 1, false), (1_000_000, false)] {
            for end in [&b"\r\n"[..], b"\n"] {
                let long = vec![b'x'; length];
                let wire = [&long[..], end, b"NOOP", end].concat();
                let expected = if fits { Line::Text(long) } else { Line::TooLong };
                let all = lines(Script::new(wire.chunks(999)));
                assert_eq!(all, [expected, text(b"NOOP")], "{length}");
            }
        }
    }

    #[test]
    fn telnet_commands_are_removed_and_lone_255_kept() {
        let cases: &[(&[u8], &[u8])] = &[
            (b"\xff\xfb\x01\xff\xfd\x03NOOP", b"NOOP"),
            (b"NO\xff\xfa\x18\x01x\xff\xf0OP", b"NOOP"),
            (b"\xff\xf1NOOP", b"NOOP"),
            (b"RETR \xffab", b"RETR \xffab"),
            (b"RETR \xff\xff\xff\xffab", b"RETR \xff\xffab"),
        ];
        for (wire, expected) in cases {
            let wire = [wire, &b"\r\n"[..]].concat();
            assert_eq!(lines(Script::new([&wire[..]])), [text(expected)]);
        }
    }

    #[test]
    fn what_is_sent_has_its_255_doubled_and_comes_back_the_same() {
        let reply = Reply::new(Code::PATH, &b"\"/\xff\xffa\xff\""[..]);
        let mut control = Script::new([]);
        control.send_reply(&reply).unwrap();
        let sent = std::mem::take(&mut control.stream.sent);
        assert_eq!(sent, b"257 \"/\xff\xff\xff\xffa\xff\xff\"\r\n");
        assert_eq!(Script::new([&sent[..]]).read_reply().unwrap(), reply);
    }

    #[test]
    fn replies_are_read_one_by_one() {
        let mut control = Script::new([&b"220-a\r\n"[..], b"b\r\n220 c\r\n200 d\r\n", b"junk\r\n"]);
        assert_eq!(control.read_reply().unwrap().body(), [b"b".to_vec()]);
        assert_eq!(control.read_reply().unwrap().text(), b"d");
        assert_eq!(control.read_reply().unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(control.read_reply().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
