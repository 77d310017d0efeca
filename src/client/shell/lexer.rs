//! Splits lines into commands, and commands into words.
//!
//! Whitespace separates words, and `"a b"` is one word. A backslash escapes the next byte, inside and outside of
//! quotes. A single quote is an ordinary byte, as in BSD ftp, because names contain it (`don't.txt`, and
//! `'PROD.DATA.'` on z/OS). A line whose first word begins with `#` is a comment. Words are bytes, because
//! file names are.

/// The error of a quote that is not closed, or a backslash at the end of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unclosed;

/// The state of quoting between two bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    Plain,
    /// After a backslash outside quotes.
    Escaped,
    Double,
    /// After a backslash inside `"`.
    DoubleEscaped,
}

/// The role of a byte in a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Outside of quotes: whitespace and `;` separate.
    Bare,
    /// Quoted or escaped: part of the word.
    Quoted,
    /// A quote or a backslash, which is not part of the word.
    Mark,
}

impl Quoting {
    fn step(self, byte: u8) -> (Quoting, Role) {
        match (self, byte) {
            (Quoting::Plain, b'\\') => (Quoting::Escaped, Role::Mark),
            (Quoting::Plain, b'"') => (Quoting::Double, Role::Mark),
            (Quoting::Plain, _) => (Quoting::Plain, Role::Bare),
            (Quoting::Escaped, _) => (Quoting::Plain, Role::Quoted),
            (Quoting::Double, b'"') => (Quoting::Plain, Role::Mark),
            (Quoting::Double, b'\\') => (Quoting::DoubleEscaped, Role::Mark),
            (Quoting::Double, _) => (Quoting::Double, Role::Quoted),
            (Quoting::DoubleEscaped, _) => (Quoting::Double, Role::Quoted),
        }
    }
}

/// Splits a command into words; a blank line or a comment has none.
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
            // `""` is an empty word.
            Role::Mark => drop(word.get_or_insert_default()),
        }
    }
    words.extend(word);
    if quoting == Quoting::Plain { Ok(words) } else { Err(Unclosed) }
}

/// The quotes around an unfinished word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quotes {
    /// None: special bytes are escaped by a backslash.
    None,
    /// `"`
    Double,
}

/// A line that is still being typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfinished {
    /// The words before the unfinished one.
    pub(super) before: Vec<Vec<u8>>,
    /// The unfinished word, without its quotes.
    pub(super) word: Vec<u8>,
    /// The offset at which it begins.
    pub(super) start: usize,
    /// The quotes around it.
    pub(super) quotes: Quotes,
}

/// Splits a line that ends at the cursor; `None` directly after a backslash and in a comment.
pub(super) fn unfinished(line: &[u8]) -> Option<Unfinished> {
    let mut quoting = Quoting::Plain;
    let mut start = 0;
    let mut blank = true;
    for (at, &byte) in line.iter().enumerate() {
        let (next, role) = quoting.step(byte);
        quoting = next;
        let ends = role == Role::Bare && byte.is_ascii_whitespace();
        if blank && !ends {
            start = at;
        }
        blank = ends;
    }
    let start = if blank { line.len() } else { start };
    let quotes = match quoting {
        Quoting::Plain => Quotes::None,
        Quoting::Double => Quotes::Double,
        Quoting::Escaped | Quoting::DoubleEscaped => return None,
    };
    let closed: &[u8] = match quotes {
        Quotes::None => b"",
        Quotes::Double => b"\"",
    };
    let word = words(&[&line[start..], closed].concat()).ok()?.pop().unwrap_or_default();
    if is_comment(line) {
        return None;
    }
    Some(Unfinished { before: words(&line[..start]).ok()?, word, start, quotes })
}

/// Returns a word as it has to be typed with these quotes, which are left open.
pub(super) fn quoted(word: &[u8], quotes: Quotes) -> Vec<u8> {
    match quotes {
        Quotes::None => {
            escaped(word, |byte| byte.is_ascii_whitespace() || b"\"\\;".contains(&byte))
        }
        Quotes::Double => [&b"\""[..], &escaped(word, |byte| b"\"\\".contains(&byte))].concat(),
    }
}

fn escaped(word: &[u8], special: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut out = Vec::new();
    for &byte in word {
        if special(byte) || byte == b'#' && out.is_empty() {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

/// Returns the quote that closes a word of [`quoted`].
pub(super) fn closing(quotes: Quotes) -> &'static [u8] {
    match quotes {
        Quotes::Double => b"\"",
        Quotes::None => b"",
    }
}

/// Splits a text into commands, which LF ends, or `;` outside of quotes and comments.
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
    fn single_quotes_are_part_of_a_word() {
        assert_eq!(split("get don't.txt"), ["get", "don't.txt"]);
        assert_eq!(split("cd 'PROD.DATA.'"), ["cd", "'PROD.DATA.'"]);
        assert_eq!(split("put 'a b'"), ["put", "'a", "b'"]);
        assert_eq!(commands(b"cd 'a; ls"), [&b"cd 'a"[..], b" ls"]);
    }

    #[test]
    fn words_are_split_at_blanks_outside_of_quotes() {
        assert_eq!(split("  get a\tb \r"), ["get", "a", "b"]);
        assert_eq!(split(r#"put "a b" "c \"d" e\ f"#), ["put", "a b", "c \"d", "e f"]);
        assert_eq!(split(r#"a"b"'c'\"d """#), ["ab'c'\"d", ""]);
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
        for line in ["get \"a", "get a\\", "get \"a\\", "it\"s"] {
            assert_eq!(words(line.as_bytes()), Err(Unclosed), "{line}");
        }
    }

    #[test]
    fn the_unfinished_word_is_found() {
        let typed = |line: &str| {
            let unfinished = unfinished(line.as_bytes())?;
            let word = String::from_utf8(unfinished.word).unwrap();
            Some((unfinished.before.len(), word, unfinished.start, unfinished.quotes))
        };
        assert_eq!(typed(""), Some((0, "".into(), 0, Quotes::None)));
        assert_eq!(typed("ge"), Some((0, "ge".into(), 0, Quotes::None)));
        assert_eq!(typed(" get "), Some((1, "".into(), 5, Quotes::None)));
        assert_eq!(typed("get a\\ b"), Some((1, "a b".into(), 4, Quotes::None)));
        assert_eq!(typed("get \"a b"), Some((1, "a b".into(), 4, Quotes::Double)));
        assert_eq!(typed("get \"a\" x\"b c"), Some((2, "xb c".into(), 8, Quotes::Double)));
        assert_eq!(typed("get a\\"), None);
        assert_eq!(typed("# get a"), None);
    }

    #[test]
    fn a_quoted_word_is_parsed_as_the_same_word() {
        for word in ["a b", "it's", "a\"b\\c", "#a", "", "tab\there"] {
            for quotes in [Quotes::None, Quotes::Double] {
                let typed = quoted(word.as_bytes(), quotes);
                let typed = [&b"get x "[..], &typed, closing(quotes)].concat();
                let last = words(&typed).unwrap().pop().unwrap();
                if word.is_empty() && quotes == Quotes::None {
                    continue;
                }
                assert_eq!(last, word.as_bytes(), "{quotes:?}");
            }
        }
    }

    #[test]
    fn commands_end_at_semicolons_and_line_ends_outside_of_quotes() {
        let text = b"cd a; get \"b;c\"\n# no; command\nput \"d\ne\"\\;;ls";
        let commands = commands(text);
        let expected: [&[u8]; 5] =
            [b"cd a", b" get \"b;c\"", b"# no; command", b"put \"d\ne\"\\;", b"ls"];
        assert_eq!(commands, expected);
    }
}
