//! Runs of the client, each in its own directory.

use super::PATIENCE;
use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A directory in which the client runs.
pub struct Client {
    dir: TempDir,
    /// The file of the authorities that the system trusts.
    authorities: Option<PathBuf>,
}

/// The result of a run.
#[derive(Debug)]
pub struct Run {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Client {
    /// Creates an empty directory.
    pub fn new() -> Client {
        Client { dir: TempDir::new().unwrap(), authorities: None }
    }

    /// Creates an empty directory on a system that trusts the authorities in this file.
    pub fn trusting(authorities: PathBuf) -> Client {
        Client { authorities: Some(authorities), ..Client::new() }
    }

    /// Creates a directory with one file.
    pub fn with_file(name: &str, text: &str) -> Client {
        let client = Client::new();
        client.write(name, text);
        client
    }

    /// Returns the path of a local file.
    pub fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.dir.path().join(name.as_ref())
    }

    /// Creates a local file.
    pub fn write(&self, name: impl AsRef<OsStr>, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Reads a local file.
    pub fn read(&self, name: impl AsRef<OsStr>) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Returns all local names, sorted, including hidden ones.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into()).collect();
        names.sort();
        names
    }

    /// Returns the command that runs the client in the directory, with a time limit.
    pub fn command(&self) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_ftp_client"));
        command.current_dir(self.dir.path()).timeout(PATIENCE);
        command.env("HOME", self.dir.path()).env_remove("FTP_PASSWORD").env_remove("NETRC");
        command.envs(self.authorities.iter().map(|file| ("SSL_CERT_FILE", file)));
        command
    }

    /// Starts the client with these arguments in the background.
    pub fn spawn(&self, words: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ftp_client"));
        command.args(words).current_dir(self.dir.path()).env("HOME", self.dir.path());
        command.envs(self.authorities.iter().map(|file| ("SSL_CERT_FILE", file)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Runs the client with these arguments.
    pub fn run(&self, words: &[impl AsRef<OsStr>]) -> Run {
        Run::of(self.command().args(words))
    }

    /// Runs the client with these arguments through another program, such as `setpriv`: the command
    /// line is `program`, `operands`, the client and `words`.
    pub fn run_by(&self, program: &[&str], operands: &[&str], words: &[&str]) -> Run {
        let mut command = assert_cmd::Command::new(program[0]);
        command.args(&program[1..]).args(operands).arg(env!("CARGO_BIN_EXE_ftp_client"));
        command.args(words).timeout(PATIENCE).env("HOME", self.dir.path());
        Run::of(command.env_remove("FTP_PASSWORD").env_remove("NETRC"))
    }

    /// Runs commands against a server.
    pub fn at(&self, server: SocketAddr, commands: impl AsRef<OsStr>) -> Run {
        let (host, port) = (server.ip().to_string(), server.port().to_string());
        self.run(&[OsStr::new("-c"), commands.as_ref(), OsStr::new(&host), OsStr::new(&port)])
    }

    /// Runs the client with these lines on stdin.
    pub fn pipe(&self, words: &[&str], stdin: &str) -> Run {
        Run::of(self.command().args(words).write_stdin(stdin))
    }
}

impl Run {
    fn of(command: &mut assert_cmd::Command) -> Run {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Run { status: output.status.code(), stdout, stderr }
    }

    /// Checks the exit status.
    pub fn expect(self, status: i32) -> Run {
        assert_eq!(self.status, Some(status), "{self:#?}");
        self
    }

    /// Checks that stderr contains this text.
    pub fn expect_error(self, words: &str) -> Run {
        assert!(self.stderr.contains(words), "expected {words:?}: {self:#?}");
        self
    }
}
