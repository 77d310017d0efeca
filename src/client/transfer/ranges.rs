//! The ranges of one file that several connections fetch.

use crate::client::local::{FileRange, MAX_RANGES};

/// The smallest range that is worth another connection, or another half.
pub(super) const SMALLEST: u64 = 256 * 1024;

/// A range, and whether a connection fetches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) piece: FileRange,
    /// True if an earlier run fetched its beginning, whose end was not compared yet.
    pub(super) unchecked: bool,
    taken: bool,
}

/// The ranges of one file, which are disjoint and cover it.
#[derive(Debug)]
pub(super) struct Ranges(Vec<Range>);

impl Ranges {
    /// Cuts what is missing of a file into at most `count` ranges. Its first `came` bytes are here.
    pub(super) fn new(size: u64, came: u64, count: u64) -> Ranges {
        let missing = size - came;
        let count = count.min(missing / SMALLEST).max(1);
        let border = |number: u64| {
            came + (u128::from(missing) * u128::from(number) / u128::from(count)) as u64
        };
        let piece = |number| {
            let (at, end) = (border(number), border(number + 1));
            FileRange { start: if number == 0 { 0 } else { at }, at, end, synced: at }
        };
        Ranges::of((0..count).map(piece).collect())
    }

    /// Takes up the ranges that an earlier run left.
    pub(super) fn of(pieces: Vec<FileRange>) -> Ranges {
        let range = |piece: FileRange| {
            let unchecked = piece.start < piece.at;
            Range { piece, unchecked, taken: false }
        };
        Ranges(pieces.into_iter().map(range).collect())
    }

    pub(super) fn pieces(&self) -> Vec<FileRange> {
        self.0.iter().map(|range| range.piece).collect()
    }

    pub(super) fn get(&self, index: usize) -> Range {
        self.0[index]
    }

    /// Takes a range that no connection fetches, or half of the longest one.
    pub(super) fn take(&mut self) -> Option<usize> {
        let is_free = |range: &Range| !range.taken && range.piece.at < range.piece.end;
        let index = self.0.iter().position(is_free).or_else(|| self.split())?;
        self.0[index].taken = true;
        Some(index)
    }

    /// Gives a range back, whole or not.
    pub(super) fn give_back(&mut self, index: usize) {
        self.0[index].taken = false;
    }

    fn split(&mut self) -> Option<usize> {
        let is_full = self.0.len() >= MAX_RANGES;
        let longest = self.0.iter_mut().max_by_key(|range| range.piece.end - range.piece.at)?;
        let left = longest.piece.end - longest.piece.at;
        if left < 2 * SMALLEST || is_full {
            return None;
        }
        let (start, end) = (longest.piece.at + left / 2, longest.piece.end);
        longest.piece.end = start;
        let piece = FileRange { start, at: start, end, synced: start };
        self.0.push(Range { piece, unchecked: false, taken: false });
        Some(self.0.len() - 1)
    }

    /// Notes bytes that came, behind those of the range that are here.
    pub(super) fn advance(&mut self, index: usize, count: u64) {
        let range = &mut self.0[index];
        range.piece.at += count;
        range.unchecked = false;
    }

    /// Notes that the bytes of ranges that had come at `before` are on the disk.
    pub(super) fn synced(&mut self, before: &[FileRange]) {
        for (range, before) in self.0.iter_mut().zip(before) {
            range.piece.synced = before.at;
        }
    }

    pub(super) fn are_done(&self) -> bool {
        self.0.iter().all(|range| range.piece.at == range.piece.end)
    }

    /// Returns how many bytes are missing.
    pub(super) fn missing(&self) -> u64 {
        self.0.iter().map(|range| range.piece.end - range.piece.at).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cover(ranges: &Ranges, size: u64) -> bool {
        let mut pieces = ranges.pieces();
        pieces.sort_by_key(|piece| piece.start);
        let ends = pieces.iter().map(|piece| piece.end);
        let starts = pieces.iter().map(|piece| piece.start);
        [0].into_iter().chain(ends).eq(starts.chain([size]))
    }

    #[test]
    fn ranges_cover_the_file_and_are_no_smaller_than_is_worth_it() {
        let size = 10 * SMALLEST + 3;
        let ranges = Ranges::new(size, 0, 4);
        assert_eq!((ranges.0.len(), ranges.missing()), (4, size));
        assert!(cover(&ranges, size));
        assert_eq!(Ranges::new(SMALLEST, 0, 4).0.len(), 1);
        assert_eq!(Ranges::new(0, 0, 4).0.len(), 1);
    }

    #[test]
    fn what_is_here_belongs_to_the_first_range_and_is_to_be_compared() {
        let size = 10 * SMALLEST;
        let ranges = Ranges::new(size, 2 * SMALLEST, 4);
        assert_eq!((ranges.0.len(), ranges.missing()), (4, 8 * SMALLEST));
        assert!(cover(&ranges, size));
        assert!(ranges.0.iter().map(|range| range.unchecked).eq([true, false, false, false]));
        assert_eq!(ranges.get(0).piece.at, 2 * SMALLEST);
        let whole = Ranges::new(size, size, 4);
        assert!(whole.are_done() && whole.0.len() == 1);
    }

    #[test]
    fn who_is_done_takes_half_of_the_longest() {
        let mut ranges = Ranges::new(8 * SMALLEST, 0, 2);
        assert_eq!((ranges.take(), ranges.take()), (Some(0), Some(1)));
        ranges.advance(0, 4 * SMALLEST);
        assert_eq!(ranges.take(), Some(2));
        assert!(cover(&ranges, 8 * SMALLEST));
        assert_eq!(ranges.get(1).piece.end, 6 * SMALLEST);
        ranges.advance(1, 2 * SMALLEST);
        ranges.advance(2, SMALLEST);
        assert_eq!(ranges.take(), None, "too little is left");
        ranges.give_back(2);
        assert_eq!(ranges.take(), Some(2), "somebody gave it up");
        assert!(!ranges.are_done());
        assert_eq!(Ranges::of(ranges.pieces()).missing(), SMALLEST);
    }

    #[test]
    fn there_are_no_more_ranges_than_a_table_has_room_for() {
        let mut ranges = Ranges::new(1 << 40, 0, 4);
        assert_eq!(std::iter::from_fn(|| ranges.take()).count(), MAX_RANGES);
        assert!(cover(&ranges, 1 << 40));
    }
}
