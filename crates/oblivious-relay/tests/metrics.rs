//! What a relay records of its exchanges.

mod common;

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{body, relay_answering, relay_to, request, response, send};
use http::{Request, Response};
use http_body_util::BodyExt;
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use oblivious_relay::{Batching, Breaker, RelayRequestBody, Route, Routes, describe_metrics};
use oblivious_service::{BoxError, Problem, Timeout, TokioTimer};
use tower::service_fn;
use tower::util::BoxCloneService;

/// Keeps the value of everything that is recorded, by name and labels.
#[derive(Clone, Default)]
struct Tally(Arc<Mutex<BTreeMap<String, f64>>>);

struct Entry {
    tally: Tally,
    key: String,
}

impl Tally {
    fn entry(&self, key: &Key) -> Arc<Entry> {
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let name = key.name().trim_start_matches("ohttp_relay_");
        let key = format!("{name} {}", labels.join(" ")).trim_end().to_owned();
        Arc::new(Entry { tally: self.clone(), key })
    }

    /// The values of what was recorded since this was last asked, and of all gauges.
    fn take(&self) -> Vec<(String, f64)> {
        std::mem::take(&mut *self.0.lock().unwrap()).into_iter().collect()
    }

    fn value(&self, key: &str) -> f64 {
        self.0.lock().unwrap().get(key).copied().unwrap_or_default()
    }
}

impl Entry {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut all = self.tally.0.lock().unwrap();
        let value = all.entry(self.key.clone()).or_default();
        *value = change(*value);
    }
}

impl CounterFn for Entry {
    fn increment(&self, value: u64) {
        self.change(|before| before + f64::from(u32::try_from(value).unwrap()));
    }

    fn absolute(&self, _: u64) {
        panic!("no counter is set");
    }
}

impl GaugeFn for Entry {
    fn increment(&self, value: f64) {
        self.change(|before| before + value);
    }

    fn decrement(&self, value: f64) {
        self.change(|before| before - value);
    }

    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

impl HistogramFn for Entry {
    fn record(&self, _: f64) {
        self.change(|before| before + 1.0);
    }
}

impl Recorder for Tally {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, _: SharedString) {
        self.0.lock().unwrap().insert(key.as_str().to_owned(), 0.0);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe_counter(key, unit, text);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe_counter(key, unit, text);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.entry(key).into()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.entry(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.entry(key).into()
    }
}

/// Runs a test on this thread, with what it records.
fn recorded(test: impl AsyncFnOnce(&Tally)) {
    let tally = Tally::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    metrics::with_local_recorder(&tally, || runtime.block_on(test(&tally)));
}

#[test]
fn exchanges_are_counted_by_gateway_and_outcome() {
    recorded(async |tally| {
        let (relay, _) = relay_answering(response);
        for expected in [1.0, 2.0] {
            let answer = send(&relay, request()).await;
            assert_eq!(tally.value("in_flight"), 1.0);
            answer.into_body().collect().await.unwrap();
            assert_eq!(tally.value("in_flight"), 0.0);
            assert_eq!(tally.value("requests_total gateway=/gateway outcome=relayed"), expected);
            assert_eq!(tally.value("gateway_seconds gateway=/gateway"), expected);
        }
        tally.take();

        // What a client makes up is in no label.
        let mut odd = request();
        *odd.method_mut() = http::Method::from_bytes(b"SECRET").unwrap();
        send(&relay, odd).await;
        let mut lost = request();
        *lost.uri_mut() = "/SECRET".parse().unwrap();
        send(&relay, lost).await;
        let counted = tally.take();
        assert_eq!(
            counted,
            [
                ("in_flight".to_owned(), 0.0),
                ("requests_total gateway=/gateway outcome=method".to_owned(), 1.0),
                ("requests_total gateway=none outcome=no_route".to_owned(), 1.0),
            ]
        );
    });
}

/// RFC 9458 §6.2.3: a count that ran ahead would tell when the gateway answered whom.
#[test]
fn an_answer_that_is_held_back_counts_when_it_goes_out() {
    recorded(async |tally| {
        tokio::time::pause();
        let pause = Duration::from_secs(10);
        let size = NonZeroUsize::new(2).unwrap();
        let (relay, _) = relay_answering(response);
        let relay = relay.batching(Batching::of(size, Timeout::new(pause, TokioTimer)));
        let relayed = "requests_total gateway=/gateway outcome=relayed";
        let mut answer = pin!(send(&relay, request()));
        assert!(tokio::time::timeout(pause * 3 / 2, &mut answer).await.is_err());
        assert_eq!(tally.value("gateway_seconds gateway=/gateway"), 1.0);
        assert_eq!(tally.value(relayed), 0.0);
        answer.await;
        assert_eq!(tally.value(relayed), 1.0);
    });
}

#[test]
fn a_gateway_is_called_what_the_settings_call_it() {
    recorded(async |tally| {
        let (relay, _) =
            relay_answering(|| Problem::OhttpKey.into_response().map(|_| body("problem")));
        let gateway = common::GATEWAY.parse().unwrap();
        let mut routes = Routes::new();
        routes.add(Route::path("/gateway", gateway).unwrap().named("weather")).unwrap();
        send(&relay.routes(routes), request()).await;
        assert_eq!(tally.value("requests_total gateway=weather outcome=problem"), 1.0);
    });
}

#[test]
fn refusals_and_breaks_are_counted() {
    recorded(async |tally| {
        let down = relay_to(BoxCloneService::new(service_fn(
            |_: Request<RelayRequestBody<common::Body>>| async {
                Err::<Response<common::Body>, BoxError>("down".into())
            },
        )));
        let down = down.breaker(Breaker::new(NonZeroU32::MIN, Duration::from_secs(1000)));
        send(&down, request()).await;
        send(&down, request()).await;
        assert_eq!(tally.value("requests_total gateway=/gateway outcome=unreachable"), 1.0);
        assert_eq!(tally.value("requests_total gateway=/gateway outcome=breaker_open"), 1.0);
        assert_eq!(tally.value("breaker_open gateway=/gateway"), 1.0);

        let (relay, _) = relay_answering(response);
        let relay = relay.concurrency_limit(NonZeroUsize::MIN);
        let held = send(&relay, request()).await;
        send(&relay, request()).await;
        assert_eq!(tally.value("requests_total gateway=/gateway outcome=busy"), 1.0);
        drop(held);

        let (relay, _) =
            relay_answering(|| response().map(|_| common::frames([Err("reset".into())])));
        assert!(send(&relay, request()).await.into_body().collect().await.is_err());
        assert_eq!(tally.value("answers_cut_off_total gateway=/gateway reason=broken"), 1.0);
        assert_eq!(tally.value("in_flight"), 0.0);
    });
}

#[test]
fn a_client_that_leaves_is_counted_as_such() {
    recorded(async |tally| {
        let relay = relay_to(BoxCloneService::new(service_fn(
            |_: Request<RelayRequestBody<common::Body>>| {
                std::future::pending::<Result<Response<common::Body>, BoxError>>()
            },
        )));
        let left = tokio::time::timeout(Duration::from_millis(1), send(&relay, request())).await;
        assert!(left.is_err());
        assert_eq!(tally.value("requests_total gateway=/gateway outcome=client_left"), 1.0);
        assert_eq!(tally.value("in_flight"), 0.0);
    });
}

#[test]
fn every_metric_is_described() {
    recorded(async |tally| {
        describe_metrics();
        let described: Vec<_> = tally.take().into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            described,
            [
                "ohttp_relay_answers_cut_off_total",
                "ohttp_relay_breaker_open",
                "ohttp_relay_gateway_seconds",
                "ohttp_relay_in_flight",
                "ohttp_relay_key_fetches_total",
                "ohttp_relay_requests_total",
            ]
        );
    });
}
