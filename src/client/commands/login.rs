//! Commands that begin and end a session with a server.

use super::super::error::Error;
use super::super::escape::shown;
use super::super::session::Session;
use super::super::url::Endpoint;
use super::super::words::name;
use super::operands::{operand, optional, text};
use crate::protocol::Secret;

pub(super) fn connect(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let port = optional(words, 1).map(text).transpose()?;
    let endpoint = Endpoint::parse(text(operand(words, 0))?, port);
    let wrong = |expected| {
        let word = shown(words.last().map(Vec::as_slice).unwrap_or_default());
        Error::Usage(format!("'{word}': expected {expected}"))
    };
    session.connect(&endpoint.map_err(wrong)?, None, None)
}

pub(super) fn user(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let user = name(operand(words, 0))?;
    let wrong = || Error::Usage("a password cannot hold CR, LF or NUL".to_owned());
    let given = optional(words, 1).map(|word| Secret::new(word).ok_or_else(wrong)).transpose()?;
    session.log_in(&user, given)?;
    session.messages.note(&format!("logged in as {}", shown(user.as_bytes())));
    Ok(())
}

pub(super) fn close(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?;
    session.disconnect();
    Ok(())
}

pub(super) fn quit(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.leaving = true;
    Ok(())
}
