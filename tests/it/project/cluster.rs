//! Tests of `examples/cluster`: HAProxy in front of three servers that share a directory.
//!
//! The balancer uses the example's configuration with other addresses. Each cluster has its own network
//! in 127.0.0.0/8, so its ports are free.

use crate::support::wire::{self, Peer};
use crate::support::{Client, PATIENCE, Server, eventually, noise};
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

const EXAMPLE: &str = "examples/cluster";

/// The number of uploads, and of the clients that share them.
const UPLOADS: usize = 100;
const CLIENTS: usize = 10;

/// The balancer and its nodes, which are killed on drop.
struct Cluster {
    balancer: Child,
    nodes: Vec<Option<Server>>,
    /// The first three bytes of the addresses, with a dot at the end.
    network: String,
    shared: TempDir,
    own: TempDir,
}

impl Cluster {
    fn start() -> Cluster {
        Cluster::announcing("send-proxy-v2")
    }

    /// Starts a cluster in which the balancer announces clients with these HAProxy keywords.
    fn announcing(how: &str) -> Cluster {
        static CLUSTERS: AtomicU32 = AtomicU32::new(0);
        let id = std::process::id() * 8 + CLUSTERS.fetch_add(1, Ordering::Relaxed);
        let network = format!("127.{}.{}.", 64 + id / 250 % 64, 1 + id % 250);
        let (shared, own) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let nodes = (1..=3).map(|number| Some(node(&network, number, &shared))).collect();
        let config = own.path().join("haproxy.cfg");
        let text = adapted(&network).replace("send-proxy-v2", how);
        fs::write(&config, text).unwrap();
        let log = fs::File::create(own.path().join("log")).unwrap();
        let balancer = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let cluster = Cluster { balancer, nodes, network, shared, own };
        eventually("a greeting through the balancer", || cluster.greets());
        cluster
    }

    fn address(&self) -> SocketAddr {
        format!("{}10:2121", self.network).parse().unwrap()
    }

    fn greets(&self) -> bool {
        let Ok(stream) = std::net::TcpStream::connect(self.address()) else { return false };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut greeting = [0; 3];
        std::io::Read::read_exact(&mut &stream, &mut greeting).is_ok() && &greeting == b"220"
    }

    fn visitor(&self) -> Peer {
        let mut peer = Peer::connect(self.address());
        peer.expect(220);
        peer.login();
        peer.say("TYPE I").expect(200);
        peer
    }

    fn balancer_log(&self) -> String {
        fs::read_to_string(self.own.path().join("log")).unwrap_or_default()
    }

    fn node(&self, number: usize) -> &Server {
        self.nodes[number].as_ref().unwrap()
    }

    /// Returns the number of client sessions of a node so far.
    fn served(&self, number: usize) -> usize {
        self.node(number).log().matches(" connected ").count()
    }

    fn files(&self) -> usize {
        let names = fs::read_dir(self.shared.path()).unwrap().map(|entry| entry.unwrap());
        names.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.')).count()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.balancer.kill();
        let _ = self.balancer.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the balancer\n{}", self.balancer_log());
        }
    }
}

fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE).join(name)
}

/// Starts a node with the example's `node.conf` and other addresses and directories.
fn node(network: &str, number: usize, shared: &TempDir) -> Server {
    let ports = format!("{}-{}", 20_900 + 100 * number, 20_999 + 100 * number);
    let host = format!("{network}{}", 10 + number);
    let root = shared.path().to_str().unwrap();
    let config = example("node.conf");
    let status = format!("{host}:8021");
    let options = ["--config", config.to_str().unwrap(), "--port", "2121", "--status", &status];
    let options =
        [&options[..], &["--passive-ports", &ports, "--proxy-protocol", "127.0.0.1"]].concat();
    // Overrides the empty root directory of the test fixture.
    let options = [&options[..], &["--root", root]].concat();
    Server::launch(TempDir::new().unwrap(), &host, &options)
}

/// Returns the example with other addresses, without privileged ports, and with a lower connection
/// limit.
fn adapted(network: &str) -> String {
    let text = fs::read_to_string(example("haproxy.cfg")).unwrap();
    let text =
        text.replace("10.0.0.1", &format!("{network}1")).replace("maxconn 100000", "maxconn 500");
    text.replace("*:", &format!("{network}10:")).replace(":21\n", ":2121\n")
}

/// Returns true if a node is receiving an upload.
fn is_uploading(node: &Server) -> bool {
    let open = fs::read_dir(format!("/proc/{}/fd", node.pid())).unwrap();
    // A file that was created without a name has a number instead.
    let is_upload = |path: &str| path.contains(".ftp-partial-") || path.contains("/#");
    open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .any(|to| is_upload(&to.to_string_lossy()))
}

#[test]
#[ignore = "needs haproxy"]
fn haproxy_accepts_the_example() {
    let mut check = Command::new("haproxy");
    let output = check.args(["-c", "-f"]).arg(example("haproxy.cfg")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !said.contains("WARNING"), "{said}");
}

#[test]
#[ignore = "needs haproxy"]
fn uploads_are_complete_even_if_a_node_is_killed() {
    let mut cluster = Cluster::start();
    let address = cluster.address();
    let content = |n: usize| noise(200_000 + n, n as u64);
    let clients: Vec<Client> = (0..CLIENTS).map(|_| Client::new()).collect();
    let mut running: Vec<Child> = Vec::new();
    for (number, client) in clients.iter().enumerate() {
        let mine: Vec<usize> = (0..UPLOADS).filter(|n| n % CLIENTS == number).collect();
        mine.iter().for_each(|n| client.write(format!("file{n}"), content(*n)));
        let puts: Vec<String> = mine.iter().map(|n| format!("put file{n}")).collect();
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let puts = puts.join("; ");
        // Slow enough to kill a node during the uploads.
        let words = ["--rate-limit", "1M", "--retries", "10", "-c", &puts, &host, &port];
        running.push(client.spawn(&words));
    }
    eventually("some of the uploads", || cluster.files() >= UPLOADS / 5);
    assert!((0..3).all(|number| cluster.served(number) > 0), "sessions are not balanced");
    eventually("an upload at the second node", || is_uploading(cluster.node(1)));
    let dead = cluster.nodes[1].take().unwrap();
    let before = cluster.files();
    drop(dead);
    assert!(before < UPLOADS, "all uploads finished before the node was killed");
    for client in running {
        let output = client.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for n in 0..UPLOADS {
        let stored = fs::read(cluster.shared.path().join(format!("file{n}"))).unwrap();
        assert!(stored == content(n), "file{n} has the wrong content");
    }
    assert_eq!(cluster.files(), UPLOADS);
    // The remaining two nodes serve new clients.
    (0..10).for_each(|_| drop(cluster.visitor()));
}

#[test]
#[ignore = "needs haproxy"]
fn a_download_from_a_killed_node_is_finished_on_another() {
    let mut cluster = Cluster::start();
    let content = noise(3_000_000, 7);
    fs::write(cluster.shared.path().join("file"), &content).unwrap();
    let client = Client::new();
    let address = cluster.address();
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let words = ["--rate-limit", "1M", "-c", "get file", &host, &port];
    let running = client.spawn(&words);
    let some = || {
        let part = client.names().into_iter().find(|name| name.contains("file"));
        part.is_some_and(|name| {
            fs::metadata(client.path(name)).is_ok_and(|part| part.len() > 500_000)
        })
    };
    eventually("part of the file", some);
    let busy = (0..3).find(|number| cluster.served(*number) > 0).unwrap();
    cluster.nodes[busy] = None;
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(client.read("file") == content);
}

#[test]
#[ignore = "needs haproxy"]
fn data_goes_through_the_balancer_and_clients_are_distinguished() {
    let cluster = Cluster::start();
    let mut peers: Vec<Peer> = (0..6).map(|_| cluster.visitor()).collect();
    for (number, peer) in peers.iter_mut().enumerate() {
        // PASV announces the balancer's address, and a port that it forwards.
        assert_eq!(peer.pasv().ip(), cluster.address().ip());
        let content = noise(100_000, number as u64);
        peer.stor(format!("file{number}"), &content);
        assert_eq!(peer.retr(format!("file{number}")), content);
        assert!(peer.list("LIST").contains(&format!("file{number}")));
    }
    // A client with another address cannot take the data connection.
    let mut peer = cluster.visitor();
    let to = peer.pasv();
    let stranger = wire::connect_as("127.0.0.9".parse().unwrap(), to);
    peer.say("RETR file0").expect(150);
    assert_eq!(wire::drain(wire::connect(to)), noise(100_000, 0));
    peer.expect(226);
    drop(stranger);
    (0..3).for_each(|number| assert!(cluster.served(number) >= 2, "sessions are not balanced"));
    let log = cluster.node(0).log();
    assert!(log.contains("via=127.0.0.1:") && !log.contains(" warn "), "{log}");
}

#[test]
#[ignore = "needs haproxy"]
fn every_header_that_haproxy_can_send_is_accepted() {
    for how in ["send-proxy", "send-proxy-v2 proxy-v2-options crc32c,unique-id"] {
        let cluster = Cluster::announcing(how);
        let mut peer = cluster.visitor();
        peer.stor("file", how);
        assert_eq!(peer.retr("file"), how.as_bytes());
        peer.say("STAT").expect_text(211, "Connected from 127.0.0.1");
    }
}

#[test]
#[ignore = "needs haproxy"]
fn a_draining_node_gets_no_new_sessions_and_finishes_its_own() {
    let mut cluster = Cluster::start();
    let mut peers: Vec<Peer> = (0..3).map(|_| cluster.visitor()).collect();
    let mut uploads: Vec<_> = peers
        .iter_mut()
        .enumerate()
        .map(|(n, peer)| peer.begin_with(&format!("STOR up{n}"), "first "))
        .collect();
    let before = cluster.served(2);
    assert_eq!(before, 1, "not one session per node");
    cluster.node(2).terminate();
    cluster.node(2).wait_for_log(&["signal", "Terminate"]);
    (0..20).for_each(|n| cluster.visitor().stor(format!("new{n}"), "content"));
    assert_eq!(cluster.served(2), before);
    for data in &mut uploads {
        std::io::Write::write_all(data, b"second").unwrap();
    }
    // The balancer has seen the failing health check, not only refused connections.
    eventually("the node's health check to fail", || cluster.balancer_log().contains("503"));
    drop(uploads);
    for (number, peer) in peers.iter_mut().enumerate() {
        peer.expect(226);
        let stored = fs::read(cluster.shared.path().join(format!("up{number}"))).unwrap();
        assert_eq!(stored, b"first second");
    }
    let mut drained = cluster.nodes[2].take().unwrap();
    assert!(drained.exit().success());
}
