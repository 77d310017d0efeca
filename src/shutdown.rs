//! Announces the shutdown to all threads of a program.
//!
//! Threads wait in [`poll`](crate::sys::poll) for their sockets and for the shutdown, so no thread
//! polls a flag in a loop. There are two stages: first *drain* (idle sessions end, transfers
//! continue), then *stop* (transfers end too).

use crate::sys::{Event, Interest, PollItem};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// The two stages of a shutdown, shared by all threads of a program.
#[derive(Clone, Debug)]
pub struct Shutdown {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    stage: AtomicU8,
    drain: Event,
    stop: Event,
}

/// The stage of the shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// No shutdown was announced.
    Running,
    /// No new work begins; running transfers may finish.
    Draining,
    /// All work ends now.
    Stopping,
}

impl Shutdown {
    /// Creates the state before any announcement.
    ///
    /// # Errors
    /// Fails if the process is out of descriptors.
    pub fn new() -> io::Result<Shutdown> {
        let shared = Shared { stage: AtomicU8::new(0), drain: Event::new()?, stop: Event::new()? };
        Ok(Shutdown { shared: Arc::new(shared) })
    }

    /// Announces the first stage, and wakes all threads that wait for [`Shutdown::draining`].
    pub fn drain(&self) {
        self.shared.stage.fetch_max(1, Ordering::SeqCst);
        self.shared.drain.set();
    }

    /// Announces the second stage, and wakes all waiting threads.
    pub fn stop(&self) {
        self.shared.stage.store(2, Ordering::SeqCst);
        self.shared.drain.set();
        self.shared.stop.set();
    }

    /// Returns the current stage.
    pub fn stage(&self) -> Stage {
        match self.shared.stage.load(Ordering::SeqCst) {
            0 => Stage::Running,
            1 => Stage::Draining,
            _ => Stage::Stopping,
        }
    }

    /// Returns an item for `poll` that is ready from the first stage on.
    pub fn draining(&self) -> PollItem<'_> {
        PollItem::new(self.shared.drain.handle(), Interest::Read)
    }

    /// Returns an item for `poll` that is ready from the second stage on.
    pub fn stopping(&self) -> PollItem<'_> {
        PollItem::new(self.shared.stop.handle(), Interest::Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::poll;
    use std::time::Duration;

    #[test]
    fn each_stage_wakes_its_waiting_threads_and_persists() {
        let shutdown = Shutdown::new().unwrap();
        let ready = |item| poll(&mut [item], Some(Duration::ZERO)).unwrap() == 1;
        assert_eq!(shutdown.stage(), Stage::Running);
        assert!(!ready(shutdown.draining()) && !ready(shutdown.stopping()));
        shutdown.drain();
        assert_eq!(shutdown.stage(), Stage::Draining);
        assert!(ready(shutdown.draining()) && ready(shutdown.draining()));
        assert!(!ready(shutdown.stopping()));
        shutdown.stop();
        shutdown.drain();
        assert_eq!(shutdown.stage(), Stage::Stopping);
        assert!(ready(shutdown.stopping()));
    }

    #[test]
    fn many_threads_wake_at_once() {
        let shutdown = Shutdown::new().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| poll(&mut [shutdown.draining()], None).unwrap());
            }
            shutdown.drain();
        });
    }
}
