//! DU, FIND, and LIST with `--json`.

use super::mirror::{self, Node, PrintedTime, Tree};
use super::operands::Operand;
use super::row::Row;
use crate::client::error::Error;
use crate::client::name::parse_name;
use crate::client::output::json::{self, print_object};
use crate::client::output::print_line;
use crate::client::remote_listing::{Expanded, Found, expand_all, list_path};
use crate::client::shell::session::Session;
use crate::json::Object;
use crate::protocol::Name;
use crate::protocol::listing::{Entry, Kind};
use crate::protocol::pattern::is_pattern;
use std::collections::BTreeMap;

pub(super) const ROWS: &[Row] = &[
    Row::new(&["du"], "print the total size of each directory", du)
        .operands(&[Operand::remote_dir("DIR").optional()])
        .example("DU pub")
        .keeps_remote_names(),
    Row::new(&["find"], "print every path below a remote directory", find)
        .operands(&[Operand::remote_dir("DIR").optional()])
        .example("FIND pub")
        .keeps_remote_names(),
];

/// Prints every path below a directory. Directories end in `/`.
fn find(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let dir = &typed(words)?;
    let (mut tree, refused) = mirror::remote_tree(session, dir)?;
    if session.transfers.json {
        settle_times(session, dir, tree.iter_mut().filter_map(listed_time).collect())?;
    }
    for (path, node) in &tree {
        let path = below(dir, path);
        if session.transfers.json {
            print_object(described(&path, node))?;
            continue;
        }
        let end: &[u8] = if is_dir(node) { b"/" } else { b"" };
        print_line(&[path.as_slice(), end].concat())?;
    }
    tell(session, refused)
}

/// Converts the times of LIST below a directory to UTC.
fn settle_times(
    session: &mut Session,
    root: &[u8],
    times: Vec<PrintedTime<'_>>,
) -> Result<(), Error> {
    let armed = session.interrupt().begin().map_err(Error::Local)?;
    mirror::settle_printed(session.connection()?, root, times, &armed)
}

/// Returns the time of a file in a tree, if it is one of LIST.
fn listed_time<'a>((path, node): (&Vec<u8>, &'a mut Node)) -> Option<PrintedTime<'a>> {
    match node {
        Node::File(facts) if !facts.exact => {
            let modified = &mut facts.modified;
            Some(PrintedTime { path: path.clone(), is_file: true, modified })
        }
        Node::File(_) | Node::Dir | Node::Unreadable | Node::Link(_) | Node::Other => None,
    }
}

/// Returns the time of an entry of LIST.
fn entry_time<'a>(path: &[u8], entry: &'a mut Entry) -> PrintedTime<'a> {
    let is_file = entry.kind == Kind::File;
    PrintedTime { path: path.to_vec(), is_file, modified: &mut entry.modified }
}

/// Reports directories that could not be listed, as the failure of the command.
fn tell(session: &Session, mut refused: Vec<Error>) -> Result<(), Error> {
    let last = refused.pop();
    for error in refused {
        session.messages.error(&format!("error: {error}"));
    }
    last.map_or(Ok(()), Err)
}

/// Prints the total size of the files below each directory, the named directory last.
fn du(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let dir = &typed(words)?;
    let (tree, refused) = mirror::remote_tree(session, dir)?;
    for (path, bytes) in sums(&tree) {
        let path = if path.is_empty() { dir.to_vec() } else { below(dir, &path) };
        match session.transfers.json {
            true => print_object(Object::new().text("path", &path).number("bytes", bytes))?,
            false => print_line(&[format!("{bytes}\t").as_bytes(), &path].concat())?,
        }
    }
    tell(session, refused)
}

/// Returns the JSON object of a path.
fn described(path: &[u8], node: &Node) -> Object {
    let kind = match node {
        Node::File(_) => Kind::File,
        Node::Link(to) => Kind::Link(to.clone()),
        Node::Dir | Node::Unreadable => Kind::Dir,
        Node::Other => Kind::Other,
    };
    let mut entry = Entry::new(path, kind);
    if let Node::File(facts) = node {
        (entry.size, entry.modified) = (facts.size, facts.modified);
    }
    json::of_entry(&entry)
}

fn is_dir(node: &Node) -> bool {
    matches!(node, Node::Dir | Node::Unreadable)
}

fn below(dir: &[u8], path: &[u8]) -> Vec<u8> {
    match dir {
        b"." => path.to_vec(),
        _ if dir.ends_with(b"/") => [dir, path].concat(),
        _ => [dir, b"/", path].concat(),
    }
}

/// Returns the total size below each directory, the deepest first.
fn sums(tree: &Tree) -> Vec<(Vec<u8>, u64)> {
    let dirs = tree.iter().filter(|(_, node)| is_dir(node)).map(|(path, _)| (path.clone(), 0));
    let mut sums: BTreeMap<Vec<u8>, u64> = dirs.collect();
    sums.insert(Vec::new(), 0);
    for (path, node) in tree {
        let Node::File(facts) = node else { continue };
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        for end in slashes.map(|(at, _)| at).chain([0]) {
            if let Some(sum) = sums.get_mut(&path[..end]) {
                *sum = sum.saturating_add(facts.size.unwrap_or(0));
            }
        }
    }
    sums.into_iter().rev().collect()
}

/// Prints the entries of a directory, one file, or the matches of a pattern, one object per line.
pub(super) fn list_json(session: &mut Session, path: Option<Name>) -> Result<(), Error> {
    let globs = session.globs();
    let connection = session.connection()?;
    match &path {
        Some(pattern) if globs && is_pattern(pattern.as_bytes()) => {
            let Expanded { mut found, unread } = expand_all(connection, pattern)?;
            let listed = found.iter_mut().filter(|found| !found.exact);
            let times = listed.map(|found| entry_time(found.path.as_bytes(), &mut found.entry));
            settle_times(session, b"", times.collect())?;
            let print = |found: Found| {
                let name = found.path.as_bytes().to_vec();
                print_object(json::of_entry(&Entry { name, ..found.entry }))
            };
            found.into_iter().try_for_each(print)?;
            tell(session, unread)
        }
        path => {
            let name = path.as_ref().map_or(&b""[..], Name::as_bytes);
            let mut listed = list_path(connection, path.as_ref())?;
            if !listed.exact {
                let root = listed_dir(name, &listed.entries);
                let entries = listed.entries.iter_mut();
                let times = entries.map(|entry| entry_time(&entry.name.clone(), entry));
                settle_times(session, root, times.collect())?;
            }
            listed.entries.iter().map(json::of_entry).try_for_each(print_object)?;
            listed.take_error(name).map_or(Ok(()), Err)
        }
    }
}

/// Returns the directory of the entries that LIST prints for a path: the path, or the one above if the path
/// is that of a file.
fn listed_dir<'a>(path: &'a [u8], entries: &[Entry]) -> &'a [u8] {
    let [only] = entries else { return path };
    let above = path.strip_suffix(&only.name[..]).filter(|_| only.kind == Kind::File);
    above.filter(|above| above.is_empty() || above.ends_with(b"/")).unwrap_or(path)
}

/// Returns the remote directory that the user typed, or the current one.
fn typed(words: &[Vec<u8>]) -> Result<Vec<u8>, Error> {
    let word = words.first().map_or(&b"."[..], Vec::as_slice);
    parse_name(word).map(|name| name.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_in_every_parent_directory() {
        let mut tree = Tree::new();
        for dir in ["a", "a/b"] {
            tree.insert(dir.into(), Node::Dir);
        }
        for (path, size) in [("a/b/x", 1), ("a/y", 10), ("z", 100)] {
            let facts = mirror::FileFacts { size: Some(size), modified: None, exact: true };
            tree.insert(path.into(), Node::File(facts));
        }
        let shown: Vec<(Vec<u8>, u64)> = sums(&tree);
        assert_eq!(shown, [(b"a/b".to_vec(), 1), (b"a".to_vec(), 11), (b"".to_vec(), 111)]);
    }
}
