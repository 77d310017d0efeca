//! HASH, XCRC and similar commands: digests of files, with which a client can compare files without
//! fetching them.
//!
//! A large file takes a while, so the control connection is watched for ABOR.

use crate::net::{TransferHooks, Verdict};
use crate::protocol::digest::Hasher;
use crate::protocol::{Algorithm, ByteRange, Code, Name, Reply};
use crate::server::error::Refusal;
use crate::server::session::commands::Answer;
use crate::server::session::control::ControlConnection;
use crate::server::session::control_watch::ControlWatch;
use crate::server::session::login::Login;
use crate::server::session::parameters::{Parameters, Pending};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// The number of bytes read between two checks of the control connection: some milliseconds of work.
const CHUNK: usize = 256 * 1024;

/// The assumed size of a file with the size 0, whose real size may be unknown until it is read.
const UNKNOWN: u64 = u64::MAX;

/// A range of bytes: the first one, and the one after the last.
type FileRange = (u64, u64);

/// Answers `213 SHA-256 0-49 digest name` (draft-bryan-ftpext-hash-02 section 3.1). If there is no file
/// of this name but a partial upload, its digest is returned, as SIZE returns its size.
pub(in crate::server::session) fn hash(
    login: &Login,
    parameters: &Parameters,
    control: &mut ControlConnection<'_>,
    name: &Name,
    pending: &Pending,
) -> Answer {
    let path = login.path(name)?;
    let range = |size: u64| pending.resolve(size).map(|(start, length)| (start, start + length));
    let ((start, end), digest) =
        digest_of(login.jail()?.open_stored(&path)?, control, parameters.algorithm(), range)?;
    if matches!(pending, Pending::Range(_)) && start == end {
        return Err(Refusal::BadRestart);
    }
    let algorithm = parameters.algorithm().name();
    // In the draft, a range ends with its last byte; an empty one is written as 0-0.
    let last = end.saturating_sub(1).max(start);
    let mut text = format!("{algorithm} {start}-{last} {digest} ").into_bytes();
    text.extend_from_slice(&name.to_wire());
    Ok(Reply::new(Code::FILE_STATUS, text))
}

/// Answers `250 digest`. The range ends before its second number, and an end of 0 is the end of the
/// file, as in the servers that introduced these commands.
pub(in crate::server::session) fn digest(
    login: &Login,
    control: &mut ControlConnection<'_>,
    algorithm: Algorithm,
    name: &Name,
    span: Option<ByteRange>,
) -> Answer {
    let path = login.path(name)?;
    let range = |size: u64| match span {
        None => Ok((0, size)),
        Some(span) if span.start > size => Err(Refusal::BadRestart),
        Some(span) if span.end == 0 => Ok((span.start, size)),
        Some(span) if span.end < span.start && size == UNKNOWN => Err(Refusal::BadRestart),
        Some(span) if span.end < span.start => {
            Err(Refusal::Argument("The end is before the start."))
        }
        Some(span) => Ok((span.start, span.end.min(size))),
    };
    let (_, digest) = digest_of(login.jail()?.open_file(&path)?, control, algorithm, range)?;
    Ok(Reply::new(Code::FILE_DONE, digest))
}

fn digest_of(
    (mut file, size): (File, u64),
    control: &mut ControlConnection<'_>,
    algorithm: Algorithm,
    range: impl Fn(u64) -> Result<FileRange, Refusal>,
) -> Result<(FileRange, String), Refusal> {
    let (start, end) = range(if size == 0 { UNKNOWN } else { size })?;
    file.seek(SeekFrom::Start(start))?;
    let mut watch = control.watch_for_abort();
    match hash_bytes(Hasher::new(algorithm), &mut file, size, end - start, &mut watch)? {
        Some((0, _)) if size == 0 && start > 0 => Err(Refusal::BadRestart),
        Some((length, digest)) => Ok(((start, start + length), digest)),
        None => Err(watch.refusal()),
    }
}

/// Returns the digest of the next `left` bytes of a file of this size, and their number; `None` if the
/// client aborted the command.
fn hash_bytes(
    mut hasher: Hasher,
    file: &mut File,
    size: u64,
    mut left: u64,
    watch: &mut ControlWatch<'_>,
) -> Result<Option<(u64, String)>, Refusal> {
    let mut buffer = vec![0; CHUNK];
    let mut done = 0;
    if watch.handle_lines() == Verdict::Stop {
        return Ok(None);
    }
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let length = file.read(&mut buffer[..want])?;
        if length == 0 && file.metadata()?.len() == size {
            break;
        }
        if length == 0 {
            return Err(Refusal::Unavailable("The file became shorter during the command."));
        }
        hasher.update(&buffer[..length]);
        left -= length as u64;
        done += length as u64;
        if watch.check(done) == Verdict::Stop {
            return Ok(None);
        }
    }
    Ok(Some((done, hasher.finish())))
}
