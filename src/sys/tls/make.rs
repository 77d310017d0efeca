//! [`make_certificate`]: creates self-signed certificates, for servers without one from an authority.
//!
//! OpenSSL creates the key and the signature. The certificate itself is encoded here (RFC 5280), which
//! needs only half as many OpenSSL functions.

use super::api::{KeyApi, Pointer};
use super::certificate::{Certificate, time_element};
use super::der::{element, nested, tag};
use super::error::{TlsError, TlsErrorKind};
use super::library::TlsLibrary;
use std::ffi::{c_int, c_uchar};
use std::net::IpAddr;
use std::ptr;
use std::time::{Duration, SystemTime};

/// A new certificate is valid from this long ago, for clients whose clocks are slow.
const BACKDATED: Duration = Duration::from_secs(24 * 60 * 60);

/// Maximum length of a common name (RFC 5280, `ub-common-name`).
const LONGEST_COMMON_NAME: usize = 64;

// Object identifiers.
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 14];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
const SERVER_AUTHENTICATION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];

/// A newly created certificate.
#[derive(Debug)]
pub struct NewCertificate {
    /// The certificate.
    pub certificate: Certificate,
    /// The certificate and its private key in PEM format. This is a secret.
    pub pem: String,
}

/// Creates an EC P-256 key and a self-signed certificate for these host names and addresses, valid from
/// yesterday until `days` from now.
///
/// # Errors
/// There is no name, a name is not a host name or address, or the library lacks a function.
pub fn make_certificate(
    library: &TlsLibrary,
    names: &[String],
    days: u32,
) -> Result<NewCertificate, TlsError> {
    let now = SystemTime::now();
    let end = now.checked_add(Duration::from_secs(u64::from(days) * 24 * 60 * 60));
    make(library, names, now.checked_sub(BACKDATED).unwrap_or(now), end.unwrap_or(now))
}

/// Like [`make_certificate`], for any validity period.
pub(super) fn make(
    library: &TlsLibrary,
    names: &[String],
    from: SystemTime,
    until: SystemTime,
) -> Result<NewCertificate, TlsError> {
    let alternatives = general_names(names)?;
    let api: KeyApi = library
        .table()
        .map_err(|missing| failed(&format!("make a certificate without {missing}")))?;
    let key = Key::generate(&api).ok_or_else(|| failed("make a key"))?;
    let public = encode(|at| {
        // SAFETY: the key is valid; `at` is null to get the length, or points to a large enough buffer.
        unsafe { (api.i2d_PUBKEY)(key.raw, at) }
    });
    let private = encode(|at| {
        // SAFETY: as above.
        unsafe { (api.i2d_PrivateKey)(key.raw, at) }
    });
    let (Some(public), Some(private)) = (public, private) else {
        return Err(failed("write the key"));
    };
    let key_id = Certificate::new(&library.api, public.clone()).sha256();
    let validity = [time_element(from), time_element(until)];
    let name = distinguished_name(names);
    let algorithm = nested(tag::SEQUENCE, &[&element(tag::OBJECT, ECDSA_WITH_SHA256)]);
    let signed = nested(
        tag::SEQUENCE,
        &[
            // Version 3.
            &element(tag::explicit(0), &element(tag::INTEGER, &[2])),
            &element(tag::INTEGER, &serial()?),
            &algorithm,
            &name,
            &nested(tag::SEQUENCE, &[&validity[0], &validity[1]]),
            &name,
            &public,
            &extensions(&alternatives, &key_id),
        ],
    );
    let signature = key.sign(&signed).ok_or_else(|| failed("sign a certificate"))?;
    let signature = element(tag::BIT_STRING, &[&[0], signature.as_slice()].concat());
    let certificate = nested(tag::SEQUENCE, &[&signed, &algorithm, &signature]);
    let pem = [pem(&api, "CERTIFICATE", &certificate), pem(&api, "EC PRIVATE KEY", &private)];
    Ok(NewCertificate {
        certificate: Certificate::new(&library.api, certificate),
        pem: pem.concat(),
    })
}

fn failed(what: &str) -> TlsError {
    TlsError::new(TlsErrorKind::Library, format!("the TLS library cannot {what}"))
}

/// Encodes the names as the contents of a subjectAltName.
fn general_names(names: &[String]) -> Result<Vec<u8>, TlsError> {
    const DNS: u8 = tag::context(2);
    const ADDRESS: u8 = tag::context(7);
    let refused = |name: &str| {
        let text =
            format!("cannot make a certificate for {name:?}: expected a host name or address");
        TlsError::new(TlsErrorKind::Name, text)
    };
    if names.is_empty() {
        return Err(refused(""));
    }
    let mut elements = Vec::new();
    for name in names {
        elements.extend(match name.parse() {
            Ok(IpAddr::V4(v4)) => element(ADDRESS, &v4.octets()),
            Ok(IpAddr::V6(v6)) => element(ADDRESS, &v6.octets()),
            Err(_) if is_host_name(name) => element(DNS, name.as_bytes()),
            Err(_) => return Err(refused(name)),
        });
    }
    Ok(elements)
}

/// Returns true if a certificate can be created for this name: an address, or a host name whose first
/// label may be a wildcard.
pub fn is_certificate_name(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok() || is_host_name(name)
}

/// Returns true for a host name (RFC 1123), whose first label may be a wildcard.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(allowed)
    };
    name.len() <= 253 && name.strip_prefix("*.").unwrap_or(name).split('.').all(is_label)
}

/// Encodes the subject and issuer, with the first name that is short enough.
fn distinguished_name(names: &[String]) -> Vec<u8> {
    let short = names.iter().find(|name| name.len() <= LONGEST_COMMON_NAME);
    let name = short.map_or("FTP server", String::as_str);
    let name = element(tag::UTF8_STRING, name.as_bytes());
    let attribute = nested(tag::SEQUENCE, &[&element(tag::OBJECT, COMMON_NAME), &name]);
    nested(tag::SEQUENCE, &[&element(tag::SET, &attribute)])
}

/// Returns a random positive number of 16 bytes.
fn serial() -> Result<[u8; 16], TlsError> {
    let mut serial = [0; 16];
    crate::sys::fill_random(&mut serial).map_err(|error| {
        TlsError::new(TlsErrorKind::Library, format!("cannot make a serial number: {error}"))
    })?;
    serial[0] = serial[0] & 0x7f | 0x40;
    Ok(serial)
}

/// Encodes the extensions. There is no keyUsage: without keyCertSign, OpenSSL 1.1.1 does not accept the
/// certificate as self-signed, and with it the certificate would be an authority.
fn extensions(alternatives: &[u8], key_id: &[u8; 32]) -> Vec<u8> {
    let extension = |kind: &[u8], critical: &[u8], value: &[u8]| {
        let value = element(tag::OCTET_STRING, value);
        nested(tag::SEQUENCE, &[&element(tag::OBJECT, kind), critical, &value])
    };
    let critical = element(tag::BOOLEAN, &[0xff]);
    let not_an_authority = element(tag::SEQUENCE, &[]);
    let usage = nested(tag::SEQUENCE, &[&element(tag::OBJECT, SERVER_AUTHENTICATION)]);
    // RFC 7093 section 2: the leftmost 160 bits of a SHA-256.
    let key_id = element(tag::OCTET_STRING, &key_id[..20]);
    let all = nested(
        tag::SEQUENCE,
        &[
            &extension(BASIC_CONSTRAINTS, &critical, &not_an_authority),
            &extension(EXTENDED_KEY_USAGE, &[], &usage),
            &extension(SUBJECT_ALT_NAME, &[], &element(tag::SEQUENCE, alternatives)),
            &extension(SUBJECT_KEY_ID, &[], &key_id),
        ],
    );
    element(tag::explicit(3), &all)
}

/// A private key.
struct Key<'a> {
    api: &'a KeyApi,
    raw: Pointer,
}

impl Drop for Key<'_> {
    fn drop(&mut self) {
        // SAFETY: created by EVP_PKEY_keygen, freed once.
        unsafe { (self.api.EVP_PKEY_free)(self.raw) };
    }
}

impl Key<'_> {
    /// Generates a key on the curve P-256.
    fn generate(api: &KeyApi) -> Option<Key<'_>> {
        /// `EVP_PKEY_EC`.
        const EC: c_int = 408;
        // SAFETY: the engine may be null.
        let context = unsafe { (api.EVP_PKEY_CTX_new_id)(EC, ptr::null_mut()) };
        if context.is_null() {
            return None;
        }
        let mut raw = ptr::null_mut();
        let (curve, name) = (c"ec_paramgen_curve".as_ptr(), c"P-256".as_ptr());
        // SAFETY: the context is valid, both strings are NUL-terminated, and the key pointer is null.
        let made = unsafe {
            (api.EVP_PKEY_keygen_init)(context) == 1
                && (api.EVP_PKEY_CTX_ctrl_str)(context, curve, name) == 1
                && (api.EVP_PKEY_keygen)(context, &raw mut raw) == 1
        };
        // SAFETY: created above, freed once.
        unsafe { (api.EVP_PKEY_CTX_free)(context) };
        made.then_some(Key { api, raw })
    }

    /// Signs these bytes with ECDSA and SHA-256.
    fn sign(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let api = self.api;
        // SAFETY: no arguments.
        let context = unsafe { (api.EVP_MD_CTX_new)() };
        if context.is_null() {
            return None;
        }
        let (mut length, null) = (0, ptr::null_mut());
        // SAFETY: context and key are valid; with a null output pointer, only the length is returned.
        let begun = unsafe {
            (api.EVP_DigestSignInit)(context, ptr::null_mut(), (api.EVP_sha256)(), null, self.raw)
                == 1
                && (api.EVP_DigestSign)(
                    context,
                    ptr::null_mut(),
                    &raw mut length,
                    bytes.as_ptr(),
                    bytes.len(),
                ) == 1
        };
        let mut signature = vec![0; length];
        // SAFETY: as above; the buffer has the returned length.
        let signed = begun
            && unsafe {
                (api.EVP_DigestSign)(
                    context,
                    signature.as_mut_ptr(),
                    &raw mut length,
                    bytes.as_ptr(),
                    bytes.len(),
                ) == 1
            };
        // SAFETY: created above, freed once.
        unsafe { (api.EVP_MD_CTX_free)(context) };
        signature.truncate(length);
        signed.then_some(signature)
    }
}

/// Calls an OpenSSL function that writes DER: given null, it returns the length, otherwise it writes to
/// the pointer.
fn encode(write: impl Fn(*mut *mut c_uchar) -> c_int) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(write(ptr::null_mut())).ok()?];
    let mut at = bytes.as_mut_ptr();
    let written = usize::try_from(write(&raw mut at)).ok()?;
    (written > 0 && written == bytes.len()).then_some(bytes)
}

/// Encodes a PEM block (RFC 7468).
fn pem(api: &KeyApi, label: &str, der: &[u8]) -> String {
    const LINE: usize = 48;
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(LINE) {
        let mut text = [0; LINE / 3 * 4 + 1];
        // SAFETY: at most 48 bytes are read; at most 64 and a NUL are written.
        let length =
            unsafe { (api.EVP_EncodeBlock)(text.as_mut_ptr(), line.as_ptr(), line.len() as c_int) };
        let written = text.get(..usize::try_from(length).unwrap_or(0)).unwrap_or_default();
        out.extend(written.iter().map(|byte| char::from(*byte)));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_recognized() {
        for good in ["localhost", "a.b-c_d.example", "*.example.org", "xn--bcher-kva.example"] {
            assert!(is_host_name(good), "{good}");
        }
        for bad in ["", ".", "a..b", "a b", "*", "a.*.b", "bücher.example", "a\0b", "a\nb"] {
            assert!(!is_host_name(bad), "{bad:?}");
        }
        assert!(!is_host_name(&"a".repeat(64)) && !is_host_name(&"a.".repeat(127)));
    }
}
