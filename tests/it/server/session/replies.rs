//! The reply code of each verb: before login, and with each access.
//!
//! The cases come from the table of the protocol module, and the match below is exhaustive, so a
//! verb without a case does not compile.

use crate::support::Server;
use mt_ftp::protocol::{ArgumentRule, TABLE, Verb};
use mt_ftp::sys;

/// A command, its code before login, and its codes with each access of [`ACCESSES`].
struct Case(&'static str, u16, [u16; 4]);

const ACCESSES: [&str; 4] = ["drop", "read", "store", "write"];

/// Returns the case of a verb. Three directories (two of them empty) and two files exist for each
/// case.
fn case(verb: Verb) -> Case {
    match verb {
        Verb::User => Case("USER ftp", 331, [331, 331, 331, 331]),
        Verb::Pass => Case("PASS x", 503, [503, 503, 503, 503]),
        Verb::Acct => Case("ACCT x", 202, [202, 202, 202, 202]),
        Verb::Rein => Case("REIN", 220, [220, 220, 220, 220]),
        Verb::Quit => Case("QUIT", 221, [221, 221, 221, 221]),
        Verb::Cwd => Case("CWD full", 530, [250, 250, 250, 250]),
        Verb::Cdup => Case("CDUP", 530, [250, 250, 250, 250]),
        Verb::Port => Case("PORT 127,0,0,1,200,1", 530, [200, 200, 200, 200]),
        Verb::Eprt => Case("EPRT |1|127.0.0.1|50000|", 530, [200, 200, 200, 200]),
        Verb::Pasv => Case("PASV", 530, [227, 227, 227, 227]),
        Verb::Epsv => Case("EPSV", 530, [229, 229, 229, 229]),
        Verb::Type => Case("TYPE I", 530, [200, 200, 200, 200]),
        Verb::Mode => Case("MODE S", 530, [200, 200, 200, 200]),
        Verb::Stru => Case("STRU F", 530, [200, 200, 200, 200]),
        Verb::Retr => Case("RETR file", 530, [550, 425, 425, 425]),
        Verb::Stor => Case("STOR new", 530, [425, 550, 425, 425]),
        Verb::Stou => Case("STOU", 530, [425, 550, 425, 425]),
        Verb::Appe => Case("APPE new", 530, [425, 550, 425, 425]),
        Verb::Allo => Case("ALLO 10", 530, [200, 550, 200, 200]),
        Verb::Rest => Case("REST 1", 530, [350, 350, 350, 350]),
        Verb::Rnfr => Case("RNFR file", 530, [550, 550, 550, 350]),
        Verb::Rnto => Case("RNTO new", 530, [550, 550, 550, 503]),
        Verb::Abor => Case("ABOR", 530, [226, 226, 226, 226]),
        Verb::Dele => Case("DELE doomed", 530, [550, 550, 550, 250]),
        Verb::Rmd => Case("RMD bare", 530, [550, 550, 550, 250]),
        Verb::Mkd => Case("MKD made", 530, [550, 550, 257, 257]),
        Verb::Pwd => Case("PWD", 530, [257, 257, 257, 257]),
        Verb::List => Case("LIST", 530, [425, 425, 425, 425]),
        Verb::Nlst => Case("NLST", 530, [425, 425, 425, 425]),
        Verb::Mlsd => Case("MLSD", 530, [425, 425, 425, 425]),
        Verb::Mlst => Case("MLST file", 530, [250, 250, 250, 250]),
        Verb::Size => Case("SIZE file", 530, [213, 213, 213, 213]),
        Verb::Mdtm => Case("MDTM file", 530, [213, 213, 213, 213]),
        Verb::Mfmt => Case("MFMT 20200102030405 file", 530, [550, 550, 550, 213]),
        Verb::Stat => Case("STAT", 211, [211, 211, 211, 211]),
        Verb::Syst => Case("SYST", 215, [215, 215, 215, 215]),
        Verb::Help => Case("HELP", 214, [214, 214, 214, 214]),
        Verb::Noop => Case("NOOP", 200, [200, 200, 200, 200]),
        Verb::Feat => Case("FEAT", 211, [211, 211, 211, 211]),
        Verb::Opts => Case("OPTS UTF8 ON", 200, [200, 200, 200, 200]),
        Verb::Site => Case("SITE HELP", 214, [214, 214, 214, 214]),
        Verb::Host => Case("HOST ftp.example.org", 220, [503, 503, 503, 503]),
        Verb::Hash => Case("HASH file", 530, [550, 213, 213, 213]),
        Verb::Xcrc => Case("XCRC file", 530, [550, 250, 250, 250]),
        Verb::Xmd5 => Case("XMD5 file", 530, [550, 250, 250, 250]),
        Verb::Xsha1 => Case("XSHA1 file", 530, [550, 250, 250, 250]),
        Verb::Xsha256 => Case("XSHA256 file", 530, [550, 250, 250, 250]),
        Verb::Xsha512 => Case("XSHA512 file", 530, [550, 250, 250, 250]),
        Verb::Rang => Case("RANG 0 1", 530, [550, 350, 350, 350]),
        Verb::Mff => Case("MFF modify=20200102030405; file", 530, [550, 550, 550, 213]),
        Verb::Mfct => {
            let set = if sys::CAN_SET_CREATED { 213 } else { 502 };
            Case("MFCT 20200102030405 file", 530, [550, 550, 550, set])
        }
        Verb::Avbl => Case("AVBL", 530, [213, 550, 213, 213]),
        Verb::Dsiz => Case("DSIZ", 530, [213, 213, 213, 213]),
        Verb::Rmda => Case("RMDA empty", 530, [550, 550, 550, 250]),
        Verb::Csid => Case("CSID", 200, [200, 200, 200, 200]),
        Verb::Clnt => Case("CLNT x", 200, [200, 200, 200, 200]),
        Verb::Lang => Case("LANG EN", 200, [200, 200, 200, 200]),
        // Without a certificate.
        Verb::Auth => Case("AUTH TLS", 502, [502, 502, 502, 502]),
        Verb::Pbsz => Case("PBSZ 0", 502, [502, 502, 502, 502]),
        Verb::Prot => Case("PROT P", 502, [502, 502, 502, 502]),
        Verb::Ccc => Case("CCC", 502, [502, 502, 502, 502]),
    }
}

fn server(access: &str) -> Server {
    let server = Server::with(&["--anonymous", access]);
    server.write("file", "content");
    server.write("doomed", "content");
    server.make_dir("empty");
    server.make_dir("bare");
    server.make_dir("full/sub");
    server
}

#[test]
fn before_login_only_commands_without_login_work() {
    let server = server("write");
    for row in TABLE {
        let Case(line, code, ..) = case(row.verb);
        server.caller().say(line).expect(code);
    }
}

#[test]
fn each_access_gets_its_codes() {
    for (index, access) in ACCESSES.into_iter().enumerate() {
        let server = server(access);
        for row in TABLE {
            let Case(line, _, codes) = case(row.verb);
            server.visitor().say(line).expect(codes[index]);
        }
    }
}

#[test]
fn other_spellings_get_the_same_codes() {
    let server = server("read");
    for row in TABLE {
        let Case(line, _, [_, code, ..]) = case(row.verb);
        for alias in row.aliases {
            server.visitor().say(line.replacen(row.spelling, alias, 1)).expect(code);
        }
        server.visitor().say(line.to_lowercase()).expect(code);
    }
}

#[test]
fn a_missing_argument_is_501() {
    let server = server("write");
    let mut peer = server.visitor();
    for row in TABLE.iter().filter(|row| row.argument == ArgumentRule::Required) {
        peer.say(row.spelling).expect(501);
        peer.say(format!("{} ", row.spelling)).expect(501);
    }
}

#[test]
fn an_unexpected_argument_is_501() {
    let server = server("write");
    let mut peer = server.visitor();
    for row in TABLE.iter().filter(|row| row.argument == ArgumentRule::None) {
        peer.say(format!("{} x", row.spelling)).expect(501);
    }
}

#[test]
fn a_wrong_argument_of_a_command_that_needs_a_login_is_530() {
    let server = server("write");
    for row in TABLE {
        let wrong = match row.argument {
            ArgumentRule::Required => row.spelling.into(),
            ArgumentRule::None => format!("{} x", row.spelling),
            ArgumentRule::Optional => format!("{} a\0b", row.spelling),
            ArgumentRule::Ignored => continue,
        };
        let Case(_, code, ..) = case(row.verb);
        // These two need a login only for some arguments.
        let needs_login = code == 530 || matches!(row.verb, Verb::Stat | Verb::Site);
        server.caller().say(wrong).expect(if needs_login { 530 } else { 501 });
    }
    let mut peer = server.caller();
    for line in ["ALLO x", "TYPE X", "MODE ?", "PORT 1,2", "EPRT |9|1|2|", "EPSV 9", "REST -1"] {
        peer.say(line).expect(530);
    }
    for line in ["SITE NOSUCH", "SITE CHMOD 9 file", "MFMT never file", "RETR"] {
        peer.say(line).expect(530);
    }
}

#[test]
fn wrong_arguments_get_the_right_codes() {
    let server = server("write");
    let mut peer = server.visitor();
    for (line, code) in [
        ("TYPE X", 504),
        ("TYPE E", 504),
        ("TYPE L 7", 504),
        ("TYPE A C", 504),
        ("TYPE A T", 200),
        ("TYPE A N", 200),
        ("TYPE L 8", 200),
        ("MODE B", 504),
        ("MODE Z", 504),
        ("STRU R", 504),
        ("STRU P", 504),
        ("REST -1", 501),
        ("REST 1x", 501),
        ("REST 99999999999999999999999", 501),
        ("ALLO much", 501),
        ("MFMT soon file", 501),
        ("MFMT 20201301000000 file", 501),
        ("PORT 1,2,3", 501),
        ("PORT 127,0,0,1,256,1", 501),
        ("EPRT |1|127.0.0.1|", 501),
        ("EPRT |9|127.0.0.1|50000|", 522),
        ("EPSV 9", 522),
        ("OPTS UTF9 ON", 501),
        ("SITE CHMOD 9 file", 501),
        ("HELP NOSUCH", 501),
    ] {
        peer.say(line).expect(code);
    }
}

#[test]
fn unknown_commands_are_500_and_those_of_other_rfcs_502() {
    let server = Server::start();
    let mut peer = server.caller();
    for line in ["", " ", "RETRX file", "\u{fc}ser x", "HELLO", "user:x"] {
        peer.say(line).expect(500);
    }
    for line in ["ADAT x", "SMNT x", "LPRT 1", "mic x"] {
        peer.say(line).expect(502);
    }
    peer.say("NOOP").expect(200);
}

#[test]
fn browsers_and_scanners_are_disconnected_only_before_login() {
    let server = Server::start();
    let mut browser = server.caller();
    browser.raw("GET / HTTP/1.1\r\nHost: here\r\n\r\n").expect(421);
    browser.expect_end();
    let mut guesser = server.caller();
    while guesser.say("OPEN SESAME").hear().code == 500 {}
    guesser.expect_end();
    let mut peer = server.visitor();
    (0..50).for_each(|_| drop(peer.say("GET /").expect(500)));
}

#[test]
fn feat_lists_one_extension_per_line_after_a_space() {
    let server = Server::start();
    let said = server.caller().say("FEAT").expect(211);
    let (first, rest) = said.lines.split_first().unwrap();
    let (last, features) = rest.split_last().unwrap();
    assert!(first.starts_with(b"211-") && last.starts_with(b"211 "), "{said:?}");
    assert!(features.iter().all(|line| line[0] == b' ' && line[1] != b' '), "{said:?}");
    for feature in ["EPRT", "EPSV", "MDTM", "MFMT", "REST STREAM", "SIZE", "UTF8"] {
        assert!(features.contains(&format!(" {feature}").into_bytes()), "{feature} in {said:?}");
    }
    assert!(said.text().contains("\n MLST type*;size*;modify*;"), "{said:?}");
}

#[test]
fn help_explains_every_verb() {
    let server = Server::start();
    let mut peer = server.visitor();
    let all = peer.say("HELP").expect(214).text();
    for row in TABLE {
        assert!(all.split_whitespace().any(|word| word == row.spelling), "{}", row.spelling);
        peer.say(format!("HELP {}", row.spelling)).expect_text(214, row.spelling);
    }
}

#[test]
fn stat_describes_the_session() {
    let server = Server::start();
    let mut peer = server.visitor();
    let text = peer.say("STAT").expect(211).text();
    assert!(text.contains("anonymous") && text.contains("127.0.0.1"), "{text}");
}

#[test]
fn pwd_and_mkd_reply_with_a_quoted_path() {
    let server = Server::start();
    let mut peer = server.visitor();
    peer.say("PWD").expect_text(257, "257 \"/\" ");
    peer.say("MKD say \"hi\"").expect_text(257, "257 \"/say \"\"hi\"\"\" ");
    peer.say("CWD say \"hi\"").expect(250);
    peer.say("PWD").expect_text(257, "257 \"/say \"\"hi\"\"\" ");
}
