//! Chooses random commands, weighted so that sessions make progress.

use super::session::{Command, Listing, Outcome, Plan, Right, Session, Setter, User};
use super::tree::{Path, Tree};
use crate::support::random::Random;
use std::net::TcpListener;
use std::rc::Rc;

/// Commands that always get the same reply if the login may use them.
const PLAIN: &[(&str, Right, u16)] = &[
    ("NOOP", Right::Anyone, 200),
    ("SYST", Right::Anyone, 215),
    ("FEAT", Right::Anyone, 211),
    ("HELP", Right::Anyone, 214),
    ("HELP RETR", Right::Anyone, 214),
    ("HELP NOSUCH", Right::Anyone, 501),
    ("SITE HELP", Right::Anyone, 214),
    ("STAT", Right::Anyone, 211),
    ("ACCT x", Right::Anyone, 202),
    ("OPTS UTF8 ON", Right::Anyone, 200),
    ("CSID Name=walker;", Right::Anyone, 200),
    ("CLNT walker", Right::Anyone, 200),
    ("LANG", Right::Anyone, 200),
    ("LANG en-GB", Right::Anyone, 200),
    ("LANG fr", Right::Anyone, 504),
    ("ABOR", Right::Login, 226),
    ("MODE S", Right::Login, 200),
    ("MODE Z", Right::Login, 504),
    ("STRU F", Right::Login, 200),
    ("STRU R", Right::Login, 504),
    ("TYPE A C", Right::Login, 504),
    ("TYPE E", Right::Login, 504),
    ("TYPE L 7", Right::Login, 504),
    ("EPSV 2", Right::Login, 522),
    ("SITE IDLE", Right::Login, 200),
    ("SITE IDLE 250", Right::Login, 200),
    ("SITE WHO", Right::Write, 211),
    ("SITE QUOTA", Right::Login, 200),
    ("SITE UMASK 022", Right::Write, 200),
    ("ALLO 10", Right::Write, 200),
];

/// Invalid commands.
const MALFORMED: &[(&str, Right, u16)] = &[
    ("", Right::Anyone, 500),
    ("XYZZY", Right::Anyone, 500),
    ("RETRX a", Right::Anyone, 500),
    ("AUTH TLS", Right::Anyone, 502),
    ("SMNT a", Right::Anyone, 502),
    ("RETR", Right::Login, 501),
    ("STOR ", Right::Login, 501),
    ("STOR a\0b", Right::Login, 501),
    ("PWD x", Right::Login, 501),
    ("REST -1", Right::Login, 501),
    ("REST x", Right::Login, 501),
    ("REST 99999999999999999999", Right::Login, 501),
    ("RANG 1", Right::Login, 501),
    ("TYPE X", Right::Login, 504),
    ("MODE ?", Right::Login, 501),
    ("PORT 1,2", Right::Login, 501),
    ("EPRT |9|1|2|", Right::Login, 522),
    ("EPSV 9", Right::Login, 522),
    ("OPTS NOSUCH", Right::Anyone, 501),
    ("SITE NOSUCH", Right::Login, 504),
    ("SITE CHMOD 9 a", Right::Login, 501),
    ("MFMT never a", Right::Login, 501),
    ("MFF modify=never; a", Right::Login, 501),
];

/// Arguments of PORT with other addresses or privileged ports.
const FOREIGN: &[&str] = &["10,0,0,1,200,1", "127,0,0,2,200,1", "127,0,0,1,0,21"];

const NAMES: &[&str] = &["a", "b", "c", "d e", "ü", " x", "q\"q", "home"];

/// Unusual spellings of paths.
const ODD: &[&str] =
    &["/", ".", "..", "../..", "/../a", "a/..", "//a//b/", "a/./b", "no/../a", "/a/"];

const TIMES: &[&str] = &["20010203040506", "19990101000000", "20240229235959"];

const ALGORITHMS: &[&str] = &["SHA-256", "SHA-512", "SHA-1", "MD5", "CRC32"];

/// Number of entries in the tree above which the walk deletes more.
const CROWDED: usize = 40;

/// Returns the next command.
pub fn command(random: &mut Random, session: &Session, tree: &Tree) -> Command {
    match random.below(100) {
        0..3 => return malformed(random),
        3..8 => {
            let (line, right, code) = random.pick(PLAIN);
            return Command::Plain(line, right, code);
        }
        8 => return Command::Rein,
        9 if random.chance(30) => return Command::Quit,
        9 => return Command::Host,
        10..12 => return Command::User(user(random)),
        12 => return Command::Pass { right: !rarely(random) },
        _ => {}
    }
    if session.is_named() && random.chance(70) {
        return Command::Pass { right: !rarely(random) };
    }
    if !session.is_in() && random.chance(70) {
        return Command::User(user(random));
    }
    let choice = match random.below(100) {
        0..60 if session.wants_rnto() => Command::Rnto(path(random, session, tree)),
        0..50 if session.plan() != Plan::None => transfer(random, session, tree),
        50..55 => transfer(random, session, tree),
        55..75 if session.plan() == Plan::None => plan(random),
        0..15 => plan(random),
        _ => other(random, session, tree),
    };
    if harms_home(&choice, session) { Command::Pwd } else { choice }
}

fn malformed(random: &mut Random) -> Command {
    match random.below(20) {
        0 => Command::Http,
        1 => Command::TooLong,
        _ => {
            let (line, right, code) = random.pick(MALFORMED);
            Command::Malformed(line, right, code)
        }
    }
}

fn user(random: &mut Random) -> User {
    if rarely(random) {
        return User::Nobody;
    }
    random.pick(&[User::Visitor, User::Visitor, User::Visitor, User::Reader, User::Homebody])
}

/// Returns true in one of 400 calls. Wrong logins are rare, because the server delays each refusal
/// longer.
fn rarely(random: &mut Random) -> bool {
    random.below(400) == 0
}

fn plan(random: &mut Random) -> Command {
    match random.below(20) {
        0..8 => Command::Passive,
        8..16 => Command::Extended,
        16 if random.chance(10) => Command::ExtendedOnly,
        17 => Command::Foreign(random.pick(FOREIGN)),
        number => {
            let listener = Rc::new(TcpListener::bind("127.0.0.1:0").unwrap());
            Command::Active { extended: number.is_multiple_of(2), listener }
        }
    }
}

fn transfer(random: &mut Random, session: &Session, tree: &Tree) -> Command {
    let no_show = session.plan() == Plan::Passive && random.chance(5);
    let outcome = if no_show { Outcome::NoShow } else { Outcome::Whole };
    // The result of an abort in TYPE A depends on where a line was cut.
    let aborted = match session.is_ascii() {
        false if !no_show && random.chance(25) => Outcome::Aborted,
        _ => outcome,
    };
    match random.below(20) {
        0..6 => Command::Retr(path(random, session, tree), outcome),
        6..10 => {
            let form = random.pick(&[Listing::List, Listing::Nlst, Listing::Mlsd]);
            let typed = random.chance(60).then(|| path(random, session, tree));
            Command::List(form, typed, outcome)
        }
        10..16 => Command::Stor(path(random, session, tree), content(random), aborted),
        16..19 => Command::Appe(path(random, session, tree), content(random), aborted),
        _ => Command::Stou(content(random)),
    }
}

fn other(random: &mut Random, session: &Session, tree: &Tree) -> Command {
    if tree.below(&[]).len() > CROWDED {
        return Command::Rmda(path(random, session, tree));
    }
    let at = |random: &mut Random| path(random, session, tree);
    match random.below(30) {
        0..2 => Command::Pwd,
        2..5 => Command::Cwd(at(random)),
        5 => Command::Cdup,
        6..9 => Command::Mkd(at(random)),
        9 => Command::Rmd(at(random)),
        10..12 => Command::Dele(at(random)),
        12..14 => Command::Rnfr(at(random)),
        14 => Command::Rnto(at(random)),
        15..17 => Command::Size(at(random)),
        17 => Command::Mdtm(at(random)),
        18 => Command::Mlst(at(random)),
        19..21 => Command::Rest(offset(random)),
        21 => Command::Rang(offset(random), offset(random)),
        22 => Command::Type { ascii: random.chance(40) },
        23 => Command::Hash(at(random)),
        24 => {
            let range = random.chance(50).then(|| (offset(random), offset(random)));
            Command::Crc(at(random), range)
        }
        25 => Command::Algorithm(random.pick(ALGORITHMS)),
        26 => {
            let setter = random.pick(&[Setter::Mfmt, Setter::Mff, Setter::Utime]);
            Command::Time(setter, random.pick(TIMES), at(random))
        }
        27 => Command::Facts { all: random.chance(60) },
        28 => match random.below(4) {
            0 => Command::Rmda(at(random)),
            1 => Command::Mkdirs(at(random)),
            2 => Command::Avbl(at(random)),
            _ => Command::Chmod(at(random)),
        },
        _ => Command::Dsiz(at(random)),
    }
}

/// Returns a number that is often 0 or small, and rarely large.
fn offset(random: &mut Random) -> u64 {
    let end = random.pick(&[1, 10, 100, 1000, 100_000]);
    random.below(end)
}

/// Returns several lines of text, so that TYPE A has something to convert.
fn content(random: &mut Random) -> Vec<u8> {
    let most = random.pick(&[1, 20, 20, 300, 300, 3000, 70_000]);
    let length = random.below(most);
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < length {
        match random.below(12) {
            0 => bytes.push(b'\n'),
            1 => bytes.extend_from_slice(b"\r\n"),
            _ => bytes.extend_from_slice(&random.number().to_be_bytes().map(|b| b'a' + b % 26)),
        }
    }
    bytes
}

/// Half of the paths exist.
fn path(random: &mut Random, session: &Session, tree: &Tree) -> String {
    let home = session.home();
    let known = tree.below(&home);
    match random.below(10) {
        0..5 if !known.is_empty() => {
            let known: &Path = random.pick(&known);
            let path = &known[home.len()..];
            match path.strip_prefix(session.cwd()) {
                Some(rest) if !rest.is_empty() && random.chance(50) => rest.join("/"),
                _ => format!("/{}", path.join("/")),
            }
        }
        5 => random.pick(ODD).into(),
        _ => {
            let start = if random.chance(40) { "/" } else { "" };
            let depth = 1 + random.below(3).min(random.below(3));
            let names: Vec<&str> = (0..depth).map(|_| random.pick(NAMES)).collect();
            format!("{start}{}", names.join("/"))
        }
    }
}

/// Returns true if a command would remove, rename or replace the home of an account.
fn harms_home(command: &Command, session: &Session) -> bool {
    let (Command::Rmd(path)
    | Command::Rmda(path)
    | Command::Rnfr(path)
    | Command::Rnto(path)
    | Command::Dele(path)) = command
    else {
        return false;
    };
    session.home().is_empty() && session.resolve(path) == ["home"]
}
