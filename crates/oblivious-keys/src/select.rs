//! A client's choice among the configurations of a list (RFC 9458 §3.2).

use alloc::{vec, vec::Vec};

use crate::{AeadId, KdfId, KemId, KeyConfig, KeyConfigList, SelectError, SymmetricSuite};

/// What a client is willing to use, best first.
///
/// The default is everything that `oblivious-hpke` supports: first the hybrid KEMs, which are
/// secure as long as either their post-quantum or their classical half is, then the classical ones,
/// then the purely post-quantum ones; among the suites, those with HKDF-SHA256 first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preferences {
    /// The KEMs, best first.
    pub kems: Vec<KemId>,
    /// The symmetric suites, best first.
    pub suites: Vec<SymmetricSuite>,
}

impl Preferences {
    /// These preferences, both lists best first.
    pub fn new(kems: Vec<KemId>, suites: Vec<SymmetricSuite>) -> Self {
        Self { kems, suites }
    }
}

impl Default for Preferences {
    fn default() -> Self {
        let kems = vec![
            KemId::X_WING,
            KemId::MLKEM768_P256,
            KemId::MLKEM1024_P384,
            KemId::X25519_HKDF_SHA256,
            KemId::P256_HKDF_SHA256,
            KemId::P384_HKDF_SHA384,
            KemId::P521_HKDF_SHA512,
            KemId::ML_KEM_768,
            KemId::ML_KEM_1024,
        ];
        let kdfs = [KdfId::HKDF_SHA256, KdfId::HKDF_SHA384, KdfId::HKDF_SHA512];
        let aeads = [AeadId::AES_128_GCM, AeadId::AES_256_GCM, AeadId::CHACHA20_POLY1305];
        let with = |kdf| aeads.map(|aead| SymmetricSuite { kdf, aead });
        Self::new(kems, kdfs.into_iter().flat_map(with).collect())
    }
}

/// A configuration, and the suite chosen from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selection<'a> {
    /// The configuration whose key is to be used.
    pub config: &'a KeyConfig,
    /// One of that configuration's suites.
    pub suite: SymmetricSuite,
}

impl KeyConfigList {
    /// The best configuration and suite by the client's preferences.
    ///
    /// # Errors
    /// If no configuration has both a KEM and a suite among the preferences.
    pub fn select(&self, preferences: &Preferences) -> Result<Selection<'_>, SelectError> {
        self.candidates(preferences).next().ok_or(SelectError { configs: self.configs().len() })
    }

    /// Every usable configuration and suite, best first.
    ///
    /// The order is that of the preferred KEMs; of two configurations with the same KEM, the one
    /// that the gateway lists first; within a configuration, that of the preferred suites.
    pub fn candidates<'a, 'p>(
        &'a self,
        preferences: &'p Preferences,
    ) -> impl Iterator<Item = Selection<'a>> + use<'a, 'p> {
        let with_kem = move |&kem| self.configs().iter().filter(move |config| config.kem() == kem);
        preferences.kems.iter().flat_map(with_kem).flat_map(move |config| {
            let offered = move |suite: &&SymmetricSuite| config.suites().contains(suite);
            let chosen = move |&suite| Selection { config, suite };
            preferences.suites.iter().filter(offered).map(chosen)
        })
    }
}
