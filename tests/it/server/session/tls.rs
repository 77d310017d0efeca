//! AUTH, PBSZ, PROT and CCC: their reply codes in every state, commands sent before the handshake, and
//! the sessions that result.

use crate::support::ftps::{Ftps, log_in, protect};
use crate::support::random::{Random, setting};
use crate::support::tls::Wire;
use crate::support::wire::{Peer, connect};
use crate::support::{eventually, noise, together};
use std::io::{Read, Write};
use std::net::SocketAddr;

/// A state of a session that matters for these commands.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Without TLS, before USER.
    Clear,
    /// Without TLS, after USER.
    Named,
    /// Without TLS, a visitor is logged in.
    Visitor,
    /// With TLS, before PBSZ.
    Secured,
    /// With TLS, after PBSZ.
    Sized,
    /// With TLS, an account is logged in after PROT P.
    Account,
    /// [`State::Account`] after CCC.
    Stripped,
}

impl State {
    const ALL: [State; 7] = [
        State::Clear,
        State::Named,
        State::Visitor,
        State::Secured,
        State::Sized,
        State::Account,
        State::Stripped,
    ];

    fn reach(self, ftps: &Ftps) -> Peer {
        match self {
            State::Clear => ftps.server.caller(),
            State::Named => {
                let mut peer = ftps.server.caller();
                peer.say("USER anonymous").expect(331);
                peer
            }
            State::Visitor => ftps.server.visitor(),
            State::Secured => ftps.caller(),
            State::Sized => {
                let mut peer = ftps.caller();
                peer.say("PBSZ 0").expect(200);
                peer
            }
            State::Account => ftps.user(),
            State::Stripped => {
                let mut peer = ftps.user();
                strip(&mut peer);
                peer
            }
        }
    }
}

/// Sends CCC, and close_notify after its reply.
fn strip(peer: &mut Peer) {
    peer.say("CCC").expect(200);
    peer.end_tls();
    in_clear(peer);
}

/// Waits for the server's close_notify and continues without TLS.
fn in_clear(peer: &mut Peer) {
    let tcp = peer.tcp().try_clone().unwrap();
    peer.expect_end();
    tcp.set_nonblocking(false).unwrap();
    peer.put_under(Wire::Plain(tcp));
}

#[test]
fn every_tls_state_has_its_codes() {
    let Some(ftps) = Ftps::start(&["--tls-ccc"]) else { return };
    // The codes are in the order of `State::ALL`.
    for (line, codes) in [
        ("AUTH TLS", [234, 234, 503, 503, 503, 503, 503]),
        ("auth tls-c", [234, 234, 503, 503, 503, 503, 503]),
        ("AUTH SSL", [234, 234, 503, 503, 503, 503, 503]),
        ("AUTH TLS-P", [234, 234, 503, 503, 503, 503, 503]),
        ("AUTH GSSAPI", [504, 504, 504, 504, 504, 504, 504]),
        ("AUTH", [501, 501, 501, 501, 501, 501, 501]),
        ("PBSZ 0", [503, 503, 503, 200, 200, 200, 503]),
        ("PBSZ 4294967295", [503, 503, 503, 200, 200, 200, 503]),
        ("PBSZ many", [501, 501, 501, 501, 501, 501, 501]),
        ("PROT P", [503, 503, 503, 503, 200, 200, 503]),
        ("PROT C", [503, 503, 503, 503, 200, 534, 503]),
        ("PROT S", [503, 503, 503, 503, 536, 536, 503]),
        ("PROT E", [503, 503, 503, 503, 536, 536, 503]),
        ("PROT X", [504, 504, 504, 504, 504, 504, 504]),
        ("CCC", [533, 533, 533, 200, 200, 200, 533]),
        ("CCC now", [501, 501, 501, 501, 501, 501, 501]),
        ("REIN", [220, 220, 220, 503, 503, 503, 503]),
        ("ADAT x", [502, 502, 502, 502, 502, 502, 502]),
    ] {
        for (state, code) in State::ALL.into_iter().zip(codes) {
            let mut peer = state.reach(&ftps);
            let said = peer.say(line).hear();
            assert_eq!(said.code, code, "{state:?}: {}", peer.dialogue());
        }
    }
}

#[test]
fn random_command_sequences_follow_the_tls_rules() {
    let Some(ftps) = Ftps::start(&["--tls-ccc"]) else { return };
    let seed = setting("TLS_SEED", 1);
    let mut random = Random(seed);
    for _ in 0..setting("TLS_WALKS", 20) {
        let (mut peer, mut secured, mut sized) = (ftps.server.caller(), false, false);
        let (mut begun, mut named, mut logged_in) = (false, false, false);
        for _ in 0..30 {
            let line = random.pick(&[
                "AUTH TLS",
                "AUTH SSL",
                "PBSZ 0",
                "PROT P",
                "PROT S",
                "CCC",
                "REIN",
                "USER anna",
                "PASS secret",
                "NOOP",
            ]);
            let code = match line {
                "AUTH TLS" | "AUTH SSL" if begun || logged_in => 503,
                "AUTH TLS" | "AUTH SSL" => 234,
                "PBSZ 0" if secured => 200,
                "PROT P" if secured && sized => 200,
                "PROT S" if secured && sized => 536,
                "PBSZ 0" | "PROT P" | "PROT S" => 503,
                "CCC" if secured => 200,
                "CCC" => 533,
                "REIN" if begun => 503,
                "REIN" => 220,
                "USER anna" if secured => 331,
                "USER anna" => 530,
                "PASS secret" if named && secured => 230,
                // CCC was sent in between.
                "PASS secret" if named => 530,
                "PASS secret" => 503,
                _ => 200,
            };
            if code == 234 {
                ftps.auth(&mut peer, line);
                (secured, begun, named) = (true, true, false);
                continue;
            }
            peer.say(line).expect(code);
            match (line, code) {
                ("PBSZ 0", 200) => sized = true,
                ("CCC", 200) => {
                    peer.end_tls();
                    in_clear(&mut peer);
                    secured = false;
                }
                ("REIN", 220) => (named, logged_in) = (false, false),
                ("USER anna", code) => (named, logged_in) = (code == 331, false),
                ("PASS secret", code) => (named, logged_in) = (false, logged_in || code == 230),
                _ => {}
            }
        }
    }
}

/// Returns the bytes on a connection up to its end, without decryption.
fn rest(peer: &Peer) -> Vec<u8> {
    let mut rest = Vec::new();
    // The connection may also end with a reset.
    let _ = peer.tcp().read_to_end(&mut rest);
    rest
}

#[test]
fn commands_in_clear_after_auth_are_never_executed() {
    let Some(ftps) = Ftps::start(&[]) else { return };
    let injected = b"AUTH TLS\r\nMKD made\r\nNOOP\r\n";
    for split in 0..=injected.len() {
        let mut peer = ftps.server.caller();
        let (first, second) = injected.split_at(split);
        peer.raw(first);
        // If the server reads the second part separately, it is an invalid handshake.
        let _ = (&mut peer.tcp()).write_all(second);
        let said = peer.hear();
        assert!([234, 421].contains(&said.code), "{split}: {}", peer.dialogue());
        if first == injected || second == injected {
            assert_eq!(said.code, 421, "in one packet");
        }
        let rest = rest(&peer);
        assert!(!rest.windows(3).any(|word| word == b"200"), "{split}: {}", rest.escape_ascii());
    }
    assert!(!ftps.server.has("made"));
    ftps.server.wait_for_log(&["tls-failed", "reason=clear-text", "followed AUTH"]);
    ftps.user().say("NOOP").expect(200);
}

#[test]
fn half_a_line_in_clear_is_never_joined_to_encrypted_bytes() {
    let Some(ftps) = Ftps::start(&["--tls-required", "none"]) else { return };
    for half in ["U", "USER an", "\u{1}", " "] {
        let mut peer = ftps.server.caller();
        peer.raw(format!("AUTH TLS\r\n{half}").as_bytes());
        peer.expect(421);
        assert!(rest(&peer).is_empty());
    }
    // An incomplete Telnet command would consume the first byte of the handshake.
    let mut peer = ftps.server.caller();
    peer.raw(b"AUTH TLS\r\n\xff");
    peer.expect(421);
}

#[test]
fn the_handshake_discards_the_state_of_the_session() {
    let Some(ftps) = Ftps::start(&["--tls-required", "none"]) else { return };
    let mut peer = ftps.server.caller();
    peer.say("USER anna").expect(331);
    peer.say("OPTS HASH MD5").expect(200);
    ftps.auth(&mut peer, "AUTH TLS");
    peer.say("PASS secret").expect(503);
    peer.say("OPTS HASH").expect_text(200, "SHA-256");
    log_in(&mut peer, "anna");
}

#[test]
fn existing_and_unknown_accounts_need_tls_before_the_password() {
    let Some(ftps) = Ftps::start(&[]) else { return };
    let mut peer = ftps.server.visitor();
    let refusals: Vec<String> = ["anna", "nobody", "../x", "ROOT"]
        .map(|name| peer.say(format!("USER {name}")).expect(530).text())
        .into();
    assert_eq!(refusals[0], "530 TLS is required for accounts; send AUTH TLS first.");
    assert!(refusals.iter().all(|text| *text == refusals[0]), "{refusals:?}");
    peer.say("PASS secret").expect(503);
    // The refused USER has also ended the earlier login.
    peer.say("PWD").expect(530);
    ftps.server.visitor().say("PWD").expect(257);
    ftps.auth(&mut peer, "AUTH TLS");
    log_in(&mut peer, "anna");
}

#[test]
fn tls_required_can_be_all_or_none() {
    let Some(ftps) = Ftps::start(&["--tls-required", "all"]) else { return };
    let mut peer = ftps.server.caller();
    for name in ["anonymous", "ftp", "anna", "nobody"] {
        peer.say(format!("USER {name}")).expect_text(530, "TLS is required; send AUTH TLS first.");
    }
    ftps.auth(&mut peer, "AUTH TLS");
    peer.login();
    peer.say("EPSV").expect(229);
    peer.say("LIST").expect(521);
    peer.say("PBSZ 0").expect(200);
    peer.say("PROT C").expect(534);

    let Some(ftps) = Ftps::start(&["--tls-required", "none"]) else { return };
    let mut peer = ftps.server.user("anna");
    peer.stor("file", "content");
    let mut peer = ftps.caller();
    log_in(&mut peer, "anna");
    assert_eq!(peer.retr("file"), b"content", "only the control connection is encrypted");
}

#[test]
fn feat_lists_tls_before_and_after_the_handshake() {
    let Some(ftps) = Ftps::start(&["--tls-ccc"]) else { return };
    for peer in [&mut ftps.server.caller(), &mut ftps.caller(), &mut ftps.user()] {
        let features = peer.say("FEAT").expect(211).text();
        for line in ["AUTH TLS;SSL", "PBSZ", "PROT", "CCC"] {
            assert!(features.lines().any(|feature| feature == format!(" {line}")), "{features}");
        }
    }
    let Some(ftps) = Ftps::start(&[]) else { return };
    let features = ftps.caller().say("FEAT").expect(211).text();
    assert!(features.contains(" PROT") && !features.contains(" CCC"), "{features}");
    ftps.caller().say("CCC").expect(534);
}

#[test]
fn one_record_can_hold_many_commands_and_a_command_many_records() {
    let Some(ftps) = Ftps::start(&[]) else { return };
    let mut peer = ftps.user();
    // More than the server reads at once.
    peer.raw("NOOP\r\n".repeat(1_000).as_bytes());
    for _ in 0..1_000 {
        peer.expect(200);
    }
    for byte in b"NOOP\r\n" {
        peer.raw([*byte]);
    }
    peer.expect(200);
    peer.say("QUIT").expect(221);
    // This fails if the connection ends without close_notify.
    peer.expect_end();
}

#[test]
fn a_disconnect_without_close_notify_ends_the_session() {
    let Some(ftps) = Ftps::start(&[]) else { return };
    drop(ftps.user());
    ftps.server.wait_for_log(&["closed", "user=anna", "why=left"]);
    let mut peer = ftps.user();
    peer.end_tls();
    ftps.server.wait_for_log(&["closed", "session=2", "why=left"]);
}

#[test]
fn after_ccc_data_connections_remain_encrypted() {
    let Some(ftps) = Ftps::start(&["--tls-ccc", "--tls-reuse", "require"]) else { return };
    // The client sends close_notify or, like curl, does not.
    for says_so in [true, false] {
        let mut peer = ftps.user();
        peer.say("CCC").expect(200);
        if says_so {
            peer.end_tls();
        }
        in_clear(&mut peer);
        peer.say("PWD").expect(257);
        peer.say("LIST").expect(425);
        let tcp = peer.begin("STOR file");
        // After CCC, data connections need not resume the TLS session.
        let mut data = ftps.handshake(tcp, None).unwrap();
        data.write_all(b"content").unwrap();
        data.end();
        peer.expect(226);
        assert_eq!(ftps.server.read("file"), b"content");
        // Without TLS the server accepts no password, and AUTH works only once.
        peer.say("USER anna").expect(530);
        peer.say("AUTH TLS").expect(503);
    }
}

#[test]
fn a_password_in_clear_after_ccc_is_refused() {
    for (who, code) in [("none", 230), ("accounts", 530), ("all", 530)] {
        let Some(ftps) = Ftps::start(&["--tls-ccc", "--tls-required", who]) else { return };
        let mut peer = ftps.caller();
        peer.say("USER anna").expect(331);
        strip(&mut peer);
        peer.say("PASS secret").expect(code);
        peer.say("PWD").expect(if code == 230 { 257 } else { 530 });
        peer.say("PASS secret").expect(503);
    }
}

#[test]
fn no_command_may_follow_ccc_under_tls() {
    let Some(ftps) = Ftps::start(&["--tls-ccc"]) else { return };
    let mut peer = ftps.user();
    peer.raw(b"CCC\r\nNOOP\r\n");
    peer.expect(503);
    peer.expect(200);
    peer.say("CCC").expect(200);
    peer.say("NOOP");
    peer.expect_end();
    ftps.server.wait_for_log(&["lost", "after CCC"]);
}

fn implicit(options: &[&str]) -> Option<(Ftps, SocketAddr)> {
    let ftps = Ftps::start(&[&["--tls-port", "0"], options].concat())?;
    let line = std::iter::repeat_with(|| ftps.server.next_line())
        .find(|line| line.contains("ftps://"))
        .unwrap();
    let address = line.split(' ').nth(2).unwrap().parse().unwrap();
    Some((ftps, address))
}

#[test]
fn on_the_tls_port_the_handshake_comes_first_and_data_is_encrypted() {
    let Some((ftps, address)) = implicit(&[]) else { return };
    ftps.server.write("file", "content");
    let mut peer = ftps.implicit(address);
    peer.say("AUTH TLS").expect(503);
    log_in(&mut peer, "anna");
    assert_eq!(ftps.fetch(&mut peer, "RETR file"), b"content");
    protect(&mut peer);
    assert_eq!(ftps.fetch(&mut peer, "RETR file"), b"content");
    // The other port still begins without TLS.
    ftps.server.visitor().say("PWD").expect(257);
    // A client without TLS receives nothing that looks like a greeting.
    let mut peer = Peer::connect(address);
    peer.raw(b"USER anna\r\n");
    assert!(!rest(&peer).starts_with(b"220"));
    ftps.server.wait_for_log(&["tls-failed", "reason=clear-text"]);
}

#[test]
fn running_handshakes_count_as_sessions() {
    let Some((ftps, address)) = implicit(&["--max-sessions", "2"]) else { return };
    let early = connect(address);
    let mut peer = ftps.server.caller();
    peer.say("AUTH TLS").expect(234);
    Peer::connect(ftps.server.addr()).expect(421);
    // A client that waits for TLS could not read a reply without TLS.
    assert!(rest(&Peer::connect(address)).is_empty());
    drop((early, peer));
    eventually("a free slot", || Peer::connect(ftps.server.addr()).hear().code == 220);
}

#[test]
fn the_proxy_header_comes_before_the_handshake() {
    let Some((ftps, address)) = implicit(&["--proxy-protocol", "127.0.0.1"]) else { return };
    for (address, is_implicit) in [(ftps.server.addr(), false), (address, true)] {
        let mut peer = Peer::connect(address);
        peer.raw(b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 21\r\n");
        if !is_implicit {
            peer.expect(220);
            peer.say("AUTH TLS").expect(234);
        }
        let wire = ftps.handshake(peer.tcp().try_clone().unwrap(), None).unwrap();
        peer.put_under(wire);
        if is_implicit {
            peer.expect(220);
        }
        log_in(&mut peer, "anna");
        peer.say("STAT").expect_text(211, "192.0.2.7");
    }
    ftps.server.wait_for_log(&["login", "peer=192.0.2.7", "tls=TLSv1."]);
}

#[test]
fn garbage_instead_of_a_handshake_ends_only_its_session() {
    let Some((ftps, address)) = implicit(&["--log-level", "debug"]) else { return };
    let record =
        |length: u16, content: &[u8]| [&[22, 3, 1][..], &length.to_be_bytes(), content].concat();
    let mut cases: Vec<Vec<u8>> = (0..20).map(|seed| noise(600, seed)).collect();
    cases.extend([
        b"\r\n".to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"SSH-2.0-x\r\n".to_vec(),
        record(0, b""),
        record(u16::MAX, &noise(0x1_0000, 1)),
        record(512, &[1, 0, 1, 252].repeat(128)),
        // An alert, application data, and SSL 2.0.
        vec![21, 3, 3, 0, 2, 2, 80],
        [&[23, 3, 3, 0, 64][..], &noise(64, 2)].concat(),
        vec![0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10],
    ]);
    for case in &cases {
        for is_implicit in [false, true] {
            let peer = match is_implicit {
                true => Peer::connect(address),
                false => {
                    let mut peer = ftps.server.caller();
                    peer.say("AUTH TLS").expect(234);
                    peer
                }
            };
            // The server may have closed the connection before the last byte.
            let _ = (&mut peer.tcp()).write_all(case);
            let _ = peer.tcp().shutdown(std::net::Shutdown::Write);
            rest(&peer);
        }
    }
    ftps.user().say("NOOP").expect(200);
    let failures = || ftps.server.log().matches("tls-failed session").count();
    eventually("a line for each", || failures() == 2 * cases.len());
    assert!(!ftps.server.log().contains("error:"), "texts of OpenSSL do not belong in the log");
}

fn the_login_timeout_ends_an_endless_handshake() {
    let Some((ftps, address)) = implicit(&["--login-timeout", "1s"]) else { return };
    let mut peer = ftps.server.caller();
    peer.say("AUTH TLS").expect(234);
    assert!(rest(&peer).is_empty());
    let mut early = connect(address);
    assert_eq!(early.read(&mut [0; 10]).unwrap_or(0), 0);
    ftps.server.wait_for_log(&["tls-failed", "reason=late"]);
}

fn the_transfer_timeout_limits_the_handshake_of_a_data_connection() {
    let Some(ftps) = Ftps::start(&["--transfer-timeout", "1s"]) else { return };
    let mut peer = ftps.user();
    let data = peer.begin("STOR file");
    peer.expect(425);
    drop(data);
    ftps.server.wait_for_log(&["tls-failed", "connection=data", "reason=late"]);
    assert!(!ftps.server.has("file"));
}

fn idle_tls_sessions_get_421_and_close_notify() {
    let Some(ftps) = Ftps::start(&["--idle-timeout", "1s"]) else { return };
    let mut peer = ftps.user();
    peer.expect(421);
    peer.expect_end();
}

together! { what_waits_for_time_outs:
    the_login_timeout_ends_an_endless_handshake
    the_transfer_timeout_limits_the_handshake_of_a_data_connection
    idle_tls_sessions_get_421_and_close_notify
}

/// Starts a server with a status page, and returns it with a function that fetches a page.
fn with_status() -> Option<(Ftps, impl Fn(&str) -> String)> {
    let ftps = Ftps::start(&["--status", "127.0.0.1:0"])?;
    let line = std::iter::repeat_with(|| ftps.server.next_line())
        .find(|line| line.starts_with("Status on "))
        .unwrap();
    let status: SocketAddr =
        line.trim_start_matches("Status on http://").trim_end_matches('/').parse().unwrap();
    let page = move |path: &str| {
        let mut http = connect(status);
        write!(http, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        String::from_utf8(crate::support::wire::drain(http)).unwrap()
    };
    Some((ftps, page))
}

#[test]
fn a_flood_of_failed_handshakes_is_counted_and_does_not_fill_the_log() {
    const MANY: usize = 30;
    let Some((ftps, page)) = with_status() else { return };
    let fail = |bytes: &[u8]| {
        let mut peer = ftps.server.caller();
        peer.say("AUTH TLS").expect(234);
        peer.raw(bytes);
        let _ = peer.tcp().shutdown(std::net::Shutdown::Write);
        rest(&peer);
    };
    (0..MANY).for_each(|_| fail(b"GET / HTTP/1.1\r\n\r\n"));
    // A failure of another kind is logged.
    fail(b"");
    for (reason, times) in [("clear-text", MANY), ("left", 1)] {
        let counted =
            format!("mt_ftp_tls_handshakes_failed_total{{reason=\"{reason}\"}} {times}\n");
        eventually("the exact count", || page("/metrics").contains(&counted));
        ftps.server.wait_for_log(&["tls-failed", &format!("reason={reason}"), "times=1"]);
    }
    let lines = ftps.server.log().matches("tls-failed session").count();
    assert!(lines < MANY, "{lines} lines: {}", ftps.server.log());
}

#[test]
fn stat_log_page_and_metrics_show_tls() {
    let Some((ftps, page)) = with_status() else { return };
    ftps.server.caller().say("STAT").expect_text(211, "Control connection: not encrypted");
    let mut peer = ftps.caller();
    let version = peer.tls().unwrap().version();
    peer.say("STAT").expect_text(211, &format!("Control connection: {version}, "));
    protect(&mut peer);
    peer.say("STAT").expect_text(211, "data connections: encrypted");
    log_in(&mut peer, "anna");
    peer.say("SITE WHO").expect_text(211, &format!("seconds, {version}"));
    ftps.server.wait_for_log(&["login", "user=anna", &format!("tls={version}")]);
    ftps.fetch(&mut peer, "LIST");
    let html = page("/");
    assert!(html.contains(&format!(" {version}")) && html.contains("7 days"), "{html}");
    let metrics = page("/metrics");
    for line in [
        "mt_ftp_tls_handshakes_total{kind=\"full\"} 1",
        "mt_ftp_tls_handshakes_total{kind=\"resumed\"} 1",
        "mt_ftp_tls_handshakes_failed_total{reason=\"clear-text\"} 0",
        "mt_ftp_tls_certificate_expires_seconds ",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let mut other = ftps.server.caller();
    other.say("AUTH TLS").expect(234);
    other.raw(b"NOOP\r\n");
    rest(&other);
    let failed = "mt_ftp_tls_handshakes_failed_total{reason=\"clear-text\"} 1";
    eventually("a counted failure", || page("/metrics").contains(failed));
}
