//! A scripted server: the test lists the expected commands and the replies, line by line.
//!
//! [`play`] runs the client with one script, and [`play_all`] with one script per connection, in
//! the order of the connections. After the last script nothing listens on the port.
//! [`ScriptedServer::serve`] is for tests in which only some commands matter.

use super::tls::{Identity, Wire};
use super::wire::accept;
use super::{Client, Run};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// The reply to MDTM in tests for which the time does not matter.
pub const TIME: &str = "213 20250102030405";

/// The server's side of a control connection.
pub struct ScriptedServer {
    control: BufReader<Wire>,
    /// The listener for the data connection of the last EPSV.
    passive: Option<TcpListener>,
    /// True if the script answers FEAT; otherwise FEAT is refused.
    tells_features: bool,
}

impl ScriptedServer {
    /// Waits for a client.
    pub fn on(listener: &TcpListener) -> ScriptedServer {
        ScriptedServer {
            control: BufReader::new(Wire::Plain(accept(listener))),
            passive: None,
            tells_features: false,
        }
    }

    /// Closes the connection without a reply.
    pub fn close(&self) {
        // The client may already have closed it.
        let _ = self.control.get_ref().tcp().shutdown(Shutdown::Both);
    }

    /// Returns the socket, on which bytes can be sent unencrypted despite TLS.
    pub fn tcp(&self) -> &TcpStream {
        self.control.get_ref().tcp()
    }

    /// Reads to the end of the connection; with TLS that is close_notify.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.control.read_to_end(&mut rest).map(|_| rest)
    }

    /// Returns a second handle to the socket, with which another thread can close the connection.
    pub fn line(&self) -> TcpStream {
        self.control.get_ref().tcp().try_clone().unwrap()
    }

    /// The address of the client.
    pub fn peer(&self) -> io::Result<SocketAddr> {
        self.control.get_ref().tcp().peer_addr()
    }

    /// Sends bytes unchanged.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.control.get_mut().write_all(bytes)
    }

    /// Sends a reply, even if the client has already disconnected.
    pub fn say(&mut self, reply: &str) {
        let _ = self.control.get_mut().write_all(format!("{reply}\r\n").as_bytes());
    }

    /// Reads the next command, which must have this verb, and returns its line.
    pub fn hear(&mut self, verb: &str) -> String {
        let line = self.next().unwrap_or_else(|| panic!("expected {verb}, and the client left"));
        assert!(line.starts_with(verb), "expected {verb}, heard {line:?}");
        line
    }

    /// Makes the script answer FEAT, which is refused automatically otherwise.
    pub fn with_features(&mut self) {
        self.tells_features = true;
    }

    /// Reads the next command; `None` if the client has disconnected.
    pub fn next(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let length = self.control.read_until(b'\n', &mut line);
        if line == b"FEAT\r\n" && !self.tells_features {
            self.say("502 no features");
            return self.next();
        }
        match length {
            Ok(1..) => Some(String::from_utf8_lossy(&line).trim_end().to_owned()),
            Ok(0) | Err(_) => None,
        }
    }

    /// Performs the TLS handshake. Data connections with the same `id` may resume its TLS session.
    pub fn accept_tls(&mut self, identity: &Identity, id: u8) -> io::Result<()> {
        assert!(self.control.buffer().is_empty(), "the client speaks before the handshake");
        self.control.get_mut().accept(identity, id)
    }

    /// Greets the client, whose first command must be AUTH TLS, and does the handshake.
    pub fn start_tls(&mut self, identity: &Identity, id: u8) {
        self.say("220 ready");
        self.answer("AUTH TLS", "234 go ahead");
        self.accept_tls(identity, id).unwrap();
    }

    /// Like [`ScriptedServer::start_tls`], and accepts the login and PROT P.
    pub fn welcome_to_tls(&mut self, identity: &Identity, id: u8) {
        self.start_tls(identity, id);
        self.answer("USER", "331 password");
        self.answer("PASS", "230 in");
        self.answer("PBSZ 0", "200 PBSZ=0");
        self.answer("PROT P", "200 protected");
    }

    /// Expects a command and replies to it.
    pub fn answer(&mut self, verb: &str, reply: &str) {
        self.hear(verb);
        self.say(reply);
    }

    /// Greets the client and accepts its login.
    pub fn welcome(&mut self) {
        self.say("220 ready");
        self.answer("USER", "331 password");
        self.answer("PASS", "230 in");
    }

    /// Answers all commands until the client disconnects. `answer` replies to the commands that
    /// matter, and returns false for the others, which get the usual reply.
    pub fn serve(&mut self, mut answer: impl FnMut(&mut ScriptedServer, &str, &str) -> bool) {
        self.say("220 ready");
        while let Some(line) = self.next() {
            let (verb, operand) = line.split_once(' ').unwrap_or((&line, ""));
            if !answer(self, verb, operand) {
                self.answer_as_usual(verb);
            }
        }
    }

    /// Sends the reply of a server that accepts everything but knows only the verbs of the login.
    pub fn answer_as_usual(&mut self, verb: &str) {
        match verb {
            "USER" => self.say("331 password"),
            "PASS" => self.say("230 in"),
            "EPSV" => self.offer("229 Extended (|||%|)"),
            "QUIT" => self.say("221 bye"),
            _ => self.say("200 ok"),
        }
    }

    /// Opens a port for a data connection, and replaces `%` in the reply with it.
    pub fn offer(&mut self, reply: &str) {
        let listener = listener();
        let port = listener.local_addr().unwrap().port().to_string();
        self.say(&reply.replace('%', &port));
        self.passive = Some(listener);
    }

    /// Accepts the data connection to the port that was announced last.
    pub fn data(&self) -> TcpStream {
        accept(self.passive.as_ref().unwrap())
    }

    /// Sends a listing or a file, from the 150 to the 226.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.say("150 here");
        self.data().write_all(bytes.as_ref()).unwrap();
        self.say("226 done");
    }

    /// Answers EPSV with a port, and returns the listener on it.
    pub fn epsv(&mut self) -> TcpListener {
        let listener = listener();
        let port = listener.local_addr().unwrap().port();
        self.answer("EPSV", &format!("229 Extended (|||{port}|)"));
        listener
    }

    /// Answers all commands up to the 150 of a RETR; `size` is the reply to SIZE.
    pub fn begin_retr(&mut self, size: &str) -> TcpStream {
        self.answer("TYPE I", "200 binary");
        self.answer("SIZE", size);
        self.answer("MDTM", TIME);
        self.retr()
    }

    /// Answers the commands of a RETR after SIZE and MDTM.
    pub fn retr(&mut self) -> TcpStream {
        let listener = self.epsv();
        self.answer("RETR", "150 here it comes");
        accept(&listener)
    }

    /// Like [`ScriptedServer::retr`] from an offset, which the client must request.
    pub fn retr_from(&mut self, offset: usize) -> TcpStream {
        let listener = self.epsv();
        self.answer(&format!("REST {offset}"), "350 go ahead");
        self.answer("RETR", "150 here it comes");
        accept(&listener)
    }

    /// Answers all commands up to the 150 of a STOR of a file so large that the client asks for
    /// SIZE.
    pub fn begin_large_stor(&mut self) -> TcpStream {
        self.answer("TYPE I", "200 binary");
        self.answer("SIZE", "550 none");
        let listener = self.epsv();
        self.answer("STOR", "150 give me");
        accept(&listener)
    }

    /// Answers all commands up to the 150 of a STOR.
    pub fn begin_stor(&mut self) -> TcpStream {
        self.answer("TYPE I", "200 binary");
        let listener = self.epsv();
        self.answer("STOR", "150 give me");
        accept(&listener)
    }

    /// Reads the commands that arrived in one packet.
    pub fn piece(&mut self) -> Option<Vec<String>> {
        let mut piece = vec![self.next()?];
        while !self.control.buffer().is_empty() {
            piece.push(self.next()?);
        }
        Some(piece)
    }

    /// Returns whether the client quits or disconnects next; any other command remains to be read.
    pub fn is_left(&mut self) -> bool {
        match self.control.fill_buf() {
            Ok(line) => line.is_empty() || line.starts_with(b"QUIT"),
            Err(_) => true,
        }
    }

    /// Lets the client quit, and refuses all other commands.
    pub fn finish(&mut self) {
        while let Some(line) = self.next() {
            self.say(if line == "QUIT" { "221 bye" } else { "500 what?" });
        }
    }
}

/// Returns a listener on 127.0.0.1 with a port that the system selects.
pub fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

/// The script of one connection.
pub type Script<'a> = Box<dyn FnOnce(&mut ScriptedServer) + Send + 'a>;

/// Runs these commands with a server that follows this script.
pub fn play(
    client: &Client,
    commands: &str,
    script: impl FnOnce(&mut ScriptedServer) + Send,
) -> Run {
    play_all(client, &[], commands, vec![Box::new(script)])
}

/// Like [`play`], with options and a script for each connection.
pub fn play_all(
    client: &Client,
    options: &[&str],
    commands: &str,
    scripts: Vec<Script<'_>>,
) -> Run {
    play_on(client, options, commands, |listener| {
        let mut listener = Some(listener);
        let last = scripts.len();
        for (number, script) in (1..).zip(scripts) {
            let mut server = ScriptedServer::on(listener.as_ref().unwrap());
            if number == last {
                listener = None;
            }
            script(&mut server);
        }
    })
}

/// Like [`play_all`], with scripts that run at the same time, started in the order of the
/// connections.
pub fn play_together(
    client: &Client,
    options: &[&str],
    commands: &str,
    scripts: Vec<Script<'_>>,
) -> Run {
    play_on(client, options, commands, |listener| {
        thread::scope(|scope| {
            for script in scripts {
                let mut server = ScriptedServer::on(&listener);
                scope.spawn(move || script(&mut server));
            }
        });
    })
}

/// Runs these commands with a server that uses its listener as `serve` does.
fn play_on(
    client: &Client,
    options: &[&str],
    commands: &str,
    serve: impl FnOnce(TcpListener) + Send,
) -> Run {
    let listener = listener();
    let port = listener.local_addr().unwrap().port().to_string();
    thread::scope(|scope| {
        let server = scope.spawn(move || serve(listener));
        let usual = |option| !options.contains(&option);
        let timeout: &[&str] = if usual("--timeout") { &["--timeout", "2"] } else { &[] };
        // The pauses grow: more retries would take too long for a test.
        let retries: &[&str] = if usual("--retries") { &["--retries", "2"] } else { &[] };
        let words = [options, timeout, retries, &["-c", commands, "127.0.0.1", &port]].concat();
        let run = client.run(&words);
        assert!(server.join().is_ok(), "the client left the script: {run:#?}");
        run
    })
}
