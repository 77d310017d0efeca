//! Tests of the service files in `examples`: their readers accept them, and their restrictions allow
//! everything that the server needs.

use crate::support::wire;
use crate::support::{Client, Server, eventually};
use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ftp_server");

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(example(name)).unwrap()
}

/// Runs a command that must succeed, and returns its output.
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "{said}");
    said
}

/// Checks that the server accepts these options.
fn check(options: &[&str]) {
    let root = TempDir::new().unwrap();
    run(Command::new(PROGRAM).arg("check").args(options).arg("--root").arg(root.path()));
}

/// Writes the units to a directory, with the path of the built program.
fn units() -> TempDir {
    let dir = TempDir::new().unwrap();
    for name in ["ftp_server.service", "ftp_server.socket"] {
        let text = read(name).replace("/usr/local/bin/ftp_server", PROGRAM);
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

#[test]
fn the_units_start_the_server_with_valid_options() {
    let unit = read("ftp_server.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let words: Vec<&str> = start.split_whitespace().collect();
    assert_eq!(words[0], "/usr/local/bin/ftp_server");
    check(&words[1..]);
    let list = read("ftp_server.plist");
    let arguments = list.split_once("<array>").unwrap().1.split_once("</array>").unwrap().0;
    let words: Vec<&str> = arguments
        .lines()
        .filter_map(|line| line.trim().strip_prefix("<string>")?.strip_suffix("</string>"))
        .collect();
    assert_eq!(words[0], "/usr/local/bin/ftp_server");
    check(&words[1..]);
}

#[test]
#[ignore = "needs systemd"]
fn systemd_accepts_the_units_and_rates_their_exposure_as_low() {
    let dir = units();
    let (service, socket) =
        (dir.path().join("ftp_server.service"), dir.path().join("ftp_server.socket"));
    let said =
        run(Command::new("systemd-analyze").args(["verify", "--man=no"]).args([&service, &socket]));
    assert_eq!(said, "");
    // The threshold is in tenths; systemd rates values below 2 as "OK".
    let mut security = Command::new("systemd-analyze");
    run(security.args(["security", "--offline=true", "--threshold=15"]).arg(&service));
}

#[test]
#[ignore = "needs systemd"]
fn the_server_accepts_a_socket_from_systemd() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let root = TempDir::new().unwrap();
    let mut activate = Command::new("systemd-socket-activate");
    activate.args(["-l", &address.to_string(), PROGRAM, "--root"]).arg(root.path());
    activate.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = activate.spawn().unwrap();
    eventually("the port", || std::net::TcpStream::connect(address).is_ok());
    let mut peer = wire::Peer::connect(address);
    peer.expect(220);
    peer.login();
    peer.say("QUIT").expect(221);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Returns the system calls in a group of systemd.
fn system_calls(group: &str) -> BTreeSet<String> {
    let list = run(Command::new("systemd-analyze").args(["syscall-filter", "--no-pager", group]));
    let mut calls = BTreeSet::new();
    for word in list.lines().skip(1).map(str::trim).filter(|line| !line.starts_with('#')) {
        match word.starts_with('@') {
            true => calls.extend(system_calls(word)),
            false => drop(calls.insert(word.to_owned())),
        }
    }
    calls
}

/// Returns the system calls that the unit's filter allows.
fn allowed() -> BTreeSet<String> {
    let unit = read("ftp_server.service");
    let filters = unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter="));
    let (denied, granted): (Vec<&str>, Vec<&str>) = filters.partition(|line| line.starts_with('~'));
    let all = |lines: Vec<&str>| -> BTreeSet<String> {
        let groups = lines.iter().flat_map(|line| line.trim_start_matches('~').split_whitespace());
        groups.flat_map(system_calls).collect()
    };
    // systemd always adds the calls that every program needs.
    &(&all(granted) - &all(denied)) | &system_calls("@default")
}

/// Runs a session with many kinds of commands.
fn session(server: &Server) {
    let mut peer = server.visitor();
    let content = crate::support::noise(3_000_000, 1);
    peer.stor("file", &content);
    assert_eq!(peer.retr("file"), content);
    peer.break_off("STOR half", &content[..200_000]);
    for (command, code) in [
        ("MKD dir", 257),
        ("CWD dir", 250),
        ("CDUP", 250),
        ("RNFR file", 350),
        ("RNTO dir/file", 250),
        ("SITE CHMOD 600 dir/file", 200),
        ("MFMT 20200102030405 dir/file", 213),
        ("SITE SYMLINK dir link", 200),
        ("AVBL", 213),
        ("HASH dir/file", 213),
        ("SIZE dir/file", 213),
    ] {
        peer.say(command).expect(code);
    }
    assert!(peer.list("LIST").contains("dir"));
    assert!(peer.list("MLSD dir").contains("file"));
    peer.say("TYPE A").expect(200);
    peer.send("STOR text", "line\r\nline\r\n");
    assert_eq!(peer.fetch("RETR text"), b"line\r\nline\r\n");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    peer.say(format!("EPRT |1|127.0.0.1|{port}|")).expect(200);
    peer.say("RETR text").expect(150);
    drop(wire::drain(wire::accept(&listener)));
    peer.expect(226);
    peer.say("RMDA dir").expect(250);
    for name in ["text", "link"] {
        peer.say(format!("DELE {name}")).expect(250);
    }
    peer.say("QUIT").expect(221);
}

#[test]
#[ignore = "needs systemd and strace"]
fn the_units_filter_allows_all_system_calls_of_the_server() {
    let dir = TempDir::new().unwrap();
    let trace = dir.path().join("trace");
    let mut server = Server::traced(&trace);
    session(&server);
    server.signal("HUP");
    session(&server);
    server.terminate();
    server.exit();
    let text = String::from_utf8_lossy(&fs::read(&trace).unwrap()).into_owned();
    // Matches `1234 openat(...`, but not `1234 <... openat resumed>` or `1234 +++ exited`.
    let calls = text.lines().filter_map(|line| {
        let (_, call) = line.split_once(' ')?;
        let (name, _) = call.trim_start().split_once('(')?;
        name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_').then(|| name.to_owned())
    });
    let calls: BTreeSet<String> = calls.collect();
    assert!(calls.contains("accept4") && calls.contains("renameat"), "{calls:?}");
    let missing = &calls - &allowed();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
#[ignore = "needs python3"]
fn the_launchd_plist_is_valid() {
    let script = "import plistlib, sys; it = plistlib.load(open(sys.argv[1], 'rb')); \
                  assert it['Label'] == 'local.ftp_server' and it['RunAtLoad'] is True; \
                  assert all(type(word) is str for word in it['ProgramArguments'])";
    run(Command::new("python3").args(["-c", script]).arg(example("ftp_server.plist")));
}

/// Returns the words of an instruction in exec form, `NAME ["a", "b"]`.
fn exec_form(dockerfile: &str, name: &str) -> Vec<String> {
    let joined = dockerfile.replace("\\\n", "");
    let line = joined.lines().find(|line| line.starts_with(name)).unwrap();
    let list = line.split_once('[').unwrap().1.strip_suffix(']').unwrap();
    list.split(',').map(|word| word.trim().trim_matches('"').to_owned()).collect()
}

#[test]
fn the_image_starts_the_server_and_checks_its_health() {
    let text = read("Dockerfile");
    assert!(text.contains("\nFROM scratch\n"));
    let start = exec_form(&text, "ENTRYPOINT");
    assert_eq!(start[0], "/ftp_server");
    check(&start[1..].iter().map(String::as_str).collect::<Vec<_>>());

    let health = exec_form(&text, "HEALTHCHECK");
    assert_eq!(health[0], "/ftp_client");
    let port = start.iter().skip_while(|word| *word != "--port").nth(1).unwrap();
    assert_eq!(health.last(), Some(port));
    let ask = |port: u16| {
        let mut words = health[1..].to_vec();
        *words.last_mut().unwrap() = port.to_string();
        Client::new().run(&words)
    };
    // A server without anonymous login is healthy too.
    let server = Server::with(&["--anonymous", "none"]);
    ask(server.addr().port()).expect(0);
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let nobody = free.local_addr().unwrap().port();
    drop(free);
    assert_ne!(ask(nobody).status, Some(0));
}
