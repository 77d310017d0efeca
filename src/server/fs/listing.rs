//! Writes the listings that LIST, NLST and MLSD send.
//!
//! [`Lines`] produces the lines while they are sent, so a directory of any size is listed in
//! bounded memory: as many names as fit into [`SortedNames`] are sorted, and the others follow in
//! the order of the system. Hidden files are listed, because a client could not find them
//! otherwise.

mod facts;
mod options;
mod tree;

pub use facts::{entry, perm};
pub use options::{LsOptions, Order};

use crate::protocol::FtpPath;
use crate::protocol::listing::{Entry, Facts, Kind, Perm};
use crate::server::fs::jail::{DirEntry, DirReader, FinalLink, Jail};
use crate::server::fs::sorted_names::SortedNames;
use crate::sys::{FileKind, Stat};
use facts::describe;
use std::io::{self, Read};
use std::time::SystemTime;
use std::vec;
use tree::Tree;

/// The limits for sorting by metadata: the number of names, and the bytes of names and link
/// targets, a few MiB of memory.
const SORTED_BY_FACTS: usize = 20_000;
const SORTED_BYTES: usize = 5 * 1024 * 1024;

/// The memory for the lines of a small directory. Memory that grows from a few bytes leaves a freed block of each
/// size with the thread's allocator, where it stays while the session is idle.
const FIRST_LINES: usize = 2 * 1024;

/// The number of bytes that are produced at a time.
const CHUNK: usize = 64 * 1024;

/// The format of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListingFormat {
    /// The format of `ls -l` (LIST).
    Long,
    /// The name after this prefix, so that RETR accepts it (NLST).
    Names(Vec<u8>),
    /// Facts (MLSD), with the permissions that the login has.
    Facts(Facts, Perm),
}

/// The lines of a listing, produced as they are read.
#[derive(Debug)]
pub struct Lines {
    form: ListingFormat,
    options: LsOptions,
    now: SystemTime,
    /// The entries sorted by metadata; the names sorted by name; and the rest of the directory.
    /// They are listed in this order.
    sorted: vec::IntoIter<DirEntry>,
    names: SortedNames,
    listing: Option<DirReader>,
    /// The entry whose line is being written; its memory is reused.
    entry: Entry,
    /// The directories still to be listed, for `-R`.
    tree: Option<Tree>,
    made: Vec<u8>,
    sent: usize,
}

impl Lines {
    /// Opens the listing of the directory or the file at `path`.
    ///
    /// # Errors
    /// Fails if the path does not exist or may not be read.
    pub fn open(
        jail: &Jail,
        path: &FtpPath,
        form: ListingFormat,
        options: LsOptions,
    ) -> io::Result<Lines> {
        let stat = jail.stat(path, FinalLink::Follow)?;
        if stat.kind != FileKind::Dir || options.itself {
            let name = path.file_name().unwrap_or(b"/").to_vec();
            return Ok(Lines::of(vec![DirEntry { name, stat, target: Vec::new() }], form));
        }
        let mut lines = Lines::of(Vec::new(), form);
        lines.options = options;
        lines.enter(jail, path)?;
        lines.add_dots(jail, path, stat);
        if options.recursive {
            let start =
                if let ListingFormat::Names(prefix) = &lines.form { prefix.len() } else { 0 };
            if !matches!(lines.form, ListingFormat::Names(_)) {
                lines.made.splice(0..0, *b".:\r\n");
            }
            lines.tree = Some(Tree::new(jail, path, start));
        }
        Ok(lines)
    }

    /// Creates a listing of exactly these entries.
    pub fn of(names: Vec<DirEntry>, form: ListingFormat) -> Lines {
        Lines {
            form,
            options: LsOptions::default(),
            now: SystemTime::now(),
            sorted: names.into_iter(),
            names: SortedNames::default(),
            listing: None,
            entry: Entry::new(Vec::new(), Kind::Other),
            tree: None,
            made: Vec::new(),
            sent: 0,
        }
    }

    /// Begins a directory. Sorting by name needs only the names; the metadata of each is read when
    /// its line is written.
    fn enter(&mut self, jail: &Jail, path: &FtpPath) -> io::Result<()> {
        let mut listing = jail.read_dir(path)?;
        if self.options.order == Order::Name {
            let mut names = SortedNames::new();
            while names.has_room() && names.add(|bytes| listing.read_name(bytes))? {}
            names.sort();
            if self.options.reverse {
                names.reverse();
            }
            self.names = names;
        } else {
            let mut listed = read_entries(&mut listing)?;
            self.options.sort(&mut listed);
            self.sorted = listed.into_iter();
        }
        self.listing = Some(listing);
        Ok(())
    }

    /// Adds `.` and `..`: always in MLSD (RFC 3659 section 7.5.1), otherwise with `-a`. The parent
    /// of the root is the root.
    fn add_dots(&mut self, jail: &Jail, path: &FtpPath, stat: Stat) {
        let facts = matches!(self.form, ListingFormat::Facts(..));
        if !facts && !self.options.all {
            return;
        }
        let above = jail.stat(&path.parent(), FinalLink::Follow).unwrap_or(stat);
        let dots = [(&b"."[..], Kind::CurrentDir, stat), (b"..", Kind::ParentDir, above)];
        for (name, kind, stat) in dots {
            let listed = DirEntry { name: name.to_vec(), stat, target: Vec::new() };
            self.entry = entry(listed);
            if facts {
                self.entry.kind = kind;
            }
            self.write();
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        while self.made.len() < CHUNK && (self.next()? || self.next_directory()) {}
        Ok(())
    }

    /// Writes the next line of a listing of names, and returns whether there was one.
    fn next_name(&mut self) -> io::Result<bool> {
        let (ListingFormat::Names(prefix), Some(listing)) = (&self.form, &mut self.listing) else {
            return Ok(false);
        };
        let start = self.made.len();
        self.made.extend_from_slice(prefix);
        if !self.names.take(&mut self.made) && !listing.read_name(&mut self.made)? {
            self.made.truncate(start);
            return Ok(false);
        }
        hide_controls(&mut self.made[start..]);
        self.made.extend_from_slice(b"\r\n");
        Ok(true)
    }

    /// Writes the next line of a directory, and returns whether there was one.
    fn next(&mut self) -> io::Result<bool> {
        if let Some(DirEntry { name, stat, target }) = self.sorted.next() {
            self.entry.name = name;
            self.add(stat, target)?;
            return Ok(true);
        }
        if matches!(self.form, ListingFormat::Names(_)) && self.tree.is_none() {
            return self.next_name();
        }
        let Some(listing) = &mut self.listing else { return Ok(false) };
        loop {
            let name = &mut self.entry.name;
            name.clear();
            if !self.names.take(name) && !listing.read_name(name)? {
                return Ok(false);
            }
            // A name that no longer exists has no line.
            if let Some((stat, target)) = listing.stat(name) {
                self.add(stat, target)?;
                return Ok(true);
            }
        }
    }

    fn add(&mut self, stat: Stat, target: Vec<u8>) -> io::Result<()> {
        if let Some(tree) = &mut self.tree {
            tree.add(&self.entry.name, stat.kind)?;
        }
        describe(&mut self.entry, stat, target);
        self.write();
        Ok(())
    }

    /// Continues with the next directory of the tree, and returns whether there is one. A
    /// directory that cannot be read or no longer exists is shown as empty, as in `ls`.
    fn next_directory(&mut self) -> bool {
        let Some(tree) = &mut self.tree else { return false };
        let Some(dir) = tree.take() else { return false };
        let jail = tree.jail.clone();
        tree.at = dir.clone();
        if let ListingFormat::Names(prefix) = &mut self.form {
            // Names are for programs, so each is a whole path, without headings between them.
            prefix.truncate(tree.start);
            prefix.extend_from_slice(dir.shown.strip_prefix(b"./").unwrap_or(&dir.shown));
            prefix.push(b'/');
        } else {
            self.made.extend_from_slice(b"\r\n");
            push_visible(&dir.shown, &mut self.made);
            self.made.extend_from_slice(b":\r\n");
        }
        let _ = self.enter(&jail, &dir.path);
        true
    }

    fn write(&mut self) {
        let (entry, out) = (&mut self.entry, &mut self.made);
        match &self.form {
            ListingFormat::Long => entry.write_ls(self.now, out),
            ListingFormat::Names(prefix) => {
                push_visible(prefix, out);
                push_visible(&entry.name, out);
            }
            ListingFormat::Facts(facts, allowed) => {
                entry.perm = Some(perm(entry, *allowed));
                entry.write_mlsx(*facts, out);
            }
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Reads as many entries as may be sorted by metadata.
fn read_entries(listing: &mut DirReader) -> io::Result<Vec<DirEntry>> {
    let (mut listed, mut bytes) = (Vec::new(), 0);
    let mut name = Vec::new();
    while listed.len() < SORTED_BY_FACTS && bytes < SORTED_BYTES && listing.read_name(&mut name)? {
        if let Some((stat, target)) = listing.stat(&name) {
            bytes += name.len() + target.len();
            listed.push(DirEntry { name: name.clone(), stat, target });
        }
        name.clear();
    }
    Ok(listed)
}

/// Replaces each byte that would end or forge a line with `?`.
fn hide_controls(name: &mut [u8]) {
    // Without an early exit the compiler checks many bytes at once.
    if name.iter().fold(false, |found, byte| found | byte.is_ascii_control()) {
        let controls = name.iter_mut().filter(|byte| byte.is_ascii_control());
        controls.for_each(|byte| *byte = b'?');
    }
}

/// Appends a name without bytes that would end or forge a line.
fn push_visible(name: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(name);
    hide_controls(&mut out[start..]);
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.sent == self.made.len() {
            self.made.clear();
            self.made.reserve(FIRST_LINES);
            self.sent = 0;
            self.fill()?;
        }
        let length = buffer.len().min(self.made.len() - self.sent);
        buffer[..length].copy_from_slice(&self.made[self.sent..self.sent + length]);
        self.sent += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn sorting_by_metadata_is_bounded_in_bytes_and_the_rest_follows() {
        let dir = tempfile::tempdir().unwrap();
        let target = "a/".repeat(2000);
        let links = SORTED_BYTES / target.len() + 100;
        for number in 0..links {
            std::os::unix::fs::symlink(&target, dir.path().join(number.to_string())).unwrap();
        }
        let jail = Jail::new(dir.path()).unwrap();
        let newest = LsOptions { order: Order::Time, ..LsOptions::default() };
        let form = ListingFormat::Names(Vec::new());
        let mut lines = Lines::open(&jail, &FtpPath::root(), form, newest).unwrap();
        let sorted = lines.sorted.as_slice();
        let bytes: usize = sorted.iter().map(|one| one.name.len() + one.target.len()).sum();
        assert!((SORTED_BYTES..SORTED_BYTES + 5000).contains(&bytes), "{bytes}");
        let mut text = String::new();
        lines.read_to_string(&mut text).unwrap();
        let mut names: Vec<usize> = text.lines().map(|name| name.parse().unwrap()).collect();
        names.sort_unstable();
        assert!(names.into_iter().eq(0..links));
    }
}
