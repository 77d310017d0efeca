//! Writes whole lines to a file or to standard error; a write may wait.

use crate::sys;
use crate::text::Reason;
use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// The largest number of bytes that are written at once, unless a single line is longer. A pipe
/// takes this many completely or not at all (PIPE_BUF of Linux), so the lines of several programs
/// that share a pipe stay intact.
const PIECE: usize = 4096;

/// A file that is appended to, or a standard stream.
pub(in crate::server) struct Sink {
    to: Box<dyn Write + Send>,
    /// True if the last line was written only in part, so that the next one must not continue it.
    torn: bool,
}

impl Sink {
    /// Opens `file` for appending; it is created if it is missing. `what` names its purpose in the
    /// error.
    ///
    /// # Errors
    /// Fails if the file cannot be opened.
    pub(in crate::server) fn open(what: &str, file: &Path) -> io::Result<Sink> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        // The log contains names of clients and files.
        sys::owner_only(&mut options);
        let opened = options.open(file).map_err(|error| with_path(what, file, &error))?;
        Ok(Sink::to(Box::new(opened)))
    }

    /// Checks whether [`Sink::open`] would succeed, without opening or creating the file.
    ///
    /// # Errors
    /// Returns the error that [`Sink::open`] would return.
    pub(in crate::server) fn check(what: &str, file: &Path) -> io::Result<()> {
        check_appendable(file).map_err(|error| with_path(what, file, &error))
    }

    /// Returns standard error as a sink.
    pub(in crate::server) fn stderr() -> Sink {
        Sink::to(Box::new(sys::BlockingWriter(io::stderr())))
    }

    /// Returns standard output as a sink.
    pub(in crate::server) fn stdout() -> Sink {
        Sink::to(Box::new(Flushed(sys::BlockingWriter(io::stdout()))))
    }

    pub(super) fn to(to: Box<dyn Write + Send>) -> Sink {
        Sink { to, torn: false }
    }

    /// Writes lines, each with its line end, in one call if the system accepts that.
    ///
    /// # Errors
    /// Returns the number of lines that were not written completely, and the system error. If a
    /// line was written in part, its line is ended before the next line.
    pub(in crate::server) fn write_lines(&mut self, lines: &[u8]) -> Result<(), (u64, io::Error)> {
        if self.torn {
            self.to.write_all(b"\n").map_err(|error| (count(lines), error))?;
            self.torn = false;
        }
        let mut rest = lines;
        while !rest.is_empty() {
            let written = match self.to.write(rest) {
                Ok(0) => Err(ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other,
            };
            match written {
                Ok(length) => rest = &rest[length..],
                Err(error) => {
                    let before = lines.len() - rest.len();
                    self.torn = before > 0 && lines[before - 1] != b'\n';
                    return Err((count(rest), error));
                }
            }
        }
        Ok(())
    }
}

/// Returns `error` with the purpose and the path of the file.
fn with_path(what: &str, file: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what} {}: {}", file.display(), Reason(error)))
}

/// Checks whether the file can be appended to, or created if it is missing.
fn check_appendable(file: &Path) -> io::Result<()> {
    let mut file = Cow::Borrowed(file);
    loop {
        match fs::metadata(&file) {
            Ok(data) if data.is_dir() => return Err(ErrorKind::IsADirectory.into()),
            Ok(_) => return sys::check_may_write(&file),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let dir = match (file.parent(), file.file_name()) {
            (Some(dir), Some(name)) if ends_with(&file, name) => dir,
            // A name that ends in `/` or `..` is that of a directory.
            _ => return Err(ErrorKind::IsADirectory.into()),
        };
        // Opening a link to a missing file creates that file.
        let Ok(target) = fs::read_link(&file) else {
            let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
            return match fs::metadata(dir)?.is_dir() {
                true => sys::check_may_write(dir),
                false => Err(ErrorKind::NotADirectory.into()),
            };
        };
        file = Cow::Owned(dir.join(target));
    }
}

/// Returns whether `path` ends in `name`, without a separator after it, which [`Path`] ignores.
fn ends_with(path: &Path, name: &OsStr) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(name.as_encoded_bytes())
}

/// A stream that flushes after each write.
struct Flushed<W>(W);

impl<W: Write> Write for Flushed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(bytes)?;
        self.0.flush().map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Returns the number of line ends in `bytes`.
fn count(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Splits lines into pieces that are written at once.
pub(in crate::server) fn pieces(mut lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let is_end = |byte: &u8| *byte == b'\n';
        let fitting = lines[..lines.len().min(PIECE)].iter().rposition(is_end);
        let end =
            fitting.or_else(|| lines.iter().position(is_end)).map_or(lines.len(), |at| at + 1);
        let (piece, rest) = lines.split_at(end);
        lines = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// A disk with room for this many bytes.
    #[derive(Clone, Default)]
    struct Disk {
        content: Arc<Mutex<Vec<u8>>>,
        room: Arc<Mutex<usize>>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut room = self.room.lock().unwrap();
            let length = bytes.len().min(*room);
            *room -= length;
            self.content.lock().unwrap().extend_from_slice(&bytes[..length]);
            if length == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(length) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_partial_line_after_a_full_disk_is_ended_before_the_next() {
        let disk = Disk::default();
        let mut sink = Sink::to(Box::new(disk.clone()));
        let room = |bytes: usize| *disk.room.lock().unwrap() = bytes;
        let lost = |result: Result<(), (u64, io::Error)>| result.map_err(|(lines, _)| lines);
        room(6);
        assert_eq!(lost(sink.write_lines(b"one\ntwo\nthree\n")), Err(2));
        assert_eq!(lost(sink.write_lines(b"four\n")), Err(1));
        room(11);
        assert_eq!(lost(sink.write_lines(b"five\nsix\n")), Ok(()));
        room(4);
        assert_eq!(lost(sink.write_lines(b"abc\ndef\n")), Err(1));
        room(100);
        assert_eq!(lost(sink.write_lines(b"end\n")), Ok(()));
        assert_eq!(*disk.content.lock().unwrap(), b"one\ntw\nfive\nsix\nabc\nend\n");
    }

    #[test]
    fn pieces_hold_whole_lines() {
        let line = |length: usize| [vec![b'x'; length - 1], vec![b'\n']].concat();
        let lines = [line(4000), line(96), line(1), line(5000), line(2)];
        let all = lines.concat();
        let split: Vec<usize> = pieces(&all).map(<[u8]>::len).collect();
        assert_eq!(split, [4096, 1, 5000, 2]);
        assert_eq!(pieces(&all).collect::<Vec<_>>().concat(), all);
        assert_eq!(pieces(b"").count(), 0);
    }
}
