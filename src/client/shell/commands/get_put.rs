//! Commands that transfer one file: RETRIEVE, REGET, NEWER, PGET, STORE, REPUT and APPEND.
//!
//! A command builds one [`Download`] or [`Upload`], which runs with retries and returns one
//! [`TransferOutcome`]. The outcome is reported here: a message, a JSON object, and the error that sets the
//! exit status.

use super::operands::{Operand, operand, optional};
use super::refusal;
use super::row::Row;
use crate::args::{self, Flag, Parsed};
use crate::client::error::{Error, ErrorClass};
use crate::client::local;
use crate::client::name::parse_name;
use crate::client::options::MOST_CONNECTIONS;
use crate::client::output::json::Action;
use crate::client::output::progress::Progress;
use crate::client::output::{self, Listing, Messages};
use crate::client::shell::input::Input;
use crate::client::shell::lexer::{Quotes, quoted};
use crate::client::shell::session::Session;
use crate::client::transfer::TransferSettings;
use crate::client::transfer::compare::RemoteFacts;
use crate::client::transfer::download::{ContinuedFile, Download, fetch_to_stream};
use crate::client::transfer::outcome::TransferOutcome;
use crate::client::transfer::retry::{Meter, RetryNotes};
use crate::client::transfer::upload::{Upload, UploadMode};
use crate::protocol::Name;
use crate::text::shown;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) const ROWS: &[Row] = &[
    Row::with_options(
        &["retrieve", "get", "recv"],
        "fetch a file; LOCAL - prints it",
        &[
            Flag::letter_switch('c', "continue a partial local file, like REGET"),
            Flag::letter_option('o', "LOCAL", "the local name"),
        ],
        retrieve,
    )
    .operands(&[REMOTE_FILE, TO_LOCAL])
    .example("RETRIEVE \"my file.txt\" copy.txt")
    .names_target("as")
    .keeps_remote_names(),
    Row::with_options(
        &["store", "put", "send"],
        "send a file; FILE - sends standard input",
        &[
            Flag::letter_switch('c', "continue a partial remote file, like REPUT"),
            Flag::letter_option('o', "REMOTE", "the remote name"),
        ],
        store,
    )
    .operands(&[LOCAL_FILE, TO_REMOTE])
    .example("STORE report.pdf pub/")
    .names_target("as"),
    Row::new(&["reget"], "fetch the rest of a partial local file", reget)
        .operands(&[REMOTE_FILE, TO_LOCAL])
        .example("REGET big.iso")
        .names_target("as")
        .keeps_remote_names(),
    Row::new(&["newer"], "fetch a file if it is newer than the local one", newer)
        .operands(&[REMOTE_FILE, TO_LOCAL])
        .example("NEWER report.pdf")
        .names_target("as")
        .keeps_remote_names(),
    Row::new(&["reput"], "send the rest of a partial remote file", reput)
        .operands(&[LOCAL_FILE, TO_REMOTE])
        .example("REPUT big.iso")
        .names_target("as"),
    Row::new(&["append"], "append a local file to a remote one", append)
        .operands(&[LOCAL_FILE, TO_REMOTE])
        .example("APPEND today.log all.log")
        .names_target("to"),
    Row::with_options(
        &["pget"],
        "fetch one file over several connections",
        &[Flag::letter_option('n', "N", "number of connections, instead of ftp_client's -j")],
        pget,
    )
    .operands(&[REMOTE_FILE, TO_LOCAL])
    .example("PGET -n 8 big.iso")
    .names_target("as")
    .keeps_remote_names(),
    Row::unsupported(
        &["restart"],
        "interrupted transfers resume automatically; REGET and REPUT continue others",
    ),
    Row::unsupported(
        &["sunique"],
        "the server would choose the name, so the result could not be verified; use STORE FILE NAME",
    ),
];

const REMOTE_FILE: Operand = Operand::remote("FILE").literal("mget");

const LOCAL_FILE: Operand = Operand::local("FILE").literal("mput");

const TO_LOCAL: Operand = Operand::local("LOCAL")
    .help(
        "the local name, by default the last part of FILE. In a directory the file keeps its name",
    )
    .optional();

const TO_REMOTE: Operand = Operand::remote("REMOTE")
    .help(
        "the remote name, by default the last part of FILE. In a directory, also one that is named \
         with a / at its end, the file keeps its name",
    )
    .optional();

/// The file name that means standard input or output.
const STANDARD: &[u8] = b"-";

fn retrieve(session: &mut Session, options: &Parsed, words: &[Vec<u8>]) -> Result<(), Error> {
    let file = parse_name(operand(words, 0))?;
    let continued =
        if options.switch("c") { ContinuedFile::Target } else { ContinuedFile::Partial };
    fetch(session, &file, other_name(options, words)?, continued, None)
}

/// Returns the target name: the second operand, or that of `-o`.
fn other_name<'w>(options: &'w Parsed, words: &'w [Vec<u8>]) -> Result<Option<&'w [u8]>, Error> {
    match (options.value("o").map(OsStr::as_encoded_bytes), optional(words, 1)) {
        (Some(_), Some(_)) => Err(options.wrong("o", "no second name after FILE").into()),
        (named, word) => Ok(named.or(word)),
    }
}

fn reget(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let file = parse_name(operand(words, 0))?;
    fetch(session, &file, optional(words, 1), ContinuedFile::Target, None)
}

/// Fetches a file if it is newer than the local one.
fn newer(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let (file, typed) = (parse_name(operand(words, 0))?, optional(words, 1));
    let theirs = session.connection()?.modified(&file)?;
    let ours = target(session, &file, typed, ContinuedFile::Target)?
        .metadata()
        .and_then(|metadata| metadata.modified());
    match ours {
        Ok(ours) if ours >= theirs => {
            let name = shown(file.as_bytes());
            session.messages.note(&format!("{name}: not newer than the local file"));
            Ok(())
        }
        _ => fetch(session, &file, typed, ContinuedFile::Partial, None),
    }
}

fn pget(session: &mut Session, options: &Parsed, words: &[Vec<u8>]) -> Result<(), Error> {
    let connections = options.get("n", args::integer(1..=MOST_CONNECTIONS))?;
    let connections = connections.unwrap_or(session.transfers.connections);
    let file = parse_name(operand(words, 0))?;
    fetch(session, &file, optional(words, 1), ContinuedFile::Partial, Some(connections))
}

fn store(session: &mut Session, options: &Parsed, words: &[Vec<u8>]) -> Result<(), Error> {
    let placement = if options.switch("c") { UploadMode::Continue } else { UploadMode::Replace };
    send(session, operand(words, 0), other_name(options, words)?, placement)
}

fn reput(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    send(session, operand(words, 0), optional(words, 1), UploadMode::Continue)
}

fn append(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    send(session, operand(words, 0), optional(words, 1), UploadMode::Append)
}

/// Fetches `file` to the local name `typed`, or to the last part of its own name.
pub(in crate::client::shell) fn fetch(
    session: &mut Session,
    file: &Name,
    typed: Option<&[u8]>,
    continued: ContinuedFile,
    connections: Option<usize>,
) -> Result<(), Error> {
    if typed == Some(STANDARD) {
        return print(session, file);
    }
    let target = target(session, file, typed, continued);
    let local = target.as_ref().cloned().unwrap_or_default();
    let (outcome, moved) = match target.and_then(|target| session.connection().map(|_| target)) {
        Ok(target) => {
            let (remote, known) = (file.clone(), RemoteFacts::default());
            let continued_by = continuing(file, typed, connections.is_some());
            let listed = None;
            let download =
                Download { remote, target, continued, known, listed, connections, continued_by };
            let settings = session.transfer_settings();
            let mut progress = FileProgress::new(&settings, file.as_bytes());
            let outcome = download.run(session.connection()?, &settings, &[], &mut progress);
            (outcome, progress.finish())
        }
        Err(error) => {
            let local = local.as_os_str().as_encoded_bytes();
            (TransferOutcome::failed(Action::Retrieve, file.as_bytes(), local, error), 0)
        }
    };
    report(session, outcome, moved)
}

/// Returns the command that continues a download.
fn continuing(file: &Name, typed: Option<&[u8]>, is_ranged: bool) -> String {
    let command: &[u8] = if is_ranged { b"PGET" } else { b"REGET" };
    let names = [file.as_bytes()].into_iter().chain(typed);
    let quoted = names.map(|name| [b" ".to_vec(), quoted(name, Quotes::None)].concat());
    shown(&[command.to_vec()].into_iter().chain(quoted).collect::<Vec<_>>().concat())
}

/// Returns the local path of a download, according to the settings CASE and RUNIQUE.
fn target(
    session: &Session,
    file: &Name,
    typed: Option<&[u8]>,
    continued: ContinuedFile,
) -> Result<PathBuf, Error> {
    let mut path = local::target(file, typed)?;
    let name = path.file_name().map(OsStr::to_owned);
    if let Some(name) = name.filter(|_| typed.is_none() && session.preferences.case) {
        path.set_file_name(local::lowercase_name(name));
    }
    // A download that continues the target keeps its name.
    let unique = session.preferences.unique && continued != ContinuedFile::Target;
    let is_taken = |path: &Path| path.symlink_metadata().is_ok_and(|there| !is_special(&there));
    Ok(if unique { local::unique(path, is_taken) } else { path })
}

/// Returns whether a file is a device or FIFO, which is written into and not replaced.
fn is_special(there: &Metadata) -> bool {
    !(there.is_file() || there.is_symlink() || there.is_dir())
}

/// Fetches `file` to standard output, escaped if that is a terminal.
fn print(session: &mut Session, file: &Name) -> Result<(), Error> {
    let settings = session.transfer_settings();
    let mut output = Listing::new();
    let mut progress = FileProgress::new(&settings, file.as_bytes());
    let connection = session.connection()?;
    let outcome = TransferOutcome::of(Action::Retrieve, file.as_bytes(), Path::new(""), || {
        let fetched = fetch_to_stream(file, &mut output, connection, &settings, &mut progress);
        let bytes = fetched.map_err(Error::of_stdout)?;
        output.finish().map_err(Error::of_output)?;
        Ok(bytes)
    });
    summarize(session.messages, &outcome, progress.finish());
    outcome.result.map(drop)
}

/// Fetches `file` into a stream. `messages` is `None` if messages would disturb a pager.
pub(super) fn pour(
    session: &mut Session,
    file: &Name,
    stream: &mut dyn Write,
    messages: Option<Messages>,
) -> Result<(), Error> {
    let settings = session.transfer_settings();
    let mut meter = RetryNotes { name: file.as_bytes(), messages };
    fetch_to_stream(file, stream, session.connection()?, &settings, &mut meter).map(drop)
}

/// Sends a local file or standard input, under the typed name or its own.
fn send(
    session: &mut Session,
    file: &[u8],
    typed: Option<&[u8]>,
    placement: UploadMode,
) -> Result<(), Error> {
    let (outcome, moved) = match upload(session, file, typed, placement) {
        Ok(upload) => {
            let settings = session.transfer_settings();
            let mut progress = FileProgress::new(&settings, upload.remote.as_bytes());
            let connection = session.connection()?;
            let outcome = match file {
                STANDARD => upload.run_from(&mut io::stdin().lock(), connection, &mut progress),
                _ => upload.run(connection, &settings, None, &mut progress),
            };
            (outcome, progress.finish())
        }
        Err(error) => {
            let remote = local::path(file).and_then(|path| local::remote_name(&path, typed));
            let remote = remote.as_ref().map(Name::as_bytes).unwrap_or_default();
            (TransferOutcome::failed(placement.action(), remote, file, error), 0)
        }
    };
    let TransferOutcome { result: Err(error), .. } = outcome else {
        return report(session, outcome, moved);
    };
    // If the typed name is a remote directory, store the file in it.
    if let Some(typed) = typed.filter(|typed| file != STANDARD && !typed.ends_with(b"/"))
        && refusal::is_dir(session, &parse_name(typed)?, &error)
    {
        return send(session, file, Some(&[typed, b"/"].concat()), placement);
    }
    let kept = upload_command(file, &outcome.remote, placement, &error)
        .filter(|_| moved > 0)
        .map(|command| output::sent(&outcome.remote, moved, &command));
    let error = refusal::explained(session, &outcome.remote, error);
    report(session, TransferOutcome { result: Err(error), kept, ..outcome }, moved)
}

/// Returns the command that continues an upload after an interruption.
fn upload_command(
    file: &[u8],
    remote: &[u8],
    placement: UploadMode,
    error: &Error,
) -> Option<String> {
    let is_broken = match error.class() {
        ErrorClass::Interrupted | ErrorClass::Transfer | ErrorClass::Connection => true,
        ErrorClass::OutputClosed
        | ErrorClass::Usage
        | ErrorClass::Local
        | ErrorClass::Remote
        | ErrorClass::Login
        | ErrorClass::Tls
        | ErrorClass::Credentials => false,
    };
    let continues = is_broken && file != STANDARD && placement != UploadMode::Append;
    let names = [file, remote].map(|name| [b" ".to_vec(), quoted(name, Quotes::None)].concat());
    continues.then(|| shown(&[b"REPUT".to_vec(), names.concat()].concat()))
}

fn upload(
    session: &mut Session,
    file: &[u8],
    typed: Option<&[u8]>,
    placement: UploadMode,
) -> Result<Upload, Error> {
    session.connection()?;
    if file == STANDARD {
        if session.input == Input::Commands {
            let why = "cannot send standard input: the commands are read from it";
            return Err(Error::Usage(why.to_owned()));
        }
        typed.ok_or_else(|| {
            Error::Usage("cannot send standard input without a remote name".to_owned())
        })?;
    }
    let local = local::path(file)?;
    if file != STANDARD && local.is_dir() {
        let error = io::ErrorKind::IsADirectory.into();
        return Err(Error::File { path: local, error });
    }
    let named = if file == STANDARD { Path::new("") } else { &local };
    let remote = local::remote_name(named, typed)?;
    Ok(Upload { local, remote, placement, size: None })
}

/// Reports the outcome of a transfer, of which `moved` bytes moved in this run. The shell reports the
/// error.
fn report(session: &mut Session, outcome: TransferOutcome, moved: u64) -> Result<(), Error> {
    summarize(session.messages, &outcome, moved);
    if session.transfers.json {
        outcome.print_json()?;
        session.failure_printed = outcome.result.is_err();
    }
    outcome.result.map(drop)
}

fn summarize(messages: Messages, outcome: &TransferOutcome, moved: u64) {
    if let Some(kept) = &outcome.kept {
        messages.error(kept);
    }
    if outcome.result.is_ok() {
        messages.note(&outcome.summary(Some(moved)));
    }
}

/// The progress line of one file, which is removed when it is dropped.
struct FileProgress<'a> {
    name: &'a [u8],
    messages: Messages,
    progress: Progress,
    /// Bytes moved in earlier tries, and in this one.
    earlier: u64,
    moved: u64,
}

impl<'a> FileProgress<'a> {
    fn new(settings: &TransferSettings, name: &'a [u8]) -> FileProgress<'a> {
        let messages = settings.messages;
        let progress = Progress::new(name, None, messages.progress());
        FileProgress { name, messages, progress, earlier: 0, moved: 0 }
    }

    /// Removes the line and returns the number of bytes moved in all tries.
    fn finish(self) -> u64 {
        self.earlier.saturating_add(self.moved)
    }
}

impl Meter for FileProgress<'_> {
    fn begins(&mut self, before: u64, total: Option<u64>) {
        self.earlier = self.earlier.saturating_add(std::mem::take(&mut self.moved));
        self.progress.resume(before, total);
    }

    fn moved(&mut self, moved: u64) {
        self.moved = moved;
        self.progress.moved(moved);
    }

    fn again(&mut self, why: &Error, pause: Duration) {
        self.progress.clear();
        self.messages.retrying(self.name, why, pause);
    }

    fn warn(&mut self, text: &str) {
        self.progress.clear();
        self.messages.warning(self.name, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_interrupted_upload_names_the_command_that_continues_it() {
        let command = |file: &str, remote: &str, placement, error| {
            upload_command(file.as_bytes(), remote.as_bytes(), placement, &error)
        };
        let stalled = || Error::Stalled(Duration::from_secs(30));
        assert_eq!(
            command("a b", "d/a", UploadMode::Replace, Error::Interrupted).as_deref(),
            Some("REPUT a\\ b d/a")
        );
        assert!(command("a", "a", UploadMode::Continue, stalled()).is_some());
        assert_eq!(command("a", "a", UploadMode::Append, stalled()), None);
        assert_eq!(command("-", "a", UploadMode::Replace, stalled()), None);
        let local = Error::Local(io::ErrorKind::NotFound.into());
        assert_eq!(command("a", "a", UploadMode::Replace, local), None);
    }
}
