//! The commands of the shell. Each row of the table is in the file of the function that it runs.

pub(super) mod get_put;
mod help;
mod local;
mod login;
mod macros;
mod mget_mput;
mod mirror;
mod operands;
pub(super) mod print;
mod programs;
pub(super) mod refusal;
mod remote;
mod row;
mod settings;
mod tree_listing;

pub(super) use operands::{Kind, Operand};
pub(super) use row::Call;
pub(in crate::client) use row::Row;

use crate::args::{PromptCommand, nearest};
use crate::client::error::Error;
use crate::text::shown;
use row::Action;
use std::path::Path;

/// A group of commands in HELP.
struct Group {
    title: &'static str,
    rows: &'static [&'static [Row]],
}

/// All commands.
static GROUPS: &[Group] = &[
    Group { title: "Connection", rows: &[login::ROWS] },
    Group { title: "Listings and contents", rows: &[print::ROWS, tree_listing::ROWS] },
    Group { title: "Transfers", rows: &[get_put::ROWS, mget_mput::ROWS, mirror::ROWS] },
    Group { title: "On the server", rows: &[remote::ROWS] },
    Group { title: "On this side", rows: &[local::ROWS, programs::ROWS] },
    Group { title: "Settings", rows: &[settings::ROWS] },
    Group { title: "Macros and help", rows: &[macros::ROWS, help::ROWS] },
];

impl Group {
    fn rows(&self) -> impl Iterator<Item = &'static Row> {
        self.rows.iter().copied().flatten()
    }
}

fn rows() -> impl Iterator<Item = &'static Row> {
    GROUPS.iter().flat_map(Group::rows)
}

impl Row {
    /// Returns the command of this name in any case, or the only command whose name begins with it.
    ///
    /// # Errors
    /// [`Error::Usage`] with the possible commands, or the reason why the command is not supported.
    pub(super) fn find(word: &[u8]) -> Result<&'static Row, Error> {
        let typed = String::from_utf8_lossy(word).to_lowercase();
        match rows().find(|row| row.names.contains(&typed.as_str())) {
            Some(Row { action: Action::Unsupported(why), .. }) => {
                return Err(row::unsupported(why));
            }
            Some(row) => return Ok(row),
            None => {}
        }
        let begins = |row: &&Row| row.is_supported() && row.begins_with(&typed);
        let begun: Vec<&Row> = rows().filter(begins).collect();
        match begun[..] {
            [only] => Ok(only),
            [] => Err(unknown(&typed)),
            _ => Err(ambiguous(&typed)),
        }
    }

    /// Returns the closest known command, for "did you mean".
    pub(super) fn nearest(word: &[u8]) -> Option<&'static Row> {
        let name = nearest(&String::from_utf8_lossy(word), Row::names_of_all())?;
        rows().find(|row| row.names.contains(&name))
    }

    /// Returns the names of all commands.
    pub(super) fn names_of_all() -> impl Iterator<Item = &'static str> {
        rows().filter(|row| row.is_supported()).flat_map(|row| row.names.iter().copied())
    }

    /// Returns the names of the commands that take a password.
    pub(super) fn names_before_secrets() -> impl Iterator<Item = &'static str> {
        let secret = |row: &&Row| row.first_secret().is_some() || row.has_secret_option();
        rows().filter(secret).flat_map(|row| row.names.iter().copied())
    }

    /// Returns all commands for the man page.
    pub(in crate::client) fn for_manual() -> Vec<PromptCommand> {
        rows().filter(|row| row.is_supported()).map(Row::typed).collect()
    }

    fn begins_with(&self, typed: &str) -> bool {
        !typed.is_empty() && self.names.iter().any(|name| name.starts_with(typed))
    }
}

fn ambiguous(typed: &str) -> Error {
    let begun = Row::names_of_all().filter(|name| name.starts_with(typed));
    let mut names: Vec<String> = begun.map(str::to_uppercase).collect();
    names.sort();
    Error::Usage(format!("ambiguous command: {}", names.join(", ")))
}

fn unknown(typed: &str) -> Error {
    let advice = match nearest(typed, Row::names_of_all()) {
        Some(name) => format!("did you mean {}?", name.to_uppercase()),
        None => "HELP lists all commands".to_owned(),
    };
    Error::Usage(format!("unknown command; {advice}"))
}

/// Returns a local path for messages.
fn shown_path(path: &Path) -> String {
    shown(path.as_os_str().as_encoded_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::check_flags;

    #[test]
    fn rows_are_consistent() {
        let names: Vec<&str> = rows().flat_map(|row| row.names.iter().copied()).collect();
        for (index, name) in names.iter().enumerate() {
            assert!(!names[..index].contains(name), "{name} is not unique");
            assert_eq!(*name, name.to_lowercase());
        }
        for row in rows().filter(|row| row.is_supported()) {
            let line = row.example_line();
            let words = super::super::lexer::words(line.as_bytes()).unwrap();
            assert!(std::ptr::eq(Row::find(&words[0]).unwrap(), row), "{line}");
            assert!(row.call(&words[1..]).unwrap().has_right_count(), "{line}");
            row.check_operands();
            check_flags(row.options());
        }
        let explained = rows().map(Row::explained).collect::<String>();
        for line in help::overview().lines().chain(explained.lines()) {
            assert!(line.len() <= 80, "{line}");
        }
    }

    #[test]
    fn a_usage_line_is_made_from_the_row() {
        for (name, usage) in [
            ("quit", "QUIT"),
            ("retrieve", "RETRIEVE [OPTIONS] FILE [LOCAL]"),
            ("list", "LIST [-OPTS] [PATH [LOCAL]]"),
            ("pget", "PGET [-n N] FILE [LOCAL]"),
            ("mirror", "MIRROR [OPTIONS] [FROM [TO]]"),
            ("user", "USER NAME [PASSWORD [ACCT]]"),
            ("bell", "BELL [on|off]"),
        ] {
            assert_eq!(Row::find(name.as_bytes()).unwrap().usage(), usage);
        }
    }

    #[test]
    fn a_wrong_option_is_named_with_what_was_expected() {
        let wrong = |command: &str, words: &[&str]| {
            let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().into()).collect();
            let call = Row::find(command.as_bytes()).unwrap().call(&words);
            call.err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(
            wrong("mirror", &["--delte"]),
            "--delte: unknown option; did you mean --delete?"
        );
        assert_eq!(wrong("mirror", &["a", "--exclude"]), "--exclude: expected a value (GLOB)");
        assert_eq!(wrong("mirror", &["--delete=x"]), "--delete 'x': expected yes or no");
        assert_eq!(wrong("mkdir", &["-x"]), "-x: unknown option");
        assert_eq!(wrong("mkdir", &["-p", "--", "-x"]), "");
        assert_eq!(wrong("get", &["-x"]), "-x: unknown option");
        assert_eq!(wrong("get", &["--", "-x"]), "");
        assert_eq!(wrong("list", &["-la", "dir"]), "");
    }

    #[test]
    fn an_unsupported_command_says_why() {
        for row in rows().filter(|row| !row.is_supported()) {
            for name in row.names {
                let error = Row::find(name.as_bytes()).err().map(|error| error.to_string());
                assert!(error.is_some_and(|text| text.starts_with("not supported: ")), "{name}");
            }
        }
    }

    #[test]
    fn commands_are_found_in_any_case_and_mistyped_names_are_corrected() {
        assert_eq!(Row::find(b"ReTrIeVe").unwrap().title(), "RETRIEVE");
        assert_eq!(Row::find(b"GET").unwrap().title(), "RETRIEVE");
        let guess = |word: &[u8]| Row::find(word).err().map(|error| error.to_string());
        assert_eq!(guess(b"retreive").unwrap(), "unknown command; did you mean RETRIEVE?");
        assert_eq!(guess(b"\x1b\xff").unwrap(), "unknown command; HELP lists all commands");
    }
}
