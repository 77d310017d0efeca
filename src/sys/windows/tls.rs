//! Loads OpenSSL on Windows.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::net::TcpStream;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::AsRawSocket;
use std::path::Path;

unsafe extern "system" {
    fn LoadLibraryExW(name: *const u16, file: *mut c_void, flags: u32) -> *mut c_void;
    fn GetProcAddress(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// `None`, because libraries can be loaded.
pub(in crate::sys) const NO_TLS: Option<&str> = None;

/// No libraries to try: Windows has no OpenSSL, and a bare name might load a library planted by an
/// attacker.
pub(in crate::sys) const TLS_LIBRARIES: &[&str] = &[];

/// Returns the socket for OpenSSL. On Windows, socket handles fit into 32 bits.
pub(in crate::sys) fn socket_number(tcp: &TcpStream) -> c_int {
    tcp.as_raw_socket() as c_int
}

/// libssl and its libcrypto, which are never unloaded.
pub(in crate::sys) struct SharedLibrary {
    ssl: *mut c_void,
    crypto: *mut c_void,
}

// SAFETY: the handles are only passed to GetProcAddress, which any thread may call.
unsafe impl Send for SharedLibrary {}
// SAFETY: as above.
unsafe impl Sync for SharedLibrary {}

impl SharedLibrary {
    /// Loads a libssl such as `libssl-3-x64.dll` and the `libcrypto-3-x64.dll` in the same directory.
    pub(in crate::sys) fn open(file: &Path) -> Result<SharedLibrary, String> {
        let shown = file.display();
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(rest) = name.strip_prefix("libssl").filter(|_| file.is_absolute()) else {
            return Err(format!("{shown}: expected the full path of a libssl"));
        };
        let crypto = load(&file.with_file_name(format!("libcrypto{rest}")))?;
        let ssl = load(file)?;
        Ok(SharedLibrary { ssl, crypto })
    }

    /// Returns the address of a function in either library, or null.
    pub(in crate::sys) fn find(&self, name: &CStr) -> *mut c_void {
        let find = |library| {
            // SAFETY: the library stays loaded; the name is NUL-terminated.
            unsafe { GetProcAddress(library, name.as_ptr()) }
        };
        let found = find(self.ssl);
        if found.is_null() { find(self.crypto) } else { found }
    }
}

fn load(file: &Path) -> Result<*mut c_void, String> {
    /// Searches for dependencies only in the library's own directory and the system directory.
    const LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR: u32 = 0x100;
    const LOAD_LIBRARY_SEARCH_SYSTEM32: u32 = 0x800;
    let name: Vec<u16> = file.as_os_str().encode_wide().chain([0]).collect();
    let flags = LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32;
    // SAFETY: the name is NUL-terminated, and the second argument must be null.
    let handle = unsafe { LoadLibraryExW(name.as_ptr(), std::ptr::null_mut(), flags) };
    if handle.is_null() {
        return Err(format!("{}: {}", file.display(), std::io::Error::last_os_error()));
    }
    Ok(handle)
}
