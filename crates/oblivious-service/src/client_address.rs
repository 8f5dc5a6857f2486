//! The address of a client, to tell clients apart without revealing it to others.

use std::fmt;
use std::net::IpAddr;

/// The address of the client, in the extensions of a request.
///
/// A server puts it there, from the socket or from what a trusted proxy says. Limits per client use
/// it. Its `Debug` output does not show it, so that it does not get into a log by accident (RFC
/// 9458 §6.2).
///
/// ```
/// use oblivious_service::ClientAddress;
///
/// let client = ClientAddress::from(std::net::IpAddr::from([192, 0, 2, 7]));
/// assert_eq!(client.ip().to_string(), "192.0.2.7");
/// assert!(!format!("{client:?}").contains("192"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The address. An IPv4 address is never in its IPv6-mapped form (`::ffff:192.0.2.7`).
    pub const fn ip(self) -> IpAddr {
        self.0
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }
}

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAddress").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_address_is_the_one_it_maps() {
        let mapped = ClientAddress::from("::ffff:192.0.2.7".parse::<IpAddr>().unwrap());
        assert_eq!(mapped, ClientAddress::from("192.0.2.7".parse::<IpAddr>().unwrap()));
    }
}
