//! What an operator sees of exchanges: metrics through the `metrics` facade, spans through
//! `tracing`. All that they contain of a request or an answer is the class of the target's status.

use std::time::Instant;

use http::StatusCode;
use tracing::{Span, debug, debug_span, field::Empty};

use crate::{
    ReplayLoad,
    refusal::{InnerRefusal, OuterRefusal},
};

pub(crate) const IN_FLIGHT: &str = "ohttp_gateway_in_flight";
const REQUESTS: &str = "ohttp_gateway_requests_total";
const DECAPSULATION_FAILURES: &str = "ohttp_gateway_decapsulation_failures_total";
const KEYS: &str = "ohttp_gateway_key_requests_total";
const REPLAYS: &str = "ohttp_gateway_replays_total";
const TARGET_RESPONSES: &str = "ohttp_gateway_target_responses_total";
const CUT_OFF: &str = "ohttp_gateway_answers_cut_off_total";
const GUARD_ENTRIES: &str = "ohttp_gateway_replay_entries";
const GUARD_CAPACITY: &str = "ohttp_gateway_replay_capacity";
const STAGES: &str = "ohttp_gateway_stage_seconds";

/// Describes the metrics of a gateway to the installed recorder. Programs that publish the
/// descriptions call it once, after installing the recorder.
///
/// | metric | labels |
/// | --- | --- |
/// | `ohttp_gateway_requests_total` | `outcome`: `answered`, or why the request was refused |
/// | `ohttp_gateway_decapsulation_failures_total` | `kind`: `truncated`, `unknown_key`, `failed` |
/// | `ohttp_gateway_key_requests_total` | `key_id`: 0 to 255, of requests that decapsulated |
/// | `ohttp_gateway_replays_total` | |
/// | `ohttp_gateway_target_responses_total` | `class`: `2xx` to `5xx`; for answers in chunks also `other` |
/// | `ohttp_gateway_answers_cut_off_total` | `reason` |
/// | `ohttp_gateway_stage_seconds` | `stage`: `receive`, `decapsulate`, `admit`, `target`, `encapsulate`, `total` |
/// | `ohttp_gateway_in_flight` | |
/// | `ohttp_gateway_replay_entries`, `ohttp_gateway_replay_capacity` | |
///
/// Every label has a fixed set of values, whatever clients send.
///
/// Stages that are not reached are not recorded. `admit` covers reading the decrypted request,
/// replay guard, date and policy, even if one of them refuses it; `target` lasts from the call to
/// the whole answer, or to the gateway's own in its place.
///
/// An exchange in chunks has no `decapsulate` and no `encapsulate`, which last as long as the
/// chunks do. Its `receive` lasts until the first chunk has been decrypted; its `admit` until the
/// target is called, and is not recorded if the request is refused; its `target` until the head of
/// the answer. It counts as `answered` once that head has arrived, even if its status cannot be
/// sent and the client gets a 502.
pub fn describe_metrics() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_counter!(REQUESTS, "Encapsulated requests, by what became of them.");
    describe_counter!(DECAPSULATION_FAILURES, "Requests that could not be decapsulated.");
    describe_counter!(KEYS, "Requests that were decapsulated, by the key's id.");
    describe_counter!(REPLAYS, "Requests that had been seen before.");
    describe_counter!(TARGET_RESPONSES, "Answers of targets, by the class of their status.");
    describe_counter!(CUT_OFF, "Answers in chunks that broke off, by the reason.");
    describe_histogram!(STAGES, Unit::Seconds, "How long each stage of an exchange took.");
    describe_gauge!(IN_FLIGHT, "Exchanges under way.");
    describe_gauge!(GUARD_ENTRIES, "Requests that the replay guard holds.");
    describe_gauge!(GUARD_CAPACITY, "Requests that the replay guard has room for.");
}

/// How full the replay guard is.
pub(crate) fn guard_load(load: ReplayLoad) {
    // Gauges are floating point; beyond 2^53 requests precision would be lost.
    #[expect(clippy::cast_precision_loss, reason = "a gauge need not be exact")]
    let gauge = |number: usize| number as f64;
    metrics::gauge!(GUARD_ENTRIES).set(gauge(load.entries));
    metrics::gauge!(GUARD_CAPACITY).set(gauge(load.capacity));
}

/// A part of an exchange that is timed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stage {
    /// The encapsulated request arrives; in chunks, the first chunk.
    Receive,
    Decapsulate,
    /// Reading the decrypted request, replay guard, date and policy.
    Admit,
    /// From the call to the target to its answer; in chunks, to the head of its answer.
    Target,
    Encapsulate,
}

impl Stage {
    fn label(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Decapsulate => "decapsulate",
            Self::Admit => "admit",
            Self::Target => "target",
            Self::Encapsulate => "encapsulate",
        }
    }
}

/// Watches one exchange; the total is recorded when this is dropped.
#[derive(Debug)]
pub(crate) struct Observer {
    began: Instant,
    span: Span,
}

impl Observer {
    pub(crate) fn begin() -> Self {
        let span = debug_span!("exchange", key_id = Empty, outcome = Empty);
        Self { began: Instant::now(), span }
    }

    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// A key has opened the request.
    pub(crate) fn decapsulated(&self, key_id: u8) {
        self.span.record("key_id", key_id);
        metrics::counter!(KEYS, "key_id" => key_id.to_string()).increment(1);
    }

    /// There is an answer to encapsulate.
    pub(crate) fn answered(&self, answer: Result<StatusCode, &InnerRefusal>) {
        let outcome = match answer {
            Ok(status) => {
                let class = status_class(status.as_u16());
                metrics::counter!(TARGET_RESPONSES, "class" => class).increment(1);
                "answered"
            }
            Err(refusal) => {
                if *refusal == InnerRefusal::Replayed {
                    metrics::counter!(REPLAYS).increment(1);
                }
                refusal.label()
            }
        };
        self.outcome(outcome);
    }

    /// There is an answer in the caller's own protocol.
    pub(crate) fn payload_answered(&self) {
        self.outcome("answered");
    }

    /// The request gets an answer in clear.
    pub(crate) fn refused(&self, refusal: OuterRefusal) {
        if let Some(kind) = refusal.decapsulation_failure() {
            metrics::counter!(DECAPSULATION_FAILURES, "kind" => kind).increment(1);
        }
        if refusal == OuterRefusal::Opened(InnerRefusal::Replayed) {
            metrics::counter!(REPLAYS).increment(1);
        }
        self.outcome(refusal.label());
    }

    /// An answer in chunks ended without its final chunk.
    pub(crate) fn cut_off(&self, reason: &'static str) {
        metrics::counter!(CUT_OFF, "reason" => reason).increment(1);
        debug!(parent: &self.span, reason, "answer cut off");
    }

    fn outcome(&self, outcome: &'static str) {
        metrics::counter!(REQUESTS, "outcome" => outcome).increment(1);
        self.span.record("outcome", outcome);
        debug!(parent: &self.span, outcome, "request decided");
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        metrics::histogram!(STAGES, "stage" => "total").record(self.began.elapsed());
    }
}

/// Runs from its making to [`end`](Self::end).
#[derive(Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Records the time since the start, or the last call, as that of `stage`.
    pub(crate) fn end(&mut self, stage: Stage) {
        let now = Instant::now();
        metrics::histogram!(STAGES, "stage" => stage.label()).record(now - self.0);
        self.0 = now;
    }
}

fn status_class(status: u16) -> &'static str {
    match status / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "other",
    }
}
