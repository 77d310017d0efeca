//! What a remote directory holds, as entries: by MLSD, and by LIST where the server has no MLSD.
//!
//! What a server lists is bounded, and what it calls things is its own affair: whoever makes local
//! files of names has to refuse those that are more than names.

use super::connection::Connection;
use super::error::Error;
use crate::protocol::listing::{Entry, Kind};
use crate::protocol::pattern::{is_pattern, matches};
use crate::protocol::{Command, Name};
use std::io::{self, Write};
use std::time::SystemTime;

/// How large one listing may be: room for half a million files.
const LARGEST_LISTING: usize = 64 * 1024 * 1024;

/// A directory as the server lists it.
pub(super) struct Listed {
    /// Files, directories, links and the rest; not the directory itself nor the one above.
    pub(super) entries: Vec<Entry>,
    /// Whether times are to the second and in UTC, which MLSD promises.
    pub(super) exact: bool,
}

/// Lists a directory; `None` is where we stand.
pub(super) fn list_dir(connection: &mut Connection, dir: Option<&Name>) -> Result<Listed, Error> {
    if connection.able().machine_lists {
        let listed = lines(connection, &Command::Mlsd(dir.cloned()));
        if let Some(text) = connection.unless_missing(listed, |able| &mut able.machine_lists)? {
            let entries = text.split(|&byte| byte == b'\n').map(without_end);
            return Ok(Listed::of(entries.filter_map(Entry::parse_mlsx), true));
        }
    }
    let text = list_for_people(connection, dir)?;
    let now = SystemTime::now();
    let lines = text.split(|&byte| byte == b'\n').map(without_end);
    Ok(Listed::of(lines.filter_map(|line| Entry::parse_ls(line, now)), false))
}

/// With names that begin with a dot, which servers without MLSD leave out unless asked; those that
/// do not know the option list what it is the name of, which is nothing.
fn list_for_people(connection: &mut Connection, dir: Option<&Name>) -> Result<Vec<u8>, Error> {
    let all = match dir {
        Some(dir) => Name::new([b"-a ", dir.as_bytes()].concat()),
        None => Name::new("-a"),
    };
    match lines(connection, &Command::List(all)) {
        Err(Error::Refused(_)) => lines(connection, &Command::List(dir.cloned())),
        Ok(text) if text.trim_ascii().is_empty() => lines(connection, &Command::List(dir.cloned())),
        other => other,
    }
}

impl Listed {
    fn of(entries: impl Iterator<Item = Entry>, exact: bool) -> Listed {
        let is_inside = |entry: &Entry| !matches!(entry.kind, Kind::CurrentDir | Kind::ParentDir);
        let mut entries: Vec<Entry> = entries.filter(is_inside).collect();
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        // Two of a name cannot be told apart, nor be two files here.
        entries.dedup_by(|one, other| one.name == other.name);
        Listed { entries, exact }
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A listing that broke off because of what was sent with it is asked for once more, alone.
fn lines(connection: &mut Connection, command: &Command) -> Result<Vec<u8>, Error> {
    // The listing before may have come whole and lost what was sent with it.
    connection.revive()?;
    let hasty = connection.has_followers();
    match lines_once(connection, command) {
        Err(error) if hasty && !matches!(error, Error::Refused(_) | Error::Interrupted) => {
            connection.able().pipelines = false;
            connection.reconnect()?;
            lines_once(connection, command)
        }
        other => other,
    }
}

fn lines_once(connection: &mut Connection, command: &Command) -> Result<Vec<u8>, Error> {
    let mut text = Bounded(Vec::new());
    connection.fetch_listing(command)?.receive(&mut text, |_| ())?;
    Ok(text.0)
}

struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LARGEST_LISTING {
            return Err(io::Error::other("the server's listing does not end"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that a pattern found: how the server is asked for it, and what it said of it.
pub(super) struct Found {
    pub(super) path: Name,
    pub(super) entry: Entry,
    pub(super) exact: bool,
}

impl Found {
    /// A file of which nothing is known but its name.
    pub(super) fn named(path: Name) -> Found {
        let entry = Entry::new(path.as_bytes(), Kind::File);
        Found { path, entry, exact: false }
    }
}

/// The files that match a pattern whose last part alone may be one. A name without any is taken as
/// it is.
pub(super) fn expand(connection: &mut Connection, pattern: &Name) -> Result<Vec<Found>, Error> {
    let bytes = pattern.as_bytes();
    if !is_pattern(bytes) {
        return Ok(vec![Found::named(pattern.clone())]);
    }
    let cut = bytes.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
    let (dir, last) = bytes.split_at(cut);
    let place = Name::new(if dir.len() > 1 { &dir[..dir.len() - 1] } else { dir });
    let listed = list_dir(connection, place.as_ref())?;
    let exact = listed.exact;
    let files = listed.entries.into_iter().filter(|entry| {
        let hidden = entry.name.starts_with(b".") && !last.starts_with(b".");
        matches!(entry.kind, Kind::File | Kind::Link(_)) && !hidden && matches(last, &entry.name)
    });
    let found = files.filter_map(|entry| {
        let path = Name::new([dir, &entry.name].concat())?;
        Some(Found { path, entry, exact })
    });
    Ok(found.collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Script;
    use super::*;

    fn names(listed: &Listed) -> Vec<String> {
        let name = |entry: &Entry| String::from_utf8(entry.name.clone()).unwrap();
        listed.entries.iter().map(name).collect()
    }

    #[test]
    fn a_directory_is_listed_by_mlsd_in_order_and_without_itself() {
        let mut connection = Script::serve(|server| {
            let data = server.expect_passive();
            server.expect("MLSD a", "150 here");
            data.give(b"type=cdir; .\r\ntype=file;size=1; b\r\ntype=dir; a\r\njunk\r\n");
            server.say("226 done");
        });
        let listed = list_dir(&mut connection, Some(&Name::new("a").unwrap())).unwrap();
        assert!(listed.exact);
        assert_eq!(names(&listed), ["a", "b"]);
    }

    #[test]
    fn without_mlsd_list_is_read_and_mlsd_is_not_asked_again() {
        let mut connection = Script::serve(|server| {
            let _unused = server.expect_passive();
            server.expect("MLSD", "500 what?");
            for _ in 0..2 {
                let data = server.expect_passive();
                server.expect("LIST -a", "150 here");
                data.give(b"total 1\r\n-rw-r--r-- 1 a b 7 Jan  1  2020 c\r\n");
                server.say("226 done");
            }
        });
        for _ in 0..2 {
            let listed = list_dir(&mut connection, None).unwrap();
            assert_eq!((names(&listed), listed.exact), (vec!["c".to_owned()], false));
        }
    }
}
