//! What a client puts on the wire, and what it makes of the answers.

mod common;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use oblivious_bhttp::{Content, Informational, Padding};
use oblivious_client::{
    Client, ClientError, ClientLayer, Gateway, GatewayError, OnInformational, OuterBody,
    OuterFieldError, TargetPattern,
};
use oblivious_hpke::{OpenError, UnixSeconds};
use oblivious_service::{BoxError, Live, Problem, Timeout, TokioTimer};
use tower::{Layer, ServiceExt};

use common::{
    FixedClock, RELAY, Relay, client, get, layer, open, outer_response, recipient, ring, sealed,
    whole,
};

/// RFC 9458 §5 and §6.1: one method, one content type, and no field of the request on the outside.
#[tokio::test]
async fn the_outer_request_shows_nothing_of_the_inner_one() {
    let client = client(layer().allow_authorization().allow_cookies(), |outer| {
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
        .body(Content::from("content"))
        .unwrap();
    request.extensions_mut().insert("for this process only");
    let response = whole(client.oneshot(request).await.unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.body().data, "answer");
}

/// RFC 9458 §6.1: a new HPKE context for every request.
#[tokio::test]
async fn two_requests_share_nothing_that_is_encapsulated() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let client = client(layer(), move |outer| {
        noted.lock().unwrap().push(outer.body().clone().data);
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

/// RFC 9458 §6.5.1; the date is the example of RFC 9110 §5.6.7.
#[tokio::test]
async fn requests_carry_a_date_unless_they_have_one_or_it_is_switched_off() {
    let date = |layer: ClientLayer, request: Request<Content>| async move {
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
    let response = whole(client.oneshot(get("https://example.com/")).await.unwrap()).await;
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
    let head = Request::head("https://example.com/").body(Content::default()).unwrap();
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
    assert!(matches!(error, ClientError::NoGateway), "{error:?}");
    let mut disagrees = get("https://example.com/");
    disagrees.headers_mut().insert("host", HeaderValue::from_static("elsewhere.example"));
    let error = nobody().oneshot(disagrees).await.unwrap_err();
    assert!(matches!(error, ClientError::InvalidRequest(_)), "{error:?}");

    let small = client(layer().request_limit(3), |_| panic!("something was sent"));
    let request = Request::post("https://example.com/").body(Content::from("four")).unwrap();
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
    let bare = Response::builder().status(422).body(Content::default()).unwrap();
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
    let plain = Response::new(Content::from("hello"));
    let html = Response::builder()
        .status(502)
        .header("content-type", "text/html")
        .body(Content::from("<p>bad gateway"))
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
    let relay = tower::service_fn(move |_: Request<OuterBody>| {
        *counted.lock().unwrap() += 1;
        async { Err::<Response<Content>, BoxError>("connection reset".into()) }
    });
    let error = layer().layer(relay).oneshot(get("https://example.com/")).await.unwrap_err();
    assert!(matches!(error, ClientError::Relay(_)));
    assert_eq!(*sent.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_a_time_out() {
    let relay = tower::service_fn(|_: Request<OuterBody>| async {
        std::future::pending::<Result<Response<Content>, BoxError>>().await
    });
    let timeout = Timeout::new(Duration::from_secs(60), TokioTimer);
    let client = layer().timeout(timeout).layer(relay);
    let error = client.oneshot(get("https://example.com/")).await.unwrap_err();
    assert!(matches!(error, ClientError::TimedOut));
}

#[tokio::test]
async fn the_recipient_can_be_replaced_while_the_client_is_in_use() {
    let recipients = Live::new(recipient(2));
    let layer = ClientLayer::new(
        Gateway::new(Uri::from_static(RELAY), recipients.clone())
            .unwrap()
            .allow(TargetPattern::any_https()),
    );
    let client = client(layer, |outer| {
        let body = outer.into_body().data;
        match ring(1).at(UnixSeconds::EPOCH).decapsulate(body.into()) {
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
            noted.lock().unwrap().push(outer.body().clone().data.len());
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

/// RFC 9458 §6: the relay is reached over HTTPS, unless a test wants it otherwise by name.
#[test]
fn a_relay_over_http_takes_permission() {
    let refused = |uri| Gateway::new(Uri::from_static(uri), recipient(1)).unwrap_err();
    assert!(matches!(refused("http://relay.example/"), GatewayError::Scheme { .. }));
    assert!(matches!(refused("/gateway"), GatewayError::NotAbsolute { .. }));
    assert!(matches!(refused("https://me:secret@relay.example/"), GatewayError::UserInfo));
    let uri = Uri::from_static("http://relay.example/");
    assert!(Gateway::allowing_http(uri, recipient(1)).is_ok());
}

/// RFC 9458 §6.1: the client says which gateway serves which targets, and there is no other.
#[tokio::test]
async fn each_target_goes_through_the_gateway_that_may_serve_it() {
    let gateway = |relay, targets: &[&str]| {
        let gateway = Gateway::new(Uri::from_static(relay), recipient(1)).unwrap();
        targets.iter().fold(gateway, |gateway, target| gateway.allow(target.parse().unwrap()))
    };
    let layer = ClientLayer::new(gateway("https://one.example/", &["https://a.example"]))
        .gateway(gateway("https://two.example/", &["https://*.b.example", "http://b.example:8080"]))
        .gateway(gateway("https://none.example/", &[]));
    let client = client(layer, |outer| {
        let relay = outer.uri().to_string();
        let (_, reply) = open(outer);
        sealed(reply, &Response::new(Content::from(relay)))
    });
    for (target, relay) in [
        ("https://a.example/x", Some("https://one.example/")),
        ("https://c.b.example/", Some("https://two.example/")),
        ("http://b.example:8080/", Some("https://two.example/")),
        ("http://a.example/x", None),
        ("https://b.example/", None),
        ("https://elsewhere.example/", None),
        ("https://a.example@elsewhere.example/", None),
    ] {
        match (client.clone().oneshot(get(target)).await, relay) {
            (Ok(response), Some(relay)) => assert_eq!(whole(response).await.body().data, relay),
            (Err(ClientError::NoGateway), None) => {}
            (other, _) => panic!("{target}: {other:?}"),
        }
    }
}

/// RFC 9458 §7: what links requests with each other takes permission, and the refusal says why.
#[tokio::test]
async fn cookies_and_credentials_take_permission() {
    for (name, allow) in [
        ("cookie", ClientLayer::allow_cookies as fn(ClientLayer) -> ClientLayer),
        ("authorization", ClientLayer::allow_authorization),
        ("proxy-authorization", ClientLayer::allow_authorization),
    ] {
        let request = || {
            let request = Request::get("https://example.com/").header(name, "me=alice");
            request.body(Content::default()).unwrap()
        };
        let error = nobody().oneshot(request()).await.unwrap_err();
        assert!(matches!(&error, ClientError::Linkable { field } if *field == name), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(name) && text.contains("link") && !text.contains("alice"), "{text}");

        let allowed = client(allow(layer()), move |outer| {
            let (request, reply) = open(outer);
            assert_eq!(request.headers()[name], "me=alice");
            sealed(reply, &Response::new(Content::default()))
        });
        assert!(allowed.oneshot(request()).await.is_ok());
    }
}

/// RFC 9292 §3.6: what concerns a connection is not in the request.
#[tokio::test]
async fn connection_fields_stay_behind() {
    let client = client(layer(), |outer| {
        let (request, reply) = open(outer);
        let mut names: Vec<_> = request.headers().keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["date", "x-kept"]);
        sealed(reply, &Response::new(Content::default()))
    });
    let request = Request::get("https://example.com/")
        .header("connection", "close, x-hop")
        .header("keep-alive", "1")
        .header("proxy-connection", "close")
        .header("te", "gzip")
        .header("transfer-encoding", "chunked")
        .header("upgrade", "h2c")
        .header("x-hop", "1")
        .header("x-kept", "1");
    let request = request.body(Content::default()).unwrap();
    assert!(client.oneshot(request).await.is_ok());
}

/// RFC 9458 §5: fields that a relay asks for are the same for all users, whatever they ask.
#[tokio::test]
async fn fields_for_the_relay_are_fixed() {
    let field = |name: &'static str| (name.parse().unwrap(), HeaderValue::from_static("v"));
    for name in ["content-type", "content-length", "transfer-encoding", "host", "incremental"] {
        let (name, value) = field(name);
        let refused = layer().outer_field(name, value);
        assert!(matches!(refused, Err(OuterFieldError::Reserved { .. })));
    }
    let (name, value) = field("cookie");
    assert!(matches!(layer().outer_field(name, value), Err(OuterFieldError::Identifying { .. })));

    let (name, value) = field("x-relay-client");
    let client = client(layer().outer_field(name, value).unwrap(), |outer| {
        let names: Vec<_> = outer.headers().keys().map(|name| name.as_str()).collect();
        assert_eq!(names, ["content-type", "x-relay-client"]);
        let (_, reply) = open(outer);
        sealed(reply, &Response::new(Content::default()))
    });
    for path in ["/", "/a"] {
        let request = get(&format!("https://example.com{path}"));
        assert!(client.clone().oneshot(request).await.is_ok());
    }
}

/// RFC 9458 §5 and §6.1: two clients with equal input and different surroundings look the same.
#[tokio::test]
async fn outer_requests_of_two_clients_differ_in_their_ciphertext_alone() {
    let mut seen = Vec::new();
    for language in ["en", "tlh"] {
        // What a program has round about a request: extensions, other requests, another version.
        let noted = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&noted);
        let client = client(layer().clock(FixedClock), move |outer| {
            notes.lock().unwrap().push(outer.clone());
            let (_, reply) = open(outer);
            sealed(reply, &Response::new(Content::default()))
        });
        let mut before = get("https://elsewhere.example/");
        before.headers_mut().insert("accept-language", HeaderValue::from_static(language));
        client.clone().oneshot(before).await.unwrap();
        let mut request = get("https://example.com/the/same");
        request.extensions_mut().insert(language);
        *request.version_mut() =
            if language == "en" { http::Version::HTTP_2 } else { http::Version::HTTP_10 };
        client.oneshot(request).await.unwrap();
        seen.push(noted.lock().unwrap().pop().unwrap());
    }
    let [(one, first), (other, second)] = seen
        .into_iter()
        .map(Request::into_parts)
        .collect::<Vec<_>>()
        .try_into()
        .expect("two clients");
    assert_eq!((&one.method, &one.uri, one.version), (&other.method, &other.uri, other.version));
    let fields = |parts: &http::request::Parts| -> Vec<_> {
        parts.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    assert_eq!(fields(&one), fields(&other));
    let (first, second) = (first.data, second.data);
    assert_eq!(first.len(), second.len());
    assert_eq!(first[..7], second[..7]);
    assert_ne!(first[7..], second[7..]);
}

/// RFC 9292 §3.5.1
#[tokio::test]
async fn informational_responses_are_given_to_who_asks_for_them() {
    let client = client(layer(), |outer| {
        let (_, reply) = open(outer);
        let mut response = Response::new(Content::default());
        let hint = Response::builder().status(103).header("link", "<a>").body(()).unwrap();
        response.extensions_mut().insert(Informational(vec![hint]));
        sealed(reply, &response)
    });
    let given = Arc::new(Mutex::new(Vec::new()));
    let taker = Arc::clone(&given);
    let mut request = get("https://example.com/");
    let take = OnInformational::new(move |early| taker.lock().unwrap().push(early.status()));
    request.extensions_mut().insert(take);
    let response = client.oneshot(request).await.unwrap();
    assert!(response.extensions().get::<Informational>().is_none());
    assert_eq!(*given.lock().unwrap(), [103]);
}
