//! The PROXY protocol, with which a load balancer announces the client of a connection before any
//! other data.
//!
//! Both versions of the public specification are supported (haproxy.org,
//! `doc/proxy-protocol.txt`): version 1 is a line of text, version 2 is binary. Callers may rely
//! on the following:
//!
//! - [`parse`] consumes no byte after the end of the header. An error for a part of the data is
//!   final: more data does not change it.
//! - No input causes a panic, and a header is never longer than [`MAX_HEADER`] bytes.
//! - An announced address is one that a client can have: it is not a multicast address and not
//!   `0.0.0.0`, with which a program that connects to it reaches its own machine.
//!
//! Of the additional fields of version 2 (TLVs), the checksum is verified if it is present. The
//! others must be well-formed and are ignored.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest accepted header, in bytes. The addresses take 52 bytes; certificates and host
/// names, which load balancers add for other servers, take some hundred.
pub const MAX_HEADER: usize = 4096;

/// The longest line of version 1 with its line end, in bytes (section 2.1).
const MAX_LINE: usize = 107;

/// The first bytes of version 2 (section 2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The first bytes of version 1 (section 2.1).
const WORD: &[u8; 6] = b"PROXY ";

/// The number of bytes before the addresses in version 2: signature, command, family and length.
const FIXED: usize = 16;

/// The content of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The load balancer forwards the connection of a client.
    Proxied {
        /// The address of the client.
        from: SocketAddr,
        /// The address that the client connected to.
        to: SocketAddr,
    },
    /// The load balancer does not know the client's address or cannot express it (`UNKNOWN`).
    Unknown,
    /// The load balancer connects on its own behalf (`LOCAL`), such as for a health check.
    Local,
}

/// The reason why data is not a valid header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The data does not begin like a header of either version.
    NoHeader,
    /// The header is longer than [`MAX_HEADER`], or than a line of version 1 may be.
    TooLong,
    /// A command, family or form that the specification does not define.
    Form,
    /// An address that no client can have.
    Address,
    /// The checksum is wrong.
    Checksum,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::NoHeader => "it does not begin with a PROXY protocol header",
            Malformed::TooLong => "the PROXY protocol header is too long",
            Malformed::Form => "the PROXY protocol header is malformed",
            Malformed::Address => "the PROXY protocol header names no address of a client",
            Malformed::Checksum => "the checksum of the PROXY protocol header is wrong",
        })
    }
}

/// Parses a header at the start of the data that has arrived so far, and returns it with its
/// length. Returns `None` if the header is incomplete.
///
/// # Errors
/// Fails as soon as the data cannot become a valid header.
pub fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
    if begins(bytes, SIGNATURE) {
        return parse_binary(bytes);
    }
    if begins(bytes, WORD) {
        return parse_line(bytes);
    }
    Err(Malformed::NoHeader)
}

/// Returns whether both slices agree over the length of the shorter one.
fn begins(bytes: &[u8], with: &[u8]) -> bool {
    bytes.iter().zip(with).all(|(one, other)| one == other)
}

/// Parses a version 1 line such as `PROXY TCP4 192.0.2.1 192.0.2.2 50000 21` with CR LF (section
/// 2.1).
fn parse_line(bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
    let window = &bytes[..bytes.len().min(MAX_LINE)];
    let Some(end) = window.iter().position(|&byte| byte == b'\n') else {
        return if bytes.len() < MAX_LINE { Ok(None) } else { Err(Malformed::TooLong) };
    };
    let line = window[..end].strip_suffix(b"\r").ok_or(Malformed::Form)?;
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let header = match words[..] {
        // Section 2.1 requires the rest of the line to be ignored.
        [_, b"UNKNOWN", ..] => Header::Unknown,
        [_, b"TCP4", from, to, from_port, to_port] => proxied(
            text::<Ipv4Addr>(from)?,
            text::<Ipv4Addr>(to)?,
            port(from_port)?,
            port(to_port)?,
        )?,
        [_, b"TCP6", from, to, from_port, to_port] => proxied(
            text::<Ipv6Addr>(from)?,
            text::<Ipv6Addr>(to)?,
            port(from_port)?,
            port(to_port)?,
        )?,
        _ => return Err(Malformed::Form),
    };
    Ok(Some((header, end + 1)))
}

fn text<T: std::str::FromStr>(word: &[u8]) -> Result<T, Malformed> {
    std::str::from_utf8(word).ok().and_then(|word| word.parse().ok()).ok_or(Malformed::Address)
}

/// Parses a port: digits without a leading zero, which could make it look octal (section 2.1).
fn port(word: &[u8]) -> Result<u16, Malformed> {
    let plain =
        word.iter().all(u8::is_ascii_digit) && (word.len() == 1 || word.first() != Some(&b'0'));
    if plain { text(word) } else { Err(Malformed::Form) }
}

/// Parses version 2: signature, version and command, family and protocol, length, and that many
/// bytes (section 2.2).
fn parse_binary(bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
    let known = |at: usize, values: &[u8]| bytes.get(at).is_none_or(|byte| values.contains(byte));
    if !known(12, &[0x20, 0x21]) {
        return Err(Malformed::Form);
    }
    let Some(&[high, low]) = bytes.get(FIXED - 2..FIXED) else { return Ok(None) };
    let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_HEADER {
        return Err(Malformed::TooLong);
    }
    let Some(whole) = bytes.get(..length) else { return Ok(None) };
    // LOCAL: everything else in the header is ignored, including the family.
    let header = if whole[12] == 0x20 { Header::Local } else { parse_proxied(whole)? };
    Ok(Some((header, length)))
}

fn parse_proxied(whole: &[u8]) -> Result<Header, Malformed> {
    let block = &whole[FIXED..];
    let (header, fields) = match whole[13] {
        // TCP over IPv4 and over IPv6.
        0x11 => (inet::<4>(block)?, 12),
        0x21 => (inet::<16>(block)?, 36),
        // An unspecified family, or a socket of the load balancer's own machine.
        0x00 => (Header::Unknown, 0),
        0x31 => (Header::Unknown, 216),
        _ => return Err(Malformed::Form),
    };
    check_fields(whole, FIXED + fields)?;
    Ok(header)
}

/// Parses two addresses and two ports.
fn inet<const SIZE: usize>(block: &[u8]) -> Result<Header, Malformed>
where
    [u8; SIZE]: Into<IpAddr>,
{
    let (from, rest) = block.split_first_chunk::<SIZE>().ok_or(Malformed::Form)?;
    let (to, rest) = rest.split_first_chunk::<SIZE>().ok_or(Malformed::Form)?;
    let ports = rest.first_chunk::<4>().ok_or(Malformed::Form)?;
    let [from_port, to_port] = [[ports[0], ports[1]], [ports[2], ports[3]]].map(u16::from_be_bytes);
    proxied(*from, *to, from_port, to_port)
}

fn proxied(
    from: impl Into<IpAddr>,
    to: impl Into<IpAddr>,
    from_port: u16,
    to_port: u16,
) -> Result<Header, Malformed> {
    let address = |ip: IpAddr, port| SocketAddr::new(ip.to_canonical(), port);
    let (from, to) = (address(from.into(), from_port), address(to.into(), to_port));
    let is_impossible = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast(),
    };
    if is_impossible(from.ip()) || is_impossible(to.ip()) || from.is_ipv4() != to.is_ipv4() {
        return Err(Malformed::Address);
    }
    Ok(Header::Proxied { from, to })
}

/// Checks the additional fields up to the end of the header: type, length and value (section
/// 2.2.1).
fn check_fields(whole: &[u8], start: usize) -> Result<(), Malformed> {
    const CHECKSUM: u8 = 0x03;
    let mut at = start;
    if at > whole.len() {
        return Err(Malformed::Form);
    }
    while at < whole.len() {
        let &[kind, high, low] = whole.get(at..at + 3).ok_or(Malformed::Form)? else {
            return Err(Malformed::Form);
        };
        let value = at + 3;
        at = value + usize::from(u16::from_be_bytes([high, low]));
        let bytes = whole.get(value..at).ok_or(Malformed::Form)?;
        if kind == CHECKSUM {
            let sent = <[u8; 4]>::try_from(bytes).map_err(|_| Malformed::Form)?;
            if u32::from_be_bytes(sent) != checksum(whole, value) {
                return Err(Malformed::Checksum);
            }
        }
    }
    Ok(())
}

/// Returns the CRC32c of the whole header, with the four bytes of the checksum taken as zeros
/// (section 2.2.3).
fn checksum(whole: &[u8], at: usize) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78; // RFC 4960 appendix B, with its bits reversed
    let blanked = whole.iter().enumerate();
    let crc = blanked.fold(u32::MAX, |crc, (place, &byte)| {
        let byte = if (at..at + 4).contains(&place) { 0 } else { byte };
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 }
        })
    });
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn client() -> Header {
        Header::Proxied { from: address("192.0.2.1:50000"), to: address("192.0.2.2:21") }
    }

    fn client_v6() -> Header {
        Header::Proxied { from: address("[2001:db8::1]:50000"), to: address("[2001:db8::2]:21") }
    }

    /// Returns a version 2 header with the given bytes after its length.
    fn binary(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family][..], &length, block].concat()
    }

    fn inet4() -> Vec<u8> {
        [&[192, 0, 2, 1, 192, 0, 2, 2][..], &50000u16.to_be_bytes(), &21u16.to_be_bytes()].concat()
    }

    fn inet6() -> Vec<u8> {
        let ip = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
        let ports = [50000u16.to_be_bytes(), 21u16.to_be_bytes()].concat();
        [&ip("2001:db8::1")[..], &ip("2001:db8::2"), &ports].concat()
    }

    fn field(kind: u8, value: &[u8]) -> Vec<u8> {
        [&[kind][..], &u16::try_from(value.len()).unwrap().to_be_bytes(), value].concat()
    }

    /// Returns a header with its correct checksum between other fields.
    fn with_checksum() -> Vec<u8> {
        let fields = [field(0x04, b""), field(0x03, &[0; 4]), field(0x02, b"ftp.example")];
        let mut whole = binary(0x21, 0x11, &[inet4(), fields.concat()].concat());
        let at = FIXED + 12 + 3 + 3;
        let sum = checksum(&whole, at).to_be_bytes();
        whole[at..at + 4].copy_from_slice(&sum);
        whole
    }

    /// Returns valid headers of every kind with their content.
    fn good() -> Vec<(Vec<u8>, Header)> {
        let line = |text: &str| text.as_bytes().to_vec();
        let unix = vec![b'/'; 216];
        vec![
            (line("PROXY TCP4 192.0.2.1 192.0.2.2 50000 21\r\n"), client()),
            (line("PROXY TCP6 2001:db8::1 2001:db8::2 50000 21\r\n"), client_v6()),
            (line("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 50000 21\r\n"), client()),
            (line("PROXY UNKNOWN\r\n"), Header::Unknown),
            (
                line("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"),
                Header::Unknown,
            ),
            (binary(0x21, 0x11, &inet4()), client()),
            (binary(0x21, 0x21, &inet6()), client_v6()),
            (binary(0x21, 0x11, &[inet4(), field(0xe0, b"more")].concat()), client()),
            (binary(0x21, 0x00, b""), Header::Unknown),
            (binary(0x21, 0x31, &unix), Header::Unknown),
            (binary(0x20, 0x00, b""), Header::Local),
            (binary(0x20, 0x77, b"what follows is ignored"), Header::Local),
            (with_checksum(), client()),
        ]
    }

    #[test]
    fn headers_of_both_versions_are_parsed() {
        for (bytes, header) in good() {
            assert_eq!(parse(&bytes), Ok(Some((header, bytes.len()))), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn an_incomplete_header_is_not_an_error_and_bytes_after_it_remain() {
        for (bytes, header) in good() {
            for end in 0..bytes.len() {
                assert_eq!(parse(&bytes[..end]), Ok(None), "{}", bytes[..end].escape_ascii());
            }
            for rest in [&b"USER anna\r\n"[..], b"\n", b"\0\0", b"PROXY "] {
                let longer = [&bytes, rest].concat();
                assert_eq!(parse(&longer), Ok(Some((header, bytes.len()))));
            }
        }
    }

    #[test]
    fn an_invalid_header_is_rejected_at_its_first_wrong_byte() {
        for text in
            ["USER anna\r\n", "GET / HTTP/1.1\r\n", "PROXYS", "proxy TCP4", "\r\n\r\n\r", "\x16"]
        {
            assert_eq!(parse(text.as_bytes()), Err(Malformed::NoHeader), "{text:?}");
        }
        let mut other_version = binary(0x21, 0x11, &inet4());
        other_version[12] = 0x11;
        assert_eq!(parse(&other_version[..13]), Err(Malformed::Form));
    }

    #[test]
    fn malformed_lines_are_refused() {
        use Malformed::{Address, Form};
        for (line, why) in [
            ("PROXY \r\n", Form),
            ("PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n", Form),
            ("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n", Form),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", Form),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", Form),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n", Form),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n", Form),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", Form),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", Form),
            ("PROXY UNKNOWN\n", Form),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", Address),
            ("PROXY TCP4 192.0.2.1 192.0.2.2  2\r\n", Address),
            ("PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n", Address),
            ("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n", Address),
            ("PROXY TCP4 ::1 ::2 1 2\r\n", Address),
            ("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", Address),
            ("PROXY TCP4 0.0.0.0 192.0.2.2 1 2\r\n", Address),
            ("PROXY TCP4 224.0.0.1 192.0.2.2 1 2\r\n", Address),
            ("PROXY TCP4 255.255.255.255 192.0.2.2 1 2\r\n", Address),
            ("PROXY TCP6 :: ::1 1 2\r\n", Address),
            ("PROXY TCP6 ::ffff:0.0.0.0 ::1 1 2\r\n", Address),
            ("PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1 2\r\n", Address),
            ("PROXY TCP4 \u{ff}\u{fe} 192.0.2.2 1 2\r\n", Address),
        ] {
            assert_eq!(parse(line.as_bytes()), Err(why), "{line:?}");
        }
    }

    #[test]
    fn malformed_binary_headers_are_refused() {
        use Malformed::{Address, Checksum, Form};
        let fields = |fields: &[u8]| binary(0x21, 0x11, &[&inet4(), fields].concat());
        let mut changed = with_checksum();
        changed[FIXED] ^= 1;
        for (bytes, why) in [
            (binary(0x22, 0x11, &inet4()), Form),
            (binary(0x31, 0x11, &inet4()), Form),
            (binary(0x21, 0x12, &inet4()), Form),
            (binary(0x21, 0x41, &inet4()), Form),
            (binary(0x21, 0x11, &inet4()[..11]), Form),
            (binary(0x21, 0x11, b""), Form),
            (binary(0x21, 0x21, &inet6()[..35]), Form),
            (binary(0x21, 0x21, &inet4()), Form),
            (binary(0x21, 0x31, &[0; 215]), Form),
            (binary(0x21, 0x11, &[0; 12]), Address),
            (fields(&[1]), Form),
            (fields(&[1, 0]), Form),
            (fields(&[1, 0, 1]), Form),
            (fields(&field(3, &[0; 3])), Form),
            (fields(&field(3, &[0; 4])), Checksum),
            (changed, Checksum),
        ] {
            assert_eq!(parse(&bytes), Err(why), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_header_beyond_the_limit_is_rejected_immediately() {
        let line = |length| [&b"PROXY "[..], &vec![b'x'; length - WORD.len()]].concat();
        assert_eq!(parse(&line(MAX_LINE - 1)), Ok(None));
        assert_eq!(parse(&line(MAX_LINE)), Err(Malformed::TooLong));
        let longest = vec![0; MAX_HEADER - FIXED];
        assert_eq!(parse(&binary(0x20, 0, &longest)), Ok(Some((Header::Local, MAX_HEADER))));
        let longer = vec![0; MAX_HEADER - FIXED + 1];
        assert_eq!(parse(&binary(0x20, 0, &longer)[..FIXED]), Err(Malformed::TooLong));
    }

    #[test]
    fn the_checksum_matches_the_published_vector() {
        // RFC 3720 appendix B.4 has a vector of 32 bytes of ones and one of 32 zeros. The four
        // bytes of the checksum itself count as zeros, so they are appended here.
        assert_eq!(checksum(&[0; 32], 0), 0x8a91_36aa);
        assert_eq!(checksum(&[0xff; 32], 32), 0x62a8_ab43);
        assert_eq!(checksum(b"123456789", 9), 0xe306_9283);
    }

    #[test]
    fn no_input_panics_and_more_data_never_changes_an_error() {
        // Every change of one byte in every valid header, and every prefix of the result.
        for (good, _) in good() {
            for at in 0..good.len().min(120) {
                for change in [0x00, 0x01, 0x0a, 0x20, 0x30, 0x7f, 0xff] {
                    let mut bytes = good.clone();
                    bytes[at] = change;
                    let whole = parse(&bytes);
                    for end in 0..bytes.len() {
                        match parse(&bytes[..end]) {
                            Ok(None) => {}
                            // A shorter header or an error stays the same with more data.
                            answer => assert_eq!(answer, whole, "{}", bytes.escape_ascii()),
                        }
                    }
                }
            }
        }
    }
}
