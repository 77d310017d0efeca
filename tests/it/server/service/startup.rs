//! The server's command line, and its output before it serves.

use crate::support::{Server, UnreadTerminal};
use assert_cmd::Command;
use mt_ftp::server::config::PROGRAM;
use std::io::{BufRead, BufReader};
use std::net::{Ipv6Addr, TcpListener};
use std::process::Stdio;
use tempfile::TempDir;

fn server() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ftp_server"));
    command.timeout(crate::support::PATIENCE);
    command
}

/// Runs the server with options that make it exit, and returns the lines on stderr.
fn complaint(options: &[&str], code: i32) -> Vec<String> {
    let output = server().args(options).assert().code(code).stdout("").get_output().clone();
    String::from_utf8(output.stderr).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_first_line_is_the_address_and_the_second_the_directory() {
    // `launch` itself checks for "Listening on ADDRESS:PORT".
    for (access, words) in [
        ("none", "may not log in"),
        ("drop", "may list, and store new files"),
        ("read", "may read"),
        ("store", "may read and store, not delete"),
        ("write", "may read, store and delete"),
    ] {
        let server = Server::with(&["--anonymous", access]);
        assert_eq!(server.addr().ip().to_string(), "127.0.0.1");
        assert_ne!(server.addr().port(), 0);
        let second = server.next_line();
        let root = server.root().canonicalize().unwrap();
        assert!(second.contains(root.to_str().unwrap()) && second.contains(words), "{second}");
    }
}

#[test]
fn an_ipv6_address_is_in_brackets() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return;
    }
    for host in ["::1", "[::1]"] {
        // The test parses the line as a socket address, for which IPv6 addresses need brackets.
        let server = Server::launch(TempDir::new().unwrap(), host, &[]);
        assert!(server.addr().is_ipv6());
    }
}

#[test]
fn without_a_terminal_the_host_is_127_0_0_1() {
    let root = TempDir::new().unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_ftp_server"))
        .args(["--port=0", "--root"])
        .arg(root.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("Listening on 127.0.0.1:") && line.ends_with('\n'), "{line}");
}

#[test]
fn a_warning_is_printed_if_remote_visitors_may_write() {
    let at = |host: &str, access: &str| {
        let server = Server::launch(TempDir::new().unwrap(), host, &["--anonymous", access]);
        server.caller().say("QUIT").expect(221);
        server.wait_for_log(&["closed"]);
        server.log().contains("warning")
    };
    assert!(at("0.0.0.0", "write") && at("0.0.0.0", "store"));
    assert!(!at("0.0.0.0", "read") && !at("0.0.0.0", "drop"));
    assert!(!at("127.0.0.1", "write"));
}

/// Starts the server in this directory without `--root`, and returns the first line on stderr.
fn first_word_in(dir: &std::path::Path, host: &str) -> String {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_ftp_server"))
        .args(["--port=0", "--log-level=error", "--host", host])
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    line
}

#[test]
fn without_root_option_only_a_safe_directory_is_served() {
    let told = first_word_in("/".as_ref(), "127.0.0.1");
    assert!(told.starts_with("ftp_server: cannot serve /: ") && told.contains("--root"), "{told}");
    let dir = TempDir::new().unwrap();
    let told = first_word_in(dir.path(), "0.0.0.0");
    let dir = dir.path().canonicalize().unwrap();
    assert!(told.contains(dir.to_str().unwrap()) && told.contains("--root"), "{told}");
    match mt_ftp::sys::is_superuser() {
        true => assert!(told.contains("as root, the server needs an explicit directory"), "{told}"),
        false => assert!(told.contains("warning: anyone who can reach 0.0.0.0:"), "{told}"),
    }
}

#[test]
fn the_output_shows_how_to_reach_the_server() {
    let rest = |host: &str| {
        let server = Server::launch(TempDir::new().unwrap(), host, &["--anonymous", "read"]);
        let port = server.addr().port();
        let _serving = server.next_line();
        let mut lines = Vec::new();
        while !lines.last().is_some_and(|line: &String| line.starts_with("Connect with: ")) {
            lines.push(server.next_line());
        }
        (lines, port, server)
    };
    let (lines, port, server) = rest("127.0.0.1");
    assert_eq!(lines, [format!("Connect with: ftp_client 127.0.0.1 {port}")]);
    assert!(server.next_line().starts_with("Only this machine can connect; --host 0.0.0.0 "));
    let own = mt_ftp::sys::own_addresses().unwrap();
    let Some(ip) = own.iter().filter(|ip| ip.is_ipv4()).min() else { return };
    let (lines, port, _) = rest("0.0.0.0");
    assert_eq!(lines[0], format!("Reach it at ftp://{ip}:{port}/"));
    assert_eq!(lines.last().unwrap(), &format!("Connect with: ftp_client {ip} {port}"));
}

#[test]
fn a_warning_is_printed_if_clients_can_see_the_server_s_own_files() {
    let root = TempDir::new().unwrap();
    let users = root.path().join("users");
    std::fs::write(&users, "").unwrap();
    let words = ["--users", users.to_str().unwrap()];
    let server = Server::launch(root, "127.0.0.1", &words);
    server.wait_for_log(&["warning", "--users", "is inside the root"]);
    let elsewhere = TempDir::new().unwrap();
    let users = elsewhere.path().join("users");
    std::fs::write(&users, "").unwrap();
    let server = Server::with(&["--users", users.to_str().unwrap()]);
    server.caller().say("QUIT").expect(221);
    server.wait_for_log(&["closed"]);
    assert!(!server.log().contains("warning"), "{}", server.log());
}

#[test]
fn an_address_in_use_is_one_line_and_exit_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let lines = complaint(&["--root", ".", "--host", "127.0.0.1", "--port", &port], 1);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("127.0.0.1") && lines[0].contains(&port), "{lines:?}");
    assert!(lines[0].ends_with("choose another port with --port N"), "{lines:?}");
}

#[test]
fn the_error_for_a_foreign_address_lists_the_own_addresses() {
    let lines = complaint(&["--root", ".", "--host", "192.0.2.77", "--port", "0"], 1);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let begin =
        "ftp_server: cannot listen on 192.0.2.77 port 0: not an address of this machine; it has ";
    assert!(lines[0].starts_with(begin), "{lines:?}");
    assert!(lines[0].contains("127.0.0.1") && lines[0].contains("0.0.0.0"), "{lines:?}");
}

#[test]
#[ignore = "needs root and setpriv"]
fn missing_permissions_are_reported_with_a_remedy() {
    let dir = TempDir::new().unwrap();
    let users = dir.path().join("users");
    std::fs::write(&users, "").unwrap();
    std::fs::set_permissions(&users, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let program = dir.path().join("ftp_server");
    std::fs::copy(env!("CARGO_BIN_EXE_ftp_server"), &program).unwrap();
    let said = |options: &[&str]| {
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--clear-groups", "--reuid=54321", "--regid=54321"]).arg(&program);
        setpriv.args(["--root", dir.path().to_str().unwrap(), "--host=127.0.0.1"]).args(options);
        let output =
            setpriv.timeout(crate::support::PATIENCE).assert().code(1).get_output().clone();
        String::from_utf8(output.stderr).unwrap()
    };
    let told = said(&["--port=0", "--users", users.to_str().unwrap()]);
    assert!(told.ends_with(&format!("chown 54321 {}\n", users.display())), "{told}");
    assert!(!told.contains("os error"), "{told}");
    let unprivileged = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    if std::fs::read_to_string(unprivileged).is_ok_and(|first| first.trim() == "1024") {
        let told = said(&["--port=1021"]);
        assert!(told.contains("below 1024") && told.contains("ftp_server.socket"), "{told}");
    }
}

#[test]
fn an_unusable_root_is_one_line_and_exit_1() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    for name in ["missing", "file"] {
        let path = dir.path().join(name);
        let path = path.to_str().unwrap();
        let lines = complaint(&["--host", "127.0.0.1", "--port", "0", "--root", path], 1);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(name), "{lines:?}");
    }
}

#[test]
fn a_wrong_value_is_named_with_its_option_and_what_was_expected() {
    for (option, value) in [
        ("--port", "65536"),
        ("--port", "ftp"),
        ("--anonymous", "all"),
        ("--max-sessions", "0"),
        ("--max-sessions-per-ip", "many"),
        ("--idle-timeout", "soon"),
        ("--login-timeout", "0"),
        ("--transfer-timeout", "-1"),
        ("--shutdown-grace", "1d"),
        ("--log-level", "loud"),
        ("--host", ""),
    ] {
        let together = format!("{option}={value}");
        for options in [&[option, value][..], &[&together]] {
            let lines = complaint(options, 2);
            assert_eq!(lines.len(), 2, "{lines:?}");
            assert!(lines[0].contains(option) && lines[0].contains(value), "{lines:?}");
            assert!(lines[0].contains("expected"), "{lines:?}");
            assert!(lines[1].starts_with("Usage: ftp_server"), "{lines:?}");
        }
    }
}

#[test]
fn unknown_options_missing_values_and_operands_are_wrong_usage() {
    for (options, word) in [
        (&["--prot", "1"][..], "--prot"),
        (&["-x"], "-x"),
        (&["--port"], "--port"),
        (&["--sync=perhaps"], "--sync"),
        (&["stray"], "stray"),
        (&["--", "--port"], "--port"),
    ] {
        let lines = complaint(options, 2);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains(word), "{lines:?}");
        assert!(lines[1].starts_with("Usage: ftp_server"), "{lines:?}");
    }
}

#[test]
fn help_lists_every_option_and_exits_0() {
    for spelling in ["--help", "-h"] {
        let output = server().arg(spelling).assert().code(0).stderr("").get_output().clone();
        let help = String::from_utf8(output.stdout).unwrap();
        for flag in PROGRAM.all_flags() {
            assert!(help.contains(&format!("--{}", flag.long.unwrap())), "{help}");
        }
    }
}

#[test]
fn version_shows_the_program_and_the_tls_library() {
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!("ftp_server {version}\n{}\n", mt_ftp::sys::describe_tls());
    for spelling in ["--version", "-V"] {
        server().arg(spelling).assert().code(0).stdout(expected.clone()).stderr("");
    }
}

#[test]
fn a_closed_stdout_is_not_an_error() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_ftp_server"))
        .arg("--help")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
#[ignore = "needs script"]
fn the_prompt_asks_again_after_a_wrong_host() {
    let root = TempDir::new().unwrap();
    let program = env!("CARGO_BIN_EXE_ftp_server");
    let mut terminal =
        UnreadTerminal::start(&format!("{program} --port 0 --root {}", root.path().display()));
    terminal.type_line("192.0.2.77");
    terminal.type_line("127.0.0.2");
    let mut lines = Vec::new();
    while !lines.last().is_some_and(|line: &String| line.contains("Listening on 127.0.0.2:")) {
        lines.push(terminal.next_line());
        assert!(!terminal.has_ended(), "{lines:?}");
    }
    let told = lines.join("\n");
    assert!(
        told.contains("cannot listen on 192.0.2.77 port 0: not an address of this machine"),
        "{told}"
    );
}
