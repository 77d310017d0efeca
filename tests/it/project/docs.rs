//! Tests of man pages and completions: they contain all options and commands, and their readers accept
//! them.

use mt_ftp::args::{Block, Flag, Manual, Outcome};
use mt_ftp::{client, server};
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

fn manuals() -> [Manual; 2] {
    [server::cli::man_page::manual(), client::man_page::manual()]
}

/// Returns the flags of a program and its subcommands.
fn flags(manual: &Manual) -> Vec<&'static Flag> {
    let below = manual.subcommands.iter().map(|subcommand| subcommand.program);
    let programs = [manual.program].into_iter().chain(below);
    programs.flat_map(|program| program.all_flags()).collect()
}

/// Returns true if a text contains this whole word.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let after = text[at + word.len()..].chars().next();
        !after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-' || c == '\\')
    })
}

#[test]
fn every_flag_is_on_the_man_page() {
    for manual in manuals() {
        let page = manual.page("2026-01-02").replace("\\-", "-").replace("\\fR", " ");
        for flag in flags(&manual) {
            let letter = flag.short.map(|short| format!("\\fB-{short}"));
            let long = flag.long.map(|long| format!("\\fB--{long}"));
            for name in letter.into_iter().chain(long) {
                assert!(has_word(&page, &name), "{name} in\n{page}");
            }
        }
    }
}

#[test]
fn every_command_is_on_the_man_page() {
    let manual = client::man_page::manual();
    let page = manual.page("");
    for name in ["connect", "list", "retrieve", "store", "quit", "mirror"] {
        assert!(page.contains(&format!("\n\\fB{name}\\fR")), "{name} in\n{page}");
    }
    assert_eq!(page.matches("Example:").count(), manual.commands.len());
    assert!(page.contains("\\fB\\-\\-delete\\fR\n"), "MIRROR's options in\n{page}");
}

#[test]
fn every_flag_is_in_each_completion() {
    for manual in manuals() {
        for flag in flags(&manual) {
            let letter = flag.short.map(|short| (format!("-{short}"), format!("-s {short}")));
            let long = flag.long.map(|long| (format!("--{long}"), format!("-l {long}")));
            for (name, of_fish) in letter.into_iter().chain(long) {
                assert!(has_word(&manual.bash(), &name), "{name}");
                assert!(has_word(&manual.zsh(), &name), "{name}");
                assert!(has_word(&manual.fish(), &of_fish), "{name}");
            }
        }
    }
}

/// Splits a line into words like a shell, without the program's name.
fn words(line: &str) -> Vec<OsString> {
    let (_, rest) = line.split_once(' ').unwrap();
    let script = format!("set -f; printf '%s\\n' {rest}");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(Into::into).collect()
}

#[test]
fn examples_on_the_man_pages_are_valid_command_lines() {
    for manual in manuals() {
        let blocks = manual.sections.iter().flat_map(|section| section.blocks);
        let texts = blocks.filter_map(|block| match block {
            Block::Lines(text) => Some(text),
            Block::Text(_) | Block::Item(..) => None,
        });
        let calls = texts.flat_map(|text| text.lines()).filter(|line| line.starts_with("ftp_"));
        let mut count = 0;
        for line in calls {
            let mut words = words(line);
            let called = words.first().and_then(|word| word.to_str());
            let below = manual.subcommands.iter().find(|below| Some(below.word) == called);
            let program = below.map_or(manual.program, |below| below.program);
            words.drain(..usize::from(below.is_some()));
            let parsed = program.parse(words);
            assert!(matches!(parsed, Ok(Outcome::Run(_))), "{line}: {parsed:?}");
            count += 1;
        }
        assert!(count > 2, "{count} examples");
    }
}

/// A directory with the files as they are installed.
struct Installed(TempDir);

impl Installed {
    fn new() -> Installed {
        let installed = Installed(TempDir::new().unwrap());
        for manual in manuals() {
            let name = manual.program.name;
            fs::write(installed.file(&format!("{name}.1")), manual.page("2026-01-02")).unwrap();
            fs::write(installed.file(&format!("{name}.bash")), manual.bash()).unwrap();
            fs::create_dir_all(installed.file("zsh")).unwrap();
            fs::write(installed.file(&format!("zsh/_{name}")), manual.zsh()).unwrap();
            fs::write(installed.file(&format!("{name}.fish")), manual.fish()).unwrap();
        }
        for name in ["passwords", "with space"] {
            fs::create_dir(installed.file(name)).unwrap();
        }
        installed
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a program in the directory, and returns its lines on stdout and stderr.
    fn ask(&self, words: &[&str]) -> Vec<String> {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(self.0.path()).env("HOME", self.0.path());
        // Otherwise groff writes ASCII and fails on other characters.
        let output = command.env("LC_ALL", "C.UTF-8").env("TERM", "dumb").output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
    }

    fn completed_by_bash(&self, words: &[&str]) -> Vec<String> {
        const SCRIPT: &str = r#"
            source "$1.bash"
            completer=$(complete -p "$1" | sed 's/.*-F \([^ ]*\) .*/\1/')
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            "$completer" "$1" "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
            printf '%s\n' "${COMPREPLY[@]}""#;
        self.ask(&[&["bash", "--norc", "-c", SCRIPT, "bash"], words].concat())
    }

    fn completed_by_fish(&self, words: &[&str]) -> Vec<String> {
        let script = format!("source {}.fish; complete -C '{}'", words[0], words.join(" "));
        let lines = self.ask(&["fish", "--no-config", "-c", &script]);
        let word = |line: &String| line.split('\t').next().unwrap_or_default().to_owned();
        lines.iter().map(word).collect()
    }
}

#[test]
#[ignore = "needs man, groff and mandoc"]
fn man_page_tools_report_no_problems() {
    let installed = Installed::new();
    for page in ["ftp_server.1", "ftp_client.1"] {
        for reader in [
            &["mandoc", "-Tlint", "-Wstyle", page][..],
            &["groff", "-man", "-ww", "-z", "-Tutf8", page],
        ] {
            assert_eq!(installed.ask(reader), [] as [&str; 0], "{reader:?}");
        }
        let shown = installed.ask(&["man", "--warnings", "-P", "cat", "-l", page]).join("\n");
        assert!(shown.contains("SYNOPSIS") && !shown.contains("warning:"), "{shown}");
    }
}

#[test]
#[ignore = "needs bash, zsh and fish"]
fn shells_accept_the_completions() {
    let installed = Installed::new();
    for name in ["ftp_server", "ftp_client"] {
        for (shell, file) in [
            ("bash", format!("{name}.bash")),
            ("zsh", format!("zsh/_{name}")),
            ("fish", format!("{name}.fish")),
        ] {
            assert_eq!(installed.ask(&[shell, "-n", &file]), [] as [&str; 0], "{shell} {file}");
        }
    }
}

#[test]
#[ignore = "needs bash"]
fn bash_completes_options_and_their_values() {
    let installed = Installed::new();
    let complete = |words: &[&str]| installed.completed_by_bash(words);
    for manual in manuals() {
        let offered = complete(&[manual.program.name, "--"]);
        let longs = manual.program.all_flags().filter_map(|flag| flag.long);
        let longs: Vec<String> = longs.map(|long| format!("--{long}")).collect();
        assert_eq!(offered, longs);
    }
    assert_eq!(complete(&["ftp_server", "pa"]), ["passwd"]);
    assert_eq!(
        complete(&["ftp_server", "--anonymous", ""]),
        ["none", "drop", "read", "store", "write"]
    );
    assert_eq!(complete(&["ftp_server", "--anonymous", "=", "r"]), ["read"]);
    assert_eq!(complete(&["ftp_server", "--log-level", "="]), ["error", "warn", "info", "debug"]);
    assert_eq!(complete(&["ftp_server", "check", "--syn"]), ["--sync"]);
    assert_eq!(
        complete(&["ftp_server", "passwd", "--access", ""]),
        ["drop", "read", "store", "write"]
    );
    assert_eq!(complete(&["ftp_server", "--root", "w"]), ["with space"]);
    assert_eq!(complete(&["ftp_server", "--users", "ftp_server.b"]), ["ftp_server.bash"]);
    assert_eq!(complete(&["ftp_server", "passwd", "pass"]), ["passwords"]);
    assert_eq!(complete(&["ftp_client", "-f", "with"]), ["with space"]);
}

#[test]
#[ignore = "needs fish"]
fn fish_completes_options_and_their_values() {
    let installed = Installed::new();
    let complete = |words: &[&str]| installed.completed_by_fish(words);
    for manual in manuals() {
        let offered = complete(&[manual.program.name, "--"]);
        for long in manual.program.all_flags().filter_map(|flag| flag.long) {
            assert!(offered.iter().any(|word| word.trim_end_matches('=') == format!("--{long}")));
        }
    }
    assert_eq!(complete(&["ftp_server", "pa"]), ["passwd"]);
    // fish sorts the words.
    assert_eq!(
        complete(&["ftp_server", "--anonymous", ""]),
        ["drop", "none", "read", "store", "write"]
    );
    assert_eq!(
        complete(&["ftp_server", "passwd", "--access", ""]),
        ["drop", "read", "store", "write"]
    );
    assert_eq!(complete(&["ftp_server", "--root", "w"]), ["with space/"]);
}

/// zsh completes only at a terminal, so the script creates one and types a Tab.
#[test]
#[ignore = "needs zsh"]
fn zsh_completes_options_and_their_values() {
    const SCRIPT: &str = r#"
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell "fpath=($PWD/zsh \$fpath); autoload -Uz compinit; compinit -u -D; bindkey '^I' list-choices; echo rea''dy"
        zpty -r shell text '*ready*'
        zpty -w -n shell "$1"$'\t'
        zpty -r shell text "*$2*" && echo found"#;
    let installed = Installed::new();
    for (line, offered) in [
        ("ftp_server --anonymous ", "drop*none*read*store*write"),
        ("ftp_server --log-level=", "debug*error*info*warn"),
        ("ftp_server ", "certificate*check*passwd"),
        ("ftp_server passwd --access ", "drop*read*store*write"),
        ("ftp_server --pass", "--passive-address*--passive-ports"),
        ("ftp_client --r", "--rate-limit*--retries"),
    ] {
        let said =
            installed.ask(&["timeout", "20", "zsh", "-f", "-c", SCRIPT, "zsh", line, offered]);
        assert_eq!(said, ["found"], "{line}");
    }
}
