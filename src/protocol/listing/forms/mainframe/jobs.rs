//! The jobs that z/OS lists instead of files (`SITE FILETYPE=JES`). RETR accepts their numbers.

use super::super::super::entry::{Entry, Kind, Owner};
use super::super::super::words::{Words, number};

/// Parses `IBMUSER1  JOB01906  OUTPUT    3 Spool Files`, or a line `below` the heading of jobs:
/// `IBMUSER1 JOB01906 IBMUSER  OUTPUT A        RC=0000 3 spool files`.
pub(super) fn parse_job(line: &[u8], below: bool) -> Option<Entry> {
    let mut words = Words { rest: line };
    let (_job, id) = (words.next()?, words.next().filter(|id| is_job_number(id))?);
    let mut entry = Entry::new(id, Kind::File);
    if below {
        entry.owner = Owner::parse(words.next()?);
        return words.next().filter(|status| is_status(status)).map(|_| entry);
    }
    words.next().filter(|status| is_status(status))?;
    number::<10>(words.next()?)?;
    let rest = words.all(2)?;
    let files = |word: &[u8]| word.eq_ignore_ascii_case(b"files");
    matches!(*rest.as_slice(), [spool, last] if spool.eq_ignore_ascii_case(b"spool") && files(last))
        .then_some(entry)
}

/// Matches `JOB01906`, with `TSU` for users and `STC` for started tasks, and the short form
/// `J0123456`.
fn is_job_number(word: &[u8]) -> bool {
    let digits = [&b"JOB"[..], b"TSU", b"STC", b"J", b"T", b"S"];
    let digits = digits.iter().find_map(|kind| word.strip_prefix(*kind)).unwrap_or_default();
    word.len() == 8 && number::<10>(digits).is_some()
}

fn is_status(word: &[u8]) -> bool {
    [&b"INPUT"[..], b"ACTIVE", b"OUTPUT", b"HELD"].contains(&word)
}
