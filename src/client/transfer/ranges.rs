//! The ranges of one file that several connections fetch.

use crate::client::local::{FileRange, MAX_RANGES};

/// The smallest range for a connection.
pub(super) const MIN_RANGE: u64 = 256 * 1024;

/// A range with its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) piece: FileRange,
    /// An earlier run fetched its beginning, which was not compared yet.
    pub(super) unchecked: bool,
    /// A connection fetches it.
    taken: bool,
}

/// The ranges of one file, which are disjoint and cover it.
#[derive(Debug)]
pub(super) struct Ranges(Vec<Range>);

impl Ranges {
    /// Splits a file, whose first `came` bytes are present, into at most `count` ranges.
    pub(super) fn new(size: u64, came: u64, count: u64) -> Ranges {
        let missing = size - came;
        let count = count.min(missing / MIN_RANGE).max(1);
        let border = |number: u64| {
            came + (u128::from(missing) * u128::from(number) / u128::from(count)) as u64
        };
        let piece = |number| {
            let (at, end) = (border(number), border(number + 1));
            FileRange { start: if number == 0 { 0 } else { at }, at, end, synced: at }
        };
        Ranges::of((0..count).map(piece).collect())
    }

    /// Continues the ranges of an earlier run.
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

    /// Takes a range that no connection fetches, or the second half of the longest one.
    pub(super) fn take(&mut self) -> Option<usize> {
        let is_free = |range: &Range| !range.taken && range.piece.at < range.piece.end;
        let index = self.0.iter().position(is_free).or_else(|| self.split())?;
        self.0[index].taken = true;
        Some(index)
    }

    /// Releases a range, complete or not.
    pub(super) fn release(&mut self, index: usize) {
        self.0[index].taken = false;
    }

    fn split(&mut self) -> Option<usize> {
        let is_full = self.0.len() >= MAX_RANGES;
        let longest = self.0.iter_mut().max_by_key(|range| range.piece.end - range.piece.at)?;
        let left = longest.piece.end - longest.piece.at;
        if left < 2 * MIN_RANGE || is_full {
            return None;
        }
        let (start, end) = (longest.piece.at + left / 2, longest.piece.end);
        longest.piece.end = start;
        let piece = FileRange { start, at: start, end, synced: start };
        self.0.push(Range { piece, unchecked: false, taken: false });
        Some(self.0.len() - 1)
    }

    /// Records received bytes of a range.
    pub(super) fn advance(&mut self, index: usize, count: u64) {
        let range = &mut self.0[index];
        range.piece.at += count;
        range.unchecked = false;
    }

    /// Records that the bytes that `before` contains are synced.
    pub(super) fn synced(&mut self, before: &[FileRange]) {
        for (range, before) in self.0.iter_mut().zip(before) {
            range.piece.synced = before.at;
        }
    }

    pub(super) fn are_done(&self) -> bool {
        self.0.iter().all(|range| range.piece.at == range.piece.end)
    }

    /// Returns the number of missing bytes.
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
    fn ranges_cover_the_file_and_have_a_minimum_size() {
        let size = 10 * MIN_RANGE + 3;
        let ranges = Ranges::new(size, 0, 4);
        assert_eq!((ranges.0.len(), ranges.missing()), (4, size));
        assert!(cover(&ranges, size));
        assert_eq!(Ranges::new(MIN_RANGE, 0, 4).0.len(), 1);
        assert_eq!(Ranges::new(0, 0, 4).0.len(), 1);
    }

    #[test]
    fn present_bytes_belong_to_the_first_range_and_are_compared() {
        let size = 10 * MIN_RANGE;
        let ranges = Ranges::new(size, 2 * MIN_RANGE, 4);
        assert_eq!((ranges.0.len(), ranges.missing()), (4, 8 * MIN_RANGE));
        assert!(cover(&ranges, size));
        assert!(ranges.0.iter().map(|range| range.unchecked).eq([true, false, false, false]));
        assert_eq!(ranges.get(0).piece.at, 2 * MIN_RANGE);
        let whole = Ranges::new(size, size, 4);
        assert!(whole.are_done() && whole.0.len() == 1);
    }

    #[test]
    fn a_connection_without_work_takes_half_of_the_longest_range() {
        let mut ranges = Ranges::new(8 * MIN_RANGE, 0, 2);
        assert_eq!((ranges.take(), ranges.take()), (Some(0), Some(1)));
        ranges.advance(0, 4 * MIN_RANGE);
        assert_eq!(ranges.take(), Some(2));
        assert!(cover(&ranges, 8 * MIN_RANGE));
        assert_eq!(ranges.get(1).piece.end, 6 * MIN_RANGE);
        ranges.advance(1, 2 * MIN_RANGE);
        ranges.advance(2, MIN_RANGE);
        assert_eq!(ranges.take(), None, "too little is left");
        ranges.release(2);
        assert_eq!(ranges.take(), Some(2), "it was released");
        assert!(!ranges.are_done());
        assert_eq!(Ranges::of(ranges.pieces()).missing(), MIN_RANGE);
    }

    #[test]
    fn the_number_of_ranges_is_limited_by_the_table() {
        let mut ranges = Ranges::new(1 << 40, 0, 4);
        assert_eq!(std::iter::from_fn(|| ranges.take()).count(), MAX_RANGES);
        assert!(cover(&ranges, 1 << 40));
    }
}
