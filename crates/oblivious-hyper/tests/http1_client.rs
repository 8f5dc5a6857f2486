//! HTTP/1.1 towards servers, byte by byte: what ends a response, what a connection is used for
//! afterwards, and contents that go both ways at a time.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use common::{http_client, read_request};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use oblivious_hyper::{HttpError, ResponseBody};
use oblivious_service::{BoxError, Content};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tower::ServiceExt;

/// Which connections the requests came over, by number.
type Seen = Arc<Mutex<Vec<usize>>>;

/// Gives this answer to every request, and keeps connections unless it is to close them.
async fn server(answer: &'static str, closes: bool) -> (Uri, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let noted = Arc::clone(&noted);
            tokio::spawn(async move {
                while !read_request(&mut stream).await.is_empty() {
                    noted.lock().unwrap().push(number);
                    // In two parts, at the most awkward place there is.
                    let (first, second) = answer.as_bytes().split_at(answer.len() - 1);
                    stream.write_all(first).await.unwrap();
                    tokio::task::yield_now().await;
                    stream.write_all(second).await.unwrap();
                    if closes {
                        return;
                    }
                }
            });
        }
    });
    (uri, seen)
}

async fn content(response: Response<ResponseBody>) -> Result<Bytes, HttpError> {
    response.into_body().collect().await.map(|content| content.to_bytes())
}

/// RFC 9112 §6.3, §9.3, §9.6
#[tokio::test]
async fn a_connection_is_used_again_if_nothing_speaks_against_it() {
    const OK: &str = "HTTP/1.1 200 OK\r\n";
    for (fields_and_content, closes, expected, is_used_again) in [
        ("content-length: 4\r\n\r\nabcd", false, "abcd", true),
        ("content-length: 0\r\n\r\n", false, "", true),
        ("transfer-encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n", false, "abcd", true),
        ("transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: y\r\n\r\n", false, "a", true),
        ("connection: close\r\ncontent-length: 4\r\n\r\nabcd", false, "abcd", false),
        ("\r\nabcd", true, "abcd", false),
        // RFC 9112 §9.2: what comes after a response belongs to no request.
        ("content-length: 4\r\n\r\nabcd and more", false, "abcd", false),
        ("content-length: 0\r\n\r\nmore", false, "", false),
        // RFC 9112 §6.1
        ("transfer-encoding: chunked\r\ncontent-length: 9\r\n\r\n0\r\n\r\n", false, "", false),
    ] {
        let answer = format!("{OK}{fields_and_content}").leak();
        let (uri, seen) = server(answer, closes).await;
        let client = http_client();
        for _ in 0..2 {
            let request = Request::post(&uri).body(Content::from("ask")).unwrap();
            let response = client.clone().oneshot(request).await.unwrap();
            assert_eq!(content(response).await.unwrap(), expected, "{answer:?}");
            // Until the server's end has arrived, and what should not be there.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let connections = if is_used_again { [0, 0] } else { [0, 1] };
        assert_eq!(*seen.lock().unwrap(), connections, "{answer:?}");
    }
}

/// RFC 9110 §9.3.2, §15.2, §15.3.5
#[tokio::test]
async fn responses_without_content_and_informational_ones_are_not_mistaken() {
    for (answer, method, status) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n", Method::HEAD, 200),
        ("HTTP/1.1 204 No Content\r\n\r\n", Method::POST, 204),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 4\r\n\r\n", Method::POST, 304),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\na: b\r\n\r\n\
             HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            Method::POST,
            404,
        ),
    ] {
        let (uri, seen) = server(answer, false).await;
        let client = http_client();
        for _ in 0..2 {
            let request = Request::builder().method(&method).uri(&uri).header("content-length", 0);
            let request = request.body(Content::default()).unwrap();
            let response = client.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status().as_u16(), status, "{answer:?}");
            assert_eq!(content(response).await.unwrap(), "", "{answer:?}");
        }
        assert_eq!(*seen.lock().unwrap(), [0, 0], "{answer:?}");
    }
}

/// Whoever does not want the rest of a content does not wait for it either.
#[tokio::test]
async fn a_response_that_is_dropped_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let asking = tokio::spawn(async move {
        let request = Request::post(uri).body(Content::from("ask")).unwrap();
        drop(http_client().oneshot(request).await.unwrap());
    });
    let (mut stream, _) = listener.accept().await.unwrap();
    read_request(&mut stream).await;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab").await.unwrap();
    asking.await.unwrap();
    assert_ends(&mut stream).await;
}

/// The other side sends nothing more.
async fn assert_ends(stream: &mut TcpStream) {
    let end = timeout(Duration::from_secs(10), stream.read(&mut [0; 100])).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}

type Pieces = mpsc::UnboundedSender<Result<Frame<Bytes>, BoxError>>;

/// An exchange whose request is still under way when its response begins: the rest of the request,
/// the response, and the server's side.
async fn both_ways() -> (Pieces, Response<ResponseBody>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let (pieces, rest) = mpsc::unbounded_channel();
    let rest =
        futures_util::stream::unfold(rest, async |mut rest| Some((rest.recv().await?, rest)));
    let request = Request::post(uri).body(StreamBody::new(Box::pin(rest))).unwrap();
    let asking = tokio::spawn(http_client().oneshot(request));
    let (mut stream, _) = listener.accept().await.unwrap();
    pieces.send(Ok(Frame::data("ask".into()))).unwrap();
    read_until(&mut stream, "\r\n\r\n3\r\nask\r\n").await;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab").await.unwrap();
    let response = asking.await.unwrap().unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    (pieces, response, stream)
}

async fn read_until(stream: &mut TcpStream, end: &str) {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let byte = timeout(Duration::from_secs(10), stream.read_u8()).await;
        text.push(byte.expect("it comes in time").unwrap());
    }
}

#[tokio::test]
async fn contents_go_both_ways_at_a_time() {
    let (pieces, response, mut stream) = both_ways().await;
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "ab");
    // Nobody reads the response while this goes out.
    pieces.send(Ok(Frame::data("more".into()))).unwrap();
    read_until(&mut stream, "4\r\nmore\r\n").await;
    drop(pieces);
    read_until(&mut stream, "0\r\n\r\n").await;
    stream.write_all(b"cd").await.unwrap();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "cd");
    assert!(body.frame().await.is_none());
}

/// RFC 9112 §9.5: a server may answer before it has all of a request, and read on.
#[tokio::test]
async fn a_request_goes_on_when_its_response_is_over() {
    let (pieces, response, mut stream) = both_ways().await;
    stream.write_all(b"cd").await.unwrap();
    assert_eq!(content(response).await.unwrap(), "abcd");
    pieces.send(Ok(Frame::data("more".into()))).unwrap();
    drop(pieces);
    read_until(&mut stream, "4\r\nmore\r\n0\r\n\r\n").await;
}

/// RFC 9112 §9.5
#[tokio::test]
async fn a_request_ends_when_its_server_is_gone() {
    let (pieces, response, mut stream) = both_ways().await;
    stream.write_all(b"cd").await.unwrap();
    assert_eq!(content(response).await.unwrap(), "abcd");
    drop(stream);
    timeout(Duration::from_secs(10), pieces.closed()).await.expect("nobody wants the rest");
}

/// A server that has answered and neither reads nor closes would keep it for ever.
#[tokio::test]
async fn a_request_ends_when_its_server_takes_no_more() {
    let (pieces, response, mut stream) = both_ways().await;
    stream.write_all(b"cd").await.unwrap();
    assert_eq!(content(response).await.unwrap(), "abcd");
    // More than the system holds.
    pieces.send(Ok(Frame::data(vec![b'x'; 64 << 20].into()))).unwrap();
    let taking = async {
        // It takes some from time to time, so it still wants the rest.
        for _ in 0..6 {
            tokio::time::sleep(Duration::from_secs(20)).await;
            stream.read_exact(&mut vec![0; 4 << 20]).await.unwrap();
        }
        assert!(!pieces.is_closed());
    };
    // From here on, time passes as soon as there is nothing to do.
    tokio::time::pause();
    taking.await;
    timeout(Duration::from_secs(61), pieces.closed()).await.expect("nobody takes the rest");
}

#[tokio::test]
async fn a_request_ends_when_its_response_is_dropped() {
    let (pieces, response, mut stream) = both_ways().await;
    drop(response);
    assert_ends(&mut stream).await;
    timeout(Duration::from_secs(10), pieces.closed()).await.expect("nobody wants the rest");
}

/// A server that gets only part of a request must not be able to answer it.
#[tokio::test]
async fn a_response_fails_with_its_request() {
    let (pieces, response, mut stream) = both_ways().await;
    pieces.send(Err("the disk is gone".into())).unwrap();
    let error = content(response).await.unwrap_err();
    assert!(matches!(error, HttpError::RequestBody(_)), "{error:?}");
    assert_ends(&mut stream).await;
}

/// RFC 9110 §8.6
#[tokio::test]
async fn a_request_of_another_length_than_it_says_fails() {
    let (uri, _) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false).await;
    for length in ["2", "4", "x"] {
        let request = Request::post(&uri).header("content-length", length);
        let request = request.body(Content::from("ask")).unwrap();
        let error = http_client().oneshot(request).await.unwrap_err();
        assert!(matches!(error, HttpError::RequestBody(_)), "{error:?}");
    }
}
