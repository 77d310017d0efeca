//! Commands on what lies on the server, and those that ask it something.

use super::super::error::Error;
use super::super::escape::shown_lines;
use super::super::output::{print_line, print_lines};
use super::super::session::Session;
use super::super::words::name;
use super::operands::operand;
use crate::protocol::Name;
use crate::protocol::time::Civil;

pub(super) fn pwd(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    print_line(&session.connection()?.current_dir()?)
}

pub(super) fn cd(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.change_dir(&name(operand(words, 0))?)
}

pub(super) fn cdup(session: &mut Session, _: &[Vec<u8>]) -> Result<(), Error> {
    session.change_to_parent()
}

pub(super) fn mkdir(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?.make_dir(&name(operand(words, 0))?)
}

pub(super) fn rmdir(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?.remove_dir(&name(operand(words, 0))?)
}

pub(super) fn delete(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    session.connection()?.delete(&name(operand(words, 0))?)
}

pub(super) fn rename(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let (from, to) = (name(operand(words, 0))?, name(operand(words, 1))?);
    session.connection()?.rename(&from, &to)
}

pub(super) fn size(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let size = session.connection()?.size(&name(operand(words, 0))?)?;
    print_line(size.to_string().as_bytes())
}

pub(super) fn modtime(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let modified = session.connection()?.modified(&name(operand(words, 0))?)?;
    let Civil { year, month, day, hour, minute, second } = Civil::from_system(modified);
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    print_line(text.as_bytes())
}

pub(super) fn quote(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let line: Name = name(&words.join(&b' '))?;
    let reply = session.connection()?.quote(&line)?;
    let code = reply.code();
    if !code.is_success() && !code.is_intermediate() {
        return Err(Error::Refused(reply));
    }
    print_lines(&format!("{}\n", shown_lines(reply.to_string().as_bytes())))
}
