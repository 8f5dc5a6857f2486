//! HTTP/1.1 towards clients, byte by byte: what is refused, what a connection is used for afterwards,
//! and contents that go both ways at a time.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use oblivious_hyper::server::{Options, serve_with};
use oblivious_hyper::{RequestBody, RequestBodyError};
use oblivious_service::BoxError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tower::service_fn;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

const SOON: Duration = Duration::from_millis(200);

type Answer = Response<BoxBody<Bytes, BoxError>>;

fn answer(content: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(content.into()).map_err(|never| match never {}).boxed())
}

/// Starts a server, which ends when the sender does.
async fn server<F>(
    options: Options,
    serve: impl Fn(Request<RequestBody>) -> F + Clone + Send + 'static,
) -> (SocketAddr, oneshot::Sender<()>)
where
    F: Future<Output = Answer> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let service = service_fn(move |request| {
        let answer = serve(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let stopped = async { _ = stopped.await };
    tokio::spawn(async move { serve_with(listener, options, service, stopped).await });
    (address, stop)
}

/// Answers with what it was asked, or why that broke off.
async fn echo(request: Request<RequestBody>) -> Answer {
    let (head, body) = request.into_parts();
    match body.collect().await {
        Ok(content) => {
            let trailers = content.trailers().map_or(0, HeaderMap::len);
            let content = content.to_bytes();
            let content = String::from_utf8_lossy(&content);
            answer(format!("{} {} {content} {trailers}", head.method, head.uri))
        }
        Err(error) => answer(error.to_string()),
    }
}

/// Sends `request` over a connection of its own, in `parts` at these places, and reads all that
/// comes until the server closes it.
async fn exchange(address: SocketAddr, request: &[u8], cuts: &[usize]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut begin = 0;
    for &cut in cuts {
        stream.write_all(&request[begin..cut]).await.unwrap();
        // The server gets to see that this is all so far.
        sleep(Duration::from_millis(2)).await;
        begin = cut;
    }
    // It may have been refused already.
    _ = stream.write_all(&request[begin..]).await;
    let mut text = Vec::new();
    timeout(LONG, stream.read_to_end(&mut text)).await.expect("it stays open").unwrap();
    String::from_utf8(text).unwrap()
}

/// The status and the content of each response in a text.
fn responses(mut text: &str) -> Vec<(u16, String)> {
    let mut responses = Vec::new();
    while !text.is_empty() {
        let (head, rest) = text.split_once("\r\n\r\n").unwrap();
        let length = head
            .split_once("content-length: ")
            .map_or(0, |(_, length)| length.split("\r\n").next().unwrap().parse().unwrap());
        let (content, rest) = rest.split_at(length);
        responses.push((head[9..12].parse().unwrap(), content.to_owned()));
        text = rest;
    }
    responses
}

/// RFC 9112 §2.2, §9.3, §9.3.2
#[tokio::test]
async fn requests_are_answered_one_after_the_other_however_they_arrive() {
    let (address, _stop) = server(Options::default(), echo).await;
    let requests = b"\r\n\r\nPOST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc\
        \r\nPOST /b HTTP/1.1\nhost: a\ntransfer-encoding: chunked\n\n\
        2;x=y\r\nde\r\n1\r\nf\r\n0\r\nt: u\r\n\r\n\
        GET http://a/c HTTP/1.1\r\nhost: a\r\n\r\n\
        OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: Close\r\n\r\n\
        GET /never HTTP/1.1\r\nhost: a\r\n\r\n";
    let expected = ["POST /a abc 0", "POST /b def 1", "GET http://a/c  0", "OPTIONS *  0"];
    let expected = expected.map(|content| (200, content.to_owned()));
    assert_eq!(responses(&exchange(address, requests, &[]).await), expected);
    let ends = requests.len() - 40;
    for step in [1, 7, 16, 61] {
        let cuts: Vec<_> = (1..ends).step_by(step).collect();
        assert_eq!(responses(&exchange(address, requests, &cuts).await), expected, "{step}");
    }
}

/// RFC 9112 §3.2, §6.1, §6.3; RFC 9110 §15.5.18
#[tokio::test]
async fn what_is_not_a_request_is_refused_with_a_reason_and_nothing_after_it_is_served() {
    let (address, _stop) = server(Options::default(), echo).await;
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n", "y".repeat(64 * 1024));
    for (request, status, reason) in [
        ("GET", 400, "cannot be read"),
        ("GET / HTTP/1.1\r\n", 400, "host"),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n", 400, "host"),
        ("GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 2\r\n", 400, "content-length"),
        ("GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n", 400, "chunked"),
        (
            "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n",
            400,
            "both",
        ),
        ("GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n", 501, "coding"),
        ("GET / HTTP/1.1\r\nhost: a\r\nexpect: x\r\n", 417, "100-continue"),
        ("GET / HTTP/3.0\r\nhost: a\r\n", 505, "version"),
        (&long, 431, "too long"),
    ] {
        // More than fits into the buffers of the system: the answer must not be lost for it.
        let more = "GET /never HTTP/1.1\r\nhost: a\r\n\r\n".repeat(100_000);
        let text = exchange(address, format!("{request}\r\n{more}").as_bytes(), &[]).await;
        assert!(text.contains("\r\nconnection: close\r\n"), "{text:?}");
        let responses = responses(&text);
        assert_eq!(responses.len(), 1, "{request:?}");
        assert_eq!(responses[0].0, status, "{request:?}");
        assert!(responses[0].1.contains(reason), "{responses:?}");
    }
    // Who speaks TLS here waits for an answer.
    let responses = responses(&exchange(address, b"\x16\x03\x01\x02", &[]).await);
    assert_eq!(responses[0].0, 400);
}

/// RFC 9112 §7.1, §8
#[tokio::test]
async fn a_content_that_is_not_chunked_is_told_and_the_connection_is_closed() {
    let (address, _stop) = server(Options::default(), echo).await;
    let request = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n\
        0\r\n\r\nGET /never HTTP/1.1\r\nhost: a\r\n\r\n";
    let text = exchange(address, request, &[]).await;
    assert!(text.contains("\r\nconnection: close\r\n"), "{text:?}");
    let responses = responses(&text);
    assert_eq!(responses.len(), 1);
    assert!(responses[0].1.contains("a chunk does not end where it says"), "{responses:?}");
}

/// RFC 9110 §10.1.1
#[tokio::test]
async fn a_client_that_waits_is_told_to_go_on_if_its_content_is_wanted() {
    let serve = |request: Request<RequestBody>| async {
        if request.uri() == "/no" { answer("no") } else { echo(request).await }
    };
    let (address, _stop) = server(Options::default(), serve).await;
    let head = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n")
    };
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        stream.write_all(format!("{}\r\n", head("/yes")).as_bytes()).await.unwrap();
        let mut told = [0; 25];
        timeout(LONG, stream.read_exact(&mut told)).await.unwrap().unwrap();
        assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(b"abc").await.unwrap();
        let mut text = Vec::new();
        while !text.ends_with(b"POST /yes abc 0") {
            assert_ne!(timeout(LONG, stream.read_buf(&mut text)).await.unwrap().unwrap(), 0);
        }
    }
    // Who does not wait needs not be told.
    let request = format!("{}connection: close\r\n\r\nabc", head("/yes"));
    let told = responses(&exchange(address, request.as_bytes(), &[]).await);
    assert_eq!(told, [(200, "POST /yes abc 0".to_owned())]);
    // Whether the content comes is open: nothing else can follow.
    let text = exchange(address, format!("{}\r\n", head("/no")).as_bytes(), &[]).await;
    assert!(text.contains("\r\nconnection: close\r\n"), "{text:?}");
    assert_eq!(responses(&text), [(200, "no".to_owned())]);
}

/// RFC 9110 §9.3.2, §15.3.5; RFC 9112 §6.3
#[tokio::test]
async fn a_response_ends_where_its_request_lets_it() {
    let serve = |request: Request<RequestBody>| async move {
        let parts = ["abc", "def"].map(|part| Ok(Frame::data(Bytes::from(part))));
        let body = StreamBody::new(futures_util::stream::iter(parts));
        let mut response = Response::new(BodyExt::boxed(body));
        if request.uri() == "/204" {
            *response.status_mut() = http::StatusCode::NO_CONTENT;
        }
        response
    };
    let (address, _stop) = server(Options::default(), serve).await;
    let requests = b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\nGET /204 HTTP/1.1\r\nhost: a\r\n\r\n\
        GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let text = exchange(address, requests, &[]).await;
    let contents: Vec<_> = text.split("HTTP/1.1 ").skip(1).collect();
    assert!(contents[0].ends_with("\r\n\r\n") && contents[1].ends_with("\r\n\r\n"), "{text:?}");
    assert!(contents[2].ends_with("\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"), "{text:?}");
    let text = exchange(address, b"GET / HTTP/1.0\r\n\r\n", &[]).await;
    assert!(text.contains("connection: close") && text.ends_with("\r\n\r\nabcdef"), "{text:?}");
}

/// A server that answers at once and reads on elsewhere, and what it has read.
async fn reads_on() -> (SocketAddr, mpsc::Receiver<Result<Bytes, RequestBodyError>>, impl Sized) {
    let (read, reading) = mpsc::channel(1);
    let serve = move |request: Request<RequestBody>| {
        let read = read.clone();
        tokio::spawn(async move {
            let content = request.into_body().collect().await;
            _ = read.send(content.map(|content| content.to_bytes())).await;
        });
        async { answer("early") }
    };
    let (address, stop) = server(Options::default(), serve).await;
    (address, reading, stop)
}

async fn read_until(stream: &mut TcpStream, end: &[u8]) {
    let mut text = Vec::new();
    while !text.ends_with(end) {
        let read = timeout(LONG, stream.read_buf(&mut text)).await.unwrap().unwrap();
        assert_ne!(read, 0, "{:?}", String::from_utf8_lossy(&text));
    }
}

#[tokio::test]
async fn a_request_may_go_on_after_its_response_and_the_connection_after_both() {
    let (address, mut reading, _stop) = reads_on().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        let head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 200000\r\n\r\n";
        stream.write_all(head).await.unwrap();
        read_until(&mut stream, b"early").await;
        stream.write_all(&[b'x'; 200_000]).await.unwrap();
        let content = timeout(LONG, reading.recv()).await.unwrap().unwrap().unwrap();
        assert_eq!(content.len(), 200_000);
    }
}

#[tokio::test]
async fn a_reader_of_a_request_that_breaks_off_is_told() {
    let (address, mut reading, _stop) = reads_on().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc").await.unwrap();
    read_until(&mut stream, b"early").await;
    drop(stream);
    let content = timeout(LONG, reading.recv()).await.unwrap().unwrap();
    assert!(matches!(content, Err(RequestBodyError::BrokeOff(_))), "{content:?}");
}

/// Tells that it was dropped: the channel closes.
struct Held(#[expect(dead_code)] mpsc::Sender<()>);

#[tokio::test]
async fn a_client_that_goes_away_ends_what_it_asked_for() {
    for request in ["", "content-length: 9\r\n"] {
        let (held, mut dropped) = mpsc::channel(1);
        let (begun, mut has_begun) = mpsc::channel(1);
        let held = Arc::new(Mutex::new(Some(Held(held))));
        let serve = move |request: Request<RequestBody>| {
            let (held, begun) = (held.lock().unwrap().take(), begun.clone());
            async move {
                begun.send(()).await.unwrap();
                _ = request.into_body().collect().await.unwrap();
                std::future::pending::<()>().await;
                drop(held);
                answer("")
            }
        };
        let (address, _stop) = server(Options::default(), serve).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("POST / HTTP/1.1\r\nhost: a\r\n{request}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        timeout(LONG, has_begun.recv()).await.unwrap().unwrap();
        drop(stream);
        assert_eq!(timeout(LONG, dropped.recv()).await, Ok(None), "{request:?}");
    }
}

#[tokio::test]
async fn a_content_is_read_no_faster_than_it_is_wanted() {
    let (go_on, wait) = oneshot::channel();
    let wait = Arc::new(Mutex::new(Some(wait)));
    let serve = move |request: Request<RequestBody>| {
        let wait = wait.lock().unwrap().take().unwrap();
        async move {
            wait.await.unwrap();
            let content = request.into_body().collect().await.unwrap().to_bytes();
            answer(content.len().to_string())
        }
    };
    let (address, _stop) = server(Options::default(), serve).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    const LENGTH: usize = 64 << 20;
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {LENGTH}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let content = vec![0; LENGTH];
    let mut sending = std::pin::pin!(stream.write_all(&content));
    assert!(timeout(SOON, &mut sending).await.is_err(), "more was read than the system buffers");
    go_on.send(()).unwrap();
    timeout(LONG, sending).await.unwrap().unwrap();
    read_until(&mut stream, LENGTH.to_string().as_bytes()).await;
}

/// A client that would send for ever gets its answer, and is cut off.
#[tokio::test]
async fn an_unwanted_content_is_thrown_away_for_a_while() {
    let (address, _stop) = server(Options::default(), |_| async { answer("enough") }).await;
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let sending = tokio::spawn(async move {
        writer
            .write_all(b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
            .await?;
        let chunk = [b"10000\r\n", &[b'x'; 0x10000][..], b"\r\n"].concat();
        loop {
            writer.write_all(&chunk).await?;
        }
        #[expect(unreachable_code)]
        std::io::Result::Ok(())
    });
    let mut text = Vec::new();
    while !text.ends_with(b"enough") {
        assert_ne!(timeout(LONG, reader.read_buf(&mut text)).await.unwrap().unwrap(), 0);
    }
    assert!(timeout(LONG, sending).await.unwrap().unwrap().is_err());
}

#[tokio::test]
async fn heads_have_a_limit_of_time() {
    let options = Options { head_timeout: SOON, ..Options::default() };
    let (address, _stop) = server(options, echo).await;
    for beginning in ["", "GET / HTTP/1.1\r\nhost", "PRI * HTT"] {
        assert_eq!(exchange(address, beginning.as_bytes(), &[]).await, "", "{beginning:?}");
    }
    let text = exchange(address, b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET", &[]).await;
    assert_eq!(responses(&text).len(), 1);
}

#[tokio::test]
async fn a_server_that_stops_answers_what_has_begun_to_arrive() {
    let (address, stop) = server(Options::default(), echo).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    read_until(&mut idle, b"GET /  0").await;
    let new = TcpStream::connect(address).await.unwrap();
    let mut begun = TcpStream::connect(address).await.unwrap();
    begun.write_all(b"POST / HTTP/1.1\r\nhost: a\r\n").await.unwrap();
    sleep(SOON).await;
    drop(stop);
    for mut stream in [idle, new] {
        let mut nothing = Vec::new();
        assert_eq!(timeout(LONG, stream.read_to_end(&mut nothing)).await.unwrap().unwrap(), 0);
    }
    begun.write_all(b"content-length: 3\r\n\r\nabc").await.unwrap();
    let mut text = String::new();
    timeout(LONG, begun.read_to_string(&mut text)).await.unwrap().unwrap();
    assert!(text.contains("\r\nconnection: close\r\n"), "{text:?}");
    assert_eq!(responses(&text), [(200, "POST / abc 0".to_owned())]);
}
