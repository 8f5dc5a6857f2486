//! A round trip with real primitives, and edits of what is on the wire.

use bytes::BytesMut;
use oblivious_hpke::{Provider, UnixSeconds};

use super::parties;

/// The first byte says how many edits there are, each of them a place and what is XORed there; the
/// rest is the message. An edit that changes anything makes the message unreadable.
pub fn edits(data: &[u8]) {
    let Some((&count, rest)) = data.split_first() else { return };
    let (edits, message) = rest.split_at((usize::from(count % 8) * 3).min(rest.len()));
    let (ring, recipient) = parties(Provider::rust_crypto());

    let (request, pending) = recipient.encapsulate(message).unwrap();
    let edited = edit(&request, edits);
    let opened = ring.at(UnixSeconds::EPOCH).decapsulate(edited.clone());
    assert_eq!(opened.is_ok(), edited == request);
    // The highest bit of X25519's `enc` is ignored by the agreement, and still it is bound.
    let (opened, reply) = match opened {
        Ok(opened) => opened,
        Err(_) => ring.at(UnixSeconds::EPOCH).decapsulate(request.into()).unwrap(),
    };
    assert_eq!(opened, message);

    let response = reply.seal(message).unwrap();
    let edited = edit(&response, edits);
    let opened = pending.open(edited.clone());
    assert_eq!(opened.is_ok(), edited == response);
    if let Ok(opened) = opened {
        assert_eq!(opened, message);
    }
}

/// Three bytes an edit: the place, in two, and the change; no change there means a cut.
fn edit(sealed: &[u8], edits: &[u8]) -> BytesMut {
    let mut edited = BytesMut::from(sealed);
    for edit in edits.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([edit[0], edit[1]]));
        if edit[2] == 0 {
            edited.truncate(place);
        } else if let Some(byte) = edited.get_mut(place) {
            *byte ^= edit[2];
        }
    }
    edited
}
