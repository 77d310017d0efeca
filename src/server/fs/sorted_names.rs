//! The names of a directory in one block of memory, for sorting.
//!
//! A separate allocation for each name would take three times as much memory, and a directory may
//! have very many names.

/// The maximum number of names, and of their bytes: a few MiB.
const MAX_NAMES: usize = 100_000;
const MAX_BYTES: usize = 5 * 1024 * 1024;

/// Names that are first collected and sorted, and then taken one by one.
#[derive(Debug, Default)]
pub struct SortedNames {
    bytes: Vec<u8>,
    /// The start and the end of each name.
    places: Vec<(u32, u32)>,
    taken: usize,
}

impl SortedNames {
    /// Creates an empty collection with memory for a small directory.
    pub fn new() -> SortedNames {
        // Memory that grows from a few bytes leaves a freed block of each size with the thread's allocator.
        const NAMES: usize = 160;
        let (bytes, places) = (Vec::with_capacity(16 * NAMES), Vec::with_capacity(NAMES));
        SortedNames { bytes, places, taken: 0 }
    }

    /// Returns whether another name may be added.
    pub fn has_room(&self) -> bool {
        self.places.len() < MAX_NAMES && self.bytes.len() < MAX_BYTES
    }

    /// Adds the name that `read` appends to its argument. Returns whether `read` found one.
    ///
    /// # Errors
    /// Returns the errors of `read`.
    pub fn add<E>(
        &mut self,
        read: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let start = self.bytes.len();
        let found = read(&mut self.bytes)?;
        if found {
            // The cast is exact: MAX_BYTES and one name are far below 4 GiB.
            self.places.push((start as u32, self.bytes.len() as u32));
        }
        Ok(found)
    }

    /// Sorts the names by their bytes.
    pub fn sort(&mut self) {
        let bytes = &self.bytes;
        let name = |&(start, end): &(u32, u32)| &bytes[start as usize..end as usize];
        self.places.sort_unstable_by(|a, b| name(a).cmp(name(b)));
    }

    /// Reverses the order.
    pub fn reverse(&mut self) {
        self.places.reverse();
    }

    /// Appends the next name to `to`, and returns whether there was one. The memory is released
    /// after the last one.
    pub fn take(&mut self, to: &mut Vec<u8>) -> bool {
        let Some(&(start, end)) = self.places.get(self.taken) else {
            *self = SortedNames::default();
            return false;
        };
        self.taken += 1;
        to.extend_from_slice(&self.bytes[start as usize..end as usize]);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> SortedNames {
        let mut names = SortedNames::default();
        for name in list {
            let added = names.add(|bytes| -> Result<bool, ()> {
                bytes.extend_from_slice(name.as_bytes());
                Ok(true)
            });
            assert_eq!(added, Ok(true));
        }
        names
    }

    fn taken(mut names: SortedNames) -> Vec<String> {
        let mut all = Vec::new();
        let mut name = Vec::new();
        while names.take(&mut name) {
            all.push(String::from_utf8(std::mem::take(&mut name)).unwrap());
        }
        assert!(!names.take(&mut name));
        all
    }

    #[test]
    fn names_are_returned_sorted() {
        let mut some = names(&["b", "", "a", "aa", "B"]);
        some.sort();
        assert_eq!(taken(some), ["", "B", "a", "aa", "b"]);
        let mut some = names(&["b", "a"]);
        some.sort();
        some.reverse();
        assert_eq!(taken(some), ["b", "a"]);
        assert!(taken(SortedNames::default()).is_empty());
    }

    #[test]
    fn names_take_no_more_memory_than_the_limit() {
        let mut many = SortedNames::default();
        while many.has_room() {
            let added = many.add(|bytes| -> Result<bool, ()> {
                bytes.extend_from_slice(&[b'x'; 255]);
                Ok(true)
            });
            assert_eq!(added, Ok(true));
        }
        assert!(many.bytes.len() < MAX_BYTES + 255);
    }
}
