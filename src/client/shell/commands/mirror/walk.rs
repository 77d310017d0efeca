//! The trees of a mirror, and the scan of the local one; `remote_walk` scans the remote one.
//!
//! The depth and size of both are limited. Links are followed only with `--dereference`; a local link to
//! one of its parent directories is an error then.

use super::plan::{FileFacts, Node, Rules, Tree};
use crate::client::error::Error;
use crate::client::local::is_partial;
use crate::client::signals::Armed;
use crate::sys::name_bytes;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The largest depth of a tree, and its largest number of entries.
pub(super) const DEEPEST: usize = 64;
pub(super) const MOST_NODES: usize = 1_000_000;

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
}

impl TreeScan {
    pub(super) fn add(&mut self, path: Vec<u8>, node: Node) -> Result<(), Error> {
        self.tree.insert(path, node);
        self.check_end()
    }

    /// Limits the number of entries. Errors count, because they take memory, too.
    pub(super) fn check_end(&self) -> Result<(), Error> {
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
