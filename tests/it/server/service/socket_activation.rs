//! Under a service manager: passed sockets, notifications, and the replacement of the program
//! while clients connect.

use crate::support::wire::Peer;
use crate::support::{PATIENCE, eventually, signal};
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ftp_server");

/// The steps of a service manager between fork and exec. std passes only the first three
/// descriptors, so the sockets are passed as those and moved here.
const ONE: &str = "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$@\"";
const TWO: &str = "exec 3<&0 4<&2 2>&1 </dev/null; export LISTEN_FDS=2 LISTEN_PID=$$; exec \"$@\"";

fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

fn handed(listener: &TcpListener) -> Stdio {
    Stdio::from(OwnedFd::from(listener.try_clone().unwrap()))
}

/// Returns the command that runs the program in `root` through this script.
fn command(script: &str, root: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", PROGRAM, "--log-level", "warn", "--root"]).arg(root);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).env_remove("NOTIFY_SOCKET");
    command
}

/// A running program; it is killed on drop.
struct Activated {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Activated {
    fn start(command: &mut Command) -> Activated {
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Activated { child, stdout }
    }

    /// Starts the program with a socket, and waits until it is ready.
    fn on(listener: &TcpListener, root: &Path) -> Activated {
        let mut it = Activated::start(command(ONE, root).stdin(handed(listener)));
        assert_eq!(it.listening(), listener.local_addr().unwrap());
        it
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn listening(&mut self) -> SocketAddr {
        let line = self.line();
        line.strip_prefix("Listening on ").expect(&line).parse().expect(&line)
    }

    fn terminate(&self) {
        signal(&self.child, "TERM");
    }

    fn exit(&mut self) -> ExitStatus {
        // The end of its output is the end of the program.
        self.stdout.read_to_end(&mut Vec::new()).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Activated {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn visitor(address: SocketAddr) -> Peer {
    let mut peer = Peer::connect(address);
    peer.expect(220);
    peer.login();
    peer.say("TYPE I").expect(200);
    peer
}

#[test]
fn a_passed_socket_is_served() {
    let (listener, root) = (listener(), TempDir::new().unwrap());
    let address = listener.local_addr().unwrap();
    // A client that connected before the start of the program is served too.
    let mut early = Peer::connect(address);
    let mut server = Activated::on(&listener, root.path());
    assert!(server.line().starts_with("Serving "));
    early.expect(220);
    visitor(address).stor("file", "content");
    assert_eq!(std::fs::read(root.path().join("file")).unwrap(), b"content");
    early.say("QUIT").expect(221);
    server.terminate();
    assert!(server.exit().success());
}

#[test]
fn several_sockets_are_all_served() {
    let (one, other, root) = (listener(), listener(), TempDir::new().unwrap());
    let addresses = [&one, &other].map(|listener| listener.local_addr().unwrap());
    let mut command = command(TWO, root.path());
    let mut server = Activated::start(command.stdin(handed(&one)).stderr(handed(&other)));
    assert_eq!([server.listening(), server.listening()], addresses);
    assert!(server.line().starts_with("Serving "));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    Peer::connect(addresses[0]).expect(220);
                }
            });
        }
        (0..50).for_each(|_| drop(visitor(addresses[1])));
        stop.store(true, Ordering::Relaxed);
    });
    server.terminate();
    assert!(server.exit().success());
}

#[test]
fn sockets_passed_to_another_process_are_not_used() {
    let root = TempDir::new().unwrap();
    let script = "export LISTEN_FDS=1 LISTEN_PID=1; exec \"$@\" --host 127.0.0.1 --port 0";
    let mut server = Activated::start(&mut command(script, root.path()));
    drop(visitor(server.listening()));
}

#[test]
fn a_passed_descriptor_that_is_not_a_socket_is_one_line_and_exit_1() {
    let root = TempDir::new().unwrap();
    let file = std::fs::File::create(root.path().join("file")).unwrap();
    let datagram = UnixDatagram::unbound().unwrap();
    for handed in [Stdio::from(file), Stdio::from(OwnedFd::from(datagram))] {
        let mut command = command(ONE, root.path());
        let output = command.stdin(handed).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.lines().count() == 1 && text.contains("descriptor 3"), "{text}");
    }
    let missing = "exec 3<&-; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$@\"";
    let output = command(missing, root.path()).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

/// Expects this notification, and then the ones of the end, in order.
fn hears(heard: &UnixDatagram, name: &str) {
    heard.set_read_timeout(Some(PATIENCE)).unwrap();
    let hear = || {
        let mut message = [0; 100];
        let length = heard.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    };
    let (listener, root) = (listener(), TempDir::new().unwrap());
    let mut command = command(ONE, root.path());
    let mut server = Activated::start(command.stdin(handed(&listener)).env("NOTIFY_SOCKET", name));
    assert_eq!(hear(), "READY=1");
    drop(visitor(server.listening()));
    server.terminate();
    assert_eq!(hear(), "STOPPING=1");
    assert!(server.exit().success());
}

#[test]
fn the_service_manager_is_notified_of_start_and_end() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("notify");
    hears(&UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap());
}

#[cfg(target_os = "linux")]
#[test]
fn a_service_manager_with_an_abstract_socket_is_notified() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    let name = format!("mt_ftp test {}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    hears(&UnixDatagram::bind_addr(&address).unwrap(), &format!("@{name}"));
}

#[test]
fn no_connection_is_refused_while_the_program_is_replaced() {
    const RESTARTS: usize = 4;
    const BETWEEN: usize = 50;
    let (listener, root) = (listener(), TempDir::new().unwrap());
    let address = listener.local_addr().unwrap();
    let (served, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let come_and_go = || {
        while !stop.load(Ordering::Relaxed) {
            // Fails the test if a connection attempt fails or a reply is missing.
            let mut peer = Peer::connect(address);
            peer.expect(220);
            for command in ["NOOP", "QUIT"] {
                match peer.say(command).hear().code {
                    200 => {}
                    221 | 421 => break,
                    code => panic!("{code} to {command}"),
                }
            }
            peer.expect_end();
            served.fetch_add(1, Ordering::Relaxed);
        }
    };
    let server = thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(come_and_go)).collect();
        let mut server = Activated::on(&listener, root.path());
        for _ in 0..RESTARTS {
            let before = served.load(Ordering::Relaxed);
            eventually("more clients", || {
                assert!(!clients.iter().any(|client| client.is_finished()), "a client failed");
                served.load(Ordering::Relaxed) >= before + BETWEEN
            });
            server.terminate();
            assert!(server.exit().success());
            server = Activated::on(&listener, root.path());
        }
        stop.store(true, Ordering::Relaxed);
        server
    });
    drop(server);
    assert!(served.load(Ordering::Relaxed) >= RESTARTS * BETWEEN);
}

#[test]
fn the_old_program_finishes_its_transfers_while_the_new_one_serves() {
    let (listener, root) = (listener(), TempDir::new().unwrap());
    let address = listener.local_addr().unwrap();
    let mut old = Activated::on(&listener, root.path());
    let mut idle = visitor(address);
    let mut uploading = visitor(address);
    let mut data = uploading.begin_with("STOR file", "first ");
    old.terminate();
    // From now on the old server accepts no connections.
    idle.expect(421);
    let _new = Activated::on(&listener, root.path());
    (0..20).for_each(|n| visitor(address).stor(format!("new{n}"), "content"));
    std::io::Write::write_all(&mut data, b"second").unwrap();
    drop(data);
    uploading.expect(226);
    uploading.expect(421);
    assert!(old.exit().success());
    assert_eq!(std::fs::read(root.path().join("file")).unwrap(), b"first second");
}
