//! Servers that answer before they have read the request, and then close the connection.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use oblivious_hyper::{HttpClient, tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::ServiceExt;

/// So much that no buffer on the way takes all of it.
const LENGTH: usize = 6_000_000;

/// What is wrong here goes wrong now and then.
const ROUNDS: usize = 100;

/// Reads a part of each request, answers, and closes the connection with the rest unread: the
/// client's system is told so by a reset.
async fn hasty_server(read: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut part = vec![0; read];
                stream.read_exact(&mut part).await.unwrap();
                let answer = "HTTP/1.1 413 Content Too Large\r\nconnection: close\r\n\
                              content-length: 8\r\n\r\ntoo long";
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
        }
    });
    address
}

/// RFC 9112 §9.6: an answer that came is read, even if the request cannot be sent any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_came_counts_though_the_request_cannot_be_sent() {
    for read in [1000, 100_000, 2_000_000] {
        let server = hasty_server(read).await;
        let client = HttpClient::new(tls::client_config(None).unwrap());
        let mut lost = 0;
        for _ in 0..ROUNDS {
            let request = Request::post(format!("http://{server}/"));
            let body = Full::new(Bytes::from(vec![0; LENGTH]));
            let asking = client.clone().oneshot(request.body(body).unwrap());
            let answer = tokio::time::timeout(Duration::from_secs(10), asking).await.unwrap();
            let Ok(answer) = answer else {
                lost += 1;
                continue;
            };
            assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
            if answer.into_body().collect().await.is_err() {
                lost += 1;
            }
        }
        assert_eq!(lost, 0, "of {ROUNDS}, after {read} bytes");
    }
}
