//! A transfer, in this order: send the 150, open the data connection and check its peer, move the bytes
//! while watching the control connection, close the data connection, commit, log.

use crate::net::{self, Data, Verdict};
use crate::protocol::ascii::DecodingWriter;
use crate::protocol::{Code, Reply};
use crate::pump::{self, End, Outcome};
use crate::server::auth::identity::Identity;
use crate::server::data::DataConnection;
use crate::server::error::Refusal;
use crate::server::fs::upload::Upload;
use crate::server::limits::bandwidth::SessionBandwidth;
use crate::server::monitor::transfer::{TransferInfo, TransferKind};
use crate::server::session::Session;
use crate::server::session::control::ControlConnection;
use crate::server::session::control_watch::ControlWatch;
use crate::server::session::login::Login;
use crate::server::session::parameters::Parameters;
use crate::server::session::security::{DataRules, Security};
use crate::server::session::session_log::SessionLog;
use crate::server::settings::Settings;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

const SHORTER: Refusal = Refusal::Aborted("The file became shorter during the transfer.");

/// The parts of a session that a transfer needs.
pub(super) struct Transfer<'t, 'a> {
    login: &'t Login,
    parameters: &'t Parameters,
    settings: &'t Settings,
    bandwidth: &'t SessionBandwidth<'a>,
    control: &'t mut ControlConnection<'a>,
    data: &'t mut DataConnection,
    security: &'t mut Security,
    log: &'t mut SessionLog<'a>,
}

impl<'a> Session<'a> {
    /// Returns the parts that a transfer needs.
    pub(super) fn transfer(&mut self) -> Transfer<'_, 'a> {
        Transfer {
            login: &self.login,
            parameters: &self.parameters,
            settings: &self.settings,
            bandwidth: &self.bandwidth,
            control: &mut self.control,
            data: &mut self.data,
            security: &mut self.security,
            log: &mut self.log,
        }
    }
}

impl<'t> Transfer<'t, '_> {
    /// Returns the login of the session.
    pub(super) fn login(&self) -> &'t Login {
        self.login
    }

    /// Returns the parameters of the session.
    pub(super) fn parameters(&self) -> &'t Parameters {
        self.parameters
    }

    /// Refuses a transfer if no data connection was arranged, or if it must be encrypted but is not.
    ///
    /// # Errors
    /// 425 or 521.
    pub(super) fn check_arranged(&self) -> Result<(), Refusal> {
        self.security.check_data(self.settings, self.login)?;
        self.data.check_arranged()
    }

    /// Returns the 150 reply of a file transfer. lftp, ncftp and curl parse the size from it, one of
    /// them at the last parenthesis, another at the first " bytes", so the reply must not contain the
    /// file name: `a (5 bytes).txt` would be misread.
    pub(super) fn opening_reply(&self, info: &TransferInfo) -> Reply {
        let kind = if self.parameters.is_ascii() { "ASCII" } else { "BINARY" };
        let size = info.expected.map(|size| size.to_string());
        let size = size.as_ref().map_or(["", "", ""], |size| [" (", size, " bytes)"]);
        let text = [&["Opening ", kind, " mode data connection"][..], &size, &["."]];
        Reply::new(Code::OPENING_DATA, text.concat().concat())
    }

    /// Sends the content of `source`.
    ///
    /// # Errors
    /// Returns why the transfer failed.
    pub(super) fn send_from(
        self,
        info: &TransferInfo,
        opening: &Reply,
        mut source: impl Read,
    ) -> Result<u64, Refusal> {
        let send = |data: &mut Data, stall, watch: &mut ControlWatch<'_>| {
            pump::send(&mut source, data, stall, watch)
        };
        self.send_with(info, opening, send, |_| Ok(true))
    }

    /// Sends the bytes that `pump` moves; `is_whole` checks afterwards whether they are the whole file.
    ///
    /// # Errors
    /// Returns why the transfer failed.
    pub(super) fn send_with(
        mut self,
        info: &TransferInfo,
        opening: &Reply,
        pump: impl FnOnce(&mut Data, Duration, &mut ControlWatch<'_>) -> Outcome,
        is_whole: impl FnOnce(u64) -> io::Result<bool>,
    ) -> Result<u64, Refusal> {
        // A transfer that cannot begin is a refused command, not a failed transfer.
        self.check_arranged()?;
        self.log.begin_transfer(info);
        let send = |data: &mut Data, stall, watch: &mut ControlWatch<'_>| {
            pump::finish(pump(data, stall, watch), data, stall, watch)
        };
        let result = self.with_data_connection(info.kind, opening, send);
        // Checked before success is logged and reported to the client.
        let result =
            result.and_then(|moved| if is_whole(moved)? { Ok(moved) } else { Err(SHORTER) });
        self.finish(info, result)
    }

    /// Receives into `upload`, and commits it if it is complete.
    ///
    /// # Errors
    /// Returns why the transfer failed.
    pub(super) fn receive_into(
        mut self,
        info: &TransferInfo,
        opening: &Reply,
        mut upload: Upload,
    ) -> Result<u64, Refusal> {
        if let Some(mode) = self.parameters.file_mode() {
            upload.set_mode_if_new(mode);
        }
        self.log.begin_transfer(info);
        let received = if self.parameters.is_ascii() {
            self.receive_text(info, opening, &mut upload)
        } else {
            let received = self.with_data_connection(info.kind, opening, |data, stall, watch| {
                pump::receive_file(data, &mut upload, stall, watch)
            });
            self.check_client_alive(received, info.started)
        };
        let result = commit_or_discard(upload, received, self.settings.config.sync);
        self.finish(info, result)
    }

    fn finish(self, info: &TransferInfo, result: Result<u64, Refusal>) -> Result<u64, Refusal> {
        let identity = self.login.identity().ok();
        self.log.end_transfer(info, identity, self.parameters.is_ascii(), &result);
        result
    }

    /// Receives text (TYPE A). If the transfer fails after a CR, the CR is not stored, because it may be
    /// half of a line end; a resume sends it again with its LF.
    fn receive_text(
        &mut self,
        info: &TransferInfo,
        opening: &Reply,
        upload: &mut Upload,
    ) -> Result<u64, Refusal> {
        let mut text = DecodingWriter::new(upload);
        let received = self.with_data_connection(info.kind, opening, |data, stall, watch| {
            pump::receive(data, &mut text, stall, watch)
        });
        let received = self.check_client_alive(received, info.started);
        match &received {
            Ok(_) => text.finish().map(drop)?,
            Err(_) => text.flush()?,
        }
        received
    }

    /// Fails a completed upload if the client is gone. A client that dies closes both connections, which
    /// looks like the end of the file; a live client waits for the 226. Under TLS, close_notify marks
    /// the end.
    fn check_client_alive(
        &mut self,
        received: Result<u64, Refusal>,
        started: Instant,
    ) -> Result<u64, Refusal> {
        match received {
            Ok(moved)
                if !self.security.is_private()
                    && self.control.client_is_gone(moved, started.elapsed()) =>
            {
                Err(Refusal::Aborted(
                    "The control connection was closed before the transfer ended.",
                ))
            }
            other => other,
        }
    }

    /// Sends the 150, opens the data connection and moves the bytes. Then logs problems of the data
    /// connection.
    fn with_data_connection(
        &mut self,
        kind: TransferKind,
        opening: &Reply,
        pump: impl FnOnce(&mut Data, Duration, &mut ControlWatch<'_>) -> Outcome,
    ) -> Result<u64, Refusal> {
        let moved = self.run_transfer(kind, opening, pump);
        if let Some(failure) = self.security.take_data_failure() {
            self.log.data_tls_failed(&failure);
        }
        if let Some(unexpected_peer) = self.data.take_unexpected_peer() {
            self.log.data_from_elsewhere(&unexpected_peer);
        }
        moved
    }

    fn run_transfer(
        &mut self,
        kind: TransferKind,
        opening: &Reply,
        pump: impl FnOnce(&mut Data, Duration, &mut ControlWatch<'_>) -> Outcome,
    ) -> Result<u64, Refusal> {
        const LOST: Refusal = Refusal::Aborted("The control connection is lost.");
        self.control.check_half_closed();
        self.log.reply(opening);
        self.control.send(opening).map_err(|_| LOST)?;
        let stall = self.settings.config.transfer_timeout;
        let account = self.login.identity().ok().and_then(Identity::account);
        let rates = self.bandwidth.rates(account, &self.settings.config);
        let mut watch = self.control.watch(self.log.registration());
        if watch.handle_lines() == Verdict::Stop {
            return Err(watch.refusal());
        }
        let deadline = net::deadline(stall);
        let must_resume = self.settings.config.tls_reuse_required;
        let rules = DataRules { is_upload: kind.is_upload(), must_resume };
        let opened = self
            .data
            .open(deadline, &mut watch)
            .and_then(|stream| self.security.protect(stream, &rules, deadline, &mut watch));
        let mut data = match opened {
            Err(Refusal::Aborted(_)) => return Err(watch.refusal()),
            other => other?,
        };
        if let Some(tls) = data.tls() {
            self.log.count_handshake(tls);
        }
        watch.set_rates(rates);
        let outcome = pump(&mut data, stall, &mut watch);
        let half_closed = watch.is_half_closed();
        let moved = match outcome.end {
            End::Done => Ok(outcome.moved),
            End::Stopped => Err(watch.refusal()),
            End::Stalled => Err(Refusal::Aborted("The data connection stalled.")),
            End::Peer(_) => Err(Refusal::Aborted("The data connection was lost.")),
            End::Local(error) => Err(Refusal::System(error)),
        };
        self.control.set_half_closed(half_closed);
        if moved.is_ok() && !data.is_plain() {
            // For an upload, the client may already have closed the connection. For a download, data
            // from the client is read and discarded, because unread data would reset the connection.
            let _ = match kind.is_upload() {
                true => data.end_sending(),
                false => data.read(&mut [0; 64]).map(drop),
            };
            self.control.renew_ticket();
        }
        moved
    }
}

/// Commits a complete upload. Discards an incomplete one if the disk or the quota is full.
fn commit_or_discard(
    mut upload: Upload,
    received: Result<u64, Refusal>,
    sync: bool,
) -> Result<u64, Refusal> {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    let settled = received.and_then(|moved| {
        upload.commit(sync)?;
        Ok(moved)
    });
    let full =
        |error: &io::Error| matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge);
    if settled.as_ref().err().and_then(Refusal::cause).is_some_and(full) {
        upload.discard();
    }
    settled
}
