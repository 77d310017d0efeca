//! From the words of the command line to what was given.

use super::near::nearest;
use super::parsed::{Given, Parsed, Setting};
use super::table::{BUILT_IN, Flag, Program};
use super::usage::{Expected, Origin, Problem, Usage};
use super::value::boolean;
use crate::sys::os_tail;
use std::ffi::{OsStr, OsString};

/// What a command line asks for.
#[derive(Debug)]
pub enum Outcome {
    /// To run, with these options and operands.
    Run(Parsed),
    /// To print [`Program::help`].
    Help,
    /// To print [`Program::version_line`].
    Version,
}

/// One pass over argv.
struct Scan<'a, I> {
    program: &'a Program,
    words: I,
    parsed: Parsed,
}

/// Why a pass ends early.
enum Stop {
    Asked(Outcome),
    Wrong(Usage),
}

impl Program {
    /// Reads a command line, the program's own name already taken off:
    /// `std::env::args_os().skip(1)`. The first of an error, `--help` and `--version` decides.
    pub fn parse(&self, argv: impl IntoIterator<Item = OsString>) -> Result<Outcome, Usage> {
        match Scan::new(self, argv.into_iter()).run() {
            Ok(parsed) => Ok(Outcome::Run(parsed)),
            Err(Stop::Asked(outcome)) => Ok(outcome),
            Err(Stop::Wrong(usage)) => Err(usage),
        }
    }

    /// The option that may be meant by `typed`, which has lost its dashes.
    fn near(&self, typed: &str) -> Option<String> {
        let mut letters = self.all_flags().filter_map(|flag| flag.short);
        if let Some(short) = letters.find(|short| typed.chars().eq([*short])) {
            return Some(format!("-{short}"));
        }
        if let Some(switch) = self.flags.iter().find(|flag| flag.is_undone_by(typed)) {
            return Some(format!("{}=no", switch.spelled()));
        }
        let long = nearest(typed, self.all_flags().filter_map(|flag| flag.long));
        long.map(|long| format!("--{long}"))
    }
}

impl<I: Iterator<Item = OsString>> Scan<'_, I> {
    /// A pass over these words.
    fn new(program: &Program, words: I) -> Scan<'_, I> {
        Scan { program, words, parsed: Parsed::new(program.flags) }
    }

    /// Goes through all words.
    fn run(mut self) -> Result<Parsed, Stop> {
        while let Some(word) = self.words.next() {
            match word.as_encoded_bytes() {
                b"--" => self.parsed.operands.extend(self.words.by_ref()),
                [b'-', b'-', body @ ..] => self.long(&word, body)?,
                [b'-', _, ..] => self.letters(&word)?,
                _ => self.parsed.operands.push(word),
            }
        }
        Ok(self.parsed)
    }

    /// `--name` or `--name=value`; `body` is the word after its dashes.
    fn long(&mut self, word: &OsStr, body: &[u8]) -> Result<(), Stop> {
        let equals = body.iter().position(|byte| *byte == b'=');
        let name = &body[..equals.unwrap_or(body.len())];
        let known = |flag: &Flag| flag.long.is_some_and(|long| long.as_bytes() == name);
        let Some((row, flag)) = self.find(known) else {
            let name = String::from_utf8_lossy(name);
            return Err(self.unknown(format!("--{name}"), &name));
        };
        self.take(row, flag, equals.map(|at| os_tail(word, 2 + at + 1)))
    }

    /// `-kq`, `-kc value`, `-kcvalue` or `-kc=value`.
    fn letters(&mut self, word: &OsStr) -> Result<(), Stop> {
        let bytes = word.as_encoded_bytes();
        for at in 1..bytes.len() {
            let known = |flag: &Flag| flag.short == Some(char::from(bytes[at]));
            let Some((row, flag)) = self.find(known) else {
                return Err(self.unknown_letter(&os_tail(word, at), &os_tail(word, 1)));
            };
            let rest = &bytes[at + 1..];
            if rest.starts_with(b"=") {
                return self.take(row, flag, Some(os_tail(word, at + 2)));
            }
            if flag.value.is_some() && !rest.is_empty() {
                return self.take(row, flag, Some(os_tail(word, at + 1)));
            }
            self.take(row, flag, None)?;
        }
        Ok(())
    }

    fn find(&self, known: impl Fn(&Flag) -> bool) -> Option<(usize, &'static Flag)> {
        self.program.all_flags().enumerate().find(|(_, flag)| known(flag))
    }

    fn take(&mut self, row: usize, flag: &Flag, attached: Option<OsString>) -> Result<(), Stop> {
        let setting = match (flag.value, attached) {
            (None, None) => Setting::Switch(true),
            (None, Some(given)) => Setting::Switch(yes_or_no(flag, given)?),
            (Some(_), attached) => match attached.or_else(|| self.words.next()) {
                Some(value) => Setting::Value(value),
                None => return Err(Stop::Wrong(flag.without_value(Origin::CommandLine))),
            },
        };
        match row.checked_sub(self.program.flags.len()) {
            None => self.parsed.given.push(Given { row, setting, origin: Origin::CommandLine }),
            Some(0) => return Err(Stop::Asked(Outcome::Help)),
            Some(_) => return Err(Stop::Asked(Outcome::Version)),
        }
        Ok(())
    }

    fn unknown(&self, option: String, typed: &str) -> Stop {
        let near = self.program.near(typed);
        Stop::Wrong(Usage {
            origin: Origin::CommandLine,
            problem: Problem::Unknown { option, near },
        })
    }

    /// The whole group may be a long option that lost a dash: `-port`.
    fn unknown_letter(&self, rest: &OsStr, group: &OsStr) -> Stop {
        let letter: String = rest.to_string_lossy().chars().take(1).collect();
        let group = group.to_string_lossy();
        let typed = if group.len() > letter.len() { group.as_ref() } else { "" };
        self.unknown(format!("-{letter}"), typed)
    }
}

/// What `--sync=no` makes of a switch. Who asks for help or the version does not choose.
fn yes_or_no(flag: &Flag, given: OsString) -> Result<bool, Stop> {
    let expected = match given.to_str().map(boolean) {
        _ if BUILT_IN.iter().any(|asks| asks.clashes(flag)) => "no value".into(),
        Some(Ok(on)) => return Ok(on),
        Some(Err(Expected(text))) => text,
        None => "text in UTF-8".into(),
    };
    Err(Stop::Wrong(flag.wrong(Origin::CommandLine, Some(given), expected)))
}

#[cfg(test)]
mod tests;
