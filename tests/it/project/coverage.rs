//! `tests/README.md` names a test file for every verb, SITE command, option and client command.

use crate::support::Server;
use mt_ftp::args::Manual;
use mt_ftp::protocol::TABLE;
use mt_ftp::{client, server};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Returns the code spans in a cell of a table.
fn spans(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Returns the names in the table below a heading, and checks that the files in their rows exist.
fn covered(heading: &str) -> BTreeSet<String> {
    let readme = fs::read_to_string(tests().join("README.md")).unwrap();
    let (_, below) = readme.split_once(&format!("\n### {heading}\n")).expect(heading);
    let section = below.split("\n#").next().unwrap();
    let mut names = BTreeSet::new();
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let [_, left, right, _] = row.split('|').collect::<Vec<_>>()[..] else {
            panic!("expected two columns: {row}")
        };
        let files: Vec<&str> = spans(right).collect();
        assert!(!files.is_empty(), "{row}");
        for file in files {
            assert!(tests().join("it").join(file).is_file(), "{heading}: no file {file}");
        }
        for name in spans(left) {
            assert!(names.insert(name.to_owned()), "{heading}: {name} has two rows");
        }
    }
    names
}

#[track_caller]
fn assert_covered(heading: &str, expected: impl IntoIterator<Item = String>) {
    let (covered, expected) = (covered(heading), expected.into_iter().collect::<BTreeSet<_>>());
    let missing: Vec<&String> = expected.difference(&covered).collect();
    let unknown: Vec<&String> = covered.difference(&expected).collect();
    assert!(missing.is_empty(), "{heading} without a row in tests/README.md: {missing:?}");
    assert!(unknown.is_empty(), "{heading} that do not exist: {unknown:?}");
}

fn options(manual: &Manual) -> BTreeSet<String> {
    let below = manual.subcommands.iter().map(|subcommand| subcommand.program);
    let programs = [manual.program].into_iter().chain(below);
    let flags = programs.flat_map(|program| program.all_flags());
    let spellings = flags.flat_map(|flag| {
        let letter = flag.short.map(|letter| format!("-{letter}"));
        letter.into_iter().chain(flag.long.map(|long| format!("--{long}")))
    });
    spellings.collect()
}

#[test]
fn every_verb_has_a_test_file() {
    assert_covered("Verbs", TABLE.iter().map(|row| row.spelling.to_owned()));
}

#[test]
fn every_site_command_has_a_test_file() {
    let server = Server::start();
    let help = server.visitor().say("SITE HELP").expect(214).text();
    let lines = help.lines().filter_map(|line| line.strip_prefix(' '));
    let names = lines.map(|line| line.split(' ').next().unwrap().to_owned());
    assert_covered("SITE commands", names);
}

#[test]
fn every_option_has_a_test_file() {
    assert_covered("Options of ftp_server", options(&server::cli::man_page::manual()));
    assert_covered("Options of ftp_client", options(&client::man_page::manual()));
}

#[test]
fn every_client_command_has_a_test_file() {
    let commands = client::man_page::manual().commands;
    let names =
        commands.iter().map(|command| command.usage.split(' ').next().unwrap().to_uppercase());
    assert_covered("Client commands", names);
}
