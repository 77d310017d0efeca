//! Loads OpenSSL on Unix.

use std::ffi::c_int;
use std::net::TcpStream;
use std::os::fd::AsRawFd;

#[cfg(all(not(tls_static), target_feature = "crt-static"))]
pub(in crate::sys) use absent::{NO_TLS, SharedLibrary, TLS_LIBRARIES};
#[cfg(not(any(tls_static, target_feature = "crt-static")))]
pub(in crate::sys) use shared::{NO_TLS, SharedLibrary, TLS_LIBRARIES};

/// Returns the socket's descriptor for OpenSSL.
pub(in crate::sys) fn socket_number(tcp: &TcpStream) -> c_int {
    tcp.as_raw_fd()
}

/// A static program cannot load libraries: `dlopen` would load a second C library, which crashes the
/// process if its version differs.
#[cfg(all(not(tls_static), target_feature = "crt-static"))]
mod absent {
    use std::convert::Infallible;
    use std::ffi::{CStr, c_void};
    use std::path::Path;

    const REASON: &str = "this program was built without TLS (make dist TLS=none)";

    /// The reason why this program has no TLS.
    pub(in crate::sys) const NO_TLS: Option<&str> = Some(REASON);

    /// No libraries to try.
    pub(in crate::sys) const TLS_LIBRARIES: &[&str] = &[];

    /// A library; it cannot exist in a static program.
    pub(in crate::sys) struct SharedLibrary(Infallible);

    impl SharedLibrary {
        /// Always fails.
        pub(in crate::sys) fn open(_file: &Path) -> Result<SharedLibrary, String> {
            Err(REASON.to_owned())
        }

        /// Never called.
        pub(in crate::sys) fn find(&self, _name: &CStr) -> *mut c_void {
            match self.0 {}
        }
    }
}

/// Shared libraries loaded with `dlopen`.
#[cfg(not(any(tls_static, target_feature = "crt-static")))]
mod shared {
    use std::ffi::{CStr, CString, c_char, c_int, c_void};
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    #[cfg_attr(target_os = "linux", link(name = "dl"))]
    unsafe extern "C" {
        fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
        fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
        fn dlerror() -> *const c_char;
    }

    const RTLD_NOW: c_int = 2;

    /// `None`, because libraries can be loaded here.
    pub(in crate::sys) const NO_TLS: Option<&str> = None;

    /// Libraries to try, in this order: OpenSSL, then LibreSSL from the newest version down.
    #[cfg(not(target_os = "macos"))]
    pub(in crate::sys) const TLS_LIBRARIES: &[&str] = &[
        "libssl.so.3",
        "libssl.so.1.1",
        "libssl.so.60",
        "libssl.so.59",
        "libssl.so.56",
        "libssl.so.53",
        "libssl.so",
    ];

    /// Libraries to try, in this order. Only absolute paths: a bare name finds the system's own
    /// library, and macOS kills processes that load it.
    #[cfg(target_os = "macos")]
    pub(in crate::sys) const TLS_LIBRARIES: &[&str] = &[
        "/opt/homebrew/opt/openssl@3/lib/libssl.3.dylib",
        "/usr/local/opt/openssl@3/lib/libssl.3.dylib",
        "/opt/local/lib/libssl.3.dylib",
    ];

    /// A shared library that is never unloaded.
    pub(in crate::sys) struct SharedLibrary(*mut c_void);

    // SAFETY: the handle is only passed to dlsym, which any thread may call.
    unsafe impl Send for SharedLibrary {}
    // SAFETY: as above.
    unsafe impl Sync for SharedLibrary {}

    impl SharedLibrary {
        /// Loads a library. A libssl outside the system's directories needs the libcrypto in its
        /// directory, which is loaded first.
        pub(in crate::sys) fn open(file: &Path) -> Result<SharedLibrary, String> {
            if cfg!(target_os = "macos") && (!file.is_absolute() || file.starts_with("/usr/lib")) {
                let file = file.display();
                return Err(format!("{file}: expected an absolute path outside /usr/lib"));
            }
            if let Some(crypto) = crypto_in_same_dir(file) {
                let _ = load(&crypto);
            }
            load(file).map(SharedLibrary)
        }

        /// Returns the address of a function in this library or in the libraries that it needs, or
        /// null.
        pub(in crate::sys) fn find(&self, name: &CStr) -> *mut c_void {
            // SAFETY: the handle came from dlopen and is never closed; the name is NUL-terminated.
            unsafe { dlsym(self.0, name.as_ptr()) }
        }
    }

    /// Returns `/dir/libcrypto.so.3` for `/dir/libssl.so.3`, if that file exists.
    fn crypto_in_same_dir(file: &Path) -> Option<std::path::PathBuf> {
        let rest = file.file_name()?.to_str()?.strip_prefix("libssl")?;
        let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty())?;
        Some(dir.join(format!("libcrypto{rest}"))).filter(|crypto| crypto.exists())
    }

    fn load(file: &Path) -> Result<*mut c_void, String> {
        let Ok(name) = CString::new(file.as_os_str().as_bytes()) else {
            return Err("the file name contains a NUL".to_owned());
        };
        // SAFETY: the name is NUL-terminated. The library's initialization code runs, but the user or
        // the system chose the library.
        let handle = unsafe { dlopen(name.as_ptr(), RTLD_NOW) };
        if handle.is_null() { Err(last_error(file)) } else { Ok(handle) }
    }

    /// Returns the loader's message for the last failure on this thread.
    fn last_error(file: &Path) -> String {
        // SAFETY: returns null, or a string that is valid until this thread's next call.
        let words = unsafe { dlerror() };
        if words.is_null() {
            return format!("{}: not loaded", file.display());
        }
        // SAFETY: as above; the string is copied before any other call.
        unsafe { CStr::from_ptr(words) }.to_string_lossy().into_owned()
    }
}
