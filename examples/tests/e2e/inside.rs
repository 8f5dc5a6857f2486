//! Exchanges in which the gateway opens the request: every answer comes back encapsulated, and the
//! relay sees a 200.

use std::time::Duration;

use http::{Method, StatusCode};
use oblivious_http::bhttp::{DecodeOptions, decode_response};

use crate::setup::{Setup, TempFile, send, stdout, text};

/// The status line and the fields that the client program prints with `-i`.
fn header(printed: &str) -> &str {
    printed.split_once("\r\n\r\n").unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_arrives_and_its_answer_comes_back() {
    let setup = Setup::start().await;
    let output = setup.client(&["-H", "x-mine: one", "-H", "X-Mine: two"], "/echo?query=1");
    let echo = text(&output);
    assert!(echo.starts_with("GET /echo?query=1\n"), "{echo}");
    assert!(echo.contains("x-mine: one\nx-mine: two\n"), "{echo}");
    let host = setup.target.origin.strip_prefix("http://").unwrap();
    assert!(echo.contains(&format!("host: {host}\n")), "{echo}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_of_one_mebibyte_arrives_whole() {
    let setup = Setup::start().await;
    let data: Vec<u8> = (0..1 << 20).map(|i: u32| i.to_le_bytes()[i as usize % 4]).collect();
    let file = TempFile::new("post", &data);
    let argument = format!("@{}", file.path());
    assert_eq!(
        text(&setup.client(&["--data-binary", &argument], "/length")),
        (1 << 20).to_string()
    );

    let echo = stdout(&setup.client(&["--data-binary", &argument], "/echo"));
    assert!(echo.starts_with(b"POST /echo\n"));
    assert!(echo.ends_with(&data));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_comes_back_whole_and_into_a_file() {
    let setup = Setup::start().await;
    let file = TempFile::new("large", "");
    assert!(stdout(&setup.client(&["-o", file.path()], "/large")).is_empty());
    assert_eq!(std::fs::read(file.path()).unwrap(), vec![b'x'; 1 << 20]);
}

/// RFC 9110 §9.3.2
#[tokio::test(flavor = "multi_thread")]
async fn head_brings_the_header_alone() {
    let setup = Setup::start().await;
    let printed = text(&setup.client(&["-i", "-X", "HEAD"], "/large"));
    assert!(printed.starts_with("HTTP 200 OK\r\n"), "{printed}");
    assert!(printed.contains("content-length: 1048576\r\n"), "{printed}");
    assert!(printed.ends_with("\r\n\r\n"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_without_content_come_back() {
    let setup = Setup::start().await;
    let printed = text(&setup.client(&["-i"], "/204"));
    assert!(printed.starts_with("HTTP 204 No Content\r\n"), "{printed}");
    assert!(printed.ends_with("\r\n\r\n"), "{printed}");

    let printed = text(&setup.client(&["-i", "-H", "if-none-match: \"one\""], "/304"));
    assert!(printed.starts_with("HTTP 304 Not Modified\r\n"), "{printed}");
    assert!(printed.contains("etag: \"one\"\r\n"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_fields_come_back_one_by_one_and_in_order() {
    let setup = Setup::start().await;
    let printed = text(&setup.client(&["-i"], "/cookies"));
    let cookies: Vec<_> =
        header(&printed).lines().filter(|line| line.starts_with("set-cookie:")).collect();
    let expected = ["set-cookie: a=1; Path=/", "set-cookie: b=2, 3", "set-cookie: a=4"];
    assert_eq!(cookies, expected);
}

/// RFC 9458 §5.2: an error of the target is inside, and outside there is a 200 as ever.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_target_arrives_encapsulated() {
    let setup = Setup::start().await;
    let printed = text(&setup.client(&["-i"], "/500"));
    assert!(printed.starts_with("HTTP 500 Internal Server Error\r\n"), "{printed}");
    assert!(printed.ends_with("it broke"), "{printed}");

    let message = get_message(&setup, "/500");
    let (sealed, pending) = setup.seal(&message).await;
    let received = send(setup.outer(sealed)).await;
    assert_eq!(received.status, StatusCode::OK);
    assert_eq!(received.headers["content-type"], "message/ohttp-res");
    assert_eq!(received.headers["cache-control"], "no-store");
    let opened = pending.open(received.body.into()).unwrap().freeze();
    let response = decode_response(opened, &Method::GET, &DecodeOptions::default()).unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

/// RFC 9458 §6.3
#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_not_allowed_is_a_403_inside() {
    let setup = Setup::start().await;
    for url in ["http://127.0.0.1:1/", "https://example.com/", "http://169.254.169.254/"] {
        let printed = text(&setup.client_to(&["-i"], url));
        assert!(printed.starts_with("HTTP 403 Forbidden\r\n"), "{url}: {printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_returned_and_not_followed() {
    let setup = Setup::start().await;
    let printed = text(&setup.client(&["-i"], "/redirect"));
    assert!(printed.starts_with("HTTP 302 Found\r\n"), "{printed}");
    assert!(printed.contains("location: /redirected\r\n"), "{printed}");
    assert!(!printed.contains("followed"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_down_is_a_502_inside() {
    // A port that was free a moment ago, and that nobody listens on.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let down = format!("http://{free}");
    let setup = Setup::start_with(&["--allow-target", &down]).await;
    let printed = text(&setup.client_to(&["-i"], &format!("{down}/")));
    assert!(printed.starts_with("HTTP 502 Bad Gateway\r\n"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_hangs_is_a_504_inside() {
    let setup = Setup::start_with(&["--target-timeout", "0.5"]).await;
    let printed = text(&setup.client(&["-i"], "/hang"));
    assert!(printed.starts_with("HTTP 504 Gateway Timeout\r\n"), "{printed}");
}

/// A binary HTTP request (RFC 9292 §3.1) for a resource of the target.
fn get_message(setup: &Setup, path: &str) -> Vec<u8> {
    message(setup, path, &[])
}

fn message(setup: &Setup, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let authority = setup.target.origin.strip_prefix("http://").unwrap();
    let prefixed = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let control = ["GET", "http", authority, path].map(prefixed).concat();
    let lines: Vec<u8> = fields
        .iter()
        .flat_map(|(name, value)| [prefixed(name), prefixed(value)].concat())
        .collect();
    [&[0], &control[..], &[u8::try_from(lines.len()).unwrap()], &lines].concat()
}

/// The status inside the answer to a message that is sealed as it is.
async fn status_inside(setup: &Setup, message: &[u8]) -> StatusCode {
    let (sealed, pending) = setup.seal(message).await;
    let received = send(setup.outer(sealed)).await;
    assert_eq!(received.status, StatusCode::OK);
    let opened = pending.open(received.body.into()).unwrap().freeze();
    decode_response(opened, &Method::GET, &DecodeOptions::default()).unwrap().status()
}

/// RFC 9458 §5.1
#[tokio::test(flavor = "multi_thread")]
async fn an_expectation_of_100_continue_is_a_400_inside() {
    let setup = Setup::start().await;
    let plain = get_message(&setup, "/echo");
    assert_eq!(status_inside(&setup, &plain).await, StatusCode::OK);
    let expecting = message(&setup, "/echo", &[("expect", "100-continue")]);
    assert_eq!(status_inside(&setup, &expecting).await, StatusCode::BAD_REQUEST);

    // The client program does not even send it.
    let output = setup.client(&["-H", "expect: 100-continue"], "/echo");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("100-continue"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_well_and_no_binary_http_is_a_400_inside() {
    let setup = Setup::start().await;
    let status = status_inside(&setup, b"GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_cancels_the_call_to_the_target() {
    let setup = Setup::start().await;
    let calls = setup.target.calls.clone();
    let mut client = setup.spawn_client("/hang");
    eventually(|| calls.begun() == 1).await;
    assert_eq!(calls.dropped(), 0);
    client.kill().unwrap();
    client.wait().unwrap();
    eventually(|| calls.dropped() == 1).await;
}

/// Waits for something that other processes do, for as long as a busy machine may take.
async fn eventually(holds: impl Fn() -> bool) {
    for _ in 0..300 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it did not happen");
}
