//! Man pages in the macros of man(7), which `man`, groff and mandoc read.
//!
//! No text in a page is interpreted as a macro or an escape: a backslash, a dot at the start of a
//! line, and the characters that typesetters replace with typographic ones are output unchanged,
//! so that an option copied from a page works.

/// A page under construction.
#[derive(Debug)]
pub(super) struct Page {
    text: String,
    position: Position,
}

/// The kind of the preceding output: a heading and a paragraph would both add vertical space.
#[derive(Debug, PartialEq, Eq)]
enum Position {
    AfterHeading,
    InText,
}

/// The length at which lines are wrapped, in characters. Longer lines would be valid but hard to
/// read in the source.
const WIDTH: usize = 72;

impl Page {
    /// Creates a page of section 1.
    pub(super) fn new(name: &str, date: &str, source: &str) -> Page {
        let [title, source] = [&name.to_uppercase(), source].map(escaped);
        // An escaped date would not be recognized as a date.
        let date: String = date.chars().filter(|c| c.is_ascii_digit() || *c == '-').collect();
        let head = format!(".TH {title} 1 \"{date}\" \"{source}\" \"User Commands\"\n");
        // Names of options and files must not be hyphenated.
        let text = head + ".nh\n.ad l\n";
        Page { text, position: Position::AfterHeading }
    }

    /// Adds a heading.
    pub(super) fn section(&mut self, title: &str) {
        self.macro_line(&format!(".SH {}", quoted(title)));
        self.position = Position::AfterHeading;
    }

    /// Adds the content of the NAME section.
    pub(super) fn name(&mut self, name: &str, summary: &str) {
        self.macro_line(&format!("{} \\- {}", escaped(name), escaped(summary)));
    }

    /// Adds a line of the synopsis.
    pub(super) fn usage(&mut self, usage: &str) {
        if self.position == Position::InText {
            self.macro_line(".br");
        }
        self.macro_line(&marked(usage));
        self.position = Position::InText;
    }

    /// Adds a paragraph.
    pub(super) fn text(&mut self, text: &str) {
        if self.position == Position::InText {
            self.macro_line(".PP");
        }
        self.filled(text);
    }

    /// Adds a term and its description.
    pub(super) fn item(&mut self, term: &str, text: &str) {
        self.macro_line(".TP");
        self.macro_line(&marked(term));
        self.filled(text);
    }

    /// Adds the output of `write` to the preceding item, indented.
    pub(super) fn indented(&mut self, write: impl FnOnce(&mut Page)) {
        self.macro_line(".RS");
        write(self);
        self.macro_line(".RE");
    }

    /// Adds lines that are not reformatted.
    pub(super) fn lines(&mut self, lines: &str) {
        if self.position == Position::InText {
            self.macro_line(".PP");
        }
        self.macro_line(".RS 4\n.nf");
        lines.lines().for_each(|line| self.macro_line(&guarded(&escaped(line))));
        self.macro_line(".fi\n.RE");
        self.position = Position::InText;
    }

    /// Returns the page.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn filled(&mut self, text: &str) {
        let lines = super::help::wrap(text, WIDTH);
        lines.iter().for_each(|line| self.macro_line(&guarded(&escaped(line))));
        self.position = Position::InText;
    }

    fn macro_line(&mut self, line: &str) {
        self.text += line;
        self.text.push('\n');
    }
}

/// Formats a usage line: literal text in bold, placeholders in italics.
fn marked(usage: &str) -> String {
    let mut marked = String::new();
    let mut rest = usage;
    while let Some(first) = rest.chars().next() {
        let kind = Kind::of(first);
        let end = rest.find(|c| Kind::of(c) != kind).unwrap_or(rest.len());
        let end = end.max(option_letter(rest));
        let word = escaped(&rest[..end]);
        marked += &match kind {
            Kind::Literal => format!("\\fB{word}\\fR"),
            Kind::Placeholder => format!("\\fI{word}\\fR"),
            Kind::Grammar => word,
        };
        rest = &rest[end..];
    }
    guarded(&marked)
}

/// The meaning of a character in a usage line.
#[derive(PartialEq, Eq)]
enum Kind {
    Literal,
    Placeholder,
    Grammar,
}

impl Kind {
    fn of(c: char) -> Kind {
        match c {
            'A'..='Z' => Kind::Placeholder,
            '[' | ']' | '|' | ' ' | ',' => Kind::Grammar,
            _ => Kind::Literal,
        }
    }
}

/// Returns the length of an option of one capital letter at the start of `text`, since that
/// capital is not a placeholder; 0 if there is none.
fn option_letter(text: &str) -> usize {
    match text.as_bytes() {
        [b'-', b'A'..=b'Z', b'A'..=b'Z', ..] => 0,
        [b'-', b'A'..=b'Z', ..] => 2,
        _ => 0,
    }
}

/// Escapes a text so that it is output unchanged.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '\\' => escaped += "\\e",
            '-' => escaped += "\\-",
            '\'' => escaped += "\\(aq",
            '"' => escaped += "\\(dq",
            '`' => escaped += "\\(ga",
            '^' => escaped += "\\(ha",
            '~' => escaped += "\\(ti",
            ' '..='~' => escaped.push(c),
            _ => escaped += &format!("\\[u{:04X}]", u32::from(c)),
        }
    }
    escaped
}

/// Protects a line from being interpreted as a macro.
fn guarded(line: &str) -> String {
    if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() }
}

/// Returns a text as an argument of a macro.
fn quoted(text: &str) -> String {
    let text = escaped(text);
    if text.contains(' ') { format!("\"{text}\"") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_for_a_macro_or_an_escape() {
        assert_eq!(escaped(r#"a\b "c" 'd' -e ~f ^g `h`"#), {
            r"a\eb \(dqc\(dq \(aqd\(aq \-e \(tif \(hag \(gah\(ga"
        });
        assert_eq!(escaped("é\u{1}"), r"\[u00E9]\[u0001]");
        let mut page = Page::new("p", "2026-01-02\"", "s");
        page.section("TWO WORDS");
        page.text(".netrc");
        page.lines(".a\n'b");
        page.item(".x", "'y");
        let expected = ".TH P 1 \"2026-01-02\" \"s\" \"User Commands\"\n.nh\n.ad l\n.SH \"TWO WORDS\"\n\\&.netrc\n.PP\n\
                        .RS 4\n.nf\n\\&.a\n\\(aqb\n.fi\n.RE\n.TP\n\\fB.x\\fR\n\\(aqy\n";
        assert_eq!(page.finish(), expected);
    }

    #[test]
    fn literals_are_bold_and_placeholders_are_italic() {
        assert_eq!(marked("-p, --port PORT"), r"\fB\-p\fR, \fB\-\-port\fR \fIPORT\fR");
        assert_eq!(marked("-V [-OPTS]"), r"\fB\-V\fR [\fB\-\fR\fIOPTS\fR]");
        assert_eq!(marked("f [A|B]"), r"\fBf\fR [\fIA\fR|\fIB\fR]");
    }
}
