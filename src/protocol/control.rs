//! The control connection: reads bounded lines, writes whole replies and commands.
//!
//! [`Control`] works with any `Read` and `Write`, so it does not depend on sockets, and a TLS
//! stream can replace the socket. Its contract:
//!
//! - A line is at most [`MAX_LINE`] bytes. A longer one is skipped in constant memory up to its
//!   end and reported once as [`Line::TooLong`].
//! - Lines end in LF. Carriage returns directly before the LF belong to the line end, and so does
//!   `CR NUL`, because Telnet clients send `CR LF`, `CR CR LF` and `CR NUL LF`; after a verb
//!   without an argument, NULs belong to it too. Anywhere else `CR NUL` stays in the line: it
//!   stands for a carriage return in a name (RFC 2640 section 3.1), which
//!   [`Name::from_wire`](super::Name::from_wire) decodes. One read may return many lines, and one
//!   line may take many reads.
//! - Telnet commands are removed where clients send them, which is before the argument: from the
//!   start of a line to its first space (RFC 959 section 2.3: the control connection is a Telnet
//!   connection). After the first space, `IAC IAC` is one byte 255 and every other 255 is data,
//!   because names in windows-1251 and KOI8-R contain it and most clients do not double it.
//! - Requests to negotiate an option are refused: WILL is answered with DONT, and DO with WONT
//!   (RFC 854). [`Control::read_command`] sends the answer at once; otherwise it precedes the next
//!   data sent.
//! - Bytes after the last LF are dropped at the end of the stream: they may be the beginning of a
//!   command whose name was cut off.

use super::{BadReply, MAX_LINE, Reply, ReplyParser};
use std::collections::VecDeque;
use std::io::{self, Read, Write};

/// A line from the peer, without its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The text of the line.
    Text(Vec<u8>),
    /// The line was longer than [`MAX_LINE`] and was discarded.
    TooLong,
}

/// A control connection over the stream `S`.
#[derive(Debug)]
pub struct Control<S> {
    stream: S,
    telnet: Telnet,
    /// Refusals of Telnet options that have not been sent yet.
    answers: Vec<u8>,
    /// The line that is being read.
    partial: Vec<u8>,
    /// The line that is being read contains a space, so a byte 255 is data.
    in_argument: bool,
    /// The line that is being read exceeds [`MAX_LINE`].
    overlong: bool,
    /// Lines that were read but not taken yet. A caller of [`Control::fill`] that reads ahead has
    /// to bound their number.
    lines: VecDeque<Line>,
}

/// The size of one read: a command or several short ones. The buffer is on the stack below which
/// an idle session waits; a larger one would keep a third stack page resident in every session.
const CHUNK: usize = 512;

/// The limit of unsent refusals of Telnet options, in bytes. Requests beyond it are not answered,
/// so that a peer that sends hundreds of them without reading cannot make the answers pile up.
const MAX_ANSWERS: usize = CHUNK;

impl<S> Control<S> {
    /// Creates a control connection over `stream`.
    pub fn new(stream: S) -> Control<S> {
        Control {
            stream,
            telnet: Telnet::Data,
            answers: Vec::new(),
            partial: Vec::new(),
            in_argument: false,
            overlong: false,
            lines: VecDeque::new(),
        }
    }

    /// Returns the underlying stream.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Returns the underlying stream, for changing its settings.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Returns whether all bytes that were read have been taken: no line, no part of a line and no
    /// part of a Telnet command is left.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.partial.is_empty() && self.telnet == Telnet::Data
    }

    /// Returns the next line that has already arrived, without taking it.
    pub fn peek_line(&self) -> Option<&Line> {
        self.lines.front()
    }

    /// Returns all lines that have already arrived, without taking them.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter()
    }

    /// Takes the next line that has already arrived.
    pub fn take_line(&mut self) -> Option<Line> {
        self.lines.pop_front()
    }

    /// Processes one byte of the stream.
    fn take(&mut self, byte: u8) {
        let (next, event) = self.telnet.after(byte, self.in_argument);
        self.telnet = next;
        match event {
            Event::Nothing => {}
            Event::Data(byte) => self.accept(byte),
            Event::Lone255(byte) => {
                self.accept(IAC);
                self.accept(byte);
            }
            Event::Request { refusal, option } => {
                if self.answers.len() < MAX_ANSWERS {
                    self.answers.extend_from_slice(&[IAC, refusal, option]);
                }
            }
        }
    }

    fn accept(&mut self, byte: u8) {
        if byte == b'\n' {
            return self.end_line();
        }
        self.in_argument |= byte == b' ';
        if self.partial.len() > MAX_LINE {
            self.overlong = true;
        } else {
            self.partial.push(byte);
        }
    }

    fn end_line(&mut self) {
        let mut text = std::mem::take(&mut self.partial);
        let has_argument = std::mem::take(&mut self.in_argument);
        trim_end_of_line(&mut text, has_argument);
        let overlong = std::mem::take(&mut self.overlong) || text.len() > MAX_LINE;
        self.lines.push_back(if overlong { Line::TooLong } else { Line::Text(text) });
    }
}

/// Removes the bytes between the text of a line and its LF: any number of CR, or `CR NUL`. If a
/// further CR follows, `CR NUL` stays, because it is then a carriage return at the end of a name.
/// All other NULs are removed only after a verb without an argument: a NUL at the end of a name is
/// not part of the line end, and the command has to be refused rather than carried out with
/// another name.
fn trim_end_of_line(line: &mut Vec<u8>, has_argument: bool) {
    if line.pop_if(|byte| *byte == b'\r').is_none() && line.ends_with(b"\r\0") {
        line.truncate(line.len() - 2);
    }
    while line.pop_if(|byte| *byte == b'\r' || *byte == 0 && !has_argument).is_some() {}
}

impl<S: Read> Control<S> {
    /// Reads once from the stream and splits the bytes into lines. Returns the number of bytes; 0
    /// is the end of the stream.
    ///
    /// # Errors
    /// Returns the errors of the stream, including timeouts.
    pub fn fill(&mut self) -> io::Result<usize> {
        let mut chunk = [0u8; CHUNK];
        let length = loop {
            match self.stream.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        // A client that waits for each reply sends one command, which then takes one allocation.
        self.partial.reserve(length);
        chunk[..length].iter().for_each(|&byte| self.take(byte));
        Ok(length)
    }

    /// Returns the next line, or `None` at the end of the stream. Refusals of Telnet options are
    /// not sent until the next write.
    ///
    /// # Errors
    /// Returns the errors of the stream, including timeouts. No data is lost by an error.
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

    /// Reads the next reply of a server.
    ///
    /// # Errors
    /// `UnexpectedEof` if the stream ends, `InvalidData` with a [`BadReply`] if the data is not a
    /// reply, or the errors of the stream.
    pub fn read_reply(&mut self) -> io::Result<Reply> {
        self.read_reply_by(ReplyParser::default())
    }

    /// Reads the greeting of a server, which other lines may precede.
    ///
    /// # Errors
    /// The errors of [`Control::read_reply`].
    pub fn read_greeting(&mut self) -> io::Result<Reply> {
        self.read_reply_by(ReplyParser::of_greeting())
    }

    fn read_reply_by(&mut self, mut parser: ReplyParser) -> io::Result<Reply> {
        loop {
            let line = match self.read_line() {
                Ok(Some(Line::Text(text))) => text,
                Ok(Some(Line::TooLong)) => return Err(invalid(BadReply::TooLong)),
                Ok(None) => {
                    let ended = io::ErrorKind::UnexpectedEof.into();
                    return Err(parser.only_text().map_or(ended, invalid));
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Err(parser.unfinished().map_or(error, invalid));
                }
                Err(error) => return Err(error),
            };
            if let Some(reply) = parser.line(&line).map_err(invalid)? {
                return Ok(reply);
            }
        }
    }
}

impl<S: Read + Write> Control<S> {
    /// Returns the next line of a client like [`Control::read_line`], and refuses Telnet options
    /// at once.
    ///
    /// # Errors
    /// Returns the errors of the stream, including timeouts. No data is lost by an error.
    pub fn read_command(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.take_line() {
                return Ok(Some(line));
            }
            if !self.answers.is_empty() {
                self.send(b"")?;
            }
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
    }
}

impl<S: Write> Control<S> {
    /// Sends a reply in one write.
    ///
    /// # Errors
    /// Returns the errors of the stream.
    pub fn send_reply(&mut self, reply: &Reply) -> io::Result<()> {
        let mut out = Vec::new();
        reply.write_to(&mut out);
        self.send(&out)
    }

    /// Sends encoded lines in one write, with each byte 255 doubled (RFC 854, IAC).
    ///
    /// # Errors
    /// Returns the errors of the stream.
    pub fn send(&mut self, lines: &[u8]) -> io::Result<()> {
        if !lines.contains(&IAC) {
            return self.send_undoubled(lines);
        }
        let double = |&byte: &u8| std::iter::repeat_n(byte, if byte == IAC { 2 } else { 1 });
        let lines: Vec<u8> = lines.iter().flat_map(double).collect();
        self.send_undoubled(&lines)
    }

    /// Like [`Control::send`], for a server that does not remove the doubling: each byte 255 is sent once.
    ///
    /// # Errors
    /// Returns the errors of the stream.
    pub fn send_undoubled(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.answers.is_empty() {
            self.stream.write_all(lines)?;
        } else {
            let mut out = std::mem::take(&mut self.answers);
            out.extend_from_slice(lines);
            self.stream.write_all(&out)?;
        }
        self.stream.flush()
    }
}

fn invalid(bad: BadReply) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, bad)
}

/// "Interpret as command", the byte that begins every Telnet command (RFC 854).
const IAC: u8 = 255;

/// The parser state for Telnet commands (RFC 854).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telnet {
    /// Outside of any command.
    Data,
    /// After an IAC before the argument, where commands are removed.
    Command,
    /// After a byte 255 in an argument; a second one would be its double.
    ArgumentIac,
    /// After IAC WILL, WONT, DO or DONT, before the option byte. Contains the command that refuses
    /// the option if an answer is due.
    Option(Option<u8>),
    /// Between IAC SB and IAC SE.
    Subnegotiation,
    /// After an IAC between IAC SB and IAC SE.
    SubnegotiationCommand,
}

/// The effect of one byte of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// The byte belongs to a Telnet command, or the next byte decides about it.
    Nothing,
    /// A byte of data.
    Data(u8),
    /// The preceding byte 255 was data, and so is this byte.
    Lone255(u8),
    /// The byte completes a request for an option, which is to be refused with this command.
    Request { refusal: u8, option: u8 },
}

impl Telnet {
    /// Returns the state after `byte` and the effect of the byte.
    fn after(self, byte: u8, in_argument: bool) -> (Telnet, Event) {
        const EOF: u8 = 236; // the lowest command (RFC 1184)
        const SE: u8 = 240;
        const SB: u8 = 250;
        const WILL: u8 = 251;
        const WONT: u8 = 252;
        const DO: u8 = 253;
        const DONT: u8 = 254;
        match (self, byte) {
            (Telnet::Data, IAC) if in_argument => (Telnet::ArgumentIac, Event::Nothing),
            (Telnet::Data, IAC) => (Telnet::Command, Event::Nothing),
            (Telnet::Data, byte) => (Telnet::Data, Event::Data(byte)),
            (Telnet::ArgumentIac | Telnet::Command, IAC) => (Telnet::Data, Event::Data(IAC)),
            (Telnet::ArgumentIac, byte) => (Telnet::Data, Event::Lone255(byte)),
            (Telnet::Command, SB) => (Telnet::Subnegotiation, Event::Nothing),
            (Telnet::Command, WILL) => (Telnet::Option(Some(DONT)), Event::Nothing),
            (Telnet::Command, DO) => (Telnet::Option(Some(WONT)), Event::Nothing),
            (Telnet::Command, WONT | DONT) => (Telnet::Option(None), Event::Nothing),
            (Telnet::Command, EOF..) => (Telnet::Data, Event::Nothing),
            (Telnet::Command, byte) => (Telnet::Data, Event::Lone255(byte)),
            (Telnet::Option(Some(refusal)), option) => {
                (Telnet::Data, Event::Request { refusal, option })
            }
            (Telnet::Option(None), _) => (Telnet::Data, Event::Nothing),
            (Telnet::Subnegotiation, IAC) => (Telnet::SubnegotiationCommand, Event::Nothing),
            (Telnet::Subnegotiation, _) => (Telnet::Subnegotiation, Event::Nothing),
            (Telnet::SubnegotiationCommand, SE) => (Telnet::Data, Event::Nothing),
            (Telnet::SubnegotiationCommand, _) => (Telnet::Subnegotiation, Event::Nothing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Code;

    /// A stream that returns prepared pieces and records the bytes that are written.
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
    fn it_is_empty_between_lines_alone() {
        let wire = b"\xff\xfb\x01\xff\xfa\x18\x01\xff\xf0NOOP a\r\n";
        let between = [3, 9, 17];
        let mut control = Script::new(wire.chunks(1));
        for read in 1..=wire.len() {
            control.fill().unwrap();
            assert_eq!(control.is_empty(), between.contains(&read) && read < wire.len(), "{read}");
        }
        control.take_line();
        assert!(control.is_empty());
    }

    #[test]
    fn an_empty_piece_is_the_end() {
        assert_eq!(lines(Script::new([&b"NOOP\r\nDELE a"[..]])), [text(b"NOOP")]);
    }

    #[test]
    fn the_longest_line_passes_and_only_a_longer_one_is_lost() {
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
    fn in_an_argument_255_is_data_whatever_follows_it_and_wherever_it_is_split() {
        for next in 0..=255u8 {
            let single = [b"DELE \xff", &[next][..], b"x\r\nNOOP\r\n"].concat();
            let doubled = [b"DELE \xff\xff", &[next][..], b"x\r\nNOOP\r\n"].concat();
            let expected = match next {
                b'\n' => vec![text(b"DELE \xff"), text(b"x"), text(b"NOOP")],
                IAC => vec![text(b"DELE \xffx"), text(b"NOOP")],
                _ => vec![text(&[b"DELE \xff", &[next][..], b"x"].concat()), text(b"NOOP")],
            };
            for split in 0..=single.len() {
                let (a, b) = single.split_at(split);
                let pieces = [a, b].into_iter().filter(|piece| !piece.is_empty());
                assert_eq!(lines(Script::new(pieces)), expected, "{next} split at {split}");
            }
            if next != IAC {
                assert_eq!(lines(Script::new(doubled.chunks(1))), expected, "{next} doubled");
            }
        }
    }

    #[test]
    fn requests_for_options_are_refused() {
        let wire = b"\xff\xfd\x01\xff\xfb\x03\xff\xfe\x01\xff\xfc\x03NOOP\r\n";
        let mut control = Script::new([&wire[..], &wire[..]]);
        assert_eq!(control.read_command().unwrap(), Some(text(b"NOOP")));
        control.send(b"200 Done.\r\n").unwrap();
        assert_eq!(control.stream.sent, b"\xff\xfc\x01\xff\xfe\x03200 Done.\r\n");
        let alone = [&b"\xff\xfd\x01"[..], b"NOOP\r\n"];
        let mut control = Script::new(alone);
        assert_eq!(control.read_command().unwrap(), Some(text(b"NOOP")));
        assert_eq!(control.stream.sent, b"\xff\xfc\x01", "before the wait for the line");
        let mut control = Script::new([b"\xff\xfd\x01".repeat(100_000).as_slice()]);
        while control.fill().unwrap() > 0 {}
        assert!(control.answers.len() < MAX_ANSWERS + 3);
    }

    #[test]
    fn a_line_may_end_in_many_ways() {
        for end in ["\n", "\r\n", "\r\r\n", "\r\0\n"] {
            let wire = format!("NOOP{end}CWD a\r\0b{end}{end}");
            let expected = [text(b"NOOP"), text(b"CWD a\r\0b"), text(b"")];
            assert_eq!(lines(Script::new([wire.as_bytes()])), expected, "{end:?}");
        }
        for end in ["\0\r\n", "\0\n", "\0\0\r\r\r\n"] {
            let wire = format!("NOOP{end}CWD a{end}");
            let all = lines(Script::new([wire.as_bytes()]));
            assert_eq!(all[0], text(b"NOOP"), "{end:?}");
            assert!(all[1] != text(b"CWD a"), "{end:?}: the name has a NUL");
        }
        let wire = b"DELE a\r\0\r\nDELE a\r\0\r\r\n";
        let expected = [text(b"DELE a\r\0"), text(b"DELE a\r\0")];
        assert_eq!(lines(Script::new([&wire[..]])), expected, "the name ends in a CR");
    }

    #[test]
    fn sent_bytes_255_are_doubled_and_parsed_back() {
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
