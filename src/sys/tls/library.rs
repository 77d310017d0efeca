//! [`TlsLibrary`]: OpenSSL, found once in the life of the process.

use super::api::{Api, Table};
use super::error::{TlsUnavailable, text};
use std::ffi::c_ulong;
use std::path::Path;
use std::sync::OnceLock;

/// `OPENSSL_INIT_NO_ATEXIT`: no handler takes OpenSSL down at exit while threads still use it.
const NO_ATEXIT: u64 = 0x0008_0000;

/// `OPENSSL_INIT_NO_LOAD_CONFIG`. The system's configuration may name modules, which OpenSSL loads by
/// `dlopen`; in a static program that ends the process on a machine with another C library.
const NO_CONFIG: u64 = 0x80;

/// OpenSSL (or LibreSSL), ready to be used. There is one at most, and it is never unloaded.
pub struct TlsLibrary {
    pub(super) api: Api,
    version: String,
    libre: bool,
    #[cfg(not(tls_static))]
    pub(super) shared: super::super::SharedLibrary,
}

impl TlsLibrary {
    /// The library's own words: `OpenSSL 3.0.17 1 Jul 2025`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether it is part of the program, and not loaded from the system.
    pub fn is_linked_in(&self) -> bool {
        cfg!(tls_static)
    }

    /// Fills another table; fails with the name of a function that is missing.
    pub(super) fn table<T: Table>(&self) -> Result<T, &'static str> {
        #[cfg(tls_static)]
        return Ok(T::linked());
        // SAFETY: the names are OpenSSL's, in a library that was found to be that.
        #[cfg(not(tls_static))]
        unsafe {
            T::load(&|name| self.shared.find(name))
        }
    }

    /// LibreSSL has no resumption in TLS 1.3, so it is held at 1.2.
    pub(super) fn is_libre(&self) -> bool {
        self.libre
    }

    /// Starts the library after a check that its version is a known one.
    fn start(
        api: Api,
        #[cfg(not(tls_static))] shared: super::super::SharedLibrary,
    ) -> Result<TlsLibrary, String> {
        // SAFETY: number 0 is the version, which OpenSSL has as a string that is never freed.
        let version = text(unsafe { (api.OpenSSL_version)(0) }).unwrap_or_default();
        // SAFETY: a call without arguments that returns a constant.
        let libre = check_version(&version, unsafe { (api.OpenSSL_version_num)() })?;
        let options = NO_ATEXIT | if cfg!(tls_static) { NO_CONFIG } else { 0 };
        // SAFETY: the settings may be null.
        if unsafe { (api.OPENSSL_init_ssl)(options, std::ptr::null()) } != 1 {
            return Err(format!("{version} does not start"));
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

/// Whether this version is one that the tables were written for; gives whether it is LibreSSL.
pub(super) fn check_version(version: &str, number: c_ulong) -> Result<bool, String> {
    if version.starts_with("LibreSSL") {
        return Ok(true);
    }
    let known = (0x1010_1000..0x4000_0000).contains(&number) && version.starts_with("OpenSSL");
    if known { Ok(false) } else { Err(format!("{version} is none of OpenSSL 1.1.1 to 3")) }
}

/// Returns the TLS library, which the first call finds: `file`, or else the system's. Later calls get
/// what the first one got, whatever they name.
///
/// # Errors
/// There is none, it cannot be loaded, or it is of a version that is not known.
pub fn tls_library(file: Option<&Path>) -> Result<&'static TlsLibrary, TlsUnavailable> {
    static LIBRARY: OnceLock<Result<TlsLibrary, TlsUnavailable>> = OnceLock::new();
    LIBRARY.get_or_init(|| find(file)).as_ref().map_err(Clone::clone)
}

/// Says in a line for `--version` which TLS library there is, and loads the system's for that.
pub fn describe_tls() -> String {
    match tls_library(None) {
        Ok(library) if library.is_linked_in() => {
            format!("TLS: {}, part of this program", library.version())
        }
        Ok(library) => format!("TLS: {}, loaded from the system", library.version()),
        Err(error) => format!("TLS: none; {error}"),
    }
}

/// The library that is linked in. A static program must not load another one.
#[cfg(tls_static)]
fn find(file: Option<&Path>) -> Result<TlsLibrary, TlsUnavailable> {
    if file.is_some() {
        let text = "cannot load another TLS library: OpenSSL is part of this program";
        return Err(TlsUnavailable(text.to_owned()));
    }
    TlsLibrary::start(Api::linked())
        .map_err(|reason| TlsUnavailable(format!("cannot use the TLS library: {reason}")))
}

/// The named library, or the first of the system's that can be used.
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

/// The words for a system on which no library was found.
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

/// Fills the table from a shared library.
#[cfg(not(tls_static))]
fn load(shared: super::super::SharedLibrary) -> Result<TlsLibrary, String> {
    // SAFETY: the names are those of OpenSSL, whose functions have these signatures, in the library that
    // the user or the system names as OpenSSL; it is never unloaded.
    match unsafe { Api::load(&|name| shared.find(name)) } {
        Ok(api) => TlsLibrary::start(api, shared),
        Err(missing) => Err(match version_of_old(&shared) {
            Some(version) => format!("{version} is none of OpenSSL 1.1.1 to 3"),
            None => format!("it has no function {missing}"),
        }),
    }
}

/// The version of OpenSSL before 1.1, which has another function for it.
#[cfg(not(tls_static))]
fn version_of_old(shared: &super::super::SharedLibrary) -> Option<String> {
    use std::ffi::{c_char, c_int, c_void};
    let address = shared.find(c"SSLeay_version");
    // SAFETY: null is `None`, and the function of this name has this signature in every version.
    let version = unsafe {
        std::mem::transmute::<*mut c_void, Option<unsafe extern "C" fn(c_int) -> *const c_char>>(
            address,
        )
    };
    // SAFETY: number 0 is the version, a string that is never freed.
    text(unsafe { version?(0) })
}
