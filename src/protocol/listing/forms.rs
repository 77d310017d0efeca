//! What LIST prints, read: `ls -l` in its dialects, and the forms of servers that are no Unix.
//!
//! No RFC defines any of it, so the parsers are strict about what tells a form – the letters of a
//! mode, a number and a date side by side, `<DIR>` – and do not care what stands between. A line
//! of no known form, such as `total 12`, gives `None` and is not an error.
//!
//! Times are taken for UTC; a server that shows its own zone is off by hours, and only MDTM or MLSD
//! can tell. Lines that go on on the next line (VMS) are not read.

mod dos;
mod eplf;
mod netware;
mod unix;
mod vms;

use std::time::SystemTime;

use super::entry::{Entry, Kind};
use dos::parse_dos;
use eplf::parse_eplf;
use netware::parse_netware;
use unix::parse_unix;
use vms::parse_vms;

impl Entry {
    /// Reads a line of LIST in the form of Unix, DOS and IIS, EPLF or VMS. `now` serves to guess
    /// the year of dates that have none.
    pub fn parse_ls(line: &[u8], now: SystemTime) -> Option<Entry> {
        let mut entry = parse_eplf(line)
            .or_else(|| parse_unix(line, now))
            .or_else(|| parse_netware(line, now))
            .or_else(|| parse_dos(line))
            .or_else(|| parse_vms(line))?;
        // `ls -a` shows both, and a client that walks into them walks for ever.
        match (&entry.kind, entry.name.as_slice()) {
            (_, b"") => return None,
            (Kind::Dir, b".") => entry.kind = Kind::CurrentDir,
            (Kind::Dir, b"..") => entry.kind = Kind::ParentDir,
            _ => {}
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests;
