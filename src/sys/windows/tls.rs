//! Where the functions of OpenSSL come from on Windows.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::net::TcpStream;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::AsRawSocket;
use std::path::Path;

unsafe extern "system" {
    fn LoadLibraryExW(name: *const u16, file: *mut c_void, flags: u32) -> *mut c_void;
    fn GetProcAddress(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// Why there is no TLS at all: a library can be loaded.
pub(in crate::sys) const NO_TLS: Option<&str> = None;

/// Nothing is tried: Windows has no OpenSSL of its own, and a bare name may find one that somebody has
/// planted.
pub(in crate::sys) const TLS_LIBRARIES: &[&str] = &[];

/// The socket as OpenSSL wants it. Windows promises that a socket's number fits into 32 bits.
pub(in crate::sys) fn socket_number(tcp: &TcpStream) -> c_int {
    tcp.as_raw_socket() as c_int
}

/// libssl and the libcrypto that it needs, both loaded for good.
pub(in crate::sys) struct SharedLibrary {
    ssl: *mut c_void,
    crypto: *mut c_void,
}

// SAFETY: the handles are only given to GetProcAddress, which any thread may call.
unsafe impl Send for SharedLibrary {}
// SAFETY: as above.
unsafe impl Sync for SharedLibrary {}

impl SharedLibrary {
    /// Loads `libssl-3-x64.dll` or its like and the `libcrypto-3-x64.dll` beside it.
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

    /// The address of a function in one of both; null if there is none.
    pub(in crate::sys) fn find(&self, name: &CStr) -> *mut c_void {
        let find = |library| {
            // SAFETY: the handle is one of a library that stays loaded; the name ends in NUL.
            unsafe { GetProcAddress(library, name.as_ptr()) }
        };
        let found = find(self.ssl);
        if found.is_null() { find(self.crypto) } else { found }
    }
}

fn load(file: &Path) -> Result<*mut c_void, String> {
    /// What the library needs is looked for beside it and in the system's directories alone.
    const LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR: u32 = 0x100;
    const LOAD_LIBRARY_SEARCH_SYSTEM32: u32 = 0x800;
    let name: Vec<u16> = file.as_os_str().encode_wide().chain([0]).collect();
    let flags = LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR | LOAD_LIBRARY_SEARCH_SYSTEM32;
    // SAFETY: the name ends in NUL, and the second argument is to be null.
    let handle = unsafe { LoadLibraryExW(name.as_ptr(), std::ptr::null_mut(), flags) };
    if handle.is_null() {
        return Err(format!("{}: {}", file.display(), std::io::Error::last_os_error()));
    }
    Ok(handle)
}
