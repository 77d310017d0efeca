//! How many descriptors and how much memory the process may have.

use super::abi::{
    MAP_ANONYMOUS, MOST_DESCRIPTORS, RLIM_INFINITY, RLIMIT_AS, RLIMIT_NOFILE, rlimit,
};
use super::check;
use std::ffi::{c_int, c_void};
use std::io;
use std::sync::OnceLock;

unsafe extern "C" {
    fn getrlimit(resource: c_int, limit: *mut rlimit) -> c_int;
    fn setrlimit(resource: c_int, limit: *const rlimit) -> c_int;
    fn mmap(
        address: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        fd: c_int,
        offset: i64,
    ) -> *mut c_void;
    fn munmap(address: *mut c_void, length: usize) -> c_int;
}

/// Allows the process as many descriptors as the system lets it have, and gives how many that are.
pub fn raise_descriptors() -> u64 {
    let Some(limit) = limit(RLIMIT_NOFILE) else { return u64::MAX };
    let raised = rlimit { soft: limit.hard.min(MOST_DESCRIPTORS), ..limit };
    // SAFETY: `raised` is readable and laid out as the system has it.
    match check(unsafe { setrlimit(RLIMIT_NOFILE, &raised) }) {
        Ok(_) => raised.soft,
        Err(_) => limit.soft,
    }
}

/// How many threads the process may have before the system gives it no more pieces of memory, which is
/// where std ends the whole program: a thread takes four (its stack, the one that overflows are
/// handled on, and a guard page for each), and one more while it moves a file.
pub fn most_threads() -> usize {
    if cfg!(target_os = "linux") {
        // Where it cannot be seen it is taken for the kernel's default.
        let most = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
        threads_within(most.and_then(|text| text.trim().parse().ok()).unwrap_or(65_530))
    } else {
        usize::MAX
    }
}

/// What a thread needs of so many pieces, besides those of the program itself.
fn threads_within(pieces: usize) -> usize {
    const OTHERS: usize = 1_000;
    const EACH: usize = 5;
    (pieces.saturating_sub(OTHERS) / EACH).max(1)
}

/// Has all threads share one heap where the address space is limited (`ulimit -v`): each heap of the
/// C library reserves 64 MiB, and does not give them back.
pub fn save_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if memory_is_limited() {
        const M_ARENA_MAX: c_int = -8;
        unsafe extern "C" {
            fn mallopt(parameter: c_int, value: c_int) -> c_int;
        }
        // SAFETY: plain numbers in and out; it takes the locks it needs.
        unsafe { mallopt(M_ARENA_MAX, 1) };
    }
}

/// Whether so many bytes of memory can be had. Without a limit (`ulimit -v`) that is not asked: the
/// system gives what is asked for, and finds out later whether it has it.
///
/// Nothing is allocated: a block of that size would teach the C library to keep such blocks.
///
/// # Errors
/// What the system says when they could not.
pub fn check_room(bytes: usize) -> io::Result<()> {
    const PROT_READ_WRITE: c_int = 3;
    const MAP_PRIVATE: c_int = 2;
    if !memory_is_limited() {
        return Ok(());
    }
    let flags = MAP_PRIVATE | MAP_ANONYMOUS;
    // SAFETY: a new mapping at an address of the system's choice touches nothing that exists.
    let room = unsafe { mmap(std::ptr::null_mut(), bytes, PROT_READ_WRITE, flags, -1, 0) };
    if room.addr() == usize::MAX {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping is ours and nothing points into it.
    check(unsafe { munmap(room, bytes) }).map(drop)
}

fn memory_is_limited() -> bool {
    static LIMITED: OnceLock<bool> = OnceLock::new();
    *LIMITED.get_or_init(|| limit(RLIMIT_AS).is_some_and(|limit| limit.soft != RLIM_INFINITY))
}

fn limit(resource: c_int) -> Option<rlimit> {
    let mut limit = rlimit { soft: 0, hard: 0 };
    // SAFETY: `limit` is ours and writable, and laid out as the system has it.
    check(unsafe { getrlimit(resource, &mut limit) }).ok().map(|_| limit)
}

#[cfg(test)]
mod tests {
    use super::threads_within;

    #[test]
    fn threads_fit_into_the_pieces_of_memory_that_there_are() {
        assert_eq!(threads_within(65_530), 12_906);
        assert_eq!(threads_within(262_144), 52_228);
        assert_eq!(threads_within(0), 1);
    }
}
