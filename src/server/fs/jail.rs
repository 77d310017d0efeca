//! The directory that is served, and every call on the file system the server makes for a client.
//!
//! Nobody gets out, by three rules:
//!
//! 1. A path is walked part by part, each directory opened from the one before it without
//!    following links, and the last part is used through the directory that was reached. Whatever
//!    another process renames or replaces meanwhile, the walk is still below the root.
//! 2. Links are followed by hand, at most [`MAX_LINKS`] of them. `..` in a target goes back to a
//!    directory this walk came through, never to what the system calls the parent; one that would
//!    go above the root, or an absolute target outside, is answered like a missing file.
//! 3. No real path leaves this file.
//!
//! Partial uploads are invisible here: they are never listed, and no path of
//! a client can name one.

use crate::protocol::FtpPath;
use crate::server::error::Refusal;
use crate::server::fs::partial;
use crate::server::fs::quota::{self, Ledger, Quotas, Spot, Usage};
use crate::sys::{self, Dir, Entries, FileKind, Open, Stat};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// How many links one path may lead through; what Linux allows.
const MAX_LINKS: usize = 40;

/// How many names one path may lead through, links and their `..` counted; more than the longest
/// path has parts.
const MAX_STEPS: usize = 10_000;

/// Where the target of a link counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    /// The directory the link stands in.
    Here,
    /// The root.
    Root,
}

/// What to do with a link in the last place of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// Go where it leads.
    Follow,
    /// Take the link itself.
    Keep,
}

/// A directory tree that nobody leaves. Clones share it.
#[derive(Clone, Debug)]
pub struct Jail {
    root: Arc<Dir>,
    /// Names of the root as the system knows it, to understand absolute links into it.
    known_as: Arc<[PathBuf]>,
    /// The directories between the root that is served and this one, no link among them.
    above: Arc<[OsString]>,
    quotas: Arc<Quotas>,
}

/// Where a path leads: a name in a directory that is held open.
#[derive(Clone, Debug)]
pub struct ResolvedPath {
    /// The directory.
    pub dir: Arc<Dir>,
    /// The name in it; `.` for the root.
    pub name: OsString,
    /// What stood there when it was looked up; it may have changed since.
    pub found: Option<Stat>,
    /// The directories between the root and `dir`, no link among them.
    trail: Vec<OsString>,
}

impl Jail {
    /// The jail whose `/` is the directory `root`.
    ///
    /// # Errors
    /// There is no such directory, or no right to enter it.
    pub fn new(root: &Path) -> io::Result<Jail> {
        let dir = Dir::open_path(root)?;
        // Opening alone would also work for a directory that cannot be searched.
        dir.open_dir(OsStr::new("."))?;
        let mut known_as = vec![std::path::absolute(root)?];
        known_as.extend(root.canonicalize());
        known_as.dedup();
        let root = Arc::new(dir);
        let quotas = Arc::new(Quotas::new(Arc::clone(&root)));
        Ok(Jail { root, known_as: known_as.into(), above: Arc::default(), quotas })
    }

    /// The jail whose `/` is the directory at `path` in this one: the home of an account.
    ///
    /// # Errors
    /// There is no such directory, or no right to enter it.
    pub fn enter(&self, path: &FtpPath) -> io::Result<Jail> {
        if path.is_root() {
            return Ok(self.clone());
        }
        let (place, dir) = self.enter_dir(path)?;
        let below = |root: &PathBuf| {
            let mut root = root.clone();
            path.parts().for_each(|part| root.extend(sys::os_name(part)));
            root
        };
        let known_as = self.known_as.iter().map(below).collect();
        let (above, quotas) = (self.trail_into(&place).into(), Arc::clone(&self.quotas));
        Ok(Jail { root: Arc::new(dir), known_as, above, quotas })
    }

    /// The quotas in the tree that is served.
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// The directories between the root that is served and the one at `path`, and that one.
    ///
    /// # Errors
    /// It is missing, is none, or may not be entered.
    pub fn trail_to(&self, path: &FtpPath) -> io::Result<Vec<OsString>> {
        self.enter_dir(path).map(|(place, _)| self.trail_into(&place))
    }

    fn trail_into(&self, place: &ResolvedPath) -> Vec<OsString> {
        let itself = (place.name != ".").then_some(&place.name);
        self.above.iter().chain(&place.trail).chain(itself).cloned().collect()
    }

    /// The quotas that count where a place is; `None` if there are none anywhere.
    pub fn ledger(&self, place: &ResolvedPath) -> Option<Ledger> {
        self.quotas.ledger(|| [&self.above, place.trail.as_slice()].concat())
    }

    /// The quotas that count in the directory that a place is.
    pub fn ledger_inside(&self, place: &ResolvedPath) -> Option<Ledger> {
        self.quotas.ledger(|| self.trail_into(place))
    }

    /// Finds where `path` leads.
    ///
    /// # Errors
    /// A directory on the way is missing, is none, or may not be entered. That the last name is
    /// missing is no error.
    pub fn locate(&self, path: &FtpPath, last: Last) -> io::Result<ResolvedPath> {
        let mut todo: VecDeque<OsString> = VecDeque::new();
        for part in path.parts() {
            todo.push_back(sys::os_name(part)?);
        }
        self.walk(todo, last)
    }

    fn walk(&self, mut todo: VecDeque<OsString>, last: Last) -> io::Result<ResolvedPath> {
        let mut here = Arc::clone(&self.root);
        // The names of the directories between the root and here; none of them is a link.
        let mut trail: Vec<OsString> = Vec::new();
        let (mut links, mut steps) = (0, 0);
        while let Some(name) = todo.pop_front() {
            if name == ".." {
                // Down again from the root, so that a path of any depth holds one directory open.
                trail.pop().ok_or_else(outside)?;
                // All that follow at once, or a link from far below would take more steps than there
                // are.
                while todo.front().is_some_and(|next| next == "..") {
                    todo.pop_front();
                    trail.pop().ok_or_else(outside)?;
                }
                trail.drain(..).rev().for_each(|name| todo.push_front(name));
                here = Arc::clone(&self.root);
                continue;
            }
            steps += 1;
            if steps > MAX_STEPS || partial::is_partial(&sys::name_bytes(&name)) {
                return Err(outside());
            }
            let target = if !todo.is_empty() {
                match here.open_dir(&name) {
                    Ok(dir) => {
                        here = Arc::new(dir);
                        trail.push(name);
                        continue;
                    }
                    Err(error) => self.link_target(&here, &name, error)?,
                }
            } else {
                let found = optional(here.stat(&name))?;
                let is_link = found.is_some_and(|stat| stat.kind == FileKind::Link);
                if last == Last::Keep || !is_link {
                    return Ok(ResolvedPath { dir: here, name, found, trail });
                }
                here.read_link(&name)?
            };
            links += 1;
            if links > MAX_LINKS {
                return Err(outside());
            }
            if self.expand(&target, &mut todo)? == Base::Root {
                trail.clear();
                here = Arc::clone(&self.root);
            }
        }
        let found = Some(here.stat_self()?);
        Ok(ResolvedPath { dir: here, name: ".".into(), found, trail })
    }

    /// The target of the link that kept `open_dir` from opening `name`, if that was the reason.
    fn link_target(&self, dir: &Dir, name: &OsStr, error: io::Error) -> io::Result<OsString> {
        if sys::may_be_link(&error) { dir.read_link(name).map_err(|_| error) } else { Err(error) }
    }

    /// Puts the parts of a link's target before what is still to be walked, and says from where.
    fn expand(&self, target: &OsStr, todo: &mut VecDeque<OsString>) -> io::Result<Base> {
        let mut target = Path::new(target);
        let base = if target.is_absolute() { Base::Root } else { Base::Here };
        if base == Base::Root {
            target = self.inside(target).ok_or_else(outside)?;
        }
        for component in target.components().rev() {
            match component {
                Component::Normal(name) => todo.push_front(name.to_owned()),
                Component::ParentDir => todo.push_front("..".into()),
                Component::CurDir => {}
                Component::RootDir | Component::Prefix(_) => return Err(outside()),
            }
        }
        Ok(base)
    }

    /// An absolute path of the system as one relative to the root, if it lies below it.
    fn inside<'a>(&self, target: &'a Path) -> Option<&'a Path> {
        self.known_as.iter().find_map(|root| target.strip_prefix(root).ok())
    }

    /// What stands at `path`.
    ///
    /// # Errors
    /// Nothing does, or the way there is closed.
    pub fn stat(&self, path: &FtpPath, last: Last) -> io::Result<Stat> {
        self.locate(path, last)?.found.ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Opens the directory at `path`, making sure that it may be entered.
    ///
    /// # Errors
    /// It is missing, is none, or may not be entered.
    pub fn open_dir(&self, path: &FtpPath) -> io::Result<Dir> {
        self.enter_dir(path).map(|(_, dir)| dir)
    }

    fn enter_dir(&self, path: &FtpPath) -> io::Result<(ResolvedPath, Dir)> {
        let place = self.locate(path, Last::Follow)?;
        let dir = place.dir.open_dir(&place.name)?;
        dir.open_dir(OsStr::new("."))?;
        Ok((place, dir))
    }

    /// Opens the plain file at `path` for reading, and says how long it is.
    ///
    /// # Errors
    /// It is missing, or no plain file.
    pub fn open_file(&self, path: &FtpPath) -> Result<(File, u64), Refusal> {
        let place = self.locate(path, Last::Follow)?;
        let (file, data) = place.open_known(Open::Read)?;
        Ok((file, data.len()))
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// What the system says.
    pub fn make_dir(&self, path: &FtpPath) -> io::Result<()> {
        let place = self.locate(path, Last::Keep)?;
        place.dir.make_dir(&place.name)
    }

    /// Renames; what has the new name is replaced if it is a file.
    ///
    /// # Errors
    /// What the system says.
    pub fn rename(&self, from: &FtpPath, to: &FtpPath) -> io::Result<()> {
        let from = self.locate(from, Last::Keep)?;
        let to = self.locate(to, Last::Keep)?;
        match (self.ledger(&from), self.ledger(&to)) {
            (Some(before), Some(after)) => {
                let from = Spot { ledger: &before, dir: &from.dir, name: &from.name };
                quota::rename(from, Spot { ledger: &after, dir: &to.dir, name: &to.name })
            }
            _ => from.dir.rename(&from.name, &to.dir, &to.name),
        }
    }

    /// Sets permission bits of a file or directory.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_mode(&self, path: &FtpPath, mode: u32) -> io::Result<()> {
        let place = self.locate(path, Last::Follow)?;
        place.dir.set_mode(&place.name, mode)
    }

    /// Sets when a file or directory was last modified.
    ///
    /// # Errors
    /// What the system says.
    pub fn set_modified(&self, path: &FtpPath, time: SystemTime) -> io::Result<()> {
        let place = self.locate(path, Last::Follow)?;
        place.dir.set_modified(&place.name, time)
    }

    /// Sets when a file or directory was created.
    ///
    /// # Errors
    /// What the system says; `Unsupported` where it cannot.
    pub fn set_created(&self, path: &FtpPath, time: SystemTime) -> io::Result<()> {
        let place = self.locate(path, Last::Follow)?;
        place.dir.set_created(&place.name, time)
    }

    /// How many bytes may still be stored in the directory at `path`.
    ///
    /// # Errors
    /// What the system says.
    pub fn space(&self, path: &FtpPath) -> io::Result<u64> {
        let (place, dir) = self.enter_dir(path)?;
        let space = dir.space()?;
        let usage = self.ledger_inside(&place).map(|ledger| ledger.usage()).transpose()?;
        Ok(usage.flatten().map_or(space, |usage| space.min(usage.left)))
    }

    /// What the quota of the root has come to, or that of the next directory above it; `None` if
    /// there is none.
    ///
    /// # Errors
    /// The files cannot be counted.
    pub fn usage(&self) -> io::Result<Option<Usage>> {
        let ledger = self.quotas.ledger(|| self.above.to_vec());
        Ok(ledger.map(|ledger| ledger.usage()).transpose()?.flatten())
    }

    /// Makes a link at `link` that leads to `target`, by the way from the one to the other, so that
    /// it stays right when the whole tree moves.
    ///
    /// # Errors
    /// What the system says.
    pub fn link(&self, target: &FtpPath, link: &FtpPath) -> io::Result<()> {
        let place = self.locate(link, Last::Keep)?;
        // From where it really stands: the way there may have led through links.
        let from = &place.trail;
        let same = |(a, b): &(&OsString, &[u8])| *sys::name_bytes(a) == **b;
        let shared = from.iter().zip(target.parts()).take_while(same).count();
        let mut way = PathBuf::new();
        from.iter().skip(shared).for_each(|_| way.push(".."));
        for part in target.parts().skip(shared) {
            way.push(sys::os_name(part)?);
        }
        if way.as_os_str().is_empty() {
            way.push(".");
        }
        place.dir.symlink(way.as_os_str(), &place.name)
    }

    /// The names in the directory at `path`, each with what is known of it.
    ///
    /// # Errors
    /// It is missing, is no directory, or may not be read.
    pub fn read_dir(&self, path: &FtpPath) -> io::Result<DirReader> {
        let place = self.locate(path, Last::Follow)?;
        let dir = place.dir.open_dir(&place.name)?;
        let entries = dir.entries()?;
        let depth = place.trail.len() + usize::from(place.name != ".");
        let ledger = self.ledger_inside(&place);
        Ok(DirReader { jail: self.clone(), depth, dir, ledger, entries })
    }

    /// What is known of the name at `path`, its link not followed.
    ///
    /// # Errors
    /// Nothing is there, or the way there is closed.
    pub fn look(&self, path: &FtpPath) -> io::Result<DirEntry> {
        let place = self.locate(path, Last::Keep)?;
        let stat = place.found.ok_or(ErrorKind::NotFound)?;
        let target = match stat.kind {
            FileKind::Link => self.shown_target(&place.dir, place.trail.len(), &place.name),
            FileKind::File | FileKind::Dir | FileKind::Other => Vec::new(),
        };
        let name = sys::name_bytes(&place.name).into_owned();
        Ok(DirEntry { name, stat, target })
    }

    /// The target of the link `name` in `dir`, so many directories below the root, as a client may
    /// see it: nothing that tells of the world outside.
    fn shown_target(&self, dir: &Dir, depth: usize, name: &OsStr) -> Vec<u8> {
        let Ok(target) = dir.read_link(name) else { return Vec::new() };
        let path = Path::new(&target);
        if !path.is_absolute() {
            let shown = if stays_inside(path, depth) { target.as_os_str() } else { OsStr::new("") };
            return sys::name_bytes(shown).into_owned();
        }
        match self.inside(path).filter(|inside| stays_inside(inside, 0)) {
            Some(inside) => [b"/", sys::name_bytes(inside.as_os_str()).as_ref()].concat(),
            None => Vec::new(),
        }
    }
}

/// Whether a path never goes above the root on its way from so many directories below it.
fn stays_inside(path: &Path, depth: usize) -> bool {
    let mut depth = Some(depth);
    for component in path.components() {
        depth = match component {
            Component::ParentDir => depth.and_then(|depth| depth.checked_sub(1)),
            Component::Normal(_) => depth.map(|depth| depth + 1),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => depth,
        };
    }
    depth.is_some()
}

impl ResolvedPath {
    /// Opens the plain file here. Only plain files are opened: a FIFO would wait, and a device
    /// could do anything.
    ///
    /// # Errors
    /// It is missing, or is no plain file; also when it became something else in this moment.
    pub fn open(&self, how: Open) -> Result<File, Refusal> {
        self.open_known(how).map(|(file, _)| file)
    }

    fn open_known(&self, how: Open) -> Result<(File, Metadata), Refusal> {
        match self.found.map(|stat| stat.kind) {
            None | Some(FileKind::File) => {}
            Some(FileKind::Dir) => return Err(io::Error::from(ErrorKind::IsADirectory).into()),
            Some(FileKind::Link | FileKind::Other) => return Err(Refusal::NotPlainFile),
        }
        let file = self.dir.open(&self.name, how)?;
        let data = file.metadata()?;
        if data.is_file() { Ok((file, data)) } else { Err(Refusal::NotPlainFile) }
    }
}

/// The names of a directory with what is known of each, in the order of the system.
#[derive(Debug)]
pub struct DirReader {
    jail: Jail,
    /// How many directories below the root.
    depth: usize,
    dir: Dir,
    ledger: Option<Ledger>,
    entries: Entries,
}

/// A name in a listing.
#[derive(Clone, Debug)]
pub struct DirEntry {
    /// The name as bytes.
    pub name: Vec<u8>,
    /// What is known of it.
    pub stat: Stat,
    /// Where it leads if it is a link; empty where that is not for clients to know.
    pub target: Vec<u8>,
}

impl DirReader {
    /// The next name of the directory, partial uploads left out.
    ///
    /// # Errors
    /// The directory cannot be read any further.
    pub fn next_name(&mut self) -> io::Result<Option<OsString>> {
        let mut name = Vec::new();
        let found = self.read_name(&mut name)?;
        Ok(found.then(|| sys::name_of(&name).into_owned()))
    }

    /// The same, appended to `to`; whether there was one.
    ///
    /// # Errors
    /// The same.
    pub fn read_name(&mut self, to: &mut Vec<u8>) -> io::Result<bool> {
        let start = to.len();
        while self.entries.read_name(to)? {
            if !partial::is_partial(&to[start..]) {
                return Ok(true);
            }
            let name = sys::name_of(&to[start..]);
            partial::remove_if_old(&self.dir, &name, self.ledger.as_ref());
            to.truncate(start);
        }
        Ok(false)
    }

    /// What is known of a name, and where it leads if it is a link; `None` if it has gone since.
    pub fn look(&self, name: &[u8]) -> Option<(Stat, Vec<u8>)> {
        let name = sys::name_of(name);
        let stat = self.dir.stat(&name).ok()?;
        let target = match stat.kind {
            FileKind::Link => self.jail.shown_target(&self.dir, self.depth, &name),
            FileKind::File | FileKind::Dir | FileKind::Other => Vec::new(),
        };
        Some((stat, target))
    }
}

/// A missing name is an answer, not an error.
fn optional(stat: io::Result<Stat>) -> io::Result<Option<Stat>> {
    match stat {
        Ok(stat) => Ok(Some(stat)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a way out of the jail looks like from inside: nothing is there.
fn outside() -> io::Error {
    ErrorKind::NotFound.into()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::protocol::Name;
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    fn path(text: &str) -> FtpPath {
        FtpPath::root().join(&Name::new(text).unwrap()).unwrap()
    }

    /// `root/in/file` and `secret` beside the root.
    fn jail() -> (tempfile::TempDir, Jail) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("root/in/deep")).unwrap();
        fs::create_dir(dir.path().join("outside")).unwrap();
        fs::write(dir.path().join("root/in/file"), "inside").unwrap();
        fs::write(dir.path().join("outside/secret"), "secret").unwrap();
        let jail = Jail::new(&dir.path().join("root")).unwrap();
        (dir, jail)
    }

    fn read(jail: &Jail, name: &str) -> Option<String> {
        let (mut file, _) = jail.open_file(&path(name)).ok()?;
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        Some(text)
    }

    #[test]
    fn files_are_found_where_they_are() {
        let (_dir, jail) = jail();
        assert_eq!(read(&jail, "/in/file").as_deref(), Some("inside"));
        assert_eq!(read(&jail, "/in/none"), None);
        assert!(jail.locate(&path("/in/none"), Last::Keep).unwrap().found.is_none());
        assert!(jail.locate(&path("/none/x"), Last::Keep).is_err());
        assert_eq!(jail.stat(&path("/"), Last::Keep).unwrap().kind, FileKind::Dir);
        assert!(jail.open_dir(&path("/in/file")).is_err());
    }

    #[test]
    fn links_that_stay_inside_are_followed() {
        let (dir, jail) = jail();
        let root = dir.path().join("root");
        symlink("file", root.join("in/relative")).unwrap();
        symlink("../in/./file", root.join("in/winding")).unwrap();
        symlink(root.join("in/file"), root.join("absolute")).unwrap();
        symlink("in", root.join("dir")).unwrap();
        symlink("../..", root.join("in/deep/up")).unwrap();
        for name in ["in/relative", "in/winding", "absolute", "dir/file", "in/deep/up/in/file"] {
            assert_eq!(read(&jail, name).as_deref(), Some("inside"), "{name}");
        }
        assert_eq!(jail.stat(&path("dir"), Last::Keep).unwrap().kind, FileKind::Link);
        assert_eq!(jail.stat(&path("dir"), Last::Follow).unwrap().kind, FileKind::Dir);
        assert_eq!(jail.stat(&path("in/deep/up"), Last::Follow).unwrap().kind, FileKind::Dir);
    }

    #[test]
    fn links_that_leave_are_missing_files() {
        let (dir, jail) = jail();
        let root = dir.path().join("root");
        symlink("../outside", root.join("up")).unwrap();
        symlink("../../outside/secret", root.join("in/up")).unwrap();
        symlink("../../root/in/file", root.join("in/out-and-back")).unwrap();
        symlink(dir.path().join("outside"), root.join("absolute")).unwrap();
        symlink(dir.path().join("root/../outside"), root.join("sly")).unwrap();
        symlink("/proc/self/root/etc/passwd", root.join("proc")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        for name in [
            "up/secret",
            "in/up",
            "in/out-and-back",
            "absolute/secret",
            "sly/secret",
            "proc",
            "loop",
        ] {
            assert_eq!(read(&jail, name), None, "{name}");
            let error = jail.stat(&path(name), Last::Follow).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{name}");
        }
    }

    #[test]
    fn only_plain_files_are_opened() {
        let (dir, jail) = jail();
        let fifo = dir.path().join("root/fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert!(matches!(jail.open_file(&path("fifo")), Err(Refusal::NotPlainFile)));
        assert!(jail.open_file(&path("in")).is_err());
    }

    #[test]
    fn partial_uploads_have_no_name_for_clients() {
        let (dir, jail) = jail();
        let hidden = ".ftp-partial-0123";
        fs::write(dir.path().join("root").join(hidden), "half").unwrap();
        assert_eq!(read(&jail, hidden), None);
        assert_eq!(read(&jail, &hidden.to_uppercase()), None);
        symlink(hidden, dir.path().join("root/in/link")).unwrap();
        symlink(format!("../{hidden}"), dir.path().join("root/in/link2")).unwrap();
        assert_eq!(read(&jail, "in/link2"), None);
        let mut listing = jail.read_dir(&FtpPath::root()).unwrap();
        assert_eq!(listing.next_name().unwrap().as_deref(), Some(OsStr::new("in")));
        assert_eq!(listing.next_name().unwrap(), None);
    }

    #[test]
    fn targets_of_links_tell_nothing_of_the_outside() {
        let (dir, jail) = jail();
        let root = dir.path().join("root");
        symlink(root.join("in/file"), root.join("absolute")).unwrap();
        symlink(dir.path().join("outside"), root.join("outside")).unwrap();
        symlink("../outside/secret", root.join("up")).unwrap();
        symlink("in/../in/file", root.join("winding")).unwrap();
        let listing = jail.read_dir(&FtpPath::root()).unwrap();
        assert_eq!(listing.look(b"absolute").unwrap().1, b"/in/file");
        assert_eq!(listing.look(b"outside").unwrap().1, b"");
        assert_eq!(listing.look(b"up").unwrap().1, b"");
        assert_eq!(listing.look(b"winding").unwrap().1, b"in/../in/file");
    }

    #[test]
    fn a_directory_that_is_swapped_for_a_link_never_leads_out() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let (dir, jail) = jail();
        let root = dir.path().join("root");
        fs::create_dir(root.join("real")).unwrap();
        symlink(dir.path().join("outside"), root.join("link")).unwrap();
        fs::create_dir(root.join("flip")).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let _ = fs::rename(root.join("flip"), root.join("real2"));
                    let _ = fs::rename(root.join("link"), root.join("flip"));
                    let _ = fs::rename(root.join("flip"), root.join("link"));
                    let _ = fs::rename(root.join("real2"), root.join("flip"));
                }
            });
            for _ in 0..20_000 {
                assert_eq!(read(&jail, "flip/secret"), None);
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}
