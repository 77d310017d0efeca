//! A command of the shell: one row, which parsing, HELP, the man page, completion, messages and the history
//! read.
//!
//! Each row is in the file of the function that it runs; [`super::GROUPS`] lists those files.

use super::operands::{Operand, Secrecy};
use crate::args::{Flag, Parsed, PromptOutcome, parse_prompt_words};
use crate::client::error::Error;
use crate::client::shell::session::Session;
use crate::protocol::pattern::is_pattern;
use crate::protocol::{Code, Reply};
use crate::text::shown;
use std::ffi::OsStr;
use std::io::ErrorKind;

/// The description of a command.
pub(in crate::client) struct Row {
    /// Its name and its alternative names, in lower case.
    pub(super) names: &'static [&'static str],
    /// Its purpose in one line.
    pub(super) help: &'static str,
    pub(super) action: Action,
    /// Its operands, the optional ones last.
    pub(super) operands: &'static [Operand],
    /// Further lines for HELP.
    pub(super) details: &'static str,
    example: Option<&'static str>,
    /// The word between the first operand and the target in messages: the second operand or the value of `-o`.
    target_word: Option<&'static str>,
    /// The command does not change the names of remote files or the remote directory.
    keeps_remote_names: bool,
}

/// The function of a command without options. Words that begin with `-` are operands.
type Run = fn(&mut Session, &[Vec<u8>]) -> Result<(), Error>;

/// The function of a command with options, which are passed parsed and separate from the operands.
type RunWithOptions = fn(&mut Session, &Parsed, &[Vec<u8>]) -> Result<(), Error>;

/// The function of a command that passes the leading words with `-` to the server's `ls`.
type RunWithListFlags = fn(&mut Session, &[Vec<u8>], &[Vec<u8>]) -> Result<(), Error>;

/// The function of a command.
#[derive(Clone, Copy)]
pub(super) enum Action {
    Run(Run),
    RunWithOptions(&'static [Flag], RunWithOptions),
    RunWithListFlags(RunWithListFlags),
    /// A command of other clients that this client does not support; the text says why.
    Unsupported(&'static str),
}

impl Row {
    /// Describes a command without options.
    pub(super) const fn new(names: &'static [&'static str], help: &'static str, run: Run) -> Row {
        Row::of(names, help, Action::Run(run))
    }

    /// Describes a command with options.
    pub(super) const fn with_options(
        names: &'static [&'static str],
        help: &'static str,
        options: &'static [Flag],
        run: RunWithOptions,
    ) -> Row {
        Row::of(names, help, Action::RunWithOptions(options, run))
    }

    /// Describes a command that takes the options of the server's `ls`.
    pub(super) const fn with_list_flags(
        names: &'static [&'static str],
        help: &'static str,
        run: RunWithListFlags,
    ) -> Row {
        Row::of(names, help, Action::RunWithListFlags(run))
    }

    /// Describes a command of other clients that this client does not support.
    pub(super) const fn unsupported(names: &'static [&'static str], why: &'static str) -> Row {
        Row::of(names, "", Action::Unsupported(why))
    }

    const fn of(names: &'static [&'static str], help: &'static str, action: Action) -> Row {
        Row {
            names,
            help,
            action,
            operands: &[],
            details: "",
            example: None,
            target_word: None,
            keeps_remote_names: false,
        }
    }

    /// Sets the operands.
    pub(super) const fn operands(self, operands: &'static [Operand]) -> Row {
        Row { operands, ..self }
    }

    /// Adds lines to HELP.
    pub(super) const fn details(self, details: &'static str) -> Row {
        Row { details, ..self }
    }

    /// Sets the example, for a command with operands.
    pub(super) const fn example(self, example: &'static str) -> Row {
        Row { example: Some(example), ..self }
    }

    /// Lets messages name the target of the command, after this word.
    pub(super) const fn names_target(self, word: &'static str) -> Row {
        Row { target_word: Some(word), ..self }
    }

    /// Lets completion keep its cache of remote names after the command.
    pub(super) const fn keeps_remote_names(self) -> Row {
        Row { keeps_remote_names: true, ..self }
    }

    /// Returns true if the client supports the command.
    pub(super) fn is_supported(&self) -> bool {
        !matches!(self.action, Action::Unsupported(_))
    }

    /// Returns true if the command does not change the names of remote files or the remote directory.
    pub(in crate::client::shell) fn preserves_remote_names(&self) -> bool {
        self.keeps_remote_names
    }

    /// Returns the name, in lower case.
    pub(in crate::client::shell) fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    /// Returns the name as messages show it.
    pub(in crate::client::shell) fn title(&self) -> String {
        self.name().to_uppercase()
    }

    /// Returns the usage line, such as `PGET [-n N] FILE [LOCAL]`.
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

    /// Returns the example.
    pub(super) fn example_line(&self) -> String {
        self.example.map_or_else(|| self.title(), str::to_owned)
    }

    pub(in crate::client::shell) fn options(&self) -> &'static [Flag] {
        match self.action {
            Action::RunWithOptions(options, _) => options,
            Action::Run(_) | Action::RunWithListFlags(_) | Action::Unsupported(_) => &[],
        }
    }

    fn has_option(&self, letter: char) -> bool {
        self.options().iter().any(|flag| flag.short == Some(letter))
    }

    /// Returns the description of the operand at `index`; `None` if there are fewer.
    pub(in crate::client::shell) fn operand(&self, index: usize) -> Option<&'static Operand> {
        let last = self.operands.last().filter(|last| last.is_many);
        self.operands.get(index).or(last)
    }

    /// Returns the index of the first operand that is a password.
    pub(in crate::client::shell) fn first_secret(&self) -> Option<usize> {
        self.operands.iter().position(|operand| operand.secrecy == Secrecy::Secret)
    }

    /// Returns true if an operand may be a raw command with a password.
    pub(in crate::client::shell) fn may_hold_secret(&self) -> bool {
        self.operands.iter().any(|operand| operand.secrecy == Secrecy::MayHold)
    }

    /// Returns true if the value of an option may contain a password.
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
            Action::RunWithOptions(flags, run) => match parse_prompt_words(flags, words)? {
                PromptOutcome::Run { options, operands } => {
                    Ok(Call { row: self, step: Step::RunWithOptions(run, options), operands })
                }
                PromptOutcome::Help => Row::find(b"help")?.call(&[self.name().into()]),
            },
            Action::RunWithListFlags(run) => {
                let is_flag = |word: &&Vec<u8>| word.starts_with(b"-") && word.len() > 1;
                let (flags, operands) = words.split_at(words.iter().take_while(is_flag).count());
                let step = Step::RunWithListFlags(run, flags.to_vec());
                Ok(Call { row: self, step, operands: operands.to_vec() })
            }
            Action::Unsupported(why) => Err(unsupported(why)),
        }
    }

    /// Returns the number of required operands.
    fn needed(&self) -> usize {
        self.operands.iter().filter(|operand| !operand.is_optional).count()
    }

    /// Returns the largest number of operands.
    fn most(&self) -> usize {
        let is_many = self.operands.last().is_some_and(|last| last.is_many);
        if is_many { usize::MAX } else { self.operands.len() }
    }
}

/// A parsed command with its options and operands.
pub(in crate::client::shell) struct Call {
    row: &'static Row,
    step: Step,
    operands: Vec<Vec<u8>>,
}

/// The function to call, with its options.
enum Step {
    Run(Run),
    RunWithOptions(RunWithOptions, Parsed),
    RunWithListFlags(RunWithListFlags, Vec<Vec<u8>>),
}

impl Call {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Error::Usage`] if the number of operands is wrong, and the errors of the command.
    pub(in crate::client::shell) fn run(&self, session: &mut Session) -> Result<(), Error> {
        self.check_count()?;
        match &self.step {
            Step::Run(run) => run(session, &self.operands),
            Step::RunWithOptions(run, options) => run(session, options, &self.operands),
            Step::RunWithListFlags(run, flags) => run(session, flags, &self.operands),
        }
    }

    /// Checks the number of operands.
    ///
    /// # Errors
    /// [`Error::Usage`] with the usage line.
    pub(in crate::client::shell) fn check_count(&self) -> Result<(), Error> {
        if self.operands.len() < self.row.needed() {
            return Err(Error::Usage(format!("usage: {}", self.row.usage())));
        }
        if self.operands.len() > self.row.most() {
            let usage = self.row.usage();
            return Err(Error::Usage(format!("usage: {usage}; quote names that contain spaces")));
        }
        Ok(())
    }

    /// Returns the description of the command.
    pub(in crate::client::shell) fn row(&self) -> &'static Row {
        self.row
    }

    /// Returns the number of operands.
    pub(in crate::client::shell) fn count(&self) -> usize {
        self.operands.len()
    }

    /// Returns the first operand, unless it may be a password.
    pub(in crate::client::shell) fn shown_operand(&self) -> Option<&[u8]> {
        let is_public = self.row.operand(0).is_none_or(|first| first.secrecy == Secrecy::Public);
        let is_name = |word: &&Vec<u8>| is_public && !word.starts_with(b"-");
        self.operands.first().filter(is_name).map(Vec::as_slice)
    }

    /// Returns the target of a transfer or RENAME and the word before it, unless the first operand implies
    /// the target.
    pub(in crate::client::shell) fn shown_target(&self) -> Option<(&'static str, &[u8])> {
        let (word, source) = (self.row.target_word?, self.operands.first()?);
        let named = match &self.step {
            Step::RunWithOptions(_, options) if self.row.has_option('o') => options.value("o"),
            _ => None,
        };
        let named = named.map(OsStr::as_encoded_bytes);
        let target = named.or_else(|| self.operands.get(1).map(Vec::as_slice))?;
        let last_part = source.rsplit(|byte| *byte == b'/').next();
        let is_implied = target == source || Some(target) == last_part;
        (!is_implied && target != b"-").then_some((word, target))
    }
}

impl Call {
    /// Returns a hint after an error that another command would avoid: the operand is a pattern or a
    /// directory.
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
        Some(format!("{name} does not expand wildcards; {} does", expanded_by.to_uppercase()))
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

    /// Returns whether the server refused a typed name that is UTF-8 and not ASCII.
    pub(in crate::client::shell) fn is_refused_in_utf_8(&self, error: &Error) -> bool {
        let is_beyond_ascii = |word: &Vec<u8>| !word.is_ascii() && str::from_utf8(word).is_ok();
        matches!(error, Error::Refused(reply) if reply.code() == Code::UNAVAILABLE)
            && self.operands.iter().any(is_beyond_ascii)
    }
}

/// Returns whether the text of a refusal says that the name is a directory.
fn says_directory(reply: &Reply) -> bool {
    let text = reply.to_string().to_lowercase();
    ["is a directory", "not a plain file", "not a regular file"]
        .iter()
        .any(|said| text.contains(said))
}

#[cfg(test)]
impl Row {
    /// Checks that optional operands come last, and that only the last takes all following words.
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
        self.check_count().is_ok()
    }
}

/// Returns the error of a command that the client does not support.
pub(super) fn unsupported(why: &str) -> Error {
    Error::Usage(format!("not supported: {why}"))
}
