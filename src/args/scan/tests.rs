//! Tests of `scan`.

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
fn a_switch_can_be_turned_off() {
    assert!(!run(&SERVER, &["--sync", "--sync=no"]).switch("sync"));
    assert!(run(&SERVER, &["--sync=no", "--sync=yes"]).switch("sync"));
    assert!(!run(&SERVER, &["--sync=no"]).over(config("sync = yes")).switch("sync"));
    assert!(!run(&CLIENT, &["-ka", "-k=no", "-a=off"]).switch("active"));
    assert_eq!(run(&SERVER, &["--sync", "no"]).operands(), ["no"]);
    let guess = refused(&SERVER, &["--no-sync"]);
    assert_eq!(guess, "--no-sync: unknown option; did you mean --sync=no?");
}

#[test]
fn help_and_version_end_parsing() {
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
fn errors_name_the_option_and_the_expected_value() {
    let client = |line: &[&str]| refused(&CLIENT, line);
    assert_eq!(client(&["--port"]), "--port: expected a value (PORT)");
    assert_eq!(client(&["-kc"]), "-c: expected a value (COMMANDS)");
    assert_eq!(client(&["-k="]), "-k '': expected yes or no");
    assert_eq!(client(&["--active=never"]), "--active 'never': expected yes or no");
    assert_eq!(client(&["-kx"]), "-x: unknown option");
    assert_eq!(client(&["--=1"]), "--: unknown option");
    assert_eq!(client(&["-é"]), "-é: unknown option");
    assert_eq!(client(&["--a\nb\x1b[2J"]), r"--a\x0ab\x1b[2J: unknown option");
}

#[test]
fn an_unknown_option_suggests_a_similar_one() {
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

#[test]
fn words_at_a_prompt_follow_the_same_grammar_and_stay_bytes() {
    let typed = |line: &[&[u8]]| {
        let words: Vec<Vec<u8>> = line.iter().map(|word| word.to_vec()).collect();
        parse_prompt_words(CLIENT.flags, &words)
    };
    let line: &[&[u8]] = &[b"a\xff", b"-kj4", b"--port=21", b"--", b"-q"];
    let Ok(PromptOutcome::Run { options, operands }) = typed(line) else { panic!() };
    assert_eq!(
        (options.value("j").unwrap(), options.value("port").unwrap()),
        ("4".as_ref(), "21".as_ref())
    );
    assert!(options.switch("k") && !options.switch("q"));
    assert_eq!(operands, [&b"a\xff"[..], b"-q"]);
    assert!(matches!(typed(&[b"x", b"--help"]), Ok(PromptOutcome::Help)));
    assert_eq!(typed(&[b"-V"]).unwrap_err().to_string(), "-V: unknown option");
    assert_eq!(typed(&[b"-\xff"]).unwrap_err().to_string(), "-\u{fffd}: unknown option");
}

#[test]
fn names_from_other_programs_are_accepted_and_secrets_are_masked() {
    static FLAGS: &[Flag] = &[
        Flag::option("include", "GLOB", "x").short('I').also(&["include-glob", "G"]).many(),
        Flag::letter_option('u', "NAME", "x").secret(),
    ];
    let typed = |words: &[&str]| {
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().into()).collect();
        match parse_prompt_words(FLAGS, &words) {
            Ok(PromptOutcome::Run { options, .. }) => options,
            other => panic!("{words:?} gave {other:?}"),
        }
    };
    let given = typed(&["-Ia", "--include-glob=b", "-G", "c"]);
    assert_eq!(given.values("include"), ["a", "b", "c"]);
    let wrong = typed(&["-u", "me,secret"]).wrong("u", "a name").to_string();
    assert_eq!(wrong, "-u '****': expected a name");
}

fn hostile_words() -> Vec<OsString> {
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
fn no_three_hostile_words_cause_a_panic() {
    let nasty = hostile_words();
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
