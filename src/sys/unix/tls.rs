//! Where the functions of OpenSSL come from on Unix.

use std::ffi::c_int;
use std::net::TcpStream;
use std::os::fd::AsRawFd;

#[cfg(all(not(tls_static), target_feature = "crt-static"))]
pub(in crate::sys) use absent::{NO_TLS, SharedLibrary, TLS_LIBRARIES};
#[cfg(not(any(tls_static, target_feature = "crt-static")))]
pub(in crate::sys) use shared::{NO_TLS, SharedLibrary, TLS_LIBRARIES};

/// The socket as OpenSSL wants it.
pub(in crate::sys) fn socket_number(tcp: &TcpStream) -> c_int {
    tcp.as_raw_fd()
}

/// A static program loads no library: its `dlopen` would load a second C library, which ends the process
/// if it is of another version.
#[cfg(all(not(tls_static), target_feature = "crt-static"))]
mod absent {
    use std::convert::Infallible;
    use std::ffi::{CStr, c_void};
    use std::path::Path;

    const WORDS: &str = "this program was built without TLS (make dist TLS=none)";

    /// Why there is no TLS at all.
    pub(in crate::sys) const NO_TLS: Option<&str> = Some(WORDS);

    /// Nothing is tried.
    pub(in crate::sys) const TLS_LIBRARIES: &[&str] = &[];

    /// A library, of which there is none.
    pub(in crate::sys) struct SharedLibrary(Infallible);

    impl SharedLibrary {
        /// Fails.
        pub(in crate::sys) fn open(_file: &Path) -> Result<SharedLibrary, String> {
            Err(WORDS.to_owned())
        }

        /// The address of a function.
        pub(in crate::sys) fn find(&self, _name: &CStr) -> *mut c_void {
            match self.0 {}
        }
    }
}

/// Libraries by `dlopen`.
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

    /// Why there is no TLS at all: here a library can be loaded.
    pub(in crate::sys) const NO_TLS: Option<&str> = None;

    /// What is tried, in this order: OpenSSL, then LibreSSL with the newest numbers first.
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

    /// What is tried, in this order. Absolute paths alone: macOS ends a process that loads its own
    /// library, which is what a bare name finds.
    #[cfg(target_os = "macos")]
    pub(in crate::sys) const TLS_LIBRARIES: &[&str] = &[
        "/opt/homebrew/opt/openssl@3/lib/libssl.3.dylib",
        "/usr/local/opt/openssl@3/lib/libssl.3.dylib",
        "/opt/local/lib/libssl.3.dylib",
    ];

    /// A library that was loaded and stays loaded.
    pub(in crate::sys) struct SharedLibrary(*mut c_void);

    // SAFETY: the handle is only given to dlsym, which any thread may call.
    unsafe impl Send for SharedLibrary {}
    // SAFETY: as above.
    unsafe impl Sync for SharedLibrary {}

    impl SharedLibrary {
        /// Loads a library. A libssl outside the system's directories needs the libcrypto beside it,
        /// which is loaded first.
        pub(in crate::sys) fn open(file: &Path) -> Result<SharedLibrary, String> {
            if cfg!(target_os = "macos") && (!file.is_absolute() || file.starts_with("/usr/lib")) {
                let file = file.display();
                return Err(format!("{file}: expected an absolute path outside /usr/lib"));
            }
            if let Some(crypto) = crypto_beside(file) {
                let _ = load(&crypto);
            }
            load(file).map(SharedLibrary)
        }

        /// The address of a function, also of one in the libraries that this one needs; null if there is
        /// none.
        pub(in crate::sys) fn find(&self, name: &CStr) -> *mut c_void {
            // SAFETY: the handle came from dlopen and is never closed; the name ends in NUL.
            unsafe { dlsym(self.0, name.as_ptr()) }
        }
    }

    /// `/dir/libcrypto.so.3` for `/dir/libssl.so.3`, if there is such a file.
    fn crypto_beside(file: &Path) -> Option<std::path::PathBuf> {
        let rest = file.file_name()?.to_str()?.strip_prefix("libssl")?;
        let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty())?;
        Some(dir.join(format!("libcrypto{rest}"))).filter(|crypto| crypto.exists())
    }

    fn load(file: &Path) -> Result<*mut c_void, String> {
        let Ok(name) = CString::new(file.as_os_str().as_bytes()) else {
            return Err("the name of the file has a NUL".to_owned());
        };
        // SAFETY: the name ends in NUL. The library's own initialization runs, as for every library that
        // the user or the system names.
        let handle = unsafe { dlopen(name.as_ptr(), RTLD_NOW) };
        if handle.is_null() { Err(last_error(file)) } else { Ok(handle) }
    }

    /// The loader's words for what has just failed on this thread.
    fn last_error(file: &Path) -> String {
        // SAFETY: gives null or a string that stays until the next call of this thread.
        let words = unsafe { dlerror() };
        if words.is_null() {
            return format!("{}: not loaded", file.display());
        }
        // SAFETY: as above; it is copied before any other call.
        unsafe { CStr::from_ptr(words) }.to_string_lossy().into_owned()
    }
}
