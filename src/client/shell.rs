//! The shell: reads commands, runs them, reports failures, and determines the exit status.
//!
//! At a prompt a failed command is only reported, and the exit status is 0. In a script the first failure
//! sets the exit status and, without `-k`, ends the run. The end of the input closes the session like QUIT.

pub(super) mod commands;
mod completion;
mod history_filter;
mod input;
mod lexer;
mod login;
mod script_check;
mod session;

use super::editor::{History, Reader, is_capable};
use super::error::Error;
use super::options::{Commands, OnFailure, Options, Start};
use super::output::json;
use super::output::width::{fitting_end, width_of};
use super::signals::Interrupt;
use super::state_dir::state_file;
use super::tls::Encryption;
use super::transfer::download::ContinuedFile;
use super::url::{Endpoint, Place, Url, without_login};
use crate::protocol::{Name, Secret};
use crate::text::{self, shown};
use commands::{Call, Row};
use commands::{get_put, print, refusal};
use completion::Completer;
use input::{Input, read_line, read_line_of};
use script_check::first_misuse;
use session::Session;
use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Seek};
use std::iter;
use std::path::PathBuf;
use std::vec;

/// The first word of the prompt, without and with TLS.
const PROMPT: &str = "ftp";
const ENCRYPTED_PROMPT: &str = "ftps";

/// The columns of the host and directory in a prompt.
const MAX_PLACE_WIDTH: usize = 50;

/// One run of the client.
pub struct Shell {
    session: Session,
    source: Source,
    /// No line was read from the source yet.
    is_first: bool,
    start: Option<Start>,
    mode: RunMode,
    completer: Completer,
    /// The exit status: that of the first failure, if there was one.
    status: u8,
}

/// The source of commands.
enum Source {
    Given(vec::IntoIter<Vec<u8>>),
    File(BufReader<File>, PathBuf),
    Input,
    /// A terminal with the line editor.
    Terminal(Box<Reader>),
}

/// The two ways to run commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RunMode {
    /// Commands are typed at a prompt.
    Interactive,
    /// Commands come from a script, a pipe or `-c`.
    Script(OnFailure),
}

/// The origin of a failure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FailureOrigin {
    /// The host or URL of the command line, before the first command.
    Start,
    Command,
}

/// The result of connecting to the host of the command line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Connected {
    Yes,
    No,
}

impl Shell {
    /// Creates a shell from the options of the command line.
    ///
    /// # Errors
    /// The file of `-f` cannot be opened.
    pub fn new(options: Options, interrupt: Interrupt) -> Result<Shell, Error> {
        let session = Session::new(&options, interrupt);
        let mode = match options.commands {
            Commands::Shell if session.input == Input::Terminal => RunMode::Interactive,
            _ => RunMode::Script(options.on_failure),
        };
        let source = match mode {
            RunMode::Interactive => Source::at_prompt(&session),
            RunMode::Script(_) => Source::new(options.commands)?,
        };
        let completer = Completer::default();
        let is_first = true;
        Ok(Shell { session, source, is_first, start: options.start, mode, completer, status: 0 })
    }

    /// Runs all commands and returns the exit status.
    pub fn run(mut self) -> u8 {
        match self.misuse() {
            Ok(None) => self.begin(),
            Ok(Some((command, error))) => {
                self.report_result_of(&command, Err(error), FailureOrigin::Start);
            }
            Err(error) => self.stop_reading(&error),
        }
        while !self.session.leaving {
            match self.next_line() {
                Ok(Some(line)) => self.execute(&line),
                Ok(None) => break,
                Err(error) => self.stop_reading(&error),
            }
        }
        self.session.disconnect();
        self.status
    }

    /// Returns the first wrong command of a script that ends at a failure.
    fn misuse(&mut self) -> Result<Option<(Vec<u8>, Error)>, Error> {
        match self.mode {
            RunMode::Script(OnFailure::Stop) => self.source.misuse(),
            RunMode::Script(OnFailure::Continue) | RunMode::Interactive => Ok(None),
        }
    }

    /// Connects to the host or URL of the command line.
    fn begin(&mut self) {
        match self.start.take() {
            Some(Start::Host(endpoint)) => {
                self.connect(&endpoint, Encryption::Clear, None, None);
            }
            Some(Start::Url(url)) => self.open_url(url),
            None if self.is_interactive() => {
                self.session
                    .confirm_success("CONNECT HOST [PORT] connects, HELP lists the commands");
            }
            None => {}
        }
    }

    fn connect(
        &mut self,
        to: &Endpoint,
        encryption: Encryption,
        user: Option<Name>,
        password: Option<Secret>,
    ) -> Connected {
        let connected = self.session.connect(to, encryption, user, password);
        let outcome = if connected.is_ok() { Connected::Yes } else { Connected::No };
        self.report_result_of(
            format!("CONNECT {}", to.host).as_bytes(),
            connected,
            FailureOrigin::Start,
        );
        outcome
    }

    /// Connects to a URL and changes to its directory, or fetches its file and ends.
    fn open_url(&mut self, url: Url) {
        self.session.leaving = matches!(url.place, Place::File(_));
        let connected = self.connect(&url.endpoint, url.encryption, url.user, url.password);
        if connected == Connected::No {
            return;
        }
        self.session.apply_url_type(url.ascii);
        match url.place {
            Place::Home => {}
            Place::Directory(dir) => {
                let changed = self.session.change_dir(&dir);
                self.report_result_of(
                    &[b"CD ", dir.as_bytes()].concat(),
                    changed,
                    FailureOrigin::Start,
                );
            }
            Place::File(file) => self.fetch_or_list(&file),
        }
    }

    /// Fetches the file of a URL; a directory is listed.
    fn fetch_or_list(&mut self, name: &Name) {
        let fetched = get_put::fetch(&mut self.session, name, None, ContinuedFile::Partial, None);
        if let Err(error) = &fetched
            && refusal::is_dir(&mut self.session, name, error)
        {
            let listed = print::list_dir(&mut self.session, name);
            return self.report_result_of(
                &[b"LIST ", name.as_bytes()].concat(),
                listed,
                FailureOrigin::Start,
            );
        }
        self.report_result_of(
            &[b"RETRIEVE ", name.as_bytes()].concat(),
            fetched,
            FailureOrigin::Start,
        );
    }

    fn next_line(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if let Some(line) = self.session.queued.pop_front() {
            return Ok(Some(line));
        }
        self.session.expanded = 0;
        if self.mode != RunMode::Interactive {
            return self.next_of_source();
        }
        let place = self.place();
        let prompt = prompt(place, self.session.is_encrypted());
        if let Source::Terminal(reader) = &mut self.source {
            let (completer, session) = (&mut self.completer, &mut self.session);
            let interrupt = session.interrupt().clone();
            let complete = |before: &[u8]| {
                let _held = interrupt.hold(session.control_socket());
                completer.complete(session, before)
            };
            let line = reader.read(&prompt, complete);
            let line = line.map_err(of_input)?;
            let commands = line.map(|line| commands_of(&line));
            if let Some(kept) = commands.as_deref().and_then(history_filter::joined) {
                reader.history().add(&kept);
            }
            return Ok(commands.and_then(|commands| self.queue_rest(commands)));
        }
        self.session.messages.prompt(&prompt);
        let line = self.next_of_source()?;
        if line.is_none() {
            self.session.messages.prompt("\n");
        }
        Ok(line.and_then(|line| self.queue_rest(commands_of(&line))))
    }

    /// Returns the first command of a line and queues the others.
    fn queue_rest(&mut self, commands: Vec<Vec<u8>>) -> Option<Vec<u8>> {
        let mut commands = commands.into_iter();
        let first = commands.next();
        self.session.queued.extend(commands);
        first
    }

    /// Reads the next line. A byte order mark before the first line is removed.
    fn next_of_source(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let line = self.source.next()?;
        match line {
            Some(line) if std::mem::take(&mut self.is_first) => {
                let line = text::strip_bom(&line).map_err(|wrong| {
                    let error = io::Error::new(io::ErrorKind::InvalidData, wrong);
                    Error::File { path: self.source.path(), error }
                })?;
                Ok(Some(line.to_vec()))
            }
            line => Ok(line),
        }
    }

    /// Returns the host and directory for the prompt, using PWD if the directory is unknown.
    fn place(&mut self) -> Option<String> {
        let interrupt = self.session.interrupt().clone();
        let _held = interrupt.hold(self.session.control_socket());
        self.session.shown_place()
    }

    fn execute(&mut self, line: &[u8]) {
        if let Some(name) = self.session.recording.take() {
            return self.record(name, line);
        }
        let Ok(words) = split_words(line) else {
            let open = "a quote is not closed, or a backslash ends the line";
            // Show only the first word, because the rest may contain a password.
            let command = line.trim_ascii().split(u8::is_ascii_whitespace).next();
            let error = Err(Error::Usage(open.to_owned()));
            return self.report_result(command.unwrap_or_default(), error);
        };
        let Some((command, operands)) = words.split_first() else { return };
        let row = match Row::find(command) {
            Ok(row) => row,
            Err(error) => return self.report_result(command, Err(error)),
        };
        match row.call(operands) {
            Ok(call) => self.run_call(&call),
            Err(error) => self.report_result(row.title().as_bytes(), Err(error)),
        }
    }

    fn run_call(&mut self, call: &Call) {
        let result = self.run_interruptibly(call);
        if !call.row().preserves_remote_names() {
            self.completer.forget();
        }
        let error = result.as_ref().err();
        let advice = error
            .and_then(|error| call.advice(error).or_else(|| self.advice_on_encoding(call, error)));
        self.report_result(&display_name(call), result);
        if let Some(advice) = advice {
            self.session.messages.note(&advice);
        }
        if self.session.preferences.bell {
            self.session.messages.ring();
        }
    }

    /// Returns a hint if a name in UTF-8 was refused by a server whose FEAT does not list UTF8.
    fn advice_on_encoding(&mut self, call: &Call, error: &Error) -> Option<String> {
        // After other errors the connection may be lost, and asking would reconnect.
        let is_refused = call.is_refused_in_utf_8(error);
        let connection = is_refused.then(|| self.session.connection().ok())??;
        let is_untold = connection.has_feature(b"UTF8").is_ok_and(|listed| !listed);
        is_untold.then(|| {
            "the name was sent in UTF-8, which the server may not use; try MGET with ? for each letter \
             that is not ASCII"
                .to_owned()
        })
    }

    /// Runs a command. At a prompt, Ctrl-C can close the connection to interrupt it.
    fn run_interruptibly(&mut self, call: &Call) -> Result<(), Error> {
        self.session.agreed = false;
        if self.mode != RunMode::Interactive {
            return self.session.run(|session| call.run(session));
        }
        let interrupt = self.session.interrupt().clone();
        let held = interrupt.hold(self.session.control_socket());
        let result = self.session.run(|session| call.run(session));
        if !held.was_cut() {
            return result;
        }
        self.session.drop_connection();
        self.session.messages.note("the connection was closed");
        Err(Error::Interrupted)
    }

    /// Adds a line to the macro that is being defined; a blank line ends the definition.
    fn record(&mut self, name: Vec<u8>, line: &[u8]) {
        let line = line.trim_ascii();
        if !line.is_empty() {
            self.session.macros.entry(name.clone()).or_default().push(line.to_vec());
            self.session.recording = Some(name);
        }
    }

    /// Reports a failure of a command and handles its consequences.
    fn report_result(&mut self, what: &[u8], result: Result<(), Error>) {
        self.report_result_of(what, result, FailureOrigin::Command);
    }

    /// Like [`Shell::report_result`], also for the host or URL of the command line.
    fn report_result_of(&mut self, what: &[u8], result: Result<(), Error>, origin: FailureOrigin) {
        // Ctrl-C at a prompt ends the command and keeps the session.
        let continues = matches!(result, Err(Error::Interrupted)) && self.is_interactive();
        let was_printed = std::mem::take(&mut self.session.failure_printed);
        // A connection that is lost after a success is reopened by the next command.
        let Err(error) = result else { return };
        if !continues {
            self.session.drop_lost();
        }
        self.print_error(what, &error);
        if self.is_interactive() && matches!(error, Error::Login(_)) {
            self.session.messages.note("USER NAME tries another login");
        }
        if self.session.transfers.json && !was_printed && !matches!(error, Error::OutputClosed) {
            // If standard output is closed, the next command ends the run.
            let _ = json::print_object(json::of_failure(what, &error));
        }
        if continues {
            // The rest of the line depends on the interrupted command.
            self.session.queued.clear();
            let interrupt = self.session.interrupt().clone();
            let _held = interrupt.hold(self.session.control_socket());
            self.session.reconnect_if_lost();
        }
        match (&error, self.mode) {
            (Error::OutputClosed, _) => self.session.leaving = true,
            (_, RunMode::Interactive) => {}
            // Ctrl-C ends the whole script.
            (Error::Interrupted, _) => self.end_with(&error),
            (_, RunMode::Script(OnFailure::Stop)) => {
                if origin == FailureOrigin::Command {
                    self.note_stop();
                }
                self.end_with(&error);
            }
            (_, RunMode::Script(OnFailure::Continue)) => self.record_status(&error),
        }
    }

    fn is_interactive(&self) -> bool {
        self.mode == RunMode::Interactive
    }

    fn print_error(&self, what: &[u8], error: &Error) {
        match error {
            Error::OutputClosed => {}
            // Scripts rely on these words, alone in their line.
            Error::NotConnected => self.session.messages.error(&error.to_string()),
            _ => {
                // The error already names the path.
                let is_named = error.names_path();
                let command = what.split(|byte| is_named && *byte == b' ').next();
                let label = shown(command.unwrap_or(what));
                let error = match io::stderr().is_terminal() {
                    true => format!("{error:#}"),
                    false => error.to_string(),
                };
                self.session.messages.error(&format!("error: {label}: {error}"));
            }
        }
    }

    /// Reports that the script ends at the failed command, because BSD ftp would continue.
    fn note_stop(&self) {
        let is_last = match &self.source {
            Source::Given(lines) => lines.len() == 0,
            Source::File(..) | Source::Input | Source::Terminal(_) => false,
        };
        if !is_last && !self.session.leaving {
            self.session
                .messages
                .note("stopped at this command; -k continues after a failed command");
        }
    }

    /// Ends the run because the commands cannot be read.
    fn stop_reading(&mut self, error: &Error) {
        self.session.messages.error(&format!("error: {error}"));
        self.end_with(error);
    }

    fn end_with(&mut self, error: &Error) {
        self.record_status(error);
        self.session.leaving = true;
    }

    fn record_status(&mut self, error: &Error) {
        if self.status == 0 {
            self.status = error.status();
        }
    }
}

/// Splits a line that was typed at the prompt into its commands, which `;` separates. A line that begins
/// with `!` is one command.
fn commands_of(line: &[u8]) -> Vec<Vec<u8>> {
    match line.trim_ascii_start().starts_with(b"!") {
        true => vec![line.to_vec()],
        false => lexer::commands(line),
    }
}

/// Splits a command into words. The text after `!` is one word, for the system's shell; `$name` means
/// `$ name`.
fn split_words(line: &[u8]) -> Result<Vec<Vec<u8>>, lexer::Unclosed> {
    let bare = line.trim_ascii();
    if let Some(command) = bare.strip_prefix(b"!") {
        let command = command.trim_ascii();
        let command = (!command.is_empty()).then(|| command.to_vec());
        return Ok([b"!".to_vec()].into_iter().chain(command).collect());
    }
    let words = lexer::words(bare.strip_prefix(b"$").unwrap_or(bare))?;
    let mark = bare.starts_with(b"$").then(|| b"$".to_vec());
    Ok(mark.into_iter().chain(words).collect())
}

/// Returns a command for messages: its name and first operand, and the target of a transfer. Other operands
/// may be passwords.
fn display_name(call: &Call) -> Vec<u8> {
    let mut what = call.row().title().into_bytes();
    if let Some(operand) = call.shown_operand() {
        let url = std::str::from_utf8(operand).ok().filter(|text| text.contains("://"));
        what.push(b' ');
        what.extend(url.map_or_else(|| operand.to_vec(), |text| without_login(text).into_bytes()));
    }
    if let Some((word, target)) = call.shown_target() {
        what.extend([b" ", word.as_bytes(), b" ", target].concat());
    }
    what
}

/// Returns the prompt, such as `ftp host:/dir> `. A long directory is shortened at its beginning.
fn prompt(place: Option<String>, is_encrypted: bool) -> String {
    let word = if is_encrypted { ENCRYPTED_PROMPT } else { PROMPT };
    match place {
        None => format!("{word}> "),
        Some(place) if width_of(&place) > MAX_PLACE_WIDTH => {
            format!("{word} …{}> ", fitting_end(&place, MAX_PLACE_WIDTH - 1))
        }
        Some(place) => format!("{word} {place}> "),
    }
}

fn of_input(error: io::Error) -> Error {
    Error::File { path: "standard input".into(), error }
}

impl Source {
    /// Returns the line editor if the terminal supports it, else plain standard input.
    fn at_prompt(session: &Session) -> Source {
        let is_capable = || session.edits_lines && is_capable();
        let reader =
            || Reader::new(History::load(state_file("history")), session.interrupt().clone());
        match is_capable().then(reader) {
            Some(Ok(reader)) => Source::Terminal(Box::new(reader)),
            Some(Err(_)) | None => Source::Input,
        }
    }

    fn new(commands: Commands) -> Result<Source, Error> {
        match commands {
            Commands::Given(text) => Ok(Source::Given(lexer::commands(&text).into_iter())),
            Commands::Input | Commands::Shell => Ok(Source::Input),
            Commands::File(path) => match File::open(&path) {
                Ok(file) => Ok(Source::File(BufReader::new(file), path)),
                Err(error) => Err(Error::File { path, error }),
            },
        }
    }

    /// Returns the name of the source for errors.
    fn path(&self) -> PathBuf {
        match self {
            Source::Given(_) => "the commands".into(),
            Source::File(_, path) => path.clone(),
            Source::Input | Source::Terminal(_) => "standard input".into(),
        }
    }

    /// Returns the first wrong command, if the commands can be read before they run.
    fn misuse(&mut self) -> Result<Option<(Vec<u8>, Error)>, Error> {
        match self {
            Source::Given(lines) => Ok(first_misuse(lines.as_slice().iter().cloned())),
            Source::File(file, path)
                if file.get_ref().metadata().is_ok_and(|file| file.is_file()) =>
            {
                let found = first_misuse(iter::from_fn(|| read_line_of(file).ok().flatten()));
                file.rewind().map_err(|error| Error::File { path: path.clone(), error })?;
                Ok(found)
            }
            Source::File(..) | Source::Input | Source::Terminal(_) => Ok(None),
        }
    }

    fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Source::Given(lines) => Ok(lines.next()),
            Source::File(file, path) => {
                let failed = |error| Error::File { path: path.clone(), error };
                read_line_of(file).map_err(failed)
            }
            Source::Input | Source::Terminal(_) => read_line().map_err(of_input),
        }
    }
}
