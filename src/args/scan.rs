//! From the words of the command line to what was given.

use super::{Flag, Given, Origin, Outcome, Parsed, Problem, Program, Setting, Usage};
use crate::sys::os_tail;
use std::ffi::{OsStr, OsString};

/// One pass over argv.
pub(super) struct Scan<'a, I> {
    program: &'a Program,
    words: I,
    parsed: Parsed,
}

/// Why a pass ends early.
pub(super) enum Stop {
    Asked(Outcome),
    Wrong(Usage),
}

impl<I: Iterator<Item = OsString>> Scan<'_, I> {
    /// A pass over these words.
    pub(super) fn new(program: &Program, words: I) -> Scan<'_, I> {
        Scan { program, words, parsed: Parsed::new(program.flags) }
    }

    /// Goes through all words.
    pub(super) fn run(mut self) -> Result<Parsed, Stop> {
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
        let wrong = |usage| Err(Stop::Wrong(usage));
        let setting = match (flag.value, attached) {
            (None, None) => Setting::Switch(true),
            (None, given) => {
                return wrong(flag.wrong(Origin::CommandLine, given, "no value".into()));
            }
            (Some(_), attached) => match attached.or_else(|| self.words.next()) {
                Some(value) => Setting::Value(value),
                None => return wrong(flag.without_value(Origin::CommandLine)),
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
