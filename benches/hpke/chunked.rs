//! A long response in chunks of 16 KiB, beside the bare AEAD on pieces of that length.

use std::hint::black_box;
use std::time::{Duration, Instant};

use benches::{Race, Report};
use bytes::BytesMut;
use criterion::Criterion;
use oblivious_hpke::{ChunkLimits, ChunkOpener, ChunkSealer, Provider, UnixSeconds};
use oblivious_keys::KemId;

#[cfg(feature = "aws-lc")]
use crate::{floor::Aws, parties::OURS_AWS};
#[cfg(feature = "graviola")]
use crate::{
    floor::Graviola,
    parties::{OURS_GRAVIOLA, graviola},
};
use crate::{
    floor::{Primitives, Rust},
    parties::{OURS, ours},
};

const CHUNK: usize = 1 << 14;
/// Chunks in 64 MiB.
const CHUNKS: u32 = 1 << 12;

/// The two ends of a response.
fn response(provider: Provider) -> (BytesMut, ChunkSealer, ChunkOpener) {
    let (ring, recipient) = ours(KemId::X25519_HKDF_SHA256, provider);
    let limits = ChunkLimits::default();
    let mut request = BytesMut::new();
    let (_, pending) = recipient.start_chunked(&mut request, &limits).unwrap();
    let (_, reply) =
        ring.at(UnixSeconds::EPOCH).decapsulate_chunked(&mut request, &limits).unwrap().unwrap();
    let mut out = BytesMut::new();
    let sealer = reply.start(&mut out, &limits).unwrap();
    (out, sealer, pending.open(&limits))
}

/// Seals into a buffer that is emptied after every chunk, as one for a socket is.
fn sealing(provider: Provider) -> impl FnMut() {
    let data = vec![3; CHUNK];
    let mut out = BytesMut::with_capacity(2 * CHUNK);
    move || {
        let (_, mut sealer, _) = response(provider);
        for _ in 0..CHUNKS {
            out.clear();
            sealer.seal(&data, &mut out).unwrap();
        }
        out.clear();
        sealer.finish(b"", &mut out).unwrap();
    }
}

/// Opens chunks as they come; making them is not counted.
fn opening(provider: Provider) -> impl FnMut(u64) -> Duration {
    let data = vec![3; CHUNK];
    move |count| {
        let mut total = Duration::ZERO;
        for _ in 0..count {
            let (mut out, mut sealer, mut opener) = response(provider);
            for _ in 0..CHUNKS {
                sealer.seal(&data, &mut out).unwrap();
                let start = Instant::now();
                opener.push(&out);
                while let Some(chunk) = opener.next_chunk().unwrap() {
                    drop(black_box(chunk));
                }
                total += start.elapsed();
                out.clear();
            }
            sealer.finish(b"", &mut out).unwrap();
            opener.push(&out);
            opener.finish();
            assert!(opener.next_chunk().unwrap().unwrap().is_final);
        }
        total
    }
}

fn bare_sealing<P: Primitives>() -> impl FnMut() {
    let (aead, mut buffer) = (P::aes(), vec![3; CHUNK]);
    move || {
        for _ in 0..CHUNKS {
            let _ = black_box(P::seal(&aead, &mut buffer));
        }
    }
}

/// What was opened is sealed again, which is not counted.
fn bare_opening<P: Primitives>() -> impl FnMut(u64) -> Duration {
    let (aead, mut buffer) = (P::aes(), vec![3; CHUNK]);
    move |count| {
        let mut total = Duration::ZERO;
        for _ in 0..count * u64::from(CHUNKS) {
            let tag = P::seal(&aead, &mut buffer);
            let start = Instant::now();
            P::open(&aead, &mut buffer, &tag);
            total += start.elapsed();
        }
        total
    }
}

/// Times per chunk.
pub(crate) fn seal(criterion: &mut Criterion, report: &mut Report) {
    let race = Race::new("chunked: seal 64 MiB in chunks of 16 KiB, per chunk")
        .units(CHUNKS)
        .contender(OURS, sealing(Provider::rust_crypto()))
        .contender(Rust::BARE, bare_sealing::<Rust>())
        .at_most(OURS, 1.0 / 0.85, Rust::BARE);
    #[cfg(feature = "aws-lc")]
    let race = race
        .contender(OURS_AWS, sealing(Provider::aws_lc()))
        .contender(Aws::BARE, bare_sealing::<Aws>())
        .at_most(OURS_AWS, 1.0 / 0.6, Aws::BARE);
    #[cfg(feature = "graviola")]
    let race = race
        .contender(OURS_GRAVIOLA, sealing(graviola()))
        .contender(Graviola::BARE, bare_sealing::<Graviola>())
        .at_most(OURS_GRAVIOLA, 1.0 / 0.6, Graviola::BARE);
    race.run(criterion, report);
}

/// Times per chunk.
pub(crate) fn open(criterion: &mut Criterion, report: &mut Report) {
    let race = Race::new("chunked: open 64 MiB in chunks of 16 KiB, per chunk")
        .units(CHUNKS)
        .timed(OURS, opening(Provider::rust_crypto()))
        .timed(Rust::BARE, bare_opening::<Rust>())
        .at_most(OURS, 1.0 / 0.85, Rust::BARE);
    #[cfg(feature = "aws-lc")]
    let race = race
        .timed(OURS_AWS, opening(Provider::aws_lc()))
        .timed(Aws::BARE, bare_opening::<Aws>())
        .at_most(OURS_AWS, 1.0 / 0.6, Aws::BARE);
    #[cfg(feature = "graviola")]
    let race = race
        .timed(OURS_GRAVIOLA, opening(graviola()))
        .timed(Graviola::BARE, bare_opening::<Graviola>())
        .at_most(OURS_GRAVIOLA, 1.0 / 0.6, Graviola::BARE);
    race.run(criterion, report);
}
