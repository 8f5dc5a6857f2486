//! RFC 9458 §6.2: what a relay writes down can be taken from it. It writes down nothing of its
//! clients.

mod common;

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use common::{Gateway, body, relay_to, request, response, send};
use http::{HeaderValue, Method, Request, Response};
use oblivious_relay::RelayRequestBody;
use oblivious_service::BoxError;
use tower::service_fn;
use tower::util::BoxCloneService;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes down everything, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        attributes.record(&mut Line(&mut self.0.lock().unwrap()));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0, "{field}={value:?}").unwrap();
    }
}

#[tokio::test]
async fn nothing_of_a_client_is_logged() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let good: Gateway =
        BoxCloneService::new(service_fn(|_: Request<RelayRequestBody<common::Body>>| async {
            Ok(response())
        }));
    let down: Gateway =
        BoxCloneService::new(service_fn(|_: Request<RelayRequestBody<common::Body>>| async {
            Err::<Response<common::Body>, BoxError>("connection refused".into())
        }));
    let from_client = || {
        let mut request = request();
        *request.body_mut() = body("SECRET");
        *request.uri_mut() = "https://SECRET.example/gateway?SECRET".parse().unwrap();
        request.extensions_mut().insert("SECRET");
        for name in ["user-agent", "cookie", "x-forwarded-for", "via", "SECRET"] {
            request.headers_mut().insert(name, HeaderValue::from_static("SECRET"));
        }
        request
    };
    for relay in [relay_to(good), relay_to(down)] {
        send(&relay, from_client()).await;
        send(&relay.clone().body_limit(1), from_client()).await;
        let mut request = from_client();
        *request.method_mut() = Method::from_bytes(b"SECRET").unwrap();
        send(&relay, request).await;
        let mut request = from_client();
        *request.uri_mut() = "/SECRET".parse().unwrap();
        send(&relay, request).await;
        let mut request = from_client();
        request.headers_mut().insert("content-type", HeaderValue::from_static("SECRET/SECRET"));
        send(&relay, request).await;
    }
    let log = log.0.lock().unwrap();
    // What an operator needs is there.
    assert!(log.contains("/gateway") && log.contains("502"), "{log}");
    assert!(log.contains("connection refused"), "{log}");
    assert!(!log.to_lowercase().contains("secret"), "{log}");
}
