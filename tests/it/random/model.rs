//! A model-based test: random commands are sent to a server and compared with a simple model of a
//! session.
//!
//! [`session`] is the model: it predicts the reply and the effect of each command. [`choice`] selects
//! the next command. After each command the reply code and visible state must agree with the model;
//! regularly the whole tree is compared with the disk. Commands are sent one at a time, in two pieces,
//! or several in one write. Transfers use all kinds of data connections, and some are interrupted.
//!
//! `MODEL_COMMANDS=100000` runs longer, and `MODEL_SEED=7` uses another seed. A failure prints the
//! seed, the step and the end of the dialogue.

mod choice;
mod session;
mod tree;

use crate::support::Server;
use crate::support::random::{Random, setting};
use crate::support::wire::{Peer, Said, accept, connect, drain};
use session::{Command, Expect, Listed, Listing, Outcome, Session, Setter, User, resolve};
use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::rc::Rc;
use std::{fs, thread};
use tree::{Node, Path, Tree};

/// Number of commands in a default run.
const COMMANDS: u64 = 5_000;

/// Maximum number of commands per session.
const SESSION: u64 = 200;

/// Number of commands between two comparisons with the disk.
const LOOK: u64 = 50;

/// Number of dialogue lines that a failure shows.
const SHOWN: usize = 20;

#[test]
fn server_and_model_agree() {
    walk(setting("MODEL_SEED", 1), setting("MODEL_COMMANDS", COMMANDS));
}

#[test]
#[ignore = "long: walks 100,000 commands"]
fn server_and_model_agree_in_a_long_run() {
    for seed in 2..6 {
        walk(seed, 25_000);
    }
}

/// A case that this test once found.
#[test]
fn retr_accepts_the_name_that_nlst_prints_for_a_file() {
    let server = Server::start();
    server.make_dir("a");
    server.write("a/b", "content");
    let mut peer = server.visitor();
    for typed in ["a/b", "/a/b", "a/b/", "//a//b/", "a/./b", "a/../a/b", "a/b/."] {
        let [name] = &peer.lines(format!("NLST {typed}"))[..] else { peer.fail("expected one") };
        assert_eq!(peer.retr(name), b"content", "{typed}");
    }
}

fn walk(seed: u64, commands: u64) {
    let server = Server::with_accounts(
        &["reader:read:", "homebody:write:/home"],
        &["--anonymous", "write", "--max-login-failures", "1000000", "--log-level", "warn"],
    );
    server.make_dir("home");
    let mut tree = Tree::default();
    tree.make_dir(&["home".into()]).unwrap();
    let mut walker = Walker {
        seed,
        step: 0,
        random: Random(seed),
        root: server.root().into(),
        address: server.addr(),
        tree,
        session: Session::new(),
        peer: server.caller(),
        data: None,
        said: VecDeque::new(),
    };
    while walker.step < commands {
        walker.session();
    }
    walker.look();
}

/// The endpoint of the next data connection.
enum Data {
    Passive(SocketAddr),
    Active(Rc<TcpListener>),
}

struct Walker {
    seed: u64,
    step: u64,
    random: Random,
    root: PathBuf,
    address: SocketAddr,
    tree: Tree,
    session: Session,
    peer: Peer,
    data: Option<Data>,
    said: VecDeque<String>,
}

impl Drop for Walker {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- seed {}, step {}, last said:", self.seed, self.step);
            self.said.iter().for_each(|line| eprintln!("{line}"));
        }
    }
}

impl Walker {
    /// Runs a session from greeting to end.
    fn session(&mut self) {
        self.session = Session::new();
        self.peer = Peer::connect(self.address);
        self.peer.expect(220);
        self.note("--- a new session");
        let end = self.step + SESSION;
        while self.step < end {
            if self.step.is_multiple_of(LOOK) {
                self.look();
            }
            let batch = self.choose();
            self.say(&batch);
            for (command, expect) in &batch {
                self.step += 1;
                self.hear(command, expect);
                if let Expect::End(_) = expect {
                    return self.peer.expect_end();
                }
            }
        }
    }

    /// Returns one or several commands, each chosen for the state after the previous ones.
    fn choose(&mut self) -> Vec<(Command, Expect)> {
        let most = if self.random.chance(25) { 2 + self.random.below(5) } else { 1 };
        let mut batch: Vec<(Command, Expect)> = Vec::new();
        while (batch.len() as u64) < most {
            let command = choice::command(&mut self.random, &self.session, &self.tree);
            if overtakes(&command, &batch) {
                continue;
            }
            if batch.is_empty() || !needs_attention(&command) {
                let expect = self.session.apply(&command, &mut self.tree);
                let ends = needs_attention(&command) || matches!(expect, Expect::End(_));
                batch.push((command, expect));
                if ends {
                    break;
                }
            }
        }
        batch
    }

    /// Sends a batch in one write, or a single command in one or two.
    fn say(&mut self, batch: &[(Command, Expect)]) {
        let mut lines = Vec::new();
        for (command, expect) in batch {
            lines.extend(self.line(command));
            if let Expect::End(_) = expect {
                lines.extend_from_slice(b"NOOP\r\nnobody hears this\r\n");
            }
        }
        // Commands after QUIT must be in the same packet, or they would reset the connection.
        let ends = batch.iter().any(|(_, expect)| matches!(expect, Expect::End(_)));
        if batch.len() == 1 && !ends && self.random.chance(20) {
            let (first, second) = lines.split_at(self.random.below(lines.len() as u64) as usize);
            self.peer.raw(first).raw(second);
        } else {
            self.peer.raw(lines);
        }
    }

    fn line(&mut self, command: &Command) -> Vec<u8> {
        let mut line = spell(command);
        if self.random.chance(10) {
            let verb = line.iter().position(|&b| b == b' ').unwrap_or(line.len());
            // Browsers use capitals.
            if !matches!(command, Command::Http) {
                line[..verb].make_ascii_lowercase();
            }
        }
        line.extend_from_slice(if self.random.chance(10) { b"\n" } else { b"\r\n" });
        line
    }

    /// Reads the replies to a command, and runs its transfer.
    fn hear(&mut self, command: &Command, expect: &Expect) {
        let shown = spell(command);
        let shown = shown[..shown.len().min(100)].escape_ascii().to_string();
        self.note(&format!("> {shown}   ({})", show(expect)));
        match expect {
            Expect::Reply(code) | Expect::End(code) => drop(self.expect(*code)),
            Expect::Saying(code, words) => {
                let said = self.expect(*code).text();
                let same = said.contains(words)
                    || said.to_ascii_lowercase().contains(&words.to_ascii_lowercase());
                self.check(same, &format!("expected {words:?} in {said:?}"));
            }
            Expect::Passive(code) => {
                let said = self.expect(*code);
                let port = self.announced(&said);
                self.data = Some(Data::Passive(SocketAddr::new(self.address.ip(), port)));
            }
            Expect::Active(listener) => {
                self.expect(200);
                self.data = Some(Data::Active(Rc::clone(listener)));
            }
            Expect::Bytes(bytes) => {
                let got = self.fetch();
                self.check(got == *bytes, &format!("got {} bytes, others", got.len()));
            }
            Expect::Names(wanted) => {
                let got = self.fetch();
                self.check_names(wanted, &got);
            }
            Expect::Takes(bytes, outcome) => {
                self.expect(150);
                let mut data = self.open();
                data.write_all(bytes).unwrap();
                if *outcome == Outcome::Aborted {
                    self.abort_after(bytes.len());
                } else {
                    drop(data);
                    self.expect(226);
                }
            }
            Expect::Waits => {
                self.expect(150);
                self.data = None;
                self.peer.say("ABOR");
                self.expect(426);
                self.expect(226);
            }
            Expect::Stores(dir, bytes, stored) => {
                let name = self.expect(150).words();
                let name = name.strip_prefix("FILE: ").expect(&name).to_owned();
                let mut data = self.open();
                data.write_all(bytes).unwrap();
                drop(data);
                self.expect(226);
                self.tree.store(
                    &[&dir[..], std::slice::from_ref(&name)].concat(),
                    tree::Start::Nothing,
                    stored,
                );
                self.settle_name(dir, &name);
            }
        }
    }

    /// Renames the file that STOU stored to a predictable name, so that a seed always gives the same
    /// run.
    fn settle_name(&mut self, dir: &Path, name: &str) {
        let [old, new] = [name, "stou"].map(|name| [&dir[..], &[name.to_owned()]].concat());
        self.tree.rename(&old, &new).unwrap();
        let [old, new] = [old, new].map(|path| self.root.join(path.join("/")));
        fs::rename(old, new).unwrap();
    }

    fn abort_after(&mut self, length: usize) {
        let so_far = format!(" {length} bytes so far");
        while length > 0 && !self.peer.say("STAT").expect(213).text().contains(&so_far) {}
        self.peer.say("ABOR");
        self.expect(426);
        self.expect(226);
    }

    fn fetch(&mut self) -> Vec<u8> {
        self.expect(150);
        let data = self.open();
        let bytes = drain(data);
        self.expect(226);
        bytes
    }

    fn open(&mut self) -> TcpStream {
        match self.data.take().unwrap() {
            Data::Passive(address) => connect(address),
            Data::Active(listener) => accept(&listener),
        }
    }

    /// Returns the port of a 227 or 229.
    fn announced(&self, said: &Said) -> u16 {
        let text = said.text();
        let port = match text.split_once("(|||") {
            Some((_, rest)) => rest.split_once('|').and_then(|(port, _)| port.parse().ok()),
            None => {
                let host = Ipv4Addr::LOCALHOST.to_string().replace('.', ",");
                let rest = text.split_once(&format!("({host},")).map(|(_, rest)| rest);
                let numbers = rest.and_then(|rest| rest.split_once(')')?.0.split_once(','));
                numbers.and_then(|(high, low)| {
                    Some(u16::from_be_bytes([high.parse().ok()?, low.parse().ok()?]))
                })
            }
        };
        port.unwrap_or_else(|| panic!("no port in {text:?}"))
    }

    fn check_names(&self, wanted: &Listed, got: &[u8]) {
        let Listed { form, home, from, all } = wanted;
        let known = |node| (*form != Listing::Nlst).then(|| kind_and_size(node));
        let mut wanted: BTreeMap<Path, Option<Known>> =
            all.iter().map(|(path, node)| (path.clone(), known(node))).collect();
        let text = String::from_utf8(got.to_vec()).unwrap();
        let mut listed = BTreeMap::new();
        for line in text.split_terminator("\r\n") {
            let (name, node) = match form {
                Listing::Nlst => (line, None),
                Listing::List => parse_ls(line),
                Listing::Mlsd if is_dots(line) => continue,
                Listing::Mlsd => parse_facts(line),
            };
            let twice = listed.insert(resolve(home, from, name), node).is_some();
            self.check(!twice, &format!("twice: {line}"));
        }
        // OPTS MLST may have deselected the size.
        let sizeless = listed.values().flatten().any(|(kind, size)| *kind == 'f' && size.is_none());
        if sizeless {
            wanted.values_mut().flatten().for_each(|(_, size)| *size = None);
        }
        self.check(listed == wanted, &format!("listed {listed:?} and not {wanted:?}"));
    }

    fn look(&mut self) {
        if let Some(difference) = self.tree.difference(&self.root) {
            self.check(false, &format!("on the disk {difference}"));
        }
    }

    fn expect(&mut self, code: u16) -> Said {
        let said = self.peer.hear();
        self.note(&format!("< {}", said.text()));
        self.check(said.code == code, &format!("expected {code}"));
        said
    }

    fn check(&self, holds: bool, problem: &str) {
        assert!(holds, "seed {}, step {}: {problem}", self.seed, self.step);
    }

    fn note(&mut self, line: &str) {
        self.said.push_back(line.into());
        if self.said.len() > 2 * SHOWN {
            self.said.pop_front();
        }
    }
}

/// Returns true for commands that must be last in a batch, because the test reacts to their preliminary
/// reply.
fn needs_attention(command: &Command) -> bool {
    match command {
        Command::Stou(_) => true,
        Command::Stor(_, _, outcome) | Command::Appe(_, _, outcome) => *outcome != Outcome::Whole,
        Command::Retr(_, outcome) | Command::List(_, _, outcome) => *outcome != Outcome::Whole,
        _ => false,
    }
}

/// Returns true if the server would answer a command while an earlier one still runs.
fn overtakes(command: &Command, batch: &[(Command, Expect)]) -> bool {
    let transfers = batch.iter().any(|(_, expect)| is_transfer(expect));
    let digests = batch.iter().any(|(command, _)| is_digest(command));
    match command {
        Command::Plain("NOOP" | "STAT", ..) => transfers,
        Command::Plain("ABOR", ..) => transfers || digests,
        _ => false,
    }
}

fn is_transfer(expect: &Expect) -> bool {
    matches!(expect, Expect::Bytes(_) | Expect::Names(_) | Expect::Takes(..))
}

fn is_digest(command: &Command) -> bool {
    matches!(command, Command::Hash(_) | Command::Crc(..))
}

/// The kind, `d` or `f`, and the size of a file.
type Known = (char, Option<usize>);

fn is_dots(line: &str) -> bool {
    line.contains("type=cdir;") || line.contains("type=pdir;")
}

fn kind_and_size(node: &Node) -> Known {
    match node {
        Node::Dir => ('d', None),
        Node::File(bytes) => ('f', Some(bytes.len())),
    }
}

/// `-rw-r--r--   1 0        0            7 Nov 22 14:41 name`
fn parse_ls(line: &str) -> (&str, Option<Known>) {
    let (mut rest, mut size) = (line, None);
    for field in 0..8 {
        rest = rest.trim_start();
        let (word, after) = rest.split_once(' ').expect(line);
        rest = after;
        if field == 4 {
            size = Some(word.parse().expect(line));
        }
    }
    match line.starts_with('d') {
        true => (rest, Some(('d', None))),
        false => (rest, Some(('f', size))),
    }
}

/// `type=file;size=7; name`
fn parse_facts(line: &str) -> (&str, Option<Known>) {
    let (facts, name) = line.split_once("; ").expect(line);
    let fact = |wanted: &str| facts.split(';').find_map(|fact| fact.strip_prefix(wanted));
    let size = fact("size=").map(|size| size.parse().expect(line));
    match fact("type=") {
        Some("file") => (name, Some(('f', size))),
        _ => (name, Some(('d', None))),
    }
}

fn spell(command: &Command) -> Vec<u8> {
    let line = match command {
        Command::Plain(line, ..) | Command::Malformed(line, ..) => (*line).into(),
        Command::Http => "GET / HTTP/1.1".into(),
        Command::TooLong => format!("STOR {}", "a".repeat(10_000)),
        Command::User(User::Visitor) => "USER anonymous".into(),
        Command::User(User::Reader) => "USER reader".into(),
        Command::User(User::Homebody) => "USER homebody".into(),
        Command::User(User::Nobody) => "USER nobody".into(),
        Command::Pass { right: true } => "PASS secret".into(),
        Command::Pass { right: false } => "PASS Secret".into(),
        Command::Rein => "REIN".into(),
        Command::Quit => "QUIT".into(),
        Command::Host => "HOST localhost".into(),
        Command::Passive => "PASV".into(),
        Command::Extended => "EPSV".into(),
        Command::ExtendedOnly => "EPSV ALL".into(),
        Command::Active { extended, listener } => {
            let port = listener.local_addr().unwrap().port();
            match extended {
                true => format!("EPRT |1|127.0.0.1|{port}|"),
                false => format!("PORT 127,0,0,1,{},{}", port >> 8, port & 255),
            }
        }
        Command::Foreign(argument) => format!("PORT {argument}"),
        Command::Type { ascii: true } => "TYPE A".into(),
        Command::Type { ascii: false } => "TYPE I".into(),
        Command::Rest(offset) => format!("REST {offset}"),
        Command::Rang(first, last) => format!("RANG {first} {last}"),
        Command::Algorithm(name) => format!("OPTS HASH {name}"),
        Command::Facts { all: true } => "OPTS MLST type;size;modify;perm;".into(),
        Command::Facts { all: false } => "OPTS MLST type;".into(),
        Command::Pwd => "PWD".into(),
        Command::Cwd(path) => format!("CWD {path}"),
        Command::Cdup => "CDUP".into(),
        Command::Mkd(path) => format!("MKD {path}"),
        Command::Mkdirs(path) => format!("SITE MKDIR {path}"),
        Command::Rmd(path) => format!("RMD {path}"),
        Command::Rmda(path) => format!("RMDA {path}"),
        Command::Dele(path) => format!("DELE {path}"),
        Command::Rnfr(path) => format!("RNFR {path}"),
        Command::Rnto(path) => format!("RNTO {path}"),
        Command::Size(path) => format!("SIZE {path}"),
        Command::Mdtm(path) => format!("MDTM {path}"),
        Command::Mlst(path) => format!("MLST {path}"),
        Command::Dsiz(path) => format!("DSIZ {path}"),
        Command::Avbl(path) => format!("AVBL {path}"),
        Command::Chmod(path) => format!("SITE CHMOD 755 {path}"),
        Command::Time(Setter::Mfmt, time, path) => format!("MFMT {time} {path}"),
        Command::Time(Setter::Mff, time, path) => format!("MFF modify={time}; {path}"),
        Command::Time(Setter::Utime, time, path) => format!("SITE UTIME {time} {path}"),
        Command::Hash(path) => format!("HASH {path}"),
        Command::Crc(path, None) => format!("XCRC {path}"),
        Command::Crc(path, Some((start, end))) => format!("XCRC {path} {start} {end}"),
        Command::Retr(path, _) => format!("RETR {path}"),
        Command::List(form, path, _) => {
            let verb = match form {
                Listing::List => "LIST",
                Listing::Nlst => "NLST",
                Listing::Mlsd => "MLSD",
            };
            path.as_ref().map_or(verb.into(), |path| format!("{verb} {path}"))
        }
        Command::Stor(path, ..) => format!("STOR {path}"),
        Command::Appe(path, ..) => format!("APPE {path}"),
        Command::Stou(_) => "STOU".into(),
    };
    line.into_bytes()
}

fn show(expect: &Expect) -> String {
    match expect {
        Expect::Bytes(bytes) => format!("sends {} bytes", bytes.len()),
        Expect::Takes(bytes, outcome) => format!("takes {} bytes, {outcome:?}", bytes.len()),
        Expect::Names(listed) => format!("lists {} names", listed.all.len()),
        Expect::Stores(..) => "stores under a new name".into(),
        Expect::Active(_) => "connects".into(),
        other => format!("{other:?}"),
    }
}
