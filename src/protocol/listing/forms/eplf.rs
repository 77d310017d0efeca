//! EPLF, Bernstein's easily parsed LIST format, used by publicfile and anonftpd.

use super::super::date::since_1970;
use super::super::entry::{Entry, Kind, Unique};
use super::super::words::{number, split_at_first};

/// Parses `+i8388621.48594,m825718503,r,s280,<tab>name`. `/` means that CWD works, `r` that RETR
/// works.
pub(super) fn parse_eplf(line: &[u8]) -> Option<Entry> {
    let (facts, name) = split_at_first(b'\t', line.strip_prefix(b"+")?)?;
    let mut entry = Entry::new(name, Kind::Other);
    for fact in facts.split(|&b| b == b',') {
        match fact {
            b"/" => entry.kind = Kind::Dir,
            b"r" => entry.kind = Kind::File,
            [b'u', b'p', mode @ ..] => entry.mode = number::<8>(mode).map(|m| (m & 0o7777) as u32),
            [b's', size @ ..] => entry.size = number::<10>(size),
            [b'm', seconds @ ..] => entry.modified = number::<10>(seconds).and_then(since_1970),
            [b'i', id @ ..] if !id.is_empty() => {
                entry.unique = Some(Unique::Opaque(id.to_vec()));
            }
            _ => {}
        }
    }
    Some(entry)
}
