//! The client's side: seal a request, open its answer. The gateway that answers in between is not
//! counted.

use std::hint::black_box;
use std::time::{Duration, Instant};

use benches::{Race, Report};
use bytes::BytesMut;
use criterion::Criterion;
use oblivious_hpke::{KeyRing, Provider, Recipient, UnixSeconds};
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
const PRECOMPUTED: &str = "precomputed, rust_crypto";
#[cfg(feature = "aws-lc")]
const PRECOMPUTED_AWS: &str = "precomputed, aws_lc";
#[cfg(feature = "graviola")]
const PRECOMPUTED_GRAVIOLA: &str = "precomputed, graviola";

/// Times `ask` and `read`, and not `answer` between them.
fn timed<P, R, S>(
    mut ask: impl FnMut() -> (R, P),
    mut answer: impl FnMut(R) -> S,
    mut read: impl FnMut(P, S),
) -> impl FnMut(u64) -> Duration {
    move |count| {
        let mut total = Duration::ZERO;
        for _ in 0..count {
            let start = Instant::now();
            let (request, pending) = ask();
            total += start.elapsed();
            let response = answer(request);
            let start = Instant::now();
            read(pending, response);
            total += start.elapsed();
        }
        total
    }
}

fn our_client((ring, recipient): (KeyRing, Recipient)) -> impl FnMut(u64) -> Duration {
    let (question, answer) = (vec![1; KIB], vec![2; KIB]);
    timed(
        move || recipient.encapsulate(&question).unwrap(),
        move |request| {
            let (_, reply) = ring.at(UnixSeconds::EPOCH).decapsulate(request.into()).unwrap();
            BytesMut::from(reply.seal(&answer).unwrap())
        },
        |pending, response| assert_eq!(pending.open(response).unwrap().len(), KIB),
    )
}

fn their_client(kem: Kem) -> impl FnMut(u64) -> Duration {
    let (server, _) = theirs(kem);
    let mut config = server.config().clone();
    let (question, answer) = (vec![1; KIB], vec![2; KIB]);
    timed(
        // Their client is consumed by each request, so making one is part of it.
        move || {
            let client = ohttp::ClientRequest::from_config(&mut config).unwrap();
            client.encapsulate(&question).unwrap()
        },
        move |request| {
            let (_, reply) = server.decapsulate(&request).unwrap();
            reply.encapsulate(&answer).unwrap()
        },
        |pending, response| assert_eq!(pending.decapsulate(&response).unwrap().len(), KIB),
    )
}

fn prepared(kem: KemId, provider: Provider) -> (KeyRing, Recipient) {
    let (ring, recipient) = ours(kem, provider);
    (ring, recipient.precomputed())
}

/// The work of a client that cannot be done before there is a request: a new X25519 key, an
/// agreement, an ML-KEM encapsulation, the keys, one message sealed and one opened.
fn derived_x_wing<P: Primitives>() -> impl FnMut(u64) -> Duration {
    let (mut generate, mut agree) = (P::key_generation(), P::agreement());
    let mut encapsulate = P::encapsulation();
    let (mut question, mut sealed) = (vec![1; KIB], vec![2; KIB]);
    let tag = P::seal(&P::aes(), &mut sealed);
    move |count| {
        let mut total = Duration::ZERO;
        for _ in 0..count {
            let mut answer = sealed.clone();
            let start = Instant::now();
            black_box(generate());
            derived::from_x_wing(&encapsulate(), &agree());
            let _ = black_box(P::seal(&P::aes(), &mut question));
            P::open(&P::aes(), &mut answer, &tag);
            total += start.elapsed();
        }
        total
    }
}

/// 1 KiB each way.
pub(crate) fn exchange(criterion: &mut Criterion, report: &mut Report) {
    let kem = KemId::X25519_HKDF_SHA256;
    let race = Race::new("client: encapsulate 1 KiB and open 1 KiB")
        .timed(OURS, our_client(ours(kem, Provider::rust_crypto())))
        .timed(OHTTP, their_client(Kem::X25519Sha256))
        .at_most(OURS, 1.0 / 1.2, OHTTP);
    #[cfg(feature = "aws-lc")]
    let race = race.timed(OURS_AWS, our_client(ours(kem, Provider::aws_lc()))).at_most(
        OURS_AWS,
        1.0 / 2.0,
        OHTTP,
    );
    #[cfg(feature = "graviola")]
    let race = race.timed(OURS_GRAVIOLA, our_client(ours(kem, graviola())));
    race.run(criterion, report);
}

/// The same with a recipient that was prepared for many requests.
pub(crate) fn precomputed(criterion: &mut Criterion, report: &mut Report) {
    let kem = KemId::X25519_HKDF_SHA256;
    let race = Race::new("client: the same with a precomputed recipient")
        .timed(PRECOMPUTED, our_client(prepared(kem, Provider::rust_crypto())))
        .timed(OHTTP, their_client(Kem::X25519Sha256))
        .at_most(PRECOMPUTED, 1.0 / 2.2, OHTTP);
    #[cfg(feature = "aws-lc")]
    let race = race.timed(PRECOMPUTED_AWS, our_client(prepared(kem, Provider::aws_lc()))).at_most(
        PRECOMPUTED_AWS,
        1.0 / 3.1,
        OHTTP,
    );
    #[cfg(feature = "graviola")]
    let race = race.timed(PRECOMPUTED_GRAVIOLA, our_client(prepared(kem, graviola()))).at_most(
        PRECOMPUTED_GRAVIOLA,
        1.0 / 3.0,
        OHTTP,
    );
    race.run(criterion, report);
}

/// X-Wing, with recipients as they are and prepared ones.
pub(crate) fn x_wing(criterion: &mut Criterion, report: &mut Report) {
    let kem = KemId::X_WING;
    let race = Race::new("client: encapsulate 1 KiB and open 1 KiB, X-Wing")
        .timed(OURS, our_client(ours(kem, Provider::rust_crypto())))
        .timed(PRECOMPUTED, our_client(prepared(kem, Provider::rust_crypto())))
        .timed(OHTTP, their_client(Kem::XWing))
        .timed(Rust::DERIVED, derived_x_wing::<Rust>())
        .at_most(OURS, 1.2, Rust::DERIVED)
        .at_most(OURS, 1.0 / 2.0, OHTTP)
        .at_most(PRECOMPUTED, 1.0 / 2.0, OHTTP);
    #[cfg(feature = "aws-lc")]
    let race = race
        .timed(OURS_AWS, our_client(ours(kem, Provider::aws_lc())))
        .timed(PRECOMPUTED_AWS, our_client(prepared(kem, Provider::aws_lc())))
        .timed(Aws::DERIVED, derived_x_wing::<Aws>())
        .at_most(OURS_AWS, 1.2, Aws::DERIVED)
        .at_most(OURS_AWS, 1.0 / 3.0, OHTTP)
        .at_most(PRECOMPUTED_AWS, 1.0 / 3.0, OHTTP);
    #[cfg(feature = "graviola")]
    let race = race
        .timed(OURS_GRAVIOLA, our_client(ours(kem, graviola())))
        .timed(PRECOMPUTED_GRAVIOLA, our_client(prepared(kem, graviola())))
        .timed(Graviola::DERIVED, derived_x_wing::<Graviola>())
        .at_most(OURS_GRAVIOLA, 1.2, Graviola::DERIVED)
        .at_most(OURS_GRAVIOLA, 1.0 / 4.0, OHTTP)
        .at_most(PRECOMPUTED_GRAVIOLA, 1.0 / 4.0, OHTTP);
    race.run(criterion, report);
}
