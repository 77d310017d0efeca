//! What the log says of a session: its transfers, its refusals and its end.

use crate::protocol::{Code, Command, FtpPath};
use crate::server::auth::identity::Login;
use crate::server::error::Refusal;
use crate::server::log::{Direction, Field, Level, Seconds, Transfer};
use crate::server::monitor::counters::FinishedTransfer;
use crate::server::monitor::transfer::{TransferInfo, TransferKind};
use crate::server::panic_hook::Panicked;
use crate::server::session::{End, Session};
use std::io::{self, ErrorKind};
use std::time::{Duration, SystemTime};

impl Session<'_> {
    /// Tells of a transfer that is over.
    pub(in crate::server::session) fn record(
        &mut self,
        info: &TransferInfo,
        result: &Result<u64, Refusal>,
    ) {
        self.registration.end();
        self.log_budget.tell_of_transfer();
        let (moved, took) = (self.registration.entry().moved(), info.started.elapsed());
        self.count(info, moved, took, result);
        if let Some(direction) = direction(info.kind) {
            self.record_file(direction, &info.path, moved, took, result.is_ok());
        }
        let seconds = Seconds(took);
        let mut fields: Vec<Field<'_>> =
            vec![("path", &info.path), ("bytes", &moved), ("seconds", &seconds)];
        let Err(refusal) = result else {
            return self.log(Level::Info, info.kind.event(), &fields);
        };
        let reply = refusal.reply();
        let why = reply.text();
        fields.push(("failed", &why));
        fields.extend(cause_of(refusal));
        // What has moved nothing costs the client as little as any refusal.
        let level =
            if moved > 0 || self.log_budget.has_room() { Level::Warn } else { Level::Debug };
        self.log(level, info.kind.event(), &fields);
    }

    fn count(
        &self,
        info: &TransferInfo,
        bytes: u64,
        took: Duration,
        result: &Result<u64, Refusal>,
    ) {
        let failed = || result.as_ref().err().map(Refusal::reply);
        let counters = &self.server.counters;
        counters.transfer(info.kind, took, result.is_ok());
        // Listings would soon have pushed all files out.
        if info.kind.is_listing() && result.is_ok() {
            return;
        }
        counters.last.push(|| FinishedTransfer {
            ended: SystemTime::now(),
            session: self.registration.entry().number,
            peer: self.peer,
            user: self.login.user().cloned(),
            info: info.clone(),
            bytes,
            took,
            failed: failed().map(|reply| String::from_utf8_lossy(reply.text()).into_owned()),
        });
    }

    /// Tells of a file that was deleted.
    pub(in crate::server::session) fn record_deleted(&self, path: &FtpPath) {
        self.log_change("dele", path);
        self.record_file(Direction::Deleted, path, 0, Duration::ZERO, true);
    }

    fn record_file(
        &self,
        direction: Direction,
        path: &FtpPath,
        bytes: u64,
        took: Duration,
        is_complete: bool,
    ) {
        let Login::In(identity) = &self.login else { return };
        let transfer = Transfer {
            time: SystemTime::now(),
            took,
            host: self.peer.ip(),
            bytes,
            home: &identity.account.as_ref().map_or_else(FtpPath::root, |own| own.home.clone()),
            path,
            is_text: self.is_ascii(),
            direction,
            is_visitor: identity.account.is_none(),
            user: &identity.user,
            is_complete,
        };
        self.server.transfers.add(&transfer);
    }

    /// Tells of a command that was refused, unless it was a transfer, which is logged when it is
    /// over.
    pub(in crate::server::session) fn record_refusal(
        &mut self,
        command: &Command,
        refusal: &Refusal,
    ) {
        if self.log_budget.has_told_of_transfer() {
            return;
        }
        let level = match weight(command, refusal) {
            Level::Debug => Level::Debug,
            level if self.log_budget.has_room() => level,
            _ => Level::Debug,
        };
        let reply = refusal.reply();
        let why = reply.text();
        let mut fields: Vec<Field<'_>> = vec![("command", command)];
        if let Login::In(identity) = &self.login {
            fields.push(("cwd", &identity.cwd));
        }
        fields.push(("why", &why));
        fields.extend(cause_of(refusal));
        self.log(level, "refused", &fields);
    }

    /// Tells how the session ended.
    pub(in crate::server::session) fn record_end(
        &self,
        level: Level,
        ended: &Result<io::Result<End>, Panicked>,
    ) {
        let seconds = self.started.elapsed().as_secs();
        let mut fields: Vec<Field<'_>> = vec![("seconds", &seconds)];
        let untold = self.log_budget.untold();
        if untold > 0 {
            fields.push(("untold", &untold));
        }
        match ended {
            Ok(Ok(end)) => {
                fields.push(("why", end));
                self.log(level, "closed", &fields);
            }
            Ok(Err(error)) => {
                fields.push(("cause", error));
                self.log(level, "lost", &fields);
            }
            Err(panicked) => {
                let words: [Field<'_>; 2] =
                    [("place", &panicked.place), ("words", &panicked.words)];
                fields.extend(words);
                self.log(Level::Error, "panic", &fields);
            }
        }
    }
}

fn cause_of(refusal: &Refusal) -> Option<Field<'_>> {
    refusal.cause().map(|cause| -> Field<'_> { ("cause", cause) })
}

/// Which way a file goes; listings are none.
fn direction(kind: TransferKind) -> Option<Direction> {
    match kind {
        TransferKind::Retrieve => Some(Direction::Outgoing),
        TransferKind::Store | TransferKind::Append | TransferKind::StoreUnique => {
            Some(Direction::Incoming)
        }
        TransferKind::List | TransferKind::Names | TransferKind::Facts => None,
    }
}

/// Who runs the server wants to hear of what it could not do and of what somebody may not do, and
/// of files that somebody did not get. That clients ask what is there, and it is not, is usual.
fn weight(command: &Command, refusal: &Refusal) -> Level {
    let is_forbidden = match refusal {
        Refusal::NotPermitted => true,
        Refusal::System(cause) => {
            matches!(cause.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
        }
        Refusal::NotLoggedIn => return Level::Debug,
        _ => false,
    };
    let is_our_fault = matches!(refusal.reply().code(), Code::LOCAL_ERROR | Code::NO_ROOM);
    match command {
        _ if is_forbidden || is_our_fault => Level::Warn,
        Command::Retr(_) | Command::Stor(_) | Command::Appe(_) | Command::Stou(_) => Level::Info,
        _ => Level::Debug,
    }
}
