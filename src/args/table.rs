//! The table of a program's options.

use super::usage::{Expected, Origin, Problem, Usage};
use super::value::boolean;
use std::ffi::OsString;

pub(super) static BUILT_IN: [Flag; 2] = [
    Flag::switch("help", "print this help").short('h'),
    Flag::switch("version", "print the version").short('V'),
];

/// A program or a subcommand: its name, its purpose and its options.
#[derive(Debug)]
pub struct Program {
    /// The name that the user types.
    pub name: &'static str,
    /// The version, `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// One or two sentences for the top of `--help`, where they are wrapped.
    pub about: &'static str,
    /// The usage lines, each beginning with the name. Errors show the first.
    pub usage: &'static [&'static str],
    /// The options in the order of `--help`; `--help` and `--version` follow them.
    pub flags: &'static [Flag],
    /// The text at the end of `--help`, not wrapped.
    pub after: &'static str,
}

/// An option with a long form, a letter, or both.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// The long form without `--`; also the key in a config file.
    pub long: Option<&'static str>,
    /// The letter without `-`.
    pub short: Option<char>,
    /// The name of the value in help; a switch has none. `FILE`, `DIR` and `HOST` select the kind
    /// of completion.
    pub value: Option<&'static str>,
    /// The help text, which may take several lines, without the default. A default that is not a
    /// value, such as `[no limit]`, is part of this text, at its end.
    pub help: &'static str,
    /// The default value.
    pub default: Option<&'static str>,
    /// The possible values, if they are few.
    pub choices: &'static [&'static str],
    /// True if the option may be repeated and all values apply, not just the last one.
    pub many: bool,
    /// True if a config file may set the option.
    pub config: bool,
    /// Names and letters of the same option in other programs, which are accepted but not shown in
    /// help.
    pub also: &'static [&'static str],
    /// True if the value may contain a password; errors do not show it.
    pub secret: bool,
}

impl Flag {
    /// Creates a switch `--LONG`.
    pub const fn switch(long: &'static str, help: &'static str) -> Flag {
        Flag { long: Some(long), ..Flag::nameless(None, help) }
    }

    /// Creates an option `--LONG VALUE`.
    pub const fn option(long: &'static str, value: &'static str, help: &'static str) -> Flag {
        Flag { long: Some(long), ..Flag::nameless(Some(value), help) }
    }

    /// Creates a switch `-X` without a long form.
    pub const fn letter_switch(short: char, help: &'static str) -> Flag {
        Flag { short: Some(short), ..Flag::nameless(None, help) }
    }

    /// Creates an option `-X VALUE` without a long form.
    pub const fn letter_option(short: char, value: &'static str, help: &'static str) -> Flag {
        Flag { short: Some(short), ..Flag::nameless(Some(value), help) }
    }

    /// Adds a letter to the long form.
    pub const fn short(self, short: char) -> Flag {
        Flag { short: Some(short), ..self }
    }

    /// Sets the default value.
    pub const fn or(self, default: &'static str) -> Flag {
        Flag { default: Some(default), ..self }
    }

    /// Sets the possible values, for completion.
    pub const fn choices(self, choices: &'static [&'static str]) -> Flag {
        Flag { choices, ..self }
    }

    /// Makes the option repeatable.
    pub const fn many(self) -> Flag {
        Flag { many: true, ..self }
    }

    /// Excludes the option from config files.
    pub const fn command_line_only(self) -> Flag {
        Flag { config: false, ..self }
    }

    /// Adds names from other programs.
    pub const fn also(self, also: &'static [&'static str]) -> Flag {
        Flag { also, ..self }
    }

    /// Hides the value in errors.
    pub const fn secret(self) -> Flag {
        Flag { secret: true, ..self }
    }

    /// Returns the bracketed text at the end of `help`, a default that is not a value.
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

    /// Returns the names that help shows, as the user types them: `-p`, `--port`.
    pub fn spellings(&self) -> Vec<String> {
        let short = self.short.map(|short| format!("-{short}"));
        short.into_iter().chain(self.long.map(|long| format!("--{long}"))).collect()
    }

    /// Returns the names that help shows and those from other programs.
    fn all_spellings(&self) -> Vec<String> {
        let dashes = |name: &str| if name.chars().nth(1).is_some() { "--" } else { "-" };
        let also = self.also.iter().map(|name| format!("{}{name}", dashes(name)));
        self.spellings().into_iter().chain(also).collect()
    }

    /// Returns whether `typed` is a spelling of the option.
    pub(super) fn has_spelling(&self, typed: &str) -> bool {
        self.all_spellings().iter().any(|name| name == typed)
    }

    /// Returns whether `name` is the long form, or the letter if the option has no long form.
    pub(super) fn is_called(&self, name: &str) -> bool {
        match (self.long, self.short) {
            (Some(long), _) => long == name,
            (None, Some(short)) => name.chars().eq([short]),
            (None, None) => false,
        }
    }

    /// Returns whether `typed` is the form `no-NAME` with which other programs turn this switch
    /// off.
    pub(super) fn is_negated_by(&self, typed: &str) -> bool {
        self.value.is_none() && self.long.is_some() && typed.strip_prefix("no-") == self.long
    }

    pub(super) fn conflicts(&self, other: &Flag) -> bool {
        self.all_spellings().iter().any(|name| other.has_spelling(name))
    }

    /// Returns the long form, or the letter if the option has no long form.
    pub(super) fn spelled(&self) -> String {
        self.spellings().pop().unwrap_or_default()
    }

    /// Returns the name for error messages: keys in a config file have no dashes.
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

    /// Parses the value of a switch: `--sync=no` on the command line, `sync = no` in a file.
    pub(super) fn parse_switch(&self, given: OsString, origin: &Origin) -> Result<bool, Usage> {
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
    /// Returns the usage line to print after an error.
    pub fn usage_line(&self) -> String {
        format!("Usage: {}", self.usage.first().unwrap_or(&self.name))
    }

    /// Returns the text of `--version`.
    pub fn version_line(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    /// Returns the flags of the table and the built-in ones, in the order of `--help`.
    pub fn all_flags(&self) -> impl Iterator<Item = &'static Flag> + use<> {
        self.flags.iter().chain(&BUILT_IN)
    }
}
