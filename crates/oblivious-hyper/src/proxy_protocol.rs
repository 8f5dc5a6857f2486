//! The PROXY protocol, versions 1 and 2: a load balancer says in the first bytes of a connection
//! whose connection it is.
//!
//! The specification is HAProxy's, <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>.

use std::io;
use std::net::IpAddr;

use ppp::{HeaderResult, v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

/// §2.1: the longest header of version 1, with its end of line.
const V1_MAX: usize = 107;

/// §2.2: signature, version, family and length of version 2.
const V2_START: usize = 16;

/// The most that may follow: addresses, and whatever a balancer adds to them.
const V2_MAX_REST: usize = 4096;

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxiedFor {
    Client(IpAddr),
    /// The balancer's own, to check whether the server is up.
    Itself,
    /// Someone's, over a transport that has no such addresses.
    Unknown,
}

/// Reads the header, and not a byte more.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<ProxiedFor> {
    let mut header = vec![0; v2::PROTOCOL_PREFIX.len()];
    stream.read_exact(&mut header).await?;
    if header == v2::PROTOCOL_PREFIX {
        header.resize(V2_START, 0);
        stream.read_exact(&mut header[v2::PROTOCOL_PREFIX.len()..]).await?;
        let rest = usize::from(u16::from_be_bytes([header[V2_START - 2], header[V2_START - 1]]));
        if rest > V2_MAX_REST {
            return Err(malformed());
        }
        header.resize(V2_START + rest, 0);
        stream.read_exact(&mut header[V2_START..]).await?;
    } else {
        // It ends with its line, whose length is not announced.
        while !header.ends_with(b"\r\n") {
            if header.len() >= V1_MAX {
                return Err(malformed());
            }
            header.push(stream.read_u8().await?);
        }
    }
    parse(&header)
}

fn parse(header: &[u8]) -> io::Result<ProxiedFor> {
    match HeaderResult::parse(header) {
        HeaderResult::V1(Ok(header)) => Ok(match header.addresses {
            v1::Addresses::Tcp4(addresses) => ProxiedFor::Client(addresses.source_address.into()),
            v1::Addresses::Tcp6(addresses) => ProxiedFor::Client(addresses.source_address.into()),
            v1::Addresses::Unknown => ProxiedFor::Unknown,
        }),
        HeaderResult::V2(Ok(header)) => Ok(match (header.command, header.addresses) {
            (v2::Command::Local, _) => ProxiedFor::Itself,
            (_, v2::Addresses::IPv4(addresses)) => {
                ProxiedFor::Client(addresses.source_address.into())
            }
            (_, v2::Addresses::IPv6(addresses)) => {
                ProxiedFor::Client(addresses.source_address.into())
            }
            _ => ProxiedFor::Unknown,
        }),
        // The error of ppp would show the addresses.
        HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)) => Err(malformed()),
    }
}

fn malformed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the connection does not begin with a valid header of the PROXY protocol",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of a header, with a request behind it that must be left alone.
    async fn read_from(header: &[u8]) -> Option<ProxiedFor> {
        let sent = [header, b"GET /"].concat();
        let mut rest = &sent[..];
        let read = read(&mut rest).await.ok();
        assert!(read.is_none() || rest == b"GET /", "{rest:?}");
        read
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[0x20 | command, family], &length, rest].concat()
    }

    /// §2.1
    #[tokio::test]
    async fn version_1() {
        for (header, expected) in [
            ("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n", Some("192.0.2.7")),
            ("PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n", Some("2001:db8::7")),
        ] {
            let expected = expected.map(|address| ProxiedFor::Client(address.parse().unwrap()));
            assert_eq!(read_from(header.as_bytes()).await, expected, "{header}");
        }
        let unknown = ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"];
        for header in unknown {
            assert_eq!(read_from(header.as_bytes()).await, Some(ProxiedFor::Unknown), "{header}");
        }
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(V1_MAX));
        for wrong in [
            "GET / HTTP/1.1\r\n",
            "PROXY TCP4 192.0.2.7\r\n",
            "PROXY TCP4 192.0.2.777 198.51.100.1 4711 443\r\n",
            "PROXY TCP5 192.0.2.7 198.51.100.1 4711 443\r\n",
            "PROXY",
            "",
            &long,
        ] {
            assert_eq!(read_from(wrong.as_bytes()).await, None, "{wrong}");
        }
    }

    /// §2.2
    #[tokio::test]
    async fn version_2() {
        let v4 = [192, 0, 2, 7, 198, 51, 100, 1, 1, 2, 1, 187];
        let client = Some(ProxiedFor::Client([192, 0, 2, 7].into()));
        assert_eq!(read_from(&v2(1, 0x11, &v4)).await, client);
        let with_more = [&v4[..], &[4, 0, 3, 1, 2, 3]].concat();
        assert_eq!(read_from(&v2(1, 0x11, &with_more)).await, client);
        let mut v6 = [0; 36];
        v6[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
        let client = ProxiedFor::Client("2001:db8::".parse().unwrap());
        assert_eq!(read_from(&v2(1, 0x21, &v6)).await, Some(client));
        assert_eq!(read_from(&v2(0, 0, &[])).await, Some(ProxiedFor::Itself));
        assert_eq!(read_from(&v2(0, 0x11, &v4)).await, Some(ProxiedFor::Itself));
        assert_eq!(read_from(&v2(1, 0, &[])).await, Some(ProxiedFor::Unknown));
        assert_eq!(read_from(&v2(1, 0x31, &[0; 216])).await, Some(ProxiedFor::Unknown));
        assert_eq!(read_from(&v2(1, 0x31, &[0; 300])).await, Some(ProxiedFor::Unknown));
        for wrong in [
            v2(1, 0x11, &v4[..11]),
            v2(2, 0x11, &v4),
            v2(1, 0x41, &v4),
            v2(1, 0x31, &[0; 215]),
            v2(1, 0x11, &[0; V2_MAX_REST + 1]),
            v2(1, 0x11, &v4)[..20].to_vec(),
        ] {
            // Without a request behind it, which would be taken for what is missing.
            assert!(read(&mut &wrong[..]).await.is_err(), "{wrong:?}");
        }
    }
}
