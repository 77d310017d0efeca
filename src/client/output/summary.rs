//! The messages about finished transfers.

use super::json::Action;
use super::progress::{amount, rate};
use crate::text::shown;
use std::fmt;
use std::time::Duration;

/// The duration from which a rate is shown. Shorter transfers consist mostly of waiting for replies, so
/// their rate would mean nothing.
const SHORTEST_RATED: Duration = Duration::from_millis(100);

/// The result of one finished transfer. Its `Display` is one line: `fetched a as b (19.0 MiB in 7.7 s,
/// 2.5 MiB/s)`.
pub(in crate::client) struct Summary<'a> {
    pub(in crate::client) action: Action,
    /// The remote name.
    pub(in crate::client) remote: &'a [u8],
    /// The local path; `-` means standard input, an empty path standard output.
    pub(in crate::client) local: &'a [u8],
    /// The size of the whole file in bytes.
    pub(in crate::client) bytes: u64,
    /// The number of bytes that this run transferred; less than the size if it resumed a transfer.
    pub(in crate::client) moved: u64,
    pub(in crate::client) elapsed: Duration,
}

impl Summary<'_> {
    /// Returns the source, and the target unless it has the name of the source.
    fn names(&self) -> (String, Option<String>) {
        let (from, to) = match self.action {
            Action::Retrieve => (self.remote, self.local),
            Action::Store | Action::Append => (self.local, self.remote),
        };
        let is_implied = to == from || to == last_part(from);
        let from = match (self.action, from) {
            (Action::Store | Action::Append, b"-") => "standard input".to_owned(),
            _ => shown(from),
        };
        (from, (!is_implied).then(|| shown(to)))
    }

    fn target(&self, to: Option<String>) -> String {
        match (self.action, to) {
            (Action::Retrieve, _) if self.local.is_empty() => " to standard output".to_owned(),
            (Action::Retrieve | Action::Store, Some(to)) => format!(" as {to}"),
            (Action::Append, Some(to)) => format!(" to {to}"),
            (Action::Append, None) => " to the remote file".to_owned(),
            (Action::Retrieve | Action::Store, None) => String::new(),
        }
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = self.names();
        let target = self.target(to);
        let (verb, all) = (verb(self.action), size(self.bytes));
        let took = took(self.moved, self.elapsed);
        match self.moved {
            moved if moved >= self.bytes => write!(f, "{verb} {from}{target} ({all} in {took})"),
            0 => write!(f, "{from}{target} was complete already ({all})"),
            moved => {
                let rest = size(moved);
                write!(f, "{verb} the last {rest} of {from}{target} ({all}) in {took}")
            }
        }
    }
}

/// Returns the line for a batch of transfers: `fetched 7 of 8 files (14.7 KiB in 0.3 s)`.
pub(in crate::client) fn batch_summary(
    action: Action,
    done: usize,
    of: usize,
    bytes: u64,
    elapsed: Duration,
) -> String {
    let count = if done == of { files(of) } else { format!("{done} of {}", files(of)) };
    let (size, took) = (size(bytes), took(bytes, elapsed));
    format!("{} {count} ({size} in {took})", verb(action))
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Retrieve => "fetched",
        Action::Store => "sent",
        Action::Append => "appended",
    }
}

/// Returns a number of bytes with its unit: `14.7 KiB`.
pub(in crate::client) fn size(bytes: u64) -> String {
    amount(bytes as f64)
}

fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// Returns the duration, and the rate unless the transfer was too short: `7.7 s, 2.0 MiB/s`.
fn took(moved: u64, elapsed: Duration) -> String {
    let time = duration_text(elapsed);
    if elapsed < SHORTEST_RATED || moved == 0 {
        return time;
    }
    format!("{time}, {}", rate(moved, elapsed))
}

/// Returns a duration rounded to two or three digits or to two units: `0.6 ms`, `412 ms`, `7.7 s`,
/// `3 min 05 s`, `2 h 07 min`.
pub(in crate::client) fn duration_text(elapsed: Duration) -> String {
    let (millis, seconds) = (elapsed.as_secs_f64() * 1000.0, elapsed.as_secs());
    match seconds {
        0 if millis < 9.95 => format!("{millis:.1} ms"),
        0 if millis < 99.5 => format!("{millis:.0} ms"),
        0..60 if elapsed.as_secs_f64() < 59.95 => format!("{:.1} s", elapsed.as_secs_f64()),
        0..3600 => format!("{} min {:02} s", seconds.max(60) / 60, seconds.max(60) % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn summary(action: Action, remote: &str, local: &str, moved: u64) -> String {
        Summary {
            action,
            remote: remote.as_bytes(),
            local: local.as_bytes(),
            bytes: 19 * MIB,
            moved,
            elapsed: Duration::from_millis(7700),
        }
        .to_string()
    }

    #[test]
    fn both_names_are_said_where_one_does_not_imply_the_other() {
        use Action::{Append, Retrieve, Store};
        let amount = "(19.0 MiB in 7.7 s, 2.5 MiB/s)";
        for (action, remote, local, said) in [
            (Retrieve, "a", "a", "fetched a"),
            (Retrieve, "d/a", "a", "fetched d/a"),
            (Retrieve, "a", "b", "fetched a as b"),
            (Retrieve, "a", "d/a", "fetched a as d/a"),
            (Retrieve, "a", "", "fetched a to standard output"),
            (Store, "a", "/home/anna/a", "sent /home/anna/a"),
            (Store, "d/a", "a", "sent a as d/a"),
            (Store, "a", "-", "sent standard input as a"),
            (Append, "all", "today", "appended today to all"),
            (Append, "a", "a", "appended a to the remote file"),
        ] {
            assert_eq!(summary(action, remote, local, 19 * MIB), format!("{said} {amount}"));
        }
    }

    #[test]
    fn a_transfer_that_was_continued_says_what_moved_in_this_run() {
        assert_eq!(
            summary(Action::Retrieve, "big.bin", "big.bin", 15 * MIB),
            "fetched the last 15.0 MiB of big.bin (19.0 MiB) in 7.7 s, 1.9 MiB/s"
        );
        assert_eq!(summary(Action::Store, "b", "a", 0), "a as b was complete already (19.0 MiB)");
    }

    #[test]
    fn many_files_are_one_line() {
        let took = Duration::from_millis(300);
        let line = |done, of| batch_summary(Action::Retrieve, done, of, 15_053, took);
        assert_eq!(line(7, 7), "fetched 7 files (14.7 KiB in 0.3 s, 49.0 KiB/s)");
        assert_eq!(line(0, 1), "fetched 0 of 1 file (14.7 KiB in 0.3 s, 49.0 KiB/s)");
    }

    #[test]
    fn every_duration_has_a_text() {
        for (micros, text) in [
            (0, "0.0 ms"),
            (620, "0.6 ms"),
            (9_960, "10 ms"),
            (99_600, "0.1 s"),
            (59_949_000, "59.9 s"),
            (59_960_000, "1 min 00 s"),
            (185_000_000, "3 min 05 s"),
            (7_620_000_000, "2 h 07 min"),
        ] {
            assert_eq!(duration_text(Duration::from_micros(micros)), text);
        }
        duration_text(Duration::MAX);
    }
}
