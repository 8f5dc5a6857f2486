//! Streams of chunks, as the tests seal and open them.

use bytes::BytesMut;
use oblivious_hpke::{
    ChunkError, ChunkLimits, ChunkOpener, ChunkSealer, ChunkedReply, KeyRing,
    PendingChunkedResponse, Recipient,
};
use oblivious_keys::SymmetricSuite;

use super::{NOW, recipient, ring};

pub(crate) const AES_128: SymmetricSuite = SymmetricSuite::HKDF_SHA256_AES_128_GCM;

/// The header and `enc` of an X25519 request.
pub(crate) const PREFIX: usize = 7 + 32;

/// A message in chunks as tests want it: the plaintext of each, the last of which is final.
pub(crate) type Plain = Vec<Vec<u8>>;

pub(crate) fn seal(mut sealer: ChunkSealer, chunks: &[&[u8]], out: &mut BytesMut) {
    let (last, before) = chunks.split_last().unwrap();
    for chunk in before {
        sealer.seal(chunk, out).unwrap();
    }
    sealer.finish(last, out).unwrap();
}

/// Pulls until there is nothing more; whether the final chunk came is the second part.
pub(crate) fn pull(opener: &mut ChunkOpener, into: &mut Plain) -> Result<bool, ChunkError> {
    while let Some(chunk) = opener.next_chunk()? {
        into.push(chunk.data.to_vec());
        if chunk.is_final {
            assert_eq!(opener.next_chunk(), Ok(None));
            return Ok(true);
        }
    }
    Ok(false)
}

/// Opens a stream that comes in pieces.
pub(crate) fn open<'a>(
    mut opener: ChunkOpener,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Plain, ChunkError> {
    let mut opened = Plain::new();
    for piece in pieces {
        opener.push(piece);
        pull(&mut opener, &mut opened)?;
    }
    opener.finish();
    assert!(pull(&mut opener, &mut opened)?, "without a final chunk there must be an error");
    Ok(opened)
}

pub(crate) fn start(recipient: &Recipient) -> (BytesMut, ChunkSealer, PendingChunkedResponse) {
    let mut out = BytesMut::new();
    let (sealer, pending) = recipient.start_chunked(&mut out, &ChunkLimits::default()).unwrap();
    (out, sealer, pending)
}

pub(crate) fn begin(ring: &KeyRing, received: &[u8]) -> (ChunkOpener, ChunkedReply) {
    let mut received = BytesMut::from(received);
    ring.at(NOW).decapsulate_chunked(&mut received, &ChunkLimits::default()).unwrap().unwrap()
}

/// A sealed request of these chunks.
pub(crate) fn request(chunks: &[&[u8]]) -> BytesMut {
    let recipient = recipient(&ring().config_list().unwrap(), AES_128);
    let (mut out, sealer, _) = start(&recipient);
    seal(sealer, chunks, &mut out);
    out
}

pub(crate) fn open_request(sealed: &[u8]) -> Result<Plain, ChunkError> {
    let (opener, _) = begin(&ring(), &sealed[..PREFIX]);
    open(opener, [&sealed[PREFIX..]])
}

/// The parts of a sealed stream whose chunks are all short: what precedes them, and each of them.
pub(crate) fn split(sealed: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let (prefix, mut rest) = sealed.split_at(PREFIX);
    let mut chunks = Vec::new();
    while rest[0] != 0 {
        let (chunk, after) = rest.split_at(1 + usize::from(rest[0]));
        chunks.push(chunk);
        rest = after;
    }
    chunks.push(rest);
    (prefix, chunks)
}
