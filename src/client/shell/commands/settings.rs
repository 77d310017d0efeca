//! Commands that say how later ones work.

use super::operands::optional;
use super::unsupported::why_refused;
use crate::client::connection::{DataMode, LineEnds, Representation};
use crate::client::error::Error;
use crate::client::output::print_lines;
use crate::client::shell::session::Session;

pub(super) fn ascii(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.transfer_as(Representation::Text);
    Ok(())
}

pub(super) fn binary(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.transfer_as(Representation::Bytes);
    Ok(())
}

/// Sets the type, or tells it.
pub(super) fn transfer_type(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let Some(word) = optional(words, 0) else {
        return print_lines(&format!("{}\n", type_name(session.representation())));
    };
    match word.to_ascii_lowercase().as_slice() {
        b"ascii" | b"a" | b"text" => ascii(session, &[]),
        b"binary" | b"image" | b"i" => binary(session, &[]),
        other => Err(Error::Usage(match why_refused(&String::from_utf8_lossy(other)) {
            Some(why) => format!("not offered: {why}"),
            None => "expected ascii or binary".to_owned(),
        })),
    }
}

fn type_name(representation: Representation) -> &'static str {
    match representation {
        Representation::Text => "ascii",
        Representation::Bytes => "binary",
    }
}

pub(super) fn passive(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let was = session.mode() != DataMode::Active;
    let mode = if turned(words, was)? { DataMode::Passive } else { DataMode::Active };
    // One that was already chosen stays as it is: it may be the trusting kind.
    if (mode == DataMode::Active) == was {
        session.set_mode(mode);
    }
    tell(session, "passive mode", mode != DataMode::Active)
}

pub(super) fn prompt(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.preferences.prompt = turned(words, session.preferences.prompt)?;
    tell(session, "asking before each of many files", session.preferences.prompt)
}

pub(super) fn glob(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.preferences.glob = turned(words, session.preferences.glob)?;
    tell(session, "patterns in names", session.preferences.glob)
}

pub(super) fn bell(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.preferences.bell = turned(words, session.preferences.bell)?;
    tell(session, "bell", session.preferences.bell)
}

pub(super) fn hash(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.preferences.hash = turned(words, session.preferences.hash)?;
    tell(session, "hash marks (the progress line stands for them)", session.preferences.hash)
}

pub(super) fn case(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.preferences.case = turned(words, session.preferences.case)?;
    tell(session, "names in upper case fetched under lower ones", session.preferences.case)
}

pub(super) fn runique(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.preferences.unique = turned(words, session.preferences.unique)?;
    tell(session, "a local name of its own for each file fetched", session.preferences.unique)
}

pub(super) fn cr(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let taken = turned(words, session.line_ends() == LineEnds::Ours)?;
    session.set_line_ends(if taken { LineEnds::Ours } else { LineEnds::AsSent });
    tell(session, "CR taken from the ends of lines in ASCII", taken)
}

pub(super) fn verbose(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let traced = turned(words, session.is_traced())?;
    session.set_traced(traced);
    tell(session, "commands and replies shown", traced)
}

/// `on`, `off`, a level as `debug 1` has it, or the other of the two.
fn turned(words: &[Vec<u8>], now: bool) -> Result<bool, Error> {
    match optional(words, 0).map(<[u8]>::to_ascii_lowercase).as_deref() {
        None => Ok(!now),
        Some(b"off" | b"no" | b"0") => Ok(false),
        Some(b"on" | b"yes") => Ok(true),
        Some(level) if level.iter().all(u8::is_ascii_digit) => Ok(true),
        Some(_) => Err(Error::Usage("expected on or off".to_owned())),
    }
}

fn tell(session: &Session, what: &str, on: bool) -> Result<(), Error> {
    session.messages.note(&format!("{what}: {}", switch(on)));
    Ok(())
}

fn switch(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// Everything that commands of this file set.
pub(super) fn status(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    let place = match session.endpoint() {
        None => "not connected".to_owned(),
        Some(_) => format!("connected to {}", session.shown_place().unwrap_or_default()),
    };
    let mode = if session.mode() == DataMode::Active { "active" } else { "passive" };
    let preferences = session.preferences;
    print_lines(&format!(
        "{place}\nmode: {mode}; type: {}; CR taken: {}\ncommands shown: {}; asking: {}; patterns: {}; \
         bell: {}; hash marks: {}\nlower case: {}; names of their own: {}\n",
        type_name(session.representation()),
        switch(session.line_ends() == LineEnds::Ours),
        switch(session.is_traced()),
        switch(preferences.prompt),
        switch(preferences.glob),
        switch(preferences.bell),
        switch(preferences.hash),
        switch(preferences.case),
        switch(preferences.unique),
    ))
}

/// What old scripts switch and what is the same here either way.
pub(super) fn nothing(_: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    Ok(())
}

/// `mode stream`, `form non-print`, `struct file`: what old scripts set is the only one there is.
pub(super) fn only(_: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    match optional(words, 0).map(<[u8]>::to_ascii_lowercase).as_deref() {
        None | Some(b"stream" | b"non-print" | b"file") => Ok(()),
        Some(_) => Err(Error::Usage("expected stream, non-print or file".to_owned())),
    }
}
