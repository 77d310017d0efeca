//! Parses the words of a command line.

use super::near::nearest;
use super::parsed::{Given, Parsed, Setting};
use super::table::{BUILT_IN, Flag, Program};
use super::usage::{Origin, Problem, Usage, lossy};
use crate::sys::{os_string, os_tail};
use std::ffi::OsString;

/// The result of parsing a command line.
#[derive(Debug)]
pub enum Outcome {
    /// Run with these options and operands.
    Run(Parsed),
    /// Print [`Program::help`].
    Help,
    /// Print [`Program::version_line`].
    Version,
}

/// The result of parsing the words after a command at the prompt.
#[derive(Debug)]
pub(crate) enum PromptOutcome {
    /// Run the command.
    Run {
        /// The options.
        options: Parsed,
        /// The other words, unchanged.
        operands: Vec<Vec<u8>>,
    },
    /// Print the help of the command.
    Help,
}

/// The state of a pass over the words of a command line.
struct Scan<W, I> {
    flags: &'static [Flag],
    /// Options in addition to the table: `--help`, then `--version`.
    built_in: &'static [Flag],
    words: I,
    parsed: Parsed,
    operands: Vec<W>,
}

/// The reason for ending a pass early.
enum Stop {
    Asked(Outcome),
    Wrong(Usage),
}

/// A word of a command line: an `OsString` from the process arguments, or bytes from a prompt.
trait Word {
    /// Returns the bytes of the word, in which ASCII characters are single bytes.
    fn bytes(&self) -> &[u8];

    /// Returns the text after the first `from` bytes, which are ASCII; `None` if it cannot be a
    /// value.
    fn tail(&self, from: usize) -> Option<OsString>;
}

impl Word for OsString {
    fn bytes(&self) -> &[u8] {
        self.as_encoded_bytes()
    }

    fn tail(&self, from: usize) -> Option<OsString> {
        Some(os_tail(self, from))
    }
}

impl Word for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn tail(&self, from: usize) -> Option<OsString> {
        os_string(&self[from..])
    }
}

impl Program {
    /// Parses a command line without the program's own name, as from
    /// `std::env::args_os().skip(1)`. Parsing ends at the first error, `--help` or `--version`.
    ///
    /// # Errors
    /// Returns the first error in the command line.
    pub fn parse(&self, argv: impl IntoIterator<Item = OsString>) -> Result<Outcome, Usage> {
        match Scan::new(self.flags, &BUILT_IN, argv.into_iter()).run() {
            Ok((mut parsed, operands)) => {
                parsed.operands = operands;
                Ok(Outcome::Run(parsed))
            }
            Err(Stop::Asked(outcome)) => Ok(outcome),
            Err(Stop::Wrong(usage)) => Err(usage),
        }
    }
}

/// Parses the words after a command at a program's prompt. The grammar is that of
/// [`Program::parse`]; of the built-in flags only `--help` exists. Operands are returned as
/// unchanged bytes.
///
/// # Errors
/// Returns the first error in the words.
pub(crate) fn parse_prompt_words(
    flags: &'static [Flag],
    words: &[Vec<u8>],
) -> Result<PromptOutcome, Usage> {
    match Scan::new(flags, &BUILT_IN[..1], words.iter().cloned()).run() {
        Ok((options, operands)) => Ok(PromptOutcome::Run { options, operands }),
        Err(Stop::Asked(_)) => Ok(PromptOutcome::Help),
        Err(Stop::Wrong(usage)) => Err(usage),
    }
}

impl<W: Word, I: Iterator<Item = W>> Scan<W, I> {
    /// Creates a pass over these words.
    fn new(flags: &'static [Flag], built_in: &'static [Flag], words: I) -> Scan<W, I> {
        Scan { flags, built_in, words, parsed: Parsed::new(flags), operands: Vec::new() }
    }

    /// Parses all words.
    fn run(mut self) -> Result<(Parsed, Vec<W>), Stop> {
        while let Some(word) = self.words.next() {
            match word.bytes() {
                b"--" => self.operands.extend(self.words.by_ref()),
                [b'-', b'-', ..] => self.long(&word)?,
                [b'-', _, ..] => self.letters(&word)?,
                _ => self.operands.push(word),
            }
        }
        Ok((self.parsed, self.operands))
    }

    /// Parses `--name` or `--name=value`.
    fn long(&mut self, word: &W) -> Result<(), Stop> {
        let bytes = word.bytes();
        let equals = bytes.iter().position(|byte| *byte == b'=');
        let name = String::from_utf8_lossy(&bytes[..equals.unwrap_or(bytes.len())]);
        let Some((row, flag)) = self.find(&name) else {
            return Err(self.unknown(name.clone().into_owned(), &name[2..]));
        };
        let attached = equals.map(|at| value(flag, word, at + 1)).transpose()?;
        self.take(row, flag, attached)
    }

    /// Parses `-kq`, `-kc value`, `-kcvalue` or `-kc=value`.
    fn letters(&mut self, word: &W) -> Result<(), Stop> {
        let bytes = word.bytes();
        for at in 1..bytes.len() {
            let Some((row, flag)) = self.find(&format!("-{}", char::from(bytes[at]))) else {
                return Err(self.unknown_letter(&bytes[at..], &bytes[1..]));
            };
            let rest = &bytes[at + 1..];
            if rest.starts_with(b"=") {
                return self.take(row, flag, Some(value(flag, word, at + 2)?));
            }
            if flag.value.is_some() && !rest.is_empty() {
                return self.take(row, flag, Some(value(flag, word, at + 1)?));
            }
            self.take(row, flag, None)?;
        }
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = &'static Flag> + use<W, I> {
        self.flags.iter().chain(self.built_in)
    }

    /// Finds the option with this spelling, which includes the dashes.
    fn find(&self, typed: &str) -> Option<(usize, &'static Flag)> {
        self.all().enumerate().find(|(_, flag)| flag.has_spelling(typed))
    }

    fn take(&mut self, row: usize, flag: &Flag, attached: Option<OsString>) -> Result<(), Stop> {
        let setting = match (flag.value, attached) {
            (None, None) => Setting::Switch(true),
            (None, Some(given)) => Setting::Switch(yes_or_no(flag, given)?),
            (Some(_), Some(value)) => Setting::Value(value),
            (Some(_), None) => match self.words.next() {
                Some(word) => Setting::Value(value(flag, &word, 0)?),
                None => return Err(Stop::Wrong(flag.without_value(Origin::CommandLine))),
            },
        };
        match row.checked_sub(self.flags.len()) {
            None => self.parsed.given.push(Given { row, setting, origin: Origin::CommandLine }),
            Some(0) => return Err(Stop::Asked(Outcome::Help)),
            Some(_) => return Err(Stop::Asked(Outcome::Version)),
        }
        Ok(())
    }

    fn unknown(&self, option: String, typed: &str) -> Stop {
        let near = self.near(typed);
        Stop::Wrong(Usage {
            origin: Origin::CommandLine,
            problem: Problem::Unknown { option, near },
        })
    }

    /// Returns the error for an unknown letter. The whole group may be a long option with only one
    /// dash, such as `-port`.
    fn unknown_letter(&self, rest: &[u8], group: &[u8]) -> Stop {
        let letter: String = String::from_utf8_lossy(rest).chars().take(1).collect();
        let group = String::from_utf8_lossy(group);
        let typed = if group.len() > letter.len() { group.as_ref() } else { "" };
        self.unknown(format!("-{letter}"), typed)
    }

    /// Returns the option that `typed`, a name without dashes, resembles.
    fn near(&self, typed: &str) -> Option<String> {
        let mut letters = self.all().filter_map(|flag| flag.short);
        if let Some(short) = letters.find(|short| typed.chars().eq([*short])) {
            return Some(format!("-{short}"));
        }
        if let Some(switch) = self.flags.iter().find(|flag| flag.is_negated_by(typed)) {
            return Some(format!("{}=no", switch.spelled()));
        }
        let long = nearest(typed, self.all().filter_map(|flag| flag.long));
        long.map(|long| format!("--{long}"))
    }
}

/// Returns the text after the first `from` bytes of a word as the value of an option.
fn value(flag: &Flag, word: &impl Word, from: usize) -> Result<OsString, Stop> {
    let not_text = || flag.not_text(&Origin::CommandLine, lossy(&word.bytes()[from..]));
    word.tail(from).ok_or_else(|| Stop::Wrong(not_text()))
}

/// Parses the value of a switch; `--help` and `--version` take none.
fn yes_or_no(flag: &Flag, given: OsString) -> Result<bool, Stop> {
    if BUILT_IN.iter().any(|asks| asks.conflicts(flag)) {
        return Err(Stop::Wrong(flag.wrong(Origin::CommandLine, Some(given), "no value".into())));
    }
    flag.parse_switch(given, &Origin::CommandLine).map_err(Stop::Wrong)
}

#[cfg(test)]
mod tests;
