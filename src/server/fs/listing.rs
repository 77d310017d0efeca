//! Directories as the bytes that LIST, NLST and MLSD send.
//!
//! [`Lines`] makes them while they are sent, so a directory of any size lists in bounded memory:
//! names are sorted as far as [`SortedNames`] has room for them; what comes beyond follows in the
//! order of the system. Dot files are shown, since a file nobody can see cannot be fetched.

use crate::protocol::listing::{Entry, Facts, Kind, Owner, Perm, Unique};
use crate::protocol::{FtpPath, Name};
use crate::server::accounts::Access;
use crate::server::fs::jail::{DirEntry, DirReader, Jail, Last};
use crate::server::fs::sorted_names::SortedNames;
use crate::sys::{FileKind, Stat};
use std::io::{self, Read};
use std::time::SystemTime;
use std::vec;

/// How many names that have to be looked at for it are sorted at most, and how many bytes of names
/// and targets of links: a few MiB of memory.
const SORTED_BY_FACTS: usize = 20_000;
const SORTED_BYTES: usize = 5 * 1024 * 1024;

/// How deep `-R` goes, how many directories may wait for it, and how much memory they may take.
const DEEPEST: usize = 64;
const WAITING: usize = 100_000;
const WAITING_BYTES: usize = 8 * 1024 * 1024;

/// How much is made at a time.
const CHUNK: usize = 32 * 1024;

/// How a name is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// As `ls -l` does (LIST).
    Long,
    /// The name alone, after this prefix, so that RETR takes it back (NLST).
    Names(Vec<u8>),
    /// As facts (MLSD).
    Facts(Facts, Access),
}

/// What `ls` options in the argument of LIST and NLST ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `-a`: also `.` and `..`.
    pub all: bool,
    /// `-l`: long also for NLST.
    pub long: bool,
    /// `-d`: the directory itself, not what is in it.
    pub itself: bool,
    /// `-R`: also what is in the directories below.
    pub recursive: bool,
    /// `-t`, `-S`, else by name.
    pub order: Order,
    /// `-r`: the other way round.
    pub reverse: bool,
}

/// What names are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Name, as bytes.
    #[default]
    Name,
    /// Last modified first.
    Time,
    /// Largest first.
    Size,
}

impl Options {
    /// Takes the options from the beginning of an argument; what is left is the path. Letters
    /// that `ls` knows and that change nothing here are passed over.
    pub fn split(argument: &[u8]) -> (Options, Option<Name>) {
        let mut options = Options::default();
        let mut rest = argument;
        while let [b'-', letters @ ..] = rest {
            let end = letters.iter().position(|&b| b == b' ').unwrap_or(letters.len());
            letters[..end].iter().for_each(|&letter| options.set(letter));
            rest = letters[end..].trim_ascii_start();
            if letters[..end] == *b"-" {
                break; // "--" ends the options
            }
        }
        (options, Name::new(rest))
    }

    fn set(&mut self, letter: u8) {
        match letter {
            b'a' => self.all = true,
            b'l' => self.long = true,
            b'd' => self.itself = true,
            b'R' => self.recursive = true,
            b't' => self.order = Order::Time,
            b'S' => self.order = Order::Size,
            b'r' => self.reverse = true,
            _ => {}
        }
    }

    /// Sorts names the way that is wanted.
    pub fn sort(self, names: &mut [DirEntry]) {
        match self.order {
            Order::Name => names.sort_unstable_by(|a, b| a.name.cmp(&b.name)),
            Order::Time => names.sort_unstable_by(|a, b| {
                b.stat.modified.cmp(&a.stat.modified).then_with(|| a.name.cmp(&b.name))
            }),
            Order::Size => names.sort_unstable_by(|a, b| {
                b.stat.size.cmp(&a.stat.size).then_with(|| a.name.cmp(&b.name))
            }),
        }
        if self.reverse {
            names.reverse();
        }
    }
}

/// The lines of a listing, made as they are read.
#[derive(Debug)]
pub struct Lines {
    form: Form,
    options: Options,
    now: SystemTime,
    /// What is being listed: first what was sorted by its facts, or by name alone, then what is
    /// left of the directory.
    sorted: vec::IntoIter<DirEntry>,
    names: SortedNames,
    listing: Option<DirReader>,
    /// The name whose line is made; its memory serves all of them.
    entry: Entry,
    /// For `-R`.
    tree: Option<Tree>,
    made: Vec<u8>,
    sent: usize,
}

/// The way through a tree.
#[derive(Debug)]
struct Tree {
    jail: Jail,
    /// How long the prefix of names is at its root.
    start: usize,
    at: Branch,
    /// Directories found in this one, in their order.
    children: Vec<Branch>,
    /// Where to go afterwards, the next one last.
    next: Vec<Branch>,
    /// How many bytes `children` and `next` take.
    held: usize,
}

/// A directory of a tree.
#[derive(Clone, Debug)]
struct Branch {
    path: FtpPath,
    shown: Vec<u8>,
    depth: usize,
}

impl Lines {
    /// The listing of the directory at `path`, or of the one file there.
    ///
    /// # Errors
    /// Nothing is there, or it may not be read.
    pub fn open(jail: &Jail, path: &FtpPath, form: Form, options: Options) -> io::Result<Lines> {
        let stat = jail.stat(path, Last::Follow)?;
        if stat.kind != FileKind::Dir || options.itself {
            let name = path.file_name().unwrap_or(b"/").to_vec();
            return Ok(Lines::of(vec![DirEntry { name, stat, target: Vec::new() }], form));
        }
        let mut lines = Lines::of(Vec::new(), form);
        lines.options = options;
        lines.enter(jail, path)?;
        lines.add_dots(jail, path, stat);
        if options.recursive {
            let start = if let Form::Names(prefix) = &lines.form { prefix.len() } else { 0 };
            let at = Branch { path: path.clone(), shown: b".".to_vec(), depth: 0 };
            if !matches!(lines.form, Form::Names(_)) {
                lines.made.splice(0..0, *b".:\r\n");
            }
            lines.tree = Some(Tree {
                jail: jail.clone(),
                start,
                at,
                children: Vec::new(),
                next: Vec::new(),
                held: 0,
            });
        }
        Ok(lines)
    }

    /// The listing of just these, as they are named.
    pub fn of(names: Vec<DirEntry>, form: Form) -> Lines {
        Lines {
            form,
            options: Options::default(),
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

    /// Begins with a directory. Sorting by name needs the names alone, and each is looked at when
    /// its line is made.
    fn enter(&mut self, jail: &Jail, path: &FtpPath) -> io::Result<()> {
        let mut listing = jail.read_dir(path)?;
        if self.options.order == Order::Name {
            let mut names = SortedNames::default();
            while names.has_room() && names.add(|bytes| listing.read_name(bytes))? {}
            names.sort();
            if self.options.reverse {
                names.reverse();
            }
            self.names = names;
        } else {
            let mut listed = look_at_some(&mut listing)?;
            self.options.sort(&mut listed);
            self.sorted = listed.into_iter();
        }
        self.listing = Some(listing);
        Ok(())
    }

    /// `.` and `..`: always in MLSD (RFC 3659 section 7.5.1), else for `-a`. Above the root there
    /// is nothing, so there `..` is the root again.
    fn add_dots(&mut self, jail: &Jail, path: &FtpPath, stat: Stat) {
        let facts = matches!(self.form, Form::Facts(..));
        if !facts && !self.options.all {
            return;
        }
        let above = jail.stat(&path.parent(), Last::Follow).unwrap_or(stat);
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
        while self.made.len() < CHUNK && (self.next()? || self.next_branch()) {}
        Ok(())
    }

    /// Makes the next line of a directory; whether there was one.
    fn next(&mut self) -> io::Result<bool> {
        if let Some(DirEntry { name, stat, target }) = self.sorted.next() {
            self.entry.name = name;
            self.add(stat, target)?;
            return Ok(true);
        }
        let Some(listing) = &mut self.listing else { return Ok(false) };
        loop {
            let name = &mut self.entry.name;
            name.clear();
            if !self.names.take(name) && !listing.read_name(name)? {
                return Ok(false);
            }
            if matches!(self.form, Form::Names(_)) && self.tree.is_none() {
                self.write();
                return Ok(true);
            }
            // What has gone since has no line.
            if let Some((stat, target)) = listing.look(name) {
                self.add(stat, target)?;
                return Ok(true);
            }
        }
    }

    fn add(&mut self, stat: Stat, target: Vec<u8>) -> io::Result<()> {
        if let Some(tree) = &mut self.tree {
            tree.note(&self.entry.name, stat.kind)?;
        }
        describe(&mut self.entry, stat, target);
        self.write();
        Ok(())
    }

    /// Goes on to the next directory of the tree; whether there is one. What cannot be read, or has
    /// gone, is shown as empty, as `ls` does.
    fn next_branch(&mut self) -> bool {
        let Some(tree) = &mut self.tree else { return false };
        let Some(branch) = tree.take() else { return false };
        let jail = tree.jail.clone();
        tree.at = branch.clone();
        if let Form::Names(prefix) = &mut self.form {
            // Names are for programs: each whole, and nothing between them.
            prefix.truncate(tree.start);
            prefix.extend_from_slice(branch.shown.strip_prefix(b"./").unwrap_or(&branch.shown));
            prefix.push(b'/');
        } else {
            self.made.extend_from_slice(b"\r\n");
            self.made.extend(branch.shown.iter().map(|&b| visible(b)));
            self.made.extend_from_slice(b":\r\n");
        }
        let _ = self.enter(&jail, &branch.path);
        true
    }

    fn write(&mut self) {
        let (entry, out) = (&mut self.entry, &mut self.made);
        match &self.form {
            Form::Long => entry.write_ls(self.now, out),
            Form::Names(prefix) => {
                out.extend_from_slice(prefix);
                out.extend(entry.name.iter().map(|&b| visible(b)));
            }
            Form::Facts(facts, access) => {
                entry.perm = Some(perm(entry, *access));
                entry.write_mlsx(*facts, out);
            }
        }
        out.extend_from_slice(b"\r\n");
    }
}

impl Tree {
    /// Remembers a directory that was listed, to go there when this one is through.
    fn note(&mut self, name: &[u8], kind: FileKind) -> io::Result<()> {
        if kind != FileKind::Dir {
            return Ok(());
        }
        let Some(name) = Name::of_file(name) else { return Ok(()) };
        if self.next.len() + self.children.len() >= WAITING || self.at.depth >= DEEPEST {
            return Err(too_large());
        }
        let Ok(path) = self.at.path.join(&name) else { return Ok(()) };
        let shown = [self.at.shown.as_slice(), b"/", name.as_bytes()].concat();
        let branch = Branch { path, shown, depth: self.at.depth + 1 };
        let held = self.held + branch.bytes();
        if held > WAITING_BYTES {
            return Err(too_large());
        }
        self.held = held;
        self.children.push(branch);
        Ok(())
    }

    /// The directory to go to now: those found in this one come before those that waited already.
    fn take(&mut self) -> Option<Branch> {
        self.next.extend(self.children.drain(..).rev());
        let branch = self.next.pop()?;
        self.held -= branch.bytes();
        Some(branch)
    }
}

impl Branch {
    /// The memory it takes. Its path is in it twice, and may be far longer than its name.
    fn bytes(&self) -> usize {
        size_of::<Branch>() + self.path.as_bytes().len() + self.shown.len()
    }
}

fn too_large() -> io::Error {
    io::Error::other("the tree is too large to be listed at once")
}

/// As many names as may be sorted by their facts.
fn look_at_some(listing: &mut DirReader) -> io::Result<Vec<DirEntry>> {
    let (mut listed, mut bytes) = (Vec::new(), 0);
    let mut name = Vec::new();
    while listed.len() < SORTED_BY_FACTS && bytes < SORTED_BYTES && listing.read_name(&mut name)? {
        if let Some((stat, target)) = listing.look(&name) {
            bytes += name.len() + target.len();
            listed.push(DirEntry { name: name.clone(), stat, target });
        }
        name.clear();
    }
    Ok(listed)
}

/// A byte of a name that would end or forge a line is shown as `?`.
fn visible(byte: u8) -> u8 {
    if byte.is_ascii_control() { b'?' } else { byte }
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.sent == self.made.len() {
            self.made.clear();
            self.sent = 0;
            self.fill()?;
        }
        let length = buffer.len().min(self.made.len() - self.sent);
        buffer[..length].copy_from_slice(&self.made[self.sent..self.sent + length]);
        self.sent += length;
        Ok(length)
    }
}

/// What the protocol says of a name, from what the system knows of it.
pub fn entry(listed: DirEntry) -> Entry {
    let mut entry = Entry::new(listed.name, Kind::Other);
    describe(&mut entry, listed.stat, listed.target);
    entry
}

fn describe(entry: &mut Entry, stat: Stat, target: Vec<u8>) {
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
    // Where the system has no such numbers, all files would look like one (RFC 3659 section 7.5.2).
    entry.unique =
        (stat.inode != 0).then_some(Unique::Node { device: stat.device, inode: stat.inode });
}

/// What may be done with a name (RFC 3659 section 7.5.5), as far as the login decides it. A file
/// without any write bit is said to be read-only.
pub fn perm(entry: &Entry, access: Access) -> Perm {
    let writable = access == Access::Write && entry.mode.is_none_or(|mode| mode & 0o222 != 0);
    match (&entry.kind, writable) {
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(argument: &str) -> (Options, Option<String>) {
        let (options, path) = Options::split(argument.as_bytes());
        (options, path.map(|path| path.to_string()))
    }

    #[test]
    fn options_stand_before_the_path() {
        let all = Options { all: true, long: true, ..Options::default() };
        assert_eq!(split("-la"), (all, None));
        assert_eq!(split("-a -l my dir"), (all, Some("my dir".into())));
        assert_eq!(split("my -dir"), (Options::default(), Some("my -dir".into())));
        let newest = Options { order: Order::Time, reverse: true, ..Options::default() };
        assert_eq!(split("-tr x"), (newest, Some("x".into())));
        assert_eq!(split("-- -x"), (Options::default(), Some("-x".into())));
        assert_eq!(split("-1AFhZ"), (Options::default(), None));
    }

    /// A tree that begins so many directories down, each with a name of 250 bytes.
    fn tree(dir: &tempfile::TempDir, parts: usize) -> Tree {
        let shown = format!(".{}", format!("/{}", "d".repeat(250)).repeat(parts)).into_bytes();
        let path = FtpPath::root().join(&Name::new(shown.clone()).unwrap()).unwrap();
        let jail = Jail::new(dir.path()).unwrap();
        let at = Branch { path, shown, depth: 0 };
        Tree { jail, start: 0, at, children: Vec::new(), next: Vec::new(), held: 0 }
    }

    /// How many directories the tree remembers before it refuses one.
    fn fill(tree: &mut Tree) -> usize {
        let note = |number: usize| tree.note(number.to_string().as_bytes(), FileKind::Dir);
        (0..=WAITING).map(note).take_while(Result::is_ok).count()
    }

    #[test]
    fn the_directories_that_wait_take_no_more_memory_than_was_said() {
        let dir = tempfile::tempdir().unwrap();
        let mut deep = tree(&dir, 15);
        let noted = fill(&mut deep);
        let each = deep.at.bytes();
        assert!((WAITING_BYTES / (each + 20)..WAITING_BYTES / each).contains(&noted), "{noted}");
        let bytes: usize = deep.children.iter().map(Branch::bytes).sum();
        assert!(bytes == deep.held && bytes <= WAITING_BYTES, "{bytes}, {}", deep.held);
        assert_eq!(fill(&mut tree(&dir, 0)), WAITING);
    }

    #[test]
    fn a_directory_that_waits_no_longer_gives_its_room_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut deep = tree(&dir, 15);
        let noted = fill(&mut deep);
        assert_eq!(deep.take().unwrap().shown, [&deep.at.shown[..], b"/0"].concat());
        deep.note(b"0", FileKind::Dir).unwrap();
        assert_eq!(std::iter::from_fn(|| deep.take()).count(), noted);
        assert_eq!(deep.held, 0);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_sorted_by_facts_is_bounded_in_bytes_and_the_rest_follows() {
        let dir = tempfile::tempdir().unwrap();
        let target = "a/".repeat(2000);
        let links = SORTED_BYTES / target.len() + 100;
        for number in 0..links {
            std::os::unix::fs::symlink(&target, dir.path().join(number.to_string())).unwrap();
        }
        let jail = Jail::new(dir.path()).unwrap();
        let newest = Options { order: Order::Time, ..Options::default() };
        let form = Form::Names(Vec::new());
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
