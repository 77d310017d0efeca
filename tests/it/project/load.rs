//! Tests of the load generator in `examples/ftp_load`: short runs of each scenario.

use crate::support::ftps::Ftps;
use crate::support::{Client, Run, Server};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;

/// Builds the example and returns its path. `cargo test` does not build an example that has its own
/// tests, so an existing program may be older than its source.
fn program() -> PathBuf {
    static BUILT: Once = Once::new();
    let programs = Path::new(env!("CARGO_BIN_EXE_ftp_server")).parent().unwrap();
    BUILT.call_once(|| {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--example", "ftp_load"]);
        build.args(programs.ends_with("release").then_some("--release"));
        build.arg("--target-dir").arg(programs.parent().unwrap());
        assert!(build.status().unwrap().success());
    });
    programs.join("examples/ftp_load")
}

fn run(client: &Client, words: &[&str]) -> Run {
    let output = Command::new(program()).args(words).current_dir(client.path("")).output();
    let output = output.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    Run { status: output.status.code(), stdout, stderr }
}

/// Runs a scenario, and returns its result line.
fn load(server: &Server, words: &[&str]) -> Run {
    let [port, pid] = [u32::from(server.addr().port()), server.pid()].map(|n| n.to_string());
    run(&Client::new(), &[&["--json", "--port", &port, "--pid", &pid], words].concat())
}

fn served() -> Server {
    let server = Server::start();
    server.write("file", vec![b'x'; 5000]);
    server
}

/// Returns the number with this name in a line of JSON.
fn number(run: &Run, name: &str) -> f64 {
    let line = run.stdout.strip_suffix('\n').unwrap_or_else(|| panic!("no line: {run:#?}"));
    let (_, value) = line.split_once(&format!("\"{name}\": ")).unwrap_or_else(|| panic!("{line}"));
    value[..value.find([',', '}']).unwrap()].parse().unwrap()
}

#[test]
fn files_are_fetched_and_stored() {
    let server = served();
    let fetched = load(&server, &["--file=file", "--size=5000", "--count=9", "retr"]).expect(0);
    assert_eq!(number(&fetched, "bytes"), 45_000.0);
    let stored = load(&server, &["--file=x", "--size=3000", "--count=4", "stor"]).expect(0);
    assert_eq!(number(&stored, "bytes"), 12_000.0);
    assert_eq!([0, 3].map(|file| server.read(format!("x-0-{file}")).len()), [3000, 3000]);
    load(&server, &["--file=y", "--overwrite", "--clients=2", "--count=9", "stor"]).expect(0);
    assert_eq!(server.read("y-1").len(), 4096);
}

#[test]
fn sessions_are_opened_and_closed() {
    let server = served();
    for words in [&["login"][..], &["--file=file", "churn"], &["--verb=MLSD", "list"]] {
        let run = load(&server, &[&["--count=30", "--clients=3"], words].concat()).expect(0);
        assert_eq!([number(&run, "done"), number(&run, "errors")], [30.0, 0.0]);
        assert!(number(&run, "p50_ms") <= number(&run, "max_ms"));
    }
}

#[test]
fn accounts_log_in_in_turn() {
    let server = Server::with_accounts(&["u4:read:", "u5:read:"], &[]);
    let words = ["--user=u", "--password=secret", "--accounts=2", "--first-account=4"];
    let words = [&words[..], &["--warm-up", "--clients=2", "--count=9", "login"]].concat();
    assert_eq!(number(&load(&server, &words).expect(0), "done"), 9.0);
    load(&server, &["--user=u", "--password=secret", "--accounts=1", "--count=1", "login"])
        .expect(1)
        .expect_error("the server answered 530");
}

#[test]
fn work_is_started_at_a_rate() {
    let server = served();
    let words = ["--file=file", "--clients=5", "--rate=100", "--count=21", "retr"];
    let run = load(&server, &words).expect(0);
    assert_eq!([number(&run, "done"), number(&run, "errors")], [21.0, 0.0]);
    // The last piece of work starts 200 ms after the first.
    assert!(number(&run, "seconds") >= 0.2);
}

#[test]
fn transfers_run_beside_idle_sessions() {
    let server = Server::with(&["--max-sessions", "12"]);
    server.write("file", vec![b'x'; 5000]);
    let words = ["--file=file", "--clients=2", "--list", "--count=9", "retr"];
    let run = load(&server, &[&["--idle=10"], &words[..]].concat()).expect(0);
    assert_eq!(number(&run, "done"), 9.0);
    load(&server, &[&["--idle=13"], &words[..]].concat())
        .expect(1)
        .expect_error("the server answered 421");
}

#[test]
#[ignore = "long: the sessions are idle for four seconds"]
fn idle_sessions_stay_open_while_another_is_served() {
    let run = load(&served(), &["--clients=40", "--count=10", "--file=file", "idle"]).expect(0);
    assert_eq!(number(&run, "sessions"), 40.0);
    assert!(number(&run, "mb_per_second") > 0.0);
}

#[test]
fn a_soak_runs_all_kinds_of_work() {
    let run = load(&served(), &["--clients=4", "--count=100", "soak"]).expect(0);
    assert_eq!([number(&run, "tasks"), number(&run, "errors")], [100.0, 0.0]);
}

#[test]
fn every_connection_is_encrypted_and_data_connections_resume_its_session() {
    let rules = ["--tls-required", "all", "--tls-reuse", "require"];
    let Some(ftps) = Ftps::start(&rules) else { return };
    ftps.server.write("file", vec![b'x'; 5000]);
    for words in [
        &["--file=file", "--size=5000", "retr"][..],
        &["--file=x", "--size=300000", "stor"],
        &["login"],
        &["--file=file", "churn"],
        &["--verb=MLSD", "list"],
    ] {
        let words = [&["--tls", "--clients=3", "--count=9"], words].concat();
        let run = load(&ftps.server, &words).expect(0);
        assert_eq!([number(&run, "done"), number(&run, "errors")], [9.0, 0.0], "{words:?}");
    }
    let words = ["--tls", "--file=y", "--size=300000", "--count=2", "stor"];
    load(&ftps.server, &words).expect(0);
    assert_eq!([0, 1].map(|file| ftps.server.read(format!("y-0-{file}")).len()), [300_000; 2]);
    load(&Server::start(), &["--tls", "--count=1", "login"])
        .expect(1)
        .expect_error("the server answered 5");
}

#[test]
fn failures_are_counted_and_reported() {
    let server = served();
    let run = load(&server, &["--file=none", "--count=3", "retr"]).expect(1);
    let run = run.expect_error("3 tasks failed; the first error: the server answered 550");
    assert_eq!([number(&run, "done"), number(&run, "errors")], [0.0, 3.0]);
    load(&server, &["--file=file", "--size=4K", "--count=1", "retr"])
        .expect(1)
        .expect_error("5000 bytes came, not 4096");
    load(&server, &["--count=none", "login"]).expect(2).expect_error("--count 'none': expected");
}

/// The bare server, killed on drop.
struct Bare(Child);

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_bare_server_supports_every_scenario() {
    let client = Client::new();
    client.write("file", vec![b'x'; 200_000]);
    let mut command = Command::new(program());
    command.arg("bare").current_dir(client.path("")).stdout(Stdio::piped());
    let mut bare = Bare(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(bare.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim().strip_prefix("Listening on 127.0.0.1:").unwrap();
    for words in [
        &["--file=file", "--size=200000", "retr"][..],
        &["--file=up", "--size=150000", "stor"],
        &["login"],
        &["--file=file", "churn"],
    ] {
        let words = [&["--json", "--clients=3", "--count=9", "--port", port], words].concat();
        assert_eq!(number(&run(&client, &words).expect(0), "done"), 9.0);
    }
    let stored = client.names().into_iter().filter(|name| name.starts_with("up-"));
    assert_eq!(stored.map(|name| client.read(name).len()).collect::<Vec<_>>(), [150_000; 9]);
}

#[test]
fn reports_have_tables_and_a_chart() {
    let server = served();
    let client = Client::new();
    let mut lines = String::new();
    for name in ["ours", "theirs"] {
        lines += &load(&server, &["--server", name, "--count=5", "login"]).expect(0).stdout;
    }
    client.write("lines", lines);
    let table = run(&client, &["report", "lines"]).expect(0);
    assert!(table.stdout.contains("| login | /s | "), "{table:#?}");
    let chart = run(&client, &["report", "--chart", "lines"]).expect(0);
    assert!(chart.stdout.starts_with("<svg ") && chart.stdout.contains("theirs"), "{chart:#?}");
}
