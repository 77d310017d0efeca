//! Pages in the macros of man(7), which `man`, groff and mandoc read.
//!
//! Nothing that is put into a page is taken for a macro or an escape: a backslash, a dot at the
//! start of a line and the characters that typesetters replace by prettier ones come out as they
//! were put in, so that an option can be copied from a page and works.

/// A page that is being written.
#[derive(Debug)]
pub(super) struct Page {
    text: String,
    place: Place,
}

/// What stands before, since a heading and a paragraph would both make room.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    AfterHeading,
    InText,
}

/// Longer lines are as good, but nobody can read what is in them.
const WIDTH: usize = 72;

impl Page {
    /// A page of section 1.
    pub(super) fn new(name: &str, date: &str, source: &str) -> Page {
        let [title, source] = [&name.to_uppercase(), source].map(escaped);
        // Escaped it would not be taken for a date.
        let date: String = date.chars().filter(|c| c.is_ascii_digit() || *c == '-').collect();
        let head = format!(".TH {title} 1 \"{date}\" \"{source}\" \"User Commands\"\n");
        // Names of options and files must not be torn apart at the end of a line.
        let text = head + ".nh\n.ad l\n";
        Page { text, place: Place::AfterHeading }
    }

    /// A heading.
    pub(super) fn section(&mut self, title: &str) {
        self.macro_line(&format!(".SH {}", quoted(title)));
        self.place = Place::AfterHeading;
    }

    /// What NAME says.
    pub(super) fn name(&mut self, name: &str, summary: &str) {
        self.macro_line(&format!("{} \\- {}", escaped(name), escaped(summary)));
    }

    /// A way to call the program.
    pub(super) fn usage(&mut self, usage: &str) {
        if self.place == Place::InText {
            self.macro_line(".br");
        }
        self.macro_line(&marked(usage));
        self.place = Place::InText;
    }

    /// A paragraph.
    pub(super) fn text(&mut self, text: &str) {
        if self.place == Place::InText {
            self.macro_line(".PP");
        }
        self.filled(text);
    }

    /// A term, and what is to be said of it.
    pub(super) fn item(&mut self, term: &str, text: &str) {
        self.macro_line(".TP");
        self.macro_line(&marked(term));
        self.filled(text);
    }

    /// What `write` puts in belongs to the item before.
    pub(super) fn indented(&mut self, write: impl FnOnce(&mut Page)) {
        self.macro_line(".RS");
        write(self);
        self.macro_line(".RE");
    }

    /// Lines that stay as they are.
    pub(super) fn lines(&mut self, lines: &str) {
        if self.place == Place::InText {
            self.macro_line(".PP");
        }
        self.macro_line(".RS 4\n.nf");
        lines.lines().for_each(|line| self.macro_line(&guarded(&escaped(line))));
        self.macro_line(".fi\n.RE");
        self.place = Place::InText;
    }

    /// The page.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn filled(&mut self, text: &str) {
        let lines = super::help::wrap(text, WIDTH);
        lines.iter().for_each(|line| self.macro_line(&guarded(&escaped(line))));
        self.place = Place::InText;
    }

    fn macro_line(&mut self, line: &str) {
        self.text += line;
        self.text.push('\n');
    }
}

/// A call of a program: what is typed as it is in bold, what stands for something else in italics.
fn marked(usage: &str) -> String {
    let mut marked = String::new();
    let mut rest = usage;
    while let Some(first) = rest.chars().next() {
        let kind = Kind::of(first);
        let end = rest.find(|c| Kind::of(c) != kind).unwrap_or(rest.len());
        let end = end.max(option_letter(rest));
        let word = escaped(&rest[..end]);
        marked += &match kind {
            Kind::Typed => format!("\\fB{word}\\fR"),
            Kind::Stands => format!("\\fI{word}\\fR"),
            Kind::Grammar => word,
        };
        rest = &rest[end..];
    }
    guarded(&marked)
}

/// What a character of a call belongs to.
#[derive(PartialEq, Eq)]
enum Kind {
    Typed,
    Stands,
    Grammar,
}

impl Kind {
    fn of(c: char) -> Kind {
        match c {
            'A'..='Z' => Kind::Stands,
            '[' | ']' | '|' | ' ' | ',' => Kind::Grammar,
            _ => Kind::Typed,
        }
    }
}

/// How long the option of one letter is that begins here: a capital in it stands for nothing else.
fn option_letter(text: &str) -> usize {
    match text.as_bytes() {
        [b'-', b'A'..=b'Z', b'A'..=b'Z', ..] => 0,
        [b'-', b'A'..=b'Z', ..] => 2,
        _ => 0,
    }
}

/// Text that comes out as it stands.
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

/// A line that is not taken for a macro.
fn guarded(line: &str) -> String {
    if line.starts_with('.') { format!("\\&{line}") } else { line.to_owned() }
}

/// An argument of a macro.
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
    fn what_is_typed_is_bold_and_what_stands_for_something_is_not() {
        assert_eq!(marked("-p, --port PORT"), r"\fB\-p\fR, \fB\-\-port\fR \fIPORT\fR");
        assert_eq!(marked("-V [-OPTS]"), r"\fB\-V\fR [\fB\-\fR\fIOPTS\fR]");
        assert_eq!(marked("f [A|B]"), r"\fBf\fR [\fIA\fR|\fIB\fR]");
    }
}
