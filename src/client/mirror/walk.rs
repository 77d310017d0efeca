//! The two trees of a mirror: what the server lists, and what is on disk.
//!
//! Neither is trusted to end: depth and number are bounded. No link is followed, on neither side.
//! What a server calls a file becomes a path here only where it is nothing but a name.

use super::super::connection::{Connection, EXTENDED_PASSIVE};
use super::super::error::Error;
use super::super::interrupt::Armed;
use super::super::local;
use super::super::naming::folded;
use super::super::remote::list_dir;
use super::plan::{Facts, Node, Rules, Tree};
use crate::protocol::Name;
use crate::protocol::listing::{Entry, Kind};
use crate::sys::name_bytes;
use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::path::Path;

/// How deep a tree may be, and how much may be in it.
const DEEPEST: usize = 64;
const MOST_NODES: usize = 1_000_000;

/// What a walk found, and what it would not take.
#[derive(Default)]
pub(super) struct Walked {
    pub(super) tree: Tree,
    pub(super) refused: Vec<Error>,
    /// Paths as the local file system compares them.
    folded: BTreeSet<String>,
}

impl Walked {
    fn add(&mut self, path: Vec<u8>, node: Node) -> Result<(), Error> {
        self.tree.insert(path, node);
        if self.tree.len() > MOST_NODES { Err(Error::Endless) } else { Ok(()) }
    }
}

/// A path and a name in it.
pub(super) fn joined(dir: &[u8], name: &[u8]) -> Vec<u8> {
    match dir {
        b"" | b"." => name.to_vec(),
        _ if dir.ends_with(b"/") => [dir, name].concat(),
        _ => [dir, b"/", name].concat(),
    }
}

/// What stands below a remote directory.
pub(super) fn remote(
    connection: &mut Connection,
    root: &[u8],
    rules: &Rules,
    armed: &Armed,
) -> Result<Walked, Error> {
    let mut walked = Walked::default();
    let mut waiting = vec![(Vec::new(), 0)];
    while let Some((dir, depth)) = waiting.pop() {
        if armed.came() {
            return Err(Error::Interrupted);
        }
        let place = if dir.is_empty() { root.to_vec() } else { joined(root, &dir) };
        let listed = match list(connection, &place, !waiting.is_empty()) {
            // The root is what the user named.
            Err(error @ Error::Refused(_)) if !dir.is_empty() => {
                walked.refused.push(error.at_remote(&place));
                walked.add(dir, Node::Closed)?;
                continue;
            }
            other => other?,
        };
        for entry in listed.entries {
            let Some(path) = walked.take(&dir, &entry) else { continue };
            let node = node(&entry, listed.exact);
            if !rules.takes(&path, &node) {
                walked.add(path, if node == Node::Dir { Node::Closed } else { node })?;
                continue;
            }
            if node == Node::Dir {
                if depth + 1 >= DEEPEST {
                    return Err(Error::Endless);
                }
                waiting.push((path.clone(), depth + 1));
            }
            walked.add(path, node)?;
        }
    }
    Ok(walked)
}

fn list(
    connection: &mut Connection,
    place: &[u8],
    more: bool,
) -> Result<super::super::remote::Listed, Error> {
    if more && connection.looks_ahead() {
        connection.follow_with(vec![EXTENDED_PASSIVE]);
    }
    let name = match place {
        b"" | b"." => None,
        _ => Some(Name::new(place).ok_or_else(|| Error::BadName(place.to_vec()))?),
    };
    list_dir(connection, name.as_ref())
}

impl Walked {
    /// The path of an entry, if it can be one here.
    fn take(&mut self, dir: &[u8], entry: &Entry) -> Option<Vec<u8>> {
        let name = Name::new(entry.name.as_slice()).filter(|name| !name.as_bytes().contains(&b'/'));
        let path = joined(dir, &entry.name);
        let Some(local) = name.and_then(|name| local::last_part(&name).ok()) else {
            self.refused.push(Error::BadLocalName(path));
            return None;
        };
        let place = String::from_utf8_lossy(dir).into_owned();
        if !self.folded.insert(folded(&Path::new(&place).join(local))) {
            self.refused.push(Error::SameName(path));
            return None;
        }
        Some(path)
    }
}

fn node(entry: &Entry, exact: bool) -> Node {
    match &entry.kind {
        Kind::File => Node::File(Facts { size: entry.size, modified: entry.modified, exact }),
        Kind::Dir => Node::Dir,
        Kind::Link(to) => Node::Link(to.clone()),
        Kind::CurrentDir | Kind::ParentDir | Kind::Other => Node::Other,
    }
}

/// What stands below a local directory.
pub(super) fn local(root: &Path, rules: &Rules) -> Result<Walked, Error> {
    let mut walked = Walked::default();
    let mut waiting = vec![(Vec::new(), root.to_owned(), 0)];
    while let Some((dir, place, depth)) = waiting.pop() {
        let failed = |error| Error::File { path: place.clone(), error };
        let entries = match fs::read_dir(&place) {
            Err(error) if !dir.is_empty() => {
                walked.refused.push(failed(error));
                walked.add(dir, Node::Closed)?;
                continue;
            }
            other => other.map_err(failed)?,
        };
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            let at = place.join(&name);
            let path = joined(&dir, &name_bytes(&name));
            if local::is_partial(&name_bytes(&name)) {
                continue;
            }
            let node = fs::symlink_metadata(&at).and_then(|metadata| disk_node(&at, &metadata));
            let node = node.map_err(|error| Error::File { path: at.clone(), error })?;
            let taken = rules.takes(&path, &node);
            if node == Node::Dir && taken {
                if depth + 1 >= DEEPEST {
                    return Err(Error::Endless);
                }
                waiting.push((path.clone(), at, depth + 1));
            }
            let unseen = node == Node::Dir && !taken;
            walked.add(path, if unseen { Node::Closed } else { node })?;
        }
    }
    Ok(walked)
}

fn disk_node(path: &Path, metadata: &Metadata) -> io::Result<Node> {
    Ok(if metadata.is_file() {
        let modified = metadata.modified().ok();
        Node::File(Facts { size: Some(metadata.len()), modified, exact: true })
    } else if metadata.is_dir() {
        Node::Dir
    } else if metadata.is_symlink() {
        Node::Link(name_bytes(fs::read_link(path)?.as_os_str()).into_owned())
    } else {
        Node::Other
    })
}
