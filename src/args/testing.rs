//! Two tables for tests, and short functions that parse words with them.

use super::usage::{Expected, Usage};
use super::{Flag, Outcome, Parsed, Program, port};
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

pub(super) static SERVER: Program = Program {
    name: "ftp_server",
    version: "1.2.3",
    about: "Serve a directory over FTP, to people and to programs, until the server is stopped.",
    usage: &["ftp_server [OPTIONS]", "ftp_server passwd FILE NAME"],
    flags: &[
        Flag::option("port", "PORT", "control port; 0 picks a free one").or("1026"),
        Flag::option("root", "DIR", "the directory served [the current directory]"),
        Flag::option(
            "passive-ports",
            "FIRST-LAST",
            "ports for passive data connections, which a firewall must allow",
        ),
        Flag::option("max-sessions-per-ip", "N", "sessions of one client address"),
        Flag::option("proxy", "CIDR", "a trusted balancer").many(),
        Flag::option("config", "FILE", "options, a line each").command_line_only(),
        Flag::switch("sync", "fsync before the reply"),
    ],
    after: "The command line wins over the config file.\n",
};

pub(super) static CLIENT: Program = Program {
    name: "ftp_client",
    version: "1.2.3",
    about: "Talk to an FTP server.",
    usage: &["ftp_client [OPTIONS] [HOST [PORT]]"],
    flags: &[
        Flag::letter_option('c', "COMMANDS", "run commands"),
        Flag::letter_option('j', "N", "parallel connections").or("4"),
        Flag::letter_switch('k', "continue after a failed command"),
        Flag::letter_switch('q', "only errors"),
        Flag::switch("active", "active mode").short('a'),
        Flag::option("port", "PORT", "port of the server").short('p'),
    ],
    after: "",
};

pub(super) fn words(line: &[&str]) -> Vec<OsString> {
    line.iter().map(OsString::from).collect()
}

pub(super) fn run(program: &Program, line: &[&str]) -> Parsed {
    match program.parse(words(line)) {
        Ok(Outcome::Run(parsed)) => parsed,
        other => panic!("{line:?} gave {other:?}"),
    }
}

pub(super) fn refused(program: &Program, line: &[&str]) -> String {
    match program.parse(words(line)) {
        Err(usage) => usage.to_string(),
        other => panic!("{line:?} gave {other:?}"),
    }
}

pub(super) fn config(text: impl AsRef<[u8]>) -> Parsed {
    let (parsed, wrong) = SERVER.parse_config(Path::new("f.conf"), text.as_ref());
    assert_eq!(wrong, []);
    parsed
}

pub(super) fn config_refused(text: impl AsRef<[u8]>) -> String {
    let (_, wrong) = SERVER.parse_config(Path::new("f.conf"), text.as_ref());
    let [wrong] = &wrong[..] else { panic!("{wrong:?}") };
    wrong.to_string()
}

pub(super) fn expected<T: fmt::Debug>(result: Result<T, Expected>) -> String {
    result.unwrap_err().0
}

pub(super) fn is_one_plain_line(usage: &Usage) -> bool {
    let text = usage.to_string();
    !text.is_empty() && !text.contains(char::is_control)
}

pub(super) fn read_all(parsed: &Parsed, line: &[&OsString]) {
    for flag in parsed.flags {
        let name = flag.long.map_or_else(|| flag.short.unwrap().to_string(), str::to_owned);
        if flag.value.is_none() {
            parsed.switch(&name);
        } else if let Err(usage) = parsed.get(&name, port) {
            assert!(is_one_plain_line(&usage), "{line:?}: {usage}");
        }
    }
}
