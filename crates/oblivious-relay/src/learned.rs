//! What a relay learns of a gateway while it runs.

use std::sync::{Arc, OnceLock};

use http::Uri;

use crate::batching::Batch;
use crate::breaker::Circuit;
use crate::key_cache::KeyCache;

/// What is known of the gateway of a route besides its settings. Routes that replace each other
/// share it.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    /// Whether the gateway answers.
    pub(crate) circuit: Circuit,
    /// Its keys.
    pub(crate) key_cache: Arc<KeyCache>,
    /// Its new location, once it has moved permanently.
    pub(crate) moved: OnceLock<Uri>,
    /// The requests that are held on their way to it.
    pub(crate) requests: Batch,
    /// Its answers that are held on their way to clients.
    pub(crate) answers: Batch,
}
