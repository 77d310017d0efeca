//! The values of the server's options.

use crate::args::{self, Parsed, Usage};
use crate::server::accounts::Access;
use crate::server::config::{DEFAULT_HOST, StatusAt, TlsRequired};
use crate::server::data::passive_address::PassiveAddress;
use crate::server::log::{Format, Level};
use crate::sys::TlsVersion;
use crate::text;
use std::env;
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

/// What visitors may do: nothing, or what an account may.
pub(super) const ANONYMOUS: [(&str, Option<Access>); 1 + Access::WORDS.len()] = {
    let mut words = [("none", None); 1 + Access::WORDS.len()];
    let mut row = 0;
    while row < Access::WORDS.len() {
        let (word, access) = Access::WORDS[row];
        row += 1;
        words[row] = (word, Some(access));
    }
    words
};

/// The levels of the log.
pub(super) const LEVELS: [(&str, Level); 4] = [
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("info", Level::Info),
    ("debug", Level::Debug),
];

/// The formats of the log.
pub(super) const FORMATS: [(&str, Format); 2] = [("text", Format::Text), ("json", Format::Json)];

/// Who must use TLS.
pub(super) const TLS_REQUIRED: [(&str, TlsRequired); 3] =
    [("none", TlsRequired::None), ("accounts", TlsRequired::Accounts), ("all", TlsRequired::All)];

/// The versions of TLS.
pub(super) const TLS_VERSIONS: [(&str, TlsVersion); 2] =
    [("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)];

/// Whether data connections must resume a session.
pub(super) const TLS_REUSE: [(&str, bool); 2] = [("allow", false), ("require", true)];

/// An address or a name.
pub(super) fn host(text: &str) -> Result<String, args::Expected> {
    let host = text.trim();
    // "[::1]" is how addresses stand in URLs; people copy them from there.
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let fits = !host.is_empty() && !host.contains(char::is_whitespace);
    if fits { Ok(host.into()) } else { Err(args::Expected("an address or a host name".into())) }
}

/// Returns the error for words without an option, which says what they may be meant as.
pub(super) fn misplaced(words: &[OsString]) -> Option<Usage> {
    let meant = |word: &OsString| {
        let text = word.to_string_lossy();
        let option = match () {
            () if text.parse::<u16>().is_ok() => "--port",
            () if Path::new(word).is_dir() => "--root",
            () => "--host",
        };
        format!("{option} {}", text::shown(word.as_encoded_bytes()))
    };
    let first = words.first()?;
    let meant: Vec<String> = words.iter().map(meant).collect();
    Some(Usage::operand(first, format!("options: {}", meant.join(" "))))
}

/// Each network once.
pub(super) fn announcements(
    given: &Parsed,
    name: &'static str,
) -> Result<Vec<PassiveAddress>, Usage> {
    let one = |text: &str| PassiveAddress::parse(text, host);
    let all = given.get_all(name, listed(one))?.concat();
    for (at, one) in all.iter().enumerate() {
        if all[..at].iter().any(|before| before.network == one.network) {
            let expected = format!("one address for clients of {}", one.network);
            return Err(given.wrong(name, expected));
        }
    }
    Ok(all)
}

/// A parser for several of something with commas in between.
pub(super) fn listed<T>(
    one: impl Fn(&str) -> Result<T, args::Expected>,
) -> impl Fn(&str) -> Result<Vec<T>, args::Expected> {
    move |text| text.split(',').map(|part| one(part.trim())).collect()
}

pub(super) fn ports(text: &str) -> Result<RangeInclusive<u16>, args::Expected> {
    let number = |text: &str| args::port(text).ok().filter(|port| *port > 0);
    let range =
        text.split_once('-').and_then(|(first, last)| Some((number(first)?, number(last)?)));
    match range {
        Some((first, last)) if first <= last => Ok(first..=last),
        _ => Err(args::Expected("two ports, FIRST-LAST, from 1 to 65535".into())),
    }
}

/// `HOST:PORT`, `[::1]:PORT`, and without a host `:PORT` or `PORT`.
pub(super) fn status(text: &str) -> Result<StatusAt, args::Expected> {
    let (name, port) = text.rsplit_once(':').unwrap_or(("", text));
    let bracketed = name.starts_with('[') && name.ends_with(']');
    let name = if name.is_empty() { DEFAULT_HOST } else { name };
    match (host(name), args::port(port)) {
        // ::1 could be port 1 of an address that is cut short.
        (Ok(host), Ok(port)) if bracketed || !host.contains(':') => Ok(StatusAt { host, port }),
        _ => Err(args::Expected("HOST:PORT, such as 127.0.0.1:9026 or [::1]:9026".into())),
    }
}

/// A time-out of no time would end every session before it began.
pub(super) fn some_time(text: &str) -> Result<Duration, args::Expected> {
    match args::duration(text)? {
        Duration::ZERO => Err(args::Expected("a duration above 0, such as 30s, 5m or 1h".into())),
        duration => Ok(duration),
    }
}

/// A number of sessions.
pub(super) fn count(text: &str) -> Result<usize, args::Expected> {
    args::integer(1..=1_000_000)(text)
}

/// The word for what visitors or an account may do.
pub fn access_name(access: Option<Access>) -> &'static str {
    access.map_or("none", Access::word)
}

/// The current directory, for `ftp_server check`.
pub(super) fn current_dir() -> String {
    env::current_dir().map_or_else(|_| ".".into(), |dir| dir.display().to_string())
}
