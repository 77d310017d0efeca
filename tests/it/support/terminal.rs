//! A program at a terminal that nobody reads, as after Ctrl-S. `script` plays the terminal.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The terminal and the program. Dropped, both end.
pub struct UnreadTerminal {
    script: Child,
    pid: String,
    output: BufReader<ChildStdout>,
}

impl UnreadTerminal {
    /// Runs a command of the shell.
    pub fn start(command: &str) -> UnreadTerminal {
        // The shell becomes the program, so that this is its number.
        let command = format!("echo $$; exec {command}");
        let mut script = Command::new("script")
            .args(["-q", "-f", "-c", &command, "/dev/null"])
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(script.stdout.take().unwrap());
        let mut terminal = UnreadTerminal { script, pid: String::new(), output };
        terminal.pid = terminal.next_line();
        terminal
    }

    /// Reads one line all the same.
    pub fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Sends a signal to the program by its name.
    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.pid]).status().unwrap().success());
    }

    /// Closes the terminal, as a window is closed.
    pub fn close(&mut self) {
        self.script.kill().unwrap();
        self.script.wait().unwrap();
    }

    /// Returns true if one of the program's threads is in a call of the system that begins so, in the
    /// words of `/proc/PID/syscall`.
    pub fn is_in_call(&self, call: &str) -> bool {
        let now = fs::read_to_string(format!("/proc/{}/syscall", self.pid));
        now.is_ok_and(|now| now.starts_with(call))
    }

    /// Returns true if the program has ended.
    pub fn has_ended(&self) -> bool {
        let state = fs::read_to_string(format!("/proc/{}/stat", self.pid));
        state.map_or(true, |state| state.contains(") Z "))
    }
}

impl Drop for UnreadTerminal {
    fn drop(&mut self) {
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}
