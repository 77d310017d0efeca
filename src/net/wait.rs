//! Waiting with a deadline, optionally with hooks that can end the wait.

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

/// Returns the time `timeout` from now, or `None` (never) if the clock cannot represent it.
pub fn deadline(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

/// Returns the earlier of two times; `None` means never.
pub fn sooner(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    [one, other].into_iter().flatten().min()
}

/// Returns the time plus a duration; `None` means never.
pub fn later(moment: Option<Instant>, by: Duration) -> Option<Instant> {
    moment?.checked_add(by)
}

/// Returns whether the time has passed; `None` means never.
pub fn has_passed(moment: Option<Instant>) -> bool {
    moment.is_some_and(|moment| moment <= Instant::now())
}

/// Callbacks of a wait for a data connection or of a transfer over it.
///
/// The server's implementation watches the control connection (ABOR, STAT) and the shutdown; the client's watches for
/// Ctrl-C.
pub trait TransferHooks {
    /// Returns what to poll besides the data connection.
    fn items(&self) -> [PollItem<'_>; 2];

    /// Called when one of the items is ready, and regularly while data moves without a wait. `moved` is the number of
    /// bytes moved so far.
    fn check(&mut self, moved: u64) -> Verdict;

    /// Called after each piece that has moved, for progress. Must be cheap.
    fn moved(&mut self, total: u64) {
        let _ = total;
    }

    /// Returns the number of bytes that may move next. Called before each piece; must be cheap.
    ///
    /// # Errors
    /// Returns the time at which to ask again if no bytes may move yet.
    fn allowance(&mut self) -> Result<usize, Instant> {
        Ok(usize::MAX)
    }
}

/// The decision of [`TransferHooks::check`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Continue the wait or the transfer.
    Continue,
    /// End it.
    Stop,
}

/// The result of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The next call will not block.
    Ready,
    /// The hooks stopped the wait.
    Stopped,
    /// The deadline passed.
    TimedOut,
}

/// Waits for `handle`, calling `hooks` while it waits.
///
/// # Errors
/// Fails if the poll fails.
pub fn wait_with(
    handle: Handle<'_>,
    interest: Interest,
    deadline: Option<Instant>,
    moved: u64,
    hooks: &mut impl TransferHooks,
) -> io::Result<Waited> {
    wait_with_hooks(deadline, moved, hooks, |[first, second]| {
        let mut items = [PollItem::new(handle, interest), first, second];
        wait(&mut items, deadline)?;
        let [own, others @ ..] = items;
        Ok([own.ready(), others.iter().any(PollItem::ready)])
    })
}

/// Like [`wait_with`], but waits for any of several items.
///
/// # Errors
/// Fails if the poll fails.
pub fn wait_for_any<'a>(
    wanted: impl Fn() -> Vec<PollItem<'a>>,
    deadline: Option<Instant>,
    moved: u64,
    hooks: &mut impl TransferHooks,
) -> io::Result<Waited> {
    wait_with_hooks(deadline, moved, hooks, |hook_items| {
        let mut items = wanted();
        let own = items.len();
        items.extend(hook_items);
        wait(&mut items, deadline)?;
        Ok([&items[..own], &items[own..]].map(|part| part.iter().any(PollItem::ready)))
    })
}

/// Polls the caller's items and those of the hooks until one of the caller's is ready. `poll` returns whether any of
/// the caller's, and any of the hooks' items, is ready, or fails with `TimedOut`.
fn wait_with_hooks<A: TransferHooks>(
    deadline: Option<Instant>,
    moved: u64,
    hooks: &mut A,
    poll: impl Fn([PollItem<'_>; 2]) -> io::Result<[bool; 2]>,
) -> io::Result<Waited> {
    loop {
        let [ready, hook_ready] = match poll(hooks.items()) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(Waited::TimedOut),
            other => other?,
        };
        if hook_ready && hooks.check(moved) == Verdict::Stop {
            return Ok(Waited::Stopped);
        }
        if ready {
            return Ok(Waited::Ready);
        }
        // A peer that sends without a pause must not delay the deadline.
        if has_passed(deadline) {
            return Ok(Waited::TimedOut);
        }
    }
}
