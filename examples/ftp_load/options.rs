//! The command line of the load generator.

use crate::process::ProcessTree;
use crate::session::{Passive, Target};
use mt_ftp::args::{Flag, Parsed, Program, Usage, duration, integer, one_of, port, size};
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// The command line for generating load.
pub static PROGRAM: Program = Program {
    name: "ftp_load",
    version: env!("CARGO_PKG_VERSION"),
    about: "Generate load on an FTP server and measure it. Every run is limited in count and in \
            time.",
    usage: &[
        "ftp_load [OPTIONS] SCENARIO",
        "ftp_load bare [OPTIONS]",
        "ftp_load report [OPTIONS] FILE",
    ],
    flags: &[
        Flag::option("host", "HOST", "host name or address of the server").or("127.0.0.1"),
        Flag::option("port", "PORT", "control port of the server").or("1026"),
        Flag::option("user", "NAME", "user name").or("anonymous"),
        Flag::option("password", "WORD", "password, sent if the server asks for it").or("load@"),
        Flag::option("accounts", "N", "log in with N accounts in turn, --user and a number from 0"),
        Flag::option("first-account", "N", "number of the first account").or("0"),
        Flag::switch("warm-up", "log in once with each account before the measurement"),
        Flag::option("passive", "HOW", "epsv, pasv, or auto: PASV after EPSV is refused")
            .or("auto"),
        Flag::switch("tls", "encrypt all connections by AUTH TLS and PROT P, with TLS 1.3"),
        Flag::option("timeout", "D", "maximum wait for the server").or("20s"),
        Flag::option("clients", "N", "concurrent sessions").or("1"),
        Flag::option("count", "N", "total tasks").or("1000"),
        Flag::option("seconds", "D", "stop after this time").or("60s"),
        Flag::option("rate", "N", "start N tasks a second, even if earlier ones are not done"),
        Flag::option("idle", "N", "open N more sessions first, which stay idle").or("0"),
        Flag::option("file", "NAME", "file to fetch, or prefix of the names of stored files"),
        Flag::option(
            "size",
            "SIZE",
            "size of stored files [4K]; a fetched file of another size is a failure",
        ),
        Flag::switch("overwrite", "use one name for each session, not one for each stored file"),
        Flag::option("dir", "DIR", "directory to list").or("."),
        Flag::switch("list", "idle sessions, and those of retr --rate, list --dir after login"),
        Flag::option("verb", "VERB", "LIST, NLST or MLSD").or("LIST"),
        Flag::option("pid", "PID", "process of the server, to measure its resource use (Linux)"),
        Flag::switch("json", "print one line of JSON instead of a table"),
        Flag::option("row", "TEXT", "name of the result [the scenario]"),
        Flag::option("server", "TEXT", "name of the server in the result").or("server"),
    ],
    after: "\
Scenarios:
  retr    sessions that fetch --file again and again
  stor    sessions that store files of --size
  login   connect, log in, QUIT
  churn   connect, log in, list --dir, fetch --file, QUIT
  list    sessions that list --dir with --verb
  idle    open --clients sessions and keep them open: measure the time and the
          memory of each, send NOOP in --count of them, fetch --file with a new
          client
  soak    --count times: log in, list, fetch, store; fails if the server's
          memory, descriptors or threads grew since the first 1,000

With --rate, the tasks start at equal intervals, and their latency
counts from the time at which they should have started: a server that falls
behind does not get fewer of them. retr then uses its sessions in turn: with as
many --clients as --rate, each session fetches a file once a second.
A session's data connection is a new one for each transfer; with --tls it
resumes the TLS session of the control connection, and certificates are not
checked. Every client is a thread, and takes one or two descriptors: ulimit -Hn
is the limit.
bare is a minimal server that checks nothing, as the limit for other servers;
report shows files of JSON lines as tables or as a chart. Both have --help.

Exit status: 0 success; 1 a task failed or was not done in time; 2 wrong usage.",
};

/// The parsed command line.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server and the login.
    pub target: Target,
    /// The work to do.
    pub scenario: Scenario,
    /// The number of concurrent sessions.
    pub clients: usize,
    /// The total number of tasks.
    pub count: u64,
    /// The time limit.
    pub limit: Duration,
    /// The accounts that log in; `None` if all sessions use the name of the target.
    pub accounts: Option<Accounts>,
    /// Log in with each account before the measurement.
    pub warm_up: bool,
    /// The number of tasks to start in a second; `None` for as many as possible.
    pub rate: Option<u32>,
    /// The number of additional sessions that stay idle.
    pub idle: usize,
    /// The file to fetch, or the prefix of names. Always present if the scenario fetches a file.
    pub file: Option<String>,
    /// The size of stored files, or the expected size of fetched ones.
    pub size: Option<u64>,
    /// The names of stored files.
    pub naming: Naming,
    /// The directory to list.
    pub dir: String,
    /// True if sessions that are idle, or fetch files at a rate, list the directory after login.
    pub list: bool,
    /// LIST, NLST or MLSD.
    pub verb: &'static str,
    /// The server's processes.
    pub server: Option<ProcessTree>,
    /// The name of the result.
    pub row: String,
    /// The name of the server.
    pub server_name: String,
    /// The format of the result.
    pub output: Output,
}

/// Accounts whose names are the user name and consecutive numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accounts {
    first: u64,
    count: u64,
}

impl Accounts {
    /// Returns the number of accounts.
    pub fn count(self) -> u64 {
        self.count
    }
}

/// The work of each session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Fetch files.
    Retr,
    /// Store files.
    Stor,
    /// Connect, log in, quit.
    Login,
    /// Connect, log in, list, fetch, quit.
    Churn,
    /// List a directory.
    List,
    /// Keep sessions open.
    Idle,
    /// Repeat everything for a long time.
    Soak,
}

/// The names of stored files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// A name for each file, because some servers do not let clients replace files.
    EachFile,
    /// A name for each session.
    EachSession,
}

/// The format of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A table for people.
    Table,
    /// JSON for programs.
    Json,
}

const SCENARIOS: &[(&str, Scenario)] = &[
    ("retr", Scenario::Retr),
    ("stor", Scenario::Stor),
    ("login", Scenario::Login),
    ("churn", Scenario::Churn),
    ("list", Scenario::List),
    ("idle", Scenario::Idle),
    ("soak", Scenario::Soak),
];

const VERBS: &[(&str, &str)] = &[("LIST", "LIST"), ("NLST", "NLST"), ("MLSD", "MLSD")];

const PASSIVE: &[(&str, Passive)] =
    &[("auto", Passive::Auto), ("epsv", Passive::Extended), ("pasv", Passive::Classic)];

impl Options {
    /// Reads and checks the options.
    ///
    /// # Errors
    /// Returns the first error.
    pub fn new(parsed: &Parsed) -> Result<Options, Usage> {
        let (name, scenario) = scenario(parsed)?;
        let naming =
            if parsed.switch("overwrite") { Naming::EachSession } else { Naming::EachFile };
        Ok(Options {
            target: target(parsed)?,
            scenario,
            clients: parsed.need("clients", integer(1..=100_000))?,
            count: parsed.need("count", integer(1..=u64::from(u32::MAX)))?,
            limit: parsed.need("seconds", duration)?,
            accounts: accounts(parsed)?,
            warm_up: parsed.switch("warm-up"),
            rate: parsed.get("rate", integer(1..=1_000_000))?,
            idle: parsed.need("idle", integer(0..=100_000))?,
            file: file(parsed, scenario)?,
            size: parsed.get("size", size)?,
            naming,
            dir: text(parsed, "dir")?,
            list: parsed.switch("list"),
            verb: parsed.need("verb", one_of(VERBS))?,
            server: parsed.get("pid", integer(1..=u32::MAX))?.map(ProcessTree::of),
            row: parsed.get("row", any)?.unwrap_or_else(|| name.to_owned()),
            server_name: text(parsed, "server")?,
            output: if parsed.switch("json") { Output::Json } else { Output::Table },
        })
    }

    /// Returns the name of the file to fetch.
    pub fn fetched(&self) -> &str {
        self.file.as_deref().unwrap_or_default()
    }

    /// Returns the user name for a task.
    pub fn user(&self, number: u64) -> String {
        let user = &self.target.user;
        match self.accounts {
            Some(accounts) => format!("{user}{}", accounts.first + number % accounts.count),
            None => user.clone(),
        }
    }
}

fn scenario(parsed: &Parsed) -> Result<(&'static str, Scenario), Usage> {
    let names: Vec<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
    let expected = format!("one scenario: {}", names.join(", "));
    match parsed.operands() {
        [word] => {
            let known = SCENARIOS.iter().find(|(name, _)| word == name).copied();
            known.ok_or_else(|| Usage::operand(word, expected))
        }
        [_, extra, ..] => Err(Usage::operand(extra, expected)),
        [] => Err(Usage::missing_operand(expected)),
    }
}

fn accounts(parsed: &Parsed) -> Result<Option<Accounts>, Usage> {
    let first = parsed.need("first-account", integer(0..=u64::from(u32::MAX)))?;
    let count = parsed.get("accounts", integer(1..=u64::from(u32::MAX)))?;
    Ok(count.map(|count| Accounts { first, count }))
}

fn target(parsed: &Parsed) -> Result<Target, Usage> {
    let host = text(parsed, "host")?;
    let port = parsed.need("port", port)?;
    let found = (host.as_str(), port).to_socket_addrs();
    // A name such as localhost may have addresses of both kinds, and more servers listen on IPv4.
    let mut addresses: Vec<SocketAddr> =
        found.map(Iterator::collect).map_err(|_| parsed.wrong("host", "a host that is known"))?;
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let address = addresses.first().copied();
    Ok(Target {
        address: address.ok_or_else(|| parsed.wrong("host", "a host with an address"))?,
        user: text(parsed, "user")?,
        password: text(parsed, "password")?,
        passive: parsed.need("passive", one_of(PASSIVE))?,
        tls: parsed.switch("tls"),
        timeout: parsed.need("timeout", duration)?.max(Duration::from_millis(1)),
    })
}

fn file(parsed: &Parsed, scenario: Scenario) -> Result<Option<String>, Usage> {
    match scenario {
        Scenario::Retr | Scenario::Churn => text(parsed, "file").map(Some),
        Scenario::Stor | Scenario::Login | Scenario::List | Scenario::Idle | Scenario::Soak => {
            parsed.get("file", any)
        }
    }
}

fn text(parsed: &Parsed, name: &str) -> Result<String, Usage> {
    parsed.need(name, any)
}

/// Accepts any text that can be part of a command.
fn any(text: &str) -> Result<String, mt_ftp::args::Expected> {
    if text.contains(char::is_control) {
        return Err(mt_ftp::args::Expected("text without control characters".into()));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mt_ftp::args::Outcome;

    fn options(words: &[&str]) -> Result<Options, Usage> {
        match PROGRAM.parse(words.iter().map(Into::into))? {
            Outcome::Run(parsed) => Options::new(&parsed),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_table_is_sound() {
        PROGRAM.check();
    }

    #[test]
    fn the_result_has_the_name_of_the_scenario_by_default() {
        assert_eq!(options(&["login"]).unwrap().row, "login");
        let named = options(&["--row", "a b", "--size=1M", "stor"]).unwrap();
        assert_eq!((named.row.as_str(), named.size), ("a b", Some(1 << 20)));
    }

    #[test]
    fn the_accounts_are_used_in_turn() {
        let users = |words: &[&str]| {
            let options = options(&[&["--user=u", "login"], words].concat()).unwrap();
            [0, 1, 2].map(|number| options.user(number))
        };
        assert_eq!(users(&[]), ["u"; 3]);
        assert_eq!(users(&["--accounts=2"]), ["u0", "u1", "u0"]);
        assert_eq!(users(&["--accounts=2", "--first-account=9"]), ["u9", "u10", "u9"]);
    }

    #[test]
    fn errors_are_reported() {
        let wrong = [
            (&["--clients", "0", "--file=a", "retr"][..], "--clients '0': expected a whole number"),
            (&["--dir", "a\nb", "list"], "--dir 'a\\x0ab': expected text without control"),
            (&["retr"], "--file: expected a value (NAME)"),
            (&["fetch"], "'fetch': expected one scenario: retr, stor"),
            (&[], "expected one scenario"),
            (&["retr", "stor"], "'stor': expected one scenario"),
        ];
        for (words, text) in wrong {
            let said = options(words).unwrap_err().to_string();
            assert!(said.contains(text), "{said}");
        }
    }
}
