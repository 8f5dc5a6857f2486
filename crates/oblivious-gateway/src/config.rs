//! The settings of a gateway, as an exchange reads them.

use std::{fmt, sync::Arc};

use oblivious_bhttp::{DecodeOptions, EncodeOptions};
use oblivious_hpke::{ChunkLimits, UnixSeconds};
use oblivious_service::{Clock, Live, Timeout};

use crate::{
    DatePolicy, GatewayKeys, ReplayGuard, TargetPolicy, concurrency::Concurrency, nesting::Nesting,
};

/// The settings that [`GatewayLayer`](crate::GatewayLayer) collects.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) keys: Live<GatewayKeys>,
    pub(crate) policy: TargetPolicy,
    pub(crate) request_limit: usize,
    pub(crate) response_limit: usize,
    pub(crate) stream_limit: u64,
    pub(crate) chunk_limits: ChunkLimits,
    pub(crate) chunked: bool,
    pub(crate) concurrency: Concurrency,
    pub(crate) request_timeout: Option<Timeout>,
    pub(crate) target_timeout: Option<Timeout>,
    pub(crate) idle_timeout: Option<Timeout>,
    pub(crate) exchange_timeout: Option<Timeout>,
    pub(crate) clock: Arc<dyn Clock>,
    /// `None` without replay protection.
    pub(crate) guard: Option<Arc<dyn ReplayGuard>>,
    pub(crate) dates: DatePolicy,
    pub(crate) nesting: Nesting,
    /// How whole responses are written; its padding also holds for those in chunks.
    pub(crate) encode_options: EncodeOptions,
    pub(crate) decode_options: DecodeOptions,
}

impl Config {
    pub(crate) fn now(&self) -> UnixSeconds {
        self.clock.now().into()
    }

    /// How a request of at most `limit` bytes is read: that limits its content too, unless another
    /// limit was set.
    pub(crate) fn decode_options(&self, limit: u64) -> DecodeOptions {
        let mut options = self.decode_options;
        options.limits.content.get_or_insert(limit);
        options
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("policy", &self.policy).finish_non_exhaustive()
    }
}
