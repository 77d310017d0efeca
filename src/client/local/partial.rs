//! Partial files: downloads that are not whole yet.
//!
//! - A partial file is removed when its transfer ends without it, and by a signal. What clients that
//!   were killed left in its directory is removed when the next one is made there.
//! - Of a download that failed, what came is kept if it is large enough, under a name that says what
//!   it is a part of: which file of which server, its size and its time. It is continued while those
//!   are the same, and never with anything else.

use super::partial_name::{hidden_name, hold, remove_abandoned, short_digest, visible_name};
use crate::client::error::Error;
use crate::client::signals::Interrupt;
use crate::protocol::Name;
use crate::sys::{self, Dir, Open};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// From which size on a part of a file is kept: less comes again as fast as it would be found.
pub(in crate::client) const WORTH_KEEPING: u64 = 64 * 1024;

/// The remote file that a partial file is a part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client) struct PartOf {
    /// The place on the server and the name there.
    origin: Vec<u8>,
    size: u64,
    modified: SystemTime,
}

impl PartOf {
    /// Names the remote file `name` of this size and time at `place`.
    pub(in crate::client) fn new(
        place: &[u8],
        name: &Name,
        size: u64,
        modified: SystemTime,
    ) -> PartOf {
        let origin = [place, b"\n", name.as_bytes()].concat();
        PartOf { origin, size, modified }
    }

    /// Returns where the part is kept for `target`.
    fn path(&self, target: &Path) -> io::Result<PathBuf> {
        let since = self.modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let own = target.file_name().unwrap_or_default().as_encoded_bytes();
        let (key, size) = (short_digest(&[&self.origin, own], 16), self.size);
        let name = format!("{}.part-of-{key}-{size}-{since}", visible_name(target)?);
        Ok(target.with_file_name(name))
    }
}

fn is_plain(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|old| old.is_file())
}

/// Opens a plain file to read it, or to write it where it may not be read, which is enough to see its
/// rights.
fn open_plain(path: &Path) -> Option<File> {
    let name = path.file_name().filter(|_| is_plain(path))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let dir = Dir::open_path(parent.unwrap_or(Path::new("."))).ok()?;
    dir.open(name, Open::Read).or_else(|_| dir.open(name, Open::Append)).ok()
}

/// A file that is not whole yet. Dropped it is removed, and so it is by a signal.
pub(in crate::client) struct Partial {
    file: File,
    path: PathBuf,
    target: PathBuf,
    interrupt: Interrupt,
}

impl Partial {
    /// Gets ready to write what shall stand at `target`, whatever is there but a directory.
    pub(in crate::client) fn create(target: &Path, interrupt: &Interrupt) -> io::Result<Partial> {
        let mut partial = Partial::create_unheld(target, interrupt)?;
        // Another client took the first one for abandoned; the second is not as unlucky.
        if !hold(&partial.file, &partial.path) {
            partial = Partial::create_unheld(target, interrupt)?;
            hold(&partial.file, &partial.path);
        }
        // Now and not at the end: nobody who may not read the old file reads the new one meanwhile.
        partial.take_attributes();
        let dir = target.parent().unwrap_or(Path::new(""));
        if interrupt.is_first_in(dir)
            && let Ok(now) = partial.file.metadata().and_then(|metadata| metadata.modified())
        {
            remove_abandoned(dir, now);
        }
        Ok(partial)
    }

    fn create_unheld(target: &Path, interrupt: &Interrupt) -> io::Result<Partial> {
        let path = target.with_file_name(hidden_name(target)?);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        if is_plain(target) {
            sys::for_owner_alone(&mut options);
        }
        let file = interrupt.create(&path, |path| options.open(path))?;
        Ok(Partial { file, path, target: target.to_owned(), interrupt: interrupt.clone() })
    }

    /// Takes over permissions, access control list and attributes of the file that is to be replaced,
    /// as far as the system allows. One that cannot be opened leaves the partial to its owner alone.
    fn take_attributes(&self) {
        let old = open_plain(&self.target);
        let known = self.file.metadata().ok().zip(old.as_ref().and_then(|old| old.metadata().ok()));
        if let (Some(old), Some((new_data, old_data))) = (old, known) {
            sys::adopt((&self.file, &new_data), (&old, &old_data));
        }
    }

    /// The name that the file gets once it is whole.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// The file, which is written at its end.
    pub(in crate::client) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// The same file to be written at another place of its own.
    pub(in crate::client) fn another_writer(&self) -> io::Result<File> {
        OpenOptions::new().write(true).open(&self.path)
    }

    /// How much of it is here.
    pub(in crate::client) fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Throws away what is here.
    pub(in crate::client) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()
    }

    /// The last `count` of the bytes that are here.
    pub(in crate::client) fn tail(&mut self, count: u64) -> io::Result<Vec<u8>> {
        tail(&mut self.file, count)
    }

    /// When what stands in it was made.
    pub(in crate::client) fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.file.set_modified(time)
    }

    /// Continues the partial file that an earlier download of the same remote file left, if there is one.
    pub(in crate::client) fn take_up(&mut self, part: &PartOf) -> io::Result<()> {
        let kept = part.path(&self.target)?;
        let metadata = match fs::symlink_metadata(&kept) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        // Whoever can write to the directory could have put a link there.
        if !metadata.is_file() {
            fs::remove_file(&kept)?;
            return Err(io::Error::other("not a plain file"));
        }
        // Held before it has a name that others take for abandoned.
        let file = OpenOptions::new().read(true).write(true).open(&kept)?;
        if !hold(&file, &kept) {
            return Ok(());
        }
        fs::rename(&kept, &self.path)?;
        self.file = file;
        self.take_attributes();
        self.file.seek(SeekFrom::End(0)).map(drop)
    }

    /// Begins with a copy of what stands under the name already.
    pub(in crate::client) fn take_copy(&mut self) -> io::Result<()> {
        if is_plain(&self.target) {
            io::copy(&mut File::open(&self.target)?, &mut self.file)?;
        }
        Ok(())
    }

    /// Keeps what is here for later, where it is worth that; not after a failure for want of room,
    /// which is most likely what takes it.
    pub(in crate::client) fn keep(&self, part: &PartOf, failure: &Error) -> io::Result<()> {
        if failure.is_for_want_of_room() || self.length()? < WORTH_KEEPING {
            return Ok(());
        }
        fs::rename(&self.path, part.path(&self.target)?)
    }

    /// Removes what was kept of a file that came whole after all.
    pub(in crate::client) fn forget(&self, part: &PartOf) {
        if let Ok(kept) = part.path(&self.target) {
            // Most often there is none.
            let _ = fs::remove_file(kept);
        }
    }

    /// Makes the file appear under its name.
    pub(in crate::client) fn commit(self) -> Result<(), Error> {
        let renamed = fs::rename(&self.path, &self.target);
        renamed.map_err(|error| Error::File { path: self.target.clone(), error })
    }
}

impl Drop for Partial {
    /// After [`Partial::commit`] nothing has this name any more.
    fn drop(&mut self) {
        self.interrupt.remove(&self.path);
    }
}

/// The last `count` bytes of a file, which then stands at its end.
fn tail(file: &mut File, count: u64) -> io::Result<Vec<u8>> {
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(end.saturating_sub(count)))?;
    let mut bytes = Vec::new();
    file.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::file::LocalFile;
    use super::*;
    use std::io::Write;

    fn age(path: &Path) {
        let hour_ago = SystemTime::now() - std::time::Duration::from_secs(3600);
        File::options().write(true).open(path).unwrap().set_modified(hour_ago).unwrap();
    }

    #[test]
    fn what_a_killed_client_left_is_removed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let left = || at(&hidden_name(&at("a")).unwrap());
        let (abandoned, young, link) = (left(), left(), left());
        for path in [&abandoned, &young, &at(".a.part-0123456789abcdef"), &at(".a.part-of-1-1-1")] {
            fs::write(path, "half").unwrap();
            age(path);
        }
        File::options().write(true).open(&young).unwrap().set_modified(SystemTime::now()).unwrap();
        std::os::unix::fs::symlink(at(".a.part-of-1-1-1"), &link).unwrap();
        let held = Partial::create(&at("a"), &Interrupt::default()).unwrap();
        assert!(!abandoned.exists());
        fs::write(&abandoned, "half").unwrap();
        for path in [&abandoned, &held.path] {
            age(path);
        }
        drop(LocalFile::open(at("b"), &Interrupt::default()).unwrap());
        assert!(!abandoned.exists());
        assert!(young.exists() && link.is_symlink() && held.path.exists());
        assert!(at(".a.part-0123456789abcdef").exists() && at(".a.part-of-1-1-1").exists());
    }

    #[test]
    fn what_another_client_goes_on_with_is_left_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let part = PartOf::new(b"place", &Name::new("a").unwrap(), 5, UNIX_EPOCH);
        fs::write(part.path(&path).unwrap(), "half").unwrap();
        let [mut one, mut other] =
            [(); 2].map(|()| Partial::create(&path, &Interrupt::default()).unwrap());
        one.take_up(&part).unwrap();
        age(&one.path);
        other.take_up(&part).unwrap();
        assert_eq!((one.length().unwrap(), other.length().unwrap()), (4, 0));
        drop(LocalFile::open(dir.path().join("b"), &Interrupt::default()).unwrap());
        one.file().write_all(b"!").unwrap();
        one.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"half!");
    }
}
