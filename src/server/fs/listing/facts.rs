//! Converts metadata to the entries of the protocol.

use crate::protocol::listing::{Entry, Kind, Owner, Perm, Unique};
use crate::server::fs::jail::DirEntry;
use crate::sys::{FileKind, Stat};

/// Converts a directory entry to an entry of the protocol.
pub fn entry(listed: DirEntry) -> Entry {
    let mut entry = Entry::new(listed.name, Kind::Other);
    describe(&mut entry, listed.stat, listed.target);
    entry
}

pub(super) fn describe(entry: &mut Entry, stat: Stat, target: Vec<u8>) {
    entry.kind = match stat.kind {
        FileKind::File => Kind::File,
        FileKind::Dir => Kind::Dir,
        FileKind::Link => Kind::Link(target),
        FileKind::Other => Kind::Other,
    };
    entry.size = Some(stat.size);
    entry.modified = Some(stat.modified);
    entry.created = stat.created;
    entry.mode = Some(stat.mode);
    entry.owner = Some(Owner::Id(stat.owner));
    entry.group = Some(Owner::Id(stat.group));
    entry.links = Some(stat.links);
    // Without inode numbers, all files would look identical (RFC 3659 section 7.5.2).
    entry.unique =
        (stat.inode != 0).then_some(Unique::Node { device: stat.device, inode: stat.inode });
}

/// Returns the permissions for an entry (RFC 3659 section 7.5.5), as far as the login has them
/// (`allowed`). A file without any write bit is shown as read-only.
pub fn perm(entry: &Entry, allowed: Perm) -> Perm {
    let writable = entry.mode.is_none_or(|mode| mode & 0o222 != 0);
    let possible = match (&entry.kind, writable) {
        (Kind::Dir | Kind::CurrentDir | Kind::ParentDir, false) => Perm::ENTER | Perm::LIST,
        (Kind::Dir | Kind::CurrentDir | Kind::ParentDir, true) => {
            let inside = Perm::CREATE | Perm::MAKE_DIR | Perm::PURGE;
            Perm::ENTER | Perm::LIST | inside | Perm::DELETE | Perm::RENAME
        }
        (Kind::File, false) => Perm::RETRIEVE,
        (Kind::File, true) => {
            Perm::RETRIEVE | Perm::APPEND | Perm::STORE | Perm::DELETE | Perm::RENAME
        }
        (Kind::Link(_) | Kind::Other, true) => Perm::DELETE | Perm::RENAME,
        (Kind::Link(_) | Kind::Other, false) => Perm::NONE,
    };
    possible & allowed
}
