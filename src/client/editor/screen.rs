//! Draws the line on a terminal, over several rows if necessary.
//!
//! Rows are ended explicitly, because terminals differ in when they wrap. Only sequences that
//! every terminal knows are sent: cursor up, down and right, clear the line or the screen.

use super::state::View;
use crate::client::output::width::{drawn, width_of};

/// The current content of the terminal.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// The number of used columns in each row.
    rows: Vec<usize>,
    /// The row and the column of the cursor.
    cursor: (usize, usize),
}

impl Screen {
    /// Returns the bytes that turn the current content into `view`.
    pub(super) fn draw(&mut self, view: &View, width: usize) -> Vec<u8> {
        // A wide character needs two columns.
        let width = width.max(2);
        let mut out = self.to_start(width);
        let mut page = Page { width, text: String::new(), rows: vec![0] };
        view.prompt.chars().for_each(|c| page.put(c));
        let mut cursor = page.place();
        for (index, c) in view.text.iter().enumerate() {
            page.put(*c);
            if index + 1 == view.cursor {
                cursor = page.place();
            }
        }
        // The cursor after a full row is at the start of the next one.
        if cursor.1 >= width {
            if cursor.0 + 1 == page.rows.len() {
                page.next_row();
            }
            cursor = (cursor.0 + 1, 0);
        }
        out += &page.text;
        out += "\x1b[J";
        out += &moved(page.rows.len() - 1 - cursor.0, cursor.1);
        *self = Screen { rows: page.rows, cursor };
        out.into_bytes()
    }

    /// Returns the bytes that move the cursor below the line.
    pub(super) fn leave(&mut self) -> Vec<u8> {
        let below = self.rows.len().saturating_sub(1).saturating_sub(self.cursor.0);
        *self = Screen::default();
        let down = if below > 0 { format!("\x1b[{below}B") } else { String::new() };
        format!("{down}\r\n").into_bytes()
    }

    /// Returns the bytes that clear the terminal.
    pub(super) fn clear(&mut self) -> Vec<u8> {
        *self = Screen::default();
        b"\x1b[H\x1b[2J".to_vec()
    }

    /// Returns the bytes that move to the first column of the first row. If the
    /// terminal became narrower, it has wrapped the rows.
    fn to_start(&self, width: usize) -> String {
        let above = self.rows.iter().take(self.cursor.0);
        let broken: usize = above.map(|row| row.saturating_sub(1) / width + 1).sum();
        let up = broken + self.cursor.1.saturating_sub(1) / width;
        if up > 0 { format!("\r\x1b[{up}A") } else { "\r".to_owned() }
    }
}

fn moved(up: usize, column: usize) -> String {
    let mut moves = "\r".to_owned();
    if up > 0 {
        moves += &format!("\x1b[{up}A");
    }
    if column > 0 {
        moves += &format!("\x1b[{column}C");
    }
    moves
}

/// Rows under construction.
struct Page {
    width: usize,
    text: String,
    rows: Vec<usize>,
}

impl Page {
    fn put(&mut self, c: char) {
        let (text, columns) = drawn(c);
        if self.place().1 + columns > self.width {
            self.next_row();
        }
        self.text += &text;
        if let Some(row) = self.rows.last_mut() {
            *row += columns;
        }
    }

    fn next_row(&mut self) {
        // In a full row there is nothing to clear, and some terminals would clear its last column.
        if self.place().1 < self.width {
            self.text += "\x1b[K";
        }
        self.text += "\r\n";
        self.rows.push(0);
    }

    fn place(&self) -> (usize, usize) {
        (self.rows.len() - 1, self.rows.last().copied().unwrap_or(0))
    }
}

/// Arranges choices in columns, as `ls` arranges names.
pub(super) fn columns_of(choices: &[String], width: usize) -> String {
    let cell = choices.iter().map(|choice| width_of(choice)).max().unwrap_or(0) + 2;
    let across = (width / cell.max(1)).max(1);
    let down = choices.len().div_ceil(across);
    let mut out = String::new();
    for row in 0..down {
        let mut gap = 0;
        for choice in choices.iter().skip(row).step_by(down.max(1)) {
            out += &" ".repeat(gap);
            out += choice;
            gap = cell - width_of(choice);
        }
        out += "\r\n";
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(text: &str, cursor: usize) -> View {
        View { prompt: "> ".to_owned(), text: text.chars().collect(), cursor }
    }

    fn draw(screen: &mut Screen, text: &str, cursor: usize, width: usize) -> String {
        String::from_utf8(screen.draw(&view(text, cursor), width)).unwrap()
    }

    #[test]
    fn a_line_that_fits_stays_in_its_row() {
        let mut screen = Screen::default();
        assert_eq!(draw(&mut screen, "abc", 3, 20), "\r> abc\x1b[J\r\x1b[5C");
        assert_eq!(draw(&mut screen, "ab", 0, 20), "\r> ab\x1b[J\r\x1b[2C");
    }

    #[test]
    fn a_line_that_does_not_fit_continues_on_the_next_row() {
        let mut screen = Screen::default();
        assert_eq!(draw(&mut screen, "abcd", 4, 5), "\r> abc\r\nd\x1b[J\r\x1b[1C");
        assert_eq!(draw(&mut screen, "abcd", 1, 5), "\r\x1b[1A> abc\r\nd\x1b[J\r\x1b[1A\x1b[3C");
        assert_eq!(screen.leave(), b"\x1b[1B\r\n");
    }

    #[test]
    fn the_cursor_after_a_full_row_is_on_the_next() {
        let mut screen = Screen::default();
        assert_eq!(draw(&mut screen, "abc", 3, 5), "\r> abc\r\n\x1b[J\r");
    }

    #[test]
    fn a_wide_character_is_not_cut_in_two() {
        let mut screen = Screen::default();
        assert_eq!(draw(&mut screen, "a日日", 3, 6), "\r> a日\x1b[K\r\n日\x1b[J\r\x1b[2C");
    }

    #[test]
    fn a_narrower_terminal_has_broken_the_rows() {
        let mut screen = Screen::default();
        draw(&mut screen, "abcdefgh", 8, 20);
        assert!(draw(&mut screen, "abcdefgh", 8, 5).starts_with("\r\x1b[1A> abc"));
    }

    #[test]
    fn characters_that_move_the_cursor_are_drawn_as_escapes() {
        let mut screen = Screen::default();
        assert_eq!(draw(&mut screen, "\u{1b}\u{9b}", 2, 30), "\r> ^[\\u{9b}\x1b[J\r\x1b[10C");
    }

    #[test]
    fn choices_are_shown_in_columns() {
        let choices = ["a", "bb", "日本", "d"].map(str::to_owned);
        assert_eq!(columns_of(&choices, 13), "a     日本\r\nbb    d\r\n");
        assert_eq!(columns_of(&choices, 1), "a\r\nbb\r\n日本\r\nd\r\n");
    }
}
