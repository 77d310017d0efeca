//! Replies: a code and a text of one line or several (RFC 959 section 4.2).
//!
//! A [`Reply`] can always be sent. Each CR, LF or NUL in its lines becomes `?`, except in the pair
//! `CR NUL`, which stands for a CR in a name (RFC 2640 section 3.1). No line in the middle can be
//! mistaken for the last one, because a line that begins with a digit gets a leading space, as RFC
//! 959 asks. The parser accepts any middle lines, because servers write them in many ways, and is
//! strict about the first and the last line.

use super::MAX_REPLY;
use std::fmt;

/// A reply code of three digits, from 100 to 599. Undefined codes are valid values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

#[allow(missing_docs)] // the names are the meanings in RFC 959
impl Code {
    pub const OPENING_DATA: Code = Code(150);
    pub const OK: Code = Code(200);
    pub const SUPERFLUOUS: Code = Code(202);
    pub const SYSTEM_STATUS: Code = Code(211);
    pub const FILE_STATUS: Code = Code(213);
    pub const HELP: Code = Code(214);
    pub const SYSTEM_TYPE: Code = Code(215);
    pub const READY: Code = Code(220);
    pub const CLOSING: Code = Code(221);
    pub const TRANSFER_DONE: Code = Code(226);
    pub const PASSIVE: Code = Code(227);
    pub const EXTENDED_PASSIVE: Code = Code(229);
    pub const LOGGED_IN: Code = Code(230);
    pub const AUTH_ACCEPTED: Code = Code(234);
    pub const FILE_DONE: Code = Code(250);
    pub const FILE_TIME_SET: Code = Code(253);
    pub const PATH: Code = Code(257);
    pub const NEED_PASSWORD: Code = Code(331);
    pub const NEED_ACCOUNT: Code = Code(332);
    pub const PENDING: Code = Code(350);
    pub const NOT_AVAILABLE: Code = Code(421);
    pub const CANNOT_OPEN_DATA: Code = Code(425);
    pub const TRANSFER_ABORTED: Code = Code(426);
    pub const FILE_BUSY: Code = Code(450);
    pub const LOCAL_ERROR: Code = Code(451);
    pub const NO_ROOM_NOW: Code = Code(452);
    pub const UNKNOWN_COMMAND: Code = Code(500);
    pub const BAD_ARGUMENT: Code = Code(501);
    pub const NOT_IMPLEMENTED: Code = Code(502);
    pub const BAD_SEQUENCE: Code = Code(503);
    pub const BAD_PARAMETER: Code = Code(504);
    pub const DATA_NOT_PROTECTED: Code = Code(521);
    pub const BAD_PROTOCOL: Code = Code(522);
    pub const TLS_REFUSED: Code = Code(522);
    pub const NOT_LOGGED_IN: Code = Code(530);
    pub const NOT_PROTECTED: Code = Code(533);
    pub const AGAINST_POLICY: Code = Code(534);
    pub const NO_SUCH_PROTECTION: Code = Code(536);
    pub const UNAVAILABLE: Code = Code(550);
    pub const NO_ROOM: Code = Code(552);
    pub const BAD_NAME: Code = Code(553);
    pub const BAD_RESTART: Code = Code(554);

    /// Returns the code with this number, or `None` if the number is not from 100 to 599.
    pub fn new(number: u16) -> Option<Code> {
        (100..600).contains(&number).then_some(Code(number))
    }

    /// Returns the three digits of the code.
    fn digits(self) -> [u8; 3] {
        // A code has three digits, so each remainder fits into a byte.
        [self.0 / 100, self.0 / 10 % 10, self.0 % 10].map(|digit| b'0' + digit as u8)
    }

    /// Returns the code as a number.
    pub fn number(self) -> u16 {
        self.0
    }

    /// 1yz: a further reply to the same command follows.
    pub fn is_preliminary(self) -> bool {
        self.0 / 100 == 1
    }

    /// 2yz: the command succeeded.
    pub fn is_success(self) -> bool {
        self.0 / 100 == 2
    }

    /// 3yz: the server expects the next command of a sequence.
    pub fn is_intermediate(self) -> bool {
        self.0 / 100 == 3
    }

    /// 4yz: the command failed but may succeed later.
    pub fn is_transient_failure(self) -> bool {
        self.0 / 100 == 4
    }

    /// x2z: the reply is about the control connection or the data connection.
    pub fn is_about_connections(self) -> bool {
        self.0 / 10 % 10 == 2
    }

    /// x0z: the reply is about the command itself, and not about connections, files or the login.
    pub fn is_about_syntax(self) -> bool {
        self.0 % 100 < 10
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({})", self.0)
    }
}

/// A complete reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    code: Code,
    first: Vec<u8>,
    /// The lines between the first and the last line, and the text of the last line.
    rest: Option<(Vec<Vec<u8>>, Vec<u8>)>,
}

impl Reply {
    /// Creates a reply of one line.
    pub fn new(code: Code, text: impl Into<Vec<u8>>) -> Reply {
        Reply { code, first: replace_line_ends(text.into()), rest: None }
    }

    /// Creates a reply of several lines: `first` and `last` follow the code; the lines of `body`
    /// are between them.
    pub fn lines(
        code: Code,
        first: impl Into<Vec<u8>>,
        body: impl IntoIterator<Item = Vec<u8>>,
        last: impl Into<Vec<u8>>,
    ) -> Reply {
        let body =
            body.into_iter().map(|line| pad_leading_digit(replace_line_ends(line))).collect();
        Reply {
            code,
            first: replace_line_ends(first.into()),
            rest: Some((body, replace_line_ends(last.into()))),
        }
    }

    /// Returns the code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns the text of the first line.
    pub fn text(&self) -> &[u8] {
        &self.first
    }

    /// Returns the lines between the first and the last line.
    pub fn body(&self) -> &[Vec<u8>] {
        self.rest.as_ref().map_or(&[], |(body, _)| body)
    }

    /// Appends the reply in its wire form, with line ends.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let code = self.code.digits();
        let mut line = |parts: [&[u8]; 3]| {
            // A reply of one line, which most are, takes one allocation.
            out.reserve(parts.iter().map(|part| part.len()).sum::<usize>() + 2);
            parts.into_iter().for_each(|part| out.extend_from_slice(part));
            out.extend_from_slice(b"\r\n");
        };
        let Some((body, last)) = &self.rest else { return line([&code, b" ", &self.first]) };
        line([&code, b"-", &self.first]);
        body.iter().for_each(|text| line([b"", b"", text]));
        line([&code, b" ", last]);
    }
}

impl fmt::Display for Reply {
    /// Writes the reply for people, with its lines joined by LF. Nothing is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Vec::new();
        self.write_to(&mut out);
        let text = String::from_utf8_lossy(&out).replace("\r\n", "\n");
        f.write_str(text.trim_end_matches('\n'))
    }
}

/// Replaces each CR, LF and NUL with `?`, except in the pair `CR NUL`.
fn replace_line_ends(mut text: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(b"\r\0") {
            at += 2;
            continue;
        }
        if matches!(text[at], b'\r' | b'\n' | 0) {
            text[at] = b'?';
        }
        at += 1;
    }
    text
}

/// Inserts a space before a middle line that begins with a digit, so that it cannot be mistaken
/// for the last line.
fn pad_leading_digit(mut line: Vec<u8>) -> Vec<u8> {
    if line.first().is_some_and(u8::is_ascii_digit) {
        line.insert(0, b' ');
    }
    line
}

/// The reason why data from a server is not a valid reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadReply {
    /// The line does not begin with a reply code.
    NoCode(Vec<u8>),
    /// The reply is longer than [`MAX_REPLY`].
    TooLong,
    /// The server stopped sending before the last line of a reply of several lines.
    Unfinished {
        /// The code of the reply.
        code: Code,
        /// The last line that arrived.
        last: Vec<u8>,
    },
}

impl fmt::Display for BadReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadReply::NoCode(line) => {
                write!(f, "not a reply of an FTP server: \"{}\"", shown(line))
            }
            BadReply::TooLong => write!(f, "a reply of more than {} MiB", MAX_REPLY >> 20),
            BadReply::Unfinished { code, last } => write!(
                f,
                "the reply that began with \"{code}-\" did not end in time; its last line was \"{}\"",
                shown(last)
            ),
        }
    }
}

fn shown(line: &[u8]) -> impl fmt::Display + '_ {
    line[..line.len().min(80)].escape_ascii()
}

impl std::error::Error for BadReply {}

/// Assembles replies from lines.
#[derive(Debug, Default)]
pub struct ReplyParser {
    open: Option<(Code, Vec<u8>, Vec<Vec<u8>>)>,
    /// The size of the lines so far, as [`MAX_REPLY`] counts it.
    size: usize,
    /// The reply is a greeting, which other text may precede.
    is_greeting: bool,
    /// The first non-blank line of that text.
    text: Option<Vec<u8>>,
}

/// The least number of bytes that a line counts in [`MAX_REPLY`].
const MIN_LINE_COST: usize = 32;

/// The codes that a greeting may have.
const GREETINGS: [Code; 3] = [Code(120), Code::READY, Code::NOT_AVAILABLE];

impl ReplyParser {
    /// Creates a parser for the greeting. Some servers send text or blank lines before it, or omit
    /// the space after its code.
    pub fn of_greeting() -> ReplyParser {
        ReplyParser { is_greeting: true, ..ReplyParser::default() }
    }

    /// Returns the text that came instead of a greeting.
    pub(super) fn only_text(&mut self) -> Option<BadReply> {
        self.text.take().map(BadReply::NoCode)
    }

    /// Returns the error for a reply whose last line has not arrived.
    pub(super) fn unfinished(&mut self) -> Option<BadReply> {
        let Some((code, first, mut body)) = self.open.take() else { return self.only_text() };
        Some(BadReply::Unfinished { code, last: body.pop().unwrap_or(first) })
    }

    /// Processes the next line, without its line end. Returns a reply when the line completes one.
    ///
    /// # Errors
    /// Returns [`BadReply`] if the line cannot be part of a reply. The parser is then ready for a
    /// new reply.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Reply>, BadReply> {
        let Some((code, first, mut body)) = self.open.take() else {
            self.count(line)?;
            let reply = self.first_line(line)?;
            self.size *= usize::from(reply.is_none());
            return Ok(reply);
        };
        if let Some((last, b' ', text)) = split(line)
            && last == code
        {
            let rest = Some((body, text.to_vec()));
            return Ok(Some(Reply { code, first, rest }));
        }
        // Some servers end a reply with only the code.
        if line == code.to_string().as_bytes() {
            return Ok(Some(Reply { code, first, rest: Some((body, Vec::new())) }));
        }
        self.count(line)?;
        body.push(line.to_vec());
        self.open = Some((code, first, body));
        Ok(None)
    }

    fn count(&mut self, line: &[u8]) -> Result<(), BadReply> {
        self.size += line.len().max(MIN_LINE_COST);
        if self.size <= MAX_REPLY {
            return Ok(());
        }
        self.size = 0;
        Err(BadReply::TooLong)
    }

    fn first_line(&mut self, line: &[u8]) -> Result<Option<Reply>, BadReply> {
        match split(line) {
            Some((code, b'-', text)) => {
                self.open = Some((code, text.to_vec(), Vec::new()));
                Ok(None)
            }
            Some((code, _, text)) => Ok(Some(Reply { code, first: text.to_vec(), rest: None })),
            None if self.is_greeting => self.before_greeting(line),
            None => Err(BadReply::NoCode(line.to_vec())),
        }
    }

    /// Processes a line before the greeting that is not a valid reply. The identification line of
    /// an SSH server (RFC 4253 section 4.2) is an error at once, since nothing else follows it.
    fn before_greeting(&mut self, line: &[u8]) -> Result<Option<Reply>, BadReply> {
        if let Some((digits, text)) = line.split_at_checked(3)
            && let Some((code, ..)) = split(digits).filter(|(code, ..)| GREETINGS.contains(code))
            && !text.first().is_some_and(u8::is_ascii_digit)
        {
            return Ok(Some(Reply { code, first: text.to_vec(), rest: None }));
        }
        if line.starts_with(b"SSH-") {
            return Err(BadReply::NoCode(line.to_vec()));
        }
        if self.text.is_none() && !line.trim_ascii().is_empty() {
            self.text = Some(line.to_vec());
        }
        Ok(None)
    }
}

/// Splits a line into code, separator and text. A code alone has an empty text.
fn split(line: &[u8]) -> Option<(Code, u8, &[u8])> {
    let digits = line.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let number = digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
    let code = Code::new(number)?;
    match line.get(3) {
        None => Some((code, b' ', b"")),
        Some(&separator @ (b' ' | b'-')) => Some((code, separator, &line[4..])),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.write_to(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn read(text: &str) -> Vec<Result<Reply, BadReply>> {
        let mut parser = ReplyParser::default();
        text.split_terminator("\r\n")
            .filter_map(|line| parser.line(line.as_bytes()).transpose())
            .collect()
    }

    #[test]
    fn replies_of_one_and_of_several_lines_are_written() {
        assert_eq!(wire(&Reply::new(Code::OK, "Fine.")), "200 Fine.\r\n");
        let features = Reply::lines(
            Code::SYSTEM_STATUS,
            "Extensions:",
            [b" SIZE".to_vec(), b" UTF8".to_vec()],
            "End",
        );
        assert_eq!(wire(&features), "211-Extensions:\r\n SIZE\r\n UTF8\r\n211 End\r\n");
    }

    #[test]
    fn writing_and_parsing_are_inverses() {
        let body = vec![b"".to_vec(), b"211 not the end".to_vec(), b" x".to_vec(), b"-".to_vec()];
        for reply in [
            Reply::new(Code::READY, ""),
            Reply::new(Code::new(599).unwrap(), "200 text"),
            Reply::lines(Code::SYSTEM_STATUS, "", [], ""),
            Reply::lines(Code::SYSTEM_STATUS, "a", body, "b"),
        ] {
            assert_eq!(read(&wire(&reply)), [Ok(reply)]);
        }
    }

    #[test]
    fn no_text_can_forge_a_line() {
        let forged = "x\r\n226 done\0";
        assert_eq!(wire(&Reply::new(Code::UNAVAILABLE, forged)), "550 x??226 done?\r\n");
        let pairs = Reply::new(Code::PATH, "\r\0\r\r\0\0\r");
        assert_eq!(wire(&pairs), "257 \r\0?\r\0??\r\n");
        let body = [b"550 done".to_vec(), b"a\n550 done".to_vec()];
        let reply = Reply::lines(Code::UNAVAILABLE, "a", body, "b");
        assert_eq!(wire(&reply), "550-a\r\n 550 done\r\na?550 done\r\n550 b\r\n");
    }

    #[test]
    fn replies_of_real_servers_are_parsed() {
        let text = "220-FileZilla\r\n220-by Tim\r\n220 Please visit\r\n331 Password\r\n";
        let replies = read(text);
        assert_eq!(replies.len(), 2);
        let first = replies[0].as_ref().unwrap();
        assert_eq!((first.code(), first.text()), (Code::READY, &b"FileZilla"[..]));
        assert_eq!(first.body(), [b"220-by Tim".to_vec()]);
        // The example of RFC 959: another code in the middle is text.
        assert_eq!(read("123-First\r\nSecond\r\n  234 begin\r\n456 x\r\n123 last\r\n").len(), 1);
        assert_eq!(read("200\r\n"), [Ok(Reply::new(Code::OK, ""))]);
        assert_eq!(read("211-x\r\n211\r\n").len(), 1);
    }

    #[test]
    fn malformed_replies_are_errors() {
        for line in ["", "20", "abc", "099 x", "600 x", "2000 x", "200x", "SSH-2.0-x"] {
            let bad = ReplyParser::default().line(line.as_bytes());
            assert_eq!(bad, Err(BadReply::NoCode(line.into())), "{line}");
        }
    }

    #[test]
    fn a_reply_beyond_the_limit_is_an_error() {
        let mut parser = ReplyParser::default();
        assert_eq!(parser.line(b"200-x"), Ok(None));
        let more = (0..).map(|_| parser.line(b"x")).find(|line| line != &Ok(None));
        assert_eq!(more, Some(Err(BadReply::TooLong)));
        assert_eq!(parser.line(b"200 x"), Ok(Some(Reply::new(Code::OK, "x"))));
    }

    #[test]
    fn a_banner_is_limited_in_bytes() {
        let mut parser = ReplyParser::default();
        assert_eq!(parser.line(b"220-x"), Ok(None));
        assert!((0..20_000).all(|_| parser.line(&[b'x'; 80]) == Ok(None)));
        assert_eq!(parser.line(b"220 x").unwrap().unwrap().body().len(), 20_000);
    }

    #[test]
    fn text_may_precede_a_greeting() {
        for line in ["220 ready", "220Welcome", "220", "120 wait", "421Too many"] {
            let mut parser = ReplyParser::of_greeting();
            for text in ["", " ", "Welcome!", "100MB for each", "2200 files"] {
                assert_eq!(parser.line(text.as_bytes()), Ok(None), "{text}");
            }
            assert_eq!(
                parser.line(line.as_bytes()).unwrap().unwrap().code().to_string(),
                line[..3]
            );
        }
        let mut parser = ReplyParser::of_greeting();
        let ssh = parser.line(b"SSH-2.0-x");
        assert_eq!(ssh, Err(BadReply::NoCode(b"SSH-2.0-x".to_vec())));
        let more = (0..).map(|_| parser.line(b"")).find(|line| line != &Ok(None));
        assert_eq!(more, Some(Err(BadReply::TooLong)));
    }

    #[test]
    fn the_error_for_an_unfinished_reply_contains_its_last_line() {
        let mut parser = ReplyParser::default();
        assert_eq!(parser.unfinished(), None);
        assert_eq!((parser.line(b"230-a"), parser.line(b"220 b")), (Ok(None), Ok(None)));
        let error = parser.unfinished().unwrap().to_string();
        let said =
            "the reply that began with \"230-\" did not end in time; its last line was \"220 b\"";
        assert_eq!(error, said);
    }
}
