//! Operations on whole trees: directories that are created, counted or removed together.

use crate::net::Verdict;
use crate::protocol::FtpPath;
use crate::server::error::Refusal;
use crate::server::fs::jail::ops::make_dir;
use crate::server::fs::jail::{FinalLink, Jail};
use crate::server::fs::partial;
use crate::server::fs::quota::{self, Ledger};
use crate::sys::{self, Dir, FileKind, Open};
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::iter;

/// The maximum depth of a tree that is counted or removed.
const MAX_DEPTH: u32 = 64;

impl Jail {
    /// Creates the directory at `path` and all missing parents, with the permission bits `mode` or
    /// the system's default. Returns the deepest directory that was created, even after an error.
    pub fn make_dirs(
        &self,
        path: &FtpPath,
        mode: Option<u32>,
    ) -> (Option<FtpPath>, Result<(), Refusal>) {
        let mut made = None;
        let result = self.make_missing(path, mode, &mut made);
        (made, result)
    }

    /// Sets the owner, the permissions and the attributes of the directory at `path` to those of the
    /// root, as far as the system allows.
    ///
    /// # Errors
    /// Fails if there is no such directory.
    pub fn copy_root_attributes(&self, path: &FtpPath) -> io::Result<()> {
        let (_, dir) = self.enter_dir(path)?;
        let open = |dir: &Dir| {
            let file = dir.open(OsStr::new("."), Open::Read)?;
            file.metadata().map(|data| (file, data))
        };
        // A system on which a directory cannot be opened as a file has no such owners and permissions.
        if let (Ok((new, made)), Ok((root, before))) = (open(&dir), open(&self.root)) {
            sys::copy_attributes((&new, &made), (&root, &before));
        }
        Ok(())
    }

    fn make_missing(
        &self,
        path: &FtpPath,
        mode: Option<u32>,
        made: &mut Option<FtpPath>,
    ) -> Result<(), Refusal> {
        if path.parts().any(partial::is_partial) {
            return Err(io::Error::from(ErrorKind::NotFound).into());
        }
        let above = |path: &FtpPath| (!path.is_root()).then(|| path.parent());
        let mut way: Vec<FtpPath> = iter::successors(Some(path.clone()), above).collect();
        way.reverse();
        // A missing directory has only missing children, so a binary search finds the first
        // missing one.
        let there = way[1..].partition_point(|path| self.stat(path, FinalLink::Follow).is_ok());
        // Each directory is opened from its parent: resolving every path from the root would take
        // two million steps for two thousand components.
        let (_, mut dir) = self.enter_dir(&way[there])?;
        for path in way.drain(there + 1..) {
            let name = sys::os_name(path.file_name().ok_or(Refusal::BadName)?)?;
            make_dir(&dir, &name, mode)?;
            dir = dir.open_dir(&name)?;
            *made = Some(path);
        }
        Ok(())
    }

    /// Returns the total size of all files below the directory at `path`, or `None` if `check`
    /// stops the count. `check` is called regularly with the size so far. Partial uploads and
    /// files that disappear in the meantime do not count.
    ///
    /// # Errors
    /// Fails if the directory does not exist or contains too much.
    pub fn total_size(
        &self,
        path: &FtpPath,
        check: &mut dyn FnMut(u64) -> Verdict,
    ) -> Result<Option<u64>, Refusal> {
        let (_, dir) = self.enter_dir(path)?;
        Count { check, names: 0 }.total_size(&dir, 0)
    }

    /// Removes the directory at `path` and everything in it. Links are removed and not followed.
    /// `check` is called regularly and can stop the removal.
    ///
    /// # Errors
    /// Returns the system error, or a refusal if the tree is too deep.
    pub fn remove_tree(
        &self,
        path: &FtpPath,
        check: &mut dyn FnMut() -> Verdict,
    ) -> Result<Verdict, Refusal> {
        let place = self.locate(path, FinalLink::NoFollow)?;
        let (dir, ledger) = (place.dir.open_dir(&place.name)?, self.ledger_inside(&place));
        if remove_entries(&dir, ledger.as_ref(), 0, check)? == Verdict::Stop {
            return Ok(Verdict::Stop);
        }
        place.dir.remove_dir(&place.name)?;
        Ok(Verdict::Continue)
    }
}

/// The state of a count.
struct Count<'a> {
    check: &'a mut dyn FnMut(u64) -> Verdict,
    names: u64,
}

impl Count<'_> {
    fn total_size(&mut self, dir: &Dir, depth: u32) -> Result<Option<u64>, Refusal> {
        const MOST: u64 = 1_000_000;
        let mut total = 0u64;
        for name in dir.entries()? {
            let name = name?;
            self.names += 1;
            if self.names > MOST || depth > MAX_DEPTH {
                return Err(Refusal::Unavailable("The directory tree is too large to count."));
            }
            if self.names.is_multiple_of(256) && (self.check)(total) == Verdict::Stop {
                return Ok(None);
            }
            if partial::is_partial(&sys::name_bytes(&name)) {
                continue;
            }
            let Ok(stat) = dir.stat(&name) else { continue };
            let size = match stat.kind {
                FileKind::File => stat.size,
                FileKind::Link | FileKind::Other => 0,
                FileKind::Dir => match dir.open_dir(&name) {
                    Err(error) if is_out_of_reach(&error) => 0,
                    Err(error) => return Err(error.into()),
                    Ok(dir) => match self.total_size(&dir, depth + 1)? {
                        Some(size) => size,
                        None => return Ok(None),
                    },
                },
            };
            total = total.saturating_add(size);
        }
        Ok(Some(total))
    }
}

/// Returns whether a directory is gone, is no longer a directory, or may not be read.
fn is_out_of_reach(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::NotADirectory
    ) || sys::may_be_link(error)
}

/// Removes everything in a directory, a limited number of names at a time.
fn remove_entries(
    dir: &Dir,
    ledger: Option<&Ledger>,
    depth: u32,
    check: &mut dyn FnMut() -> Verdict,
) -> Result<Verdict, Refusal> {
    const AT_A_TIME: usize = 256;
    if depth > MAX_DEPTH {
        return Err(Refusal::Unavailable("The directory tree is too deep to remove at once."));
    }
    loop {
        // The names are read first, because removing entries while reading a directory may hide
        // others.
        let names = dir.entries()?.take(AT_A_TIME).collect::<io::Result<Vec<_>>>()?;
        if names.is_empty() {
            return Ok(Verdict::Continue);
        }
        for name in names {
            if dir.stat(&name)?.kind != FileKind::Dir {
                quota::remove_file(ledger, dir, &name)?;
                continue;
            }
            let (inner, below) = (dir.open_dir(&name)?, ledger.map(|ledger| ledger.below(&name)));
            if remove_entries(&inner, below.as_ref(), depth + 1, check)? == Verdict::Stop {
                return Ok(Verdict::Stop);
            }
            dir.remove_dir(&name)?;
        }
        if check() == Verdict::Stop {
            return Ok(Verdict::Stop);
        }
    }
}
