//! Commands that say how later ones work.

use super::super::connection::Representation;
use super::super::error::Error;
use super::super::session::Session;

pub(super) fn ascii(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.transfer_as(Representation::Text);
    Ok(())
}

pub(super) fn binary(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.transfer_as(Representation::Bytes);
    Ok(())
}
