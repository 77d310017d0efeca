//! The format properties that all lines of a listing share and that a single line may not show.

use std::collections::HashMap;
use std::time::SystemTime;

use super::date::{DateHabits, Order, Orders, is_croatian, split_short_date};
use super::words::{Words, number, split_at_first};

/// The number of words of a line that are examined; a date is among them.
const WORDS: usize = 16;

/// The format properties of one listing, found by a first pass over its lines.
pub(super) struct Context<'a> {
    /// True if names carry the marks of `ls -F`, such as `/` after directories.
    pub(super) classified: bool,
    pub(super) dates: DateHabits,
    /// The highest version of each file, if names have versions (VMS).
    versions: HashMap<&'a [u8], u64>,
}

impl<'a> Context<'a> {
    /// Examines all lines once.
    pub(super) fn of(lines: impl Iterator<Item = &'a [u8]>, now: SystemTime) -> Context<'a> {
        let dates = DateHabits { now, croatian: false, orders: Orders::ALL };
        let mut context = Context { dates, classified: false, versions: HashMap::new() };
        for line in lines {
            context.look_at(line);
        }
        context
    }

    /// Returns whether the listing contains a higher version of the file.
    pub(super) fn is_outdated(&self, line: &[u8]) -> bool {
        let file = first_word_with_version(line);
        file.is_some_and(|(name, version)| self.versions.get(name).is_some_and(|&v| v > version))
    }

    fn look_at(&mut self, line: &'a [u8]) {
        self.classified |= line.first() == Some(&b'd') && line.last() == Some(&b'/');
        let mut words = Words { rest: line };
        let mut ordered = false;
        for word in std::iter::from_fn(|| words.next()).take(WORDS) {
            self.dates.croatian = self.dates.croatian || is_croatian(word);
            if let (false, Some(date)) = (ordered, split_short_date(word)) {
                ordered = true;
                let possible = Order::possible(date, self.dates.latest());
                self.dates.orders = self.dates.orders.common_with(possible);
            }
        }
        if let Some((name, version)) = first_word_with_version(line) {
            let highest = self.versions.entry(name).or_insert(version);
            *highest = version.max(*highest);
        }
    }
}

/// Returns the name and the version of `NAME.TYPE;7`.
fn first_word_with_version(line: &[u8]) -> Option<(&[u8], u64)> {
    let (name, version) = split_at_first(b';', Words { rest: line }.peek()?)?;
    number::<10>(version).map(|version| (name, version))
}
