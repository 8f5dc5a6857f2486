//! Hosts, as targets and rules name them.

use std::{fmt, net::IpAddr};

/// The host of an origin: an address, or a name in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    Name(String),
    Address(IpAddr),
}

impl Host {
    /// Reads the host of a URI, an IPv6 address in its brackets.
    ///
    /// Whatever resolvers and URL parsers read in different ways is refused: percent-encoding,
    /// empty labels, and names whose last label is a number, since many of them take `0x7f.1` and
    /// `2130706433` for 127.0.0.1.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(inside) = text.strip_prefix('[') {
            let address = inside.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(IpAddr::V6(address)));
        }
        if let Ok(address) = text.parse() {
            return Some(Self::Address(IpAddr::V4(address)));
        }
        let relative = text.strip_suffix('.').unwrap_or(text);
        let mut labels = relative.split('.');
        let last = relative.rsplit('.').next()?;
        (labels.all(is_label) && !is_number(last)).then(|| Self::Name(text.to_ascii_lowercase()))
    }

    /// The address, if the host is one.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::Address(address) => Some(*address),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    hexadecimal.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        || label.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_reading() {
        for (text, shown) in [
            ("Example.COM", "example.com"),
            ("localhost.", "localhost."),
            ("x_y.example", "x_y.example"),
            ("127.0.0.1", "127.0.0.1"),
            ("[::FFFF:127.0.0.1]", "[::ffff:127.0.0.1]"),
            ("[0:0::1]", "[::1]"),
            ("0xyz", "0xyz"),
        ] {
            assert_eq!(Host::parse(text).expect(text).to_string(), shown);
        }
        for text in [
            "",
            ".",
            "a..b",
            "127.1",
            "0x7f.1",
            "0x7f000001",
            "2130706433",
            "0177.0.0.1",
            "1.2.3.4.",
            "127.0.0.0x1",
            "0x",
            "a%2eb",
            "*.example.com",
            "[::1",
            "::1",
            "[v1.a]",
            "[fe80::1%25en0]",
            "a!b",
            "a b",
        ] {
            assert_eq!(Host::parse(text), None, "{text}");
        }
    }
}
