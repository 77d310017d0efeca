//! Local files: where a download goes and where an upload comes from.
//!
//! - A download is written to a hidden file beside its target and renamed over it when it is whole,
//!   so that the name always holds a whole file: the old one, the new one, or none. What clients that
//!   were killed left in its directory is removed then.
//! - Of a download that failed, what came is kept where there is enough of it, in a hidden file whose
//!   name says what it is a part of: which file of which server, its size and its time. So it can
//!   be gone on with while that is the same, and never with anything else.
//! - A target that is a symbolic link is replaced itself. To write through it would let whoever can
//!   plant a link in the directory choose which file of the user is overwritten.
//! - Only what holds no content of its own, a device or a FIFO, is written into directly:
//!   `/dev/null` must not become a file.
//! - The last part of a remote name becomes a local name only where it can be nothing but a name in
//!   this directory; a server must not choose `..` or, on Windows, `C:`.

pub(super) mod partial;

use super::error::Error;
use super::name::{is_plain, parse_name};
use super::signals::Interrupt;
use crate::protocol::Name;
use crate::sys::os_string;
use crate::sys::{name_bytes, os_name};
use partial::{hidden_name, hold, remove_abandoned, short_digest, visible_name};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// From which size on a part of a file is kept: less comes again as fast as it would be found.
pub(super) const WORTH_KEEPING: u64 = 64 * 1024;

/// A path as it was typed.
pub(super) fn path(typed: &[u8]) -> Result<PathBuf, Error> {
    match os_string(typed) {
        Some(path) if !typed.is_empty() && !typed.contains(&0) => Ok(path.into()),
        _ => Err(Error::BadName(typed.to_vec())),
    }
}

/// The last part of a remote name, if a local file can be called so.
pub(super) fn last_part(remote: &Name) -> Result<OsString, Error> {
    let name = remote.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let name = os_name(name).ok().filter(|name| is_plain(name));
    name.ok_or_else(|| Error::BadLocalName(remote.as_bytes().to_vec()))
}

/// Makes a symbolic link, in place of another one.
#[cfg(unix)]
pub(super) fn link(at: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(at).is_ok_and(|old| old.is_symlink()) {
        fs::remove_file(at)?;
    }
    std::os::unix::fs::symlink(to, at)
}

/// Symbolic links need a privilege here that hardly any user has.
#[cfg(not(unix))]
pub(super) fn link(_: &Path, _: &Path) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

/// The local path of a remote file: the one that was typed, in it if it is a directory, or the
/// remote file's own name.
pub(super) fn target(remote: &Name, typed: Option<&[u8]>) -> Result<PathBuf, Error> {
    let Some(typed) = typed else { return Ok(last_part(remote)?.into()) };
    let path = path(typed)?;
    if path.is_dir() { Ok(path.join(last_part(remote)?)) } else { Ok(path) }
}

/// A name in upper case in lower case; one that has letters of both kinds as it is.
pub(super) fn lowered(name: OsString) -> OsString {
    match name.to_str() {
        Some(text) if text == text.to_ascii_uppercase() => text.to_ascii_lowercase().into(),
        _ => name,
    }
}

/// A path, or the first of `path.1`, `path.2` and so on that is not `taken`.
pub(super) fn unique(path: PathBuf, taken: impl Fn(&Path) -> bool) -> PathBuf {
    let numbered = |number: u32| {
        let mut name = path.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    if !taken(&path) {
        return path;
    }
    (1..).map(numbered).find(|path| !taken(path)).unwrap_or(path)
}

/// The remote name of a local file: the one that was typed, in it if it ends in `/`, or the local
/// file's own name.
pub(super) fn remote_name(local: &Path, typed: Option<&[u8]>) -> Result<Name, Error> {
    let own = local.file_name().map(name_bytes).unwrap_or_default();
    let name = match typed {
        Some(typed) if typed.ends_with(b"/") => [typed, &own].concat(),
        Some(typed) => typed.to_vec(),
        None => own.to_vec(),
    };
    parse_name(&name)
}

/// Opens the file of an upload; its size comes with it.
pub(super) fn open(path: &Path) -> Result<(File, u64), Error> {
    open_plain(path).map_err(|error| Error::File { path: path.to_owned(), error })
}

fn open_plain(path: &Path) -> io::Result<(File, u64)> {
    // Before it is opened too: to open a FIFO is to wait for somebody to write to it.
    refuse_special(&fs::metadata(path)?)?;
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    refuse_special(&metadata)?;
    Ok((file, metadata.len()))
}

fn refuse_special(metadata: &fs::Metadata) -> io::Result<()> {
    if metadata.is_file() {
        Ok(())
    } else if metadata.is_dir() {
        Err(ErrorKind::IsADirectory.into())
    } else {
        Err(io::Error::other("not a plain file"))
    }
}

/// The local file of a download.
pub(super) enum LocalFile {
    /// A file that appears when it is whole.
    Whole(Partial),
    /// A device or a FIFO.
    Special(File, PathBuf),
}

impl LocalFile {
    /// Gets ready to write what shall stand at `path`.
    pub(super) fn open(path: PathBuf, interrupt: &Interrupt) -> Result<LocalFile, Error> {
        let opened = match fs::metadata(&path) {
            Ok(old) if old.is_dir() => Err(ErrorKind::IsADirectory.into()),
            Ok(old) if !old.is_file() => open_special(&path),
            _ => Partial::create(&path, interrupt).map(LocalFile::Whole),
        };
        opened.map_err(|error| Error::File { path, error })
    }

    /// Makes the file appear under its name, with the time that it has at the server.
    pub(super) fn commit(self, modified: Option<SystemTime>) -> Result<(), Error> {
        match self {
            LocalFile::Whole(partial) => {
                if let Some(modified) = modified {
                    // A file system that keeps no times keeps files all the same.
                    let _ = partial.set_modified(modified);
                }
                partial.commit()
            }
            LocalFile::Special(..) => Ok(()),
        }
    }

    /// The file that is not whole yet, if it is one that can be gone back in.
    pub(super) fn partial(&mut self) -> Option<&mut Partial> {
        match self {
            LocalFile::Whole(partial) => Some(partial),
            LocalFile::Special(..) => None,
        }
    }

    /// The name of the file.
    pub(super) fn path(&self) -> &Path {
        match self {
            LocalFile::Whole(partial) => &partial.target,
            LocalFile::Special(_, path) => path,
        }
    }
}

/// The remote file that a partial file is a part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PartOf {
    /// The place on the server and the name there.
    origin: Vec<u8>,
    size: u64,
    modified: SystemTime,
}

impl PartOf {
    /// Names the remote file `name` of this size and time at `place`.
    pub(super) fn new(place: &[u8], name: &Name, size: u64, modified: SystemTime) -> PartOf {
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

fn open_special(path: &Path) -> io::Result<LocalFile> {
    let file = OpenOptions::new().write(true).open(path)?;
    Ok(LocalFile::Special(file, path.to_owned()))
}

impl Write for LocalFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            LocalFile::Whole(partial) => partial.file.write(bytes),
            LocalFile::Special(file, _) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that is not whole yet. Dropped it is removed, and so it is by a signal.
pub(super) struct Partial {
    file: File,
    path: PathBuf,
    target: PathBuf,
    interrupt: Interrupt,
}

impl Partial {
    /// Gets ready to write what shall stand at `target`, whatever is there but a directory.
    pub(super) fn create(target: &Path, interrupt: &Interrupt) -> io::Result<Partial> {
        let mut partial = Partial::create_unheld(target, interrupt)?;
        // Nobody has such luck twice.
        if !hold(&partial.file, &partial.path) {
            partial = Partial::create_unheld(target, interrupt)?;
            hold(&partial.file, &partial.path);
        }
        // Now and not at the end: nobody who may not read the old file reads the new one meanwhile.
        partial.take_permissions()?;
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
        let file = interrupt.create(&path, |path| options.open(path))?;
        Ok(Partial { file, path, target: target.to_owned(), interrupt: interrupt.clone() })
    }

    fn take_permissions(&self) -> io::Result<()> {
        match fs::symlink_metadata(&self.target) {
            Ok(old) if old.is_file() => self.file.set_permissions(old.permissions()),
            _ => Ok(()),
        }
    }

    /// The file, which is written at its end.
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// The same file to be written at another place of its own.
    pub(super) fn another_writer(&self) -> io::Result<File> {
        OpenOptions::new().write(true).open(&self.path)
    }

    /// How much of it is here.
    pub(super) fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Throws away what is here.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()
    }

    /// The last `count` of the bytes that are here.
    pub(super) fn tail(&mut self, count: u64) -> io::Result<Vec<u8>> {
        tail(&mut self.file, count)
    }

    /// When what stands in it was made.
    pub(super) fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.file.set_modified(time)
    }

    /// Goes on with what was kept of a file, if anything was.
    pub(super) fn take_up(&mut self, part: &PartOf) -> io::Result<()> {
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
        self.file.seek(SeekFrom::End(0)).map(drop)
    }

    /// Begins with a copy of what stands under the name already.
    pub(super) fn take_copy(&mut self) -> io::Result<()> {
        if fs::symlink_metadata(&self.target).is_ok_and(|old| old.is_file()) {
            io::copy(&mut File::open(&self.target)?, &mut self.file)?;
        }
        Ok(())
    }

    /// Keeps what is here for later, where it is worth that; not after a failure for want of room,
    /// which is most likely what takes it.
    pub(super) fn keep(&self, part: &PartOf, failure: &Error) -> io::Result<()> {
        if failure.is_for_want_of_room() || self.length()? < WORTH_KEEPING {
            return Ok(());
        }
        fs::rename(&self.path, part.path(&self.target)?)
    }

    /// Removes what was kept of a file that came whole after all.
    pub(super) fn forget(&self, part: &PartOf) {
        if let Ok(kept) = part.path(&self.target) {
            // Most often there is none.
            let _ = fs::remove_file(kept);
        }
    }

    /// Makes the file appear under its name.
    pub(super) fn commit(self) -> Result<(), Error> {
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
pub(super) fn tail(file: &mut File, count: u64) -> io::Result<Vec<u8>> {
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(end.saturating_sub(count)))?;
    let mut bytes = Vec::new();
    file.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(bytes: &[u8]) -> Name {
        Name::new(bytes).unwrap()
    }

    #[test]
    fn a_remote_name_becomes_a_local_one_only_where_it_is_nothing_else() {
        assert_eq!(last_part(&name(b"a/b/c d")).unwrap(), "c d");
        assert_eq!(last_part(&name(b".x")).unwrap(), ".x");
        for bad in [&b"a/.."[..], b"..", b".", b"a/", b"/"] {
            assert!(last_part(&name(bad)).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn the_remote_name_of_an_upload() {
        let remote = |typed: Option<&[u8]>| remote_name(Path::new("x/a b"), typed);
        assert_eq!(remote(None).unwrap(), name(b"a b"));
        assert_eq!(remote(Some(b"c")).unwrap(), name(b"c"));
        assert_eq!(remote(Some(b"dir/")).unwrap(), name(b"dir/a b"));
        assert!(remote_name(Path::new(".."), None).is_err());
        assert!(remote(Some(b"a\r\nDELE b")).is_err());
    }

    #[test]
    fn what_is_dropped_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "old").unwrap();
        let mut target = LocalFile::open(path.clone(), &Interrupt::default()).unwrap();
        target.write_all(b"half").unwrap();
        drop(target);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    }

    #[cfg(unix)]
    fn age(path: &Path) {
        let hour_ago = SystemTime::now() - std::time::Duration::from_secs(3600);
        File::options().write(true).open(path).unwrap().set_modified(hour_ago).unwrap();
    }

    #[cfg(unix)]
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

    #[cfg(unix)]
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

    #[test]
    fn what_is_committed_replaces_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("é".repeat(120));
        fs::write(&path, "old").unwrap();
        let mut target = LocalFile::open(path.clone(), &Interrupt::default()).unwrap();
        target.write_all(b"new").unwrap();
        target.commit(None).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    }

    #[test]
    fn directories_are_neither_sent_nor_replaced() {
        let dir = tempfile::tempdir().unwrap();
        assert!(open(dir.path()).is_err());
        assert!(LocalFile::open(dir.path().to_owned(), &Interrupt::default()).is_err());
        let inside = target(&name(b"x/a"), Some(dir.path().as_os_str().as_encoded_bytes()));
        assert_eq!(inside.unwrap(), dir.path().join("a"));
        for bad in ["b/", "", ".."] {
            let path = dir.path().join(bad);
            assert!(LocalFile::open(path, &Interrupt::default()).is_err(), "{bad}");
        }
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_replaced_and_permissions_of_a_file_are_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let [file, link] = ["file", "link"].map(|name| dir.path().join(name));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&file, &link).unwrap();
        for path in [&link, &file] {
            let mut target = LocalFile::open(path.clone(), &Interrupt::default()).unwrap();
            target.write_all(path.as_os_str().as_encoded_bytes()).unwrap();
            target.commit(None).unwrap();
        }
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
        assert_eq!(fs::read(&file).unwrap(), file.as_os_str().as_encoded_bytes());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_into() {
        let mut target = LocalFile::open("/dev/null".into(), &Interrupt::default()).unwrap();
        assert!(matches!(target, LocalFile::Special(..)));
        target.write_all(b"x").unwrap();
        target.commit(None).unwrap();
    }
}
