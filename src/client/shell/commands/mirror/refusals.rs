//! Detects a server that refuses every upload, and then ends the mirror with one error.
//!
//! Refusals with the same text are held back until something succeeds or fails otherwise; then each is
//! reported. If nothing does, one line reports all of them.

use super::plan::above;
use crate::client::error::Error;
use crate::protocol::Reply;
use std::collections::BTreeSet;

/// The number of refusals with the same text after which a mirror ends, unless all are in one directory.
const ENOUGH: usize = 3;

/// The refusals of a mirror so far.
#[derive(Default)]
pub(super) struct Refusals {
    /// Refusals with the same text, and their paths.
    held: Vec<(Vec<u8>, Reply)>,
    /// The directories of these paths.
    dirs: BTreeSet<Vec<u8>>,
    /// Something succeeded, or failed otherwise.
    is_over: bool,
}

/// The consequence of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Report it now.
    Report,
    /// Hold it back.
    Defer,
    /// End the mirror: the server refuses everything.
    Abort,
}

impl Refusals {
    /// Records a permanent refusal to store something at a path.
    pub(super) fn refused(&mut self, path: &[u8], reply: &Reply) -> Verdict {
        let is_new = self
            .held
            .first()
            .is_some_and(|(before, said)| !are_alike((before, said), (path, reply)));
        if self.is_over || is_new {
            return Verdict::Report;
        }
        self.held.push((path.to_vec(), reply.clone()));
        self.dirs.insert(above(path).last().unwrap_or_default().to_vec());
        let is_root_closed = self.dirs.len() > 1 || self.dirs.contains(&b""[..]);
        match self.held.len() >= ENOUGH && is_root_closed {
            true => Verdict::Abort,
            false => Verdict::Defer,
        }
    }

    /// Records a success or another failure, and returns the refusals that were held back.
    pub(super) fn is_over(&mut self) -> Vec<(Vec<u8>, Reply)> {
        self.is_over = true;
        std::mem::take(&mut self.held)
    }

    /// Returns the first refusal that was held back and never reported, and the number of the others.
    pub(super) fn take_unreported(&mut self) -> Option<(Vec<u8>, Error, usize)> {
        let more = self.held.len().saturating_sub(1);
        let (path, reply) = std::mem::take(&mut self.held).into_iter().next()?;
        Some((path, Error::Refused(reply), more))
    }
}

/// Returns whether two refusals have the same text, apart from the names of their files.
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
    fn a_mirror_ends_after_enough_equal_refusals() {
        for (paths, last) in [
            (["a", "b", "c"], Verdict::Abort),
            (["a", "b/x", "b/y"], Verdict::Abort),
            (["a/x", "a/y", "b/z"], Verdict::Abort),
            // A single directory may be read-only.
            (["a/x", "a/y", "a/z"], Verdict::Defer),
        ] {
            let mut refusals = Refusals::default();
            let verdicts = paths.map(|path| refused(&mut refusals, path, "not a chance"));
            assert_eq!(verdicts, [Verdict::Defer, Verdict::Defer, last], "{paths:?}");
            let mut refusals = Refusals::default();
            let named = |path| refused(&mut refusals, path, &format!("/up/{path}: not a chance"));
            assert_eq!(paths.map(named), [Verdict::Defer, Verdict::Defer, last], "{paths:?}");
        }
    }

    #[test]
    fn refusals_are_released_by_a_success_or_another_text() {
        let mut refusals = Refusals::default();
        assert_eq!(refused(&mut refusals, "a", "no"), Verdict::Defer);
        assert_eq!(refused(&mut refusals, "b", "not so"), Verdict::Report);
        assert_eq!(refusals.is_over().len(), 1);
        for path in ["c", "d", "e"] {
            assert_eq!(refused(&mut refusals, path, "no"), Verdict::Report);
        }
        assert!(refusals.take_unreported().is_none());
    }

    #[test]
    fn refusals_that_were_held_are_reported_as_one() {
        let mut refusals = Refusals::default();
        for path in ["a/x", "a/y"] {
            refused(&mut refusals, path, "no");
        }
        let (path, error, more) = refusals.take_unreported().unwrap();
        assert_eq!((path, error.to_string(), more), (b"a/x".to_vec(), "550 no".to_owned(), 1));
    }
}
