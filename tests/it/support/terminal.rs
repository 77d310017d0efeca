//! A program on a terminal whose output is not read, as after Ctrl-S. `script` simulates the terminal.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

/// The terminal and the program. Both end on drop.
pub struct UnreadTerminal {
    script: Child,
    pid: String,
    output: BufReader<ChildStdout>,
}

impl UnreadTerminal {
    /// Runs a shell command.
    pub fn start(command: &str) -> UnreadTerminal {
        // exec replaces the shell with the program, so this is the process id of the program.
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

    /// Reads one line from the terminal.
    pub fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Sends a signal to the program by its name.
    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.pid]).status().unwrap().success());
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) {
        writeln!(self.script.stdin.as_ref().unwrap(), "{line}").unwrap();
    }

    /// Closes the terminal, like a window that is closed.
    pub fn close(&mut self) {
        self.script.kill().unwrap();
        self.script.wait().unwrap();
    }

    /// Returns whether one of the program's threads is in a system call that begins with this text, in
    /// the format of `/proc/PID/syscall`.
    pub fn is_in_call(&self, call: &str) -> bool {
        let now = fs::read_to_string(format!("/proc/{}/syscall", self.pid));
        now.is_ok_and(|now| now.starts_with(call))
    }

    /// Returns whether the program has ended.
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
