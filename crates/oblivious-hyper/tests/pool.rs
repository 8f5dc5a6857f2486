//! Which connections an HTTP client uses: nothing about them tells a server who asks.

mod common;

use std::collections::HashSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use http::{Request, Response, Uri};
use oblivious_hyper::server::{Options, PeerAddr};
use oblivious_hyper::{HttpClient, RequestBody, Workers, self_signed, tls};
use oblivious_service::{Content, Live, collect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tower::{ServiceExt, service_fn};

/// What a server has seen of the connections to it.
type Seen = Arc<Mutex<Vec<SocketAddr>>>;

/// A server that answers each request once `together` of them have come.
async fn server(options: Options, together: usize) -> (SocketAddr, Seen) {
    let seen = Seen::default();
    let (noted, barrier) = (Arc::clone(&seen), Arc::new(Barrier::new(together)));
    let service = service_fn(move |request: Request<RequestBody>| {
        noted.lock().unwrap().push(request.extensions().get::<PeerAddr>().unwrap().0);
        let barrier = Arc::clone(&barrier);
        async move {
            if request.uri().path() == "/together" {
                barrier.wait().await;
            }
            Ok::<_, Infallible>(Response::new(Content::from("answer")))
        }
    });
    (common::start(service, options).await, seen)
}

async fn ask(client: HttpClient, uri: Uri) {
    let response = client.oneshot(Request::post(uri).body(Content::from("ask")).unwrap()).await;
    assert_eq!(collect(response.unwrap().into_body(), 100).await.unwrap().data, "answer");
}

fn different(seen: &Seen) -> usize {
    seen.lock().unwrap().iter().collect::<HashSet<_>>().len()
}

/// Asks from one thread after the other.
fn ask_from_threads(workers: &[Workers], client: &HttpClient, uri: &Uri) {
    for worker in workers {
        let (sender, receiver) = mpsc::channel();
        let (client, uri) = (client.clone(), uri.clone());
        worker.idlest().spawn(async move {
            ask(client, uri).await;
            // Whoever dropped the receiver has failed already.
            let _ = sender.send(());
        });
        receiver.recv_timeout(Duration::from_secs(20)).unwrap();
    }
}

/// RFC 9458 §6.2: if each thread had connections of its own, a gateway would see which requests
/// come from clients of the same thread.
#[tokio::test(flavor = "multi_thread")]
async fn threads_share_connections() {
    let (config, ca) = self_signed(&["localhost"]).unwrap();
    for (tls, scheme) in [(None, "http"), (Some(Live::new(config)), "https")] {
        let (address, seen) = server(Options { tls, ..Options::default() }, 1).await;
        let uri: Uri = format!("{scheme}://localhost:{}/", address.port()).parse().unwrap();
        let client = HttpClient::new(tls::client_config(Some(&ca)).unwrap());
        let asking = tokio::task::spawn_blocking(move || {
            let workers = [0; 3].map(|_| Workers::start(NonZeroUsize::new(1)).unwrap());
            for _ in 0..3 {
                ask_from_threads(&workers, &client, &uri);
            }
        });
        asking.await.unwrap();
        assert_eq!(seen.lock().unwrap().len(), 9);
        assert_eq!(different(&seen), 1, "{scheme}");
    }
}

/// RFC 9458 §6.2: a client that asks again must not be known by its connection.
#[tokio::test]
async fn a_client_gets_any_connection() {
    const CONNECTIONS: usize = 8;
    let (address, seen) = server(Options::default(), CONNECTIONS).await;
    let client = common::http_client();
    let uri = |path: &str| format!("http://{address}{path}").parse::<Uri>().unwrap();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        asking.spawn(ask(client.clone(), uri("/together")));
    }
    asking.join_all().await;
    assert_eq!(different(&seen), CONNECTIONS);
    seen.lock().unwrap().clear();
    // That this one does not get all of them has a chance of less than 1 in 10^10.
    for _ in 0..200 {
        ask(client.clone(), uri("/")).await;
    }
    assert_eq!(different(&seen), CONNECTIONS);
}

/// The request is not lost: nothing of it has been written (RFC 9458 §6.5).
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_the_server_closed_is_not_used_by_another_thread() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let client = common::http_client();
    let serving = tokio::spawn(async move {
        for _ in 0..3 {
            drop(accept_and_answer(&listener).await);
        }
    });
    let asking = tokio::task::spawn_blocking(move || {
        for _ in 0..3 {
            let worker = [Workers::start(NonZeroUsize::new(1)).unwrap()];
            ask_from_threads(&worker, &client, &uri);
            // Until the end of the connection has arrived.
            thread::sleep(Duration::from_millis(50));
        }
    });
    asking.await.unwrap();
    serving.await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let serving = tokio::spawn(async move {
        let mut stream = accept_and_answer(&listener).await;
        // Up to the end of the connection.
        stream.read_to_end(&mut Vec::new()).await
    });
    let client = common::http_client();
    ask(client.clone(), uri).await;
    assert!(!serving.is_finished());
    // From here on, time passes as soon as there is nothing to do.
    tokio::time::pause();
    tokio::time::timeout(Duration::from_secs(21), serving).await.unwrap().unwrap().unwrap();
    drop(client);
}

/// Answers one request, and hands out its connection, which it has promised to keep.
async fn accept_and_answer(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\nask") {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nanswer").await.unwrap();
    stream
}
