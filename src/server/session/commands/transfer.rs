//! Commands that use a data connection, each in this order:
//!
//! permit, take what is pending, open the file (a 550 comes now), 150, open the data connection
//! and check its peer, move the bytes while listening to the control connection, close the data
//! connection, commit, log, and last the final reply.

use crate::net::{self, Verdict};
use crate::protocol::ascii::DecodingWriter;
use crate::protocol::pattern::is_pattern;
use crate::protocol::{Code, Command, FtpPath, Line, Name, Reply};
use crate::pump::{self, End, Outcome};
use crate::server::error::Refusal;
use crate::server::fs::glob;
use crate::server::fs::jail::{DirEntry, Last};
use crate::server::fs::listing::{Form, Lines, Options};
use crate::server::fs::stored_text;
use crate::server::fs::upload::{Upload, UploadMode};
use crate::server::limits::bandwidth::Mover;
use crate::server::log::{Field, Level};
use crate::server::monitor::transfer::{TransferInfo, TransferKind};
use crate::server::session::control_watch::ControlWatch;
use crate::server::session::{Pending, Session};
use crate::sys::{FileKind, Interest, PollItem, Waitable};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

type Answer = Result<Reply, Refusal>;

const SHORTER: Refusal = Refusal::Broken("The file became shorter while it was sent.");

impl Session<'_> {
    pub(in crate::server::session) fn retr(&mut self, name: &Name, pending: Pending) -> Answer {
        let path = self.path(name)?;
        let (file, size) = self.identity()?.jail.open_file(&path)?;
        if self.is_ascii() {
            return self.retr_text(&path, file, pending);
        }
        let (offset, expected) = pending.portion(size)?;
        let info = TransferInfo::new(TransferKind::Retrieve, &path, Some(expected));
        // No more than was announced, even of a file that grows meanwhile.
        let bytes = offset..offset + expected;
        let send = |data: &mut TcpStream, stall, watch: &mut ControlWatch<'_>| {
            pump::send_file(&file, bytes, data, stall, watch)
        };
        self.send_by(&info, self.opening(&info), send, |moved| Ok(moved >= expected))?;
        Ok(done())
    }

    /// In TYPE A offsets count the bytes of the transfer, so what is before them is read and dropped.
    fn retr_text(&mut self, path: &FtpPath, file: File, pending: Pending) -> Answer {
        let ranged = matches!(pending, Pending::Range(_));
        let (offset, length) = pending.portion(u64::MAX)?;
        let (mut place, stored) = (file.try_clone()?, file.metadata()?.len());
        let mut text = stored_text::read_from(file, offset)?;
        let mut first = Vec::new();
        text.by_ref().take(1).read_to_end(&mut first)?;
        if ranged && first.is_empty() {
            return Err(Refusal::BadRestart);
        }
        let mut text = first.as_slice().chain(text).take(length);
        let info = TransferInfo::new(TransferKind::Retrieve, path, None);
        let send = |data: &mut TcpStream, stall, watch: &mut ControlWatch<'_>| {
            pump::send(&mut text, data, stall, watch)
        };
        let is_whole = |_| Ok(ranged || place.stream_position()? >= stored);
        self.send_by(&info, self.opening(&info), send, is_whole)?;
        Ok(done())
    }

    pub(in crate::server::session) fn list(&mut self, argument: Option<&Name>) -> Answer {
        let (options, path) = self.list_argument(argument)?;
        self.send_listing(path.as_ref(), Form::Long, options, TransferKind::List)
    }

    pub(in crate::server::session) fn nlst(&mut self, argument: Option<&Name>) -> Answer {
        let (options, path) = self.list_argument(argument)?;
        let form = if options.long { Form::Long } else { self.names_form(path.as_ref()) };
        self.send_listing(path.as_ref(), form, options, TransferKind::Names)
    }

    pub(in crate::server::session) fn mlsd(&mut self, name: Option<&Name>) -> Answer {
        let path = self.path_or_cwd(name)?;
        let identity = self.identity()?;
        // RFC 3659 section 7.2.1: MLSD is for directories alone, and 501 is for anything else.
        if identity.jail.stat(&path, Last::Follow)?.kind != FileKind::Dir {
            return Err(Refusal::Argument("Not a directory; use MLST."));
        }
        let form = Form::Facts(self.facts, identity.access);
        self.send_listing(name, form, Options::default(), TransferKind::Facts)
    }

    fn list_argument(&self, argument: Option<&Name>) -> Result<(Options, Option<Name>), Refusal> {
        argument.map_or(Ok((Options::default(), None)), |argument| self.split_options(argument))
    }

    /// Names are listed as they were asked for, so that RETR takes them back: `NLST dir` gives
    /// `dir/name`.
    fn names_form(&self, path: Option<&Name>) -> Form {
        let Some(name) = path else { return Form::Names(Vec::new()) };
        let slash: &[u8] = if name.as_bytes().ends_with(b"/") { b"" } else { b"/" };
        Form::Names([name.as_bytes(), slash].concat())
    }

    fn send_listing(
        &mut self,
        name: Option<&Name>,
        form: Form,
        options: Options,
        kind: TransferKind,
    ) -> Answer {
        let path = self.path_or_cwd(name)?;
        let lines = self.lines(&path, name, form, options)?;
        let opening = Reply::new(Code::OPENING_DATA, "Here comes the listing.");
        self.send_from(&TransferInfo::new(kind, &path, None), opening, lines).map(|_| done())
    }

    /// What is listed: a directory, a file, or what matches a pattern that is not itself a name.
    fn lines(
        &self,
        path: &FtpPath,
        name: Option<&Name>,
        form: Form,
        options: Options,
    ) -> Result<Lines, Refusal> {
        let identity = self.identity()?;
        let facts = matches!(form, Form::Facts(..));
        match name.filter(|name| !facts && is_pattern(name.as_bytes())) {
            Some(pattern) if identity.jail.stat(path, Last::Keep).is_err() => {
                let mut found = glob::expand(&identity.jail, &identity.cwd, pattern)?;
                options.sort(&mut found);
                let form = if form == Form::Long { form } else { Form::Names(Vec::new()) };
                Ok(Lines::of(found, form))
            }
            _ => match (name, &form, identity.jail.stat(path, Last::Follow)?) {
                // A file is named as it was asked for, too.
                (Some(name), Form::Names(_), stat)
                    if stat.kind != FileKind::Dir || options.itself =>
                {
                    let name = name.as_bytes().to_vec();
                    let one = vec![DirEntry { name, stat, target: Vec::new() }];
                    Ok(Lines::of(one, Form::Names(Vec::new())))
                }
                _ => Ok(Lines::open(&identity.jail, path, form, options)?),
            },
        }
    }

    pub(in crate::server::session) fn stor(&mut self, name: &Name, pending: Pending) -> Answer {
        let mode = match pending {
            Pending::Restart(offset) if self.is_ascii() => UploadMode::ResumeText(offset),
            Pending::Restart(offset) => UploadMode::Resume(offset),
            Pending::Range(_) => return Err(Refusal::Sequence("RANG does not go with STOR.")),
            Pending::Nothing | Pending::Rename(_) => UploadMode::Replace,
        };
        self.store(name, mode, TransferKind::Store)
    }

    pub(in crate::server::session) fn appe(&mut self, name: &Name, pending: Pending) -> Answer {
        // An append has its place already.
        if let Pending::Restart(1..) | Pending::Range(_) = pending {
            return Err(Refusal::Sequence("REST and RANG do not go with APPE."));
        }
        self.store(name, UploadMode::Append, TransferKind::Append)
    }

    fn store(&mut self, name: &Name, mode: UploadMode, kind: TransferKind) -> Answer {
        self.data.check_planned()?;
        let path = self.path(name)?;
        let upload = Upload::begin(&self.identity()?.jail, &path, mode)?;
        let info = TransferInfo::new(kind, &path, None);
        self.receive_into(&info, self.opening(&info), upload).map(|_| done())
    }

    pub(in crate::server::session) fn stou(
        &mut self,
        prefix: Option<&Name>,
        pending: Pending,
    ) -> Answer {
        if let Pending::Restart(1..) | Pending::Range(_) = pending {
            return Err(Refusal::Sequence("REST and RANG do not go with STOU."));
        }
        self.data.check_planned()?;
        let cwd = self.identity()?.cwd.clone();
        let prefix = match prefix {
            Some(name) => self.path(name)?.file_name().ok_or(Refusal::BadName)?.to_vec(),
            None => b"upload".to_vec(),
        };
        let (upload, name) = Upload::begin_unique(&self.identity()?.jail, &cwd, &prefix)?;
        // RFC 1123 section 4.1.2.9: exactly this form, so that programs can read the name.
        let opening = Reply::new(Code::OPENING_DATA, [b"FILE: ", name.as_slice()].concat());
        let path = cwd.join(&Name::new(name.clone()).ok_or(Refusal::BadName)?)?;
        self.receive_into(
            &TransferInfo::new(TransferKind::StoreUnique, &path, None),
            opening,
            upload,
        )?;
        // The words that Net::FTP looks for; BSD's server had them first.
        let text = [b"Transfer complete (unique file name: ", name.as_slice(), b")."].concat();
        Ok(Reply::new(Code::TRANSFER_DONE, text))
    }

    /// Returns the 150 of a file. lftp, ncftp and curl read the size in it, one of them at the last
    /// parenthesis, another at the first " bytes", so a name does not belong here: that of
    /// `a (5 bytes).txt` was taken for the size.
    fn opening(&self, info: &TransferInfo) -> Reply {
        let kind = if self.is_ascii() { "ASCII" } else { "BINARY" };
        let size = info.expected.map(|size| format!(" ({size} bytes)")).unwrap_or_default();
        Reply::new(Code::OPENING_DATA, format!("Opening {kind} mode data connection{size}."))
    }

    fn send_from(
        &mut self,
        info: &TransferInfo,
        opening: Reply,
        mut source: impl Read,
    ) -> Result<u64, Refusal> {
        let send = |data: &mut TcpStream, stall, watch: &mut ControlWatch<'_>| {
            pump::send(&mut source, data, stall, watch)
        };
        self.send_by(info, opening, send, |_| Ok(true))
    }

    fn send_by(
        &mut self,
        info: &TransferInfo,
        opening: Reply,
        pump: impl FnOnce(&mut TcpStream, Duration, &mut ControlWatch<'_>) -> Outcome,
        is_whole: impl FnOnce(u64) -> io::Result<bool>,
    ) -> Result<u64, Refusal> {
        // What cannot begin is a refusal, and no transfer that failed.
        self.data.check_planned()?;
        self.registration.begin(info);
        let result = self.over_data(opening, pump);
        // Before the log and the client are told that it went well.
        let result =
            result.and_then(|moved| if is_whole(moved)? { Ok(moved) } else { Err(SHORTER) });
        self.record(info, &result);
        result
    }

    fn receive_into(
        &mut self,
        info: &TransferInfo,
        opening: Reply,
        mut upload: Upload,
    ) -> Result<u64, Refusal> {
        if let Some(mask) = self.umask {
            upload.set_mode_if_new(0o666 & !mask);
        }
        self.registration.begin(info);
        let received = if self.is_ascii() {
            self.receive_text(info, opening, &mut upload)
        } else {
            let received = self.over_data(opening, |data, stall, watch| {
                pump::receive_file(data, &mut upload, stall, watch)
            });
            self.believe(received, info.started)
        };
        let result = self.settle(upload, received);
        self.record(info, &result);
        result
    }

    /// Where a text breaks off, a CR at its end is half a line end: it is not stored, and a resume
    /// sends it again with its LF.
    fn receive_text(
        &mut self,
        info: &TransferInfo,
        opening: Reply,
        upload: &mut Upload,
    ) -> Result<u64, Refusal> {
        let mut text = DecodingWriter::new(upload);
        let received = self
            .over_data(opening, |data, stall, watch| pump::receive(data, &mut text, stall, watch));
        let received = self.believe(received, info.started);
        match &received {
            Ok(_) => text.finish().map(drop)?,
            Err(_) => text.flush()?,
        }
        received
    }

    /// A client that died closes both connections, and the end of the data looks like the end of
    /// the file. Who meant it would wait for the 226.
    fn believe(
        &mut self,
        received: Result<u64, Refusal>,
        started: Instant,
    ) -> Result<u64, Refusal> {
        match received {
            Ok(moved) if self.client_is_gone(moved, started.elapsed()) => {
                Err(Refusal::Broken("The control connection was closed before the end."))
            }
            other => other,
        }
    }

    /// Commits an upload that is whole, and decides what remains of one that is not.
    fn settle(&self, mut upload: Upload, received: Result<u64, Refusal>) -> Result<u64, Refusal> {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let settled = received.and_then(|moved| {
            upload.commit(self.settings.config.sync)?;
            Ok(moved)
        });
        let full =
            |error: &io::Error| matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge);
        if settled.as_ref().err().and_then(Refusal::cause).is_some_and(full) {
            upload.discard();
        }
        settled
    }

    /// Whether nobody waits for the 226. The system closes the connections of a process that was
    /// killed one right after the other, the data connection first as often as not, so the second
    /// end is waited for: a small part of the time the transfer took, and not at all after one that
    /// was sent in one go. A script may close its half when it has said all, but then the last it
    /// said is QUIT.
    fn client_is_gone(&mut self, moved: u64, took: Duration) -> bool {
        const ONE_GO: (u64, Duration) = (64 * 1024, Duration::from_millis(50));
        const SHORTEST: Duration = Duration::from_millis(1);
        const LONGEST: Duration = Duration::from_millis(40);
        const MOST_READS: usize = 64;
        const MOST_LINES: usize = 1024;
        let in_one_go = moved <= ONE_GO.0 && took < ONE_GO.1;
        if !in_one_go && self.control.peek_line().is_none() {
            let control = PollItem::new(self.control.stream().handle(), Interest::Read);
            let patience = (took / 32).clamp(SHORTEST, LONGEST);
            let _ = net::wait(&mut [control], net::deadline(patience));
        }
        self.control.stream_mut().set_waiting(false);
        // What was read ahead stays in memory until its turn, so no more while much of it waits.
        let mut read = None;
        for _ in 0..MOST_READS {
            if self.control.lines().nth(MOST_LINES).is_some() {
                break;
            }
            read = Some(self.control.fill()).filter(|read| !matches!(read, Ok(1..)));
            if read.is_some() {
                break;
            }
        }
        self.control.stream_mut().set_waiting(true);
        match read {
            Some(Err(error)) => error.kind() != io::ErrorKind::WouldBlock,
            Some(Ok(_)) => !self.control.lines().any(|line| {
                matches!(line, Line::Text(text) if Command::parse(text) == Ok(Command::Quit))
            }),
            None => false,
        }
    }

    fn mover(&self) -> Mover<'_> {
        let account = self.identity().ok().and_then(|identity| identity.account.as_deref());
        let (session, address) = (self.registration.entry().number, self.peer.ip());
        Mover { session, own: &self.own_rate, address, account }
    }

    /// Everything between the 150 and the closing of the data connection.
    fn over_data(
        &mut self,
        opening: Reply,
        pump: impl FnOnce(&mut TcpStream, Duration, &mut ControlWatch<'_>) -> Outcome,
    ) -> Result<u64, Refusal> {
        let moved = self.exchange(opening, pump);
        if let Some(stranger) = self.data.take_stranger() {
            let fields: [Field<'_>; 2] = [("from", &stranger), ("expected", &self.peer.ip())];
            self.log(Level::Warn, "data-from-elsewhere", &fields);
        }
        moved
    }

    fn exchange(
        &mut self,
        opening: Reply,
        pump: impl FnOnce(&mut TcpStream, Duration, &mut ControlWatch<'_>) -> Outcome,
    ) -> Result<u64, Refusal> {
        const LOST: Refusal = Refusal::Broken("The control connection is lost.");
        self.send(&opening).map_err(|_| LOST)?;
        let stall = self.settings.config.transfer_timeout;
        let rates = self.server.bandwidth.rates(&self.mover(), &self.settings.config);
        let mut watch =
            ControlWatch::new(&mut self.control, &self.server.shutdown, &self.registration);
        watch.expect_client(self.data.waits_for_client());
        if watch.look_at_lines() == Verdict::Stop {
            return Err(watch.refusal());
        }
        let mut data = match self.data.open(net::deadline(stall), &mut watch) {
            Err(Refusal::Broken(_)) => return Err(watch.refusal()),
            other => other?,
        };
        watch.expect_client(false);
        watch.keep_to(rates);
        let outcome = pump(&mut data, stall, &mut watch);
        match outcome.end {
            End::Done => Ok(outcome.moved),
            End::Stopped => Err(watch.refusal()),
            End::Stalled => Err(Refusal::Broken("The data connection stalled.")),
            End::Peer(_) => Err(Refusal::Broken("The data connection was lost.")),
            End::Local(error) => Err(Refusal::System(error)),
        }
    }
}

/// The final reply of a transfer that went well.
fn done() -> Reply {
    Reply::new(Code::TRANSFER_DONE, "Transfer complete.")
}
