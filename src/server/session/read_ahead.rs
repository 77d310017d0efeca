//! Reading commands in advance, while another command runs.

use crate::net::Stream;
use crate::protocol::{Command, Control, Line};
use std::io;

/// The memory for commands read in advance, in bytes. When it is used up, no more are read.
const MAX_MEMORY: usize = 64 * 1024;

/// Reads once from the control connection, without waiting.
///
/// # Errors
/// `WouldBlock` if no data has come, or the system's error if the connection is lost.
pub(super) fn read(control: &mut Control<Stream>) -> io::Result<usize> {
    control.stream_mut().set_waiting(false);
    let read = control.fill();
    control.stream_mut().set_waiting(true);
    read
}

/// Reads all data that has come, as far as there is room. Returns `Ok` at the end of the client's half,
/// and `None` if more may follow.
pub(super) fn read_all(control: &mut Control<Stream>) -> Option<io::Result<()>> {
    const MAX_READS: usize = 64; // an endless line takes no room
    for _ in 0..MAX_READS {
        if is_full(control) {
            break;
        }
        match read(control) {
            Ok(0) => return Some(Ok(())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Some(Err(error)),
        }
    }
    None
}

/// Returns whether there is no room for more commands.
pub(super) fn is_full(control: &Control<Stream>) -> bool {
    let size = |line: &Line| match line {
        Line::Text(text) => size_of::<Line>() + text.len(),
        Line::TooLong => size_of::<Line>(),
    };
    control.lines().map(size).sum::<usize>() >= MAX_MEMORY
}

/// Returns whether a waiting command is QUIT, after which the client may close the connection.
pub(super) fn has_quit(control: &Control<Stream>) -> bool {
    control
        .lines()
        .any(|line| matches!(line, Line::Text(text) if Command::parse(text) == Ok(Command::Quit)))
}

/// Returns whether the connection was reset. A read does not show that once the client has closed its
/// half.
pub(super) fn is_lost(control: &Control<Stream>) -> bool {
    !matches!(control.stream().tcp().take_error(), Ok(None))
}
