//! The permission of each verb, and the state that each command leaves for the next one.
//!
//! The cases come from the table of the protocol module, and [`case`] is exhaustive, so a verb
//! without a case does not compile.

use crate::support::Server;
use crate::support::wire::Peer;
use mt_ftp::protocol::{TABLE, Verb};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The kind of a command, by its effect on other commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Does not change the tree.
    Reads,
    /// Requires write access.
    Writes,
    /// Sets the state of the next transfer.
    SetsUp,
    /// Uses the state that was set for a transfer.
    Offsets,
    /// Ends the login.
    Leaves,
}

use Kind::{Leaves, Offsets, Reads, SetsUp, Writes};

/// Returns command lines of this verb, each of which works with write access.
fn case(verb: Verb) -> &'static [(Kind, &'static str)] {
    match verb {
        Verb::User => &[(Leaves, "USER ftp")],
        Verb::Pass => &[(Reads, "PASS x")],
        Verb::Acct => &[(Reads, "ACCT x")],
        Verb::Rein => &[(Leaves, "REIN")],
        Verb::Quit => &[(Leaves, "QUIT")],
        Verb::Cwd => &[(Reads, "CWD dir")],
        Verb::Cdup => &[(Reads, "CDUP")],
        Verb::Port => &[(SetsUp, "PORT 127,0,0,1,200,1")],
        Verb::Eprt => &[(SetsUp, "EPRT |1|127.0.0.1|50000|")],
        Verb::Pasv => &[(SetsUp, "PASV")],
        Verb::Epsv => &[(SetsUp, "EPSV"), (SetsUp, "EPSV 1"), (SetsUp, "EPSV ALL")],
        Verb::Type => &[(SetsUp, "TYPE I"), (SetsUp, "TYPE L 8")],
        Verb::Mode => &[(Reads, "MODE S")],
        Verb::Stru => &[(Reads, "STRU F")],
        Verb::Retr => &[(Reads, "RETR file")],
        Verb::Stor => &[(Writes, "STOR new"), (Writes, "STOR file")],
        Verb::Stou => &[(Writes, "STOU"), (Writes, "STOU prefix")],
        Verb::Appe => &[(Writes, "APPE new"), (Writes, "APPE file")],
        Verb::Allo => &[(Writes, "ALLO 10")],
        Verb::Rest => &[(Offsets, "REST 1")],
        Verb::Rnfr => &[(Writes, "RNFR file"), (Writes, "RNFR dir")],
        Verb::Rnto => &[(Writes, "RNTO new")],
        Verb::Abor => &[(Reads, "ABOR")],
        Verb::Dele => &[(Writes, "DELE other")],
        Verb::Rmd => &[(Writes, "RMD dir"), (Writes, "XRMD dir")],
        Verb::Mkd => &[(Writes, "MKD made"), (Writes, "XMKD made")],
        Verb::Pwd => &[(Reads, "PWD")],
        Verb::List => &[(Reads, "LIST"), (Reads, "LIST -la dir")],
        Verb::Nlst => &[(Reads, "NLST"), (Reads, "NLST dir")],
        Verb::Mlsd => &[(Reads, "MLSD"), (Reads, "MLSD dir")],
        Verb::Mlst => &[(Reads, "MLST"), (Reads, "MLST file")],
        Verb::Size => &[(Reads, "SIZE file")],
        Verb::Mdtm => &[(Reads, "MDTM file"), (Writes, "MDTM 20200102030405 other")],
        Verb::Mfmt => &[(Writes, "MFMT 20200102030405 other")],
        Verb::Stat => &[(Reads, "STAT"), (Reads, "STAT dir")],
        Verb::Syst => &[(Reads, "SYST")],
        Verb::Help => &[(Reads, "HELP"), (Reads, "HELP RETR")],
        Verb::Noop => &[(Reads, "NOOP")],
        Verb::Feat => &[(Reads, "FEAT")],
        Verb::Opts => {
            &[(Reads, "OPTS UTF8 ON"), (Reads, "OPTS MLST type;"), (Reads, "OPTS HASH MD5")]
        }
        Verb::Site => &[
            (Reads, "SITE HELP"),
            (Reads, "SITE IDLE 100"),
            (Reads, "SITE QUOTA"),
            (Writes, "SITE CHMOD 600 other"),
            (Writes, "SITE UTIME 20200102030405 other"),
            (Writes, "SITE UMASK 022"),
            (Writes, "SITE SYMLINK file link"),
            (Writes, "SITE MKDIR a/b/c"),
            // Visitors may not see the other sessions.
            (Writes, "SITE WHO"),
        ],
        Verb::Host => &[(Reads, "HOST localhost")],
        Verb::Hash => &[(Reads, "HASH file")],
        Verb::Xcrc => &[(Reads, "XCRC file")],
        Verb::Xmd5 => &[(Reads, "XMD5 file 0 2")],
        Verb::Xsha1 => &[(Reads, "XSHA1 file"), (Reads, "XSHA \"file\"")],
        Verb::Xsha256 => &[(Reads, "XSHA256 file")],
        Verb::Xsha512 => &[(Reads, "XSHA512 file")],
        Verb::Rang => &[(Offsets, "RANG 1 2")],
        Verb::Mff => &[(Writes, "MFF UNIX.mode=0600; other")],
        Verb::Mfct => &[(Writes, "MFCT 20200102030405 other")],
        // The space for uploads is of use only with write access.
        Verb::Avbl => &[(Writes, "AVBL")],
        Verb::Dsiz => &[(Reads, "DSIZ dir")],
        Verb::Rmda => &[(Writes, "RMDA dir")],
        Verb::Csid => &[(Reads, "CSID")],
        Verb::Clnt => &[(Reads, "CLNT test")],
        Verb::Lang => &[(Reads, "LANG en")],
        Verb::Auth => &[(Reads, "AUTH TLS")],
        Verb::Pbsz => &[(Reads, "PBSZ 0")],
        Verb::Prot => &[(Reads, "PROT P")],
        Verb::Ccc => &[(Reads, "CCC")],
    }
}

/// Returns all lines, and one with an unknown verb.
fn lines() -> impl Iterator<Item = (Kind, &'static str)> {
    let all = TABLE.iter().flat_map(|row| case(row.verb)).copied();
    all.chain([(Reads, "XYZZY"), (Reads, "RETR"), (Reads, "ADAT x"), (Reads, "")])
}

fn server(access: &str) -> Server {
    let server = Server::with(&["--anonymous", access]);
    server.write("file", "0123456789");
    server.write("other", "other");
    server.make_dir("dir");
    server
}

/// Records everything below a directory that a command could change.
fn snapshot(dir: &Path, all: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let data = path.symlink_metadata().unwrap();
        let facts = (data.ino(), data.mode(), data.size(), data.mtime(), data.mtime_nsec());
        all.insert(path.to_str().unwrap().into(), format!("{facts:?}"));
        if data.is_dir() {
            snapshot(&path, all);
        }
    }
}

fn is_denied(peer: &mut Peer, line: &str) -> bool {
    let said = peer.say(line).hear();
    if said.code == 150 {
        peer.say("ABOR").expect(426);
        peer.expect(226);
    }
    said.code == 550 && said.words() == "Permission denied."
}

#[test]
fn every_case_belongs_to_its_verb() {
    for row in TABLE {
        for (_, line) in case(row.verb) {
            let word = line.split(' ').next().unwrap();
            assert!(word == row.spelling || row.aliases.contains(&word), "{line}");
        }
    }
}

#[test]
fn readers_are_denied_exactly_the_changing_commands() {
    let server = server("read");
    let mut before = BTreeMap::new();
    snapshot(server.root(), &mut before);
    for (kind, line) in lines() {
        // A data connection is arranged, so that only the permission can be the reason of a
        // refusal.
        let mut peer = server.visitor();
        peer.epsv();
        assert_eq!(is_denied(&mut peer, line), kind == Writes, "{}", peer.dialogue());
    }
    let mut after = BTreeMap::new();
    snapshot(server.root(), &mut after);
    assert_eq!(after, before);
}

#[test]
fn writers_are_denied_nothing() {
    for (_, line) in lines() {
        let server = server("write");
        let mut peer = server.visitor();
        peer.epsv();
        assert!(!is_denied(&mut peer, line), "{}", peer.dialogue());
    }
}

#[test]
fn before_login_the_tree_is_not_accessible() {
    let server = server("write");
    let mut before = BTreeMap::new();
    snapshot(server.root(), &mut before);
    for (kind, line) in lines() {
        let mut peer = server.caller();
        let said = peer.say(line).hear();
        assert!(kind != Writes || said.code == 530, "{}", peer.dialogue());
        let text = said.text();
        assert!(!text.contains("other") && !text.contains("dir\""), "{text}");
    }
    let mut after = BTreeMap::new();
    snapshot(server.root(), &mut after);
    assert_eq!(after, before);
}

/// Returns whether a line begins a transfer of a file, even an unsuccessful one.
fn is_file_transfer(line: &str) -> bool {
    ["RETR ", "STOR ", "STOU", "APPE "].iter().any(|verb| line.starts_with(verb))
}

/// Returns the data that RETR sends after a command for an offset and this line.
fn after(peer: &mut Peer, offset: &str, line: &str) -> Vec<u8> {
    peer.say(offset).expect(350);
    peer.say(line).hear();
    peer.retr("/file")
}

#[test]
fn rest_is_kept_until_a_file_transfer() {
    let too_long = "X".repeat(10_000);
    for access in ["read", "write"] {
        let kept = lines().filter(|(kind, _)| !matches!(kind, Offsets | Leaves));
        for line in kept.map(|(_, line)| line).chain([too_long.as_str()]) {
            let server = server(access);
            let mut peer = server.visitor();
            let wanted = if is_file_transfer(line) { "0123456789" } else { "456789" };
            let got = after(&mut peer, "REST 4", line);
            assert_eq!(got, wanted.as_bytes(), "{access}: {}", peer.dialogue());
        }
    }
}

#[test]
fn rang_is_kept_until_a_file_transfer_or_hash() {
    let server = server("read");
    for (_, line) in lines().filter(|(kind, _)| !matches!(kind, Offsets | Leaves)) {
        let mut peer = server.visitor();
        let used = is_file_transfer(line) || line.starts_with("HASH");
        let wanted = if used { "0123456789" } else { "456" };
        let got = after(&mut peer, "RANG 4 6", line);
        assert_eq!(got, wanted.as_bytes(), "{}", peer.dialogue());
    }
}

#[test]
fn an_offset_applies_to_one_transfer_and_the_last_one_wins() {
    let server = server("write");
    let mut peer = server.visitor();
    peer.say("REST 4").expect(350);
    assert!(!peer.lines("LIST").is_empty() && !peer.lines("MLSD").is_empty());
    assert_eq!(peer.retr("file"), b"456789");
    assert_eq!(peer.retr("file"), b"0123456789");
    assert_eq!(after(&mut peer, "REST 4", "REST 6"), b"6789");
    assert_eq!(after(&mut peer, "REST 4", "RANG 6 7"), b"67");
    assert_eq!(after(&mut peer, "RANG 4 5", "REST 6"), b"6789");
    for offset in ["REST 4", "RANG 4 5"] {
        assert_eq!(after(&mut peer, offset, "RANG 1 0"), b"0123456789");
    }
    // These commands set no offset.
    for line in ["REST x", "REST", "RANG 7 6", "RANG x"] {
        assert_eq!(after(&mut peer, "REST 4", line), b"456789", "{line}");
    }
    peer.say("REST 4").expect(350);
    peer.say("RNFR other").expect(350);
    peer.say("RNTO new").expect(250);
    assert_eq!(peer.retr("file"), b"456789");
}

#[test]
fn rnfr_applies_only_to_the_next_command() {
    let server = server("write");
    for (_, line) in lines().filter(|(kind, _)| *kind != Leaves) {
        if line.starts_with("RNFR") || line.starts_with("RNTO") {
            continue;
        }
        let mut peer = server.visitor();
        server.write("old", "old");
        peer.say("RNFR old").expect(350);
        peer.say(line).hear();
        peer.say("RNTO /renamed").expect(503);
        assert!(!server.has("renamed"), "{}", peer.dialogue());
    }
}

#[test]
fn rnto_uses_only_the_last_rnfr() {
    let server = server("write");
    let mut peer = server.visitor();
    peer.say("RNFR file").expect(350);
    peer.say("RNFR other").expect(350);
    peer.say("RNTO new").expect(250);
    peer.say("RNTO newer").expect(503);
    assert!(server.has("file") && server.has("new"));
    // An RNTO that fails also uses up the RNFR.
    peer.say("RNFR file").expect(350);
    peer.say("RNFR missing").expect(550);
    peer.say("RNTO new").expect(503);
    peer.say("RNFR file").expect(350);
    peer.say("RNTO missing/new").expect(550);
    peer.say("RNTO new").expect(503);
}

#[test]
fn the_end_of_a_login_resets_the_session() {
    let server = server("write");
    let mut peer = server.visitor();
    for leave in ["USER anonymous", "REIN"] {
        peer.say("REST 4").expect(350);
        peer.say(leave).hear();
        peer.login().say("TYPE I").expect(200);
        assert_eq!(peer.retr("file"), b"0123456789", "{leave}");
        peer.say("RNFR file").expect(350);
        peer.say(leave).hear();
        peer.login().say("TYPE I").expect(200);
        peer.say("RNTO new").expect(503);
    }
}

#[test]
fn rein_resets_everything() {
    let server = server("write");
    let mut peer = server.visitor();
    for line in ["CWD dir", "OPTS HASH MD5", "OPTS MLST type;", "SITE IDLE 77", "SITE UMASK 077"] {
        peer.say(line).hear();
    }
    peer.say("EPSV ALL").expect(200);
    peer.say("PASV").expect(501);
    peer.epsv();
    peer.say("REIN").expect(220);
    peer.login();
    peer.say("PWD").expect_text(257, "\"/\"");
    peer.say("STAT").expect_text(211, "ASCII");
    peer.say("OPTS HASH").expect_text(200, "SHA-256");
    peer.say("MLST file").expect_text(250, "size=10;");
    peer.say("SITE IDLE").expect_text(200, "300");
    assert!(!peer.say("SITE UMASK").expect(200).text().contains("077"));
    peer.say("LIST").expect(425);
    peer.say("PASV").expect(227);
}

#[test]
fn epsv_all_allows_only_epsv() {
    let server = server("write");
    let mut peer = server.visitor();
    peer.say("EPSV ALL").expect(200);
    for line in ["PASV", "PORT 127,0,0,1,200,1", "EPRT |1|127.0.0.1|50000|"] {
        peer.say(line).expect(501);
    }
    assert_eq!(peer.retr("file"), b"0123456789");
    peer.login().say("TYPE I").expect(200);
    peer.say("PASV").expect(501);
    assert_eq!(peer.retr("file"), b"0123456789");
}

#[test]
fn an_arrangement_is_used_up_by_one_transfer() {
    let server = server("write");
    let mut peer = server.visitor();
    assert_eq!(peer.retr("file"), b"0123456789");
    peer.say("RETR file").expect(425);
    peer.stor("new", "x");
    peer.say("LIST").expect(425);
}

#[test]
fn offsets_at_the_limits_of_their_type_are_handled() {
    let server = server("write");
    let mut peer = server.visitor();
    peer.epsv();
    for offset in ["11", "9223372036854775807", "9223372036854775808", "18446744073709551615"] {
        for command in ["RETR file", "STOR file", "STOR new"] {
            peer.say(format!("REST {offset}")).expect(350);
            peer.say(command).expect(554);
        }
        peer.say(format!("REST {offset}")).expect(350);
        peer.say("APPE file").expect(503);
        peer.say(format!("REST {offset}")).expect(350);
        peer.say("HASH file").expect(554);
    }
    for offset in ["18446744073709551616", "-1", "+1", "1.0", "0x1", "1 2"] {
        peer.say(format!("REST {offset}")).expect(501);
    }
    assert_eq!(server.read("file"), b"0123456789");
    assert!(!server.has("new") && server.partials("") == 0);
    peer.say("TYPE A").expect(200);
    for command in ["RETR file", "STOR file"] {
        peer.say("REST 18446744073709551615").expect(350);
        peer.say(command).expect(554);
    }
}

#[test]
fn pipelined_verbs_each_get_one_final_reply() {
    let server = server("write");
    let mut peer = server.visitor();
    // No data connection is arranged before the transfers, so they get a 425 and nothing waits.
    let mut all: Vec<(Kind, &str)> = lines().filter(|(kind, _)| *kind != Leaves).collect();
    all.sort_by_key(|(kind, _)| *kind == SetsUp);
    peer.raw(all.iter().map(|(_, line)| format!("{line}\r\nSYST\r\n")).collect::<String>());
    for (_, line) in all {
        let said = peer.hear();
        assert!(said.code >= 200, "{line}: {}", peer.dialogue());
        peer.expect(215);
    }
    peer.say("PWD").expect(257);
}
