//! Which addresses belong to the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` is one of the public internet, that is, globally reachable unicast
/// (RFC 6890 and the IANA special-purpose address registries).
///
/// All others lead into the gateway's own network, to the gateway itself, or nowhere: private and
/// shared networks, loopback, link-local (with the metadata service of cloud hosts at
/// 169.254.169.254; that at fd00:ec2::254 is a unique local address), multicast, broadcast,
/// documentation, benchmarking, unspecified and reserved addresses. An IPv6 address that carries an
/// IPv4 address (mapped, compatible, translated by NAT64, 6to4, Teredo) is public only if that one
/// is, since it may end up there.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // RFC 791: this network. RFC 1112 §4: reserved, and broadcast at its end.
        [0, ..] | [240..=255, ..] => true,
        // RFC 1918
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => true,
        // RFC 6598: shared behind the NAT of a carrier.
        [100, 64..=127, ..] => true,
        // RFC 1122 §3.2.1.3, RFC 3927
        [127, ..] | [169, 254, ..] => true,
        // RFC 6890: protocol assignments. RFC 7526: the former 6to4 relays. RFC 7535: AS112.
        [192, 0, 0, _] | [192, 88, 99, _] | [192, 31, 196, _] | [192, 175, 48, _] => true,
        // RFC 7450: AMT relays.
        [192, 52, 193, _] => true,
        // RFC 5737
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // RFC 2544
        [198, 18..=19, ..] => true,
        // RFC 5771
        [224..=239, ..] => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    match [a, b, c, d, e, f, g, h] {
        // RFC 6052 §2.1: NAT64.
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => is_public_v4(embedded(g, h)),
        // RFC 3056: 6to4.
        [0x2002, ..] => is_public_v4(embedded(b, c)),
        // RFC 4380 §4: Teredo, with the server as it is and the client's address inverted.
        [0x2001, 0, ..] => is_public_v4(embedded(c, d)) && is_public_v4(embedded(!g, !h)),
        // RFC 2928: other protocol assignments, ORCHID and benchmarking among them.
        [0x2001, 0x1..=0x1ff, ..] => false,
        // RFC 3849, RFC 9637: documentation.
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // RFC 7535: AS112.
        [0x2620, 0x4f, 0x8000, ..] => false,
        // RFC 4291 §2.5.5: IPv4-mapped (`::ffff:0:0/96`) and its translated sibling of RFC 2765.
        [0, 0, 0, 0, 0, 0xffff, _, _] | [0, 0, 0, 0, 0xffff, 0, _, _] => {
            is_public_v4(embedded(g, h))
        }
        // RFC 4291 §2.5.5.1: IPv4-compatible; the unspecified and the loopback address are among
        // them, as 0.0.0.0 and 0.0.0.1.
        [0, 0, 0, 0, 0, 0, _, _] => is_public_v4(embedded(g, h)),
        // RFC 4291 §2.4: global unicast. Outside of it are unique local, link-local, site-local
        // and multicast addresses, the local NAT64 prefix (RFC 8215), and what has no use yet.
        _ => a & 0xe000 == 0x2000,
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6890
    #[test]
    fn only_global_unicast_is_public() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "169.253.255.255",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
            "2001:4860:4860::8888",
            "64:ff9b::8.8.8.8",
            "::ffff:8.8.8.8",
            "2002:808:808::1",
            "2001:0:808:808:0:0:f7f7:f7f7",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for other in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!is_public(other.parse().unwrap()), "{other}");
            // In whatever form it is written.
            for prefix in ["::ffff:", "::ffff:0:", "::", "64:ff9b::"] {
                let dressed = format!("{prefix}{other}");
                assert!(!is_public(dressed.parse().unwrap()), "{dressed}");
            }
            let [a, b, c, d] = other.parse::<Ipv4Addr>().unwrap().octets();
            let six_to_four = format!("2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1");
            assert!(!is_public(six_to_four.parse().unwrap()), "{six_to_four}");
            let [na, nb, nc, nd] = [!a, !b, !c, !d];
            let client = format!("2001:0:808:808:0:0:{na:02x}{nb:02x}:{nc:02x}{nd:02x}");
            assert!(!is_public(client.parse().unwrap()), "{client}");
            let server = format!("2001:0:{a:02x}{b:02x}:{c:02x}{d:02x}:0:0:f7f7:f7f7");
            assert!(!is_public(server.parse().unwrap()), "{server}");
        }
        for other in [
            "::",
            "::1",
            "fd00:ec2::254",
            "fc00::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "3fff::1",
            "5f00::1",
            "4000::1",
        ] {
            assert!(!is_public(other.parse().unwrap()), "{other}");
        }
    }
}
