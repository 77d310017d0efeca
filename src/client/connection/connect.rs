//! Opens a connection, logs in, restores it after it was lost, and closes it.

use super::encryption::{DataProtection, Exposure};
use super::idle::Exchange;
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
const FAREWELL: Duration = Duration::from_secs(3);

/// All that is needed to make another connection like this one.
#[derive(Clone)]
pub(in crate::client) struct ConnectionPlan {
    origin: ConnectionOrigin,
    settings: Settings,
    wanted: Representation,
    capabilities: Capabilities,
    features: Option<Arc<[Vec<u8>]>>,
    is_helper: bool,
}

impl ConnectionPlan {
    /// Changes the steps to its directory.
    pub(in crate::client) fn by(mut self, way: Vec<Command>) -> ConnectionPlan {
        self.origin.went(way);
        self
    }

    /// Lets it work beside the connection that the plan is of. `cancel` gives it up while it is being made.
    pub(in crate::client) fn helper(mut self, cancel: Interrupt) -> ConnectionPlan {
        self.settings.interrupt = cancel;
        self.is_helper = true;
        self
    }

    /// Makes the connection.
    pub(in crate::client) fn connect(&self) -> Result<Connection, Error> {
        let (host, port) = self.origin.address();
        let mut deadline = net::deadline(self.settings.timeout);
        let tls = self.settings.tls.without_questions();
        let settings = Settings { tls, ..self.settings.clone() };
        let mut made = Connection::open_by(host, port, settings, &mut deadline)?;
        made.settings = self.settings.clone();
        made.wanted = self.wanted;
        made.features = self.features.clone();
        made.is_helper = self.is_helper;
        made.capabilities = Capabilities {
            pipelines: self.capabilities.pipelines && made.capabilities.pipelines,
            ..self.capabilities
        };
        if let Some(Login { user, password, account }) = self.origin.login() {
            let password = |_| password.clone().ok_or(Error::NoPassword);
            made.login_by(deadline, user, password, || Ok(account.clone()))?;
        }
        for step in self.origin.trail() {
            made.call(step)?;
        }
        made.origin = self.origin.clone();
        Ok(made)
    }
}

/// Making a connection and ending it.
impl Connection {
    /// Connects and waits for the server's greeting.
    ///
    /// # Errors
    /// [`Error::Connect`], [`Error::Greeting`], and those of every reply.
    pub fn open(host: &str, port: u16, settings: Settings) -> Result<Connection, Error> {
        let mut deadline = net::deadline(settings.timeout);
        Connection::open_by(host, port, settings, &mut deadline)
    }

    /// Does the same before a deadline, which is moved by the time that it takes to load the TLS library
    /// and a person to decide on a certificate.
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
        connection.capabilities.pipelines = !mixes_commands_up(&greeting);
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
            wanted: Representation::Bytes,
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

    /// Makes another connection to the same server, logged in as the same user, in the same directory.
    ///
    /// # Errors
    /// Those of [`Connection::open`], [`Connection::login`] and [`Connection::change_dir`].
    pub fn another(&self) -> Result<Connection, Error> {
        self.plan().connect()
    }

    /// Returns the steps from the directory of the login to this one.
    pub(in crate::client) fn way(&self) -> Vec<Command> {
        self.origin.trail().to_vec()
    }

    pub(in crate::client) fn plan(&self) -> ConnectionPlan {
        ConnectionPlan {
            origin: self.origin.clone(),
            settings: self.settings.clone(),
            wanted: self.wanted,
            capabilities: self.capabilities,
            features: self.features.clone(),
            is_helper: self.is_helper,
        }
    }

    /// Replaces a connection by a new one to the same place.
    ///
    /// # Errors
    /// Those of [`Connection::another`]; it is lost then.
    pub fn reconnect(&mut self) -> Result<(), Error> {
        self.lost = true;
        // The old one is closed first, because some servers count connections.
        let _ = self.control.stream().tcp().shutdown(Shutdown::Both);
        let made = self.another()?;
        self.replace(made);
        Ok(())
    }

    /// Puts another connection in the place of this one, also as the one that Ctrl-C cuts.
    pub(super) fn replace(&mut self, made: Connection) {
        let before = self.line().and_then(|line| line.local_addr().ok());
        *self = made;
        if let (Some(before), Some(line)) = (before, self.line()) {
            self.settings.interrupt.renew(before, line);
        }
    }

    /// Restores the connection if it is lost.
    pub(in crate::client) fn revive(&mut self) -> Result<(), Error> {
        if self.lost { self.reconnect() } else { Ok(()) }
    }

    /// Logs in. `password` is asked for only if the server does.
    ///
    /// # Errors
    /// [`Error::Login`], after which another login can be tried, and whatever `password` fails
    /// with.
    pub fn login(
        &mut self,
        user: &Name,
        password: impl FnOnce() -> Result<Secret, Error>,
    ) -> Result<(), Error> {
        self.login_with_account(user, password, || Ok(None))
    }

    /// Logs in where the server may ask for an account besides (332, RFC 959 section 4.1.1).
    ///
    /// # Errors
    /// Those of [`Connection::login`]; [`Error::WantsTls`] where no password was sent because the
    /// server requires TLS and does not begin it.
    pub fn login_with_account(
        &mut self,
        user: &Name,
        password: impl FnOnce() -> Result<Secret, Error>,
        account: impl FnOnce() -> Result<Option<Secret>, Error>,
    ) -> Result<(), Error> {
        let deadline = net::deadline(self.settings.timeout);
        self.login_by(deadline, user, |_| password(), account)
    }

    /// Does the same before a deadline, which the time that `password` and `account` take does not
    /// count for: a person may type them. `password` hears whether it will go out in clear.
    pub(in crate::client) fn login_by(
        &mut self,
        mut deadline: Option<Instant>,
        user: &Name,
        password: impl FnOnce(Exposure) -> Result<Secret, Error>,
        account: impl FnOnce() -> Result<Option<Secret>, Error>,
    ) -> Result<(), Error> {
        let named = Command::User(user.clone());
        let mut reply = match self.ask_unless_interrupted(&named, deadline) {
            // Pure-FTPd closes the connection with its 421.
            Err(Error::Closing(reply)) if wants_tls(&reply) && !self.is_encrypted() => reply,
            other => other?,
        };
        if !self.is_encrypted() && wants_tls(&reply) {
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
        self.origin.logged_in(used);
        self.protect_data(deadline)?;
        self.learn_features(deadline)
    }

    /// Sends QUIT and waits for the reply; the server may be gone already.
    pub fn quit(mut self) {
        if self.send(&Command::Quit).is_ok() {
            let patience = self.settings.timeout.min(FAREWELL);
            // The reply does not matter.
            let _ = self.reply_by(net::deadline(patience));
            self.end_tls();
        }
    }

    /// Sends QUIT without waiting for the reply, so that the other connections do not wait for a round
    /// trip.
    pub(in crate::client) fn leave(mut self) {
        if !self.lost {
            // The server may be gone already.
            let _ = self.send(&Command::Quit);
            self.end_tls();
        }
    }

    /// Returns true if the connection was made beside the first one, to work at the same time.
    pub(in crate::client) fn is_helper(&self) -> bool {
        self.is_helper
    }

    /// Changes what breaks its transfers off.
    pub(in crate::client) fn set_interrupt(&mut self, interrupt: Interrupt) {
        self.settings.interrupt = interrupt;
    }

    /// Returns whether the connection can no longer be used.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Returns a clone of the socket, by which another thread can cut the connection.
    pub(in crate::client) fn line(&self) -> Option<TcpStream> {
        self.control.stream().tcp().try_clone().ok()
    }

    /// Returns the server's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }
}

/// Connects in a thread that Ctrl-C abandons: nothing wakes a thread that waits for a name server.
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
            // Ctrl-C may have ended the wait.
            let _ = sender.send(net::connect(&host, port, patience));
            done.set();
        }
    };
    if thread::Builder::new().name("connect".into()).spawn(dialing).is_err() {
        return Ok(net::connect(host, port, patience));
    }
    let mut items = [armed.item(), PollItem::new(done.handle(), Interest::Read)];
    // The name server has the same deadline.
    let waited = net::wait(&mut items, deadline);
    match (receiver.try_recv(), waited) {
        (Ok(connected), _) => Ok(connected),
        (Err(_), Ok(())) => Err(Error::Interrupted),
        (Err(_), Err(error)) if error.kind() == io::ErrorKind::TimedOut => Ok(Err(error)),
        (Err(_), Err(error)) => Err(Error::Local(error)),
    }
}

/// Returns whether the greeting names a server that ends a transfer when the next EPSV comes. Others
/// are recognized by their behavior, but that costs seconds.
fn mixes_commands_up(greeting: &Reply) -> bool {
    const KNOWN: &[u8] = b"pyftpdlib";
    let mut lines =
        std::iter::once(greeting.text()).chain(greeting.body().iter().map(Vec::as_slice));
    lines.any(|line| line.windows(KNOWN.len()).any(|word| word.eq_ignore_ascii_case(KNOWN)))
}

/// Returns whether a reply to USER requires TLS. Servers say so in words only:
/// `530 Non-anonymous sessions must use encryption.` (vsftpd), `550 SSL/TLS required on the control
/// channel` (ProFTPD), `421 ... cleartext sessions ... are not accepted` (Pure-FTPd).
fn wants_tls(reply: &Reply) -> bool {
    if reply.code().is_success() {
        return false;
    }
    let text = reply.to_string().to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let about = has(&["tls", "ssl", "encrypt", "cleartext"]);
    match reply.code().is_intermediate() {
        // A password may be required here, and TLS be mentioned besides.
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
    fn a_password_is_sent_only_where_it_is_asked_for() {
        let mut connection = Script::serve(|server| {
            server.expect("USER me", "230 welcome");
            server.expect("FEAT", "502 none");
            server.expect("USER me", "331 who says so?");
            server.expect("PASS secret", "230-welcome\r\n 331 nothing\r\n230 back");
        });
        log_in(&mut connection).unwrap();
        log_in(&mut connection).unwrap();
    }

    #[test]
    fn a_login_has_the_deadline_of_the_operation_and_no_time_of_its_own() {
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
    fn after_a_login_that_is_refused_another_can_be_tried() {
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
    fn an_account_is_named_where_it_is_asked_for() {
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
    fn a_server_that_wants_encryption_hears_no_password() {
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
            assert!(matches!(log_in(&mut connection), Err(Error::WantsTls(_))), "{reply}");
            connection.current_dir().unwrap();
        }
    }

    #[test]
    fn a_server_that_only_speaks_of_encryption_hears_the_password() {
        let mut connection = Script::serve(|server| {
            server.expect("USER me", "331 Password required for me (TLS is off)");
            server.expect("PASS secret", "230 welcome");
            server.expect("FEAT", "502 none");
        });
        log_in(&mut connection).unwrap();
    }
}
