//! Runs each command in the `console` blocks of README and the guide, and compares its output.
//!
//! The commands of a section (a heading of the second level) run in one empty directory. A server
//! started there runs until the end of the section, on a port that the system chooses; in later
//! commands, its port and addresses are substituted. Numbers and month names in the output are compared
//! only by kind, and consecutive lines that are then equal count as one. A line of `...` matches any
//! number of lines.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use tempfile::TempDir;

const GUIDE: &[&str] = &[
    "README.md",
    "examples/guide/client.md",
    "examples/guide/server.md",
    "examples/guide/operations.md",
];

/// Addresses and names that stand for a remote server in documents (RFC 5737, RFC 2606).
const ELSEWHERE: &[&str] = &["192.0.2.7", "ftp.example.org"];

/// Files that the examples use without creating them.
const FILES: &[(&str, &str)] = &[("note.txt", "Files over FTP, since 1971.\n")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A command and its documented output.
struct Shown<'a> {
    command: String,
    printed: Vec<&'a str>,
}

/// Splits a document at its headings of the second level.
fn sections(text: &str) -> Vec<(&str, &str)> {
    let parts = text.split("\n## ").skip(1);
    parts.map(|part| part.split_once('\n').unwrap_or((part, ""))).collect()
}

/// Returns the commands in the `console` blocks of a section, with their output.
fn commands(section: &str) -> Vec<Shown<'_>> {
    let blocks = section.split("```console\n").skip(1);
    let mut shown: Vec<Shown<'_>> = Vec::new();
    for block in blocks {
        let mut lines = block.split("```").next().unwrap().lines();
        while let Some(line) = lines.next() {
            match line.strip_prefix("$ ") {
                Some(typed) => {
                    shown.push(Shown { command: whole(typed, &mut lines), printed: Vec::new() });
                }
                None if line.is_empty() => {}
                None => shown.last_mut().expect(line).printed.push(line),
            }
        }
    }
    shown
}

/// Appends the continuation lines and the here-document of a command.
fn whole<'a>(typed: &str, lines: &mut impl Iterator<Item = &'a str>) -> String {
    let end = typed.split_once("<<").map(|(_, end)| end.trim().trim_matches('\''));
    let mut command = typed.to_owned();
    let mut last = typed;
    while last.ends_with('\\') || end.is_some_and(|end| last != end) {
        last = lines.next().expect(typed);
        command.push('\n');
        command.push_str(last);
    }
    command
}

/// The state of a section: its directory, its servers and its substitutions.
struct Scene {
    dir: TempDir,
    servers: Vec<Child>,
    /// Texts in the document and their substitutes.
    replaced: Vec<(String, String)>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

impl Scene {
    fn new() -> Scene {
        let dir = TempDir::new().unwrap();
        for (name, text) in FILES {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let replaced = ELSEWHERE.iter().map(|host| ((*host).to_owned(), "127.0.0.1".to_owned()));
        Scene { dir, servers: Vec::new(), replaced: replaced.collect() }
    }

    fn shell(&self, command: &str) -> Command {
        let programs = Path::new(env!("CARGO_BIN_EXE_ftp_server")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(self.dir.path());
        shell.env("PATH", format!("{}:{path}", programs.display())).env("HOME", self.dir.path());
        for name in ["FTP_PASSWORD", "NETRC", "XDG_STATE_HOME", "NO_COLOR"] {
            shell.env_remove(name);
        }
        shell
    }

    /// Runs a command and compares its output; of a server, only as many lines as documented. Returns a
    /// description of the difference.
    fn play(&mut self, shown: &Shown<'_>) -> Option<String> {
        let printed = match is_server(&shown.command) {
            true => self.serve(&shown.command, shown.printed.len()),
            false => self.run(&shown.command),
        };
        let here = self.dir.path().display().to_string();
        let printed: Vec<String> =
            printed.iter().map(|line| line.replace(&here, "/home/anna")).collect();
        let (expected, actual) = (alike(&shown.printed), alike(&printed));
        let is_same = match expected.iter().position(|line| line == "...") {
            Some(at) => {
                let (before, after) = (&expected[..at], &expected[at + 1..]);
                actual.starts_with(before) && actual.ends_with(after)
            }
            None => actual == expected,
        };
        let command = &shown.command;
        (!is_same)
            .then(|| format!("$ {command}\nprints {printed:#?}\ninstead of {:#?}", shown.printed))
    }

    fn run(&mut self, command: &str) -> Vec<String> {
        let command = self.here(command);
        let output = self.shell(&format!("{{ {command}\n}} 2>&1 </dev/null")).output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    /// Starts a server on a free port, and returns the first `lines` lines of its output.
    fn serve(&mut self, command: &str, lines: usize) -> Vec<String> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let port = words.iter().position(|word| *word == "--port").map(|at| words[at + 1]);
        let command = match port {
            Some(port) => command.replace(&format!("--port {port}"), "--port 0"),
            None => format!("{command} --port 0"),
        };
        let command = command.replace("--status 9026", "--status 0");
        let mut shell = self.shell(&format!("exec {}", self.here(&command)));
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = shell.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let said: Vec<String> = stdout.by_ref().take(lines.max(1)).collect();
        self.servers.push(child);
        if said.is_empty() {
            return said;
        }
        thread::spawn(move || stdout.count());
        let actual = said[0].rsplit(':').next().unwrap();
        let port = port.unwrap_or("1026");
        self.replaced.insert(0, (port.to_owned(), actual.to_owned()));
        said
    }

    fn here(&self, command: &str) -> String {
        let replaced = self.replaced.iter();
        replaced.fold(command.to_owned(), |command, (from, to)| command.replace(from.as_str(), to))
    }
}

fn is_server(command: &str) -> bool {
    let subcommands = ["passwd", "certificate", "check"];
    let mut words = command.split_whitespace();
    words.next() == Some("ftp_server")
        && !words.next().is_some_and(|word| subcommands.contains(&word))
        && !["--help", "--version"].iter().any(|option| command.contains(option))
}

/// Replaces everything that varies between runs, and removes repetitions.
fn alike<L: AsRef<str>>(lines: &[L]) -> Vec<String> {
    const MONTHS: &str = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    const UNITS: &str = "B KiB MiB GiB B/s KiB/s MiB/s GiB/s ms s";
    let word = |word: &str| match word.trim_matches(|c: char| "(),.;:".contains(c)) {
        bare if bare.contains(|c: char| c.is_ascii_digit()) => "N".to_owned(),
        bare if bare.len() == 3 && MONTHS.contains(bare) => "MONTH".to_owned(),
        bare if UNITS.split(' ').any(|unit| unit == bare) => "UNIT".to_owned(),
        _ => word.to_owned(),
    };
    let line = |line: &L| line.as_ref().split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = lines.iter().map(line).filter(|line| !line.is_empty()).collect();
    lines.dedup();
    lines
}

#[test]
fn every_command_of_the_guide_prints_the_documented_output() {
    let (mut count, mut wrong) = (0, Vec::new());
    for name in GUIDE {
        let text = fs::read_to_string(root().join(name)).unwrap();
        for (heading, section) in sections(&text) {
            let mut scene = Scene::new();
            for shown in commands(section).iter().filter(|shown| is_run(&shown.command)) {
                count += 1;
                wrong.extend(scene.play(shown).map(|wrong| format!("{name}, {heading}: {wrong}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(count > 40, "only {count} commands");
}

/// Returns true unless the command is make, cargo, sudo or git.
fn is_run(command: &str) -> bool {
    let first = command.split_whitespace().next().unwrap_or_default();
    !["make", "cargo", "sudo", "git"].contains(&first)
}

/// Returns the names in the first column of the table below a heading of the third level.
fn first_column(text: &str, heading: &str) -> Vec<String> {
    let section = text.split_once(&format!("\n### {heading}\n")).unwrap().1;
    let section = section.split("\n##").next().unwrap();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = cells.map(|line| line.split(" | ").next().unwrap());
    cells
        .flat_map(|cell| cell.split('`').step_by(2))
        .map(str::to_owned)
        .filter(|name| is_name(name))
        .collect()
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Returns the source of the server.
fn source() -> String {
    let mut dirs = vec![root().join("src/server")];
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    let mut text = read("src/server.rs") + &read("src/bin/server.rs");
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => dirs.push(entry.path()),
                false => text += &fs::read_to_string(entry.path()).unwrap(),
            }
        }
    }
    text
}

#[test]
fn the_guide_names_every_log_event_and_metric_of_the_code() {
    let guide = fs::read_to_string(root().join("examples/guide/operations.md")).unwrap();
    let (events, source) = (first_column(&guide, "Log events"), source());
    for name in &events {
        assert!(source.contains(&format!("\"{name}\"")), "no event {name} in the code");
    }
    for level in ["Error", "Warn", "Info", "Debug"] {
        for rest in source.split(&format!("(Level::{level}, \"")).skip(1) {
            let name = rest.split('"').next().unwrap();
            assert!(events.iter().any(|event| event == name), "the guide does not name {name}");
        }
    }
    let metrics = first_column(&guide, "Metrics");
    for rest in source.split("\"mt_ftp_").skip(1) {
        let name = format!("mt_ftp_{}", rest.split('"').next().unwrap());
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .fold(name.as_str(), |name, end| name.strip_suffix(end).unwrap_or(name));
        assert!(metrics.iter().any(|metric| metric == base), "the guide does not name {base}");
    }
}
