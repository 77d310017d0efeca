//! Commands that move many files.

use super::super::error::Error;
use super::super::many;
use super::super::mirror as mirroring;
use super::super::session::Session;

pub(super) fn mget(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    many::mget(session, words)
}

pub(super) fn mput(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    many::mput(session, words)
}

pub(super) fn mirror(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    mirroring::run(session, words)
}
