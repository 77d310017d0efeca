//! The names of partial files, which identify the target and the remote file.
//!
//! `.NAME.part-` is followed by a digest of the target's name and a digest of the remote file: its server,
//! user, path, size and time. So the partial file of a remote file is found by its name alone, and other
//! partial files for the same target by the prefix of theirs.

use crate::protocol::Algorithm;
use crate::protocol::digest::Hasher;
use std::ffi::OsStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// The bytes of the target's name that appear in the name of its partial file, which has to stay within
/// the limit of file names.
const MAX_SHOWN_BYTES: usize = 48;

/// The separator between the target's name and the digests.
const SEPARATOR: &str = ".part-";

/// The digits of the digest of the target's name, and of the remote file.
const TARGET_DIGITS: usize = 12;
const FILE_DIGITS: usize = 20;

/// The identity of the remote file of a partial file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client) struct RemoteIdentity {
    /// The server, user and path.
    origin: Vec<u8>,
    size: Option<u64>,
    /// In seconds since 1970, because the fractions of MLSD and MDTM may differ.
    modified: Option<u64>,
    is_text: bool,
}

impl RemoteIdentity {
    /// Identifies the remote file at `origin`, with its size and time if known.
    pub(in crate::client) fn new(
        origin: Vec<u8>,
        size: Option<u64>,
        modified: Option<SystemTime>,
    ) -> RemoteIdentity {
        let modified = modified.map(seconds);
        RemoteIdentity { origin, size, modified, is_text: false }
    }

    /// Identifies the same file in TYPE A. Its line ends are converted, so it is never continued.
    pub(in crate::client) fn for_ascii(self) -> RemoteIdentity {
        RemoteIdentity { is_text: true, ..self }
    }

    /// Identifies the same file with another size and time.
    pub(super) fn with_facts(
        &self,
        size: Option<u64>,
        modified: Option<SystemTime>,
    ) -> RemoteIdentity {
        RemoteIdentity { size, modified: modified.map(seconds), ..self.clone() }
    }

    /// Returns whether the known facts prove that the files or their versions differ.
    pub(super) fn differs_from(&self, other: &RemoteIdentity) -> bool {
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

/// Returns the common prefix of the names of all partial files for `target`.
pub(super) fn name_prefix(target: &OsStr) -> String {
    let mut shown = String::from(".");
    let name = target.to_string_lossy();
    for c in name.chars().take_while(|c| *c != char::REPLACEMENT_CHARACTER) {
        if shown.len() + c.len_utf8() > MAX_SHOWN_BYTES {
            break;
        }
        shown.push(c);
    }
    let digest = short_digest(&[b"mt_ftp", target.as_encoded_bytes()], TARGET_DIGITS);
    format!("{shown}{SEPARATOR}{digest}")
}

/// Returns the name of the partial file of `of` for `target`.
pub(super) fn partial_name(target: &OsStr, of: &RemoteIdentity) -> String {
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let kind: &[u8] = if of.is_text { b"text" } else { b"bytes" };
    let (size, modified) = (number(of.size), number(of.modified));
    let parts = [&of.origin, size.as_bytes(), modified.as_bytes(), kind];
    format!("{}{}", name_prefix(target), short_digest(&parts, FILE_DIGITS))
}

/// Returns the name to use if other clients are writing the first `before` partial files of this name.
pub(super) fn numbered(name: &str, before: usize) -> String {
    if before == 0 { name.to_owned() } else { format!("{name}-{before}") }
}

/// Returns whether a name is that of a partial file.
pub(in crate::client) fn is_partial(name: &[u8]) -> bool {
    let at = name.windows(SEPARATOR.len()).rposition(|window| window == SEPARATOR.as_bytes());
    let Some((shown, end)) = at.and_then(|at| name.split_at_checked(at)) else { return false };
    let digits = &end[SEPARATOR.len()..];
    let Some((digest, number)) = digits.split_at_checked(TARGET_DIGITS + FILE_DIGITS) else {
        return false;
    };
    let is_number =
        |digits: &[u8]| !digits.is_empty() && digits.iter().all(|digit| digit.is_ascii_digit());
    shown.starts_with(b".")
        && digest.iter().all(u8::is_ascii_hexdigit)
        && (number.is_empty() || number.strip_prefix(b"-").is_some_and(is_number))
}

/// Returns the first digits of the SHA-256 of these parts, each with its length before it. The digest is
/// the same in every build, because the names of files outlive the process.
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

    fn part(origin: &str, size: u64, modified: u64) -> RemoteIdentity {
        let modified = UNIX_EPOCH + Duration::from_secs(modified);
        RemoteIdentity::new(origin.into(), Some(size), Some(modified))
    }

    #[test]
    fn only_names_of_partial_files_are_recognized() {
        for target in ["a", "é.part-", &"x".repeat(200)] {
            let name = partial_name(OsStr::new(target), &part("h:21\na", 1, 2));
            for name in [name.clone(), numbered(&name, 9)] {
                assert!(is_partial(name.as_bytes()) && name.len() < 100, "{name}");
                assert!(name.starts_with(&name_prefix(OsStr::new(target))));
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
            one.clone().for_ascii(),
            RemoteIdentity::new(b"h:21\na".into(), None, None),
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
                &one.with_facts(Some(1), None)
                    .with_facts(Some(1), Some(UNIX_EPOCH + Duration::from_millis(2_900)),)
            )
        );
    }

    #[test]
    fn every_build_gives_the_same_names() {
        let name = partial_name(OsStr::new("a"), &part("h:21\na", 1, 2));
        assert_eq!(name, ".a.part-9cb759198a2f40eab65b932dc4926bcc");
    }
}
