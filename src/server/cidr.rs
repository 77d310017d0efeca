//! Networks in the notation of RFC 4632 and RFC 4291: `10.0.0.0/8`, `2001:db8::/32`, or a single
//! address.
//!
//! All options that take networks use this parser. Bits set after the prefix are an error, because
//! `10.1.2.3/8` is ambiguous.

use crate::args::Expected;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network: addresses with a common prefix. All bits of `first` after the prefix are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// All of IPv4.
    pub const ALL_V4: Network = Network { first: IpAddr::V4(Ipv4Addr::UNSPECIFIED), prefix: 0 };

    /// Parses `ADDRESS/BITS`, or a single address.
    ///
    /// # Errors
    /// Returns the expected form.
    pub fn parse(text: &str) -> Result<Network, Expected> {
        let wrong = || Expected("a network such as 10.0.0.0/8 or fd00::/8, or an address".into());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let first: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if first.is_ipv4() { 32 } else { 128 };
        let digits = |text: &&str| (1..=3).contains(&text.len()) && text.bytes().all(is_digit);
        let prefix = match prefix {
            None => most,
            Some(text) => {
                let bits = Some(text).filter(digits).and_then(|text| text.parse().ok());
                bits.filter(|bits| *bits <= most).ok_or_else(wrong)?
            }
        };
        let cut = cut(first, prefix);
        if cut != first {
            let meant = Network { first: cut, prefix };
            return Err(Expected(format!("no bits set after the prefix, as in {meant}")));
        }
        Ok(Network { first, prefix })
    }

    /// Returns whether the network contains an address. An IPv4-mapped address counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && cut(address, self.prefix) == self.first
    }

    /// Returns the length of the prefix in bits.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

/// Clears the bits of an address after the prefix.
fn cut(address: IpAddr, prefix: u8) -> IpAddr {
    let behind = |most: u32| most - u32::from(prefix).min(most);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(behind(32)).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(behind(128)).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

/// Returns the address under which a client is counted. All addresses of an IPv6 /64 are one,
/// since a customer usually has a whole /64; link-local addresses share their /64 and are counted
/// individually.
pub fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => IpAddr::V6(v6),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap()
    }

    #[test]
    fn networks_are_parsed_and_displayed() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "192.0.2.1/32", "::/0", "2001:db8::/33", "::1/128"]
        {
            assert_eq!(network(text).to_string(), text);
        }
        assert_eq!(network("127.0.0.1").to_string(), "127.0.0.1/32");
        assert_eq!(network("::1").to_string(), "::1/128");
        assert_eq!(network("0.0.0.0/0"), Network::ALL_V4);
    }

    #[test]
    fn invalid_networks_are_refused() {
        for text in [
            "",
            "/",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "::/129",
            "10.0.0/8",
            "010.0.0.0/8",
            "10.0.0.0/8/8",
            " 10.0.0.0/8",
            "host",
            "host/8",
            "::/0x8",
            "10.0.0.0/0008",
        ] {
            let Expected(why) = Network::parse(text).unwrap_err();
            assert!(why.contains("10.0.0.0/8"), "{text}: {why}");
        }
    }

    #[test]
    fn bits_after_the_prefix_are_refused_with_a_suggestion() {
        for (text, meant) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10.0.0.1/0", "0.0.0.0/0"),
            ("10.0.0.1/31", "10.0.0.0/31"),
            ("2001:db8::1/64", "2001:db8::/64"),
        ] {
            let Expected(why) = Network::parse(text).unwrap_err();
            assert!(why.contains(meant), "{text}: {why}");
        }
    }

    #[test]
    fn a_network_contains_exactly_its_addresses() {
        let holds = |text, address: &str| network(text).contains(address.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.255.255") && !holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("10.0.0.0/31", "10.0.0.1") && !holds("10.0.0.0/31", "10.0.0.2"));
        assert!(holds("0.0.0.0/0", "255.255.255.255") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("10.0.0.0/8", "::ffff:10.0.0.1"), "an IPv4-mapped address");
        assert!(holds("::/0", "2001::") && !holds("::/0", "10.0.0.1"));
        assert!(
            holds("2001:db8::/33", "2001:db8:7fff::") && !holds("2001:db8::/33", "2001:db8:8000::")
        );
        assert!(holds("::1", "::1") && !holds("::1", "::2"));
    }

    #[test]
    fn a_client_is_counted_by_its_ipv4_address_or_its_64_bits_of_ipv6() {
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(client_network(at("::ffff:10.0.0.1")), at("10.0.0.1"));
        assert_eq!(client_network(at("2001:db8:1:2:ffff::9")), at("2001:db8:1:2::"));
        assert_eq!(client_network(at("fe80::1")), at("fe80::1"));
    }
}
