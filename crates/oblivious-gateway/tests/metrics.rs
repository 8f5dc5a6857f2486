//! What is counted and timed, as the documentation of `describe_metrics` says.

mod common;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::BytesMut;
use common::{ask, ask_bytes, gateway_with, get, layer, outer, seal, send};
use http::{Method, Response, StatusCode};
use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use oblivious_bhttp::{Content, EncodeOptions, encode_request_into};

/// Counts how often each metric was recorded, by its name and label.
#[derive(Clone, Default)]
struct Tally(Arc<Mutex<BTreeMap<String, u64>>>);

struct Entry {
    tally: Tally,
    key: String,
}

impl Tally {
    fn entry(&self, key: &Key) -> Arc<Entry> {
        let label = key.labels().next().map_or("", |label| label.value());
        let name = key.name().trim_start_matches("ohttp_gateway_");
        Arc::new(Entry { tally: self.clone(), key: format!("{name} {label}") })
    }

    /// The labels that `metric` was recorded with since the last time, each once for each time.
    fn take(&self, metric: &str) -> Vec<String> {
        let mut all = self.0.lock().unwrap();
        let (taken, left) = std::mem::take(&mut *all)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(key, _)| key.starts_with(metric));
        *all = left;
        taken
            .into_iter()
            .flat_map(|(key, times)| {
                let label = key[metric.len()..].trim().to_owned();
                (0..times).map(move |_| label.clone())
            })
            .collect()
    }
}

impl CounterFn for Entry {
    fn increment(&self, value: u64) {
        *self.tally.0.lock().unwrap().entry(self.key.clone()).or_default() += value;
    }

    fn absolute(&self, _: u64) {
        panic!("no counter is set");
    }
}

impl HistogramFn for Entry {
    fn record(&self, _: f64) {
        self.increment(1);
    }
}

impl Recorder for Tally {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.entry(key).into()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.entry(key).into()
    }
}

/// Runs a test on this thread, with what it records.
fn recorded(test: impl AsyncFnOnce(&Tally)) {
    let tally = Tally::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    metrics::with_local_recorder(&tally, || runtime.block_on(test(&tally)));
}

const STAGES: &str = "stage_seconds";
const OUTCOMES: &str = "requests_total";
const CLASSES: &str = "target_responses_total";
const NOT_ASKED: [&str; 5] = ["admit", "decapsulate", "encapsulate", "receive", "total"];

#[test]
fn the_target_is_timed_if_it_was_asked() {
    recorded(async |tally| {
        let gateway = gateway_with(layer(), |request| match request.uri().path() {
            "/fails" => Err("it fails".into()),
            _ => Ok(Response::new(Content::default())),
        });
        for (uri, outcome) in
            [("https://example.com/", "answered"), ("https://example.com/fails", "target_failed")]
        {
            ask(gateway.clone(), get(uri)).await;
            let stages = ["admit", "decapsulate", "encapsulate", "receive", "target", "total"];
            assert_eq!(tally.take(STAGES), stages, "{uri}");
            assert_eq!(tally.take(OUTCOMES), [outcome]);
        }

        ask(gateway.clone(), get("https://example.net/")).await;
        assert_eq!(tally.take(STAGES), NOT_ASKED);
        assert_eq!(tally.take(OUTCOMES), ["forbidden"]);

        ask_bytes(gateway.clone(), b"no binary HTTP", &Method::GET).await;
        assert_eq!(tally.take(STAGES), NOT_ASKED);
        assert_eq!(tally.take(OUTCOMES), ["not_binary_http"]);

        let (mut message, request) = (BytesMut::new(), get("https://example.com/"));
        encode_request_into(&request, &EncodeOptions::default(), &mut message).unwrap();
        let (sealed, _) = seal(&message);
        send(gateway.clone(), outer(sealed.clone())).await;
        tally.take("");
        send(gateway.clone(), outer(sealed)).await;
        assert_eq!(tally.take(STAGES), NOT_ASKED);
        assert_eq!(tally.take(OUTCOMES), ["replayed"]);
        assert_eq!(tally.take("replays_total"), [""]);

        send(gateway, outer("not even sealed")).await;
        assert_eq!(tally.take(STAGES), ["receive", "total"]);
    });
}

#[test]
fn an_answer_that_cannot_be_sent_is_none_of_the_target() {
    recorded(async |tally| {
        for (status, outcome, class) in [
            (200, "answered", &["2xx"][..]),
            (304, "answered", &["3xx"]),
            (599, "answered", &["5xx"]),
            (999, "target_invalid", &[]),
            (103, "target_invalid", &[]),
        ] {
            let gateway = gateway_with(layer(), move |_| {
                Ok(Response::builder().status(status).body(Content::default())?)
            });
            let answer = ask(gateway, get("https://example.com/")).await;
            assert_eq!(answer.status() == StatusCode::BAD_GATEWAY, class.is_empty(), "{status}");
            assert_eq!(tally.take(OUTCOMES), [outcome], "{status}");
            assert_eq!(tally.take(CLASSES), class, "{status}");
        }
    });
}
