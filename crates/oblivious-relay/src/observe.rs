//! What an operator sees of exchanges, through the `metrics` facade. It never contains anything
//! from a client or its request.

use std::sync::OnceLock;
use std::time::Instant;

use metrics::{Counter, Gauge, Histogram};

const REQUESTS: &str = "ohttp_relay_requests_total";
const IN_FLIGHT: &str = "ohttp_relay_in_flight";
const GATEWAY_SECONDS: &str = "ohttp_relay_gateway_seconds";
const CUT_OFF: &str = "ohttp_relay_answers_cut_off_total";
const BREAKER_OPEN: &str = "ohttp_relay_breaker_open";
const KEY_FETCHES: &str = "ohttp_relay_key_fetches_total";

/// The gateway of requests that no route takes.
const NO_GATEWAY: &str = "none";

/// Describes the metrics of a relay to the installed recorder. Programs that publish the
/// descriptions call it once, after installing the recorder.
///
/// | metric | labels |
/// | --- | --- |
/// | `ohttp_relay_requests_total` | `gateway`; `outcome`: `relayed`, `problem`, `keys`, `client_left`, or why the request was refused |
/// | `ohttp_relay_in_flight` | |
/// | `ohttp_relay_gateway_seconds` | `gateway`: until the head of its answer is there |
/// | `ohttp_relay_answers_cut_off_total` | `gateway`, `reason`: `too_large`, `stalled`, `too_long`, `broken` |
/// | `ohttp_relay_breaker_open` | `gateway`: 1 while no requests are sent to it |
/// | `ohttp_relay_key_fetches_total` | `gateway`; `outcome`: `fetched`, `unchanged`, `failed` |
///
/// A gateway has the name of its [route](crate::Route::named), and is `none` where no route takes a
/// request. Every label has a fixed set of values, whatever clients and gateways send.
///
/// Install the recorder before the relay takes its first request: it keeps the one that was
/// installed then.
pub fn describe_metrics() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_counter!(REQUESTS, "Requests, by gateway and by what became of them.");
    describe_gauge!(IN_FLIGHT, "Exchanges under way.");
    describe_histogram!(GATEWAY_SECONDS, Unit::Seconds, "How long gateways take to answer.");
    describe_counter!(CUT_OFF, "Answers that broke off on their way to the client.");
    describe_gauge!(BREAKER_OPEN, "1 while a gateway gets no requests because it did not answer.");
    describe_counter!(KEY_FETCHES, "Fetches of key configurations from gateways.");
}

/// A request that no route takes.
pub(crate) fn count_unrouted(outcome: &'static str) {
    metrics::counter!(REQUESTS, "gateway" => NO_GATEWAY, "outcome" => outcome).increment(1);
}

/// What is recorded of one gateway. The metrics that every successful exchange needs are looked up
/// once.
pub(crate) struct GatewayMetrics {
    name: String,
    relayed: OnceLock<Counter>,
    seconds: OnceLock<Histogram>,
    in_flight: OnceLock<Gauge>,
}

impl GatewayMetrics {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            relayed: OnceLock::new(),
            seconds: OnceLock::new(),
            in_flight: OnceLock::new(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// An exchange begins. It is under way until what is returned is dropped.
    pub(crate) fn begin(&self) -> InFlight {
        let gauge = self.in_flight.get_or_init(|| metrics::gauge!(IN_FLIGHT));
        gauge.increment(1.0);
        InFlight(gauge.clone())
    }

    /// The encapsulated answer is on its way.
    pub(crate) fn relayed(&self) {
        let counter = self.relayed.get_or_init(|| {
            // A replaced route of this name may have left it open.
            self.breaker_gauge().set(0.0);
            self.requests("relayed")
        });
        counter.increment(1);
    }

    pub(crate) fn outcome(&self, outcome: &'static str) {
        self.requests(outcome).increment(1);
    }

    fn requests(&self, outcome: &'static str) -> Counter {
        metrics::counter!(REQUESTS, "gateway" => self.name.clone(), "outcome" => outcome)
    }

    /// The head of the gateway's answer is there, to a request that went out at `began`.
    pub(crate) fn answered(&self, began: Instant) {
        let seconds = self
            .seconds
            .get_or_init(|| metrics::histogram!(GATEWAY_SECONDS, "gateway" => self.name.clone()));
        seconds.record(began.elapsed());
    }

    /// An answer broke off.
    pub(crate) fn cut_off(&self, reason: &'static str) {
        metrics::counter!(CUT_OFF, "gateway" => self.name.clone(), "reason" => reason).increment(1);
        tracing::debug!(gateway = self.name, reason, "answer cut off");
    }

    pub(crate) fn breaker_open(&self, open: bool) {
        self.breaker_gauge().set(if open { 1.0 } else { 0.0 });
        match open {
            true => tracing::warn!(gateway = self.name, "the gateway does not answer: pausing"),
            false => tracing::info!(gateway = self.name, "the gateway answers again"),
        }
    }

    fn breaker_gauge(&self) -> Gauge {
        metrics::gauge!(BREAKER_OPEN, "gateway" => self.name.clone())
    }

    pub(crate) fn keys_fetched(&self, outcome: &'static str) {
        let name = self.name.clone();
        metrics::counter!(KEY_FETCHES, "gateway" => name, "outcome" => outcome).increment(1);
    }
}

/// An exchange that is counted until this is dropped.
pub(crate) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
