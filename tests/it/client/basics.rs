//! `ftp_client` with `ftp_server`, as users and scripts use them.

use crate::support::{Client, Server, eventually, noise};
use std::ffi::OsStr;
use std::io::Write;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn connect_line(server: &Server) -> String {
    format!("CONNECT {} {}\n", server.addr().ip(), server.addr().port())
}

/// Returns an address without a listener, which a connection keeps occupied.
fn nobody(server: &Server) -> (std::net::TcpStream, SocketAddr) {
    let taken = crate::support::wire::connect(server.addr());
    let address = taken.local_addr().unwrap();
    (taken, address)
}

#[test]
fn the_five_commands_work_from_a_pipe() {
    let (server, client) = (Server::start(), Client::new());
    client.write("local", "content");
    let commands =
        format!("{}STORE local remote\nLIST\nRETRIEVE remote back\nQUIT\n", connect_line(&server));
    let run = client.pipe(&[], &commands).expect(0);
    assert_eq!(server.read("remote"), b"content");
    assert_eq!(client.read("back"), b"content");
    assert!(run.stdout.contains(" 7 ") && run.stdout.ends_with(" remote\n"), "{run:#?}");
    assert!(!run.stdout.contains("ftp>") && !run.stderr.contains("ftp>"), "{run:#?}");
}

#[test]
#[ignore = "needs setfacl"]
fn a_local_file_that_is_replaced_keeps_its_access_control_list() {
    let (server, client) = (Server::start(), Client::new());
    server.write("file", "new");
    client.write("file", "old");
    let rights = || {
        let output = Command::new("getfacl").arg("-cp").arg(client.path("file")).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let set = ["-m", "user:nobody:rw-,group::---,mask::rw-,other::---"];
    assert!(Command::new("setfacl").args(set).arg(client.path("file")).status().unwrap().success());
    let before = rights();
    assert!(before.contains("user:nobody:rw-") && before.contains("group::---"), "{before}");
    client.at(server.addr(), "RETRIEVE file").expect(0);
    assert_eq!(client.read("file"), b"new");
    assert_eq!(rights(), before);
}

#[test]
fn commands_may_come_from_the_command_line_or_a_file() {
    let (server, client) = (Server::start(), Client::new());
    client.write("local", "content");
    let connect = connect_line(&server);
    client.write("script", format!("# a comment\n\n{connect}STORE local from-file\n"));
    client.run(&["-c", &format!("{connect}; STORE local one;STORE local two\nQUIT")]).expect(0);
    client.run(&["-f", "script"]).expect(0);
    client.pipe(&["-f", "-"], &format!("{connect}STORE local from-stdin\n")).expect(0);
    for name in ["one", "two", "from-file", "from-stdin"] {
        assert_eq!(server.read(name), b"content", "{name}");
    }
}

#[test]
fn a_wrong_command_of_a_script_is_reported_before_anything_runs() {
    let (server, client) = (Server::start(), Client::new());
    let (_taken, down) = nobody(&server);
    for (commands, message) in [
        ("ls; frob", "error: frob: unknown command"),
        ("size", "error: SIZE: usage: SIZE FILE"),
        ("lmkdir made; get a b c", "error: RETRIEVE a as b: usage: "),
        ("mirror --frob", "error: MIRROR: --frob: unknown option"),
        ("# all\n\nsunique", "error: sunique: not supported: "),
    ] {
        client.write("script", commands.replace("; ", "\n"));
        let port = down.port().to_string();
        for [option, value] in [["-c", commands], ["-f", "script"]] {
            let run =
                client.run(&[option, value, "127.0.0.1", &port]).expect(2).expect_error(message);
            assert!(!run.stderr.contains("cannot connect"), "{run:#?}");
        }
    }
    assert_eq!(client.names(), ["script"]);
    // A script that is continued after a failure runs its other commands.
    client.run(&["-k", "-c", "frob; lmkdir made"]).expect(2);
    // Commands after QUIT, and the lines of macros, do not run.
    client.run(&["-c", "macdef m\nfrob\n\nlmkdir again; quit; frob"]).expect(0);
    assert_eq!(client.names(), ["again", "made", "script"]);
}

#[test]
fn a_failed_transfer_names_both_files_if_they_differ() {
    let (server, client) = (Server::start(), Client::with_file("a", "content"));
    server.write("b", "content");
    for (command, label) in [
        ("PUT a none/b", "STORE: none/b: "),
        ("GET none b", "RETRIEVE none as b: 550 "),
        ("GET -o b none", "RETRIEVE none as b: 550 "),
        ("REGET none b", "REGET none as b: 550 "),
        ("NEWER none b", "NEWER none as b: 550 "),
        ("PGET none b", "PGET none as b: 550 "),
        ("GET none none", "RETRIEVE none: 550 "),
        ("GET none/b b", "RETRIEVE none/b: 550 "),
        ("GET none -", "RETRIEVE none: 550 "),
        ("RENAME none c", "RENAME none to c: 550 "),
    ] {
        let run = client.at(server.addr(), command).expect(1);
        run.expect_error(&format!("error: {label}"));
    }
    let drop = Server::with(&["--anonymous", "drop"]);
    drop.write("b", "content");
    let commands = "PUT a b";
    client.at(drop.addr(), commands).expect(1).expect_error("error: STORE a as b: 553 ");
}

#[test]
fn a_host_and_port_connect_at_once() {
    let (server, client) = (Server::start(), Client::new());
    client.write("local", "content");
    client.at(server.addr(), "STORE local").expect(0);
    assert_eq!(server.read("local"), b"content");
}

#[test]
fn commands_are_accepted_in_any_case_and_by_alternative_names() {
    let (server, client) = (Server::start(), Client::new());
    client.write("a", "content");
    let (host, port) = (server.addr().ip(), server.addr().port());
    for (open, put, ls, get, bye) in [
        ("connect", "store", "list", "retrieve", "quit"),
        ("Connect", "sToRe", "lisT", "Retrieve", "Quit"),
        ("open", "put", "ls", "get", "bye"),
        ("OPEN", "PUT", "DIR", "GET", "EXIT"),
    ] {
        let commands =
            format!("{open} {host} {port}\n{put} a b\n{ls}\n{get} b c\n{bye}\nnonsense\n");
        let run = client.pipe(&[], &commands).expect(0);
        assert!(run.stdout.contains(" b"), "{run:#?}");
        assert_eq!(client.read("c"), b"content");
    }
}

#[test]
fn names_with_spaces_are_quoted() {
    let (server, client) = (Server::start(), Client::new());
    client.write("a b", "content");
    client.at(server.addr(), r#"STORE "a b"; STORE a\ b "c  d"; RETRIEVE "c  d" e\ f"#).expect(0);
    assert_eq!(server.read("a b"), b"content");
    assert_eq!(server.read("c  d"), b"content");
    assert_eq!(client.read("e f"), b"content");
}

#[test]
fn odd_names_are_transferred() {
    let (server, client) = (Server::start(), Client::new());
    for name in
        [&b"caf\xc3\xa9"[..], b"\xfe\xff not utf-8", b"-l", b"semi;colon", b"it's", b"*", b" "]
    {
        let name = OsStr::from_bytes(name);
        client.write(name, name.as_bytes());
        let quoted = [b"\"", name.as_bytes(), b"\""].concat();
        let commands = [b"STORE -- ", &quoted[..], b"\nRETRIEVE -- ", &quoted, b" back"].concat();
        client.at(server.addr(), OsStr::from_bytes(&commands)).expect(0);
        assert_eq!(server.read(name), name.as_bytes());
        assert_eq!(client.read("back"), name.as_bytes());
    }
}

#[test]
fn files_of_every_size_are_transferred() {
    let (server, client) = (Server::start(), Client::new());
    for size in [0, 1, 65_535, 65_536, 3_000_001] {
        let bytes = noise(size, 13);
        client.write("a", &bytes);
        client.at(server.addr(), "STORE a; RETRIEVE a b").expect(0);
        assert!(server.read("a") == bytes && client.read("b") == bytes, "{size} bytes");
    }
}

#[test]
fn files_are_transferred_in_active_mode() {
    let (server, client) = (Server::start(), Client::new());
    client.write("a", "content");
    let port = server.addr().port().to_string();
    for spelling in ["-a", "--active"] {
        let words = [spelling, "-c", "STORE a; LIST; RETRIEVE a b", "127.0.0.1", &port];
        let run = client.run(&words).expect(0);
        assert!(run.stdout.contains(" a"), "{run:#?}");
        assert_eq!(client.read("b"), b"content");
    }
}

#[test]
fn files_are_transferred_over_ipv6() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return;
    }
    let server = Server::launch(TempDir::new().unwrap(), "::1", &[]);
    let client = Client::new();
    client.write("a", "content");
    let port = server.addr().port().to_string();
    for mode in [&[][..], &["-a"]] {
        let words = [mode, &["-c", "STORE a; RETRIEVE a b", "::1", &port]].concat();
        client.run(&words).expect(0);
        assert_eq!(client.read("b"), b"content");
        std::fs::remove_file(client.path("b")).unwrap();
    }
}

#[test]
fn store_and_retrieve_replace() {
    let (server, client) = (Server::start(), Client::new());
    server.write("a", "old and long");
    client.write("a", "new");
    client.write("b", "older and longer");
    client.at(server.addr(), "STORE a; RETRIEVE a b").expect(0);
    assert_eq!(server.read("a"), b"new");
    assert_eq!(client.read("b"), b"new");
    assert_eq!(client.names(), ["a", "b"]);
}

#[test]
fn without_a_connection_remote_commands_fail() {
    let client = Client::new();
    client.write("a", "content");
    for command in ["LIST", "RETRIEVE a", "STORE a", "PWD", "CD x", "DELETE a", "CLOSE"] {
        let run = client.run(&["-c", command]).expect(1);
        let said = "not connected: use CONNECT <host> <port> first";
        assert!(run.stderr.lines().any(|line| line == said), "{run:#?}");
    }
    assert_eq!(client.read("a"), b"content");
    client.run(&["-c", "QUIT"]).expect(0);
}

#[test]
fn a_failed_command_is_status_1_and_the_reply_is_on_stderr() {
    let (server, client) = (Server::start(), Client::new());
    let run = client.at(server.addr(), "RETRIEVE missing").expect(1).expect_error("550");
    assert_eq!(run.stdout, "");
    client.at(server.addr(), "LIST missing").expect(1).expect_error("550");
    client.at(server.addr(), "CD missing").expect(1).expect_error("550");
    client.at(server.addr(), "STORE missing").expect(1).expect_error("missing");
    client.at(server.addr(), "STORE .").expect(1);
}

#[test]
fn wrong_usage_is_status_2() {
    let (server, client) = (Server::start(), Client::new());
    for words in [&["--nonsense"][..], &["-z"], &["--timeout", "soon"], &["h", "99999"], &["-c"]] {
        let run = client.run(words).expect(2);
        assert!(run.stderr.lines().any(|line| line.starts_with("Usage: ftp_client")), "{run:#?}");
    }
    for command in ["FROBNICATE", "RETRIEVE", "STORE", "CONNECT h p", "STORE \"a"] {
        client.at(server.addr(), command).expect(2);
    }
}

#[test]
fn no_connection_is_status_3() {
    let (server, client) = (Server::start(), Client::new());
    let (_taken, address) = nobody(&server);
    client.at(address, "LIST").expect(3).expect_error(&address.port().to_string());
    client.run(&["-c", &format!("CONNECT 127.0.0.1 {}", address.port())]).expect(3);
}

#[test]
fn a_refused_login_is_status_4() {
    let server = Server::with(&["--anonymous", "none"]);
    let client = Client::new();
    client.at(server.addr(), "LIST").expect(4).expect_error("530");
    let port = server.addr().port().to_string();
    let mut command = client.command();
    command.env("FTP_PASSWORD", "hunter2").args([
        "-u",
        "me",
        "-v",
        "-c",
        "LIST",
        "127.0.0.1",
        &port,
    ]);
    let output = command.assert().code(4).get_output().clone();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"));
}

#[test]
fn a_failed_command_ends_a_script_without_k() {
    let (server, client) = (Server::start(), Client::new());
    client.write("a", "content");
    let run = client.at(server.addr(), "RETRIEVE missing; STORE a").expect(1);
    let run = run.expect_error("error: RETRIEVE missing: 550");
    run.expect_error("stopped at this command; -k continues after a failed command");
    assert!(!server.has("a"));
    let run = client.at(server.addr(), "STORE a; RETRIEVE missing").expect(1);
    assert!(!run.stderr.contains("stopped"), "nothing was left: {run:#?}");
    let port = server.addr().port().to_string();
    let commands = "RETRIEVE missing\nSTORE a\n";
    client.pipe(&["-k", "127.0.0.1", &port], commands).expect(1);
    assert_eq!(server.read("a"), b"content");
}

#[test]
fn a_failed_retrieve_leaves_only_the_old_file() {
    let (server, client) = (Server::start(), Client::new());
    client.write("a", "old");
    client.at(server.addr(), "RETRIEVE a").expect(1);
    client.at(server.addr(), "RETRIEVE missing").expect(1);
    assert_eq!(client.read("a"), b"old");
    assert_eq!(client.names(), ["a"]);
}

#[test]
fn a_client_killed_during_a_store_leaves_the_old_file() {
    let (server, client) = (Server::start(), Client::new());
    server.write("a", "old");
    let port = server.addr().port().to_string();
    let mut child = client.spawn(&["-c", "STORE - a", "127.0.0.1", &port]);
    // The upload must have lasted for a while: after a very short one, the client waits less for the
    // final reply.
    let (began, mut sent) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_millis(100) {
        child.stdin.as_mut().unwrap().write_all(b"part of the new ").unwrap();
        sent += 16;
        eventually("the next bytes", || server.partial_sizes("") == [sent]);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    server.wait_for_log(&["stor", "failed"]);
    assert_eq!(server.read("a"), b"old");
}

#[test]
fn standard_input_is_stored_to_its_end() {
    let (server, client) = (Server::start(), Client::new());
    let port = server.addr().port().to_string();
    client.pipe(&["-c", "STORE - a", "127.0.0.1", &port], "content").expect(0);
    assert_eq!(server.read("a"), b"content");
    let run = client.run(&["-q", "-c", "RETRIEVE a -", "127.0.0.1", &port]).expect(0);
    assert_eq!(run.stdout, "content");
}

#[test]
fn quit_does_not_stop_the_server() {
    let (server, client) = (Server::start(), Client::new());
    client.at(server.addr(), "QUIT").expect(0);
    server.wait_for_log(&["closed"]);
    server.visitor().say("NOOP").expect(200);
}

#[test]
fn the_end_of_the_commands_sends_quit() {
    let (server, client) = (Server::start(), Client::new());
    let run = client.pipe(&["-v"], &connect_line(&server)).expect(0);
    assert!(run.stderr.contains("QUIT") && run.stderr.contains("221"), "{run:#?}");
}

#[test]
fn directories_and_names_are_changed() {
    let (server, client) = (Server::start(), Client::new());
    client.write("a", "content");
    let commands = "MKDIR dir; CD dir; PWD; STORE a; SIZE a; RENAME a b; CD ..; MKDIR gone; \
                    RMDIR gone; STORE a c; DELETE c; PWD";
    let run = client.at(server.addr(), commands).expect(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines, ["/dir", "7", "/"], "{run:#?}");
    assert_eq!(server.read("dir/b"), b"content");
    assert!(!server.has("gone") && !server.has("c"));
}

#[test]
fn lcd_changes_the_local_directory() {
    let (server, client) = (Server::start(), Client::new());
    server.write("a", "content");
    std::fs::create_dir(client.path("sub")).unwrap();
    client.at(server.addr(), "LCD sub; RETRIEVE a").expect(0);
    assert_eq!(client.read("sub/a"), b"content");
    client.at(server.addr(), "LCD missing").expect(1);
}

#[test]
fn close_and_user_change_the_session() {
    let (server, client) = (Server::start(), Client::new());
    let connect = connect_line(&server);
    client.run(&["-c", &format!("{connect}CLOSE\n{connect}USER ftp me@\nPWD")]).expect(0);
    client.run(&["-c", &format!("{connect}CLOSE\nPWD")]).expect(1).expect_error("not connected");
    client.run(&["-c", &format!("{connect}USER root secret")]).expect(4).expect_error("530");
}

#[test]
fn a_refused_pattern_names_the_command_for_patterns() {
    let (server, client) = (Server::start(), Client::new());
    let connect = format!("connect 127.0.0.1 {}", server.addr().port());
    for (line, other) in [
        ("get *.bin", "MGET does"),
        ("pget -n 2 [ab]", "MGET does"),
        ("put *.txt", "MPUT does"),
        ("rm ?", "MDELETE does"),
    ] {
        let run = client.run(&["-c", &format!("{connect}; {line}")]).expect(1);
        assert!(run.stderr.contains(other), "{run:#?}");
    }
    let run = client.run(&["-c", &format!("{connect}; get nosuch")]).expect(1);
    assert!(!run.stderr.contains("patterns"), "{run:#?}");
    server.write("a*b", "literal");
    client.run(&["-c", &format!("{connect}; get a*b")]).expect(0);
    assert_eq!(client.read("a*b"), b"literal");
}

#[test]
fn help_options_and_wrong_options_of_commands_are_explained() {
    let client = Client::new();
    let run = client.run(&["-c", "mirror --help"]).expect(0);
    assert!(run.stdout.starts_with("Usage: MIRROR ") && run.stderr.is_empty(), "{run:#?}");
    for (line, error) in [
        ("mirror --delte", "error: MIRROR: --delte: unknown option; did you mean --delete?"),
        ("mirror -j 0", "error: MIRROR: --parallel '0': expected a whole number from 1 to 64"),
        ("mirror --exclude", "error: MIRROR: --exclude: expected a value (GLOB)"),
        ("pget -n65 a", "error: PGET a: -n '65': expected a whole number from 1 to 64"),
        ("connect -p 1 host 2", "error: CONNECT host: -p '1': expected no PORT after HOST"),
    ] {
        let run = client.run(&["-c", line]).expect(2);
        assert!(run.stderr.starts_with(error), "{line}: {run:#?}");
    }
}

#[test]
fn help_lists_the_commands() {
    let client = Client::new();
    let run = client.run(&["-c", "help"]).expect(0);
    for command in ["CONNECT", "LIST", "RETRIEVE", "STORE", "QUIT"] {
        assert!(run.stdout.to_uppercase().contains(command), "{run:#?}");
    }
    let run = client.run(&["-c", "HELP get"]).expect(0);
    assert!(run.stdout.contains("by default the last part of FILE"), "{run:#?}");
    let run = client.run(&["-c", "HELP mirror"]).expect(0);
    for option in ["-R, --reverse ", "-e, --delete ", "--include", "-L, --dereference "] {
        assert!(run.stdout.contains(option), "{option}: {run:#?}");
    }
}

#[test]
fn help_and_version_go_to_stdout() {
    let client = Client::new();
    for spelling in ["--help", "-h"] {
        let run = client.run(&[spelling]).expect(0);
        assert!(run.stdout.starts_with("Usage: ftp_client") && run.stderr.is_empty(), "{run:#?}");
    }
    for spelling in ["--version", "-V"] {
        let run = client.run(&[spelling]).expect(0);
        let (version, tls) = (env!("CARGO_PKG_VERSION"), mt_ftp::sys::describe_tls());
        assert_eq!(run.stdout, format!("ftp_client {version}\n{tls}\n"));
    }
}

#[test]
fn passwords_are_never_shown() {
    let (server, client) = (Server::start(), Client::new());
    let commands = format!("{}USER root hunter2\n", connect_line(&server));
    let run = client.pipe(&["-v"], &commands).expect(4);
    assert!(run.stderr.contains("PASS ****"), "{run:#?}");
    assert!(!run.stderr.contains("hunter2") && !run.stdout.contains("hunter2"), "{run:#?}");
}

#[test]
fn quiet_prints_only_errors() {
    let (server, client) = (Server::start(), Client::new());
    client.write("a", "content");
    let port = server.addr().port().to_string();
    let run = client.run(&["-q", "-c", "STORE a; RETRIEVE a b", "127.0.0.1", &port]).expect(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    client.run(&["-q", "-c", "RETRIEVE x", "127.0.0.1", &port]).expect(1).expect_error("550");
}

#[test]
fn a_url_fetches_its_file() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("dir");
    server.write("dir/a file", "content");
    client.run(&[&format!("ftp://{}/dir/a%20file", server.addr())]).expect(0);
    assert_eq!(client.read("a file"), b"content");
    client.run(&[&format!("ftp://{}/dir/missing", server.addr())]).expect(1);
    assert_eq!(client.names(), ["a file"]);
}

#[test]
fn the_shell_starts_in_the_directory_of_a_url() {
    let (server, client) = (Server::start(), Client::new());
    server.make_dir("dir");
    let run = client.pipe(&[&format!("ftp://{}/dir/", server.addr())], "PWD\n").expect(0);
    assert_eq!(run.stdout, "/dir\n");
}

#[test]
fn a_closed_stdout_ends_the_client_quietly() {
    let (server, client) = (Server::start(), Client::new());
    (0..2000).for_each(|n| server.write(format!("a rather long name {n}"), ""));
    let port = server.addr().port().to_string();
    let mut child = client.spawn(&["-q", "-c", "LIST; LIST", "127.0.0.1", &port]);
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_listing_is_printed_unchanged() {
    let (server, client) = (Server::start(), Client::new());
    server.write("b", "content");
    server.make_dir("a");
    let run = client.at(server.addr(), "LIST").expect(0);
    let shown: Vec<&str> = run.stdout.lines().collect();
    let listed = server.visitor().list("LIST");
    assert_eq!(shown, listed.lines().collect::<Vec<_>>());
    let run = client.at(server.addr(), "CD a; LIST").expect(0);
    assert_eq!(run.stdout, "");
}
