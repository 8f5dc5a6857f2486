//! Who may send to a gateway, and how a server ends, over real sockets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use axum::{Router, routing::any};
use oblivious_hyper::Credentials;
use oblivious_hyper::server::{Options, serve_with};
use oblivious_service::Live;
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use tower::{ServiceExt, service_fn};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Sends one request and reads the response to the end of the connection.
async fn ask(address: std::net::SocketAddr, head: String) -> String {
    tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "{head}\r\nhost: a\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_post_needs_the_token_and_it_goes_no_further() {
    let file = std::env::temp_dir().join(format!("oblivious-http-{}-tokens", std::process::id()));
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let credentials = Live::new(Credentials::read(false, Some(&file)).unwrap());
    std::fs::write(&file, "short-secret\n").unwrap();
    let error = Credentials::read(false, Some(&file)).err().unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(!format!("{error:#}").contains("short-secret"));

    let seen = |headers: axum::http::HeaderMap| async move {
        assert!(!headers.contains_key("authorization"));
        "served"
    };
    let router = Router::new().route("/", any(seen));
    let guard = credentials.clone();
    let app = service_fn(move |mut request| {
        let (refusal, router) = (guard.current().refusal(&mut request), router.clone());
        async move {
            match refusal {
                Some(refusal) => Ok(refusal.map(axum::body::Body::new)),
                None => router.oneshot(request).await,
            }
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_with(listener, Options::default(), app, std::future::pending()));

    let authorized = format!("POST / HTTP/1.1\r\nauthorization: Bearer {TOKEN}");
    assert!(ask(address, authorized.clone()).await.ends_with("served"));
    assert!(ask(address, "GET / HTTP/1.1".into()).await.ends_with("served"));
    let refused = ask(address, "POST / HTTP/1.1".into()).await;
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    // Replaced credentials count from the next request on: no connection here can show one.
    credentials.replace(Credentials::read(true, None).unwrap());
    assert!(ask(address, authorized).await.starts_with("HTTP/1.1 401 "));
}

/// What is asked of a server that is told to end in the middle of answering.
async fn end_while_answering(drain_timeout: Duration, finish: bool) -> String {
    let (begun, go_on) = (std::sync::Arc::new(Notify::new()), std::sync::Arc::new(Notify::new()));
    let (begin, wait) = (begun.clone(), go_on.clone());
    let answer = move || async move {
        begin.notify_one();
        wait.notified().await;
        "finished"
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let options = Options { drain_timeout, ..Options::default() };
    let app = Router::new().route("/", any(answer));
    let server = tokio::spawn(serve_with(listener, options, app, async {
        let _ = stopped.await;
    }));
    let asked = tokio::spawn(ask(address, "GET / HTTP/1.1".into()));
    begun.notified().await;
    stop.send(()).unwrap();
    if finish {
        // The listener is gone at once, while the answer is still to come.
        while TcpStream::connect(address).is_ok() {
            tokio::task::yield_now().await;
        }
        go_on.notify_one();
    }
    server.await.unwrap();
    asked.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_finishes_within_the_limit_and_no_later() {
    let finished = end_while_answering(Duration::from_secs(60), true).await;
    assert!(finished.ends_with("finished"), "{finished}");
    assert_eq!(end_while_answering(Duration::from_millis(50), false).await, "");
}
