//! Usage errors, each of one line, and the sources of option values.

use crate::text;
use std::ffi::{OsStr, OsString};
use std::fmt::{self, Display};
use std::path::PathBuf;

/// The source of an option's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    CommandLine,
    /// A line of a config file.
    Config {
        /// The name given to [`Program::parse_config`](super::Program::parse_config).
        file: PathBuf,
        /// The line number, counted from 1.
        line: usize,
    },
    /// The default in the table, or none.
    Default,
}

/// A usage error. Its text is one line; the program prints
/// [`Program::usage_line`](super::Program::usage_line) after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    pub(super) origin: Origin,
    pub(super) problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    Unknown { option: String, near: Option<String> },
    Option { name: String, value: Option<OsString>, expected: String },
    Operand { word: Option<OsString>, expected: String },
}

/// The description of a valid value, after "expected" in a usage error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected(pub String);

impl Usage {
    /// Returns the error for an operand. The message shows the word, so the caller must mask a
    /// password.
    pub fn operand(word: &OsStr, expected: impl Into<String>) -> Usage {
        let problem = Problem::Operand { word: Some(word.to_owned()), expected: expected.into() };
        Usage { origin: Origin::CommandLine, problem }
    }

    /// Returns the error for missing operands.
    pub fn missing_operand(expected: impl Into<String>) -> Usage {
        let problem = Problem::Operand { word: None, expected: expected.into() };
        Usage { origin: Origin::CommandLine, problem }
    }

    /// Returns the number of the line if the error is in a config file.
    pub fn line(&self) -> Option<usize> {
        match self.origin {
            Origin::Config { line, .. } => Some(line),
            Origin::CommandLine | Origin::Default => None,
        }
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

/// Writes `command line`, `FILE:LINE` or `default`.
impl Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Origin::CommandLine => f.write_str("command line"),
            Origin::Config { file, line } => write!(f, "{}:{line}", shown(file.as_os_str())),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// Returns a word from outside as one line without control characters.
fn shown(word: &OsStr) -> String {
    text::shown(word.as_encoded_bytes())
}

/// Converts bytes that may not be UTF-8 for an error message.
pub(super) fn lossy(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::testing::{CLIENT, SERVER, run};
    use crate::args::{integer, port};

    #[test]
    fn errors_show_the_value_and_the_expectation() {
        let parsed = run(&SERVER, &["--port=a'b\n", "--proxy=1", "--proxy=x"]);
        let wrong = parsed.need("port", port).unwrap_err().to_string();
        assert_eq!(wrong, r"--port 'a'b\x0a': expected a port number from 0 to 65535");
        let wrong = parsed.get_all("proxy", integer(0..=9_u8)).unwrap_err().to_string();
        assert_eq!(wrong, "--proxy 'x': expected a whole number from 0 to 9");
        let wrong = run(&CLIENT, &["-j0"]).get("j", integer(1..=64_usize)).unwrap_err();
        assert_eq!(wrong.to_string(), "-j '0': expected a whole number from 1 to 64");
    }

    #[test]
    fn errors_built_by_callers_have_the_same_form() {
        let parsed = run(&SERVER, &["--root=/x", "--sync"]);
        let wrong = |name| parsed.wrong(name, "a directory").to_string();
        assert_eq!(wrong("root"), "--root '/x': expected a directory");
        assert_eq!(wrong("sync"), "--sync: expected a directory");
        let operand = Usage::operand("abc".as_ref(), "a port");
        assert_eq!(operand.to_string(), "'abc': expected a port");
        assert_eq!(Usage::missing_operand("FILE NAME").to_string(), "expected FILE NAME");
    }
}
