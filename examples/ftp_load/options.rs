//! The command line of the load generator: its one table, and what it means.

use crate::process::Tree;
use crate::session::{Passive, Target};
use mt_ftp::args::{Flag, Parsed, Program, Usage, duration, integer, one_of, port, size};
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// The program, as it is called to put load on a server.
pub static PROGRAM: Program = Program {
    name: "ftp_load",
    version: env!("CARGO_PKG_VERSION"),
    about: "Put load on an FTP server and say what it took. Everything is bounded in count and \
            in time.",
    usage: &[
        "ftp_load [OPTIONS] SCENARIO",
        "ftp_load bare [OPTIONS]",
        "ftp_load report [OPTIONS] FILE",
    ],
    flags: &[
        Flag::option("host", "HOST", "the server").or("127.0.0.1"),
        Flag::option("port", "PORT", "its control port").or("1026"),
        Flag::option("user", "NAME", "who logs in").or("anonymous"),
        Flag::option("password", "WORD", "the password, if it is asked for").or("load@"),
        Flag::option("passive", "HOW", "epsv, pasv, or auto: PASV once EPSV is refused").or("auto"),
        Flag::option("timeout", "D", "how long the server may be silent").or("20s"),
        Flag::option("clients", "N", "sessions at once").or("1"),
        Flag::option("count", "N", "pieces of work in all").or("1000"),
        Flag::option("seconds", "D", "stop after this time, whatever is left").or("60s"),
        Flag::option("file", "NAME", "file to fetch; what the names of stored files begin with"),
        Flag::option(
            "size",
            "SIZE",
            "of files that are stored (4K if not given); a fetched file of another size is a \
             failure",
        ),
        Flag::switch("overwrite", "store under one name for each session, not one for each file"),
        Flag::option("dir", "DIR", "directory to list").or("."),
        Flag::option("verb", "VERB", "LIST, NLST or MLSD").or("LIST"),
        Flag::option("pid", "PID", "the server's process, to say what it used (Linux)"),
        Flag::switch("json", "one line of JSON, not a table"),
        Flag::option("row", "TEXT", "what the result is called; the scenario if not given"),
        Flag::option("server", "TEXT", "what the server is called in the result").or("server"),
    ],
    after: "\
Scenarios:
  retr    sessions that fetch --file again and again
  stor    sessions that store files of --size
  login   connect, log in, QUIT
  churn   connect, log in, list --dir, fetch --file, QUIT
  list    sessions that list --dir with --verb
  idle    open --clients sessions and keep them: the time it takes, the memory
          of each, NOOP in --count of them, then one more client fetches --file
  soak    --count times: log in, list, fetch, store; fails if the server's
          memory, descriptors or threads grew since the first 1,000

A session's data connection is a new one for each transfer. Every client is a
thread, and takes one or two descriptors: ulimit -Hn is the limit.
bare is a server that checks nothing, to see what is possible at all; report
shows files of JSON lines, as tables or as a chart. Each has its own --help.

Exit status: 0 all worked; 1 something failed; 2 wrong usage.",
};

/// What a command line means.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to, and as whom.
    pub target: Target,
    /// What to do there.
    pub scenario: Scenario,
    /// Sessions at once.
    pub clients: usize,
    /// Pieces of work in all.
    pub count: u64,
    /// The longest it may take.
    pub limit: Duration,
    /// A file to fetch, or the beginning of names. Where one must be fetched it is there.
    pub file: Option<String>,
    /// Of files that are stored or fetched.
    pub size: Option<u64>,
    /// Whether every file that is stored has a name of its own.
    pub naming: Naming,
    /// A directory to list.
    pub dir: String,
    /// LIST, NLST or MLSD.
    pub verb: &'static str,
    /// The server's processes.
    pub server: Option<Tree>,
    /// What the result is called.
    pub row: String,
    /// What the server is called.
    pub server_name: String,
    /// How the result is printed.
    pub output: Output,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Fetch files.
    Retr,
    /// Store files.
    Stor,
    /// Connect, log in, leave.
    Login,
    /// The whole life of a short session.
    Churn,
    /// List a directory.
    List,
    /// Keep sessions open.
    Idle,
    /// A long time of everything.
    Soak,
}

/// Which names stored files get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// A name for each file: some servers do not let visitors replace any.
    EachFile,
    /// A name for each session.
    EachSession,
}

/// How the result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// For people.
    Table,
    /// For programs.
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
    /// From the arguments, each checked.
    ///
    /// # Errors
    /// The first that is wrong.
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
            file: file(parsed, scenario)?,
            size: parsed.get("size", size)?,
            naming,
            dir: text(parsed, "dir")?,
            verb: parsed.need("verb", one_of(VERBS))?,
            server: parsed.get("pid", integer(1..=u32::MAX))?.map(Tree::of),
            row: parsed.get("row", any)?.unwrap_or_else(|| name.to_owned()),
            server_name: text(parsed, "server")?,
            output: if parsed.switch("json") { Output::Json } else { Output::Table },
        })
    }

    /// The file to fetch.
    pub fn fetched(&self) -> &str {
        self.file.as_deref().unwrap_or_default()
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

fn target(parsed: &Parsed) -> Result<Target, Usage> {
    let host = text(parsed, "host")?;
    let port = parsed.need("port", port)?;
    let found = (host.as_str(), port).to_socket_addrs();
    // A name such as localhost has both kinds, and more servers listen on IPv4.
    let mut addresses: Vec<SocketAddr> =
        found.map(Iterator::collect).map_err(|_| parsed.wrong("host", "a host that is known"))?;
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let address = addresses.first().copied();
    Ok(Target {
        address: address.ok_or_else(|| parsed.wrong("host", "a host with an address"))?,
        user: text(parsed, "user")?,
        password: text(parsed, "password")?,
        passive: parsed.need("passive", one_of(PASSIVE))?,
        patience: parsed.need("timeout", duration)?.max(Duration::from_millis(1)),
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

/// Any text that can stand in a command.
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
    fn the_result_is_called_after_the_scenario_unless_told() {
        assert_eq!(options(&["login"]).unwrap().row, "login");
        let named = options(&["--row", "a b", "--size=1M", "stor"]).unwrap();
        assert_eq!((named.row.as_str(), named.size), ("a b", Some(1 << 20)));
    }

    #[test]
    fn what_is_wrong_is_said() {
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
