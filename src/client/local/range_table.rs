//! The table of received ranges at the end of a partial file that several connections fill.
//!
//! Such a file is longer than the remote file: on a separate page behind the last byte it has the table.
//! The table is written after each write of data, so it is correct whenever the client is killed. After a
//! power failure, data in the table may be missing on the disk. So the table also has the boot ID of the
//! system and the synced length of each range. After a reboot only the synced bytes count.

use crate::protocol::digest::Sha256;
use crate::sys;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::OnceLock;

/// The largest number of ranges that fit on the page.
pub(in crate::client) const MAX_RANGES: usize = 128;

/// The table is on one page, so that it is never partially written.
const PAGE: u64 = 4096;

const MAGIC: &[u8; 16] = b"mt_ftp ranges 1\n";

/// The bytes of each digest: that of the table, which comes first, and that of the boot ID.
const DIGEST: usize = 32;

/// A range of a file. Its bytes before `at` were received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) struct FileRange {
    pub(in crate::client) start: u64,
    pub(in crate::client) at: u64,
    pub(in crate::client) end: u64,
    /// The bytes before this offset are synced to the disk.
    pub(in crate::client) synced: u64,
}

/// Returns the number of received bytes of all ranges.
pub(super) fn received(ranges: &[FileRange]) -> u64 {
    ranges.iter().map(|range| range.at - range.start).sum()
}

/// Writes the table of a file of this size. The ranges are disjoint and cover the file.
pub(super) fn save(file: &File, size: u64, ranges: &[FileRange]) -> io::Result<()> {
    let (mut table, mut offset) = (encode(ranges, &boot_digest()), place(size)?);
    while !table.is_empty() {
        match sys::write_at(file, &table, offset) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => {
                table.drain(..count);
                offset += count as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads the table of a file of this size, if there is a valid one.
pub(super) fn load(file: &File, size: u64) -> Option<Vec<FileRange>> {
    let mut page = vec![0; PAGE as usize];
    let mut filled = 0;
    let offset = place(size).ok()?;
    while filled < page.len() {
        match sys::read_at(file, &mut page[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    parse(&page[..filled], size, &boot_digest())
}

/// Returns the offset of the table of a file of this size.
fn place(size: u64) -> io::Result<u64> {
    size.checked_next_multiple_of(PAGE).ok_or_else(|| ErrorKind::FileTooLarge.into())
}

/// Returns a digest of the boot ID; zeros if it is unknown.
fn boot_digest() -> [u8; DIGEST] {
    static RUN: OnceLock<[u8; DIGEST]> = OnceLock::new();
    *RUN.get_or_init(|| sys::boot_id().map_or([0; DIGEST], |id| Sha256::of(&id)))
}

fn encode(ranges: &[FileRange], boot: &[u8; DIGEST]) -> Vec<u8> {
    let mut sorted = ranges.to_vec();
    sorted.sort_by_key(|range| range.start);
    let mut table = [MAGIC.as_slice(), boot].concat();
    table.extend_from_slice(&(sorted.len() as u64).to_be_bytes());
    for range in sorted {
        for number in [range.at, range.end, range.synced] {
            table.extend_from_slice(&number.to_be_bytes());
        }
    }
    [Sha256::of(&table).as_slice(), &table].concat()
}

fn parse(page: &[u8], size: u64, boot_digest: &[u8; DIGEST]) -> Option<Vec<FileRange>> {
    let (digest, table) = page.split_at_checked(DIGEST)?;
    let (boot, rest) = table.strip_prefix(MAGIC)?.split_at_checked(DIGEST)?;
    let (numbers, _) = rest.as_chunks::<8>();
    let mut numbers = numbers.iter().map(|bytes| u64::from_be_bytes(*bytes));
    let count = usize::try_from(numbers.next()?).ok().filter(|count| *count <= MAX_RANGES)?;
    let length = MAGIC.len() + DIGEST + 8 + count * 3 * 8;
    if Sha256::of(table.get(..length)?) != digest {
        return None;
    }
    let is_same_boot = boot == boot_digest && *boot_digest != [0; DIGEST];
    let (mut ranges, mut start) = (Vec::with_capacity(count), 0);
    for _ in 0..count {
        let (at, end, synced) = (numbers.next()?, numbers.next()?, numbers.next()?);
        if !(start <= synced && synced <= at && at <= end && start < end) {
            return None;
        }
        let at = if is_same_boot { at } else { synced };
        ranges.push(FileRange { start, at, end, synced });
        start = end;
    }
    (start == size).then_some(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: [u8; DIGEST] = [7; DIGEST];

    fn ranges() -> Vec<FileRange> {
        let range = |start, at, end, synced| FileRange { start, at, end, synced };
        vec![range(0, 50, 100, 20), range(300, 300, 1000, 300), range(100, 300, 300, 100)]
    }

    fn sorted() -> Vec<FileRange> {
        let mut ranges = ranges();
        ranges.swap(1, 2);
        ranges
    }

    #[test]
    fn a_table_survives_writing_and_reading() {
        let table = encode(&ranges(), &RUN);
        assert_eq!(parse(&table, 1000, &RUN), Some(sorted()));
        let padded = [table.as_slice(), &[1; 100]].concat();
        assert_eq!(parse(&padded, 1000, &RUN), Some(sorted()));
        assert_eq!(received(&ranges()), 250);
        let file = tempfile::tempfile().unwrap();
        save(&file, 5000, &[FileRange { start: 0, at: 10, end: 5000, synced: 10 }]).unwrap();
        assert_eq!(load(&file, 5000).map(|ranges| received(&ranges)), Some(10));
        assert_eq!(load(&file, 5001), None);
        assert_eq!(load(&file, 1), None);
    }

    #[test]
    fn after_a_reboot_only_synced_bytes_count() {
        for boot in [[8; DIGEST], [0; DIGEST]] {
            let table = encode(&ranges(), &boot);
            for now in [RUN, [0; DIGEST]] {
                let ats = parse(&table, 1000, &now).unwrap();
                assert!(ats.iter().map(|range| range.at).eq([20, 100, 300]));
            }
        }
    }

    #[test]
    fn a_damaged_table_is_rejected() {
        let table = encode(&ranges(), &RUN);
        for at in 0..table.len() {
            let mut damaged = table.clone();
            damaged[at] ^= 1;
            assert_eq!(parse(&damaged, 1000, &RUN), None, "byte {at}");
            assert_eq!(parse(&table[..at], 1000, &RUN), None, "up to byte {at}");
        }
        assert_eq!(parse(&table, 1001, &RUN), None);
        let mut overlapping = ranges();
        overlapping[1].at = 299;
        assert_eq!(parse(&encode(&overlapping, &RUN), 1000, &RUN), None);
        assert_eq!(parse(&[], 0, &RUN), None);
    }

    #[test]
    fn the_largest_table_fits_on_a_page() {
        let range = |n: u64| FileRange { start: n, at: n, end: n + 1, synced: n };
        let ranges: Vec<FileRange> = (0..MAX_RANGES as u64).map(range).collect();
        let table = encode(&ranges, &RUN);
        assert!(table.len() as u64 <= PAGE);
        assert_eq!(parse(&table, MAX_RANGES as u64, &RUN), Some(ranges));
    }
}
