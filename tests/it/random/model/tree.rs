//! The tree as the model has it: what is there, and which uploads wait to be resumed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path as RealPath;

/// The parts of an absolute path; none for the root.
pub type Path = Vec<String>;

/// A reply code that refuses.
pub type Code = u16;

/// For what is missing, or is not of the right kind.
pub const UNAVAILABLE: Code = 550;

/// For an offset beyond the end.
pub const BAD_RESTART: Code = 554;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Dir,
    File(Vec<u8>),
}

/// Where an upload begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// In a new partial.
    Nothing,
    /// In the partial that waits, cut to so many bytes.
    Partial(usize),
    /// In the file itself, at this byte.
    Place(usize),
}

/// Files, directories and partials.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: BTreeMap<Path, Node>,
    partials: BTreeMap<Path, Vec<u8>>,
    /// When files were modified, as far as a command has set that.
    times: BTreeMap<Path, &'static str>,
    /// Where the last upload of this login broke off.
    own: Option<Path>,
}

impl Tree {
    /// A login that has broken nothing off.
    pub fn log_in(&mut self) {
        self.own = None;
    }

    /// Whether the partial of a path is that of the last upload that this login broke off.
    pub fn is_own(&self, path: &[String]) -> bool {
        self.own.as_deref() == Some(path)
    }

    /// What is at a path.
    pub fn get(&self, path: &[String]) -> Option<&Node> {
        if path.is_empty() { Some(&Node::Dir) } else { self.nodes.get(path) }
    }

    /// The partial that waits for a path.
    pub fn partial(&self, path: &[String]) -> Option<&Vec<u8>> {
        self.partials.get(path)
    }

    /// The file at a path.
    pub fn file(&self, path: &[String]) -> Result<&Vec<u8>, Code> {
        match self.get(path) {
            Some(Node::File(bytes)) => Ok(bytes),
            Some(Node::Dir) | None => Err(UNAVAILABLE),
        }
    }

    /// The file at a path, or the partial that waits for it if nothing is there.
    pub fn stored(&self, path: &[String]) -> Result<&Vec<u8>, Code> {
        match (self.get(path), self.partial(path)) {
            (None, Some(partial)) => Ok(partial),
            _ => self.file(path),
        }
    }

    /// Makes sure that a directory is at a path.
    pub fn dir(&self, path: &[String]) -> Result<(), Code> {
        if self.get(path) == Some(&Node::Dir) { Ok(()) } else { Err(UNAVAILABLE) }
    }

    /// Makes sure that anything is at a path.
    pub fn any(&self, path: &[String]) -> Result<(), Code> {
        self.get(path).map(drop).ok_or(UNAVAILABLE)
    }

    /// What a directory holds, by name.
    pub fn children(&self, path: &[String]) -> BTreeMap<String, Node> {
        let below = self.nodes.iter().filter(|(other, _)| other.len() == path.len() + 1);
        let inside = below.filter(|(other, _)| other.starts_with(path));
        inside.map(|(other, node)| (other.last().unwrap().clone(), node.clone())).collect()
    }

    /// All paths below one.
    pub fn below(&self, path: &[String]) -> Vec<&Path> {
        self.nodes.keys().filter(|other| is_below(other, path)).collect()
    }

    /// How many bytes all files below a directory have.
    pub fn size_below(&self, path: &[String]) -> usize {
        let sizes = self.below(path).into_iter().filter_map(|file| self.file(file).ok());
        sizes.map(Vec::len).sum()
    }

    /// Whether a partial waits anywhere below a path.
    pub fn has_partials(&self, path: &[String]) -> bool {
        self.partials.keys().any(|other| is_below(other, path))
    }

    /// When a file was modified, if that is known.
    pub fn time(&self, path: &[String]) -> Option<&'static str> {
        self.times.get(path).copied()
    }

    /// Sets when a file was modified.
    pub fn set_time(&mut self, path: &[String], time: &'static str) -> Result<(), Code> {
        self.any(path)?;
        if self.file(path).is_ok() {
            self.times.insert(path.to_vec(), time);
        }
        Ok(())
    }

    /// MKD.
    pub fn make_dir(&mut self, path: &[String]) -> Result<(), Code> {
        self.parent(path)?;
        if self.any(path).is_ok() {
            return Err(UNAVAILABLE);
        }
        self.nodes.insert(path.to_vec(), Node::Dir);
        Ok(())
    }

    /// SITE MKDIR.
    pub fn make_dirs(&mut self, path: &[String]) -> Result<(), Code> {
        for length in 1..=path.len() {
            match self.get(&path[..length]) {
                Some(Node::Dir) => {}
                Some(Node::File(_)) => return Err(UNAVAILABLE),
                None => self.make_dir(&path[..length])?,
            }
        }
        Ok(())
    }

    /// RMD.
    pub fn remove_dir(&mut self, path: &[String]) -> Result<(), Code> {
        self.dir(path)?;
        if path.is_empty() || !self.children(path).is_empty() {
            return Err(UNAVAILABLE);
        }
        self.forget(path);
        Ok(())
    }

    /// RMDA.
    pub fn remove_all(&mut self, path: &[String]) -> Result<(), Code> {
        self.dir(path)?;
        if path.is_empty() {
            return Err(UNAVAILABLE);
        }
        self.forget(path);
        Ok(())
    }

    /// DELE.
    pub fn remove_file(&mut self, path: &[String]) -> Result<(), Code> {
        if self.dir(path).is_ok() {
            return Err(UNAVAILABLE);
        }
        let partial = self.partials.remove(path);
        self.times.remove(path);
        match self.nodes.remove(path) {
            None if partial.is_none() => Err(UNAVAILABLE),
            _ => Ok(()),
        }
    }

    /// RNTO.
    pub fn rename(&mut self, from: &[String], to: &[String]) -> Result<(), Code> {
        self.any(from)?;
        self.parent(to)?;
        if from == to {
            return Ok(());
        }
        if is_below(to, from) {
            return Err(UNAVAILABLE); // a directory does not go into itself
        }
        match (self.get(from), self.get(to)) {
            (Some(Node::Dir), Some(Node::Dir)) if self.is_empty(to) => {}
            (Some(Node::File(_)), Some(Node::File(_))) | (_, None) => {}
            _ => return Err(UNAVAILABLE),
        }
        let moved = |path: &Path| [to, &path[from.len()..]].concat();
        let inside = |path: &Path| path.starts_with(from);
        self.times.remove(to);
        for path in self.nodes.keys().filter(|path| inside(path)).cloned().collect::<Vec<_>>() {
            let node = self.nodes.remove(&path).unwrap();
            if let Some(time) = self.times.remove(&path) {
                self.times.insert(moved(&path), time);
            }
            self.nodes.insert(moved(&path), node);
        }
        // A partial stands in a directory and belongs to a name: it moves with the one alone.
        let inside = |path: &Path| is_below(path, from);
        for path in self.partials.keys().filter(|path| inside(path)).cloned().collect::<Vec<_>>() {
            let partial = self.partials.remove(&path).unwrap();
            self.partials.insert(moved(&path), partial);
        }
        self.own = self.own.take().map(|own| if inside(&own) { moved(&own) } else { own });
        Ok(())
    }

    /// Makes sure that a file may be stored at a path.
    pub fn storable(&self, path: &[String]) -> Result<(), Code> {
        self.parent(path)?;
        if self.dir(path).is_ok() { Err(UNAVAILABLE) } else { Ok(()) }
    }

    /// An upload that came to its end.
    pub fn store(&mut self, path: &[String], from: Start, bytes: &[u8]) {
        let stored = self.written(path, from, bytes);
        if !matches!(from, Start::Place(_)) {
            self.partials.remove(path);
        }
        self.times.remove(path);
        self.nodes.insert(path.to_vec(), Node::File(stored));
    }

    /// An upload that broke off.
    pub fn break_off(&mut self, path: &[String], from: Start, bytes: &[u8]) {
        // What waits for a resume is worth keeping until something better has come.
        if bytes.is_empty() && !matches!(from, Start::Place(_)) {
            return;
        }
        let written = self.written(path, from, bytes);
        match from {
            Start::Place(_) => {
                self.times.remove(path);
                self.nodes.insert(path.to_vec(), Node::File(written));
            }
            // An empty partial is of no use to anyone.
            _ if written.is_empty() => drop(self.partials.remove(path)),
            _ => {
                self.partials.insert(path.to_vec(), written);
                self.own = Some(path.to_vec());
            }
        }
    }

    /// What is different on the disk.
    pub fn difference(&self, root: &RealPath) -> Option<String> {
        let (mut nodes, mut partials) = (BTreeMap::new(), Vec::new());
        read(root, &mut Vec::new(), &mut nodes, &mut partials);
        for path in self.nodes.keys().chain(nodes.keys()) {
            let (wanted, got) = (self.nodes.get(path), nodes.get(path));
            if wanted != got {
                return Some(format!("{path:?}: {} and not {}", show(got), show(wanted)));
            }
        }
        let dir_of = |path: &Path| path[..path.len() - 1].to_vec();
        let mut wanted: Vec<(Path, Vec<u8>)> =
            self.partials.iter().map(|(path, bytes)| (dir_of(path), bytes.clone())).collect();
        wanted.sort();
        partials.sort();
        (wanted != partials).then(|| {
            let sizes = |all: &[(Path, Vec<u8>)]| -> Vec<(Path, usize)> {
                all.iter().map(|(dir, bytes)| (dir.clone(), bytes.len())).collect()
            };
            format!("partials: {:?} and not {:?}", sizes(&partials), sizes(&wanted))
        })
    }

    fn parent(&self, path: &[String]) -> Result<(), Code> {
        self.dir(&path[..path.len().saturating_sub(1)])
    }

    /// Empty for the system, which does not know what a partial is.
    fn is_empty(&self, dir: &[String]) -> bool {
        self.children(dir).is_empty() && !self.has_partials(dir)
    }

    fn forget(&mut self, path: &[String]) {
        self.nodes.retain(|other, _| !other.starts_with(path));
        self.times.retain(|other, _| !other.starts_with(path));
        self.partials.retain(|other, _| !is_below(other, path));
    }

    fn written(&self, path: &[String], from: Start, bytes: &[u8]) -> Vec<u8> {
        let (old, at) = match from {
            Start::Nothing => (&[][..], 0),
            Start::Partial(at) => (&self.partials[path][..at], at),
            Start::Place(at) => (&self.file(path).unwrap()[..], at),
        };
        let tail = old.get(at + bytes.len()..).unwrap_or_default();
        [&old[..at], bytes, tail].concat()
    }
}

fn is_below(path: &[String], dir: &[String]) -> bool {
    path.len() > dir.len() && path.starts_with(dir)
}

fn show(node: Option<&Node>) -> String {
    match node {
        None => "nothing".into(),
        Some(Node::Dir) => "a directory".into(),
        Some(Node::File(bytes)) => {
            let start = bytes[..bytes.len().min(40)].escape_ascii();
            format!("a file of {} bytes, \"{start}\"", bytes.len())
        }
    }
}

fn read(
    dir: &RealPath,
    path: &mut Path,
    nodes: &mut BTreeMap<Path, Node>,
    partials: &mut Vec<(Path, Vec<u8>)>,
) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with(".ftp-partial-") {
            partials.push((path.clone(), fs::read(entry.path()).unwrap()));
            continue;
        }
        path.push(name);
        if entry.file_type().unwrap().is_dir() {
            nodes.insert(path.clone(), Node::Dir);
            read(&entry.path(), path, nodes, partials);
        } else {
            nodes.insert(path.clone(), Node::File(fs::read(entry.path()).unwrap()));
        }
        path.pop();
    }
}
