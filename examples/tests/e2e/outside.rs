//! Exchanges that fail before the gateway has opened the request: the answer is in clear.

use bytes::BytesMut;
use http::{Method, Request, StatusCode, header};
use oblivious_http::service::{Content, Problem};

use crate::programs::run;
use crate::setup::{Setup, TempFile, relay_to, send};

/// RFC 9458 §5.3 and §6.4
#[tokio::test(flavor = "multi_thread")]
async fn whatever_cannot_be_opened_gets_one_and_the_same_answer() {
    let setup = Setup::start().await;
    let (sealed, _) = setup.seal(b"some message").await;
    let altered = |at: usize, bit: u8| {
        let mut altered = BytesMut::from(&sealed[..]);
        altered[at] ^= bit;
        altered.freeze()
    };
    let mut answers = Vec::new();
    let key_id = altered(0, 0x40);
    let suite = altered(6, 0x10);
    let flipped = altered(50, 1);
    for body in [key_id, suite, flipped] {
        let received = send(setup.outer(body)).await;
        assert_eq!(received.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(received.headers["content-type"], "application/problem+json");
        assert_eq!(Problem::parse(&received.body), Some(Problem::OhttpKey));
        let mut headers = received.headers;
        headers.remove("date");
        answers.push((headers, received.body));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

/// RFC 9458 §5.2
#[tokio::test(flavor = "multi_thread")]
async fn a_request_cut_short_is_a_400() {
    let setup = Setup::start().await;
    let (sealed, _) = setup.seal(b"").await;
    for cut in [0, 6, 7, 38, sealed.len() - 1] {
        let received = send(setup.outer(sealed.slice(..cut))).await;
        assert_eq!(received.status, StatusCode::BAD_REQUEST, "{cut}");
    }
}

/// RFC 9458 §5.2: from the relay, and from a gateway that is asked directly.
#[tokio::test(flavor = "multi_thread")]
async fn another_method_is_a_405_and_another_media_type_a_415() {
    let setup = Setup::start().await;
    let (sealed, _) = setup.seal(b"").await;
    for url in [setup.relay.url("/gateway"), setup.gateway.url("/gateway")] {
        let request = |method: Method, content_type: &str| {
            Request::builder()
                .method(method)
                .uri(&url)
                .header(header::CONTENT_TYPE, content_type)
                .body(Content::from(sealed.clone()))
                .unwrap()
        };
        let received = send(request(Method::PUT, "message/ohttp-req")).await;
        assert_eq!(received.status, StatusCode::METHOD_NOT_ALLOWED, "{url}");
        assert_eq!(received.headers[header::ALLOW], "POST", "{url}");
        let received = send(request(Method::POST, "application/octet-stream")).await;
        assert_eq!(received.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_gateway_s_limit_is_a_413() {
    let setup = Setup::start_with(&["--request-limit", "1000"]).await;
    let (sealed, _) = setup.seal(&[0; 1000]).await;
    let received = send(setup.outer(sealed)).await;
    assert_eq!(received.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_down_is_a_502_of_the_relay() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let relay = relay_to(&format!("http://{free}/gateway"));
    let request = Request::post(relay.url("/gateway"))
        .header(header::CONTENT_TYPE, "message/ohttp-req")
        .body(Content::from("sealed"))
        .unwrap();
    assert_eq!(send(request).await.status, StatusCode::BAD_GATEWAY);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_health_are_where_clients_and_supervisors_look() {
    let setup = Setup::start().await;
    let get =
        |url: String| async { send(Request::get(url).body(Content::default()).unwrap()).await };
    let keys = get(setup.gateway.url("/ohttp-keys")).await;
    assert_eq!(keys.status, StatusCode::OK);
    assert_eq!(keys.headers["content-type"], "application/ohttp-keys");
    let well_known = get(setup.gateway.url("/.well-known/ohttp-gateway")).await;
    assert_eq!(well_known.body, keys.body);
    assert_eq!(get(setup.gateway.url("/health")).await.status, StatusCode::OK);
    assert_eq!(get(setup.relay.url("/health")).await.status, StatusCode::OK);
    assert_eq!(get(setup.relay.url("/elsewhere")).await.status, StatusCode::NOT_FOUND);

    // RFC 9540 §5: the same path takes requests too.
    let (sealed, pending) = setup.seal(b"no binary HTTP").await;
    let request = Request::post(setup.gateway.url("/.well-known/ohttp-gateway"))
        .header(header::CONTENT_TYPE, "message/ohttp-req")
        .body(Content::from(sealed))
        .unwrap();
    let received = send(request).await;
    assert_eq!(received.status, StatusCode::OK);
    assert!(pending.open(received.body.into()).is_ok());
}

/// A fault found elsewhere: keys made anew at restart, so that the ones clients kept fail.
#[tokio::test(flavor = "multi_thread")]
async fn a_seed_file_gives_the_same_key_at_every_start() {
    let seed = TempFile::new("seed", "42".repeat(32) + "\n");
    let allow = ["--allow-target", "https://example.com"];
    let arguments = [&allow[..], &["--seed-file", seed.path()]].concat();
    let mut lists = Vec::new();
    for _ in 0..2 {
        let gateway = crate::programs::Server::start("gateway", &arguments);
        let request = Request::get(gateway.url("/ohttp-keys")).body(Content::default()).unwrap();
        lists.push(send(request).await.body);
    }
    assert_eq!(lists[0], lists[1]);
}

/// A client that kept a key of another gateway is told what to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_stale_key_is_explained() {
    let (setup, other) = (Setup::start().await, Setup::start().await);
    let request = Request::get(other.gateway.url("/ohttp-keys")).body(Content::default()).unwrap();
    let stale = TempFile::new("stale-keys", send(request).await.body);
    let (relay, target) = (setup.relay.url("/gateway"), setup.target.url("/echo"));
    let output = run("client", &["--relay", &relay, "--keys", stale.path(), &target]);
    assert_eq!(output.status.code(), Some(8));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("does not accept the key"), "{stderr}");
    assert!(stderr.contains("--keys"), "{stderr}");
}

/// Bad input gets a clear error, and names what to do.
#[tokio::test(flavor = "multi_thread")]
async fn arguments_that_cannot_work_are_explained() {
    let short = TempFile::new("short-seed", "1234");
    let origin = ["--allow-target", "https://example.com"];
    let cases: [(&str, &[&str], i32, &str); 7] = [
        ("gateway", &["--generate-key"], 2, "--allow-target"),
        ("gateway", &["--generate-key", "--allow-target", "example.com"], 2, "https://example.com"),
        ("gateway", &origin, 2, "--seed-file"),
        (
            "gateway",
            &["--allow-target", "https://example.com", "--seed-file", short.path()],
            2,
            "64 hexadecimal digits",
        ),
        ("relay", &[], 2, "--gateway"),
        ("relay", &["--gateway", "http://gateway.example/"], 2, "--allow-http-gateway"),
        ("relay", &["--gateway", "https://gateway.example/", "--via", "a b"], 2, "--via"),
    ];
    for (name, arguments, code, expected) in cases {
        let output = run(name, arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{name} {arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{name} {arguments:?}: {stderr}");
    }
}
