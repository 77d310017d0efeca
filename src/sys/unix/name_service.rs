//! Lookups of host names in a program that is linked statically with glibc.

use std::ffi::{c_char, c_int};
use std::sync::Once;

unsafe extern "C" {
    fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
}

/// Has host names looked up in `/etc/hosts` and by DNS alone, whatever `/etc/nsswitch.conf` says. To be
/// called before the first lookup.
///
/// For every other service of that file a static glibc loads a shared library, and with it the glibc of
/// the machine. If that is of another version, the process dies (SIGFPE, SIGABRT). Many systems name
/// `myhostname`, `resolve` or `mdns4_minimal` there.
pub fn use_built_in_name_services() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: both strings end in NUL and are never freed, and there is one call at most. It fails if
        // memory is short, and then the file decides.
        let _ = unsafe { __nss_configure_lookup(c"hosts".as_ptr(), c"files dns".as_ptr()) };
    });
}
