//! The arguments of commands: what each can be, how it is read and how it is written.

use super::{Malformed, Name};

use crate::protocol::listing::Facts;
use crate::protocol::verb::Verb;
use crate::protocol::{path, time};
use std::io::Write as _;
use std::time::SystemTime;

/// Argument of EPSV (RFC 2428 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extended {
    /// None: the protocol of the control connection.
    Same,
    /// `1`: IPv4.
    V4,
    /// `2`: IPv6.
    V6,
    /// `ALL`: nothing but EPSV from now on.
    All,
}

/// Argument of TYPE (RFC 959 section 3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text whose lines end in CR LF on the wire.
    Ascii(Format),
    /// EBCDIC text.
    Ebcdic(Format),
    /// The bytes as they are.
    Image,
    /// Bytes of so many bits.
    Local(u8),
}

/// Second argument of TYPE A and E (RFC 959 section 3.1.1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `N`, the default: not for a printer.
    NonPrint,
    /// `T`: Telnet format effectors.
    Telnet,
    /// `C`: ASA carriage control.
    CarriageControl,
}

/// Argument of MODE (RFC 959 section 3.4; `Z`: draft-preston-ftpext-deflate).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Mode {
    Stream,
    Block,
    Compressed,
    Deflate,
}

/// Argument of STRU (RFC 959 section 3.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Structure {
    File,
    Record,
    Page,
}

/// Argument of AUTH, of those that mean TLS (RFC 4217 section 2 and the drafts before it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// `TLS`: data connections stay in clear until PROT P.
    Tls,
    /// `TLS-C`: the same.
    TlsC,
    /// `SSL`: data connections are protected at once.
    Ssl,
    /// `TLS-P`: the same.
    TlsP,
}

/// Argument of PROT (RFC 2228 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// `C`: data is sent in clear.
    Clear,
    /// `S`: it cannot be changed on its way; TLS does not offer that alone.
    Safe,
    /// `E`: it cannot be read on its way; TLS does not offer that alone.
    Confidential,
    /// `P`: both.
    Private,
}

/// Argument of OPTS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opts {
    /// `UTF8 ON` or `OFF`, which clients of Windows send.
    Utf8(bool),
    /// `MLST` and the facts wanted (RFC 3659 section 7.9).
    Mlst(Facts),
    /// `HASH` and the algorithm; without one it asks which is chosen.
    Hash(Option<Algorithm>),
}

/// A digest of a file's content (draft-bryan-ftpext-hash).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Algorithm {
    Sha256,
    Sha512,
    Sha1,
    Md5,
    Crc32,
}

impl Algorithm {
    /// All of them, in the order FEAT lists them.
    pub const ALL: [Algorithm; 5] =
        [Algorithm::Sha256, Algorithm::Sha512, Algorithm::Sha1, Algorithm::Md5, Algorithm::Crc32];

    /// The name that HASH, its OPTS and FEAT use.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512 => "SHA-512",
            Algorithm::Sha1 => "SHA-1",
            Algorithm::Md5 => "MD5",
            Algorithm::Crc32 => "CRC32",
        }
    }

    /// The algorithm of this name, in any case.
    pub fn parse(name: &[u8]) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|known| known.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// Digits alone, no sign, and no more than a `u64` holds.
pub(super) fn parse_number(digits: &[u8]) -> Option<u64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if plain { std::str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

/// A range of bytes, by first and last as RANG has it; what XCRC and its kin mean by their second
/// number is the server's affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First byte, from 0.
    pub start: u64,
    /// The second number.
    pub end: u64,
}

impl Span {
    pub(super) fn parse(text: &[u8]) -> Option<Span> {
        let (start, end) = split_word(text);
        Some(Span { start: parse_number(start)?, end: parse_number(end)? })
    }
}

/// What MFF changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// `modify`.
    pub modified: Option<SystemTime>,
    /// `create`.
    pub created: Option<SystemTime>,
    /// `UNIX.mode`.
    pub mode: Option<u32>,
}

impl Changes {
    pub(super) fn set(&mut self, fact: &[u8], value: &[u8]) -> Result<(), Malformed> {
        const TIME: Malformed = Malformed::Argument(Verb::Mff, "YYYYMMDDHHMMSS as the time");
        const MODE: Malformed = Malformed::Argument(Verb::Mff, "octal digits as the mode");
        match fact.to_ascii_lowercase().as_slice() {
            b"modify" => self.modified = Some(time::parse_timestamp(value).ok_or(TIME)?),
            b"create" => self.created = Some(time::parse_timestamp(value).ok_or(TIME)?),
            b"unix.mode" => self.mode = Some(parse_mode(value).ok_or(MODE)?),
            _ => return Err(Malformed::Parameter(Verb::Mff)),
        }
        Ok(())
    }

    /// Appends the facts as MFF and its reply have them.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        for (fact, time) in [(&b"Modify="[..], self.modified), (b"Create=", self.created)] {
            if let Some(time) = time {
                out.extend_from_slice(fact);
                time::write_timestamp(time, out);
                out.push(b';');
            }
        }
        if let Some(mode) = self.mode {
            let _ = write!(out, "UNIX.mode={mode:04o};");
        }
    }
}

impl Extended {
    pub(super) fn parse(word: &[u8]) -> Result<Extended, Malformed> {
        match word {
            b"" => Ok(Extended::Same),
            b"1" => Ok(Extended::V4),
            b"2" => Ok(Extended::V6),
            all if all.eq_ignore_ascii_case(b"ALL") => Ok(Extended::All),
            number if parse_number(number).is_some() => Err(Malformed::Protocol),
            _ => Err(Malformed::Argument(Verb::Epsv, "1, 2 or ALL")),
        }
    }

    pub(super) fn spelling(self) -> &'static [u8] {
        match self {
            Extended::Same => b"",
            Extended::V4 => b"1",
            Extended::V6 => b"2",
            Extended::All => b"ALL",
        }
    }
}

impl Type {
    pub(super) fn parse(word: &[u8]) -> Result<Type, Malformed> {
        let bad = Malformed::Argument(Verb::Type, "A, E, I or L, and a format or size");
        let (&letter, rest) = word.split_first().ok_or(bad.clone())?;
        if !rest.is_empty() && !rest.starts_with(b" ") {
            // "L8" without the space is what some clients send.
            let joined = letter.eq_ignore_ascii_case(&b'L') && parse_number(rest).is_some();
            if !joined {
                return Err(if letter.is_ascii_alphabetic() {
                    Malformed::Parameter(Verb::Type)
                } else {
                    bad
                });
            }
        }
        let rest = rest.trim_ascii();
        match letter.to_ascii_uppercase() {
            b'A' => Format::parse(rest).map(Type::Ascii),
            b'E' => Format::parse(rest).map(Type::Ebcdic),
            b'I' if rest.is_empty() => Ok(Type::Image),
            b'L' => match parse_number(rest).and_then(|bits| u8::try_from(bits).ok()) {
                Some(bits) if bits > 0 => Ok(Type::Local(bits)),
                _ => Err(Malformed::Argument(Verb::Type, "L and a byte size from 1 to 255")),
            },
            b'I' => Err(bad),
            letter if letter.is_ascii_alphabetic() => Err(Malformed::Parameter(Verb::Type)),
            _ => Err(bad),
        }
    }

    pub(super) fn write_to(self, out: &mut Vec<u8>) {
        match self {
            Type::Ascii(format) => out.extend_from_slice(format.after(b'A')),
            Type::Ebcdic(format) => out.extend_from_slice(format.after(b'E')),
            Type::Image => out.push(b'I'),
            Type::Local(bits) => drop(write!(out, "L {bits}")),
        }
    }
}

impl Format {
    pub(super) fn parse(word: &[u8]) -> Result<Format, Malformed> {
        match word {
            b"" | b"N" | b"n" => Ok(Format::NonPrint),
            b"T" | b"t" => Ok(Format::Telnet),
            b"C" | b"c" => Ok(Format::CarriageControl),
            _ => Err(Malformed::Argument(Verb::Type, "N, T or C as the format")),
        }
    }

    fn after(self, kind: u8) -> &'static [u8] {
        match (kind, self) {
            (b'A', Format::NonPrint) => b"A",
            (b'A', Format::Telnet) => b"A T",
            (b'A', Format::CarriageControl) => b"A C",
            (_, Format::NonPrint) => b"E",
            (_, Format::Telnet) => b"E T",
            (_, Format::CarriageControl) => b"E C",
        }
    }
}

impl Mode {
    pub(super) fn parse(word: &[u8]) -> Result<Mode, Malformed> {
        match word {
            b"S" | b"s" => Ok(Mode::Stream),
            b"B" | b"b" => Ok(Mode::Block),
            b"C" | b"c" => Ok(Mode::Compressed),
            b"Z" | b"z" => Ok(Mode::Deflate),
            _ => Err(one_letter(Verb::Mode, word, "S")),
        }
    }

    pub(super) fn letter(self) -> u8 {
        match self {
            Mode::Stream => b'S',
            Mode::Block => b'B',
            Mode::Compressed => b'C',
            Mode::Deflate => b'Z',
        }
    }
}

impl Structure {
    pub(super) fn parse(word: &[u8]) -> Result<Structure, Malformed> {
        match word {
            b"F" | b"f" => Ok(Structure::File),
            b"R" | b"r" => Ok(Structure::Record),
            b"P" | b"p" => Ok(Structure::Page),
            _ => Err(one_letter(Verb::Stru, word, "F")),
        }
    }

    pub(super) fn letter(self) -> u8 {
        match self {
            Structure::File => b'F',
            Structure::Record => b'R',
            Structure::Page => b'P',
        }
    }
}

impl Mechanism {
    const ALL: [Mechanism; 4] = [Mechanism::Tls, Mechanism::TlsC, Mechanism::Ssl, Mechanism::TlsP];

    pub(super) fn parse(word: &[u8]) -> Result<Mechanism, Malformed> {
        let known = |one: &Mechanism| one.spelling().eq_ignore_ascii_case(word);
        // RFC 2228 section 3: 504 for a mechanism that is unknown.
        Mechanism::ALL.into_iter().find(known).ok_or(Malformed::Parameter(Verb::Auth))
    }

    pub(super) fn spelling(self) -> &'static [u8] {
        match self {
            Mechanism::Tls => b"TLS",
            Mechanism::TlsC => b"TLS-C",
            Mechanism::Ssl => b"SSL",
            Mechanism::TlsP => b"TLS-P",
        }
    }
}

impl Protection {
    pub(super) fn parse(word: &[u8]) -> Result<Protection, Malformed> {
        match word {
            b"C" | b"c" => Ok(Protection::Clear),
            b"S" | b"s" => Ok(Protection::Safe),
            b"E" | b"e" => Ok(Protection::Confidential),
            b"P" | b"p" => Ok(Protection::Private),
            // RFC 2228 section 3: 504 for any other.
            _ => Err(Malformed::Parameter(Verb::Prot)),
        }
    }

    pub(super) fn letter(self) -> u8 {
        match self {
            Protection::Clear => b'C',
            Protection::Safe => b'S',
            Protection::Confidential => b'E',
            Protection::Private => b'P',
        }
    }
}

/// A letter nobody defined is a parameter that is not implemented, anything else a mistake.
fn one_letter(verb: Verb, word: &[u8], expected: &'static str) -> Malformed {
    match word {
        [letter] if letter.is_ascii_alphabetic() => Malformed::Parameter(verb),
        _ => Malformed::Argument(verb, expected),
    }
}

impl Opts {
    pub(super) fn parse(word: &[u8]) -> Result<Opts, Malformed> {
        let (option, value) = split_word(word);
        if option.eq_ignore_ascii_case(b"UTF8") || option.eq_ignore_ascii_case(b"UTF-8") {
            return match value.to_ascii_uppercase().as_slice() {
                // Without a value it was the first draft's way to switch it on.
                b"ON" | b"" => Ok(Opts::Utf8(true)),
                b"OFF" => Ok(Opts::Utf8(false)),
                _ => Err(Malformed::Argument(Verb::Opts, "UTF8 ON or UTF8 OFF")),
            };
        }
        if option.eq_ignore_ascii_case(b"MLST") {
            // RFC 3659 section 7.9.1: "fish cakes" is no list of facts.
            let is_list =
                value.split(|&b| b == b';').all(|fact| !fact.trim_ascii().contains(&b' '));
            let facts = is_list.then(|| Opts::Mlst(Facts::parse(value)));
            return facts
                .ok_or(Malformed::Argument(Verb::Opts, "MLST and facts, each with a semicolon"));
        }
        if option.eq_ignore_ascii_case(b"HASH") {
            return match value {
                b"" => Ok(Opts::Hash(None)),
                // The draft's section 3.2: 501 for an algorithm that is unknown.
                name => Algorithm::parse(name).map(|known| Opts::Hash(Some(known))).ok_or(
                    Malformed::Argument(Verb::Opts, "HASH SHA-256, SHA-512, SHA-1, MD5 or CRC32"),
                ),
            };
        }
        // RFC 2389 section 4: 501 also for an option that is unknown.
        Err(Malformed::Argument(Verb::Opts, "UTF8, MLST or HASH"))
    }

    pub(super) fn write_to(self, out: &mut Vec<u8>) {
        match self {
            Opts::Utf8(true) => out.extend_from_slice(b"UTF8 ON"),
            Opts::Utf8(false) => out.extend_from_slice(b"UTF8 OFF"),
            Opts::Mlst(facts) => {
                out.extend_from_slice(b"MLST ");
                facts.write(out);
            }
            Opts::Hash(algorithm) => {
                out.extend_from_slice(b"HASH");
                if let Some(algorithm) = algorithm {
                    out.push(b' ');
                    out.extend_from_slice(algorithm.name().as_bytes());
                }
            }
        }
    }
}

/// Octal digits, 0o7777 at most.
pub(super) fn parse_mode(digits: &[u8]) -> Option<u32> {
    let octal = digits.len() <= 5 && digits.iter().all(|b| (b'0'..b'8').contains(b));
    let text = std::str::from_utf8(digits).ok().filter(|_| octal && !digits.is_empty())?;
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777)
}

/// A name, quoted or up to the next space, and what follows it.
pub(super) fn split_name(text: &[u8]) -> Option<(Name, &[u8])> {
    if text.first() != Some(&b'"') {
        let end = text.iter().position(|&b| b == b' ').unwrap_or(text.len());
        return Some((Name::from_wire(&text[..end])?, &text[end..]));
    }
    let (name, rest) = path::split_quoted(text)?;
    Some((Name::from_wire(&name)?, rest))
}

/// The first word, and what follows the one space after it.
pub(super) fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|&b| b == b' ') {
        Some(space) => (&text[..space], &text[space + 1..]),
        None => (text, b""),
    }
}
