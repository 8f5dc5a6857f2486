//! The keys of a gateway at one time.

use std::time::Duration;

use oblivious_hpke::{KeyRing, UnixSeconds};
use oblivious_keys::{KemId, KeyConfig, KeyConfigList};

/// The keys that a gateway accepts, and the configurations that it publishes.
///
/// It never changes; another one takes its place, in a [`Live`](oblivious_service::Live) handle. It
/// also has the keys that are accepted and published next, each with its time, so that a change
/// happens on the second even if the replacement is late.
#[derive(Debug)]
pub struct GatewayKeys {
    ring: KeyRing,
    /// In order of time. Without a plan every key may be published while it is valid.
    plan: Option<Vec<Publication>>,
}

/// What is published from a time on, until the next publication takes its place.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) from: UnixSeconds,
    pub(crate) key_ids: Vec<u8>,
    /// The last second for which clients may keep it, if there is one.
    pub(crate) cached_until: Option<UnixSeconds>,
}

/// What [`GatewayKeys::published`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The configurations, at most one of each KEM, in the order in which they are published: that
    /// of X25519 first, since some clients only look at the first one, then those of the other KEMs
    /// in the order of the ring.
    pub list: KeyConfigList,
    /// How long from now a client may keep the list, in whole seconds: no key in it expires before.
    /// `None` if no key expires.
    pub valid_for: Option<Duration>,
}

impl GatewayKeys {
    pub(crate) fn planned(ring: KeyRing, plan: Vec<Publication>) -> Self {
        Self { ring, plan: Some(plan) }
    }

    /// The keys that open requests. Each is valid for a time, so ask with the clock's:
    /// `keys.ring().at(now)`.
    pub fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// What is published at `now`. `None` if there is no key to publish.
    pub fn published(&self, now: UnixSeconds) -> Option<Published> {
        let Some(plan) = &self.plan else { return self.publish(now, |_| true, None) };
        let current = plan.iter().rfind(|publication| publication.from <= now)?;
        let is_listed = |config: &KeyConfig| current.key_ids.contains(&config.key_id());
        self.publish(now, is_listed, current.cached_until)
    }

    /// Publishes the chosen keys that are valid, the first of each KEM, since clients that see two
    /// can be told apart by their choice (RFC 9458 §7).
    fn publish(
        &self,
        now: UnixSeconds,
        is_chosen: impl Fn(&KeyConfig) -> bool,
        cached_until: Option<UnixSeconds>,
    ) -> Option<Published> {
        let mut configs: Vec<KeyConfig> = Vec::new();
        let mut until = cached_until.unwrap_or(UnixSeconds::NEVER);
        for (config, validity) in self.ring.keys() {
            let is_valid = validity.includes(now);
            let is_first = configs.iter().all(|listed| listed.kem() != config.kem());
            if is_valid && is_first && is_chosen(config) {
                configs.push(config.clone());
                until = until.min(validity.not_after);
            }
        }
        configs.sort_by_key(|config| config.kem() != KemId::X25519_HKDF_SHA256);
        let list = KeyConfigList::new(configs).ok()?;
        let valid_for =
            (until != UnixSeconds::NEVER).then(|| Duration::from_secs(until.since(now)));
        Some(Published { list, valid_for })
    }

    /// The last second at which requests under a key are accepted: the replay guard remembers them
    /// until then. `None` if the key never expires, and the Unix epoch if there is no such key.
    pub fn accepted_until(&self, key_id: u8) -> Option<UnixSeconds> {
        let key = self.ring.keys().find(|(config, _)| config.key_id() == key_id);
        let last = key.map_or(UnixSeconds::EPOCH, |(_, validity)| validity.not_after);
        (last != UnixSeconds::NEVER).then_some(last)
    }
}

/// Keys that do not change. All are accepted as long as they are valid; of each KEM only the first
/// key that was added is published. To replace a key, add the new one before the old one.
impl From<KeyRing> for GatewayKeys {
    fn from(ring: KeyRing) -> Self {
        Self { ring, plan: None }
    }
}
