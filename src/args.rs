//! The command line and the config file of both programs, read by one table of flags.
//!
//! A program writes its options down once, as a `static` [`Program`]. From that table come the
//! parsing of argv, `--help`, `--version`, the keys of the config file and the names in errors.
//!
//! ```
//! use mt_ftp::args::{self, Flag, Outcome, Program};
//!
//! static PROGRAM: Program = Program {
//!     name: "demo",
//!     version: env!("CARGO_PKG_VERSION"),
//!     about: "Serve files.",
//!     usage: &["demo [OPTIONS] DIR"],
//!     flags: &[
//!         Flag::option("port", "PORT", "control port; 0 picks a free one").or("1026"),
//!         Flag::switch("sync", "fsync a file before its reply"),
//!     ],
//!     after: "",
//! };
//!
//! let argv = ["--port=2121", "--sync", "/srv"].map(Into::into);
//! let Ok(Outcome::Run(parsed)) = PROGRAM.parse(argv) else { panic!("neither help nor an error") };
//! assert_eq!(parsed.need("port", args::port), Ok(2121));
//! assert!(parsed.switch("sync"));
//! assert_eq!(parsed.operands(), ["/srv"]);
//!
//! let wrong = PROGRAM.parse_config("demo.conf".as_ref(), b"prot = 21\n").unwrap_err();
//! assert_eq!(wrong.to_string(), "demo.conf:1: prot: unknown option; did you mean port?");
//! ```
//!
//! What callers may rely on:
//! - Nothing from argv or a config file panics; what is wrong there gives a [`Usage`], whose text
//!   is one line without control characters. Only asking for a name that the table does not have
//!   panics: that is a slip of the programmer.
//! - Values are kept as [`OsString`], so a path need not be UTF-8. [`Parsed::get`] turns them into
//!   types, and every value remembers its [`Origin`], which its errors name.
//!
//! The grammar of argv is that of `getopt_long`: `--opt VALUE`, `--opt=VALUE`, `-c VALUE`,
//! `-cVALUE`, `-kq` for `-k -q`; `--` ends the options; `-` is an operand; options and operands
//! mix; an option that needs a value takes the next word whatever it looks like. It differs twice:
//! - Long options cannot be abbreviated, or a script would break when a new option makes its
//!   abbreviation ambiguous. The error suggests the full name.
//! - `-j=4` means `-j 4`. To getopt the value is `=4`, which nobody means; a value that does begin
//!   with `=` can stand in a word of its own.
//!
//! A config file holds lines `name = value`, the names being the long options without `--`, and
//! switches taking `yes` or `no`. `#` begins a comment at the start of a line or after a blank.
//! Blanks around a value go, unless it stands in double quotes, which also keep a `#`; there are no
//! escapes, so that a Windows path needs none. A name stands once in a file, since which of two
//! lines far apart counts must not be a riddle. On the command line the last one wins, so that an
//! alias or a wrapper script can be overruled.

mod config;
mod help;
mod near;
mod scan;
mod value;

pub(crate) use near::nearest;

use help::HELP_WIDTH;
use scan::{Scan, Stop};
pub use value::{boolean, duration, integer, one_of, port, size};

use std::ffi::{OsStr, OsString};
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

static BUILT_IN: [Flag; 2] = [
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
#[derive(Debug)]
pub struct Flag {
    /// Without its `--`; also the key in a config file.
    pub long: Option<&'static str>,
    /// Without its `-`.
    pub short: Option<char>,
    /// What help calls the value; a switch has none.
    pub value: Option<&'static str>,
    /// One line or more for `--help`, without the default.
    pub help: &'static str,
    /// The value where none is given. A default that is not a value belongs into `help`.
    pub default: Option<&'static str>,
    /// Whether all values given count, and not the last alone.
    pub many: bool,
    /// Whether a config file may set it.
    pub config: bool,
}

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

/// Options and operands that a command line or a config file gave.
#[derive(Debug, Clone)]
pub struct Parsed {
    flags: &'static [Flag],
    /// In the order they were given.
    given: Vec<Given>,
    operands: Vec<OsString>,
}

#[derive(Debug, Clone)]
struct Given {
    /// Index into the table.
    row: usize,
    setting: Setting,
    origin: Origin,
}

#[derive(Debug, Clone)]
enum Setting {
    Switch(bool),
    Value(OsString),
}

/// Where the value of an option comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An argument.
    CommandLine,
    /// A line of a config file, counted from 1.
    Config {
        /// As it was named to [`Program::parse_config`].
        file: PathBuf,
        /// Its number.
        line: usize,
    },
    /// Neither of them: the default in the table, if it has one.
    Default,
}

/// Wrong usage. Its text is the one line to print before [`Program::usage_line`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    origin: Origin,
    problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Problem {
    Unknown { option: String, near: Option<String> },
    Option { name: String, value: Option<OsString>, expected: String },
    Operand { word: Option<OsString>, expected: String },
}

/// Why a parser refuses a value: the words that follow "expected" in the error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected(pub String);

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

    /// Lets all values count, and not the last alone.
    pub const fn many(self) -> Flag {
        Flag { many: true, ..self }
    }

    /// Keeps it out of config files.
    pub const fn command_line_only(self) -> Flag {
        Flag { config: false, ..self }
    }

    const fn nameless(value: Option<&'static str>, help: &'static str) -> Flag {
        Flag { long: None, short: None, value, help, default: None, many: false, config: true }
    }

    /// By its long form, or by its letter where it has no other name.
    fn is_called(&self, name: &str) -> bool {
        match (self.long, self.short) {
            (Some(long), _) => long == name,
            (None, Some(short)) => name.chars().eq([short]),
            (None, None) => false,
        }
    }

    fn clashes(&self, other: &Flag) -> bool {
        let same_long = self.long.is_some() && self.long == other.long;
        same_long || self.short.is_some() && self.short == other.short
    }

    fn spelled(&self) -> String {
        match (self.long, self.short) {
            (Some(long), _) => format!("--{long}"),
            (None, Some(short)) => format!("-{short}"),
            (None, None) => String::new(),
        }
    }

    /// As an error calls it: in a file a key has no dashes.
    fn called_in(&self, origin: &Origin) -> String {
        match (origin, self.long) {
            (Origin::Config { .. }, Some(long)) => long.to_owned(),
            _ => self.spelled(),
        }
    }

    fn wrong(&self, origin: Origin, value: Option<OsString>, expected: String) -> Usage {
        let name = self.called_in(&origin);
        Usage { origin, problem: Problem::Option { name, value, expected } }
    }

    fn without_value(&self, origin: Origin) -> Usage {
        self.wrong(origin, None, format!("a value ({})", self.value.unwrap_or_default()))
    }
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

    /// Reads the text of a config file; `file` is what errors and origins call it. The first line
    /// that is wrong ends it.
    pub fn parse_config(&self, file: &Path, text: &[u8]) -> Result<Parsed, Usage> {
        let mut parsed = Parsed::new(self.flags);
        // Windows editors put a byte order mark in front.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if !line.is_empty() && !line.starts_with(b"#") {
                let origin = Origin::Config { file: file.to_owned(), line: index + 1 };
                parsed.read_line(line, origin)?;
            }
        }
        Ok(parsed)
    }

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

    /// Holds the table to its rules. For tests.
    ///
    /// # Panics
    /// At the first rule that is broken.
    pub fn check(&self) {
        for text in [self.name, self.version, self.about] {
            assert!(!text.is_empty(), "{}: name, version and about have text", self.name);
        }
        assert!(!self.usage.is_empty(), "{}: it has a usage line", self.name);
        for usage in self.usage {
            assert!(usage.starts_with(self.name), "{usage}: begins with the program's name");
        }
        for (row, flag) in self.all_flags().enumerate() {
            flag.check();
            for other in self.all_flags().skip(row + 1) {
                assert!(!flag.clashes(other), "{}: stands twice", flag.spelled());
            }
        }
        for line in self.help().lines() {
            assert!(line.chars().count() <= HELP_WIDTH, "{line}: fits {HELP_WIDTH} columns");
            assert!(!line.contains(char::is_control), "{line}: is plain text");
        }
    }

    /// The option that may be meant by `typed`, which has lost its dashes.
    fn near(&self, typed: &str) -> Option<String> {
        let mut letters = self.all_flags().filter_map(|flag| flag.short);
        if let Some(short) = letters.find(|short| typed.chars().eq([*short])) {
            return Some(format!("-{short}"));
        }
        let long = nearest(typed, self.all_flags().filter_map(|flag| flag.long));
        long.map(|long| format!("--{long}"))
    }
}

impl Parsed {
    /// The operands, in their order.
    pub fn operands(&self) -> &[OsString] {
        &self.operands
    }

    /// Whether a switch is on.
    ///
    /// # Panics
    /// If the table has no such switch.
    pub fn switch(&self, name: &str) -> bool {
        let row = self.row(name);
        assert!(self.flags[row].value.is_none(), "{name} is not a switch");
        matches!(self.last(row), Some(Given { setting: Setting::Switch(true), .. }))
    }

    /// The value of an option, or else its default.
    ///
    /// # Panics
    /// If the table has no such option with a value.
    pub fn value(&self, name: &str) -> Option<&OsStr> {
        self.values(name).pop()
    }

    /// All values of an option in their order, or else its default.
    ///
    /// # Panics
    /// If the table has no such option with a value.
    pub fn values(&self, name: &str) -> Vec<&OsStr> {
        self.values_with_origin(name).into_iter().map(|(value, _)| value).collect()
    }

    /// The value of an option, or else its default, as a type.
    ///
    /// # Panics
    /// If the table has no such option with a value.
    pub fn get<T>(
        &self,
        name: &str,
        parser: impl Fn(&str) -> Result<T, Expected>,
    ) -> Result<Option<T>, Usage> {
        let last = self.values_with_origin(name).pop();
        last.map(|(value, origin)| self.typed(name, value, origin, parser)).transpose()
    }

    /// The same for an option that has a default or cannot be left out.
    ///
    /// # Panics
    /// If the table has no such option with a value.
    pub fn need<T>(
        &self,
        name: &str,
        parser: impl Fn(&str) -> Result<T, Expected>,
    ) -> Result<T, Usage> {
        let absent = || self.flags[self.row(name)].without_value(Origin::CommandLine);
        self.get(name, parser)?.ok_or_else(absent)
    }

    /// The same for all values of an option, in their order.
    ///
    /// # Panics
    /// If the table has no such option with a value.
    pub fn get_all<T>(
        &self,
        name: &str,
        parser: impl Fn(&str) -> Result<T, Expected>,
    ) -> Result<Vec<T>, Usage> {
        let values = self.values_with_origin(name).into_iter();
        values.map(|(value, origin)| self.typed(name, value, origin, &parser)).collect()
    }

    /// Where the value of an option or a switch comes from.
    ///
    /// # Panics
    /// If the table has no such option.
    pub fn origin(&self, name: &str) -> &Origin {
        self.origin_of(self.row(name))
    }

    /// The error for an option whose value turns out to be wrong after parsing: a directory that
    /// is none, an option that excludes another.
    ///
    /// # Panics
    /// If the table has no such option.
    pub fn wrong(&self, name: &str, expected: impl Into<String>) -> Usage {
        let flag = &self.flags[self.row(name)];
        let value = flag.value.and_then(|_| self.value(name)).map(OsStr::to_owned);
        flag.wrong(self.origin(name).clone(), value, expected.into())
    }

    /// Adds what `config` says about options that `self`, the command line, does not give at all.
    /// Values of a repeatable option are not mixed from both. Both come from one table.
    pub fn over(mut self, config: Parsed) -> Parsed {
        let told: Vec<usize> = self.given.iter().map(|given| given.row).collect();
        self.given.extend(config.given.into_iter().filter(|given| !told.contains(&given.row)));
        self
    }

    fn new(flags: &'static [Flag]) -> Parsed {
        Parsed { flags, given: Vec::new(), operands: Vec::new() }
    }

    fn row(&self, name: &str) -> usize {
        let row = self.flags.iter().position(|flag| flag.is_called(name));
        row.unwrap_or_else(|| panic!("the table has no flag {name}"))
    }

    fn last(&self, row: usize) -> Option<&Given> {
        self.given.iter().rfind(|given| given.row == row)
    }

    fn origin_of(&self, row: usize) -> &Origin {
        self.last(row).map_or(&Origin::Default, |given| &given.origin)
    }

    fn values_with_origin(&self, name: &str) -> Vec<(&OsStr, &Origin)> {
        let row = self.row(name);
        assert!(self.flags[row].value.is_some(), "{name} is a switch");
        let mut values = Vec::new();
        for given in self.given.iter().filter(|given| given.row == row) {
            if let Setting::Value(value) = &given.setting {
                values.push((value.as_os_str(), &given.origin));
            }
        }
        match self.flags[row].default {
            Some(default) if values.is_empty() => vec![(OsStr::new(default), &Origin::Default)],
            _ if self.flags[row].many => values,
            _ => values.pop().into_iter().collect(),
        }
    }

    fn typed<T>(
        &self,
        name: &str,
        value: &OsStr,
        origin: &Origin,
        parser: impl Fn(&str) -> Result<T, Expected>,
    ) -> Result<T, Usage> {
        let flag = &self.flags[self.row(name)];
        let wrong = |Expected(text)| flag.wrong(origin.clone(), Some(value.to_owned()), text);
        // What the parser expects says more than that the value is not UTF-8.
        let typed = parser(&value.to_string_lossy()).map_err(wrong)?;
        if value.to_str().is_none() {
            return Err(wrong(Expected("text in UTF-8".into())));
        }
        Ok(typed)
    }
}

impl Usage {
    /// The error for an operand. It shows the word: hide a password first.
    pub fn operand(word: &OsStr, expected: impl Into<String>) -> Usage {
        let problem = Problem::Operand { word: Some(word.to_owned()), expected: expected.into() };
        Usage { origin: Origin::CommandLine, problem }
    }

    /// The error for operands that are not there.
    pub fn missing_operand(expected: impl Into<String>) -> Usage {
        let problem = Problem::Operand { word: None, expected: expected.into() };
        Usage { origin: Origin::CommandLine, problem }
    }
}

impl std::error::Error for Usage {}

impl Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if let Origin::Config { .. } = self.origin {
            write!(f, "{}: ", self.origin)?;
        }
        match &self.problem {
            Problem::Unknown { option, near: None } => {
                write!(f, "{}: unknown option", shown(option.as_ref()))
            }
            Problem::Unknown { option, near: Some(near) } => {
                write!(f, "{}: unknown option; did you mean {near}?", shown(option.as_ref()))
            }
            Problem::Option { name, value: Some(value), expected } => {
                write!(f, "{name} '{}': expected {expected}", shown(value))
            }
            Problem::Option { name, value: None, expected } => {
                write!(f, "{name}: expected {expected}")
            }
            Problem::Operand { word: Some(word), expected } => {
                write!(f, "'{}': expected {expected}", shown(word))
            }
            Problem::Operand { word: None, expected } => write!(f, "expected {expected}"),
        }
    }
}

/// `command line`, `FILE:LINE` or `default`.
impl Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Origin::CommandLine => f.write_str("command line"),
            Origin::Config { file, line } => write!(f, "{}:{line}", shown(file.as_os_str())),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// Text from outside in one harmless line. Quotes and backslashes stay, for Windows paths.
fn shown(text: &OsStr) -> String {
    let mut line = String::new();
    for c in text.to_string_lossy().chars() {
        match c {
            '\'' | '"' | '\\' => line.push(c),
            _ => line.extend(c.escape_debug()),
        }
    }
    line
}

/// For errors about bytes that may not be text.
fn lossy(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::os_string;
    use std::time::Duration;

    static SERVER: Program = Program {
        name: "ftp_server",
        version: "1.2.3",
        about: "Serve a directory by FTP, to people and to programs, for as long as they like it.",
        usage: &["ftp_server [OPTIONS]", "ftp_server passwd FILE NAME"],
        flags: &[
            Flag::option("port", "PORT", "control port; 0 picks a free one").or("1026"),
            Flag::option("root", "DIR", "the directory served [the current directory]"),
            Flag::option(
                "passive-ports",
                "FIRST-LAST",
                "ports for passive data connections, which a firewall has to let through",
            ),
            Flag::option("max-sessions-per-ip", "N", "sessions of one client address"),
            Flag::option("proxy", "CIDR", "a trusted balancer").many(),
            Flag::option("config", "FILE", "options, a line each").command_line_only(),
            Flag::switch("sync", "fsync before the reply"),
        ],
        after: "The command line wins over the config file.\n",
    };

    static CLIENT: Program = Program {
        name: "ftp_client",
        version: "1.2.3",
        about: "Talk to an FTP server.",
        usage: &["ftp_client [OPTIONS] [HOST [PORT]]"],
        flags: &[
            Flag::letter_option('c', "COMMANDS", "run commands"),
            Flag::letter_option('j', "N", "parallel connections").or("4"),
            Flag::letter_switch('k', "go on after a failed command"),
            Flag::letter_switch('q', "only errors"),
            Flag::switch("active", "active mode").short('a'),
            Flag::option("port", "PORT", "port of the server").short('p'),
        ],
        after: "",
    };

    fn words(line: &[&str]) -> Vec<OsString> {
        line.iter().map(OsString::from).collect()
    }

    fn run(program: &Program, line: &[&str]) -> Parsed {
        match program.parse(words(line)) {
            Ok(Outcome::Run(parsed)) => parsed,
            other => panic!("{line:?} gave {other:?}"),
        }
    }

    fn refused(program: &Program, line: &[&str]) -> String {
        match program.parse(words(line)) {
            Err(usage) => usage.to_string(),
            other => panic!("{line:?} gave {other:?}"),
        }
    }

    fn config(text: impl AsRef<[u8]>) -> Parsed {
        SERVER.parse_config(Path::new("f.conf"), text.as_ref()).unwrap()
    }

    fn config_refused(text: impl AsRef<[u8]>) -> String {
        SERVER.parse_config(Path::new("f.conf"), text.as_ref()).unwrap_err().to_string()
    }

    fn expected<T: fmt::Debug>(result: Result<T, Expected>) -> String {
        result.unwrap_err().0
    }

    #[test]
    fn the_tables_keep_the_rules() {
        SERVER.check();
        CLIENT.check();
    }

    #[test]
    fn a_value_is_attached_or_the_next_word() {
        for line in [&["--port", "21"][..], &["--port=21"], &["-p", "21"], &["-p21"], &["-p=21"]] {
            assert_eq!(run(&CLIENT, line).value("port").unwrap(), "21", "{line:?}");
        }
    }

    #[test]
    fn a_value_may_look_like_an_option() {
        for value in ["", "-", "--", "-k", "--port", "--port=1", "a=b", "=", "=x", "é"] {
            assert_eq!(run(&CLIENT, &["-c", value]).value("c").unwrap(), value);
            assert_eq!(run(&CLIENT, &["--port", value]).value("port").unwrap(), value);
            let joined = format!("--port={value}");
            assert_eq!(run(&CLIENT, &[&joined]).value("port").unwrap(), value);
        }
    }

    #[test]
    fn letters_can_be_grouped() {
        let parsed = run(&CLIENT, &["-kqacget a b"]);
        assert!(["k", "q", "active"].iter().all(|name| parsed.switch(name)));
        assert_eq!(parsed.value("c").unwrap(), "get a b");
        assert_eq!(run(&CLIENT, &["-kj", "8"]).value("j").unwrap(), "8");
    }

    #[test]
    fn operands_mix_with_options_until_two_dashes() {
        let parsed = run(&CLIENT, &["host", "-k", "-", "", "--", "-q", "--", "--port"]);
        assert_eq!(parsed.operands(), ["host", "-", "", "-q", "--", "--port"]);
        assert!(parsed.switch("k") && !parsed.switch("q"));
    }

    #[test]
    fn the_last_of_two_wins_unless_many_count() {
        let parsed = run(&SERVER, &["--port=1", "--proxy=a", "--port=2", "--proxy", "b", "--sync"]);
        assert_eq!(parsed.value("port").unwrap(), "2");
        assert_eq!(parsed.values("port"), ["2"]);
        assert_eq!(parsed.values("proxy"), ["a", "b"]);
        assert_eq!(parsed.get_all("port", port), Ok(vec![2]));
    }

    #[test]
    fn what_is_not_given_is_the_default_or_nothing() {
        let parsed = run(&SERVER, &[]);
        assert_eq!(parsed.need("port", port), Ok(1026));
        assert_eq!(parsed.get("max-sessions-per-ip", integer(1..=9_u32)), Ok(None));
        assert_eq!((parsed.value("root"), parsed.values("proxy")), (None, vec![]));
        assert!(!parsed.switch("sync"));
        assert_eq!(parsed.origin("port"), &Origin::Default);
        let missing = parsed.need("root", |text| Ok(text.to_owned())).unwrap_err();
        assert_eq!(missing.to_string(), "--root: expected a value (DIR)");
    }

    #[test]
    fn help_and_version_win_over_what_comes_after_them() {
        for line in [&["--help", "--bad"][..], &["-h"], &["-kh"], &["x", "--help", "--version"]] {
            assert!(matches!(CLIENT.parse(words(line)), Ok(Outcome::Help)), "{line:?}");
        }
        for line in [&["--version"][..], &["-V", "-h"]] {
            assert!(matches!(CLIENT.parse(words(line)), Ok(Outcome::Version)), "{line:?}");
        }
        assert_eq!(refused(&CLIENT, &["--bad", "--help"]), "--bad: unknown option");
        assert_eq!(refused(&CLIENT, &["--help=x"]), "--help 'x': expected no value");
        assert_eq!(run(&CLIENT, &["--", "--help"]).operands(), ["--help"]);
    }

    #[test]
    fn wrong_options_are_named_with_what_was_expected() {
        let client = |line: &[&str]| refused(&CLIENT, line);
        assert_eq!(client(&["--port"]), "--port: expected a value (PORT)");
        assert_eq!(client(&["-kc"]), "-c: expected a value (COMMANDS)");
        assert_eq!(client(&["-k="]), "-k '': expected no value");
        assert_eq!(client(&["--active=yes"]), "--active 'yes': expected no value");
        assert_eq!(client(&["-kx"]), "-x: unknown option");
        assert_eq!(client(&["--=1"]), "--: unknown option");
        assert_eq!(client(&["-é"]), "-é: unknown option");
        assert_eq!(client(&["--a\nb\x1b[2J"]), r"--a\nb\u{1b}[2J: unknown option");
    }

    #[test]
    fn an_unknown_option_suggests_the_one_it_is_like() {
        let server = |word: &str| refused(&SERVER, &[word]);
        for (typed, meant) in [
            ("--prot=21", "--port"),
            ("--PORT", "--port"),
            ("--max_sessions-per_ip", "--max-sessions-per-ip"),
            ("--pass", "--passive-ports"),
            ("--versoin", "--version"),
            ("---port", "--port"),
        ] {
            let name = typed.split('=').next().unwrap();
            let text = format!("{name}: unknown option; did you mean {meant}?");
            assert_eq!(server(typed), text);
        }
        assert_eq!(server("-port"), "-p: unknown option; did you mean --port?");
        assert_eq!(refused(&CLIENT, &["--j"]), "--j: unknown option; did you mean -j?");
        assert_eq!(server("--trace"), "--trace: unknown option");
    }

    #[test]
    fn wrong_values_are_named_with_what_was_expected() {
        let parsed = run(&SERVER, &["--port=a'b\n", "--proxy=1", "--proxy=x"]);
        let wrong = parsed.need("port", port).unwrap_err().to_string();
        assert_eq!(wrong, r"--port 'a'b\n': expected a port number from 0 to 65535");
        let wrong = parsed.get_all("proxy", integer(0..=9_u8)).unwrap_err().to_string();
        assert_eq!(wrong, "--proxy 'x': expected a whole number from 0 to 9");
        let wrong = run(&CLIENT, &["-j0"]).get("j", integer(1..=64_usize)).unwrap_err();
        assert_eq!(wrong.to_string(), "-j '0': expected a whole number from 1 to 64");
    }

    #[test]
    fn callers_make_errors_of_the_same_form() {
        let parsed = run(&SERVER, &["--root=/x", "--sync"]);
        let wrong = |name| parsed.wrong(name, "a directory").to_string();
        assert_eq!(wrong("root"), "--root '/x': expected a directory");
        assert_eq!(wrong("sync"), "--sync: expected a directory");
        let operand = Usage::operand("abc".as_ref(), "a port");
        assert_eq!(operand.to_string(), "'abc': expected a port");
        assert_eq!(Usage::missing_operand("FILE NAME").to_string(), "expected FILE NAME");
    }

    #[test]
    fn a_config_file_sets_options_by_their_long_names() {
        let text = "\u{feff}# a comment\r\n\r\n  port=2121 # control\r\n\troot = /a b#c \n\
                    proxy = 1\nproxy = 2 # last\nsync = on\nmax-sessions-per-ip = \"\" #";
        let parsed = config(text);
        assert_eq!(parsed.need("port", port), Ok(2121));
        assert_eq!(parsed.value("root").unwrap(), "/a b#c");
        assert_eq!(parsed.values("proxy"), ["1", "2"]);
        assert_eq!(parsed.value("max-sessions-per-ip").unwrap(), "");
        assert!(parsed.switch("sync"));
        assert!(!config("sync = no").switch("sync"));
        assert_eq!(parsed.origin("root").to_string(), "f.conf:4");
        assert_eq!(config("root = \" a # b \" # c").value("root").unwrap(), " a # b ");
        assert_eq!(config("root = a \"b\" = c").value("root").unwrap(), "a \"b\" = c");
    }

    #[test]
    fn a_wrong_config_line_is_named_by_its_number() {
        for (text, error) in [
            ("\n\nprot = 1", "f.conf:3: prot: unknown option; did you mean port?"),
            ("--port = 1", "f.conf:1: --port: unknown option; did you mean port?"),
            ("help = yes", "f.conf:1: help: unknown option"),
            (" = 1", "f.conf:1: : unknown option"),
            ("listen 21", "f.conf:1: 'listen 21': expected NAME = VALUE"),
            ("port = 1\n#\nport = 2", "f.conf:3: port: expected it once, but line 1 has it too"),
            ("root = # none", "f.conf:1: root: expected a value (DIR)"),
            ("root = \"a", "f.conf:1: root '\"a': expected a closing double quote"),
            ("sync", "f.conf:1: 'sync': expected NAME = VALUE"),
            ("sync = maybe", "f.conf:1: sync 'maybe': expected yes or no"),
            ("config = a", "f.conf:1: config: expected it on the command line only"),
        ] {
            assert_eq!(config_refused(text), error);
        }
        let after = config_refused("root = \"a\" b");
        assert!(after.ends_with("expected nothing after the closing double quote"), "{after}");
        let wrong = config("\nport = abc").need("port", port).unwrap_err().to_string();
        assert_eq!(wrong, "f.conf:2: port 'abc': expected a port number from 0 to 65535");
    }

    #[test]
    fn the_command_line_wins_over_the_config_file() {
        let line = run(&SERVER, &["--port=1", "--proxy=a", "--sync", "operand"]);
        let file = config("port = 2\nroot = /f\nproxy = b\nproxy = c\nsync = no");
        let both = line.over(file.clone());
        assert_eq!(both.values("port"), ["1"]);
        assert_eq!(both.values("proxy"), ["a"]);
        assert_eq!(both.value("root").unwrap(), "/f");
        assert!(both.switch("sync"));
        assert_eq!(both.operands(), ["operand"]);
        assert_eq!(both.origin("port").to_string(), "command line");
        assert_eq!(both.origin("root").to_string(), "f.conf:2");
        assert_eq!(run(&SERVER, &[]).over(file).values("proxy"), ["b", "c"]);
    }

    #[test]
    fn whole_numbers_keep_to_their_range() {
        assert_eq!(integer(1..=255_u8)("255"), Ok(255));
        assert_eq!(integer(0..=u64::MAX)("18446744073709551615"), Ok(u64::MAX));
        for text in ["", "0", "256", "+1", "-1", "1.0", " 1", "1 ", "1e2", "99999999999999999999"] {
            let text = expected(integer(1..=255_u8)(text));
            assert_eq!(text, "a whole number from 1 to 255");
        }
    }

    #[test]
    fn ports_are_16_bits() {
        assert_eq!((port("0"), port("65535")), (Ok(0), Ok(65535)));
        for text in ["", "65536", "-1", "+21", "ftp", "٢١"] {
            assert_eq!(expected(port(text)), "a port number from 0 to 65535");
        }
    }

    #[test]
    fn durations_have_units_and_an_end() {
        for (text, seconds) in [("0", 0), ("30", 30), ("30s", 30), ("5m", 300), ("1h", 3600)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "-1", "+1s", "1.5h", "1 s", "1d", "1ms", "1S", "1m30s", "s1"] {
            assert_eq!(expected(duration(text)), "a duration such as 30, 30s, 5m or 1h", "{text}");
        }
        for text in ["1000001h", "18446744073709551615h", "99999999999999999999", "3600000001"] {
            assert_eq!(expected(duration(text)), "a duration of at most 1000000h", "{text}");
        }
        let longest = duration("1000000h").unwrap();
        assert!(std::time::Instant::now().checked_add(longest).is_some());
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [("0", 0), ("512", 512), ("64K", 65_536), ("64k", 65_536)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        assert_eq!((size("10M"), size("1g")), (Ok(10 << 20), Ok(1 << 30)));
        assert_eq!(size("17179869183G"), Ok(17_179_869_183 << 30));
        for text in ["", "K", "1KK", "1KB", "1.5M", "-1", "+1", "1 K", "1T", "K1"] {
            let text = expected(size(text));
            assert_eq!(text, "a number of bytes such as 512, 64K, 10M or 1G");
        }
        for text in ["17179869184G", "18446744073709551616", "99999999999999999999K"] {
            assert_eq!(expected(size(text)), "at most 18446744073709551615 bytes");
        }
    }

    #[test]
    fn booleans_have_many_spellings() {
        assert!(["yes", "TRUE", "On", "1"].iter().all(|text| boolean(text) == Ok(true)));
        assert!(["no", "False", "OFF", "0"].iter().all(|text| boolean(text) == Ok(false)));
        assert!(["", "y", "2", "yes "].iter().all(|text| boolean(text).is_err()));
    }

    #[test]
    fn one_of_a_list_names_the_list() {
        let access = one_of(&[("none", 0), ("read", 1), ("write", 2)]);
        assert_eq!(access("write"), Ok(2));
        assert_eq!(expected(access("Write")), "none, read or write");
        assert_eq!(expected(one_of(&[("a", 0), ("b", 1)])("")), "a or b");
        assert_eq!(expected(one_of(&[("a", 0)])("")), "a");
    }

    #[test]
    fn help_is_aligned_and_wrapped() {
        let help = "\
Usage: ftp_server [OPTIONS]
       ftp_server passwd FILE NAME

Serve a directory by FTP, to people and to programs, for as long as they like
it.

Options:
      --port PORT    control port; 0 picks a free one [1026]
      --root DIR     the directory served [the current directory]
      --passive-ports FIRST-LAST
                     ports for passive data connections, which a firewall has to
                     let through
      --max-sessions-per-ip N
                     sessions of one client address
      --proxy CIDR   a trusted balancer (may be repeated)
      --config FILE  options, a line each
      --sync         fsync before the reply
  -h, --help         print this help
  -V, --version      print the version

The command line wins over the config file.
";
        assert_eq!(SERVER.help(), help);
        let client = CLIENT.help();
        assert!(client.contains("\n  -c COMMANDS      run commands\n"), "{client}");
        assert!(client.contains("\n  -p, --port PORT  port of the server\n"), "{client}");
        assert_eq!(SERVER.usage_line(), "Usage: ftp_server [OPTIONS]");
        assert_eq!(SERVER.version_line(), "ftp_server 1.2.3");
    }

    #[test]
    fn check_finds_what_breaks_the_rules() {
        fn broken(flags: Vec<Flag>) {
            let program = Program { flags: flags.leak(), ..CLIENT_WITHOUT_FLAGS };
            let found = std::panic::catch_unwind(|| program.check());
            assert!(found.is_err(), "{:?} passed", program.flags);
        }
        const CLIENT_WITHOUT_FLAGS: Program =
            Program { name: "p", version: "1", about: "a", usage: &["p"], flags: &[], after: "" };
        CLIENT_WITHOUT_FLAGS.check();
        broken(vec![Flag::switch("aa", "x"), Flag::option("aa", "V", "x")]);
        broken(vec![Flag::letter_switch('a', "x"), Flag::switch("aa", "x").short('a')]);
        broken(vec![Flag::switch("help", "x")]);
        broken(vec![Flag::letter_switch('V', "x")]);
        broken(vec![Flag::letter_switch('=', "x")]);
        for long in ["Port", "a", "", "-a", "a-", "a b", "a=b", "a_b", "é-"] {
            broken(vec![Flag::switch(long, "x")]);
        }
        for help in ["", " x", "x\u{7}"] {
            broken(vec![Flag::switch("aa", help)]);
        }
        broken(vec![Flag::switch("aa", "x").or("y")]);
        broken(vec![Flag::switch("aa", "x").many()]);
        broken(vec![Flag::option("aa", "A VALUE", "x")]);
        broken(vec![Flag { long: None, ..Flag::switch("aa", "x") }]);
    }

    fn is_one_plain_line(usage: &Usage) -> bool {
        let text = usage.to_string();
        !text.is_empty() && !text.contains(char::is_control)
    }

    fn nasty_words() -> Vec<OsString> {
        let mut nasty = words(&[
            "",
            "-",
            "--",
            "---",
            "--=",
            "--=x",
            "=",
            "-=",
            "--port",
            "--port=",
            "--port=21",
            "--prot",
            "-port",
            "-p",
            "-p=",
            "-p21",
            "-k",
            "-kq",
            "-k=",
            "-kc",
            "-c",
            "-ck",
            "-j",
            "-a",
            "--a",
            "--active",
            "--active=",
            "--sync",
            "--proxy",
            "-h",
            "--help",
            "-V=",
            "-é",
            "-ké",
            "--é",
            "--port=é",
            "-cé",
            "x\n",
            "--\n",
            "-\0",
            "-\u{202e}",
        ]);
        #[cfg(unix)]
        for bytes in [&b"\xff"[..], b"-\xff", b"-k\xff", b"-c\xff", b"--\xff", b"--port=\xff"] {
            nasty.extend(os_string(bytes));
        }
        nasty
    }

    fn survives(program: &Program, line: &[&OsString]) {
        match program.parse(line.iter().map(|word| (*word).clone())) {
            Ok(Outcome::Run(parsed)) => read_all(&parsed, line),
            Ok(Outcome::Help | Outcome::Version) => {}
            Err(usage) => assert!(is_one_plain_line(&usage), "{line:?}: {usage}"),
        }
    }

    fn read_all(parsed: &Parsed, line: &[&OsString]) {
        for flag in parsed.flags {
            let name = flag.long.map_or_else(|| flag.short.unwrap().to_string(), str::to_owned);
            if flag.value.is_none() {
                parsed.switch(&name);
            } else if let Err(usage) = parsed.get(&name, port) {
                assert!(is_one_plain_line(&usage), "{line:?}: {usage}");
            }
        }
    }

    #[test]
    fn no_three_nasty_words_do_harm() {
        let nasty = nasty_words();
        for program in [&SERVER, &CLIENT] {
            survives(program, &[]);
            for a in &nasty {
                survives(program, &[a]);
                for b in &nasty {
                    survives(program, &[a, b]);
                    nasty.iter().for_each(|c| survives(program, &[a, b, c]));
                }
            }
        }
    }

    #[test]
    fn no_five_nasty_pieces_of_a_config_file_do_harm() {
        let nasty: [&[u8]; 11] =
            [b"port", b"sync", b"=", b" ", b"\"", b"#", b"\n", b"\r", b"\xff", b"\0", b"21"];
        for number in 0..nasty.len().pow(5) {
            let mut rest = number;
            let mut text = Vec::new();
            for _ in 0..5 {
                text.extend_from_slice(nasty[rest % nasty.len()]);
                rest /= nasty.len();
            }
            match SERVER.parse_config(Path::new("f\n.conf"), &text) {
                Ok(parsed) => read_all(&parsed, &[]),
                Err(usage) => assert!(is_one_plain_line(&usage), "{text:?}: {usage}"),
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn values_that_are_not_utf8_are_kept() {
        let name = os_string(b"\xff=\xfe").unwrap();
        let joined = |front: &[u8]| os_string(&[front, b"\xff=\xfe"].concat()).unwrap();
        for word in [joined(b"--port="), joined(b"-p"), joined(b"-kp"), joined(b"-p=")] {
            let Ok(Outcome::Run(parsed)) = CLIENT.parse([word]) else { panic!() };
            assert_eq!(parsed.value("port").unwrap(), name);
        }
        let Ok(Outcome::Run(parsed)) = CLIENT.parse([name.clone()]) else { panic!() };
        assert_eq!(parsed.operands(), [name.as_os_str()]);
        let parsed = config(b"root = \xff=\xfe");
        assert_eq!(parsed.value("root").unwrap(), name);
        let wrong = parsed.get("root", |text| Ok(text.to_owned())).unwrap_err().to_string();
        assert_eq!(wrong, "f.conf:1: root '\u{fffd}=\u{fffd}': expected text in UTF-8");
    }
}
