//! A session of the load generator: blocking, with few system calls and little state.
//!
//! The library's client watches for Ctrl-C, shows progress and handles unusual servers, which all
//! costs time, and a load generator must cost less than the server. It uses the same [`Control`]
//! and nothing else of the client.

use crate::connection::Connection;
use mt_ftp::protocol::address::{parse_extended_passive, parse_passive};
use mt_ftp::protocol::{Code, Control, Reply};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The server and the login.
#[derive(Clone, Debug)]
pub struct Target {
    /// The address of the control connection.
    pub address: SocketAddr,
    /// The user name.
    pub user: String,
    /// The password, sent if the server asks for it.
    pub password: String,
    /// The command for data connections.
    pub passive: Passive,
    /// Encrypt the control connection and the data connections.
    pub tls: bool,
    /// The maximum wait for the server.
    pub timeout: Duration,
}

/// The command for data connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passive {
    /// EPSV, or PASV after EPSV was refused.
    Auto,
    /// EPSV.
    Extended,
    /// PASV.
    Classic,
}

/// A control connection whose greeting was received.
#[derive(Debug)]
pub struct Session<'a> {
    target: &'a Target,
    control: Control<Connection>,
    passive: Passive,
}

impl<'a> Session<'a> {
    /// Connects, reads the greeting, and begins TLS if the target says so.
    ///
    /// # Errors
    /// Fails if there is no connection, no positive greeting or no TLS.
    pub fn connect(target: &'a Target) -> io::Result<Session<'a>> {
        let connection = connect(target.address, target.timeout)?;
        connection.set_nodelay()?;
        let passive = target.passive;
        let mut session = Session { target, control: Control::new(connection), passive };
        let greeting = session.final_reply()?;
        check_reply(greeting, Code::is_success)?;
        if target.tls {
            session.execute("AUTH TLS")?;
            session.control.stream_mut().encrypt(None)?;
        }
        Ok(session)
    }

    /// Connects, logs in and selects TYPE I.
    ///
    /// # Errors
    /// Fails if any of these fails.
    pub fn open(target: &'a Target) -> io::Result<Session<'a>> {
        let mut session = Session::connect(target)?;
        session.login()?;
        session.execute("TYPE I")?;
        Ok(session)
    }

    /// Logs in as the user of the target.
    ///
    /// # Errors
    /// Fails if the login or the encryption is refused.
    pub fn login(&mut self) -> io::Result<()> {
        self.login_as(&self.target.user)
    }

    /// Sends USER, and PASS if the server asks for it. Under TLS the data connections are to be
    /// encrypted from then on.
    ///
    /// # Errors
    /// Fails if the login or the encryption is refused.
    pub fn login_as(&mut self, user: &str) -> io::Result<()> {
        let reply = self.send_command(&format!("USER {user}"))?;
        if reply.code().is_intermediate() {
            self.execute(&format!("PASS {}", self.target.password))?;
        } else {
            check_reply(reply, Code::is_success)?;
        }
        if self.target.tls {
            // RFC 4217 section 9: PBSZ has to come first.
            self.execute("PBSZ 0")?;
            self.execute("PROT P")?;
        }
        Ok(())
    }

    /// Sends a command that must succeed.
    ///
    /// # Errors
    /// Fails with any other reply.
    pub fn execute(&mut self, line: &str) -> io::Result<()> {
        let reply = self.send_command(line)?;
        check_reply(reply, Code::is_success).map(drop)
    }

    /// Runs RETR, LIST, NLST or MLSD, reads the data into `buffer` repeatedly, and returns the
    /// number of bytes. After `deadline` the transfer is aborted.
    ///
    /// # Errors
    /// Fails unless the transfer is complete.
    pub fn receive(
        &mut self,
        command: &str,
        buffer: &mut [u8],
        deadline: Instant,
    ) -> io::Result<u64> {
        let mut data = self.begin(command)?;
        let mut total = 0;
        loop {
            match data.read(buffer)? {
                0 => break,
                length => total += length as u64,
            }
            check_deadline(deadline)?;
        }
        data.end_download();
        self.end()?;
        Ok(total)
    }

    /// Runs STOR and sends `size` bytes, from `buffer` repeatedly.
    ///
    /// # Errors
    /// Fails unless the transfer is complete.
    pub fn send(
        &mut self,
        command: &str,
        buffer: &[u8],
        size: u64,
        deadline: Instant,
    ) -> io::Result<u64> {
        let mut data = self.begin(command)?;
        let mut left = size;
        while left > 0 {
            let length = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            data.write_all(&buffer[..length])?;
            left -= length as u64;
            check_deadline(deadline)?;
        }
        data.end_upload()?;
        self.end()?;
        Ok(size)
    }

    /// Sends QUIT, and waits until the server closes the connection. The server closes first, so
    /// that the TIME_WAIT state does not occupy ports of this program.
    ///
    /// # Errors
    /// Returns the errors of the connection.
    pub fn quit(mut self) -> io::Result<()> {
        self.execute("QUIT")?;
        self.control.stream_mut().wait_for_end()
    }

    fn begin(&mut self, command: &str) -> io::Result<Connection> {
        let mut data = self.data_connection()?;
        self.control.send(format!("{command}\r\n").as_bytes())?;
        let reply = self.control.read_reply()?;
        // 125 and 150 have the same effect here (RFC 959 section 5.4).
        check_reply(reply, Code::is_preliminary)?;
        if let Some(tls) = self.control.stream().tls() {
            // The session as it is now, since tickets come at any time.
            data.encrypt(tls.session().as_ref())?;
        }
        Ok(data)
    }

    fn end(&mut self) -> io::Result<()> {
        let reply = self.final_reply()?;
        check_reply(reply, Code::is_success).map(drop)
    }

    fn data_connection(&mut self) -> io::Result<Connection> {
        if self.passive != Passive::Classic {
            let reply = self.send_command("EPSV")?;
            if reply.code() == Code::EXTENDED_PASSIVE || self.passive == Passive::Extended {
                return self.connect_to(
                    parse_extended_passive(reply.text(), self.target.address.ip()),
                    &reply,
                );
            }
            self.passive = Passive::Classic;
        }
        let reply = self.send_command("PASV")?;
        // Only the port is used, because behind NAT the address is often wrong.
        self.connect_to(parse_passive(reply.text()).map(|address| address.port()), &reply)
    }

    fn connect_to(&self, port: Option<u16>, reply: &Reply) -> io::Result<Connection> {
        let port = port.ok_or_else(|| unexpected_reply(reply))?;
        let mut address = self.target.address;
        address.set_port(port);
        connect(address, self.target.timeout)
    }

    fn send_command(&mut self, line: &str) -> io::Result<Reply> {
        self.control.send(format!("{line}\r\n").as_bytes())?;
        self.final_reply()
    }

    fn final_reply(&mut self) -> io::Result<Reply> {
        loop {
            let reply = self.control.read_reply()?;
            if !reply.code().is_preliminary() {
                return Ok(reply);
            }
        }
    }
}

/// Connects; reads and writes time out after `timeout`.
fn connect(address: SocketAddr, timeout: Duration) -> io::Result<Connection> {
    Connection::new(TcpStream::connect(address)?, timeout)
}

fn check_deadline(deadline: Instant) -> io::Result<()> {
    if Instant::now() < deadline { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
}

fn check_reply(reply: Reply, good: impl Fn(Code) -> bool) -> io::Result<Reply> {
    if good(reply.code()) { Ok(reply) } else { Err(unexpected_reply(&reply)) }
}

fn unexpected_reply(reply: &Reply) -> io::Error {
    io::Error::other(format!("the server answered {}", reply.to_string().escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mt_ftp::protocol::Line;
    use mt_ftp::sys::{TlsContext, TlsVersion, make_certificate, tls_library};
    use std::net::TcpListener;
    use std::{fs, thread};

    const TIMEOUT: Duration = Duration::from_secs(20);
    const SIZE: u64 = 300_000;

    /// The server's end of a session.
    struct Server {
        context: TlsContext,
        control: Control<Connection>,
    }

    impl Server {
        /// Accepts a connection, up to the login.
        fn accept(listener: &TcpListener, context: TlsContext) -> Server {
            let mut server = Server { context, control: Control::new(accept(listener)) };
            server.say("220 ready");
            server.hear("AUTH TLS", "234 begin");
            server.control.stream_mut().accept(&server.context).unwrap();
            server.hear("USER load", "331 password");
            server.hear("PASS word", "230 in");
            server.hear("PBSZ 0", "200 PBSZ=0");
            server.hear("PROT P", "200 private");
            server.hear("TYPE I", "200 binary");
            server
        }

        fn say(&mut self, reply: &str) {
            self.control.send(format!("{reply}\r\n").as_bytes()).unwrap();
        }

        fn hear(&mut self, command: &str, reply: &str) {
            let line = self.control.read_line().unwrap();
            assert_eq!(line, Some(Line::Text(command.into())));
            self.say(reply);
        }

        /// Returns the data connection of this command.
        fn data(&mut self, command: &str) -> Connection {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            self.hear("EPSV", &format!("229 port (|||{port}|)"));
            self.hear(command, "150 now");
            let mut data = accept(&listener);
            data.accept(&self.context).unwrap();
            assert!(data.tls().unwrap().is_resumed(), "not the session of the control connection");
            data
        }
    }

    fn accept(listener: &TcpListener) -> Connection {
        Connection::new(listener.accept().unwrap().0, TIMEOUT).unwrap()
    }

    /// Plays a session of both programs. Does nothing, with a word, where there is no TLS library.
    fn play(
        server: impl FnOnce(&mut Server) + Send,
        client: impl FnOnce(&mut Session<'_>, Instant),
    ) {
        let library = match tls_library(None) {
            Ok(library) => library,
            Err(error) => return println!("left out: {error}"),
        };
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("certificate");
        fs::write(&file, make_certificate(library, &["load.test".into()], 9).unwrap().pem).unwrap();
        let context = TlsContext::server(library, &file, &file, TlsVersion::V1_2).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target {
            address: listener.local_addr().unwrap(),
            user: "load".into(),
            password: "word".into(),
            passive: Passive::Auto,
            tls: true,
            timeout: TIMEOUT,
        };
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut session = Server::accept(&listener, context);
                server(&mut session);
                session.hear("QUIT", "221 bye");
            });
            let mut session = Session::open(&target).unwrap();
            client(&mut session, Instant::now() + TIMEOUT);
            session.quit().unwrap();
        });
    }

    #[test]
    fn an_upload_resumes_the_session_and_ends_by_close_notify() {
        let server = |server: &mut Server| {
            let mut data = server.data("STOR file");
            // Without close_notify this is an error.
            assert_eq!(io::copy(&mut data, &mut io::sink()).unwrap(), SIZE);
            data.end_download();
            server.say("226 stored");
        };
        play(server, |session, deadline| {
            let sent = session.send("STOR file", &[7; 16_000], SIZE, deadline);
            assert_eq!(sent.unwrap(), SIZE);
        });
    }

    #[test]
    fn a_download_is_whole_if_it_ends_by_close_notify() {
        for whole in [true, false] {
            let server = |server: &mut Server| {
                let mut data = server.data("RETR file");
                data.write_all(&[7; SIZE as usize]).unwrap();
                if whole {
                    data.end_upload().unwrap()
                } else {
                    drop(data)
                }
                server.say("226 sent");
            };
            play(server, |session, deadline| {
                match session.receive("RETR file", &mut [0; 16_000], deadline) {
                    Ok(size) => assert_eq!((size, whole), (SIZE, true)),
                    Err(error) => {
                        assert_eq!((error.kind(), whole), (io::ErrorKind::UnexpectedEof, false));
                        // The reply to the transfer that failed.
                        session.end().unwrap();
                    }
                }
            });
        }
    }
}
