//! What files are called that are not whole, and which of them nobody will ever finish.
//!
//! A client that is killed leaves what it was writing. Whoever comes next to the same directory removes
//! that, and nothing else: the name must be one that only this program makes up, which holds a digest
//! of itself; nobody may hold the file, as who writes it does (flock, which ends with the process); and
//! it must have stood still for longer than transfers do, for there are network file systems that do
//! not tell one machine what another holds. Where files cannot be held so, nothing is removed.

use crate::protocol::Algorithm;
use crate::protocol::digest::Hasher;
use crate::sys::name_bytes;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, Hasher as _, RandomState};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How much of the target's name its hidden file shows, so that any name leaves room for the rest.
const LONGEST_SHOWN: usize = 48;

/// What stands between that and the number.
const MARK: &str = ".part-";

/// How long an abandoned file stands still before it is removed.
const ABANDONED: Duration = Duration::from_secs(10 * 60);

/// Whether a name is that of a file of ours that is not whole.
pub(in crate::client) fn is_partial(name: &[u8]) -> bool {
    cut(name).is_some_and(|(_, end)| is_number(end) || end.starts_with(b"of-"))
}

/// `.NAME.part-` and a number nobody can guess.
pub(super) fn hidden_name(target: &Path) -> io::Result<String> {
    let visible = visible_name(target)?;
    // std's only source of random numbers.
    let random = RandomState::new().build_hasher().finish() as u32;
    let digest = digest(visible.as_bytes(), &format!("{random:08x}"));
    Ok(format!("{visible}{MARK}{random:08x}{digest}"))
}

/// `.` and as much of the name as leaves room for more.
pub(super) fn visible_name(target: &Path) -> io::Result<String> {
    let not_a_file = || io::Error::new(ErrorKind::InvalidInput, "not the name of a file");
    // Path::file_name overlooks a `/` at the end.
    let ends = target.as_os_str().as_encoded_bytes().last().copied().map(char::from);
    let name = target.file_name().filter(|_| !ends.is_some_and(std::path::is_separator));
    let name = name.ok_or_else(not_a_file)?.to_string_lossy();
    let mut shown = String::from(".");
    for c in name.chars().take_while(|c| *c != char::REPLACEMENT_CHARACTER) {
        if shown.len() + c.len_utf8() > LONGEST_SHOWN {
            break;
        }
        shown.push(c);
    }
    Ok(shown)
}

/// Holds the file that was made at `path`, which says to others that it is being written; whether it
/// is still there.
pub(super) fn hold(file: &File, path: &Path) -> bool {
    // What is locked there nobody else could write, not even we by another handle.
    if cfg!(windows) {
        return true;
    }
    // Before it was held somebody may have taken it for abandoned.
    let is_taken = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
    !is_taken && fs::symlink_metadata(path).is_ok()
}

/// Removes what nobody will finish in a directory. `now` is what the clock of its file system says.
pub(super) fn remove_abandoned(dir: &Path, now: SystemTime) {
    if cfg!(windows) {
        return;
    }
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        if is_made_up(&name_bytes(&entry.file_name())) {
            // One that cannot be removed stays, as it would have without us.
            let _ = remove_if_abandoned(&entry.path(), now);
        }
    }
}

fn remove_if_abandoned(path: &Path, now: SystemTime) -> io::Result<()> {
    // No link is followed, nor anything opened that could wait for somebody.
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(());
    }
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let still = now.duration_since(file.metadata()?.modified()?).unwrap_or_default();
    if still >= ABANDONED && file.try_lock().is_ok() { fs::remove_file(path) } else { Ok(()) }
}

/// Whether a name can be nothing but one of [`hidden_name`].
fn is_made_up(name: &[u8]) -> bool {
    let Some((visible, number)) = cut(name) else { return false };
    let Some((random, told)) = number.split_at_checked(8) else { return false };
    let Ok(random) = str::from_utf8(random) else { return false };
    visible.len() <= LONGEST_SHOWN
        && is_number(number)
        && told == digest(visible, random).as_bytes()
}

/// What a name shows, and what stands behind the mark.
fn cut(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = name.windows(MARK.len()).rposition(|window| window == MARK.as_bytes())?;
    let (visible, end) = name.split_at(at);
    visible.starts_with(b".").then(|| (visible, &end[MARK.len()..]))
}

fn is_number(end: &[u8]) -> bool {
    end.len() == 16 && end.iter().all(u8::is_ascii_hexdigit)
}

/// Returns the digest that only this program puts behind a random number.
fn digest(visible: &[u8], random: &str) -> String {
    short_digest(&[b"mt_ftp", visible, random.as_bytes()], 8)
}

/// Returns the first digits of the SHA-256 of these parts, each with its length before it. The names
/// of files outlive the process, so they hold a digest that every build computes alike.
pub(super) fn short_digest(parts: &[&[u8]], digits: usize) -> String {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let mut digest = hasher.finish();
    digest.truncate(digits);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_made_up_are_known_again_and_no_others() {
        for name in ["a", "é.part-", &"x".repeat(200)] {
            let hidden = hidden_name(Path::new(name)).unwrap();
            assert!(is_made_up(hidden.as_bytes()) && is_partial(hidden.as_bytes()), "{hidden}");
            let other = hidden.replacen('.', ".y", 1);
            assert!(!is_made_up(other.as_bytes()) && is_partial(other.as_bytes()), "{other}");
            assert!(!is_made_up(&hidden.as_bytes()[1..]) && !is_partial(&hidden.as_bytes()[1..]));
            assert!(!is_made_up([hidden.as_bytes(), b"0"].concat().as_slice()));
            assert!(!is_made_up(hidden.to_uppercase().as_bytes()));
        }
        for name in [".a.part-0123456789abcdef", ".a.part-of-0-0-0", ".part-", "", ".a.part-0"] {
            assert!(!is_made_up(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn every_build_gives_the_same_names() {
        assert!(is_made_up(b".a.part-012345670d17a107"));
        assert_eq!(short_digest(&[b"h:21\na", b"b"], 16), "d7ba87ec0e21504c");
    }
}
