//! Plans the steps of a mirror from two trees and the user's rules, without any I/O.
//!
//! - A step never depends on a later one: conflicting files are removed first, then directories are made
//!   from the top, then files and links, and finally files are deleted, from the bottom.
//! - Without `--delete` nothing is removed, and a conflict is an error.
//! - Nothing is deleted below a directory that could not be listed, or in place of a file that is not
//!   mirrored.

use crate::client::error::Error;
use crate::protocol::pattern::matches;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The precision of times in LIST: a minute, or a day for old files.
pub(super) const MINUTE: u64 = 60;
pub(super) const DAY: u64 = 24 * 60 * MINUTE;

/// The number of paths between two checks for Ctrl-C.
const INTERRUPT_CHECK_INTERVAL: u64 = 1024;

/// The content of a directory, by relative paths with `/` between their parts.
pub(in crate::client::shell) type Tree = BTreeMap<Vec<u8>, Node>;

/// An entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client::shell) enum Node {
    /// A directory.
    Dir,
    /// A directory whose content is unknown.
    Unreadable,
    /// A file.
    File(FileFacts),
    /// A symbolic link.
    Link(Vec<u8>),
    /// An entry that is not mirrored, such as a device or a FIFO.
    Other,
}

/// The size and time of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client::shell) struct FileFacts {
    pub(in crate::client::shell) size: Option<u64>,
    pub(in crate::client::shell) modified: Option<SystemTime>,
    /// The time has a precision of a second.
    pub(in crate::client::shell) exact: bool,
}

/// The user's rules, and limits of the two sides.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) delete: bool,
    pub(super) only_newer: bool,
    /// Links are followed.
    pub(super) follow: bool,
    pub(super) include: Vec<Vec<u8>>,
    pub(super) exclude: Vec<Vec<u8>>,
    /// A remote file may have the time of its upload, because the server cannot set times.
    pub(super) times_are_lost: bool,
    /// The sizes of equal files may differ, because of their line ends.
    pub(super) sizes_are_lost: bool,
}

impl Rules {
    /// Returns whether a path is mirrored. Other paths are not deleted either.
    pub(super) fn takes(&self, path: &[u8], node: &Node) -> bool {
        let is_dir = matches!(node, Node::Dir | Node::Unreadable);
        let one_of =
            |patterns: &[Vec<u8>]| patterns.iter().any(|pattern| matches_path(pattern, path));
        match (one_of(&self.include), one_of(&self.exclude)) {
            (true, _) => true,
            (false, true) => false,
            // A directory may contain matching files.
            (false, false) => self.include.is_empty() || is_dir || !self.exclude.is_empty(),
        }
    }
}

/// Matches a pattern with a `/` against the path, and any other against the name.
fn matches_path(pattern: &[u8], path: &[u8]) -> bool {
    if pattern.contains(&b'/') {
        return matches(pattern.strip_prefix(b"/").unwrap_or(pattern), path);
    }
    path.split(|&byte| byte == b'/').next_back().is_some_and(|name| matches(pattern, name))
}

/// One action on a path of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MirrorStep {
    /// Report a conflict: the path exists as something else, which must not be removed.
    Refuse(Vec<u8>),
    /// Remove a file or a link.
    Remove(Vec<u8>),
    /// Remove an empty directory.
    RemoveDir(Vec<u8>),
    /// Make a directory.
    MakeDir(Vec<u8>),
    /// Transfer a file.
    Transfer(Vec<u8>, FileFacts),
    /// Make a link.
    Link(Vec<u8>, Vec<u8>),
}

/// The steps of a mirror.
pub(super) struct Plan {
    pub(super) steps: Vec<MirrorStep>,
    /// The number of files that are the same on both sides.
    pub(super) same: usize,
}

/// Plans the steps that make `target` a copy of `source`, in O(n log n) time. Checks `is_stopped`
/// regularly.
///
/// # Errors
/// [`Error::Interrupted`] if `is_stopped` returns true.
pub(super) fn plan(
    source: &Tree,
    target: &Tree,
    rules: &Rules,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Plan, Error> {
    let mut planner = Planner {
        source,
        target,
        rules,
        is_stopped,
        refused: BTreeSet::new(),
        removed: BTreeSet::new(),
        plan: Plan { steps: Vec::new(), same: 0 },
    };
    planner.plan_conflicts()?;
    planner.make()?;
    if rules.delete {
        planner.plan_deletions()?;
    }
    Ok(planner.plan)
}

struct Planner<'a> {
    source: &'a Tree,
    target: &'a Tree,
    rules: &'a Rules,
    is_stopped: &'a dyn Fn() -> bool,
    /// Conflicting paths, below which nothing is done.
    refused: BTreeSet<&'a [u8]>,
    /// Conflicting paths that are removed.
    removed: BTreeSet<&'a [u8]>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    /// Returns the mirrored paths of a tree, or errors after Ctrl-C.
    fn taken(
        &self,
        tree: &'a Tree,
    ) -> impl DoubleEndedIterator<Item = Result<(&'a [u8], &'a Node), Error>> + use<'a> {
        let (rules, is_stopped) = (self.rules, self.is_stopped);
        let mut seen = 0_u64;
        tree.iter().filter_map(move |(path, node)| {
            seen += 1;
            if seen.is_multiple_of(INTERRUPT_CHECK_INTERVAL) && is_stopped() {
                return Some(Err(Error::Interrupted));
            }
            rules.takes(path, node).then_some(Ok((path.as_slice(), node)))
        })
    }

    fn plan_conflicts(&mut self) -> Result<(), Error> {
        for taken in self.taken(self.source) {
            let (path, node) = taken?;
            let Some((path, there)) = self.target.get_key_value(path) else { continue };
            if can_become(there, node) {
                continue;
            }
            if self.rules.delete && self.is_known(path) {
                self.remove_tree(path, there);
            } else {
                self.refused.insert(path);
                self.plan.steps.push(MirrorStep::Refuse(path.clone()));
            }
        }
        Ok(())
    }

    /// Returns whether the target is completely known at and below a path, and so are the parent
    /// directories in both trees.
    fn is_known(&self, path: &[u8]) -> bool {
        let closed = |tree: &Tree, path: &[u8]| tree.get(path) == Some(&Node::Unreadable);
        !above(path).any(|dir| closed(self.source, dir) || closed(self.target, dir))
            && !closed(self.target, path)
            && below(self.target, path).all(|(_, node)| *node != Node::Unreadable)
    }

    fn remove_tree(&mut self, path: &'a [u8], node: &Node) {
        let inside: Vec<(&[u8], &Node)> = below(self.target, path).collect();
        for (at, node) in inside.into_iter().rev() {
            self.removed.insert(at);
            self.plan.steps.push(removal(at, node));
        }
        self.removed.insert(path);
        self.plan.steps.push(removal(path, node));
    }

    fn make(&mut self) -> Result<(), Error> {
        let (mut dirs, mut files, mut links) = (Vec::new(), Vec::new(), Vec::new());
        for taken in self.taken(self.source) {
            let (path, node) = taken?;
            if is_in_one_of(path, &self.refused) {
                continue;
            }
            let there = self.target.get(path).filter(|there| can_become(there, node));
            match (node, there) {
                (Node::Dir | Node::Unreadable, None) => {
                    dirs.push(MirrorStep::MakeDir(path.to_vec()))
                }
                (Node::File(facts), Some(Node::File(old))) if !self.is_due(facts, old) => {
                    self.plan.same += 1;
                }
                (Node::File(facts), _) => files.push(MirrorStep::Transfer(path.to_vec(), *facts)),
                (Node::Link(to), there) if there != Some(&Node::Link(to.clone())) => {
                    links.push(MirrorStep::Link(path.to_vec(), to.clone()));
                }
                _ => {}
            }
        }
        self.plan.steps.extend(dirs.into_iter().chain(files).chain(links));
        Ok(())
    }

    fn is_due(&self, new: &FileFacts, old: &FileFacts) -> bool {
        let age = (new.modified.map(seconds), old.modified.map(seconds));
        let is_exact = new.exact && old.exact;
        // Some servers set times only to the minute.
        let is_whole_minute =
            self.rules.times_are_lost && age.1.is_some_and(|old| old.is_multiple_of(MINUTE));
        let grain = if is_exact && !is_whole_minute { 1 } else { MINUTE };
        let resized = !self.rules.sizes_are_lost
            && matches!((new.size, old.size), (Some(new), Some(old)) if new != old);
        let newer = match age {
            (Some(new), Some(old)) => {
                new >= old + grain && (resized || is_exact || !same_day(new, old))
            }
            _ => false,
        };
        if self.rules.only_newer {
            return newer;
        }
        let same_time = match age {
            (Some(_), Some(_)) if self.rules.times_are_lost => !newer,
            (Some(one), Some(other)) if is_exact => one == other,
            (Some(one), Some(other)) => one / MINUTE == other / MINUTE || same_day(one, other),
            _ => true,
        };
        resized || !same_time
    }

    /// Plans the removal of paths that the source does not have, except below directories that could not
    /// be listed, and except directories that are not empty afterwards.
    fn plan_deletions(&mut self) -> Result<(), Error> {
        let other = self.source.iter().filter(|(_, node)| **node == Node::Other);
        let all = self.source.iter().chain(self.target);
        let closed = all.filter(|(_, node)| **node == Node::Unreadable);
        let closed: BTreeSet<&[u8]> =
            closed.chain(other).map(|(path, _)| path.as_slice()).collect();
        let holding = self.holding();
        for taken in self.taken(self.target).rev() {
            let (path, node) = taken?;
            let is_kept = self.source.contains_key(path)
                || is_in_one_of(path, &closed)
                || holds_one_of(path, &closed)
                || holding.contains(path);
            if !is_kept && !self.removed.contains(path) {
                self.plan.steps.push(removal(path, node));
            }
        }
        Ok(())
    }

    /// Returns the directories of the target that contain paths which are not mirrored and so stay.
    fn holding(&self) -> BTreeSet<&'a [u8]> {
        let mut holding = BTreeSet::new();
        for (path, _) in self.target.iter().filter(|(path, node)| !self.rules.takes(path, node)) {
            holding.extend(above(path));
        }
        holding
    }
}

/// Returns the parent directories of a path, from the top.
pub(super) fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    ends.map(|end| &path[..end])
}

/// Returns the content of a directory, at any depth.
fn below<'a>(tree: &'a Tree, dir: &[u8]) -> impl Iterator<Item = (&'a [u8], &'a Node)> {
    let begin = [dir, b"/"].concat();
    let inside = tree.range(begin.clone()..).map(|(path, node)| (path.as_slice(), node));
    inside.take_while(move |(path, _)| path.starts_with(&begin))
}

/// Returns whether a path is one of `dirs` or below one.
fn is_in_one_of(path: &[u8], dirs: &BTreeSet<&[u8]>) -> bool {
    dirs.contains(path) || above(path).any(|dir| dirs.contains(dir))
}

/// Returns whether one of `inside` is below a path.
fn holds_one_of(path: &[u8], inside: &BTreeSet<&[u8]>) -> bool {
    let begin = [path, b"/"].concat();
    let first = inside.range(begin.as_slice()..).next();
    first.is_some_and(|first| first.starts_with(&begin))
}

fn removal(path: &[u8], node: &Node) -> MirrorStep {
    match node {
        Node::Dir | Node::Unreadable => MirrorStep::RemoveDir(path.to_vec()),
        Node::File(_) | Node::Link(_) | Node::Other => MirrorStep::Remove(path.to_vec()),
    }
}

/// Returns whether `wanted` can be made without removing the existing entry first.
fn can_become(there: &Node, wanted: &Node) -> bool {
    match (there, wanted) {
        (Node::Dir | Node::Unreadable, Node::Dir | Node::Unreadable) => true,
        (Node::File(_), Node::File(_)) => true,
        (Node::Link(_), Node::Link(_) | Node::File(_)) => true,
        // Nothing will be made at this path.
        (_, Node::Other) => true,
        _ => false,
    }
}

/// Returns whether one of the times is a date of LIST, which is midnight, and the other is on that day.
fn same_day(one: u64, other: u64) -> bool {
    (one.is_multiple_of(DAY) || other.is_multiple_of(DAY)) && one / DAY == other / DAY
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(size: u64, at: u64) -> FileFacts {
        let modified = UNIX_EPOCH + Duration::from_secs(at);
        FileFacts { size: Some(size), modified: Some(modified), exact: true }
    }

    fn file(size: u64, at: u64) -> Node {
        Node::File(facts(size, at))
    }

    fn tree<const N: usize>(nodes: [(&str, Node); N]) -> Tree {
        nodes.into_iter().map(|(path, node)| (path.as_bytes().to_vec(), node)).collect()
    }

    fn steps(source: &Tree, target: &Tree, rules: &Rules) -> Vec<String> {
        let text = |path: &[u8]| String::from_utf8(path.to_vec()).unwrap();
        let plan = plan(source, target, rules, &|| false).unwrap();
        let shown = plan.steps.into_iter().map(|step| match step {
            MirrorStep::Refuse(path) => format!("refuse {}", text(&path)),
            MirrorStep::Remove(path) => format!("rm {}", text(&path)),
            MirrorStep::RemoveDir(path) => format!("rmdir {}", text(&path)),
            MirrorStep::MakeDir(path) => format!("mkdir {}", text(&path)),
            MirrorStep::Transfer(path, _) => format!("get {}", text(&path)),
            MirrorStep::Link(path, to) => format!("link {} {}", text(&path), text(&to)),
        });
        shown.collect()
    }

    fn deleting() -> Rules {
        Rules { delete: true, ..Rules::default() }
    }

    #[test]
    fn missing_directories_are_made_from_the_top() {
        let source = tree([
            ("a", Node::Dir),
            ("a/b", Node::Dir),
            ("a/b/c", file(1, 1)),
            ("l", Node::Link(b"a/b/c".to_vec())),
            ("o", Node::Other),
        ]);
        let all = steps(&source, &Tree::new(), &Rules::default());
        assert_eq!(all, ["mkdir a", "mkdir a/b", "get a/b/c", "link l a/b/c"]);
        assert_eq!(steps(&source, &source, &deleting()), [] as [&str; 0]);
    }

    #[test]
    fn a_file_with_another_size_or_time_is_transferred() {
        let target = tree([("f", file(5, 100))]);
        for (new, due, newer) in [
            (file(5, 100), false, false),
            (file(6, 100), true, false),
            (file(5, 101), true, true),
            (file(5, 99), true, false),
        ] {
            let source = tree([("f", new)]);
            assert_eq!(steps(&source, &target, &Rules::default()).len(), usize::from(due));
            let rules = Rules { only_newer: true, ..Rules::default() };
            assert_eq!(steps(&source, &target, &rules).len(), usize::from(newer));
        }
        let rules = Rules { times_are_lost: true, ..Rules::default() };
        // The time of the target may be to the minute, or to the day.
        let listed = |exact| tree([("f", Node::File(FileFacts { exact, ..facts(5, DAY) }))]);
        assert!(steps(&tree([("f", file(5, DAY + 59))]), &listed(true), &rules).is_empty());
        assert!(steps(&tree([("f", file(5, 2 * DAY - 1))]), &listed(false), &rules).is_empty());
        assert_eq!(steps(&tree([("f", file(5, 2 * DAY))]), &listed(false), &rules), ["get f"]);
        assert!(steps(&tree([("f", file(5, 99))]), &target, &rules).is_empty());
        assert_eq!(steps(&tree([("f", file(5, 101))]), &target, &rules), ["get f"]);
    }

    #[test]
    fn times_to_the_minute_or_day_are_compared_with_that_precision() {
        let rough = |at| {
            let modified = Some(UNIX_EPOCH + Duration::from_secs(at));
            Node::File(FileFacts { size: Some(5), modified, exact: false })
        };
        let target = tree([("f", file(5, 3 * DAY + 3725))]);
        assert!(
            steps(&tree([("f", rough(3 * DAY + 3720))]), &target, &Rules::default()).is_empty()
        );
        assert!(steps(&tree([("f", rough(3 * DAY))]), &target, &Rules::default()).is_empty());
        assert_eq!(steps(&tree([("f", rough(4 * DAY))]), &target, &Rules::default()), ["get f"]);
    }

    /// Enough files that quadratic planning would not finish.
    const MANY: u32 = 200_000;

    #[test]
    fn large_trees_are_planned_in_less_than_quadratic_time() {
        let many = |first: &str, node: Node| -> Tree {
            (0..MANY).map(|n| (format!("{first}/{n}").into_bytes(), node.clone())).collect()
        };
        let (mut source, mut target) = (many("a", file(1, 1)), many("a", file(2, 1)));
        // Conflicting, unreadable, excluded and deleted entries.
        source.extend(many("b", Node::Dir));
        target.extend(many("b", file(1, 1)));
        source.extend(many("c", Node::Unreadable));
        target.extend(many("d", file(1, 1)));
        target.extend(many("e", file(1, 1)));
        let rules = Rules { exclude: vec![b"/e/*".to_vec()], ..deleting() };
        let plan = plan(&source, &target, &rules, &|| false).unwrap();
        assert_eq!((plan.steps.len(), plan.same), (5 * MANY as usize, 0));
    }

    #[test]
    fn ctrl_c_ends_the_planning() {
        let tree: Tree = (0..2 * INTERRUPT_CHECK_INTERVAL)
            .map(|n| (n.to_be_bytes().to_vec(), file(1, 1)))
            .collect();
        let planned = plan(&tree, &Tree::new(), &deleting(), &|| true);
        assert!(matches!(planned, Err(Error::Interrupted)));
    }

    #[test]
    fn only_delete_removes_files_and_from_the_bottom() {
        let target = tree([("a", Node::Dir), ("a/b", file(1, 1)), ("c", Node::Link(vec![b'x']))]);
        assert!(steps(&Tree::new(), &target, &Rules::default()).is_empty());
        assert_eq!(steps(&Tree::new(), &target, &deleting()), ["rm c", "rm a/b", "rmdir a"]);
    }

    #[test]
    fn a_conflict_is_refused_or_removed_first() {
        let source = tree([("a", Node::Dir), ("a/x", file(1, 1)), ("f", file(1, 1))]);
        let target =
            tree([("a", Node::Link(b"/etc".to_vec())), ("f", Node::Dir), ("f/y", Node::Dir)]);
        assert_eq!(steps(&source, &target, &Rules::default()), ["refuse a", "refuse f"]);
        assert_eq!(
            steps(&source, &target, &deleting()),
            ["rm a", "rmdir f/y", "rmdir f", "mkdir a", "get a/x", "get f"]
        );
    }

    #[test]
    fn a_link_in_place_of_a_file_is_replaced_and_not_written_through() {
        let target = tree([("f", Node::Link(b"/etc/passwd".to_vec()))]);
        assert_eq!(steps(&tree([("f", file(1, 1))]), &target, &Rules::default()), ["get f"]);
    }

    #[test]
    fn excluded_paths_are_neither_fetched_nor_deleted() {
        let source = tree([("a.c", file(1, 1)), ("a.o", file(1, 1)), ("d", Node::Dir)]);
        let target = tree([
            ("b.o", file(1, 1)),
            ("b.c", file(1, 1)),
            ("k", Node::Dir),
            ("k/z.o", file(1, 1)),
        ]);
        let rules = Rules { exclude: vec![b"*.o".to_vec()], ..deleting() };
        assert_eq!(steps(&source, &target, &rules), ["mkdir d", "get a.c", "rm b.c"]);
        let rules = Rules { include: vec![b"*.o".to_vec()], ..Rules::default() };
        assert_eq!(steps(&source, &target, &rules), ["mkdir d", "get a.o"]);
        let rules =
            Rules { include: vec![b"/d/*".to_vec()], exclude: vec![b"*".to_vec()], ..rules };
        assert!(steps(&source, &target, &rules).is_empty());
    }

    #[test]
    fn an_entry_in_place_of_one_that_is_not_mirrored_is_kept() {
        let source = tree([("a", Node::Other), ("b", Node::Other)]);
        let target = tree([("a", Node::Dir), ("a/c", file(1, 1)), ("b", file(1, 1))]);
        assert!(steps(&source, &target, &deleting()).is_empty());
    }

    #[test]
    fn nothing_is_deleted_below_a_directory_that_could_not_be_listed() {
        let source = tree([("a", Node::Unreadable)]);
        let target = tree([("a", Node::Dir), ("a/b", file(1, 1)), ("c", Node::Unreadable)]);
        assert!(steps(&source, &target, &deleting()).is_empty());
    }

    #[test]
    fn a_conflicting_tree_is_not_removed_unless_it_is_completely_known() {
        let source = tree([
            ("d", Node::Unreadable),
            ("d/a", file(1, 1)),
            ("e", file(1, 1)),
            ("f", file(1, 1)),
        ]);
        let target = tree([
            ("d", Node::Dir),
            ("d/a", Node::Dir),
            ("d/a/x", file(1, 1)),
            ("d/old", file(1, 1)),
            ("e", Node::Dir),
            ("e/g", Node::Unreadable),
            ("f", Node::Dir),
            ("f/x", file(1, 1)),
            ("old", file(1, 1)),
        ]);
        let steps = steps(&source, &target, &deleting());
        assert_eq!(steps, ["refuse d/a", "refuse e", "rm f/x", "rmdir f", "get f", "rm old"]);
    }
}
