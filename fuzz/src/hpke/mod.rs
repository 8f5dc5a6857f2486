//! Encapsulation: the request's header, chunks, and edits of what was sealed.

mod chunks;
mod edits;
mod header;

use oblivious_hpke::{KeyPair, KeyRing, Provider, Recipient};
use oblivious_keys::{KemId, SymmetricSuite};

pub use chunks::chunks;
pub use edits::edits;
pub use header::header;

/// The header and `enc` of an X25519 request.
const PREFIX_LEN: usize = 7 + 32;

/// A ring with one key, and a client for it.
fn parties(provider: Provider) -> (KeyRing, Recipient) {
    let suite = SymmetricSuite::HKDF_SHA256_AES_128_GCM;
    let pair = KeyPair::derive(KemId::X25519_HKDF_SHA256, &[7; 32], provider).unwrap();
    let mut ring = KeyRing::new();
    ring.add(1, pair, vec![suite]).unwrap();
    let list = ring.config_list().unwrap();
    let recipient = Recipient::new(&list.configs()[0], suite, provider).unwrap();
    (ring, recipient)
}

/// The provider whose tags a fuzzer gets right; outside of a fuzzer's build, a real one.
fn permissive() -> Provider {
    #[cfg(fuzzing)]
    return Provider::toy();
    #[cfg(not(fuzzing))]
    Provider::rust_crypto()
}
