//! Commands that move one file or listing.

use super::super::error::Error;
use super::super::files;
use super::super::session::Session;
use super::super::words::name;
use super::operands::{operand, optional};

pub(super) fn list(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    if words.len() == 2 && !operand(words, 0).starts_with(b"-") {
        return Err(Error::Usage("expected one PATH; quote a name that has spaces".to_owned()));
    }
    let path = if words.is_empty() { None } else { Some(name(&words.join(&b' '))?) };
    files::list(session, path)
}

pub(super) fn retrieve(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    files::retrieve(session, &name(operand(words, 0))?, optional(words, 1))
}

pub(super) fn store(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    files::store(session, operand(words, 0), optional(words, 1))
}
