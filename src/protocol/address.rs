//! Addresses of data connections: the arguments of PORT and EPRT, and the texts of the replies 227
//! and 229.
//!
//! Commands are parsed strictly (RFC 959 section 5.3.2, RFC 2428 section 2), except that spaces
//! around the numbers of PORT are accepted, because some clients send them. Replies are parsed as
//! RFC 1123 section 4.1.2.6 asks: the parser searches the text for the six numbers, because
//! servers put different text around and between them.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

/// Parses `h1,h2,h3,h4,p1,p2`, the argument of PORT, with or without spaces around each number.
/// Returns `None` for anything else, and for port 0.
pub fn parse_port(argument: &[u8]) -> Option<SocketAddrV4> {
    let mut numbers = [0u8; 6];
    let mut parts = argument.split(|&b| b == b',');
    for number in &mut numbers {
        *number = parse_number(parts.next()?.trim_ascii())?;
    }
    if parts.next().is_some() {
        return None;
    }
    from_six(numbers)
}

/// Writes `h1,h2,h3,h4,p1,p2`.
pub fn write_port(address: SocketAddrV4, out: &mut Vec<u8>) {
    let [a, b, c, d] = address.ip().octets();
    let [high, low] = address.port().to_be_bytes();
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{a},{b},{c},{d},{high},{low}");
}

/// Finds the address in the text of a 227 reply: six numbers separated by commas. Any text may
/// surround them, and spaces may surround the commas.
pub fn parse_passive(text: &[u8]) -> Option<SocketAddrV4> {
    let belongs = |byte: u8| byte.is_ascii_digit() || matches!(byte, b',' | b' ');
    text.split(|&byte| !belongs(byte)).find_map(|run| {
        let parts = run.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        let numbers: Vec<&[u8]> = parts.filter(|part| !part.is_empty()).collect();
        let [first, second, third, fourth, high, low] = numbers[..] else { return None };
        // Other numbers may precede and follow the six, separated by a space.
        let first = first.rsplit(|&byte| byte == b' ').next()?;
        let low = low.split(|&byte| byte == b' ').next()?;
        parse_port(&[first, second, third, fourth, high, low].join(&b','))
    })
}

/// Writes the text of a 227 reply for `address`.
pub fn write_passive(address: SocketAddrV4, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Entering Passive Mode (");
    write_port(address, out);
    out.extend_from_slice(b").");
}

/// The reason why the argument of EPRT cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EprtError {
    /// The argument does not have the form `|1|address|port|`; the reply is 501.
    Syntax,
    /// The network protocol is neither 1 (IPv4) nor 2 (IPv6); the reply is 522 (RFC 2428 section
    /// 2).
    Protocol,
}

/// Parses `|1|132.235.1.2|6275|` or `|2|1080::8:800:200C:417A|5282|` with any delimiter.
///
/// # Errors
/// Returns [`EprtError`] if the form is wrong or the network protocol is unknown.
pub fn parse_extended(argument: &[u8]) -> Result<SocketAddr, EprtError> {
    let text = std::str::from_utf8(argument).map_err(|_| EprtError::Syntax)?;
    // RFC 2428: the delimiter is any of the printable ASCII characters 33 to 126.
    let delimiter = text.chars().next().filter(char::is_ascii_graphic).ok_or(EprtError::Syntax)?;
    let parts: Vec<&str> = text.split(delimiter).collect();
    let ["", protocol, address, port, ""] = parts[..] else { return Err(EprtError::Syntax) };
    let port = parse_port_number(port.as_bytes()).ok_or(EprtError::Syntax)?;
    let address = match protocol {
        "1" => address.parse().map(IpAddr::V4).ok(),
        "2" => address.parse().map(IpAddr::V6).ok(),
        number if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => {
            return Err(EprtError::Protocol);
        }
        _ => None,
    };
    Ok(SocketAddr::new(address.ok_or(EprtError::Syntax)?, port))
}

/// Writes `|1|address|port|` or `|2|address|port|`.
pub fn write_extended(address: SocketAddr, out: &mut Vec<u8>) {
    let protocol = if address.is_ipv4() { 1 } else { 2 };
    let _ = write!(out, "|{protocol}|{}|{}|", address.ip(), address.port());
}

/// Finds the port in the text of a 229 reply, `(|||port|)`, with any delimiter. Returns `None` if
/// the text names a network protocol other than that of `peer`.
pub fn parse_extended_passive(text: &[u8], peer: IpAddr) -> Option<u16> {
    let open = text.iter().position(|&b| b == b'(')? + 1;
    let inside = &text[open..];
    let inside = &inside[..inside.iter().position(|&b| b == b')')?];
    let (&delimiter, _) = inside.split_first()?;
    let parts: Vec<&[u8]> = inside.split(|&b| b == delimiter).collect();
    // RFC 2428 section 3 leaves protocol and address empty, but some servers send them.
    let [b"", protocol, _, port, b""] = parts[..] else { return None };
    let own: &[u8] = if peer.is_ipv4() { b"1" } else { b"2" };
    parse_port_number(port).filter(|_| protocol.is_empty() || protocol == own)
}

/// Writes the text of a 229 reply for `port`.
pub fn write_extended_passive(port: u16, out: &mut Vec<u8>) {
    let parts = ["Entering Extended Passive Mode (|||", &port.to_string(), "|)."];
    out.extend_from_slice(parts.concat().as_bytes());
}

fn from_six([a, b, c, d, high, low]: [u8; 6]) -> Option<SocketAddrV4> {
    let port = u16::from_be_bytes([high, low]);
    (port != 0).then(|| SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), port))
}

/// Parses digits only; `u8::from_str` would also accept a sign.
fn parse_number(digits: &[u8]) -> Option<u8> {
    digits_only(digits)?.parse().ok()
}

fn parse_port_number(digits: &[u8]) -> Option<u16> {
    digits_only(digits)?.parse().ok().filter(|&port| port != 0)
}

fn digits_only(digits: &[u8]) -> Option<&str> {
    let plain = !digits.is_empty() && digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit);
    if plain { std::str::from_utf8(digits).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn v4(text: &str) -> SocketAddrV4 {
        text.parse().unwrap()
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn port_is_parsed_strictly() {
        assert_eq!(parse_port(b"127,0,0,1,4,1"), Some(v4("127.0.0.1:1025")));
        let bad: [&[u8]; 10] = [
            b"",
            b"1,2,3,4,5",
            b"1,2,3,4,5,6,7",
            b"256,0,0,1,4,1",
            b"1,2,3,4,0,0",
            b"1,2,3,4,5,",
            b"a,2,3,4,5,6",
            b"+1,2,3,4,5,6",
            b"1,2 ,3,4,5 6",
            b"1,2,3,4,-5,6",
        ];
        for argument in bad {
            assert_eq!(parse_port(argument), None, "{}", argument.escape_ascii());
        }
    }

    #[test]
    fn passive_replies_of_many_servers_are_parsed() {
        let same = Some(v4("10.1.2.3:1029"));
        for text in [
            "Entering Passive Mode (10,1,2,3,4,5).",
            "Entering Passive Mode (10,1,2,3,4,5)",
            "Entering Passive Mode. 10,1,2,3,4,5",
            "=10,1,2,3,4,5",
            "Passive mode 2, ok (10,1,2,3,4,5)",
        ] {
            assert_eq!(parse_passive(text.as_bytes()), same, "{text}");
        }
        assert_eq!(parse_passive(b"Entering Passive Mode (10,1,2,3,4)"), None);
        assert_eq!(parse_passive(b"(1,2,3,4,5,6,7)"), None);
        let spaced = b"Entering Passive Mode (127, 0, 0, 1, 4 , 1)";
        assert_eq!(parse_passive(spaced), Some(v4("127.0.0.1:1025")));
        assert_eq!(parse_passive(b"=127,0,0,1,4,1"), Some(v4("127.0.0.1:1025")));
        assert_eq!(
            parse_passive(b"1 of 2, see 127,0,0,1,4,1 300 bytes"),
            Some(v4("127.0.0.1:1025"))
        );
        assert_eq!(parse_port(b"127, 0, 0, 1, 4 ,1"), Some(v4("127.0.0.1:1025")));
        assert_eq!(parse_port(b"127 0,0,0,1,4,1"), None);
        assert_eq!(parse_passive(b"(1,2,3,4,0,0)"), None);
    }

    #[test]
    fn extended_addresses_are_parsed() {
        assert_eq!(
            parse_extended(b"|1|132.235.1.2|6275|"),
            Ok("132.235.1.2:6275".parse().unwrap())
        );
        assert_eq!(
            parse_extended(b"|2|1080::8:800:200C:417A|5282|"),
            Ok("[1080::8:800:200c:417a]:5282".parse().unwrap())
        );
        assert_eq!(parse_extended(b"!1!1.2.3.4!21!"), Ok("1.2.3.4:21".parse().unwrap()));
        assert_eq!(parse_extended(b"|3|x|21|"), Err(EprtError::Protocol));
        let bad: [&[u8]; 8] = [
            b"",
            b"|",
            b"|1|1.2.3.4|0|",
            b"|1|1.2.3.4|65536|",
            b"|1|::1|21|",
            b"|2|1.2.3.4|21|",
            b"|1|1.2.3.4|21",
            b"|1|1.2.3.4|21|x",
        ];
        for argument in bad {
            assert_eq!(parse_extended(argument), Err(EprtError::Syntax));
        }
        assert_eq!(parse_extended_passive(b"Ok (|||6446|)", PEER), Some(6446));
        assert_eq!(parse_extended_passive(b"Ok (|2|::1|6446|)", PEER), None);
        let ipv6 = Ipv6Addr::LOCALHOST.into();
        assert_eq!(parse_extended_passive(b"Ok (|2|::1|6446|)", ipv6), Some(6446));
        assert_eq!(parse_extended_passive(b"Ok (|1|10.0.0.1|6446|)", ipv6), None);
        assert_eq!(parse_extended_passive(b"Ok (|1|10.0.0.1|6446|)", PEER), Some(6446));
        assert_eq!(parse_extended_passive(b"Ok (!!!6446!) (x)", PEER), Some(6446));
        for bad in [&b"(|||0|)"[..], b"(|||65536|)", b"|||1|", b"(", b"()", b"(|||)", b"(||||)"] {
            assert_eq!(parse_extended_passive(bad, PEER), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn writing_and_parsing_are_inverses() {
        for text in ["127.0.0.1:1", "255.255.255.255:65535", "10.0.0.7:256"] {
            let address = v4(text);
            assert_eq!(parse_port(&written(|out| write_port(address, out))), Some(address));
            assert_eq!(parse_passive(&written(|out| write_passive(address, out))), Some(address));
        }
        for text in ["1.2.3.4:1024", "[::1]:65535", "[fe80::1:2]:1"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(parse_extended(&written(|out| write_extended(address, out))), Ok(address));
        }
        for port in [1, 1024, 65535] {
            let text = written(|out| write_extended_passive(port, out));
            assert_eq!(parse_extended_passive(&text, PEER), Some(port));
        }
    }
}
