//! RETR, STOR, APPE and STOU.
//!
//! Each takes the pending offset or range, opens the file, so that a 550 comes before the 150, and hands
//! it to [`Transfer`].

use crate::net::Data;
use crate::protocol::{Code, FtpPath, Name, Reply};
use crate::pump;
use crate::server::error::Refusal;
use crate::server::fs::stored_text;
use crate::server::fs::upload::{Upload, UploadMode};
use crate::server::monitor::transfer::{TransferInfo, TransferKind};
use crate::server::session::commands::Answer;
use crate::server::session::control_watch::ControlWatch;
use crate::server::session::parameters::Pending;
use crate::server::session::transfer::Transfer;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

/// Returns the final reply of a successful transfer.
pub(in crate::server::session) fn done() -> Reply {
    Reply::new(Code::TRANSFER_DONE, "Transfer complete.")
}

pub(in crate::server::session) fn retr(
    transfer: Transfer<'_, '_>,
    name: &Name,
    pending: &Pending,
) -> Answer {
    let path = transfer.login().path(name)?;
    let (file, size) = transfer.login().jail()?.open_file(&path)?;
    if transfer.parameters().is_ascii() {
        return retr_text(transfer, &path, file, pending);
    }
    if size == 0 {
        return retr_unsized(transfer, &path, file, pending);
    }
    let (offset, expected) = pending.resolve(size)?;
    let info = TransferInfo::new(TransferKind::Retrieve, &path, Some(expected));
    // If the file grows, only the announced size is sent.
    let bytes = offset..offset + expected;
    let send = |data: &mut Data, stall, watch: &mut ControlWatch<'_>| {
        pump::send_file(&file, bytes, data, stall, watch)
    };
    // Some files (sysfs) have fewer bytes than their size; they did not become shorter.
    let is_whole = |moved| Ok(moved >= expected || file.metadata()?.len() == size);
    let opening = transfer.opening_reply(&info);
    transfer.send_with(&info, &opening, send, is_whole)?;
    Ok(done())
}

/// Sends a file with the size 0. Its real size may be unknown until it is read (`/proc`, some FUSE file
/// systems), so it is read to its end, and no size is announced.
fn retr_unsized(
    transfer: Transfer<'_, '_>,
    path: &FtpPath,
    mut file: File,
    pending: &Pending,
) -> Answer {
    // The first read is large, because some of these files must be read at once.
    const PIECE: usize = 64 * 1024;
    let (offset, length) = pending.resolve(u64::MAX)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut source = BufReader::with_capacity(PIECE, file);
    let needs_bytes = offset > 0 || matches!(pending, Pending::Range(_));
    if needs_bytes && source.fill_buf()?.is_empty() {
        return Err(Refusal::BadRestart);
    }
    let info = TransferInfo::new(TransferKind::Retrieve, path, None);
    let opening = transfer.opening_reply(&info);
    transfer.send_from(&info, &opening, source.take(length))?;
    Ok(done())
}

/// Sends a file in TYPE A. Offsets count the bytes of the transfer, so the text before the offset is
/// read and dropped.
fn retr_text(transfer: Transfer<'_, '_>, path: &FtpPath, file: File, pending: &Pending) -> Answer {
    let ranged = matches!(pending, Pending::Range(_));
    let (offset, length) = pending.resolve(u64::MAX)?;
    let (mut place, stored) = (file.try_clone()?, file.metadata()?.len());
    let mut text = stored_text::read_from(file, offset)?;
    let mut first = Vec::new();
    text.by_ref().take(1).read_to_end(&mut first)?;
    if ranged && first.is_empty() {
        return Err(Refusal::BadRestart);
    }
    let mut text = first.as_slice().chain(text).take(length);
    let info = TransferInfo::new(TransferKind::Retrieve, path, None);
    let send = |data: &mut Data, stall, watch: &mut ControlWatch<'_>| {
        pump::send(&mut text, data, stall, watch)
    };
    let is_whole =
        |_| Ok(ranged || place.stream_position()? >= stored || place.metadata()?.len() == stored);
    let opening = transfer.opening_reply(&info);
    transfer.send_with(&info, &opening, send, is_whole)?;
    Ok(done())
}

pub(in crate::server::session) fn stor(
    transfer: Transfer<'_, '_>,
    name: &Name,
    pending: &Pending,
) -> Answer {
    let mode = match *pending {
        Pending::Restart(offset) if transfer.parameters().is_ascii() => {
            UploadMode::ResumeText(offset)
        }
        Pending::Restart(offset) => UploadMode::Resume(offset),
        Pending::Range(_) => return Err(Refusal::Sequence("RANG cannot be used with STOR.")),
        Pending::Nothing => UploadMode::Replace,
    };
    store(transfer, name, mode, TransferKind::Store)
}

pub(in crate::server::session) fn appe(
    transfer: Transfer<'_, '_>,
    name: &Name,
    pending: &Pending,
) -> Answer {
    // APPE determines its own offset.
    if let Pending::Restart(1..) | Pending::Range(_) = pending {
        return Err(Refusal::Sequence("REST and RANG cannot be used with APPE."));
    }
    store(transfer, name, UploadMode::Append, TransferKind::Append)
}

fn store(transfer: Transfer<'_, '_>, name: &Name, mode: UploadMode, kind: TransferKind) -> Answer {
    transfer.check_arranged()?;
    let path = transfer.login().path(name)?;
    let only_new = !transfer.login().may_replace(&path);
    let upload = Upload::begin(transfer.login().jail()?, &path, mode, only_new)?;
    let info = TransferInfo::new(kind, &path, None);
    let opening = transfer.opening_reply(&info);
    transfer.receive_into(&info, &opening, upload).map(|_| done())
}

pub(in crate::server::session) fn stou(
    transfer: Transfer<'_, '_>,
    prefix: Option<&Name>,
    pending: &Pending,
) -> Answer {
    if let Pending::Restart(1..) | Pending::Range(_) = pending {
        return Err(Refusal::Sequence("REST and RANG cannot be used with STOU."));
    }
    transfer.check_arranged()?;
    let (login, cwd) = (transfer.login(), transfer.login().cwd()?);
    let prefix = match prefix {
        Some(name) => login.path(name)?.file_name().ok_or(Refusal::BadName)?.to_vec(),
        None => b"upload".to_vec(),
    };
    let (upload, name) = Upload::begin_unique(login.jail()?, cwd, &prefix)?;
    // RFC 1123 section 4.1.2.9 prescribes this form, so that programs can read the name.
    let opening = Reply::new(Code::OPENING_DATA, [b"FILE: ", &name.to_wire()[..]].concat());
    let path = cwd.join(&name)?;
    let info = TransferInfo::new(TransferKind::StoreUnique, &path, None);
    transfer.receive_into(&info, &opening, upload)?;
    // Net::FTP looks for this text, which is that of BSD's server.
    let text = [b"Transfer complete (unique file name: ", &name.to_wire()[..], b")."].concat();
    Ok(Reply::new(Code::TRANSFER_DONE, text))
}
