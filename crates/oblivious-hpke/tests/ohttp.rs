//! Agreement with the independent crate `ohttp`, in both directions, whole and in chunks.

mod common;

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::BytesMut;
use common::{KEY_ID, NOW, X25519};
use futures::{AsyncReadExt, AsyncWrite, AsyncWriteExt, executor::block_on};
use oblivious_hpke::{ChunkLimits, ChunkOpener, KeyPair, KeyRing, Provider, Recipient};
use oblivious_keys::{KemId, KeyConfigList, SymmetricSuite};
use ohttp::hpke::{Aead, Kdf, Kem};
use proptest::{collection::vec, prelude::*};

const AES_128: (SymmetricSuite, Aead) = (SymmetricSuite::HKDF_SHA256_AES_128_GCM, Aead::Aes128Gcm);
const CHACHA: (SymmetricSuite, Aead) =
    (SymmetricSuite::HKDF_SHA256_CHACHA20_POLY1305, Aead::ChaCha20Poly1305);

/// The KEMs that both have.
fn any_kem() -> impl Strategy<Value = (KemId, Kem)> {
    prop::sample::select(vec![
        (X25519, Kem::X25519Sha256),
        #[cfg(feature = "nist")]
        (KemId::P256_HKDF_SHA256, Kem::P256Sha256),
        #[cfg(feature = "post-quantum")]
        (KemId::X_WING, Kem::XWing),
    ])
}

/// The suites that both have. `ohttp` names AES-256-GCM too, but accepts it in no configuration;
/// `tests/reference.rs` checks it against the documents' pseudocode.
fn any_suite() -> impl Strategy<Value = (SymmetricSuite, Aead)> {
    prop::sample::select(vec![AES_128, CHACHA])
}

fn any_provider() -> impl Strategy<Value = Provider> {
    prop::sample::select(common::providers())
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![9 => vec(any::<u8>(), 0..300), 1 => vec(any::<u8>(), 0..20_000)]
}

/// A gateway of theirs that takes one suite, and a client of ours for it.
fn their_gateway(
    (_, kem): (KemId, Kem),
    (suite, aead): (SymmetricSuite, Aead),
    provider: Provider,
) -> (ohttp::Server, Recipient) {
    let suites = vec![ohttp::SymmetricSuite::new(Kdf::HkdfSha256, aead)];
    let config = ohttp::KeyConfig::new(KEY_ID, kem, suites).unwrap();
    let server = ohttp::Server::new(config).unwrap();
    let list = ohttp::KeyConfig::encode_list(&[server.config()]).unwrap();
    let list = KeyConfigList::decode(&list).unwrap();
    let recipient = Recipient::new(&list.configs()[0], suite, provider).unwrap();
    (server, recipient)
}

/// A gateway of ours that takes one suite, and a client of theirs for it.
fn our_gateway(
    (kem, _): (KemId, Kem),
    (suite, _): (SymmetricSuite, Aead),
    provider: Provider,
    seed: [u8; 32],
) -> (KeyRing, ohttp::ClientRequest) {
    let pair = KeyPair::derive(kem, &seed, provider).unwrap();
    let mut ring = KeyRing::new();
    ring.add(KEY_ID, pair, vec![suite]).unwrap();
    let list = ring.config_list().unwrap().encode();
    (ring, ohttp::ClientRequest::from_encoded_config_list(&list).unwrap())
}

/// The same seed gives the same key on both sides (DeriveKeyPair, RFC 9180 §7.1.3).
#[test]
fn a_seed_derives_the_same_configuration() {
    let suite = ohttp::SymmetricSuite::new(Kdf::HkdfSha256, Aead::Aes128Gcm);
    let seed = [0x42; 32];
    let theirs = ohttp::KeyConfig::derive(KEY_ID, Kem::X25519Sha256, vec![suite], &seed).unwrap();
    let pair = KeyPair::derive(X25519, &seed, Provider::default()).unwrap();
    let ours = pair.config(KEY_ID, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM]).unwrap();
    let mut encoded = Vec::new();
    ours.encode(&mut encoded);
    assert_eq!(encoded, theirs.encode().unwrap());
}

/// Where they write, for us to read.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl AsyncWrite for Written {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap().extend_from_slice(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Writes with their code, a piece at a time, to the end.
async fn write_all(mut writer: impl AsyncWrite + Unpin, pieces: &[Vec<u8>]) {
    for piece in pieces {
        writer.write_all(piece).await.unwrap();
    }
    writer.close().await.unwrap();
}

/// Opens with our code, to the end.
fn open_all(mut opener: ChunkOpener, sealed: &[u8]) -> Vec<u8> {
    opener.push(sealed);
    opener.finish();
    let mut opened = Vec::new();
    loop {
        let chunk = opener.next_chunk().unwrap().expect("a final chunk, or an error");
        opened.extend_from_slice(&chunk.data);
        if chunk.is_final {
            return opened;
        }
    }
}

fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(prop_oneof![9 => vec(any::<u8>(), 1..300), 1 => vec(any::<u8>(), 1..20_000)], 1..5)
}

proptest! {
    // Together about four thousand messages, half of them in each direction.
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn our_client_and_their_gateway_understand_each_other(
        kem in any_kem(),
        suite in any_suite(),
        provider in any_provider(),
        question in message(),
        answer in message(),
    ) {
        let (server, recipient) = their_gateway(kem, suite, provider);
        let (request, pending) = recipient.encapsulate(&question).unwrap();
        let (opened, reply) = server.decapsulate(&request).unwrap();
        prop_assert_eq!(opened, question);
        let response = reply.encapsulate(&answer).unwrap();
        prop_assert_eq!(pending.open(response[..].into()).unwrap(), answer);
    }

    #[test]
    fn their_client_and_our_gateway_understand_each_other(
        kem in any_kem(),
        suite in any_suite(),
        provider in any_provider(),
        seed: [u8; 32],
        question in message(),
        answer in message(),
    ) {
        let (ring, client) = our_gateway(kem, suite, provider, seed);
        let (request, pending) = client.encapsulate(&question).unwrap();
        let (opened, reply) = ring.at(NOW).decapsulate(request[..].into()).unwrap();
        prop_assert_eq!(opened, question);
        let response = reply.seal(&answer).unwrap();
        prop_assert_eq!(pending.decapsulate(&response).unwrap(), answer);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn in_chunks_our_client_and_their_gateway_understand_each_other(
        kem in any_kem(),
        suite in any_suite(),
        provider in any_provider(),
        question in pieces(),
        answer in pieces(),
    ) {
        let (server, recipient) = their_gateway(kem, suite, provider);
        let (mut request, limits) = (BytesMut::new(), ChunkLimits::default());
        let (mut sealer, pending) = recipient.start_chunked(&mut request, &limits).unwrap();
        for piece in &question {
            sealer.seal(piece, &mut request).unwrap();
        }
        sealer.finish(b"", &mut request).unwrap();

        let mut opening = server.decapsulate_stream(&request[..]);
        let mut opened = Vec::new();
        block_on(opening.read_to_end(&mut opened)).unwrap();
        prop_assert_eq!(opened, question.concat());

        let written = Written::default();
        block_on(write_all(opening.response(written.clone()).unwrap(), &answer));
        prop_assert_eq!(open_all(pending.open(&limits), &written.take()), answer.concat());
    }

    #[test]
    fn in_chunks_their_client_and_our_gateway_understand_each_other(
        kem in any_kem(),
        suite in any_suite(),
        provider in any_provider(),
        seed: [u8; 32],
        question in pieces(),
        answer in pieces(),
    ) {
        let (ring, client) = our_gateway(kem, suite, provider, seed);
        let written = Written::default();
        let mut asking = client.encapsulate_stream(written.clone()).unwrap();
        block_on(write_all(&mut asking, &question));
        let (sealed, limits) = (written.take(), ChunkLimits::default());
        let mut received = BytesMut::from(&sealed[..]);
        let (opener, reply) = ring.at(NOW).decapsulate_chunked(&mut received, &limits).unwrap().unwrap();
        prop_assert_eq!(open_all(opener, b""), question.concat());

        // Their client reads a response nonce of 16 bytes whatever the suite, so the answers that
        // it can read are those of AES-128-GCM.
        if suite.1 == Aead::Aes128Gcm {
            let mut response = BytesMut::new();
            let mut sealer = reply.start(&mut response, &limits).unwrap();
            for piece in &answer {
                sealer.seal(piece, &mut response).unwrap();
            }
            sealer.finish(b"", &mut response).unwrap();
            let mut opened = Vec::new();
            let mut reading = asking.response(&response[..]).unwrap();
            block_on(reading.read_to_end(&mut opened)).unwrap();
            prop_assert_eq!(opened, answer.concat());
        }
    }
}
