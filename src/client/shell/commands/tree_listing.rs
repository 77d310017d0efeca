//! DU, FIND, and LIST for programs: what a server has, as lines.

use super::mirror::{self, Node, Tree};
use super::operands::Operand;
use super::row::Row;
use crate::client::error::Error;
use crate::client::name::parse_name;
use crate::client::output::print_line;
use crate::client::remote_listing::list_dir;
use crate::client::shell::session::Session;
use crate::json::Object;
use crate::protocol::Name;
use crate::protocol::listing::{Entry, Kind};
use crate::protocol::time::write_timestamp;
use std::collections::BTreeMap;

pub(super) const ROWS: &[Row] = &[
    Row::new(&["du"], "print the total size of each directory", du)
        .operands(&[Operand::remote_dir("DIR").optional()])
        .example("DU pub")
        .keeps_names(),
    Row::new(&["find"], "print every path below a remote directory", find)
        .operands(&[Operand::remote_dir("DIR").optional()])
        .example("FIND pub")
        .keeps_names(),
];

/// Prints every path below a directory, directories with a `/` at their end.
fn find(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let dir = &typed(words)?;
    let (tree, refused) = mirror::remote_tree(session, dir)?;
    for (path, node) in &tree {
        let end: &[u8] = if is_dir(node) { b"/" } else { b"" };
        print_line(&[below(dir, path).as_slice(), end].concat())?;
    }
    tell(session, refused)
}

/// Tells of what could not be looked into: the command failed, whatever it printed.
fn tell(session: &Session, mut refused: Vec<Error>) -> Result<(), Error> {
    let last = refused.pop();
    for error in refused {
        session.messages.error(&format!("error: {error}"));
    }
    last.map_or(Ok(()), Err)
}

/// Prints how many bytes of files are below each directory, the directory itself at last.
fn du(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let dir = &typed(words)?;
    let (tree, refused) = mirror::remote_tree(session, dir)?;
    for (path, bytes) in sums(&tree) {
        let path = if path.is_empty() { dir.to_vec() } else { below(dir, &path) };
        print_line(&[format!("{bytes}\t").as_bytes(), &path].concat())?;
    }
    tell(session, refused)
}

fn is_dir(node: &Node) -> bool {
    matches!(node, Node::Dir | Node::Closed)
}

fn below(dir: &[u8], path: &[u8]) -> Vec<u8> {
    match dir {
        b"." => path.to_vec(),
        _ if dir.ends_with(b"/") => [dir, path].concat(),
        _ => [dir, b"/", path].concat(),
    }
}

/// The bytes below each directory, the deepest first.
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

/// Prints a directory, one object a line.
pub(super) fn list_json(session: &mut Session, path: Option<Name>) -> Result<(), Error> {
    let mut listed = list_dir(session.connection()?, path.as_ref())?;
    listed.entries.iter().try_for_each(|entry| print_line(described(entry).as_bytes()))?;
    listed.take_error(path.as_ref().map_or(b"", Name::as_bytes)).map_or(Ok(()), Err)
}

fn described(entry: &Entry) -> String {
    let kind: &[u8] = match entry.kind {
        Kind::File => b"file",
        Kind::Dir | Kind::CurrentDir | Kind::ParentDir => b"dir",
        Kind::Link(_) => b"link",
        Kind::Other => b"other",
    };
    let mut object = Object::new().text("name", &entry.name).text("type", kind);
    if let Some(size) = entry.size {
        object = object.number("size", size);
    }
    if let Some(modified) = entry.modified {
        let mut time = Vec::new();
        write_timestamp(modified, &mut time);
        object = object.text("modified", &time);
    }
    if let Kind::Link(target) = &entry.kind {
        object = object.text("target", target);
    }
    object.finish()
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
    fn bytes_count_for_every_directory_above() {
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
