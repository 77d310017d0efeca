//! [`TlsLibrary`]: OpenSSL, loaded once per process.

use super::api::{Api, FunctionTable};
use super::error::{TlsUnavailable, text};
use std::ffi::c_ulong;
use std::path::Path;
use std::sync::OnceLock;

/// `OPENSSL_INIT_NO_ATEXIT`: installs no exit handler, which would free OpenSSL while threads still use
/// it.
const NO_ATEXIT: u64 = 0x0008_0000;

/// `OPENSSL_INIT_NO_LOAD_CONFIG`. The system's configuration may name modules to load with `dlopen`,
/// which crashes a static program on a machine with a different C library.
const NO_CONFIG: u64 = 0x80;

/// OpenSSL or LibreSSL, loaded and initialized. There is at most one per process, and it is never
/// unloaded.
pub struct TlsLibrary {
    pub(super) api: Api,
    version: String,
    libre: bool,
    #[cfg(not(tls_static))]
    pub(super) shared: super::super::SharedLibrary,
}

impl TlsLibrary {
    /// Returns the library's version string, such as `OpenSSL 3.0.17 1 Jul 2025`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns true if the library is linked into the program.
    pub fn is_linked_in(&self) -> bool {
        cfg!(tls_static)
    }

    /// Fills another function table, or returns the name of a missing function.
    pub(super) fn table<T: FunctionTable>(&self) -> Result<T, &'static str> {
        #[cfg(tls_static)]
        return Ok(T::linked());
        // SAFETY: the names are OpenSSL's, and the library was checked to be OpenSSL.
        #[cfg(not(tls_static))]
        unsafe {
            T::load(&|name| self.shared.find(name))
        }
    }

    /// Returns true for LibreSSL, which cannot resume TLS 1.3 sessions and is therefore limited to TLS
    /// 1.2.
    pub(super) fn is_libressl(&self) -> bool {
        self.libre
    }

    /// Initializes the library if its version is supported.
    fn start(
        api: Api,
        #[cfg(not(tls_static))] shared: super::super::SharedLibrary,
    ) -> Result<TlsLibrary, String> {
        // SAFETY: 0 requests the version, a string that is never freed.
        let version = text(unsafe { (api.OpenSSL_version)(0) }).unwrap_or_default();
        // SAFETY: a call without arguments that returns a constant.
        let libre = check_version(&version, unsafe { (api.OpenSSL_version_num)() })?;
        let options = NO_ATEXIT | if cfg!(tls_static) { NO_CONFIG } else { 0 };
        // SAFETY: the settings pointer may be null.
        if unsafe { (api.OPENSSL_init_ssl)(options, std::ptr::null()) } != 1 {
            return Err(format!("{version} failed to initialize"));
        }
        Ok(TlsLibrary {
            api,
            version,
            libre,
            #[cfg(not(tls_static))]
            shared,
        })
    }
}

/// Checks that the function tables fit this version. Returns true for LibreSSL.
pub(super) fn check_version(version: &str, number: c_ulong) -> Result<bool, String> {
    if version.starts_with("LibreSSL") {
        return Ok(true);
    }
    let known = (0x1010_1000..0x4000_0000).contains(&number) && version.starts_with("OpenSSL");
    if known {
        Ok(false)
    } else {
        Err(format!("{version} is not supported; use OpenSSL 1.1.1 to 3"))
    }
}

/// Returns the TLS library. The first call loads it, from `file` or else from the system; later calls
/// return the same result and ignore `file`.
///
/// # Errors
/// There is no library, it cannot be loaded, or its version is not supported.
pub fn tls_library(file: Option<&Path>) -> Result<&'static TlsLibrary, TlsUnavailable> {
    static LIBRARY: OnceLock<Result<TlsLibrary, TlsUnavailable>> = OnceLock::new();
    LIBRARY.get_or_init(|| find(file)).as_ref().map_err(Clone::clone)
}

/// Returns the line for `--version` that names the TLS library; loads the system's library to find out.
pub fn describe_tls() -> String {
    match tls_library(None) {
        Ok(library) if library.is_linked_in() => {
            format!("TLS: {}, part of this program", library.version())
        }
        Ok(library) => format!("TLS: {}, loaded from the system", library.version()),
        Err(error) => format!("TLS: none; {error}"),
    }
}

/// Returns the linked-in library. A static program must not load another one.
#[cfg(tls_static)]
fn find(file: Option<&Path>) -> Result<TlsLibrary, TlsUnavailable> {
    if file.is_some() {
        let text = "cannot load a different TLS library: OpenSSL is part of this program";
        return Err(TlsUnavailable(text.to_owned()));
    }
    TlsLibrary::start(Api::linked())
        .map_err(|reason| TlsUnavailable(format!("cannot use the TLS library: {reason}")))
}

/// Loads the given library, or the first usable one of the system.
#[cfg(not(tls_static))]
fn find(file: Option<&Path>) -> Result<TlsLibrary, TlsUnavailable> {
    use super::super::{NO_TLS, SharedLibrary, TLS_LIBRARIES};
    if let Some(words) = NO_TLS {
        return Err(TlsUnavailable(words.to_owned()));
    }
    if let Some(file) = file {
        return SharedLibrary::open(file)
            .and_then(load)
            .map_err(|reason| TlsUnavailable(format!("cannot load the TLS library: {reason}")));
    }
    let mut unusable = None;
    for name in TLS_LIBRARIES {
        match SharedLibrary::open(Path::new(name)).map(load) {
            Ok(Ok(library)) => return Ok(library),
            Ok(Err(reason)) => unusable = unusable.or(Some(format!("{name}: {reason}"))),
            Err(_) => {}
        }
    }
    Err(TlsUnavailable(match unusable {
        Some(reason) => format!("cannot load the TLS library: {reason}"),
        None => not_found(TLS_LIBRARIES),
    }))
}

/// Returns the message for a system without any library.
#[cfg(not(tls_static))]
fn not_found(names: &[&str]) -> String {
    match names {
        [] => "cannot load the TLS library: name the file with --tls-library".to_owned(),
        [first, rest @ ..] => {
            let second = rest.first().map(|name| format!(", {name}")).unwrap_or_default();
            format!(
                "cannot load the TLS library (tried {first}{second}): install OpenSSL 3, or name the \
                 file with --tls-library"
            )
        }
    }
}

/// Fills the function table from a shared library, and initializes the library.
#[cfg(not(tls_static))]
fn load(shared: super::super::SharedLibrary) -> Result<TlsLibrary, String> {
    // SAFETY: OpenSSL's functions of these names have these signatures; the user or the system gave
    // this library as OpenSSL, and it is never unloaded.
    match unsafe { Api::load(&|name| shared.find(name)) } {
        Ok(api) => TlsLibrary::start(api, shared),
        Err(missing) => Err(match pre_1_1_version(&shared) {
            Some(version) => format!("{version} is not supported; use OpenSSL 1.1.1 to 3"),
            None => format!("it has no function {missing}"),
        }),
    }
}

/// Returns the version of an OpenSSL before 1.1, where another function reports it.
#[cfg(not(tls_static))]
fn pre_1_1_version(shared: &super::super::SharedLibrary) -> Option<String> {
    use std::ffi::{c_char, c_int, c_void};
    let address = shared.find(c"SSLeay_version");
    // SAFETY: null becomes `None`, and the function has this signature in every version.
    let version = unsafe {
        std::mem::transmute::<*mut c_void, Option<unsafe extern "C" fn(c_int) -> *const c_char>>(
            address,
        )
    };
    // SAFETY: 0 requests the version, a string that is never freed.
    text(unsafe { version?(0) })
}
