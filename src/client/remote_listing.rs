//! Lists remote directories with MLSD, or with LIST if the server has no MLSD.
//!
//! The size of a listing is limited. Lines that cannot be parsed are reported: with such lines the content of
//! the directory is not completely known. No name leads out of the listed directory.

use super::connection::{Connection, is_missing};
use super::error::Error;
use crate::protocol::listing::{Entry, Kind, Unreadable, read_list, read_mlsd};
use crate::protocol::pattern::{is_pattern, matches};
use crate::protocol::{Code, Command, Name, Reply};
use std::io::{self, Write};
use std::time::SystemTime;

/// The largest listing, in bytes: enough for half a million files.
const LARGEST_LISTING: usize = 64 * 1024 * 1024;

/// The largest number of entries. Each takes more memory than its line.
const MOST_LISTED: usize = 1_000_000;

/// The longest part of an unreadable line that is shown, in bytes.
const LONGEST_SHOWN: usize = 200;

/// A parsed listing.
pub(super) struct Listed {
    /// The entries, without the directory itself and its parent.
    pub(super) entries: Vec<Entry>,
    /// Times are in UTC with a precision of a second, as MLSD guarantees.
    pub(super) exact: bool,
    /// The lines that could not be parsed, if there are any.
    unread: Option<Unread>,
}

/// The lines of a listing that could not be parsed.
struct Unread {
    /// The first line, or its beginning.
    line: Vec<u8>,
    /// The number of further lines.
    more: usize,
}

/// Lists a directory, by default the current one. If a server refuses MLSD, with any code, but lists the
/// directory with LIST, MLSD is not sent again.
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
        // The refusal of MLSD is the better error, unless the server does not know MLSD.
        (Err(Error::Refused(_)), Some(reply)) if !is_missing(&reply) => {
            return Err(Error::Refused(reply));
        }
        (listed, _) => listed?,
    };
    connection.capabilities().mlsd &= !is_refused;
    Listed::read(read_list(&text, SystemTime::now()), false)
}

/// Lists a path: a directory, or one file.
pub(super) fn list_path(connection: &mut Connection, path: Option<&Name>) -> Result<Listed, Error> {
    let Some(path) = path else { return list_dir(connection, None) };
    // With MLST a file is described directly, without trying to list it as a directory.
    if connection.has_feature(b"MLST")?
        && let Some(entry) = described_file(connection, path)?
    {
        return Ok(Listed::of(vec![entry], true));
    }
    list_dir(connection, Some(path))
}

/// Returns the entry of a file from MLST (RFC 3659 section 7); `None` if it is a directory, or if the reply
/// cannot be parsed.
fn described_file(connection: &mut Connection, path: &Name) -> Result<Option<Entry>, Error> {
    let reply = match connection.call(&Command::Mlst(Some(path.clone()))) {
        Err(Error::Refused(_)) => return Ok(None),
        reply => reply?,
    };
    let entry = reply.body().iter().find_map(|line| Entry::parse_mlsx(line.trim_ascii_start()));
    let is_dir = |kind: &Kind| matches!(kind, Kind::Dir | Kind::CurrentDir | Kind::ParentDir);
    Ok(entry.filter(|entry| !is_dir(&entry.kind)).map(|entry| {
        // Some servers return the absolute path, others the path of the command.
        Entry { name: path.as_bytes().to_vec(), ..entry }
    }))
}

/// Returns whether LIST may be tried after this refusal of MLSD. It may not if the cause is the data
/// connection or missing permissions: some servers answer LIST of an unreadable directory with an empty
/// listing.
fn may_list_otherwise(reply: &Reply) -> bool {
    !reply.code().is_about_connections() && !is_about_rights(reply)
}

/// Returns whether the text of a refusal of LIST means an empty directory or no match.
fn means_no_files(reply: &Reply) -> bool {
    const WORDS: &[&str] =
        &["no file", "no such", "not found", "no match", "no member", "no data", "exist", "empty"];
    matches!(reply.code(), Code::FILE_BUSY | Code::UNAVAILABLE) && says(reply, WORDS)
}

/// Returns whether the text of a refusal means missing permissions.
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

/// Lists a directory with LIST, with hidden files, which need `-a`. A server that does not know the option
/// takes it as a name, and lists nothing.
///
/// Some names of directories cannot be used in LIST: vsftpd interprets them as patterns or options, and lists
/// nothing if there is no match. In these cases the client changes to the directory first.
fn list_for_people(connection: &mut Connection, dir: Option<&Name>) -> Result<Vec<u8>, Error> {
    let Some(dir) = dir else { return list_here(connection) };
    if is_pattern(dir.as_bytes()) || dir.as_bytes().starts_with(b"-") {
        return connection.in_dir(dir, list_here);
    }
    match list_with_hidden(connection, Some(dir)) {
        Ok(text) if !is_blank(&text) => Ok(text),
        Err(Error::Refused(reply)) if !means_no_files(&reply) => Err(Error::Refused(reply)),
        Ok(_) | Err(Error::Refused(_)) => connection.in_dir(dir, list_here),
        Err(error) => Err(error),
    }
}

/// Lists the current directory with LIST. The directory exists, so a 450 or 550 whose text means "no files" is
/// an empty listing.
fn list_here(connection: &mut Connection) -> Result<Vec<u8>, Error> {
    match list_with_hidden(connection, None) {
        Err(Error::Refused(reply)) if means_no_files(&reply) => Ok(Vec::new()),
        listed => listed,
    }
}

/// Returns whether a refused listing means an empty directory: the text of the reply means "no files", and
/// CWD succeeds.
pub(super) fn is_empty_dir(
    connection: &mut Connection,
    dir: Option<&Name>,
    refusal: &Reply,
) -> Result<bool, Error> {
    let Some(dir) = dir.filter(|_| means_no_files(refusal)) else {
        return Ok(means_no_files(refusal));
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
    /// Collects the lines of a listing, at most [`MOST_LISTED`].
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

    /// Takes the error with the lines that could not be parsed. If there is one, the directory may have more
    /// entries.
    pub(super) fn take_error(&mut self, dir: &[u8]) -> Option<Error> {
        let Unread { line, more } = self.unread.take()?;
        Some(Error::BadListing { dir: dir.to_vec(), line, more })
    }

    /// Returns true if no line of a LIST could be parsed, so that its format is unknown.
    fn is_of_unknown_form(&self) -> bool {
        self.entries.is_empty() && self.unread.is_some() && !self.exact
    }

    fn of(mut entries: Vec<Entry>, exact: bool) -> Listed {
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        // Entries of the same name cannot be distinguished.
        entries.dedup_by(|one, other| one.name == other.name);
        Listed { entries, exact, unread: None }
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Fetches a listing. If it fails and a command was pipelined behind it, it is fetched again without
/// pipelining.
fn lines(connection: &mut Connection, command: &Command) -> Result<Vec<u8>, Error> {
    // The previous listing may have succeeded but lost its pipelined command.
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

/// A buffer for a listing, with a limit.
pub(super) struct BoundedText {
    text: Vec<u8>,
    limit: usize,
}

impl BoundedText {
    /// Creates a buffer for at most `limit` bytes.
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
            return Err(io::Error::other("the listing is too large"));
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that matches a pattern.
pub(super) struct Found {
    pub(super) path: Name,
    pub(super) entry: Entry,
    pub(super) exact: bool,
}

impl Found {
    /// Creates a file without known facts.
    pub(super) fn named(path: Name) -> Found {
        let entry = Entry::new(path.as_bytes(), Kind::File);
        Found { path, entry, exact: false }
    }
}

/// Lists a directory, by NLST if its listing cannot be parsed. All names of NLST are treated as files.
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

/// Returns the name in a line of NLST. Some servers put the directory before it.
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

/// The files that match a pattern, and errors that may have hidden further matches.
#[derive(Default)]
pub(super) struct Expanded {
    pub(super) found: Vec<Found>,
    /// The errors of incomplete listings and of names that cannot be sent.
    pub(super) unread: Vec<Error>,
}

/// Returns the files that match a pattern. A name without wildcards matches itself.
pub(super) fn expand(connection: &mut Connection, pattern: &Name) -> Result<Expanded, Error> {
    expand_to(connection, pattern, |kind| matches!(kind, Kind::File | Kind::Link(_)))
}

/// Returns the files and directories that match a pattern.
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
    let (above, last) = split_last(pattern.as_bytes());
    let Expanded { found, unread } = &mut expanded;
    for dir in directories(connection, above, unread)? {
        let mut listed = list_files(connection, place(&dir).as_ref())?;
        unread.extend(listed.take_error(&dir));
        let Listed { entries, exact, .. } = listed;
        let files = entries
            .into_iter()
            .filter(|entry| is_wanted(&entry.kind) && matches_visible(last, &entry.name));
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

/// Returns the directories that match a path, which is empty or ends in `/`.
fn directories(
    connection: &mut Connection,
    path: &[u8],
    unread: &mut Vec<Error>,
) -> Result<Vec<Vec<u8>>, Error> {
    if !is_pattern(path) {
        return Ok(vec![path.to_vec()]);
    }
    let (above, last) = split_last(path.strip_suffix(b"/").unwrap_or(path));
    let mut found = Vec::new();
    for dir in directories(connection, above, unread)? {
        let mut listed = list_dir(connection, place(&dir).as_ref())?;
        unread.extend(listed.take_error(&dir));
        let Listed { entries, .. } = listed;
        let dirs = entries.iter().filter(|entry| entry.kind == Kind::Dir);
        let dirs = dirs.filter(|entry| matches_visible(last, &entry.name));
        found.extend(dirs.map(|entry| [&dir, &entry.name[..], b"/"].concat()));
        check_end(found.len())?;
    }
    Ok(found)
}

/// Splits a path before its last part.
fn split_last(path: &[u8]) -> (&[u8], &[u8]) {
    path.split_at(path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1))
}

/// Returns the name of a directory without its final `/`; `None` for the current directory.
fn place(dir: &[u8]) -> Option<Name> {
    Name::new(if dir.len() > 1 { &dir[..dir.len() - 1] } else { dir })
}

/// Returns whether a name matches a pattern. Hidden names match only patterns that begin with a dot, as in a
/// shell.
fn matches_visible(pattern: &[u8], name: &[u8]) -> bool {
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
    fn a_listing_beyond_the_limit_is_an_error() {
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
    fn nlst_may_put_the_directory_before_the_name() {
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
    fn patterns_are_matched_by_nlst_if_no_listing_can_be_parsed() {
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
    fn a_directory_whose_name_list_cannot_use_is_entered_first() {
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
    fn without_mlsd_list_is_used_and_mlsd_is_not_sent_again() {
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
