//! A line a file that was moved or deleted, in the xferlog form of wu-ftpd, vsftpd and ProFTPD.
//!
//! Log analysers read it by counting: five words of time, then thirteen fields with one blank
//! between them. So no field ever holds a blank, nor anything else that a reader could take for
//! one. Odd choices, all of them where the others differ among themselves or do what we cannot:
//!
//! - In names, visible letters of all scripts stay as they are. A byte that is not UTF-8 or belongs
//!   to a character that cannot be seen is `\xe4`, and `\` is `\\`, so that two names differ here if
//!   they differ there. The exceptions are those that all the others have: a blank of any kind and a
//!   quote are `_`, and so are brackets without their other half, which webalizer takes for the
//!   beginning of a field with blanks.
//! - The time is UTC: std knows no time zones.
//! - The user's name is that of the login. For visitors others log the password, which is an e-mail
//!   address by custom alone.
//! - A deleted file (`d`, as ProFTPD has it) counts 0 bytes, since none were moved.

use crate::protocol::time::write_ctime;
use crate::protocol::{FtpPath, Name};
use crate::server::log::output::{Output, Target};
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

/// Which way a file went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It was stored.
    Incoming,
    /// It was retrieved.
    Outgoing,
    /// It was deleted.
    Deleted,
}

/// What a line tells.
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'a> {
    /// When it was over.
    pub time: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// The client's address.
    pub host: IpAddr,
    /// How many bytes were moved.
    pub bytes: u64,
    /// What `/` is to the user, as seen from the root that is served.
    pub home: &'a FtpPath,
    /// The file, as the user sees it.
    pub path: &'a FtpPath,
    /// Whether line ends were converted.
    pub is_text: bool,
    /// Which way it went.
    pub direction: Direction,
    /// Whether the user has no account.
    pub is_visitor: bool,
    /// The name that the user logged in with.
    pub user: &'a Name,
    /// Whether the whole file arrived.
    pub is_complete: bool,
}

impl Transfer<'_> {
    fn line(&self) -> String {
        let mut time = Vec::new();
        write_ctime(self.time, &mut time);
        let mut line = String::from_utf8_lossy(&time).into_owned();
        // As the others do: dividing by it should give a rate.
        let seconds = self.took.as_secs().max(1);
        // Writing to a String cannot fail.
        let _ = write!(line, " {seconds} {} {} ", self.host, self.bytes);
        if !self.home.is_root() {
            push_clean(&mut line, self.home.as_bytes());
        }
        push_clean(&mut line, self.path.as_bytes());
        let kind = if self.is_text { 'a' } else { 'b' };
        let direction = match self.direction {
            Direction::Incoming => 'i',
            Direction::Outgoing => 'o',
            Direction::Deleted => 'd',
        };
        let access = if self.is_visitor { 'a' } else { 'r' };
        let _ = write!(line, " {kind} _ {direction} {access} ");
        push_clean(&mut line, self.user.as_bytes());
        let end = if self.is_complete { 'c' } else { 'i' };
        let _ = writeln!(line, " ftp 0 * {end}");
        line
    }
}

/// Appends a name as the module says.
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

/// Whether every bracket has its other half.
fn is_paired(text: &str, open: char, close: char) -> bool {
    let depth = text.chars().try_fold(0usize, |depth, c| match c {
        c if c == open => Some(depth + 1),
        c if c == close => depth.checked_sub(1),
        _ => Some(depth),
    });
    depth == Some(0)
}

/// Takes these lines and writes them, if they are wanted, as [`Log`] does with events.
pub struct TransferLog {
    watch: Arc<Watch>,
    output: Output,
}

impl TransferLog {
    /// Opens one that goes to the end of `file`, which is created if it is missing, or one that is
    /// not wanted. `log` is told when lines are lost.
    ///
    /// # Errors
    /// The file cannot be opened; the path is in the error.
    pub fn open(file: Option<&Path>, log: Arc<Log>) -> io::Result<TransferLog> {
        let watch = Arc::new(Watch { log, lost: AtomicU64::new(0) });
        let target = Target::new(file, Target::Nowhere);
        let output = Output::open("the transfer log", target, watch.clone())?;
        Ok(TransferLog { watch, output })
    }

    /// Continues in `file`, opened again, so that a file that was renamed by a rotation is closed.
    ///
    /// # Errors
    /// The file cannot be opened; the log stays where it is.
    pub fn reopen(&self, file: Option<&Path>) -> io::Result<()> {
        self.output.reopen(Target::new(file, Target::Nowhere))
    }

    /// Waits until everything is written, until the deadline at most.
    pub fn flush(&self, deadline: Instant) {
        self.output.flush(deadline);
    }

    /// Writes one line, without waiting. If it is lost, the log tells of the first one, and of their
    /// number once a line gets through again.
    pub fn add(&self, transfer: &Transfer<'_>) {
        if self.output.is_wanted() {
            self.output.push(&transfer.line());
        }
    }

    /// Returns the number of lines that were lost because they could not be written in time.
    pub fn lost(&self) -> u64 {
        self.watch.lost.load(Ordering::Relaxed)
    }
}

/// Tells the log of lost lines.
struct Watch {
    log: Arc<Log>,
    lost: AtomicU64,
}

impl Observer for Watch {
    fn count_lost(&self, lines: u64) {
        self.lost.fetch_add(lines, Ordering::Relaxed);
    }

    fn fails(&self, cause: &dyn Display) {
        self.log.event(Level::Error, "transfer-log-fails", &[("cause", &cause.to_string())]);
    }

    fn works(&self, lost: u64) -> Option<String> {
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
        let transfer = Transfer {
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(1_793_561_400),
            took: Duration::from_millis(2_999),
            host: "2001:db8::1".parse().unwrap(),
            bytes: 4096,
            home: &path(home),
            path: &path(name),
            is_text: false,
            direction: Direction::Incoming,
            is_visitor: false,
            user: &Name::new(user).unwrap(),
            is_complete: true,
        };
        transfer.line()
    }

    #[test]
    fn a_line_is_what_the_others_write() {
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
    fn brackets_are_kept_in_pairs_alone() {
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
