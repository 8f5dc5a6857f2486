//! How a cache of keys behaves.

use std::{pin::Pin, sync::Arc, time::Duration};

use oblivious_hpke::{Labels, Provider};
use oblivious_keys::Preferences;
use oblivious_service::{Clock, SystemClock, Timer};

use super::{KeySource, KeyStore};

/// Runs a future to its end, beside whatever else the program does.
pub(crate) type Spawn = Arc<dyn Fn(Pin<Box<dyn Future<Output = ()> + Send>>) + Send + Sync>;

/// What [`KeyCacheBuilder`](super::KeyCacheBuilder) collects.
pub(crate) struct Settings {
    pub(crate) source: Arc<dyn KeySource>,
    pub(crate) timer: Arc<dyn Timer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) preferences: Preferences,
    pub(crate) provider: Provider,
    pub(crate) labels: Labels,
    pub(crate) min_interval: Duration,
    pub(crate) max_delay: Duration,
    pub(crate) fetch_timeout: Duration,
    pub(crate) default_lifetime: Duration,
    pub(crate) max_lifetime: Duration,
    pub(crate) precompute_after: u64,
    pub(crate) store: Option<Arc<dyn KeyStore>>,
    pub(crate) spawn: Option<Spawn>,
}

impl Settings {
    /// The defaults.
    pub(crate) fn new(source: impl KeySource, timer: impl Timer) -> Self {
        Self {
            source: Arc::new(source),
            timer: Arc::new(timer),
            clock: Arc::new(SystemClock),
            preferences: Preferences::default(),
            provider: Provider::default(),
            labels: Labels::BINARY_HTTP,
            min_interval: Duration::from_secs(60),
            max_delay: Duration::from_secs(30),
            fetch_timeout: Duration::from_secs(30),
            default_lifetime: Duration::from_secs(3600),
            max_lifetime: Duration::from_secs(7 * 24 * 3600),
            precompute_after: 32,
            store: None,
            spawn: None,
        }
    }
}
