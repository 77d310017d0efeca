//! What the words after MIRROR mean.

use super::plan::Rules;
use crate::client::error::Error;
use crate::client::escape::shown;
use crate::client::shell::args::{Choice, Chosen, Stand};

/// The options of MIRROR.
#[rustfmt::skip]
pub(in crate::client::shell) static CHOICES: &[Choice] = &[
    Choice { names: &["-R", "--reverse"], value: None,
        help: "send: from here to the server" },
    Choice { names: &["-e", "--delete"], value: None,
        help: "delete what FROM does not have or what is in the way" },
    Choice { names: &["-n", "--only-newer"], value: None,
        help: "leave files that are not newer" },
    Choice { names: &["--dry-run"], value: None,
        help: "print what would be done, and do nothing" },
    Choice { names: &["-I", "--include", "--include-glob"], value: Some("GLOB"),
        help: "only what matches, or in spite of --exclude" },
    Choice { names: &["-X", "--exclude", "--exclude-glob"], value: Some("GLOB"),
        help: "nothing that matches; with a / the whole path" },
    Choice { names: &["-L", "--dereference"], value: None,
        help: "what links lead to, instead of links" },
    Choice { names: &["-j", "--parallel", "-P"], value: Some("N"),
        help: "so many connections, instead of ftp_client's -j" },
    Choice { names: &["-c", "--continue"], value: None,
        help: "accepted: what is left of a file is always used" },
];

/// What the user wants.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) upload: bool,
    pub(super) dry_run: bool,
    pub(super) connections: Option<usize>,
    pub(super) rules: Rules,
    operands: Vec<Vec<u8>>,
}

impl Wanted {
    /// From the words.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub(super) fn parse(words: &[Vec<u8>]) -> Result<Wanted, Error> {
        let chosen = Chosen::new(CHOICES, Stand::Anywhere, words)?;
        let rules = Rules {
            delete: chosen.has("-e"),
            only_newer: chosen.has("-n"),
            follow: chosen.has("-L"),
            include: chosen.values("-I"),
            exclude: chosen.values("-X"),
            times_are_lost: false,
        };
        if chosen.operands.len() > 2 {
            return Err(Error::Usage("expected SOURCE and TARGET alone".to_owned()));
        }
        Ok(Wanted {
            upload: chosen.has("-R"),
            dry_run: chosen.has("--dry-run"),
            connections: chosen.value("-j").map(count).transpose()?,
            rules,
            operands: chosen.operands,
        })
    }

    /// Where from and where to. What is not named is called as the source is, here.
    pub(super) fn ends(&self) -> (Vec<u8>, Vec<u8>) {
        let source = self.operands.first().cloned().unwrap_or_else(|| b".".to_vec());
        let own = || {
            let trimmed = source.strip_suffix(b"/").unwrap_or(&source);
            let last = trimmed.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
            if last.is_empty() || last == b".." { b".".to_vec() } else { last.to_vec() }
        };
        let target = self.operands.get(1).cloned().unwrap_or_else(own);
        (source, target)
    }
}

fn count(word: &[u8]) -> Result<usize, Error> {
    let count = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
    let wrong = || Error::Usage(format!("{}: expected a number from 1 to 64", shown(word)));
    count.filter(|count| (1..=64).contains(count)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split_whitespace().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn words_after_mirror() {
        let wanted = Wanted::parse(&words("-R --delete --exclude *.o --include=x a b")).unwrap();
        assert!(wanted.upload && wanted.rules.delete && !wanted.dry_run && !wanted.rules.follow);
        assert_eq!(wanted.rules.exclude, words("*.o"));
        assert_eq!(wanted.rules.include, words("x"));
        assert_eq!(wanted.ends(), (b"a".to_vec(), b"b".to_vec()));
        for wrong in ["--frob", "a b c", "--exclude", "-j 0"] {
            assert!(matches!(Wanted::parse(&words(wrong)), Err(Error::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn the_target_is_called_as_the_source_is() {
        for (line, source, target) in [
            ("", ".", "."),
            ("/a/b", "/a/b", "b"),
            ("a/b/", "a/b/", "b"),
            ("/", "/", "."),
            ("..", "..", "."),
        ] {
            let ends = Wanted::parse(&words(line)).unwrap().ends();
            assert_eq!(ends, (source.as_bytes().to_vec(), target.as_bytes().to_vec()));
        }
    }
}
