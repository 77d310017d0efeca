//! Commands that move many files.

use super::get_put;
use super::mget_mput;
use super::mirror as mirroring;
use super::operands::text;
use super::tree_listing;
use crate::client::error::Error;
use crate::client::name::parse_name;
use crate::client::shell::args::{Choice, Chosen, Stand};
use crate::client::shell::session::Session;

pub(super) fn mget(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    mget_mput::mget(session, words)
}

pub(super) fn mput(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    mget_mput::mput(session, words)
}

/// The options of PGET.
pub(super) static IN_PARTS: &[Choice] = &[Choice {
    names: &["-n"],
    value: Some("N"),
    help: "over so many connections instead of those of the command line",
}];

pub(super) fn pget(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let chosen = Chosen::new(IN_PARTS, Stand::InFront, words)?;
    let connections = chosen.value("-n").map(connections).transpose()?;
    let connections = connections.unwrap_or(session.transfers.connections);
    match &chosen.operands[..] {
        [file] => get_put::retrieve_in_parts(session, &parse_name(file)?, None, connections),
        [file, local] => {
            get_put::retrieve_in_parts(session, &parse_name(file)?, Some(local), connections)
        }
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
    tree_listing::du(session, &tree_listing::typed(words)?)
}

pub(super) fn find(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    tree_listing::find(session, &tree_listing::typed(words)?)
}
