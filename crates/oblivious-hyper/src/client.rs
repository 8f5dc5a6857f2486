//! An HTTP client: hyper's, with what Oblivious HTTP requires.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use oblivious_service::{BoxError, Live};
use pin_project_lite::pin_project;
use thiserror::Error;
use thread_local::ThreadLocal;
use tokio::time::timeout;
use tower_service::Service;

use crate::bytes_body::BytesBody;
use crate::client_tls::ClientTls;
use crate::connector::{Connector, ProxyError};
use crate::reading_on::ReadingOn;
use crate::transfer_coding;
use crate::windows::{CONNECTION_WINDOW, STREAM_WINDOW};

/// How long an idle connection is kept. Usually shorter than servers wait, so that a request seldom
/// meets a connection that is just being closed: once a byte of it has been written, it fails with
/// that connection and is not sent again.
const IDLE_LIMIT: Duration = Duration::from_secs(20);

/// How often an HTTP/2 connection with requests under way is pinged.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// How long the answer to a ping may take.
const PING_LIMIT: Duration = Duration::from_secs(5);

/// A tower service that sends requests over HTTP/1.1 or HTTP/2, as negotiated in TLS.
///
/// It follows no redirects, adds no header fields but `host` and those that delimit the content,
/// and sends no byte of a request twice (RFC 9458 §6.5). It does not limit the time of a whole
/// exchange: the layers above do.
///
/// Clones share their connections, but each thread has its own, so that no exchange has to wake up
/// another thread.
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

impl HttpClient {
    /// A client with this TLS, for instance that of
    /// [`tls::client_config`](crate::tls::client_config). It connects to any server; a gateway
    /// needs a [guarded](Self::guarded) client instead.
    pub fn new(tls: rustls::ClientConfig) -> Self {
        Self::with_live_tls(Live::new(tls.into()))
    }

    /// Like [`new`](Self::new), with TLS that may differ between servers and can be replaced:
    /// existing connections stay as they are.
    pub fn with_live_tls(tls: Live<ClientTls>) -> Self {
        Self::connected_by(tls, Connector::unguarded())
    }

    /// A client whose connections all go through an HTTP proxy: see
    /// [`Connector::through_proxy`]. TLS sessions are not resumed, since a server would know the
    /// client again by its ticket, which a proxy is there to prevent.
    ///
    /// # Errors
    /// If the URL is not that of a proxy.
    pub fn through_proxy(mut tls: rustls::ClientConfig, proxy: Uri) -> Result<Self, ProxyError> {
        tls.resumption = rustls::client::Resumption::disabled();
        let connector = Connector::through_proxy(proxy, tls.clone())?;
        Ok(Self::with_connector(tls, connector))
    }

    /// A client that only connects where `policy` permits; the address really connected to is
    /// checked. The system looks up names.
    ///
    /// A request to a target without a permitted address fails as if the target could not be
    /// reached: the gateway answers with an encapsulated 502, which does not reveal what internal
    /// names resolve to.
    #[cfg(feature = "egress")]
    pub fn guarded(policy: oblivious_gateway::TargetPolicy, tls: rustls::ClientConfig) -> Self {
        Self::with_connector(tls, Connector::guarded(policy))
    }

    /// Like [`guarded`](Self::guarded), but with your own resolver.
    #[cfg(feature = "egress")]
    pub fn guarded_with_resolver(
        policy: oblivious_gateway::TargetPolicy,
        tls: rustls::ClientConfig,
        resolver: crate::Resolver,
    ) -> Self {
        let connector = Connector::guarded(policy).with_resolver(resolver);
        Self::with_connector(tls, connector)
    }

    /// A client whose connections are opened by `tcp`: with your own resolver, through a proxy, or
    /// to given addresses.
    pub fn with_connector(tls: rustls::ClientConfig, tcp: Connector) -> Self {
        Self::connected_by(Live::new(tls.into()), tcp)
    }

    fn connected_by(tls: Live<ClientTls>, tcp: Connector) -> Self {
        let connector = Tls(Arc::new(Connectors { tcp, tls }));
        Self { inner: Arc::new(Inner { connector, pools: ThreadLocal::new() }) }
    }

    /// The connections of this thread.
    fn pool(&self) -> &Pool {
        let Inner { connector, pools } = &*self.inner;
        pools.get_or(|| {
            Client::builder(TokioExecutor::new())
                // RFC 9458 §6.5 forbids repeating a request that may have been processed. This
                // repeats none: hyper hands back a request only if it wrote nothing of it, because
                // the idle connection chosen for it was closed already. Such a request goes out for
                // the first time, on another connection.
                .retry_canceled_requests(true)
                .timer(TokioTimer::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_LIMIT)
                // Otherwise a connection that died silently would get every request.
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
    tls: Live<ClientTls>,
}

impl Service<Uri> for Tls {
    type Response = <HttpsConnector<ReadingOn> as Service<Uri>>::Response;
    type Error = <HttpsConnector<ReadingOn> as Service<Uri>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Connectors { tcp, tls } = &*self.0;
        let https = HttpsConnectorBuilder::new().with_tls_config(tls.current().of(&uri));
        let https = https.https_or_http();
        let mut connector = match tcp.needs_http1(&uri) {
            true => https.enable_http1().wrap_connector(ReadingOn(tcp.clone())),
            false => https.enable_all_versions().wrap_connector(ReadingOn(tcp.clone())),
        };
        let (connecting, limit) = (connector.call(uri), tcp.connect_timeout());
        // hyper continues to open a connection that nobody waits for any more, so the caller's
        // limits do not end one whose server says nothing.
        Box::pin(async move {
            let limited = timeout(limit, connecting).await;
            limited.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
        })
    }
}

impl<B> Service<Request<B>> for HttpClient
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Incoming>;
    type Error = HttpError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), HttpError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> ResponseFuture {
        if expects_length(request.method(), request.headers()) && request.body().is_end_stream() {
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
        }
        let request = request.map(|body| UnsyncBoxBody::new(BytesBody::new(body)));
        ResponseFuture { inner: self.pool().request(request) }
    }
}

/// Whether the server expects to be told that there is no content, and is not. RFC 9110 §8.6
/// requires it for methods that give content a meaning, and many servers answer 411 otherwise.
fn expects_length(method: &Method, headers: &HeaderMap) -> bool {
    // These give content no meaning, or seldom do; any other method may.
    !matches!(
        *method,
        Method::GET
            | Method::HEAD
            | Method::DELETE
            | Method::OPTIONS
            | Method::TRACE
            | Method::CONNECT
    ) && !headers.contains_key(CONTENT_LENGTH)
        && !headers.contains_key(TRANSFER_ENCODING)
}

/// Why there is no response.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The server was not reached, broke off, or sent no HTTP.
    #[error(transparent)]
    Failed(#[from] legacy::Error),
    /// The content has an unsupported transfer coding (RFC 9112 §6.1).
    #[error("the response has a transfer coding other than `chunked`")]
    TransferCoding,
}

pin_project! {
    /// A response to come.
    pub struct ResponseFuture {
        #[pin]
        inner: legacy::ResponseFuture,
    }
}

impl Future for ResponseFuture {
    type Output = Result<Response<Incoming>, HttpError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().inner.poll(cx))?;
        if transfer_coding::is_coded(response.headers()) {
            return Poll::Ready(Err(HttpError::TransferCoding));
        }
        Poll::Ready(Ok(response))
    }
}
