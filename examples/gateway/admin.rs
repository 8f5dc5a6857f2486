//! What operators and their machines ask: how it goes, and whether to send requests here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use oblivious_http::gateway::{GatewayKeys, describe_metrics};
use oblivious_http::hpke::UnixSeconds;
use oblivious_http::service::Live;

/// Buckets of the histograms, in seconds: from the decapsulation of a small request to a target
/// that is far away.
const BUCKETS: [f64; 16] = [
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 1.0, 5.0, 30.0,
];

/// How often samples are summed up.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Whether the gateway is about to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draining(Arc<AtomicBool>);

impl Draining {
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Collects the metrics of the whole process from now on.
pub(crate) fn record_metrics() -> anyhow::Result<PrometheusHandle> {
    let suffix = Matcher::Suffix("_seconds".into());
    let handle =
        PrometheusBuilder::new().set_buckets_for_metric(suffix, &BUCKETS)?.install_recorder()?;
    describe_metrics();
    Ok(handle)
}

/// Sums up what was measured, forever. Without it all samples would be kept until someone asks for
/// `/metrics`.
pub(crate) async fn sum_up(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP_INTERVAL).await;
        metrics.run_upkeep();
    }
}

/// `/metrics`, `/ready` and `/health`.
pub(crate) fn router(
    metrics: PrometheusHandle,
    keys: Live<GatewayKeys>,
    draining: Draining,
) -> Router {
    let ready = move || {
        let (keys, draining) = (keys.current(), draining.has_begun());
        async move {
            if draining {
                (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
            } else if keys.published(UnixSeconds::now()).is_none() {
                (StatusCode::SERVICE_UNAVAILABLE, "no valid key\n")
            } else {
                (StatusCode::OK, "ready\n")
            }
        }
    };
    Router::new()
        .route("/metrics", get(move || async move { metrics.render() }))
        .route("/ready", get(ready))
        .route("/health", get(|| async { "ok\n" }))
}
