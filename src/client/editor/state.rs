//! Applies keys to a line, with the most common key bindings of Emacs and readline.

use super::buffer::{Buffer, Word};
use super::keys::Key;
use crate::client::output::text::{bytes_of, chars_of};

/// The consequence of a key, in addition to a changed line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EditorStep {
    /// Nothing further.
    Continue,
    /// Enter: the line is complete.
    Done(Vec<u8>),
    /// Ctrl-C: the line is discarded.
    Dropped,
    /// Ctrl-D on an empty line.
    EndOfInput,
    /// Tab.
    Complete,
    /// Ctrl-Z.
    Stop,
    /// Ctrl-L.
    Clear,
}

/// The result of completing the word before the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Completion {
    /// The start of the word, in bytes of the line.
    pub(in super::super) start: usize,
    /// The replacement, as far as it is unambiguous.
    pub(in super::super) word: Vec<u8>,
    /// The possible continuations, if there are several.
    pub(in super::super) choices: Vec<String>,
}

/// A line being edited.
#[derive(Debug, Default)]
pub(super) struct EditorState {
    buffer: Buffer,
    /// The text that Ctrl-K or another cut key removed last.
    cut: Vec<char>,
    /// The index of the displayed line of the history, and the text that was typed before.
    browsing: Option<(usize, Buffer)>,
    search: Option<Search>,
    /// True if the last key was a Tab that found several choices.
    undecided: bool,
}

/// A search in the history (Ctrl-R).
#[derive(Debug)]
struct Search {
    wanted: Vec<char>,
    /// The index of the line that was found.
    found: Option<usize>,
    /// The text that was typed before the search.
    before: Buffer,
}

/// The line as it is displayed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) prompt: String,
    pub(super) text: Vec<char>,
    pub(super) cursor: usize,
}

impl EditorState {
    /// Begins a new line; only the cut text is kept.
    pub(super) fn begin(&mut self) {
        *self = EditorState { cut: std::mem::take(&mut self.cut), ..EditorState::default() };
    }

    pub(super) fn view(&self, prompt: &str) -> View {
        let prompt = match &self.search {
            None => prompt.to_owned(),
            Some(search) => {
                let failed =
                    if search.found.is_some() || search.wanted.is_empty() { "" } else { "failed " };
                let wanted = String::from_utf8_lossy(&bytes_of(&search.wanted)).into_owned();
                format!("({failed}search) '{wanted}': ")
            }
        };
        View { prompt, text: self.buffer.text().to_vec(), cursor: self.buffer.cursor() }
    }

    /// Returns the text before the cursor.
    pub(super) fn before(&self) -> Vec<u8> {
        bytes_of(self.buffer.before())
    }

    /// Applies a key. `past` are the lines of the history, oldest first.
    pub(super) fn key(&mut self, key: Key, past: &[Vec<u8>]) -> EditorStep {
        self.undecided &= key == Key::Tab;
        if self.search.is_some() {
            match self.search_key(key, past) {
                None => return EditorStep::Continue,
                Some(key) => return self.edit(key, past),
            }
        }
        self.edit(key, past)
    }

    fn edit(&mut self, key: Key, past: &[Vec<u8>]) -> EditorStep {
        match key {
            Key::Enter => return EditorStep::Done(bytes_of(self.buffer.text())),
            Key::Tab => return EditorStep::Complete,
            Key::Control(c) => return self.control(c, past),
            Key::Alt(c) => self.alt(c),
            Key::Char(c) => self.buffer.insert([c]),
            Key::Paste(chars) => self.buffer.insert(chars),
            Key::Backspace => self.buffer.delete_left(),
            Key::Delete => self.buffer.delete_right(),
            Key::Left => self.buffer.left(),
            Key::Right => self.buffer.right(),
            Key::Home => self.buffer.home(),
            Key::End => self.buffer.end(),
            Key::WordLeft => self.buffer.word_left(),
            Key::WordRight => self.buffer.word_right(),
            Key::Up => self.older(past),
            Key::Down => self.newer(past),
            Key::Escape => {}
        }
        EditorStep::Continue
    }

    fn control(&mut self, c: char, past: &[Vec<u8>]) -> EditorStep {
        match c {
            'c' => return EditorStep::Dropped,
            'd' if self.buffer.text().is_empty() => return EditorStep::EndOfInput,
            'l' => return EditorStep::Clear,
            'z' => return EditorStep::Stop,
            'a' => self.buffer.home(),
            'b' => self.buffer.left(),
            'd' => self.buffer.delete_right(),
            'e' => self.buffer.end(),
            'f' => self.buffer.right(),
            'k' => self.cut = self.buffer.cut_to_end(),
            'n' => self.newer(past),
            'p' => self.older(past),
            'r' => self.begin_search(),
            't' => self.buffer.transpose(),
            'u' => self.cut = self.buffer.cut_to_start(),
            'w' => self.cut = self.buffer.cut_word_left(Word::Visible),
            'y' => self.buffer.insert(self.cut.clone()),
            _ => {}
        }
        EditorStep::Continue
    }

    fn alt(&mut self, c: char) {
        match c {
            'b' => self.buffer.word_left(),
            'f' => self.buffer.word_right(),
            'd' => self.cut = self.buffer.cut_word_right(),
            '\x7f' => self.cut = self.buffer.cut_word_left(Word::Letters),
            _ => {}
        }
    }
}

/// History.
impl EditorState {
    fn older(&mut self, past: &[Vec<u8>]) {
        let shown = self.browsing.as_ref().map_or(past.len(), |(shown, _)| *shown);
        if let Some(older) = shown.checked_sub(1) {
            self.show(older, past);
        }
    }

    fn newer(&mut self, past: &[Vec<u8>]) {
        match self.browsing.take() {
            Some((shown, typed)) if shown + 1 >= past.len() => self.buffer = typed,
            Some((shown, typed)) => {
                self.browsing = Some((shown, typed));
                self.show(shown + 1, past);
            }
            None => {}
        }
    }

    fn show(&mut self, index: usize, past: &[Vec<u8>]) {
        let Some(line) = past.get(index) else { return };
        let typed = match self.browsing.take() {
            Some((_, typed)) => typed,
            None => self.buffer.clone(),
        };
        self.browsing = Some((index, typed));
        self.buffer = Buffer::new(chars_of(line));
    }

    fn begin_search(&mut self) {
        let before = self.buffer.clone();
        self.search = Some(Search { wanted: Vec::new(), found: None, before });
    }

    /// Processes a key during a search. Returns the key if it ends the search and has a further
    /// effect.
    fn search_key(&mut self, key: Key, past: &[Vec<u8>]) -> Option<Key> {
        let search = self.search.as_mut()?;
        match key {
            Key::Control('r') => {
                let from = search.found.unwrap_or(past.len());
                self.find(from, past);
            }
            Key::Char(c) => {
                search.wanted.push(c);
                let from = search.found.map_or(past.len(), |found| found + 1);
                self.find(from, past);
            }
            Key::Backspace => {
                search.wanted.pop();
                self.find(past.len(), past);
            }
            Key::Control('c' | 'g') | Key::Escape => {
                self.buffer = std::mem::take(&mut search.before);
                self.search = None;
            }
            key => {
                self.search = None;
                return Some(key);
            }
        }
        None
    }

    /// Shows the newest line before `from` that contains the search text.
    fn find(&mut self, from: usize, past: &[Vec<u8>]) {
        let Some(search) = &mut self.search else { return };
        if search.wanted.is_empty() {
            search.found = None;
            self.buffer = search.before.clone();
            return;
        }
        let older = past.iter().take(from).enumerate().rev();
        let found = older.map(|(index, line)| (index, chars_of(line))).find_map(|(index, line)| {
            let at = line.windows(search.wanted.len()).rposition(|part| part == search.wanted)?;
            Some((index, line, at))
        });
        // If there is no older line, the last one that was found remains.
        if let Some((index, line, at)) = found {
            search.found = Some(index);
            let after = line[at..].to_vec();
            let mut buffer = Buffer::new(line[..at].to_vec());
            buffer.insert(after);
            while buffer.cursor() > at {
                buffer.left();
            }
            self.buffer = buffer;
        } else if !self.still_has() {
            self.search.iter_mut().for_each(|search| search.found = None);
        }
    }

    fn still_has(&self) -> bool {
        let wanted = self.search.as_ref().map(|search| search.wanted.as_slice());
        wanted.is_some_and(|wanted| {
            self.buffer.text().windows(wanted.len()).any(|part| part == wanted)
        })
    }
}

impl EditorState {
    /// Inserts the completion. Returns the choices to list if Tab was pressed a second time.
    pub(super) fn complete(&mut self, completion: Completion) -> Vec<String> {
        let before = self.before();
        let start = completion.start.min(before.len());
        if before[start..] != completion.word[..] {
            let start = chars_of(&before[..start]).len();
            self.buffer.replace(start, chars_of(&completion.word));
            self.undecided = false;
        } else if self.undecided {
            return completion.choices;
        }
        self.undecided = !completion.choices.is_empty();
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::Keys;
    use super::*;

    /// Returns the displayed text after these bytes, with the cursor as `|`.
    fn typed_with(past: &[&str], bytes: &str) -> String {
        let past: Vec<Vec<u8>> = past.iter().map(|line| line.as_bytes().to_vec()).collect();
        let (mut keys, mut state) = (Keys::default(), EditorState::default());
        let mut parsed: Vec<Key> = bytes.bytes().filter_map(|byte| keys.byte(byte)).collect();
        parsed.extend(keys.timeout());
        for key in parsed {
            state.key(key, &past);
        }
        let View { text, cursor, .. } = state.view("");
        let (before, after) = text.split_at(cursor);
        format!("{}|{}", before.iter().collect::<String>(), after.iter().collect::<String>())
    }

    fn typed(bytes: &str) -> String {
        typed_with(&[], bytes)
    }

    #[test]
    fn moving() {
        assert_eq!(typed("abc\x01"), "|abc");
        assert_eq!(typed("abc\x01\x05"), "abc|");
        assert_eq!(typed("abc\x1b[D\x02\x06"), "ab|c");
        assert_eq!(typed("abc\x1b[H\x1b[C"), "a|bc");
        assert_eq!(typed("get a/b.c\x1bb"), "get a/b.|c");
        assert_eq!(typed("get a/b.c\x1bb\x1bb\x1b[1;5D"), "get |a/b.c");
        assert_eq!(typed("get a b\x01\x1bf"), "get| a b");
        assert_eq!(typed("a\x1b[D\x1b[D\x1b[Db"), "b|a");
        assert_eq!(typed("a\x1b[C\x1b[C"), "a|");
    }

    #[test]
    fn deleting_and_putting_back() {
        assert_eq!(typed("abc\x7f"), "ab|");
        assert_eq!(typed("\x7f"), "|");
        assert_eq!(typed("abc\x01\x04"), "|bc");
        assert_eq!(typed("abc\x01\x1b[3~\x1b[3~"), "|c");
        assert_eq!(typed("abcd\x02\x02\x0b"), "ab|");
        assert_eq!(typed("abcd\x02\x02\x15"), "|cd");
        assert_eq!(typed("get a/b\x17"), "get |");
        assert_eq!(typed("get a/b\x1b\x7f"), "get a/|");
        assert_eq!(typed("get a/b\x01\x1bd"), "| a/b");
        assert_eq!(typed("one two\x17\x01\x19"), "two|one ");
        assert_eq!(typed("ab\x14"), "ba|");
        assert_eq!(typed("abc\x02\x14"), "acb|");
        assert_eq!(typed("a\x14"), "|a");
    }

    #[test]
    fn a_combining_mark_stays_with_its_character() {
        assert_eq!(typed("e\u{301}x\x02\x02"), "|e\u{301}x");
        assert_eq!(typed("e\u{301}\x7f"), "|");
        assert_eq!(typed("日本\x02"), "日|本");
    }

    #[test]
    fn the_history_is_browsed_and_the_typed_text_is_kept() {
        let past = ["first", "second"];
        assert_eq!(typed_with(&past, "new\x1b[A"), "second|");
        assert_eq!(typed_with(&past, "new\x10\x10\x10"), "first|");
        assert_eq!(typed_with(&past, "new\x10\x10\x0e"), "second|");
        assert_eq!(typed_with(&past, "new\x10\x10\x0e\x0e\x0e"), "new|");
        assert_eq!(typed_with(&past, "\x1b[B"), "|");
    }

    #[test]
    fn the_history_is_searched() {
        let past = ["get one", "put two", "get three", "ls"];
        assert_eq!(typed_with(&past, "x\x12get"), "|get three");
        assert_eq!(typed_with(&past, "x\x12get\x12"), "|get one");
        assert_eq!(typed_with(&past, "x\x12get\x12\x12"), "|get one");
        assert_eq!(typed_with(&past, "x\x12tw\x05!"), "put two!|");
        assert_eq!(typed_with(&past, "x\x12tw\x03"), "x|");
        assert_eq!(typed_with(&past, "x\x12twx\x7f"), "put |two");
        assert_eq!(typed_with(&past, "\x12\x7f\x12"), "|");
    }

    #[test]
    fn what_ends_a_line() {
        let mut state = EditorState::default();
        assert_eq!(state.key(Key::Control('d'), &[]), EditorStep::EndOfInput);
        state.key(Key::Char('a'), &[]);
        assert_eq!(state.key(Key::Control('d'), &[]), EditorStep::Continue);
        assert_eq!(state.key(Key::Control('c'), &[]), EditorStep::Dropped);
        assert_eq!(state.key(Key::Enter, &[]), EditorStep::Done(b"a".to_vec()));
        state.begin();
        assert_eq!(state.before(), b"");
    }

    #[test]
    fn tab_inserts_the_unambiguous_part_and_lists_the_choices() {
        let mut state = EditorState::default();
        "get \u{fc} f".chars().for_each(|c| drop(state.key(Key::Char(c), &[])));
        let choices = || vec!["file-a".to_owned(), "file-b".to_owned()];
        let found = || Completion { start: 7, word: b"file-".to_vec(), choices: choices() };
        state.key(Key::Tab, &[]);
        assert_eq!(state.complete(found()), [] as [&str; 0]);
        assert_eq!(state.before(), "get ü file-".as_bytes());
        state.key(Key::Tab, &[]);
        assert_eq!(state.complete(found()), choices());
        state.key(Key::Char('x'), &[]);
        state.key(Key::Tab, &[]);
        let nothing = Completion { start: 7, word: b"file-x".to_vec(), choices: Vec::new() };
        assert_eq!(state.complete(nothing), [] as [&str; 0]);
    }
}
