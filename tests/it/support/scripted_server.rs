//! A server played by a test: what it hears and says stands in the test, line by line.
//!
//! [`play`] runs the client against one part, [`play_all`] against one part a connection, in the
//! order in which they come. Where no part is left nobody listens.

use crate::support::wire::accept;
use crate::support::{Client, Run};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// What MDTM is answered where its time does not matter.
pub const TIME: &str = "213 20250102030405";

/// A server's side of a control connection.
pub struct Actor {
    control: BufReader<TcpStream>,
}

impl Actor {
    /// Waits for the client.
    pub fn on(stage: &TcpListener) -> Actor {
        Actor { control: BufReader::new(accept(stage)) }
    }

    /// Goes without a word.
    pub fn leave(&self) {
        // The client may have gone before.
        let _ = self.control.get_ref().shutdown(Shutdown::Both);
    }

    /// Where the client is.
    pub fn peer(&self) -> io::Result<SocketAddr> {
        self.control.get_ref().peer_addr()
    }

    /// Says anything at all.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.control.get_mut().write_all(bytes)
    }

    pub fn say(&mut self, reply: &str) {
        // A client that has left already is what some of these tests are about.
        let _ = self.control.get_mut().write_all(format!("{reply}\r\n").as_bytes());
    }

    /// The next command, which must be this one; gives all of its line.
    pub fn hear(&mut self, verb: &str) -> String {
        let line = self.next().unwrap_or_else(|| panic!("expected {verb}, and the client left"));
        assert!(line.starts_with(verb), "expected {verb}, heard {line:?}");
        line
    }

    pub fn next(&mut self) -> Option<String> {
        let mut line = Vec::new();
        match self.control.read_until(b'\n', &mut line) {
            Ok(1..) => Some(String::from_utf8_lossy(&line).trim_end().to_owned()),
            Ok(0) | Err(_) => None,
        }
    }

    pub fn answer(&mut self, verb: &str, reply: &str) {
        self.hear(verb);
        self.say(reply);
    }

    /// Greets, and takes whoever comes.
    pub fn welcome(&mut self) {
        self.say("220 ready");
        self.answer("USER", "331 password");
        self.answer("PASS", "230 in");
    }

    /// Answers EPSV with a port, and gives what listens there.
    pub fn epsv(&mut self) -> TcpListener {
        let listener = listener();
        let port = listener.local_addr().unwrap().port();
        self.answer("EPSV", &format!("229 Extended (|||{port}|)"));
        listener
    }

    /// Everything up to the 150 of a RETR, as long as `size` promises.
    pub fn begin_retr(&mut self, size: &str) -> TcpStream {
        self.answer("TYPE I", "200 binary");
        self.answer("SIZE", size);
        self.answer("MDTM", TIME);
        self.retr()
    }

    /// The rest of that, once the client knows what it wants.
    pub fn retr(&mut self) -> TcpStream {
        let listener = self.epsv();
        self.answer("RETR", "150 here it comes");
        accept(&listener)
    }

    /// The same from some byte on, which the client must ask for.
    pub fn retr_from(&mut self, offset: usize) -> TcpStream {
        let listener = self.epsv();
        self.answer(&format!("REST {offset}"), "350 go on");
        self.answer("RETR", "150 here it comes");
        accept(&listener)
    }

    /// Everything up to the 150 of a STOR of a file so large that the client looks first.
    pub fn begin_large_stor(&mut self) -> TcpStream {
        self.answer("TYPE I", "200 binary");
        self.answer("SIZE", "550 none");
        let listener = self.epsv();
        self.answer("STOR", "150 give me");
        accept(&listener)
    }

    /// Everything up to the 150 of a STOR.
    pub fn begin_stor(&mut self) -> TcpStream {
        self.answer("TYPE I", "200 binary");
        let listener = self.epsv();
        self.answer("STOR", "150 give me");
        accept(&listener)
    }

    /// The commands that have come in one piece.
    pub fn piece(&mut self) -> Option<Vec<String>> {
        let mut piece = vec![self.next()?];
        while !self.control.buffer().is_empty() {
            piece.push(self.next()?);
        }
        Some(piece)
    }

    /// Whether the client says goodbye next; if not, what it says is heard later.
    pub fn is_left(&mut self) -> bool {
        match self.control.fill_buf() {
            Ok(line) => line.is_empty() || line.starts_with(b"QUIT"),
            Err(_) => true,
        }
    }

    /// Is polite to a client that leaves.
    pub fn part(&mut self) {
        while let Some(line) = self.next() {
            self.say(if line == "QUIT" { "221 bye" } else { "500 what?" });
        }
    }
}

pub fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

/// What a server does on one connection.
pub type Part<'a> = Box<dyn FnOnce(&mut Actor) + Send + 'a>;

/// Runs these commands against a server that plays this part.
pub fn play(client: &Client, commands: &str, part: impl FnOnce(&mut Actor) + Send) -> Run {
    play_all(client, &[], commands, vec![Box::new(part)])
}

/// The same with more options, and a part for each connection.
pub fn play_all(client: &Client, options: &[&str], commands: &str, parts: Vec<Part<'_>>) -> Run {
    let stage = listener();
    let port = stage.local_addr().unwrap().port().to_string();
    thread::scope(|scope| {
        let acting = scope.spawn(move || {
            let mut stage = Some(stage);
            let last = parts.len();
            for (number, part) in (1..).zip(parts) {
                let mut actor = Actor::on(stage.as_ref().unwrap());
                if number == last {
                    stage = None;
                }
                part(&mut actor);
            }
        });
        let words = [options, &["--timeout", "2", "-c", commands, "127.0.0.1", &port]].concat();
        let run = client.run(&words);
        assert!(acting.join().is_ok(), "the server was surprised: {run:#?}");
        run
    })
}

/// The same for parts that are played at the same time, in the order in which the client comes.
pub fn play_together(
    client: &Client,
    options: &[&str],
    commands: &str,
    parts: Vec<Part<'_>>,
) -> Run {
    let stage = listener();
    let port = stage.local_addr().unwrap().port().to_string();
    thread::scope(|scope| {
        let acting = scope.spawn(move || {
            for part in parts {
                // One that is left over when the client has left has nobody to talk to.
                let mut actor = Actor::on(&stage);
                scope.spawn(move || part(&mut actor));
            }
        });
        let words = [options, &["--timeout", "2", "-c", commands, "127.0.0.1", &port]].concat();
        let run = client.run(&words);
        assert!(acting.join().is_ok(), "the server was surprised: {run:#?}");
        run
    })
}
