//! The model of the served tree: files, directories and resumable uploads.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path as RealPath;

/// The components of an absolute path; empty for the root.
pub type Path = Vec<String>;

/// The code of an error reply.
pub type Code = u16;

/// The code for a missing file or one of the wrong kind.
pub const UNAVAILABLE: Code = 550;

/// The code for an offset beyond the end.
pub const BAD_RESTART: Code = 554;

/// A file or directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Dir,
    File(Vec<u8>),
}

/// The starting point of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A new partial file.
    Nothing,
    /// The existing partial file, truncated to this length.
    Partial(usize),
    /// The file itself, from this offset.
    Place(usize),
}

/// Files, directories and partial files.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: BTreeMap<Path, Node>,
    partials: BTreeMap<Path, Vec<u8>>,
    /// Modification times that were set by commands.
    times: BTreeMap<Path, &'static str>,
    /// The path of this login's last interrupted upload.
    own: Option<Path>,
}

impl Tree {
    /// Starts a new login, without an interrupted upload.
    pub fn log_in(&mut self) {
        self.own = None;
    }

    /// Returns true if the partial file of this path belongs to this login's last interrupted upload.
    pub fn is_own(&self, path: &[String]) -> bool {
        self.own.as_deref() == Some(path)
    }

    /// Returns the node at a path.
    pub fn get(&self, path: &[String]) -> Option<&Node> {
        if path.is_empty() { Some(&Node::Dir) } else { self.nodes.get(path) }
    }

    /// Returns the partial file for a path.
    pub fn partial(&self, path: &[String]) -> Option<&Vec<u8>> {
        self.partials.get(path)
    }

    /// Returns the file at a path.
    pub fn file(&self, path: &[String]) -> Result<&Vec<u8>, Code> {
        match self.get(path) {
            Some(Node::File(bytes)) => Ok(bytes),
            Some(Node::Dir) | None => Err(UNAVAILABLE),
        }
    }

    /// Returns the file at a path, or its partial file if there is no file.
    pub fn stored(&self, path: &[String]) -> Result<&Vec<u8>, Code> {
        match (self.get(path), self.partial(path)) {
            (None, Some(partial)) => Ok(partial),
            _ => self.file(path),
        }
    }

    /// Fails unless a directory is at the path.
    pub fn dir(&self, path: &[String]) -> Result<(), Code> {
        if self.get(path) == Some(&Node::Dir) { Ok(()) } else { Err(UNAVAILABLE) }
    }

    /// Fails unless anything is at the path.
    pub fn any(&self, path: &[String]) -> Result<(), Code> {
        self.get(path).map(drop).ok_or(UNAVAILABLE)
    }

    /// Returns the entries of a directory.
    pub fn children(&self, path: &[String]) -> BTreeMap<String, Node> {
        let below = self.nodes.iter().filter(|(other, _)| other.len() == path.len() + 1);
        let inside = below.filter(|(other, _)| other.starts_with(path));
        inside.map(|(other, node)| (other.last().unwrap().clone(), node.clone())).collect()
    }

    /// Returns all paths below a path.
    pub fn below(&self, path: &[String]) -> Vec<&Path> {
        self.nodes.keys().filter(|other| is_below(other, path)).collect()
    }

    /// Returns the total size of the files below a directory.
    pub fn size_below(&self, path: &[String]) -> usize {
        let sizes = self.below(path).into_iter().filter_map(|file| self.file(file).ok());
        sizes.map(Vec::len).sum()
    }

    /// Returns true if there is a partial file below a path.
    pub fn has_partials(&self, path: &[String]) -> bool {
        self.partials.keys().any(|other| is_below(other, path))
    }

    /// Returns the modification time of a file, if known.
    pub fn time(&self, path: &[String]) -> Option<&'static str> {
        self.times.get(path).copied()
    }

    /// Sets the modification time of a file.
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
            return Err(UNAVAILABLE); // a directory cannot be moved into itself
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
        // A partial file moves with its directory, but not with the file of its name.
        let inside = |path: &Path| is_below(path, from);
        for path in self.partials.keys().filter(|path| inside(path)).cloned().collect::<Vec<_>>() {
            let partial = self.partials.remove(&path).unwrap();
            self.partials.insert(moved(&path), partial);
        }
        self.own = self.own.take().map(|own| if inside(&own) { moved(&own) } else { own });
        Ok(())
    }

    /// Fails unless a file can be stored at the path.
    pub fn storable(&self, path: &[String]) -> Result<(), Code> {
        self.parent(path)?;
        if self.dir(path).is_ok() { Err(UNAVAILABLE) } else { Ok(()) }
    }

    /// Applies a complete upload.
    pub fn store(&mut self, path: &[String], from: Start, bytes: &[u8]) {
        let stored = self.written(path, from, bytes);
        if !matches!(from, Start::Place(_)) {
            self.partials.remove(path);
        }
        self.times.remove(path);
        self.nodes.insert(path.to_vec(), Node::File(stored));
    }

    /// Applies an interrupted upload.
    pub fn break_off(&mut self, path: &[String], from: Start, bytes: &[u8]) {
        // An upload without data leaves an existing partial file unchanged.
        if bytes.is_empty() && !matches!(from, Start::Place(_)) {
            return;
        }
        let written = self.written(path, from, bytes);
        match from {
            Start::Place(_) => {
                self.times.remove(path);
                self.nodes.insert(path.to_vec(), Node::File(written));
            }
            // Empty partial files are not kept.
            _ if written.is_empty() => drop(self.partials.remove(path)),
            _ => {
                self.partials.insert(path.to_vec(), written);
                self.own = Some(path.to_vec());
            }
        }
    }

    /// Returns the first difference between the model and the disk.
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

    /// Returns true if the system sees the directory as empty; partial files count.
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
