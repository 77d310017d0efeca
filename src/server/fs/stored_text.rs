//! The transfer of a stored text (TYPE A): its length, and where an offset into it is in the file.

use crate::protocol::ascii::EncodingReader;
use crate::server::error::Refusal;
use std::fs::File;
use std::io::{self, Read};

/// The longest transfer of a text that is counted, or searched for an offset: a question should not
/// cost more. TYPE I needs neither.
pub const LARGEST: u64 = 16 * 1024 * 1024;

const TOO_LARGE: Refusal = Refusal::Unavailable("Too large to be counted in TYPE A; use TYPE I.");

/// Returns the length of the transfer of a stored text, as RETR sends it.
///
/// # Errors
/// It is larger than [`LARGEST`], or what the system says.
pub fn length(file: File) -> Result<u64, Refusal> {
    count(file, EncodingReader::new)
}

/// Returns the length of the transfer that brought the text of a partial file.
///
/// # Errors
/// The same.
pub fn received_length(file: File) -> Result<u64, Refusal> {
    count(file, EncodingReader::as_received)
}

fn count<R: Read>(file: File, read: impl FnOnce(io::Take<File>) -> R) -> Result<u64, Refusal> {
    if file.metadata()?.len() > LARGEST {
        return Err(TOO_LARGE);
    }
    Ok(io::copy(&mut read(file.take(LARGEST)), &mut io::sink())?)
}

/// The transfer of a text from `offset` on.
///
/// # Errors
/// There is less than that, or it is beyond [`LARGEST`], or what the system says.
pub fn read_from(file: File, offset: u64) -> Result<EncodingReader<File>, Refusal> {
    // A file without bytes may be one whose size nobody knows before it is read.
    let size = Some(file.metadata()?.len()).filter(|size| *size > 0);
    check(size.unwrap_or(u64::MAX), offset)?;
    let mut text = EncodingReader::new(file);
    let skipped = io::copy(&mut text.by_ref().take(offset), &mut io::sink())?;
    if skipped < offset { Err(Refusal::BadRestart) } else { Ok(text) }
}

/// Whose transfer of a text an offset counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// RETR's, in which a CR LF is sent as it is.
    Sent,
    /// That of the upload that stored it, in which every LF was a CR LF.
    Received,
}

/// Finds the stored byte at the offset `at` of the transfer of a text; `None` beyond the end or between
/// CR and LF.
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

/// Refuses an offset into the transfer of a text of `size` stored bytes that cannot be in it, or is
/// too far to be searched.
pub fn check(size: u64, offset: u64) -> Result<(), Refusal> {
    match offset {
        // At most every byte is a line end, which is sent as two.
        _ if offset > size.saturating_mul(2) => Err(Refusal::BadRestart),
        _ if offset > LARGEST => Err(TOO_LARGE),
        _ => Ok(()),
    }
}
