//! Types for command arguments, with their parsers and writers.

use super::{Malformed, Name};

use crate::protocol::listing::Facts;
use crate::protocol::verb::Verb;
use crate::protocol::{path, time};
use std::io::Write as _;
use std::time::SystemTime;

/// The argument of EPSV (RFC 2428 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpsvArgument {
    /// No argument: use the network protocol of the control connection.
    Same,
    /// `1`: IPv4.
    V4,
    /// `2`: IPv6.
    V6,
    /// `ALL`: the client will use only EPSV from now on.
    All,
}

/// The argument of TYPE (RFC 959 section 3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text whose lines end in CR LF on the wire.
    Ascii(Format),
    /// EBCDIC text.
    Ebcdic(Format),
    /// Binary data, sent unchanged.
    Image,
    /// Bytes of the given number of bits.
    Local(u8),
}

/// The second argument of TYPE A and E (RFC 959 section 3.1.1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `N`, the default: not for printing.
    NonPrint,
    /// `T`: Telnet format effectors.
    Telnet,
    /// `C`: ASA carriage control.
    CarriageControl,
}

/// The argument of MODE (RFC 959 section 3.4; `Z`: draft-preston-ftpext-deflate).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Mode {
    Stream,
    Block,
    Compressed,
    Deflate,
}

/// The argument of STRU (RFC 959 section 3.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Structure {
    File,
    Record,
    Page,
}

/// The argument of AUTH: names for TLS (RFC 4217 section 2 and earlier drafts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// `TLS`: data connections are not encrypted until PROT P.
    Tls,
    /// `TLS-C`: the same as `TLS`.
    TlsC,
    /// `SSL`: data connections are encrypted without PROT P.
    Ssl,
    /// `TLS-P`: the same as `SSL`.
    TlsP,
}

/// The argument of PROT (RFC 2228 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// `C`: no protection.
    Clear,
    /// `S`: integrity only, which TLS does not offer.
    Safe,
    /// `E`: confidentiality only, which TLS does not offer.
    Confidential,
    /// `P`: integrity and confidentiality.
    Private,
}

/// The argument of OPTS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opts {
    /// `UTF8 ON` or `UTF8 OFF`, which Windows clients send.
    Utf8(bool),
    /// `MLST` and the requested facts (RFC 3659 section 7.9).
    Mlst(Facts),
    /// `HASH` and an algorithm; without an algorithm, a query for the selected one.
    Hash(Option<Algorithm>),
}

/// A digest algorithm for the content of files (draft-bryan-ftpext-hash).
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
    /// All algorithms, in the order in which FEAT lists them.
    pub const ALL: [Algorithm; 5] =
        [Algorithm::Sha256, Algorithm::Sha512, Algorithm::Sha1, Algorithm::Md5, Algorithm::Crc32];

    /// Returns the name that HASH, OPTS HASH and FEAT use.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512 => "SHA-512",
            Algorithm::Sha1 => "SHA-1",
            Algorithm::Md5 => "MD5",
            Algorithm::Crc32 => "CRC32",
        }
    }

    /// Returns the algorithm of this name, in upper or lower case.
    pub fn parse(name: &[u8]) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|known| known.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// Parses digits only, without a sign; `None` if the number exceeds `u64`.
pub(super) fn parse_number(digits: &[u8]) -> Option<u64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if plain { std::str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

/// A range of bytes with its first and last byte, as RANG specifies it. For XCRC and its relatives
/// the server decides what the second number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte; 0 is the start of the file.
    pub start: u64,
    /// The second number.
    pub end: u64,
}

impl ByteRange {
    pub(super) fn parse(text: &[u8]) -> Option<ByteRange> {
        let (start, end) = split_word(text);
        Some(ByteRange { start: parse_number(start)?, end: parse_number(end)? })
    }
}

/// The facts that MFF sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MffFacts {
    /// The `modify` fact.
    pub modified: Option<SystemTime>,
    /// The `create` fact.
    pub created: Option<SystemTime>,
    /// The `UNIX.mode` fact.
    pub mode: Option<u32>,
}

impl MffFacts {
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

    /// Appends the facts in the form of MFF and its reply.
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

impl EpsvArgument {
    pub(super) fn parse(word: &[u8]) -> Result<EpsvArgument, Malformed> {
        match word {
            b"" => Ok(EpsvArgument::Same),
            b"1" => Ok(EpsvArgument::V4),
            b"2" => Ok(EpsvArgument::V6),
            all if all.eq_ignore_ascii_case(b"ALL") => Ok(EpsvArgument::All),
            number if parse_number(number).is_some() => Err(Malformed::Protocol),
            _ => Err(Malformed::Argument(Verb::Epsv, "1, 2 or ALL")),
        }
    }

    pub(super) fn spelling(self) -> &'static [u8] {
        match self {
            EpsvArgument::Same => b"",
            EpsvArgument::V4 => b"1",
            EpsvArgument::V6 => b"2",
            EpsvArgument::All => b"ALL",
        }
    }
}

impl Type {
    pub(super) fn parse(word: &[u8]) -> Result<Type, Malformed> {
        let bad = Malformed::Argument(Verb::Type, "A, E, I or L, and a format or size");
        let (&letter, rest) = word.split_first().ok_or(bad.clone())?;
        if !rest.is_empty() && !rest.starts_with(b" ") {
            // Some clients send "L8" without the space.
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
        // RFC 2228 section 3: 504 for an unknown mechanism.
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
            // RFC 2228 section 3: 504 for any other letter.
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

/// Returns the error for a one-letter argument: an unknown letter is an unimplemented parameter
/// (504), anything else is a wrong form (501).
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
                // The first draft of the UTF8 option switched it on without a value.
                b"ON" | b"" => Ok(Opts::Utf8(true)),
                b"OFF" => Ok(Opts::Utf8(false)),
                _ => Err(Malformed::Argument(Verb::Opts, "UTF8 ON or UTF8 OFF")),
            };
        }
        if option.eq_ignore_ascii_case(b"MLST") {
            // RFC 3659 section 7.9.1: "fish cakes" is not a list of facts.
            let is_list =
                value.split(|&b| b == b';').all(|fact| !fact.trim_ascii().contains(&b' '));
            let facts = is_list.then(|| Opts::Mlst(Facts::parse(value)));
            return facts
                .ok_or(Malformed::Argument(Verb::Opts, "MLST and facts, each with a semicolon"));
        }
        if option.eq_ignore_ascii_case(b"HASH") {
            return match value {
                b"" => Ok(Opts::Hash(None)),
                // Section 3.2 of the draft: 501 for an unknown algorithm.
                name => Algorithm::parse(name).map(|known| Opts::Hash(Some(known))).ok_or(
                    Malformed::Argument(Verb::Opts, "HASH SHA-256, SHA-512, SHA-1, MD5 or CRC32"),
                ),
            };
        }
        // RFC 2389 section 4: an unknown option also gets 501.
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

/// Parses a mode in octal digits, at most 0o7777.
pub(super) fn parse_mode(digits: &[u8]) -> Option<u32> {
    let octal = digits.len() <= 5 && digits.iter().all(|b| (b'0'..b'8').contains(b));
    let text = std::str::from_utf8(digits).ok().filter(|_| octal && !digits.is_empty())?;
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777)
}

/// Splits off a name, which is quoted or ends at the next space, and returns it with the rest.
pub(super) fn split_name(text: &[u8]) -> Option<(Name, &[u8])> {
    if text.first() != Some(&b'"') {
        let end = text.iter().position(|&b| b == b' ').unwrap_or(text.len());
        return Some((Name::from_wire(&text[..end])?, &text[end..]));
    }
    let (name, rest) = path::split_quoted(text)?;
    Some((Name::from_wire(&name)?, rest))
}

/// Splits a text at its first space into the first word and the rest.
pub(super) fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|&b| b == b' ') {
        Some(space) => (&text[..space], &text[space + 1..]),
        None => (text, b""),
    }
}
