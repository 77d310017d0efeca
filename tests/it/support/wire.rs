//! A peer that speaks FTP directly: `peer.say("PWD").expect(257)`.
//!
//! It shares no code with the programs under test, so that their errors cannot go unnoticed. It
//! accepts only well-formed replies, which refusals of Telnet options may precede. A failure
//! prints the whole dialogue.

use crate::support::PATIENCE;
use crate::support::tls::Wire;
use mt_ftp::sys::{Interest, PollItem, Tls, Waitable, connect_from, poll};
use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::BuildHasher;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};

/// The client's side of a control connection.
pub struct Peer {
    control: Wire,
    unread: Vec<u8>,
    dialogue: String,
}

/// A reply.
#[derive(Debug)]
pub struct Said {
    /// The code.
    pub code: u16,
    /// The lines as received, with codes and without line ends.
    pub lines: Vec<Vec<u8>>,
}

impl Said {
    /// Returns the whole reply as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lines.join(&b'\n')).into_owned()
    }

    /// Returns the text of a one-line reply without its code.
    pub fn words(&self) -> String {
        self.text()[4..].to_owned()
    }
}

impl Peer {
    /// Connects without reading the greeting.
    pub fn connect(address: SocketAddr) -> Peer {
        Peer::new(connect(address))
    }

    /// Uses an existing connection.
    pub fn new(control: TcpStream) -> Peer {
        Peer { control: Wire::Plain(control), unread: Vec::new(), dialogue: String::new() }
    }

    /// Sends a line.
    pub fn say(&mut self, line: impl AsRef<[u8]>) -> &mut Peer {
        self.raw([line.as_ref(), b"\r\n"].concat())
    }

    /// Sends bytes unchanged.
    pub fn raw(&mut self, bytes: impl AsRef<[u8]>) -> &mut Peer {
        let bytes = bytes.as_ref();
        self.note("> ", bytes);
        if let Err(error) = self.control.write_all(bytes) {
            self.fail(&format!("cannot send: {error}"));
        }
        self
    }

    /// Reads the next reply, which must have this code.
    pub fn expect(&mut self, code: u16) -> Said {
        let said = self.hear();
        if said.code != code {
            self.fail(&format!("expected {code}"));
        }
        said
    }

    /// Reads the next reply, which must have this code and contain these words.
    pub fn expect_text(&mut self, code: u16, words: &str) -> Said {
        let said = self.expect(code);
        if !said.text().contains(words) {
            self.fail(&format!("expected {words:?}"));
        }
        said
    }

    /// Reads the next reply.
    pub fn hear(&mut self) -> Said {
        let first = self.line();
        let code = self.code_of(&first);
        let mut said = Said { code, lines: vec![first] };
        let last = format!("{code} ").into_bytes();
        while said.lines[0][3] == b'-' && !said.lines.last().unwrap().starts_with(&last) {
            let line = self.line();
            said.lines.push(line);
        }
        said
    }

    /// Checks that the server closes the connection without another reply.
    pub fn expect_end(&mut self) {
        let mut rest = std::mem::take(&mut self.unread);
        match self.control.read_to_end(&mut rest) {
            Ok(_) if rest.is_empty() => {}
            Ok(_) => self.fail(&format!("expected the end, got \"{}\"", rest.escape_ascii())),
            Err(error) => self.fail(&format!("expected a clean end: {error}")),
        }
    }

    /// Logs in as a visitor.
    pub fn login(&mut self) -> &mut Peer {
        self.say("USER anonymous").expect(331);
        self.say("PASS guest@").expect(230);
        self
    }

    /// Closes the sending half.
    pub fn half_close(&mut self) {
        self.note("> ", b"(end)");
        self.tcp().shutdown(Shutdown::Write).unwrap();
    }

    /// Closes the connection with an unread reply, which resets it.
    pub fn reset(mut self) {
        self.say("NOOP").tcp().peek(&mut [0]).unwrap();
    }

    /// Returns the socket of the control connection.
    pub fn tcp(&self) -> &TcpStream {
        self.control.tcp()
    }

    /// Returns the TLS connection; `None` without TLS.
    pub fn tls(&self) -> Option<&Tls> {
        match &self.control {
            Wire::Plain(_) => None,
            Wire::Tls(tls) => Some(tls),
        }
    }

    /// Continues the control connection on another stream, as after AUTH or CCC.
    pub fn put_under(&mut self, wire: Wire) {
        self.note("- ", if matches!(wire, Wire::Tls(_)) { b"TLS" } else { b"in the clear" });
        self.control = wire;
    }

    /// Sends close_notify if TLS is on, and keeps the socket open.
    pub fn end_tls(&mut self) {
        self.note("> ", b"(close_notify)");
        if let Wire::Tls(tls) = &mut self.control {
            tls.end_sending().unwrap();
        }
    }

    /// Returns the local address.
    pub fn local(&self) -> SocketAddr {
        self.tcp().local_addr().unwrap()
    }

    /// Returns everything that both sides have sent.
    pub fn dialogue(&self) -> &str {
        &self.dialogue
    }

    /// Sends EPSV and returns the announced address.
    pub fn epsv(&mut self) -> SocketAddr {
        let text = self.say("EPSV").expect(229).text();
        let port = text.split_once("(|||").and_then(|(_, rest)| rest.split_once("|)"));
        let Some(Ok(port)) = port.map(|(port, _)| port.parse()) else {
            self.fail("expected (|||PORT|)")
        };
        SocketAddr::new(self.tcp().peer_addr().unwrap().ip(), port)
    }

    /// Sends PASV and returns the announced address.
    pub fn pasv(&mut self) -> SocketAddr {
        let text = self.say("PASV").expect(227).text();
        let inner = text.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
        let numbers: Vec<u8> =
            inner.map_or("", |(inner, _)| inner).split(',').flat_map(str::parse).collect();
        let [a, b, c, d, high, low] = numbers[..] else { self.fail("expected (h,h,h,h,p,p)") };
        SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([high, low]))
    }

    /// Begins a transfer with EPSV.
    pub fn begin(&mut self, command: impl AsRef<[u8]>) -> TcpStream {
        let data = connect(self.epsv());
        self.say(command).expect(150);
        data
    }

    /// Runs a complete transfer to the client, and returns the data.
    pub fn fetch(&mut self, command: impl AsRef<[u8]>) -> Vec<u8> {
        let data = self.begin(command);
        let bytes = drain(data);
        self.expect(226);
        bytes
    }

    /// Runs a complete transfer to the server.
    pub fn send(&mut self, command: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) {
        let mut data = self.begin(command);
        data.write_all(bytes.as_ref()).unwrap();
        drop(data);
        self.expect(226);
    }

    /// Retrieves a file.
    pub fn retr(&mut self, name: impl AsRef<[u8]>) -> Vec<u8> {
        self.fetch([b"RETR ", name.as_ref()].concat())
    }

    /// Stores a file.
    pub fn stor(&mut self, name: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) {
        self.send([b"STOR ", name.as_ref()].concat(), bytes);
    }

    /// Returns a listing as text.
    pub fn list(&mut self, command: impl AsRef<[u8]>) -> String {
        String::from_utf8_lossy(&self.fetch(command)).into_owned()
    }

    /// Returns the lines of a listing, each of which must end in CR LF.
    pub fn lines(&mut self, command: impl AsRef<[u8]>) -> Vec<Vec<u8>> {
        let listing = self.fetch(command);
        let Some(listing) = listing.strip_suffix(b"\r\n") else { return Vec::new() };
        listing.split(|&b| b == b'\n').map(|line| line.trim_ascii_end().to_vec()).collect()
    }

    /// Begins an upload, and waits until the server has received these bytes and waits for more.
    pub fn begin_with(&mut self, command: &str, bytes: impl AsRef<[u8]>) -> TcpStream {
        let bytes = bytes.as_ref();
        let mut data = self.begin(command);
        data.write_all(bytes).unwrap();
        let so_far = format!("{} bytes", bytes.len());
        while !self.say("STAT").expect(213).text().contains(&so_far) {}
        data
    }

    /// Sends these bytes of an upload and interrupts it.
    pub fn break_off(&mut self, command: &str, bytes: impl AsRef<[u8]>) {
        let _data = self.begin_with(command, bytes);
        self.say("ABOR").expect(426);
        self.expect(226);
    }

    /// Fails the test with this problem.
    pub fn fail(&self, problem: &str) -> ! {
        panic!("{problem}\n--- dialogue\n{}", self.dialogue)
    }

    fn line(&mut self) -> Vec<u8> {
        loop {
            if let Some(end) = self.unread.iter().position(|&b| b == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                self.note("< ", &line);
                let mut line = line.as_slice();
                while let [255, 252 | 254, _, rest @ ..] = line {
                    line = rest;
                }
                match line.strip_suffix(b"\r\n") {
                    Some(line) => return line.to_vec(),
                    None => self.fail("the line ends without CR"),
                }
            }
            self.read_some();
        }
    }

    fn read_some(&mut self) {
        let mut chunk = [0; 4096];
        match self.control.read(&mut chunk) {
            Ok(0) => self.fail("the connection was closed"),
            Ok(length) => self.unread.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => self.fail(&format!("no reply: {error}")),
        }
    }

    fn code_of(&self, line: &[u8]) -> u16 {
        let digits = line.get(..3).and_then(|code| std::str::from_utf8(code).ok());
        match (digits.and_then(|digits| digits.parse().ok()), line.get(3)) {
            (Some(code), Some(b' ' | b'-')) => code,
            _ => self.fail("this is no reply"),
        }
    }

    fn note(&mut self, who: &str, bytes: &[u8]) {
        const ENOUGH: usize = 300;
        let shown = bytes[..bytes.len().min(ENOUGH)].escape_ascii();
        let _ = writeln!(self.dialogue, "{who}{shown}");
    }
}

/// Connects with time limits for reading and writing.
pub fn connect(address: SocketAddr) -> TcpStream {
    patient(TcpStream::connect_timeout(&address, PATIENCE).unwrap())
}

/// Connects from another local address, for which std has no function.
pub fn connect_as(local: IpAddr, address: SocketAddr) -> TcpStream {
    let stream = connect_from(local, address).unwrap();
    let mut items = [PollItem::new(Waitable::handle(&stream), Interest::Write)];
    poll(&mut items, Some(PATIENCE)).unwrap();
    assert!(stream.take_error().unwrap().is_none());
    stream.set_nonblocking(false).unwrap();
    patient(stream)
}

/// Accepts one connection.
pub fn accept(listener: &TcpListener) -> TcpStream {
    let mut items = [PollItem::new(Waitable::handle(listener), Interest::Read)];
    assert!(poll(&mut items, Some(PATIENCE)).unwrap() > 0, "nobody connects");
    patient(listener.accept().unwrap().0)
}

/// Reads until the end.
pub fn drain(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Returns a port that nobody listens on. It is below those that the system gives to connections, so that
/// none of the connections of other tests takes it in the meantime.
pub fn free_port() -> u16 {
    let random = RandomState::new();
    let ports = (0..1000u32).map(|number| 10_000 + (random.hash_one(number) % 20_000) as u16);
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
    ports.into_iter().find(is_free).unwrap()
}
