//! Keys by way of the relay: one copy for all clients.

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use common::{Answer, Body, Gateway, fields, send};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::BodyExt;
use oblivious_relay::{Relay, RelayRequestBody, Route, Routes};
use oblivious_service::{
    Authorization, BoxError, Clock, Content, Live, Pseudonym, Timeout, TokioTimer,
};
use tokio::sync::Notify;
use tower::util::BoxCloneService;
use tower::{ServiceExt, service_fn};

/// RFC 9458 Appendix A, as a list.
const KEY: [u8; 47] = {
    let mut list = [0; 47];
    let config = *b"\x01\x00\x20\x31\xe1\xf0\x5a\x74\x01\x02\x11\x52\x20\xe9\xaf\x91\x8f\x73\x86\x74\xae\
        \xc9\x5f\x54\xdb\x6e\x04\xeb\x70\x5a\xae\x8e\x79\x81\x55\x00\x08\x00\x01\x00\x01\x00\x01\x00\x03";
    list[1] = 45;
    let mut index = 0;
    while index < 45 {
        list[index + 2] = config[index];
        index += 1;
    }
    list
};

/// A clock that goes when it is told to, in seconds.
#[derive(Clone, Default)]
struct Manual(Arc<AtomicU64>);

impl Manual {
    fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for Manual {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000) + self.uptime()
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

/// A gateway that answers with what `answer` makes of each request, which it writes down.
#[derive(Clone)]
struct Recorder {
    seen: Arc<Mutex<Vec<Request<()>>>>,
    gateway: Gateway,
}

impl Recorder {
    fn answering(answer: impl Fn(&Request<()>) -> Response<Body> + Clone + Send + 'static) -> Self {
        let seen: Arc<Mutex<Vec<Request<()>>>> = Arc::default();
        let gateway = {
            let seen = seen.clone();
            service_fn(move |request: Request<RelayRequestBody<Body>>| {
                let (seen, answer) = (seen.clone(), answer.clone());
                async move {
                    let (head, body) = request.into_parts();
                    let body = common::erase(body).collect().await?.to_bytes();
                    assert!(head.method == Method::POST || body.is_empty());
                    let request = Request::from_parts(head, ());
                    let response = answer(&request);
                    seen.lock().unwrap().push(request);
                    Ok::<_, BoxError>(response)
                }
            })
        };
        Self { seen, gateway: BoxCloneService::new(gateway) }
    }

    fn relay(&self, change: impl FnOnce(Route) -> Route) -> Relay<Gateway> {
        let route = Route::path("/gateway", "https://g.example/gateway".parse().unwrap()).unwrap();
        let mut routes = Routes::new();
        let route = route.keys("https://g.example/keys".parse().unwrap());
        routes.add(change(route)).unwrap();
        let pseudonym = Pseudonym::new("the-relay").unwrap();
        Relay::new(self.gateway.clone()).routes(routes).pseudonym(pseudonym)
    }

    fn asked(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|request| request.uri().to_string()).collect()
    }
}

fn list(fields: &[(&'static str, &str)]) -> Response<Body> {
    let body = Content::from(Bytes::from_static(&KEY)).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/ohttp-keys"));
    for (name, value) in fields {
        headers.insert(*name, value.parse().unwrap());
    }
    response
}

fn status(status: u16, fields: &[(&'static str, &str)]) -> Response<Body> {
    let mut response = list(fields);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    response
}

/// What a client sends, with much to tell of itself.
fn get() -> Request<Body> {
    Request::get("https://relay.example/gateway?who=me")
        .header("user-agent", "curl/8")
        .header("cookie", "who=me")
        .header("accept", "*/*")
        .header("cache-control", "no-cache")
        .header("x-forwarded-for", "192.0.2.7")
        .body(common::body("a body that has no meaning"))
        .unwrap()
}

async fn bytes(answer: Answer) -> Bytes {
    answer.into_body().collect().await.unwrap().to_bytes()
}

/// RFC 9540 §6: GET with an `Accept` that names the type. Nothing in it is of a client.
#[tokio::test]
async fn keys_are_fetched_once_for_all_clients() {
    let recorder = Recorder::answering(|_| {
        list(&[("cache-control", "max-age=100, private"), ("set-cookie", "who=you")])
    });
    let clock = Manual::default();
    let relay = recorder.relay(|route| route).clock(clock.clone());
    for age in [0, 50, 99] {
        clock.set(age);
        let answer = send(&relay.clone(), get()).await;
        assert_eq!(answer.status(), 200);
        let etag = answer.headers()["etag"].clone();
        assert_eq!(
            fields(answer.headers()),
            [
                ("age", &*age.to_string()),
                ("cache-control", "max-age=100"),
                ("content-type", "application/ohttp-keys"),
                ("etag", etag.to_str().unwrap()),
            ]
        );
        assert_eq!(bytes(answer).await, &KEY[..]);
    }
    assert_eq!(recorder.asked(), ["https://g.example/keys"]);
    let request = recorder.seen.lock().unwrap()[0].headers().clone();
    assert_eq!(fields(&request), [("accept", "application/ohttp-keys"), ("via", "1.1 the-relay")]);
    clock.set(100);
    send(&relay, get()).await;
    assert_eq!(recorder.asked().len(), 2);
}

/// RFC 9110 §13.1.2
#[tokio::test]
async fn a_client_that_has_them_gets_a_304() {
    let recorder = Recorder::answering(|_| list(&[("etag", "\"of-the-gateway\"")]));
    let relay = recorder.relay(|route| route);
    let etag = send(&relay, get()).await.headers()["etag"].clone();
    // It says what the keys are, and not how they were fetched.
    assert_ne!(etag, "\"of-the-gateway\"");
    for (condition, expected) in [(etag, 304), (HeaderValue::from_static("\"other\""), 200)] {
        let mut request = get();
        request.headers_mut().insert("if-none-match", condition);
        let answer = send(&relay, request).await;
        assert_eq!(answer.status().as_u16(), expected);
        assert_eq!(answer.headers()["cache-control"], "max-age=60");
        assert_eq!(bytes(answer).await.is_empty(), expected == 304);
    }
    let mut head = get();
    *head.method_mut() = Method::HEAD;
    assert_eq!(send(&relay, head).await.status(), 200);
    assert_eq!(recorder.asked().len(), 1);
}

#[tokio::test]
async fn the_gateway_is_asked_whether_they_have_changed() {
    let recorder = Recorder::answering(|request| {
        match request.headers().get("if-none-match").is_some_and(|etag| etag == "\"1\"") {
            true => status(304, &[("cache-control", "max-age=20")]),
            false => list(&[("etag", "\"1\""), ("cache-control", "max-age=10")]),
        }
    });
    let clock = Manual::default();
    let relay = recorder.relay(|route| route).clock(clock.clone());
    for (now, asked) in [(0, 1), (9, 1), (10, 2), (29, 2), (30, 3)] {
        clock.set(now);
        let answer = send(&relay, get()).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(bytes(answer).await, &KEY[..]);
        assert_eq!(recorder.asked().len(), asked, "{now}");
    }
}

/// A crowd that comes while the keys are being fetched waits for that one fetch, also if the client
/// that began it leaves; and if all leave, the next one begins anew.
#[tokio::test]
async fn there_is_one_fetch_at_a_time() {
    let (calls, go) = (Arc::new(AtomicU64::new(0)), Arc::new(Notify::new()));
    let gateway = {
        let (calls, go) = (calls.clone(), go.clone());
        service_fn(move |_: Request<RelayRequestBody<Body>>| {
            calls.fetch_add(1, Ordering::Relaxed);
            let go = go.clone();
            async move {
                go.notified().await;
                Ok::<_, BoxError>(list(&[]))
            }
        })
    };
    let recorder = Recorder { seen: Arc::default(), gateway: BoxCloneService::new(gateway) };
    let relay = recorder.relay(|route| route);
    let ask = || tokio::spawn(relay.clone().oneshot(get()));
    let first = ask();
    tokio::task::yield_now().await;
    let others: Vec<_> = (0..10).map(|_| ask()).collect();
    tokio::task::yield_now().await;
    first.abort();
    assert!(first.await.is_err());
    go.notify_one();
    for other in others {
        assert_eq!(other.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1);

    let relay = recorder.relay(|route| route);
    let leaving = tokio::time::timeout(Duration::from_millis(1), send(&relay, get())).await;
    assert!(leaving.is_err());
    go.notify_one();
    assert_eq!(send(&relay, get()).await.status(), 200);
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

/// RFC 9540 §5: the gateway may be elsewhere, and then requests go there too.
#[tokio::test]
async fn redirects_of_the_gateway_are_followed() {
    let recorder = Recorder::answering(|request| match (request.method(), request.uri().path()) {
        (&Method::GET, "/gateway") => status(308, &[("location", "/moved")]),
        (&Method::GET, "/moved") => status(301, &[("location", "https://new.example/gw")]),
        (&Method::GET, "/gw") => list(&[]),
        _ => common::response(),
    });
    let known = |route: Route| route.keys("https://g.example/gateway".parse().unwrap());
    let relay = recorder.relay(known);
    assert_eq!(send(&relay, get()).await.status(), 200);
    assert_eq!(send(&relay, common::request()).await.status(), 200);
    assert_eq!(
        recorder.asked(),
        [
            "https://g.example/gateway",
            "https://g.example/moved",
            "https://new.example/gw",
            "https://new.example/gw",
        ]
    );

    // The credential stays where it belongs, and so do the requests that carry it.
    let shown = Authorization::bearer("secret").unwrap();
    let recorder = Recorder::answering(|request| match (request.method(), request.uri().path()) {
        (&Method::GET, "/gateway") => status(308, &[("location", "//new.example/gw")]),
        (&Method::GET, _) => list(&[]),
        _ => common::response(),
    });
    let relay = recorder.relay(|route| known(route).authorization(shown));
    assert_eq!(send(&relay, get()).await.status(), 200);
    assert_eq!(send(&relay, common::request()).await.status(), 200);
    let seen = recorder.seen.lock().unwrap();
    let shown: Vec<_> = seen
        .iter()
        .map(|got| (got.uri().host().unwrap(), got.headers().contains_key("authorization")))
        .collect();
    assert_eq!(shown, [("g.example", true), ("new.example", false), ("g.example", true)]);
}

/// RFC 9540 §5 and RFC 9458 §6.5: of a request that was sent, the redirect is for the next ones.
#[tokio::test]
async fn a_gateway_that_has_moved_is_found_by_the_next_request() {
    let recorder = Recorder::answering(|request| match request.uri().path() {
        "/gateway" => status(308, &[("location", "https://g.example/moved")]),
        _ => common::response(),
    });
    let relay = recorder.relay(|route| route.keys("https://g.example/gateway".parse().unwrap()));
    assert_eq!(send(&relay, common::request()).await.status(), 502);
    assert_eq!(send(&relay, common::request()).await.status(), 200);
    assert_eq!(recorder.asked(), ["https://g.example/gateway", "https://g.example/moved"]);
}

/// RFC 9110 §10.2.2, RFC 3986 §5.2: a location may be relative, to the URI that redirects.
#[tokio::test]
async fn relative_redirects_are_followed() {
    let recorder = Recorder::answering(|request| {
        let path = request.uri().path_and_query().unwrap().as_str();
        match path {
            "/keys" => status(307, &[("location", "now/keys?a")]),
            "/now/keys?a" => status(302, &[("location", "../then/./keys#b")]),
            "/then/keys" => status(303, &[("location", "?c")]),
            _ => list(&[]),
        }
    });
    assert_eq!(send(&recorder.relay(|route| route), get()).await.status(), 200);
    assert_eq!(
        recorder.asked(),
        [
            "https://g.example/keys",
            "https://g.example/now/keys?a",
            "https://g.example/then/keys",
            "https://g.example/then/keys?c",
        ]
    );
}

#[tokio::test]
async fn redirects_end_and_lead_nowhere_else() {
    for (location, asked) in [
        ("https://g.example/keys", 6),
        ("http://g.example/keys", 1),
        ("https://user:secret@g.example/keys", 1),
        ("ftp://g.example/keys", 1),
        ("https:keys", 1),
        ("keys", 6),
        ("", 6),
    ] {
        let recorder = Recorder::answering(move |_| status(302, &[("location", location)]));
        let relay = recorder.relay(|route| route);
        assert_eq!(send(&relay, get()).await.status(), 502, "{location}");
        assert_eq!(recorder.asked().len(), asked, "{location}");
    }
}

/// Routes are replaced while the relay runs: one that leads where it did goes on with what it has.
#[tokio::test]
async fn a_route_that_is_replaced_by_its_like_keeps_its_keys() {
    let recorder = Recorder::answering(|_| list(&[("cache-control", "max-age=60")]));
    let route = |gateway: &str, keys: &str| {
        let route = Route::path("/gateway", gateway.parse().unwrap()).unwrap();
        route.keys(keys.parse().unwrap())
    };
    let (gateway, keys) = ("https://g.example/gateway", "https://g.example/keys");
    let mut before = Routes::new();
    before.add(route(gateway, keys)).unwrap();
    let routes = Live::new(before);
    let relay = Relay::new(recorder.gateway.clone()).routes(routes.clone());
    let replace = |route: Route| {
        let mut next = Routes::new();
        next.add_keeping(route, &routes.current()).unwrap();
        routes.replace(next);
    };
    assert_eq!(send(&relay, get()).await.status(), 200);
    let credential = Authorization::bearer("another").unwrap();
    replace(route(gateway, keys).named("renamed").authorization(credential));
    assert_eq!(send(&relay, get()).await.status(), 200);
    assert_eq!(recorder.asked(), [keys]);

    replace(route("https://h.example/gateway", keys));
    assert_eq!(send(&relay, get()).await.status(), 200);
    replace(route(gateway, "https://g.example/keys?other"));
    assert_eq!(send(&relay, get()).await.status(), 200);
    replace(route(gateway, "https://g.example/keys?other").only_host("relay.example").unwrap());
    assert_eq!(send(&relay, get()).await.status(), 200);
    assert_eq!(recorder.asked().len(), 4);
}

/// RFC 9458 §3.2: a list is taken whole or not at all.
#[tokio::test]
async fn what_is_no_list_does_not_pass() {
    let with_body = |data: Vec<u8>| {
        let mut response = list(&[]);
        let body = Content::from(data).map_err(|never| match never {});
        *response.body_mut() = body.boxed_unsync();
        response
    };
    let answers: Vec<Box<dyn Fn() -> Response<Body> + Send + Sync>> = vec![
        Box::new(move || with_body(Vec::new())),
        Box::new(move || with_body(KEY[..46].to_vec())),
        Box::new(move || with_body([&KEY[..], b"x"].concat())),
        Box::new(move || with_body(KEY[2..].to_vec())),
        Box::new(move || with_body(KEY.repeat(2000))),
        Box::new(|| list(&[("content-type", "text/html")])),
        Box::new(|| list(&[("content-encoding", "gzip")])),
        Box::new(|| status(404, &[])),
        Box::new(|| status(304, &[])),
        Box::new(|| status(500, &[])),
        Box::new(|| {
            let mut endless = list(&[]);
            let chunk = |_| Ok(http_body::Frame::data(Bytes::from_static(&[0; 1000])));
            *endless.body_mut() = common::frames((0..u64::MAX).map(chunk));
            endless
        }),
    ];
    for (index, answer) in answers.into_iter().enumerate() {
        let answer = Arc::new(answer);
        let recorder = Recorder::answering(move |_| answer());
        let clock = Manual::default();
        let relay = recorder.relay(|route| route).clock(clock.clone());
        let answer = send(&relay, get()).await;
        assert_eq!(answer.status(), 502, "{index}");
        assert!(answer.headers().contains_key("proxy-status"));
        // A gateway in trouble is not asked by each client in turn.
        assert_eq!(send(&relay, get()).await.status(), 502);
        assert_eq!(recorder.asked().len(), 1);
        clock.set(5);
        assert_eq!(send(&relay, get()).await.status(), 502);
        assert_eq!(recorder.asked().len(), 2);
    }
}

/// Entries that nobody here understands are for clients that do.
#[tokio::test]
async fn entries_with_an_unknown_kem_pass_as_they_are() {
    let unknown = [&[0, 5, 7, 0xff, 0xfe, 1, 2][..], &KEY[..]].concat();
    let sent = unknown.clone();
    let recorder = Recorder::answering(move |_| {
        let body = Content::from(sent.clone()).map_err(|never| match never {});
        list(&[]).map(|_| body.boxed_unsync())
    });
    assert_eq!(bytes(send(&recorder.relay(|route| route), get()).await).await, unknown);
}

/// Whichever limit is shorter.
#[tokio::test(start_paused = true)]
async fn a_silent_gateway_is_a_gateway_timeout() {
    let gateway = service_fn(|_: Request<RelayRequestBody<Body>>| async {
        std::future::pending::<Result<Response<Body>, BoxError>>().await
    });
    let recorder = Recorder { seen: Arc::default(), gateway: BoxCloneService::new(gateway) };
    let limit = |seconds| Timeout::new(Duration::from_secs(seconds), TokioTimer);
    let relay = || recorder.relay(|route| route);
    for relay in [
        relay().idle_timeout(limit(10)),
        relay().exchange_timeout(limit(10)),
        relay().idle_timeout(limit(20)).exchange_timeout(limit(10)),
        relay().idle_timeout(limit(10)).exchange_timeout(limit(20)),
    ] {
        let start = tokio::time::Instant::now();
        assert_eq!(send(&relay, get()).await.status(), 504);
        assert_eq!(start.elapsed().as_secs(), 10);
    }
}

#[tokio::test]
async fn a_route_without_keys_has_no_get() {
    let (relay, _) = common::relay_answering(common::response);
    let answer = send(&relay, get()).await;
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.headers()["allow"], "POST");
    let recorder = Recorder::answering(|_| list(&[]));
    let relay = recorder.relay(|route| route);
    let mut put = get();
    *put.method_mut() = Method::PUT;
    let answer = send(&relay, put).await;
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.headers()["allow"], "GET, HEAD, POST");
    // A relay that has itself for a gateway does not ask for ever.
    let mut back = get();
    back.headers_mut().insert("via", HeaderValue::from_static("1.1 the-relay"));
    assert_eq!(send(&relay, back).await.status(), 508);
    assert!(recorder.asked().is_empty());
}
