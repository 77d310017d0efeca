//! The line that MIRROR prints at its end.

use crate::client::output::summary::{duration_text, size};
use std::fmt;
use std::time::Duration;

/// The counts of a mirror.
#[derive(Default)]
pub(super) struct Summary {
    pub(super) upload: bool,
    /// Files that were the same on both sides.
    pub(super) same: usize,
    /// Files that had to be transferred, and those that were.
    pub(super) due: usize,
    pub(super) done: usize,
    pub(super) bytes: u64,
    /// The duration of the mirror.
    pub(super) elapsed: Duration,
    pub(super) dirs: usize,
    pub(super) links: usize,
    pub(super) removed: usize,
    pub(super) failed: usize,
}

impl fmt::Display for Summary {
    /// Writes `300 files the same; sent 7 (14.7 KiB) in 0.3 s`, and the other counts that are not 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} the same; {}", counted(self.same, "file"), self.moved())?;
        let made = |count, what| (count > 0).then(|| format!("; made {}", counted(count, what)));
        f.write_str(&made(self.dirs, "directory").unwrap_or_default())?;
        f.write_str(&made(self.links, "link").unwrap_or_default())?;
        if self.removed > 0 {
            write!(f, "; removed {}", self.removed)?;
        }
        if self.failed > 0 { write!(f, "; {} failed", self.failed) } else { Ok(()) }
    }
}

impl Summary {
    fn moved(&self) -> String {
        let verb = if self.upload { "sent" } else { "fetched" };
        if self.due == 0 {
            return format!("{verb} none");
        }
        let of = if self.done < self.due { format!(" of {}", self.due) } else { String::new() };
        let (size, took) = (size(self.bytes), duration_text(self.elapsed));
        format!("{verb} {}{of} ({size}) in {took}", self.done)
    }
}

fn counted(count: usize, what: &str) -> String {
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_omits_counts_of_zero() {
        let elapsed = Duration::from_millis(300);
        let sent = Summary {
            upload: true,
            same: 300,
            due: 7,
            done: 7,
            bytes: 15_053,
            elapsed,
            ..Summary::default()
        };
        assert_eq!(sent.to_string(), "300 files the same; sent 7 (14.7 KiB) in 0.3 s");
        let none = Summary { same: 1, elapsed, ..Summary::default() };
        assert_eq!(none.to_string(), "1 file the same; fetched none");
        let mixed = Summary {
            due: 2,
            done: 1,
            bytes: 3,
            elapsed,
            dirs: 2,
            links: 1,
            removed: 4,
            failed: 1,
            ..Summary::default()
        };
        assert_eq!(
            mixed.to_string(),
            "0 files the same; fetched 1 of 2 (3 B) in 0.3 s; made 2 directories; made 1 link; removed 4; 1 failed"
        );
    }
}
