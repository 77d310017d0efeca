//! The `ls` options in the argument of LIST, NLST and STAT.

use crate::protocol::Name;
use crate::server::fs::jail::DirEntry;

/// The supported `ls` options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LsOptions {
    /// `-a`: include `.` and `..`.
    pub all: bool,
    /// `-l`: use the long format, even for NLST.
    pub long: bool,
    /// `-d`: list the directory itself and not its content.
    pub itself: bool,
    /// `-R`: list subdirectories recursively.
    pub recursive: bool,
    /// The sort order: `-t`, `-S`, or by name.
    pub order: Order,
    /// `-r`: reverse the order.
    pub reverse: bool,
}

/// The sort order of names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By name, as bytes.
    #[default]
    Name,
    /// By modification time, newest first.
    Time,
    /// By size, largest first.
    Size,
}

impl LsOptions {
    /// Splits the options from an argument; the rest is the path. Letters that `ls` knows but that
    /// have no effect here are ignored.
    pub fn split(argument: &[u8]) -> (LsOptions, Option<Name>) {
        let mut options = LsOptions::default();
        let mut rest = argument;
        while let [b'-', letters @ ..] = rest {
            let end = letters.iter().position(|&b| b == b' ').unwrap_or(letters.len());
            letters[..end].iter().for_each(|&letter| options.set(letter));
            rest = letters[end..].trim_ascii_start();
            if letters[..end] == *b"-" {
                break; // "--" ends the options
            }
        }
        (options, Name::of_file(rest))
    }

    fn set(&mut self, letter: u8) {
        match letter {
            b'a' => self.all = true,
            b'l' => self.long = true,
            b'd' => self.itself = true,
            b'R' => self.recursive = true,
            b't' => self.order = Order::Time,
            b'S' => self.order = Order::Size,
            b'r' => self.reverse = true,
            _ => {}
        }
    }

    /// Sorts entries in the selected order.
    pub fn sort(self, names: &mut [DirEntry]) {
        match self.order {
            Order::Name => names.sort_unstable_by(|a, b| a.name.cmp(&b.name)),
            Order::Time => names.sort_unstable_by(|a, b| {
                b.stat.modified.cmp(&a.stat.modified).then_with(|| a.name.cmp(&b.name))
            }),
            Order::Size => names.sort_unstable_by(|a, b| {
                b.stat.size.cmp(&a.stat.size).then_with(|| a.name.cmp(&b.name))
            }),
        }
        if self.reverse {
            names.reverse();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(argument: &str) -> (LsOptions, Option<String>) {
        let (options, path) = LsOptions::split(argument.as_bytes());
        (options, path.map(|path| path.to_string()))
    }

    #[test]
    fn options_precede_the_path() {
        let all = LsOptions { all: true, long: true, ..LsOptions::default() };
        assert_eq!(split("-la"), (all, None));
        assert_eq!(split("-a -l my dir"), (all, Some("my dir".into())));
        assert_eq!(split("my -dir"), (LsOptions::default(), Some("my -dir".into())));
        let newest = LsOptions { order: Order::Time, reverse: true, ..LsOptions::default() };
        assert_eq!(split("-tr x"), (newest, Some("x".into())));
        assert_eq!(split("-- -x"), (LsOptions::default(), Some("-x".into())));
        assert_eq!(split("-1AFhZ"), (LsOptions::default(), None));
    }
}
