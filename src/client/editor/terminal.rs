//! The editor at its terminal: reads keys, shows the line, and leaves the terminal as it was.

use super::History;
use super::keys::{Key, Keys};
use super::screen::{Screen, columns_of};
use super::state::{Completion, EditorState, EditorStep};
use crate::client::signals::{Editing, Interrupt, NO_MARKS};
use crate::sys::{Typed, Waker, is_typed, stop, terminal_width, typed};
use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

/// How long the rest of a key may take after its Escape. Terminals send a key at once, and a slow
/// line still needs less; nobody waits for an Escape that does nothing.
const KEY_PATIENCE: Duration = Duration::from_millis(100);

const USUAL_WIDTH: u16 = 80;

/// Pasted text comes marked as such, and no longer.
const MARK_PASTES: &[u8] = b"\x1b[?2004h";

/// Whether standard input and error are a terminal that lines can be edited on.
pub(in super::super) fn is_capable() -> bool {
    let dumb = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    !dumb && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// What came of a line.
enum Came {
    Line(Vec<u8>),
    End,
    Stop,
    Tab,
}

/// Reads lines, one after the other.
pub(in super::super) struct Reader {
    history: History,
    state: EditorState,
    keys: Keys,
    screen: Screen,
    waker: Arc<Waker>,
    interrupt: Interrupt,
}

impl Reader {
    /// A reader with this past.
    ///
    /// # Errors
    /// Out of descriptors, or a system whose terminals edit lines themselves.
    pub(in super::super) fn new(history: History, interrupt: Interrupt) -> io::Result<Reader> {
        let waker = Arc::new(Waker::new()?);
        drop(interrupt.edit(&waker)?);
        let (state, keys, screen) = (EditorState::default(), Keys::default(), Screen::default());
        Ok(Reader { history, state, keys, screen, waker, interrupt })
    }

    /// What later lines can bring back.
    pub(in super::super) fn history(&mut self) -> &mut History {
        &mut self.history
    }

    /// A line; `None` at the end of all. `complete` is told what stands before the cursor when Tab is
    /// pressed; the terminal is as usual meanwhile, so that Ctrl-C is a signal.
    ///
    /// # Errors
    /// The terminal cannot be read.
    pub(in super::super) fn read(
        &mut self,
        prompt: &str,
        mut complete: impl FnMut(&[u8]) -> Completion,
    ) -> io::Result<Option<Vec<u8>>> {
        self.state.begin();
        loop {
            match self.edit(prompt)? {
                Came::Line(line) => return Ok(Some(line)),
                Came::End => return Ok(None),
                // The terminal is as it was before: what the shell that goes on expects.
                Came::Stop => stop()?,
                Came::Tab => {
                    let found = complete(&self.state.before());
                    self.take(found);
                }
            }
        }
    }

    /// Shows the line and takes keys, until one of them needs the terminal as it was.
    fn edit(&mut self, prompt: &str) -> io::Result<Came> {
        let interrupt = self.interrupt.clone();
        let _raw = Raw::begin(&interrupt, &self.waker)?;
        self.draw(prompt);
        loop {
            let Some(key) = self.next_key(prompt)? else { return Ok(self.left()) };
            match self.state.key(key, self.history.lines()) {
                EditorStep::Go => {}
                EditorStep::Complete => return Ok(Came::Tab),
                EditorStep::Clear => {
                    let clear = self.screen.clear();
                    show(&clear);
                }
                EditorStep::Done(line) => {
                    self.draw(prompt);
                    self.go_below("");
                    return Ok(Came::Line(line));
                }
                EditorStep::Dropped => {
                    self.draw(prompt);
                    self.go_below("^C");
                    self.state.begin();
                }
                EditorStep::Left => return Ok(self.left()),
                EditorStep::Stop => {
                    self.go_below("");
                    return Ok(Came::Stop);
                }
            }
            // What is typed or pasted faster than it is shown is shown at its end.
            if !is_typed()? {
                self.draw(prompt);
            }
        }
    }

    fn left(&mut self) -> Came {
        self.go_below("");
        Came::End
    }

    fn next_key(&mut self, prompt: &str) -> io::Result<Option<Key>> {
        loop {
            let patience = self.keys.is_waiting().then_some(KEY_PATIENCE);
            let key = match typed(&self.waker, patience)? {
                Typed::Byte(byte) => self.keys.byte(byte),
                Typed::Nothing => self.keys.enough(),
                Typed::Woken => {
                    self.draw(prompt);
                    None
                }
                Typed::End => return Ok(None),
            };
            if key.is_some() {
                return Ok(key);
            }
        }
    }

    fn draw(&mut self, prompt: &str) {
        let width = terminal_width().unwrap_or(USUAL_WIDTH);
        let drawn = self.screen.draw(&self.state.view(prompt), width.into());
        show(&drawn);
    }

    fn go_below(&mut self, mark: &str) {
        let below = self.screen.leave();
        show(&[mark.as_bytes(), &below].concat());
    }

    fn take(&mut self, found: Completion) {
        let choices = self.state.complete(found);
        if !choices.is_empty() {
            self.go_below("");
            let width = terminal_width().unwrap_or(USUAL_WIDTH);
            show(columns_of(&choices, width.into()).as_bytes());
        }
    }
}

/// What came of asking for a secret.
pub(in super::super) enum Told {
    Secret(Vec<u8>),
    /// Ctrl-C.
    Nothing,
}

/// Reads a line that is not shown. Backspace and Ctrl-U take back what was typed.
///
/// # Errors
/// The terminal cannot be read key by key.
pub(in super::super) fn read_secret(interrupt: &Interrupt) -> io::Result<Told> {
    let waker = Arc::new(Waker::new()?);
    let _raw = interrupt.edit(&waker)?;
    let mut secret = Vec::new();
    loop {
        match typed(&waker, None)? {
            Typed::Byte(b'\r' | b'\n' | 0x04) | Typed::End => return Ok(Told::Secret(secret)),
            Typed::Byte(0x03) => return Ok(Told::Nothing),
            Typed::Byte(0x15) => secret.clear(),
            Typed::Byte(0x08 | 0x7f) => forget_last(&mut secret),
            Typed::Byte(byte) => secret.push(byte),
            Typed::Woken | Typed::Nothing => {}
        }
    }
}

/// Takes the last character off, with all its bytes.
fn forget_last(secret: &mut Vec<u8>) {
    while secret.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
}

/// While it lives, keys come one by one and pastes come marked.
struct Raw<'a> {
    _editing: Editing<'a>,
}

impl Raw<'_> {
    fn begin<'a>(interrupt: &'a Interrupt, waker: &Arc<Waker>) -> io::Result<Raw<'a>> {
        let raw = Raw { _editing: interrupt.edit(waker)? };
        show(MARK_PASTES);
        Ok(raw)
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        show(NO_MARKS.as_bytes());
    }
}

/// Where the terminal went away, the next read says so.
fn show(bytes: &[u8]) {
    let _ = io::stderr().write_all(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_character_goes_whole() {
        let mut secret = "aü".as_bytes().to_vec();
        forget_last(&mut secret);
        assert_eq!(secret, b"a");
        forget_last(&mut secret);
        forget_last(&mut secret);
        assert_eq!(secret, b"");
    }
}
