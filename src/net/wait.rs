//! Waiting with a deadline, alone or with an eye on what may end the wait.

use crate::sys::{Handle, Interest, PollItem, poll};
use std::io;
use std::time::{Duration, Instant};

/// Waits until one of the items is ready.
///
/// # Errors
/// `TimedOut` once the deadline has passed.
pub fn wait(items: &mut [PollItem<'_>], deadline: Option<Instant>) -> io::Result<()> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if poll(items, left)? > 0 {
            return Ok(());
        }
        if left == Some(Duration::ZERO) {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
}

/// The moment `patience` from now; `None`, which is never, where the clock cannot hold it.
pub fn deadline(patience: Duration) -> Option<Instant> {
    Instant::now().checked_add(patience)
}

/// The first of two moments; `None` is never.
pub fn sooner(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    [one, other].into_iter().flatten().min()
}

/// A moment moved by this time.
pub fn later(moment: Option<Instant>, by: Duration) -> Option<Instant> {
    moment?.checked_add(by)
}

/// Whether a moment has passed; `None`, which is never, has not.
pub fn has_passed(moment: Option<Instant>) -> bool {
    moment.is_some_and(|moment| moment <= Instant::now())
}

/// Who must be listened to while a data connection is waited for or moves.
///
/// The server's is the control connection (ABOR, STAT) and the shutdown; the client's is Ctrl-C.
pub trait Attention {
    /// What to wait for besides the data connection.
    fn items(&self) -> [PollItem<'_>; 2];

    /// Called when one of the items is ready, and now and then while data flows without a pause.
    /// `moved` is how many bytes have gone so far.
    fn attend(&mut self, moved: u64) -> Verdict;

    /// Called after each piece that moved, for progress; must be cheap.
    fn moved(&mut self, total: u64) {
        let _ = total;
    }

    /// How many bytes may move next, asked before each piece; must be cheap.
    ///
    /// # Errors
    /// None may before this moment.
    fn allowance(&mut self) -> Result<usize, Instant> {
        Ok(usize::MAX)
    }
}

/// What an [`Attention`] decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Continue,
    /// Break off.
    Stop,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The next call will not wait.
    Ready,
    /// The [`Attention`] said stop.
    Stopped,
    /// The deadline passed.
    TimedOut,
}

/// Waits for `handle`, listening to `attention` meanwhile.
///
/// # Errors
/// What the system says of the poll itself.
pub fn wait_with(
    handle: Handle<'_>,
    interest: Interest,
    deadline: Option<Instant>,
    moved: u64,
    attention: &mut impl Attention,
) -> io::Result<Waited> {
    attending(deadline, moved, attention, |[first, second]| {
        let mut items = [PollItem::new(handle, interest), first, second];
        wait(&mut items, deadline)?;
        let [own, others @ ..] = items;
        Ok([own.ready(), others.iter().any(PollItem::ready)])
    })
}

/// [`wait_with`] for any of several things.
///
/// # Errors
/// The same.
pub fn wait_for_any<'a>(
    wanted: impl Fn() -> Vec<PollItem<'a>>,
    deadline: Option<Instant>,
    moved: u64,
    attention: &mut impl Attention,
) -> io::Result<Waited> {
    attending(deadline, moved, attention, |called| {
        let mut items = wanted();
        let own = items.len();
        items.extend(called);
        wait(&mut items, deadline)?;
        Ok([&items[..own], &items[own..]].map(|some| some.iter().any(PollItem::ready)))
    })
}

/// Polls what is wanted and what the attention waits for, until something that is wanted is ready.
/// `poll` gives whether either is, or `TimedOut`.
fn attending<A: Attention>(
    deadline: Option<Instant>,
    moved: u64,
    attention: &mut A,
    poll: impl Fn([PollItem<'_>; 2]) -> io::Result<[bool; 2]>,
) -> io::Result<Waited> {
    loop {
        let [ready, called] = match poll(attention.items()) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(Waited::TimedOut),
            other => other?,
        };
        if called && attention.attend(moved) == Verdict::Stop {
            return Ok(Waited::Stopped);
        }
        if ready {
            return Ok(Waited::Ready);
        }
        // Also who never stops to talk meets the deadline.
        if has_passed(deadline) {
            return Ok(Waited::TimedOut);
        }
    }
}
