//! The names of partial files, which tell what each is a part of.
//!
//! `.NAME.part-` is followed by a digest of the target's name and one of the remote file: its server,
//! user, path, size and time. So the partial file of the same remote file is found by its name alone,
//! and those of others for the same target by the beginning of theirs.

use crate::protocol::Algorithm;
use crate::protocol::digest::Hasher;
use std::ffi::OsStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// The longest part of the target's name that is shown, so that any name leaves room for the rest.
const LONGEST_SHOWN: usize = 48;

/// The mark between the shown part and the digests.
const MARK: &str = ".part-";

/// Digits of the digest of the target's name, and of that of the remote file.
const TARGET_DIGITS: usize = 12;
const FILE_DIGITS: usize = 20;

/// The remote file that a partial file is a part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client) struct PartOf {
    /// The server, the user and the path there.
    origin: Vec<u8>,
    size: Option<u64>,
    /// In seconds since 1970, because MLSD and MDTM do not always agree about fractions.
    modified: Option<u64>,
    is_text: bool,
}

impl PartOf {
    /// Names the remote file at `origin`, with what is known of its size and time.
    pub(in crate::client) fn new(
        origin: Vec<u8>,
        size: Option<u64>,
        modified: Option<SystemTime>,
    ) -> PartOf {
        let modified = modified.map(seconds);
        PartOf { origin, size, modified, is_text: false }
    }

    /// Names the same file in TYPE A: its lines end here otherwise, so no part of it is continued.
    pub(in crate::client) fn in_text(self) -> PartOf {
        PartOf { is_text: true, ..self }
    }

    /// Names the same file with another size and time.
    pub(super) fn changed(&self, size: Option<u64>, modified: Option<SystemTime>) -> PartOf {
        PartOf { size, modified: modified.map(seconds), ..self.clone() }
    }

    /// Returns whether what is known of both shows that they are different files.
    pub(super) fn differs_from(&self, other: &PartOf) -> bool {
        let differ = |one: Option<u64>, other: Option<u64>| {
            one.zip(other).is_some_and(|(one, other)| one != other)
        };
        self.origin != other.origin
            || differ(self.size, other.size)
            || differ(self.modified, other.modified)
    }

    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    pub(super) fn is_text(&self) -> bool {
        self.is_text
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Returns how the names of all partial files begin that are to become `target`.
pub(super) fn beginning(target: &OsStr) -> String {
    let mut shown = String::from(".");
    let name = target.to_string_lossy();
    for c in name.chars().take_while(|c| *c != char::REPLACEMENT_CHARACTER) {
        if shown.len() + c.len_utf8() > LONGEST_SHOWN {
            break;
        }
        shown.push(c);
    }
    let digest = short_digest(&[b"mt_ftp", target.as_encoded_bytes()], TARGET_DIGITS);
    format!("{shown}{MARK}{digest}")
}

/// Returns the name of the partial file of `of` that is to become `target`.
pub(super) fn partial_name(target: &OsStr, of: &PartOf) -> String {
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let kind: &[u8] = if of.is_text { b"text" } else { b"bytes" };
    let (size, modified) = (number(of.size), number(of.modified));
    let parts = [&of.origin, size.as_bytes(), modified.as_bytes(), kind];
    format!("{}{}", beginning(target), short_digest(&parts, FILE_DIGITS))
}

/// Returns the name of the partial file that is used if `before` others of this name are being written.
pub(super) fn numbered(name: &str, before: usize) -> String {
    if before == 0 { name.to_owned() } else { format!("{name}-{before}") }
}

/// Returns whether a name is that of a partial file.
pub(in crate::client) fn is_partial(name: &[u8]) -> bool {
    let at = name.windows(MARK.len()).rposition(|window| window == MARK.as_bytes());
    let Some((shown, end)) = at.and_then(|at| name.split_at_checked(at)) else { return false };
    let digits = &end[MARK.len()..];
    let Some((digest, number)) = digits.split_at_checked(TARGET_DIGITS + FILE_DIGITS) else {
        return false;
    };
    let is_number =
        |digits: &[u8]| !digits.is_empty() && digits.iter().all(|digit| digit.is_ascii_digit());
    shown.starts_with(b".")
        && digest.iter().all(u8::is_ascii_hexdigit)
        && (number.is_empty() || number.strip_prefix(b"-").is_some_and(is_number))
}

/// Returns the first digits of the SHA-256 of these parts, each with its length before it. The names
/// of files outlive the process, so they hold a digest that every build computes alike.
fn short_digest(parts: &[&[u8]], digits: usize) -> String {
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
    use std::time::Duration;

    fn part(origin: &str, size: u64, modified: u64) -> PartOf {
        let modified = UNIX_EPOCH + Duration::from_secs(modified);
        PartOf::new(origin.into(), Some(size), Some(modified))
    }

    #[test]
    fn the_names_of_partial_files_are_known_again_and_no_others() {
        for target in ["a", "é.part-", &"x".repeat(200)] {
            let name = partial_name(OsStr::new(target), &part("h:21\na", 1, 2));
            for name in [name.clone(), numbered(&name, 9)] {
                assert!(is_partial(name.as_bytes()) && name.len() < 100, "{name}");
                assert!(name.starts_with(&beginning(OsStr::new(target))));
                assert!(!is_partial(&name.as_bytes()[1..]), "{name}");
            }
            for other in [format!("{name}0"), format!("{name}-"), format!("{name}-a")] {
                assert!(!is_partial(other.as_bytes()), "{other}");
            }
        }
        for name in [".a.part-0123456789abcdef", ".part-", "", ".a.part-0"] {
            assert!(!is_partial(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn every_difference_gives_another_name() {
        let target = OsStr::new("a");
        let one = part("h:21\na", 1, 2);
        let others = [
            part("h:22\na", 1, 2),
            part("h:21\nb", 1, 2),
            part("h:21\na", 2, 2),
            part("h:21\na", 1, 1),
            one.clone().in_text(),
            PartOf::new(b"h:21\na".into(), None, None),
        ];
        for other in others {
            assert_ne!(partial_name(target, &one), partial_name(target, &other), "{other:?}");
        }
        let name = partial_name(target, &one);
        assert_ne!(name, partial_name(OsStr::new("A"), &one));
        assert_eq!(
            name,
            partial_name(
                target,
                &one.changed(Some(1), None)
                    .changed(Some(1), Some(UNIX_EPOCH + Duration::from_millis(2_900)),)
            )
        );
    }

    #[test]
    fn every_build_gives_the_same_names() {
        let name = partial_name(OsStr::new("a"), &part("h:21\na", 1, 2));
        assert_eq!(name, ".a.part-9cb759198a2f40eab65b932dc4926bcc");
    }
}
