//! Checks the commands of a script before the first of them runs.
//!
//! So a mistyped command is reported as wrong usage even if the server cannot be reached, and before other
//! commands have changed anything.

use super::commands::Row;
use super::{display_name, split_words};
use crate::client::error::Error;
use crate::text::strip_bom;

/// Returns the first command with an unknown name, wrong options or a wrong number of operands, and its error.
///
/// The check ends at QUIT, and at a macro, which may contain QUIT or MACDEF. Lines of macros are checked
/// when they run.
pub(super) fn first_misuse(lines: impl Iterator<Item = Vec<u8>>) -> Option<(Vec<u8>, Error)> {
    let mut is_recording = false;
    for (index, line) in lines.enumerate() {
        if is_recording {
            is_recording = !line.trim_ascii().is_empty();
            continue;
        }
        let line = if index == 0 { strip_bom(&line).ok()? } else { &line };
        match checked(line) {
            Ok(Some("quit" | "$")) => return None,
            Ok(name) => is_recording = name == Some("macdef"),
            Err(misuse) => return Some(*misuse),
        }
    }
    None
}

/// Returns the name of the command of a line; `None` for a blank line or a comment. Quotes that are not closed
/// are reported when the line runs.
fn checked(line: &[u8]) -> Result<Option<&'static str>, Box<(Vec<u8>, Error)>> {
    let words = split_words(line).unwrap_or_default();
    let Some((command, operands)) = words.split_first() else { return Ok(None) };
    let row = Row::find(command).map_err(|error| Box::new((command.clone(), error)))?;
    let call = row.call(operands).map_err(|error| Box::new((row.title().into_bytes(), error)))?;
    call.check_count().map_err(|error| Box::new((display_name(&call), error)))?;
    Ok(Some(row.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::shell::lexer;

    fn misuse(script: &str) -> Option<String> {
        let lines = lexer::commands(script.as_bytes()).into_iter();
        first_misuse(lines).map(|(command, _)| String::from_utf8(command).unwrap())
    }

    #[test]
    fn the_first_wrong_command_is_found() {
        for (script, found) in [
            ("open host; frob; grob", "frob"),
            ("ls; get", "RETRIEVE"),
            ("mkdir -x a", "MKDIR"),
            ("rename a b c", "RENAME a to b"),
            ("sunique", "sunique"),
            ("p", "p"),
            ("macdef m\nfrob\n\nfrob x", "frob"),
        ] {
            assert_eq!(misuse(script).as_deref(), Some(found), "{script}");
        }
    }

    #[test]
    fn nothing_else_is_found() {
        for script in [
            "",
            "\u{feff}open host 21; user me secret; ls -la dir",
            "# frob; x\nGET \"a;frob\" b\\;c; put don't.txt",
            "!frob\n! frob -x; RETR a; retrieve --help",
            "macdef m\nfrob\nget\n\n$m a b; frob",
            "bye; frob",
            "get \"a",
        ] {
            assert_eq!(misuse(script), None, "{script}");
        }
    }
}
