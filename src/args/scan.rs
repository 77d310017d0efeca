//! From the words of the command line to what was given.

use super::near::nearest;
use super::parsed::{Given, Parsed, Setting};
use super::table::{BUILT_IN, Flag, Program};
use super::usage::{Expected, Origin, Problem, Usage};
use super::value::boolean;
use crate::sys::os_tail;
use std::ffi::{OsStr, OsString};

/// What a command line asks for.
#[derive(Debug)]
pub enum Outcome {
    /// To run, with these options and operands.
    Run(Parsed),
    /// To print [`Program::help`].
    Help,
    /// To print [`Program::version_line`].
    Version,
}

/// One pass over argv.
struct Scan<'a, I> {
    program: &'a Program,
    words: I,
    parsed: Parsed,
}

/// Why a pass ends early.
enum Stop {
    Asked(Outcome),
    Wrong(Usage),
}

impl Program {
    /// Reads a command line, the program's own name already taken off:
    /// `std::env::args_os().skip(1)`. The first of an error, `--help` and `--version` decides.
    pub fn parse(&self, argv: impl IntoIterator<Item = OsString>) -> Result<Outcome, Usage> {
        match Scan::new(self, argv.into_iter()).run() {
            Ok(parsed) => Ok(Outcome::Run(parsed)),
            Err(Stop::Asked(outcome)) => Ok(outcome),
            Err(Stop::Wrong(usage)) => Err(usage),
        }
    }

    /// The option that may be meant by `typed`, which has lost its dashes.
    fn near(&self, typed: &str) -> Option<String> {
        let mut letters = self.all_flags().filter_map(|flag| flag.short);
        if let Some(short) = letters.find(|short| typed.chars().eq([*short])) {
            return Some(format!("-{short}"));
        }
        if let Some(switch) = self.flags.iter().find(|flag| flag.is_undone_by(typed)) {
            return Some(format!("{}=no", switch.spelled()));
        }
        let long = nearest(typed, self.all_flags().filter_map(|flag| flag.long));
        long.map(|long| format!("--{long}"))
    }
}

impl<I: Iterator<Item = OsString>> Scan<'_, I> {
    /// A pass over these words.
    fn new(program: &Program, words: I) -> Scan<'_, I> {
        Scan { program, words, parsed: Parsed::new(program.flags) }
    }

    /// Goes through all words.
    fn run(mut self) -> Result<Parsed, Stop> {
        while let Some(word) = self.words.next() {
            match word.as_encoded_bytes() {
                b"--" => self.parsed.operands.extend(self.words.by_ref()),
                [b'-', b'-', body @ ..] => self.long(&word, body)?,
                [b'-', _, ..] => self.letters(&word)?,
                _ => self.parsed.operands.push(word),
            }
        }
        Ok(self.parsed)
    }

    /// `--name` or `--name=value`; `body` is the word after its dashes.
    fn long(&mut self, word: &OsStr, body: &[u8]) -> Result<(), Stop> {
        let equals = body.iter().position(|byte| *byte == b'=');
        let name = &body[..equals.unwrap_or(body.len())];
        let known = |flag: &Flag| flag.long.is_some_and(|long| long.as_bytes() == name);
        let Some((row, flag)) = self.find(known) else {
            let name = String::from_utf8_lossy(name);
            return Err(self.unknown(format!("--{name}"), &name));
        };
        self.take(row, flag, equals.map(|at| os_tail(word, 2 + at + 1)))
    }

    /// `-kq`, `-kc value`, `-kcvalue` or `-kc=value`.
    fn letters(&mut self, word: &OsStr) -> Result<(), Stop> {
        let bytes = word.as_encoded_bytes();
        for at in 1..bytes.len() {
            let known = |flag: &Flag| flag.short == Some(char::from(bytes[at]));
            let Some((row, flag)) = self.find(known) else {
                return Err(self.unknown_letter(&os_tail(word, at), &os_tail(word, 1)));
            };
            let rest = &bytes[at + 1..];
            if rest.starts_with(b"=") {
                return self.take(row, flag, Some(os_tail(word, at + 2)));
            }
            if flag.value.is_some() && !rest.is_empty() {
                return self.take(row, flag, Some(os_tail(word, at + 1)));
            }
            self.take(row, flag, None)?;
        }
        Ok(())
    }

    fn find(&self, known: impl Fn(&Flag) -> bool) -> Option<(usize, &'static Flag)> {
        self.program.all_flags().enumerate().find(|(_, flag)| known(flag))
    }

    fn take(&mut self, row: usize, flag: &Flag, attached: Option<OsString>) -> Result<(), Stop> {
        let setting = match (flag.value, attached) {
            (None, None) => Setting::Switch(true),
            (None, Some(given)) => Setting::Switch(yes_or_no(flag, given)?),
            (Some(_), attached) => match attached.or_else(|| self.words.next()) {
                Some(value) => Setting::Value(value),
                None => return Err(Stop::Wrong(flag.without_value(Origin::CommandLine))),
            },
        };
        match row.checked_sub(self.program.flags.len()) {
            None => self.parsed.given.push(Given { row, setting, origin: Origin::CommandLine }),
            Some(0) => return Err(Stop::Asked(Outcome::Help)),
            Some(_) => return Err(Stop::Asked(Outcome::Version)),
        }
        Ok(())
    }

    fn unknown(&self, option: String, typed: &str) -> Stop {
        let near = self.program.near(typed);
        Stop::Wrong(Usage {
            origin: Origin::CommandLine,
            problem: Problem::Unknown { option, near },
        })
    }

    /// The whole group may be a long option that lost a dash: `-port`.
    fn unknown_letter(&self, rest: &OsStr, group: &OsStr) -> Stop {
        let letter: String = rest.to_string_lossy().chars().take(1).collect();
        let group = group.to_string_lossy();
        let typed = if group.len() > letter.len() { group.as_ref() } else { "" };
        self.unknown(format!("-{letter}"), typed)
    }
}

/// What `--sync=no` makes of a switch. Who asks for help or the version does not choose.
fn yes_or_no(flag: &Flag, given: OsString) -> Result<bool, Stop> {
    let expected = match given.to_str().map(boolean) {
        _ if BUILT_IN.iter().any(|asks| asks.clashes(flag)) => "no value".into(),
        Some(Ok(on)) => return Ok(on),
        Some(Err(Expected(text))) => text,
        None => "text in UTF-8".into(),
    };
    Err(Stop::Wrong(flag.wrong(Origin::CommandLine, Some(given), expected)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::testing::{
        CLIENT, SERVER, config, is_one_plain_line, read_all, refused, run, words,
    };
    #[cfg(unix)]
    use crate::sys::os_string;

    #[test]
    fn a_value_is_attached_or_the_next_word() {
        for line in [&["--port", "21"][..], &["--port=21"], &["-p", "21"], &["-p21"], &["-p=21"]] {
            assert_eq!(run(&CLIENT, line).value("port").unwrap(), "21", "{line:?}");
        }
    }

    #[test]
    fn a_value_may_look_like_an_option() {
        for value in ["", "-", "--", "-k", "--port", "--port=1", "a=b", "=", "=x", "é"] {
            assert_eq!(run(&CLIENT, &["-c", value]).value("c").unwrap(), value);
            assert_eq!(run(&CLIENT, &["--port", value]).value("port").unwrap(), value);
            let joined = format!("--port={value}");
            assert_eq!(run(&CLIENT, &[&joined]).value("port").unwrap(), value);
        }
    }

    #[test]
    fn letters_can_be_grouped() {
        let parsed = run(&CLIENT, &["-kqacget a b"]);
        assert!(["k", "q", "active"].iter().all(|name| parsed.switch(name)));
        assert_eq!(parsed.value("c").unwrap(), "get a b");
        assert_eq!(run(&CLIENT, &["-kj", "8"]).value("j").unwrap(), "8");
    }

    #[test]
    fn operands_mix_with_options_until_two_dashes() {
        let parsed = run(&CLIENT, &["host", "-k", "-", "", "--", "-q", "--", "--port"]);
        assert_eq!(parsed.operands(), ["host", "-", "", "-q", "--", "--port"]);
        assert!(parsed.switch("k") && !parsed.switch("q"));
    }

    #[test]
    fn a_switch_can_be_undone() {
        assert!(!run(&SERVER, &["--sync", "--sync=no"]).switch("sync"));
        assert!(run(&SERVER, &["--sync=no", "--sync=yes"]).switch("sync"));
        assert!(!run(&SERVER, &["--sync=no"]).over(config("sync = yes")).switch("sync"));
        assert!(!run(&CLIENT, &["-ka", "-k=no", "-a=off"]).switch("active"));
        assert_eq!(run(&SERVER, &["--sync", "no"]).operands(), ["no"]);
        let guess = refused(&SERVER, &["--no-sync"]);
        assert_eq!(guess, "--no-sync: unknown option; did you mean --sync=no?");
    }

    #[test]
    fn help_and_version_win_over_what_comes_after_them() {
        for line in [&["--help", "--bad"][..], &["-h"], &["-kh"], &["x", "--help", "--version"]] {
            assert!(matches!(CLIENT.parse(words(line)), Ok(Outcome::Help)), "{line:?}");
        }
        for line in [&["--version"][..], &["-V", "-h"]] {
            assert!(matches!(CLIENT.parse(words(line)), Ok(Outcome::Version)), "{line:?}");
        }
        assert_eq!(refused(&CLIENT, &["--bad", "--help"]), "--bad: unknown option");
        assert_eq!(refused(&CLIENT, &["--help=x"]), "--help 'x': expected no value");
        assert_eq!(run(&CLIENT, &["--", "--help"]).operands(), ["--help"]);
    }

    #[test]
    fn wrong_options_are_named_with_what_was_expected() {
        let client = |line: &[&str]| refused(&CLIENT, line);
        assert_eq!(client(&["--port"]), "--port: expected a value (PORT)");
        assert_eq!(client(&["-kc"]), "-c: expected a value (COMMANDS)");
        assert_eq!(client(&["-k="]), "-k '': expected yes or no");
        assert_eq!(client(&["--active=never"]), "--active 'never': expected yes or no");
        assert_eq!(client(&["-kx"]), "-x: unknown option");
        assert_eq!(client(&["--=1"]), "--: unknown option");
        assert_eq!(client(&["-é"]), "-é: unknown option");
        assert_eq!(client(&["--a\nb\x1b[2J"]), r"--a\nb\u{1b}[2J: unknown option");
    }

    #[test]
    fn an_unknown_option_suggests_the_one_it_is_like() {
        let server = |word: &str| refused(&SERVER, &[word]);
        for (typed, meant) in [
            ("--prot=21", "--port"),
            ("--PORT", "--port"),
            ("--max_sessions-per_ip", "--max-sessions-per-ip"),
            ("--pass", "--passive-ports"),
            ("--versoin", "--version"),
            ("---port", "--port"),
        ] {
            let name = typed.split('=').next().unwrap();
            let text = format!("{name}: unknown option; did you mean {meant}?");
            assert_eq!(server(typed), text);
        }
        assert_eq!(server("-port"), "-p: unknown option; did you mean --port?");
        assert_eq!(refused(&CLIENT, &["--j"]), "--j: unknown option; did you mean -j?");
        assert_eq!(server("--trace"), "--trace: unknown option");
    }

    fn nasty_words() -> Vec<OsString> {
        let mut nasty = words(&[
            "",
            "-",
            "--",
            "---",
            "--=",
            "--=x",
            "=",
            "-=",
            "--port",
            "--port=",
            "--port=21",
            "--prot",
            "-port",
            "-p",
            "-p=",
            "-p21",
            "-k",
            "-kq",
            "-k=",
            "-kc",
            "-c",
            "-ck",
            "-j",
            "-a",
            "--a",
            "--active",
            "--active=",
            "--sync",
            "--proxy",
            "-h",
            "--help",
            "-V=",
            "-é",
            "-ké",
            "--é",
            "--port=é",
            "-cé",
            "x\n",
            "--\n",
            "-\0",
            "-\u{202e}",
        ]);
        #[cfg(unix)]
        for bytes in [&b"\xff"[..], b"-\xff", b"-k\xff", b"-c\xff", b"--\xff", b"--port=\xff"] {
            nasty.extend(os_string(bytes));
        }
        nasty
    }

    fn survives(program: &Program, line: &[&OsString]) {
        match program.parse(line.iter().map(|word| (*word).clone())) {
            Ok(Outcome::Run(parsed)) => read_all(&parsed, line),
            Ok(Outcome::Help | Outcome::Version) => {}
            Err(usage) => assert!(is_one_plain_line(&usage), "{line:?}: {usage}"),
        }
    }

    #[test]
    fn no_three_nasty_words_do_harm() {
        let nasty = nasty_words();
        for program in [&SERVER, &CLIENT] {
            survives(program, &[]);
            for a in &nasty {
                survives(program, &[a]);
                for b in &nasty {
                    survives(program, &[a, b]);
                    nasty.iter().for_each(|c| survives(program, &[a, b, c]));
                }
            }
        }
    }
}
