//! Extensions beyond RFC 959, and the server's description of itself.

use crate::support::Server;
use crate::support::wire::Peer;
use mt_ftp::protocol::TABLE;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// 2001-02-03 04:05:06 UTC.
const MOMENT: u64 = 981_173_106;

fn modified(server: &Server, name: &str) -> u64 {
    let modified = fs::metadata(server.path(name)).unwrap().modified().unwrap();
    modified.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn mode(server: &Server, name: &str) -> u32 {
    fs::metadata(server.path(name)).unwrap().permissions().mode() & 0o7777
}

/// Starts a server with a directory that contains a file, and logs in with write access.
fn writer() -> (Server, Peer) {
    let server = Server::start();
    server.make_dir("dir");
    server.write("dir/a file", "content");
    let peer = server.visitor();
    (server, peer)
}

fn features(peer: &mut Peer) -> Vec<String> {
    let text = peer.say("FEAT").expect(211).text();
    text.lines().filter_map(|line| line.strip_prefix(' ')).map(str::to_owned).collect()
}

/// Returns uses of a feature with their reply codes. A feature that is missing here or in FEAT
/// fails the test.
fn uses(feature: &str) -> &'static [(&'static str, u16)] {
    match feature {
        "AVBL" => &[("AVBL", 213)],
        "CLNT" => &[("CLNT test", 200)],
        "CSID" => &[("CSID Name=test; Version=1;", 200)],
        "DSIZ" => &[("DSIZ dir", 213)],
        "EPRT" => &[("EPRT |1|127.0.0.1|50000|", 200)],
        "EPSV" => &[("EPSV", 229), ("EPSV 1", 229), ("EPSV ALL", 200)],
        "HASH" => &[("OPTS HASH SHA-512", 200), ("HASH dir/a file", 213)],
        "HOST" => &[("REIN", 220), ("HOST localhost", 220)],
        "LANG" => &[("LANG EN", 200)],
        "MDTM" => &[("MDTM dir/a file", 213)],
        "MFCT" => &[("MFCT 20010203040506 dir/a file", 213)],
        "MFF" => &[("MFF Modify=20010203040506;UNIX.mode=0600; dir/a file", 213)],
        "MFMT" => &[("MFMT 20010203040506 dir/a file", 213)],
        "MLST" => &[("OPTS MLST size;", 200), ("MLST dir", 250), ("MLSD dir", 425)],
        "RANG" => &[("RANG 1 2", 350), ("HASH dir/a file", 213)],
        "REST" => &[("REST 3", 350), ("RETR dir/a file", 425)],
        "RMDA" => &[("RMDA dir", 250)],
        "SIZE" => &[("SIZE dir/a file", 213)],
        "TVFS" => &[("CWD /dir/./../dir", 250), ("SIZE //dir//a file", 213), ("CWD ..", 250)],
        "UTF8" => &[("OPTS UTF8 ON", 200), ("OPTS UTF8 OFF", 200), ("MKD \u{fc}", 257)],
        "XCRC" => &[("XCRC dir/a file", 250)],
        "XMD5" => &[("XMD5 dir/a file", 250)],
        "XSHA1" => &[("XSHA1 dir/a file", 250)],
        "XSHA256" => &[("XSHA256 dir/a file", 250)],
        "XSHA512" => &[("XSHA512 dir/a file", 250)],
        _ => &[],
    }
}

#[test]
fn every_extension_in_feat_works() {
    let (_server, mut peer) = writer();
    let mut features = features(&mut peer);
    features.sort();
    features.dedup();
    assert!(features.len() > 10, "{features:?}");
    for feature in &features {
        let (_server, mut peer) = writer();
        let name = feature.split(' ').next().unwrap();
        let uses = uses(name);
        assert!(!uses.is_empty(), "nobody uses {feature}");
        for (line, code) in uses {
            peer.say(line).expect(*code);
        }
    }
}

#[test]
fn every_extension_is_listed_in_feat() {
    let (_server, mut peer) = writer();
    let features = features(&mut peer);
    let is_listed =
        |name: &str| features.iter().any(|feature| feature.split(' ').next() == Some(name));
    for row in TABLE.iter().filter(|row| !row.rfc.starts_with("RFC 959 ")) {
        match row.spelling {
            // RFC 2389 defines these two, and every client that reads FEAT knows them.
            "FEAT" | "OPTS" => assert!(!is_listed(row.spelling)),
            // RFC 3659 section 7.8: MLST stands for both.
            "MLSD" => assert!(is_listed("MLST") && !is_listed("MLSD")),
            // Listed only by a server with a certificate.
            "AUTH" | "PBSZ" | "PROT" | "CCC" => assert!(!is_listed(row.spelling)),
            // Not every system can set the creation time.
            "MFCT" if !is_listed("MFCT") => {
                let (_server, mut peer) = writer();
                peer.say("MFCT 20010203040506 dir/a file").expect(502);
            }
            name => assert!(is_listed(name), "{name} is not in {features:?}"),
        }
    }
}

#[test]
fn opts_mlst_shows_in_feat() {
    let (_server, mut peer) = writer();
    peer.say("OPTS MLST size;type;nosuch;").expect_text(200, "MLST OPTS ");
    let features = features(&mut peer);
    let facts = features.iter().find(|line| line.starts_with("MLST ")).unwrap();
    let chosen: Vec<&str> =
        facts["MLST ".len()..].split(';').filter(|f| f.ends_with('*')).collect();
    assert_eq!(chosen, ["type*", "size*"], "{facts}");
    peer.say("MLST dir/a file").expect_text(250, "\n type=file;size=7; /dir/a file\n");
}

#[test]
fn help_explains_each_verb_in_one_line() {
    let server = Server::start();
    // Commands before the login would be delayed.
    let mut peer = server.visitor();
    for row in TABLE {
        let said = peer.say(format!("HELP {}", row.spelling)).expect(214);
        let text = said.text();
        if row.spelling == "SITE" {
            // SITE has its own commands.
            assert_eq!(text, peer.say("SITE HELP").expect(214).text());
            continue;
        }
        assert_eq!(said.lines.len(), 1, "{text}");
        assert!(text.contains(row.spelling) && text.contains(row.help), "{text}");
        for alias in row.aliases {
            peer.say(format!("help {}", alias.to_lowercase())).expect_text(214, row.help);
        }
    }
    peer.say("HELP NOSUCH").expect(501);
}

#[test]
fn site_help_lists_the_site_commands() {
    let (_server, mut peer) = writer();
    let text = peer.say("SITE HELP").expect(214).text();
    for command in ["HELP", "CHMOD", "UTIME", "UMASK", "SYMLINK", "MKDIR", "IDLE", "WHO", "QUOTA"] {
        assert!(text.contains(&format!("\n {command}")), "{command} in {text}");
        let code = peer.say(format!("SITE {command}")).hear().code;
        let is_known = matches!(code, 200 | 214 | 501) || code == 550 && command == "WHO";
        assert!(is_known, "SITE {command}: {code}");
    }
    peer.say("SITE EXEC ls").expect(504);
}

#[test]
fn host_precedes_user_and_accepts_any_name() {
    let server = Server::start();
    let mut peer = server.caller();
    for name in ["localhost", "ftp.example.com", "[::1]"] {
        peer.say(format!("HOST {name}")).expect(220);
    }
    peer.say("USER ftp").expect(331);
    peer.say("HOST localhost").expect(503);
    peer.say("PASS x").expect(230);
    peer.say("HOST localhost").expect(503);
    peer.say("REIN").expect(220);
    peer.say("HOST localhost").expect(220);
}

#[test]
fn lang_accepts_only_english() {
    let server = Server::start();
    let mut peer = server.caller();
    for tag in ["LANG", "LANG en", "LANG EN-us", "LANG en-GB"] {
        peer.say(tag).expect(200);
    }
    for tag in ["LANG de", "LANG english", "LANG e"] {
        peer.say(tag).expect(504);
    }
}

#[test]
fn clnt_and_csid_identify_client_and_server() {
    let server = Server::start();
    let mut peer = server.caller();
    let said = peer.say("CSID Name=test; Version=1;").expect(200).words();
    for fact in ["Name=mt_ftp;", "Version=", "CaseSensitive=1;", "DirSep=/;"] {
        assert!(said.contains(fact), "{fact} in {said}");
    }
    peer.say("CSID").expect(200);
    peer.say("CLNT test 1.0").expect(200);
}

#[test]
fn unsupported_parameters_are_504_and_change_nothing() {
    let (_server, mut peer) = writer();
    for line in
        ["MODE Z", "MODE B", "MODE C", "STRU R", "STRU P", "TYPE E", "TYPE A C", "TYPE L 36"]
    {
        peer.say(line).expect(504);
    }
    for line in ["MODE S", "STRU F", "TYPE L 8", "TYPE A N", "TYPE A T", "TYPE I"] {
        peer.say(line).expect(200);
    }
    assert_eq!(peer.retr("dir/a file"), b"content");
}

#[test]
fn allo_checks_the_free_space() {
    let (_server, mut peer) = writer();
    for line in ["ALLO 10", "ALLO 10 R 20", "ALLO 0"] {
        peer.say(line).expect(200);
    }
    for line in ["ALLO 9223372036854775807", "ALLO 18446744073709551615"] {
        peer.say(line).expect(552);
    }
    for line in ["ALLO 18446744073709551616", "ALLO -1", "ALLO 10 R", "ALLO 10 X 5"] {
        peer.say(line).expect(501);
    }
    // The reported space fits, and one byte more does not.
    let room: u64 = peer.say("AVBL").expect(213).words().parse().unwrap();
    peer.say(format!("ALLO {}", room / 2)).expect(200);
    peer.say(format!("ALLO {}", room.saturating_mul(2))).expect(552);
}

#[test]
fn avbl_needs_a_directory() {
    let (_server, mut peer) = writer();
    for line in ["AVBL", "AVBL dir", "AVBL /"] {
        let room: u64 = peer.say(line).expect(213).words().parse().unwrap();
        assert!(room > 0);
    }
    peer.say("AVBL missing").expect(550);
    peer.say("AVBL dir/a file").expect(550);
}

#[test]
fn dsiz_adds_file_sizes_and_follows_no_links() {
    let (server, mut peer) = writer();
    server.make_dir("dir/sub/empty");
    server.write("dir/sub/ten", "0123456789");
    server.write("large", [0; 1000]);
    symlink("../large", server.path("dir/link")).unwrap();
    symlink("..", server.path("dir/sub/loop")).unwrap();
    symlink("/etc", server.path("dir/out")).unwrap();
    peer.say("DSIZ dir").expect_text(213, "213 17");
    peer.say("CWD dir/sub").expect(250);
    peer.say("DSIZ").expect_text(213, "213 10");
    peer.say("DSIZ empty").expect_text(213, "213 0");
    for name in ["missing", "ten", "/dir/out"] {
        peer.say(format!("DSIZ {name}")).expect(550);
    }
}

#[test]
fn dsiz_omits_partial_files() {
    let (_server, mut peer) = writer();
    peer.break_off("STOR dir/broken", "0123456789");
    peer.say("DSIZ dir").expect_text(213, "213 7");
}

#[test]
fn rmda_removes_links_and_keeps_their_targets() {
    let (server, mut peer) = writer();
    server.make_dir("doomed/deep/er");
    server.write("doomed/deep/file", "x");
    server.write("doomed/.hidden", "x");
    server.make_dir("kept");
    server.write("kept/file", "x");
    symlink("../kept", server.path("doomed/dir")).unwrap();
    symlink("../../kept/file", server.path("doomed/deep/link")).unwrap();
    symlink("/tmp", server.path("doomed/out")).unwrap();
    symlink("nowhere", server.path("doomed/dangling")).unwrap();
    peer.break_off("STOR doomed/broken", "half");
    peer.say("RMDA doomed").expect(250);
    assert!(!server.has("doomed"));
    assert_eq!(server.read("kept/file"), b"x");
}

#[test]
fn rmda_accepts_only_directories_below_the_root() {
    let (server, mut peer) = writer();
    symlink("dir", server.path("link")).unwrap();
    symlink("/tmp", server.path("out")).unwrap();
    for name in ["dir/a file", "missing", "link", "out", "/", ".", "dir/..", ".."] {
        peer.say(format!("RMDA {name}")).expect(550);
    }
    assert_eq!(server.read("dir/a file"), b"content");
    assert!(server.has("link") && server.has("out"));
}

#[test]
fn mfmt_sets_a_time_and_replies_213() {
    let (server, mut peer) = writer();
    peer.say("MFMT 20010203040506 dir/a file")
        .expect_text(213, "213 Modify=20010203040506; /dir/a file");
    assert_eq!(modified(&server, "dir/a file"), MOMENT);
    peer.say("MDTM dir/a file").expect_text(213, "213 20010203040506");
    peer.say("MFMT 19700101000000 dir/a file").expect(213);
    assert_eq!(modified(&server, "dir/a file"), 0);
    peer.say("MFMT 20010203040506 missing").expect(550);
    for time in ["20010229000000", "20011301000000", "2001", "20010203040560x", "-0010203040506"] {
        peer.say(format!("MFMT {time} dir/a file")).expect(501);
    }
    assert_eq!(modified(&server, "dir/a file"), 0);
}

#[test]
fn mdtm_with_a_time_sets_it_and_replies_253() {
    let (server, mut peer) = writer();
    peer.say("MDTM 20010203040506 dir/a file").expect(253);
    assert_eq!(modified(&server, "dir/a file"), MOMENT);
    peer.say("MDTM 20010203040506 missing").expect(550);
    // A file with that name takes precedence.
    server.write("20010203040506 dir", "");
    let before = modified(&server, "dir");
    peer.say("MDTM 20010203040506 dir").expect(213);
    assert_eq!(modified(&server, "dir"), before);
}

#[test]
fn mff_sets_times_and_modes() {
    let (server, mut peer) = writer();
    peer.say("MFF Modify=20010203040506;UNIX.mode=0640; dir/a file")
        .expect_text(213, "Modify=20010203040506;UNIX.mode=0640; /dir/a file");
    assert_eq!((modified(&server, "dir/a file"), mode(&server, "dir/a file")), (MOMENT, 0o640));
    peer.say("MFF unix.mode=600; dir/a file").expect(213);
    assert_eq!((modified(&server, "dir/a file"), mode(&server, "dir/a file")), (MOMENT, 0o600));
    peer.say("MFF modify=20010203040506; missing").expect(550);
    for facts in ["Modify=soon;", "UNIX.mode=9;", "Modify;", "Modify=2001;"] {
        peer.say(format!("MFF {facts} dir/a file")).expect(501);
    }
    peer.say("MFF Size=0; dir/a file").expect(504);
    // ncftp omits the last semicolon.
    peer.say("MFF Modify=20010203040506 dir/a file").expect(213);
    assert_eq!(server.read("dir/a file"), b"content");
}

#[test]
fn a_creation_time_that_cannot_be_set_changes_nothing() {
    let (server, mut peer) = writer();
    let can = features(&mut peer).iter().any(|feature| feature == "MFCT");
    let before = modified(&server, "dir/a file");
    let both = "MFF Modify=20010203040506;Create=20010203040506; dir/a file";
    if can {
        peer.say("MFCT 20010203040506 dir/a file").expect(213);
        peer.say(both).expect(213);
    } else {
        peer.say("MFCT 20010203040506 dir/a file").expect(502);
        peer.say(both).expect(502);
        assert_eq!(modified(&server, "dir/a file"), before);
    }
}

#[test]
fn site_utime_accepts_both_forms() {
    let (server, mut peer) = writer();
    let earlier = MOMENT - 6;
    for (line, time) in [
        ("SITE UTIME 20010203040506 dir/a file", MOMENT),
        ("SITE UTIME 200102030405 dir/a file", earlier),
        ("SITE UTIME dir/a file 19990101000000 20010203040506 19990101000000 UTC", MOMENT),
        ("site utime dir/a file 199901010000 200102030405 199901010000 utc", earlier),
    ] {
        peer.say(line).expect(200);
        assert_eq!(modified(&server, "dir/a file"), time, "{line}");
    }
    for line in ["SITE UTIME", "SITE UTIME dir/a file", "SITE UTIME soon dir/a file"] {
        peer.say(line).expect(501);
    }
    peer.say("SITE UTIME 20010203040506 missing").expect(550);
}

#[test]
fn times_of_files_outside_are_not_changed() {
    let (server, mut peer) = writer();
    let outside = tempfile::NamedTempFile::new().unwrap();
    symlink(outside.path(), server.path("out")).unwrap();
    let before = fs::metadata(outside.path()).unwrap();
    for line in [
        "MFMT 20010203040506 out",
        "MDTM 20010203040506 out",
        "MFF UNIX.mode=0777; out",
        "SITE UTIME 20010203040506 out",
        "SITE CHMOD 777 out",
    ] {
        peer.say(line).expect(550);
    }
    let after = fs::metadata(outside.path()).unwrap();
    assert_eq!(after.mtime(), before.mtime());
    assert_eq!(after.permissions(), before.permissions());
}

#[test]
fn site_chmod_sets_permission_bits() {
    let (server, mut peer) = writer();
    for (text, bits) in [("600", 0o600), ("0644", 0o644), ("0", 0)] {
        peer.say(format!("SITE CHMOD {text} dir/a file")).expect(200);
        assert_eq!(mode(&server, "dir/a file"), bits);
    }
    peer.say("SITE CHMOD 700 dir").expect(200);
    assert_eq!(mode(&server, "dir"), 0o700);
    peer.say("SITE CHMOD 600 missing").expect(550);
    for line in ["SITE CHMOD", "SITE CHMOD 600", "SITE CHMOD 8 dir", "SITE CHMOD 77777 dir"] {
        peer.say(line).expect(501);
    }
}

#[test]
fn site_umask_applies_to_files_that_the_session_creates() {
    let (server, mut peer) = writer();
    peer.say("SITE UMASK").expect(200);
    peer.say("SITE UMASK 077").expect(200);
    peer.say("SITE UMASK").expect_text(200, "077");
    peer.say("MKD private").expect(257);
    peer.say("SITE MKDIR all/private").expect(200);
    peer.stor("secret", "x");
    assert_eq!((mode(&server, "private"), mode(&server, "secret")), (0o700, 0o600));
    assert_eq!((mode(&server, "all"), mode(&server, "all/private")), (0o700, 0o700));
    // A file that is replaced keeps its mode.
    peer.say("SITE CHMOD 664 secret").expect(200);
    peer.stor("secret", "y");
    assert_eq!(mode(&server, "secret"), 0o664);
    peer.say("SITE UMASK 000").expect(200);
    peer.stor("public", "x");
    assert_eq!(mode(&server, "public"), 0o666);
    for mask in ["1000", "8", "x"] {
        peer.say(format!("SITE UMASK {mask}")).expect(501);
    }
}

#[test]
fn site_symlink_creates_links_that_stay_inside() {
    let (server, mut peer) = writer();
    for (target, link, way) in [
        ("dir", "link", "dir"),
        ("\"dir/a file\"", "direct", "dir/a file"),
        ("\"/dir/a file\"", "\"dir/b link\"", "a file"),
        ("\"a file\"", "dir/c", "a file"),
        ("..", "dir/up", ".."),
        ("../../../../etc/passwd", "dir/passwd", "../etc/passwd"),
        ("/etc/passwd", "passwd", "etc/passwd"),
        ("/", "self", "."),
    ] {
        peer.say(format!("SITE SYMLINK {target} {link}")).expect(200);
        let made = fs::read_link(server.path(link.trim_matches('"'))).unwrap();
        assert_eq!(made.to_str(), Some(way), "{target} {link}");
    }
    for name in ["link/a file", "direct", "dir/b link", "dir/c", "dir/up/direct", "self/dir/c"] {
        assert_eq!(peer.retr(name), b"content", "{name}");
    }
    peer.say("SIZE dir/passwd").expect(550);
    peer.say("SIZE passwd").expect(550);
}

#[test]
fn site_symlink_replaces_nothing() {
    let (server, mut peer) = writer();
    symlink("/tmp", server.path("out")).unwrap();
    for line in [
        "SITE SYMLINK dir \"dir/a file\"",
        "SITE SYMLINK dir dir",
        "SITE SYMLINK dir missing/link",
        "SITE SYMLINK dir out/link",
        "SITE SYMLINK dir /",
    ] {
        peer.say(line).expect(550);
    }
    for line in ["SITE SYMLINK", "SITE SYMLINK dir", "SITE SYMLINK a b c", "SITE SYMLINK \"a b"] {
        peer.say(line).expect(501);
    }
    assert_eq!(server.read("dir/a file"), b"content");
}

#[test]
fn site_mkdir_creates_missing_parents() {
    let (server, mut peer) = writer();
    peer.say("SITE MKDIR dir/new/and deeper").expect(200);
    assert!(server.path("dir/new/and deeper").is_dir());
    peer.say("SITE MKDIR dir/new").expect(200);
    peer.say("SITE MKDIR dir/a file/below").expect(550);
}

#[test]
fn site_mkdir_creates_many_directories_and_logs_one_line() {
    let (server, mut peer) = writer();
    let deep = "d/".repeat(2000);
    peer.say(format!("SITE MKDIR {deep}")).expect(200);
    peer.say(format!("CWD {deep}")).expect(250);
    server.wait_for_log(&[" mkd ", "/d/d/d/d"]);
    assert_eq!(server.log().matches(" mkd ").count(), 1);
    peer.say("SITE MKDIR .ftp-partial-x/y").expect(550);
    peer.say("SITE MKDIR x/.ftp-partial-y/z").expect(550);
    assert!(!server.has("x"));
}

#[test]
fn site_mkdir_refuses_a_file_as_parent() {
    let (_server, mut peer) = writer();
    peer.say("SITE MKDIR dir/a file").expect(550);
}

#[test]
fn site_idle_sets_the_idle_timeout() {
    let (server, mut peer) = writer();
    peer.say("SITE IDLE").expect_text(200, "300");
    peer.say("SITE IDLE 600").expect_text(200, "600");
    for seconds in ["0", "-1", "x", "4000", "18446744073709551615"] {
        peer.say(format!("SITE IDLE {seconds}")).expect(501);
    }
    peer.say("SITE IDLE").expect_text(200, "600");
    let started = Instant::now();
    peer.say("SITE IDLE 1").expect(200);
    peer.expect(421);
    peer.expect_end();
    assert!(started.elapsed() >= Duration::from_secs(1));
    server.visitor().say("SITE IDLE").expect_text(200, "300");
}

#[test]
fn site_who_shows_the_sessions_to_accounts() {
    let server = Server::with_accounts(&["anna:write:", "bert::"], &["--anonymous", "write"]);
    let mut peer = server.user("anna");
    let mut other = server.caller();
    let text = peer.say("SITE WHO").expect(211).text();
    assert_eq!(text.matches("127.0.0.1").count(), 2, "{text}");
    assert_eq!(text.matches("anonymous").count(), 0, "{text}");
    other.login();
    let text = peer.say("SITE WHO").expect(211).text();
    assert_eq!(text.matches("anonymous").count(), 1, "{text}");
    assert!(!other.say("SITE WHO").expect(550).text().contains("127.0.0.1"));
    server.user("bert").say("SITE WHO").expect(550);
    other.say("QUIT").expect(221);
    other.expect_end();
    crate::support::eventually("the other to be gone", || {
        peer.say("SITE WHO").expect(211).text().matches("127.0.0.1").count() == 1
    });
}

#[test]
fn a_browser_is_disconnected_at_once() {
    let server = Server::start();
    for line in
        ["GET / HTTP/1.1", "POST /login HTTP/1.0", "HEAD / HTTP/1.1", "CONNECT a:1 HTTP/1.1"]
    {
        let mut peer = server.caller();
        peer.raw(format!("{line}\r\nHost: ftp\r\nUSER anonymous\r\nPASS x\r\n\r\nDELE file\r\n"));
        peer.expect(421);
        peer.expect_end();
    }
    // After login, mistyped commands are allowed.
    let mut peer = server.visitor();
    peer.say("GET file").expect(500);
    peer.say("PWD").expect(257);
}

#[test]
fn ten_unknown_commands_before_login_end_the_session() {
    let server = Server::start();
    let mut peer = server.caller();
    for guess in 1..10 {
        peer.say(format!("GUESS{guess}")).expect(500);
        // Known verbs neither count nor reset the count.
        peer.say("NOOP").expect(200);
        peer.say("RETR").expect(530);
        peer.say("AUTH TLS").expect(502);
    }
    peer.say("HELLO").expect(421);
    peer.expect_end();

    let mut peer = server.visitor();
    for _ in 0..20 {
        peer.say("HELLO").expect(500);
    }
    peer.say("PWD").expect(257);
}

#[test]
fn new_files_have_the_current_time() {
    let (server, mut peer) = writer();
    peer.say("MFMT 20010203040506 dir/a file").expect(213);
    peer.stor("dir/a file", "new");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(now - modified(&server, "dir/a file") < 60);
}

#[test]
fn special_modes_and_the_mode_of_the_root_cannot_be_set() {
    let server = Server::start();
    server.write("file", "");
    let mut peer = server.visitor();
    for command in ["SITE CHMOD 4755 file", "SITE CHMOD 2755 file", "MFF UNIX.mode=6755; file"] {
        peer.say(command).expect(501);
    }
    peer.say("SITE CHMOD 0 /").expect(550);
    peer.say("MFF UNIX.mode=000; .").expect(550);
}
