//! The names of a directory in one piece of memory, to be sorted.
//!
//! A name of its own on the heap costs three times as much, and a directory may have very many.

/// How many names are kept at most, and how many bytes of them: a few MiB.
const MOST: usize = 100_000;
const MOST_BYTES: usize = 5 * 1024 * 1024;

/// Names, first collected and sorted, then taken one by one.
#[derive(Debug, Default)]
pub struct SortedNames {
    bytes: Vec<u8>,
    /// Where each one begins and ends.
    places: Vec<(u32, u32)>,
    taken: usize,
}

impl SortedNames {
    /// Whether there is room for one more.
    pub fn has_room(&self) -> bool {
        self.places.len() < MOST && self.bytes.len() < MOST_BYTES
    }

    /// Adds the name that `read` appends to the bytes it is given; whether it found one.
    ///
    /// # Errors
    /// What `read` says.
    pub fn add<E>(
        &mut self,
        read: impl FnOnce(&mut Vec<u8>) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let start = self.bytes.len();
        let found = read(&mut self.bytes)?;
        if found {
            // Fits: one name is far shorter than what is left of 4 GiB.
            self.places.push((start as u32, self.bytes.len() as u32));
        }
        Ok(found)
    }

    /// Sorts them by their bytes.
    pub fn sort(&mut self) {
        let bytes = &self.bytes;
        let name = |&(start, end): &(u32, u32)| &bytes[start as usize..end as usize];
        self.places.sort_unstable_by(|a, b| name(a).cmp(name(b)));
    }

    /// Turns their order round.
    pub fn reverse(&mut self) {
        self.places.reverse();
    }

    /// Appends the next one to `to`; whether there was one. The memory goes with the last.
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
    fn they_come_back_sorted() {
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
    fn they_take_no_more_memory_than_was_said() {
        let mut many = SortedNames::default();
        while many.has_room() {
            let added = many.add(|bytes| -> Result<bool, ()> {
                bytes.extend_from_slice(&[b'x'; 255]);
                Ok(true)
            });
            assert_eq!(added, Ok(true));
        }
        assert!(many.bytes.len() < MOST_BYTES + 255);
    }
}
