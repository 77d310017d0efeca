//! What a remote directory holds, as entries: by MLSD, and by LIST where the server has no MLSD.
//!
//! What a server lists is bounded, and lines that cannot be read are told of: a listing that has some
//! does not say what is missing in the directory. No name leads out of the directory that was listed.

use super::connection::{Connection, is_missing};
use super::error::Error;
use crate::protocol::listing::{Entry, Kind, Unreadable, read_list, read_mlsd};
use crate::protocol::pattern::{is_pattern, matches};
use crate::protocol::{Code, Command, Name, Reply};
use std::io::{self, Write};
use std::time::SystemTime;

/// How large one listing may be: room for half a million files.
const LARGEST_LISTING: usize = 64 * 1024 * 1024;

/// How many files that may be, however short their names: each takes more room here than there.
const MOST_LISTED: usize = 1_000_000;

/// The longest part of an unreadable line that is shown, in bytes.
const LONGEST_SHOWN: usize = 200;

/// A directory as the server lists it.
pub(super) struct Listed {
    /// Files, directories, links and the rest; not the directory itself nor the one above.
    pub(super) entries: Vec<Entry>,
    /// Whether times are to the second and in UTC, which MLSD promises.
    pub(super) exact: bool,
    /// The lines that could not be read, if there are any: the directory holds more than the entries.
    unread: Option<Unread>,
}

/// The lines of a listing that could not be read.
struct Unread {
    /// The first of them, or its beginning.
    line: Vec<u8>,
    /// The number of the others.
    more: usize,
}

/// Lists a directory; `None` is where we stand. A server that refuses MLSD, with whatever code, and
/// lists the same directory by LIST is not sent MLSD again.
pub(super) fn list_dir(connection: &mut Connection, dir: Option<&Name>) -> Result<Listed, Error> {
    let mut refused = None;
    if connection.capabilities().mlsd {
        match lines(connection, &Command::Mlsd(dir.cloned())) {
            Ok(text) => return Listed::read(read_mlsd(&text), true),
            Err(Error::Refused(reply)) if may_list_otherwise(&reply) => {
                connection.capabilities().mlsd = !is_missing(&reply);
                refused = Some(reply);
            }
            Err(error) => return Err(error),
        }
    }
    let is_refused = refused.is_some();
    let text = match (list_for_people(connection, dir), refused) {
        // Why MLSD was refused says more than that LIST was, unless there is no MLSD.
        (Err(Error::Refused(_)), Some(reply)) if !is_missing(&reply) => {
            return Err(Error::Refused(reply));
        }
        (listed, _) => listed?,
    };
    connection.capabilities().mlsd &= !is_refused;
    Listed::read(read_list(&text, SystemTime::now()), false)
}

/// Lists what a path leads to: a directory, or the one file that it names.
pub(super) fn list_path(connection: &mut Connection, path: Option<&Name>) -> Result<Listed, Error> {
    let Some(path) = path else { return list_dir(connection, None) };
    // A server that describes a file by itself need not be asked to list it as a directory first.
    if connection.has_feature(b"MLST")?
        && let Some(entry) = described_file(connection, path)?
    {
        return Ok(Listed::of(vec![entry], true));
    }
    list_dir(connection, Some(path))
}

/// Returns the entry of a file by MLST (RFC 3659 section 7); `None` if it is a directory, or if the reply
/// cannot be read.
fn described_file(connection: &mut Connection, path: &Name) -> Result<Option<Entry>, Error> {
    let reply = match connection.call(&Command::Mlst(Some(path.clone()))) {
        Err(Error::Refused(_)) => return Ok(None),
        reply => reply?,
    };
    let entry = reply.body().iter().find_map(|line| Entry::parse_mlsx(line.trim_ascii_start()));
    let is_dir = |kind: &Kind| matches!(kind, Kind::Dir | Kind::CurrentDir | Kind::ParentDir);
    Ok(entry.filter(|entry| !is_dir(&entry.kind)).map(|entry| {
        // Some servers name the file by its whole path, others as it was typed.
        Entry { name: path.as_bytes().to_vec(), ..entry }
    }))
}

/// Returns whether LIST may work after this refusal of MLSD: it is not about data connections, and not
/// about rights, since some servers list a directory that they must not read as empty.
fn may_list_otherwise(reply: &Reply) -> bool {
    !reply.code().is_about_connections() && !is_about_rights(reply)
}

/// Returns whether a refusal of LIST says that there is nothing to list.
fn says_nothing_is_there(reply: &Reply) -> bool {
    const WORDS: &[&str] =
        &["no file", "no such", "not found", "no match", "no member", "no data", "exist", "empty"];
    matches!(reply.code(), Code::FILE_BUSY | Code::UNAVAILABLE) && says(reply, WORDS)
}

/// Returns whether a refusal is about the rights of the user.
pub(super) fn is_about_rights(reply: &Reply) -> bool {
    says(reply, &["denied", "permission", "permitted"])
}

fn says(reply: &Reply, words: &[&str]) -> bool {
    let text = reply.to_string().to_lowercase();
    words.iter().any(|word| text.contains(word))
}

fn check_end(count: usize) -> Result<(), Error> {
    if count > MOST_LISTED { Err(Error::Endless) } else { Ok(()) }
}

/// With names that begin with a dot, which servers without MLSD leave out unless asked; those that
/// do not know the option list what it is the name of, which is nothing.
///
/// LIST has no way to name a directory that holds everywhere: vsftpd takes its name for a pattern or
/// for options, and what is not there for empty. So where that may be, we go there.
fn list_for_people(connection: &mut Connection, dir: Option<&Name>) -> Result<Vec<u8>, Error> {
    let Some(dir) = dir else { return list_here(connection) };
    if is_pattern(dir.as_bytes()) || dir.as_bytes().starts_with(b"-") {
        return connection.in_dir(dir, list_here);
    }
    match list_with_hidden(connection, Some(dir)) {
        Ok(text) if !is_blank(&text) => Ok(text),
        Err(Error::Refused(reply)) if !says_nothing_is_there(&reply) => Err(Error::Refused(reply)),
        Ok(_) | Err(Error::Refused(_)) => connection.in_dir(dir, list_here),
        Err(error) => Err(error),
    }
}

/// Lists the directory where we stand. It is there, so that a server which finds nothing in it, and says
/// so with 450 or 550, has listed an empty directory.
fn list_here(connection: &mut Connection) -> Result<Vec<u8>, Error> {
    match list_with_hidden(connection, None) {
        Err(Error::Refused(reply)) if says_nothing_is_there(&reply) => Ok(Vec::new()),
        listed => listed,
    }
}

/// Returns whether a directory is there whose listing was refused: it is empty if the reply says that there
/// is nothing to list and the server can be led into it.
pub(super) fn is_empty_dir(
    connection: &mut Connection,
    dir: Option<&Name>,
    refusal: &Reply,
) -> Result<bool, Error> {
    let Some(dir) = dir.filter(|_| says_nothing_is_there(refusal)) else {
        return Ok(says_nothing_is_there(refusal));
    };
    match connection.in_dir(dir, |_| Ok(())) {
        Ok(()) => Ok(true),
        Err(Error::Refused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

fn list_with_hidden(connection: &mut Connection, dir: Option<&Name>) -> Result<Vec<u8>, Error> {
    let all = match dir {
        Some(dir) => Name::new([b"-a ", dir.as_bytes()].concat()),
        None => Name::new("-a"),
    };
    match lines(connection, &Command::List(all)) {
        Err(Error::Refused(_)) => lines(connection, &Command::List(dir.cloned())),
        Ok(text) if is_blank(&text) => lines(connection, &Command::List(dir.cloned())),
        other => other,
    }
}

fn is_blank(text: &[u8]) -> bool {
    text.trim_ascii().is_empty()
}

impl Listed {
    /// Collects the lines of a listing, of which there may be no more than [`MOST_LISTED`].
    fn read<'a>(
        lines: impl Iterator<Item = Result<Entry, Unreadable<'a>>>,
        exact: bool,
    ) -> Result<Listed, Error> {
        let (mut entries, mut unread) = (Vec::new(), None);
        for line in lines {
            match (line, &mut unread) {
                (Ok(entry), _) => entries.push(entry),
                (Err(_), Some(Unread { more, .. })) => *more += 1,
                (Err(Unreadable(line)), None) => {
                    let line = line[..line.len().min(LONGEST_SHOWN)].to_vec();
                    unread = Some(Unread { line, more: 0 });
                }
            }
            check_end(entries.len())?;
        }
        Ok(Listed { unread, ..Listed::of(entries, exact) })
    }

    /// Takes the error that says which lines could not be read. A directory that has one was not
    /// read whole: what is not among the entries may be there all the same.
    pub(super) fn take_error(&mut self, dir: &[u8]) -> Option<Error> {
        let Unread { line, more } = self.unread.take()?;
        Some(Error::BadListing { dir: dir.to_vec(), line, more })
    }

    /// Returns true if a listing for people is of a form that is not known: nothing of it could be read.
    fn is_of_unknown_form(&self) -> bool {
        self.entries.is_empty() && self.unread.is_some() && !self.exact
    }

    fn of(mut entries: Vec<Entry>, exact: bool) -> Listed {
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        // Two of a name cannot be told apart, nor be two files here.
        entries.dedup_by(|one, other| one.name == other.name);
        Listed { entries, exact, unread: None }
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A listing that broke off because of what was sent with it is asked for once more, alone.
fn lines(connection: &mut Connection, command: &Command) -> Result<Vec<u8>, Error> {
    // The listing before may have come whole and lost what was sent with it.
    connection.reconnect_if_lost()?;
    let hasty = connection.has_pipelined_commands();
    match lines_once(connection, command) {
        Err(error) if hasty && !matches!(error, Error::Refused(_) | Error::Interrupted) => {
            connection.capabilities().pipelining = false;
            connection.reconnect()?;
            lines_once(connection, command)
        }
        other => other,
    }
}

fn lines_once(connection: &mut Connection, command: &Command) -> Result<Vec<u8>, Error> {
    let mut text = BoundedText::new(LARGEST_LISTING);
    connection.fetch_listing(command)?.receive(&mut text, |_| ())?;
    Ok(text.into_bytes())
}

/// A listing in memory, up to a limit.
pub(super) struct BoundedText {
    text: Vec<u8>,
    limit: usize,
}

impl BoundedText {
    /// Takes at most `limit` bytes.
    pub(super) fn new(limit: usize) -> BoundedText {
        BoundedText { text: Vec::new(), limit }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.text
    }
}

impl Write for BoundedText {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > self.limit {
            return Err(io::Error::other("the server's listing does not end"));
        }
        self.text.extend_from_slice(bytes);
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

/// Lists a directory for the names in it: with NLST where the server has no listing that can be read.
/// What NLST names is taken for a file.
fn list_files(connection: &mut Connection, dir: Option<&Name>) -> Result<Listed, Error> {
    let listed = list_dir(connection, dir);
    match &listed {
        Ok(listed) if listed.is_of_unknown_form() => {}
        Err(Error::Refused(_)) => {}
        _ => return listed,
    }
    match lines(connection, &Command::Nlst(dir.cloned())) {
        Err(Error::Refused(_)) => listed,
        Err(error) => Err(error),
        Ok(text) => {
            let lines = text.split(|&byte| byte == b'\n').map(without_end);
            let names = lines.filter_map(|line| name_in(line, dir));
            Listed::read(names.map(|name| Ok(Entry::new(name, Kind::File))), false)
        }
    }
}

/// The name in a line of NLST, before which some servers put the directory that was asked for.
fn name_in<'l>(line: &'l [u8], dir: Option<&Name>) -> Option<&'l [u8]> {
    let dir = dir.map(Name::as_bytes).unwrap_or_default();
    let inside = line.strip_prefix(dir).and_then(|rest| match dir {
        b"" => None,
        _ if dir.ends_with(b"/") => Some(rest),
        _ => rest.strip_prefix(b"/"),
    });
    let name = inside.unwrap_or(line);
    let is_name = !matches!(name, b"" | b"." | b"..") && !name.contains(&b'/');
    is_name.then_some(name)
}

/// The files that match a pattern, and why there may be others.
#[derive(Default)]
pub(super) struct Expanded {
    pub(super) found: Vec<Found>,
    /// The directories that were not read whole, and names that no command can say.
    pub(super) unread: Vec<Error>,
}

/// Returns the files that match a pattern. A name without any is taken as it is.
pub(super) fn expand(connection: &mut Connection, pattern: &Name) -> Result<Expanded, Error> {
    expand_to(connection, pattern, |kind| matches!(kind, Kind::File | Kind::Link(_)))
}

/// Returns all that matches a pattern, directories too.
pub(super) fn expand_all(connection: &mut Connection, pattern: &Name) -> Result<Expanded, Error> {
    expand_to(connection, pattern, |_| true)
}

fn expand_to(
    connection: &mut Connection,
    pattern: &Name,
    is_wanted: fn(&Kind) -> bool,
) -> Result<Expanded, Error> {
    let mut expanded = Expanded::default();
    if !is_pattern(pattern.as_bytes()) {
        expanded.found.push(Found::named(pattern.clone()));
        return Ok(expanded);
    }
    let (above, last) = parted(pattern.as_bytes());
    let Expanded { found, unread } = &mut expanded;
    for dir in directories(connection, above, unread)? {
        let mut listed = list_files(connection, place(&dir).as_ref())?;
        unread.extend(listed.take_error(&dir));
        let Listed { entries, exact, .. } = listed;
        let files =
            entries.into_iter().filter(|entry| is_wanted(&entry.kind) && fits(last, &entry.name));
        for entry in files {
            let path = [dir.as_slice(), &entry.name].concat();
            match Name::new(path.as_slice()) {
                Some(path) => found.push(Found { path, entry, exact }),
                None => unread.push(Error::BadName(path)),
            }
        }
        check_end(found.len() + unread.len())?;
    }
    Ok(expanded)
}

/// The directories that match a path that is empty or ends in `/`.
fn directories(
    connection: &mut Connection,
    path: &[u8],
    unread: &mut Vec<Error>,
) -> Result<Vec<Vec<u8>>, Error> {
    if !is_pattern(path) {
        return Ok(vec![path.to_vec()]);
    }
    let (above, last) = parted(path.strip_suffix(b"/").unwrap_or(path));
    let mut found = Vec::new();
    for dir in directories(connection, above, unread)? {
        let mut listed = list_dir(connection, place(&dir).as_ref())?;
        unread.extend(listed.take_error(&dir));
        let Listed { entries, .. } = listed;
        let dirs = entries.iter().filter(|entry| entry.kind == Kind::Dir);
        let dirs = dirs.filter(|entry| fits(last, &entry.name));
        found.extend(dirs.map(|entry| [&dir, &entry.name[..], b"/"].concat()));
        check_end(found.len())?;
    }
    Ok(found)
}

/// A path before its last part, and that.
fn parted(path: &[u8]) -> (&[u8], &[u8]) {
    path.split_at(path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1))
}

/// The name of a directory that may end in `/`; `None` is where we stand.
fn place(dir: &[u8]) -> Option<Name> {
    Name::new(if dir.len() > 1 { &dir[..dir.len() - 1] } else { dir })
}

/// As in a shell, names that begin with a dot are meant only by patterns that do.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let hidden = name.starts_with(b".") && !pattern.starts_with(b".");
    !hidden && matches(pattern, name)
}

#[cfg(test)]
mod tests {
    use super::super::test_server::Script;
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
            data.give(
                b"type=cdir; .\r\ntype=file;size=1; b\r\ntype=dir; a\r\njunk\r\n\r\njunk\r\n",
            );
            server.say("226 done");
        });
        let mut listed = list_dir(&mut connection, Some(&Name::new("a").unwrap())).unwrap();
        assert!(listed.exact);
        assert_eq!(names(&listed), ["a", "b"]);
        let error = listed.take_error(b"a").unwrap().to_string();
        assert_eq!(error, "cannot read the listing of \"a\": \"junk\" and 1 more lines");
        assert!(listed.take_error(b"a").is_none());
    }

    #[test]
    fn a_listing_of_more_than_there_can_be_is_given_up() {
        let mut connection = Script::serve(|server| {
            let data = server.expect_passive();
            server.expect("MLSD", "150 here");
            let lines = (0..=MOST_LISTED).map(|number| format!("type=file; {number:x}\n"));
            data.give(lines.collect::<String>().as_bytes());
            server.say("226 done");
        });
        assert!(matches!(list_dir(&mut connection, None), Err(Error::Endless)));
        assert!(!connection.is_lost());
    }

    #[test]
    fn names_of_nlst_may_stand_behind_their_directory() {
        let dir = Name::new("d/e").unwrap();
        for (line, name) in [
            ("a", Some("a")),
            ("d/e/a", Some("a")),
            ("d/e/a/b", None),
            ("/etc/passwd", None),
            ("d/e/..", None),
            ("", None),
        ] {
            let found = name_in(line.as_bytes(), Some(&dir));
            assert_eq!(found, name.map(str::as_bytes), "{line}");
        }
        assert_eq!(name_in(b"/a", Name::new("/").as_ref()), Some(&b"a"[..]));
        assert_eq!(name_in(b"a", None), Some(&b"a"[..]));
    }

    #[test]
    fn a_pattern_is_found_by_nlst_where_no_listing_can_be_read() {
        let mut connection = Script::serve(|server| {
            let _unused = server.expect_passive();
            server.expect("MLSD", "500 what?");
            for (command, text) in [("LIST -a", "a.c, 7 bytes\r\n"), ("NLST", "a.c\r\na.h\r\n")] {
                let data = server.expect_passive();
                server.expect(command, "150 here");
                data.give(text.as_bytes());
                server.say("226 done");
            }
        });
        let expanded = expand(&mut connection, &Name::new("*.c").unwrap()).unwrap();
        assert!(expanded.unread.is_empty());
        let paths: Vec<&[u8]> = expanded.found.iter().map(|found| found.path.as_bytes()).collect();
        assert_eq!(paths, [b"a.c"]);
    }

    #[test]
    fn a_directory_that_list_cannot_name_is_gone_to() {
        for (dir, blank) in [("a", true), ("[a]", false), ("-a", false)] {
            let mut connection = Script::serve(move |server| {
                let _unused = server.expect_passive();
                server.expect(&format!("MLSD {dir}"), "500 what?");
                if blank {
                    for command in ["LIST -a a", "LIST a"] {
                        let _empty = server.expect_passive();
                        server.expect(command, "150 here");
                        server.say("226 done");
                    }
                }
                server.expect("PWD", "257 \"/here\"");
                if blank {
                    server.expect("CWD a", "550 none");
                    return;
                }
                server.expect(&format!("CWD {dir}"), "250 ok");
                let data = server.expect_passive();
                server.expect("LIST -a", "150 here");
                data.give(b"-rw-r--r-- 1 a b 7 Jan  1  2020 c\r\n");
                server.say("226 done");
                server.expect("CWD /here", "250 ok");
            });
            let name = Name::new("a").unwrap();
            let place = connection.identity_of(&name);
            let listed = list_dir(&mut connection, Name::new(dir).as_ref());
            assert_eq!(listed.is_err(), blank, "{dir}");
            assert_eq!(connection.identity_of(&name), place);
        }
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
