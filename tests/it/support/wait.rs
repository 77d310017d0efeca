//! Waiting that ends, signals, and bytes to send.

use super::wire::Peer;
use std::net::SocketAddr;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before the test fails: much, since the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Sends a signal by its name, which std cannot.
pub fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
}

/// Connects until there is a place: a session that ended may not be counted out yet.
pub fn comes_in(address: SocketAddr) -> Peer {
    let mut place = None;
    eventually("a place", || {
        let mut peer = Peer::connect(address);
        place = (peer.hear().code == 220).then_some(peer);
        place.is_some()
    });
    place.unwrap()
}

/// The pause between two looks at a condition: long enough to leave the processors to the programs.
const PAUSE: Duration = Duration::from_millis(1);

/// Waits until the condition holds, and fails once patience is at its end.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::park_timeout(PAUSE);
    }
}

/// Checks all cases at the same time, because each of them waits for something.
pub fn at_once<T: Send>(cases: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}

/// Runs these tests at the same time, each on a thread of its name.
pub fn run_together(tests: &[(&str, fn())]) {
    thread::scope(|scope| {
        for (name, test) in tests {
            thread::Builder::new().name((*name).into()).spawn_scoped(scope, test).unwrap();
        }
    });
}

/// Makes one test of several that mostly wait, for a timeout or a pause between two tries, and runs
/// them at the same time. A failure names the one that failed.
macro_rules! together {
    ($name:ident: $($test:ident)*) => {
        #[test]
        fn $name() {
            $crate::support::run_together(&[$((stringify!($test), $test)),*]);
        }
    };
}
pub(crate) use together;

/// Returns this many bytes without a pattern that a mistake could repeat, for each `seed` others.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length.next_multiple_of(8)];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for piece in bytes.chunks_exact_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        piece.copy_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
