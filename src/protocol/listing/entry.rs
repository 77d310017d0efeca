//! An entry of a directory and its properties: kind, owners, identity and permissions.

use std::ops::{BitAnd, BitOr};
use std::time::SystemTime;

use super::words::{breaks_fact, number, push_number, push_shown};

/// The kind of an entry (the fact `type`, RFC 3659 section 7.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A plain file.
    File,
    /// A directory.
    Dir,
    /// The directory that is listed.
    CurrentDir,
    /// The parent of the listed directory.
    ParentDir,
    /// A symbolic link and its target, which is empty if it is unknown.
    Link(Vec<u8>),
    /// Anything else: a device, a socket, or a type that only the peer knows.
    Other,
}

/// A user or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// By number.
    Id(u32),
    /// By name.
    Name(Vec<u8>),
}

/// The identity of a file, equal for all of its names (the fact `unique`, RFC 3659 section 7.5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unique {
    /// Written as `{device:x}U{inode:x}`, as other servers do.
    Node {
        /// The number of the file system.
        device: u64,
        /// The number of the file in the file system.
        inode: u64,
    },
    /// A text that only the server understands.
    Opaque(Vec<u8>),
}

/// The permissions of the user for an entry (the fact `perm`, RFC 3659 section 7.5.5): a set of
/// letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Perm(pub(super) u16);
/// A name in a directory with the known properties of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name as the peer or the disk has it, unchecked.
    pub name: Vec<u8>,
    /// The kind of the file.
    pub kind: Kind,
    /// The size in bytes.
    pub size: Option<u64>,
    /// The time of the last change to the content.
    pub modified: Option<SystemTime>,
    /// The creation time.
    pub created: Option<SystemTime>,
    /// The permission bits, `0o7777`.
    pub mode: Option<u32>,
    /// The owner.
    pub owner: Option<Owner>,
    /// The group.
    pub group: Option<Owner>,
    /// The number of hard links.
    pub links: Option<u64>,
    /// The identity of the file.
    pub unique: Option<Unique>,
    /// The permissions of the user for the entry.
    pub perm: Option<Perm>,
}

impl Entry {
    /// Creates an entry with a name and a kind only.
    pub fn new(name: impl Into<Vec<u8>>, kind: Kind) -> Entry {
        Entry {
            name: name.into(),
            kind,
            size: None,
            modified: None,
            created: None,
            mode: None,
            owner: None,
            group: None,
            links: None,
            unique: None,
            perm: None,
        }
    }
}

impl Perm {
    const LETTERS: &[u8; 10] = b"acdeflmprw";

    /// No permission at all.
    pub const NONE: Perm = Perm(0);
    /// `a`: APPE may be applied to the file.
    pub const APPEND: Perm = Perm(1);
    /// `c`: files may be created in the directory.
    pub const CREATE: Perm = Perm(1 << 1);
    /// `d`: the entry may be deleted.
    pub const DELETE: Perm = Perm(1 << 2);
    /// `e`: the directory may be entered.
    pub const ENTER: Perm = Perm(1 << 3);
    /// `f`: the entry may be renamed.
    pub const RENAME: Perm = Perm(1 << 4);
    /// `l`: the directory may be listed.
    pub const LIST: Perm = Perm(1 << 5);
    /// `m`: directories may be created in the directory.
    pub const MAKE_DIR: Perm = Perm(1 << 6);
    /// `p`: the content of the directory may be deleted.
    pub const PURGE: Perm = Perm(1 << 7);
    /// `r`: RETR may be applied to the file.
    pub const RETRIEVE: Perm = Perm(1 << 8);
    /// `w`: STOR may be applied to the file.
    pub const STORE: Perm = Perm(1 << 9);

    /// Parses letters in any case and order. Unknown letters are skipped, because RFC 3659 section
    /// 7.5.5 reserves them for the future.
    pub fn parse(text: &[u8]) -> Perm {
        let known = text.iter().filter_map(|letter| {
            Perm::LETTERS.iter().position(|known| known.eq_ignore_ascii_case(letter))
        });
        known.fold(Perm::NONE, |perm, place| perm | Perm(1 << place))
    }

    /// Writes the letters in alphabetical order, except that `r` comes before `w`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let chosen = Perm::LETTERS.iter().enumerate().filter(|(place, _)| self.0 >> place & 1 == 1);
        out.extend(chosen.map(|(_, letter)| letter));
    }

    /// Returns whether every letter of `wanted` is in the set.
    pub fn contains(&self, wanted: Perm) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}

impl BitOr for Perm {
    type Output = Perm;

    fn bitor(self, other: Perm) -> Perm {
        Perm(self.0 | other.0)
    }
}

impl BitAnd for Perm {
    type Output = Perm;

    fn bitand(self, other: Perm) -> Perm {
        Perm(self.0 & other.0)
    }
}

impl Unique {
    /// Parses the value of the fact. A value that would not be written in exactly the same way is
    /// opaque, so that two values are equal only if their texts are.
    pub fn parse(text: &[u8]) -> Unique {
        parse_node(text)
            .filter(|node| {
                let mut again = Vec::new();
                node.write(&mut again);
                again == text
            })
            .unwrap_or_else(|| Unique::Opaque(text.to_vec()))
    }

    /// Writes the value of the fact.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Unique::Node { device, inode } => {
                push_number::<16>(*device, 0, out);
                out.push(b'U');
                push_number::<16>(*inode, 0, out);
            }
            Unique::Opaque(text) => push_shown(text, breaks_fact, out),
        }
    }
}

fn parse_node(text: &[u8]) -> Option<Unique> {
    let middle = text.iter().position(|&b| b == b'U')?;
    let device = number::<16>(&text[..middle])?;
    let inode = number::<16>(&text[middle + 1..])?;
    Some(Unique::Node { device, inode })
}

impl Owner {
    /// Parses an owner. Digits without a leading zero are a number; anything else is a name.
    pub(super) fn parse(text: &[u8]) -> Option<Owner> {
        let id = number::<10>(text).and_then(|id| u32::try_from(id).ok());
        match id.filter(|_| text.len() == 1 || text.first() != Some(&b'0')) {
            Some(id) => Some(Owner::Id(id)),
            None if text.is_empty() => None,
            None => Some(Owner::Name(text.to_vec())),
        }
    }

    /// Writes the owner as one word: a space in a name would split the line, both in facts and in
    /// columns.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Owner::Id(id) => push_number::<10>(u64::from(*id), 0, out),
            Owner::Name(name) if name.is_empty() => out.push(b'?'),
            Owner::Name(name) => push_shown(name, breaks_fact, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_permissions_are_parsed_back() {
        for set in 0..1 << 10 {
            let mut out = Vec::new();
            Perm(set).write(&mut out);
            assert_eq!(Perm::parse(&out), Perm(set));
        }
        assert_eq!(Perm::parse(b"WzR1"), Perm::RETRIEVE | Perm::STORE);
        assert!(Perm::parse(b"el").contains(Perm::LIST));
        assert!(!Perm::parse(b"el").contains(Perm::LIST | Perm::PURGE));
        let letters = [
            (Perm::APPEND, "a"),
            (Perm::CREATE, "c"),
            (Perm::DELETE, "d"),
            (Perm::ENTER, "e"),
            (Perm::RENAME, "f"),
            (Perm::LIST, "l"),
            (Perm::MAKE_DIR, "m"),
            (Perm::PURGE, "p"),
            (Perm::RETRIEVE, "r"),
            (Perm::STORE, "w"),
        ];
        for (perm, letter) in letters {
            assert_eq!(Perm::parse(letter.as_bytes()), perm, "{letter}");
        }
    }

    #[test]
    fn parsed_unique_values_are_written_unchanged() {
        let node = Unique::Node { device: 0x806, inode: 0x246e0b1 };
        assert_eq!(Unique::parse(b"806U246e0b1"), node);
        assert_eq!(Unique::parse(b"0U0"), Unique::Node { device: 0, inode: 0 });
        for text in ["806U246E0B1", "0806U1", "U1", "1U", "1U2U", "10000000000000000U1", "keVO1+?3"]
        {
            assert_eq!(Unique::parse(text.as_bytes()), Unique::Opaque(text.into()));
            let mut out = Vec::new();
            Unique::parse(text.as_bytes()).write(&mut out);
            assert_eq!(out, text.as_bytes());
        }
    }
}
