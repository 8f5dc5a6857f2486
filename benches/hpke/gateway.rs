//! The gateway's side: open a request, seal its answer.

use std::hint::black_box;
use std::time::{Duration, Instant};

use benches::{Race, Report};
use criterion::Criterion;
use oblivious_hpke::Provider;
use oblivious_keys::KemId;
use ohttp::hpke::Kem;

use crate::{
    floor,
    parties::{OHTTP, OURS, ours, theirs},
};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Times `open` on a buffer that is filled anew each time, which is not counted: on a real gateway
/// it comes from the network.
fn timed(sealed: Vec<u8>, mut open: impl FnMut(&mut [u8])) -> impl FnMut(u64) -> Duration {
    let mut buffer = sealed.clone();
    move |count| {
        let mut total = Duration::ZERO;
        for _ in 0..count {
            buffer.copy_from_slice(&sealed);
            let start = Instant::now();
            open(&mut buffer);
            total += start.elapsed();
        }
        total
    }
}

/// Opens the same request again and again, and seals an answer of so many bytes to it.
fn our_gateway(
    kem: KemId,
    provider: Provider,
    length: usize,
    answer: Option<usize>,
) -> impl FnMut(u64) -> Duration {
    let (ring, recipient) = ours(kem, provider);
    let request = recipient.encapsulate(&vec![1; length]).unwrap().0;
    let answer = answer.map(|length| vec![2; length]);
    timed(request.to_vec(), move |request| {
        let (opened, reply) = ring.open_in_place(request).unwrap();
        assert_eq!(opened.len(), length);
        if let Some(answer) = &answer {
            drop(reply.seal(answer).unwrap());
        }
    })
}

fn their_gateway(kem: Kem, length: usize, answer: Option<usize>) -> impl FnMut(u64) -> Duration {
    let (server, recipient) = theirs(kem);
    let request = recipient.encapsulate(&vec![1; length]).unwrap().0;
    let answer = answer.map(|length| vec![2; length]);
    timed(request.to_vec(), move |request| {
        let (opened, reply) = server.decapsulate(request).unwrap();
        assert_eq!(opened.len(), length);
        if let Some(answer) = &answer {
            drop(reply.encapsulate(answer).unwrap());
        }
    })
}

/// An agreement, one message opened, and one sealed if there is an answer.
fn bare(length: usize, answer: Option<usize>) -> impl FnMut(u64) -> Duration {
    let (aead, mut agree) = (floor::aes(), floor::agreement());
    let mut sealed = vec![1; length];
    let tag = floor::seal(&aead, &mut sealed);
    let mut answer = answer.map(|length| vec![2; length]);
    timed(sealed, move |request| {
        black_box(agree());
        floor::open(&aead, request, &tag);
        if let Some(answer) = &mut answer {
            black_box(floor::seal(&aead, answer));
        }
    })
}

#[cfg(feature = "aws-lc")]
fn bare_aws(length: usize, answer: Option<usize>) -> impl FnMut(u64) -> Duration {
    let (aead, mut agree) = (floor::aws::aes(), floor::aws::agreement());
    let mut sealed = vec![1; length];
    let tag = floor::aws::seal(&aead, &mut sealed);
    let mut answer = answer.map(|length| vec![2; length]);
    timed(sealed, move |request| {
        black_box(agree());
        floor::aws::open(&aead, request, &tag);
        if let Some(answer) = &mut answer {
            let _ = black_box(floor::aws::seal(&aead, answer));
        }
    })
}

/// [`bare_aws`], with a key of its own for each message, derived as any implementation has to.
#[cfg(feature = "aws-lc")]
fn derived_aws(length: usize) -> impl FnMut(u64) -> Duration {
    let mut agree_and_derive = crate::derived::agreement();
    let (mut sealed, mut answer) = (vec![1; length], vec![2; length]);
    let tag = floor::aws::seal(&floor::aws::aes(), &mut sealed);
    timed(sealed, move |request| {
        agree_and_derive();
        floor::aws::open(&floor::aws::aes(), request, &tag);
        let _ = black_box(floor::aws::seal(&floor::aws::aes(), &mut answer));
    })
}

/// 1 KiB each way.
pub(crate) fn exchange(criterion: &mut Criterion, report: &mut Report) {
    let kem = KemId::X25519_HKDF_SHA256;
    let race = Race::new("gateway: decapsulate 1 KiB and seal 1 KiB")
        .timed(OURS, our_gateway(kem, Provider::rust_crypto(), KIB, Some(KIB)))
        .timed(OHTTP, their_gateway(Kem::X25519Sha256, KIB, Some(KIB)))
        .timed(floor::DALEK, bare(KIB, Some(KIB)))
        .at_most(OURS, 1.15, floor::DALEK)
        .at_most(OURS, 1.0 / 1.2, OHTTP);
    #[cfg(feature = "aws-lc")]
    let race = race
        .timed(crate::parties::OURS_AWS, our_gateway(kem, Provider::aws_lc(), KIB, Some(KIB)))
        .timed(floor::AWS, bare_aws(KIB, Some(KIB)))
        .timed(crate::derived::AWS, derived_aws(KIB))
        .at_most(crate::parties::OURS_AWS, 1.3, floor::AWS)
        .at_most(crate::parties::OURS_AWS, 1.05, crate::derived::AWS)
        // Out of reach as long as the floor with keys derived is above it.
        .at_most(crate::parties::OURS_AWS, 1.0 / 2.6, OHTTP);
    race.run(criterion, report);
}

/// A large request alone.
pub(crate) fn large(criterion: &mut Criterion, report: &mut Report) {
    let kem = KemId::X25519_HKDF_SHA256;
    let race = Race::new("gateway: decapsulate 1 MiB")
        .timed(OURS, our_gateway(kem, Provider::rust_crypto(), MIB, None))
        .timed(OHTTP, their_gateway(Kem::X25519Sha256, MIB, None))
        .timed(floor::DALEK, bare(MIB, None))
        .at_most(OURS, 1.0 / 1.1, OHTTP)
        .at_most(OURS, 1.1, floor::DALEK);
    #[cfg(feature = "aws-lc")]
    let race = race
        .timed(crate::parties::OURS_AWS, our_gateway(kem, Provider::aws_lc(), MIB, None))
        .timed(floor::AWS, bare_aws(MIB, None))
        .at_most(crate::parties::OURS_AWS, 1.0 / 3.5, OHTTP)
        .at_most(crate::parties::OURS_AWS, 1.1, floor::AWS);
    race.run(criterion, report);
}

/// The hybrid post-quantum KEM.
pub(crate) fn x_wing(criterion: &mut Criterion, report: &mut Report) {
    let kem = KemId::X_WING;
    let race = Race::new("gateway: decapsulate 1 KiB and seal 1 KiB, X-Wing")
        .timed(OURS, our_gateway(kem, Provider::rust_crypto(), KIB, Some(KIB)))
        .timed(OHTTP, their_gateway(Kem::XWing, KIB, Some(KIB)))
        .at_most(OURS, 1.0, OHTTP);
    #[cfg(feature = "aws-lc")]
    let race =
        race.timed(crate::parties::OURS_AWS, our_gateway(kem, Provider::aws_lc(), KIB, Some(KIB)));
    race.run(criterion, report);
}
