//! A session of the load generator: blocking, with few system calls and little state.
//!
//! The library's client watches for Ctrl-C, shows progress and handles unusual servers, which all
//! costs time, and a load generator must cost less than the server. It uses the same [`Control`]
//! and nothing else of the client.

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
    /// The longest wait for the server.
    pub patience: Duration,
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
    control: Control<TcpStream>,
    passive: Passive,
}

impl<'a> Session<'a> {
    /// Connects and reads the greeting.
    ///
    /// # Errors
    /// Fails if there is no connection or no positive greeting.
    pub fn connect(target: &'a Target) -> io::Result<Session<'a>> {
        let tcp = connect(target.address, target.patience)?;
        tcp.set_nodelay(true)?;
        let passive = target.passive;
        let mut session = Session { target, control: Control::new(tcp), passive };
        let greeting = session.final_reply()?;
        wanted(greeting, Code::is_success)?;
        Ok(session)
    }

    /// Connects, logs in and selects TYPE I.
    ///
    /// # Errors
    /// Fails if any of these fails.
    pub fn open(target: &'a Target) -> io::Result<Session<'a>> {
        let mut session = Session::connect(target)?;
        session.login()?;
        session.say("TYPE I")?;
        Ok(session)
    }

    /// Sends USER, and PASS if the server asks for it.
    ///
    /// # Errors
    /// Fails if the login is refused.
    pub fn login(&mut self) -> io::Result<()> {
        let reply = self.ask(&format!("USER {}", self.target.user))?;
        if reply.code().is_intermediate() {
            self.say(&format!("PASS {}", self.target.password))?;
        } else {
            wanted(reply, Code::is_success)?;
        }
        Ok(())
    }

    /// Sends a command that must succeed.
    ///
    /// # Errors
    /// Fails with any other reply.
    pub fn say(&mut self, line: &str) -> io::Result<()> {
        let reply = self.ask(line)?;
        wanted(reply, Code::is_success).map(drop)
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
            in_time(deadline)?;
        }
        drop(data);
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
            in_time(deadline)?;
        }
        drop(data);
        self.end()?;
        Ok(size)
    }

    /// Sends QUIT, and waits until the server closes the connection. The server closes first, so
    /// that the TIME_WAIT state does not occupy ports of this program.
    ///
    /// # Errors
    /// Returns the errors of the connection.
    pub fn quit(mut self) -> io::Result<()> {
        self.say("QUIT")?;
        while self.control.fill()? > 0 {}
        Ok(())
    }

    fn begin(&mut self, command: &str) -> io::Result<TcpStream> {
        let data = self.data_connection()?;
        self.control.send(format!("{command}\r\n").as_bytes())?;
        let reply = self.control.read_reply()?;
        // 125 and 150 have the same effect here (RFC 959 section 5.4).
        wanted(reply, Code::is_preliminary)?;
        Ok(data)
    }

    fn end(&mut self) -> io::Result<()> {
        let reply = self.final_reply()?;
        wanted(reply, Code::is_success).map(drop)
    }

    fn data_connection(&mut self) -> io::Result<TcpStream> {
        if self.passive != Passive::Classic {
            let reply = self.ask("EPSV")?;
            if reply.code() == Code::EXTENDED_PASSIVE || self.passive == Passive::Extended {
                return self.connect_to(
                    parse_extended_passive(reply.text(), self.target.address.ip()),
                    &reply,
                );
            }
            self.passive = Passive::Classic;
        }
        let reply = self.ask("PASV")?;
        // Only the port is used, because behind NAT the address is often wrong.
        self.connect_to(parse_passive(reply.text()).map(|address| address.port()), &reply)
    }

    fn connect_to(&self, port: Option<u16>, reply: &Reply) -> io::Result<TcpStream> {
        let port = port.ok_or_else(|| refused(reply))?;
        let mut address = self.target.address;
        address.set_port(port);
        connect(address, self.target.patience)
    }

    fn ask(&mut self, line: &str) -> io::Result<Reply> {
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

/// Connects with a blocking socket whose reads and writes time out after `patience`.
fn connect(address: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(patience))?;
    tcp.set_write_timeout(Some(patience))?;
    Ok(tcp)
}

fn in_time(deadline: Instant) -> io::Result<()> {
    if Instant::now() < deadline { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
}

fn wanted(reply: Reply, good: impl Fn(Code) -> bool) -> io::Result<Reply> {
    if good(reply.code()) { Ok(reply) } else { Err(refused(&reply)) }
}

fn refused(reply: &Reply) -> io::Error {
    io::Error::other(format!("the server answered {}", reply.to_string().escape_debug()))
}
