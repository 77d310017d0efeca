//! The two trees of a mirror: what the server lists, and what is on disk.
//!
//! Neither is trusted to end: depth and number are bounded. No link is followed unless the user wants
//! that; then a local one that leads back to where it stands is refused, and in what a remote one leads
//! to links stay links, since nobody can tell where those would lead. What a server calls a file
//! becomes a path here only where it is nothing but a name.

use super::plan::{FileFacts, Node, Rules, Tree};
use crate::client::connection::{Connection, EPSV};
use crate::client::error::Error;
use crate::client::local::{self, is_partial};
use crate::client::name::{folded, parse_name};
use crate::client::remote_listing::{Listed, list_dir};
use crate::client::signals::Armed;
use crate::client::transfer::compare::RemoteFacts;
use crate::protocol::Name;
use crate::protocol::listing::{Entry, Kind};
use crate::sys::{name_bytes, os_string};
use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// How deep a tree may be, and how much may be in it.
const DEEPEST: usize = 64;
const MOST_NODES: usize = 1_000_000;

/// What a walk found, and what it would not take.
#[derive(Default)]
pub(super) struct Walked {
    pub(super) tree: Tree,
    pub(super) refused: Vec<Error>,
    /// Whether the listing of the root has lines that could not be read; directories below it that
    /// have some are [`Node::Closed`].
    pub(super) root_is_partial: bool,
    /// Whether a listing of a server was none of facts, as MLSD gives them.
    pub(super) is_rough: bool,
    /// Paths as the local file system compares them.
    folded: BTreeSet<String>,
}

impl Walked {
    fn add(&mut self, path: Vec<u8>, node: Node) -> Result<(), Error> {
        self.tree.insert(path, node);
        self.check_end()
    }

    /// What was refused takes room too.
    fn check_end(&self) -> Result<(), Error> {
        let nodes = self.tree.len() + self.refused.len();
        if nodes > MOST_NODES { Err(Error::Endless) } else { Ok(()) }
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
    let mut waiting = vec![RemoteFolder { path: Vec::new(), depth: 0, linked: false }];
    let mut links = Vec::new();
    loop {
        while let Some(place) = waiting.pop() {
            if armed.came() {
                return Err(Error::Interrupted);
            }
            let more = !waiting.is_empty();
            let Some(listed) = walked.list(connection, root, &place, more)? else { continue };
            for entry in listed.entries {
                let Some(path) = walked.take(&place.path, &entry) else {
                    walked.check_end()?;
                    continue;
                };
                let node = node(&entry, listed.exact);
                if !rules.takes(&path, &node) {
                    walked.add(path, if node == Node::Dir { Node::Closed } else { node })?;
                    continue;
                }
                if rules.follow && !place.linked && matches!(node, Node::Link(_)) {
                    links.push(RemoteFolder { path, depth: place.depth + 1, linked: true });
                    if links.len() > MOST_NODES {
                        return Err(Error::Endless);
                    }
                    continue;
                }
                if node == Node::Dir {
                    waiting.push(place.below(&path)?);
                }
                walked.add(path, node)?;
            }
        }
        let Some(link) = links.pop() else { return Ok(walked) };
        if armed.came() {
            return Err(Error::Interrupted);
        }
        // After all that is no link, so that the questions do not come between its listings.
        let known = RemoteFacts::ask_at_once(connection, &parse_name(&joined(root, &link.path))?)?;
        if let RemoteFacts { size: size @ Some(_), modified } = known {
            walked.add(link.path, Node::File(FileFacts { size, modified, exact: true }))?;
        } else {
            walked.add(link.path.clone(), Node::Dir)?;
            waiting.push(link);
        }
    }
}

/// A remote directory that is to be listed.
struct RemoteFolder {
    path: Vec<u8>,
    depth: usize,
    /// Whether a link led there.
    linked: bool,
}

impl RemoteFolder {
    fn below(&self, path: &[u8]) -> Result<RemoteFolder, Error> {
        let depth = self.depth + 1;
        if depth >= DEEPEST {
            return Err(Error::Endless);
        }
        Ok(RemoteFolder { path: path.to_vec(), depth, linked: self.linked })
    }
}

fn list(connection: &mut Connection, place: &[u8], more: bool) -> Result<Listed, Error> {
    if more && connection.can_set_up_ahead() {
        connection.pipeline_after_transfer(vec![EPSV]);
    }
    let name = match place {
        b"" | b"." => None,
        _ => Some(parse_name(place)?),
    };
    list_dir(connection, name.as_ref())
}

impl Walked {
    /// What a directory holds; `None` where the server does not say, which is told of, as are lines
    /// that cannot be read. Both close the directory: what is not in the tree may be there.
    fn list(
        &mut self,
        connection: &mut Connection,
        root: &[u8],
        place: &RemoteFolder,
        more: bool,
    ) -> Result<Option<Listed>, Error> {
        let at = if place.path.is_empty() { root.to_vec() } else { joined(root, &place.path) };
        match list(connection, &at, more) {
            // The root is what the user named.
            Err(error @ Error::Refused(_)) if !place.path.is_empty() => {
                self.refused.push(error.at_remote(&at));
                self.close(place)?;
                Ok(None)
            }
            other => {
                let mut listed = other?;
                self.is_rough |= !listed.exact;
                if let Some(error) = listed.take_error(&at) {
                    self.refused.push(error);
                    self.close(place)?;
                }
                Ok(Some(listed))
            }
        }
    }

    fn close(&mut self, place: &RemoteFolder) -> Result<(), Error> {
        if place.path.is_empty() {
            self.root_is_partial = true;
            return Ok(());
        }
        self.add(place.path.clone(), Node::Closed)
    }

    /// The path of an entry, if it can be one here.
    fn take(&mut self, dir: &[u8], entry: &Entry) -> Option<Vec<u8>> {
        let name = Name::new(entry.name.as_slice()).filter(|name| !name.as_bytes().contains(&b'/'));
        let path = joined(dir, &entry.name);
        let Some(local) = name.and_then(|name| local::last_part(&name).ok()) else {
            self.refused.push(Error::BadLocalName(path));
            return None;
        };
        let Some(place) = os_string(dir) else {
            self.refused.push(Error::BadLocalName(path));
            return None;
        };
        if !self.folded.insert(folded(&Path::new(&place).join(local))) {
            // Neither fetched, nor is deleted what is here under its name.
            self.tree.entry(path.clone()).or_insert(Node::Other);
            self.refused.push(Error::SameName(path));
            return None;
        }
        Some(path)
    }
}

fn node(entry: &Entry, exact: bool) -> Node {
    match &entry.kind {
        Kind::File => Node::File(FileFacts { size: entry.size, modified: entry.modified, exact }),
        Kind::Dir => Node::Dir,
        Kind::Link(to) => Node::Link(to.clone()),
        Kind::CurrentDir | Kind::ParentDir | Kind::Other => Node::Other,
    }
}

/// What stands below a local directory.
pub(super) fn local(root: &Path, rules: &Rules, armed: &Armed) -> Result<Walked, Error> {
    let mut walked = Walked::default();
    let mut waiting =
        vec![LocalFolder { path: Vec::new(), at: root.to_owned(), depth: 0, from: None }];
    while let Some(folder) = waiting.pop() {
        if armed.came() {
            return Err(Error::Interrupted);
        }
        let failed = |error| Error::File { path: folder.at.clone(), error };
        let entries = match fs::read_dir(&folder.at) {
            Err(error) if !folder.path.is_empty() => {
                walked.refused.push(failed(error));
                walked.add(folder.path, Node::Closed)?;
                continue;
            }
            other => other.map_err(failed)?,
        };
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            if is_partial(&name_bytes(&name)) {
                continue;
            }
            let (path, at) = (joined(&folder.path, &name_bytes(&name)), folder.at.join(&name));
            let node = fs::symlink_metadata(&at).and_then(|metadata| disk_node(&at, &metadata));
            let node = node.map_err(|error| Error::File { path: at.clone(), error })?;
            let taken = rules.takes(&path, &node);
            let linked = rules.follow && taken && matches!(node, Node::Link(_));
            let node = match if linked { folder.led_to(&at) } else { Ok(node) } {
                Ok(node) => node,
                // Neither sent, nor is deleted what the other side has under its name.
                Err(error) => {
                    walked.refused.push(Error::File { path: at.clone(), error });
                    Node::Other
                }
            };
            if node == Node::Dir && taken {
                waiting.push(folder.below(&path, at, linked)?);
            }
            let unseen = node == Node::Dir && !taken;
            walked.add(path, if unseen { Node::Closed } else { node })?;
        }
    }
    Ok(walked)
}

/// A local directory that is to be looked into.
struct LocalFolder {
    path: Vec<u8>,
    at: PathBuf,
    depth: usize,
    /// The link that led there.
    from: Option<Rc<Trail>>,
}

/// A directory in which a link was followed, and the one before that.
struct Trail {
    dir: PathBuf,
    before: Option<Rc<Trail>>,
}

impl LocalFolder {
    fn below(&self, path: &[u8], at: PathBuf, linked: bool) -> Result<LocalFolder, Error> {
        let depth = self.depth + 1;
        if depth >= DEEPEST {
            return Err(Error::Endless);
        }
        let from = if linked {
            let failed = |error| Error::File { path: self.at.clone(), error };
            let dir = self.at.canonicalize().map_err(failed)?;
            Some(Rc::new(Trail { dir, before: self.from.clone() }))
        } else {
            self.from.clone()
        };
        Ok(LocalFolder { path: path.to_vec(), at, depth, from })
    }

    /// What a link leads to, unless that is a directory on the way to it.
    fn led_to(&self, link: &Path) -> io::Result<Node> {
        let node = disk_node(link, &fs::metadata(link)?)?;
        if node == Node::Dir {
            let target = link.canonicalize()?;
            let mut trail = self.from.as_ref();
            let mut is_on_the_way = self.at.canonicalize()?.starts_with(&target);
            while let Some(step) = trail {
                is_on_the_way |= step.dir.starts_with(&target);
                trail = step.before.as_ref();
            }
            if is_on_the_way {
                return Err(io::Error::other("a link that leads back to where it stands"));
            }
        }
        Ok(node)
    }
}

fn disk_node(path: &Path, metadata: &Metadata) -> io::Result<Node> {
    Ok(if metadata.is_file() {
        let modified = metadata.modified().ok();
        Node::File(FileFacts { size: Some(metadata.len()), modified, exact: true })
    } else if metadata.is_dir() {
        Node::Dir
    } else if metadata.is_symlink() {
        Node::Link(name_bytes(fs::read_link(path)?.as_os_str()).into_owned())
    } else {
        Node::Other
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_counts_as_what_is_taken() {
        let mut walked = Walked::default();
        let bad = Entry::new(b"..", Kind::File);
        for _ in 0..MOST_NODES {
            assert!(walked.take(b"d", &bad).is_none());
        }
        walked.check_end().unwrap();
        assert!(matches!(walked.add(b"a".to_vec(), Node::Dir), Err(Error::Endless)));
    }
}
