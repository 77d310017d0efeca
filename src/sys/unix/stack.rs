//! The stacks of threads: releases pages that are no longer used, and keeps threads without signal
//! stacks.

use super::abi::{SIG_DFL, SIGBUS, SIGSEGV, SYS_GETTID};
use std::ffi::{c_int, c_long, c_void};

/// A buffer for `pthread_attr_t`, which is at most 64 bytes on the supported systems.
type Attributes = [u64; 16];

unsafe extern "C" {
    fn pthread_self() -> *mut c_void;
    fn pthread_getattr_np(thread: *mut c_void, attributes: *mut Attributes) -> c_int;
    fn pthread_attr_getstack(
        attributes: *const Attributes,
        lowest: *mut *mut c_void,
        size: *mut usize,
    ) -> c_int;
    fn pthread_attr_destroy(attributes: *mut Attributes) -> c_int;
    fn sysconf(name: c_int) -> c_long;
    fn syscall(number: c_long, ...) -> c_long;
    fn madvise(address: *mut c_void, length: usize, advice: c_int) -> c_int;
    fn signal(signal: c_int, handler: usize) -> usize;
    fn sigaltstack(new: *const SignalStack, old: *mut SignalStack) -> c_int;
}

/// `stack_t`.
#[repr(C)]
struct SignalStack {
    start: *mut c_void,
    flags: c_int,
    size: usize,
}

/// Keeps std from giving each thread a signal stack, on which it would report a stack overflow before the
/// program ends. That takes eight system calls for each thread and a lock that all threads share, half of
/// the processor time of a login, and two of the mappings whose number the system limits. std decides
/// before `main`: if a program handles these signals itself, there are no signal stacks.
// SAFETY: the C library calls the functions in this section before `main`, in the only thread; the function
// takes no arguments and calls `signal` alone.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = handle_faults;

extern "C" fn handle_faults() {
    for number in [SIGSEGV, SIGBUS] {
        // SAFETY: `end_by` is a handler for these signals; it calls `signal` alone, which a handler may do.
        let before = unsafe { signal(number, end_by as extern "C" fn(c_int) as usize) };
        if before != SIG_DFL {
            // SAFETY: this is the handler, or the state, that was in effect before.
            unsafe { signal(number, before) };
        }
    }
}

/// Handles a memory fault: the instruction that caused it is repeated, and ends the program with the
/// signal, as without a handler.
extern "C" fn end_by(number: c_int) {
    // SAFETY: the default action runs no code of this program.
    unsafe { signal(number, SIG_DFL) };
}

/// Returns whether the calling thread has a signal stack.
pub(super) fn has_signal_stack() -> bool {
    const SS_DISABLE: c_int = 2;
    let mut stack = SignalStack { start: std::ptr::null_mut(), flags: SS_DISABLE, size: 0 };
    // SAFETY: nothing is changed, and `stack` is writable and laid out as the system has it.
    let result = unsafe { sigaltstack(std::ptr::null(), &mut stack) };
    result == 0 && stack.flags & SS_DISABLE == 0
}

/// Releases the pages of the calling thread's stack below all frames in use; they read as zeros
/// when they are touched again. Useful before a long wait: otherwise one deep call would keep its
/// memory until the thread ends.
///
/// Does nothing in the main thread, whose stack grows into addresses that may be in use, and nothing if
/// the code does not run on the thread's original stack (in a signal handler or a coroutine).
#[inline(never)]
pub fn release_stack() {
    const MADV_DONTNEED: c_int = 4;
    if is_main_thread() {
        return;
    }
    let Some((lowest, size)) = own_stack() else { return };
    let unused = unused_part(lowest.addr(), size, end_of_unused());
    if unused > 0 {
        // SAFETY: the range begins at the lower end of this thread's stack and ends within it, at
        // a page below all frames in use, so nothing points into it. A failure changes nothing.
        unsafe { madvise(lowest, unused, MADV_DONTNEED) };
    }
}

/// Returns the number of bytes of a stack below `end`; 0 if `end` is not in the stack.
fn unused_part(lowest: usize, size: usize, end: usize) -> usize {
    end.checked_sub(lowest).filter(|unused| *unused < size).unwrap_or(0)
}

/// Returns whether the calling thread is the initial thread of the process (after a fork, the only
/// one).
fn is_main_thread() -> bool {
    // SAFETY: a number in, a number out.
    let thread = unsafe { syscall(SYS_GETTID) };
    thread == c_long::from(std::process::id())
}

/// Returns the start of the lowest page that may be in use. Below this frame there are only the
/// frames of the call that releases the pages, which is a system call.
#[inline(never)]
fn end_of_unused() -> usize {
    const IN_USE: usize = 512;
    const _SC_PAGESIZE: c_int = 30;
    let here = 0u8;
    // SAFETY: a number in, a number out.
    let page = usize::try_from(unsafe { sysconf(_SC_PAGESIZE) }).unwrap_or(65_536);
    (std::ptr::from_ref(&here).addr() - IN_USE) & !(page - 1)
}

/// Returns the start and the size of the stack with which the calling thread was created.
fn own_stack() -> Option<(*mut c_void, usize)> {
    let mut attributes: Attributes = [0; 16];
    // SAFETY: the thread is the calling one, and `attributes` is larger than what is written.
    if unsafe { pthread_getattr_np(pthread_self(), &mut attributes) } != 0 {
        return None;
    }
    let (mut lowest, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the attributes are those that were just made; both places are writable.
    let known = unsafe { pthread_attr_getstack(&attributes, &mut lowest, &mut size) } == 0;
    // SAFETY: they were made and are not used again.
    unsafe { pthread_attr_destroy(&mut attributes) };
    (known && !lowest.is_null()).then_some((lowest, size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    /// Touches a large part of the stack and returns a value that depends on it.
    #[inline(never)]
    fn deep(seed: u8) -> u64 {
        let bytes = black_box([seed; 100_000]);
        bytes.iter().map(|byte| u64::from(*byte)).sum()
    }

    /// Returns the resident memory of this process, in pages.
    fn resident() -> usize {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        text.split(' ').nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn threads_have_no_signal_stack() {
        assert!(!has_signal_stack());
        std::thread::spawn(|| assert!(!has_signal_stack())).join().unwrap();
    }

    #[test]
    fn only_the_threads_own_stack_is_released() {
        let (lowest, size) = (0x10_000, 0x8000);
        for (end, unused) in [
            (0, 0),
            (0xf000, 0),
            (0x10_000, 0),
            (0x11_000, 0x1000),
            (0x17_000, 0x7000),
            (0x18_000, 0),
            (usize::MAX, 0),
        ] {
            assert_eq!(unused_part(lowest, size, end), unused, "{end:x}");
        }
        // The thread's own stack is found, and contains the end of the unused part.
        let (lowest, size) = own_stack().unwrap();
        assert!(unused_part(lowest.addr(), size, end_of_unused()) > 0);
        std::thread::spawn(|| assert!(!is_main_thread())).join().unwrap();
    }

    #[test]
    fn used_stack_pages_are_released_and_can_be_used_again() {
        // Many threads, so that the memory use of other tests is small in comparison.
        let (gave, go_on) = (std::sync::Barrier::new(33), std::sync::Barrier::new(33));
        let (touched, given) = std::thread::scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| {
                    assert_eq!(deep(1), 100_000);
                    gave.wait();
                    go_on.wait();
                    let kept = black_box([7u8; 64]);
                    release_stack();
                    assert_eq!(kept, [7; 64]);
                    gave.wait();
                    go_on.wait();
                    assert_eq!(deep(2), 200_000);
                });
            }
            gave.wait();
            let touched = resident();
            go_on.wait();
            gave.wait();
            let given = resident();
            go_on.wait();
            (touched, given)
        });
        // 24 pages per thread, of which other tests may have taken some.
        assert!(given + 32 * 12 < touched, "{touched} pages, then {given}");
    }
}
