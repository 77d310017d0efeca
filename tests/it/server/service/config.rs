//! The config file: the sample in `examples/` documents all options, and `ftp_server check` shows
//! the values in effect and their sources.

use assert_cmd::Command;
use mt_ftp::args::Flag;
use mt_ftp::server::config::{Config, PROGRAM};
use mt_ftp::sys::is_superuser;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use tempfile::TempDir;

fn sample() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ftp_server.conf");
    fs::read_to_string(path).unwrap()
}

/// Returns the options that a config file can set.
fn flags() -> impl Iterator<Item = &'static Flag> {
    PROGRAM.flags.iter().filter(|flag| flag.config)
}

/// Returns the lines of the sample that set an option once their `#` is removed, and not those
/// that belong to a sentence.
fn settings(sample: &str) -> Vec<&str> {
    let lines = sample.lines().filter_map(|line| line.strip_prefix('#'));
    lines.filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic())).collect()
}

/// Returns the output of `ftp_server check` for these arguments. The tests may run as root, for whom
/// the server serves only an explicit directory.
fn check(words: &[&str]) -> String {
    let mut check = Command::new(env!("CARGO_BIN_EXE_ftp_server"));
    let output =
        check.args(["check", "--root", "."]).args(words).assert().success().get_output().clone();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_sample_sets_no_options() {
    let (parsed, _) = PROGRAM.parse_config("sample".as_ref(), sample().as_bytes());
    let set = flags().filter(|flag| {
        let name = flag.long.unwrap();
        parsed.origin(name).to_string() != "default"
    });
    assert_eq!(set.count(), 0);
}

#[test]
fn every_setting_of_the_sample_could_be_used() {
    let sample = sample();
    for line in settings(&sample).into_iter().chain([settings(&sample).join("\n").as_str()]) {
        let (parsed, wrong) = PROGRAM.parse_config("sample".as_ref(), line.as_bytes());
        assert_eq!(wrong, [], "{line}");
        Config::new(&parsed).unwrap_or_else(|wrong| panic!("{line}: {wrong:?}"));
    }
}

#[test]
fn the_sample_has_every_option_and_its_default() {
    let sample = sample();
    let settings = settings(&sample);
    for flag in flags() {
        let name = flag.long.unwrap();
        let default = if flag.value.is_some() { flag.default } else { Some("no") };
        let wanted = format!("{name} = {}", default.unwrap_or_default());
        let found = settings.iter().any(|line| match default {
            Some(_) => **line == wanted,
            None => line.starts_with(&wanted),
        });
        assert!(found, "examples/ftp_server.conf lacks the line \"#{wanted}\"");
    }
}

#[test]
fn check_shows_every_option_with_its_source() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("conf");
    let text = "# nothing\nport = 0\nsync = yes\npassive-address = 192.0.2.1\n\
                passive-address = 10.0.0.0/8=10.0.0.5\nidle-timeout = 5m\n";
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let shown = check(&["--config", file, "--idle-timeout", "10m", "--sync=no"]);
    for line in [
        format!("port = 0  ({file}:2)"),
        "sync = no  (command line)".into(),
        format!("passive-address = 192.0.2.1  ({file}:4)"),
        format!("passive-address = 10.0.0.0/8=10.0.0.5  ({file}:5)"),
        "idle-timeout = 10m  (command line)".into(),
        "login-timeout = 60s  (default)".into(),
        "passive-ports = any free port  (default)".into(),
        "anonymous = store  (default)".into(),
        "users = none  (default)".into(),
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} in\n{shown}");
    }
    for flag in PROGRAM.flags {
        let begin = format!("{} = ", flag.long.unwrap());
        assert!(shown.lines().any(|line| line.starts_with(&begin)), "{begin} in\n{shown}");
    }
}

#[test]
fn a_missing_root_is_named_beside_wrong_options() {
    for words in [&["check"][..], &[]] {
        let mut server = Command::new(env!("CARGO_BIN_EXE_ftp_server"));
        server.args(words).args(["--root", "/nonexistent", "--idle-timeout", "soon"]);
        let output = server.assert().code(2).get_output().clone();
        let said = String::from_utf8(output.stderr).unwrap();
        for option in ["--root '/nonexistent': expected a directory", "--idle-timeout 'soon'"] {
            assert!(said.contains(option), "{said}");
        }
    }
}

#[test]
fn every_wrong_line_is_named_with_its_file_and_number() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("conf");
    let text = "port = 0\n\nidel-timeout = 5m\nlisten\nlog-level = loud\npassive-address = a b\n\
                passive-address =\nsync = perhaps\n";
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    for words in [&["check", "--config", file][..], &["--config", file]] {
        let mut server = Command::new(env!("CARGO_BIN_EXE_ftp_server"));
        let output = server.args(words).assert().code(2).get_output().clone();
        let said = String::from_utf8(output.stderr).unwrap();
        let expected = format!("ftp_server: {file}:3: idel-timeout: unknown option; did you mean");
        assert!(said.starts_with(&expected), "{said}");
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 7, "{said}");
        for (line, number) in lines.iter().zip(3..=8) {
            assert!(line.starts_with(&format!("ftp_server: {file}:{number}: ")), "{said}");
        }
    }
}

#[test]
fn check_reports_a_log_file_that_the_server_cannot_open_and_creates_none() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("file"), "old").unwrap();
    fs::write(path("fixed"), "old").unwrap();
    for name in ["dir", "closed"] {
        fs::create_dir(path(name)).unwrap();
    }
    for (link, target) in [("to-new", "dir/new"), ("to-missing", "missing/log"), ("loop", "loop")] {
        symlink(target, path(link)).unwrap();
    }
    fs::set_permissions(path("fixed"), Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(path("closed"), Permissions::from_mode(0o555)).unwrap();
    let run = |words: &[&str], code| {
        let mut server = Command::new(env!("CARGO_BIN_EXE_ftp_server"));
        server.args(words).args(["--root", ".", "--host", "127.0.0.1", "--port", "0"]);
        let output = server.assert().code(code).get_output().clone();
        String::from_utf8(output.stderr).unwrap()
    };
    // Permissions do not restrict root.
    let denied: &[&str] = if is_superuser() { &[] } else { &["fixed", "closed/log"] };
    let missing = ["missing/log", "file/log", "dir", "dir/new/", "dir/..", "to-missing", "loop"];
    for option in ["--log-file", "--transfer-log"] {
        for name in missing.iter().chain(denied) {
            let at_start = run(&[option, &path(name)], 1);
            let checked = run(&["check", option, &path(name)], 1);
            assert!(checked.contains(&path(name)), "{checked}");
            assert_eq!(checked.to_lowercase(), at_start.to_lowercase());
        }
        for name in ["file", "new", "dir/new", "to-new"] {
            assert_eq!(run(&["check", option, &path(name)], 0), "");
        }
        run(&["check", option, "/dev/null"], 0);
    }
    assert_eq!(fs::read_to_string(path("file")).unwrap(), "old");
    for name in ["new", "dir/new", "missing"] {
        assert!(!Path::new(&path(name)).exists(), "{name}");
    }
}

#[test]
fn check_warns_of_a_log_file_that_clients_will_see() {
    for (name, visible) in [("new.log", true), ("/dev/null", false)] {
        let warned = check(&["--log-file", name]).contains("--log-file new.log is inside the root");
        assert_eq!(warned, visible, "{name}");
    }
}
