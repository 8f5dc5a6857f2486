//! Any bytes as a stream of chunks, in any division.

use bytes::{Bytes, BytesMut};
use oblivious_hpke::{ChunkError, ChunkLimits, ChunkOpener};

use super::{PREFIX_LEN, parties, permissive};

/// The limits: so small, where a fuzzer runs, that its inputs come to them.
fn limits() -> ChunkLimits {
    let limits = ChunkLimits::default().with_max_chunks(8);
    #[cfg(fuzzing)]
    let limits = limits.with_any_max_chunk_len(64);
    limits
}

/// The first half of the bytes says how the second is divided. However it is, the same chunks come
/// out, and the same error or end.
pub fn chunks(data: &[u8]) {
    let (cuts, stream) = data.split_at(data.len() / 2);
    let whole = open(stream, &[]);
    let divided = open(stream, cuts);
    assert_eq!(whole.0, divided.0, "the same chunks");
    assert_eq!(whole.1, divided.1, "the same end");

    // A clean end means a final chunk, and that nothing of the stream was left aside.
    let data: usize = whole.0.iter().map(Bytes::len).sum();
    if whole.1.is_ok() {
        let framing = 17 * whole.0.len();
        assert!(data + framing <= stream.len(), "every chunk has a length and a tag");
        let (before, _) = whole.0.split_at(whole.0.len() - 1);
        assert!(before.iter().all(|chunk| !chunk.is_empty()), "only the final one may be empty");
    }
    assert!(whole.0.iter().all(|chunk| chunk.len() <= limits().max_chunk_len()));
}

/// Opens a response, whose nonce is part of the stream, in pieces of the lengths that `cuts` gives.
fn open(stream: &[u8], cuts: &[u8]) -> (Vec<Bytes>, Result<(), ChunkError>) {
    let limits = limits();
    let (_, recipient) = parties(permissive());
    let mut request = BytesMut::new();
    let (_, pending) = recipient.start_chunked(&mut request, &limits).unwrap();
    assert_eq!(request.len(), PREFIX_LEN);

    let (mut opener, mut opened, mut rest) = (pending.open(&limits), Vec::new(), stream);
    for cut in cuts {
        let (piece, after) = rest.split_at(usize::from(*cut).min(rest.len()));
        rest = after;
        opener.push(piece);
        if let Err(error) = pull(&mut opener, &mut opened) {
            return (opened, Err(error));
        }
    }
    opener.push(rest);
    opener.finish();
    let end = pull(&mut opener, &mut opened);
    assert_eq!(opener.next_chunk().err(), end.err(), "an end or an error stays");
    (opened, end.map(|ended| assert!(ended, "without a final chunk there is an error")))
}

/// Pulls what there is; whether the final chunk came.
fn pull(opener: &mut ChunkOpener, opened: &mut Vec<Bytes>) -> Result<bool, ChunkError> {
    while let Some(chunk) = opener.next_chunk()? {
        opened.push(chunk.data);
        if chunk.is_final {
            return Ok(true);
        }
    }
    Ok(false)
}
