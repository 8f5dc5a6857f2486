//! A client's choice among the configurations of a list (RFC 9458 §3.2).

use alloc::{vec, vec::Vec};

use crate::{KemId, KeyConfig, KeyConfigList, NothingUsable, SymmetricSuite};

/// What a client is willing to use, best first.
///
/// The default is what `oblivious-hpke` supports: X25519, and HKDF-SHA256 with AES-128-GCM,
/// AES-256-GCM or ChaCha20-Poly1305.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preferences {
    /// The KEMs, best first.
    pub kems: Vec<KemId>,
    /// The symmetric suites, best first.
    pub suites: Vec<SymmetricSuite>,
}

impl Preferences {
    /// Preferences of one's own, both lists best first.
    pub fn new(kems: Vec<KemId>, suites: Vec<SymmetricSuite>) -> Self {
        Self { kems, suites }
    }
}

impl Default for Preferences {
    fn default() -> Self {
        Self::new(
            vec![KemId::X25519_HKDF_SHA256],
            vec![
                SymmetricSuite::HKDF_SHA256_AES_128_GCM,
                SymmetricSuite::HKDF_SHA256_AES_256_GCM,
                SymmetricSuite::HKDF_SHA256_CHACHA20_POLY1305,
            ],
        )
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
    pub fn select(&self, preferences: &Preferences) -> Result<Selection<'_>, NothingUsable> {
        self.candidates(preferences).next().ok_or(NothingUsable { configs: self.configs().len() })
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
