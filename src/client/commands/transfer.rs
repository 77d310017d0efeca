//! Commands that move many files.

use super::super::error::Error;
use super::super::files;
use super::super::many;
use super::super::mirror as mirroring;
use super::super::session::Session;
use super::super::trees;
use super::super::words::name;
use super::operands::text;

pub(super) fn mget(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    many::mget(session, words)
}

pub(super) fn mput(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    many::mput(session, words)
}

/// `pget [-n N] FILE [LOCAL]`
pub(super) fn pget(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let (connections, rest) = match words {
        [option, count, rest @ ..] if option == b"-n" => (connections(count)?, rest),
        _ => (session.transfers.connections, words),
    };
    match rest {
        [file] => files::retrieve_in_parts(session, &name(file)?, None, connections),
        [file, local] => files::retrieve_in_parts(session, &name(file)?, Some(local), connections),
        _ => Err(Error::Usage("usage: PGET [-n N] FILE [LOCAL]".to_owned())),
    }
}

fn connections(word: &[u8]) -> Result<usize, Error> {
    let count = text(word)?.parse().ok().filter(|count| (1..=64).contains(count));
    count.ok_or_else(|| Error::Usage("expected -n with a number from 1 to 64".to_owned()))
}

pub(super) fn mirror(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    mirroring::run(session, words)
}

pub(super) fn du(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    trees::du(session, &trees::typed(words)?)
}

pub(super) fn find(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    trees::find(session, &trees::typed(words)?)
}
