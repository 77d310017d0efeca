//! DOS, and Windows servers such as IIS that use the same format.

use super::super::context::Context;
use super::super::date::take_date_and_clock;
use super::super::entry::{Entry, Kind};
use super::super::words::{Words, grouped_number};

/// The width of the column with `<DIR>` or the size; the name follows it.
const KIND_WIDTH: usize = 15;

/// Parses `01-02-25  03:04PM       <DIR>          name`, with the date in any order.
pub(super) fn parse_dos(line: &[u8], context: &Context<'_>) -> Option<Entry> {
    let mut words = Words { rest: line };
    let modified = take_date_and_clock(&mut words, &context.dates)?;
    let what = words.next()?;
    let mut entry = match what {
        [b'<', what_it_is @ .., b'>'] => {
            let name = words.name_after(KIND_WIDTH.saturating_sub(what.len()).max(1))?;
            special(what_it_is, name)
        }
        _ => {
            let mut entry = Entry::new(words.name()?, Kind::File);
            entry.size = Some(grouped_number(what)?);
            entry
        }
    };
    entry.modified = Some(modified);
    Some(entry)
}

/// Builds an entry that is not a file: a directory, or a link. The target of a link is a Windows
/// path, which is of no use to a client and not part of the name.
fn special(what: &[u8], name: &[u8]) -> Entry {
    match what {
        b"DIR" => Entry::new(name, Kind::Dir),
        b"JUNCTION" | b"SYMLINKD" | b"SYMLINK" => Entry::new(without_target(name), Kind::Other),
        _ => Entry::new(name, Kind::Other),
    }
}

/// Removes the target of `name [target]` if it is a Windows path; otherwise it may be part of the
/// name.
fn without_target(name: &[u8]) -> &[u8] {
    let Some(inside) = name.strip_suffix(b"]") else { return name };
    let Some(start) = inside.windows(2).rposition(|pair| pair == b" [") else { return name };
    let target = &inside[start + 2..];
    let is_path = target.get(1) == Some(&b':') || target.contains(&b'\\');
    if start > 0 && is_path { &inside[..start] } else { name }
}

/// Returns whether a line precedes or follows the listing of `dir`.
pub(super) fn is_heading(line: &[u8]) -> bool {
    let text = line.trim_ascii();
    let above = [&b"Volume in drive "[..], b"Volume Serial Number is ", b"Directory of "];
    line.starts_with(b" ") && (above.iter().any(|start| text.starts_with(start)) || is_sum(text))
}

/// Matches `3 File(s)  12,345 bytes` and `2 Dir(s)  1,234 bytes free`.
fn is_sum(text: &[u8]) -> bool {
    let mut words = Words { rest: text };
    let (count, what) = (words.next().and_then(grouped_number), words.next());
    count.is_some() && matches!(what, Some(b"File(s)" | b"Dir(s)"))
}
