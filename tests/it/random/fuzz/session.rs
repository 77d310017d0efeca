//! A random session determined by a seed: its commands and its use of data connections.
//!
//! Except for passive ports, the replies do not influence the commands, so only the scheduling of
//! threads is not determined by the seed.

use super::grammar;
use super::replies::Replies;
use crate::support::PATIENCE;
use crate::support::random::Random;
use mt_ftp::protocol::Control;
use mt_ftp::sys::{Interest, PollItem, Waitable, connect_from, poll};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// Time limit for events that may never occur.
const BRIEFLY: Duration = Duration::from_millis(150);

/// Maximum number of bytes to transfer.
const MAX_TRANSFER: usize = 4 << 20;

/// Runs the session of this seed, and returns the codes of all final replies.
///
/// # Errors
/// Describes the server's error, with everything that was sent and received.
pub fn run(address: SocketAddr, seed: u64) -> Result<Vec<u16>, String> {
    let mut random = Random(seed);
    // Never the address of the well-behaved client, because the server may block this address.
    let [a, b, c] = [0; 3].map(|_: u8| 2 + random.below(250) as u8);
    let local = IpAddr::V4(Ipv4Addr::new(127, a, b, c));
    let control = connect(local, address).and_then(|control| with_timeouts(control, PATIENCE));
    let control = control.ok_or("cannot connect")?;
    let received = Received::default();
    let (ignores_replies, ending) = (random.chance(10), ending(&mut random));
    let sent = thread::scope(|scope| {
        let mut session =
            Session { control, local, received: &received, sent: Vec::new(), held: Vec::new() };
        if !ignores_replies {
            let control = session.control.try_clone().map_err(|error| error.to_string())?;
            scope.spawn(|| received.listen(control));
        }
        session.run_steps(&mut random, ending);
        Ok::<_, String>(session.sent)
    })?;
    let said = received.said.into_inner().unwrap();
    let finals = &said.replies.finals;
    match said.judge(&sent, ending) {
        Ok(()) => Ok(finals.iter().map(|(code, _)| *code).collect()),
        Err(why) => {
            let finals: Vec<&str> = finals.iter().map(|(_, text)| text.as_str()).collect();
            let (sent, finals) = (sent.escape_ascii(), finals.join("\n"));
            Err(format!("{why}\n--- sent\n{sent}\n--- final replies\n{finals}"))
        }
    }
}

/// The way in which a session ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    /// QUIT, then wait for the end.
    Quit,
    /// Close the sending side, then wait for the replies.
    HalfClose,
    /// Close both directions immediately.
    Vanish,
    /// Stay silent until the server closes the connection.
    Wait,
}

fn ending(random: &mut Random) -> Ending {
    match random.below(20) {
        0..4 => Ending::Quit,
        4..14 => Ending::HalfClose,
        14..19 => Ending::Vanish,
        _ => Ending::Wait,
    }
}

/// The replies received so far, shared with the sending thread.
#[derive(Default)]
struct Received {
    said: Mutex<Said>,
    more: Condvar,
}

#[derive(Default)]
struct Said {
    replies: Replies,
    /// The first error in the replies.
    problem: Option<String>,
    /// The end of the connection.
    end: Option<io::Result<()>>,
}

impl Received {
    fn listen(&self, mut control: TcpStream) {
        let mut chunk = [0; 4096];
        loop {
            let read = control.read(&mut chunk);
            let mut said = self.said.lock().unwrap();
            match read {
                Ok(0) => said.end = Some(Ok(())),
                Ok(length) => said.problem = said.replies.feed(&chunk[..length]).err(),
                Err(error) => said.end = Some(Err(error)),
            }
            self.more.notify_all();
            if said.end.is_some() || said.problem.is_some() {
                return;
            }
        }
    }

    fn finals(&self) -> usize {
        self.said.lock().unwrap().replies.finals.len()
    }

    /// Waits briefly for a final reply after the first `known` for which `take` returns a value.
    fn find<T>(&self, known: usize, take: impl Fn(u16, &str) -> Option<T>) -> Option<T> {
        let look = |said: &Said| {
            said.replies.finals.iter().skip(known).find_map(|(code, text)| take(*code, text))
        };
        let said = self.said.lock().unwrap();
        let waits =
            |said: &mut Said| said.end.is_none() && said.problem.is_none() && look(said).is_none();
        let (said, _) = self.more.wait_timeout_while(said, BRIEFLY, waits).unwrap();
        look(&said)
    }
}

impl Said {
    fn judge(&self, sent: &[u8], ending: Ending) -> Result<(), String> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        let answers = self.replies.finals.len();
        let lines = 1 + lines_of(sent);
        match &self.end {
            Some(Ok(())) if !self.replies.is_complete() => {
                Err("an incomplete reply at the end".into())
            }
            Some(Err(error)) if is_timeout(error) => {
                Err("the server did not close the connection".into())
            }
            // The greeting, one reply per line, and perhaps a final 421.
            _ if answers > lines + 1 => Err(format!("{answers} final replies to {lines} lines")),
            Some(Ok(())) if ending == Ending::HalfClose && !self.replies.has_closed() => {
                match answers == lines {
                    true => Ok(()),
                    false => Err(format!("{answers} final replies to {lines} lines")),
                }
            }
            _ => Ok(()),
        }
    }
}

/// Returns the number of lines in these bytes, as the crate's own reader counts them.
fn lines_of(sent: &[u8]) -> usize {
    let mut control = Control::new(sent);
    let mut lines = 0;
    while let Ok(Some(_)) = control.read_line() {
        lines += 1;
    }
    lines
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

struct Session<'a> {
    control: TcpStream,
    local: IpAddr,
    received: &'a Received,
    sent: Vec<u8>,
    /// Data connections that stay open until the session ends.
    held: Vec<TcpStream>,
}

impl Session<'_> {
    fn run_steps(&mut self, random: &mut Random, ending: Ending) {
        self.log_in(random);
        for _ in 0..3 + random.below(15) {
            // A separate generator per step, so that timing in one step does not change the next.
            let random = &mut Random(random.number());
            match random.below(20) {
                0..8 => self.talk(random),
                8..16 => self.transfer(random),
                16 => {
                    let garbage = grammar::garbage(random, 300);
                    self.say(random, &garbage);
                }
                17 => drop(self.received.find(self.received.finals(), |_, _| Some(()))),
                18 => drop(self.held.pop()),
                _ => self.say(random, b"\r\nUSER ftp\r\nPASS x\r\nTYPE I\r\n"),
            }
        }
        self.end(ending);
    }

    fn log_in(&mut self, random: &mut Random) {
        let login: &[u8] = match random.below(20) {
            0 => b"USER reader\r\nPASS secret\r\n",
            1 => b"USER homebody\r\nPASS secret\r\n",
            2 => b"USER reader\r\nPASS wrong\r\nUSER ftp\r\nPASS x\r\n",
            3 => b"",
            4 => b"\xff\xfb\x1fUSER ftp\nPASS x\n",
            _ => b"USER ftp\r\nPASS guest@\r\n",
        };
        self.say(random, login);
    }

    /// Sends bytes in one or several pieces. Ignores a closed connection.
    fn say(&mut self, random: &mut Random, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let length = if random.chance(80) { rest.len() } else { 1 + random.index(rest.len()) };
            let (piece, after) = rest.split_at(length);
            if self.control.write_all(piece).is_err() {
                return;
            }
            self.sent.extend_from_slice(piece);
            rest = after;
        }
    }

    fn talk(&mut self, random: &mut Random) {
        let mut bytes = Vec::new();
        for _ in 0..=random.below(4) {
            bytes.extend(grammar::line(random));
            bytes.extend_from_slice(grammar::end_of_line(random));
        }
        if random.chance(30) {
            grammar::mutate(random, &mut bytes);
        }
        self.say(random, &bytes);
    }

    /// Sets up a data connection, starts a transfer, and uses the connection somehow.
    fn transfer(&mut self, random: &mut Random) {
        if random.chance(60) {
            self.passive(random);
        } else {
            self.active(random);
        }
        // Ends a line that may still be incomplete.
        if random.chance(90) {
            self.say(random, b"\r\n");
        }
    }

    fn passive(&mut self, random: &mut Random) {
        let known = self.received.finals();
        let line = random.pick(&["EPSV\r\n", "PASV\r\n", "epsv 1\r\n"]);
        self.say(random, line.as_bytes());
        let port = self.received.find(known, announced_port);
        let (early, stranger, twice) = (random.chance(50), random.chance(10), random.chance(10));
        let mut stream = None;
        let to = port.map(|port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
        if let Some(to) = to.filter(|_| stranger) {
            let stranger = connect(Ipv4Addr::new(127, 0, 0, 2).into(), to);
            self.held.extend(stranger.filter(|_| random.chance(50)));
        }
        if let Some(to) = to.filter(|_| early) {
            stream = connect(self.local, to);
        }
        self.ask(random);
        if let Some(to) = to.filter(|_| !early && random.chance(90)) {
            stream = connect(self.local, to);
        }
        if let Some(to) = to.filter(|_| twice) {
            self.held.extend(connect(self.local, to));
        }
        self.use_data_connection(random, stream);
    }

    fn active(&mut self, random: &mut Random) {
        let host = if random.chance(90) { self.local } else { Ipv4Addr::LOCALHOST.into() };
        let Ok(listener) = TcpListener::bind((host, 0)) else { return };
        let Ok(SocketAddr::V4(at)) = listener.local_addr() else { return };
        let [a, b, c, d] = at.ip().octets();
        let [high, low] = at.port().to_be_bytes();
        let line = match random.chance(50) {
            true => format!("PORT {a},{b},{c},{d},{high},{low}\r\n"),
            false => format!("EPRT |1|{}|{}|\r\n", at.ip(), at.port()),
        };
        self.say(random, line.as_bytes());
        let listener = Some(listener).filter(|_| random.chance(85));
        self.ask(random);
        let stream = listener.and_then(|listener| accept(&listener));
        self.use_data_connection(random, stream);
    }

    fn ask(&mut self, random: &mut Random) {
        let mut bytes = Vec::new();
        match random.below(10) {
            0 => bytes.extend(format!("REST {}\r\n", random.below(200)).into_bytes()),
            1 => bytes.extend(b"TYPE A\r\n"),
            2 => bytes.extend(b"TYPE I\r\n"),
            3 => bytes.extend(b"RANG 3 70\r\n"),
            _ => {}
        }
        let verb = random.pick(&[
            "RETR ", "RETR ", "STOR ", "STOR ", "APPE ", "LIST ", "NLST ", "MLSD ", "LIST -R ",
            "STOU ", "STOU", "LIST", "MLSD",
        ]);
        bytes.extend(verb.as_bytes());
        if verb.ends_with(' ') {
            bytes.extend(grammar::path(random));
        }
        bytes.extend(grammar::end_of_line(random));
        if random.chance(10) {
            grammar::mutate(random, &mut bytes);
        }
        self.say(random, &bytes);
    }

    fn use_data_connection(&mut self, random: &mut Random, stream: Option<TcpStream>) {
        let what = random.below(12);
        let bytes = grammar::garbage(random, [10, 1000, 300_000][what as usize % 3]);
        let Some(mut stream) = stream else { return };
        match what {
            0..3 => drain(&mut stream, MAX_TRANSFER),
            // Closing the socket with unread data resets the connection.
            3 => drain(&mut stream, 100),
            4..6 => drop(stream.write_all(&bytes)),
            6 => {
                let _ = stream.write_all(&bytes).and_then(|()| stream.shutdown(Shutdown::Write));
                drain(&mut stream, MAX_TRANSFER);
            }
            7 => {
                let _ = stream.shutdown(Shutdown::Write);
                self.held.push(stream);
            }
            8 => self.held.push(stream),
            9 => {
                let _ = stream.write_all(&bytes);
                let abort = random.pick(&[&b"ABOR\r\n"[..], b"\xff\xf4\xff\xf2ABOR\r\n"]);
                self.say(random, abort);
                self.held.push(stream);
            }
            10 => {
                self.say(random, b"STAT\r\nNOOP\r\n");
                let _ = stream.write_all(&bytes);
                drain(&mut stream, MAX_TRANSFER);
            }
            _ => {}
        }
    }

    fn end(&mut self, ending: Ending) {
        match ending {
            Ending::Quit => {
                let _ = self.control.write_all(b"\r\nQUIT\r\n");
                self.sent.extend_from_slice(b"\r\nQUIT\r\n");
                let _ = self.control.shutdown(Shutdown::Write);
            }
            Ending::HalfClose => drop(self.control.shutdown(Shutdown::Write)),
            Ending::Vanish => drop(self.control.shutdown(Shutdown::Both)),
            Ending::Wait => {}
        }
    }
}

/// Returns the port of a 227 or 229.
fn announced_port(code: u16, text: &str) -> Option<u16> {
    let inner = text.split_once('(')?.1.split_once(')')?.0;
    match code {
        229 => inner.trim_matches('|').parse().ok(),
        227 => {
            let mut numbers = inner.rsplit(',');
            let low: u16 = numbers.next()?.parse().ok()?;
            let high: u16 = numbers.next()?.parse().ok()?;
            Some(high * 256 + low)
        }
        _ => None,
    }
}

/// Reads until the end, until `most` bytes have arrived, or until nothing arrives in time.
fn drain(stream: &mut TcpStream, most: usize) {
    let mut chunk = [0; 8192];
    let mut left = most;
    while let Ok(length @ 1..) = stream.read(&mut chunk[..left.min(8192)]) {
        left -= length;
    }
}

/// Connects from the address `local`; `None` if nothing listens there.
fn connect(local: IpAddr, to: SocketAddr) -> Option<TcpStream> {
    let stream = connect_from(local, to).ok()?;
    poll(&mut [PollItem::new(Waitable::handle(&stream), Interest::Write)], Some(PATIENCE)).ok()?;
    stream.take_error().ok().filter(Option::is_none)?;
    stream.set_nonblocking(false).ok()?;
    with_timeouts(stream, BRIEFLY)
}

fn accept(listener: &TcpListener) -> Option<TcpStream> {
    let mut items = [PollItem::new(Waitable::handle(listener), Interest::Read)];
    let came = poll(&mut items, Some(BRIEFLY)).ok()? > 0;
    with_timeouts(came.then(|| listener.accept().ok())??.0, BRIEFLY)
}

fn with_timeouts(stream: TcpStream, patience: Duration) -> Option<TcpStream> {
    stream.set_read_timeout(Some(patience)).ok()?;
    stream.set_write_timeout(Some(patience)).ok()?;
    stream.set_nodelay(true).ok()?;
    Some(stream)
}
