//! Refusals of a server that takes nothing at all, which are told of in one line and end the mirror.
//!
//! Refusals in the same words are held back until something succeeds or fails otherwise; then each is
//! told of. If nothing does, one line stands for all of them.

use super::plan::above;
use crate::client::error::Error;
use crate::protocol::Reply;
use std::collections::BTreeSet;

/// After how many refusals in the same words a mirror ends, if they are not about one directory alone.
const ENOUGH: usize = 3;

/// The refusals of a mirror so far.
#[derive(Default)]
pub(super) struct Refusals {
    /// Those in the same words, with the paths that they are about.
    held: Vec<(Vec<u8>, Reply)>,
    /// The directories that the paths are in.
    dirs: BTreeSet<Vec<u8>>,
    /// Something succeeded, or failed otherwise.
    is_over: bool,
}

/// What follows a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is told of like any other failure.
    Tell,
    /// It is told of later.
    Hold,
    /// The server takes nothing.
    GiveUp,
}

impl Refusals {
    /// Notes that the server refused for good to take something at a path.
    pub(super) fn refused(&mut self, path: &[u8], reply: &Reply) -> Verdict {
        let is_new = self
            .held
            .first()
            .is_some_and(|(before, said)| !are_alike((before, said), (path, reply)));
        if self.is_over || is_new {
            return Verdict::Tell;
        }
        self.held.push((path.to_vec(), reply.clone()));
        self.dirs.insert(above(path).last().unwrap_or_default().to_vec());
        let is_root_closed = self.dirs.len() > 1 || self.dirs.contains(&b""[..]);
        match self.held.len() >= ENOUGH && is_root_closed {
            true => Verdict::GiveUp,
            false => Verdict::Hold,
        }
    }

    /// Notes that something succeeded, or failed otherwise; returns what was held back.
    pub(super) fn is_over(&mut self) -> Vec<(Vec<u8>, Reply)> {
        self.is_over = true;
        std::mem::take(&mut self.held)
    }

    /// Returns the first refusal that nobody was told of, and how many are like it.
    pub(super) fn untold(&mut self) -> Option<(Vec<u8>, Error, usize)> {
        let more = self.held.len().saturating_sub(1);
        let (path, reply) = std::mem::take(&mut self.held).into_iter().next()?;
        Some((path, Error::Refused(reply), more))
    }
}

/// Returns whether two refusals have the same words, but for the names that they are about.
fn are_alike(one: (&[u8], &Reply), other: (&[u8], &Reply)) -> bool {
    let [(one, one_says), (other, other_says)] =
        [one, other].map(|(path, reply)| (last_part(path), reply.to_string()));
    let words = one_says.split(' ').zip(other_says.split(' '));
    let mut same =
        words.map(|(word, its)| word == its || (word.contains(&one) && its.contains(&other)));
    one_says == other_says
        || (one_says.split(' ').count() == other_says.split(' ').count() && same.all(|same| same))
}

fn last_part(path: &[u8]) -> String {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Code;

    fn refused(refusals: &mut Refusals, path: &str, words: &str) -> Verdict {
        let reply = Reply::new(Code::UNAVAILABLE, words.as_bytes().to_vec());
        refusals.refused(path.as_bytes(), &reply)
    }

    #[test]
    fn a_root_that_takes_nothing_is_given_up() {
        for (paths, last) in [
            (["a", "b", "c"], Verdict::GiveUp),
            (["a", "b/x", "b/y"], Verdict::GiveUp),
            (["a/x", "a/y", "b/z"], Verdict::GiveUp),
            // One directory alone may be closed.
            (["a/x", "a/y", "a/z"], Verdict::Hold),
        ] {
            let mut refusals = Refusals::default();
            let verdicts = paths.map(|path| refused(&mut refusals, path, "not a chance"));
            assert_eq!(verdicts, [Verdict::Hold, Verdict::Hold, last], "{paths:?}");
            let mut refusals = Refusals::default();
            let named = |path| refused(&mut refusals, path, &format!("/up/{path}: not a chance"));
            assert_eq!(paths.map(named), [Verdict::Hold, Verdict::Hold, last], "{paths:?}");
        }
    }

    #[test]
    fn a_success_and_other_words_end_the_holding() {
        let mut refusals = Refusals::default();
        assert_eq!(refused(&mut refusals, "a", "no"), Verdict::Hold);
        assert_eq!(refused(&mut refusals, "b", "not so"), Verdict::Tell);
        assert_eq!(refusals.is_over().len(), 1);
        for path in ["c", "d", "e"] {
            assert_eq!(refused(&mut refusals, path, "no"), Verdict::Tell);
        }
        assert!(refusals.untold().is_none());
    }

    #[test]
    fn one_line_stands_for_all_that_were_held() {
        let mut refusals = Refusals::default();
        for path in ["a/x", "a/y"] {
            refused(&mut refusals, path, "no");
        }
        let (path, error, more) = refusals.untold().unwrap();
        assert_eq!((path, error.to_string(), more), (b"a/x".to_vec(), "550 no".to_owned(), 1));
    }
}
