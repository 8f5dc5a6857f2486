//! How often the heap is asked for memory, per whole message.

mod common;

use allocation_counter::measure;
use bytes::BytesMut;
use common::{NOW, providers, ring_of};
use oblivious_hpke::{Provider, Recipient};
use oblivious_keys::{KemId, SymmetricSuite};

const X25519: KemId = KemId::X25519_HKDF_SHA256;
const SUITE: SymmetricSuite = SymmetricSuite::HKDF_SHA256_AES_128_GCM;

/// How often memory is allocated on each side: sealing a request, opening its response; opening a
/// request, sealing its response.
fn allocations(provider: Provider) -> [u64; 4] {
    let ring = ring_of(X25519, provider);
    let list = ring.config_list().unwrap();
    let recipient = Recipient::new(&list.configs()[0], SUITE, provider).unwrap();
    let mut count = [0; 4];
    // The first round may allocate what is kept.
    for _ in 0..2 {
        let mut sealed = None;
        count[0] = measure(|| sealed = recipient.encapsulate(&[1; 1024]).ok()).count_total;
        let (request, pending) = sealed.unwrap();
        let mut request = request.to_vec();
        let mut opened = None;
        count[2] = measure(|| opened = ring.at(NOW).open_in_place(&mut request).ok()).count_total;
        let (_, reply) = opened.unwrap();
        let mut response = None;
        count[3] = measure(|| response = reply.seal(&[2; 1024]).ok()).count_total;
        let response = BytesMut::from(&response.unwrap()[..]);
        let mut answer = None;
        count[1] = measure(|| answer = pending.open(response).ok()).count_total;
        assert_eq!(answer.unwrap().len(), 1024);
    }
    count
}

/// What a message needs: the buffer it is written into, and room for `enc` and the response nonce.
/// AWS-LC allocates its keys besides, which is its own affair.
#[test]
fn whole_messages_take_two_allocations_on_each_side() {
    for provider in providers() {
        let [encapsulate, open, decapsulate, seal] = allocations(provider);
        println!("{provider:?}: {encapsulate} + {open} client, {decapsulate} + {seal} gateway");
        if format!("{provider:?}") == "Provider(rust_crypto)" {
            assert_eq!([encapsulate, open], [2, 0]);
            assert_eq!([decapsulate, seal], [1, 1]);
        }
    }
}
