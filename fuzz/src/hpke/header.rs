//! Any bytes as an encapsulated request.

use bytes::BytesMut;
use oblivious_hpke::{ChunkLimits, DecapsulateError, RequestHeader, UnixSeconds};

use super::{PREFIX_LEN, parties, permissive};

/// Any bytes are a request or are refused, whole and in chunks, and for the reason that their
/// length and header give.
pub fn header(data: &[u8]) {
    let (ring, _) = parties(permissive());
    let header = RequestHeader::decode(data);
    assert_eq!(header.is_some(), data.len() >= RequestHeader::LEN);
    if let Some(header) = header {
        assert_eq!(header.encode(), data[..RequestHeader::LEN]);
    }
    let is_ours = data.starts_with(&[1, 0, 0x20, 0, 1, 0, 1]);

    match ring.at(UnixSeconds::EPOCH).decapsulate(BytesMut::from(data)) {
        Ok((message, reply)) => {
            assert!(is_ours);
            assert_eq!(message.len(), data.len() - PREFIX_LEN - 16);
            assert_eq!(reply.enc(), &data[RequestHeader::LEN..PREFIX_LEN]);
            assert!(reply.seal(&message).is_ok());
        }
        Err(DecapsulateError::Truncated) => {
            let needed = header.map_or(RequestHeader::LEN, |header| {
                RequestHeader::LEN + header.kem.enc_len().unwrap() + 16
            });
            assert!(data.len() < needed);
        }
        Err(DecapsulateError::UnknownKey) => assert!(!is_ours),
        Err(_) => assert!(is_ours && data.len() >= PREFIX_LEN + 16),
    }

    let mut received = BytesMut::from(data);
    match ring.at(UnixSeconds::EPOCH).decapsulate_chunked(&mut received, &ChunkLimits::default()) {
        Ok(None) => assert_eq!(received, data, "nothing is taken before there is enough"),
        Ok(Some((_, reply))) => {
            assert!(is_ours && received.is_empty());
            assert_eq!(reply.enc(), &data[RequestHeader::LEN..PREFIX_LEN]);
        }
        Err(error) => assert_eq!(is_ours, error == DecapsulateError::Failed),
    }
}
