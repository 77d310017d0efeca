//! `--help`: two aligned columns, made from the table; and what keeps the table sound.

use super::{Flag, Program};

/// Columns that `--help` keeps to.
pub(super) const HELP_WIDTH: usize = 80;
/// A flag wider than this gets its help on the next line.
const WIDEST_FLAG: usize = 28;

impl Program {
    /// What `--help` prints: whole lines of at most 80 columns.
    pub fn help(&self) -> String {
        let mut help = String::new();
        for (index, usage) in self.usage.iter().enumerate() {
            help += if index == 0 { "Usage: " } else { "       " };
            help += &format!("{usage}\n");
        }
        help += &format!("\n{}\n\nOptions:\n", wrap(self.about, HELP_WIDTH).join("\n"));
        let column = self.help_column();
        for flag in self.all_flags() {
            help += &flag.help_row(column);
        }
        if !self.after.is_empty() {
            help += &format!("\n{}\n", self.after.trim_end());
        }
        help
    }

    fn help_column(&self) -> usize {
        let widths = self.all_flags().map(|flag| flag.left().chars().count());
        widths.filter(|width| *width <= WIDEST_FLAG).max().unwrap_or(0) + 2
    }
}

/// The help side of a flag.
impl Flag {
    pub(super) fn left(&self) -> String {
        let names = match (self.short, self.long) {
            (Some(short), Some(long)) => format!("-{short}, --{long}"),
            (None, Some(long)) => format!("    --{long}"),
            (_, None) => self.spelled(),
        };
        match self.value {
            Some(value) => format!("  {names} {value}"),
            None => format!("  {names}"),
        }
    }

    fn right(&self) -> String {
        let many = if self.many { " (may be repeated)" } else { "" };
        match self.default {
            Some(default) => format!("{}{many} [{default}]", self.help),
            None => format!("{}{many}", self.help),
        }
    }

    fn help_row(&self, column: usize) -> String {
        let left = self.left();
        let mut lines = wrap(&self.right(), HELP_WIDTH - column).into_iter();
        let mut row = if left.chars().count() + 2 > column {
            format!("{left}\n")
        } else {
            format!("{left:column$}{}\n", lines.next().unwrap_or_default())
        };
        for line in lines {
            row += &format!("{:column$}{line}\n", "");
        }
        row
    }

    pub(super) fn check(&self) {
        let name = self.spelled();
        assert!(!name.is_empty(), "{self:?}: has a name");
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if let Some(long) = self.long {
            assert!(long.bytes().all(plain), "{name}: is lower case ASCII, digits and dashes");
            assert!(long.len() > 1, "{name}: is longer than a letter");
            assert!(!long.starts_with('-') && !long.ends_with('-'), "{name}: has no dash outside");
        }
        assert!(self.short.is_none_or(|c| c.is_ascii_alphanumeric()), "{name}: letter or digit");
        assert!(!self.help.is_empty() && self.help.trim() == self.help, "{name}: has help");
        match self.value {
            Some(value) => {
                let bad = value.is_empty() || value.contains(char::is_whitespace);
                assert!(!bad, "{name}: its value has a name without blanks");
            }
            None => assert!(self.default.is_none() && !self.many, "{name}: is only a switch"),
        }
    }
}

/// Lines of at most `width` columns; a longer word stands alone.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
