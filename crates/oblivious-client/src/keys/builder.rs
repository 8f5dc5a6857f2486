//! Settings of a cache of keys, one by one.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use oblivious_hpke::{Labels, Provider};
use oblivious_keys::Preferences;
use oblivious_service::{Clock, Timer};

use super::{KeyCache, KeySource, KeyStore, settings::Settings};

/// Longer times are cut to this, ten years.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Makes a [`KeyCache`].
pub struct KeyCacheBuilder {
    settings: Settings,
}

impl KeyCacheBuilder {
    /// A cache of what `source` says; `timer` measures how long it waits.
    pub fn new(source: impl KeySource, timer: impl Timer) -> Self {
        Self { settings: Settings::new(source, timer) }
    }

    /// Sets the clock by which keys age; otherwise the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.settings.clock = Arc::new(clock);
        self
    }

    /// Sets which configuration and suite of the list are used. By default the post-quantum KEMs
    /// come first.
    #[must_use]
    pub fn preferences(mut self, preferences: Preferences) -> Self {
        self.settings.preferences = preferences;
        self
    }

    /// Sets the provider of cryptographic primitives.
    #[must_use]
    pub fn provider(mut self, provider: Provider) -> Self {
        self.settings.provider = provider;
        self
    }

    /// Sets the labels of a protocol that is not binary HTTP (RFC 9458 §4.6).
    #[must_use]
    pub fn labels(mut self, labels: Labels) -> Self {
        self.settings.labels = labels;
        self
    }

    /// Sets the least time between two fetches, whatever their cause; a minute by default.
    ///
    /// Keys are used at least that long, even if the source says that they are stale at once.
    #[must_use]
    pub fn min_interval(mut self, interval: Duration) -> Self {
        self.settings.min_interval = interval.min(LONGEST);
        self
    }

    /// Sets how long a fetch waits at most after a sign of stale keys; half a minute by default.
    /// The wait is random, so that a relay that causes the sign and sees keys being fetched cannot
    /// easily tell who fetches them (RFC 9458 §5.3).
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.settings.max_delay = delay.min(LONGEST);
        self
    }

    /// Sets how long a fetch may take; half a minute by default.
    #[must_use]
    pub fn fetch_timeout(mut self, limit: Duration) -> Self {
        self.settings.fetch_timeout = limit.min(LONGEST);
        self
    }

    /// Sets how long keys are used if the source does not say; an hour by default.
    #[must_use]
    pub fn default_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.default_lifetime = lifetime.min(LONGEST);
        self
    }

    /// Sets the longest time that keys are used, whatever the source says; a week by default.
    #[must_use]
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.max_lifetime = lifetime.min(LONGEST);
        self
    }

    /// Sets how many requests to one key are made before tables are computed that speed up the rest
    /// ([`Recipient::precomputed`](oblivious_hpke::Recipient::precomputed)); 32 by default.
    #[must_use]
    pub fn precompute_after(mut self, requests: u64) -> Self {
        self.settings.precompute_after = requests;
        self
    }

    /// Keeps the keys in `store` from one run of the program to the next.
    #[must_use]
    pub fn store(mut self, store: impl KeyStore) -> Self {
        self.settings.store = Some(Arc::new(store));
        self
    }

    /// Sets what runs a fetch in the background, for instance
    /// `|task| { tokio::spawn(task); }`.
    ///
    /// Without it, a fetch only proceeds while requests are under way. It delays none of them
    /// except the first, and those made after the keys have expired.
    #[must_use]
    pub fn spawn(
        mut self,
        spawn: impl Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync + 'static,
    ) -> Self {
        self.settings.spawn = Some(Arc::new(spawn));
        self
    }

    /// The cache. Nothing is fetched before the first request.
    pub fn build(self) -> KeyCache {
        KeyCache::with_settings(self.settings)
    }
}

impl fmt::Debug for KeyCacheBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.settings.source.name();
        f.debug_struct("KeyCacheBuilder").field("source", &source).finish_non_exhaustive()
    }
}
