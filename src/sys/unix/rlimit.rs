//! The process's limits on descriptors, threads and memory.

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

/// Raises the soft limit of descriptors as far as the system allows, and returns the new limit. Never
/// lowers it.
pub fn raise_descriptor_limit() -> u64 {
    let Some(limit) = limit(RLIMIT_NOFILE) else { return u64::MAX };
    let raised = rlimit { soft: raised(limit.soft, limit.hard), ..limit };
    // SAFETY: `raised` is readable and laid out as the system has it.
    match check(unsafe { setrlimit(RLIMIT_NOFILE, &raised) }) {
        Ok(_) => raised.soft,
        Err(_) => limit.soft,
    }
}

/// Returns the highest soft limit that the system accepts, and at least the current one.
fn raised(soft: u64, hard: u64) -> u64 {
    hard.min(MOST_DESCRIPTORS).max(soft)
}

/// Returns the number of threads that the process may have before the system refuses further
/// memory mappings. Each thread needs two (its stack and the guard page below), two more if std
/// gives it a signal stack, and one more while it moves a file.
#[cfg(target_os = "linux")]
pub fn max_threads() -> usize {
    // If the limit cannot be read, the kernel's default is assumed.
    let most = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
    let most = most.and_then(|text| text.trim().parse().ok()).unwrap_or(65_530);
    threads_within(most, if super::stack::has_signal_stack() { 5 } else { 3 })
}

/// Returns `usize::MAX`: no limit of this system is known.
#[cfg(not(target_os = "linux"))]
pub fn max_threads() -> usize {
    usize::MAX
}

/// Returns the number of threads for this number of mappings, of which each thread needs `each`, after
/// those of the program itself.
#[cfg(target_os = "linux")]
fn threads_within(mappings: usize, each: usize) -> usize {
    const OTHERS: usize = 1_000;
    (mappings.saturating_sub(OTHERS) / each).max(1)
}

/// Limits the number of heaps of the C library to two per processor, a quarter of its own limit: no
/// more threads run at the same time, and each heap keeps some freed memory. If the address space
/// is limited (`ulimit -v`), all threads share one heap, because each further one permanently
/// reserves 64 MiB. Must be called before the first thread starts; later calls do nothing.
pub fn limit_heaps() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if is_only_thread() {
        const M_ARENA_MAX: c_int = -8;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let heaps = if memory_is_limited() { 1 } else { 2 * processors.clamp(1, 512) };
        unsafe extern "C" {
            fn mallopt(parameter: c_int, value: c_int) -> c_int;
        }
        // SAFETY: plain numbers in and out. It writes what malloc reads without a lock in every
        // thread, and there is no other thread.
        unsafe { mallopt(M_ARENA_MAX, heaps as c_int) };
    }
}

/// Returns whether the calling thread is the only one. In that case no other thread can start
/// in the meantime.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn is_only_thread() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}

/// Checks whether this many bytes of memory are available. Without a limit (`ulimit -v`) nothing
/// is checked, because the system then grants any request and runs out of memory later.
///
/// Nothing is allocated: the C library would adapt to a block of that size and keep such blocks.
///
/// # Errors
/// Returns the system error if the memory is not available.
pub fn check_memory(bytes: usize) -> io::Result<()> {
    const PROT_READ_WRITE: c_int = 3;
    const MAP_PRIVATE: c_int = 2;
    if bytes == 0 || !memory_is_limited() {
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
    use super::*;

    #[test]
    fn the_descriptor_limit_is_never_lowered() {
        const M: u64 = MOST_DESCRIPTORS;
        for (soft, hard, expected) in [
            (1024, 4096, 4096),
            (4096, 4096, 4096),
            (1024, RLIM_INFINITY, M),
            (M + 1, RLIM_INFINITY, M + 1),
            (RLIM_INFINITY, RLIM_INFINITY, RLIM_INFINITY),
        ] {
            assert_eq!(raised(soft, hard), expected, "{soft} of {hard}");
        }
        let before = limit(RLIMIT_NOFILE).unwrap().soft;
        assert!(raise_descriptor_limit() >= before);
        assert!(limit(RLIMIT_NOFILE).unwrap().soft >= before);
    }

    #[test]
    fn any_amount_of_memory_can_be_checked() {
        for bytes in [0, 1, 4096, isize::MAX as usize, usize::MAX] {
            let _ = check_memory(bytes);
        }
        assert!(check_memory(0).is_ok());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_number_of_threads_follows_from_the_limit_of_mappings() {
        assert_eq!(threads_within(65_530, 3), 21_510);
        assert_eq!(threads_within(65_530, 5), 12_906);
        assert_eq!(threads_within(0, 3), 1);
    }
}
