//! How many descriptors the process may have.

use super::abi::{MOST_DESCRIPTORS, RLIMIT_NOFILE, rlimit};
use super::check;
use std::ffi::c_int;

unsafe extern "C" {
    fn getrlimit(resource: c_int, limit: *mut rlimit) -> c_int;
    fn setrlimit(resource: c_int, limit: *const rlimit) -> c_int;
}

/// Allows the process as many descriptors as the system lets it have, and gives how many that are.
pub fn raise_descriptors() -> u64 {
    let mut limit = rlimit { soft: 0, hard: 0 };
    // SAFETY: `limit` is ours and writable, and laid out as the system has it.
    if check(unsafe { getrlimit(RLIMIT_NOFILE, &mut limit) }).is_err() {
        return u64::MAX;
    }
    let raised = rlimit { soft: limit.hard.min(MOST_DESCRIPTORS), ..limit };
    // SAFETY: `raised` is readable and laid out as the system has it.
    match check(unsafe { setrlimit(RLIMIT_NOFILE, &raised) }) {
        Ok(_) => raised.soft,
        Err(_) => limit.soft,
    }
}
