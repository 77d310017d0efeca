//! A line a file that was moved or deleted, in the xferlog form of wu-ftpd, vsftpd and ProFTPD.
//!
//! Log analysers read it by counting: five words of time, then thirteen fields with one blank
//! between them. So no field ever holds a blank, nor anything else that a reader could take for
//! one. Odd choices, all of them where the others differ among themselves or do what we cannot:
//!
//! - The time is UTC: std knows no time zones.
//! - The user's name is that of the login. For visitors others log the password, which is an e-mail
//!   address by custom alone.
//! - A deleted file (`d`, as ProFTPD has it) counts 0 bytes, since none were moved.

use crate::protocol::time::write_ctime;
use crate::protocol::{FtpPath, Name};
use crate::server::log::sink::LogWriter;
use crate::server::log::{Level, Log};
use crate::text::is_hidden;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

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
    /// The line. Visible letters of all scripts stay as they are in names; blanks, controls, what
    /// nobody can see and bytes that are no UTF-8 become `_`, and so do quotes and brackets without
    /// their other half, which webalizer takes for the beginning of a field with blanks.
    fn line(&self) -> Vec<u8> {
        let mut line = Vec::new();
        write_ctime(self.time, &mut line);
        // As the others do: dividing by it should give a rate.
        let seconds = self.took.as_secs().max(1);
        line.extend_from_slice(format!(" {seconds} {} {} ", self.host, self.bytes).as_bytes());
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
        line.extend_from_slice(format!(" {kind} _ {direction} {access} ").as_bytes());
        push_clean(&mut line, self.user.as_bytes());
        let end = if self.is_complete { 'c' } else { 'i' };
        line.extend_from_slice(format!(" ftp 0 * {end}\n").as_bytes());
        line
    }
}

fn push_clean(line: &mut Vec<u8>, bytes: &[u8]) {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        let breaks = |c: char| c.is_whitespace() || is_hidden(c) || c == '"';
        text.extend(chunk.valid().chars().map(|c| if breaks(c) { '_' } else { c }));
        text.extend(chunk.invalid().iter().map(|_| '_'));
    }
    for (open, close) in [('(', ')'), ('[', ']')] {
        if !is_paired(&text, open, close) {
            text = text.replace([open, close], "_");
        }
    }
    line.extend_from_slice(text.as_bytes());
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

/// Where these lines go, if they are wanted.
#[derive(Default)]
pub struct TransferLog {
    sink: Mutex<Option<LogWriter>>,
    wanted: AtomicBool,
    /// How many lines could not be written since one could.
    lost: AtomicU64,
}

impl TransferLog {
    /// One to the end of `file`, which is made where it is missing, or one that is not wanted.
    ///
    /// # Errors
    /// The file cannot be opened; the path is in the error.
    pub fn open(file: Option<&Path>) -> io::Result<TransferLog> {
        let log = TransferLog::default();
        log.reopen(file)?;
        Ok(log)
    }

    /// Goes on in `file`, opened anew, so that one that was renamed by a rotation is let go.
    ///
    /// # Errors
    /// The file cannot be opened; the log goes on where it was.
    pub fn reopen(&self, file: Option<&Path>) -> io::Result<()> {
        let sink = file.map(|file| LogWriter::open("the transfer log", file)).transpose()?;
        self.wanted.store(sink.is_some(), Ordering::Relaxed);
        *self.sink() = sink;
        Ok(())
    }

    /// Writes one line. Where that fails, `log` is told of the first one that is lost, and how many
    /// there were once a line gets through again.
    pub fn add(&self, transfer: &Transfer<'_>, log: &Log) {
        if !self.wanted.load(Ordering::Relaxed) {
            return;
        }
        let line = transfer.line();
        let written = self.sink().as_mut().map_or(Ok(()), |sink| sink.write_line(&line));
        match written {
            Ok(()) if self.lost.load(Ordering::Relaxed) == 0 => {}
            Ok(()) => {
                let lost = self.lost.swap(0, Ordering::Relaxed);
                log.event(Level::Warn, "transfer-log-works", &[("lost", &lost)]);
            }
            Err(error) => {
                if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
                    log.event(Level::Error, "transfer-log-fails", &[("cause", &error)]);
                }
            }
        }
    }

    fn sink(&self) -> MutexGuard<'_, Option<LogWriter>> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
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
        String::from_utf8(transfer.line()).unwrap()
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
        assert!(line(b"/", "ü漢🙂\"\\%".as_bytes(), b"x").contains(" /ü漢🙂_\\% "));
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
