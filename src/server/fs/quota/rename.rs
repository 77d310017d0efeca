//! Renames between directories with different quotas.

use crate::server::fs::quota::{Ledger, Quotas};
use crate::server::fs::tree_size::size_below;
use crate::sys::{self, Dir, FileKind};
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};

/// A name in a directory, with the quotas that apply there.
#[derive(Clone, Copy, Debug)]
pub struct NameInDir<'a> {
    /// The quotas of the directory.
    pub ledger: &'a Ledger,
    /// The directory.
    pub dir: &'a Dir,
    /// The name.
    pub name: &'a OsStr,
}

/// Renames a file or directory, which may then be subject to other quotas.
///
/// # Errors
/// Returns the system error; `QuotaExceeded`; `ResourceBusy` if a file is being written;
/// `PermissionDenied` for a directory that contains a directory with a quota, which would then be
/// missing from its path, or that would take the path of a directory with a quota, because its
/// bytes were not counted there.
pub fn rename(from: NameInDir<'_>, to: NameInDir<'_>) -> io::Result<()> {
    let quotas = &from.ledger.quotas;
    quotas.count_if_needed(&to.ledger.trail)?;
    let _guard = quotas.change();
    from.ledger.check(from.dir)?;
    to.ledger.check(to.dir)?;
    let moved = from.dir.stat(from.name)?;
    let target = to.dir.stat(to.name).ok();
    let is_itself = |stat: sys::Stat| (stat.device, stat.inode) == (moved.device, moved.inode);
    if moved.inode != 0 && target.is_some_and(is_itself) {
        return from.dir.rename(from.name, to.dir, to.name);
    }
    let size = match moved.kind {
        FileKind::File if from.ledger.is_open(from.dir, from.name) => {
            return Err(ErrorKind::ResourceBusy.into());
        }
        FileKind::File => moved.size,
        FileKind::Dir => from.size_of_tree(to)?,
        FileKind::Link | FileKind::Other => 0,
    };
    let replaced = to.ledger.size_of(to.dir, to.name);
    let shared = shared_depth(&from.ledger.trail, &to.ledger.trail);
    // The additional bytes in each directory that contains only the new name.
    let gained = size.saturating_sub(replaced);
    quotas.reserve_below(&to.ledger.trail, shared, gained)?;
    if let Err(error) = from.dir.rename(from.name, to.dir, to.name) {
        quotas.table().each(&to.ledger.trail, |depth, home| {
            if depth > shared {
                home.release(gained);
            }
        });
        return Err(error);
    }
    let mut table = quotas.table();
    table.each(&to.ledger.trail, |depth, home| {
        home.release(if depth > shared { replaced.saturating_sub(size) } else { replaced });
    });
    table.each(&from.ledger.trail, |depth, home| {
        if depth > shared {
            home.release(size);
        }
    });
    Ok(())
}

impl NameInDir<'_> {
    /// Returns the total size of a directory that is to be moved; 0 if the same quotas apply at
    /// its new path.
    fn size_of_tree(&self, to: NameInDir<'_>) -> io::Result<u64> {
        let [trail, new] = [self, &to].map(|side| side.ledger.below(side.name).trail);
        let to = to.ledger;
        let shared = shared_depth(&self.ledger.trail, &to.trail);
        let table = self.ledger.quotas.table();
        let hides = |home: &[OsString]| home.starts_with(&trail) || home.starts_with(&new);
        if table.homes.keys().any(|home| hides(home)) {
            return Err(ErrorKind::PermissionDenied.into());
        }
        if table.is_open_below(&trail) {
            return Err(ErrorKind::ResourceBusy.into());
        }
        let counts = |trail: &[OsString]| {
            (shared + 1..=trail.len()).any(|depth| table.homes.contains_key(&trail[..depth]))
        };
        if !counts(&self.ledger.trail) && !counts(&to.trail) {
            return Ok(0);
        }
        drop(table);
        size_below(&self.dir.open_dir(self.name)?)
    }
}

impl Quotas {
    /// Reserves bytes in the quotas of directories deeper than `shared`.
    fn reserve_below(&self, trail: &[OsString], shared: usize, bytes: u64) -> io::Result<()> {
        let mut table = self.table();
        let mut fits = true;
        table.each(trail, |depth, home| fits &= depth <= shared || home.has_room(bytes));
        if !fits {
            return Err(ErrorKind::QuotaExceeded.into());
        }
        table.each(trail, |depth, home| {
            if depth > shared {
                home.reserve(bytes);
            }
        });
        Ok(())
    }
}

fn shared_depth(one: &[OsString], other: &[OsString]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}
