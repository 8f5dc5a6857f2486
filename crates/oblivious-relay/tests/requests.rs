//! What a relay takes from clients, and what of it reaches the gateway.

mod common;

use common::{Body, body, fields, relay_answering, request, response, send, text};
use http::{HeaderValue, Method, Version};
use http_body_util::BodyExt;
use oblivious_relay::{Relay, RouteError};
use oblivious_service::{Content, Pseudonym};

/// RFC 9458 §5 and §6.2: what a client adds is removed, and nothing is added that tells of it.
#[tokio::test]
async fn nothing_of_the_client_reaches_the_gateway() {
    let (relay, seen) = relay_answering(response);
    let relay = relay.pseudonym(Pseudonym::new("the-relay").unwrap());
    let mut request = request();
    *request.uri_mut() = "https://relay.example/gateway?client=7".parse().unwrap();
    *request.version_mut() = Version::HTTP_2;
    request.extensions_mut().insert("192.0.2.7:4711");
    for (name, value) in [
        ("host", "relay.example"),
        ("user-agent", "curl/8"),
        ("cookie", "a=b"),
        ("authorization", "Basic AA=="),
        ("proxy-authorization", "Basic AA=="),
        ("forwarded", "for=192.0.2.7"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-client-cert", "Hash=1"),
        ("x-real-ip", "192.0.2.7"),
        ("via", "1.1 proxy, 1.0 192.0.2.7 (client 7)"),
        ("referer", "https://site.example/"),
        ("origin", "https://site.example"),
        ("accept-language", "mi"),
        ("accept-encoding", "gzip"),
        ("date", "Mon, 27 Jul 2009 12:28:53 GMT"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("connection", "x-unheard-of"),
        ("x-unheard-of", "1"),
        ("content-length", "14"),
        ("te", "trailers"),
    ] {
        request.headers_mut().append(name, HeaderValue::from_static(value));
    }
    let answer = send(&relay, request).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(text(answer).await, "sealed");

    let seen = seen.lock().unwrap();
    let [got] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(got.method(), Method::POST);
    assert_eq!(got.uri(), common::GATEWAY);
    assert_eq!(got.version(), Version::HTTP_11);
    assert!(got.extensions().is_empty());
    let expected = [("content-type", "message/ohttp-req"), ("via", "1.1 the-relay")];
    assert_eq!(fields(got.headers()), expected);
    assert_eq!(got.body(), "sealed request");
}

/// RFC 9110 §8.3.1. Spelling and parameters would tell clients apart.
#[tokio::test]
async fn the_media_type_is_parsed_and_written_anew() {
    let (relay, seen) = relay_answering(response);
    let mut request = request();
    let spelled = HeaderValue::from_static("Message/OHTTP-Req; client=7");
    request.headers_mut().insert("content-type", spelled);
    assert_eq!(send(&relay, request).await.status(), 200);
    assert_eq!(seen.lock().unwrap()[0].headers()["content-type"], "message/ohttp-req");
}

/// ohttp-relay answers chunked requests with 415.
#[tokio::test]
async fn chunked_requests_pass_with_their_incremental_field() {
    let (relay, seen) = relay_answering(|| {
        let mut response = response();
        let kind = HeaderValue::from_static("message/ohttp-chunked-res");
        response.headers_mut().insert("content-type", kind);
        response.headers_mut().insert("incremental", HeaderValue::from_static("?1; a=b"));
        response
    });
    let relay = relay.pseudonym(Pseudonym::new("the-relay").unwrap());
    let mut request = request();
    let kind = HeaderValue::from_static("message/ohttp-chunked-req");
    request.headers_mut().insert("content-type", kind);
    request.headers_mut().insert("incremental", HeaderValue::from_static("?1;client=7"));
    let answer = send(&relay, request).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(
        fields(answer.headers()),
        [
            ("cache-control", "no-store"),
            ("content-type", "message/ohttp-chunked-res"),
            ("incremental", "?1"),
        ]
    );
    assert_eq!(
        fields(seen.lock().unwrap()[0].headers()),
        [
            ("content-type", "message/ohttp-chunked-req"),
            ("incremental", "?1"),
            ("via", "1.1 the-relay"),
        ]
    );
}

#[tokio::test]
async fn an_incremental_field_that_says_no_does_not_pass() {
    let (relay, seen) = relay_answering(response);
    let mut request = request();
    request.headers_mut().insert("incremental", HeaderValue::from_static("?0"));
    send(&relay, request).await;
    assert!(!seen.lock().unwrap()[0].headers().contains_key("incremental"));
}

/// Trailers could tell whose request it is as well as any field before the body.
#[tokio::test]
async fn trailers_do_not_pass() {
    let (relay, seen) = relay_answering(response);
    let frames = ["one ", "two"].map(|data| Ok(http_body::Frame::data(data.into())));
    let trailers =
        http::HeaderMap::from_iter([(http::header::COOKIE, HeaderValue::from_static("who=me"))]);
    let frames = frames.into_iter().chain([Ok(http_body::Frame::trailers(trailers))]);
    let request = request().map(|_| common::frames(frames));
    assert_eq!(send(&relay, request).await.status(), 200);
    // The gateway of these tests asserts that it gets no trailers.
    assert_eq!(seen.lock().unwrap()[0].body(), "one two");
}

/// RFC 9458 §8.2: a fixed mapping. The path alone chooses, and it chooses exactly.
#[tokio::test]
async fn only_routes_are_served() {
    let (relay, seen) = relay_answering(response);
    let relay = relay.route("/second", "https://second.example/".parse().unwrap()).unwrap();
    for path in
        ["/", "/gateway/", "/gateway2", "/GATEWAY", "//gateway", "/%67ateway", "/a/../gateway"]
    {
        let mut request = request();
        *request.uri_mut() = path.parse().unwrap();
        let answer = send(&relay, request).await;
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert!(text(answer).await.contains("relay URL"));
    }
    assert!(seen.lock().unwrap().is_empty());

    // A client that names a server of its own does not get there.
    let mut request = request();
    *request.uri_mut() = "http://victim.example/second?u=https://victim.example".parse().unwrap();
    assert_eq!(send(&relay, request).await.status(), 200);
    assert_eq!(seen.lock().unwrap()[0].uri(), "https://second.example/");
}

/// ohttp-gateway turns unknown methods into GET.
#[tokio::test]
async fn all_methods_but_post_are_refused() {
    let (relay, seen) = relay_answering(response);
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW", "post"] {
        let mut request = request();
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = send(&relay, request).await;
        assert_eq!(answer.status(), 405, "{method}");
        assert_eq!(answer.headers()["allow"], "POST");
        assert!(text(answer).await.contains("POST"));
    }
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn other_media_types_are_refused() {
    let (relay, seen) = relay_answering(response);
    for types in [
        &[][..],
        &["application/octet-stream"],
        &["message/ohttp-res"],
        &["message/ohttp-chunked-res"],
        &["message/bhttp"],
        &["message/ohttp-request"],
        &["message/ohttp-req, message/ohttp-req"],
        &["message/ohttp-req", "message/ohttp-req"],
    ] {
        let mut request = request();
        request.headers_mut().remove("content-type");
        for value in types {
            request.headers_mut().append("content-type", HeaderValue::from_static(value));
        }
        let answer = send(&relay, request).await;
        assert_eq!(answer.status(), 415, "{types:?}");
        assert!(text(answer).await.contains("message/ohttp-req"));
    }
    assert!(seen.lock().unwrap().is_empty());
}

/// The gateway would not learn of the coding, since the field does not pass.
#[tokio::test]
async fn a_coded_body_is_refused() {
    let (relay, _) = relay_answering(response);
    let mut request = request();
    request.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
    assert_eq!(send(&relay, request).await.status(), 415);
}

/// ohttp-relay has no limits.
#[tokio::test]
async fn an_announced_length_over_the_limit_is_refused_at_once() {
    let (relay, seen) = relay_answering(response);
    let relay = relay.body_limit(14);
    // The body itself does not say how long it is.
    let announced = |length: &'static str| {
        let data = Ok(http_body::Frame::data("sealed request".into()));
        let mut request = request().map(|_| common::frames([data]));
        request.headers_mut().insert("content-length", HeaderValue::from_static(length));
        request
    };
    for length in ["15", "18446744073709551615"] {
        let answer = send(&relay, announced(length)).await;
        assert_eq!(answer.status(), 413, "{length}");
    }
    let mut long: http::Request<Body> = request();
    *long.body_mut() = body("sealed request!");
    assert_eq!(send(&relay, long).await.status(), 413);
    assert!(seen.lock().unwrap().is_empty());
    assert_eq!(send(&relay, announced("14")).await.status(), 200);
    assert_eq!(send(&relay, request()).await.status(), 200);
}

#[test]
fn a_bad_route_is_an_error_when_the_relay_is_built() {
    let relay = || Relay::new(()).route("/a", "https://gateway.example/".parse().unwrap()).unwrap();
    let error = |path, gateway: &str| relay().route(path, gateway.parse().unwrap()).unwrap_err();
    assert!(matches!(error("b", "https://gateway.example/"), RouteError::Path { .. }));
    assert!(matches!(error("/a", "https://gateway.example/"), RouteError::Duplicate { .. }));
    assert!(matches!(error("/b", "/gateway"), RouteError::NotAbsolute { .. }));
    assert!(matches!(error("/b", "http://gateway.example/"), RouteError::Scheme { .. }));
    let allowed = relay().allow_http_gateways();
    assert!(allowed.route("/b", "http://gateway.example/".parse().unwrap()).is_ok());
}

/// `Content` and the like come from anywhere; the relay takes whatever has data and ends.
#[tokio::test]
async fn a_body_of_another_type_will_do() {
    let client = tower::service_fn(
        |request: http::Request<oblivious_relay::RelayRequestBody<Content>>| async move {
            let data = request.into_body().collect().await?.to_bytes();
            let response = response().map(|_| Content::from(data));
            Ok::<_, oblivious_relay::RelayBodyError>(response)
        },
    );
    let relay = Relay::new(client).route("/gateway", common::GATEWAY.parse().unwrap()).unwrap();
    let request = request().map(|_| Content::from("echo"));
    let answer = tower::ServiceExt::oneshot(relay, request).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "echo");
}
