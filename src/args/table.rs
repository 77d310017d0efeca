//! The table of a program's options: what a row can say, and what the program is called.

use super::usage::{Expected, Origin, Problem, Usage};
use super::value::boolean;
use std::ffi::OsString;

pub(super) static BUILT_IN: [Flag; 2] = [
    Flag::switch("help", "print this help").short('h'),
    Flag::switch("version", "print the version").short('V'),
];

/// One program, or one subcommand: what it is called, what it does, what it takes.
#[derive(Debug)]
pub struct Program {
    /// As the user types it.
    pub name: &'static str,
    /// `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// A sentence or two for the top of `--help`; wrapped there.
    pub about: &'static str,
    /// Each way to call it, beginning with its name. Errors show the first.
    pub usage: &'static [&'static str],
    /// The options, in the order of `--help`, which itself comes last with `--version`.
    pub flags: &'static [Flag],
    /// What `--help` ends with, as it stands here.
    pub after: &'static str,
}

/// One option. It has a long form, a letter, or both.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// Without its `--`; also the key in a config file.
    pub long: Option<&'static str>,
    /// Without its `-`.
    pub short: Option<char>,
    /// What help calls the value; a switch has none. Completion takes `FILE`, `DIR` and `HOST` at
    /// their word.
    pub value: Option<&'static str>,
    /// One line or more for `--help`, without the default; but a default that is not a value ends it
    /// in brackets.
    pub help: &'static str,
    /// The value where none is given.
    pub default: Option<&'static str>,
    /// The values it can have, where those are few.
    pub choices: &'static [&'static str],
    /// Whether all values given count, and not the last alone.
    pub many: bool,
    /// Whether a config file may set it.
    pub config: bool,
    /// Other names and letters it answers to, those of other programs; help does not show them.
    pub also: &'static [&'static str],
    /// True if the value may hold a password, so that no error shows it.
    pub secret: bool,
}

impl Flag {
    /// `--LONG`
    pub const fn switch(long: &'static str, help: &'static str) -> Flag {
        Flag { long: Some(long), ..Flag::nameless(None, help) }
    }

    /// `--LONG VALUE`
    pub const fn option(long: &'static str, value: &'static str, help: &'static str) -> Flag {
        Flag { long: Some(long), ..Flag::nameless(Some(value), help) }
    }

    /// `-X`, without a long form.
    pub const fn letter_switch(short: char, help: &'static str) -> Flag {
        Flag { short: Some(short), ..Flag::nameless(None, help) }
    }

    /// `-X VALUE`, without a long form.
    pub const fn letter_option(short: char, value: &'static str, help: &'static str) -> Flag {
        Flag { short: Some(short), ..Flag::nameless(Some(value), help) }
    }

    /// Adds a letter to a long form.
    pub const fn short(self, short: char) -> Flag {
        Flag { short: Some(short), ..self }
    }

    /// Adds the value that stands where none is given.
    pub const fn or(self, default: &'static str) -> Flag {
        Flag { default: Some(default), ..self }
    }

    /// Names the values it can have, for completion.
    pub const fn choices(self, choices: &'static [&'static str]) -> Flag {
        Flag { choices, ..self }
    }

    /// Lets all values count, and not the last alone.
    pub const fn many(self) -> Flag {
        Flag { many: true, ..self }
    }

    /// Keeps it out of config files.
    pub const fn command_line_only(self) -> Flag {
        Flag { config: false, ..self }
    }

    /// Adds names of other programs.
    pub const fn also(self, also: &'static [&'static str]) -> Flag {
        Flag { also, ..self }
    }

    /// Keeps the value out of errors.
    pub const fn secret(self) -> Flag {
        Flag { secret: true, ..self }
    }

    /// What stands in for a value where none is given and none could be, in the words of `help`.
    pub fn unnamed_default(&self) -> Option<&'static str> {
        Some(self.help.strip_suffix(']')?.rsplit_once(" [")?.1)
    }

    const fn nameless(value: Option<&'static str>, help: &'static str) -> Flag {
        Flag {
            long: None,
            short: None,
            value,
            help,
            default: None,
            choices: &[],
            many: false,
            config: true,
            also: &[],
            secret: false,
        }
    }

    /// Returns the names that help shows, as they are typed: `-p`, `--port`.
    pub fn spellings(&self) -> Vec<String> {
        let short = self.short.map(|short| format!("-{short}"));
        short.into_iter().chain(self.long.map(|long| format!("--{long}"))).collect()
    }

    /// The names that help shows, and those of other programs.
    fn all_spellings(&self) -> Vec<String> {
        let dashes = |name: &str| if name.chars().nth(1).is_some() { "--" } else { "-" };
        let also = self.also.iter().map(|name| format!("{}{name}", dashes(name)));
        self.spellings().into_iter().chain(also).collect()
    }

    /// Returns true if the option may be typed like this.
    pub(super) fn answers_to(&self, typed: &str) -> bool {
        self.all_spellings().iter().any(|name| name == typed)
    }

    /// By its long form, or by its letter where it has no other name.
    pub(super) fn is_called(&self, name: &str) -> bool {
        match (self.long, self.short) {
            (Some(long), _) => long == name,
            (None, Some(short)) => name.chars().eq([short]),
            (None, None) => false,
        }
    }

    /// Whether it is a switch that other programs would undo by this word.
    pub(super) fn is_undone_by(&self, typed: &str) -> bool {
        self.value.is_none() && self.long.is_some() && typed.strip_prefix("no-") == self.long
    }

    pub(super) fn clashes(&self, other: &Flag) -> bool {
        self.all_spellings().iter().any(|name| other.answers_to(name))
    }

    /// Its long form, or its letter if it has no other name.
    pub(super) fn spelled(&self) -> String {
        self.spellings().pop().unwrap_or_default()
    }

    /// As an error calls it: in a file a key has no dashes.
    fn called_in(&self, origin: &Origin) -> String {
        match (origin, self.long) {
            (Origin::Config { .. }, Some(long)) => long.to_owned(),
            _ => self.spelled(),
        }
    }

    pub(super) fn wrong(&self, origin: Origin, value: Option<OsString>, expected: String) -> Usage {
        let name = self.called_in(&origin);
        let value = value.map(|value| if self.secret { "****".into() } else { value });
        Usage { origin, problem: Problem::Option { name, value, expected } }
    }

    /// Reads what a switch is given: `--sync=no` on the command line, `sync = no` in a file.
    pub(super) fn turned(&self, given: OsString, origin: &Origin) -> Result<bool, Usage> {
        match given.to_str().map(boolean) {
            Some(Ok(on)) => Ok(on),
            Some(Err(Expected(text))) => Err(self.wrong(origin.clone(), Some(given), text)),
            None => Err(self.not_text(origin, given)),
        }
    }

    /// Returns the error for a value that is not UTF-8.
    pub(super) fn not_text(&self, origin: &Origin, value: OsString) -> Usage {
        self.wrong(origin.clone(), Some(value), "text in UTF-8".into())
    }

    pub(super) fn without_value(&self, origin: Origin) -> Usage {
        self.wrong(origin, None, format!("a value ({})", self.value.unwrap_or_default()))
    }
}

impl Program {
    /// The line to print after an error.
    pub fn usage_line(&self) -> String {
        format!("Usage: {}", self.usage.first().unwrap_or(&self.name))
    }

    /// What `--version` prints.
    pub fn version_line(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    /// The table and the flags that every program has, in the order of `--help`.
    pub fn all_flags(&self) -> impl Iterator<Item = &'static Flag> + use<> {
        self.flags.iter().chain(&BUILT_IN)
    }
}
