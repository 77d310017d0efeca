//! Writes `--help` in two aligned columns from the table of options.

use super::table::{Flag, Program};

/// The maximum width of `--help` in columns.
pub(super) const HELP_WIDTH: usize = 80;
/// The width above which a flag has its help on the next line.
const WIDEST_FLAG: usize = 28;

impl Program {
    /// Returns the text of `--help`: lines of at most 80 columns.
    pub fn help(&self) -> String {
        let mut help = String::new();
        for (index, usage) in self.usage.iter().enumerate() {
            help += if index == 0 { "Usage: " } else { "       " };
            help += &format!("{usage}\n");
        }
        help += &format!("\n{}\n\nOptions:\n", wrap(self.about, HELP_WIDTH).join("\n"));
        let rows: Vec<(String, String)> = self.all_flags().map(Flag::help_row).collect();
        help += &columns(&rows);
        if !self.after.is_empty() {
            help += &format!("\n{}\n", self.after.trim_end());
        }
        help
    }
}

/// The two columns of a flag in `--help`.
impl Flag {
    pub(super) fn left(&self) -> String {
        // Aligns the long names.
        let indent = if self.short.is_none() { "    " } else { "" };
        let names = format!("{indent}{}", self.spellings().join(", "));
        match self.value {
            Some(value) => format!("  {names} {value}"),
            None => format!("  {names}"),
        }
    }

    pub(super) fn right(&self) -> String {
        let many = if self.many { " (may be repeated)" } else { "" };
        match self.default {
            Some(default) => format!("{}{many} [{default}]", self.help),
            None => format!("{}{many}", self.help),
        }
    }

    /// Returns both columns of the flag's row.
    pub(crate) fn help_row(&self) -> (String, String) {
        (self.left(), self.right())
    }
}

/// Lays out names and descriptions in two columns, in lines of at most 80 columns.
pub(crate) fn columns(rows: &[(String, String)]) -> String {
    let widths = rows.iter().map(|(left, _)| left.chars().count());
    let column = widths.filter(|width| *width <= WIDEST_FLAG).max().unwrap_or(0) + 2;
    rows.iter().map(|(left, right)| row(left, right, column)).collect()
}

fn row(left: &str, right: &str, column: usize) -> String {
    let mut lines = wrap(right, HELP_WIDTH - column).into_iter();
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

/// Splits a text into lines of at most `width` columns. A longer word gets its own line.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use crate::args::testing::{CLIENT, SERVER};

    #[test]
    fn help_is_aligned_and_wrapped() {
        let help = "\
Usage: ftp_server [OPTIONS]
       ftp_server passwd FILE NAME

Serve a directory over FTP, to people and to programs, until the server is
stopped.

Options:
      --port PORT    control port; 0 picks a free one [1026]
      --root DIR     the directory served [the current directory]
      --passive-ports FIRST-LAST
                     ports for passive data connections, which a firewall must
                     allow
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
}
