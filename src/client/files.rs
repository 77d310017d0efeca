//! RETRIEVE and STORE as a user sees them: a transfer with its local side, its progress and
//! its summary.

use super::connection::Representation;
use super::error::Error;
use super::local::{self, PartOf, Target};
use super::options::Transfers;
use super::output::Messages;
use super::parallel::How;
use super::pget;
use super::progress::{Progress, summary};
use super::resume::{Fetch, Meter, Remote, Send, Sink, common};
use super::retry::Tries;
use super::session::{Input, Session};
use crate::protocol::Name;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// How standard input and output are called where a file could be.
const STANDARD: &[u8] = b"-";

/// What is done with what an earlier transfer left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Earlier {
    /// It is replaced.
    Replace,
    /// It is gone on with, if it is the beginning of the same file.
    GoOn,
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
        let name = super::escape::shown(name.as_bytes());
        Watched { name, messages: session.messages, progress, total: 0 }
    }

    fn done(self) {
        let summary = self.progress.summary(self.total);
        drop(self.progress);
        self.messages.note(&summary);
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

/// Fetches `file` to where `typed` says, or to its own name.
pub(super) fn retrieve(
    session: &mut Session,
    file: &Name,
    typed: Option<&[u8]>,
    earlier: Earlier,
) -> Result<(), Error> {
    // Before any file is touched: who is not connected should hear that.
    session.connection()?;
    if typed == Some(STANDARD) {
        return print(session, file);
    }
    let mut target = Target::open(local::target(file, typed)?, session.interrupt())?;
    let fetched = fetch_into(session, file, &mut target, earlier);
    let (watched, remote) = fetched.map_err(|error| error.at(target.path().to_owned()))?;
    if let (Some(partial), Some(modified)) = (target.partial(), remote.modified) {
        // A file system that keeps no times keeps files all the same.
        let _ = partial.set_modified(modified);
    }
    target.commit()?;
    watched.done();
    Ok(())
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
            Err(_) => drop(partial.keep(part)),
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
pub(super) fn retrieve_in_parts(
    session: &mut Session,
    file: &Name,
    typed: Option<&[u8]>,
    connections: usize,
) -> Result<(), Error> {
    let (messages, interrupt) = (session.messages, session.interrupt().clone());
    let transfers = Transfers { connections, ..session.transfers };
    let how = How { transfers, messages, interrupt };
    let connection = session.connection()?;
    let remote = Remote::ask(connection, file)?;
    let large = remote.size.is_some_and(|size| size >= 2 * pget::SMALLEST);
    if !large || connection.representation() == Representation::Text || typed == Some(STANDARD) {
        return retrieve(session, file, typed, Earlier::Replace);
    }
    let mut target = Target::open(local::target(file, typed)?, &how.interrupt)?;
    let Some(partial) = target.partial() else {
        return retrieve(session, file, typed, Earlier::Replace);
    };
    let started = Instant::now();
    let fetched = pget::fetch(connection, file, remote, partial, &how);
    if fetched.as_ref().is_err_and(cannot_restart) {
        drop(target);
        return retrieve(session, file, typed, Earlier::Replace);
    }
    let bytes = fetched.map_err(|error| error.at(target.path().to_owned()))?;
    if let (Some(partial), Some(modified)) = (target.partial(), remote.modified) {
        // A file system that keeps no times keeps files all the same.
        let _ = partial.set_modified(modified);
    }
    target.commit()?;
    messages.note(&summary(&super::escape::shown(file.as_bytes()), bytes, started.elapsed()));
    Ok(())
}

fn cannot_restart(error: &Error) -> bool {
    match error {
        Error::NoRestart(_) => true,
        Error::GaveUp { first, .. } => cannot_restart(first),
        _ => false,
    }
}

/// Fetches `file` to standard output.
fn print(session: &mut Session, file: &Name) -> Result<(), Error> {
    let mut stdout = io::stdout();
    let fetched = fetch(session, Fetch::new(file, Sink::stream(&mut stdout)));
    let (watched, _) = fetched.map_err(Error::of_stdout)?;
    stdout.flush().map_err(Error::of_output)?;
    watched.done();
    Ok(())
}

fn fetch(session: &mut Session, mut file: Fetch<'_>) -> Result<(Watched, Remote), Error> {
    let mut watched = Watched::new(session, file.name);
    let mut tries = Tries::new(session.interrupt(), session.transfers.retries)?;
    watched.total = file.run(session.connection()?, &mut tries, &mut watched)?;
    Ok((watched, file.remote()))
}

/// Sends a local file under the name that is typed, or its own.
pub(super) fn store(
    session: &mut Session,
    file: &[u8],
    typed: Option<&[u8]>,
    earlier: Earlier,
) -> Result<(), Error> {
    session.connection()?;
    if file == STANDARD {
        return store_input(session, typed);
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
) -> Result<(), Error> {
    let mut watched = Watched::new(session, name);
    let mut tries = Tries::new(session.interrupt(), session.transfers.retries)?;
    let modified = file.metadata().and_then(|metadata| metadata.modified());
    let connection = session.connection()?;
    let start = match earlier {
        Earlier::Replace => 0,
        Earlier::GoOn => common(connection, name, file, size)?,
    };
    let bytes = Send { name, file, size, start }.run(connection, &mut tries, &mut watched)?;
    watched.total = bytes;
    if let Ok(modified) = modified {
        connection.set_modified(name, modified)?;
    }
    watched.done();
    Ok(())
}

/// Sends standard input.
fn store_input(session: &mut Session, typed: Option<&[u8]>) -> Result<(), Error> {
    let name = name_of_input(session, typed)?;
    let sent = stream(session, &mut io::stdin().lock(), &name, Placed::Instead);
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
) -> Result<(), Error> {
    let mut watched = Watched::new(session, name);
    let connection = session.connection()?;
    let upload = match placed {
        Placed::Instead => connection.store(name)?,
        Placed::Behind => connection.append(name)?,
    };
    upload.send(source, |moved| watched.moved(moved))?;
    watched.done();
    Ok(())
}

/// Sends a local file, or standard input, to stand behind what a remote one holds. What broke off is
/// not sent again: nobody could tell what is there twice.
pub(super) fn append(
    session: &mut Session,
    file: &[u8],
    typed: Option<&[u8]>,
) -> Result<(), Error> {
    session.connection()?;
    if file == STANDARD {
        let name = name_of_input(session, typed)?;
        let sent = stream(session, &mut io::stdin().lock(), &name, Placed::Behind);
        return sent.map_err(|error| error.at("standard input".into()));
    }
    let path = local::path(file)?;
    let (mut source, _) = local::open(&path)?;
    let name = local::remote_name(&path, typed)?;
    stream(session, &mut source, &name, Placed::Behind).map_err(|error| error.at(path))
}
