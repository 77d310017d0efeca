//! Reads the remote tree of a mirror: directory by directory, and over several connections once many
//! directories are pending, because each listing takes two round trips.
//!
//! Links below the target of a link are not followed, because the client cannot detect a loop there. A
//! remote name becomes a local path only if it is a plain file name.

use super::plan::{FileFacts, Node, Rules};
use super::walk::{DEEPEST, MOST_NODES, TreeScan, joined};
use crate::client::connection::{Connection, EPSV};
use crate::client::error::Error;
use crate::client::local;
use crate::client::name::{folded, parse_name};
use crate::client::remote_listing::{Listed, list_dir};
use crate::client::signals::Armed;
use crate::client::transfer::TransferSettings;
use crate::client::transfer::compare::RemoteFacts;
use crate::client::transfer::retry::may_exceed_session_limit;
use crate::client::transfer::worker_pool::{self, Helpers, Work, Worker};
use crate::protocol::Name;
use crate::protocol::listing::{Entry, Kind};
use crate::sys::os_string;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The number of pending directories from which on more connections are opened: a login takes as long as
/// several listings.
const MANY: usize = 16;

/// Reads the tree below a remote directory. With `settings`, a large tree is listed over the number of
/// connections that they contain.
pub(super) fn remote(
    connection: &mut Connection,
    root: &[u8],
    rules: &Rules,
    armed: &Armed,
    settings: Option<&TransferSettings>,
) -> Result<TreeScan, Error> {
    let mut walk = RemoteWalk::new(root, rules);
    let mut helping = settings;
    loop {
        while let Some(dir) = walk.pending.pop() {
            if armed.came() {
                return Err(Error::Interrupted);
            }
            let more = !walk.pending.is_empty();
            let listed = list(connection, &dir.at(root), more);
            walk.take(&dir, listed)?;
            if walk.pending.len() >= MANY
                && let Some(settings) = helping.take()
            {
                walk = over_several(connection, walk, settings, armed)?;
            }
        }
        let Some(link) = walk.links.pop() else { return Ok(walk.scan) };
        if armed.came() {
            return Err(Error::Interrupted);
        }
        // Links are resolved last, because SIZE and MDTM would interrupt the pipelined listings.
        walk.follow(link, connection)?;
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
    /// Returns the path by which the server knows the directory.
    fn at(&self, root: &[u8]) -> Vec<u8> {
        if self.path.is_empty() { root.to_vec() } else { joined(root, &self.path) }
    }

    fn below(&self, path: &[u8]) -> Result<PendingRemoteDir, Error> {
        let depth = self.depth + 1;
        if depth >= DEEPEST {
            return Err(Error::Endless);
        }
        Ok(PendingRemoteDir { path: path.to_vec(), depth, linked: self.linked })
    }
}

fn list(connection: &mut Connection, at: &[u8], more: bool) -> Result<Listed, Error> {
    if more && connection.can_set_up_ahead() {
        connection.pipeline_after_transfer(vec![EPSV]);
    }
    let name = match at {
        b"" | b"." => None,
        _ => Some(parse_name(at)?),
    };
    list_dir(connection, name.as_ref())
}

/// The state of the scan.
struct RemoteWalk<'a> {
    root: &'a [u8],
    rules: &'a Rules,
    scan: TreeScan,
    /// The directories to be listed.
    pending: Vec<PendingRemoteDir>,
    /// The links to be followed.
    links: Vec<PendingRemoteDir>,
}

impl<'a> RemoteWalk<'a> {
    fn new(root: &'a [u8], rules: &'a Rules) -> RemoteWalk<'a> {
        let pending = vec![PendingRemoteDir { path: Vec::new(), depth: 0, linked: false }];
        RemoteWalk { root, rules, scan: TreeScan::default(), pending, links: Vec::new() }
    }

    /// Adds the listing of a directory to the tree.
    fn take(&mut self, dir: &PendingRemoteDir, listed: Result<Listed, Error>) -> Result<(), Error> {
        let Some(listed) = self.readable(dir, listed)? else { return Ok(()) };
        // The case-folded names of this directory, to find those that are equal in the local file system.
        let mut names = BTreeSet::new();
        for entry in listed.entries {
            let Some(path) = self.local_path(&dir.path, &entry, &mut names) else {
                self.scan.check_end()?;
                continue;
            };
            let node = node(&entry, listed.exact);
            if !self.rules.takes(&path, &node) {
                self.scan.add(path, if node == Node::Dir { Node::Unreadable } else { node })?;
                continue;
            }
            if self.rules.follow && !dir.linked && matches!(node, Node::Link(_)) {
                self.links.push(PendingRemoteDir { path, depth: dir.depth + 1, linked: true });
                if self.links.len() > MOST_NODES {
                    return Err(Error::Endless);
                }
                continue;
            }
            if node == Node::Dir {
                self.pending.push(dir.below(&path)?);
            }
            self.scan.add(path, node)?;
        }
        Ok(())
    }

    /// Returns the listing of a directory; `None` if the server refuses. A refusal, or lines that cannot be
    /// parsed, are recorded as errors, and the directory becomes [`Node::Unreadable`], because it may have
    /// more entries.
    fn readable(
        &mut self,
        dir: &PendingRemoteDir,
        listed: Result<Listed, Error>,
    ) -> Result<Option<Listed>, Error> {
        let at = dir.at(self.root);
        match listed {
            // A refusal of the root is the error of the command.
            Err(error @ Error::Refused(_)) if !dir.path.is_empty() => {
                self.scan.refused.push(error.at_remote(&at));
                self.close(dir)?;
                Ok(None)
            }
            other => {
                let mut listed = other?;
                self.scan.is_rough |= !listed.exact;
                if let Some(error) = listed.take_error(&at) {
                    self.scan.refused.push(error);
                    self.close(dir)?;
                }
                Ok(Some(listed))
            }
        }
    }

    fn close(&mut self, dir: &PendingRemoteDir) -> Result<(), Error> {
        if dir.path.is_empty() {
            self.scan.root_is_partial = true;
            return Ok(());
        }
        self.scan.add(dir.path.clone(), Node::Unreadable)
    }

    /// Adds the file that a link refers to, or lists the link as a directory.
    fn follow(&mut self, link: PendingRemoteDir, connection: &mut Connection) -> Result<(), Error> {
        let known = RemoteFacts::request_pipelined(connection, &parse_name(&link.at(self.root))?)?;
        if let RemoteFacts { size: size @ Some(_), modified } = known {
            return self.scan.add(link.path, Node::File(FileFacts { size, modified, exact: true }));
        }
        self.scan.add(link.path.clone(), Node::Dir)?;
        self.pending.push(link);
        Ok(())
    }

    /// Returns the path of an entry, if it is a valid local path that differs from the other `names` of the
    /// directory.
    fn local_path(
        &mut self,
        dir: &[u8],
        entry: &Entry,
        names: &mut BTreeSet<String>,
    ) -> Option<Vec<u8>> {
        let name = Name::new(entry.name.as_slice()).filter(|name| !name.as_bytes().contains(&b'/'));
        let path = joined(dir, &entry.name);
        let Some(local) = name.and_then(|name| local::last_part(&name).ok()) else {
            self.scan.refused.push(Error::BadLocalName(path));
            return None;
        };
        if os_string(dir).is_none() {
            self.scan.refused.push(Error::BadLocalName(path));
            return None;
        }
        if !names.insert(folded(Path::new(&local))) {
            // The entry is not fetched, and the local file of this name is not deleted.
            self.scan.tree.entry(path.clone()).or_insert(Node::Other);
            self.scan.refused.push(Error::SameName(path));
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

/// Lists the pending directories, and those below them, over several connections.
fn over_several<'a>(
    connection: &mut Connection,
    walk: RemoteWalk<'a>,
    settings: &'a TransferSettings,
    armed: &'a Armed,
) -> Result<RemoteWalk<'a>, Error> {
    let count = settings.transfers.connections.saturating_sub(1);
    let helpers = Helpers::call(connection, count, settings);
    let root = walk.root;
    let state = Mutex::new(SharedWalk { walk, listing: 0, failed: None });
    let queue = DirQueue { root, settings, armed, state, changed: Condvar::new() };
    worker_pool::run(connection, helpers, count, &queue);
    let SharedWalk { mut walk, failed, .. } =
        queue.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    // The order must not depend on which connection was faster.
    walk.scan.refused.sort_by_cached_key(Error::to_string);
    failed.map_or(Ok(walk), Err)
}

/// The pending directories, for the connections that list them.
struct DirQueue<'a> {
    root: &'a [u8],
    settings: &'a TransferSettings,
    armed: &'a Armed,
    state: Mutex<SharedWalk<'a>>,
    /// Signaled when a directory was listed or returned to the queue.
    changed: Condvar,
}

struct SharedWalk<'a> {
    walk: RemoteWalk<'a>,
    /// The number of directories that are being listed, which may contain more.
    listing: usize,
    /// The error that ends the scan.
    failed: Option<Error>,
}

impl Work for DirQueue<'_> {
    fn work(&self, connection: &mut Connection, worker: Worker) {
        while let Some((dir, more)) = self.next() {
            let listed = list(connection, &dir.at(self.root), more);
            if listed.is_ok() {
                self.settings.limit.succeeded(connection.is_helper());
            }
            let is_left = |error: &Error| connection.is_lost() || may_exceed_session_limit(error);
            let leaves = worker == Worker::Helper && listed.as_ref().is_err_and(is_left);
            self.listed(dir, (!leaves).then_some(listed));
            if leaves {
                return;
            }
        }
    }
}

impl<'a> DirQueue<'a> {
    fn lock(&self) -> MutexGuard<'_, SharedWalk<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the next directory and whether more are pending; `None` at the end of the scan.
    fn next(&self) -> Option<(PendingRemoteDir, bool)> {
        let mut state = self.lock();
        loop {
            if self.armed.came() {
                state.failed.get_or_insert(Error::Interrupted);
            }
            if state.failed.is_some() {
                return None;
            }
            if let Some(dir) = state.walk.pending.pop() {
                state.listing += 1;
                return Some((dir, !state.walk.pending.is_empty()));
            }
            if state.listing == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Adds the listing of a directory, or returns the directory to the queue if it was not listed.
    fn listed(&self, dir: PendingRemoteDir, listed: Option<Result<Listed, Error>>) {
        let mut state = self.lock();
        state.listing -= 1;
        let taken = match listed {
            Some(listed) => state.walk.take(&dir, listed),
            None => {
                state.walk.pending.push(dir);
                Ok(())
            }
        };
        if let Err(error) = taken {
            state.failed.get_or_insert(error);
        }
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_entries_count_toward_the_limit() {
        let rules = Rules::default();
        let mut walk = RemoteWalk::new(b"", &rules);
        let bad = Entry::new(b"..", Kind::File);
        for _ in 0..MOST_NODES {
            assert!(walk.local_path(b"d", &bad, &mut BTreeSet::new()).is_none());
        }
        walk.scan.check_end().unwrap();
        assert!(matches!(walk.scan.add(b"a".to_vec(), Node::Dir), Err(Error::Endless)));
    }
}
