//! The habits of a listing that all of its lines share and that no line alone shows.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use super::date::{Order, Orders, is_croatian, split_short_date};
use super::words::{Words, number, split_at_first};

/// The longest time a date may lie in the future: the peer's clock may run ahead or show another zone.
const DAY: Duration = Duration::from_secs(86_400);

/// Words of a line that are looked at for the listing's habits: a date is among them.
const WORDS: usize = 16;

/// The habits of one listing, found by a first pass over its lines.
pub(super) struct Context<'a> {
    /// The moment of the listing, to complete dates that have no year.
    pub(super) now: SystemTime,
    /// True if marks of `ls -F` stand behind the names: `/` behind directories.
    pub(super) classified: bool,
    /// True if months are in Croatian, which uses three names of Polish for other months.
    pub(super) croatian: bool,
    /// The orders of day, month and year that all dates of the listing have in common.
    pub(super) orders: Orders,
    /// The highest version of each file, where names carry one (VMS).
    versions: HashMap<&'a [u8], u64>,
}

impl<'a> Context<'a> {
    /// Looks at all lines once.
    pub(super) fn of(lines: impl Iterator<Item = &'a [u8]>, now: SystemTime) -> Context<'a> {
        let (classified, croatian) = (false, false);
        let (orders, versions) = (Orders::ALL, HashMap::new());
        let mut context = Context { now, classified, croatian, orders, versions };
        for line in lines {
            context.look_at(line);
        }
        context
    }

    /// The latest moment that counts as past.
    pub(super) fn latest(&self) -> SystemTime {
        self.now.checked_add(DAY).unwrap_or(self.now)
    }

    /// Returns whether a higher version of the file stands in the listing.
    pub(super) fn is_outdated(&self, line: &[u8]) -> bool {
        let file = first_word_with_version(line);
        file.is_some_and(|(name, version)| self.versions.get(name).is_some_and(|&v| v > version))
    }

    fn look_at(&mut self, line: &'a [u8]) {
        self.classified |= line.first() == Some(&b'd') && line.last() == Some(&b'/');
        let mut words = Words { rest: line };
        let mut ordered = false;
        for word in std::iter::from_fn(|| words.next()).take(WORDS) {
            self.croatian = self.croatian || is_croatian(word);
            if let (false, Some(date)) = (ordered, split_short_date(word)) {
                ordered = true;
                self.orders = self.orders.common_with(Order::possible(date, self.latest()));
            }
        }
        if let Some((name, version)) = first_word_with_version(line) {
            let highest = self.versions.entry(name).or_insert(version);
            *highest = version.max(*highest);
        }
    }
}

/// The name and the version of `NAME.TYPE;7`.
fn first_word_with_version(line: &[u8]) -> Option<(&[u8], u64)> {
    let (name, version) = split_at_first(b';', Words { rest: line }.peek()?)?;
    number::<10>(version).map(|version| (name, version))
}
