//! Completion by Tab: commands, options, remote names and local names.
//!
//! Remote names come from LIST, which every server has, and are cached for each directory. A command that
//! changes remote names [clears](Completer::forget) the cache.

use super::commands::{Kind, Operand, Row};
use super::lexer::{self, Unfinished};
use super::session::Session;
use crate::args::Flag;
use crate::client::editor::Completion;
use crate::client::error::Error;
use crate::client::name::parse_name;
use crate::client::remote_listing::BoundedText;
use crate::protocol::Name;
use crate::protocol::listing::{Entry, Kind as What, read_list};
use crate::sys::{name_bytes, os_string};
use crate::text::shown;
use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant, SystemTime};

/// The time for which a listing is cached.
const FRESH: Duration = Duration::from_secs(60);
/// The bytes of a listing that are read; names after them are not completed.
const LONGEST_LISTING: usize = 4 << 20;
/// The number of choices that are shown.
const MOST_CHOICES: usize = 200;
/// The number of cached listings.
const MOST_LISTINGS: usize = 32;

/// A possible completion of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    word: Vec<u8>,
    /// The text that is shown in the list of choices.
    label: Vec<u8>,
    /// The word is complete: it is not a directory.
    whole: bool,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    name: Vec<u8>,
    is_dir: bool,
}

/// Completes words, with a cache of remote listings.
#[derive(Default)]
pub(super) struct Completer {
    listings: HashMap<Vec<u8>, (Instant, Vec<Item>)>,
}

impl Completer {
    /// Clears the cache of remote names, because they may have changed.
    pub(super) fn forget(&mut self) {
        self.listings.clear();
    }

    /// Completes the last word of `line`.
    pub(super) fn complete(&mut self, session: &mut Session, line: &[u8]) -> Completion {
        let Some(typed) = lexer::unfinished(line) else { return unchanged(line) };
        let mut found = self.candidates(session, &typed);
        found.sort_by(|a, b| a.word.cmp(&b.word));
        found.dedup();
        completion(line, &typed, &found)
    }

    fn candidates(&mut self, session: &mut Session, typed: &Unfinished) -> Vec<Candidate> {
        match place(typed) {
            Place::Words(words) => whole(words.into_iter(), &typed.word),
            Place::Command => commands(&typed.word),
            Place::Names(kind @ (Kind::Local | Kind::LocalDir)) => local_names(&typed.word, kind),
            Place::Names(kind) => self.remote_names(session, &typed.word, kind),
        }
    }

    fn remote_names(&mut self, session: &mut Session, word: &[u8], kind: Kind) -> Vec<Candidate> {
        let (dir, _) = split(word);
        let items = match self.listings.get(dir) {
            Some((since, items)) if since.elapsed() < FRESH => items.clone(),
            _ => {
                // A directory that cannot be listed has no candidates.
                let Ok(items) = listing(session, dir) else { return Vec::new() };
                if self.listings.len() >= MOST_LISTINGS {
                    self.listings.clear();
                }
                self.listings.insert(dir.to_vec(), (Instant::now(), items.clone()));
                items
            }
        };
        matching(word, items, kind)
    }
}

/// The kinds of words that can be completed at the cursor.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// One of these words.
    Words(Vec<String>),
    /// A command of the shell.
    Command,
    /// A remote or local name.
    Names(Kind),
}

/// Determines the kind of the unfinished word from the row of its command.
fn place(typed: &Unfinished) -> Place {
    let Some((command, words)) = typed.before.split_first() else { return Place::Command };
    // `!ls` is the command `!` and the first word of its operand.
    let command = if command.starts_with(b"!") { b"!" } else { command.as_slice() };
    let Ok(row) = Row::find(command) else { return Place::Words(Vec::new()) };
    if typed.word.starts_with(b"-") && !words.contains(&b"--".to_vec()) {
        return Place::Words(row.options().iter().flat_map(Flag::spellings).collect());
    }
    // The words before it end in an option that needs a value, or are invalid.
    let Ok(call) = row.call(words) else { return Place::Words(Vec::new()) };
    match row.operand(call.count()).map_or(Kind::Text, Operand::kind) {
        Kind::Text => Place::Words(Vec::new()),
        Kind::Words(words) => Place::Words(words.iter().map(|word| (*word).to_owned()).collect()),
        Kind::Command => Place::Command,
        kind @ (Kind::Local | Kind::LocalDir | Kind::Remote | Kind::RemoteDir) => {
            Place::Names(kind)
        }
    }
}

fn unchanged(line: &[u8]) -> Completion {
    Completion { start: line.len(), ..Completion::default() }
}

/// Completes the word as far as all candidates agree, and lists them.
fn completion(line: &[u8], typed: &Unfinished, found: &[Candidate]) -> Completion {
    let Some(first) = found.first() else { return unchanged(line) };
    let (start, quotes) = (typed.start, typed.quotes);
    if let [only] = found {
        let mut word = lexer::quoted(&only.word, quotes);
        if only.whole {
            word.extend_from_slice(lexer::closing(quotes));
            word.push(b' ');
        }
        return Completion { start, word, choices: Vec::new() };
    }
    let length = found.iter().map(|other| common(&first.word, &other.word)).min().unwrap_or(0);
    let word = at_boundary(&first.word, length);
    let word = match word.len() > typed.word.len() {
        true => lexer::quoted(word, quotes),
        // Keep the typed text and its quotes.
        false => line[start..].to_vec(),
    };
    let mut choices: Vec<String> =
        found.iter().take(MOST_CHOICES).map(|candidate| shown(&candidate.label)).collect();
    if let Some(more @ 1..) = found.len().checked_sub(MOST_CHOICES) {
        choices.push(format!("… {more} more"));
    }
    Completion { start, word, choices }
}

fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Returns the first `length` bytes, without an incomplete character at their end.
fn at_boundary(word: &[u8], length: usize) -> &[u8] {
    let word = &word[..length];
    match word.utf8_chunks().last() {
        Some(chunk)
            if std::str::from_utf8(chunk.invalid()).is_err_and(|e| e.error_len().is_none()) =>
        {
            &word[..length - chunk.invalid().len()]
        }
        _ => word,
    }
}

fn commands(word: &[u8]) -> Vec<Candidate> {
    let begun = String::from_utf8_lossy(word).to_lowercase();
    let mut found = whole(Row::names_of_all().map(str::to_owned), begun.as_bytes());
    // `RET` becomes `RETRIEVE`, and `ret` `retrieve`.
    if word.iter().any(u8::is_ascii_uppercase) && !word.iter().any(u8::is_ascii_lowercase) {
        for candidate in &mut found {
            candidate.word.make_ascii_uppercase();
            candidate.label.make_ascii_uppercase();
        }
    }
    found
}

/// Returns the words that begin with `begun` as complete candidates.
fn whole(words: impl Iterator<Item = String>, begun: &[u8]) -> Vec<Candidate> {
    let words = words.map(String::into_bytes).filter(|word| word.starts_with(begun));
    words.map(|word| Candidate { label: word.clone(), word, whole: true }).collect()
}

/// Splits a path after its last slash.
fn split(word: &[u8]) -> (&[u8], &[u8]) {
    let after = word.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    word.split_at(after)
}

/// Returns the items of a directory that begin with the last part of `word`.
fn matching(word: &[u8], items: Vec<Item>, kind: Kind) -> Vec<Candidate> {
    let (dir, begun) = split(word);
    let dirs_only = matches!(kind, Kind::RemoteDir | Kind::LocalDir);
    let fits = |item: &Item| {
        let hidden = item.name.starts_with(b".") && !begun.starts_with(b".");
        item.name.starts_with(begun) && !hidden && (item.is_dir || !dirs_only)
    };
    let candidate = |item: Item| {
        let end: &[u8] = if item.is_dir { b"/" } else { b"" };
        let label = [&item.name, end].concat();
        Candidate { word: [dir, &label].concat(), label, whole: !item.is_dir }
    };
    items.into_iter().filter(fits).map(candidate).collect()
}

fn local_names(word: &[u8], kind: Kind) -> Vec<Candidate> {
    let (dir, _) = split(word);
    let dir = if dir.is_empty() { b"." } else { dir };
    let entries = os_string(dir).and_then(|dir| fs::read_dir(dir).ok());
    let item = |entry: fs::DirEntry| {
        // Links are followed.
        let is_dir = fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir());
        Item { name: name_bytes(&entry.file_name()).into_owned(), is_dir }
    };
    matching(word, entries.into_iter().flatten().flatten().map(item).collect(), kind)
}

fn listing(session: &mut Session, dir: &[u8]) -> Result<Vec<Item>, Error> {
    let path = match dir {
        b"" => None,
        // A server that runs `ls` would take the name as an option.
        _ if dir.starts_with(b"-") => Some(parse_name(&[b"./", dir].concat())?),
        _ => Some(parse_name(dir)?),
    };
    Ok(items(&fetch(session, path)?))
}

fn fetch(session: &mut Session, path: Option<Name>) -> Result<Vec<u8>, Error> {
    let mut text = BoundedText::new(LONGEST_LISTING);
    session.connection()?.list(path)?.receive(&mut text, |_| ())?;
    Ok(text.into_bytes())
}

fn items(text: &[u8]) -> Vec<Item> {
    let item = |entry: Entry| {
        let plain = !entry.name.iter().any(u8::is_ascii_control);
        plain.then(|| Item { is_dir: is_dir(&entry), name: entry.name })
    };
    read_list(text, SystemTime::now()).flatten().filter_map(item).collect()
}

fn is_dir(entry: &Entry) -> bool {
    matches!(entry.kind, What::Dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &[u8] = b"total 3\r\n\
        drwxr-xr-x   2 0  0      0 Jan  2 03:04 pub\r\n\
        -rw-r--r--   1 0  0      0 Jan  2 03:04 a file.txt\r\n\
        -rw-r--r--   1 0  0      0 Jan  2 03:04 a file.zip\r\n\
        a file.that cannot be read\r\n\
        -rw-r--r--   1 0  0      0 Jan  2 03:04 a file.of/another directory\r\n\
        -rw-r--r--   1 0  0      0 Jan  2 03:04 .hidden\r\n";

    fn completed(line: &str, kind: Kind) -> (String, Vec<String>) {
        let typed = lexer::unfinished(line.as_bytes()).unwrap();
        let found = matching(&typed.word, items(LISTING), kind);
        let completion = completion(line.as_bytes(), &typed, &found);
        let word = String::from_utf8(completion.word).unwrap();
        (format!("{}{word}", &line[..completion.start]), completion.choices)
    }

    fn line(line: &str) -> String {
        completed(line, Kind::Remote).0
    }

    #[test]
    fn names_are_completed_with_the_quotes_they_need() {
        assert_eq!(line("get a"), "get a\\ file.");
        assert_eq!(line("get \"a"), "get \"a file.");
        assert_eq!(line("get \"a file.t"), "get \"a file.txt\" ");
        assert_eq!(line("get a\\ file.z"), "get a\\ file.zip ");
        assert_eq!(line("get p"), "get pub/");
        assert_eq!(line("get x"), "get x");
        assert_eq!(line("get dir/p"), "get dir/pub/");
    }

    #[test]
    fn choices_are_names_and_hidden_ones_wait_for_a_dot() {
        assert_eq!(completed("get ", Kind::Remote).1, ["pub/", "a file.txt", "a file.zip"]);
        assert_eq!(completed("cd ", Kind::RemoteDir).0, "cd pub/");
        assert_eq!(line("get ."), "get .hidden ");
    }

    #[test]
    fn commands_are_completed() {
        for (begun, word) in [("LPW", "LPWD"), ("lpw", "lpwd"), ("Lpw", "lpwd")] {
            let found = commands(begun.as_bytes());
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].word, word.as_bytes(), "{begun}");
        }
    }

    #[test]
    fn the_row_of_the_command_determines_the_completion() {
        let place = |line: &str| place(&lexer::unfinished(line.as_bytes()).unwrap());
        let nothing = || Place::Words(Vec::new());
        assert_eq!(place("ge"), Place::Command);
        assert_eq!(place("help re"), Place::Command);
        assert_eq!(place("get "), Place::Names(Kind::Remote));
        assert_eq!(place("GET a "), Place::Names(Kind::Local));
        assert_eq!(place("get a b "), nothing());
        assert_eq!(place("mget a b "), Place::Names(Kind::Remote));
        assert_eq!(place("ls -la "), Place::Names(Kind::Remote));
        assert_eq!(place("!ls "), Place::Names(Kind::Local));
        assert_eq!(place("bell o"), Place::Words(vec!["on".into(), "off".into()]));
        assert_eq!(place("pget -"), Place::Words(vec!["-n".into()]));
        assert_eq!(place("pget -n "), nothing());
        assert_eq!(place("pget -n 4 "), Place::Names(Kind::Remote));
        assert_eq!(place("mirror -R --delete a "), Place::Names(Kind::LocalDir));
        assert_eq!(place("mirror -- -"), Place::Names(Kind::RemoteDir));
        assert_eq!(place("nosuch "), nothing());
    }

    #[test]
    fn a_character_is_not_split() {
        assert_eq!(at_boundary("aü".as_bytes(), 2), b"a");
        assert_eq!(at_boundary("aü".as_bytes(), 3), "aü".as_bytes());
        assert_eq!(at_boundary(b"a\xff", 2), b"a\xff");
    }
}
