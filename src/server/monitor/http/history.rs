//! The last minutes, a sample a second, and how fast each transfer is just now.
//!
//! One thread takes the samples and shows them, so nothing here is locked. Transfers are looked at
//! one by one only while somebody looks at the page.

use crate::server::Server;
use crate::server::monitor::sessions::Traffic;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// How many samples are kept: five minutes.
pub const MOST_SAMPLES: usize = 300;

/// How far they are apart.
const EVERY: Duration = Duration::from_secs(1);

/// For how long after a page was made somebody is taken to look at it.
const WATCHED: Duration = Duration::from_secs(15);

/// What went on in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Bytes a second from clients.
    pub received: f64,
    /// Bytes a second to them.
    pub sent: f64,
    /// Sessions at its end.
    pub sessions: usize,
}

/// The samples.
#[derive(Debug)]
pub struct History {
    samples: VecDeque<Sample>,
    last: Instant,
    traffic: Traffic,
    watched: Option<Instant>,
    paces: HashMap<u64, Pace>,
}

/// How fast a session's transfer is.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Which transfer: one begins at no other moment.
    began: Instant,
    moved: u64,
    rate: f64,
}

impl History {
    /// Empty.
    pub fn new(now: Instant) -> History {
        History {
            samples: VecDeque::new(),
            last: now,
            traffic: Traffic::default(),
            watched: None,
            paces: HashMap::new(),
        }
    }

    /// When the next sample is due.
    pub fn next(&self) -> Instant {
        self.last + EVERY
    }

    /// Takes the sample if it is due.
    pub fn take(&mut self, server: &Server, now: Instant) {
        if now < self.next() {
            return;
        }
        let seconds = now.duration_since(self.last).as_secs_f64();
        let traffic = server.session_list.traffic();
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        if self.samples.len() == MOST_SAMPLES {
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
            Some(at) if now.duration_since(at) < WATCHED => self.pace(server, seconds),
            _ => self.paces = HashMap::new(),
        }
    }

    fn pace(&mut self, server: &Server, seconds: f64) {
        let before = std::mem::take(&mut self.paces);
        for entry in server.session_list.all() {
            let Some(began) = entry.moves_since() else { continue };
            let moved = entry.moved();
            let known = before.get(&entry.number).filter(|pace| pace.began == began);
            let rate = match known {
                // A quarter of it new, so that it neither jumps nor lags for long.
                Some(pace) => {
                    let latest = moved.saturating_sub(pace.moved) as f64 / seconds;
                    pace.rate * 0.75 + latest * 0.25
                }
                None => average(moved, began),
            };
            self.paces.insert(entry.number, Pace { began, moved, rate });
        }
    }

    /// Somebody looks at the page.
    pub fn watch(&mut self, now: Instant) {
        self.watched = Some(now);
    }

    /// Bytes a second of a session's transfer that `began` then: lately, or since its beginning.
    pub fn rate(&self, session: u64, began: Instant, moved: u64) -> f64 {
        let pace = self.paces.get(&session).filter(|pace| pace.began == began);
        pace.map_or_else(|| average(moved, began), |pace| pace.rate)
    }

    /// The samples, the oldest first.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = &Sample> {
        self.samples.iter()
    }

    /// The last of them.
    pub fn latest(&self) -> Sample {
        self.samples.back().copied().unwrap_or_default()
    }
}

/// Bytes a second since the beginning; of the first moments too little is known.
fn average(moved: u64, began: Instant) -> f64 {
    const SHORTEST: f64 = 0.1;
    moved as f64 / began.elapsed().as_secs_f64().max(SHORTEST)
}
