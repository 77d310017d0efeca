//! The model of a session: the reply and the effect of each command.
//!
//! It follows the RFCs and the guide, and shares no code with the server.

use super::tree::{BAD_RESTART, Code, Node, Path, Start, Tree, UNAVAILABLE};
use std::collections::BTreeMap;
use std::mem;
use std::net::TcpListener;
use std::rc::Rc;

/// The users of the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// May write, with any password.
    Visitor,
    /// May read.
    Reader,
    /// May write in `/home`.
    Homebody,
    /// Does not exist.
    Nobody,
}

/// The access that a command requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    Anyone,
    Login,
    Write,
}

/// The way in which a transfer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Complete.
    Whole,
    /// ABOR after all data was sent; only for uploads in TYPE I.
    Aborted,
    /// ABOR while the server waits for the data connection; only in passive mode.
    NoShow,
}

/// A command of the model, with paths as typed.
#[derive(Clone, Debug)]
pub enum Command {
    /// A command that gets this code in any state if the login has the right.
    Plain(&'static str, Right, Code),
    /// An invalid command, which gets this code if the login has the right that the command would need.
    Malformed(&'static str, Right, Code),
    /// An HTTP request of a browser.
    Http,
    /// A line beyond the maximum length.
    TooLong,
    User(User),
    Pass {
        right: bool,
    },
    Rein,
    Quit,
    Host,
    Passive,
    Extended,
    ExtendedOnly,
    Active {
        extended: bool,
        listener: Rc<TcpListener>,
    },
    /// PORT with this argument, an address other than the client's.
    Foreign(&'static str),
    Type {
        ascii: bool,
    },
    Rest(u64),
    Rang(u64, u64),
    Algorithm(&'static str),
    /// OPTS MLST with all facts, or only with the type.
    Facts {
        all: bool,
    },
    Pwd,
    Cwd(String),
    Cdup,
    Mkd(String),
    Mkdirs(String),
    Rmd(String),
    Rmda(String),
    Dele(String),
    Rnfr(String),
    Rnto(String),
    Size(String),
    Mdtm(String),
    Mlst(String),
    Dsiz(String),
    Avbl(String),
    Chmod(String),
    /// MFMT, MFF or SITE UTIME with this time.
    Time(Setter, &'static str, String),
    Hash(String),
    Crc(String, Option<(u64, u64)>),
    Retr(String, Outcome),
    List(Listing, Option<String>, Outcome),
    Stor(String, Vec<u8>, Outcome),
    Appe(String, Vec<u8>, Outcome),
    Stou(Vec<u8>),
}

/// The commands that set modification times.
#[derive(Clone, Copy, Debug)]
pub enum Setter {
    Mfmt,
    Mff,
    Utime,
}

/// The listing commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    List,
    Nlst,
    Mlsd,
}

/// The expected response.
#[derive(Clone, Debug)]
pub enum Expect {
    Reply(Code),
    /// A reply that contains this text.
    Saying(Code, String),
    /// A 227 or 229 with an address.
    Passive(Code),
    /// A 200, after which the server connects to this listener.
    Active(Rc<TcpListener>),
    /// A final reply and the end of the connection.
    End(Code),
    /// A 150, these bytes, and a 226.
    Bytes(Vec<u8>),
    /// A 150, a listing of these names, and a 226.
    Names(Listed),
    /// A 150, after which the client sends these bytes.
    Takes(Vec<u8>, Outcome),
    /// A 150, and then nothing until ABOR.
    Waits,
    /// A 150 with a new name in this directory, which then contains these bytes.
    Stores(Path, Vec<u8>, Vec<u8>),
}

/// A listing and its directory.
#[derive(Clone, Debug)]
pub struct Listed {
    pub form: Listing,
    pub home: Path,
    /// Relative to the home.
    pub from: Path,
    pub all: BTreeMap<Path, Node>,
}

#[derive(Debug, Default)]
enum Login {
    #[default]
    Fresh,
    Named(User),
    In(User),
}

/// The pending offset or range for the next transfer.
#[derive(Clone, Copy, Debug, Default)]
enum Pending {
    #[default]
    Nothing,
    Restart(u64),
    Range(u64, u64),
}

/// The kind of the next data connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plan {
    #[default]
    None,
    Passive,
    Active,
}

/// The state of a session.
#[derive(Debug)]
pub struct Session {
    login: Login,
    pending: Pending,
    /// The path of RNFR, for the next command.
    renamed: Option<Path>,
    plan: Plan,
    /// True after EPSV ALL.
    extended_only: bool,
    ascii: bool,
    algorithm: &'static str,
    all_facts: bool,
    /// Relative to the home.
    cwd: Path,
    /// The number of invalid commands before login.
    nonsense: u32,
}

type Answer = Result<Expect, Code>;

impl Session {
    /// Creates the state after the greeting.
    pub fn new() -> Session {
        Session {
            login: Login::Fresh,
            pending: Pending::Nothing,
            renamed: None,
            plan: Plan::None,
            extended_only: false,
            ascii: true,
            algorithm: "SHA-256",
            all_facts: true,
            cwd: Path::new(),
            nonsense: 0,
        }
    }

    pub fn is_in(&self) -> bool {
        matches!(self.login, Login::In(_))
    }

    pub fn is_named(&self) -> bool {
        matches!(self.login, Login::Named(_))
    }

    pub fn is_ascii(&self) -> bool {
        self.ascii
    }

    pub fn plan(&self) -> Plan {
        self.plan
    }

    pub fn wants_rnto(&self) -> bool {
        self.renamed.is_some()
    }

    /// Returns the current directory, relative to the home.
    pub fn cwd(&self) -> &[String] {
        &self.cwd
    }

    /// Returns the home, which the client sees as `/`.
    pub fn home(&self) -> Path {
        match self.login {
            Login::In(User::Homebody) => vec!["home".into()],
            _ => Path::new(),
        }
    }

    /// Returns the path in the whole tree for a typed path.
    pub fn resolve(&self, typed: &str) -> Path {
        resolve(&self.home(), &self.cwd, typed)
    }

    /// Executes a command, and returns the expected response.
    pub fn apply(&mut self, command: &Command, tree: &mut Tree) -> Expect {
        self.answer(command, tree).unwrap_or_else(Expect::Reply)
    }

    fn answer(&mut self, command: &Command, tree: &mut Tree) -> Answer {
        let renamed = self.renamed.take();
        match command {
            Command::Malformed(_, _, 500) => return Ok(self.nonsense(500, 1)),
            Command::Malformed(_, right, code) => {
                return Err(self.permit(*right).err().unwrap_or(*code));
            }
            Command::Http => return Ok(self.nonsense(500, u32::MAX)),
            Command::TooLong => return Err(500),
            _ => {}
        }
        let pending = self.take_pending(command);
        self.permit(right(command))?;
        self.execute(command, pending, renamed, tree)
    }

    fn nonsense(&mut self, code: Code, weight: u32) -> Expect {
        if self.is_in() {
            return Expect::Reply(code);
        }
        self.nonsense = self.nonsense.saturating_add(weight);
        if self.nonsense >= 10 { Expect::End(421) } else { Expect::Reply(code) }
    }

    fn permit(&self, right: Right) -> Result<(), Code> {
        match (right, &self.login) {
            (Right::Anyone, _) | (Right::Login, Login::In(_)) => Ok(()),
            (Right::Write, Login::In(User::Reader)) => Err(UNAVAILABLE),
            (Right::Write, Login::In(_)) => Ok(()),
            (Right::Login | Right::Write, _) => Err(530),
        }
    }

    /// File transfers and USER clear REST and RANG; HASH clears RANG.
    fn take_pending(&mut self, command: &Command) -> Pending {
        match (command, self.pending) {
            (Command::Retr(..) | Command::Stor(..) | Command::Appe(..), _)
            | (Command::Stou(_) | Command::User(_), _)
            | (Command::Hash(_), Pending::Range(..)) => mem::take(&mut self.pending),
            (Command::Hash(_), pending) => pending,
            _ => Pending::Nothing,
        }
    }

    fn execute(
        &mut self,
        command: &Command,
        pending: Pending,
        renamed: Option<Path>,
        tree: &mut Tree,
    ) -> Answer {
        let done = |code| move |()| Expect::Reply(code);
        match command {
            Command::Malformed(..) | Command::Http | Command::TooLong => unreachable!(),
            // The free space is that of the current directory, which may not exist any more.
            Command::Plain("ALLO 10", _, code) => tree.dir(&self.resolve("")).map(done(*code)),
            Command::Plain("SITE WHO", ..) if matches!(self.login, Login::In(User::Visitor)) => {
                Err(UNAVAILABLE)
            }
            Command::Plain(_, _, code) => Ok(Expect::Reply(*code)),
            Command::User(user) => {
                self.login = Login::Named(*user);
                Ok(Expect::Reply(331))
            }
            Command::Pass { right } => self.pass(*right, tree),
            Command::Rein => {
                *self = Session { nonsense: self.nonsense, ..Session::new() };
                Ok(Expect::Reply(220))
            }
            Command::Quit => Ok(Expect::End(221)),
            Command::Host if matches!(self.login, Login::Fresh) => Ok(Expect::Reply(220)),
            Command::Host => Err(503),
            Command::Passive if self.extended_only => Err(501),
            Command::Passive => Ok(self.set_plan(Plan::Passive, Expect::Passive(227))),
            Command::Extended => Ok(self.set_plan(Plan::Passive, Expect::Passive(229))),
            Command::ExtendedOnly => {
                self.extended_only = true;
                Ok(Expect::Reply(200))
            }
            Command::Active { .. } | Command::Foreign(_) if self.extended_only => Err(501),
            Command::Active { listener, .. } => {
                Ok(self.set_plan(Plan::Active, Expect::Active(Rc::clone(listener))))
            }
            Command::Foreign(_) => Ok(self.set_plan(Plan::None, Expect::Reply(501))),
            Command::Type { ascii } => {
                self.ascii = *ascii;
                Ok(Expect::Reply(200))
            }
            Command::Rest(offset) => {
                self.pending = Pending::Restart(*offset);
                Ok(Expect::Reply(350))
            }
            Command::Rang(1, 0) => {
                self.pending = Pending::Nothing;
                Ok(Expect::Reply(350))
            }
            Command::Rang(first, last) if last < first => Err(501),
            Command::Rang(first, last) => {
                self.pending = Pending::Range(*first, *last);
                Ok(Expect::Reply(350))
            }
            Command::Algorithm(name) => {
                self.algorithm = name;
                Ok(Expect::Reply(200))
            }
            Command::Facts { all } => {
                self.all_facts = *all;
                Ok(Expect::Reply(200))
            }
            Command::Pwd => Ok(Expect::Saying(257, quoted(&self.cwd))),
            Command::Cwd(path) => self.enter(self.resolve(path), tree),
            Command::Cdup => self.enter(self.resolve(".."), tree),
            Command::Mkd(path) => tree.make_dir(&self.resolve(path)).map(done(257)),
            Command::Mkdirs(path) => tree.make_dirs(&self.resolve(path)).map(done(200)),
            Command::Rmd(path) => tree.remove_dir(&self.changeable(path)?).map(done(250)),
            Command::Rmda(path) => tree.remove_all(&self.changeable(path)?).map(done(250)),
            Command::Dele(path) => tree.remove_file(&self.changeable(path)?).map(done(250)),
            Command::Rnfr(path) => {
                let path = self.changeable(path)?;
                tree.any(&path)?;
                self.renamed = Some(path);
                Ok(Expect::Reply(350))
            }
            Command::Rnto(path) => {
                let from = renamed.ok_or(503_u16)?;
                tree.rename(&from, &self.changeable(path)?).map(done(250))
            }
            Command::Size(path) => self.size(&self.resolve(path), tree),
            Command::Mdtm(path) => {
                let path = self.resolve(path);
                tree.any(&path)?;
                let time = tree.time(&path).unwrap_or_default();
                Ok(Expect::Saying(213, format!("213 {time}")))
            }
            Command::Mlst(path) => self.mlst(&self.resolve(path), tree),
            Command::Dsiz(path) => {
                let path = self.resolve(path);
                tree.dir(&path)?;
                Ok(Expect::Saying(213, format!("213 {}", tree.size_below(&path))))
            }
            Command::Avbl(path) => tree.dir(&self.resolve(path)).map(done(213)),
            Command::Chmod(path) => tree.any(&self.changeable(path)?).map(done(200)),
            Command::Time(setter, time, path) => {
                let code = if matches!(setter, Setter::Utime) { 200 } else { 213 };
                tree.set_time(&self.resolve(path), time).map(done(code))
            }
            Command::Hash(path) => {
                let bytes = tree.stored(&self.resolve(path))?;
                let (start, end) = portion(bytes, &pending)?;
                let last = end.saturating_sub(1).max(start);
                let digest = match self.algorithm {
                    "CRC32" => crc32(&bytes[start..end]),
                    _ => String::new(),
                };
                Ok(Expect::Saying(213, format!("{} {start}-{last} {digest}", self.algorithm)))
            }
            Command::Crc(path, range) => {
                let bytes = tree.file(&self.resolve(path))?;
                let (start, end) = crc_range(bytes.len(), *range)?;
                Ok(Expect::Saying(250, crc32(&bytes[start..end])))
            }
            Command::Retr(path, outcome) => {
                let bytes = tree.file(&self.resolve(path))?;
                let bytes = if self.ascii { to_wire(bytes) } else { bytes.clone() };
                let (start, end) = portion(&bytes, &pending)?;
                self.take_plan()?;
                Ok(match outcome {
                    Outcome::NoShow => Expect::Waits,
                    _ => Expect::Bytes(bytes[start..end].to_vec()),
                })
            }
            Command::List(form, path, outcome) => {
                let expect = self.list(*form, path.as_deref().unwrap_or_default(), tree)?;
                self.take_plan()?;
                Ok(if *outcome == Outcome::NoShow { Expect::Waits } else { expect })
            }
            Command::Stor(path, bytes, outcome) => {
                if let Pending::Range(..) = pending {
                    return Err(503);
                }
                self.planned()?;
                let path = self.resolve(path);
                tree.storable(&path)?;
                let from = self.stor_from(&path, &pending, tree)?;
                self.receive(&path, from, bytes, *outcome, tree)
            }
            Command::Appe(path, bytes, outcome) => {
                if let Pending::Restart(1..) | Pending::Range(..) = pending {
                    return Err(503);
                }
                self.planned()?;
                let path = self.resolve(path);
                tree.storable(&path)?;
                let from = match (tree.partial(&path), tree.file(&path)) {
                    (None, Err(_)) => Start::Nothing,
                    (Some(partial), Err(_)) => Start::Partial(partial.len()),
                    (Some(_), Ok(_)) if tree.is_own(&path) => return Err(UNAVAILABLE),
                    (_, Ok(old)) => Start::Place(old.len()),
                };
                self.receive(&path, from, bytes, *outcome, tree)
            }
            Command::Stou(bytes) => {
                if let Pending::Restart(1..) | Pending::Range(..) = pending {
                    return Err(503);
                }
                self.planned()?;
                let dir = self.resolve("");
                tree.dir(&dir)?;
                self.take_plan()?;
                let stored = if self.ascii { to_local(bytes) } else { bytes.clone() };
                Ok(Expect::Stores(dir, bytes.clone(), stored))
            }
        }
    }

    fn pass(&mut self, right: bool, tree: &mut Tree) -> Answer {
        let Login::Named(user) = self.login else { return Err(503) };
        self.login = Login::Fresh;
        if user != User::Visitor && (user == User::Nobody || !right) {
            return Err(530);
        }
        self.login = Login::In(user);
        tree.log_in();
        self.cwd = Path::new();
        Ok(Expect::Reply(230))
    }

    fn enter(&mut self, path: Path, tree: &Tree) -> Answer {
        tree.dir(&path)?;
        self.cwd = path[self.home().len()..].to_vec();
        Ok(Expect::Reply(250))
    }

    /// Returns the path of something that may be removed or renamed, which excludes the root.
    fn changeable(&self, typed: &str) -> Result<Path, Code> {
        let path = self.resolve(typed);
        if path == self.home() { Err(UNAVAILABLE) } else { Ok(path) }
    }

    fn size(&self, path: &Path, tree: &Tree) -> Answer {
        let size = match (tree.get(path), tree.partial(path)) {
            (Some(Node::File(bytes)), _) if self.ascii => to_wire(bytes).len(),
            (None, Some(bytes)) if self.ascii => received_length(bytes),
            (Some(Node::File(bytes)), _) | (None, Some(bytes)) => bytes.len(),
            _ => return Err(UNAVAILABLE),
        };
        Ok(Expect::Saying(213, format!("213 {size}")))
    }

    fn mlst(&self, path: &Path, tree: &Tree) -> Answer {
        let facts = match tree.get(path).ok_or(UNAVAILABLE)? {
            Node::Dir => " type=dir;".into(),
            Node::File(bytes) if self.all_facts => format!(" type=file;size={};", bytes.len()),
            Node::File(_) => " type=file; ".into(),
        };
        Ok(Expect::Saying(250, facts))
    }

    fn set_plan(&mut self, plan: Plan, expect: Expect) -> Expect {
        self.plan = plan;
        expect
    }

    fn planned(&self) -> Result<(), Code> {
        if self.plan == Plan::None { Err(425) } else { Ok(()) }
    }

    fn take_plan(&mut self) -> Result<(), Code> {
        self.planned()?;
        self.plan = Plan::None;
        Ok(())
    }

    fn list(&self, form: Listing, typed: &str, tree: &Tree) -> Answer {
        let path = self.resolve(typed);
        if form == Listing::Mlsd && tree.file(&path).is_ok() {
            return Err(501);
        }
        let all = match tree.get(&path).ok_or(UNAVAILABLE)? {
            Node::Dir => {
                let inside = tree.children(&path).into_iter();
                inside.map(|(name, node)| ([&path[..], &[name]].concat(), node)).collect()
            }
            node @ Node::File(_) => BTreeMap::from([(path.clone(), node.clone())]),
        };
        let home = self.home();
        let below = &path[home.len()..];
        // NLST prints names with the requested path; the others print only the name.
        let from = match (form, tree.dir(&path)) {
            (Listing::Nlst, _) => self.cwd.clone(),
            (_, Ok(())) => below.to_vec(),
            (_, Err(_)) => below[..below.len() - 1].to_vec(),
        };
        Ok(Expect::Names(Listed { form, home, from, all }))
    }

    fn stor_from(&self, path: &Path, pending: &Pending, tree: &Tree) -> Result<Start, Code> {
        let Pending::Restart(offset @ 1..) = *pending else { return Ok(Start::Nothing) };
        let at = |bytes: &[u8], received| match self.ascii {
            true => local_offset(bytes, offset, received),
            false => usize::try_from(offset).ok().filter(|at| *at <= bytes.len()),
        };
        match (tree.partial(path), tree.file(path)) {
            (Some(partial), _) => at(partial, true).map(Start::Partial).ok_or(BAD_RESTART),
            (None, Ok(old)) => at(old, false).map(Start::Place).ok_or(BAD_RESTART),
            (None, Err(_)) => Err(BAD_RESTART),
        }
    }

    fn receive(
        &mut self,
        path: &Path,
        from: Start,
        bytes: &[u8],
        outcome: Outcome,
        tree: &mut Tree,
    ) -> Answer {
        self.take_plan()?;
        let stored = if self.ascii { to_local(bytes) } else { bytes.to_vec() };
        match outcome {
            Outcome::Whole => tree.store(path, from, &stored),
            Outcome::Aborted => tree.break_off(path, from, &stored),
            Outcome::NoShow => tree.break_off(path, from, &[]),
        }
        Ok(match outcome {
            Outcome::NoShow => Expect::Waits,
            _ => Expect::Takes(bytes.to_vec(), outcome),
        })
    }
}

fn right(command: &Command) -> Right {
    match command {
        Command::Plain(_, right, _) => *right,
        Command::Malformed(..) | Command::Http | Command::TooLong => Right::Anyone,
        Command::User(_) | Command::Pass { .. } | Command::Rein | Command::Quit => Right::Anyone,
        Command::Host | Command::Algorithm(_) | Command::Facts { .. } => Right::Anyone,
        Command::Passive | Command::Extended | Command::ExtendedOnly => Right::Login,
        Command::Active { .. } | Command::Foreign(_) | Command::Type { .. } => Right::Login,
        Command::Rest(_) | Command::Rang(..) => Right::Login,
        Command::Pwd | Command::Cwd(_) | Command::Cdup => Right::Login,
        Command::Size(_) | Command::Mdtm(_) | Command::Mlst(_) => Right::Login,
        Command::Dsiz(_) | Command::Hash(_) | Command::Crc(..) => Right::Login,
        Command::Retr(..) | Command::List(..) => Right::Login,
        Command::Mkd(_) | Command::Mkdirs(_) | Command::Rmd(_) | Command::Rmda(_) => Right::Write,
        Command::Dele(_) | Command::Rnfr(_) | Command::Rnto(_) => Right::Write,
        Command::Avbl(_) | Command::Chmod(_) | Command::Time(..) => Right::Write,
        Command::Stor(..) | Command::Appe(..) | Command::Stou(_) => Right::Write,
    }
}

/// Returns the requested range of a file.
fn portion(bytes: &[u8], pending: &Pending) -> Result<(usize, usize), Code> {
    let size = bytes.len();
    let within =
        |offset: u64| usize::try_from(offset).ok().filter(|at| *at <= size).ok_or(BAD_RESTART);
    match pending {
        Pending::Restart(offset) => Ok((within(*offset)?, size)),
        Pending::Range(first, last) => match within(*first)? {
            start if start == size => Err(BAD_RESTART),
            start => Ok((start, within(last + 1).unwrap_or(size))),
        },
        Pending::Nothing => Ok((0, size)),
    }
}

/// The second number of XCRC is exclusive, and 0 means the end.
fn crc_range(size: usize, range: Option<(u64, u64)>) -> Result<(usize, usize), Code> {
    let Some((start, end)) = range else { return Ok((0, size)) };
    let start = usize::try_from(start).ok().filter(|start| *start <= size).ok_or(BAD_RESTART)?;
    match usize::try_from(end).unwrap() {
        0 => Ok((start, size)),
        end if end < start => Err(501),
        end => Ok((start, end.min(size))),
    }
}

/// Resolves a typed path for a home and a current directory.
pub fn resolve(home: &[String], cwd: &[String], typed: &str) -> Path {
    let mut path = if typed.starts_with('/') { Path::new() } else { cwd.to_vec() };
    for part in typed.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(path.pop()),
            part => path.push(part.into()),
        }
    }
    [home, &path].concat()
}

/// Returns a path as 257 replies quote it.
pub fn quoted(path: &[String]) -> String {
    format!("257 \"/{}\"", path.join("/").replace('"', "\"\""))
}

/// Converts a text as TYPE A sends it.
fn to_wire(bytes: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for byte in bytes {
        if *byte == b'\n' && wire.last() != Some(&b'\r') {
            wire.push(b'\r');
        }
        wire.push(*byte);
    }
    wire
}

/// Returns the length on the wire of a text stored in TYPE A, where every LF was CR LF.
fn received_length(bytes: &[u8]) -> usize {
    bytes.iter().map(|byte| if *byte == b'\n' { 2 } else { 1 }).sum()
}

/// Converts a text as TYPE A stores it.
fn to_local(bytes: &[u8]) -> Vec<u8> {
    let is_end = |at: usize| bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n');
    (0..bytes.len()).filter(|at| !is_end(*at)).map(|at| bytes[at]).collect()
}

/// Converts an offset on the wire to one in the stored text, for the upload (`received`) or for RETR.
fn local_offset(bytes: &[u8], offset: u64, received: bool) -> Option<usize> {
    let mut moved = 0;
    let after = |at: usize| at > 0 && bytes[at - 1] == b'\r' && !received;
    let mut offsets = std::iter::once(0).chain((0..bytes.len()).map(|at| {
        moved += if bytes[at] == b'\n' && !after(at) { 2 } else { 1 };
        moved
    }));
    offsets.position(|moved| moved == offset)
}

/// Computes the CRC-32 of zip, bit by bit.
pub fn crc32(bytes: &[u8]) -> String {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    format!("{:08x}", !crc)
}
