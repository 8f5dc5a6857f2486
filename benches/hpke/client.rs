//! The client's side: seal a request, open its answer. The gateway that answers in between is not
//! counted.

use std::time::{Duration, Instant};

use benches::{Race, Report};
use bytes::BytesMut;
use criterion::Criterion;
use oblivious_hpke::{KeyRing, Provider, Recipient};
use oblivious_keys::KemId;
use ohttp::hpke::Kem;

use crate::parties::{OHTTP, OURS, ours, theirs};

const KIB: usize = 1 << 10;
const PRECOMPUTED: &str = "precomputed, rust_crypto";
#[cfg(feature = "aws-lc")]
const PRECOMPUTED_AWS: &str = "precomputed, aws_lc";

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
            let (_, reply) = ring.decapsulate(request.into()).unwrap();
            BytesMut::from(reply.seal(&answer).unwrap())
        },
        |pending, response| assert_eq!(pending.open(response).unwrap().len(), KIB),
    )
}

fn their_client() -> impl FnMut(u64) -> Duration {
    let (server, _) = theirs(Kem::X25519Sha256);
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

fn x25519(provider: Provider) -> (KeyRing, Recipient) {
    ours(KemId::X25519_HKDF_SHA256, provider)
}

fn prepared(provider: Provider) -> (KeyRing, Recipient) {
    let (ring, recipient) = x25519(provider);
    (ring, recipient.precomputed())
}

/// 1 KiB each way.
pub(crate) fn exchange(criterion: &mut Criterion, report: &mut Report) {
    let race = Race::new("client: encapsulate 1 KiB and open 1 KiB")
        .timed(OURS, our_client(x25519(Provider::rust_crypto())))
        .timed(OHTTP, their_client())
        .at_most(OURS, 1.0 / 1.2, OHTTP);
    #[cfg(feature = "aws-lc")]
    let race = race
        .timed(crate::parties::OURS_AWS, our_client(x25519(Provider::aws_lc())))
        .at_most(crate::parties::OURS_AWS, 1.0 / 2.0, OHTTP);
    race.run(criterion, report);
}

/// The same with a recipient that was prepared for many requests.
pub(crate) fn precomputed(criterion: &mut Criterion, report: &mut Report) {
    let race = Race::new("client: the same with a precomputed recipient")
        .timed(PRECOMPUTED, our_client(prepared(Provider::rust_crypto())))
        .timed(OHTTP, their_client())
        .at_most(PRECOMPUTED, 1.0 / 2.2, OHTTP);
    #[cfg(feature = "aws-lc")]
    let race = race.timed(PRECOMPUTED_AWS, our_client(prepared(Provider::aws_lc()))).at_most(
        PRECOMPUTED_AWS,
        1.0 / 3.1,
        OHTTP,
    );
    race.run(criterion, report);
}
