//! Opening a connection, logging in, reconnecting, and closing.

use super::encryption::{DataProtection, Exposure};
use super::idle::Exchange;
use super::quote::QuotedSettings;
use super::restore::{ConnectionOrigin, Login};
use super::{Capabilities, Connection, Representation, Settings};
use crate::client::error::Error;
use crate::client::signals::{Armed, Interrupt};
use crate::client::tls::Encryption;
use crate::net::{self, Stream};
use crate::protocol::{Code, Command, Control, Name, Reply, Secret};
use crate::sys::{Event, Interest, PollItem};
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// The longest wait for the reply to QUIT.
const QUIT_TIMEOUT: Duration = Duration::from_secs(3);

/// Everything that is needed to open another connection to the same directory.
#[derive(Clone)]
pub(in crate::client) struct ConnectionPlan {
    origin: ConnectionOrigin,
    settings: Settings,
    quoted: QuotedSettings,
    wanted: Representation,
    capabilities: Capabilities,
    features: Option<Arc<[Vec<u8>]>>,
    is_helper: bool,
}

impl ConnectionPlan {
    /// Replaces the commands that lead to its directory.
    pub(in crate::client) fn with_steps(mut self, steps: Vec<Command>) -> ConnectionPlan {
        self.origin.set_steps(steps);
        self
    }

    /// Makes the connection a helper, which works in parallel with the original. `cancel` also interrupts
    /// opening it.
    pub(in crate::client) fn helper(mut self, cancel: Interrupt) -> ConnectionPlan {
        self.settings.interrupt = cancel;
        self.is_helper = true;
        self
    }

    /// Opens the connection, logs in and changes to the directory. Nobody is asked about a certificate: this
    /// may run in another thread, in the middle of a transfer. It has to be one that is accepted already.
    pub(in crate::client) fn connect(&self) -> Result<Connection, Error> {
        let (host, port) = self.origin.address();
        let mut deadline = net::deadline(self.settings.timeout);
        let tls = self.settings.tls.without_questions();
        let settings = Settings { tls, ..self.settings.clone() };
        let mut made = Connection::open_by(host, port, settings, &mut deadline)?;
        made.quoted = self.quoted.clone();
        made.wanted = self.wanted;
        made.features = self.features.clone();
        made.is_helper = self.is_helper;
        made.capabilities = Capabilities {
            pipelining: self.capabilities.pipelining && made.capabilities.pipelining,
            ..self.capabilities
        };
        made.name_host(deadline)?;
        if let Some(Login { user, password, account }) = self.origin.login() {
            let password = |_| password.clone().ok_or(Error::NoPassword);
            made.login_by(deadline, user, password, || Ok(account.clone()))?;
        }
        for step in self.origin.steps() {
            made.call(step)?;
        }
        made.origin = self.origin.clone();
        // A command of the user may ask again.
        made.settings.tls = self.settings.tls.clone();
        Ok(made)
    }
}

/// Opening and closing.
impl Connection {
    /// Connects and waits for the server's greeting.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Greeting`], and those of every reply.
    pub fn open(host: &str, port: u16, settings: Settings) -> Result<Connection, Error> {
        let mut deadline = net::deadline(settings.timeout);
        Connection::open_by(host, port, settings, &mut deadline)
    }

    /// Like [`Connection::open`], with a deadline. The time for loading the TLS library and for the user's
    /// decision about a certificate is added to it.
    pub(in crate::client) fn open_by(
        host: &str,
        port: u16,
        settings: Settings,
        deadline: &mut Option<Instant>,
    ) -> Result<Connection, Error> {
        if settings.encryption != Encryption::Clear {
            let begun = Instant::now();
            settings.tls.load()?;
            *deadline = net::later(*deadline, begun.elapsed());
        }
        let failed = |error| Error::Connect { to: format!("{host} port {port}"), error };
        let armed = settings.interrupt.begin().map_err(Error::Local)?;
        let tcp = dial(host, port, settings.timeout, *deadline, &armed)?.map_err(failed)?;
        drop(armed);
        let (origin, encryption) = (ConnectionOrigin::new(host, port), settings.encryption);
        let mut connection = Connection::over(tcp, origin, settings).map_err(failed)?;
        if encryption == Encryption::Implicit {
            connection.encrypt(deadline)?;
        }
        let greeting = connection.greeting(*deadline)?;
        connection.capabilities.pipelining = !cannot_pipeline(&greeting);
        if !greeting.code().is_success() {
            return Err(Error::Greeting(greeting));
        }
        if encryption == Encryption::Explicit {
            connection.start_tls(deadline)?;
        }
        Ok(connection)
    }

    fn over(
        tcp: TcpStream,
        origin: ConnectionOrigin,
        settings: Settings,
    ) -> io::Result<Connection> {
        let (peer, local) = (tcp.peer_addr()?, tcp.local_addr()?);
        Ok(Connection {
            control: Control::new(Stream::new(tcp, None)?),
            settings,
            peer: net::canonical(peer),
            local: net::canonical(local),
            origin,
            quoted: QuotedSettings::default(),
            wanted: Representation::Image,
            current: None,
            capabilities: Capabilities::ALL,
            data_protection: DataProtection::Clear,
            features: None,
            followers: Vec::new(),
            route: None,
            stored: None,
            exchange: Exchange::Answered,
            is_helper: false,
            lost: false,
        })
    }

    /// Opens another connection to the same server, with the same login and directory.
    ///
    /// # Errors
    /// The errors of [`Connection::open`], [`Connection::login`] and [`Connection::change_dir`].
    pub fn another(&self) -> Result<Connection, Error> {
        self.plan().connect()
    }

    /// Returns the CWD and CDUP commands that led from the login directory to the current one.
    pub(in crate::client) fn steps(&self) -> Vec<Command> {
        self.origin.steps().to_vec()
    }

    pub(in crate::client) fn plan(&self) -> ConnectionPlan {
        ConnectionPlan {
            origin: self.origin.clone(),
            settings: self.settings.clone(),
            quoted: self.quoted.clone(),
            wanted: self.wanted,
            capabilities: self.capabilities,
            features: self.features.clone(),
            is_helper: self.is_helper,
        }
    }

    /// Replaces the connection with a new one that has the same login and directory.
    ///
    /// # Errors
    /// The errors of [`Connection::another`]; the connection is lost then.
    pub fn reconnect(&mut self) -> Result<(), Error> {
        self.lost = true;
        // Close the old connection first, because some servers limit the number of connections.
        let _ = self.control.stream().tcp().shutdown(Shutdown::Both);
        let made = self.another()?;
        self.replace(made);
        Ok(())
    }

    /// Replaces this connection with another, which Ctrl-C then cuts instead.
    pub(super) fn replace(&mut self, made: Connection) {
        let before = self.socket().and_then(|socket| socket.local_addr().ok());
        *self = made;
        if let (Some(before), Some(socket)) = (before, self.socket()) {
            self.settings.interrupt.replace_connection(before, socket);
        }
    }

    /// Reconnects if the connection is lost.
    pub(in crate::client) fn reconnect_if_lost(&mut self) -> Result<(), Error> {
        if self.lost { self.reconnect() } else { Ok(()) }
    }

    /// Logs in. `password` is called only if the server asks for a password.
    ///
    /// # Errors
    /// [`Error::Login`], after which another login can be tried, and the errors of `password`.
    pub fn login(
        &mut self,
        user: &Name,
        password: impl FnOnce() -> Result<Secret, Error>,
    ) -> Result<(), Error> {
        self.login_with_account(user, password, || Ok(None))
    }

    /// Logs in to a server that may also ask for an account (332, RFC 959 section 4.1.1).
    ///
    /// # Errors
    /// The errors of [`Connection::login`]; [`Error::TlsRequired`] if no password was sent because the server
    /// requires TLS but refuses AUTH TLS.
    pub fn login_with_account(
        &mut self,
        user: &Name,
        password: impl FnOnce() -> Result<Secret, Error>,
        account: impl FnOnce() -> Result<Option<Secret>, Error>,
    ) -> Result<(), Error> {
        let deadline = net::deadline(self.settings.timeout);
        self.login_by(deadline, user, |_| password(), account)
    }

    /// Like [`Connection::login_with_account`], with a deadline. The time that `password` and `account`
    /// take is added to it, because a user may type them. `password` is passed how exposed it will be.
    pub(in crate::client) fn login_by(
        &mut self,
        mut deadline: Option<Instant>,
        user: &Name,
        password: impl FnOnce(Exposure) -> Result<Secret, Error>,
        account: impl FnOnce() -> Result<Option<Secret>, Error>,
    ) -> Result<(), Error> {
        let named = Command::User(user.clone());
        let mut reply = match self.ask_unless_interrupted(&named, deadline) {
            // Pure-FTPd requires TLS with a 421 and closes the connection.
            Err(Error::Closing(reply)) if requires_tls(&reply) && !self.is_encrypted() => reply,
            other => other?,
        };
        if !self.is_encrypted() && requires_tls(&reply) {
            self.encrypt_on_demand(reply, &mut deadline)?;
            reply = self.ask_unless_interrupted(&named, deadline)?;
        }
        let mut used = Login { user: user.clone(), password: None, account: None };
        if reply.code() == Code::NEED_PASSWORD {
            let asked = Instant::now();
            let password = password(self.exposure())?;
            deadline = net::later(deadline, asked.elapsed());
            reply = self.ask_unless_interrupted(&Command::Pass(password.clone()), deadline)?;
            used.password = Some(password);
        }
        let asked = Instant::now();
        if reply.code() == Code::NEED_ACCOUNT
            && let Some(account) = account()?
        {
            deadline = net::later(deadline, asked.elapsed());
            reply = self.ask_unless_interrupted(&Command::Acct(account.clone()), deadline)?;
            used.account = Some(account);
        }
        if !reply.code().is_success() {
            return Err(Error::Login(reply));
        }
        if self.origin.login().is_some() {
            // The server may offer another user something else.
            self.discard_server_state();
        }
        self.origin.logged_in(used);
        self.protect_data(deadline)?;
        self.learn_features(deadline)
    }

    /// Sends QUIT and waits briefly for the reply. Errors are ignored.
    pub fn quit(mut self) {
        if self.send(&Command::Quit).is_ok() {
            let patience = self.settings.timeout.min(QUIT_TIMEOUT);
            let _ = self.reply_by(net::deadline(patience));
            self.end_tls();
        }
    }

    /// Sends QUIT without waiting for the reply, so that closing many connections is fast.
    pub(in crate::client) fn leave(mut self) {
        if !self.lost {
            // The server may have closed the connection already.
            let _ = self.send(&Command::Quit);
            self.end_tls();
        }
    }

    /// Returns true if the connection works in parallel with the user's connection.
    pub(in crate::client) fn is_helper(&self) -> bool {
        self.is_helper
    }

    /// Sets the handle that interrupts its transfers.
    pub(in crate::client) fn set_interrupt(&mut self, interrupt: Interrupt) {
        self.settings.interrupt = interrupt;
    }

    /// Returns true if the connection can no longer be used.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Returns a clone of the socket, with which another thread can cut the connection.
    pub(in crate::client) fn socket(&self) -> Option<TcpStream> {
        self.control.stream().tcp().try_clone().ok()
    }

    /// Returns the user who is logged in.
    pub(in crate::client) fn user(&self) -> Option<&Name> {
        self.origin.login().map(|login| &login.user)
    }

    /// Returns the server's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }
}

/// Connects in a separate thread, which Ctrl-C abandons: the system's name lookup cannot be interrupted.
fn dial(
    host: &str,
    port: u16,
    patience: Duration,
    deadline: Option<Instant>,
    armed: &Armed,
) -> Result<io::Result<TcpStream>, Error> {
    let done = Arc::new(Event::new().map_err(Error::Local)?);
    let (sender, receiver) = mpsc::sync_channel(1);
    let dialing = {
        let (host, done) = (host.to_owned(), Arc::clone(&done));
        move || {
            // The receiver is gone if Ctrl-C ended the wait.
            let _ = sender.send(net::connect(&host, port, patience));
            done.set();
        }
    };
    if thread::Builder::new().name("connect".into()).spawn(dialing).is_err() {
        return Ok(net::connect(host, port, patience));
    }
    let mut items = [armed.item(), PollItem::new(done.handle(), Interest::Read)];
    // The deadline includes the name lookup.
    let waited = net::wait(&mut items, deadline);
    match (receiver.try_recv(), waited) {
        (Ok(connected), _) => Ok(connected),
        (Err(_), Ok(())) => Err(Error::Interrupted),
        (Err(_), Err(error)) if error.kind() == io::ErrorKind::TimedOut => Ok(Err(error)),
        (Err(_), Err(error)) => Err(Error::Local(error)),
    }
}

/// Returns whether the greeting names pyftpdlib, which aborts a transfer when the next EPSV arrives. Other
/// servers without pipelining are detected by a timeout, which costs seconds.
fn cannot_pipeline(greeting: &Reply) -> bool {
    const KNOWN: &[u8] = b"pyftpdlib";
    let mut lines =
        std::iter::once(greeting.text()).chain(greeting.body().iter().map(Vec::as_slice));
    lines.any(|line| line.windows(KNOWN.len()).any(|word| word.eq_ignore_ascii_case(KNOWN)))
}

/// Returns whether a reply to USER requires TLS. No reply code says this, only the text:
/// `530 Non-anonymous sessions must use encryption.` (vsftpd), `550 SSL/TLS required on the control
/// channel` (ProFTPD), `421 ... cleartext sessions ... are not accepted` (Pure-FTPd).
fn requires_tls(reply: &Reply) -> bool {
    if reply.code().is_success() {
        return false;
    }
    let text = reply.to_string().to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let about = has(&["tls", "ssl", "encrypt", "cleartext"]);
    match reply.code().is_intermediate() {
        // "Password required" may stand beside a mention of TLS, so "required" alone proves nothing.
        true => about && has(&["must use", "tls required", "tls is required", "ssl required"]),
        false => about && has(&["must", "require", "need", "not accepted", "not allowed", "only"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::test_server::Script;

    fn log_in(connection: &mut Connection) -> Result<(), Error> {
        let user = Name::new("me").unwrap();
        connection.login(&user, || Ok(Secret::new("secret").unwrap()))
    }

    #[test]
    fn a_password_is_sent_only_after_331() {
        let mut connection = Script::serve(|server| {
            server.expect("USER me", "230 welcome");
            server.expect("FEAT", "502 none");
            server.expect("USER me", "331 password");
            server.expect("PASS secret", "230-welcome\r\n 331 nothing\r\n230 back");
            server.expect("FEAT", "502 none");
        });
        log_in(&mut connection).unwrap();
        log_in(&mut connection).unwrap();
    }

    #[test]
    fn a_login_shares_the_deadline_of_the_operation() {
        let mut connection = Script::serve(|server| {
            server.hear();
            server.hear();
        });
        let user = Name::new("me").unwrap();
        let login = connection.login_by(
            Some(Instant::now()),
            &user,
            |_| Err(Error::NoPassword),
            || Ok(None),
        );
        assert!(matches!(login, Err(Error::TimedOut(_))), "{login:?}");
    }

    #[test]
    fn after_a_refused_login_another_can_be_tried() {
        let mut connection = Script::serve(|server| {
            server.expect("USER me", "331 password");
            server.expect("PASS secret", "530 no");
            server.expect("USER me", "332 account");
            server.expect("USER me", "230 welcome");
            server.expect("FEAT", "502 none");
        });
        assert!(matches!(log_in(&mut connection), Err(Error::Login(_))));
        assert!(matches!(log_in(&mut connection), Err(Error::Login(_))));
        log_in(&mut connection).unwrap();
    }

    #[test]
    fn an_account_is_sent_only_after_332() {
        let mut connection = Script::serve(|server| {
            server.expect("USER me", "331 password");
            server.expect("PASS secret", "332 account");
            server.expect("ACCT mine", "230 welcome");
            server.expect("FEAT", "502 none");
            server.expect("USER me", "332 account");
            server.expect("ACCT mine", "530 no");
        });
        let user = Name::new("me").unwrap();
        let mut log_in = || {
            let password = || Ok(Secret::new("secret").unwrap());
            connection.login_with_account(&user, password, || Ok(Secret::new("mine")))
        };
        log_in().unwrap();
        assert!(matches!(log_in(), Err(Error::Login(_))));
    }

    #[test]
    fn no_password_is_sent_to_a_server_that_requires_but_refuses_tls() {
        for reply in [
            "530 Non-anonymous sessions must use encryption.",
            "550 SSL/TLS required on the control channel",
            "331 TLS required before PASS",
        ] {
            let mut connection = Script::serve(move |server| {
                server.expect("USER me", reply);
                server.expect("AUTH TLS", "502 not here");
                server.expect("PWD", "257 \"/\"");
            });
            assert!(matches!(log_in(&mut connection), Err(Error::TlsRequired(_))), "{reply}");
            connection.current_dir().unwrap();
        }
    }

    #[test]
    fn a_password_is_sent_if_the_331_only_mentions_tls() {
        let mut connection = Script::serve(|server| {
            server.expect("USER me", "331 Password required for me (TLS is off)");
            server.expect("PASS secret", "230 welcome");
            server.expect("FEAT", "502 none");
        });
        log_in(&mut connection).unwrap();
    }
}
