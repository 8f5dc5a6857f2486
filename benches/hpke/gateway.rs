//! The gateway's side: open a request, seal its answer.

use std::hint::black_box;
use std::time::{Duration, Instant};

use benches::{Race, Report};
use criterion::Criterion;
use oblivious_hpke::{Provider, UnixSeconds};
use oblivious_keys::KemId;
use ohttp::hpke::Kem;

use crate::{
    derived,
    floor::{Primitives, Rust},
    parties::{OHTTP, OURS, ours, theirs},
};
#[cfg(feature = "aws-lc")]
use crate::{floor::Aws, parties::OURS_AWS};
#[cfg(feature = "graviola")]
use crate::{
    floor::Graviola,
    parties::{OURS_GRAVIOLA, graviola},
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
        let (opened, reply) = ring.at(UnixSeconds::EPOCH).open_in_place(request).unwrap();
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
fn bare<P: Primitives>(length: usize, answer: Option<usize>) -> impl FnMut(u64) -> Duration {
    let (aead, mut agree) = (P::aes(), P::agreement());
    let mut sealed = vec![1; length];
    let tag = P::seal(&aead, &mut sealed);
    let mut answer = answer.map(|length| vec![2; length]);
    timed(sealed, move |request| {
        black_box(agree());
        P::open(&aead, request, &tag);
        if let Some(answer) = &mut answer {
            let _ = black_box(P::seal(&aead, answer));
        }
    })
}

/// [`bare`], with a key of its own for each message, derived as any implementation has to.
fn derived<P: Primitives>(length: usize) -> impl FnMut(u64) -> Duration {
    let mut agree = P::agreement();
    with_keys::<P>(length, move || derived::from_agreement(&agree()))
}

/// [`bare`] for X-Wing.
fn bare_x_wing<P: Primitives>(length: usize) -> impl FnMut(u64) -> Duration {
    let (mut agree, mut decapsulate) = (P::agreement(), P::decapsulation());
    let (aead, mut sealed, mut answer) = (P::aes(), vec![1; length], vec![2; length]);
    let tag = P::seal(&aead, &mut sealed);
    timed(sealed, move |request| {
        black_box((decapsulate(), agree()));
        P::open(&aead, request, &tag);
        let _ = black_box(P::seal(&aead, &mut answer));
    })
}

/// [`derived`] for X-Wing.
fn derived_x_wing<P: Primitives>(length: usize) -> impl FnMut(u64) -> Duration {
    let (mut agree, mut decapsulate) = (P::agreement(), P::decapsulation());
    with_keys::<P>(length, move || derived::from_x_wing(&decapsulate(), &agree()))
}

/// Derives all keys, and opens and seals under keys that are set up for it.
fn with_keys<P: Primitives>(
    length: usize,
    mut derive: impl FnMut(),
) -> impl FnMut(u64) -> Duration {
    let (mut sealed, mut answer) = (vec![1; length], vec![2; length]);
    let tag = P::seal(&P::aes(), &mut sealed);
    timed(sealed, move |request| {
        derive();
        P::open(&P::aes(), request, &tag);
        let _ = black_box(P::seal(&P::aes(), &mut answer));
    })
}

/// 1 KiB each way.
pub(crate) fn exchange(criterion: &mut Criterion, report: &mut Report) {
    let ours = |provider| our_gateway(KemId::X25519_HKDF_SHA256, provider, KIB, Some(KIB));
    let race = Race::new("gateway: decapsulate 1 KiB and seal 1 KiB")
        .timed(OURS, ours(Provider::rust_crypto()))
        .timed(OHTTP, their_gateway(Kem::X25519Sha256, KIB, Some(KIB)))
        .timed(Rust::BARE, bare::<Rust>(KIB, Some(KIB)))
        .at_most(OURS, 1.15, Rust::BARE)
        .at_most(OURS, 1.0 / 1.2, OHTTP);
    #[cfg(feature = "aws-lc")]
    let race = race
        .timed(OURS_AWS, ours(Provider::aws_lc()))
        .timed(Aws::BARE, bare::<Aws>(KIB, Some(KIB)))
        .timed(Aws::DERIVED, derived::<Aws>(KIB))
        .at_most(OURS_AWS, 1.3, Aws::BARE)
        .at_most(OURS_AWS, 1.05, Aws::DERIVED)
        // Out of reach as long as the floor with keys derived is above it.
        .at_most(OURS_AWS, 1.0 / 2.6, OHTTP);
    #[cfg(feature = "graviola")]
    let race = race
        .timed(OURS_GRAVIOLA, ours(graviola()))
        .timed(Graviola::BARE, bare::<Graviola>(KIB, Some(KIB)))
        .timed(Graviola::DERIVED, derived::<Graviola>(KIB))
        .at_most(OURS_GRAVIOLA, 1.05, Graviola::DERIVED)
        .at_most(OURS_GRAVIOLA, 1.0 / 2.3, OHTTP);
    race.run(criterion, report);
}

/// A large request alone.
pub(crate) fn large(criterion: &mut Criterion, report: &mut Report) {
    let ours = |provider| our_gateway(KemId::X25519_HKDF_SHA256, provider, MIB, None);
    let race = Race::new("gateway: decapsulate 1 MiB")
        .timed(OURS, ours(Provider::rust_crypto()))
        .timed(OHTTP, their_gateway(Kem::X25519Sha256, MIB, None))
        .timed(Rust::BARE, bare::<Rust>(MIB, None))
        .at_most(OURS, 1.0 / 1.1, OHTTP)
        .at_most(OURS, 1.1, Rust::BARE);
    #[cfg(feature = "aws-lc")]
    let race = race
        .timed(OURS_AWS, ours(Provider::aws_lc()))
        .timed(Aws::BARE, bare::<Aws>(MIB, None))
        .at_most(OURS_AWS, 1.0 / 3.5, OHTTP)
        .at_most(OURS_AWS, 1.1, Aws::BARE);
    #[cfg(feature = "graviola")]
    let race = race
        .timed(OURS_GRAVIOLA, ours(graviola()))
        .timed(Graviola::BARE, bare::<Graviola>(MIB, None))
        .at_most(OURS_GRAVIOLA, 1.1, Graviola::BARE);
    race.run(criterion, report);
}

/// The hybrid post-quantum KEM.
pub(crate) fn x_wing(criterion: &mut Criterion, report: &mut Report) {
    let ours = |provider| our_gateway(KemId::X_WING, provider, KIB, Some(KIB));
    let race = Race::new("gateway: decapsulate 1 KiB and seal 1 KiB, X-Wing")
        .timed(OURS, ours(Provider::rust_crypto()))
        .timed(OHTTP, their_gateway(Kem::XWing, KIB, Some(KIB)))
        .timed(Rust::BARE, bare_x_wing::<Rust>(KIB))
        .timed(Rust::DERIVED, derived_x_wing::<Rust>(KIB))
        .at_most(OURS, 1.2, Rust::DERIVED)
        .at_most(OURS, 1.0 / 2.5, OHTTP);
    #[cfg(feature = "aws-lc")]
    let race = race
        .timed(OURS_AWS, ours(Provider::aws_lc()))
        .timed(Aws::BARE, bare_x_wing::<Aws>(KIB))
        .timed(Aws::DERIVED, derived_x_wing::<Aws>(KIB))
        .at_most(OURS_AWS, 1.2, Aws::DERIVED)
        .at_most(OURS_AWS, 1.0 / 3.5, OHTTP);
    #[cfg(feature = "graviola")]
    let race = race
        .timed(OURS_GRAVIOLA, ours(graviola()))
        .timed(Graviola::BARE, bare_x_wing::<Graviola>(KIB))
        .timed(Graviola::DERIVED, derived_x_wing::<Graviola>(KIB))
        .at_most(OURS_GRAVIOLA, 1.2, Graviola::DERIVED)
        .at_most(OURS_GRAVIOLA, 1.0 / 5.0, OHTTP);
    race.run(criterion, report);
}

/// The KEMs over the NIST curves, two of them hybrid. `ohttp` has the first of them.
pub(crate) fn nist(criterion: &mut Criterion, report: &mut Report) {
    for (name, kem, theirs) in [
        ("gateway: the same, P-256", KemId::P256_HKDF_SHA256, Some(Kem::P256Sha256)),
        ("gateway: the same, MLKEM768-P256", KemId::MLKEM768_P256, None),
        ("gateway: the same, MLKEM1024-P384", KemId::MLKEM1024_P384, None),
    ] {
        let ours = |provider| our_gateway(kem, provider, KIB, Some(KIB));
        let mut race = Race::new(name).timed(OURS, ours(Provider::rust_crypto()));
        if let Some(theirs) = theirs {
            race = race.timed(OHTTP, their_gateway(theirs, KIB, Some(KIB)));
        }
        #[cfg(feature = "aws-lc")]
        let race = race.timed(OURS_AWS, ours(Provider::aws_lc()));
        #[cfg(feature = "graviola")]
        let race = race.timed(OURS_GRAVIOLA, ours(graviola()));
        race.run(criterion, report);
    }
}
