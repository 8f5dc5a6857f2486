//! Servers in the background, and gateways that speak as they are told to.

// Each test file uses a part of this.
#![allow(dead_code)]

use std::convert::Infallible;
use std::net::SocketAddr;

use http::{Request, Response, Uri};
use oblivious_hyper::server::{Options, serve_with};
use oblivious_hyper::{HttpClient, RequestBody, tls};
use oblivious_service::BoxError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tower::Service;

/// Serves until the test ends.
pub(crate) async fn start<S, B>(service: S, options: Options) -> SocketAddr
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_with(listener, options, service, std::future::pending()));
    address
}

pub(crate) fn http_client() -> HttpClient {
    HttpClient::new(tls::client_config(None).unwrap())
}

/// A gateway that sends these bytes to all who connect, and then does no more.
pub(crate) async fn raw_gateway(answer: impl Into<Vec<u8>>, closes: bool) -> Uri {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/gateway", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            _ = stream.write_all(&answer).await;
            if !closes {
                held.push(stream);
            }
        }
    });
    uri.parse().unwrap()
}

/// A gateway that hands out the exact bytes of each request, one on a connection.
pub(crate) async fn recording_gateway() -> (Uri, mpsc::UnboundedReceiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/gateway", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = read_request(&mut stream).await;
            let chunked = request.windows(17).any(|part| part == b"ohttp-chunked-req");
            let kind = if chunked { "message/ohttp-chunked-res" } else { "message/ohttp-res" };
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: 2\r\n\
                 connection: close\r\n\r\nok"
            );
            // Whoever does not want to know has dropped the receiver.
            _ = sender.send(request);
            _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (uri.parse().unwrap(), receiver)
}

/// The bytes of one request, to the end of its content.
pub(crate) async fn read_request(stream: &mut TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    while !is_whole(&request) {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            break;
        }
    }
    request
}

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|part| part == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let content = &request[end + 4..];
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    match length {
        Some(length) => content.len() >= length.parse().unwrap(),
        None => content.ends_with(b"0\r\n\r\n"),
    }
}

/// A connection from an address of its own.
pub(crate) async fn connect_from(own: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{own}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

/// Sends a request over HTTP/1.1 and reads to the end of the connection.
pub(crate) async fn ask(mut stream: TcpStream, request: &[u8]) -> String {
    _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}
