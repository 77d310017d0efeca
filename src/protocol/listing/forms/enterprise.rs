//! Connect:Enterprise, a mailbox server: each line shows a batch with its flags and its protocol.

use super::super::context::Context;
use super::super::entry::{Entry, Kind};
use super::super::words::Words;
use super::unix::Columns;

/// Parses `-C--E-----FTP B BCC3I1       7670  1294495 Jan 13 07:42 name`: flags and protocol,
/// mode, mailbox, number, size, date.
pub(super) fn parse_enterprise(line: &[u8], context: &Context<'_>) -> Option<Entry> {
    let mut words = Words { rest: line };
    let flags = words.next()?.strip_prefix(b"-").filter(|flags| flags.len() == 12)?;
    let (flags, protocol) = flags.split_at(9);
    let is_flag = |byte: &u8| *byte == b'-' || byte.is_ascii_uppercase();
    if !flags.iter().all(is_flag) || !protocol.iter().all(u8::is_ascii_uppercase) {
        return None;
    }
    let columns = Columns::parse(words, context)?;
    let mut entry = columns.entry(columns.name?, Kind::File);
    (entry.links, entry.owner, entry.group) = (None, None, None);
    Some(entry)
}
