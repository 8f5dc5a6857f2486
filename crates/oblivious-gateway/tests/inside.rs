//! Once a request has been decapsulated every answer goes back encapsulated.

mod common;

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use common::{
    ask, ask_bytes,
    chunks::{Opening, Sealing, content, outer_chunked},
    gateway_with, gateway_without_target, get, layer, outer, seal,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use oblivious_bhttp::{Content, EncodeOptions, Framing, Informational, encode_request_into};
use oblivious_gateway::{
    EncapsulatedBody, GatewayBody, InformationalSender, TargetError, TargetPolicy,
};
use oblivious_service::{BoxError, Timeout, TokioTimer, collect};
use tower::{Layer, ServiceExt};

/// What the target got.
type Noted = Arc<Mutex<Option<Request<GatewayBody>>>>;

/// A gateway whose target notes the request and answers `200 ok`.
fn noting() -> (
    impl tower::Service<
        Request<Content>,
        Response = Response<EncapsulatedBody>,
        Error = std::convert::Infallible,
        Future: Send,
    > + Clone,
    Noted,
) {
    let noted = Noted::default();
    let note = Arc::clone(&noted);
    let gateway = gateway_with(layer(), move |request| {
        *note.lock().unwrap() = Some(request);
        Ok(Response::new(Content::from("ok")))
    });
    (gateway, noted)
}

/// A binary HTTP request (RFC 9292 §3.1) put together by hand, valid or not.
fn message(control: [&str; 4], fields: &[(&str, &str)]) -> Vec<u8> {
    let prefixed = |bytes: &[u8]| {
        let length = u8::try_from(bytes.len()).unwrap();
        assert!(length < 64);
        [&[length], bytes].concat()
    };
    let mut lines = Vec::new();
    for (name, value) in fields {
        lines.extend(prefixed(name.as_bytes()));
        lines.extend(prefixed(value.as_bytes()));
    }
    let mut message = vec![0];
    for part in control {
        message.extend(prefixed(part.as_bytes()));
    }
    message.extend([0x40, u8::try_from(lines.len()).unwrap()]);
    message.extend(lines);
    message
}

#[tokio::test]
async fn the_target_gets_the_request_and_the_client_its_answer() {
    let (gateway, noted) = noting();
    let mut request = Request::post("https://example.com/path?query=1")
        .header("x-twice", "one")
        .header("x-twice", "two")
        .body(Content::from("content"))
        .unwrap();
    request.headers_mut().insert("x-bytes", HeaderValue::from_bytes(b"not utf-8: \xff").unwrap());
    let response = ask(gateway, request.clone()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.body().data, "ok");

    let got = noted.lock().unwrap().take().unwrap();
    assert_eq!(got.method(), Method::POST);
    assert_eq!(got.uri(), "https://example.com/path?query=1");
    assert_eq!(got.headers(), request.headers());
    let body = collect(got.into_body(), 100).await.unwrap();
    assert_eq!(body.data, "content");
}

#[tokio::test]
async fn nothing_of_the_answer_is_lost() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", "123".parse().unwrap());
    let expected = trailers.clone();
    let gateway = gateway_with(layer(), move |request| {
        let sender = request.extensions().get::<InformationalSender>().unwrap();
        let hint = Response::builder().status(103).header("link", "</style.css>");
        sender.send(hint.body(()).unwrap());
        sender.send(Response::builder().status(101).body(()).unwrap());
        sender.send(Response::builder().status(200).body(()).unwrap());
        let response = Response::builder()
            .status(StatusCode::CREATED)
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2")
            .header("x-bytes", HeaderValue::from_bytes(b"\xfe").unwrap());
        let content = Content::from("made").with_trailers(trailers.clone());
        Ok(response.body(content).unwrap())
    });
    let response = ask(gateway, get("https://example.com/")).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(response.headers()["x-bytes"].as_bytes(), b"\xfe");
    assert_eq!(response.body().data, "made");
    assert_eq!(response.body().trailers, Some(expected));
    let informational = &response.extensions().get::<Informational>().unwrap().0;
    assert_eq!(informational.len(), 1);
    assert_eq!(informational[0].status(), StatusCode::EARLY_HINTS);
    assert_eq!(informational[0].headers()["link"], "</style.css>");
}

/// RFC 9458 §5 and §5.2: all of an answer is inside, and the relay cannot tell an error from any
/// other. A fault found elsewhere: a target's 5xx went out in clear, and its fields on the outer
/// response.
#[tokio::test]
async fn errors_of_the_target_arrive_encapsulated() {
    let gateway = gateway_with(layer(), |_| {
        let response = Response::builder().status(500).header("x-target", "secret");
        Ok(response.body(Content::from("it broke")).unwrap())
    });
    let response = ask(gateway, get("https://example.com/")).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.headers()["x-target"], "secret");
    assert_eq!(response.body().data, "it broke");
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let gateway = gateway_with(layer(), |_| {
        let response =
            Response::builder().status(302).header("location", "http://169.254.169.254/");
        Ok(response.body(Content::default()).unwrap())
    });
    let response = ask(gateway, get("https://example.com/")).await;
    assert_eq!(response.status(), StatusCode::FOUND);
    assert_eq!(response.headers()["location"], "http://169.254.169.254/");
}

/// RFC 9292 §4, RFC 9458 §5.2: the target gets nothing of it, and its sender an answer.
#[tokio::test]
async fn what_is_no_binary_http_is_a_400_inside() {
    for message in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", &[4], &[1, 0x40, 0xc8], &[0, 0x3f]] {
        let response = ask_bytes(gateway_without_target(), message, &Method::GET).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{message:?}");
    }
}

/// RFC 9458 §5.1
#[tokio::test]
async fn an_expectation_of_100_continue_is_a_400_inside() {
    for value in ["100-continue", "100-Continue", "other, 100-continue"] {
        let mut request = get("https://example.com/");
        request.headers_mut().insert(header::EXPECT, value.parse().unwrap());
        let response = ask(gateway_without_target(), request).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{value}");
    }
}

/// RFC 9458 §6.3
#[tokio::test]
async fn targets_that_are_not_allowed_are_a_403_inside() {
    for uri in [
        "http://example.com/",
        "https://example.com:8443/",
        "https://other.example/",
        "https://example.com.evil.test/",
        "ftp://example.com/",
    ] {
        let response = ask(gateway_without_target(), get(uri)).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{uri}");
    }
    let denied = gateway_with(layer().targets(TargetPolicy::deny_all()), |_| panic!("allowed"));
    let response = ask(denied, get("https://example.com/")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

/// RFC 9292 §3.4 and RFC 9110 §7.2: only the effective authority counts, and there is only one.
#[tokio::test]
async fn another_host_field_does_not_lead_past_the_policy() {
    let status = |control: [&'static str; 4], fields: &'static [(&str, &str)]| async move {
        let message = message(control, fields);
        ask_bytes(gateway_without_target(), &message, &Method::GET).await.status()
    };
    let get = |authority, path| ["GET", "https", authority, path];
    assert_eq!(
        status(get("example.com", "/"), &[("host", "evil.test")]).await,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        status(get("", "/"), &[("host", "example.com"), ("host", "evil.test")]).await,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(status(get("", "/"), &[("host", "evil.test")]).await, StatusCode::FORBIDDEN);
    assert_eq!(status(get("", "/"), &[]).await, StatusCode::BAD_REQUEST);
    for authority in ["example.com@evil.test", "evil.test#example.com", "evil.test/example.com"] {
        let status = status(get(authority, "/"), &[]).await;
        assert!(status.is_client_error(), "{authority}: {status}");
    }
    for path in ["@evil.test/", "//evil.test/@", "#fragment", "/path#fragment"] {
        let (gateway, noted) = noting();
        let message = message(get("example.com", path), &[]);
        let response = ask_bytes(gateway, &message, &Method::GET).await;
        if let Some(request) = noted.lock().unwrap().take() {
            assert_eq!(request.uri().authority().unwrap(), "example.com", "{path}");
            assert!(path.starts_with("//"), "{path}");
        } else {
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{path}");
        }
    }
}

#[tokio::test]
async fn userinfo_is_a_400_inside() {
    let message = message(["GET", "https", "user@example.com", "/"], &[]);
    let response = ask_bytes(gateway_without_target(), &message, &Method::GET).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn tunnels_are_refused_inside() {
    let trace = message(["TRACE", "https", "example.com", "/"], &[]);
    let response = ask_bytes(gateway_without_target(), &trace, &Method::TRACE).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let connect = message(["CONNECT", "", "example.com:443", ""], &[]);
    let response = ask_bytes(gateway_without_target(), &connect, &Method::GET).await;
    assert!(response.status().is_client_error(), "{}", response.status());
}

/// RFC 9458 §6.3: what a target would believe of its gateway is not for the client to say.
#[tokio::test]
async fn the_target_sees_no_field_of_a_connection_or_a_way() {
    let (gateway, noted) = noting();
    let message = message(
        ["GET", "https", "example.com", "/"],
        &[
            ("connection", "x-named"),
            ("x-named", "1"),
            ("keep-alive", "timeout=5"),
            ("upgrade", "h2c"),
            ("forwarded", "for=10.0.0.1"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-real-ip", "10.0.0.1"),
            ("via", "1.1 me"),
            ("accept", "*/*"),
            ("te", "trailers"),
        ],
    );
    ask_bytes(gateway, &message, &Method::GET).await;
    let request = noted.lock().unwrap().take().unwrap();
    let mut names: Vec<_> = request.headers().keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "te"]);
}

#[tokio::test]
async fn a_target_that_fails_is_a_502_inside() {
    let gateway = gateway_with(layer(), |_| Err("connection refused to 10.1.2.3".into()));
    let response = ask(gateway, get("https://example.com/")).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert!(!response.body().data.windows(8).any(|window| window == b"10.1.2.3"));
}

#[tokio::test]
async fn a_target_that_never_becomes_ready_gets_its_client_an_answer() {
    #[derive(Clone)]
    struct Unready;

    impl tower::Service<Request<GatewayBody>> for Unready {
        type Response = Response<Content>;
        type Error = BoxError;
        type Future = std::future::Ready<Result<Response<Content>, BoxError>>;

        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), BoxError>> {
            std::task::Poll::Ready(Err("closed".into()))
        }

        fn call(&mut self, _: Request<GatewayBody>) -> Self::Future {
            panic!("called without being ready")
        }
    }

    let response = ask(layer().layer(Unready), get("https://example.com/")).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn a_response_over_the_limit_is_a_502_inside() {
    for (length, status) in [(100, StatusCode::OK), (101, StatusCode::BAD_GATEWAY)] {
        let gateway = gateway_with(layer().response_limit(100), move |_| {
            Ok(Response::new(Content::from(vec![0; length])))
        });
        assert_eq!(ask(gateway, get("https://example.com/")).await.status(), status);
    }
}

#[tokio::test]
async fn a_response_that_is_none_is_a_502_inside() {
    let informational =
        gateway_with(layer(), |_| Ok(Response::builder().status(103).body(Content::default())?));
    let response = ask(informational, get("https://example.com/")).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);

    let beyond =
        gateway_with(layer(), |_| Ok(Response::builder().status(999).body(Content::default())?));
    let response = ask(beyond, get("https://example.com/")).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_hangs_is_a_504_inside() {
    let timeout = Timeout::new(Duration::from_secs(30), TokioTimer);
    let target = tower::service_fn(|_| async {
        std::future::pending::<Result<Response<Content>, BoxError>>().await
    });
    let gateway = layer().target_timeout(timeout).layer(target);
    let response = ask(gateway, get("https://example.com/")).await;
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
}

/// RFC 9110 §9.3.2: the answer to HEAD tells a length and has no content.
#[tokio::test]
async fn head_gets_the_header_alone() {
    let gateway = gateway_with(layer(), |request| {
        assert_eq!(request.method(), Method::HEAD);
        let response = Response::builder().header("content-length", "1000");
        Ok(response.body(Content::default())?)
    });
    let head = Request::head("https://example.com/").body(Content::default()).unwrap();
    let response = ask(gateway, head).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-length"], "1000");

    let refused = Request::head("https://other.example/").body(Content::default()).unwrap();
    let response = ask(gateway_without_target(), refused).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(response.body().data.is_empty());
}

/// A client that goes away cancels the call to the target.
#[tokio::test]
async fn dropping_the_exchange_drops_the_call_to_the_target() {
    struct NoteDrop(Arc<AtomicBool>);

    impl Drop for NoteDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    let (called, dropped) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let target = {
        let (called, dropped) = (Arc::clone(&called), Arc::clone(&dropped));
        tower::service_fn(move |_| {
            let (called, noted) = (Arc::clone(&called), NoteDrop(Arc::clone(&dropped)));
            async move {
                called.store(true, Ordering::SeqCst);
                let _noted = noted;
                std::future::pending::<Result<Response<Content>, BoxError>>().await
            }
        })
    };
    let message = message(["GET", "https", "example.com", "/"], &[]);
    let (sealed, _pending) = seal(&message);
    let exchange = layer().layer(target).oneshot(outer(sealed));
    let given_up = tokio::time::timeout(Duration::from_millis(50), exchange).await;
    assert!(given_up.is_err());
    assert!(called.load(Ordering::SeqCst));
    assert!(dropped.load(Ordering::SeqCst));
}

/// RFC 9458 §6.2.3
#[tokio::test]
async fn padded_responses_have_the_same_length_outside() {
    let length = |answer: &'static str| async move {
        let padding = oblivious_bhttp::Padding::ToMultiple(256);
        let gateway = gateway_with(layer().pad_responses(padding), move |_| {
            Ok(Response::new(Content::from(answer)))
        });
        let message = message(["GET", "https", "example.com", "/"], &[]);
        let (sealed, pending) = seal(&message);
        let received = common::send(gateway, outer(sealed)).await;
        let length = received.body.len();
        assert!(pending.open(received.body).is_ok());
        length
    };
    assert_eq!(length("yes").await, length("no, and here is a long explanation").await);
}

/// What a target logs of its requests is not what is in them.
#[tokio::test]
async fn no_text_shows_the_content_of_a_request() {
    let request = Request::post("https://example.com/").body(Content::from("hunter2 hunter2"));
    let mut message = BytesMut::new();
    let options = EncodeOptions::default();
    encode_request_into(&request.unwrap(), &options, &mut message).unwrap();
    let gateway = layer().layer(tower::service_fn(|request: Request<GatewayBody>| async move {
        let mut body = request.into_body();
        let before = format!("{body:?}");
        let frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await.unwrap()?;
        assert!(frame.into_data().unwrap().starts_with(b"hunter2"));
        let text = format!("{before} {body:?}");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("GatewayBody"));
        Ok::<_, BoxError>(Response::new(Content::from("shown")))
    }));

    let answer = ask_bytes(gateway.clone(), &message, &Method::POST).await;
    assert_eq!(answer.body().data, "shown");

    let (mut sealing, pending) = Sealing::start();
    let sealed = [sealing.chunk(&message[..message.len() - 4]), sealing.finish(b"ter2")].concat();
    let response = gateway.oneshot(outer_chunked(Content::from(sealed))).await.unwrap();
    let answer = Opening::new(pending, response.into_body()).response(&Method::POST).await.unwrap();
    assert_eq!(content(answer.into_body()).await.unwrap().data, "shown");
}

/// RFC 5842 §7.2: each layer of a request that is encapsulated again and again would be a whole
/// exchange, so there is one, wherever the rest would go.
#[tokio::test]
async fn an_encapsulated_request_inside_is_a_508_inside() {
    for (path, kind) in [
        ("/gateway", "message/ohttp-req"),
        ("/", "message/ohttp-chunked-req"),
        ("/any/other", "Message/OHTTP-Req; a=b"),
    ] {
        let request =
            Request::post(format!("https://example.com{path}")).header("content-type", kind);
        let request = request.body(Content::from(seal(b"any").0)).unwrap();
        let response = ask(gateway_without_target(), request.clone()).await;
        assert_eq!(response.status(), StatusCode::LOOP_DETECTED, "{kind}");

        let (mut sealing, pending) = Sealing::start();
        let mut message = BytesMut::new();
        let options = EncodeOptions::default().with_framing(Framing::IndeterminateLength);
        encode_request_into(&request, &options, &mut message).unwrap();
        let sealed = Content::from(sealing.finish(&message));
        let response = gateway_without_target().oneshot(outer_chunked(sealed)).await.unwrap();
        let answer = Opening::new(pending, response.into_body()).response(&Method::POST).await;
        assert_eq!(answer.unwrap().status(), StatusCode::LOOP_DETECTED, "{kind}");
    }
}

/// RFC 9110 §15.6.3: a target service may say what became of its target, and only in these words.
#[tokio::test]
async fn the_client_is_told_what_became_of_the_target() {
    #[derive(Debug, thiserror::Error)]
    #[error("connection to 10.0.0.1 reset")]
    struct Wrapped(#[source] TargetError);

    for (error, text) in [
        (TargetError::Unreachable, "The target cannot be reached.\n"),
        (TargetError::BrokeOff, "The target broke off before its response was complete.\n"),
        (TargetError::InvalidResponse, "The target's response is not a valid HTTP response.\n"),
    ] {
        let gateway = gateway_with(layer(), move |_| Err(error.into()));
        let response = ask(gateway, get("https://example.com/")).await;
        assert_eq!((response.status().as_u16(), &response.body().data[..]), (502, text.as_bytes()));
        let gateway = gateway_with(layer(), move |_| Err(Wrapped(error).into()));
        let response = ask(gateway, get("https://example.com/")).await;
        assert_eq!((response.status().as_u16(), &response.body().data[..]), (502, text.as_bytes()));
    }
    let gateway = gateway_with(layer(), |_| Err("connection to 10.0.0.1 reset".into()));
    let response = ask(gateway, get("https://example.com/")).await;
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(response.body().data, "The target gave no response.\n");
}
