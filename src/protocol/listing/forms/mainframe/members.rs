//! The members of a partitioned data set of z/OS: text with its statistics, and load modules.

use super::super::super::context::Context;
use super::super::super::date::{parse_date, take_date_and_clock};
use super::super::super::entry::{Entry, Kind};
use super::super::super::words::{Words, number, split_at_first};

/// A limit above the number of words in the line of a load module.
const MAX_WORDS: usize = 16;

/// Parses a member. The line of a member without statistics is its name alone, which is an entry
/// only `below` the heading of members.
pub(super) fn parse_member(line: &[u8], below: bool, context: &Context<'_>) -> Option<Entry> {
    let words = Words { rest: line };
    let all = words.all(MAX_WORDS)?;
    match *all.as_slice() {
        [name] => below.then(|| Entry::new(name, Kind::File)),
        _ => parse_statistics(words, context).or_else(|| parse_load_module(&all)),
    }
}

/// Parses `NAME 01.01 2004/06/22 2004/06/22 16:32   128   128    0 USER`: version, creation date,
/// time of the last change, current lines, initial lines, changed lines, user.
fn parse_statistics(mut words: Words<'_>, context: &Context<'_>) -> Option<Entry> {
    let name = words.next()?;
    let (version, level) = split_at_first(b'.', words.next()?)?;
    number::<10>(version).and(number::<10>(level))?;
    parse_date(words.next()?, &context.dates)?;
    let modified = take_date_and_clock(&mut words, &context.dates)?;
    for _ in 0..3 {
        number::<10>(words.next()?)?;
    }
    let user = words.next();
    let mut entry = Entry::new(name, Kind::File);
    entry.modified = Some(modified);
    (user.is_none() || words.next().is_none()).then_some(entry)
}

/// Parses `NAME 00B308 000411  00 FO                31    ANY`: size and location in hexadecimal,
/// the original name of an alias, authorization, attributes, and two addressing modes.
fn parse_load_module(words: &[&[u8]]) -> Option<Entry> {
    let [name, size, place, middle @ .., addressing, residence] = words else { return None };
    let hexadecimal = |word: &[u8]| word.len() == 6 && number::<16>(word).is_some();
    let mode = |word: &[u8]| [&b"24"[..], b"31", b"64", b"ANY", b"MIN"].contains(&word);
    let is_authorization = |word: &&[u8]| word.len() == 2 && number::<16>(word).is_some();
    let code = middle.iter().take(2).position(is_authorization)?;
    let attribute = |word: &&[u8]| word.iter().all(u8::is_ascii_uppercase);
    let valid = hexadecimal(size) && hexadecimal(place) && mode(addressing) && mode(residence);
    (valid && middle[code + 1..].iter().all(attribute)).then(|| Entry::new(*name, Kind::File))
}
