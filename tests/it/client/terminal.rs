//! The client at a real terminal, which tmux emulates. The tests check the screen.

use crate::support::{Client, Server, eventually};
use std::cell::RefCell;
use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A terminal with a shell and a client in it, which end when it is dropped.
struct Terminal {
    /// The private directory of the tmux socket.
    socket: TempDir,
    client: Client,
    seen: RefCell<String>,
}

impl Terminal {
    /// Opens a terminal with a shell.
    fn open(client: Client) -> Terminal {
        let (socket, seen) = (TempDir::new().unwrap(), RefCell::default());
        let terminal = Terminal { socket, client, seen };
        let home = terminal.client.path("");
        let shell = format!(
            "cd {0} && env -u FTP_PASSWORD -u NETRC -u NO_COLOR -u XDG_STATE_HOME HOME={0} PS1='$ ' \
             PATH=$PATH:{1} bash --norc --noprofile -i",
            home.display(),
            program_dir().display()
        );
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", &shell]);
        terminal.wait_for_end("$");
        terminal
    }

    /// Opens a terminal with a connected client.
    fn connected(server: &Server) -> Terminal {
        let terminal = Terminal::open(Client::new());
        terminal.start(server);
        terminal
    }

    fn start(&self, server: &Server) {
        let (host, port) = (server.addr().ip(), server.addr().port());
        self.line(&format!("clear; ftp_client {host} {port}"));
        self.wait_for_end("ftp 127.0.0.1:/>");
    }

    fn tmux(&self, words: &[&str]) -> Output {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.socket.path().join("socket")).args(words);
        let output = command.env_remove("TMUX").env("LC_ALL", "C.UTF-8").output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        output
    }

    /// Types text.
    fn text(&self, text: &str) -> &Terminal {
        self.tmux(&["send-keys", "-l", text]);
        self
    }

    /// Presses keys, by their tmux names.
    fn keys(&self, keys: &[&str]) -> &Terminal {
        self.tmux(&[&["send-keys"], keys].concat());
        self
    }

    /// Types a line.
    fn line(&self, text: &str) -> &Terminal {
        self.text(text).keys(&["Enter"])
    }

    fn screen(&self) -> String {
        let text = String::from_utf8_lossy(&self.tmux(&["capture-pane", "-p"]).stdout).into_owned();
        self.seen.replace(text.clone());
        text
    }

    /// Waits until this is the last line on the screen.
    fn wait_for_end(&self, line: &str) -> &Terminal {
        eventually(line, || self.screen().trim_end().lines().last() == Some(line));
        self
    }

    fn wait_for(&self, words: &str) -> &Terminal {
        eventually(words, || self.screen().contains(words));
        self
    }

    /// Waits until the last line is the prompt with this text.
    fn wait_for_typed(&self, typed: &str) -> &Terminal {
        self.wait_for_end(&format!("ftp 127.0.0.1:/> {typed}"))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- the screen\n{}", self.seen.borrow());
        }
        self.tmux(&["kill-server"]);
    }
}

fn program_dir() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_BIN_EXE_ftp_client")).parent().unwrap()
}

/// Returns the process ID of the client of this server.
fn pid_of_client(server: &Server) -> String {
    let port = server.addr().port().to_string();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let is_client = |process: &fs::DirEntry| {
        let words = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let mut words = words.split(|byte| *byte == 0);
        words.next().is_some_and(|program| program.ends_with(b"ftp_client"))
            && words.any(|word| word == port.as_bytes())
    };
    let found = processes.into_iter().find(is_client).unwrap();
    found.file_name().into_string().unwrap()
}

#[test]
#[ignore = "needs tmux"]
fn a_line_is_edited() {
    let server = Server::start();
    let terminal = Terminal::connected(&server);
    terminal
        .text("wd")
        .keys(&["C-a"])
        .text("p")
        .keys(&["C-e"])
        .text(" x y")
        .wait_for_typed("pwd x y");
    terminal.keys(&["C-w", "BSpace", "BSpace", "BSpace"]).wait_for_typed("pwd");
    terminal
        .keys(&["Left", "Left", "C-k"])
        .wait_for_typed("p")
        .keys(&["C-y"])
        .wait_for_typed("pwd");
    terminal.keys(&["Enter"]).wait_for("ftp 127.0.0.1:/> pwd\n/\nftp 127.0.0.1:/>");
    terminal.text("gone").keys(&["C-c"]).wait_for("> gone^C\n").wait_for_end("ftp 127.0.0.1:/>");
    terminal.text("x").keys(&["C-d", "C-a", "C-d", "C-d"]).wait_for_end("$");
}

#[test]
#[ignore = "needs tmux"]
fn the_history_has_lines_without_passwords() {
    let server = Server::start();
    let terminal = Terminal::connected(&server);
    terminal.line("pwd").line("user ftp hunter2").wait_for("logged in as ftp");
    terminal.keys(&["C-d"]).wait_for_end("$");
    terminal.start(&server);
    terminal.keys(&["Up"]).wait_for_typed("user ftp").keys(&["Up"]).wait_for_typed("pwd");
    terminal.keys(&["C-u", "C-r"]).text("use").wait_for_end("(search) 'use': user ftp");
    terminal.keys(&["C-c"]).wait_for_end("ftp 127.0.0.1:/>").keys(&["C-d"]).wait_for_end("$");
    let kept = terminal.client.read(".local/state/mt_ftp/history");
    assert_eq!(String::from_utf8(kept).unwrap(), "pwd\nuser ftp\n");
}

#[test]
#[ignore = "needs tmux"]
fn tab_completes_commands_and_remote_and_local_names() {
    let server = Server::start();
    server.make_dir("pub");
    ["a file.txt", "a file.zip", "日本語", "pub/inside"]
        .iter()
        .for_each(|name| server.write(name, ""));
    let client = Client::new();
    client.write("local name", "");
    let terminal = Terminal::open(client);
    terminal.start(&server);
    terminal.text("modt").keys(&["Tab"]).text("a").keys(&["Tab"]);
    terminal.wait_for_typed("modtime a\\ file.").keys(&["Tab"]);
    terminal.wait_for("a file.txt  a file.zip\n").text("z").keys(&["Tab", "C-u"]);
    terminal.text("get 日").keys(&["Tab"]).wait_for_typed("get 日本語");
    terminal.keys(&["C-u"]).text("cd p").keys(&["Tab"]).wait_for_typed("cd pub/");
    terminal.keys(&["C-u"]).text("put \"lo").keys(&["Tab"]).wait_for_typed("put \"local name\"");
    terminal.keys(&["C-u"]).line("mkdir fresh").wait_for_end("ftp 127.0.0.1:/>");
    terminal.text("cd fr").keys(&["Tab"]).wait_for_typed("cd fresh/");
}

#[test]
#[ignore = "needs tmux"]
fn a_long_line_with_wide_characters_is_redrawn_after_a_resize() {
    let server = Server::start();
    let terminal = Terminal::connected(&server);
    let names = "日本語".repeat(10);
    terminal.text(&format!("get {names}x"));
    // 18 columns of prompt, 4 of the command and 58 of names are a row of 80.
    terminal.wait_for(&format!("get {}\n", &names[..29 * 3])).wait_for_end("語x");
    terminal.tmux(&["resize-window", "-x", "40", "-y", "24"]);
    terminal.wait_for(&format!("> get {}\n", &names[..9 * 3]));
    terminal.keys(&["C-a", "C-k"]).wait_for_end("ftp 127.0.0.1:/>");
}

#[test]
#[ignore = "needs tmux"]
fn pasted_text_is_inserted_unchanged() {
    let server = Server::start();
    let terminal = Terminal::connected(&server);
    terminal.tmux(&["set-buffer", "pwd\nquit\n"]);
    terminal.tmux(&["paste-buffer", "-p"]);
    terminal.wait_for_typed("pwd quit");
}

#[test]
#[ignore = "needs tmux"]
fn a_password_is_not_shown() {
    let server = Server::start();
    let terminal = Terminal::connected(&server);
    terminal.line("user somebody").wait_for_end("Password for somebody:");
    terminal.line("hunter2").wait_for("530").wait_for_end("ftp 127.0.0.1:>");
    assert!(!terminal.screen().contains("hunter2"));
    terminal.line("clear").line("user somebody").wait_for_end("Password for somebody:");
    terminal.text("hun").keys(&["C-c"]).wait_for("interrupted").wait_for_end("ftp 127.0.0.1:>");
}

#[test]
#[ignore = "needs tmux"]
fn mdelete_asks_before_each_file() {
    let server = Server::start();
    ["a1", "a2", "a3", "a4", "a5"].iter().for_each(|name| server.write(name, ""));
    let terminal = Terminal::connected(&server);
    terminal.line("mdelete a*").wait_for_end("delete a1? [y/N/a/q]").line("n");
    terminal.wait_for_end("delete a2? [y/N/a/q]").line("y").wait_for_end("delete a3? [y/N/a/q]");
    terminal.line("q").wait_for("interrupted").wait_for_end("ftp 127.0.0.1:/>");
    assert!(server.has("a1") && !server.has("a2") && server.has("a3"));
    terminal.line("mdelete a*").wait_for_end("delete a1? [y/N/a/q]").line("a");
    terminal.wait_for_end("ftp 127.0.0.1:/>");
    eventually("all are gone", || !server.has("a5"));
}

#[test]
#[ignore = "needs tmux"]
fn mget_asks_before_each_file_until_the_answer_is_all() {
    let server = Server::start();
    ["a1", "a2", "a3", "a4"].iter().for_each(|name| server.write(name, name));
    let terminal = Terminal::connected(&server);
    let here = || -> Vec<String> {
        terminal.client.names().into_iter().filter(|name| name.starts_with('a')).collect()
    };
    terminal.line("mget a*").wait_for_end("mget a1? [Y/n/a/q]").line("n");
    terminal.wait_for_end("mget a2? [Y/n/a/q]").line("y").wait_for_end("mget a3? [Y/n/a/q]");
    terminal.line("q").wait_for_end("ftp 127.0.0.1:/>");
    eventually("one has come", || here() == ["a2"]);
    terminal.keys(&["C-l"]).line("mget a*").wait_for_end("mget a1? [Y/n/a/q]").line("a");
    terminal.wait_for_end("ftp 127.0.0.1:/>");
    eventually("all have come", || here() == ["a1", "a2", "a3", "a4"]);
    terminal.keys(&["C-l"]).line("mput a*").wait_for_end("mput a1? [Y/n/a/q]").line("q");
    terminal.wait_for_end("ftp 127.0.0.1:/>");
    terminal.line("prompt off").keys(&["C-l"]).line("mget a*").wait_for("fetched 4 files");
}

#[test]
#[ignore = "needs tmux"]
fn ctrl_c_stops_a_transfer_and_the_session_continues() {
    let server = Server::start();
    server.write_sparse("large", 1 << 40);
    let terminal = Terminal::connected(&server);
    terminal.line("get large /dev/null").wait_for("GiB");
    terminal.keys(&["C-c"]).wait_for("interrupted").wait_for_end("ftp 127.0.0.1:/>");
    terminal.line("pwd").wait_for("> pwd\n/\n");
}

#[test]
#[ignore = "needs tmux"]
fn ctrl_c_closes_the_connection_to_a_silent_server() {
    let server = Server::start();
    let terminal = Terminal::connected(&server);
    server.signal("STOP");
    terminal.line("cd /").wait_for("> cd /\n").keys(&["C-c"]);
    terminal.wait_for("the connection was closed").wait_for_end("ftp>");
    server.signal("CONT");
    terminal.line(&format!("open 127.0.0.1 {}", server.addr().port()));
    terminal.wait_for_end("ftp 127.0.0.1:/>");
}

#[test]
#[ignore = "needs tmux"]
fn ctrl_c_cancels_connecting_and_keeps_the_old_connection() {
    let server = Server::start();
    let terminal = Terminal::connected(&server);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    terminal.line(&format!("open 127.0.0.1 {port}"));
    let _greeted_by_nobody = silent.accept().unwrap();
    terminal.keys(&["C-c"]).wait_for("interrupted").wait_for_end("ftp 127.0.0.1:/>").line("pwd");
    terminal.wait_for("> pwd\n/\nftp 127.0.0.1:/>");
}

#[test]
#[ignore = "needs tmux"]
fn tab_completes_quoted_names() {
    let server = Server::start();
    server.write("grüße 漢字", "");
    server.write("it's \"q\"", "");
    let terminal = Terminal::connected(&server);
    for (typed, completed) in [
        ("size gr", "size grüße\\ 漢字"),
        ("size \"gr", "size \"grüße 漢字\""),
        ("size it", "size it's\\ \\\"q\\\""),
        ("size \"it", "size \"it's \\\"q\\\"\""),
    ] {
        terminal.text(typed).keys(&["Tab"]).wait_for_typed(completed).keys(&["C-u"]);
    }
}

#[test]
#[ignore = "needs tmux"]
fn a_progress_line_fits_a_shrinking_window() {
    let server = Server::start();
    server.write("big", vec![0; 10_000_000]);
    let terminal = Terminal::open(Client::new());
    let port = server.addr().port();
    terminal.line(&format!("clear; ftp_client --rate-limit 64K 127.0.0.1 {port}"));
    terminal.wait_for_end("ftp 127.0.0.1:/>").line("get big").wait_for(" of 9.5 MiB");
    terminal.tmux(&["resize-window", "-x", "40"]);
    eventually("rows of forty columns", || {
        let screen = terminal.screen();
        let rows: Vec<&str> = screen.lines().filter(|row| row.contains(" of 9.5 MiB")).collect();
        rows.last().is_some_and(|row| row.chars().count() < 40) && rows.len() < 4
    });
    terminal.keys(&["C-c"]).wait_for("interrupted");
}

#[test]
#[ignore = "needs tmux"]
fn ctrl_c_ends_a_local_program_and_not_the_client() {
    let terminal = Terminal::open(Client::new());
    terminal.line("clear; ftp_client").wait_for_end("ftp>");
    terminal.line("!echo begun; exec sleep 1000").wait_for("\nbegun\n").keys(&["C-c"]);
    terminal.wait_for("was killed").wait_for_end("ftp>");
}

#[test]
#[ignore = "needs tmux"]
fn the_terminal_settings_are_restored_for_other_programs() {
    let server = Server::start();
    let terminal = Terminal::connected(&server);
    let is_usual = |terminal: &Terminal| {
        terminal.line("clear; stty -a | grep -o '.icanon'; stty -a | grep -o '.echo '");
        terminal.wait_for(" icanon\n echo\n");
    };
    terminal.text("pw").keys(&["C-z"]).wait_for("Stopped").wait_for_end("$");
    is_usual(&terminal);
    terminal.line("fg").wait_for_typed("pw").text("d").keys(&["Enter"]).wait_for("> pwd\n/\n");
    terminal.line("!stty -a | grep -o '.icanon'").wait_for("\n icanon\n");
    terminal.text("x").line("").wait_for_end("ftp 127.0.0.1:/>").text("half a line");
    terminal.wait_for_typed("half a line");
    let pid = pid_of_client(&server);
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    terminal.wait_for_end("$");
    is_usual(&terminal);
}

#[test]
#[ignore = "needs tmux"]
fn a_dumb_terminal_gets_plain_lines() {
    let server = Server::start();
    let terminal = Terminal::open(Client::new());
    terminal.line("export TERM=dumb").line("clear");
    terminal.start(&server);
    terminal.line("pwd").wait_for("> pwd\n/\nftp 127.0.0.1:/>");
}

#[test]
#[ignore = "needs tmux"]
fn names_in_listings_are_colored() {
    let server = Server::start();
    server.make_dir("dir");
    let terminal = Terminal::connected(&server);
    terminal.line("ls").wait_for(" dir\n");
    let coloured = terminal.tmux(&["capture-pane", "-p", "-e"]).stdout;
    let coloured = String::from_utf8(coloured).unwrap();
    assert!(coloured.contains("\u{1b}[1m\u{1b}[34mdir"), "{coloured:?}");
    terminal.keys(&["C-d"]).wait_for_end("$").line("export NO_COLOR=1");
    terminal.start(&server);
    terminal.line("ls").wait_for(" dir\n");
    let plain = terminal.tmux(&["capture-pane", "-p", "-e"]).stdout;
    assert!(!String::from_utf8(plain).unwrap().contains("\u{1b}[34m"));
}

#[test]
#[ignore = "needs tmux"]
fn ctrl_c_at_a_question_is_q_and_keeps_the_session() {
    let server = Server::with(&["--anonymous", "write"]);
    ["a1", "a2"].iter().for_each(|name| server.write(name, name));
    let terminal = Terminal::connected(&server);
    for (command, question) in [
        ("mdelete a*", "delete a1? [y/N/a/q]"),
        ("mget a*", "mget a1? [Y/n/a/q]"),
        ("rm -r dir", "delete everything below dir? [y/N/a/q]"),
    ] {
        server.make_dir("dir");
        terminal.keys(&["C-l"]).line(command).wait_for_end(question).keys(&["C-c"]);
        terminal.wait_for_end("ftp 127.0.0.1:/>").line("pwd").wait_for("> pwd\n/\n");
        fs::remove_dir(server.path("dir")).unwrap();
    }
    assert!(server.has("a1") && server.has("a2"));
    // Enter chooses the answer that the question shows in upper case.
    terminal.keys(&["C-l"]).line("mdelete a1").wait_for_end("delete a1? [y/N/a/q]");
    terminal.keys(&["Enter"]).wait_for_end("ftp 127.0.0.1:/>");
    assert!(server.has("a1"));
    terminal.keys(&["C-l"]).line("mdelete a1").wait_for_end("delete a1? [y/N/a/q]");
    terminal.text("ny").keys(&["BSpace", "C-u"]).line("yes").wait_for_end("ftp 127.0.0.1:/>");
    eventually("it is gone", || !server.has("a1"));
}

#[test]
#[ignore = "needs tmux"]
fn semicolons_separate_commands_at_the_prompt() {
    let server = Server::start();
    server.make_dir("pub");
    let terminal = Terminal::connected(&server);
    terminal.line("cd pub; pwd").wait_for("\n/pub\n").wait_for_end("ftp 127.0.0.1:/pub>");
    terminal.line("!echo a; echo b").wait_for("\na\nb\n");
}

#[test]
#[ignore = "needs tmux"]
fn an_idle_session_is_restored_at_the_prompt() {
    let server = Server::with(&["--idle-timeout", "1s"]);
    server.make_dir("pub");
    let terminal = Terminal::connected(&server);
    terminal.line("cd pub").wait_for_end("ftp 127.0.0.1:/pub>");
    server.wait_for_log(&["closed", "idle-timeout"]);
    terminal.line("pwd").wait_for("connected again\n/pub\n").wait_for_end("ftp 127.0.0.1:/pub>");
}
