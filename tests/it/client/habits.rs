//! Habits from other clients, and the messages when a command fails.

use crate::support::scripted_server::{Script, ScriptedServer, listener, play_all};
use crate::support::{Client, Run, Server, eventually, signal};
use std::fs;

fn writable() -> Server {
    Server::with(&["--anonymous", "write"])
}

/// Returns the path of a client's directory as the client shows it.
fn here(client: &Client) -> String {
    fs::canonicalize(client.path("")).unwrap().display().to_string()
}

#[test]
fn errors_name_the_path_and_the_side() {
    let (server, client) = (writable(), Client::with_file("a", "content"));
    let here = here(&client);
    let error = |command: &str| client.at(server.addr(), command).expect(1).stderr;
    let last = |command: &str| error(command).lines().nth(1).unwrap_or_default().to_owned();
    let missing = "no such directory on the server; MKDIR -p nod makes it";
    assert_eq!(last("STORE a nod/x"), format!("error: STORE: nod/x: {missing}"));
    assert_eq!(last("APPEND a nod/x"), format!("error: APPEND: nod/x: {missing}"));
    assert_eq!(last("MKDIR nod/x"), format!("error: MKDIR: nod/x: {missing}"));
    assert_eq!(last("PUT nosuch"), format!("error: STORE: nosuch: no such local file ({here})"));
    let local = format!("error: RETRIEVE: nod/x: no such local directory ({here})");
    server.write("b", "content");
    assert_eq!(last("GET b nod/x"), local);
    assert_eq!(last("LCD nod"), "error: LCD: nod: no such local directory");
    assert!(last("DELETE b nosuch").starts_with("error: DELETE: nosuch: 550"));
    assert!(last("RETRIEVE nosuch").starts_with("error: RETRIEVE nosuch: 550"));
}

#[test]
fn no_message_has_an_error_number() {
    let client = Client::with_file("file", "");
    let closed = listener().local_addr().unwrap();
    let server = Server::start();
    server.write("a", "content");
    let runs = [
        client.at(server.addr(), "PUT nosuch"),
        client.at(server.addr(), "GET a nosuch/a"),
        client.at(server.addr(), "GET a file/a"),
        client.at(server.addr(), "LCD nosuch"),
        client.at(server.addr(), "LCD file"),
        client.at(server.addr(), "LLS nosuch"),
        client.at(server.addr(), "LMKDIR file"),
        client.at(closed, "PWD"),
        client.run(&["-f", "nosuch"]),
    ];
    for run in runs {
        assert!(run.status != Some(0) && !run.stderr.contains("os error"), "{run:?}");
    }
}

#[test]
fn urls_of_other_protocols_are_explained() {
    let client = Client::new();
    for (url, words) in [
        ("sftp://host/a", "SFTP is a different protocol"),
        ("HTTP://host/a", "HTTP is a different protocol"),
        ("https://host", "HTTP is a different protocol"),
        ("gopher://host", "a URL that begins with ftp://, ftpes:// or ftps://"),
    ] {
        client.run(&[url]).expect(2).expect_error(words);
        client.run(&["-c", &format!("CONNECT {url}")]).expect(2).expect_error(words);
    }
}

#[test]
fn stopped_at_this_command_is_printed_only_for_commands() {
    let client = Client::new();
    let closed = listener().local_addr().unwrap();
    let stops = |run: &Run| run.stderr.contains("stopped at this command");
    let server = Server::start();
    assert!(!stops(&client.at(closed, "PWD; PWD").expect(3)));
    assert!(stops(&client.at(server.addr(), "CD nosuch; PWD").expect(1)));
    let url = format!("ftp://{}/nosuch", server.addr());
    assert!(!stops(&client.run(&[&url]).expect(1)));
}

#[test]
fn rm_r_removes_a_tree_with_rmda() {
    let server = writable();
    ["dir", "dir/sub"].iter().for_each(|dir| server.make_dir(dir));
    ["file", "dir/a", "dir/sub/b"].iter().for_each(|name| server.write(name, name));
    Client::new().at(server.addr(), "RM -r dir file").expect(0);
    assert!(!server.has("dir") && !server.has("file"));
    Client::new().at(server.addr(), "RM -r nosuch").expect(1).expect_error("550");
}

/// Runs `rm -r d` on a server without RMDA, with this listing of `d`; returns the deleted paths.
fn walk(listing: &str) -> (Run, Vec<String>) {
    let mut deleted = Vec::new();
    let script: Script<'_> = Box::new(|server: &mut ScriptedServer| {
        server.serve(|server, verb, operand| {
            match (verb, operand) {
                ("DELE", "d") => server.say("550 d: Is a directory"),
                ("DELE" | "RMD", _) => {
                    deleted.push(format!("{verb} {operand}"));
                    server.say("250 gone");
                }
                ("PWD", _) => server.say("257 \"/\""),
                ("MLSD", "d") => server.send(listing),
                ("MLSD", _) => server.send("type=file;size=1; g\r\n"),
                _ => return false,
            }
            true
        });
    });
    let run = play_all(&Client::new(), &[], "RM -r d", vec![script]);
    (run, deleted)
}

#[test]
fn rm_r_walks_the_tree_without_rmda() {
    let (run, deleted) =
        walk("type=dir; sub\r\ntype=file;size=1; f\r\ntype=OS.unix=slink:/; l\r\n");
    run.expect(0);
    assert_eq!(deleted, ["DELE d/sub/g", "RMD d/sub", "DELE d/l", "DELE d/f", "RMD d"]);
}

#[test]
fn rm_r_deletes_nothing_of_an_incompletely_listed_tree() {
    let (run, deleted) = walk("type=dir; sub\r\nwhat is this\r\n");
    run.expect(1).expect_error("what is this");
    assert_eq!(deleted, [] as [&str; 0]);
}

#[test]
fn option_c_resumes_and_option_o_names_the_target() {
    let (server, client) = (writable(), Client::with_file("a", "content"));
    server.write("b", "content");
    client.write("b", "con");
    let run = client.at(server.addr(), "GET -c b; GET -o c b; PUT -o d a; PUT -c a d").expect(0);
    assert_eq!((client.read("b"), client.read("c")), (b"content".into(), b"content".into()));
    assert_eq!(server.read("d"), b"content", "{run:?}");
    client.at(server.addr(), "GET -o c b d").expect(2).expect_error("-o");
}

#[test]
fn a_file_is_stored_in_a_directory_of_the_target_name() {
    let (server, client) = (writable(), Client::with_file("a", "content"));
    server.make_dir("dir");
    client.at(server.addr(), "PUT a dir; PUT -o dir/b a; APPEND a dir").expect(0);
    assert_eq!(server.read("dir/a"), b"contentcontent");
    assert_eq!(server.read("dir/b"), b"content");
}

#[test]
fn errors_about_patterns_and_directories_name_the_right_command() {
    let (server, client) = (writable(), Client::new());
    fs::create_dir(client.path("tree")).unwrap();
    server.make_dir("dir");
    let told = |command: &str, words: &str| {
        client.at(server.addr(), command).expect(1).expect_error(words);
    };
    told("PUT *.txt", "MPUT does");
    told("GET *.bin", "MGET does");
    told("PUT tree", "MIRROR -R tree sends a directory");
    told("PUT .", "MIRROR -R . sends a directory");
    told("GET dir", "MIRROR dir fetches a directory");
}

#[test]
fn a_tilde_is_the_home_directory() {
    let (server, client) = (writable(), Client::new());
    fs::create_dir(client.path("sub")).unwrap();
    client.write("a", "content");
    client.at(server.addr(), "LCD sub; PUT ~/a; GET a ~/b; MPUT ~/b; LCD ~; LLS ~/sub").expect(0);
    assert_eq!(client.read("b"), b"content");
    assert!(server.has("b"));
}

#[test]
fn connect_accepts_a_user_and_reuses_the_last_server() {
    let (server, client) = (Server::start(), Client::new());
    let (host, port) = (server.addr().ip().to_string(), server.addr().port());
    let commands = format!("CONNECT ftp@{host} {port}; CLOSE; CONNECT; PWD");
    let run = client.run(&["-c", &commands]).expect(0);
    assert_eq!(run.stderr.matches(" as ftp").count(), 2, "{run:?}");
    assert_eq!(run.stdout, "/\n");
    let at = format!("ftp@{host}");
    client.run(&["-c", "PWD", &at, &port.to_string()]).expect(0).expect_error(" as ftp");
    client.run(&["-c", "CONNECT"]).expect(2).expect_error("there is no previous server");
    client.run(&["-c", "CONNECT me:secret@host"]).expect(2).expect_error("a user name alone");
}

#[test]
fn a_listing_replaces_a_local_file_with_f() {
    let (server, client) = (Server::start(), Client::with_file("list", "old"));
    server.write("a", "");
    client.at(server.addr(), "LS . list").expect(2).expect_error("LIST -f replaces it");
    assert_eq!(client.read("list"), b"old");
    client.at(server.addr(), "LS -f . list; NLIST . names").expect(0);
    assert!(String::from_utf8(client.read("list")).unwrap().ends_with(" a\n"));
    assert!(client.read("names").ends_with(b"a\n"));
}

#[test]
fn the_url_of_a_directory_lists_it() {
    let server = Server::start();
    server.make_dir("dir");
    server.write("dir/inside", "");
    let run = Client::new().run(&[&format!("ftp://{}/dir", server.addr())]).expect(0);
    assert!(run.stdout.contains("inside"), "{run:?}");
}

#[test]
fn an_interrupted_mget_reports_the_number_of_remaining_files() {
    let (server, client) = (Server::start(), Client::new());
    ["a", "b", "c"].iter().for_each(|name| server.write_sparse(name, 1 << 40));
    let (host, port) = (server.addr().ip().to_string(), server.addr().port().to_string());
    let words = ["--rate-limit", "64K", "-j", "2", "-c", "MGET *", &host, &port];
    let child = client.spawn(&words);
    server.wait_for_log(&["login"]);
    eventually("a partial file", || !client.names().is_empty());
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains("3 of 3 files were not transferred"), "{text}");
}
