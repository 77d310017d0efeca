//! The OpenSSL functions used here, as tables of function pointers, and constants that OpenSSL's
//! headers define as macros.
//!
//! A table is filled by symbol name from a shared library, or at link time with `--cfg tls_static`. All
//! signatures were checked against the manual pages of 1.1.1 and 3.x, because a wrong one corrupts
//! memory.

#[cfg(not(tls_static))]
use std::ffi::CStr;
use std::ffi::{c_char, c_int, c_long, c_uchar, c_uint, c_ulong, c_void};

/// A pointer to an object of OpenSSL, or to memory that it reads or writes.
pub(super) type Pointer = *mut c_void;

/// `SSL_CTX_alpn_select_cb_func`.
pub(super) type SelectProtocol = unsafe extern "C" fn(
    Pointer,
    *mut *const c_uchar,
    *mut c_uchar,
    *const c_uchar,
    c_uint,
    Pointer,
) -> c_int;

/// `pem_password_cb`.
pub(super) type AskPassword = unsafe extern "C" fn(*mut c_char, c_int, c_int, Pointer) -> c_int;

/// Returns the address of the function with this name, or null.
#[cfg(not(tls_static))]
pub(super) type SymbolLookup<'a> = &'a dyn Fn(&CStr) -> *mut c_void;

/// A table of functions.
pub(super) trait FunctionTable: Sized {
    /// Fills the table, or returns the name of a missing function.
    ///
    /// # Safety
    /// `find` returns the address of OpenSSL's function of that name, and the library stays loaded.
    #[cfg(not(tls_static))]
    unsafe fn load(find: SymbolLookup<'_>) -> Result<Self, &'static str>;

    /// Returns the table for the linked-in OpenSSL 3.
    #[cfg(tls_static)]
    fn linked() -> Self;
}

/// Declares a table. `required` functions exist in every supported library. `optional` functions exist
/// in OpenSSL 3, but not in all others. `substitute` functions replace an optional one in other
/// libraries.
macro_rules! table {
    (
        $(#[$doc:meta])*
        $table:ident:
        required { $(fn $name:ident($($argument:ty),*) $(-> $result:ty)?;)* }
        optional { $(fn $may:ident($($may_argument:ty),*) $(-> $may_result:ty)?;)* }
        substitute { $(fn $other:ident($($other_argument:ty),*) $(-> $other_result:ty)?;)* }
    ) => {
        $(#[$doc])*
        #[allow(non_snake_case)]
        pub(super) struct $table {
            $(pub(super) $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
            $(pub(super) $may: Option<unsafe extern "C" fn($($may_argument),*) $(-> $may_result)?>,)*
            $(pub(super) $other:
                Option<unsafe extern "C" fn($($other_argument),*) $(-> $other_result)?>,)*
        }

        impl FunctionTable for $table {
            #[cfg(not(tls_static))]
            unsafe fn load(find: SymbolLookup<'_>) -> Result<$table, &'static str> {
                Ok($table {
                    $($name: {
                        let address = find(c_name(concat!(stringify!($name), "\0")));
                        if address.is_null() {
                            return Err(stringify!($name));
                        }
                        // SAFETY: the address belongs to the function with this signature.
                        unsafe {
                            std::mem::transmute::<
                                *mut c_void,
                                unsafe extern "C" fn($($argument),*) $(-> $result)?,
                            >(address)
                        }
                    },)*
                    $($may: {
                        let address = find(c_name(concat!(stringify!($may), "\0")));
                        // SAFETY: null is `None`, everything else as above.
                        unsafe {
                            std::mem::transmute::<
                                *mut c_void,
                                Option<unsafe extern "C" fn($($may_argument),*) $(-> $may_result)?>,
                            >(address)
                        }
                    },)*
                    $($other: {
                        let address = find(c_name(concat!(stringify!($other), "\0")));
                        // SAFETY: null is `None`, everything else as above.
                        unsafe {
                            std::mem::transmute::<
                                *mut c_void,
                                Option<
                                    unsafe extern "C" fn($($other_argument),*) $(-> $other_result)?,
                                >,
                            >(address)
                        }
                    },)*
                })
            }

            #[cfg(tls_static)]
            fn linked() -> $table {
                #[link(name = "ssl", kind = "static")]
                #[link(name = "crypto", kind = "static")]
                unsafe extern "C" {
                    $(fn $name($(_: $argument),*) $(-> $result)?;)*
                    $(fn $may($(_: $may_argument),*) $(-> $may_result)?;)*
                }
                $table { $($name,)* $($may: Some($may),)* $($other: None,)* }
            }
        }
    };
}

/// Converts a NUL-terminated name from the macro above.
#[cfg(not(tls_static))]
fn c_name(name: &'static str) -> &'static CStr {
    CStr::from_bytes_until_nul(name.as_bytes()).unwrap_or_default()
}

table! {
    /// Functions for connections and contexts.
    Api:
    required {
        fn OPENSSL_init_ssl(u64, *const c_void) -> c_int;
        fn OpenSSL_version(c_int) -> *const c_char;
        fn OpenSSL_version_num() -> c_ulong;

        fn ERR_get_error() -> c_ulong;
        fn ERR_clear_error();
        fn ERR_reason_error_string(c_ulong) -> *const c_char;
        fn X509_verify_cert_error_string(c_long) -> *const c_char;

        fn TLS_method() -> *const c_void;
        fn SSL_CTX_new(*const c_void) -> Pointer;
        fn SSL_CTX_free(Pointer);
        fn SSL_CTX_ctrl(Pointer, c_int, c_long, Pointer) -> c_long;
        fn SSL_CTX_set_timeout(Pointer, c_long) -> c_long;

        fn SSL_CTX_use_certificate_chain_file(Pointer, *const c_char) -> c_int;
        fn SSL_CTX_use_PrivateKey_file(Pointer, *const c_char, c_int) -> c_int;
        fn SSL_CTX_check_private_key(Pointer) -> c_int;
        fn SSL_CTX_set_default_passwd_cb(Pointer, AskPassword);

        fn SSL_CTX_set_default_verify_paths(Pointer) -> c_int;
        fn SSL_CTX_load_verify_locations(Pointer, *const c_char, *const c_char) -> c_int;
        fn SSL_CTX_set_verify(Pointer, c_int, Pointer);
        fn X509_get_default_cert_file() -> *const c_char;
        fn X509_get_default_cert_dir() -> *const c_char;
        fn SSL_get0_param(Pointer) -> Pointer;
        fn X509_VERIFY_PARAM_set1_host(Pointer, *const c_char, usize) -> c_int;
        fn X509_VERIFY_PARAM_set1_ip_asc(Pointer, *const c_char) -> c_int;
        fn X509_VERIFY_PARAM_set_hostflags(Pointer, c_uint);
        fn SSL_get_verify_result(Pointer) -> c_long;

        fn SSL_CTX_set_alpn_select_cb(Pointer, SelectProtocol, Pointer);

        fn SSL_new(Pointer) -> Pointer;
        fn SSL_free(Pointer);
        fn SSL_set_fd(Pointer, c_int) -> c_int;
        fn SSL_set_connect_state(Pointer);
        fn SSL_set_accept_state(Pointer);
        fn SSL_do_handshake(Pointer) -> c_int;
        fn SSL_read(Pointer, Pointer, c_int) -> c_int;
        fn SSL_write(Pointer, *const c_void, c_int) -> c_int;
        fn SSL_pending(Pointer) -> c_int;
        fn SSL_shutdown(Pointer) -> c_int;
        fn SSL_get_shutdown(Pointer) -> c_int;
        fn SSL_set_shutdown(Pointer, c_int);
        fn SSL_get_error(Pointer, c_int) -> c_int;
        fn SSL_ctrl(Pointer, c_int, c_long, *const c_void) -> c_long;

        fn SSL_get1_session(Pointer) -> Pointer;
        fn SSL_set_session(Pointer, Pointer) -> c_int;
        fn SSL_SESSION_free(Pointer);
        fn SSL_set_session_id_context(Pointer, *const c_uchar, c_uint) -> c_int;

        fn SSL_get_version(Pointer) -> *const c_char;
        fn SSL_get_current_cipher(Pointer) -> *const c_void;
        fn SSL_CIPHER_get_name(*const c_void) -> *const c_char;
        fn SSL_get_servername(Pointer, c_int) -> *const c_char;
        fn SSL_get_certificate(Pointer) -> Pointer;
        fn i2d_X509(Pointer, *mut *mut c_uchar) -> c_int;
        fn X509_free(Pointer);
        fn SHA256(*const c_uchar, usize, *mut c_uchar) -> *mut c_uchar;
    }
    optional {
        fn SSL_CTX_set_options(Pointer, u64) -> u64;
        fn SSL_get1_peer_certificate(Pointer) -> Pointer;
        fn SSL_session_reused(Pointer) -> c_int;
        fn SSL_set_num_tickets(Pointer, usize) -> c_int;
        fn SSL_new_session_ticket(Pointer) -> c_int;
        fn SSL_SESSION_dup(Pointer) -> Pointer;
    }
    substitute {
        fn SSL_get_peer_certificate(Pointer) -> Pointer;
        fn SSL_cache_hit(Pointer) -> c_int;
    }
}

table! {
    /// Additional functions that create keys and certificates.
    KeyApi:
    required {
        fn EVP_PKEY_CTX_new_id(c_int, Pointer) -> Pointer;
        fn EVP_PKEY_CTX_free(Pointer);
        fn EVP_PKEY_keygen_init(Pointer) -> c_int;
        fn EVP_PKEY_CTX_ctrl_str(Pointer, *const c_char, *const c_char) -> c_int;
        fn EVP_PKEY_keygen(Pointer, *mut Pointer) -> c_int;
        fn EVP_PKEY_free(Pointer);
        fn i2d_PUBKEY(Pointer, *mut *mut c_uchar) -> c_int;
        fn i2d_PrivateKey(Pointer, *mut *mut c_uchar) -> c_int;
        fn EVP_MD_CTX_new() -> Pointer;
        fn EVP_MD_CTX_free(Pointer);
        fn EVP_sha256() -> *const c_void;
        fn EVP_DigestSignInit(
            Pointer, *mut Pointer, *const c_void, Pointer, Pointer
        ) -> c_int;
        fn EVP_DigestSign(Pointer, *mut c_uchar, *mut usize, *const c_uchar, usize) -> c_int;
        fn EVP_EncodeBlock(*mut c_uchar, *const c_uchar, c_int) -> c_int;
    }
    optional {}
    substitute {}
}

#[cfg(test)]
table! {
    /// Functions used only by tests.
    TestApi:
    required {
        fn SSL_set_alpn_protos(Pointer, *const c_uchar, c_uint) -> c_int;
    }
    optional {
        fn SSL_key_update(Pointer, c_int) -> c_int;
    }
    substitute {}
}

/// Commands of `SSL_CTX_ctrl` and `SSL_ctrl`.
pub(super) mod ctrl {
    use std::ffi::c_int;

    /// `SSL_CTRL_OPTIONS`, for LibreSSL, which has no function to set options.
    pub(in crate::sys::tls) const OPTIONS: c_int = 32;
    /// `SSL_CTRL_MODE`.
    pub(in crate::sys::tls) const MODE: c_int = 33;
    /// `SSL_CTRL_SET_SESS_CACHE_SIZE`.
    pub(in crate::sys::tls) const SESSION_CACHE_SIZE: c_int = 42;
    /// `SSL_CTRL_SET_SESS_CACHE_MODE`.
    pub(in crate::sys::tls) const SESSION_CACHE_MODE: c_int = 44;
    /// `SSL_CTRL_SET_TLSEXT_HOSTNAME`.
    pub(in crate::sys::tls) const HOST_NAME: c_int = 55;
    /// `SSL_CTRL_SET_MIN_PROTO_VERSION`.
    pub(in crate::sys::tls) const SET_MIN_VERSION: c_int = 123;
    /// `SSL_CTRL_SET_MAX_PROTO_VERSION`.
    pub(in crate::sys::tls) const SET_MAX_VERSION: c_int = 124;
    /// `SSL_CTRL_GET_MIN_PROTO_VERSION`.
    pub(in crate::sys::tls) const GET_MIN_VERSION: c_int = 130;
}

/// Results of `SSL_get_error`, except `SSL_ERROR_SSL` and those that cannot occur here.
pub(super) mod ssl_error {
    use std::ffi::c_int;

    /// `SSL_ERROR_WANT_READ`.
    pub(in crate::sys::tls) const WANT_READ: c_int = 2;
    /// `SSL_ERROR_WANT_WRITE`.
    pub(in crate::sys::tls) const WANT_WRITE: c_int = 3;
    /// `SSL_ERROR_SYSCALL`.
    pub(in crate::sys::tls) const SYSCALL: c_int = 5;
    /// `SSL_ERROR_ZERO_RETURN`.
    pub(in crate::sys::tls) const ZERO_RETURN: c_int = 6;
}
