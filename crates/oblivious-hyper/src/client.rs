//! An HTTP client that does what Oblivious HTTP requires, and nothing more.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use oblivious_service::{BoxError, Live};
use tower_service::Service;

use crate::bytes_body::{BytesBody, Outgoing};
use crate::client_tls::ClientTls;
use crate::connection::Connectors;
use crate::connector::{Connector, ProxyError};
use crate::http_error::HttpError;
use crate::http2_connection::AskError;
use crate::pool::{Pool, Pooled, Server};
use crate::response_body::{ResponseBody, Reuse};

/// A tower service that sends requests over HTTP/1.1 or HTTP/2, as negotiated in TLS.
///
/// It follows no redirects, adds no header fields but `host` and those that delimit the content,
/// and sends no byte of a request twice (RFC 9458 §6.5). It does not limit the time of a whole
/// exchange: the layers above do.
///
/// Clones share their connections, whichever threads they are on. A request gets any of those that
/// are free, at random, so that its connection does not tell a server whose it is. Only a thread
/// with at least eight exchanges under way, which hide each other, prefers its own: a connection
/// that moves to another thread costs about half as much as an exchange. A [guarded](Self::guarded)
/// client is that of a gateway, which does not know whose requests are; there each thread has
/// connections of its own.
#[derive(Clone)]
pub struct HttpClient {
    inner: Arc<Inner>,
}

struct Inner {
    connectors: Connectors,
    pool: Arc<Pool>,
}

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
        let pool = Arc::new(Pool::new(!tcp.is_guarded()));
        let connectors = Connectors { tcp, tls };
        Self { inner: Arc::new(Inner { connectors, pool }) }
    }
}

impl Inner {
    #[expect(clippy::manual_async_fn, reason = "an async function holds its arguments twice")]
    fn request(
        self: Arc<Self>,
        mut request: Request<Outgoing>,
    ) -> impl Future<Output = Result<Response<ResponseBody>, HttpError>> + Send + 'static {
        async move {
            let server = server(request.uri())?;
            loop {
                let (connection, is_used) = match self.pool.take(&server) {
                    Some(connection) => (connection, true),
                    // Seldom and large, so it is boxed and takes no room in every request.
                    None => Box::pin(self.connect(&server)).await?,
                };
                // RFC 9458 §6.5 forbids repeating a request that may have been processed. One of
                // which nothing was written, because the connection chosen for it was closed
                // already, goes out for the first time on another.
                match connection {
                    Pooled::Http1(mut connection) => {
                        if connection.is_open().await {
                            let mut asking = connection.send(request)?;
                            let head = poll_fn(|cx| asking.poll_answered(cx)).await?;
                            let answered = asking.answered(head);
                            let reuse = Reuse { pool: Arc::clone(&self.pool), server };
                            let (response, body) = ResponseBody::http1(answered, reuse);
                            return Ok(response.map(|()| body));
                        }
                    }
                    Pooled::Http2(connection) => match connection.ask(request).await {
                        Ok(response) if response.headers().contains_key(TRANSFER_ENCODING) => {
                            return Err(HttpError::TransferCoding);
                        }
                        Ok(response) => return Ok(response.map(ResponseBody::http2)),
                        Err(AskError::Unsent(unsent)) => request = *unsent,
                        Err(AskError::Failed(error)) => return Err(error),
                    },
                }
                if !is_used {
                    return Err(HttpError::unused());
                }
            }
        }
    }

    /// A new connection; or one that has been in use, if there is one after all.
    async fn connect(&self, server: &Server) -> Result<(Pooled, bool), HttpError> {
        let connection = self.connectors.connect(server).await?;
        if let Pooled::Http2(connection) = &connection {
            // One is enough if several were opened at the same time.
            if let Some(other) = self.pool.take(server) {
                return Ok((other, true));
            }
            self.pool.put(server.clone(), Pooled::Http2(connection.clone()));
        }
        Ok((connection, false))
    }
}

/// Where a request goes.
fn server(uri: &Uri) -> Result<Server, HttpError> {
    match (uri.scheme(), uri.authority()) {
        (Some(scheme), Some(authority)) => {
            Ok(Server { scheme: scheme.clone(), authority: authority.clone() })
        }
        _ => Err(HttpError::NoServer),
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for HttpClient
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody>;
    type Error = HttpError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), HttpError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> ResponseFuture {
        if request.body().is_end_stream() && expects_length(request.method(), request.headers()) {
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
        }
        let request = request.map(|body| UnsyncBoxBody::new(BytesBody::new(body)));
        ResponseFuture { inner: Box::pin(Arc::clone(&self.inner).request(request)) }
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

/// A response to come.
pub struct ResponseFuture {
    inner: Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, HttpError>> + Send>>,
}

impl Future for ResponseFuture {
    type Output = Result<Response<ResponseBody>, HttpError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.inner.as_mut().poll(cx)
    }
}
