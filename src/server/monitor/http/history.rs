//! The history of the last minutes, with one sample per second, and the current rate of each
//! transfer.
//!
//! One thread takes and shows the samples, so no lock is needed. The rates of transfers are
//! sampled only while the page is viewed.

use crate::server::Server;
use crate::server::monitor::sessions::Traffic;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// The number of samples: five minutes.
pub const MAX_SAMPLES: usize = 300;

/// The time between two samples.
const EVERY: Duration = Duration::from_secs(1);

/// The time after a request for the page during which the rates of transfers are sampled.
const WATCHED: Duration = Duration::from_secs(15);

/// A sample of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// The rate of bytes from clients, per second.
    pub received: f64,
    /// The rate of bytes to clients, per second.
    pub sent: f64,
    /// The number of sessions at the end of the second.
    pub sessions: usize,
}

/// The samples and the current rates.
#[derive(Debug)]
pub struct History {
    samples: VecDeque<Sample>,
    last: Instant,
    traffic: Traffic,
    watched: Option<Instant>,
    rates: HashMap<u64, TransferRate>,
}

/// The rate of a session's transfer.
#[derive(Clone, Copy, Debug)]
struct TransferRate {
    /// The start of the transfer, which identifies it within its session.
    began: Instant,
    moved: u64,
    rate: f64,
}

impl History {
    /// Creates an empty history.
    pub fn new(now: Instant) -> History {
        History {
            samples: VecDeque::new(),
            last: now,
            traffic: Traffic::default(),
            watched: None,
            rates: HashMap::new(),
        }
    }

    /// Returns the time of the next sample.
    pub fn next(&self) -> Instant {
        self.last + EVERY
    }

    /// Takes a sample if it is due.
    pub fn take(&mut self, server: &Server, now: Instant) {
        if now < self.next() {
            return;
        }
        let seconds = now.duration_since(self.last).as_secs_f64();
        let traffic = server.session_list.traffic();
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        if self.samples.len() == MAX_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample {
            received: rate(traffic.received, self.traffic.received),
            sent: rate(traffic.sent, self.traffic.sent),
            sessions: server.session_limits.count(),
        });
        self.traffic = traffic;
        self.last = now;
        match self.watched {
            Some(at) if now.duration_since(at) < WATCHED => self.sample_rates(server, seconds),
            _ => self.rates = HashMap::new(),
        }
    }

    fn sample_rates(&mut self, server: &Server, seconds: f64) {
        let before = std::mem::take(&mut self.rates);
        for entry in server.session_list.all() {
            let Some(began) = entry.transfer_started() else { continue };
            let moved = entry.moved();
            let known = before.get(&entry.number).filter(|sampled| sampled.began == began);
            let rate = match known {
                // A weight of 1/4 for the latest value smooths the rate without a long lag.
                Some(sampled) => {
                    let latest = moved.saturating_sub(sampled.moved) as f64 / seconds;
                    sampled.rate * 0.75 + latest * 0.25
                }
                None => average(moved, began),
            };
            self.rates.insert(entry.number, TransferRate { began, moved, rate });
        }
    }

    /// Records that the page was requested.
    pub fn record_request(&mut self, now: Instant) {
        self.watched = Some(now);
    }

    /// Returns the rate of a session's transfer that started at `began`, in bytes per second:
    /// recently if it was sampled, otherwise on average.
    pub fn rate(&self, session: u64, began: Instant, moved: u64) -> f64 {
        let sampled = self.rates.get(&session).filter(|sampled| sampled.began == began);
        sampled.map_or_else(|| average(moved, began), |sampled| sampled.rate)
    }

    /// Returns the samples, oldest first.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = &Sample> {
        self.samples.iter()
    }

    /// Returns the last sample.
    pub fn latest(&self) -> Sample {
        self.samples.back().copied().unwrap_or_default()
    }
}

/// Returns the average rate in bytes per second. A minimum duration avoids extreme values in the
/// first moments.
fn average(moved: u64, began: Instant) -> f64 {
    const SHORTEST: f64 = 0.1;
    moved as f64 / began.elapsed().as_secs_f64().max(SHORTEST)
}
