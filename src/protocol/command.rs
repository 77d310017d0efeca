//! Commands with typed arguments: each line is parsed once, and the rest of the program works with
//! the result.
//!
//! [`Command::parse`] and [`Command::write_to`] are inverses. [`Display`](fmt::Display) is for
//! logs and masks passwords. Spaces before the verb are skipped; then the line is split at its
//! first space. Everything after that space is the argument, because names may begin and end with
//! spaces.

mod argument;

mod name;
mod parse;
mod site;

pub use argument::{
    Algorithm, ByteRange, EpsvArgument, Format, Mechanism, MffFacts, Mode, Opts, Protection,
    Structure, Type,
};
pub use name::{Name, Secret};
pub use site::{SITE_TABLE, Site, SiteRow, UtimeForm};

use super::address;
use super::verb::{ArgumentRule, Verb};
use super::{path, time};
use parse::parse_argument;
use std::fmt;
use std::io::Write as _;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::SystemTime;

/// A command of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each variant is documented by the row of its verb
pub enum Command {
    User(Name),
    Pass(Secret),
    Acct(Secret),
    Rein,
    Quit,
    Cwd(Name),
    Cdup,
    Port(SocketAddrV4),
    Eprt(SocketAddr),
    Pasv,
    Epsv(EpsvArgument),
    Type(Type),
    Mode(Mode),
    Stru(Structure),
    Retr(Name),
    Stor(Name),
    Stou(Option<Name>),
    Appe(Name),
    Allo(u64),
    Rest(u64),
    Rnfr(Name),
    Rnto(Name),
    Abor,
    Dele(Name),
    Rmd(Name),
    Mkd(Name),
    Pwd,
    List(Option<Name>),
    Nlst(Option<Name>),
    Mlsd(Option<Name>),
    Mlst(Option<Name>),
    Size(Name),
    Mdtm(Name),
    Mfmt(SystemTime, Name),
    Stat(Option<Name>),
    Syst,
    Help(Option<Name>),
    Noop,
    Feat,
    Opts(Opts),
    Site(Site),
    Host(Name),
    Hash(Name),
    /// The argument of XCRC, XMD5, XSHA1, XSHA256 and XSHA512.
    Digest(Algorithm, Name, Option<ByteRange>),
    Rang(ByteRange),
    Mff(MffFacts, Name),
    Mfct(SystemTime, Name),
    Avbl(Option<Name>),
    Dsiz(Option<Name>),
    Rmda(Name),
    Csid(Option<Name>),
    Clnt(Name),
    Lang(Option<Name>),
    Auth(Mechanism),
    Pbsz(u64),
    Prot(Protection),
    Ccc,
}

/// The reason why a line cannot be carried out as a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// No RFC defines the verb; the reply is 500.
    Unknown,
    /// The verb is in an RFC but not implemented; the reply is 502.
    NotImplemented,
    /// The argument is missing; the reply is 501.
    Missing(Verb),
    /// The verb takes no argument but has one; the reply is 501.
    Unexpected(Verb),
    /// The argument does not have the form that the text describes; the reply is 501.
    Argument(Verb, &'static str),
    /// The argument is well-formed, but this crate does not know its value; the reply is 504.
    Parameter(Verb),
    /// EPRT or EPSV asks for a network protocol other than IPv4 and IPv6; the reply is 522.
    Protocol,
}

impl Command {
    /// Parses a line without its line end. No input causes a panic.
    ///
    /// # Errors
    /// Returns the reason as [`Malformed`].
    pub fn parse(line: &[u8]) -> Result<Command, Malformed> {
        // If the IAC of a Telnet Synch comes as urgent data and is lost, the last byte of the
        // Synch remains in the stream. A Telnet client that ends lines with `CR LF NUL` leaves the
        // NUL at the start of the next line.
        let is_debris = |byte: &u8| matches!(byte, b' ' | b'\t' | 0 | 0xf0..);
        let start = line.iter().position(|byte| !is_debris(byte)).unwrap_or(line.len());
        let line = &line[start..];
        let (word, argument) = match line.iter().position(|&b| b == b' ') {
            Some(space) => (&line[..space], &line[space + 1..]),
            None => (line, &b""[..]),
        };
        let verb = Verb::parse(word).ok_or_else(|| match Verb::is_unimplemented(word) {
            true => Malformed::NotImplemented,
            false => Malformed::Unknown,
        })?;
        match (verb.row().argument, argument.is_empty()) {
            (ArgumentRule::Required, true) => Err(Malformed::Missing(verb)),
            // Some clients send spaces after a bare verb; they have no meaning.
            (ArgumentRule::None, false) if !argument.trim_ascii().is_empty() => {
                Err(Malformed::Unexpected(verb))
            }
            _ => parse_argument(verb, argument),
        }
    }

    /// Returns the verb of this command.
    pub fn verb(&self) -> Verb {
        match self {
            Command::User(_) => Verb::User,
            Command::Pass(_) => Verb::Pass,
            Command::Acct(_) => Verb::Acct,
            Command::Rein => Verb::Rein,
            Command::Quit => Verb::Quit,
            Command::Cwd(_) => Verb::Cwd,
            Command::Cdup => Verb::Cdup,
            Command::Port(_) => Verb::Port,
            Command::Eprt(_) => Verb::Eprt,
            Command::Pasv => Verb::Pasv,
            Command::Epsv(_) => Verb::Epsv,
            Command::Type(_) => Verb::Type,
            Command::Mode(_) => Verb::Mode,
            Command::Stru(_) => Verb::Stru,
            Command::Retr(_) => Verb::Retr,
            Command::Stor(_) => Verb::Stor,
            Command::Stou(_) => Verb::Stou,
            Command::Appe(_) => Verb::Appe,
            Command::Allo(_) => Verb::Allo,
            Command::Rest(_) => Verb::Rest,
            Command::Rnfr(_) => Verb::Rnfr,
            Command::Rnto(_) => Verb::Rnto,
            Command::Abor => Verb::Abor,
            Command::Dele(_) => Verb::Dele,
            Command::Rmd(_) => Verb::Rmd,
            Command::Mkd(_) => Verb::Mkd,
            Command::Pwd => Verb::Pwd,
            Command::List(_) => Verb::List,
            Command::Nlst(_) => Verb::Nlst,
            Command::Mlsd(_) => Verb::Mlsd,
            Command::Mlst(_) => Verb::Mlst,
            Command::Size(_) => Verb::Size,
            Command::Mdtm(_) => Verb::Mdtm,
            Command::Mfmt(..) => Verb::Mfmt,
            Command::Stat(_) => Verb::Stat,
            Command::Syst => Verb::Syst,
            Command::Help(_) => Verb::Help,
            Command::Noop => Verb::Noop,
            Command::Feat => Verb::Feat,
            Command::Opts(_) => Verb::Opts,
            Command::Site(_) => Verb::Site,
            Command::Host(_) => Verb::Host,
            Command::Hash(_) => Verb::Hash,
            Command::Digest(Algorithm::Crc32, ..) => Verb::Xcrc,
            Command::Digest(Algorithm::Md5, ..) => Verb::Xmd5,
            Command::Digest(Algorithm::Sha1, ..) => Verb::Xsha1,
            Command::Digest(Algorithm::Sha256, ..) => Verb::Xsha256,
            Command::Digest(Algorithm::Sha512, ..) => Verb::Xsha512,
            Command::Rang(_) => Verb::Rang,
            Command::Mff(..) => Verb::Mff,
            Command::Mfct(..) => Verb::Mfct,
            Command::Avbl(_) => Verb::Avbl,
            Command::Dsiz(_) => Verb::Dsiz,
            Command::Rmda(_) => Verb::Rmda,
            Command::Csid(_) => Verb::Csid,
            Command::Clnt(_) => Verb::Clnt,
            Command::Lang(_) => Verb::Lang,
            Command::Auth(_) => Verb::Auth,
            Command::Pbsz(_) => Verb::Pbsz,
            Command::Prot(_) => Verb::Prot,
            Command::Ccc => Verb::Ccc,
        }
    }

    /// Appends the command in its wire form, without the line end.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.verb().row().spelling.as_bytes());
        let end_of_verb = out.len();
        out.push(b' ');
        self.write_argument(out);
        // For PASS a trailing space means an empty password; for all other verbs it means no
        // argument.
        if out.len() == end_of_verb + 1 && !matches!(self, Command::Pass(_)) {
            out.truncate(end_of_verb);
        }
    }

    // Writing to a Vec cannot fail, so the results of `write!` are ignored.
    fn write_argument(&self, out: &mut Vec<u8>) {
        match self {
            Command::User(name)
            | Command::Cwd(name)
            | Command::Retr(name)
            | Command::Stor(name)
            | Command::Appe(name)
            | Command::Rnfr(name)
            | Command::Rnto(name)
            | Command::Dele(name)
            | Command::Rmd(name)
            | Command::Mkd(name)
            | Command::Size(name)
            | Command::Mdtm(name)
            | Command::Host(name)
            | Command::Hash(name)
            | Command::Rmda(name)
            | Command::Clnt(name) => out.extend_from_slice(&name.to_wire()),
            Command::Stou(name)
            | Command::List(name)
            | Command::Nlst(name)
            | Command::Mlsd(name)
            | Command::Mlst(name)
            | Command::Stat(name)
            | Command::Help(name)
            | Command::Avbl(name)
            | Command::Dsiz(name)
            | Command::Csid(name)
            | Command::Lang(name) => {
                name.iter().for_each(|name| out.extend_from_slice(&name.to_wire()))
            }
            Command::Pass(secret) | Command::Acct(secret) => out.extend_from_slice(secret.expose()),
            Command::Port(to) => address::write_port(*to, out),
            Command::Eprt(to) => address::write_extended(*to, out),
            Command::Epsv(extended) => out.extend_from_slice(extended.spelling()),
            Command::Type(kind) => kind.write_to(out),
            Command::Mode(mode) => out.push(mode.letter()),
            Command::Stru(structure) => out.push(structure.letter()),
            Command::Allo(number) | Command::Rest(number) | Command::Pbsz(number) => {
                drop(write!(out, "{number}"));
            }
            Command::Auth(mechanism) => out.extend_from_slice(mechanism.spelling()),
            Command::Prot(protection) => out.push(protection.letter()),
            Command::Digest(_, name, span) => {
                path::write_quoted(name.as_bytes(), out);
                if let Some(span) = span {
                    let _ = write!(out, " {} {}", span.start, span.end);
                }
            }
            Command::Rang(span) => drop(write!(out, "{} {}", span.start, span.end)),
            Command::Mff(changes, name) => {
                changes.write_to(out);
                out.push(b' ');
                out.extend_from_slice(&name.to_wire());
            }
            Command::Mfmt(time, name) | Command::Mfct(time, name) => {
                time::write_timestamp(*time, out);
                out.push(b' ');
                out.extend_from_slice(&name.to_wire());
            }
            Command::Opts(opts) => opts.write_to(out),
            Command::Site(site) => site.write_to(out),
            Command::Rein
            | Command::Quit
            | Command::Cdup
            | Command::Pasv
            | Command::Abor
            | Command::Pwd
            | Command::Syst
            | Command::Noop
            | Command::Feat
            | Command::Ccc => {}
        }
    }
}

impl Command {
    /// Returns the command line for display, without its line end and with passwords replaced with
    /// stars.
    pub fn masked(&self) -> Vec<u8> {
        match self {
            Command::Pass(secret) | Command::Acct(secret) => {
                format!("{} {secret}", self.verb()).into_bytes()
            }
            Command::User(name) => [b"USER ", &name.masked()[..]].concat(),
            _ => {
                let mut line = Vec::new();
                self.write_to(&mut line);
                line
            }
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.masked()))
    }
}

#[cfg(test)]
mod tests;
