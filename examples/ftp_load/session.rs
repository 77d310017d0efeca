//! One session as a load generator wants it: blocking, few system calls, nothing remembered.
//!
//! The library's client watches Ctrl-C, shows progress and survives odd servers; each of these
//! costs, and a generator must cost less than what it measures. It speaks through the same
//! [`Control`], and leaves the rest away.

use mt_ftp::protocol::address::{parse_extended_passive, parse_passive};
use mt_ftp::protocol::{Code, Control, Reply};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Where to connect to, and as whom.
#[derive(Clone, Debug)]
pub struct Target {
    /// The control connection.
    pub address: SocketAddr,
    /// Who logs in.
    pub user: String,
    /// With which password, if it is asked for.
    pub password: String,
    /// How data connections are asked for.
    pub passive: Passive,
    /// How long the server may be silent.
    pub patience: Duration,
}

/// How data connections are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passive {
    /// EPSV, and PASV from the first refusal on.
    Auto,
    /// EPSV.
    Extended,
    /// PASV.
    Classic,
}

/// A control connection to a server that has greeted.
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
    /// No connection, or no welcome.
    pub fn connect(target: &'a Target) -> io::Result<Session<'a>> {
        let tcp = connect(target.address, target.patience)?;
        tcp.set_nodelay(true)?;
        let passive = target.passive;
        let mut session = Session { target, control: Control::new(tcp), passive };
        let greeting = session.final_reply()?;
        wanted(greeting, Code::is_success)?;
        Ok(session)
    }

    /// Connects, logs in and chooses TYPE I.
    ///
    /// # Errors
    /// What any of these answers that is no yes.
    pub fn open(target: &'a Target) -> io::Result<Session<'a>> {
        let mut session = Session::connect(target)?;
        session.login()?;
        session.say("TYPE I")?;
        Ok(session)
    }

    /// USER, and PASS if it is asked for.
    ///
    /// # Errors
    /// A login that is refused.
    pub fn login(&mut self) -> io::Result<()> {
        let reply = self.ask(&format!("USER {}", self.target.user))?;
        if reply.code().is_intermediate() {
            self.say(&format!("PASS {}", self.target.password))?;
        } else {
            wanted(reply, Code::is_success)?;
        }
        Ok(())
    }

    /// A command that is to be answered with a yes.
    ///
    /// # Errors
    /// Any other answer.
    pub fn say(&mut self, line: &str) -> io::Result<()> {
        let reply = self.ask(line)?;
        wanted(reply, Code::is_success).map(drop)
    }

    /// RETR, LIST, NLST or MLSD: reads all of it into `buffer`, again and again, and says how much
    /// it was. After `deadline` it breaks off.
    ///
    /// # Errors
    /// Anything but a whole transfer.
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

    /// STOR: sends `size` bytes out of `buffer`, again and again.
    ///
    /// # Errors
    /// Anything but a whole transfer.
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

    /// QUIT, and waits for the server to close. It closes first, so that it is not our ports that
    /// stay taken for a minute.
    ///
    /// # Errors
    /// What the connection says.
    pub fn quit(mut self) -> io::Result<()> {
        self.say("QUIT")?;
        while self.control.fill()? > 0 {}
        Ok(())
    }

    fn begin(&mut self, command: &str) -> io::Result<TcpStream> {
        let data = self.data_connection()?;
        self.control.send(format!("{command}\r\n").as_bytes())?;
        let reply = self.control.read_reply()?;
        // 125 and 150 mean the same to us (RFC 959 section 5.4).
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
        // The address is not believed; behind NAT it is wrong more often than not.
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

/// A blocking socket that gives up after `patience`, since what hangs must not hang for ever.
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
