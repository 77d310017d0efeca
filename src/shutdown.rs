//! The word that goes to every thread at once: stop.
//!
//! Threads wait in [`poll`](crate::sys::poll) for their sockets and for this, so nothing sleeps in
//! a loop to look at a flag. There are two stages, because people are in the middle of things:
//! first *drain* (who is idle leaves, transfers go on), then *stop* (transfers end too).

use crate::sys::{Event, Interest, PollItem};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// The two stages of an end, shared by all threads of a program.
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

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Work goes on.
    Running,
    /// Nothing new is begun; what runs may finish.
    Draining,
    /// Everything ends now.
    Stopping,
}

impl Shutdown {
    /// Nothing announced yet.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new() -> io::Result<Shutdown> {
        let shared = Shared { stage: AtomicU8::new(0), drain: Event::new()?, stop: Event::new()? };
        Ok(Shutdown { shared: Arc::new(shared) })
    }

    /// First stage: wakes all who wait for [`Shutdown::draining`].
    pub fn drain(&self) {
        self.shared.stage.fetch_max(1, Ordering::SeqCst);
        self.shared.drain.set();
    }

    /// Second stage: wakes everybody.
    pub fn stop(&self) {
        self.shared.stage.store(2, Ordering::SeqCst);
        self.shared.drain.set();
        self.shared.stop.set();
    }

    /// How far it has come.
    pub fn stage(&self) -> Stage {
        match self.shared.stage.load(Ordering::SeqCst) {
            0 => Stage::Running,
            1 => Stage::Draining,
            _ => Stage::Stopping,
        }
    }

    /// Ready from the first stage on.
    pub fn draining(&self) -> PollItem<'_> {
        PollItem::new(self.shared.drain.handle(), Interest::Read)
    }

    /// Ready from the second stage on.
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
    fn each_stage_wakes_who_waits_for_it_and_stays() {
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
