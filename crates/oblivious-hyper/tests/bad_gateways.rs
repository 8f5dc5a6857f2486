//! Gateways that do everything wrong, on real sockets: the relay stays well, and its clients are
//! told.

mod common;

use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{http_client, raw_gateway, recording_gateway, start};
use http::{Request, Uri};
use http_body_util::{BodyExt, Full};
use oblivious_hyper::server::Options;
use oblivious_relay::{Relay, Route, Routes};
use oblivious_service::{Timeout, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::ServiceExt;

const LIMIT: u64 = 10_000;

/// How long the relay waits for a gateway that does nothing.
const IDLE: Duration = Duration::from_millis(500);

/// How long it waits for one that does something.
const WHOLE: Duration = Duration::from_millis(2000);

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: message/ohttp-res\r\n";

/// What a client gets.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Status(u16),
    /// The answer begins, and breaks off.
    BreaksOff,
}

use Outcome::{BreaksOff, Status};

/// Gateways by what each of them does.
async fn bad_gateways() -> Vec<(&'static str, Uri, Outcome)> {
    let head = |rest: &str| format!("{HEAD}{rest}\r\n\r\n");
    let chunked = head("transfer-encoding: chunked");
    let far_too_much = [chunked.as_bytes(), b"100000\r\n", &[0; 0x10_0000], b"\r\n"].concat();
    let no_end = [HEAD.as_bytes(), b"x: ", &[b'a'; 1_000_000]].concat();
    let half = head("content-length: 10") + "12345";
    let two_lengths = head("content-length: 1\r\ncontent-length: 2") + "ab";
    let coded = head("transfer-encoding: gzip, chunked") + "0\r\n\r\n";
    let news = format!("HTTP/1.1 103 Early Hints\r\nx-client: you\r\n\r\n{HEAD}");
    let news = news + "content-length: 2\r\n\r\nok";
    let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\noops";
    let elsewhere =
        "HTTP/1.1 307 Moved\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\n\r\n";
    vec![
        ("is not there", refusing_gateway().await, Status(502)),
        ("hangs", raw_gateway("", false).await, Status(504)),
        ("closes early", raw_gateway("", true).await, Status(502)),
        ("closes in the head", raw_gateway(HEAD, true).await, Status(502)),
        ("closes in the content", raw_gateway(half.clone(), true).await, BreaksOff),
        ("hangs in the content", raw_gateway(half, false).await, BreaksOff),
        ("dribbles", dribbling_gateway().await, BreaksOff),
        (
            "announces 1 GiB",
            raw_gateway(head("content-length: 1073741824"), false).await,
            Status(502),
        ),
        ("sends too much", raw_gateway(far_too_much, false).await, BreaksOff),
        ("is no HTTP", raw_gateway("SSH-2.0-OpenSSH_9.2\r\n", false).await, Status(502)),
        ("has two lengths", raw_gateway(two_lengths, true).await, Status(502)),
        ("has a coding of its own", raw_gateway(coded, true).await, Status(502)),
        (
            "has chunks that are none",
            raw_gateway(chunked + "xyz\r\nab\r\n0\r\n\r\n", true).await,
            BreaksOff,
        ),
        ("has a head without end", raw_gateway(no_end, false).await, Status(502)),
        ("is a web page", raw_gateway(page, true).await, Status(502)),
        ("asks to be asked elsewhere", raw_gateway(elsewhere, true).await, Status(502)),
        ("has news for a start", raw_gateway(news, true).await, Status(200)),
        ("switches protocols", raw_gateway(switch, false).await, Status(502)),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_is_told_and_the_relay_serves_on() {
    let (good, _recorded) = recording_gateway().await;
    let cases = bad_gateways().await;
    let mut routes = Routes::new();
    routes.add(Route::path("/good", good).unwrap().allow_http()).unwrap();
    for (index, (_, gateway, _)) in cases.iter().enumerate() {
        let route = Route::path(&format!("/{index}"), gateway.clone()).unwrap();
        routes.add(route.allow_http()).unwrap();
    }
    let relay = Relay::new(http_client())
        .routes(routes)
        .body_limit(LIMIT)
        .idle_timeout(Timeout::new(IDLE, TokioTimer))
        .exchange_timeout(Timeout::new(WHOLE, TokioTimer));
    let relay = start(relay, Options::default()).await;
    let client = http_client();
    let send = async |path: String| {
        let uri = format!("http://{relay}{path}");
        let request = Request::post(uri).header("content-type", "message/ohttp-req");
        let request = request.body(Full::<Bytes>::from("sealed")).unwrap();
        let answer = client.clone().oneshot(request).await.unwrap();
        let status = Status(answer.status().as_u16());
        match answer.into_body().collect().await {
            Ok(_) => status,
            Err(_) => BreaksOff,
        }
    };
    for (index, (name, _, expected)) in cases.iter().enumerate() {
        let start = Instant::now();
        assert_eq!(send(format!("/{index}")).await, *expected, "a gateway that {name}");
        assert!(start.elapsed() < 5 * WHOLE, "a gateway that {name}");
        let good = send("/good".to_owned()).await;
        assert_eq!(good, Status(200), "after a gateway that {name}");
    }
    // All at once, and again.
    let all = (0..cases.len()).map(|index| send(format!("/{index}")));
    let outcomes = futures_util::future::join_all(all).await;
    let expected: Vec<_> = cases.iter().map(|(_, _, expected)| *expected).collect();
    assert_eq!(outcomes, expected);
    assert_eq!(send("/good".to_owned()).await, Status(200));
}

async fn refusing_gateway() -> Uri {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap()
}

/// Sends its answer by the byte, for a very long time.
async fn dribbling_gateway() -> Uri {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                _ = stream.read(&mut [0; 4096]).await;
                let head = format!("{HEAD}content-length: 5000\r\n\r\n");
                _ = stream.write_all(head.as_bytes()).await;
                while stream.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(IDLE / 10).await;
                }
            });
        }
    });
    uri.parse().unwrap()
}
