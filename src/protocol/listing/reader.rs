//! Parses whole listings. Each line is an entry, a known non-entry such as a heading, or unreadable.

use std::iter::{Peekable, once};
use std::time::SystemTime;

use super::context::Context;
use super::entry::{Entry, Kind};
use super::forms::{self, Table};

/// The longest line that is parsed, in bytes: room for the longest name and the longest target of
/// a link.
const MAX_LINE: usize = 8192;

/// A line of a listing that could not be parsed, without its line end. The content of the
/// directory is then not completely known, and the caller must not conclude anything from names
/// that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable<'a>(pub &'a [u8]);

/// Parses the data of MLSD (RFC 3659 section 7.2). The listed directory and its parent are left
/// out, even if the server sends `.` and then `..` as plain directories. A line is unreadable if
/// the name or the kind is missing, or if the name is not valid in a directory, such as a whole
/// path.
pub fn read_mlsd(text: &[u8]) -> impl Iterator<Item = Result<Entry, Unreadable<'_>>> {
    let said = lines(text).filter(|line| !is_blank_line(line));
    let mut lists_itself = false;
    said.filter_map(move |line| {
        let mut entry = Entry::parse_mlsx(line).filter(|_| line.len() <= MAX_LINE);
        if let Some(Entry { name, kind: kind @ Kind::Dir, .. }) = &mut entry {
            match name.as_slice() {
                b"." => (lists_itself, *kind) = (true, Kind::CurrentDir),
                b".." if lists_itself => *kind = Kind::ParentDir,
                _ => {}
            }
        }
        check_entry(entry, line).transpose()
    })
}

/// Parses the data of LIST, as seen at `now`. Headings, totals, blank lines, the directory itself,
/// its parent, and older versions of a file are left out.
pub fn read_list(
    text: &[u8],
    now: SystemTime,
) -> impl Iterator<Item = Result<Entry, Unreadable<'_>>> {
    let context = Context::of(lines(text).filter(|line| line.len() <= MAX_LINE), now);
    ListReader { lines: lines(text).peekable(), context, table: None }
}

struct ListReader<'a, L: Iterator<Item = &'a [u8]>> {
    lines: Peekable<L>,
    context: Context<'a>,
    /// The kind of table that the last heading announced.
    table: Option<Table>,
}

impl<'a, L: Iterator<Item = &'a [u8]>> Iterator for ListReader<'a, L> {
    type Item = Result<Entry, Unreadable<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.lines.next()?;
            if let Some(found) = self.read(line).transpose() {
                return Some(found);
            }
        }
    }
}

impl<'a, L: Iterator<Item = &'a [u8]>> ListReader<'a, L> {
    fn read(&mut self, line: &'a [u8]) -> Result<Option<Entry>, Unreadable<'a>> {
        if is_blank_line(line) {
            return Ok(None);
        }
        if line.len() > MAX_LINE {
            return Err(Unreadable(line));
        }
        if let Some(table) = Table::announced(line) {
            self.table = Some(table);
            return Ok(None);
        }
        if forms::is_rule(line) || self.context.is_outdated(line) {
            return Ok(None);
        }
        let entry = forms::parse(line, self.table, &self.context);
        if entry.is_none() && forms::is_heading(line, &self.context) {
            return Ok(None);
        }
        check_entry(entry.or_else(|| self.continued(line)), line)
    }

    /// Reads an entry that continues on the next line.
    fn continued(&mut self, line: &[u8]) -> Option<Entry> {
        let next = self.lines.peek().filter(|next| next.len() <= MAX_LINE)?;
        let entry = forms::parse_continued(line, next, &self.context)?;
        self.lines.next();
        Some(entry)
    }
}

/// Leaves out the listed directory and its parent, and rejects invalid names.
fn check_entry<'a>(entry: Option<Entry>, line: &'a [u8]) -> Result<Option<Entry>, Unreadable<'a>> {
    let entry = entry.ok_or(Unreadable(line))?;
    match (&entry.kind, entry.name.as_slice()) {
        (Kind::CurrentDir | Kind::ParentDir, _) => Ok(None),
        (_, name) if is_name(name) => Ok(Some(entry)),
        _ => Err(Unreadable(line)),
    }
}

/// Returns whether a name can belong to an entry of the listed directory.
fn is_name(name: &[u8]) -> bool {
    !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/')
}

/// Returns the lines of a text without their ends, and without a byte order mark before the first.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines = text.split(|&byte| byte == b'\n');
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn is_blank_line(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}

impl Entry {
    /// Parses one line of LIST without the rest of its listing, as seen at `now`. Formats that
    /// need a heading are not recognized, and names are not checked.
    pub fn parse_ls(line: &[u8], now: SystemTime) -> Option<Entry> {
        let context = Context::of(once(line), now);
        forms::parse(line, None, &context).filter(|entry| !entry.name.is_empty())
    }
}

#[cfg(test)]
mod tests;
