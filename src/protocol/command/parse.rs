//! Parses the argument of each verb into a [`Command`].

use super::argument::{
    Algorithm, ByteRange, EpsvArgument, Mechanism, MffFacts, Mode, Opts, Protection, Structure,
    Type, parse_number, split_name, split_word,
};
use super::{Command, Malformed, Name, Secret, Site};
use crate::protocol::address::{self, EprtError};
use crate::protocol::time;
use crate::protocol::verb::Verb;
use std::net::Ipv6Addr;
use std::time::SystemTime;

pub(super) fn parse_argument(verb: Verb, argument: &[u8]) -> Result<Command, Malformed> {
    let name = || Name::from_wire(argument).ok_or(Malformed::Argument(verb, NAME));
    let secret = || Secret::new(argument).ok_or(Malformed::Argument(verb, NAME));
    let optional = || if argument.is_empty() { Ok(None) } else { name().map(Some) };
    let word = argument.trim_ascii();
    Ok(match verb {
        Verb::User => Command::User(name()?),
        Verb::Pass => Command::Pass(secret()?),
        Verb::Acct => Command::Acct(secret()?),
        Verb::Rein => Command::Rein,
        Verb::Quit => Command::Quit,
        Verb::Cwd => Command::Cwd(name()?),
        Verb::Cdup => Command::Cdup,
        Verb::Port => Command::Port(
            address::parse_port(word).ok_or(Malformed::Argument(verb, verb.row().syntax))?,
        ),
        Verb::Eprt => Command::Eprt(address::parse_extended(word).map_err(|bad| match bad {
            EprtError::Protocol => Malformed::Protocol,
            EprtError::Syntax => Malformed::Argument(verb, verb.row().syntax),
        })?),
        Verb::Pasv => Command::Pasv,
        Verb::Epsv => Command::Epsv(EpsvArgument::parse(word)?),
        Verb::Type => Command::Type(Type::parse(word)?),
        Verb::Mode => Command::Mode(Mode::parse(word)?),
        Verb::Stru => Command::Stru(Structure::parse(word)?),
        Verb::Retr => Command::Retr(name()?),
        Verb::Stor => Command::Stor(name()?),
        Verb::Stou => Command::Stou(optional()?),
        Verb::Appe => Command::Appe(name()?),
        Verb::Allo => Command::Allo(parse_allocation(word)?),
        Verb::Rest => Command::Rest(parse_number(word).ok_or(Malformed::Argument(verb, NUMBER))?),
        Verb::Rnfr => Command::Rnfr(name()?),
        Verb::Rnto => Command::Rnto(name()?),
        Verb::Abor => Command::Abor,
        Verb::Dele => Command::Dele(name()?),
        Verb::Rmd => Command::Rmd(name()?),
        Verb::Mkd => Command::Mkd(name()?),
        Verb::Pwd => Command::Pwd,
        Verb::List => Command::List(optional()?),
        Verb::Nlst => Command::Nlst(optional()?),
        Verb::Mlsd => Command::Mlsd(optional()?),
        Verb::Mlst => Command::Mlst(optional()?),
        Verb::Size => Command::Size(name()?),
        Verb::Mdtm => Command::Mdtm(name()?),
        Verb::Mfmt => {
            let (time, name) = parse_timed(verb, argument)?;
            Command::Mfmt(time, name)
        }
        Verb::Stat => Command::Stat(optional()?),
        Verb::Syst => Command::Syst,
        Verb::Help => Command::Help(optional()?),
        Verb::Noop => Command::Noop,
        Verb::Feat => Command::Feat,
        Verb::Opts => Command::Opts(Opts::parse(word)?),
        Verb::Site => Command::Site(Site::parse(argument)?),
        Verb::Host => Command::Host(parse_host(argument)?),
        Verb::Hash => Command::Hash(name()?),
        Verb::Xcrc => parse_digest(verb, Algorithm::Crc32, argument)?,
        Verb::Xmd5 => parse_digest(verb, Algorithm::Md5, argument)?,
        Verb::Xsha1 => parse_digest(verb, Algorithm::Sha1, argument)?,
        Verb::Xsha256 => parse_digest(verb, Algorithm::Sha256, argument)?,
        Verb::Xsha512 => parse_digest(verb, Algorithm::Sha512, argument)?,
        Verb::Rang => Command::Rang(
            ByteRange::parse(word).ok_or(Malformed::Argument(verb, verb.row().syntax))?,
        ),
        Verb::Mff => parse_mff(argument)?,
        Verb::Mfct => {
            let (time, name) = parse_timed(verb, argument)?;
            Command::Mfct(time, name)
        }
        Verb::Avbl => Command::Avbl(optional()?),
        Verb::Dsiz => Command::Dsiz(optional()?),
        Verb::Rmda => Command::Rmda(name()?),
        Verb::Csid => Command::Csid(optional()?),
        Verb::Clnt => Command::Clnt(name()?),
        Verb::Lang => Command::Lang(optional()?),
        Verb::Auth => Command::Auth(Mechanism::parse(word)?),
        Verb::Pbsz => Command::Pbsz(parse_number(word).ok_or(Malformed::Argument(verb, NUMBER))?),
        Verb::Prot => Command::Prot(Protection::parse(word)?),
        Verb::Ccc => Command::Ccc,
    })
}

pub(super) const NAME: &str = "a name without CR, LF or NUL";
pub(super) const NUMBER: &str = "a number of bytes";
pub(super) const HOST: &str = "a host without a port, IPv6 in brackets";

/// Parses `ALLO 100` or `ALLO 100 R 20` (RFC 959 section 5.3.1). The record size is checked and
/// ignored, because files have no record structure here.
fn parse_allocation(word: &[u8]) -> Result<u64, Malformed> {
    let mut words = word.split(|&b| b == b' ').filter(|word| !word.is_empty());
    let bytes = words.next().and_then(parse_number);
    let rest: Vec<&[u8]> = words.collect();
    let rest_is_fine = match rest[..] {
        [] => true,
        [letter, size] => letter.eq_ignore_ascii_case(b"R") && parse_number(size).is_some(),
        _ => false,
    };
    bytes.filter(|_| rest_is_fine).ok_or(Malformed::Argument(Verb::Allo, NUMBER))
}

/// Parses a host name, an IPv4 address, or an IPv6 address in brackets; a port is not allowed (RFC
/// 7151 section 3.1).
fn parse_host(argument: &[u8]) -> Result<Name, Malformed> {
    let inside = argument.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    let is_host = match inside {
        Some(inside) => {
            std::str::from_utf8(inside).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
        }
        None => !argument.iter().any(|b| matches!(b, b':' | b'[' | b']' | b' ' | b'/')),
    };
    Name::new(argument).filter(|_| is_host).ok_or(Malformed::Argument(Verb::Host, HOST))
}

/// Parses `YYYYMMDDHHMMSS name`, the argument of MFMT and MFCT.
fn parse_timed(verb: Verb, argument: &[u8]) -> Result<(SystemTime, Name), Malformed> {
    let bad = || Malformed::Argument(verb, "YYYYMMDDHHMMSS and a name");
    let (time, name) = split_word(argument);
    Ok((time::parse_timestamp(time).ok_or_else(bad)?, Name::from_wire(name).ok_or_else(bad)?))
}

/// Parses `name` or `"name"`, optionally followed by two numbers. A name that itself ends in two
/// numbers has to be quoted.
fn parse_digest(verb: Verb, algorithm: Algorithm, argument: &[u8]) -> Result<Command, Malformed> {
    let bad = || Malformed::Argument(verb, verb.row().syntax);
    let (name, rest) = match argument.first() {
        Some(b'"') => split_name(argument).map(|(name, rest)| (Some(name), rest.trim_ascii())),
        _ => match rsplit_numbers(argument) {
            Some((name, numbers)) => Some((Name::from_wire(name), numbers)),
            None => Some((Name::from_wire(argument), &b""[..])),
        },
    }
    .ok_or_else(bad)?;
    let span = if rest.is_empty() { None } else { Some(ByteRange::parse(rest).ok_or_else(bad)?) };
    Ok(Command::Digest(algorithm, name.ok_or_else(bad)?, span))
}

/// Splits off the last two words if both are numbers, and returns the text before them and the two
/// words.
fn rsplit_numbers(argument: &[u8]) -> Option<(&[u8], &[u8])> {
    let last = argument.iter().rposition(|&b| b == b' ')?;
    let first = argument[..last].iter().rposition(|&b| b == b' ')?;
    ByteRange::parse(&argument[first + 1..]).map(|_| (&argument[..first], &argument[first + 1..]))
}

/// Parses `modify=20250102030405;UNIX.mode=0644; name` (draft-somers-ftp-mfxx-04 section 6).
fn parse_mff(argument: &[u8]) -> Result<Command, Malformed> {
    let bad = || Malformed::Argument(Verb::Mff, Verb::Mff.row().syntax);
    let (facts, name) = split_word(argument);
    let mut changes = MffFacts::default();
    // ncftp omits the last semicolon.
    for fact in facts.strip_suffix(b";").unwrap_or(facts).split(|&b| b == b';') {
        let equals = fact.iter().position(|&b| b == b'=').ok_or_else(bad)?;
        changes.set(&fact[..equals], &fact[equals + 1..])?;
    }
    Ok(Command::Mff(changes, Name::from_wire(name).ok_or_else(bad)?))
}
