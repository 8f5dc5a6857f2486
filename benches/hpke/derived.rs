//! What every message derives from its agreement before it can be opened and answered: the crates
//! that are called here and nothing around them. What stands on the `hpke` crate cannot be faster.

use std::hint::black_box;

use aes_gcm::aead::{
    AeadCore, AeadInOut, Error, Key, KeyInit, KeySizeUser, Nonce, Tag, TagPosition,
    consts::{U12, U16},
    inout::InOutBuf,
};
use hkdf::Hkdf;
use hpke::{
    Kem, OpModeR,
    aead::{Aead, AeadCtxR},
    kdf::{HkdfSha256, Kdf},
    kem::{SharedSecret, X25519HkdfSha256, XWing},
};
use sha2::Sha256;
use sha3::{Digest, Sha3_256};

/// All keys of a request and its response, from an X25519 agreement.
///
/// ExtractAndExpand, KeySchedule and Export (RFC 9180 §4.1, §5.1, §5.3), as the `hpke` crate
/// computes them.
pub(crate) fn from_agreement(dh: &[u8; 32]) {
    let mut shared = SharedSecret::<X25519HkdfSha256>::default();
    let public_keys = [0; 2 * 32];
    HkdfSha256::extract_and_expand(dh, b"KEM\x00\x20", &public_keys, &mut shared.0).unwrap();
    from_shared_secret(shared);
}

/// The same from the two secrets of X-Wing (draft-connolly-cfrg-xwing-kem §5.3).
pub(crate) fn from_x_wing(ml_kem: &[u8; 32], x25519: &[u8; 32]) {
    let public_keys = [0; 2 * 32];
    let hash = Sha3_256::new().chain_update(ml_kem).chain_update(x25519);
    let hash = hash.chain_update(public_keys).chain_update(b"label!");
    from_shared_secret(SharedSecret::<XWing>(hash.finalize()));
}

fn from_shared_secret<K: Kem>(shared: SharedSecret<K>) {
    let info = b"message/bhttp request\0\x01\x00\x20\x00\x01\x00\x01";
    let context: AeadCtxR<NoAead, HkdfSha256, K> =
        HkdfSha256::combine_secrets(&OpModeR::Base, shared, info).into();
    let mut exported = [0; 16];
    context.export(b"message/bhttp response", &mut exported).unwrap();
    black_box(response_keys(&exported));
}

/// The response nonce, and what is derived with it (RFC 9458 §4.4).
fn response_keys(exported: &[u8; 16]) -> ([u8; 16], [u8; 12]) {
    let mut salt = [0; 32 + 16];
    getrandom::fill(&mut salt[32..]).unwrap();
    let prk = Hkdf::<Sha256>::new(Some(&salt), exported);
    let (mut key, mut nonce) = ([0; 16], [0; 12]);
    prk.expand(b"key", &mut key).unwrap();
    prk.expand(b"nonce", &mut nonce).unwrap();
    (key, nonce)
}

/// AES-128-GCM's place in the key schedule, without its work: that is measured where it is done.
struct NoAead;

#[derive(Clone)]
struct NoKey;

impl Aead for NoAead {
    type AeadImpl = NoKey;
    const AEAD_ID: u16 = 1;
}

impl KeySizeUser for NoKey {
    type KeySize = U16;
}

impl KeyInit for NoKey {
    fn new(_: &Key<Self>) -> Self {
        Self
    }
}

impl AeadCore for NoKey {
    type NonceSize = U12;
    type TagSize = U16;
    const TAG_POSITION: TagPosition = TagPosition::Postfix;
}

impl AeadInOut for NoKey {
    fn encrypt_inout_detached(
        &self,
        _: &Nonce<Self>,
        _: &[u8],
        _: InOutBuf<'_, '_, u8>,
    ) -> Result<Tag<Self>, Error> {
        Err(Error)
    }

    fn decrypt_inout_detached(
        &self,
        _: &Nonce<Self>,
        _: &[u8],
        _: InOutBuf<'_, '_, u8>,
        _: &Tag<Self>,
    ) -> Result<(), Error> {
        Err(Error)
    }
}
