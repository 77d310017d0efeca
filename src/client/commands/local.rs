//! Commands on this side.

use super::super::error::Error;
use super::super::local;
use super::super::output::print_line;
use super::super::session::Session;
use super::operands::operand;
use std::env;

pub(super) fn lcd(_: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let path = local::path(operand(words, 0))?;
    env::set_current_dir(&path).map_err(|error| Error::File { path, error })
}

pub(super) fn lpwd(_: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    let path = env::current_dir().map_err(Error::Local)?;
    print_line(path.as_os_str().as_encoded_bytes())
}
