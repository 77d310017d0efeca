//! Connects the editor to the terminal: reads keys, draws the line, and restores the terminal's
//! settings.

use super::History;
use super::keys::{Key, Keys};
use super::screen::{Screen, columns_of};
use super::state::{Completion, EditorState, EditorStep};
use crate::client::signals::{BRACKETED_PASTE_OFF, Editing, Interrupt};
use crate::sys::{KeyInput, Waker, has_key, read_key, suspend, terminal_width};
use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

/// The time to wait for the rest of a key after Escape. Terminals send a key at once, and slow
/// lines still need less; an Escape by itself has no effect, so the delay is not visible.
const KEY_PATIENCE: Duration = Duration::from_millis(100);

const USUAL_WIDTH: u16 = 80;

/// Switches on bracketed paste.
const BRACKETED_PASTE_ON: &[u8] = b"\x1b[?2004h";

/// Returns whether standard input and standard error are a terminal that supports editing.
pub(in super::super) fn is_capable() -> bool {
    let dumb = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    !dumb && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// The reason why editing of a line ended.
enum EditEnd {
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
    /// Creates a reader with this history.
    ///
    /// # Errors
    /// Fails if the process is out of descriptors, or on a system whose terminals edit lines
    /// themselves.
    pub(in super::super) fn new(history: History, interrupt: Interrupt) -> io::Result<Reader> {
        let waker = Arc::new(Waker::new()?);
        drop(interrupt.edit(&waker)?);
        let (state, keys, screen) = (EditorState::default(), Keys::default(), Screen::default());
        Ok(Reader { history, state, keys, screen, waker, interrupt })
    }

    /// Returns the history.
    pub(in super::super) fn history(&mut self) -> &mut History {
        &mut self.history
    }

    /// Reads a line; `None` at the end of the input. When Tab is pressed, `complete` is called
    /// with the text before the cursor. The terminal has its normal settings during this, so that
    /// Ctrl-C is a signal.
    ///
    /// # Errors
    /// Fails if the terminal cannot be read.
    pub(in super::super) fn read(
        &mut self,
        prompt: &str,
        mut complete: impl FnMut(&[u8]) -> Completion,
    ) -> io::Result<Option<Vec<u8>>> {
        self.state.begin();
        loop {
            match self.edit(prompt)? {
                EditEnd::Line(line) => return Ok(Some(line)),
                EditEnd::End => return Ok(None),
                // The terminal has its normal settings again, as the parent shell expects.
                EditEnd::Stop => suspend()?,
                EditEnd::Tab => {
                    let found = complete(&self.state.before());
                    self.take(found);
                }
            }
        }
    }

    /// Draws the line and processes keys, until one of them needs the terminal's normal settings.
    fn edit(&mut self, prompt: &str) -> io::Result<EditEnd> {
        let interrupt = self.interrupt.clone();
        let _raw = Raw::begin(&interrupt, &self.waker)?;
        self.draw(prompt);
        loop {
            let Some(key) = self.next_key(prompt)? else { return Ok(self.left()) };
            match self.state.key(key, self.history.lines()) {
                EditorStep::Continue => {}
                EditorStep::Complete => return Ok(EditEnd::Tab),
                EditorStep::Clear => {
                    let clear = self.screen.clear();
                    show(&clear);
                }
                EditorStep::Done(line) => {
                    self.draw(prompt);
                    self.go_below("");
                    return Ok(EditEnd::Line(line));
                }
                EditorStep::Dropped => {
                    self.draw(prompt);
                    self.go_below("^C");
                    self.state.begin();
                }
                EditorStep::EndOfInput => return Ok(self.left()),
                EditorStep::Stop => {
                    self.go_below("");
                    return Ok(EditEnd::Stop);
                }
            }
            // Text that arrives faster than it can be drawn is drawn once, at its end.
            if !has_key()? {
                self.draw(prompt);
            }
        }
    }

    fn left(&mut self) -> EditEnd {
        self.go_below("");
        EditEnd::End
    }

    fn next_key(&mut self, prompt: &str) -> io::Result<Option<Key>> {
        loop {
            let patience = self.keys.is_waiting().then_some(KEY_PATIENCE);
            let key = match read_key(&self.waker, patience)? {
                KeyInput::Byte(byte) => self.keys.byte(byte),
                KeyInput::Nothing => self.keys.timeout(),
                KeyInput::Woken => {
                    self.draw(prompt);
                    None
                }
                KeyInput::End => return Ok(None),
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

/// The result of asking for a secret.
pub(in super::super) enum Answer {
    Words(Vec<u8>),
    /// Ctrl-C.
    Nothing,
}

/// The display of typed characters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Echo {
    On,
    Off,
}

/// Reads a line without showing it. Backspace deletes a character, and Ctrl-U deletes all.
///
/// # Errors
/// Fails if the terminal cannot be read key by key.
pub(in super::super) fn read_secret(interrupt: &Interrupt) -> io::Result<Answer> {
    read_words(interrupt, Echo::Off)
}

/// Reads the answer to a question, and shows it. The end of the input counts as Ctrl-C.
///
/// # Errors
/// Fails if the terminal cannot be read key by key.
pub(in super::super) fn read_answer(interrupt: &Interrupt) -> io::Result<Answer> {
    read_words(interrupt, Echo::On)
}

fn read_words(interrupt: &Interrupt, echo: Echo) -> io::Result<Answer> {
    let waker = Arc::new(Waker::new()?);
    let _raw = interrupt.edit(&waker)?;
    let mut words = Vec::new();
    loop {
        let before = words.clone();
        match read_key(&waker, None)? {
            KeyInput::Byte(0x04) | KeyInput::End if echo == Echo::On && words.is_empty() => {
                return Ok(Answer::Nothing);
            }
            KeyInput::Byte(b'\r' | b'\n' | 0x04) | KeyInput::End => {
                return Ok(Answer::Words(words));
            }
            KeyInput::Byte(0x03) => return Ok(Answer::Nothing),
            KeyInput::Byte(0x15) => words.clear(),
            KeyInput::Byte(0x08 | 0x7f) => forget_last(&mut words),
            // An answer ignores control characters, such as the beginning of a cursor key.
            KeyInput::Byte(..0x20) if echo == Echo::On => {}
            KeyInput::Byte(byte) => words.push(byte),
            KeyInput::Woken | KeyInput::Nothing => {}
        }
        if echo == Echo::On {
            show_change(&before, &words);
        }
    }
}

/// Shows added characters, and removes deleted ones from the terminal.
fn show_change(before: &[u8], now: &[u8]) {
    if let Some(more) = now.strip_prefix(before) {
        return show(more);
    }
    let characters = |words| String::from_utf8_lossy(words).chars().count();
    show(&b"\x08 \x08".repeat(characters(before) - characters(now)));
}

/// Removes the last character with all its bytes.
fn forget_last(secret: &mut Vec<u8>) {
    while secret.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
}

/// Keeps the terminal in raw mode with bracketed paste while it lives.
struct Raw<'a> {
    _editing: Editing<'a>,
}

impl Raw<'_> {
    fn begin<'a>(interrupt: &'a Interrupt, waker: &Arc<Waker>) -> io::Result<Raw<'a>> {
        let raw = Raw { _editing: interrupt.edit(waker)? };
        show(BRACKETED_PASTE_ON);
        Ok(raw)
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        show(BRACKETED_PASTE_OFF.as_bytes());
    }
}

/// Writes to the terminal. If the terminal is gone, the next read reports that.
fn show(bytes: &[u8]) {
    let _ = io::stderr().write_all(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_character_is_removed_with_all_its_bytes() {
        let mut secret = "aü".as_bytes().to_vec();
        forget_last(&mut secret);
        assert_eq!(secret, b"a");
        forget_last(&mut secret);
        forget_last(&mut secret);
        assert_eq!(secret, b"");
    }
}
