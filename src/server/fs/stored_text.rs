//! Sizes and offsets of files in TYPE A: the length of the transfer, and the position in the file
//! for an offset in it.

use crate::protocol::ascii::EncodingReader;
use crate::server::error::Refusal;
use std::fs::File;
use std::io::{self, Read};

/// The largest file in bytes for which this module computes a length or an offset, because that
/// means reading the whole file. TYPE I needs neither.
pub const LARGEST: u64 = 16 * 1024 * 1024;

const TOO_LARGE: Refusal =
    Refusal::Unavailable("The file is too large for this in TYPE A; use TYPE I.");

/// Returns the length of the transfer with which RETR sends a file.
///
/// # Errors
/// Fails if the file is larger than [`LARGEST`], or with a system error.
pub fn length(file: File) -> Result<u64, Refusal> {
    count(file, EncodingReader::new)
}

/// Returns the length of the transfer that brought the content of a partial file.
///
/// # Errors
/// Fails if the file is larger than [`LARGEST`], or with a system error.
pub fn received_length(file: File) -> Result<u64, Refusal> {
    count(file, EncodingReader::as_received)
}

fn count<R: Read>(file: File, read: impl FnOnce(io::Take<File>) -> R) -> Result<u64, Refusal> {
    if file.metadata()?.len() > LARGEST {
        return Err(TOO_LARGE);
    }
    Ok(io::copy(&mut read(file.take(LARGEST)), &mut io::sink())?)
}

/// Returns the transfer of a file from `offset` on.
///
/// # Errors
/// Fails if `offset` is beyond the end or beyond [`LARGEST`], or with a system error.
pub fn read_from(file: File, offset: u64) -> Result<EncodingReader<File>, Refusal> {
    // A file of size 0 may be one whose size is unknown before it is read.
    let size = Some(file.metadata()?.len()).filter(|size| *size > 0);
    check(size.unwrap_or(u64::MAX), offset)?;
    let mut text = EncodingReader::new(file);
    let skipped = io::copy(&mut text.by_ref().take(offset), &mut io::sink())?;
    if skipped < offset { Err(Refusal::BadRestart) } else { Ok(text) }
}

/// The transfer in which an offset counts bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The transfer of RETR, in which an existing CR LF is sent unchanged.
    Sent,
    /// The transfer of the upload, in which every LF was a CR LF.
    Received,
}

/// Returns the offset in the file for the offset `at` in the transfer; `None` if it is beyond the
/// end or between CR and LF.
pub fn offset(file: &mut File, at: u64, direction: Direction) -> io::Result<Option<u64>> {
    let mut buffer = vec![0; 64 * 1024];
    let (mut stored, mut moved, mut after_cr) = (0u64, 0u64, false);
    while moved < at {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok(None);
        }
        for &byte in &buffer[..length] {
            if moved >= at {
                break;
            }
            let is_pair = after_cr && direction == Direction::Sent;
            moved += if byte == b'\n' && !is_pair { 2 } else { 1 };
            stored += 1;
            after_cr = byte == b'\r';
        }
    }
    Ok((moved == at).then_some(stored))
}

/// Rejects an offset that cannot be in the transfer of a file of `size` bytes, or that is beyond
/// [`LARGEST`].
pub fn check(size: u64, offset: u64) -> Result<(), Refusal> {
    match offset {
        // If every byte is a LF, the transfer is twice as long as the file.
        _ if offset > size.saturating_mul(2) => Err(Refusal::BadRestart),
        _ if offset > LARGEST => Err(TOO_LARGE),
        _ => Ok(()),
    }
}
