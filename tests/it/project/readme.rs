//! Tests of README and the guide: the demo has the documented output, commands and links refer to
//! existing things, and the tables match the programs.

use crate::support::signal;
use mt_ftp::args::Program;
use mt_ftp::{client, server};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README and the guide.
const DOCUMENTS: [&str; 4] = [
    "README.md",
    "examples/guide/client.md",
    "examples/guide/server.md",
    "examples/guide/operations.md",
];

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

fn readme() -> String {
    read("README.md")
}

/// Returns the text of all documents.
fn documents() -> String {
    DOCUMENTS.map(read).concat()
}

/// Returns the contents of the ```` ```console ```` blocks.
fn consoles(readme: &str) -> Vec<&str> {
    let blocks = readme.split("```console\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap()).collect()
}

/// Returns all commands: lines after `$` in `console` blocks, and code spans that begin with one of our
/// programs, `make` or `cargo`, possibly after variables.
fn commands(readme: &str) -> Vec<String> {
    let lines = consoles(readme).join("\n");
    let typed = lines.lines().filter_map(|line| line.strip_prefix("$ "));
    let typed = typed.map(|line| line.split(" #").next().unwrap().trim().to_owned());
    let prose: String = readme.split("```").step_by(2).collect();
    let spans = prose.split('`').skip(1).step_by(2);
    let spans = spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" "));
    typed.chain(spans.filter(|span| is_command(span))).collect()
}

fn is_command(span: &str) -> bool {
    let program = words_of(span).1.first().copied().unwrap_or_default();
    ["make", "cargo", "ftp_server", "ftp_client"].contains(&program)
        || program.starts_with("examples/")
}

/// Splits a command into the variables before it and its words.
fn words_of(command: &str) -> (Vec<&str>, Vec<&str>) {
    let words: Vec<&str> = command.split_whitespace().collect();
    let is_variable = |word: &&&str| {
        word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        })
    };
    let count = words.iter().take_while(is_variable).count();
    (words[..count].to_vec(), words[count..].to_vec())
}

fn of_program(readme: &str, name: &str) -> Vec<String> {
    let all = commands(readme).into_iter();
    all.filter(|command| words_of(command).1.first() == Some(&name)).collect()
}

fn shown(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

/// Replaces everything that varies between runs: numbers, months and units.
fn alike(text: &str) -> Vec<String> {
    const MONTHS: &str = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    let word = |word: &str| match word {
        _ if word.contains(|c: char| c.is_ascii_digit()) => "N".to_owned(),
        _ if word.len() == 3 && MONTHS.contains(word) => "MONTH".to_owned(),
        "bytes/s)" | "B/s)" | "KiB/s)" | "MiB/s)" | "GiB/s)" => "RATE".to_owned(),
        _ => word.to_owned(),
    };
    let line = |line: &str| line.split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    text.trim().lines().map(line).collect()
}

#[test]
fn the_demo_prints_the_documented_output() {
    let programs = Path::new(env!("CARGO_BIN_EXE_ftp_server")).parent().unwrap();
    let mut demo = Command::new("sh");
    demo.arg("examples/demo.sh").arg(programs).current_dir(root());
    let output = demo.output().unwrap();
    assert!(output.status.success(), "{}", shown(&output));
    let readme = readme();
    assert_eq!(alike(&shown(&output)), alike(consoles(&readme)[0]));
}

/// `make -n` only prints the commands, but fails for an unknown target.
#[test]
#[ignore = "needs make"]
fn make_knows_every_target_and_variable() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let commands = of_program(&documents(), "make");
    assert!(commands.len() > 5, "{commands:?}");
    for command in commands {
        let (_, words) = words_of(&command);
        // The shell removes the quotes of ARGS='--users accounts'.
        let dry_run = command.replacen("make", "make -n", 1);
        let mut shell = Command::new("sh");
        let output = shell.args(["-c", &dry_run]).current_dir(root()).output().unwrap();
        assert!(output.status.success(), "{command}: {}", shown(&output));
        for (name, _) in words.iter().filter_map(|word| word.split_once('=')) {
            assert!(makefile.contains(name), "{command}: {name}");
        }
    }
}

/// Runs with an empty cargo home, so cargo cannot use downloaded crates.
#[test]
#[ignore = "needs make, and builds the release"]
fn the_first_steps_in_readme_work_on_a_fresh_machine() {
    let dir = TempDir::new().unwrap();
    let make = |words: &[&str]| {
        let mut make = Command::new("make");
        make.args(words).current_dir(root()).stdin(Stdio::null());
        make.env("CARGO_HOME", dir.path().join("cargo"));
        make
    };
    let run = |words: &[&str]| {
        let output = make(words).output().unwrap();
        assert!(output.status.success(), "make {words:?}: {}", shown(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(run(&["help"]).contains("run-server"));
    assert_eq!(alike(&run(&["--silent", "demo"])), alike(consoles(&readme())[0]));
    run(&["install", &format!("DESTDIR={}", dir.path().display()), "PREFIX=/usr"]);
    for file in ["bin/ftp_server", "bin/ftp_client", "share/man/man1/ftp_server.1"] {
        assert!(dir.path().join("usr").join(file).exists(), "{file}");
    }

    let served = format!("ROOT={}", dir.path().join("served").display());
    let mut server = make(&["--silent", "run-server", "HOST=127.0.0.1", "PORT=0", &served]);
    let mut server = Running(server.stdout(Stdio::piped()).spawn().unwrap());
    let mut said = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let listening = said.next().unwrap().unwrap();
    let port = listening.strip_prefix("Listening on 127.0.0.1:").expect(&listening);
    run(&["run-client", "HOST=127.0.0.1", &format!("PORT={port}")]);
    drop(server);
    assert!(said.all(|line| line.is_ok()), "the server closed its output");
}

/// A running make, which forwards signals to its child.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        signal(&self.0, "TERM");
        let _ = self.0.wait();
    }
}

#[test]
fn cargo_finds_every_example_and_test() {
    let exists = |name: String| root().join(name).exists();
    for command in of_program(&documents(), "cargo") {
        let (variables, words) = words_of(&command);
        let after = |option: &str| {
            let at = words.iter().position(|word| *word == option);
            at.and_then(|at| Some((words.get(at + 1)?, words.get(at + 2))))
        };
        if let Some((example, _)) = after("--example") {
            let is_file = exists(format!("examples/{example}.rs"));
            assert!(is_file || exists(format!("examples/{example}/main.rs")), "{command}");
        }
        if let Some((test, filter)) = after("--test") {
            assert!(exists(format!("tests/{test}/main.rs")) || exists(format!("tests/{test}.rs")));
            let filter = filter.unwrap_or_else(|| panic!("{command}: no filter for {test}"));
            let file = find(&root().join("tests").join(test), &format!("{filter}.rs"));
            let file = file.unwrap_or_else(|| panic!("{command}: no file {filter}.rs"));
            for variable in variables {
                let name = variable.split('=').next().unwrap();
                let is_read = has_word(&file, name) || has_below(&file.with_extension(""), name);
                assert!(is_read, "{command}: {name}");
            }
        }
    }
}

/// Returns the file with this name in a directory or below it.
fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).find_map(|path| match path.is_dir() {
        true => find(&path, name),
        false => path.ends_with(name).then_some(path),
    })
}

fn has_word(file: &Path, word: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.contains(word))
}

fn has_below(dir: &Path, word: &str) -> bool {
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    files.into_iter().any(|file| has_word(&file.path(), word))
}

#[test]
fn files_named_in_readme_exist() {
    let readme = readme();
    let is_end = |c: char| c.is_whitespace() || "`)],;'\"#".contains(c);
    let starts = ["examples/", "tests/it/"].map(|folder| readme.match_indices(folder));
    for (at, _) in starts.into_iter().flatten() {
        let name = readme[at..].split(is_end).next().unwrap().trim_end_matches(['.', ':']);
        assert!(root().join(name).exists(), "{name}");
    }
}

/// Returns the anchor of a heading: its words in lower case, joined by dashes.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    heading.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect()
}

#[test]
fn links_refer_to_existing_files_and_headings() {
    for document in DOCUMENTS {
        let text = read(document);
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.starts_with("http") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let dir = Path::new(document).parent().unwrap();
            let path = if path.is_empty() { document.into() } else { dir.join(path) };
            assert!(root().join(&path).exists(), "{document}: {link}");
            let headings = || fs::read_to_string(root().join(&path)).unwrap();
            let is_heading = |line: &str| line.starts_with('#') && anchor(line) == heading;
            assert!(heading.is_empty() || headings().lines().any(is_heading), "{document}: {link}");
        }
    }
}

/// Options in square brackets are checked too.
#[test]
fn commands_use_known_options() {
    let readme = documents();
    let programs = [
        ("ftp_server", server::cli::man_page::manual()),
        ("ftp_client", client::man_page::manual()),
    ];
    for (name, manual) in programs {
        let below = manual.subcommands.iter().map(|subcommand| subcommand.program);
        let programs: Vec<&Program> = [manual.program].into_iter().chain(below).collect();
        for command in of_program(&readme, name) {
            // Skips client commands in quotes and other programs after `&&`, `||` and `|`.
            let own: String = command.split('\'').step_by(2).collect();
            let own = [" && ", " || ", " | "]
                .iter()
                .fold(own.as_str(), |own, mark| own.split(mark).next().unwrap_or(own));
            let parts = own.split([' ', '[', ']', '|', '=', '<']);
            for option in parts.filter(|part| part.starts_with('-')) {
                let mut flags = programs.iter().flat_map(|program| program.all_flags());
                let known = flags.any(|flag| flag.spellings().contains(&option.to_owned()));
                assert!(known, "{command}: {option}");
            }
        }
    }
}

/// A row of a table of options.
struct Row<'a> {
    /// The options of the row, such as `-u NAME`; some rows have several.
    options: Vec<&'a str>,
    default: &'a str,
}

fn rows<'a>(text: &'a str, heading: &str) -> Vec<Row<'a>> {
    let section = text.split_once(&format!("\n### {heading}\n")).unwrap().1;
    let section = section.split("\n### ").next().unwrap();
    let lines = section.lines().filter(|line| line.starts_with("| `-"));
    lines.map(row).collect()
}

fn row(line: &str) -> Row<'_> {
    let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
    let options = cells[0].split('`').skip(1).step_by(2).collect();
    Row { options, default: cells.last().unwrap().trim() }
}

#[test]
fn the_tables_of_options_match_the_programs() {
    let documents = documents();
    for (heading, program) in [
        ("Options of the client", &client::options::PROGRAM),
        ("Options of the server", &server::config::PROGRAM),
    ] {
        let rows = rows(&documents, heading);
        for flag in program.flags {
            let value = flag.value.map(|value| format!(" {value}")).unwrap_or_default();
            let calls: Vec<String> =
                flag.spellings().iter().map(|name| format!("{name}{value}")).collect();
            let is_of = |row: &&Row| calls.iter().any(|call| row.options.contains(&call.as_str()));
            let row = rows.iter().find(is_of);
            let row = row.unwrap_or_else(|| panic!("{heading}: no row for {calls:?}"));
            let default = flag.default.unwrap_or_default();
            assert!(row.default.contains(default), "{calls:?}: {} is not {default}", row.default);
        }
        for call in rows.iter().flat_map(|row| &row.options) {
            let name = call.split(' ').next().unwrap().to_owned();
            let known = program.flags.iter().any(|flag| flag.spellings().contains(&name));
            assert!(known, "{heading}: {name} is not an option");
        }
    }
}
