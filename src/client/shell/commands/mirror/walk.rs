//! Reads the two trees of a mirror: the listings of the server, and the local directories.
//!
//! The depth and size of both are limited. Links are followed only with `--dereference`. Then a local link
//! to one of its parent directories is an error, and links below the target of a remote link are not
//! followed, because the client cannot detect a loop there. A remote name becomes a local path only if it
//! is a plain file name.

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

/// The largest depth of a tree, and its largest number of entries.
const DEEPEST: usize = 64;
const MOST_NODES: usize = 1_000_000;

/// A tree, and the errors of its entries that are left out.
#[derive(Default)]
pub(super) struct TreeScan {
    pub(super) tree: Tree,
    pub(super) refused: Vec<Error>,
    /// The listing of the root has lines that could not be parsed. Other directories with such lines are
    /// [`Node::Unreadable`].
    pub(super) root_is_partial: bool,
    /// A listing came from LIST and not from MLSD.
    pub(super) is_rough: bool,
    /// Case-folded paths, to find names that are equal in the local file system.
    folded: BTreeSet<String>,
}

impl TreeScan {
    fn add(&mut self, path: Vec<u8>, node: Node) -> Result<(), Error> {
        self.tree.insert(path, node);
        self.check_end()
    }

    /// Limits the number of entries. Errors count, because they take memory, too.
    fn check_end(&self) -> Result<(), Error> {
        let nodes = self.tree.len() + self.refused.len();
        if nodes > MOST_NODES { Err(Error::Endless) } else { Ok(()) }
    }
}

/// Joins a directory and a name.
pub(super) fn joined(dir: &[u8], name: &[u8]) -> Vec<u8> {
    match dir {
        b"" | b"." => name.to_vec(),
        _ if dir.ends_with(b"/") => [dir, name].concat(),
        _ => [dir, b"/", name].concat(),
    }
}

/// Reads the tree below a remote directory.
pub(super) fn remote(
    connection: &mut Connection,
    root: &[u8],
    rules: &Rules,
    armed: &Armed,
) -> Result<TreeScan, Error> {
    let mut scan = TreeScan::default();
    let mut waiting = vec![PendingRemoteDir { path: Vec::new(), depth: 0, linked: false }];
    let mut links = Vec::new();
    loop {
        while let Some(place) = waiting.pop() {
            if armed.came() {
                return Err(Error::Interrupted);
            }
            let more = !waiting.is_empty();
            let Some(listed) = scan.list(connection, root, &place, more)? else { continue };
            for entry in listed.entries {
                let Some(path) = scan.take(&place.path, &entry) else {
                    scan.check_end()?;
                    continue;
                };
                let node = node(&entry, listed.exact);
                if !rules.takes(&path, &node) {
                    scan.add(path, if node == Node::Dir { Node::Unreadable } else { node })?;
                    continue;
                }
                if rules.follow && !place.linked && matches!(node, Node::Link(_)) {
                    links.push(PendingRemoteDir { path, depth: place.depth + 1, linked: true });
                    if links.len() > MOST_NODES {
                        return Err(Error::Endless);
                    }
                    continue;
                }
                if node == Node::Dir {
                    waiting.push(place.below(&path)?);
                }
                scan.add(path, node)?;
            }
        }
        let Some(link) = links.pop() else { return Ok(scan) };
        if armed.came() {
            return Err(Error::Interrupted);
        }
        // Links are resolved last, because SIZE and MDTM would interrupt the pipelined listings.
        let known = RemoteFacts::ask_at_once(connection, &parse_name(&joined(root, &link.path))?)?;
        if let RemoteFacts { size: size @ Some(_), modified } = known {
            scan.add(link.path, Node::File(FileFacts { size, modified, exact: true }))?;
        } else {
            scan.add(link.path.clone(), Node::Dir)?;
            waiting.push(link);
        }
    }
}

/// A remote directory to be listed.
struct PendingRemoteDir {
    path: Vec<u8>,
    depth: usize,
    /// It is the target of a link, or below one.
    linked: bool,
}

impl PendingRemoteDir {
    fn below(&self, path: &[u8]) -> Result<PendingRemoteDir, Error> {
        let depth = self.depth + 1;
        if depth >= DEEPEST {
            return Err(Error::Endless);
        }
        Ok(PendingRemoteDir { path: path.to_vec(), depth, linked: self.linked })
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

impl TreeScan {
    /// Lists a directory; `None` if the server refuses. A refusal, or lines that cannot be parsed, are
    /// recorded as errors, and the directory becomes [`Node::Unreadable`], because it may have more entries.
    fn list(
        &mut self,
        connection: &mut Connection,
        root: &[u8],
        place: &PendingRemoteDir,
        more: bool,
    ) -> Result<Option<Listed>, Error> {
        let at = if place.path.is_empty() { root.to_vec() } else { joined(root, &place.path) };
        match list(connection, &at, more) {
            // A refusal of the root is the error of the command.
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

    fn close(&mut self, place: &PendingRemoteDir) -> Result<(), Error> {
        if place.path.is_empty() {
            self.root_is_partial = true;
            return Ok(());
        }
        self.add(place.path.clone(), Node::Unreadable)
    }

    /// Returns the path of an entry, if it is a valid local path.
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
            // The entry is not fetched, and the local file of this name is not deleted.
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

/// Reads the tree below a local directory.
pub(super) fn local(root: &Path, rules: &Rules, armed: &Armed) -> Result<TreeScan, Error> {
    let mut scan = TreeScan::default();
    let mut waiting =
        vec![PendingLocalDir { path: Vec::new(), at: root.to_owned(), depth: 0, from: None }];
    while let Some(folder) = waiting.pop() {
        if armed.came() {
            return Err(Error::Interrupted);
        }
        let failed = |error| Error::File { path: folder.at.clone(), error };
        let entries = match fs::read_dir(&folder.at) {
            Err(error) if !folder.path.is_empty() => {
                scan.refused.push(failed(error));
                scan.add(folder.path, Node::Unreadable)?;
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
                // The entry is not sent, and the remote file of this name is not deleted.
                Err(error) => {
                    scan.refused.push(Error::File { path: at.clone(), error });
                    Node::Other
                }
            };
            if node == Node::Dir && taken {
                waiting.push(folder.below(&path, at, linked)?);
            }
            let unseen = node == Node::Dir && !taken;
            scan.add(path, if unseen { Node::Unreadable } else { node })?;
        }
    }
    Ok(scan)
}

/// A local directory to be listed.
struct PendingLocalDir {
    path: Vec<u8>,
    at: PathBuf,
    depth: usize,
    /// The last link that was followed to reach it.
    from: Option<Rc<FollowedLink>>,
}

/// The directory of a link that was followed, and the link before that.
struct FollowedLink {
    dir: PathBuf,
    before: Option<Rc<FollowedLink>>,
}

impl PendingLocalDir {
    fn below(&self, path: &[u8], at: PathBuf, linked: bool) -> Result<PendingLocalDir, Error> {
        let depth = self.depth + 1;
        if depth >= DEEPEST {
            return Err(Error::Endless);
        }
        let from = if linked {
            let failed = |error| Error::File { path: self.at.clone(), error };
            let dir = self.at.canonicalize().map_err(failed)?;
            Some(Rc::new(FollowedLink { dir, before: self.from.clone() }))
        } else {
            self.from.clone()
        };
        Ok(PendingLocalDir { path: path.to_vec(), at, depth, from })
    }

    /// Returns the target of a link, unless the target is one of its parent directories.
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
                return Err(io::Error::other("the link points to one of its parent directories"));
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
    fn rejected_entries_count_toward_the_limit() {
        let mut scan = TreeScan::default();
        let bad = Entry::new(b"..", Kind::File);
        for _ in 0..MOST_NODES {
            assert!(scan.take(b"d", &bad).is_none());
        }
        scan.check_end().unwrap();
        assert!(matches!(scan.add(b"a".to_vec(), Node::Dir), Err(Error::Endless)));
    }
}
