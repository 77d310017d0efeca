//! Tests of text files that users edit: all variants that editors produce are accepted, and other
//! encodings are rejected by name.

use crate::support::accounts::lines;
use crate::support::{Client, HASHING_PATIENCE, Server};
use std::fs;
use tempfile::TempDir;

/// A variant of a text with the same meaning, and its name.
type Form = (&'static str, fn(&str) -> String);

const FORMS: [Form; 8] = [
    ("unchanged", str::to_owned),
    ("with a byte order mark", |text| format!("\u{feff}{text}")),
    ("with Windows line ends", |text| text.replace('\n', "\r\n")),
    ("without the last line end", |text| text.trim_end().to_owned()),
    ("with blanks at the ends of lines", |text| text.replace('\n', " \t \n")),
    ("with tabs before lines", |text| text.lines().map(|line| format!("\t{line}\n")).collect()),
    ("with empty lines around", |text| format!("\n \n{text}\n\t\n\n")),
    ("with all of these", |text| {
        format!("\u{feff}\t{}", text.replace('\n', "\t \r\n\t").trim_end())
    }),
];

fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
}

fn utf_32(text: &str, bytes: fn(u32) -> [u8; 4]) -> Vec<u8> {
    format!("\u{feff}{text}").chars().flat_map(|c| bytes(c as u32)).collect()
}

/// Returns a text in unsupported encodings, with their names.
fn in_other_encodings(text: &str) -> [(&'static str, Vec<u8>); 4] {
    [
        ("UTF-16 (little-endian)", utf_16(text, u16::to_le_bytes)),
        ("UTF-16 (big-endian)", utf_16(text, u16::to_be_bytes)),
        ("UTF-32 (little-endian)", utf_32(text, u32::to_le_bytes)),
        ("UTF-32 (big-endian)", utf_32(text, u32::to_be_bytes)),
    ]
}

/// Returns accounts in the first and last line.
fn accounts() -> String {
    lines(&["anna:write:", "# staff:read:", "ben:read:"])
}

/// Runs the server's program to its end, and returns its exit status and output.
fn run_server(words: &[&str], stdin: &[u8]) -> (Option<i32>, String) {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_ftp_server"));
    let output = command.args(words).write_stdin(stdin).timeout(HASHING_PATIENCE).output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// Checks that these accounts in a file can log in with `secret`.
fn check_accounts(path: &str, names: &[&str], form: &str) {
    let server = Server::with(&["--users", path]);
    for name in names {
        let mut peer = server.caller();
        peer.say(format!("USER {name}")).expect(331);
        let said = peer.say("PASS secret").hear();
        assert_eq!(said.code, 230, "{name} {form}");
    }
}

#[test]
fn every_variant_of_an_accounts_file_is_accepted() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("users");
    for (form, give) in FORMS {
        fs::write(&path, give(&accounts())).unwrap();
        check_accounts(path.to_str().unwrap(), &["anna", "ben"], form);
    }
}

#[test]
fn every_variant_of_a_config_file_is_accepted() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("config");
    for (form, give) in FORMS {
        fs::write(&path, give("anonymous = read\n# colors\nlog-format = json\n")).unwrap();
        let server = Server::with(&["--config", path.to_str().unwrap()]);
        let mut peer = server.visitor();
        let said = peer.say("MKD dir").hear();
        assert_eq!(said.code, 550, "{form}");
        server.wait_for_log(&["{\"time\"", "\"login\""]);
    }
}

#[test]
fn every_variant_of_a_netrc_is_accepted() {
    let server = Server::with_accounts(&["anna:write:"], &["--anonymous", "none"]);
    let text = "machine 127.0.0.1\nlogin anna\npassword secret\n\nmacdef init\nmkdir macro\n";
    for (form, give) in FORMS {
        let client = Client::new();
        // A file with a password must not be readable by others.
        client.write(".netrc", "");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let path = client.path(".netrc");
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        client.write(".netrc", give(text));
        let run = client.at(server.addr(), "pwd");
        assert_eq!(run.status, Some(0), "{form}: {run:?}");
        assert!(server.has("macro"), "{form}: {run:?}");
        fs::remove_dir(server.path("macro")).unwrap();
    }
}

#[test]
fn every_variant_of_a_command_file_is_accepted() {
    let server = Server::start();
    let (host, port) = (server.addr().ip(), server.addr().port());
    let text = format!("open {host} {port}\n\nmkdir one\nmkdir two\n");
    for (form, give) in FORMS {
        let client = Client::new();
        client.write("commands", give(&text));
        for from_file in [true, false] {
            let run = match from_file {
                true => client.run(&["-f", "commands"]),
                false => client.pipe(&[], &give(&text)),
            };
            assert_eq!(run.status, Some(0), "{form}: {run:?}");
            for name in ["one", "two"] {
                fs::remove_dir(server.path(name)).unwrap_or_else(|error| panic!("{form}: {error}"));
            }
        }
    }
}

#[test]
fn a_password_for_a_new_account_may_come_from_a_file() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("users");
    let path = path.to_str().unwrap();
    // Only one combined variant is tested, because a new password hash takes long.
    let (status, said) = run_server(&["passwd", path, "anna"], "\u{feff}secret\r\nmore".as_bytes());
    assert_eq!(status, Some(0), "{said}");
    check_accounts(path, &["anna"], "with a mark");
}

#[test]
fn other_encodings_are_rejected_by_name() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    let path = file.to_str().unwrap();
    let server = Server::start();
    let refused = |text: &str, status: i32, words: &[&str]| {
        for (name, bytes) in in_other_encodings(text) {
            fs::write(&file, bytes).unwrap();
            let (code, said) = run_server(words, b"secret\n");
            assert!(code == Some(status) && said.contains(name), "{words:?}: {said}");
            assert!(said.contains(path), "{said}");
        }
    };
    refused(&accounts(), 1, &["--root", ".", "--port", "0", "--users", path]);
    refused(&accounts(), 1, &["check", "--users", path]);
    refused("port = 0\n", 2, &["--config", path]);
    for (name, bytes) in in_other_encodings("secret\n") {
        let (status, said) = run_server(&["passwd", "/nonexistent/users", "anna"], &bytes);
        assert!(status == Some(1) && said.contains(name), "{said}");
    }
    let (host, port) = (server.addr().ip().to_string(), server.addr().port().to_string());
    for (name, bytes) in in_other_encodings("quit\n") {
        let client = Client::new();
        client.write("commands", &bytes);
        client.run(&["-f", "commands"]).expect(1).expect_error(name).expect_error("commands");
        client.write(".netrc", &bytes);
        client.run(&["-c", "quit", &host, &port]).expect_error(name).expect_error(".netrc");
    }
}
