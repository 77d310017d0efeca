//! The progress of transfers: one line that is redrawn, and a summary at the end.

use super::width::{fitting_end, width_of};
use crate::sys::terminal_width;
use crate::text::{scaled, shown};
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The time between two redraws; people cannot follow more than ten a second.
const REDRAW: Duration = Duration::from_millis(100);
/// The width of a terminal that does not report one, in columns.
const USUAL_WIDTH: u16 = 80;
/// The number of columns that the name keeps in a narrow terminal.
const SHORTEST_NAME: usize = 8;
/// The width of the shortest bar in columns.
const SHORTEST_BAR: usize = 10;
/// The width of the longest bar in columns.
const LONGEST_BAR: usize = 60;
/// The width of the narrowest terminal with a bar, in columns.
const WIDTH_WITH_BAR: usize = 50;
/// The width of the `^C` that a terminal echoes when Ctrl-C is pressed.
const ECHO: usize = 2;
/// The number of columns at the end of the line that remain free: one more than the echo, because
/// some terminals wrap when a row is full.
const FREE: usize = 1 + ECHO;

/// The number of columns that the progress line occupies; 0 if it is not drawn. All transfers share
/// one line, and other output removes it first.
static DRAWN: AtomicUsize = AtomicUsize::new(0);

/// Returns the text that removes the line from the terminal; empty if it is not drawn.
pub(super) fn erasure() -> String {
    match DRAWN.swap(0, Ordering::Relaxed) {
        0 => String::new(),
        drawn => {
            let columns = (drawn + ECHO).min(width().saturating_sub(1)).max(drawn);
            format!("\r{:columns$}\r", "")
        }
    }
}

/// The destination of the progress line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) enum ProgressOutput {
    /// Standard error, which is a terminal.
    Terminal,
    /// No output.
    Nowhere,
}

/// The progress of one transfer. It removes its line when it is dropped.
pub(in crate::client) struct Progress {
    name: String,
    total: Option<u64>,
    started: Instant,
    /// The number of bytes that existed before this transfer.
    before: u64,
    /// The time of the next redraw; `None` if there is no output.
    due: Option<Instant>,
}

impl Progress {
    /// Creates the progress of a transfer of `name` that begins now.
    pub(in crate::client) fn new(
        name: &[u8],
        total: Option<u64>,
        drawn: ProgressOutput,
    ) -> Progress {
        let started = Instant::now();
        let due = (drawn == ProgressOutput::Terminal).then_some(started);
        Progress { name: shown(name), total, started, before: 0, due }
    }

    /// Records that `before` bytes already exist, of `total` bytes in all.
    pub(in crate::client) fn resume(&mut self, before: u64, total: Option<u64>) {
        (self.before, self.total) = (before, total);
    }

    /// Records that `moved` bytes have moved so far, and redraws the line if it is time.
    pub(in crate::client) fn moved(&mut self, moved: u64) {
        let now = Instant::now();
        // A transfer that is complete with its first piece needs no line.
        if self.due.is_some_and(|due| due <= now) && self.total != Some(moved) {
            self.due = Some(now + REDRAW);
            let counts = ByteCounts { before: self.before, moved, total: self.total };
            draw(&line(&self.name, counts, now - self.started, width()));
        }
    }

    /// Removes the line until it is drawn again.
    pub(in crate::client) fn clear(&mut self) {
        if self.due.is_some() {
            let _ = io::stderr().write_all(erasure().as_bytes());
        }
    }
}

fn draw(line: &str) {
    let columns = width_of(line);
    // The line is padded to the width of the previous one, so that nothing of that remains, unless
    // the terminal has become narrower.
    let before = DRAWN.load(Ordering::Relaxed);
    let drawn = before.max(columns).min(width().saturating_sub(1)).max(columns);
    DRAWN.store(drawn, Ordering::Relaxed);
    let blanks = drawn - columns;
    // If the terminal is gone, the line is lost without an error.
    let _ = write!(io::stderr().lock(), "\r{line}{:blanks$}", "");
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The bytes of a transfer: those that existed before, those that it moved, and the total.
#[derive(Clone, Copy)]
struct ByteCounts {
    before: u64,
    moved: u64,
    total: Option<u64>,
}

/// The progress of many transfers at once: one line for all.
pub(in crate::client) struct BatchProgress {
    progress: Progress,
    files: usize,
    done: usize,
    moved: u64,
}

impl BatchProgress {
    /// Creates the progress for this number of files, and of bytes if that is known.
    pub(in crate::client) fn new(
        files: usize,
        total: Option<u64>,
        drawn: ProgressOutput,
    ) -> BatchProgress {
        BatchProgress { progress: Progress::new(b"", total, drawn), files, done: 0, moved: 0 }
    }

    /// Records that more bytes have moved.
    pub(in crate::client) fn moved(&mut self, more: u64) {
        self.moved += more;
        self.progress.name = format!("{} of {} files", self.done, self.files);
        self.progress.moved(self.moved);
    }

    /// Records that one more file is finished.
    pub(in crate::client) fn file_ended(&mut self) {
        self.done += 1;
        self.moved(0);
    }

    /// Removes the line, so that a message can be printed.
    pub(in crate::client) fn clear(&mut self) {
        self.progress.clear();
    }
}

fn width() -> usize {
    terminal_width().unwrap_or(USUAL_WIDTH).into()
}

fn line(name: &str, counts: ByteCounts, elapsed: Duration, width: usize) -> String {
    let bar = bar_columns(width);
    let width = width.saturating_sub(FREE);
    // In a narrow terminal the bar is left out first, then the rate.
    let fits = |numbers: &String| width_of(numbers) + SHORTEST_NAME <= width;
    let forms = [(bar, Rate::Shown), (0, Rate::Shown), (0, Rate::Hidden)];
    let mut forms = forms.map(|(bar, rate)| numbers(counts, elapsed, bar, rate)).into_iter();
    let shortest = forms.next_back().unwrap_or_default();
    let numbers = forms.find(fits).unwrap_or(shortest);
    let room = width.saturating_sub(width_of(&numbers));
    let mut line = format!("{}{numbers}", shortened(name, room.max(SHORTEST_NAME)));
    while width_of(&line) > width {
        line.pop();
    }
    line
}

/// The display of the rate and the remaining time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rate {
    Shown,
    Hidden,
}

/// Returns the width of the bar in columns; 0 means no bar. In a terminal of more than 80 columns,
/// half of the additional columns go to the bar, and half to the name.
fn bar_columns(width: usize) -> usize {
    match width {
        ..WIDTH_WITH_BAR => 0,
        _ => (SHORTEST_BAR + width.saturating_sub(USUAL_WIDTH.into()) / 2).min(LONGEST_BAR),
    }
}

fn numbers(counts: ByteCounts, elapsed: Duration, columns: usize, shown: Rate) -> String {
    let ByteCounts { before, moved, total } = counts;
    let rate = match shown {
        Rate::Shown => format!("  {}", rate(moved, elapsed)),
        Rate::Hidden => String::new(),
    };
    let here = before.saturating_add(moved);
    match total.filter(|total| *total >= here && *total > 0) {
        Some(total) => {
            let percent = u128::from(here) * 100 / u128::from(total);
            let left = match shown {
                Rate::Shown => format!("  {}", time_left(moved, total - here, elapsed)),
                Rate::Hidden => String::new(),
            };
            let (bar, total) = (bar(here, total, columns), amount(total as f64));
            format!("  {bar}{percent:3}%  {} of {total}{rate}{left}", amount(here as f64))
        }
        None => format!("  {}{rate}", amount(here as f64)),
    }
}

/// Returns a bar such as `[####    ] `.
fn bar(here: u64, total: u64, columns: usize) -> String {
    if columns == 0 {
        return String::new();
    }
    let full = (u128::from(here) * columns as u128 / u128::from(total)) as usize;
    format!("[{:columns$}] ", "#".repeat(full))
}

/// Shortens a name at its beginning, because its end is more informative.
fn shortened(name: &str, room: usize) -> String {
    if width_of(name) <= room {
        return name.to_owned();
    }
    format!("…{}", fitting_end(name, room.saturating_sub(1)))
}

pub(super) fn rate(moved: u64, elapsed: Duration) -> String {
    // The limit of one microsecond avoids a division by zero.
    format!("{}/s", amount(moved as f64 / elapsed.as_secs_f64().max(1e-6)))
}

pub(super) fn amount(bytes: f64) -> String {
    let (number, unit) = scaled(bytes);
    // A fixed number of decimals keeps the columns of the line in place.
    let digits = usize::from(unit != "B");
    format!("{number:.digits$} {unit}")
}

fn time_left(moved: u64, left: u64, elapsed: Duration) -> String {
    if moved == 0 {
        return "--:--".to_owned();
    }
    let seconds = (elapsed.as_secs_f64() * left as f64 / moved as f64).ceil() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes:02}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn counts(before: u64, moved: u64, total: Option<u64>) -> ByteCounts {
        ByteCounts { before, moved, total }
    }

    #[test]
    fn a_line_shows_progress_rate_and_remaining_time() {
        let second = Duration::from_secs(1);
        assert_eq!(
            line("a.iso", counts(0, 3 * MIB, Some(12 * MIB)), second, 80),
            "a.iso  [##        ]  25%  3.0 MiB of 12.0 MiB  3.0 MiB/s  00:03"
        );
        assert_eq!(
            line("a.iso", counts(6 * MIB, 3 * MIB, Some(12 * MIB)), second, 80),
            "a.iso  [#######   ]  75%  9.0 MiB of 12.0 MiB  3.0 MiB/s  00:01"
        );
        assert_eq!(line("a.iso", counts(0, 512, None), second, 80), "a.iso  512 B  512 B/s");
        assert_eq!(time_left(1, 7201, second), "2:00:01");
    }

    #[test]
    fn the_bar_grows_with_the_terminal_and_goes_before_the_rate() {
        let (counts, second) = (counts(0, 3 * MIB, Some(12 * MIB)), Duration::from_secs(1));
        let line = |width| line("a.iso", counts, second, width);
        let bar =
            |full: usize, blank: usize| format!("[{}{}]", "#".repeat(full), " ".repeat(blank));
        let (done, speed) = (" 25%  3.0 MiB of 12.0 MiB", "  3.0 MiB/s  00:03");
        assert_eq!(line(200), format!("a.iso  {} {done}{speed}", bar(15, 45)));
        assert_eq!(line(80), format!("a.iso  {} {done}{speed}", bar(2, 8)));
        assert_eq!(line(60), format!("a.iso  {done}{speed}"));
        assert_eq!(line(40), format!("a.iso  {done}"));
    }

    #[test]
    fn a_line_fits_the_terminal_and_shows_the_end_of_the_name() {
        let name = "a-very-long-name-of-a-file.tar.gz";
        let (counts, second) = (counts(0, 3 * MIB, Some(12 * MIB)), Duration::from_secs(1));
        for width in 0..100 {
            for name in [name, &"漢字".repeat(20)] {
                let line = line(name, counts, second, width);
                assert!(width_of(&line) <= width.saturating_sub(FREE), "{width}: {line}");
            }
        }
        assert_eq!(shortened(name, 8), "….tar.gz");
        assert_eq!(shortened("漢字漢字", 6), "…漢字");
    }

    #[test]
    fn numbers_of_every_size_have_a_form() {
        for total in [None, Some(0), Some(1), Some(u64::MAX)] {
            for moved in [0, 1, u64::MAX] {
                for (columns, shown) in [(0, Rate::Hidden), (10, Rate::Shown)] {
                    numbers(counts(0, moved, total), Duration::ZERO, columns, shown);
                    numbers(counts(1, moved, total), Duration::MAX, columns, shown);
                }
            }
        }
        let all = [0, 1023, 1024, MIB, MIB << 20, u64::MAX].map(|bytes| amount(bytes as f64));
        assert_eq!(all, ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "1.0 TiB", "16.0 EiB"]);
    }
}
