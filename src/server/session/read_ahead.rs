//! Commands that are read ahead of their turn, while something else is carried out.

use crate::net::Stream;
use crate::protocol::{Command, Control, Line};
use std::io;

/// The memory for commands that wait for their turn, in bytes. More is not read ahead.
const MOST: usize = 64 * 1024;

/// Reads once what has come on the control connection, without waiting.
///
/// # Errors
/// `WouldBlock` if nothing has come, or what the system says of a connection that is lost.
pub(super) fn read(control: &mut Control<Stream>) -> io::Result<usize> {
    control.stream_mut().set_waiting(false);
    let read = control.fill();
    control.stream_mut().set_waiting(true);
    read
}

/// Reads all that has come, as far as there is room for it, and returns how that ended: `Ok` at the end
/// of the client's half, `None` where there may be more.
pub(super) fn read_all(control: &mut Control<Stream>) -> Option<io::Result<()>> {
    const MOST_READS: usize = 64; // a line without an end takes no room
    for _ in 0..MOST_READS {
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

/// Returns true if there is no room for more commands that wait.
pub(super) fn is_full(control: &Control<Stream>) -> bool {
    let size = |line: &Line| match line {
        Line::Text(text) => size_of::<Line>() + text.len(),
        Line::TooLong => size_of::<Line>(),
    };
    control.lines().map(size).sum::<usize>() >= MOST
}

/// Returns true if QUIT is among the commands that wait, after which the client may close.
pub(super) fn has_quit(control: &Control<Stream>) -> bool {
    control
        .lines()
        .any(|line| matches!(line, Line::Text(text) if Command::parse(text) == Ok(Command::Quit)))
}

/// Returns true if the connection was reset, which a read does not tell once the client has closed its
/// half.
pub(super) fn is_lost(control: &Control<Stream>) -> bool {
    !matches!(control.stream().tcp().take_error(), Ok(None))
}
