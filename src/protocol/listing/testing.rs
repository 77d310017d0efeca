//! Times, random values and samples for the tests of listings.

use super::entry::{Entry, Kind, Owner, Perm, Unique};
use super::facts::Facts;
use crate::protocol::time::parse_timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn at(stamp: &str) -> SystemTime {
    parse_timestamp(stamp.as_bytes()).unwrap_or_else(|| panic!("{stamp} is a time"))
}

/// A xorshift64 generator: the same numbers in every run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    pub(super) fn pick<T: Clone>(&mut self, choice: &[T]) -> T {
        choice[self.below(choice.len())].clone()
    }

    pub(super) fn maybe<T>(&mut self, value: T) -> Option<T> {
        (self.below(4) > 0).then_some(value)
    }

    /// Returns the line with a few bytes changed, removed, doubled or cut off.
    pub(super) fn mutate(&mut self, line: &[u8]) -> Vec<u8> {
        const NASTY: &[u8] = b" \t;,=:/-+<>[].\0\r\n\x7f\xff09azZdlU";
        let mut line = line.to_vec();
        for _ in 0..=self.below(4) {
            let place = self.below(line.len() + 1);
            match self.below(5) {
                0 => line.truncate(place),
                1 => line.insert(place, self.pick(NASTY)),
                2 if place < line.len() => line[place] = self.pick(NASTY),
                3 if place < line.len() => drop(line.remove(place)),
                _ => line.extend_from_within(place..),
            }
        }
        line
    }
}

pub(super) fn full() -> Entry {
    Entry {
        size: Some(12),
        modified: Some(at("20250102030405")),
        created: Some(at("20240229000000")),
        mode: Some(0o644),
        owner: Some(Owner::Id(0)),
        group: Some(Owner::Name(b"wheel".to_vec())),
        links: Some(1),
        unique: Some(Unique::Node { device: 0x806, inode: 0x246e0b1 }),
        perm: Some(Perm::RETRIEVE | Perm::STORE | Perm::APPEND | Perm::DELETE | Perm::RENAME),
        ..Entry::new("a name", Kind::File)
    }
}

pub(super) fn random_kind(random: &mut Random) -> Kind {
    let target = random.pick(&[b"".as_slice(), b"x", b"../a=b:c", b"\xc3\xa4\xff"]).to_vec();
    random.pick(&[
        Kind::File,
        Kind::Dir,
        Kind::CurrentDir,
        Kind::ParentDir,
        Kind::Link(target),
        Kind::Other,
    ])
}

pub(super) fn random_owner(random: &mut Random) -> Option<Owner> {
    let owners = [Owner::Id(0), Owner::Id(u32::MAX), Owner::Name(b"007".to_vec())];
    let owner = random.pick(&owners);
    random.maybe(owner)
}

pub(super) fn random_entry(random: &mut Random) -> Entry {
    let kind = random_kind(random);
    let size = random.pick(&[0, 1, 99, 12_345_678, u64::MAX]);
    let node = Unique::Node { device: random.0, inode: random.pick(&[0, 1, u64::MAX]) };
    let opaque = Unique::Opaque(random.pick(&["keVO1+4G4", "0U01", "1U2U3", "AU1"]).into());
    let unique = random.pick(&[node, opaque]);
    let times = [at("20250102030405"), at("19991231235959"), at("20991231235959")];
    Entry {
        size: random.maybe(size).filter(|_| kind == Kind::File),
        modified: Some(random.pick(&times)),
        created: Some(random.pick(&times)).filter(|_| size > 0),
        mode: Some(random.below(0o10000) as u32).filter(|mode| mode % 7 > 0),
        owner: random_owner(random),
        group: random_owner(random),
        unique: random.maybe(unique),
        perm: Some(Perm(random.below(1 << 10) as u16)).filter(|perm| perm.0 % 5 > 0),
        ..Entry::new(random.pick(&["a", "two words", "  a;b=c", "-> x ", "\u{e4}"]), kind)
    }
}

/// Asserts that any entry is written as one line that parses to the same entry.
pub(super) fn assert_shown_safely(entry: &Entry, round: usize) {
    let mut line = Vec::new();
    entry.write_mlsx(Facts::ALL, &mut line);
    let again = Entry::parse_mlsx(&line).unwrap_or_else(|| panic!("round {round}: {entry:?}"));
    let mut second = Vec::new();
    again.write_mlsx(Facts::ALL, &mut second);
    assert_eq!(line, second, "round {round}: {entry:?}");
    entry.write_ls(UNIX_EPOCH, &mut line);
    assert!(!line.iter().any(u8::is_ascii_control), "round {round}: {entry:?}");
}
