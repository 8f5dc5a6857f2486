//! What an exchange keeps until the last of its answer has been read.

use std::sync::Arc;

use crate::limits::Permits;
use crate::observe::{GatewayMetrics, InFlight};

/// The place of an exchange among those that may be under way.
pub(crate) struct Held {
    metrics: Arc<GatewayMetrics>,
    _permits: Permits,
    _in_flight: InFlight,
}

impl Held {
    pub(crate) fn new(metrics: Arc<GatewayMetrics>, permits: Permits) -> Self {
        let in_flight = metrics.begin();
        Self { metrics, _permits: permits, _in_flight: in_flight }
    }

    /// The answer broke off.
    pub(crate) fn cut_off(&self, reason: &'static str) {
        self.metrics.cut_off(reason);
    }
}
