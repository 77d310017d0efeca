//! A command of the shell: one row that parsing, HELP, the man page, completion, messages and the
//! history read.
//!
//! The rows stand in the files of the functions they run; [`super::GROUPS`] lists those files.

use super::operands::{Operand, Secrecy};
use crate::args::{Flag, Parsed, TypedOutcome, parse_typed};
use crate::client::error::Error;
use crate::client::shell::session::Session;
use crate::protocol::pattern::is_pattern;
use crate::protocol::{Code, Reply};
use crate::text::shown;
use std::io::ErrorKind;

/// A command of the shell, with everything that is known of it.
pub(in crate::client) struct Row {
    /// Its name, then the others it answers to, in lower case.
    pub(super) names: &'static [&'static str],
    /// What it does, in one line.
    pub(super) help: &'static str,
    pub(super) action: Action,
    /// What the words after the name mean. Those that may be left out come last.
    pub(super) operands: &'static [Operand],
    /// What else HELP says, in lines.
    pub(super) details: &'static str,
    example: Option<&'static str>,
    /// Whether names on the server are the same after it, at the same places.
    keeps_names: bool,
}

/// A command without options: what begins with `-` is an operand like any other.
type Run = fn(&mut Session, &[Vec<u8>]) -> Result<(), Error>;

/// A command with options, which come parsed, and without them in the operands.
type RunWithOptions = fn(&mut Session, &Parsed, &[Vec<u8>]) -> Result<(), Error>;

/// A command that hands the words in front which begin with `-` on to the server's `ls`.
type RunWithListFlags = fn(&mut Session, &[Vec<u8>], &[Vec<u8>]) -> Result<(), Error>;

/// What a command does.
#[derive(Clone, Copy)]
pub(super) enum Action {
    Run(Run),
    RunWithOptions(&'static [Flag], RunWithOptions),
    RunWithListFlags(RunWithListFlags),
    /// Nothing: scripts of other clients use it. The text says why it is not offered.
    NotOffered(&'static str),
}

impl Row {
    /// A command without options.
    pub(super) const fn new(names: &'static [&'static str], help: &'static str, run: Run) -> Row {
        Row::of(names, help, Action::Run(run))
    }

    /// A command with options.
    pub(super) const fn with_options(
        names: &'static [&'static str],
        help: &'static str,
        options: &'static [Flag],
        run: RunWithOptions,
    ) -> Row {
        Row::of(names, help, Action::RunWithOptions(options, run))
    }

    /// A command that takes the options of the server's `ls`.
    pub(super) const fn with_list_flags(
        names: &'static [&'static str],
        help: &'static str,
        run: RunWithListFlags,
    ) -> Row {
        Row::of(names, help, Action::RunWithListFlags(run))
    }

    /// A command of other clients that this one does not have, and why.
    pub(super) const fn not_offered(names: &'static [&'static str], why: &'static str) -> Row {
        Row::of(names, "", Action::NotOffered(why))
    }

    const fn of(names: &'static [&'static str], help: &'static str, action: Action) -> Row {
        Row { names, help, action, operands: &[], details: "", example: None, keeps_names: false }
    }

    /// Names the words that may follow.
    pub(super) const fn operands(self, operands: &'static [Operand]) -> Row {
        Row { operands, ..self }
    }

    /// Adds to HELP.
    pub(super) const fn details(self, details: &'static str) -> Row {
        Row { details, ..self }
    }

    /// Shows a use of it, for a command that is not used by its name alone.
    pub(super) const fn example(self, example: &'static str) -> Row {
        Row { example: Some(example), ..self }
    }

    /// Lets completion use the remote names it knows after the command.
    pub(super) const fn keeps_names(self) -> Row {
        Row { keeps_names: true, ..self }
    }

    /// Returns true if it can be run.
    pub(super) fn is_offered(&self) -> bool {
        !matches!(self.action, Action::NotOffered(_))
    }

    /// Returns true if names on the server are the same after it, at the same places.
    pub(in crate::client::shell) fn leaves_names(&self) -> bool {
        self.keeps_names
    }

    /// Returns the name, in lower case.
    pub(in crate::client::shell) fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    /// Returns the name as messages show it.
    pub(in crate::client::shell) fn title(&self) -> String {
        self.name().to_uppercase()
    }

    /// Returns how it is called: `PGET [-n N] FILE [LOCAL]`.
    pub(super) fn usage(&self) -> String {
        let mut usage = self.title();
        match (self.action, self.options()) {
            (Action::RunWithListFlags(_), _) => usage += " [-OPTS]",
            (_, []) => {}
            (_, [Flag { short: Some(short), value, .. }]) => {
                let value = value.map(|value| format!(" {value}")).unwrap_or_default();
                usage += &format!(" [-{short}{value}]");
            }
            _ => usage += " [OPTIONS]",
        }
        for operand in self.operands {
            usage += if operand.is_optional { " [" } else { " " };
            usage += operand.name;
        }
        usage + &"]".repeat(self.operands.len() - self.needed())
    }

    /// Returns one use of it.
    pub(super) fn example_line(&self) -> String {
        self.example.map_or_else(|| self.title(), str::to_owned)
    }

    /// Returns its options.
    pub(in crate::client::shell) fn options(&self) -> &'static [Flag] {
        match self.action {
            Action::RunWithOptions(options, _) => options,
            Action::Run(_) | Action::RunWithListFlags(_) | Action::NotOffered(_) => &[],
        }
    }

    /// Returns what the operand at `index` is; `None` if there can be none.
    pub(in crate::client::shell) fn operand(&self, index: usize) -> Option<&'static Operand> {
        let last = self.operands.last().filter(|last| last.is_many);
        self.operands.get(index).or(last)
    }

    /// Returns the index of the first operand that is a password.
    pub(in crate::client::shell) fn first_secret(&self) -> Option<usize> {
        self.operands.iter().position(|operand| operand.secrecy == Secrecy::Secret)
    }

    /// Returns true if a command of the server may follow, with a password in it.
    pub(in crate::client::shell) fn may_hold_secret(&self) -> bool {
        self.operands.iter().any(|operand| operand.secrecy == Secrecy::MayHold)
    }

    /// Returns true if the value of an option may hold a password.
    pub(in crate::client::shell) fn has_secret_option(&self) -> bool {
        self.options().iter().any(|flag| flag.secret)
    }

    /// Parses the words after its name.
    ///
    /// # Errors
    /// [`Error::Usage`] that names the wrong option, its value and what was expected.
    pub(in crate::client::shell) fn call(&'static self, words: &[Vec<u8>]) -> Result<Call, Error> {
        match self.action {
            Action::Run(run) => {
                Ok(Call { row: self, step: Step::Run(run), operands: words.to_vec() })
            }
            Action::RunWithOptions(flags, run) => match parse_typed(flags, words)? {
                TypedOutcome::Run { options, operands } => {
                    Ok(Call { row: self, step: Step::RunWithOptions(run, options), operands })
                }
                TypedOutcome::Help => Row::find(b"help")?.call(&[self.name().into()]),
            },
            Action::RunWithListFlags(run) => {
                let is_flag = |word: &&Vec<u8>| word.starts_with(b"-") && word.len() > 1;
                let (flags, operands) = words.split_at(words.iter().take_while(is_flag).count());
                let step = Step::RunWithListFlags(run, flags.to_vec());
                Ok(Call { row: self, step, operands: operands.to_vec() })
            }
            Action::NotOffered(why) => Err(not_offered(why)),
        }
    }

    /// Returns how many operands there have to be.
    fn needed(&self) -> usize {
        self.operands.iter().filter(|operand| !operand.is_optional).count()
    }

    /// Returns how many operands there may be.
    fn most(&self) -> usize {
        let is_many = self.operands.last().is_some_and(|last| last.is_many);
        if is_many { usize::MAX } else { self.operands.len() }
    }
}

/// A command and the words after it, parsed.
pub(in crate::client::shell) struct Call {
    row: &'static Row,
    step: Step,
    operands: Vec<Vec<u8>>,
}

/// What is run, with the options it gets.
enum Step {
    Run(Run),
    RunWithOptions(RunWithOptions, Parsed),
    RunWithListFlags(RunWithListFlags, Vec<Vec<u8>>),
}

impl Call {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Error::Usage`] if the number of operands is wrong, else what the command fails with.
    pub(in crate::client::shell) fn run(&self, session: &mut Session) -> Result<(), Error> {
        if self.operands.len() < self.row.needed() {
            return Err(Error::Usage(format!("usage: {}", self.row.usage())));
        }
        if self.operands.len() > self.row.most() {
            let usage = self.row.usage();
            return Err(Error::Usage(format!("usage: {usage}; quote a name that has spaces")));
        }
        match &self.step {
            Step::Run(run) => run(session, &self.operands),
            Step::RunWithOptions(run, options) => run(session, options, &self.operands),
            Step::RunWithListFlags(run, flags) => run(session, flags, &self.operands),
        }
    }

    /// Returns the command that is run.
    pub(in crate::client::shell) fn row(&self) -> &'static Row {
        self.row
    }

    /// Returns how many operands there are.
    pub(in crate::client::shell) fn count(&self) -> usize {
        self.operands.len()
    }

    /// Returns the first operand, unless it may be a password.
    pub(in crate::client::shell) fn shown_operand(&self) -> Option<&[u8]> {
        let is_public = self.row.operand(0).is_none_or(|first| first.secrecy == Secrecy::Public);
        let is_name = |word: &&Vec<u8>| is_public && !word.starts_with(b"-");
        self.operands.first().filter(is_name).map(Vec::as_slice)
    }
}

impl Call {
    /// Returns what to say after an error that another command would not have had: a name that looks like
    /// a pattern, or that of a directory.
    pub(in crate::client::shell) fn advice(&self, error: &Error) -> Option<String> {
        self.advice_for_dir(error).or_else(|| self.advice_for_pattern(error))
    }

    fn advice_for_pattern(&self, error: &Error) -> Option<String> {
        let by_name = matches!(error, Error::Refused(_) | Error::File { .. });
        let operands = self.operands.iter().enumerate().filter(|_| by_name);
        let expanded_by = |(index, word): (usize, &Vec<u8>)| {
            self.row.operand(index)?.expanded_by.filter(|_| is_pattern(word))
        };
        let (name, expanded_by) = (self.row.title(), operands.filter_map(expanded_by).next()?);
        Some(format!(
            "{name} takes names as they are; {} takes patterns",
            expanded_by.to_uppercase()
        ))
    }

    fn advice_for_dir(&self, error: &Error) -> Option<String> {
        let word = shown(self.operands.first()?);
        match (self.row.operand(0)?.expanded_by?, error) {
            ("mput", Error::File { error, .. }) if error.kind() == ErrorKind::IsADirectory => {
                Some(format!("MIRROR -R {word} sends a directory"))
            }
            ("mget", Error::Refused(reply)) if says_directory(reply) => {
                Some(format!("MIRROR {word} fetches a directory"))
            }
            _ => None,
        }
    }

    /// Returns whether the server refused a name in UTF-8 that was typed and is not plain ASCII.
    pub(in crate::client::shell) fn is_refused_in_utf_8(&self, error: &Error) -> bool {
        let is_beyond_ascii = |word: &Vec<u8>| !word.is_ascii() && str::from_utf8(word).is_ok();
        matches!(error, Error::Refused(reply) if reply.code() == Code::UNAVAILABLE)
            && self.operands.iter().any(is_beyond_ascii)
    }
}

/// Returns whether a refusal says that the name is that of a directory, and not that none is there.
fn says_directory(reply: &Reply) -> bool {
    let text = reply.to_string().to_lowercase();
    ["is a directory", "not a plain file", "not a regular file"]
        .iter()
        .any(|said| text.contains(said))
}

/// For the test of the table.
#[cfg(test)]
impl Row {
    /// Holds the operands to their rules: those that may be left out come last, and so does one that
    /// stands for many.
    pub(super) fn check_operands(&self) {
        let title = self.title();
        assert!(self.operands.iter().is_sorted_by_key(|operand| operand.is_optional), "{title}");
        let many = self.operands.iter().filter(|operand| operand.is_many).count();
        let ends_in_many = self.operands.last().is_some_and(|last| last.is_many);
        assert_eq!(many, usize::from(ends_in_many), "{title}");
        assert_eq!(self.example.is_none(), self.operands.is_empty(), "{title}: its example");
        for other in self.operands.iter().filter_map(|operand| operand.expanded_by) {
            assert!(Row::find(other.as_bytes()).is_ok(), "{title}: {other}");
        }
    }
}

#[cfg(test)]
impl Call {
    pub(super) fn has_right_count(&self) -> bool {
        (self.row.needed()..=self.row.most()).contains(&self.operands.len())
    }
}

/// The error of a command that is not offered.
pub(super) fn not_offered(why: &str) -> Error {
    Error::Usage(format!("not offered: {why}"))
}
