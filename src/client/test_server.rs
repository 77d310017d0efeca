//! A scripted server for tests, which panics if it receives a command other than the expected one.

use super::connection::{Connection, Settings};
use crate::net::data::testing::Nothing;
use crate::net::{self, Stream, Waited};
use crate::protocol::address::{parse_extended, write_extended_passive, write_passive};
use crate::sys::TlsContext;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);

/// The server's side of a dialogue.
pub(super) struct Script {
    control: BufReader<Stream>,
}

impl Script {
    /// Waits for a client and greets it.
    pub(super) fn accept(listener: &TcpListener) -> Script {
        let control = Stream::new(listener.accept().unwrap().0, None).unwrap();
        let mut server = Script { control: BufReader::new(control) };
        server.say("220 hello");
        server
    }

    /// Answers AUTH TLS and does the handshake.
    pub(super) fn start_tls(&mut self, context: &TlsContext) {
        self.expect("AUTH TLS", "234 go ahead");
        let tcp = self.control.get_ref().tcp().try_clone().unwrap();
        let mut tls = context.accept(tcp, &[1; 16], None).unwrap();
        let waited = net::handshake(&mut tls, net::deadline(PATIENCE), &mut Nothing).unwrap();
        assert_eq!(waited, Waited::Ready);
        self.control.get_mut().start_tls(Box::new(tls));
    }

    /// Returns a connection to a server that sends a greeting and then runs `script`.
    pub(super) fn serve(script: impl FnOnce(&mut Script) + Send + 'static) -> Connection {
        Script::serve_as(Settings { timeout: PATIENCE, ..Settings::default() }, script)
    }

    pub(super) fn serve_as(
        settings: Settings,
        script: impl FnOnce(&mut Script) + Send + 'static,
    ) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || script(&mut Script::accept(&listener)));
        Connection::open("127.0.0.1", port, settings).unwrap()
    }

    pub(super) fn say(&mut self, reply: &str) {
        // One write, so that several replies arrive together.
        self.control.get_mut().write_all(format!("{reply}\r\n").as_bytes()).unwrap();
    }

    pub(super) fn hear(&mut self) -> String {
        self.control.get_mut().set_deadline(net::deadline(PATIENCE));
        let mut line = String::new();
        self.control.read_line(&mut line).unwrap();
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    /// Expects this command and sends the reply.
    pub(super) fn expect(&mut self, command: &str, reply: &str) {
        assert_eq!(self.hear(), command);
        self.say(reply);
    }

    pub(super) fn expect_passive(&mut self) -> Data {
        let data = Data::new();
        let mut text = b"229 ".to_vec();
        write_extended_passive(data.port(), &mut text);
        self.expect("EPSV", &String::from_utf8(text).unwrap());
        data
    }

    /// Expects PASV and replies with an address other than its own.
    pub(super) fn expect_passive_as(&mut self, host: [u8; 4]) -> Data {
        let data = Data::new();
        let mut text = b"227 ".to_vec();
        write_passive(SocketAddrV4::new(Ipv4Addr::from(host), data.port()), &mut text);
        self.expect("PASV", &String::from_utf8(text).unwrap());
        data
    }

    pub(super) fn expect_active(&mut self) -> SocketAddr {
        let line = self.hear();
        self.say("200 ok");
        parse_extended(line.strip_prefix("EPRT ").unwrap().as_bytes()).unwrap()
    }

    /// Closes the control connection, but not the data connection.
    pub(super) fn leave(&mut self) {
        self.control.get_ref().tcp().shutdown(std::net::Shutdown::Both).unwrap();
    }
}

/// The server's side of a data connection.
pub(super) struct Data {
    listener: TcpListener,
}

impl Data {
    fn new() -> Data {
        Data { listener: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    pub(super) fn accept(self) -> TcpStream {
        self.listener.accept().unwrap().0
    }

    /// Sends bytes and closes the connection.
    pub(super) fn give(self, bytes: &[u8]) {
        drop(self.begin(bytes));
    }

    /// Sends bytes and leaves the connection open.
    pub(super) fn begin(self, bytes: &[u8]) -> TcpStream {
        let mut data = self.accept();
        data.write_all(bytes).unwrap();
        data
    }

    /// Sends bytes until the client closes the connection.
    pub(super) fn give_until_refused(self) {
        let mut data = self.accept();
        std::io::copy(&mut std::io::repeat(7).take(1 << 40), &mut data).unwrap_err();
    }
}
