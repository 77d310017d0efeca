//! The argument of SITE: a command of its own with arguments of its own.

use super::argument::{parse_mode, parse_number, split_name, split_word};
use super::{Malformed, Name};
use crate::protocol::verb::Verb;
use crate::protocol::{path, time};
use std::io::Write as _;
use std::time::SystemTime;

/// Argument of SITE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Site {
    /// `HELP`.
    Help,
    /// `CHMOD mode path`; permission bits, 0o7777 at most.
    Chmod(u32, Name),
    /// `UTIME YYYYMMDDHHMM[SS] path`, or `UTIME path atime mtime ctime UTC`: when modified.
    Utime(SystemTime, Name),
    /// `UMASK [mask]`: what new files and directories are not allowed.
    Umask(Option<u32>),
    /// `SYMLINK target link`.
    Symlink(Name, Name),
    /// `MKDIR path`, with all that is missing above it.
    Mkdir(Name),
    /// `IDLE [seconds]`: the session's own idle time-out.
    Idle(Option<u64>),
    /// `WHO`: the sessions.
    Who,
    /// `QUOTA`: what may be stored.
    Quota,
}

impl Site {
    /// What there is, for SITE HELP.
    pub const HELP: [&'static str; 9] = [
        "HELP",
        "CHMOD mode path",
        "UTIME YYYYMMDDHHMMSS path",
        "UMASK [mask]",
        "SYMLINK target link",
        "MKDIR path",
        "IDLE [seconds]",
        "WHO",
        "QUOTA",
    ];

    pub(super) fn parse(argument: &[u8]) -> Result<Site, Malformed> {
        let (word, rest) = split_word(argument);
        let bad = |expected| Malformed::Argument(Verb::Site, expected);
        let none = rest.trim_ascii().is_empty();
        match word.to_ascii_uppercase().as_slice() {
            b"HELP" => Ok(Site::Help),
            b"WHO" => Ok(Site::Who),
            b"QUOTA" => Ok(Site::Quota),
            b"CHMOD" => parse_chmod(rest).ok_or(bad("CHMOD mode path")),
            b"UTIME" => parse_utime(rest).ok_or(bad("UTIME YYYYMMDDHHMMSS path")),
            b"UMASK" if none => Ok(Site::Umask(None)),
            b"UMASK" => match parse_mode(rest.trim_ascii()) {
                Some(mask @ 0..=0o777) => Ok(Site::Umask(Some(mask))),
                _ => Err(bad("UMASK and three octal digits")),
            },
            b"SYMLINK" => parse_symlink(rest).ok_or(bad("SYMLINK target link")),
            b"MKDIR" => Name::from_wire(rest).map(Site::Mkdir).ok_or(bad("MKDIR path")),
            b"IDLE" if none => Ok(Site::Idle(None)),
            b"IDLE" => match parse_number(rest.trim_ascii()) {
                Some(seconds @ 1..) => Ok(Site::Idle(Some(seconds))),
                _ => Err(bad("IDLE and a number of seconds")),
            },
            _ => Err(Malformed::Parameter(Verb::Site)),
        }
    }

    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        let _ = match self {
            Site::Help => write!(out, "HELP"),
            Site::Chmod(mode, _) => write!(out, "CHMOD {mode:03o} "),
            Site::Utime(time, _) => {
                out.extend_from_slice(b"UTIME ");
                time::write_timestamp(*time, out);
                write!(out, " ")
            }
            Site::Umask(None) => write!(out, "UMASK"),
            Site::Umask(Some(mask)) => write!(out, "UMASK {mask:03o}"),
            Site::Symlink(target, _) => {
                out.extend_from_slice(b"SYMLINK ");
                path::write_quoted(target.as_bytes(), out);
                write!(out, " ")
            }
            Site::Mkdir(_) => write!(out, "MKDIR "),
            Site::Idle(None) => write!(out, "IDLE"),
            Site::Idle(Some(seconds)) => write!(out, "IDLE {seconds}"),
            Site::Who => write!(out, "WHO"),
            Site::Quota => write!(out, "QUOTA"),
        };
        match self {
            Site::Chmod(_, name) | Site::Utime(_, name) | Site::Mkdir(name) => {
                out.extend_from_slice(&name.to_wire());
            }
            Site::Symlink(_, link) => path::write_quoted(link.as_bytes(), out),
            Site::Help | Site::Umask(_) | Site::Idle(_) | Site::Who | Site::Quota => {}
        }
    }
}

fn parse_chmod(argument: &[u8]) -> Option<Site> {
    let (mode, name) = split_word(argument);
    Some(Site::Chmod(parse_mode(mode)?, Name::from_wire(name)?))
}

/// The two forms in use: time first (ProFTPD and others), and `path atime mtime ctime UTC` (ncftp,
/// Pure-FTPd). Seconds may be left out.
fn parse_utime(argument: &[u8]) -> Option<Site> {
    let timestamp = |text: &[u8]| match text.len() {
        12 => time::parse_timestamp(&[text, b"00"].concat()),
        _ => time::parse_timestamp(text),
    };
    let (first, name) = split_word(argument);
    if let (Some(time), Some(name)) = (timestamp(first), Name::from_wire(name)) {
        return Some(Site::Utime(time, name));
    }
    let mut words = argument.rsplitn(5, |&b| b == b' ');
    let (zone, _created, modified) = (words.next()?, words.next()?, words.next()?);
    let (_accessed, name) = (words.next()?, words.next()?);
    let time = timestamp(modified).filter(|_| zone.eq_ignore_ascii_case(b"UTC"))?;
    Some(Site::Utime(time, Name::from_wire(name)?))
}

/// Two names, each in quotes if it has a space.
fn parse_symlink(argument: &[u8]) -> Option<Site> {
    let (target, rest) = split_name(argument)?;
    let (link, rest) = split_name(rest.strip_prefix(b" ")?)?;
    rest.is_empty().then_some(Site::Symlink(target, link))
}
