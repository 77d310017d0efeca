//! Parsers for the values of the server's options.

use crate::args::{self, Parsed, Usage};
use crate::server::accounts::Access;
use crate::server::config::{DEFAULT_HOST, StatusAddress, TlsRequired};
use crate::server::data::passive_address::PassiveAddress;
use crate::server::log::{Format, Level};
use crate::sys::TlsVersion;
use crate::text;
use std::env;
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

/// The values of `--anonymous`: `none`, or one of the access words of accounts.
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

/// The log levels.
pub(super) const LEVELS: [(&str, Level); 4] = [
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("info", Level::Info),
    ("debug", Level::Debug),
];

/// The log formats.
pub(super) const FORMATS: [(&str, Format); 2] = [("text", Format::Text), ("json", Format::Json)];

/// The values of `--tls-required`.
pub(super) const TLS_REQUIRED: [(&str, TlsRequired); 3] =
    [("none", TlsRequired::None), ("accounts", TlsRequired::Accounts), ("all", TlsRequired::All)];

/// The TLS versions.
pub(super) const TLS_VERSIONS: [(&str, TlsVersion); 2] =
    [("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)];

/// The values of `--tls-reuse`; true makes data connections resume a TLS session.
pub(super) const TLS_REUSE: [(&str, bool); 2] = [("allow", false), ("require", true)];

/// Parses an address or a host name.
pub(super) fn host(text: &str) -> Result<String, args::Expected> {
    let host = text.trim();
    // Addresses in URLs are written "[::1]", and users copy them from there.
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let fits = !host.is_empty() && !host.contains(char::is_whitespace);
    if fits { Ok(host.into()) } else { Err(args::Expected("an address or a host name".into())) }
}

/// Returns the error for operands, which suggests the options to use instead.
pub(super) fn unexpected_operands(words: &[OsString]) -> Option<Usage> {
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

/// Returns the values of `--passive-address`, in which each network may occur once.
pub(super) fn passive_addresses(
    given: &Parsed,
    name: &'static str,
) -> Result<Vec<PassiveAddress>, Usage> {
    let one = |text: &str| PassiveAddress::parse(text, host);
    let all = given.get_all(name, comma_separated(one))?.concat();
    for (at, one) in all.iter().enumerate() {
        if all[..at].iter().any(|before| before.network == one.network) {
            let expected = format!("one address for clients of {}", one.network);
            return Err(given.wrong(name, expected));
        }
    }
    Ok(all)
}

/// Returns a parser for comma-separated values.
pub(super) fn comma_separated<T>(
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

/// Parses `HOST:PORT`, `[::1]:PORT`, `:PORT` or `PORT`.
pub(super) fn status(text: &str) -> Result<StatusAddress, args::Expected> {
    let (name, port) = text.rsplit_once(':').unwrap_or(("", text));
    let bracketed = name.starts_with('[') && name.ends_with(']');
    let name = if name.is_empty() { DEFAULT_HOST } else { name };
    match (host(name), args::port(port)) {
        // Without brackets, the last part of ::1 cannot be distinguished from a port.
        (Ok(host), Ok(port)) if bracketed || !host.contains(':') => {
            Ok(StatusAddress { host, port })
        }
        _ => Err(args::Expected("HOST:PORT, such as 127.0.0.1:9026 or [::1]:9026".into())),
    }
}

/// Parses a duration above 0; a timeout of 0 would end every session at once.
pub(super) fn nonzero_duration(text: &str) -> Result<Duration, args::Expected> {
    match args::duration(text)? {
        Duration::ZERO => Err(args::Expected("a duration above 0, such as 30s, 5m or 1h".into())),
        duration => Ok(duration),
    }
}

/// Parses a number of sessions.
pub(super) fn session_count(text: &str) -> Result<usize, args::Expected> {
    args::integer(1..=1_000_000)(text)
}

/// Returns the word for the access of anonymous visitors or an account.
pub fn access_name(access: Option<Access>) -> &'static str {
    access.map_or("none", Access::word)
}

/// Returns the current directory, the default of `--root`.
pub(super) fn current_dir() -> String {
    env::current_dir().map_or_else(|_| ".".into(), |dir| dir.display().to_string())
}
