//! The argument of SITE: a subcommand with its own arguments.

use super::argument::{parse_mode, parse_number, split_name, split_word};
use super::{Malformed, Name};
use crate::protocol::verb::Verb;
use crate::protocol::{path, time};
use std::time::SystemTime;

/// The argument of SITE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Site {
    /// `HELP`.
    Help,
    /// `CHMOD mode path`; the mode is at most 0o7777.
    Chmod(u32, Name),
    /// `UTIME` in one of its forms; only the modification time is used.
    Utime(UtimeForm, SystemTime, Name),
    /// `UMASK [mask]`: the permission bits that new files and directories do not get.
    Umask(Option<u32>),
    /// `SYMLINK target link`.
    Symlink(Name, Name),
    /// `MKDIR path`: creates the directory and all missing parents.
    Mkdir(Name),
    /// `IDLE [seconds]`: the idle timeout of this session.
    Idle(Option<u64>),
    /// `WHO`: lists the sessions.
    Who,
    /// `QUOTA`: reports the quota and its use.
    Quota,
}

/// A form of UTIME. This server accepts all of them; other servers accept one or two, so the client has
/// to try them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UtimeForm {
    /// `UTIME YYYYMMDDHHMMSS path`.
    Seconds,
    /// `UTIME YYYYMMDDHHMM path`.
    Minutes,
    /// `UTIME path atime mtime ctime UTC`, each time in 14 digits.
    ThreeTimes,
}

/// A row of the table of SITE commands.
pub struct SiteRow {
    name: &'static str,
    /// The syntax as SITE HELP shows it.
    pub syntax: &'static str,
    /// The form that the error reply names if the argument cannot be parsed.
    expected: &'static str,
    parse: fn(&[u8]) -> Option<Site>,
}

/// The SITE commands, one row each, in the order of SITE HELP.
pub const SITE_TABLE: &[SiteRow] = &[
    SiteRow::new("HELP", "HELP", |_| Some(Site::Help)),
    SiteRow::new("CHMOD", "CHMOD mode path", parse_chmod),
    SiteRow::new("UTIME", "UTIME YYYYMMDDHHMMSS path", parse_utime),
    SiteRow::new("UMASK", "UMASK [mask]", parse_umask).or("UMASK followed by three octal digits"),
    SiteRow::new("SYMLINK", "SYMLINK target link", parse_symlink),
    SiteRow::new("MKDIR", "MKDIR path", |rest| Name::from_wire(rest).map(Site::Mkdir)),
    SiteRow::new("IDLE", "IDLE [seconds]", parse_idle).or("IDLE followed by a number of seconds"),
    SiteRow::new("WHO", "WHO", |_| Some(Site::Who)),
    SiteRow::new("QUOTA", "QUOTA", |_| Some(Site::Quota)),
];

impl SiteRow {
    const fn new(
        name: &'static str,
        syntax: &'static str,
        parse: fn(&[u8]) -> Option<Site>,
    ) -> SiteRow {
        SiteRow { name, syntax, expected: syntax, parse }
    }

    const fn or(self, expected: &'static str) -> SiteRow {
        SiteRow { expected, ..self }
    }
}

impl Site {
    pub(super) fn parse(argument: &[u8]) -> Result<Site, Malformed> {
        let (word, rest) = split_word(argument);
        let row = SITE_TABLE.iter().find(|row| word.eq_ignore_ascii_case(row.name.as_bytes()));
        let row = row.ok_or(Malformed::Parameter(Verb::Site))?;
        (row.parse)(rest).ok_or(Malformed::Argument(Verb::Site, row.expected))
    }

    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        let text = |out: &mut Vec<u8>, text: &str| out.extend_from_slice(text.as_bytes());
        match self {
            Site::Help => text(out, "HELP"),
            Site::Chmod(mode, name) => {
                text(out, &format!("CHMOD {mode:03o} "));
                out.extend_from_slice(&name.to_wire());
            }
            Site::Utime(form, time, name) => {
                text(out, "UTIME ");
                form.write_to(*time, name, out);
            }
            Site::Umask(None) => text(out, "UMASK"),
            Site::Umask(Some(mask)) => text(out, &format!("UMASK {mask:03o}")),
            Site::Symlink(target, link) => {
                text(out, "SYMLINK ");
                path::write_quoted(target.as_bytes(), out);
                out.push(b' ');
                path::write_quoted(link.as_bytes(), out);
            }
            Site::Mkdir(name) => {
                text(out, "MKDIR ");
                out.extend_from_slice(&name.to_wire());
            }
            Site::Idle(None) => text(out, "IDLE"),
            Site::Idle(Some(seconds)) => text(out, &format!("IDLE {seconds}")),
            Site::Who => text(out, "WHO"),
            Site::Quota => text(out, "QUOTA"),
        }
    }
}

impl UtimeForm {
    fn write_to(self, time: SystemTime, name: &Name, out: &mut Vec<u8>) {
        let (name, mut digits) = (name.to_wire(), Vec::new());
        time::write_timestamp(time, &mut digits);
        if self == UtimeForm::Minutes {
            digits.truncate(MINUTES);
        }
        let digits = digits.as_slice();
        let words: &[&[u8]] = match self {
            UtimeForm::Seconds | UtimeForm::Minutes => &[digits, &name],
            UtimeForm::ThreeTimes => &[&name, digits, digits, digits, b"UTC"],
        };
        out.extend_from_slice(&words.join(&b' '));
    }
}

/// The number of digits of a time without seconds, `YYYYMMDDHHMM`.
const MINUTES: usize = 12;

fn parse_umask(argument: &[u8]) -> Option<Site> {
    match argument.trim_ascii() {
        b"" => Some(Site::Umask(None)),
        mask => parse_mode(mask).filter(|mask| *mask <= 0o777).map(|mask| Site::Umask(Some(mask))),
    }
}

fn parse_idle(argument: &[u8]) -> Option<Site> {
    match argument.trim_ascii() {
        b"" => Some(Site::Idle(None)),
        seconds => {
            let seconds = parse_number(seconds).filter(|seconds| *seconds > 0)?;
            Some(Site::Idle(Some(seconds)))
        }
    }
}

fn parse_chmod(argument: &[u8]) -> Option<Site> {
    let (mode, name) = split_word(argument);
    Some(Site::Chmod(parse_mode(mode)?, Name::from_wire(name)?))
}

/// Parses the common forms: `time path` (ProFTPD and others), where the time may lack its seconds, and
/// `path atime mtime ctime UTC` (ncftp, Pure-FTPd).
fn parse_utime(argument: &[u8]) -> Option<Site> {
    let timestamp = |text: &[u8]| match text.len() {
        MINUTES => time::parse_timestamp(&[text, b"00"].concat()),
        _ => time::parse_timestamp(text),
    };
    let (first, name) = split_word(argument);
    if let (Some(time), Some(name)) = (timestamp(first), Name::from_wire(name)) {
        let form = if first.len() == MINUTES { UtimeForm::Minutes } else { UtimeForm::Seconds };
        return Some(Site::Utime(form, time, name));
    }
    let mut words = argument.rsplitn(5, |&b| b == b' ');
    let (zone, _created, modified) = (words.next()?, words.next()?, words.next()?);
    let (_accessed, name) = (words.next()?, words.next()?);
    let time = timestamp(modified).filter(|_| zone.eq_ignore_ascii_case(b"UTC"))?;
    Some(Site::Utime(UtimeForm::ThreeTimes, time, Name::from_wire(name)?))
}

/// Parses two names, each quoted if it contains a space.
fn parse_symlink(argument: &[u8]) -> Option<Site> {
    let (target, rest) = split_name(argument)?;
    let (link, rest) = split_name(rest.strip_prefix(b" ")?)?;
    rest.is_empty().then_some(Site::Symlink(target, link))
}
