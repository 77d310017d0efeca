//! The table of ranges at the end of a partial file that several connections fill.
//!
//! Such a file is longer than the remote one: behind the place of the last byte, on a page of its own,
//! it says which ranges have come. The table is written after each piece of data, so it is right
//! whenever the client is killed. When the power fails, data that the table tells of may be missing on
//! the disk; that is why it also names the run of the machine, and how much of each range had been
//! brought to the disk. In another run of the machine only that much counts.

use crate::protocol::digest::Sha256;
use crate::sys;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::OnceLock;

/// The most ranges that have room on the page.
pub(in crate::client) const MOST_PIECES: usize = 128;

/// A table lies on one page, so that it is never seen half written.
const PAGE: u64 = 4096;

const MAGIC: &[u8; 16] = b"mt_ftp ranges 1\n";

/// Bytes of the digest that comes first, and of that of the run of the machine.
const DIGEST: usize = 32;

/// A range of a file; its bytes before `at` have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) struct Piece {
    pub(in crate::client) start: u64,
    pub(in crate::client) at: u64,
    pub(in crate::client) end: u64,
    /// The bytes before it have been brought to the disk.
    pub(in crate::client) synced: u64,
}

/// Returns how many bytes of all ranges have come.
pub(super) fn came(pieces: &[Piece]) -> u64 {
    pieces.iter().map(|piece| piece.at - piece.start).sum()
}

/// Writes the table of a file of this size. The ranges are disjoint and cover the file.
pub(super) fn save(file: &File, size: u64, pieces: &[Piece]) -> io::Result<()> {
    let (mut table, mut offset) = (encode(pieces, &this_run()), place(size)?);
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

/// Reads the table of a file of this size, if there is one that can be believed.
pub(super) fn load(file: &File, size: u64) -> Option<Vec<Piece>> {
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
    parse(&page[..filled], size, &this_run())
}

/// Returns where the table of a file of this size lies.
fn place(size: u64) -> io::Result<u64> {
    size.checked_next_multiple_of(PAGE).ok_or_else(|| ErrorKind::FileTooLarge.into())
}

/// Returns a digest of the run of the machine; zeros if it is unknown.
fn this_run() -> [u8; DIGEST] {
    static RUN: OnceLock<[u8; DIGEST]> = OnceLock::new();
    *RUN.get_or_init(|| sys::boot_id().map_or([0; DIGEST], |id| Sha256::of(&id)))
}

fn encode(pieces: &[Piece], run: &[u8; DIGEST]) -> Vec<u8> {
    let mut sorted = pieces.to_vec();
    sorted.sort_by_key(|piece| piece.start);
    let mut table = [MAGIC.as_slice(), run].concat();
    table.extend_from_slice(&(sorted.len() as u64).to_be_bytes());
    for piece in sorted {
        for number in [piece.at, piece.end, piece.synced] {
            table.extend_from_slice(&number.to_be_bytes());
        }
    }
    [Sha256::of(&table).as_slice(), &table].concat()
}

fn parse(page: &[u8], size: u64, this_run: &[u8; DIGEST]) -> Option<Vec<Piece>> {
    let (digest, table) = page.split_at_checked(DIGEST)?;
    let (run, rest) = table.strip_prefix(MAGIC)?.split_at_checked(DIGEST)?;
    let (numbers, _) = rest.as_chunks::<8>();
    let mut numbers = numbers.iter().map(|bytes| u64::from_be_bytes(*bytes));
    let count = usize::try_from(numbers.next()?).ok().filter(|count| *count <= MOST_PIECES)?;
    let length = MAGIC.len() + DIGEST + 8 + count * 3 * 8;
    if Sha256::of(table.get(..length)?) != digest {
        return None;
    }
    let is_same_run = run == this_run && *this_run != [0; DIGEST];
    let (mut pieces, mut start) = (Vec::with_capacity(count), 0);
    for _ in 0..count {
        let (at, end, synced) = (numbers.next()?, numbers.next()?, numbers.next()?);
        if !(start <= synced && synced <= at && at <= end && start < end) {
            return None;
        }
        let at = if is_same_run { at } else { synced };
        pieces.push(Piece { start, at, end, synced });
        start = end;
    }
    (start == size).then_some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: [u8; DIGEST] = [7; DIGEST];

    fn pieces() -> Vec<Piece> {
        let piece = |start, at, end, synced| Piece { start, at, end, synced };
        vec![piece(0, 50, 100, 20), piece(300, 300, 1000, 300), piece(100, 300, 300, 100)]
    }

    fn sorted() -> Vec<Piece> {
        let mut pieces = pieces();
        pieces.swap(1, 2);
        pieces
    }

    #[test]
    fn what_is_written_is_read_again() {
        let table = encode(&pieces(), &RUN);
        assert_eq!(parse(&table, 1000, &RUN), Some(sorted()));
        let padded = [table.as_slice(), &[1; 100]].concat();
        assert_eq!(parse(&padded, 1000, &RUN), Some(sorted()));
        assert_eq!(came(&pieces()), 250);
        let file = tempfile::tempfile().unwrap();
        save(&file, 5000, &[Piece { start: 0, at: 10, end: 5000, synced: 10 }]).unwrap();
        assert_eq!(load(&file, 5000).map(|pieces| came(&pieces)), Some(10));
        assert_eq!(load(&file, 5001), None);
        assert_eq!(load(&file, 1), None);
    }

    #[test]
    fn after_a_reboot_only_what_was_brought_to_the_disk_counts() {
        for run in [[8; DIGEST], [0; DIGEST]] {
            let table = encode(&pieces(), &run);
            for now in [RUN, [0; DIGEST]] {
                let ats = parse(&table, 1000, &now).unwrap();
                assert!(ats.iter().map(|piece| piece.at).eq([20, 100, 300]));
            }
        }
    }

    #[test]
    fn no_damaged_table_is_believed() {
        let table = encode(&pieces(), &RUN);
        for at in 0..table.len() {
            let mut damaged = table.clone();
            damaged[at] ^= 1;
            assert_eq!(parse(&damaged, 1000, &RUN), None, "byte {at}");
            assert_eq!(parse(&table[..at], 1000, &RUN), None, "up to byte {at}");
        }
        assert_eq!(parse(&table, 1001, &RUN), None);
        let mut overlapping = pieces();
        overlapping[1].at = 299;
        assert_eq!(parse(&encode(&overlapping, &RUN), 1000, &RUN), None);
        assert_eq!(parse(&[], 0, &RUN), None);
    }

    #[test]
    fn the_largest_table_has_room_on_a_page() {
        let piece = |n: u64| Piece { start: n, at: n, end: n + 1, synced: n };
        let pieces: Vec<Piece> = (0..MOST_PIECES as u64).map(piece).collect();
        let table = encode(&pieces, &RUN);
        assert!(table.len() as u64 <= PAGE);
        assert_eq!(parse(&table, MOST_PIECES as u64, &RUN), Some(pieces));
    }
}
