//! Names of files: which words can be sent as names, which names from a server are safe as local
//! file names, and which names the local file system treats as equal.
//!
//! The rules depend on the operating system, but those of all systems are compiled and tested
//! everywhere.

use super::error::Error;
use crate::protocol::Name;
use std::ffi::OsStr;
use std::path::{Component, Path};

/// True if the file systems of this operating system usually ignore case.
const FOLDS: bool = cfg!(any(windows, target_os = "macos"));

/// Returns the word as a name that can be sent to a server.
pub(super) fn parse_name(word: &[u8]) -> Result<Name, Error> {
    Name::new(word).ok_or_else(|| Error::BadName(word.to_vec()))
}

/// Returns whether a name can only mean a file in one directory.
pub(super) fn is_plain(name: &OsStr) -> bool {
    let mut parts = Path::new(name).components();
    let is_part = parts.next() == Some(Component::Normal(name)) && parts.next().is_none();
    is_part && (!cfg!(windows) || is_plain_on_windows(&name.to_string_lossy()))
}

/// Returns the name in the form in which the file system compares it: many ignore case.
pub(super) fn folded(path: &Path) -> String {
    match FOLDS {
        true => folded_case(path.as_os_str().as_encoded_bytes()),
        // Names that are not UTF-8 must stay different.
        false => path.as_os_str().as_encoded_bytes().escape_ascii().to_string(),
    }
}

/// Converts the case twice, because a letter whose upper-case form is another letter may have a
/// third one as lower-case form. A byte that is not UTF-8 becomes a NUL and two hexadecimal digits, so
/// that different bytes stay different; no name contains NUL.
fn folded_case(name: &[u8]) -> String {
    let fold = |text: &str| text.to_uppercase().to_lowercase();
    let bytes = |bytes: &[u8]| bytes.iter().map(|byte| format!("\0{byte:02x}")).collect::<String>();
    name.utf8_chunks().map(|chunk| fold(chunk.valid()) + &bytes(chunk.invalid())).collect()
}

/// Returns whether Windows takes a name literally. It takes some names for devices, whatever
/// follows a dot, and others for streams of a file, and it drops dots and spaces at the end, so
/// that two names become one.
fn is_plain_on_windows(name: &str) -> bool {
    let is_forbidden = |c: char| c.is_control() || r#"<>:"/\|?*"#.contains(c);
    let stem = name.split('.').next().unwrap_or_default().trim_end_matches(' ');
    !name.contains(is_forbidden) && !name.ends_with(['.', ' ']) && !is_device(stem)
}

fn is_device(stem: &str) -> bool {
    const DEVICES: &[&str] = &["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    let stem = stem.to_uppercase();
    let numbered = ["COM", "LPT"].iter().find_map(|port| stem.strip_prefix(port));
    // Windows treats the superscripts as digits.
    let is_digit = |rest: &str| {
        let mut chars = rest.chars();
        chars.next().is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c))
            && chars.next().is_none()
    };
    DEVICES.contains(&stem.as_str()) || numbered.is_some_and(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_part_of_a_path() {
        for name in ["a", " ", "-rf", "|cmd", "!cmd", "~", "a\nb", "..."]
            .into_iter()
            .filter(|_| !cfg!(windows))
        {
            assert!(is_plain(OsStr::new(name)), "{name}");
        }
        for name in ["", ".", "..", "a/b", "/a", "a/", "./a", "../a"] {
            assert!(!is_plain(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn names_with_another_meaning_on_windows_are_refused_there() {
        for name in [
            "CON", "con.txt", "Nul", "aux .c", "COM1", "lpt9.x.y", "COM¹", "conin$", "C:", "C:a",
            "a:b", "a\\b", "..\\a", "a.", "a ", "a?", "a*", "|a", "<a", "a\"", "a\tb", "...",
        ] {
            assert!(!is_plain_on_windows(name), "{name}");
        }
        for name in ["console", "COM", "COM10", "a.con", "nul1", "a b", ".a", "a.b.c", "é"] {
            assert!(is_plain_on_windows(name), "{name}");
        }
    }

    #[test]
    fn names_that_differ_only_in_case_are_equal_if_the_system_ignores_case() {
        for (one, other) in [("README", "readme"), ("É", "é"), ("ς", "Σ"), ("ſ", "S")] {
            assert_eq!(folded_case(one.as_bytes()), folded_case(other.as_bytes()));
            assert_eq!(folded(Path::new(one)) == folded(Path::new(other)), FOLDS);
        }
        for (one, other) in [(&b"a"[..], &b"b"[..]), (b"\xe4", b"\xf6"), (b"a\xc4", b"a\xe4")] {
            assert_ne!(folded_case(one), folded_case(other), "{}", one.escape_ascii());
        }
    }
}
