//! Where lines go: the end of a file, or standard error.

use crate::sys;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Takes whole lines. Files are written at their end, whoever else writes to them.
pub struct LogWriter {
    to: Box<dyn Write + Send>,
    /// Whether the last line was written in part alone, which the next one must not continue.
    torn: bool,
}

impl LogWriter {
    /// The end of `file`, which is made where it is missing; `what` it is stands in the error.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(what: &str, file: &Path) -> io::Result<LogWriter> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        // It tells who was here and what is where.
        sys::for_owner_alone(&mut options);
        let file = options.open(file).map_err(|error| {
            io::Error::new(error.kind(), format!("{what} {}: {error}", file.display()))
        })?;
        Ok(LogWriter::to(Box::new(file)))
    }

    /// Anything that takes bytes.
    pub fn to(to: Box<dyn Write + Send>) -> LogWriter {
        LogWriter { to, torn: false }
    }

    /// Writes a line with its end, in one go where the system takes it so.
    ///
    /// # Errors
    /// What the system says. The line may be there in part: then it ends before the next one.
    pub fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.to.write_all(b"\n")?;
            self.torn = false;
        }
        let mut rest = line;
        while !rest.is_empty() {
            let written = match self.to.write(rest) {
                Ok(0) => Err(ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other,
            };
            rest = &rest[written.inspect_err(|_| self.torn = rest.len() < line.len())?..];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    /// A disk that has room for so many bytes.
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
    fn a_line_that_was_torn_by_a_full_disk_does_not_spoil_the_next() {
        let disk = Disk::default();
        let mut sink = LogWriter::to(Box::new(disk.clone()));
        let room = |bytes: usize| *disk.room.lock().unwrap() = bytes;
        room(6);
        sink.write_line(b"one\n").unwrap();
        assert!(sink.write_line(b"two\n").is_err());
        assert!(sink.write_line(b"three\n").is_err());
        room(100);
        sink.write_line(b"four\n").unwrap();
        assert_eq!(*disk.content.lock().unwrap(), b"one\ntw\nfour\n");
    }
}
