//! The options and operands of MIRROR.

use super::plan::Rules;
use crate::args::{Parsed, integer};
use crate::client::error::Error;
use crate::client::options::MOST_CONNECTIONS;
use crate::client::shell::session::Session;
use crate::client::transfer::TransferSettings;

/// The parsed options and operands.
#[derive(Debug, Default)]
pub(super) struct MirrorOptions {
    pub(super) upload: bool,
    pub(super) dry_run: bool,
    pub(super) connections: Option<usize>,
    pub(super) rules: Rules,
    operands: Vec<Vec<u8>>,
}

impl MirrorOptions {
    /// Parses the options and operands.
    ///
    /// # Errors
    /// [`Error::Usage`] for an invalid value.
    pub(super) fn new(options: &Parsed, operands: &[Vec<u8>]) -> Result<MirrorOptions, Error> {
        let globs = |name| -> Vec<Vec<u8>> {
            let values = options.values(name).into_iter();
            values.map(|value| value.as_encoded_bytes().to_vec()).collect()
        };
        let rules = Rules {
            delete: options.switch("delete"),
            only_newer: options.switch("only-newer"),
            follow: options.switch("dereference"),
            include: globs("include"),
            exclude: globs("exclude"),
            times_are_lost: false,
            sizes_are_lost: false,
        };
        Ok(MirrorOptions {
            upload: options.switch("reverse"),
            dry_run: options.switch("dry-run"),
            connections: options.get("parallel", integer(1..=MOST_CONNECTIONS))?,
            rules,
            operands: operands.to_vec(),
        })
    }

    /// Returns the settings of the session, with the number of connections that the words name.
    pub(super) fn transfer_settings(&self, session: &Session) -> TransferSettings {
        let mut settings = session.transfer_settings();
        if let Some(connections) = self.connections {
            settings.transfers.connections = connections;
        }
        settings
    }

    /// Returns the source and the target. The target defaults to the last part of the source.
    pub(super) fn source_and_target(&self) -> (Vec<u8>, Vec<u8>) {
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

#[cfg(test)]
mod tests {
    use super::super::OPTIONS;
    use super::*;
    use crate::args::{PromptOutcome, parse_prompt_words};

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split_whitespace().map(|word| word.as_bytes().to_vec()).collect()
    }

    fn wanted(line: &str) -> Result<MirrorOptions, Error> {
        match parse_prompt_words(OPTIONS, &words(line))? {
            PromptOutcome::Run { options, operands } => MirrorOptions::new(&options, &operands),
            PromptOutcome::Help => panic!("{line} asks for help"),
        }
    }

    #[test]
    fn options_and_operands_are_parsed() {
        let all = wanted("-R --delete --exclude *.o --include=x a b").unwrap();
        assert!(all.upload && all.rules.delete && !all.dry_run && !all.rules.follow);
        assert_eq!(all.rules.exclude, words("*.o"));
        assert_eq!(all.rules.include, words("x"));
        assert_eq!(all.source_and_target(), (b"a".to_vec(), b"b".to_vec()));
        for wrong in ["--frob", "--exclude", "-j 0"] {
            assert!(matches!(wanted(wrong), Err(Error::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn options_of_lftp_are_accepted() {
        let lftp = wanted("-P2 --include-glob=a --exclude-glob b -I c").unwrap();
        assert_eq!((lftp.rules.include, lftp.rules.exclude), (words("a c"), words("b")));
        assert_eq!(lftp.connections, Some(2));
    }

    #[test]
    fn the_target_defaults_to_the_last_part_of_the_source() {
        for (line, source, target) in [
            ("", ".", "."),
            ("/a/b", "/a/b", "b"),
            ("a/b/", "a/b/", "b"),
            ("/", "/", "."),
            ("..", "..", "."),
        ] {
            let ends = wanted(line).unwrap().source_and_target();
            assert_eq!(ends, (source.as_bytes().to_vec(), target.as_bytes().to_vec()));
        }
    }
}
