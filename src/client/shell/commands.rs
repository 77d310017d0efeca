//! The commands of the shell: one table that parsing, HELP and dispatch read.

pub(super) mod get_put;
mod help;
mod local;
mod login;
mod macros;
mod mget_mput;
mod mirror;
mod operands;
mod print;
mod programs;
mod remote;
mod settings;
mod tree_listing;
mod unsupported;

use super::session::Session;
use crate::args::{Typed, nearest};
use crate::client::error::Error;
use crate::client::escape::shown;
use crate::client::output::print_lines;
use operands::optional;
use std::ops::RangeInclusive;
use std::path::Path;

/// A command of the shell.
pub(in crate::client) struct Row {
    /// Its name, then others it answers to; lower case.
    names: &'static [&'static str],
    /// What follows the name, as HELP shows it.
    operands: &'static str,
    /// How many words that may be.
    count: RangeInclusive<usize>,
    /// What it does, in one line.
    help: &'static str,
    /// One use of it.
    example: &'static str,
    /// What each of them names, for completion; the last stands for all that follow.
    takes: &'static [Kind],
    run: fn(&mut Session, &[Vec<u8>]) -> Result<(), Error>,
}

/// What an operand names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything on the server.
    Remote,
    /// A directory on the server.
    RemoteDir,
    /// Anything here.
    Local,
    /// A directory here.
    LocalDir,
    /// A command of this table.
    Command,
}

const NOTHING: &[Kind] = &[];
const REMOTE: &[Kind] = &[Kind::Remote];
const REMOTE_DIR: &[Kind] = &[Kind::RemoteDir];
const LOCAL: &[Kind] = &[Kind::Local];
const LOCAL_DIR: &[Kind] = &[Kind::LocalDir];

/// Commands after which a remote listing is as good as before.
const LEAVE_NAMES: &[&str] = &[
    "ascii", "bell", "binary", "case", "cat", "chmod", "cr", "du", "features", "find", "glob",
    "hash", "help", "lcd", "list", "lls", "lmkdir", "lpwd", "macdef", "mget", "mode", "modtime",
    "more", "newer", "nlist", "passive", "pget", "prompt", "pwd", "reget", "retrieve", "rhelp",
    "rstatus", "runique", "size", "status", "reset", "system", "type", "verbose", "!",
];

const ANY: usize = usize::MAX;

#[rustfmt::skip]
static TABLE: &[Row] = &[
    Row { names: &["connect", "open"], operands: "[OPTIONS] HOST [PORT]", count: 1..=6, run: login::connect,
        help: "connect, to port 21 unless told, and log in", example: "CONNECT localhost 1026",
        takes: NOTHING },
    Row { names: &["list", "ls", "dir"], operands: "[-OPTS] [PATH [LOCAL]]", count: 0..=ANY, run: print::list,
        help: "print the listing of a directory", example: "LIST pub",
        takes: &[Kind::Remote, Kind::Local] },
    Row { names: &["retrieve", "get", "recv"], operands: "FILE [LOCAL]", count: 1..=2, run: get_put::retrieve,
        help: "fetch a file; - prints it", example: "RETRIEVE \"my file.txt\" copy.txt",
        takes: &[Kind::Remote, Kind::Local] },
    Row { names: &["store", "put", "send"], operands: "FILE [REMOTE]", count: 1..=2, run: get_put::store,
        help: "send a file; - is standard input", example: "STORE report.pdf pub/",
        takes: &[Kind::Local, Kind::Remote] },
    Row { names: &["reget"], operands: "FILE [LOCAL]", count: 1..=2, run: get_put::reget,
        help: "fetch the rest of a file", example: "REGET big.iso",
        takes: &[Kind::Remote, Kind::Local] },
    Row { names: &["newer"], operands: "FILE [LOCAL]", count: 1..=2, run: get_put::newer,
        help: "fetch a file that is newer than the local one", example: "NEWER report.pdf",
        takes: &[Kind::Remote, Kind::Local] },
    Row { names: &["reput"], operands: "FILE [REMOTE]", count: 1..=2, run: get_put::reput,
        help: "send the rest of a file", example: "REPUT big.iso",
        takes: &[Kind::Local, Kind::Remote] },
    Row { names: &["append"], operands: "FILE [REMOTE]", count: 1..=2, run: get_put::append,
        help: "send a file to the end of a remote one", example: "APPEND today.log all.log",
        takes: &[Kind::Local, Kind::Remote] },
    Row { names: &["mget"], operands: "PATTERNS", count: 1..=ANY, run: mget_mput::mget,
        help: "fetch all files that match", example: "MGET *.txt",
        takes: REMOTE },
    Row { names: &["mput"], operands: "PATTERNS", count: 1..=ANY, run: mget_mput::mput,
        help: "send all files that match", example: "MPUT *.txt",
        takes: LOCAL },
    Row { names: &["pget"], operands: "[-n N] FILE [LOCAL]", count: 1..=4, run: get_put::pget,
        help: "fetch a file over several connections", example: "PGET -n 8 big.iso",
        takes: REMOTE },
    Row { names: &["mirror"], operands: "[OPTIONS] [FROM [TO]]", count: 0..=ANY,
        run: mirror::mirror, help: "make a directory what another one is", example: "MIRROR pub",
        takes: &[Kind::RemoteDir, Kind::LocalDir] },
    Row { names: &["du"], operands: "[DIR]", count: 0..=1, run: tree_listing::du,
        help: "print how many bytes are below each directory", example: "DU pub",
        takes: REMOTE_DIR },
    Row { names: &["find"], operands: "[DIR]", count: 0..=1, run: tree_listing::find,
        help: "print every path below a remote directory", example: "FIND pub",
        takes: REMOTE_DIR },
    Row { names: &["quit", "bye", "exit"], operands: "", count: 0..=0, run: login::quit,
        help: "close the connection and leave", example: "QUIT",
        takes: NOTHING },
    Row { names: &["user"], operands: "NAME [PASSWORD [ACCT]]", count: 1..=3, run: login::user,
        help: "log in as somebody else", example: "USER alice",
        takes: NOTHING },
    Row { names: &["account"], operands: "[ACCOUNT]", count: 0..=1, run: login::account,
        help: "name an account, where a server wants one", example: "ACCOUNT",
        takes: NOTHING },
    Row { names: &["close", "disconnect"], operands: "", count: 0..=0, run: login::close,
        help: "close the connection and stay here", example: "CLOSE",
        takes: NOTHING },
    Row { names: &["pwd"], operands: "", count: 0..=0, run: remote::pwd,
        help: "print the remote directory", example: "PWD",
        takes: NOTHING },
    Row { names: &["cd"], operands: "[DIR]", count: 0..=1, run: remote::cd,
        help: "change the remote directory; - goes back", example: "CD pub",
        takes: REMOTE_DIR },
    Row { names: &["cdup"], operands: "", count: 0..=0, run: remote::cdup,
        help: "change to the remote directory above", example: "CDUP",
        takes: NOTHING },
    Row { names: &["lcd"], operands: "[DIR]", count: 0..=1, run: local::lcd,
        help: "change the local directory; alone: to HOME", example: "LCD /tmp",
        takes: LOCAL_DIR },
    Row { names: &["lpwd"], operands: "", count: 0..=0, run: local::lpwd,
        help: "print the local directory", example: "LPWD",
        takes: NOTHING },
    Row { names: &["lls"], operands: "[PATH]", count: 0..=1, run: local::lls,
        help: "print the listing of a local directory", example: "LLS /tmp",
        takes: LOCAL },
    Row { names: &["lmkdir"], operands: "DIR", count: 1..=1, run: local::lmkdir,
        help: "make a local directory", example: "LMKDIR copies",
        takes: LOCAL_DIR },
    Row { names: &["nlist"], operands: "[PATH [LOCAL]]", count: 0..=ANY, run: print::nlist,
        help: "print the names in a directory", example: "NLIST pub",
        takes: &[Kind::Remote, Kind::Local] },
    Row { names: &["cat"], operands: "FILES", count: 1..=ANY, run: print::cat,
        help: "print remote files", example: "CAT README",
        takes: REMOTE },
    Row { names: &["more", "less", "page"], operands: "FILES", count: 1..=ANY, run: print::more,
        help: "show remote files with PAGER", example: "MORE README",
        takes: REMOTE },
    Row { names: &["mkdir"], operands: "[-p] DIRS", count: 1..=ANY, run: remote::mkdir,
        help: "make remote directories; -p: those above too", example: "MKDIR -p pub/new",
        takes: REMOTE_DIR },
    Row { names: &["rmdir"], operands: "DIR", count: 1..=1, run: remote::rmdir,
        help: "remove an empty remote directory", example: "RMDIR pub",
        takes: REMOTE_DIR },
    Row { names: &["delete", "rm"], operands: "FILES", count: 1..=ANY, run: remote::delete,
        help: "delete remote files", example: "DELETE old.txt",
        takes: REMOTE },
    Row { names: &["mdelete", "mrm"], operands: "PATTERNS", count: 1..=ANY, run: remote::mdelete,
        help: "delete the remote files that match", example: "MDELETE *.bak",
        takes: REMOTE },
    Row { names: &["rename", "mv"], operands: "FROM TO", count: 2..=2, run: remote::rename,
        help: "rename a remote file or directory", example: "RENAME a.txt b.txt",
        takes: REMOTE },
    Row { names: &["chmod"], operands: "MODE FILES", count: 2..=ANY, run: remote::chmod,
        help: "set the mode of remote files", example: "CHMOD 644 a.txt",
        takes: REMOTE },
    Row { names: &["size"], operands: "FILE", count: 1..=1, run: remote::size,
        help: "print the size of a remote file in bytes", example: "SIZE a.txt",
        takes: REMOTE },
    Row { names: &["modtime"], operands: "FILE", count: 1..=1, run: remote::modtime,
        help: "print when a remote file was modified", example: "MODTIME a.txt",
        takes: REMOTE },
    Row { names: &["ascii"], operands: "", count: 0..=0, run: settings::ascii,
        help: "transfer text, with the line ends of each side", example: "ASCII",
        takes: NOTHING },
    Row { names: &["binary", "image"], operands: "", count: 0..=0, run: settings::binary,
        help: "transfer files as they are, as at first", example: "BINARY",
        takes: NOTHING },
    Row { names: &["type"], operands: "[ascii|binary]", count: 0..=1, run: settings::transfer_type,
        help: "set the type of transfers, or print it", example: "TYPE binary",
        takes: NOTHING },
    Row { names: &["passive"], operands: "[on|off]", count: 0..=1, run: settings::passive,
        help: "connect to the server for data, or the reverse", example: "PASSIVE off",
        takes: NOTHING },
    Row { names: &["prompt"], operands: "[on|off]", count: 0..=1, run: settings::prompt,
        help: "ask before each of many files, or do not", example: "PROMPT off",
        takes: NOTHING },
    Row { names: &["glob"], operands: "[on|off]", count: 0..=1, run: settings::glob,
        help: "take patterns for the names that match, or not", example: "GLOB off",
        takes: NOTHING },
    Row { names: &["case"], operands: "[on|off]", count: 0..=1, run: settings::case,
        help: "fetch UPPER names under lower ones, or not", example: "CASE on",
        takes: NOTHING },
    Row { names: &["runique"], operands: "[on|off]", count: 0..=1, run: settings::runique,
        help: "number names that are taken here, or replace", example: "RUNIQUE on",
        takes: NOTHING },
    Row { names: &["cr"], operands: "[on|off]", count: 0..=1, run: settings::cr,
        help: "take CR from lines in ASCII, or leave it", example: "CR off",
        takes: NOTHING },
    Row { names: &["verbose", "debug", "trace"], operands: "[on|off]", count: 0..=1, run: settings::verbose,
        help: "show every command and reply, or do not", example: "VERBOSE on",
        takes: NOTHING },
    Row { names: &["bell"], operands: "[on|off]", count: 0..=1, run: settings::bell,
        help: "ring after each command, or do not", example: "BELL on",
        takes: NOTHING },
    Row { names: &["hash"], operands: "[on|off]", count: 0..=1, run: settings::hash,
        help: "accepted: the progress line shows more", example: "HASH",
        takes: NOTHING },
    Row { names: &["mode", "form", "struct"], operands: "[NAME]", count: 0..=1, run: settings::only,
        help: "accepted: there is stream, non-print and file", example: "MODE stream",
        takes: NOTHING },
    Row { names: &["reset", "sendport", "tick"], operands: "[on|off]", count: 0..=1, run: settings::nothing,
        help: "accepted: there is nothing to be done", example: "TICK",
        takes: NOTHING },
    Row { names: &["status"], operands: "", count: 0..=0, run: settings::status,
        help: "print where we are and what is switched on", example: "STATUS",
        takes: NOTHING },
    Row { names: &["system"], operands: "", count: 0..=0, run: remote::system,
        help: "ask what kind of system the server is", example: "SYSTEM",
        takes: NOTHING },
    Row { names: &["features"], operands: "", count: 0..=0, run: remote::features,
        help: "ask what extensions the server has", example: "FEATURES",
        takes: NOTHING },
    Row { names: &["rstatus"], operands: "[PATH]", count: 0..=1, run: remote::remote_status,
        help: "ask the server for its status", example: "RSTATUS",
        takes: REMOTE },
    Row { names: &["rhelp", "remotehelp"], operands: "[COMMAND]", count: 0..=ANY, run: remote::remote_help,
        help: "ask the server for help", example: "RHELP SITE",
        takes: NOTHING },
    Row { names: &["site"], operands: "WORDS", count: 1..=ANY, run: remote::site,
        help: "send a command that only this server has", example: "SITE HELP",
        takes: NOTHING },
    Row { names: &["umask"], operands: "[MASK]", count: 0..=1, run: remote::umask,
        help: "print or set the mask of new remote files", example: "UMASK 022",
        takes: NOTHING },
    Row { names: &["idle"], operands: "[SECONDS]", count: 0..=1, run: remote::idle,
        help: "print or set how long the server waits", example: "IDLE 600",
        takes: NOTHING },
    Row { names: &["quote", "literal"], operands: "WORDS", count: 1..=ANY, run: remote::quote,
        help: "send words to the server as they are", example: "QUOTE SITE HELP",
        takes: NOTHING },
    Row { names: &["macdef"], operands: "NAME", count: 1..=1, run: macros::define,
        help: "define a macro: lines up to a blank one", example: "MACDEF fetch",
        takes: NOTHING },
    Row { names: &["$"], operands: "MACRO [WORDS]", count: 1..=ANY, run: macros::run,
        help: "run a macro; $1 is the first word", example: "$ fetch a.txt",
        takes: NOTHING },
    Row { names: &["!"], operands: "[COMMAND]", count: 0..=ANY, run: programs::shell,
        help: "run a command here, or a shell", example: "! ls -l",
        takes: NOTHING },
    Row { names: &["help", "?"], operands: "[COMMAND]", count: 0..=1, run: help,
        help: "list the commands, or explain one", example: "HELP RETRIEVE",
        takes: &[Kind::Command] },
];

impl Row {
    /// The command that answers to `word` in any case, or the only one that begins so.
    ///
    /// # Errors
    /// [`Error::Usage`], with those that may be meant.
    pub(super) fn find(word: &[u8]) -> Result<&'static Row, Error> {
        let typed = String::from_utf8_lossy(word).to_lowercase();
        if let Some(row) = TABLE.iter().find(|row| row.names.contains(&typed.as_str())) {
            return Ok(row);
        }
        if let Some(why) = unsupported::why_refused(&typed) {
            return Err(Error::Usage(format!("not offered: {why}")));
        }
        let begun: Vec<&Row> = TABLE.iter().filter(|row| row.begins_with(&typed)).collect();
        match begun[..] {
            [only] => Ok(only),
            [] => Err(unknown(&typed)),
            _ => Err(ambiguous(&typed)),
        }
    }

    /// The command that may be meant by a word that is none.
    pub(super) fn nearest(word: &[u8]) -> Option<&'static Row> {
        let name = nearest(&String::from_utf8_lossy(word), Row::names_of_all())?;
        TABLE.iter().find(|row| row.names.contains(&name))
    }

    /// Every name that a command answers to.
    pub(super) fn names_of_all() -> impl Iterator<Item = &'static str> {
        TABLE.iter().flat_map(|row| row.names.iter().copied())
    }

    /// All of them, as the manual shows them.
    pub(in crate::client) fn for_manual() -> Vec<Typed> {
        TABLE.iter().map(Row::typed).collect()
    }

    /// Whether names on the server are the same after it, at the same places.
    pub(super) fn leaves_names(&self) -> bool {
        self.names.first().is_some_and(|name| LEAVE_NAMES.contains(name))
    }

    /// The name, as messages show it.
    pub(super) fn title(&self) -> String {
        self.names.first().copied().unwrap_or_default().to_uppercase()
    }

    /// What the operand at `index` names, if it is anything that could be completed.
    pub(super) fn takes(&self, index: usize) -> Option<Kind> {
        self.takes.get(index).or(self.takes.last()).copied().filter(|_| index < *self.count.end())
    }

    /// How many of its operands may be shown in a message; what follows may be a password.
    pub(super) fn shown_operands(&self) -> usize {
        match self.names.first() {
            Some(&"account" | &"quote" | &"site") => 0,
            _ => 1,
        }
    }

    /// Runs it.
    ///
    /// # Errors
    /// [`Error::Usage`] if the number of words is wrong, else what the command fails with.
    pub(super) fn run(&self, session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
        if !self.count.contains(&words.len()) {
            return Err(Error::Usage(format!("usage: {}", self.usage())));
        }
        (self.run)(session, words)
    }

    fn begins_with(&self, typed: &str) -> bool {
        !typed.is_empty() && self.names.iter().any(|name| name.starts_with(typed))
    }

    fn usage(&self) -> String {
        format!("{} {}", self.title(), self.operands).trim_end().to_owned()
    }
}

fn ambiguous(typed: &str) -> Error {
    let begun = Row::names_of_all().filter(|name| name.starts_with(typed));
    let mut names: Vec<String> = begun.map(str::to_uppercase).collect();
    names.sort();
    Error::Usage(format!("ambiguous command; it may be {}", names.join(", ")))
}

fn unknown(typed: &str) -> Error {
    let advice = match nearest(typed, Row::names_of_all()) {
        Some(name) => format!("did you mean {}?", name.to_uppercase()),
        None => "HELP lists them all".to_owned(),
    };
    Error::Usage(format!("unknown command; {advice}"))
}

/// A local path for messages.
fn shown_path(path: &Path) -> String {
    shown(path.as_os_str().as_encoded_bytes())
}

fn help(_: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    match optional(words, 0) {
        Some(word) => print_lines(&Row::find(word)?.explained()),
        None => print_lines(&overview()),
    }
}

fn overview() -> String {
    let width = TABLE.iter().map(|row| row.usage().len()).max().unwrap_or(0);
    TABLE.iter().map(|row| format!("{:width$}  {}\n", row.usage(), row.help)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_keeps_its_rules() {
        let names: Vec<&str> = TABLE.iter().flat_map(|row| row.names.iter().copied()).collect();
        for (index, name) in names.iter().enumerate() {
            assert!(!names[..index].contains(name), "{name} stands twice");
            assert_eq!(*name, name.to_lowercase());
        }
        for row in TABLE {
            let words = super::super::lexer::words(row.example.as_bytes()).unwrap();
            assert!(std::ptr::eq(Row::find(&words[0]).unwrap(), row), "{}", row.example);
            assert!(row.count.contains(&(words.len() - 1)), "{}", row.example);
            assert_eq!(row.operands.is_empty(), *row.count.end() == 0, "{}", row.title());
        }
        let explained = TABLE.iter().map(Row::explained).collect::<String>();
        for line in overview().lines().chain(explained.lines()) {
            assert!(line.len() < 80, "{line}");
        }
    }

    #[test]
    fn commands_answer_in_any_case_and_mistyped_ones_are_guessed() {
        assert_eq!(Row::find(b"ReTrIeVe").unwrap().title(), "RETRIEVE");
        assert_eq!(Row::find(b"GET").unwrap().title(), "RETRIEVE");
        let guess = |word: &[u8]| Row::find(word).err().map(|error| error.to_string());
        assert_eq!(guess(b"retreive").unwrap(), "unknown command; did you mean RETRIEVE?");
        assert_eq!(guess(b"\x1b\xff").unwrap(), "unknown command; HELP lists them all");
    }
}
