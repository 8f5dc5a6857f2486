//! What clients get when they fetch the keys.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use common::schedule::{GRACE, INTERVAL, MAX_AGE, START, X25519, published, seeded};
use http::{HeaderMap, Method, Request, StatusCode};
use oblivious_gateway::{GatewayKeys, PublishKeys, Seed, UnixSeconds, go_gateway_key};
use oblivious_hpke::{KeyRing, Provider};
use oblivious_keys::{KemId, KeyConfig, KeyConfigList};
use oblivious_service::{Clock, Content};
use tower::ServiceExt;

#[derive(Clone, Default)]
struct Set(Arc<AtomicU64>);

impl Set {
    fn to(&self, now: u64) {
        self.0.store(now, Ordering::SeqCst);
    }
}

impl Clock for Set {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

async fn fetch(
    keys: &PublishKeys,
    method: Method,
    known: &[&str],
) -> (StatusCode, HeaderMap, Bytes) {
    let mut request = Request::builder().method(method).uri("/ohttp-keys");
    for tag in known {
        request = request.header("if-none-match", *tag);
    }
    let request = request.body(Content::default()).unwrap();
    let (parts, body) = keys.clone().oneshot(request).await.unwrap().into_parts();
    (parts.status, parts.headers, body.data)
}

/// RFC 9458 §6.4, RFC 9111 §5.2.2.1: no copy is fresh when its key is refused, even if the program
/// allows more than the schedule and does not replace the keys.
#[tokio::test]
async fn cache_control_ends_before_the_key() {
    let clock = Set::default();
    let schedule = seeded(&[X25519]);
    let snapshot = schedule.keys_at(UnixSeconds(START)).unwrap();
    let keys = PublishKeys::new(schedule.keys_at(UnixSeconds(START)).unwrap()).clock(clock.clone());
    for (max_age, now, expected) in [
        (MAX_AGE, START, MAX_AGE),
        (MAX_AGE, START + INTERVAL - 1, MAX_AGE),
        (MAX_AGE / 2, START + INTERVAL - 1, MAX_AGE / 2),
        (99_999, START, INTERVAL + MAX_AGE),
        (99_999, START + INTERVAL - 1, MAX_AGE + 1),
        (99_999, START + 2 * INTERVAL + MAX_AGE - 1, 1),
        (99_999, START + 2 * INTERVAL + MAX_AGE, 0),
        (99_999, START + 2 * INTERVAL + MAX_AGE + GRACE, 0),
    ] {
        clock.to(now);
        let keys = keys.clone().max_age(Duration::from_secs(max_age));
        let (status, headers, body) = fetch(&keys, Method::GET, &[]).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["cache-control"], format!("max-age={expected}"), "at {now}");
        let list = KeyConfigList::decode(&body).unwrap();
        let last = snapshot.accepted_until(list.configs()[0].key_id()).unwrap();
        assert!(now + expected <= last.0);
    }
    // Nobody replaced the keys, and their time is over.
    clock.to(START + 2 * INTERVAL + MAX_AGE + GRACE + 1);
    let (status, headers, _) = fetch(&keys, Method::GET, &[]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!headers.contains_key("etag"));
    assert_eq!(headers["cache-control"], "no-store");
}

/// RFC 9110 §8.8.3 and §13.1.2
#[tokio::test]
async fn a_client_that_has_the_list_need_not_fetch_it_again() {
    let clock = Set::default();
    clock.to(START);
    let schedule = seeded(&[X25519, KemId::X_WING]);
    let keys = PublishKeys::new(schedule.keys_at(UnixSeconds(START)).unwrap()).clock(clock.clone());
    let (status, headers, body) = fetch(&keys, Method::GET, &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["content-type"], "application/ohttp-keys");
    assert_eq!(headers["content-length"], body.len().to_string());
    assert_eq!(KeyConfigList::decode(&body).unwrap(), published(&schedule, START));
    let etag = headers["etag"].to_str().unwrap().to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 20, "strong: {etag}");

    let weak = format!("W/{etag}");
    let among = format!("\"other\" , {etag}");
    for known in [&[&etag[..]][..], &[&weak], &["*"], &[&among], &["\"x\"", &etag]] {
        for method in [Method::GET, Method::HEAD] {
            let (status, headers, body) = fetch(&keys, method, known).await;
            assert_eq!(status, StatusCode::NOT_MODIFIED, "{known:?}");
            assert_eq!(headers["etag"], etag);
            assert_eq!(headers["cache-control"], format!("max-age={}", INTERVAL + MAX_AGE));
            assert!(body.is_empty() && !headers.contains_key("content-length"));
        }
    }
    for known in [&["\"other\""][..], &[&etag[1..]], &[""]] {
        assert_eq!(fetch(&keys, Method::GET, known).await.0, StatusCode::OK, "{known:?}");
    }
    // The next key is another list.
    clock.to(START + INTERVAL);
    let (status, headers, _) = fetch(&keys, Method::GET, &[&etag]).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(headers["etag"], etag);
}

/// RFC 9110 §9.3.2 and §15.5.6
#[tokio::test]
async fn head_has_the_fields_and_no_body_and_other_methods_are_refused() {
    let keys = PublishKeys::new(GatewayKeys::from(common::ring()));
    let (_, expected, body) = fetch(&keys, Method::GET, &[]).await;
    let (status, headers, nothing) = fetch(&keys, Method::HEAD, &[]).await;
    assert_eq!((status, &headers), (StatusCode::OK, &expected));
    assert!(nothing.is_empty() && !body.is_empty());
    assert_eq!(headers["cache-control"], "max-age=3600");
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let (status, headers, _) = fetch(&keys, method, &["*"]).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(headers["allow"], "GET, HEAD");
    }
}

/// What the Go gateway's legacy endpoint serves for the seed of zeros.
#[tokio::test]
async fn a_legacy_endpoint_serves_one_bare_configuration() {
    let key = go_gateway_key(&Seed::new(&mut [0; 32]), 0, Provider::default()).unwrap();
    let mut ring = KeyRing::new();
    key.add_to(&mut ring).unwrap();
    let keys = PublishKeys::new(GatewayKeys::from(ring)).bare(X25519);
    let (status, headers, body) = fetch(&keys, Method::GET, &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["content-type"], "application/octet-stream");
    let expected = hex_literal::hex!(
        "80 0020 b935ae8410fdea07147f8c577036a83fcf2b835fadb157c071eb8c7408d0d37c 0004 0001 0001"
    );
    assert_eq!(body, expected[..]);
    assert_eq!(KeyConfig::decode_bare(&body).unwrap().key_id(), 128);

    let keys = keys.bare(KemId::X_WING);
    assert_eq!(fetch(&keys, Method::GET, &[]).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

/// RFC 9110 §12.5.1 and §12.5.5, draft-schinazi-httpbis-ohttp-ext-key-config: the same keys, and for
/// how long requests to them are accepted, to clients that ask for it by name.
#[cfg(feature = "extended-keys")]
#[tokio::test]
async fn keys_with_times_are_for_clients_that_ask_for_them() {
    use oblivious_keys::ExtendedKeyConfigList;

    let clock = Set::default();
    clock.to(START);
    let schedule = seeded(&[X25519, KemId::X_WING]);
    let plain = PublishKeys::new(schedule.keys_at(UnixSeconds(START)).unwrap()).clock(clock);
    let keys = plain.clone().extended();
    let fetch = async |keys: &PublishKeys, accept: &[&str]| {
        let mut request = Request::get("/ohttp-keys");
        for accept in accept {
            request = request.header("accept", *accept);
        }
        let request = request.body(Content::default()).unwrap();
        let (parts, body) = keys.clone().oneshot(request).await.unwrap().into_parts();
        (parts.headers, body.data)
    };
    let ours = "application/ohttp-keys-ext-00, application/ohttp-keys;q=0.9";
    let (headers, body) = fetch(&keys, &[ours]).await;
    assert_eq!(headers["content-type"], "application/ohttp-keys-ext-00");
    assert_eq!(headers["vary"], "accept");
    let list = ExtendedKeyConfigList::decode(&body).unwrap();
    let last = START + INTERVAL + MAX_AGE + GRACE;
    for config in list.configs() {
        assert_eq!((config.not_before, config.expiration), (None, Some(last)));
    }
    let (valid, until) = list.valid_at(START).unwrap();
    assert_eq!((valid, until), (published(&schedule, START), Some(last)));

    let (plain_headers, plain_body) = fetch(&keys, &[]).await;
    assert_eq!(plain_headers["vary"], "accept");
    assert_ne!(plain_headers["etag"], headers["etag"]);
    for (accept, is_extended) in [
        (&["application/ohttp-keys-ext-00"][..], true),
        (&["application/ohttp-keys", "Application/OHTTP-Keys-Ext-00"], true),
        (&["application/ohttp-keys;q=0.5, application/ohttp-keys-ext-00;q=0.6"], true),
        (&["application/ohttp-keys, application/ohttp-keys-ext-00;q=0.9"], false),
        (&["application/ohttp-keys-ext-00;q=0"], false),
        (&["application/ohttp-keys-ext-00;q=x"], false),
        (&["application/ohttp-keys-ext-01"], false),
        (&["*/*"], false),
        (&["application/*"], false),
        (&["\"application/ohttp-keys-ext-00\""], false),
    ] {
        let (headers, found) = fetch(&keys, accept).await;
        let expected = if is_extended { &body } else { &plain_body };
        assert_eq!(found, *expected, "{accept:?}");
        let media_type = &headers["content-type"];
        assert_eq!(media_type == "application/ohttp-keys-ext-00", is_extended, "{accept:?}");
    }

    // Off unless it is switched on, and never for the bare form.
    let (headers, body) = fetch(&plain, &[ours]).await;
    assert_eq!((headers.get("vary"), &body), (None, &plain_body));
    let (headers, _) = fetch(&keys.bare(X25519), &[ours]).await;
    assert_eq!(headers["content-type"], "application/octet-stream");
    assert!(!headers.contains_key("vary"));
}
