//! Macros as in BSD ftp: `macdef NAME`, lines, and a blank line define one; `$ NAME WORDS` runs it.
//!
//! In the lines `$1` is the first word and so on, `$i` repeats the macro for each word, and a backslash
//! escapes the next character. The number of lines is limited, which ends recursive macros.

use super::operands::{Operand, operand};
use super::row::Row;
use crate::client::error::Error;
use crate::client::shell::lexer::{Quotes, quoted};
use crate::client::shell::session::Session;
use crate::text::shown;

pub(super) const ROWS: &[Row] = &[
    Row::new(&["macdef"], "define a macro: lines up to an empty one", define)
        .operands(&[Operand::text("NAME")])
        .example("MACDEF fetch")
        .keeps_remote_names(),
    Row::new(&["$"], "run a macro; $1 is its first word", run)
        .operands(&[Operand::text("MACRO"), Operand::text("WORDS").many().optional()])
        .example("$ fetch a.txt"),
];

/// The number of lines that one command may expand to.
const MOST_LINES: usize = 10_000;

/// Begins a definition. The shell adds the following lines.
fn define(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let name = operand(words, 0).to_vec();
    session.macros.insert(name.clone(), Vec::new());
    session.recording = Some(name);
    Ok(())
}

fn run(session: &mut Session, words: &[Vec<u8>]) -> Result<(), Error> {
    let (name, words) = (operand(words, 0), words.get(1..).unwrap_or_default());
    let unknown = || Error::Usage(format!("unknown macro {}", shown(name)));
    let lines = session.macros.get(name).ok_or_else(unknown)?;
    let mut expanded = expand(lines, words);
    session.expanded += expanded.len();
    if session.expanded > MOST_LINES {
        session.queued.clear();
        let text = format!("the macros expand to more than {MOST_LINES} lines");
        return Err(Error::Usage(text));
    }
    // The queued lines belong to the macro that called this one.
    expanded.extend(session.queued.drain(..));
    session.queued = expanded.into();
    Ok(())
}

fn expand(lines: &[Vec<u8>], words: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let repeats = lines.iter().any(|line| line.windows(2).any(|pair| pair == b"$i"));
    let rounds = if repeats { words.len() } else { 1 };
    let round = |index| lines.iter().map(move |line| filled(line, words, index));
    (0..rounds).flat_map(round).collect()
}

fn filled(line: &[u8], words: &[Vec<u8>], index: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = line;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            // Keep the backslash, because the line is split into words later.
            (b'\\', [next, after @ ..]) => {
                out.extend_from_slice(&[b'\\', *next]);
                rest = after;
            }
            (b'$', [b'i', after @ ..]) => {
                out.extend(word(words, index));
                rest = after;
            }
            (b'$', [digit @ b'1'..=b'9', after @ ..]) => {
                out.extend(word(words, usize::from(digit - b'1')));
                rest = after;
            }
            _ => out.push(byte),
        }
    }
    out
}

/// Returns a quoted word, because the line is split into words later.
fn word(words: &[Vec<u8>], index: usize) -> Vec<u8> {
    words.get(index).map(|word| quoted(word, Quotes::None)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(lines: &[&str], words: &[&str]) -> Vec<String> {
        let bytes = |texts: &[&str]| -> Vec<Vec<u8>> {
            texts.iter().map(|text| text.as_bytes().to_vec()).collect()
        };
        let lines = expand(&bytes(lines), &bytes(words));
        lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn numbers_are_replaced_by_words() {
        assert_eq!(expanded(&["get $1 $2.bak", "ls"], &["a", "b"]), ["get a b.bak", "ls"]);
        assert_eq!(expanded(&["get $1"], &["a b"]), ["get a\\ b"]);
        assert_eq!(expanded(&["get $1$2$x"], &["a"]), ["get a$x"]);
        assert_eq!(expanded(&["get \\$1"], &["a"]), ["get \\$1"]);
    }

    #[test]
    fn a_macro_with_i_runs_for_each_word() {
        assert_eq!(expanded(&["get $i", "ls"], &["a", "b"]), ["get a", "ls", "get b", "ls"]);
        assert_eq!(expanded(&["get $i"], &[]), [] as [&str; 0]);
    }
}
