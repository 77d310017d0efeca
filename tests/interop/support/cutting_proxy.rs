//! A proxy between a client and a server that forwards everything, and interrupts one transfer in
//! the middle. It replaces the port in replies to EPSV, so that it forwards data connections, too.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// The maximum wait for the server's 150.
const PATIENCE: Duration = Duration::from_secs(30);

/// The connections that are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Only the data connection.
    Data,
    /// The data connection and the control connection.
    Everything,
}

/// Listens until the test's process ends.
pub(crate) struct Between {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    /// The interruption that is still to come, and after how many bytes of a transfer.
    planned: Option<(Cut, usize)>,
    /// The commands that the client sent.
    commands: Vec<String>,
}

impl Between {
    /// Starts a proxy for `server` that interrupts the first transfer that reaches `after` bytes.
    pub(crate) fn start(server: SocketAddr, cut: Cut, after: usize) -> Between {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = State { planned: Some((cut, after)), commands: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let between = Between { address, state: Arc::clone(&state) };
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                // If the server cannot be reached, the client's connection is closed.
                if let Ok(server) = TcpStream::connect(server) {
                    Line::new(client, server, Arc::clone(&state)).pass_on();
                }
            }
        });
        between
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Checks that a transfer was interrupted; otherwise the test would prove nothing.
    #[track_caller]
    pub(crate) fn assert_has_cut(&self) {
        assert_eq!(lock(&self.state).planned, None, "nothing was cut");
    }

    /// Checks that the client has sent a command that begins with these words.
    #[track_caller]
    pub(crate) fn assert_received(&self, words: &str) {
        let commands = &lock(&self.state).commands;
        assert!(commands.iter().any(|line| line.starts_with(words)), "{commands:#?}");
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no thread panics with the lock held")
}

/// Both halves of a control connection.
struct Line {
    client: TcpStream,
    server: TcpStream,
    state: Arc<Mutex<State>>,
    /// The number of 150 replies that were forwarded to the client.
    begun: Mutex<usize>,
    begins: Condvar,
}

impl Line {
    fn new(client: TcpStream, server: TcpStream, state: Arc<Mutex<State>>) -> Line {
        Line { client, server, state, begun: Mutex::new(0), begins: Condvar::new() }
    }

    fn pass_on(self) {
        let line = Arc::new(self);
        let other = Arc::clone(&line);
        thread::spawn(move || line.pass_commands_on());
        thread::spawn(move || other.pass_replies_on());
    }

    fn pass_commands_on(&self) {
        let _ = each_line(&self.client, |line| {
            lock(&self.state).commands.push(String::from_utf8_lossy(&line).trim_end().to_owned());
            (&self.server).write_all(&line)
        });
        let _ = self.server.shutdown(Shutdown::Write);
    }

    fn pass_replies_on(self: Arc<Line>) {
        let _ = each_line(&self.server, |line| {
            let line = self.replace_port(line);
            (&self.client).write_all(&line)?;
            if line.starts_with(b"150") {
                *self.begun.lock().expect("no thread panics with the lock held") += 1;
                self.begins.notify_all();
            }
            Ok(())
        });
        let _ = self.client.shutdown(Shutdown::Write);
    }

    /// Replaces the port in a 229 with one of the proxy, and returns every other reply unchanged.
    fn replace_port(self: &Arc<Line>, line: Vec<u8>) -> Vec<u8> {
        let text = String::from_utf8_lossy(&line).into_owned();
        let port = text.strip_prefix("229 ").and_then(|text| {
            let (_, port) = text.split_once("(|||")?;
            port.split_once("|)")?.0.parse().ok()
        });
        let Some(port) = port else { return line };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let ours = listener.local_addr().expect("an address").port();
        let there = SocketAddr::new(self.server.peer_addr().expect("a server").ip(), port);
        let line = Arc::clone(self);
        thread::spawn(move || {
            if let Ok((client, _)) = listener.accept()
                && let Ok(server) = TcpStream::connect(there)
            {
                line.pass_data_on(client, server);
            }
        });
        format!("229 Elsewhere (|||{ours}|)\r\n").into_bytes()
    }

    /// Forwards a data connection, which the client opens before it sends the transfer command.
    fn pass_data_on(&self, client: TcpStream, server: TcpStream) {
        let before = *self.begun.lock().expect("no thread panics with the lock held");
        thread::scope(|scope| {
            scope.spawn(|| self.copy(&client, &server, before));
            self.copy(&server, &client, before);
        });
    }

    /// Waits until the client has received the 150, because a transfer that is cut earlier has not
    /// begun.
    fn wait_for_begin(&self, before: usize) {
        let begun = self.begun.lock().expect("no thread panics with the lock held");
        let waited = self.begins.wait_timeout_while(begun, PATIENCE, |begun| *begun <= before);
        drop(waited.expect("no thread panics with the lock held"));
    }

    fn copy(&self, mut from: &TcpStream, mut to: &TcpStream, before: usize) {
        let (mut chunk, mut total) = ([0; 16 * 1024], 0);
        while let Ok(length @ 1..) = from.read(&mut chunk) {
            total += length;
            if to.write_all(&chunk[..length]).is_err() {
                break;
            }
            if let Some(cut) = self.is_cut_at(total) {
                self.wait_for_begin(before);
                let data = [from, to].into_iter();
                let control = [&self.client, &self.server].into_iter();
                let all = data.chain(control.filter(|_| cut == Cut::Everything));
                all.for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
                return;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }

    fn is_cut_at(&self, total: usize) -> Option<Cut> {
        let planned = &mut lock(&self.state).planned;
        planned.take_if(|(_, after)| total >= *after).map(|(cut, _)| cut)
    }
}

fn each_line(
    stream: &TcpStream,
    mut pass: impl FnMut(Vec<u8>) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        pass(line)?;
    }
}
