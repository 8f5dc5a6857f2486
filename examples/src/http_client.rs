//! The HTTP client of the programs: hyper's, with what Oblivious HTTP asks of it.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, Error, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use oblivious_http::service::BoxError;
use thread_local::ThreadLocal;
use tower_service::Service;

use crate::egress::Connector;
use crate::pieces::Pieces;
use crate::server::{CONNECTION_WINDOW, STREAM_WINDOW};

/// How long an idle connection is kept. Shorter than servers wait, as a rule, so that a request
/// seldom meets a connection that is just being closed: it would not be sent again.
const IDLE_LIMIT: Duration = Duration::from_secs(20);

/// How often an HTTP/2 connection with requests under way is tried.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// How long the answer to that may take.
const PING_LIMIT: Duration = Duration::from_secs(5);

/// A tower service that sends requests over HTTP/1.1 or HTTP/2, as TLS agrees.
///
/// It follows no redirects, adds no header fields but `host`, and sends no request twice
/// (RFC 9458 §6.5), not even one that an idle connection lost. It has no limit on the time that a
/// whole exchange takes: the layers above have.
///
/// Clones share their connections, and each thread has its own: what a thread asks for is answered
/// without another one having to wake up.
#[derive(Clone)]
pub struct HttpClient {
    inner: Arc<Inner>,
}

struct Inner {
    connector: Tls,
    pools: ThreadLocal<Pool>,
}

/// hyper's client with its connections.
type Pool = Client<Tls, UnsyncBoxBody<Bytes, BoxError>>;

/// A client with this TLS, for instance that of [`tls::client_config`](crate::tls::client_config).
pub fn new(tls: rustls::ClientConfig) -> HttpClient {
    with_connector(tls, Connector::unguarded())
}

pub(crate) fn with_connector(tls: rustls::ClientConfig, tcp: Connector) -> HttpClient {
    let connector = |tls| HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    let http1 = connector(tls.clone()).enable_http1().wrap_connector(tcp.clone());
    let any = connector(tls).enable_all_versions().wrap_connector(tcp.clone());
    let connector = Tls(Arc::new(Connectors { tcp, http1, any }));
    HttpClient { inner: Arc::new(Inner { connector, pools: ThreadLocal::new() }) }
}

impl HttpClient {
    /// The connections of this thread.
    fn pool(&self) -> &Pool {
        let Inner { connector, pools } = &*self.inner;
        pools.get_or(|| {
            Client::builder(TokioExecutor::new())
                // RFC 9458 §6.5 forbids to repeat a request that may have been processed. hyper
                // hands one back only if nothing of it was written, because the idle connection
                // chosen for it had been closed; and only such a one goes out again, on another
                // connection.
                .retry_canceled_requests(true)
                .timer(TokioTimer::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_LIMIT)
                // A connection that is dead without saying so would get every request.
                .http2_keep_alive_interval(PING_INTERVAL)
                .http2_keep_alive_timeout(PING_LIMIT)
                .http2_initial_stream_window_size(STREAM_WINDOW)
                .http2_initial_connection_window_size(CONNECTION_WINDOW)
                .build(connector.clone())
        })
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

/// Connects, and agrees on the version of HTTP. hyper clones it for every request.
#[derive(Clone)]
struct Tls(Arc<Connectors>);

struct Connectors {
    tcp: Connector,
    http1: HttpsConnector<Connector>,
    any: HttpsConnector<Connector>,
}

impl Service<Uri> for Tls {
    type Response = <HttpsConnector<Connector> as Service<Uri>>::Response;
    type Error = <HttpsConnector<Connector> as Service<Uri>>::Error;
    type Future = <HttpsConnector<Connector> as Service<Uri>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Connectors { tcp, http1, any } = &*self.0;
        if tcp.needs_http1(&uri) { http1.clone().call(uri) } else { any.clone().call(uri) }
    }
}

impl<B> Service<Request<B>> for HttpClient
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Incoming>;
    type Error = Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        self.pool().request(request.map(|body| UnsyncBoxBody::new(Pieces::whole(body))))
    }
}
