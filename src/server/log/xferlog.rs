//! The transfer log: one line per transferred or deleted file in the xferlog format of wu-ftpd,
//! vsftpd and ProFTPD.
//!
//! Log analyzers identify the fields by counting: five words of time, then thirteen fields
//! separated by one space. No field therefore contains a space or anything that a reader could
//! take for one. Where other servers differ from each other, or log what is not available here,
//! the choices are:
//!
//! - In names, visible letters of all scripts are unchanged. A byte that is not UTF-8 or belongs
//!   to an invisible character becomes `\xe4`, and `\` becomes `\\`, so that different names
//!   remain different. The exceptions are those of the other servers: whitespace and
//!   quotes become `_`, and so do unpaired brackets, which webalizer treats as the beginning of a
//!   field with spaces.
//! - The time is in UTC, because std has no time zones.
//! - The user name is that of the login. For anonymous logins, other servers log the password,
//!   which is an e-mail address by convention only.
//! - A deleted file (`d`, as in ProFTPD) counts 0 bytes.

use crate::protocol::time::write_ctime;
use crate::protocol::{FtpPath, Name};
use crate::server::log::output::{Output, Target};
use crate::server::log::sink::Sink;
use crate::server::log::writer::Observer;
use crate::server::log::{Level, Log};
use crate::text::{append_byte, is_hidden};
use std::fmt::{Display, Write as _};
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// The direction of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferDirection {
    /// The file was stored.
    Incoming,
    /// The file was retrieved.
    Outgoing,
    /// The file was deleted.
    Deleted,
}

/// The content of a line.
#[derive(Clone, Copy, Debug)]
pub struct TransferRecord<'a> {
    /// The end of the transfer.
    pub time: SystemTime,
    /// The duration of the transfer.
    pub took: Duration,
    /// The address of the client.
    pub host: IpAddr,
    /// The number of bytes moved.
    pub bytes: u64,
    /// The user's `/`, relative to the served root.
    pub home: &'a FtpPath,
    /// The path of the file as the user sees it.
    pub path: &'a FtpPath,
    /// True if line ends were converted.
    pub is_text: bool,
    /// The direction.
    pub direction: TransferDirection,
    /// True if the user has no account.
    pub is_visitor: bool,
    /// The name that the user logged in with.
    pub user: &'a Name,
    /// True if the whole file was transferred.
    pub is_complete: bool,
}

impl TransferRecord<'_> {
    fn line(&self) -> String {
        let mut time = Vec::new();
        write_ctime(self.time, &mut time);
        let mut line = String::from_utf8_lossy(&time).into_owned();
        // The duration is at least 1, as in other servers, because analyzers divide by it.
        let seconds = self.took.as_secs().max(1);
        // Writing to a String cannot fail.
        let _ = write!(line, " {seconds} {} {} ", self.host, self.bytes);
        if !self.home.is_root() {
            push_clean(&mut line, self.home.as_bytes());
        }
        push_clean(&mut line, self.path.as_bytes());
        let kind = if self.is_text { 'a' } else { 'b' };
        let direction = match self.direction {
            TransferDirection::Incoming => 'i',
            TransferDirection::Outgoing => 'o',
            TransferDirection::Deleted => 'd',
        };
        let access = if self.is_visitor { 'a' } else { 'r' };
        let _ = write!(line, " {kind} _ {direction} {access} ");
        push_clean(&mut line, self.user.as_bytes());
        let end = if self.is_complete { 'c' } else { 'i' };
        let _ = writeln!(line, " ftp 0 * {end}");
        line
    }
}

/// Appends a name in the form that the module describes.
fn push_clean(line: &mut String, bytes: &[u8]) {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => text.push('_'),
                c if c.is_whitespace() => text.push('_'),
                '\\' => text.push_str("\\\\"),
                c if is_hidden(c) => escape(c.encode_utf8(&mut [0; 4]).as_bytes(), &mut text),
                c => text.push(c),
            }
        }
        escape(chunk.invalid(), &mut text);
    }
    for (open, close) in [('(', ')'), ('[', ']')] {
        if !is_paired(&text, open, close) {
            text = text.replace([open, close], "_");
        }
    }
    line.push_str(&text);
}

fn escape(bytes: &[u8], text: &mut String) {
    bytes.iter().for_each(|byte| append_byte(*byte, text));
}

/// Returns whether every bracket is paired.
fn is_paired(text: &str, open: char, close: char) -> bool {
    let depth = text.chars().try_fold(0usize, |depth, c| match c {
        c if c == open => Some(depth + 1),
        c if c == close => depth.checked_sub(1),
        _ => Some(depth),
    });
    depth == Some(0)
}

/// The purpose of the log's file, in error messages.
const PURPOSE: &str = "the transfer log";

/// Accepts transfers and writes their lines, if the log is enabled, like [`Log`] writes events.
pub struct TransferLog {
    lost_lines: Arc<LostLines>,
    output: Output,
}

impl TransferLog {
    /// Opens a log that appends to `file`, which is created if it is missing, or a disabled one.
    /// Lost lines are reported to `log`.
    ///
    /// # Errors
    /// Fails if the file cannot be opened; the error contains the path.
    pub fn open(file: Option<&Path>, log: Arc<Log>) -> io::Result<TransferLog> {
        let lost_lines = Arc::new(LostLines { log, lost: AtomicU64::new(0) });
        let target = Target::new(file, Target::Nowhere);
        let output = Output::open(PURPOSE, target, lost_lines.clone())?;
        Ok(TransferLog { lost_lines, output })
    }

    /// Checks whether `file` could be opened as the transfer log, without opening or creating it.
    ///
    /// # Errors
    /// Returns the error that [`TransferLog::open`] would return.
    pub fn check(file: &Path) -> io::Result<()> {
        Sink::check(PURPOSE, file)
    }

    /// Opens `file` and continues there, so that a file that was renamed by log rotation is
    /// closed.
    ///
    /// # Errors
    /// Fails if the file cannot be opened; the log then continues in the old file.
    pub fn reopen(&self, file: Option<&Path>) -> io::Result<()> {
        self.output.reopen(Target::new(file, Target::Nowhere))
    }

    /// Waits until all lines are written, at most until the deadline.
    pub fn flush(&self, deadline: Instant) {
        self.output.flush(deadline);
    }

    /// Writes one line without waiting. The first lost line is reported to the event log, and so
    /// is the number of lost lines once a line can be written again.
    pub fn add(&self, transfer: &TransferRecord<'_>) {
        if self.output.is_wanted() {
            self.output.push(&transfer.line());
        }
    }

    /// Returns the number of lines that were lost because they could not be written in time.
    pub fn lost(&self) -> u64 {
        self.lost_lines.lost.load(Ordering::Relaxed)
    }
}

/// Reports lost lines to the event log.
struct LostLines {
    log: Arc<Log>,
    lost: AtomicU64,
}

impl Observer for LostLines {
    fn count_lost(&self, lines: u64) {
        self.lost.fetch_add(lines, Ordering::Relaxed);
    }

    fn on_failure(&self, cause: &dyn Display) {
        self.log.event(Level::Error, "transfer-log-fails", &[("cause", &cause.to_string())]);
    }

    fn on_recovery(&self, lost: u64) -> Option<String> {
        self.log.event(Level::Warn, "transfer-log-works", &[("lost", &lost)]);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(bytes: &[u8]) -> FtpPath {
        FtpPath::root().join(&Name::new(bytes).unwrap()).unwrap()
    }

    fn line(home: &[u8], name: &[u8], user: &[u8]) -> String {
        let transfer = TransferRecord {
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(1_793_561_400),
            took: Duration::from_millis(2_999),
            host: "2001:db8::1".parse().unwrap(),
            bytes: 4096,
            home: &path(home),
            path: &path(name),
            is_text: false,
            direction: TransferDirection::Incoming,
            is_visitor: false,
            user: &Name::new(user).unwrap(),
            is_complete: true,
        };
        transfer.line()
    }

    #[test]
    fn a_line_has_the_format_of_other_servers() {
        assert_eq!(
            line(b"/", b"/dir/file", b"anna"),
            "Sun Nov  1 19:30:00 2026 2 2001:db8::1 4096 /dir/file b _ i r anna ftp 0 * c\n"
        );
        assert!(line(b"/home/anna", b"/file", b"anna").contains(" /home/anna/file "));
        assert!(line(b"/a b", b"/", b"a b").contains(" /a_b/ b _ i r a_b ftp "));
    }

    #[test]
    fn no_name_breaks_the_fields() {
        let blanks = "\t\u{b}\u{c}\u{1c}\u{85}\u{a0}\u{1680}\u{2003}\u{2028}\u{202f}\u{3000}";
        for name in
            [blanks.as_bytes(), b" ", b"a  b", b"\xff\xfe \x80", b"\x1b[31m", "\u{202e}".as_bytes()]
        {
            let line = line(name, name, name);
            assert_eq!(line.split_whitespace().count(), 18, "{line:?}");
            assert_eq!(
                line.trim_end().split(' ').count(),
                19,
                "two blanks before the day: {line:?}"
            );
            assert!(!line.trim_end().contains(char::is_control), "{line:?}");
        }
        assert!(line(b"/", "ü漢🙂\"\\%".as_bytes(), b"x").contains(" /ü漢🙂_\\\\% "));
    }

    #[test]
    fn names_that_differ_in_bytes_differ_in_lines() {
        let names: [(&[u8], &str); 6] = [
            (b"\xe4", "/\\xe4"),
            (b"\xe5", "/\\xe5"),
            (b"\\xe4", "/\\\\xe4"),
            (b"\x1b[0m]", "/\\x1b[0m]"),
            ("\u{202e}".as_bytes(), "/\\xe2\\x80\\xae"),
            ("\u{fffd}".as_bytes(), "/\u{fffd}"),
        ];
        for (name, shown) in names {
            assert!(line(b"/", name, b"x").contains(&format!(" {shown} ")), "{name:?}");
        }
    }

    #[test]
    fn only_paired_brackets_are_kept() {
        for (name, shown) in [
            ("a (1) [x]", "/a_(1)_[x]"),
            ("a (1", "/a__1"),
            (")(", "/__"),
            ("(]", "/__"),
            ("[(])", "/[(])"),
            ("(()", "/___"),
        ] {
            assert!(line(b"/", name.as_bytes(), b"x").contains(&format!(" {shown} ")), "{name}");
        }
    }
}
