//! What operators and their machines ask: how the program is doing, and whether to send requests
//! here.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use clap::Args;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use oblivious_hyper::server;
use serde::Serialize;

use crate::listen::listen_for_admin;
use crate::logging::LogFormat;
use crate::shutdown::Draining;

/// Settings of what can be seen of a server.
#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Observation")]
pub struct ObservationSettings {
    /// Address for operators alone, with /metrics, /ready and /health. Port 0 picks a free port.
    /// Not served unless set.
    #[arg(long, value_name = "HOST:PORT")]
    pub admin: Option<String>,

    /// Format of log lines. RUST_LOG chooses which lines there are.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// Buckets of the histograms, in seconds: from the decapsulation of a small request to a target
/// that is far away.
const BUCKETS: [f64; 16] = [
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1,
    0.25, 1.0, 5.0, 30.0,
];

/// How often samples are summed up.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Serves `/metrics`, `/ready` and `/health` at `address`, until the program ends. `describe`
/// describes the metrics that there will be.
///
/// The program is ready until it is `draining`, unless `unready` says why it is not.
///
/// # Errors
/// If nothing can listen there.
pub async fn serve(
    address: &str,
    describe: impl FnOnce(),
    draining: Draining,
    unready: impl Fn() -> Option<&'static str> + Clone + Send + Sync + 'static,
) -> anyhow::Result<()> {
    let suffix = Matcher::Suffix("_seconds".into());
    let metrics =
        PrometheusBuilder::new().set_buckets_for_metric(suffix, &BUCKETS)?.install_recorder()?;
    describe();
    let listener = listen_for_admin(address).await?;
    tokio::spawn(sum_up(metrics.clone()));
    let router = router(metrics, draining, unready);
    tokio::spawn(server::serve(listener, None, router, std::future::pending()));
    Ok(())
}

/// Sums up what was measured, forever. Without it all samples would be kept until someone asks for
/// `/metrics`.
async fn sum_up(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP_INTERVAL).await;
        metrics.run_upkeep();
    }
}

fn router(
    metrics: PrometheusHandle,
    draining: Draining,
    unready: impl Fn() -> Option<&'static str> + Clone + Send + Sync + 'static,
) -> Router {
    let ready = move || {
        let reason = if draining.has_begun() { Some("draining\n") } else { unready() };
        async move {
            match reason {
                Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason),
                None => (StatusCode::OK, "ready\n"),
            }
        }
    };
    Router::new()
        .route("/metrics", get(move || async move { metrics.render() }))
        .route("/ready", get(ready))
        .route("/health", get(|| async { "ok\n" }))
}
