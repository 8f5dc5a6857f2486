//! The settings of a schedule.

use std::time::Duration;

use oblivious_hpke::{KeyPairError, KeyRingError, Provider};
use oblivious_keys::{KemId, SymmetricSuite};
use thiserror::Error;

/// The settings of a [`KeySchedule`](super::KeySchedule). All replicas need the same.
///
/// Only whole seconds of the durations count. The settings are checked together when the schedule
/// is made.
#[derive(Clone, Debug)]
pub struct ScheduleSettings {
    pub(crate) interval: Duration,
    pub(crate) max_age: Duration,
    pub(crate) grace: Duration,
    pub(crate) skew: Duration,
    pub(crate) kems: Vec<KemId>,
    pub(crate) suites: Vec<SymmetricSuite>,
    pub(crate) provider: Provider,
}

impl Default for ScheduleSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(24 * 3600),
            max_age: Duration::from_secs(3600),
            grace: Duration::from_secs(3600),
            skew: Duration::from_secs(60),
            kems: vec![KemId::X25519_HKDF_SHA256],
            suites: vec![
                SymmetricSuite::HKDF_SHA256_AES_128_GCM,
                SymmetricSuite::HKDF_SHA256_AES_256_GCM,
                SymmetricSuite::HKDF_SHA256_CHACHA20_POLY1305,
            ],
            provider: Provider::default(),
        }
    }
}

impl ScheduleSettings {
    /// Sets how long each key is published. Default: one day.
    #[must_use]
    pub fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets how long clients may keep a configuration; also set it with
    /// [`PublishKeys::max_age`](crate::PublishKeys::max_age). Default: one hour.
    #[must_use]
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Sets how long a key is accepted after the last copy of its configuration has become stale,
    /// for requests under way and clocks that run behind. It must not be less than the
    /// [skew](Self::with_skew). Default: one hour.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets how far apart the clocks of two replicas, or of a replica and a client, may be. It must
    /// be shorter than the interval, and not longer than that of the
    /// [dates](crate::DatePolicy::with_skew), or one replica forgets requests while another still
    /// accepts them. Default: one minute.
    #[must_use]
    pub fn with_skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// Sets the KEMs: each has one published configuration, in this order, but X25519 always first,
    /// since some clients only look at the first one. Which KEMs are available depends on the
    /// provider and on the features of `oblivious-hpke`. Default: X25519.
    #[must_use]
    pub fn with_kems(mut self, kems: Vec<KemId>) -> Self {
        self.kems = kems;
        self
    }

    /// Sets the suites of every key. Default: HKDF-SHA256 with AES-128-GCM, AES-256-GCM and
    /// ChaCha20-Poly1305.
    #[must_use]
    pub fn with_suites(mut self, suites: Vec<SymmetricSuite>) -> Self {
        self.suites = suites;
        self
    }

    /// Sets where the primitives come from. It does not change the keys.
    #[must_use]
    pub fn with_provider(mut self, provider: Provider) -> Self {
        self.provider = provider;
        self
    }

    /// The suites of every key.
    pub fn suites(&self) -> &[SymmetricSuite] {
        &self.suites
    }

    pub(crate) fn check(&self) -> Result<(), ScheduleError> {
        if self.interval.as_secs() == 0 {
            return Err(ScheduleError::IntervalTooShort);
        }
        if self.skew.as_secs() >= self.interval.as_secs() {
            return Err(ScheduleError::SkewTooLong);
        }
        if self.grace.as_secs() < self.skew.as_secs() {
            return Err(ScheduleError::GraceTooShort);
        }
        if self.kems.is_empty() {
            return Err(ScheduleError::NoKem);
        }
        if self.suites.is_empty() {
            return Err(ScheduleError::NoSuite);
        }
        for (index, &kem) in self.kems.iter().enumerate() {
            if self.kems[..index].contains(&kem) {
                return Err(ScheduleError::DuplicateKem(kem));
            }
            let unsupported = |&&suite: &&SymmetricSuite| !self.provider.supports(kem, suite);
            if let Some(&suite) = self.suites.iter().find(unsupported) {
                return Err(ScheduleError::Unsupported { kem, suite });
            }
        }
        Ok(())
    }
}

/// The settings do not make a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The interval is shorter than a second.
    #[error("the interval between two keys must be at least one second")]
    IntervalTooShort,
    /// The clock skew is as long as the interval.
    #[error("the clock skew must be shorter than the interval between two keys")]
    SkewTooLong,
    /// The grace period does not cover the clock skew.
    #[error(
        "the grace period must not be shorter than the clock skew: a replica whose clock runs \
         behind publishes a key so much longer"
    )]
    GraceTooShort,
    /// There is no KEM.
    #[error("name at least one KEM")]
    NoKem,
    /// There is no suite.
    #[error("name at least one suite")]
    NoSuite,
    /// A KEM appears twice.
    #[error("the KEM {0} is named twice; name each only once")]
    DuplicateKem(KemId),
    /// The provider does not have a combination.
    #[error("{kem} with {suite} is not supported by this provider")]
    Unsupported {
        /// The KEM.
        kem: KemId,
        /// The suite.
        suite: SymmetricSuite,
    },
    /// There would be more keys at a time than ids for them.
    #[error(
        "up to {needed} keys would be in use at a time, and there are {available} key ids for \
         them: make the interval longer, max-age or grace shorter, or take fewer KEMs or fixed keys"
    )]
    TooManyKeys {
        /// The most keys in use at a time, including the next ones.
        needed: u64,
        /// The ids that no fixed key has.
        available: usize,
    },
    /// A fixed key is to be published, but its KEM already has a published configuration.
    #[error(
        "the fixed key {key_id} cannot be published, since another configuration of {kem} is: of \
         each KEM there is one, or clients would be told apart by which they take"
    )]
    PublishedKem {
        /// The id of the fixed key.
        key_id: u8,
        /// Its KEM.
        kem: KemId,
    },
    /// A fixed key cannot be used.
    #[error("a fixed key cannot be used: {0}")]
    FixedKey(#[from] KeyRingError),
    /// The schedule's provider cannot use a fixed key.
    #[error("a fixed key cannot be used: {0}")]
    FixedKeyPair(#[from] KeyPairError),
}
