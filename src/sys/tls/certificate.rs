//! [`Certificate`]: parses an X.509 certificate (RFC 5280) for display. OpenSSL does the verification.

use super::api::{Api, Pointer};
use super::der::{Elements, element, tag};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An X.509 certificate. Its texts come from whoever created it and may contain any characters: escape
/// them for display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    sha256: [u8; 32],
}

impl Certificate {
    /// Copies a certificate from OpenSSL. `x509` is null or a certificate that stays valid during the
    /// call.
    pub(super) fn copy(api: &Api, x509: Pointer) -> Option<Certificate> {
        if x509.is_null() {
            return None;
        }
        // SAFETY: `x509` is a certificate; with a null output pointer, only the length is returned.
        let length = unsafe { (api.i2d_X509)(x509, std::ptr::null_mut()) };
        let mut der = vec![0; usize::try_from(length).ok()?];
        let mut at = der.as_mut_ptr();
        // SAFETY: the buffer has the length that the previous call returned.
        let written = unsafe { (api.i2d_X509)(x509, &raw mut at) };
        (written == length).then(|| Certificate::new(api, der))
    }

    /// Wraps a certificate in DER.
    pub(super) fn new(api: &Api, der: Vec<u8>) -> Certificate {
        let mut sha256 = [0; 32];
        // SAFETY: reads `der.len()` bytes and writes 32.
        unsafe { (api.SHA256)(der.as_ptr(), der.len(), sha256.as_mut_ptr()) };
        Certificate { der, sha256 }
    }

    /// Returns the certificate in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the SHA-256 fingerprint, the digest of the DER.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// Returns the host names and addresses in subjectAltName, or the common name if there are none.
    pub fn names(&self) -> Vec<String> {
        let names = self.fields().map(|fields| fields.names()).unwrap_or_default();
        if names.is_empty() { self.common_name().into_iter().collect() } else { names }
    }

    /// Returns the first common name of the subject.
    pub fn common_name(&self) -> Option<String> {
        const COMMON_NAME: &[u8] = &[0x55, 4, 3];
        let subject = attributes(self.fields()?.subject);
        subject.into_iter().find(|(kind, _)| *kind == COMMON_NAME).map(|(_, value)| value)
    }

    /// Returns the subject, such as `CN=ftp.example.org, O=Example`.
    pub fn subject(&self) -> String {
        self.fields().map(|fields| distinguished_name(fields.subject)).unwrap_or_default()
    }

    /// Returns the issuer, in the same form as the subject.
    pub fn issuer(&self) -> String {
        self.fields().map(|fields| distinguished_name(fields.issuer)).unwrap_or_default()
    }

    /// Returns the start of the validity period, or `None` if it cannot be parsed.
    pub fn not_before(&self) -> Option<SystemTime> {
        let mut validity = self.fields()?.validity;
        time(validity.next()?)
    }

    /// Returns the end of the validity period, or `None` if it cannot be parsed.
    pub fn not_after(&self) -> Option<SystemTime> {
        let mut validity = self.fields()?.validity;
        validity.next()?;
        time(validity.next()?)
    }

    fn fields(&self) -> Option<Fields<'_>> {
        let mut certificate = Elements(&self.der).enter(tag::SEQUENCE)?;
        let mut signed = certificate.enter(tag::SEQUENCE)?;
        let _version = signed.pop(tag::explicit(0));
        let _serial = signed.pop(tag::INTEGER)?;
        let _algorithm = signed.pop(tag::SEQUENCE)?;
        let issuer = signed.enter(tag::SEQUENCE)?;
        let validity = signed.enter(tag::SEQUENCE)?;
        let subject = signed.enter(tag::SEQUENCE)?;
        let _key = signed.pop(tag::SEQUENCE)?;
        let extensions = signed.find(|(found, _)| *found == tag::explicit(3));
        let extensions = extensions
            .and_then(|(_, content)| Elements(content).enter(tag::SEQUENCE))
            .unwrap_or(Elements(&[]));
        Some(Fields { issuer, validity, subject, extensions })
    }
}

/// The parsed fields of a certificate.
struct Fields<'a> {
    issuer: Elements<'a>,
    validity: Elements<'a>,
    subject: Elements<'a>,
    extensions: Elements<'a>,
}

impl Fields<'_> {
    /// Returns the names in the extension subjectAltName (RFC 5280 section 4.2.1.6).
    fn names(&self) -> Vec<String> {
        const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
        let values = self.extensions.filter_map(|(_, extension)| {
            let mut parts = Elements(extension);
            let kind = parts.pop(tag::OBJECT)?;
            let _critical = parts.pop(tag::BOOLEAN);
            let value = parts.pop(tag::OCTET_STRING)?;
            (kind == SUBJECT_ALT_NAME).then(|| Elements(value).enter(tag::SEQUENCE))?
        });
        values.flatten().filter_map(general_name).collect()
    }
}

/// Returns a DNS name or IP address. Other kinds of names are ignored.
fn general_name((kind, value): (u8, &[u8])) -> Option<String> {
    const DNS: u8 = tag::context(2);
    const ADDRESS: u8 = tag::context(7);
    match kind {
        DNS => Some(String::from_utf8_lossy(value).into_owned()),
        ADDRESS => match value.len() {
            4 => <[u8; 4]>::try_from(value).ok().map(|v4| Ipv4Addr::from(v4).to_string()),
            _ => <[u8; 16]>::try_from(value).ok().map(|v6| Ipv6Addr::from(v6).to_string()),
        },
        _ => None,
    }
}

/// Returns the attributes of a distinguished name: object identifiers and texts.
fn attributes(name: Elements<'_>) -> Vec<(&[u8], String)> {
    let sets = name.filter(|(found, _)| *found == tag::SET).map(|(_, content)| Elements(content));
    let pairs = sets.flatten().filter_map(|(_, pair)| {
        let mut pair = Elements(pair);
        Some((pair.pop(tag::OBJECT)?, string(pair.next()?)))
    });
    pairs.collect()
}

/// Decodes a string of any of the types used in names.
fn string((kind, value): (u8, &[u8])) -> String {
    if kind == tag::BMP_STRING {
        let (pairs, _) = value.as_chunks::<2>();
        let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
        return char::decode_utf16(units)
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
    }
    String::from_utf8_lossy(value).into_owned()
}

fn distinguished_name(name: Elements<'_>) -> String {
    let mut out = String::new();
    for (kind, value) in attributes(name) {
        let separator = if out.is_empty() { "" } else { ", " };
        let known = match kind {
            [0x55, 4, 3] => "CN",
            [0x55, 4, 6] => "C",
            [0x55, 4, 7] => "L",
            [0x55, 4, 8] => "ST",
            [0x55, 4, 10] => "O",
            [0x55, 4, 11] => "OU",
            _ => continue,
        };
        let _ = write!(out, "{separator}{known}={value}");
    }
    out
}

/// Parses UTCTime `YYMMDDHHMMSSZ` (years 1950 to 2049) or GeneralizedTime `YYYYMMDDHHMMSSZ`.
fn time((kind, value): (u8, &[u8])) -> Option<SystemTime> {
    let digits = value.strip_suffix(b"Z")?;
    let number = |at: usize, count: usize| -> Option<i64> {
        let digits = digits.get(at..at + count)?;
        digits.iter().try_fold(0, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0'))
        })
    };
    let (year, rest) = match (kind, digits.len()) {
        (tag::UTC_TIME, 12) => (number(0, 2)? + if number(0, 2)? < 50 { 2000 } else { 1900 }, 2),
        (tag::GENERALIZED_TIME, 14) => (number(0, 4)?, 4),
        _ => return None,
    };
    let [month, day, hour, minute, second] = [
        number(rest, 2)?,
        number(rest + 2, 2)?,
        number(rest + 4, 2)?,
        number(rest + 6, 2)?,
        number(rest + 8, 2)?,
    ];
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day);
    let seconds = days_before(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let since = Duration::from_secs(seconds.unsigned_abs());
    match (valid, seconds < 0) {
        (false, _) => None,
        (true, true) => UNIX_EPOCH.checked_sub(since),
        (true, false) => UNIX_EPOCH.checked_add(since),
    }
}

/// Encodes a time: as UTCTime before 2050, else as GeneralizedTime (RFC 5280 section 4.1.2.5). Times
/// outside of both ranges become the earliest or latest time that can be encoded.
pub(super) fn time_element(moment: SystemTime) -> Vec<u8> {
    const FIRST: i64 = -631_152_000;
    const IN_2050: i64 = 2_524_608_000;
    const LAST: i64 = 253_402_300_799;
    let seconds = match moment.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(LAST),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(FIRST, |before| -before),
    };
    let seconds = seconds.clamp(FIRST, LAST);
    let (year, month, day) = date_of(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    let rest = format!("{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    if seconds < IN_2050 {
        element(tag::UTC_TIME, format!("{:02}{rest}", year % 100).as_bytes())
    } else {
        element(tag::GENERALIZED_TIME, format!("{year:04}{rest}").as_bytes())
    }
}

/// Converts days since 1970-01-01 to year, month and day.
fn date_of(days: i64) -> (i64, i64, i64) {
    // As in `days_before`, years start in March; 400 years have 146,097 days.
    let days = days + 719_468;
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let year = days.div_euclid(146_097) * 400 + year_of_era;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// Returns the number of days from 1970-01-01 to this date, negative before it.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    // Years start in March here, so that the leap day is the last day of the year.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utc_time_and_generalized_time_are_parsed() {
        let seconds = |kind, text: &str| {
            let moment = time((kind, text.as_bytes()))?;
            Some(match moment.duration_since(UNIX_EPOCH) {
                Ok(after) => i64::try_from(after.as_secs()).unwrap(),
                Err(before) => -i64::try_from(before.duration().as_secs()).unwrap(),
            })
        };
        assert_eq!(seconds(tag::UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(seconds(tag::UTC_TIME, "500101000000Z"), Some(-631_152_000));
        assert_eq!(seconds(tag::UTC_TIME, "000229123456Z"), Some(951_827_696));
        assert_eq!(seconds(tag::UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(seconds(tag::GENERALIZED_TIME, "20500101000000Z"), Some(2_524_608_000));
        assert_eq!(seconds(tag::GENERALIZED_TIME, "99991231235959Z"), Some(253_402_300_799));
        for wrong in ["", "Z", "7001010000Z", "700101000000", "701301000000Z", "70010100000xZ"] {
            assert_eq!(seconds(tag::UTC_TIME, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn encoded_times_are_parsed_back() {
        let days =
            (-7_300_i64..2_932_896).step_by(1_789).chain([-7_305, 0, 11_016, 29_219, 29_220]);
        for day in days {
            let moment = match u64::try_from(day * 86_400 + 3_661) {
                Ok(after) => UNIX_EPOCH + Duration::from_secs(after),
                Err(_) => UNIX_EPOCH - Duration::from_secs((day * 86_400 + 3_661).unsigned_abs()),
            };
            let written = time_element(moment);
            assert_eq!(time(Elements(&written).next().unwrap()), Some(moment), "{day}");
        }
        let far = UNIX_EPOCH.checked_add(Duration::from_secs(u64::MAX / 4));
        let last = far.map(time_element).unwrap_or(time_element(UNIX_EPOCH));
        assert!(last.ends_with(b"99991231235959Z") || far.is_none());
    }

    #[test]
    fn invalid_der_has_no_fields() {
        for der in [vec![], vec![0x30], vec![0x30, 0], vec![0x30, 2, 0x30, 0], vec![255; 64]] {
            let certificate = Certificate { der, sha256: [0; 32] };
            assert!(certificate.names().is_empty() && certificate.subject().is_empty());
            assert_eq!((certificate.not_before(), certificate.not_after()), (None, None));
        }
    }
}
