//! The same parties, ours and theirs, for every race.

use oblivious_hpke::{KeyPair, KeyRing, Provider, Recipient};
use oblivious_keys::{KemId, KeyConfigList, SymmetricSuite};
use ohttp::hpke::{Aead, Kdf, Kem};

pub(crate) const OURS: &str = "oblivious-hpke, rust_crypto";
#[cfg(feature = "aws-lc")]
pub(crate) const OURS_AWS: &str = "oblivious-hpke, aws_lc";
#[cfg(feature = "graviola")]
pub(crate) const OURS_GRAVIOLA: &str = "oblivious-hpke, graviola";
pub(crate) const OHTTP: &str = "ohttp 0.8";

#[cfg(feature = "graviola")]
pub(crate) fn graviola() -> Provider {
    Provider::graviola().unwrap()
}

const SUITE: SymmetricSuite = SymmetricSuite::HKDF_SHA256_AES_128_GCM;

/// A gateway of ours and what a client needs for it.
pub(crate) fn ours(kem: KemId, provider: Provider) -> (KeyRing, Recipient) {
    let pair = KeyPair::generate(kem, provider).unwrap();
    let mut ring = KeyRing::new();
    ring.add(1, pair, vec![SUITE]).unwrap();
    let recipient = recipient(&ring.config_list().unwrap(), provider);
    (ring, recipient)
}

pub(crate) fn recipient(list: &KeyConfigList, provider: Provider) -> Recipient {
    Recipient::new(&list.configs()[0], SUITE, provider).unwrap()
}

/// A gateway of theirs, and a client of ours for it.
pub(crate) fn theirs(kem: Kem) -> (ohttp::Server, Recipient) {
    let suite = ohttp::SymmetricSuite::new(Kdf::HkdfSha256, Aead::Aes128Gcm);
    let server = ohttp::Server::new(ohttp::KeyConfig::new(1, kem, vec![suite]).unwrap()).unwrap();
    let list = ohttp::KeyConfig::encode_list(&[server.config()]).unwrap();
    let list = KeyConfigList::decode(&list).unwrap();
    (server, recipient(&list, Provider::default()))
}
