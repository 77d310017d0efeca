//! What a mirror has to do, from two trees and the user's rules: a pure function.
//!
//! - A step never depends on a later one: what is in the way goes first, then directories from the
//!   top, files, links, and at last what is to be deleted, from the bottom.
//! - Without `--delete` nothing is removed, and what is in the way is refused.
//! - What could not be looked into is neither gone through nor deleted from, nor is what stands in
//!   place of something that is not mirrored.

use crate::protocol::pattern::matches;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Dates of LIST that are to the minute, or to the day where they are old.
const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

/// Everything below one directory, by its path from there with `/` between its parts.
pub(in crate::client::shell) type Tree = BTreeMap<Vec<u8>, Node>;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client::shell) enum Node {
    /// A directory.
    Dir,
    /// A directory whose content nobody knows.
    Closed,
    /// A file.
    File(FileFacts),
    /// A symbolic link.
    Link(Vec<u8>),
    /// What is not mirrored: a device, a FIFO.
    Other,
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client::shell) struct FileFacts {
    pub(in crate::client::shell) size: Option<u64>,
    pub(in crate::client::shell) modified: Option<SystemTime>,
    /// Whether the time is to the second.
    pub(in crate::client::shell) exact: bool,
}

/// What the user wants, and what the other side can.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) delete: bool,
    pub(super) only_newer: bool,
    /// Whether links are taken for what they lead to.
    pub(super) follow: bool,
    pub(super) include: Vec<Vec<u8>>,
    pub(super) exclude: Vec<Vec<u8>>,
    /// Whether what was stored may have the time at which it was stored, for want of a better one.
    pub(super) times_are_lost: bool,
    /// Whether the sizes of one file differ on the two sides, because the ends of its lines do.
    pub(super) sizes_are_lost: bool,
}

impl Rules {
    /// Whether a path has a part in the mirror. What has none is not deleted either.
    pub(super) fn takes(&self, path: &[u8], node: &Node) -> bool {
        let is_dir = matches!(node, Node::Dir | Node::Closed);
        let one_of = |patterns: &[Vec<u8>]| patterns.iter().any(|pattern| fits(pattern, path));
        match (one_of(&self.include), one_of(&self.exclude)) {
            (true, _) => true,
            (false, true) => false,
            // What is in a directory may be wanted although it is not.
            (false, false) => self.include.is_empty() || is_dir || !self.exclude.is_empty(),
        }
    }
}

/// A pattern with a `/` is one of paths, any other one of names.
fn fits(pattern: &[u8], path: &[u8]) -> bool {
    if pattern.contains(&b'/') {
        return matches(pattern.strip_prefix(b"/").unwrap_or(pattern), path);
    }
    path.split(|&byte| byte == b'/').next_back().is_some_and(|name| matches(pattern, name))
}

/// One thing to do at a path of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MirrorStep {
    /// Something else stands there, and may not be removed.
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

/// What makes of `target` what `source` is.
pub(super) fn plan(source: &Tree, target: &Tree, rules: &Rules) -> Vec<MirrorStep> {
    let mut plan = Plan { source, target, rules, refused: Vec::new(), steps: Vec::new() };
    plan.clear_the_way();
    plan.make();
    if rules.delete {
        plan.delete_the_rest();
    }
    plan.steps
}

struct Plan<'a> {
    source: &'a Tree,
    target: &'a Tree,
    rules: &'a Rules,
    /// Paths below which nothing is done.
    refused: Vec<&'a [u8]>,
    steps: Vec<MirrorStep>,
}

impl<'a> Plan<'a> {
    fn wanted(&self) -> impl Iterator<Item = (&'a Vec<u8>, &'a Node)> + use<'a> {
        let rules = self.rules;
        self.source.iter().filter(move |(path, node)| rules.takes(path, node))
    }

    fn clear_the_way(&mut self) {
        for (path, node) in self.wanted() {
            let Some(there) = self.target.get(path) else { continue };
            if can_become(there, node) {
                continue;
            }
            if self.rules.delete && self.is_known(path) {
                self.remove_tree(path, there);
            } else {
                self.refused.push(path);
                self.steps.push(MirrorStep::Refuse(path.clone()));
            }
        }
    }

    /// Whether all that the target has at a path and below it is known, as is all that the source has
    /// beside it.
    fn is_known(&self, path: &[u8]) -> bool {
        let closed = |tree: &Tree, path: &[u8]| tree.get(path) == Some(&Node::Closed);
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let mut above = ends.map(|end| &path[..end]);
        let below = [path, b"/"].concat();
        let inside =
            self.target.range(below.clone()..).take_while(|(at, _)| at.starts_with(&below));
        !above.any(|dir| closed(self.source, dir) || closed(self.target, dir))
            && !closed(self.target, path)
            && inside.into_iter().all(|(_, node)| *node != Node::Closed)
    }

    fn remove_tree(&mut self, path: &[u8], node: &Node) {
        let below = [path, b"/"].concat();
        let inside =
            self.target.range(below.clone()..).take_while(|(at, _)| at.starts_with(&below));
        let inside: Vec<(&[u8], &Node)> = inside.map(|(at, node)| (at.as_slice(), node)).collect();
        for (at, node) in inside.into_iter().rev() {
            self.steps.push(removal(at, node));
        }
        self.steps.push(removal(path, node));
    }

    fn make(&mut self) {
        let (mut dirs, mut files, mut links) = (Vec::new(), Vec::new(), Vec::new());
        for (path, node) in self.wanted().filter(|(path, _)| !self.is_refused(path)) {
            let there = self.target.get(path).filter(|there| can_become(there, node));
            match (node, there) {
                (Node::Dir | Node::Closed, None) => dirs.push(MirrorStep::MakeDir(path.clone())),
                (Node::File(facts), Some(Node::File(old))) if !self.is_due(facts, old) => {}
                (Node::File(facts), _) => files.push(MirrorStep::Transfer(path.clone(), *facts)),
                (Node::Link(to), there) if there != Some(&Node::Link(to.clone())) => {
                    links.push(MirrorStep::Link(path.clone(), to.clone()));
                }
                _ => {}
            }
        }
        self.steps.extend(dirs.into_iter().chain(files).chain(links));
    }

    fn is_refused(&self, path: &[u8]) -> bool {
        self.refused.iter().any(|refused| is_in(path, refused))
    }

    fn is_due(&self, new: &FileFacts, old: &FileFacts) -> bool {
        let age = (new.modified.map(seconds), old.modified.map(seconds));
        let grain = if new.exact && old.exact { 1 } else { MINUTE };
        let newer = matches!(age, (Some(new), Some(old)) if new >= old + grain);
        if self.rules.only_newer {
            return newer;
        }
        let resized = !self.rules.sizes_are_lost
            && matches!((new.size, old.size), (Some(new), Some(old)) if new != old);
        let same_time = match age {
            (Some(_), Some(_)) if self.rules.times_are_lost => !newer,
            (Some(one), Some(other)) if new.exact && old.exact => one == other,
            (Some(one), Some(other)) => one / MINUTE == other / MINUTE || same_day(one, other),
            _ => true,
        };
        resized || !same_time
    }

    fn delete_the_rest(&mut self) {
        let other = self.source.iter().filter(|(_, node)| **node == Node::Other);
        let all = self.source.iter().chain(self.target);
        let closed = all.filter(|(_, node)| **node == Node::Closed);
        let closed: Vec<&[u8]> = closed.chain(other).map(|(path, _)| path.as_slice()).collect();
        let is_kept = |path: &[u8]| {
            self.source.contains_key(path)
                || closed.iter().any(|closed| is_in(path, closed) || is_in(closed, path))
        };
        let extra = self.target.iter().rev().filter(|(path, node)| {
            let removed = self.steps.iter().any(|step| is_removal_of(step, path));
            !is_kept(path) && self.rules.takes(path, node) && !removed && !self.holds_kept(path)
        });
        let extra: Vec<MirrorStep> = extra.map(|(path, node)| removal(path, node)).collect();
        self.steps.extend(extra);
    }

    /// Whether something below has no part in the mirror and so stays.
    fn holds_kept(&self, path: &[u8]) -> bool {
        let below = [path, b"/"].concat();
        let mut inside = self.target.range(below.clone()..);
        inside
            .by_ref()
            .take_while(|(at, _)| at.starts_with(&below))
            .any(|(at, node)| !self.rules.takes(at, node))
    }
}

fn is_removal_of(step: &MirrorStep, path: &[u8]) -> bool {
    matches!(step, MirrorStep::Remove(removed) | MirrorStep::RemoveDir(removed) if removed == path)
}

fn removal(path: &[u8], node: &Node) -> MirrorStep {
    match node {
        Node::Dir | Node::Closed => MirrorStep::RemoveDir(path.to_vec()),
        Node::File(_) | Node::Link(_) | Node::Other => MirrorStep::Remove(path.to_vec()),
    }
}

/// Whether what stands there can be made into that without removing it first.
fn can_become(there: &Node, wanted: &Node) -> bool {
    match (there, wanted) {
        (Node::Dir | Node::Closed, Node::Dir | Node::Closed) => true,
        (Node::File(_), Node::File(_)) => true,
        (Node::Link(_), Node::Link(_) | Node::File(_)) => true,
        // Nothing will be made there.
        (_, Node::Other) => true,
        _ => false,
    }
}

fn is_in(path: &[u8], dir: &[u8]) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// An old date of LIST is midnight of its day.
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
        let shown = plan(source, target, rules).into_iter().map(|step| match step {
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
    fn what_is_missing_is_made_from_the_top() {
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
    fn size_and_time_tell_what_changed() {
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
        assert!(steps(&tree([("f", file(5, 99))]), &target, &rules).is_empty());
        assert_eq!(steps(&tree([("f", file(5, 101))]), &target, &rules), ["get f"]);
    }

    #[test]
    fn a_listing_to_the_minute_or_to_the_day_is_enough() {
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

    #[test]
    fn only_delete_removes_and_from_the_bottom() {
        let target = tree([("a", Node::Dir), ("a/b", file(1, 1)), ("c", Node::Link(vec![b'x']))]);
        assert!(steps(&Tree::new(), &target, &Rules::default()).is_empty());
        assert_eq!(steps(&Tree::new(), &target, &deleting()), ["rm c", "rm a/b", "rmdir a"]);
    }

    #[test]
    fn what_is_in_the_way_is_refused_or_goes_first() {
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
    fn what_is_left_out_is_neither_fetched_nor_deleted() {
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
    fn what_stands_in_place_of_something_that_is_not_mirrored_stays() {
        let source = tree([("a", Node::Other), ("b", Node::Other)]);
        let target = tree([("a", Node::Dir), ("a/c", file(1, 1)), ("b", file(1, 1))]);
        assert!(steps(&source, &target, &deleting()).is_empty());
    }

    #[test]
    fn nothing_is_deleted_where_nobody_could_look() {
        let source = tree([("a", Node::Closed)]);
        let target = tree([("a", Node::Dir), ("a/b", file(1, 1)), ("c", Node::Closed)]);
        assert!(steps(&source, &target, &deleting()).is_empty());
    }

    #[test]
    fn nothing_is_removed_where_not_all_is_known() {
        let source =
            tree([("d", Node::Closed), ("d/a", file(1, 1)), ("e", file(1, 1)), ("f", file(1, 1))]);
        let target = tree([
            ("d", Node::Dir),
            ("d/a", Node::Dir),
            ("d/a/x", file(1, 1)),
            ("d/old", file(1, 1)),
            ("e", Node::Dir),
            ("e/g", Node::Closed),
            ("f", Node::Dir),
            ("f/x", file(1, 1)),
            ("old", file(1, 1)),
        ]);
        let steps = steps(&source, &target, &deleting());
        assert_eq!(steps, ["refuse d/a", "refuse e", "rm f/x", "rmdir f", "get f", "rm old"]);
    }
}
