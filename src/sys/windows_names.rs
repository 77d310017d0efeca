//! Names that Windows does not interpret as a plain file name in the given directory.
//!
//! They are rejected, not escaped: an escaped file would appear in listings under a different name than
//! the client stored.

/// Device names, with or without an extension and spaces before it.
const DEVICES: [&str; 8] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$", "CONERR$"];

/// Ports: device names with a digit, which may be a superscript.
const PORTS: [&str; 2] = ["COM", "LPT"];

/// Returns whether a name has another meaning: a path (`\\`), a drive or a stream of another file
/// (`:`), a pattern, a device, a name whose end the system drops (`a.`, `a `), or the short alias
/// of another file (`PROGRA~1`).
pub(crate) fn is_reserved_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_control() || r#"\/:*?"<>|"#.contains(c);
    let loses_its_end = name.ends_with(['.', ' ']) && name != "." && name != "..";
    name.contains(forbidden) || loses_its_end || is_device(name) || is_short(name)
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let is_port = |port: &&str| {
        let rest = stem.strip_prefix(*port).unwrap_or_default();
        rest.chars().count() == 1 && rest.chars().all(char::is_numeric)
    };
    DEVICES.contains(&stem.as_str()) || PORTS.iter().any(is_port)
}

/// Returns whether a name has the form of a short alias: eight characters that end in `~` and a
/// number, and an extension of at most three.
fn is_short(name: &str) -> bool {
    let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
    let fits = stem.len() <= 8 && extension.len() <= 3 && !extension.contains('.');
    let number = stem.rsplit_once('~').map(|(_, number)| number);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    fits && number.is_some_and(is_number)
}

#[cfg(test)]
mod tests;
