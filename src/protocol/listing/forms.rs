//! The line formats of LIST: `ls -l` in its dialects, and the formats of systems other than Unix.
//!
//! No RFC defines them. The parsers are strict about what identifies a format (the letters of a
//! mode, a number next to a date, `<DIR>`) and about the start of the name, because an entry under
//! a wrong name is worse than an unreadable line. They ignore other columns. Sizes that are
//! rounded or not in bytes count as unknown.

mod as400;
mod dos;
mod enterprise;
mod eplf;
mod mainframe;
mod netware;
mod nonstop;
mod nortel;
mod os2;
mod os9;
mod unix;
mod vms;
mod vshell;

use super::context::Context;
use super::entry::{Entry, Kind};
pub(super) use mainframe::Table;
pub(super) use vms::parse_continued;

/// Parses a line, which may follow the heading of a table.
pub(super) fn parse(line: &[u8], table: Option<Table>, context: &Context<'_>) -> Option<Entry> {
    let mut entry = eplf::parse_eplf(line)
        .or_else(|| unix::parse_unix(line, context))
        .or_else(|| netware::parse_netware(line, context))
        .or_else(|| enterprise::parse_enterprise(line, context))
        .or_else(|| dos::parse_dos(line, context))
        .or_else(|| vms::parse_vms(line, context))
        .or_else(|| unix::parse_numeric(line))
        .or_else(|| vshell::parse_vshell(line, context))
        .or_else(|| os2::parse_os2(line, context))
        .or_else(|| nortel::parse_vxworks(line, context))
        .or_else(|| nortel::parse_bay(line, context))
        .or_else(|| as400::parse_as400(line, context))
        .or_else(|| os9::parse_os9(line))
        .or_else(|| nonstop::parse_nonstop(line, context))
        .or_else(|| mainframe::parse_mainframe(line, table, context))?;
    // `ls -a` shows both; a client that descended into them would never end.
    match (&entry.kind, entry.name.as_slice()) {
        (Kind::Dir, b".") => entry.kind = Kind::CurrentDir,
        (Kind::Dir, b"..") => entry.kind = Kind::ParentDir,
        _ => {}
    }
    Some(entry)
}

/// Returns whether a line of a listing is a heading or a total, and thus not an entry.
pub(super) fn is_heading(line: &[u8], context: &Context<'_>) -> bool {
    unix::is_heading(line)
        || dos::is_heading(line)
        || vms::is_heading(line)
        || as400::is_heading(line, context)
        || nonstop::is_heading(line)
        || nortel::is_heading(line)
        || os9::is_heading(line)
}

/// Returns whether a line is a separator below column titles: `--------  ------  ----`.
pub(super) fn is_rule(line: &[u8]) -> bool {
    line.iter().filter(|&&byte| byte == b'-').count() > 3
        && line.iter().all(|byte| b"- ".contains(byte))
}

#[cfg(test)]
mod tests;
