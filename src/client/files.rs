//! RETRIEVE and STORE as a user sees them: a transfer with its local side, its progress and
//! its summary.

use super::error::Error;
use super::local::{self, Target};
use super::progress::Progress;
use super::session::{Input, Session};
use crate::protocol::Name;
use std::io::{self, Read, Write};
use std::path::Path;

/// How standard input and output are called where a file could be.
const STANDARD: &[u8] = b"-";

/// Fetches `file` to where `typed` says, or to its own name.
pub(super) fn retrieve(
    session: &mut Session,
    file: &Name,
    typed: Option<&[u8]>,
) -> Result<(), Error> {
    // Before any file is touched: who is not connected should hear that.
    session.connection()?;
    if typed == Some(STANDARD) {
        return print(session, file);
    }
    let mut target = Target::open(local::target(file, typed)?, session.interrupt())?;
    let fetched = fetch(session, file, &mut target);
    let summary = fetched.map_err(|error| error.at(target.path().to_owned()))?;
    target.commit()?;
    session.messages.note(&summary);
    Ok(())
}

/// Fetches `file` to standard output.
fn print(session: &mut Session, file: &Name) -> Result<(), Error> {
    let mut stdout = io::stdout();
    let summary = fetch(session, file, &mut stdout).map_err(Error::of_stdout)?;
    stdout.flush().map_err(Error::of_output)?;
    session.messages.note(&summary);
    Ok(())
}

fn fetch(session: &mut Session, file: &Name, sink: &mut impl Write) -> Result<String, Error> {
    let drawn = session.messages.progress();
    let download = session.connection()?.retrieve(file)?;
    let mut progress = Progress::new(file.as_bytes(), download.size(), drawn);
    let moved = download.receive(sink, |moved| progress.moved(moved))?;
    Ok(progress.summary(moved))
}

/// Sends a local file under the name that is typed, or its own.
pub(super) fn store(session: &mut Session, file: &[u8], typed: Option<&[u8]>) -> Result<(), Error> {
    session.connection()?;
    if file == STANDARD {
        return store_input(session, typed);
    }
    let path = local::path(file)?;
    let (mut source, size) = local::open(&path)?;
    let name = local::remote_name(&path, typed)?;
    send(session, &mut source, &name, Some(size)).map_err(|error| error.at(path))
}

/// Sends standard input.
fn store_input(session: &mut Session, typed: Option<&[u8]>) -> Result<(), Error> {
    if session.input == Input::Commands {
        return Err(Error::Usage("the commands are read from standard input already".to_owned()));
    }
    let typed = typed.ok_or_else(|| Error::Usage("STORE - needs a remote name".to_owned()))?;
    let name = local::remote_name(Path::new(""), Some(typed))?;
    let sent = send(session, &mut io::stdin().lock(), &name, None);
    sent.map_err(|error| error.at("standard input".into()))
}

fn send(
    session: &mut Session,
    source: &mut impl Read,
    name: &Name,
    size: Option<u64>,
) -> Result<(), Error> {
    let drawn = session.messages.progress();
    let upload = session.connection()?.store(name)?;
    let mut progress = Progress::new(name.as_bytes(), size, drawn);
    let moved = upload.send(source, |moved| progress.moved(moved))?;
    let summary = progress.summary(moved);
    drop(progress);
    session.messages.note(&summary);
    Ok(())
}
