//! What a client puts on the wire, and what it makes of the answers.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use oblivious_bhttp::{
    Content, DecodeOptions, EncodeOptions, Informational, Padding, decode_request,
    encode_response_into,
};
use oblivious_client::{Client, ClientError, ClientLayer};
use oblivious_hpke::{KeyPair, KeyRing, OpenError, Provider, Recipient, Reply};
use oblivious_keys::{KemId, Preferences, SymmetricSuite};
use oblivious_service::{BoxError, Clock, FullBody, Live, Problem, Timeout, TokioTimer};
use tower::{Layer, Service, ServiceExt};

const RELAY: &str = "https://relay.example/gateway";

fn ring(seed: u8) -> KeyRing {
    let pair = KeyPair::derive(KemId::X25519_HKDF_SHA256, &[seed; 32], Provider::default());
    let mut ring = KeyRing::new();
    ring.add(1, pair.unwrap(), vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM]).unwrap();
    ring
}

fn recipient(seed: u8) -> Recipient {
    let list = ring(seed).config_list().unwrap();
    Recipient::select(&list, &Preferences::default(), Provider::default()).unwrap()
}

fn layer() -> ClientLayer {
    ClientLayer::new(Uri::from_static(RELAY), recipient(1))
}

/// A client whose relay answers with `answer`.
fn client<F>(layer: ClientLayer, answer: F) -> Client<impl Relay>
where
    F: Fn(Request<FullBody>) -> Response<FullBody> + Clone + Send + 'static,
{
    layer.layer(tower::service_fn(move |outer| {
        let answer = answer(outer);
        async move { Ok::<_, BoxError>(answer) }
    }))
}

trait Relay:
    Service<Request<FullBody>, Response = Response<FullBody>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S> Relay for S where
    S: Service<Request<FullBody>, Response = Response<FullBody>, Error = BoxError, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// The gateway's end: what came out of an outer request, and what seals the answer.
fn open(outer: Request<FullBody>) -> (Request<Content>, Reply) {
    let body = outer.into_body().into_bytes();
    let (message, reply) = ring(1).decapsulate(body.into()).unwrap();
    (decode_request(message.freeze(), &DecodeOptions::default()).unwrap(), reply)
}

/// The outer response that carries `response`.
fn sealed(reply: Reply, response: &Response<Content>) -> Response<FullBody> {
    let mut message = BytesMut::new();
    encode_response_into(response, &EncodeOptions::default(), &mut message).unwrap();
    outer_response(reply.seal(&message).unwrap())
}

fn outer_response(body: Bytes) -> Response<FullBody> {
    Response::builder().header("content-type", "message/ohttp-res").body(body.into()).unwrap()
}

fn get(uri: &str) -> Request<FullBody> {
    Request::get(uri).body(FullBody::empty()).unwrap()
}

/// RFC 9458 §5 and §6.1: one method, one content type, and no field of the request on the outside.
#[tokio::test]
async fn the_outer_request_shows_nothing_of_the_inner_one() {
    let client = client(layer(), |outer| {
        assert_eq!(outer.method(), Method::POST);
        assert_eq!(outer.uri(), RELAY);
        let fields: Vec<_> = outer.headers().iter().collect();
        let content_type = HeaderValue::from_static("message/ohttp-req");
        assert_eq!(fields, [(&header::CONTENT_TYPE, &content_type)]);
        assert!(outer.extensions().is_empty());
        let (request, reply) = open(outer);
        assert_eq!(request.method(), Method::PUT);
        assert_eq!(request.uri(), "https://example.com/private?who=me");
        assert_eq!(request.headers()["authorization"], "Bearer secret");
        assert_eq!(request.body().data, "content");
        sealed(reply, &Response::new(Content::from("answer")))
    });
    let mut request = Request::put("https://example.com/private?who=me")
        .header("authorization", "Bearer secret")
        .body(FullBody::from("content"))
        .unwrap();
    request.extensions_mut().insert("for this process only");
    let response = client.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.body().data, "answer");
}

/// RFC 9458 §6.1: a new HPKE context for every request.
#[tokio::test]
async fn two_requests_share_nothing_that_is_encapsulated() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let client = client(layer(), move |outer| {
        noted.lock().unwrap().push(outer.body().clone().into_bytes());
        let (_, reply) = open(outer);
        sealed(reply, &Response::new(Content::default()))
    });
    for _ in 0..2 {
        client.clone().oneshot(get("https://example.com/")).await.unwrap();
    }
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0][..7], seen[1][..7]);
    assert_ne!(seen[0][7..39], seen[1][7..39]);
    assert_ne!(seen[0][39..], seen[1][39..]);
}

#[derive(Debug)]
struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
    }
}

/// RFC 9458 §6.5.1; the date is the example of RFC 9110 §5.6.7.
#[tokio::test]
async fn requests_carry_a_date_unless_they_have_one_or_it_is_switched_off() {
    let date = |layer: ClientLayer, request: Request<FullBody>| async move {
        let dates = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&dates);
        let client = client(layer, move |outer| {
            let (request, reply) = open(outer);
            let found = request.headers().get_all("date").iter().cloned();
            noted.lock().unwrap().extend(found);
            sealed(reply, &Response::new(Content::default()))
        });
        client.oneshot(request).await.unwrap();
        std::mem::take(&mut *dates.lock().unwrap())
    };
    let url = "https://example.com/";
    assert_eq!(date(layer().clock(FixedClock), get(url)).await, ["Sun, 06 Nov 1994 08:49:37 GMT"]);
    assert_eq!(date(layer(), get(url)).await.len(), 1);
    assert!(date(layer().without_date(), get(url)).await.is_empty());
    let mut own = get(url);
    own.headers_mut().insert("date", HeaderValue::from_static("Sat, 05 Nov 1994 08:49:37 GMT"));
    assert_eq!(date(layer(), own).await, ["Sat, 05 Nov 1994 08:49:37 GMT"]);
}

#[tokio::test]
async fn nothing_of_the_response_is_lost() {
    let client = client(layer(), |outer| {
        let (_, reply) = open(outer);
        let response = Response::builder()
            .status(StatusCode::NOT_FOUND)
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2")
            .header("x-bytes", HeaderValue::from_bytes(b"\xff").unwrap());
        let trailers = [(header::ETAG, HeaderValue::from_static("\"1\""))];
        let content = Content::from("gone").with_trailers(trailers.into_iter().collect());
        let mut response = response.body(content).unwrap();
        let hint = Response::builder().status(103).header("link", "<a>").body(()).unwrap();
        response.extensions_mut().insert(Informational(vec![hint]));
        sealed(reply, &response)
    });
    let response = client.oneshot(get("https://example.com/")).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(response.headers()["x-bytes"].as_bytes(), b"\xff");
    assert_eq!(response.body().trailers.as_ref().unwrap()["etag"], "\"1\"");
    assert_eq!(response.extensions().get::<Informational>().unwrap().0[0].status(), 103);
}

/// RFC 9110 §9.3.2: a length without content, in answer to HEAD.
#[tokio::test]
async fn the_answer_to_head_may_announce_content() {
    let client = client(layer(), |outer| {
        let (_, reply) = open(outer);
        let response = Response::builder().header("content-length", "1000");
        sealed(reply, &response.body(Content::default()).unwrap())
    });
    let head = Request::head("https://example.com/").body(FullBody::empty()).unwrap();
    let response = client.oneshot(head).await.unwrap();
    assert_eq!(response.headers()["content-length"], "1000");
}

fn nobody() -> Client<impl Relay> {
    client(layer(), |_| panic!("something was sent"))
}

/// RFC 9458 §5.1
#[tokio::test]
async fn an_expectation_of_100_continue_is_not_sent() {
    let mut request = get("https://example.com/");
    request.headers_mut().insert("expect", HeaderValue::from_static("100-continue"));
    let error = nobody().oneshot(request).await.unwrap_err();
    assert!(matches!(error, ClientError::ExpectContinue));
}

#[tokio::test]
async fn what_cannot_be_a_request_is_not_sent() {
    let error = nobody().oneshot(get("/relative")).await.unwrap_err();
    assert!(matches!(error, ClientError::InvalidRequest(_)), "{error:?}");

    let small = client(layer().request_limit(3), |_| panic!("something was sent"));
    let request = Request::post("https://example.com/").body(FullBody::from("four")).unwrap();
    let error = small.oneshot(request).await.unwrap_err();
    assert!(matches!(error, ClientError::RequestTooLarge { limit: 3 }));
}

/// RFC 9458 §5.3: the problem's type is the signal, whatever the status.
#[tokio::test]
async fn a_rejected_key_is_told_apart() {
    for status in [400, 401, 422] {
        let client = client(layer(), move |_| {
            let mut response = Problem::OhttpKey.into_response();
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response
        });
        let error = client.oneshot(get("https://example.com/")).await.unwrap_err();
        assert!(matches!(error, ClientError::KeyRejected), "{status}: {error:?}");
    }
    // Not by the status alone, nor in a response that claims to be a success, nor encapsulated.
    let bare = Response::builder().status(422).body(FullBody::empty()).unwrap();
    let mut ok = Problem::OhttpKey.into_response();
    *ok.status_mut() = StatusCode::OK;
    for response in [bare, ok, Problem::Date.into_response()] {
        let client = client(layer(), move |_| response.clone());
        let error = client.oneshot(get("https://example.com/")).await.unwrap_err();
        assert!(matches!(error, ClientError::NotEncapsulated { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_encapsulated_is_an_error() {
    let plain = Response::new(FullBody::from("hello"));
    let html = Response::builder()
        .status(502)
        .header("content-type", "text/html")
        .body(FullBody::from("<p>bad gateway"))
        .unwrap();
    let mut failed = outer_response(Bytes::from_static(b"x"));
    *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    // RFC 9110 §8.4: what is coded is not what its media type says.
    let mut coded = outer_response(Bytes::from_static(b"x"));
    coded.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    for (response, expected) in [(plain, 200), (html, 502), (failed, 500), (coded, 200)] {
        let client = client(layer(), move |_| response.clone());
        let error = client.oneshot(get("https://example.com/")).await.unwrap_err();
        let ClientError::NotEncapsulated { status } = error else { panic!("{error:?}") };
        assert_eq!(status, expected);
    }
}

#[tokio::test]
async fn a_response_that_was_altered_or_is_for_another_request_is_refused() {
    let altered = client(layer(), |outer| {
        let (_, reply) = open(outer);
        let mut body = BytesMut::from(&reply.seal(b"\x01\x40\xc8").unwrap()[..]);
        body[20] ^= 1;
        outer_response(body.freeze())
    });
    let error = altered.oneshot(get("https://example.com/")).await.unwrap_err();
    assert!(matches!(error, ClientError::Open(OpenError::Failed)), "{error:?}");

    let cut_short = client(layer(), |_| outer_response(Bytes::from_static(b"short")));
    let error = cut_short.oneshot(get("https://example.com/")).await.unwrap_err();
    assert!(matches!(error, ClientError::Open(OpenError::Truncated)), "{error:?}");

    let nonsense = client(layer(), |outer| {
        let (_, reply) = open(outer);
        outer_response(reply.seal(b"no binary HTTP").unwrap())
    });
    let error = nonsense.oneshot(get("https://example.com/")).await.unwrap_err();
    assert!(matches!(error, ClientError::InvalidResponse(_)), "{error:?}");
}

#[tokio::test]
async fn a_response_over_the_limit_is_refused() {
    let client = client(layer().response_limit(100), |outer| {
        let (_, reply) = open(outer);
        sealed(reply, &Response::new(Content::from(vec![0; 101])))
    });
    let error = client.oneshot(get("https://example.com/")).await.unwrap_err();
    assert!(matches!(error, ClientError::ResponseTooLarge { limit: 100 }), "{error:?}");
}

/// RFC 9458 §6.5: a request whose exchange failed may have been processed, and is not sent again.
#[tokio::test]
async fn a_failed_exchange_is_not_repeated() {
    let sent = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&sent);
    let relay = tower::service_fn(move |_: Request<FullBody>| {
        *counted.lock().unwrap() += 1;
        async { Err::<Response<FullBody>, BoxError>("connection reset".into()) }
    });
    let error = layer().layer(relay).oneshot(get("https://example.com/")).await.unwrap_err();
    assert!(matches!(error, ClientError::Relay(_)));
    assert_eq!(*sent.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_a_time_out() {
    let relay = tower::service_fn(|_: Request<FullBody>| async {
        std::future::pending::<Result<Response<FullBody>, BoxError>>().await
    });
    let timeout = Timeout::new(Duration::from_secs(60), TokioTimer);
    let client = layer().timeout(timeout).layer(relay);
    let error = client.oneshot(get("https://example.com/")).await.unwrap_err();
    assert!(matches!(error, ClientError::TimedOut));
}

#[tokio::test]
async fn the_recipient_can_be_replaced_while_the_client_is_in_use() {
    let recipients = Live::new(recipient(2));
    let layer = ClientLayer::new(Uri::from_static(RELAY), recipients.clone());
    let client = client(layer, |outer| {
        let body = outer.into_body().into_bytes();
        match ring(1).decapsulate(body.into()) {
            Ok((_, reply)) => sealed(reply, &Response::new(Content::default())),
            Err(_) => Problem::OhttpKey.into_response(),
        }
    });
    let error = client.clone().oneshot(get("https://example.com/")).await.unwrap_err();
    assert!(matches!(error, ClientError::KeyRejected));
    recipients.replace(recipient(1));
    assert!(client.oneshot(get("https://example.com/")).await.is_ok());
}

/// RFC 9458 §6.2.3
#[tokio::test]
async fn padded_requests_have_the_same_length_outside() {
    let length = |uri: &'static str| async move {
        let lengths = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&lengths);
        let padded = layer().pad_requests(Padding::ToMultiple(256));
        let client = client(padded, move |outer| {
            noted.lock().unwrap().push(outer.body().clone().into_bytes().len());
            let (_, reply) = open(outer);
            sealed(reply, &Response::new(Content::default()))
        });
        client.oneshot(get(uri)).await.unwrap();
        lengths.lock().unwrap().pop().unwrap()
    };
    let short = length("https://example.com/").await;
    assert_eq!(short, length("https://example.com/a/longer/path?with=a&query=string").await);
}

#[test]
fn debug_output_tells_neither_relay_nor_key() {
    let layer = layer();
    assert_eq!(format!("{layer:?}"), "ClientLayer { .. }");
    let client = client(layer.clone(), |_| Response::default());
    assert_eq!(format!("{client:?}"), "Client { .. }");
}
