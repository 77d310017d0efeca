//! How a line of commands is cut into commands, and a command into words.
//!
//! As in a shell: blanks separate words, `'a b'` is one word with nothing special in it, `"a b"` is
//! one word in which a backslash takes the special meaning from the next byte, and outside quotes it
//! does so too. A line whose first word begins with `#` is a comment. Words are bytes, because file
//! names are.

use super::error::Error;
use crate::protocol::Name;

/// A word as a name that can be sent.
pub(super) fn name(word: &[u8]) -> Result<Name, Error> {
    Name::new(word).ok_or_else(|| Error::BadName(word.to_vec()))
}

/// A quote that does not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unclosed;

/// Where in quotes a line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    Plain,
    /// After a backslash outside quotes.
    Escaped,
    Single,
    Double,
    /// After a backslash inside `"`.
    DoubleEscaped,
}

/// What a byte is to the line it stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Outside quotes: it has the meaning it has.
    Bare,
    /// Inside quotes: it is itself.
    Quoted,
    /// A quote or a backslash that is not part of the word.
    Mark,
}

impl Quoting {
    fn step(self, byte: u8) -> (Quoting, Role) {
        match (self, byte) {
            (Quoting::Plain, b'\\') => (Quoting::Escaped, Role::Mark),
            (Quoting::Plain, b'\'') => (Quoting::Single, Role::Mark),
            (Quoting::Plain, b'"') => (Quoting::Double, Role::Mark),
            (Quoting::Plain, _) => (Quoting::Plain, Role::Bare),
            (Quoting::Escaped, _) => (Quoting::Plain, Role::Quoted),
            (Quoting::Single, b'\'') => (Quoting::Plain, Role::Mark),
            (Quoting::Single, _) => (Quoting::Single, Role::Quoted),
            (Quoting::Double, b'"') => (Quoting::Plain, Role::Mark),
            (Quoting::Double, b'\\') => (Quoting::DoubleEscaped, Role::Mark),
            (Quoting::Double, _) => (Quoting::Double, Role::Quoted),
            (Quoting::DoubleEscaped, _) => (Quoting::Double, Role::Quoted),
        }
    }
}

/// The words of a command; none for a blank line or a comment.
pub(super) fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, Unclosed> {
    if is_comment(line) {
        return Ok(Vec::new());
    }
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quoting = Quoting::Plain;
    for &byte in line {
        let (next, role) = quoting.step(byte);
        quoting = next;
        match role {
            Role::Bare if byte.is_ascii_whitespace() => words.extend(word.take()),
            Role::Bare | Role::Quoted => word.get_or_insert_default().push(byte),
            // `""` is a word, an empty one.
            Role::Mark => drop(word.get_or_insert_default()),
        }
    }
    words.extend(word);
    if quoting == Quoting::Plain { Ok(words) } else { Err(Unclosed) }
}

/// The commands of a text: ended by LF, or by `;` outside of quotes and comments.
pub(super) fn commands(text: &[u8]) -> Vec<Vec<u8>> {
    let mut commands = vec![Vec::new()];
    let mut quoting = Quoting::Plain;
    for &byte in text {
        let command = commands.last().map_or(&b""[..], Vec::as_slice);
        let comment = is_comment(command);
        let (next, role) = if comment { (Quoting::Plain, Role::Bare) } else { quoting.step(byte) };
        quoting = next;
        let ends = byte == b'\n' || byte == b';' && !comment;
        match commands.last_mut() {
            Some(command) if role != Role::Bare || !ends => command.push(byte),
            _ => commands.push(Vec::new()),
        }
    }
    commands
}

fn is_comment(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"#")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Vec<String> {
        let words = words(line.as_bytes()).unwrap().into_iter();
        words.map(|word| String::from_utf8(word).unwrap()).collect()
    }

    #[test]
    fn words_as_in_a_shell() {
        assert_eq!(split("  get a\tb \r"), ["get", "a", "b"]);
        assert_eq!(split(r#"put "a b" 'c "d' e\ f"#), ["put", "a b", "c \"d", "e f"]);
        assert_eq!(split(r#"a"b"'c'\"d ''"#), ["abc\"d", ""]);
        assert_eq!(split(r#""a\"b\\c""#), ["a\"b\\c"]);
        assert_eq!(split("get a#b"), ["get", "a#b"]);
    }

    #[test]
    fn blank_lines_and_comments_have_no_words() {
        for line in ["", " \t", "# x", "  #'x"] {
            assert_eq!(split(line), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn an_open_quote_is_an_error() {
        for line in ["get 'a", "get \"a", "get a\\", "get \"a\\", "it's"] {
            assert_eq!(words(line.as_bytes()), Err(Unclosed), "{line}");
        }
    }

    #[test]
    fn commands_end_at_semicolons_and_lines_outside_of_quotes() {
        let text = b"cd a; get 'b;c'\n# no; command\nput \"d\ne\"\\;;ls";
        let commands = commands(text);
        let expected: [&[u8]; 5] =
            [b"cd a", b" get 'b;c'", b"# no; command", b"put \"d\ne\"\\;", b"ls"];
        assert_eq!(commands, expected);
    }
}
