//! The byte 255 in names, on servers that treat it as the beginning of a Telnet command and on servers
//! that do not. No command that changes a file is sent in a form that might name another file.
//!
//! In the scripts the byte 255 is [`X`].

use crate::support::Client;
use crate::support::scripted_server::{Script, ScriptedServer, play_all};

const X: char = char::REPLACEMENT_CHARACTER;

/// The interpretation of a byte 255 in a name.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Takes {
    /// Each byte is part of the name, as in vsftpd.
    Literally,
    /// Two bytes mean one, and a single byte is part of the name.
    Doubled,
    /// Two bytes mean one, and a single byte begins a command with the next byte.
    AsCommand,
}

struct NameServer<'a> {
    takes: Takes,
    /// The existing files, and directories with a `/` at the end.
    there: Vec<String>,
    /// The listed names in bytes.
    listed: Vec<&'a [u8]>,
    heard: Vec<String>,
}

impl<'a> NameServer<'a> {
    fn new(takes: Takes, there: &[&str], listed: &[&'a [u8]]) -> NameServer<'a> {
        let there = there.iter().map(|name| name.replace('X', &X.to_string())).collect();
        NameServer { takes, there, listed: listed.to_vec(), heard: Vec::new() }
    }

    fn understood(&self, operand: &str) -> String {
        let lone = match self.takes {
            Takes::Literally => return operand.to_owned(),
            Takes::Doubled => X.to_string(),
            Takes::AsCommand => String::new(),
        };
        let mut name = String::new();
        let mut rest = operand.chars();
        while let Some(c) = rest.next() {
            match (c, rest.clone().next()) {
                (X, Some(X)) => {
                    rest.next();
                    name.push(X);
                }
                (X, _) => {
                    name.push_str(&lone);
                    if self.takes == Takes::AsCommand {
                        rest.next();
                    }
                }
                (c, _) => name.push(c),
            }
        }
        name
    }

    fn serve(&mut self, server: &mut ScriptedServer) {
        server.serve(|server, verb, operand| {
            self.heard.push(format!("{verb} {operand}"));
            let name = self.understood(operand.trim_start_matches("-a "));
            let is_file = self.there.contains(&name);
            let is_dir = name.is_empty() || self.there.contains(&format!("{name}/"));
            match verb {
                "PWD" => server.say("257 \"/\""),
                "MLSD" if name.is_empty() => {
                    let line = |name: &&[u8]| match name.strip_suffix(b"/") {
                        Some(dir) => [b"type=dir; ", dir, b"\r\n"].concat(),
                        None => [b"type=file;size=1; ", *name, b"\r\n"].concat(),
                    };
                    server.send(self.listed.iter().flat_map(line).collect::<Vec<u8>>());
                }
                "MLSD" | "CWD" if !is_dir => server.say("550 no such directory"),
                "MLSD" => server.send("type=file;size=1; inside\r\n"),
                "STAT" if is_dir => {
                    server.say("213-here\r\n drwxr-xr-x 2 0 0 1 Jan 1 2020 .\r\n213 end")
                }
                "STAT" => server.say("213-here\r\n213 end"),
                "MDTM" if is_file => server.say(&format!("213 200001020304{:02}", name.len())),
                "RETR" if is_file || name.ends_with("inside") => server.send("x"),
                "SIZE" if is_file || name.ends_with("inside") => server.say("213 1"),
                "DELE" if is_file => {
                    self.there.retain(|there| *there != name);
                    server.say("250 gone");
                }
                "MDTM" | "RETR" | "SIZE" | "DELE" => server.say("550 no such file"),
                _ => return false,
            }
            true
        });
    }

    fn run(&mut self, commands: &str) -> (Client, Option<i32>) {
        let client = Client::new();
        let script: Script<'_> = Box::new(|scripted| self.serve(scripted));
        let run = play_all(&client, &["-j", "1", "-k"], commands, vec![script]);
        (client, run.status)
    }

    fn heard(&self, verb: &str) -> Vec<String> {
        let lines = self.heard.iter().filter(|line| line.starts_with(verb));
        lines.map(|line| line.replace(X, "X")).collect()
    }
}

const ALL: [Takes; 3] = [Takes::Literally, Takes::Doubled, Takes::AsCommand];

#[test]
fn files_with_byte_255_are_fetched_and_deleted_on_every_server() {
    for takes in ALL {
        let mut server = NameServer::new(
            takes,
            &["aXb", "X", "cXXd", "a", "ab"],
            &[b"a\xffb", b"\xff", b"c\xff\xffd"],
        );
        let (client, status) = server.run("MGET *; MDELETE *");
        assert_eq!(status, Some(0), "{takes:?}: {:#?}", server.heard);
        assert_eq!(client.names().len(), 3, "{takes:?}");
        assert_eq!(server.there, ["a", "ab"], "{takes:?}: {:#?}", server.heard);
        let sent = if takes == Takes::Literally { "DELE aXb" } else { "DELE aXXb" };
        assert!(server.heard("DELE").contains(&sent.to_owned()), "{takes:?}: {:#?}", server.heard);
    }
}

#[test]
fn directories_with_byte_255_are_mirrored_from_every_server() {
    for takes in ALL {
        let mut server = NameServer::new(takes, &["dXe/", "d/"], &[b"d\xffe/"]);
        let (_, status) = server.run("MIRROR . here");
        assert_eq!(status, Some(0), "{takes:?}: {:#?}", server.heard);
        let sent = if takes == Takes::Literally { "RETR dXe/inside" } else { "RETR dXXe/inside" };
        assert_eq!(server.heard("RETR"), [sent], "{takes:?}");
    }
}

#[test]
fn a_reply_that_another_name_explains_proves_nothing() {
    // The file is gone, but there is one with the name that remains without the Telnet command.
    for there in [&["a"][..], &["ab"], &["a/"], &["ac"]] {
        for takes in ALL {
            let mut server = NameServer::new(takes, there, &[b"a\xffb"]);
            let (_, status) = server.run("MDELETE *");
            assert_eq!(status, Some(1), "{takes:?}: {:#?}", server.heard);
            assert_eq!(server.there, there, "{takes:?}: {:#?}", server.heard);
            assert_eq!(server.heard("DELE"), ["DELE aXXb"], "{takes:?}");
        }
    }
}

#[test]
fn byte_255_is_probed_once_per_session() {
    for (takes, questions) in [(Takes::Literally, 9), (Takes::Doubled, 1)] {
        let mut server = NameServer::new(takes, &["aXb", "cXd"], &[b"a\xffb", b"c\xffd"]);
        server.run("MDELETE *");
        let asked = server.heard("MDTM").len() + server.heard("STAT").len();
        assert!(asked <= questions + 2, "{takes:?}: {:#?}", server.heard);
        assert!(server.there.is_empty());
    }
    // For names that do not exist, the client asks only a few times.
    let names: Vec<Vec<u8>> = (b'A'..=b'Z').map(|byte| vec![byte, 0xff]).collect();
    let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let mut server = NameServer::new(Takes::Literally, &[], &names);
    server.run("MDELETE *");
    assert_eq!(server.heard("DELE").len(), names.len());
    assert!(server.heard("STAT").len() < 20, "{}", server.heard("STAT").len());
}

#[test]
fn names_without_byte_255_are_not_probed() {
    let mut server = NameServer::new(Takes::Literally, &["a"], &[b"a"]);
    server.run("MDELETE *");
    assert_eq!(server.heard("STAT").len() + server.heard("MDTM").len(), 0, "{:#?}", server.heard);
}
