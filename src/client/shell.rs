//! The shell: reads commands, runs them, tells what failed, and knows how it all ends.
//!
//! At a terminal a failed command is told and forgotten, and the exit status is 0. Elsewhere it
//! gives the exit status and, unless the user wants otherwise, ends the run. Commands that end
//! without QUIT end politely all the same.

pub(super) mod commands;
mod completion;
mod history_filter;
mod input;
mod lexer;
mod login;
mod session;

use super::editor::{History, Reader, is_capable};
use super::error::Error;
use super::options::{Commands, OnFailure, Options, Start};
use super::output::json;
use super::output::width::{fitting_end, width_of};
use super::signals::Interrupt;
use super::state_dir::state_file;
use super::tls::Encryption;
use super::transfer::download::Kept;
use super::url::{Endpoint, Place, Url, without_login};
use crate::protocol::{Name, Secret};
use crate::text::{self, shown};
use commands::{Call, Row};
use commands::{get_put, print, refusal};
use completion::Completer;
use input::{Input, read_line, read_line_of};
use session::Session;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::vec;

/// The first word of the prompt, and what it is while the connection is encrypted.
const PROMPT: &str = "ftp";
const ENCRYPTED_PROMPT: &str = "ftps";

/// Columns of the place in a prompt.
const WIDEST_PLACE: usize = 50;

/// One run of the client.
pub struct Shell {
    session: Session,
    source: Source,
    /// No line has come from the source yet.
    is_first: bool,
    start: Option<Start>,
    manner: Manner,
    completer: Completer,
    /// The exit status: that of the first failure, if there was one.
    status: u8,
}

/// Where commands come from.
enum Source {
    Given(vec::IntoIter<Vec<u8>>),
    File(BufReader<File>, PathBuf),
    Input,
    /// A terminal that lines are edited on.
    Terminal(Box<Reader>),
}

/// How the user wants to be dealt with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// A prompt for every command.
    Prompting,
    /// One command after the other.
    Script(OnFailure),
}

/// What is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// What the command line asks for before the first command.
    Start,
    Command,
}

/// Whether there is a server to go on with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Connected {
    Yes,
    No,
}

impl Shell {
    /// A shell that does what the command line says.
    ///
    /// # Errors
    /// The file of commands cannot be read.
    pub fn new(options: Options, interrupt: Interrupt) -> Result<Shell, Error> {
        let session = Session::new(&options, interrupt);
        let manner = match options.commands {
            Commands::Shell if session.input == Input::Terminal => Manner::Prompting,
            _ => Manner::Script(options.on_failure),
        };
        let source = match manner {
            Manner::Prompting => Source::at_prompt(&session),
            Manner::Script(_) => Source::new(options.commands)?,
        };
        let completer = Completer::default();
        let is_first = true;
        Ok(Shell { session, source, is_first, start: options.start, manner, completer, status: 0 })
    }

    /// Runs to the end and returns the exit status.
    pub fn run(mut self) -> u8 {
        match self.start.take() {
            Some(start) => self.begin(start),
            None if self.is_prompting() => {
                self.session.remark("CONNECT HOST [PORT] connects, HELP lists the commands");
            }
            None => {}
        }
        while !self.session.leaving {
            match self.next_line() {
                Ok(Some(line)) => self.execute(&line),
                Ok(None) => break,
                Err(error) => self.stop(&error),
            }
        }
        self.session.disconnect();
        self.status
    }

    fn begin(&mut self, start: Start) {
        match start {
            Start::Host(endpoint) => {
                self.connect(&endpoint, Encryption::Clear, None, None);
            }
            Start::Url(url) => self.visit(url),
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
        self.judge_step(format!("CONNECT {}", to.host).as_bytes(), connected, Step::Start);
        outcome
    }

    /// Goes where a URL leads; one of a file is all there is to do.
    fn visit(&mut self, url: Url) {
        self.session.leaving = matches!(url.place, Place::File(_));
        let connected = self.connect(&url.endpoint, url.encryption, url.user, url.password);
        if connected == Connected::No {
            return;
        }
        self.session.transfer_by(url.ascii);
        match url.place {
            Place::Home => {}
            Place::Directory(dir) => {
                let changed = self.session.change_dir(&dir);
                self.judge_step(&[b"CD ", dir.as_bytes()].concat(), changed, Step::Start);
            }
            Place::File(file) => self.fetch_or_list(&file),
        }
    }

    /// Fetches what a URL names, or lists it if it is a directory.
    fn fetch_or_list(&mut self, name: &Name) {
        let fetched = get_put::fetch(&mut self.session, name, None, Kept::Partial, None);
        if let Err(error) = &fetched
            && refusal::is_dir(&mut self.session, name, error)
        {
            let listed = print::list_dir(&mut self.session, name);
            return self.judge_step(&[b"LIST ", name.as_bytes()].concat(), listed, Step::Start);
        }
        self.judge_step(&[b"RETRIEVE ", name.as_bytes()].concat(), fetched, Step::Start);
    }

    fn next_line(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if let Some(line) = self.session.queued.pop_front() {
            return Ok(Some(line));
        }
        self.session.expanded = 0;
        if self.manner != Manner::Prompting {
            return self.next_of_source();
        }
        let place = self.place();
        let prompt = prompt(place, self.session.is_encrypted());
        if let Source::Terminal(reader) = &mut self.source {
            let (completer, session) = (&mut self.completer, &mut self.session);
            let interrupt = session.interrupt().clone();
            let complete = |before: &[u8]| {
                let _held = interrupt.hold(session.line());
                completer.complete(session, before)
            };
            let line = reader.read(&prompt, complete);
            let line = line.map_err(of_input)?;
            let commands = line.map(|line| commands_of(&line));
            if let Some(kept) = commands.as_deref().and_then(history_filter::joined) {
                reader.history().add(&kept);
            }
            return Ok(commands.and_then(|commands| self.first_of(commands)));
        }
        self.session.messages.prompt(&prompt);
        let line = self.next_of_source()?;
        if line.is_none() {
            self.session.messages.prompt("\n");
        }
        Ok(line.and_then(|line| self.first_of(commands_of(&line))))
    }

    /// Leaves the commands of a line but the first to be run next.
    fn first_of(&mut self, commands: Vec<Vec<u8>>) -> Option<Vec<u8>> {
        let mut commands = commands.into_iter();
        let first = commands.next();
        self.session.queued.extend(commands);
        first
    }

    /// Reads the next line; the byte order mark that an editor put in front of the first is left out.
    fn next_of_source(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let line = self.source.next()?;
        match line {
            Some(line) if std::mem::take(&mut self.is_first) => {
                let line = text::without_mark(&line).map_err(|wrong| {
                    let error = io::Error::new(io::ErrorKind::InvalidData, wrong);
                    Error::File { path: self.source.path(), error }
                })?;
                Ok(Some(line.to_vec()))
            }
            line => Ok(line),
        }
    }

    /// Where we are; the server may have to be asked.
    fn place(&mut self) -> Option<String> {
        let interrupt = self.session.interrupt().clone();
        let _held = interrupt.hold(self.session.line());
        self.session.shown_place()
    }

    fn execute(&mut self, line: &[u8]) {
        if let Some(name) = self.session.recording.take() {
            return self.record(name, line);
        }
        let Ok(words) = cut(line) else {
            let open = "a quote is not closed, or a backslash ends the line";
            // No more than the first word: the rest may hold a password.
            let command = line.trim_ascii().split(u8::is_ascii_whitespace).next();
            let error = Err(Error::Usage(open.to_owned()));
            return self.judge(command.unwrap_or_default(), error);
        };
        let Some((command, operands)) = words.split_first() else { return };
        let row = match Row::find(command) {
            Ok(row) => row,
            Err(error) => return self.judge(command, Err(error)),
        };
        match row.call(operands) {
            Ok(call) => self.run_call(&call),
            Err(error) => self.judge(row.title().as_bytes(), Err(error)),
        }
    }

    fn run_call(&mut self, call: &Call) {
        let result = self.run_held(call);
        if !call.row().leaves_names() {
            self.completer.forget();
        }
        let error = result.as_ref().err();
        let advice = error
            .and_then(|error| call.advice(error).or_else(|| self.advice_on_encoding(call, error)));
        self.judge(&described(call), result);
        if let Some(advice) = advice {
            self.session.messages.note(&advice);
        }
        if self.session.preferences.bell {
            self.session.messages.ring();
        }
    }

    /// Returns what to say after an error if a name was sent in UTF-8 to a server that does not list it.
    fn advice_on_encoding(&mut self, call: &Call, error: &Error) -> Option<String> {
        // After other errors the connection may be lost, and would be made again.
        let is_refused = call.is_refused_in_utf_8(error);
        let connection = is_refused.then(|| self.session.connection().ok())??;
        let is_untold = connection.has_feature(b"UTF8").is_ok_and(|listed| !listed);
        is_untold.then(|| {
            "the server may not have its names in UTF-8, in which this one was sent; MGET finds it with a \
             pattern, ? for each letter that is not plain ASCII"
                .to_owned()
        })
    }

    /// Runs a command; at a prompt Ctrl-C can cut the connection under it.
    fn run_held(&mut self, call: &Call) -> Result<(), Error> {
        self.session.agreed = false;
        if self.manner != Manner::Prompting {
            return self.session.run(|session| call.run(session));
        }
        let interrupt = self.session.interrupt().clone();
        let held = interrupt.hold(self.session.line());
        let result = self.session.run(|session| call.run(session));
        if !held.was_cut() {
            return result;
        }
        self.session.give_up();
        self.session.messages.note("the connection was given up");
        Err(Error::Interrupted)
    }

    /// A line of a macro that is being defined; a blank one is its end.
    fn record(&mut self, name: Vec<u8>, line: &[u8]) {
        let line = line.trim_ascii();
        if !line.is_empty() {
            self.session.macros.entry(name.clone()).or_default().push(line.to_vec());
            self.session.recording = Some(name);
        }
    }

    /// Tells of a failure, and what follows from it.
    fn judge(&mut self, what: &[u8], result: Result<(), Error>) {
        self.judge_step(what, result, Step::Command);
    }

    /// Does the same for what the command line asks for before the first command, too.
    fn judge_step(&mut self, what: &[u8], result: Result<(), Error>, step: Step) {
        // Who broke a transfer off at a prompt wants to go on.
        let goes_on = matches!(result, Err(Error::Interrupted)) && self.is_prompting();
        let was_told = std::mem::take(&mut self.session.told_failure);
        // What a command that worked has lost is made again by the next.
        let Err(error) = result else { return };
        if !goes_on {
            self.session.drop_lost();
        }
        self.tell(what, &error);
        if self.is_prompting() && matches!(error, Error::Login(_)) {
            self.session.messages.note("USER NAME tries another login");
        }
        if self.session.transfers.json && !was_told && !matches!(error, Error::OutputClosed) {
            // A standard output that is gone ends the next command.
            let _ = json::print_object(json::of_failure(what, &error));
        }
        if goes_on {
            // What follows in the line was meant to follow this command.
            self.session.queued.clear();
            let interrupt = self.session.interrupt().clone();
            let _held = interrupt.hold(self.session.line());
            self.session.reconnect_if_lost();
        }
        match (&error, self.manner) {
            (Error::OutputClosed, _) => self.session.leaving = true,
            (_, Manner::Prompting) => {}
            // Who pressed Ctrl-C did not mean this command alone.
            (Error::Interrupted, _) => self.fail(&error),
            (_, Manner::Script(OnFailure::Stop)) => {
                if step == Step::Command {
                    self.tell_stop();
                }
                self.fail(&error);
            }
            (_, Manner::Script(OnFailure::GoOn)) => self.remember(&error),
        }
    }

    fn is_prompting(&self) -> bool {
        self.manner == Manner::Prompting
    }

    fn tell(&self, what: &[u8], error: &Error) {
        match error {
            Error::OutputClosed => {}
            // Scripts rely on these words, alone in their line.
            Error::NotConnected => self.session.messages.error(&error.to_string()),
            _ => {
                // A path is named once.
                let is_named = error.names_path();
                let command = what.split(|byte| is_named && *byte == b' ').next();
                let label = shown(command.unwrap_or(what));
                self.session.messages.error(&format!("error: {label}: {error}"));
            }
        }
    }

    /// What old scripts and their authors do not expect.
    fn tell_stop(&self) {
        let is_last = match &self.source {
            Source::Given(lines) => lines.len() == 0,
            Source::File(..) | Source::Input | Source::Terminal(_) => false,
        };
        if !is_last && !self.session.leaving {
            self.session.messages.note("stopped at this command; -k goes on after a failed one");
        }
    }

    /// The commands themselves cannot be read.
    fn stop(&mut self, error: &Error) {
        self.session.messages.error(&format!("error: {error}"));
        self.fail(error);
    }

    fn fail(&mut self, error: &Error) {
        self.remember(error);
        self.session.leaving = true;
    }

    fn remember(&mut self, error: &Error) {
        if self.status == 0 {
            self.status = error.status();
        }
    }
}

/// Returns the commands of a line that was typed at the prompt: `;` separates them. What follows `!` is for
/// another shell to take apart.
fn commands_of(line: &[u8]) -> Vec<Vec<u8>> {
    match line.trim_ascii_start().starts_with(b"!") {
        true => vec![line.to_vec()],
        false => lexer::commands(line),
    }
}

/// The words of a line. What follows `!` is for another shell to take apart, and `$name` is `$ name`.
fn cut(line: &[u8]) -> Result<Vec<Vec<u8>>, lexer::Unclosed> {
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

/// A command for messages: its name and first operand, since a later one may be a password.
fn described(call: &Call) -> Vec<u8> {
    let mut what = call.row().title().into_bytes();
    if let Some(operand) = call.shown_operand() {
        let url = std::str::from_utf8(operand).ok().filter(|text| text.contains("://"));
        what.push(b' ');
        what.extend(url.map_or_else(|| operand.to_vec(), |text| without_login(text).into_bytes()));
    }
    what
}

/// `ftp host:/dir> `, of which a long directory shows its end.
fn prompt(place: Option<String>, is_encrypted: bool) -> String {
    let word = if is_encrypted { ENCRYPTED_PROMPT } else { PROMPT };
    match place {
        None => format!("{word}> "),
        Some(place) if width_of(&place) > WIDEST_PLACE => {
            format!("{word} …{}> ", fitting_end(&place, WIDEST_PLACE - 1))
        }
        Some(place) => format!("{word} {place}> "),
    }
}

fn of_input(error: io::Error) -> Error {
    Error::File { path: "standard input".into(), error }
}

impl Source {
    /// Lines are edited where that is possible, and else read as they come.
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

    /// The name of the source, for errors.
    fn path(&self) -> PathBuf {
        match self {
            Source::Given(_) => "the commands".into(),
            Source::File(_, path) => path.clone(),
            Source::Input | Source::Terminal(_) => "standard input".into(),
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
