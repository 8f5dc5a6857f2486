//! The target: answers whatever a test needs answered, and notes what happens to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use oblivious_hyper::server;
use tokio::net::TcpListener;

/// Returned in `x-marker`, and looked for where it must not be.
pub(crate) const ANSWER_MARKER: &str = "marker-of-the-answer-7c1d";

#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    begun: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

impl Calls {
    /// How many calls to `/hang` have arrived.
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    /// How many of them were given up by the caller.
    pub(crate) fn dropped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }
}

/// A target on a free port of loopback.
pub(crate) struct Target {
    pub(crate) origin: String,
    pub(crate) calls: Calls,
}

impl Target {
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    pub(crate) async fn start_with(tls: Option<rustls::ServerConfig>) -> Self {
        let calls = Calls::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let origin = match &tls {
            Some(_) => format!("https://localhost:{port}"),
            None => format!("http://127.0.0.1:{port}"),
        };
        let router = router(calls.clone());
        tokio::spawn(server::serve(listener, tls, router, std::future::pending()));
        Self { origin, calls }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
}

fn router(calls: Calls) -> Router {
    Router::new()
        .route("/echo", any(echo))
        .route("/echo/{*path}", any(echo))
        .route("/length", any(|body: Bytes| async move { body.len().to_string() }))
        .route("/large", get(|| async { vec![b'x'; 1 << 20] }))
        .route("/gzip", get(gzip))
        .route("/binary", get(|| async { b"\0\x01\x02".to_vec() }))
        .route("/named", get(named))
        .route("/trickle", get(trickle))
        .route("/204", get(|| async { StatusCode::NO_CONTENT }))
        .route("/304", get(not_modified))
        .route("/500", get(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "it broke") }))
        .route("/cookies", get(cookies))
        .route("/redirect", get(redirect))
        .route("/redirected", get(|| async { "the redirect was followed" }))
        .route("/hang", get(hang))
        .route("/slow", get(slow))
        .with_state(calls)
        // Above what axum allows by default, for large uploads.
        .layer(axum::extract::DefaultBodyLimit::max(8 << 20))
}

/// The request, as text.
async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mut text = format!("{method} {uri}\n").into_bytes();
    for (name, value) in &headers {
        text.extend_from_slice(format!("{name}: ").as_bytes());
        text.extend_from_slice(value.as_bytes());
        text.push(b'\n');
    }
    text.push(b'\n');
    text.extend_from_slice(&body);
    ([("x-marker", ANSWER_MARKER)], text).into_response()
}

/// `compressed and plain again\n`, by gzip.
async fn gzip() -> Response {
    let content = hex::decode(
        "1f8b08000000000002034bcecf2d284a2d2e4e4d5148cc4b5128c849cccc53484c07925c00d1d2a87a1b000000",
    );
    ([("content-encoding", "gzip"), ("content-type", "text/plain")], content.unwrap())
        .into_response()
}

/// Something that has a file name of its own (RFC 6266).
async fn named() -> Response {
    let disposition = "attachment; size=5; filename=\"../a/disposed name.txt\"";
    ([("content-disposition", disposition)], "named").into_response()
}

/// A megabyte, in more than a second and a half.
async fn trickle() -> Body {
    Body::from_stream(futures::stream::unfold(0, |sent| async move {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        (sent < 16).then(|| (Ok::<_, std::io::Error>(vec![b'x'; 1 << 16]), sent + 1))
    }))
}

async fn not_modified() -> Response {
    (StatusCode::NOT_MODIFIED, [("etag", "\"one\"")]).into_response()
}

async fn cookies() -> Response {
    let cookies = [("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2, 3"), ("set-cookie", "a=4")];
    let mut response = "cookies".into_response();
    for (name, value) in cookies {
        response.headers_mut().append(name, value.parse().unwrap());
    }
    response
}

async fn redirect() -> Response {
    (StatusCode::FOUND, [("location", "/redirected")]).into_response()
}

/// Takes a while.
async fn slow(State(calls): State<Calls>) -> &'static str {
    calls.begun.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    "slow and complete"
}

/// Never answers; notes when the caller gives up.
async fn hang(State(calls): State<Calls>, _: Request<Body>) -> Response {
    struct NoteDrop(Arc<AtomicUsize>);

    impl Drop for NoteDrop {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    let _noted = NoteDrop(Arc::clone(&calls.dropped));
    calls.begun.fetch_add(1, Ordering::SeqCst);
    std::future::pending().await
}
