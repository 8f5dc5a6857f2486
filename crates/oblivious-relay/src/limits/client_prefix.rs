//! Which addresses belong to one client: it often has more than one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

/// How much of an address identifies a client: addresses with the same first bits count as one
/// client.
///
/// By default 32 bits of IPv4, so each address by itself, and 56 bits of IPv6: networks assign
/// their customers prefixes of 56 bits or less, and the customer chooses the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientPrefixes {
    ipv4: u8,
    ipv6: u8,
}

/// The prefix has no bits, or more than an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the prefix is out of range: write 1 to 32 bits for IPv4, and 1 to 128 for IPv6")]
#[non_exhaustive]
pub struct ClientPrefixesError;

impl ClientPrefixes {
    /// This many bits of an IPv4 address, and of an IPv6 address.
    ///
    /// # Errors
    ///
    /// If there are none, or more than an address has.
    pub const fn new(ipv4: u8, ipv6: u8) -> Result<Self, ClientPrefixesError> {
        match (ipv4, ipv6) {
            (1..=32, 1..=128) => Ok(Self { ipv4, ipv6 }),
            _ => Err(ClientPrefixesError),
        }
    }

    pub(super) fn of(self, address: IpAddr) -> ClientPrefix {
        ClientPrefix(match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX << (32 - u32::from(self.ipv4));
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX << (128 - u32::from(self.ipv6));
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        })
    }
}

impl Default for ClientPrefixes {
    fn default() -> Self {
        Self { ipv4: 32, ipv6: 56 }
    }
}

/// A client, as far as the limits can tell. It is never shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ClientPrefix(IpAddr);

impl fmt::Debug for ClientPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientPrefix").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_prefix_are_one_client() {
        let same = |prefixes: ClientPrefixes, one: &str, other: &str| {
            prefixes.of(one.parse().unwrap()) == prefixes.of(other.parse().unwrap())
        };
        let default = ClientPrefixes::default();
        assert!(same(default, "192.0.2.1", "192.0.2.1"));
        assert!(!same(default, "192.0.2.1", "192.0.2.2"));
        assert!(same(default, "2001:db8:0:1::1", "2001:db8:0:ff:ffff::"));
        assert!(!same(default, "2001:db8:0:1::1", "2001:db8:0:100::1"));
        assert!(!same(default, "::", "0.0.0.0"));
        let wide = ClientPrefixes::new(8, 1).unwrap();
        assert!(same(wide, "10.0.0.1", "10.255.0.1"));
        assert!(same(wide, "8000::", "ffff::"));
        let narrow = ClientPrefixes::new(32, 128).unwrap();
        assert!(!same(narrow, "2001:db8::1", "2001:db8::2"));
    }

    #[test]
    fn a_prefix_is_a_part_of_an_address() {
        for (ipv4, ipv6) in [(0, 56), (33, 56), (32, 0), (32, 129)] {
            assert_eq!(ClientPrefixes::new(ipv4, ipv6), Err(ClientPrefixesError));
        }
    }

    #[test]
    fn no_address_is_shown() {
        let prefix = ClientPrefixes::default().of("192.0.2.1".parse().unwrap());
        assert!(!format!("{prefix:?}").contains("192"));
    }
}
