//! Waiting with a limit, signals, and random data.

use super::wire::Peer;
use std::net::SocketAddr;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

/// The time limit for all waits, long because the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Sends a signal by its name, for which std has no function.
pub fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
}

/// Connects until a session is admitted, because the slot of an ended session may not be free yet.
pub fn connect_when_admitted(address: SocketAddr) -> Peer {
    let mut place = None;
    eventually("a free session", || {
        let mut peer = Peer::connect(address);
        place = (peer.hear().code == 220).then_some(peer);
        place.is_some()
    });
    place.unwrap()
}

/// The longest wait for a program that may hash a new password: 600,000 rounds take three to five seconds
/// of processor time in a debug build.
pub const HASHING_PATIENCE: Duration = Duration::from_secs(100);

/// The pause between two checks of a condition, which leaves the processors to the programs.
const PAUSE: Duration = Duration::from_millis(1);

/// Waits until the condition holds; fails after [`PATIENCE`].
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        thread::park_timeout(PAUSE);
    }
}

/// Checks all cases at the same time, because each of them mostly waits.
pub fn at_once<T: Send>(cases: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}

/// Runs these tests at the same time, each on a thread with its name.
pub fn run_together(tests: &[(&str, fn())]) {
    thread::scope(|scope| {
        for (name, test) in tests {
            thread::Builder::new().name((*name).into()).spawn_scoped(scope, test).unwrap();
        }
    });
}

/// Defines one test that runs several tests at the same time, because they mostly wait for a
/// timeout or a pause between tries. The output names the one that fails.
macro_rules! together {
    ($name:ident: $($test:ident)*) => {
        #[test]
        fn $name() {
            $crate::support::run_together(&[$((stringify!($test), $test)),*]);
        }
    };
}
pub(crate) use together;

/// Returns this many bytes without a repeating pattern; each `seed` gives other bytes.
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
