//! RETRIEVE and STORE as a user sees them: a transfer with its local side, its progress and
//! its summary.

use super::operands::{operand, optional, text};
use crate::client::connection::Representation;
use crate::client::error::Error;
use crate::client::local::{self, PartOf, Target};
use crate::client::name::parse_name;
use crate::client::options::Transfers;
use crate::client::output::json::{self, Action};
use crate::client::output::progress::{Progress, summary};
use crate::client::output::{Listing, Messages};
use crate::client::shell::args::{Choice, Chosen, Stand};
use crate::client::shell::session::{Input, Session};
use crate::client::transfer::append::Append;
use crate::client::transfer::resume::{Fetch, Meter, Remote, Send, Sink, common};
use crate::client::transfer::retry::Retries;
use crate::client::transfer::segmented;
use crate::client::transfer::worker_pool::How;
use crate::protocol::Name;
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How standard input and output are called where a file could be.
const STANDARD: &[u8] = b"-";

/// What is done with what an earlier transfer left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client::shell) enum Earlier {
    /// It is replaced.
    Replace,
    /// It is gone on with, if it is the beginning of the same file.
    GoOn,
}

pub(super) fn retrieve(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let file = parse_name(operand(words, 0))?;
    fetch_one(session, &file, optional(words, 1), Earlier::Replace)
}

pub(super) fn reget(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let file = parse_name(operand(words, 0))?;
    fetch_one(session, &file, optional(words, 1), Earlier::GoOn)
}

pub(super) fn newer(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let file = parse_name(operand(words, 0))?;
    fetch_newer(session, &file, optional(words, 1))
}

pub(super) fn store(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    send_one(session, operand(words, 0), optional(words, 1), Earlier::Replace)
}

pub(super) fn reput(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    send_one(session, operand(words, 0), optional(words, 1), Earlier::GoOn)
}

pub(super) fn append(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    append_one(session, operand(words, 0), optional(words, 1))
}

/// The options of PGET.
pub(super) static IN_PARTS: &[Choice] = &[Choice {
    names: &["-n"],
    value: Some("N"),
    help: "over so many connections instead of those of the command line",
}];

pub(super) fn pget(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let chosen = Chosen::new(IN_PARTS, Stand::InFront, words)?;
    let connections = chosen.value("-n").map(connections).transpose()?;
    let connections = connections.unwrap_or(session.transfers.connections);
    match &chosen.operands[..] {
        [file] => fetch_segmented(session, &parse_name(file)?, None, connections),
        [file, local] => fetch_segmented(session, &parse_name(file)?, Some(local), connections),
        _ => Err(Error::Usage("usage: PGET [-n N] FILE [LOCAL]".to_owned())),
    }
}

fn connections(word: &[u8]) -> Result<usize, Error> {
    let count = text(word)?.parse().ok().filter(|count| (1..=64).contains(count));
    count.ok_or_else(|| Error::Usage("expected -n with a number from 1 to 64".to_owned()))
}

/// One file for the eyes: its line of progress, and a word when it is tried again.
struct Watched {
    name: String,
    messages: Messages,
    progress: Progress,
    total: u64,
}

impl Watched {
    fn new(session: &Session, name: &Name) -> Watched {
        let progress = Progress::new(name.as_bytes(), None, session.messages.progress());
        let name = crate::client::escape::shown(name.as_bytes());
        Watched { name, messages: session.messages, progress, total: 0 }
    }

    /// Says so, and how many bytes there were.
    fn done(self) -> u64 {
        let summary = self.progress.summary(self.total);
        drop(self.progress);
        self.messages.note(&summary);
        self.total
    }
}

impl Meter for Watched {
    fn begins(&mut self, before: u64, total: Option<u64>) {
        self.progress.resume(before, total);
    }

    fn moved(&mut self, moved: u64) {
        self.total = moved;
        self.progress.moved(moved);
    }

    fn again(&mut self, why: &Error, pause: Duration) {
        self.progress.clear();
        let seconds = pause.as_secs_f64();
        self.messages.note(&format!("{}: {why}; trying again in {seconds} s", self.name));
    }
}

/// Who is told only that a stream is taken up again, if anybody.
struct Poured {
    name: String,
    messages: Option<Messages>,
}

impl Meter for Poured {
    fn begins(&mut self, _: u64, _: Option<u64>) {}

    fn moved(&mut self, _: u64) {}

    fn again(&mut self, why: &Error, pause: Duration) {
        if let Some(messages) = self.messages {
            let seconds = pause.as_secs_f64();
            messages.note(&format!("{}: {why}; trying again in {seconds} s", self.name));
        }
    }
}

/// Tells a program, where one reads that, what a transfer came to.
fn told(
    session: &Session,
    deed: Action,
    [remote, local]: [&[u8]; 2],
    result: Result<u64, Error>,
) -> Result<(), Error> {
    if session.transfers.json {
        json::print(deed, remote, local, &result)?;
    }
    result.map(drop)
}

/// The same of a download.
fn told_retrieved(
    session: &Session,
    file: &Name,
    local: &Path,
    result: Result<u64, Error>,
) -> Result<(), Error> {
    let local = local.as_os_str().as_encoded_bytes();
    told(session, Action::Retrieve, [file.as_bytes(), local], result)
}

/// Fetches `file` to where `typed` says, or to the last part of its own name in the local directory.
/// Standard output has the file alone.
pub(in crate::client::shell) fn fetch_one(
    session: &mut Session,
    file: &Name,
    typed: Option<&[u8]>,
    earlier: Earlier,
) -> Result<(), Error> {
    if typed == Some(STANDARD) {
        return print(session, file);
    }
    let target = target(session, file, typed, earlier);
    let path = target.as_ref().cloned().unwrap_or_default();
    let fetched = target.and_then(|target| fetch_file(session, file, target, earlier));
    told_retrieved(session, file, &path, fetched)
}

/// Where a file goes, by what the user switched on.
fn target(
    session: &Session,
    file: &Name,
    typed: Option<&[u8]>,
    earlier: Earlier,
) -> Result<PathBuf, Error> {
    let mut path = local::target(file, typed)?;
    let name = path.file_name().map(OsStr::to_owned);
    if let Some(name) = name.filter(|_| typed.is_none() && session.preferences.case) {
        path.set_file_name(local::lowered(name));
    }
    // What is gone on with is what is there.
    let unique = session.preferences.unique && earlier == Earlier::Replace;
    let is_taken = |path: &Path| path.symlink_metadata().is_ok_and(|there| !is_special(&there));
    Ok(if unique { local::unique(path, is_taken) } else { path })
}

/// Whether it is written into and not replaced.
fn is_special(there: &Metadata) -> bool {
    !(there.is_file() || there.is_symlink() || there.is_dir())
}

/// Fetches `file` unless what is here is as new.
fn fetch_newer(session: &mut Session, file: &Name, typed: Option<&[u8]>) -> Result<(), Error> {
    let theirs = session.connection()?.modified(file)?;
    let ours = target(session, file, typed, Earlier::GoOn)?
        .metadata()
        .and_then(|metadata| metadata.modified());
    match ours {
        Ok(ours) if ours >= theirs => {
            let name = crate::client::escape::shown(file.as_bytes());
            session.messages.note(&format!("{name}: not newer than what is here"));
            Ok(())
        }
        _ => fetch_one(session, file, typed, Earlier::Replace),
    }
}

fn fetch_file(
    session: &mut Session,
    file: &Name,
    target: PathBuf,
    earlier: Earlier,
) -> Result<u64, Error> {
    // Before any file is touched: who is not connected should hear that.
    session.connection()?;
    let mut target = Target::open(target, session.interrupt())?;
    let fetched = fetch_into(session, file, &mut target, earlier);
    let (watched, remote) = fetched.map_err(|error| error.at(target.path().to_owned()))?;
    if let (Some(partial), Some(modified)) = (target.partial(), remote.modified) {
        // A file system that keeps no times keeps files all the same.
        let _ = partial.set_modified(modified);
    }
    target.commit()?;
    Ok(watched.done())
}

fn fetch_into(
    session: &mut Session,
    file: &Name,
    target: &mut Target,
    earlier: Earlier,
) -> Result<(Watched, Remote), Error> {
    let Some(partial) = target.partial() else {
        return fetch(session, Fetch::new(file, Sink::stream(target)));
    };
    let remote = Remote::ask(session.connection()?, file)?;
    let part = remote.part(session.connection()?, file);
    let known = take_up(partial, part.as_ref(), earlier).map_err(Error::Local)?;
    let mut fetch_it = Fetch::new(file, Sink::Partial(&mut *partial));
    // What is here may be of another file.
    fetch_it.knows(remote, known);
    let fetched = fetch(session, fetch_it);
    if let Some(part) = &part {
        match &fetched {
            Ok(_) => partial.forget(part),
            // That there is no room to keep it is not what the user has to hear of.
            Err(error) => drop(partial.keep(part, error)),
        }
    }
    fetched
}

/// Whether the bytes that are here now are known to be of that file.
fn take_up(
    partial: &mut local::Partial,
    part: Option<&PartOf>,
    earlier: Earlier,
) -> io::Result<bool> {
    if earlier == Earlier::Replace {
        return Ok(true);
    }
    if let Some(part) = part {
        partial.take_up(part)?;
        if partial.length()? > 0 {
            return Ok(true);
        }
    }
    partial.take_copy()?;
    Ok(partial.length()? == 0)
}

/// Fetches `file` over several connections, where it is large enough to be worth that.
fn fetch_segmented(
    session: &mut Session,
    file: &Name,
    typed: Option<&[u8]>,
    connections: usize,
) -> Result<(), Error> {
    if typed == Some(STANDARD) {
        return print(session, file);
    }
    let target = target(session, file, typed, Earlier::Replace);
    let path = target.as_ref().cloned().unwrap_or_default();
    let in_parts = |target| fetch_in_parts(session, file, target, connections);
    let fetched = match target.and_then(in_parts) {
        Ok(None) => fetch_file(session, file, path.clone(), Earlier::Replace),
        Ok(Some(bytes)) => Ok(bytes),
        Err(error) => Err(error),
    };
    told_retrieved(session, file, &path, fetched)
}

/// `None` where it has to be fetched in one piece.
fn fetch_in_parts(
    session: &mut Session,
    file: &Name,
    target: PathBuf,
    connections: usize,
) -> Result<Option<u64>, Error> {
    let (messages, interrupt) = (session.messages, session.interrupt().clone());
    let transfers = Transfers { connections, ..session.transfers };
    let how = How { transfers, messages, interrupt };
    let connection = session.connection()?;
    if connection.representation() == Representation::Text {
        return Ok(None);
    }
    let armed = how.interrupt.begin().map_err(Error::Local)?;
    let helpers = segmented::Helpers::call(connection, connections.saturating_sub(1));
    let remote = Remote::get_ready(connection, file)?;
    if armed.came() {
        return Err(Error::Interrupted);
    }
    if remote.size.is_none_or(|size| size < 2 * segmented::SMALLEST) {
        return Ok(None);
    }
    let mut target = Target::open(target, &how.interrupt)?;
    let Some(partial) = target.partial() else { return Ok(None) };
    let started = Instant::now();
    let fetched = segmented::fetch(connection, helpers, file, remote, partial, &how);
    if fetched.as_ref().is_err_and(cannot_restart) {
        return Ok(None);
    }
    let bytes = fetched.map_err(|error| error.at(target.path().to_owned()))?;
    if let (Some(partial), Some(modified)) = (target.partial(), remote.modified) {
        // A file system that keeps no times keeps files all the same.
        let _ = partial.set_modified(modified);
    }
    target.commit()?;
    messages.note(&summary(
        &crate::client::escape::shown(file.as_bytes()),
        bytes,
        started.elapsed(),
    ));
    Ok(Some(bytes))
}

fn cannot_restart(error: &Error) -> bool {
    match error {
        Error::NoRestart(_) | Error::TooLong { .. } => true,
        Error::GaveUp { first, .. } => cannot_restart(first),
        _ => false,
    }
}

/// Fetches `file` to standard output, harmless if that is a terminal.
fn print(session: &mut Session, file: &Name) -> Result<(), Error> {
    session.connection()?;
    let mut output = Listing::new();
    let fetched = fetch(session, Fetch::new(file, Sink::stream(&mut output)));
    let (watched, _) = fetched.map_err(Error::of_stdout)?;
    output.finish().map_err(Error::of_output)?;
    watched.done();
    Ok(())
}

/// Fetches `file` into a stream: what broke off goes on behind what came, or fails. Whoever sees the
/// stream on a terminal may not want to be told of that meanwhile.
pub(in crate::client::shell) fn pour(
    session: &mut Session,
    file: &Name,
    sink: &mut dyn Write,
    messages: Option<Messages>,
) -> Result<(), Error> {
    session.connection()?;
    let mut tries = Retries::new(session.interrupt(), session.transfers.retries)?;
    let mut meter = Poured { name: crate::client::escape::shown(file.as_bytes()), messages };
    let mut fetch = Fetch::new(file, Sink::stream(sink));
    fetch.run(session.connection()?, &mut tries, &mut meter).map(drop)
}

fn fetch(session: &mut Session, mut file: Fetch<'_>) -> Result<(Watched, Remote), Error> {
    let mut watched = Watched::new(session, file.name);
    let mut tries = Retries::new(session.interrupt(), session.transfers.retries)?;
    watched.total = file.run(session.connection()?, &mut tries, &mut watched)?;
    Ok((watched, file.remote()))
}

/// Sends a local file under the name that is typed, or its own.
fn send_one(
    session: &mut Session,
    file: &[u8],
    typed: Option<&[u8]>,
    earlier: Earlier,
) -> Result<(), Error> {
    let sent = store_file(session, file, typed, earlier);
    told_sent(session, Action::Store, file, typed, sent)
}

fn told_sent(
    session: &Session,
    deed: Action,
    file: &[u8],
    typed: Option<&[u8]>,
    result: Result<u64, Error>,
) -> Result<(), Error> {
    let remote = local::path(file).and_then(|path| local::remote_name(&path, typed));
    let remote = remote.as_ref().map(Name::as_bytes).unwrap_or_default();
    told(session, deed, [remote, file], result)
}

fn store_file(
    session: &mut Session,
    file: &[u8],
    typed: Option<&[u8]>,
    earlier: Earlier,
) -> Result<u64, Error> {
    session.connection()?;
    if file == STANDARD {
        return send_input(session, typed, Placed::Instead);
    }
    let path = local::path(file)?;
    let (mut source, size) = local::open(&path)?;
    let name = local::remote_name(&path, typed)?;
    send(session, &mut source, &name, size, earlier).map_err(|error| error.at(path))
}

fn send(
    session: &mut Session,
    file: &mut File,
    name: &Name,
    size: u64,
    earlier: Earlier,
) -> Result<u64, Error> {
    let mut watched = Watched::new(session, name);
    let mut tries = Retries::new(session.interrupt(), session.transfers.retries)?;
    let modified = file.metadata().and_then(|metadata| metadata.modified());
    let connection = session.connection()?;
    let start = match earlier {
        Earlier::Replace => 0,
        Earlier::GoOn => common(connection, name, file, size)?,
    };
    let bytes = Send { name, file, size, start }.run(connection, &mut tries, &mut watched)?;
    watched.total = bytes;
    if let Ok(modified) = modified {
        // The connection may be lost after the file is stored, and before that is all.
        tries.until_done(
            connection,
            |connection| connection.set_modified(name, modified),
            |why, pause| watched.again(why, pause),
        )?;
    }
    Ok(watched.done())
}

/// Sends standard input.
fn send_input(session: &mut Session, typed: Option<&[u8]>, placed: Placed) -> Result<u64, Error> {
    let name = name_of_input(session, typed)?;
    let sent = stream(session, &mut io::stdin().lock(), &name, placed);
    sent.map_err(|error| error.at("standard input".into()))
}

fn name_of_input(session: &Session, typed: Option<&[u8]>) -> Result<Name, Error> {
    if session.input == Input::Commands {
        return Err(Error::Usage("the commands are read from standard input already".to_owned()));
    }
    let typed = typed.ok_or_else(|| Error::Usage("- needs a remote name".to_owned()))?;
    local::remote_name(Path::new(""), Some(typed))
}

/// Where bytes that are sent go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Placed {
    /// In place of what the file held.
    Instead,
    /// Behind it.
    Behind,
}

/// Sends what cannot be sent twice.
fn stream(
    session: &mut Session,
    source: &mut impl Read,
    name: &Name,
    placed: Placed,
) -> Result<u64, Error> {
    let mut watched = Watched::new(session, name);
    let connection = session.connection()?;
    let upload = match placed {
        Placed::Instead => connection.store(name)?,
        Placed::Behind => connection.append(name)?,
    };
    watched.total = upload.send(source, |moved| watched.moved(moved))?;
    Ok(watched.done())
}

/// Sends a local file, or standard input, to stand behind what a remote one holds.
fn append_one(session: &mut Session, file: &[u8], typed: Option<&[u8]>) -> Result<(), Error> {
    let sent = append_file(session, file, typed);
    told_sent(session, Action::Append, file, typed, sent)
}

fn append_file(session: &mut Session, file: &[u8], typed: Option<&[u8]>) -> Result<u64, Error> {
    session.connection()?;
    if file == STANDARD {
        return send_input(session, typed, Placed::Behind);
    }
    let path = local::path(file)?;
    let (mut source, size) = local::open(&path)?;
    let name = local::remote_name(&path, typed)?;
    let mut watched = Watched::new(session, &name);
    let mut tries = Retries::new(session.interrupt(), session.transfers.retries)?;
    let mut append = Append { name: &name, file: &mut source, size };
    let appended = append.run(session.connection()?, &mut tries, &mut watched);
    watched.total = appended.map_err(|error| error.at(path))?;
    Ok(watched.done())
}
