//! Verification of certificates: by authorities, by pins, and by the user.

use crate::support::scripted_server::{Script, ScriptedServer, listener, play_all};
use crate::support::tls::Identity;
use crate::support::{Client, Server, eventually};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;

/// Starts TLS, after which the client must close the connection without a command.
fn is_refused<'a>(identity: &'a Identity) -> Script<'a> {
    Box::new(|server| {
        server.start_tls(identity, 1);
        assert_eq!(server.next(), None);
    })
}

fn is_accepted<'a>(identity: &'a Identity) -> Script<'a> {
    Box::new(|server| {
        server.welcome_to_tls(identity, 1);
        server.finish();
    })
}

#[test]
fn in_a_script_an_untrusted_certificate_is_refused_and_its_pin_shown() {
    let Some(identity) = Identity::new() else { return };
    let client = Client::new();
    let run = play_all(&client, &["--tls"], "", vec![is_refused(&identity)]).expect(3);
    let run = run.expect_error("(self-signed certificate)");
    let (_, pin) = run.stderr.lines().next().unwrap().split_once("--tls-pin ").unwrap();
    assert_eq!(pin, identity.pin);
    for pin in [pin.to_lowercase(), pin.replace(':', "")] {
        let options = ["--tls", "--tls-pin", &"00".repeat(32), "--tls-pin", &pin];
        play_all(&client, &options, "", vec![is_accepted(&identity)]).expect(0);
    }
}

#[test]
fn a_pin_accepts_only_its_certificate_whoever_signed_it() {
    let Some(identity) = Identity::new() else { return };
    let Some(other) = Identity::new() else { return };
    let file = identity.file();
    let options = ["--tls", "--tls-ca", file.to_str().unwrap()];
    play_all(&Client::new(), &options, "", vec![is_accepted(&identity)]).expect(0);
    let options = [&options[..], &["--tls-pin", &other.pin]].concat();
    let run = play_all(&Client::new(), &options, "", vec![is_refused(&identity)]).expect(3);
    run.expect_error("does not match --tls-pin").expect_error(&identity.pin);
}

#[test]
fn a_certificate_of_an_authority_must_be_for_the_named_host() {
    let Some(identity) = Identity::new() else { return };
    let file = identity.file();
    let listener = listener();
    let port = listener.local_addr().unwrap().port().to_string();
    thread::scope(|scope| {
        scope.spawn(|| is_refused(&identity)(&mut ScriptedServer::on(&listener)));
        let words = ["--tls", "--tls-ca", file.to_str().unwrap(), "-c", "", "localhost", &port];
        let run = Client::new().run(&words).expect(3);
        run.expect_error("the certificate is for another host name");
    });
}

/// A client at a pseudo terminal of `script`.
struct AtTerminal {
    script: Child,
    screen: String,
    output: BufReader<std::process::ChildStdout>,
}

impl AtTerminal {
    fn start(client: &Client, words: &str) -> AtTerminal {
        let program = env!("CARGO_BIN_EXE_ftp_client");
        let command = format!("exec {program} {words}");
        let mut script = Command::new("script")
            .args(["-q", "-e", "-f", "-c", &command, "/dev/null"])
            .env("SHELL", "/bin/sh")
            .env("XDG_STATE_HOME", client.path("state"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(script.stdout.take().unwrap());
        AtTerminal { script, screen: String::new(), output }
    }

    /// Reads until this text is on the screen.
    fn wait_for(&mut self, words: &str) {
        eventually(words, || {
            let mut piece = self.output.fill_buf().unwrap();
            let length = piece.len();
            assert!(length > 0, "{words:?} is not in {:?}", self.screen);
            self.screen += &String::from_utf8_lossy(std::mem::take(&mut piece));
            self.output.consume(length);
            self.screen.contains(words)
        });
    }

    fn line(&mut self, text: &str) {
        self.script.stdin.as_mut().unwrap().write_all(format!("{text}\n").as_bytes()).unwrap();
    }

    /// Reads to the end; returns the screen and the exit status.
    fn end(mut self) -> (String, Option<i32>) {
        let mut rest = Vec::new();
        std::io::Read::read_to_end(&mut self.output, &mut rest).unwrap();
        self.screen += &String::from_utf8_lossy(&rest);
        (self.screen, self.script.wait().unwrap().code())
    }
}

#[test]
#[ignore = "needs script"]
fn the_prompt_shows_an_encrypted_connection() {
    let Some(identity) = Identity::new() else { return };
    let file = identity.file();
    let server = Server::with(&["--tls-cert", file.to_str().unwrap()]);
    let client = Client::new();
    let pinned = format!("--tls-pin {}", identity.pin);
    for (options, prompt) in [(&*pinned, "ftps 127.0.0.1:/> "), ("", "ftp 127.0.0.1:/> ")] {
        let words = format!("{options} 127.0.0.1 {}", server.addr().port());
        let mut terminal = AtTerminal::start(&client, &words);
        terminal.wait_for(prompt);
        terminal.line("quit");
        assert_eq!(terminal.end().1, Some(0));
    }
}

/// Checks that a screen shows a fingerprint on two lines that fit 80 columns.
#[track_caller]
fn assert_shows(screen: &str, pin: &str) {
    let (first, second) = pin.split_at(48);
    let lines: Vec<&str> = screen.lines().map(str::trim_end).collect();
    let shown = [format!("SHA-256 {first}"), format!("        {second}")];
    assert!(lines.windows(2).any(|pair| pair == shown), "{shown:?}: {screen}");
}

/// Runs a script for the next connection.
fn next(listener: &TcpListener, script: impl FnOnce(&mut ScriptedServer)) {
    script(&mut ScriptedServer::on(listener));
}

#[test]
#[ignore = "needs script"]
fn at_a_terminal_the_user_is_asked_once_and_a_changed_certificate_is_refused() {
    let Some(identity) = Identity::new() else { return };
    let Some(other) = Identity::new() else { return };
    let (client, listener) = (Client::new(), listener());
    let port = listener.local_addr().unwrap().port();
    let question = "Trust this certificate from now on? [y/N] ";
    let file = client.path("state").join("mt_ftp/trusted");
    let words = format!("--tls -n -c 'QUOTE NOOP' 127.0.0.1 {port}");
    let follow = |identity: &Identity, is_trusted: bool, meanwhile: &mut dyn FnMut()| {
        thread::scope(|scope| {
            scope.spawn(|| {
                next(&listener, |server| {
                    server.start_tls(identity, 1);
                    assert_eq!(server.is_left(), !is_trusted);
                    server.finish();
                });
            });
            meanwhile();
        });
    };
    follow(&identity, false, &mut || {
        let mut terminal = AtTerminal::start(&client, &words);
        terminal.wait_for(question);
        assert!(terminal.screen.contains("(self-signed certificate)"));
        assert_shows(&terminal.screen, &identity.pin);
        terminal.line("n");
        let (screen, status) = terminal.end();
        assert_eq!(status, Some(3), "{screen}");
        assert!(!screen.contains("--tls-pin"), "the fingerprint again: {screen}");
    });
    assert!(!file.exists());
    follow(&identity, true, &mut || {
        let mut terminal = AtTerminal::start(&client, &words);
        terminal.wait_for(question);
        terminal.line("y");
        assert_eq!(terminal.end().1, Some(1));
    });
    let kept = std::fs::read_to_string(&file).unwrap();
    assert_eq!(kept, format!("127.0.0.1:{port} {}\n", identity.pin));
    follow(&identity, true, &mut || {
        let (screen, status) = AtTerminal::start(&client, &words).end();
        assert!(status == Some(1) && !screen.contains(question), "{screen}");
    });
    follow(&other, false, &mut || {
        let (screen, status) = AtTerminal::start(&client, &words).end();
        assert!(status == Some(3) && !screen.contains(question), "{screen}");
        assert_shows(&screen, &identity.pin);
        assert_shows(&screen, &other.pin);
    });
    follow(&other, false, &mut || {
        let words = format!("--tls-pin {} {words}", identity.pin);
        let (screen, status) = AtTerminal::start(&client, &words).end();
        assert!(status == Some(3) && screen.contains("does not match --tls-pin"), "{screen}");
        assert_shows(&screen, &other.pin);
    });
}

#[test]
#[ignore = "needs script"]
fn a_certificate_that_a_script_cannot_accept_is_shown_at_a_terminal_with_an_option_that_fits() {
    let Some(identity) = Identity::new() else { return };
    let (client, listener) = (Client::new(), listener());
    let port = listener.local_addr().unwrap().port();
    let run = |words: &str, is_accepted: bool| {
        thread::scope(|scope| {
            scope.spawn(|| {
                next(&listener, |server| {
                    server.start_tls(&identity, 1);
                    assert_eq!(server.is_left(), !is_accepted);
                    server.finish();
                });
            });
            let words = format!("{words} --tls -n -c 'QUOTE NOOP' 127.0.0.1 {port} < /dev/null");
            AtTerminal::start(&client, &words).end()
        })
    };
    let (screen, status) = run("", false);
    assert_eq!(status, Some(3), "{screen}");
    assert_shows(&screen, &identity.pin);
    let option = screen.lines().find(|line| line.starts_with("--tls-pin ")).unwrap().trim_end();
    assert!(option.len() <= 80, "{option}");
    assert_eq!(run(option, true).1, Some(1));
}

#[test]
fn a_certificate_accepted_at_a_terminal_is_accepted_in_scripts() {
    let Some(identity) = Identity::new() else { return };
    let Some(other) = Identity::new() else { return };
    let (client, listener) = (Client::new(), listener());
    let port = listener.local_addr().unwrap().port();
    std::fs::create_dir_all(client.path(".local/state/mt_ftp")).unwrap();
    let run = |shown: &Identity, is_accepted: bool| {
        thread::scope(|scope| {
            scope.spawn(|| {
                next(&listener, |server| {
                    server.start_tls(shown, 1);
                    assert_eq!(server.is_left(), !is_accepted);
                    server.finish();
                });
            });
            let words = ["--tls", "-n", "-c", "QUOTE NOOP", "127.0.0.1", &port.to_string()];
            let mut command = client.command();
            command.env_remove("XDG_STATE_HOME").args(words);
            command.output().unwrap()
        })
    };
    let keep = |port: u16| {
        let line = format!("127.0.0.1:{port} {}\n", identity.pin);
        client.write(".local/state/mt_ftp/trusted", line);
    };
    keep(port.wrapping_add(1));
    assert_eq!(run(&identity, false).status.code(), Some(3));
    keep(port);
    assert_eq!(run(&identity, true).status.code(), Some(1));
    let refused = run(&other, false);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains(&identity.pin) && said.contains(&other.pin), "{said}");
}
