//! Commands of the classic clients that are not offered, and why: who reads an old script should not
//! have to guess.

/// Why a command of this name is not offered.
pub(super) fn why_refused(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(names, _)| names.contains(&name)).map(|(_, why)| *why)
}

static REFUSED: &[(&[&str], &str)] = &[
    (
        &["sunique"],
        "only the server would know the name, and what it has could not be checked; STORE FILE NAME",
    ),
    (&["nmap", "ntrans"], "names stay as they are; RETRIEVE and STORE take a second name"),
    (&["proxy"], "no server is made to connect to another, which hardly any allows"),
    (&["tenex", "ebcdic"], "such machines are gone; there are ASCII and BINARY"),
    (&["restart"], "what breaks off goes on by itself, and what is left with REGET and REPUT"),
    (&["mls", "mdir"], "LIST DIR LOCAL writes one listing at a time"),
    (&["epsv", "epsv4", "epsv6"], "EPSV comes first and PASV where that is refused; see PASSIVE"),
    (&["gate"], "no gateway is spoken to"),
    (&["rate"], "see --rate-limit"),
];

#[cfg(test)]
mod tests {
    use super::super::Row;
    use super::*;

    #[test]
    fn what_is_refused_is_not_offered() {
        for name in REFUSED.iter().flat_map(|(names, _)| names.iter()) {
            let error = Row::find(name.as_bytes()).err().map(|error| error.to_string());
            assert!(error.is_some_and(|text| text.starts_with("not offered: ")), "{name}");
        }
    }
}
