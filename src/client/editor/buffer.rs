//! A line with a cursor.

use crate::client::output::width::columns;

/// The text that the user edits. The cursor is before a character or at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Buffer {
    text: Vec<char>,
    cursor: usize,
}

/// The characters that form a word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Letters and digits.
    Letters,
    /// All characters except whitespace.
    Visible,
}

impl Word {
    fn has(self, c: char) -> bool {
        match self {
            Word::Letters => c.is_alphanumeric(),
            Word::Visible => !c.is_whitespace(),
        }
    }
}

impl Buffer {
    /// Creates a line with the cursor at its end.
    pub(super) fn new(text: Vec<char>) -> Buffer {
        Buffer { cursor: text.len(), text }
    }

    pub(super) fn text(&self) -> &[char] {
        &self.text
    }

    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn before(&self) -> &[char] {
        &self.text[..self.cursor]
    }

    pub(super) fn insert(&mut self, chars: impl IntoIterator<Item = char>) {
        let before = self.text.len();
        self.text.splice(self.cursor..self.cursor, chars);
        self.cursor += self.text.len() - before;
    }

    /// Replaces the text from `start` to the cursor with `chars`.
    pub(super) fn replace(&mut self, start: usize, chars: Vec<char>) {
        self.cut(start.min(self.cursor), self.cursor);
        self.insert(chars);
    }

    /// Removes the text between two positions and returns it.
    fn cut(&mut self, start: usize, end: usize) -> Vec<char> {
        self.cursor = start;
        self.text.drain(start..end).collect()
    }

    pub(super) fn left(&mut self) {
        self.cursor = self.place_left();
    }

    pub(super) fn right(&mut self) {
        self.cursor = self.place_right();
    }

    /// Returns the position of the character to the left; combining marks stay with their base
    /// character.
    fn place_left(&self) -> usize {
        let base = self.before().iter().rposition(|c| columns(*c) > 0);
        base.unwrap_or(0)
    }

    fn place_right(&self) -> usize {
        let marks = self.text.iter().skip(self.cursor + 1).take_while(|c| columns(**c) == 0);
        (self.cursor + 1 + marks.count()).min(self.text.len())
    }

    pub(super) fn home(&mut self) {
        self.cursor = 0;
    }

    pub(super) fn end(&mut self) {
        self.cursor = self.text.len();
    }

    pub(super) fn word_left(&mut self) {
        self.cursor = self.place_word_left(Word::Letters);
    }

    pub(super) fn word_right(&mut self) {
        self.cursor = self.place_word_right();
    }

    fn place_word_left(&self, word: Word) -> usize {
        let inside = self.before().iter().rposition(|c| word.has(*c)).map_or(0, |last| last + 1);
        let gap = self.text[..inside].iter().rposition(|c| !word.has(*c));
        gap.map_or(0, |gap| gap + 1)
    }

    fn place_word_right(&self) -> usize {
        let after = &self.text[self.cursor..];
        let gap = after.iter().take_while(|c| !Word::Letters.has(**c)).count();
        let letters = after.iter().skip(gap).take_while(|c| Word::Letters.has(**c)).count();
        self.cursor + gap + letters
    }

    pub(super) fn delete_left(&mut self) {
        let (start, end) = (self.place_left(), self.cursor);
        self.cut(start, end);
    }

    pub(super) fn delete_right(&mut self) {
        let (start, end) = (self.cursor, self.place_right());
        self.cut(start, end);
    }

    pub(super) fn cut_to_end(&mut self) -> Vec<char> {
        self.cut(self.cursor, self.text.len())
    }

    pub(super) fn cut_to_start(&mut self) -> Vec<char> {
        self.cut(0, self.cursor)
    }

    pub(super) fn cut_word_left(&mut self, word: Word) -> Vec<char> {
        self.cut(self.place_word_left(word), self.cursor)
    }

    pub(super) fn cut_word_right(&mut self) -> Vec<char> {
        let end = self.place_word_right();
        self.cut(self.cursor, end)
    }

    /// Swaps the two characters around the cursor, or the last two if the cursor is at the end.
    pub(super) fn transpose(&mut self) {
        if self.cursor == self.text.len() {
            self.left();
        }
        if self.cursor > 0 && self.cursor < self.text.len() {
            self.text.swap(self.cursor - 1, self.cursor);
            self.right();
        }
    }
}
