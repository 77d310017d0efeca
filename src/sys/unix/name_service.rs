//! Host name lookups in a program that is linked statically with glibc.

use std::ffi::{c_char, c_int};
use std::sync::Once;

unsafe extern "C" {
    fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
}

/// Configures host name lookups to use only `/etc/hosts` and DNS, whatever `/etc/nsswitch.conf`
/// contains. Must be called before the first lookup.
///
/// For every other service in that file, a static glibc loads a shared library, and with it the
/// glibc of the machine. If that has another version, the process crashes (SIGFPE, SIGABRT). Many
/// systems configure `myhostname`, `resolve` or `mdns4_minimal` there.
pub fn use_built_in_name_services() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: both strings end in NUL and are never freed, and the call is made at most once.
        // The call fails if memory is short; `/etc/nsswitch.conf` then applies.
        let _ = unsafe { __nss_configure_lookup(c"hosts".as_ptr(), c"files dns".as_ptr()) };
    });
}
