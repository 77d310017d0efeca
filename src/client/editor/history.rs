//! The history of lines, in memory and in a file that several clients share.
//!
//! Only the owner can read the file. It contains one line per entry, and new lines are appended.
//! When it reaches twice its limit, the newer half is written again with the file locked. If the
//! file cannot be read or written, there is no history, without an error. The caller decides which
//! lines must not be saved.

use crate::sys::owner_only;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The maximum number of lines.
const MAX_LINES: usize = 1000;
/// The number of bytes read from the end of the file; more than [`MAX_LINES`] lines usually take.
const MAX_BYTES: u64 = 4 << 20;

/// The history of lines.
pub(in super::super) struct History {
    lines: Vec<Vec<u8>>,
    file: Option<PathBuf>,
}

impl History {
    /// Loads the history from a file.
    pub(in super::super) fn load(file: Option<PathBuf>) -> History {
        let text = file.as_deref().and_then(|file| read(&mut File::open(file).ok()?).ok());
        let lines = lines_of(&text.unwrap_or_default());
        History { lines, file }
    }

    /// Returns the lines, oldest first.
    pub(super) fn lines(&self) -> &[Vec<u8>] {
        &self.lines
    }

    /// Adds a line, unless it is blank or the same as the last one.
    pub(in super::super) fn add(&mut self, line: &[u8]) {
        let blank = line.trim_ascii().is_empty() || line.contains(&b'\n');
        if blank || self.lines.last().is_some_and(|last| last == line) {
            return;
        }
        self.lines.push(line.to_vec());
        if let Some(file) = &self.file {
            let _ = append(file, line);
        }
    }
}

fn lines_of(text: &[u8]) -> Vec<Vec<u8>> {
    let lines: Vec<&[u8]> =
        text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let newest = lines.len().saturating_sub(MAX_LINES);
    lines[newest..].iter().map(|line| line.to_vec()).collect()
}

/// Reads the end of the file, so that a huge file that another program wrote costs little memory.
fn read(file: &mut File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    file.seek(io::SeekFrom::Start(length.saturating_sub(MAX_BYTES)))?;
    let mut text = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut text)?;
    Ok(text)
}

fn append(path: &Path, line: &[u8]) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    owner_only(&mut options);
    let mut file = options.open(path)?;
    // Another client may be shortening the file.
    file.lock()?;
    file.write_all(&[line, b"\n"].concat())?;
    shorten(&mut file)
}

fn shorten(file: &mut File) -> io::Result<()> {
    let text = read(file)?;
    let count = text.iter().filter(|byte| **byte == b'\n').count();
    if count <= 2 * MAX_LINES && (text.len() as u64) < MAX_BYTES {
        return Ok(());
    }
    let mut kept = Vec::new();
    for line in lines_of(&text).iter().rev().take_while({
        let mut room = MAX_BYTES / 4;
        move |line| {
            let fits = line.len() as u64 <= room;
            room = room.saturating_sub(line.len() as u64);
            fits
        }
    }) {
        kept.push(line.clone());
    }
    kept.reverse();
    file.set_len(0)?;
    let text: Vec<u8> = kept.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect();
    file.write_all(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(history: &History) -> Vec<String> {
        history.lines().iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    #[test]
    fn added_lines_are_kept_for_the_next_run() {
        let dir = tempfile::tempdir().unwrap();
        let file = Some(dir.path().join("a/b/history"));
        let mut history = History::load(file.clone());
        ["ls", "ls", " ", "get a", "ls"].iter().for_each(|line| history.add(line.as_bytes()));
        assert_eq!(lines(&history), ["ls", "get a", "ls"]);
        assert_eq!(lines(&History::load(file)), ["ls", "get a", "ls"]);
    }

    #[test]
    fn two_clients_keep_both_histories() {
        let dir = tempfile::tempdir().unwrap();
        let file = Some(dir.path().join("history"));
        let (mut one, mut two) = (History::load(file.clone()), History::load(file.clone()));
        one.add(b"a");
        two.add(b"b");
        one.add(b"c");
        assert_eq!(lines(&History::load(file)), ["a", "b", "c"]);
    }

    #[test]
    fn the_file_has_a_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history");
        let many: String = (0..2 * MAX_LINES).map(|number| format!("line {number}\n")).collect();
        fs::write(&path, many).unwrap();
        let mut history = History::load(Some(path.clone()));
        assert_eq!(history.lines().len(), MAX_LINES);
        history.add(b"the last");
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), MAX_LINES);
        assert!(text.starts_with("line 1001\n") && text.ends_with("line 1999\nthe last\n"));
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history");
        History::load(Some(path.clone())).add(b"ls");
        assert!(!crate::sys::is_accessible_to_others(&fs::metadata(&path).unwrap()));
    }

    #[test]
    fn without_a_file_the_history_is_that_of_this_run() {
        let mut history = History::load(Some("/dev/null/no/history".into()));
        history.add(b"ls");
        assert_eq!(lines(&history), ["ls"]);
    }
}
