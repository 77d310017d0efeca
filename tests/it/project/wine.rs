//! Tests of the Windows programs under Wine: they work with each other and with the Linux programs, and
//! reject names with another meaning on Windows.
//!
//! `MT_FTP_WINDOWS` names the directory with `ftp_server.exe` and `ftp_client.exe`. Wine's files are in
//! the target directory; its first start creates them and takes a while.

use crate::support::{Client, Server, noise};
use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Once;
use tempfile::TempDir;

/// Names that are valid on Linux and not on Windows.
const INVALID_NAMES: [&str; 12] = [
    "CON", "aux.txt", "nul", "Com1.log", "a.", "a ", "a:b", "C:x", "a\\b", "..\\x", "a*b",
    "FTP-PA~1",
];

/// Returns the command that runs a Windows program, after initializing Wine.
fn wine(name: &str) -> Vec<String> {
    static READY: Once = Once::new();
    let dir = env::var("MT_FTP_WINDOWS").expect("MT_FTP_WINDOWS names a directory");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir).join(name);
    let files = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wine");
    let files = format!("WINEPREFIX={}", files.display());
    let words = ["env", "WINEDEBUG=-all", &files, "wine", program.to_str().unwrap()];
    let words = words.map(str::to_owned).to_vec();
    READY.call_once(|| {
        let first = Command::new(&words[0]).args(&words[1..]).arg("--version").output().unwrap();
        assert!(first.status.success(), "{first:?}");
    });
    words
}

/// Starts a Windows server.
fn server() -> Server {
    // The test fixture appends the path of the Linux program, which `shift` drops.
    let mut words = vec!["sh".to_owned(), "-c".into(), "shift; exec \"$0\" \"$@\"".into()];
    let wine = wine("ftp_server.exe").join("' '");
    words[2] = format!("shift; exec '{wine}' \"$@\"");
    words.push("sh".into());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Server::under(&words, TempDir::new().unwrap(), "127.0.0.1", &[])
}

/// Runs commands with the Windows client in a test client's directory.
fn run(client: &Client, server: SocketAddr, commands: &str) -> Output {
    let words = wine("ftp_client.exe");
    let mut command = Command::new("timeout");
    command.arg("60").args(words).args(["--no-netrc", "-k", "-c", commands]);
    command.args([server.ip().to_string(), server.port().to_string()]);
    command.current_dir(client.path("")).output().unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

#[test]
#[ignore = "needs wine and programs built for Windows"]
fn windows_and_linux_programs_transfer_files_to_each_other() {
    let content = noise(3_000_000, 7);
    let windows = server();
    let linux = Server::start();
    for server in [&windows, &linux] {
        let client = Client::new();
        client.write("up.bin", &content);
        let commands = "store up.bin; mkdir d; cd d; store up.bin ä.bin; retrieve ä.bin down.bin; \
                        rename ä.bin b.bin; list; cd ..; mirror d e; size up.bin";
        let output = run(&client, server.addr(), commands);
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains("b.bin"), "{}", said(&output));
        let same = [server.read("up.bin"), server.read("d/b.bin"), client.read("down.bin")];
        assert!(same.iter().all(|copy| *copy == content));
        assert!(client.read("e/b.bin") == content);

        let ours = Client::new();
        ours.at(server.addr(), "retrieve up.bin; store up.bin again.bin; mirror d; list").expect(0);
        assert!(ours.read("up.bin") == content && server.read("again.bin") == content);
    }
}

#[test]
#[ignore = "needs wine and programs built for Windows"]
fn a_server_rejects_names_with_another_meaning() {
    let server = server();
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    server.write("plain", "plain");
    let mut peer = server.visitor();
    let mut names: Vec<String> = INVALID_NAMES.map(str::to_owned).to_vec();
    let way = outside.path().to_str().unwrap().replace('/', "\\");
    names.extend([
        format!("Z:{way}\\secret"),
        format!("/Z:{way}/secret"),
        format!("\\\\?\\Z:{way}\\secret"),
        format!("{way}\\secret"),
        "\\\\.\\pipe\\x".into(),
        "plain::$DATA".into(),
        "plain:stream".into(),
        "plain.".into(),
        "plain ".into(),
        ".FTP-PARTIAL-x".into(),
    ]);
    for name in &names {
        for verb in ["RETR", "SIZE", "MDTM", "DELE", "CWD", "RMD", "MKD", "RNFR", "MLST"] {
            let code = peer.say(format!("{verb} {name}")).hear().code;
            assert!(matches!(code, 550 | 553), "{verb} {name}: {}", peer.dialogue());
        }
        peer.epsv();
        let code = peer.say(format!("STOR {name}")).hear().code;
        assert!(matches!(code, 550 | 553), "STOR {name}: {}", peer.dialogue());
        peer.say("RNFR plain").expect(350);
        let code = peer.say(format!("RNTO {name}")).hear().code;
        assert!(matches!(code, 550 | 553), "RNTO {name}: {}", peer.dialogue());
    }
    let left: Vec<_> =
        fs::read_dir(server.root()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["plain"]);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

/// Windows preserves the case of names but ignores it.
#[test]
#[ignore = "needs wine and programs built for Windows"]
fn names_that_differ_in_case_are_one_file() {
    let server = server();
    let mut peer = server.visitor();
    peer.stor("Read.Me", "first");
    peer.stor("READ.ME", "second");
    assert_eq!(peer.retr("read.me"), b"second");
    assert_eq!(peer.lines("NLST").len(), 1);
    assert_eq!(server.partials(""), 0);
    peer.say("RNFR read.me").expect(350);
    peer.say("RNTO Other").expect(250);
    assert_eq!(peer.retr("OTHER"), b"second");
}

#[test]
#[ignore = "needs wine and programs built for Windows"]
fn a_client_rejects_names_with_another_meaning() {
    let server = Server::start();
    server.make_dir("d");
    for name in INVALID_NAMES {
        server.write(name, "bad");
        server.write(format!("d/{name}"), "bad");
    }
    server.write("good.txt", "good");
    server.write("d/good.txt", "good");
    let client = Client::new();
    let output = run(&client, server.addr(), "mget *; mirror d");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for name in INVALID_NAMES {
        let commands = format!("get \"{}\"", name.replace('\\', "\\\\").replace('*', "\\*"));
        let one = run(&client, server.addr(), &commands);
        assert_eq!(one.status.code(), Some(1), "{name}: {}", self::said(&one));
    }
    assert_eq!(client.names(), ["d", "good.txt"], "{said}");
    let below: Vec<_> = fs::read_dir(client.path("d")).unwrap().collect();
    assert_eq!(below.len(), 1, "{said}");
}

#[test]
#[ignore = "needs wine and programs built for Windows"]
fn a_client_does_not_overwrite_a_file_that_differs_in_case() {
    let server = Server::start();
    server.write("Read.me", "one");
    server.write("READ.ME", "two");
    let client = Client::new();
    let output = run(&client, server.addr(), "mget *");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert_eq!(client.names().len(), 1);
}
