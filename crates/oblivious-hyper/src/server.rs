//! A server for HTTP/1.1 and HTTP/2, with or without TLS, around any tower service.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body::Body;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use oblivious_service::{BoxError, Live};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use tower_service::Service;

use crate::client_addresses::{ClientAddresses, ConnectionClient};
use crate::framed_body::FramedBody;
use crate::http1_exchange::{Http1Exchange, Reading, WatchedBody, WatchedStream};
use crate::http2_streams::{StreamLimits, Streams};
use crate::proxy_protocol::{self, ProxiedFor};
use crate::request_body::RequestBody;
use crate::seldom::Seldom;
use crate::transfer_coding;
use crate::windows::{CONNECTION_WINDOW, STREAM_WINDOW};
use crate::workers::Workers;

/// How long a TLS handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How often the peer of an HTTP/2 connection must show that it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// How long to wait when a connection cannot be accepted, usually until a file descriptor is free
/// again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The address of the peer of a connection, in the extensions of every request that came over it.
/// Its `Debug` does not show it. Behind a balancer or a proxy it is theirs; that of the client is a
/// [`ClientAddress`](oblivious_service::ClientAddress).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

impl fmt::Debug for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerAddr").finish_non_exhaustive()
    }
}

/// In the extensions of every request that came over a connection whose peer showed a certificate
/// of a trusted authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientCertificate;

/// How a server treats its connections.
#[derive(Clone)]
pub struct Options {
    /// The TLS to serve with; `None` serves HTTP in clear. A replaced configuration applies to new
    /// connections.
    pub tls: Option<Live<rustls::ServerConfig>>,
    /// How the addresses of clients are learned.
    pub client_addresses: ClientAddresses,
    /// How long a connection may take for the head of its first request, and an HTTP/1.1 connection
    /// for that of each later one. The latter includes idle time; an idle HTTP/2 connection is
    /// closed after up to twice as long.
    pub head_timeout: Duration,
    /// How long a peer may take none of the bytes that are ready for it. After that the connection
    /// is closed and its answers are dropped; the same goes for an HTTP/2 stream without a window.
    pub write_timeout: Duration,
    /// How long requests that are being answered have to finish when the server shuts down.
    pub drain_timeout: Duration,
    /// How long an exchange may take, from the head of its request to the last byte of its answer.
    /// After that its HTTP/2 stream is reset, or its HTTP/1.1 connection closed. The other limits
    /// do not stop a reader that takes a byte now and then.
    pub exchange_timeout: Duration,
    /// How many requests an HTTP/2 connection may have under way. A relay may have only one to a
    /// gateway.
    pub max_streams: u32,
    /// How many connections may be open at a time. More wait, not yet accepted.
    pub max_connections: usize,
    /// What the connections run on; `None` for the runtime of the server.
    pub workers: Option<Workers>,
}

impl Default for Options {
    /// No TLS, addresses from connections, 30 seconds for a head and for a stalled reader, an hour
    /// for an exchange, 10 seconds to finish, 20,000 connections of 1,000 streams, no workers.
    fn default() -> Self {
        Self {
            tls: None,
            client_addresses: ClientAddresses::Socket,
            head_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
            exchange_timeout: Duration::from_secs(3600),
            max_streams: 1000,
            max_connections: 20_000,
            workers: None,
        }
    }
}

/// [`serve_with`] the default [`Options`], except for the TLS.
pub async fn serve<S, B>(
    listener: TcpListener,
    tls: Option<rustls::ServerConfig>,
    service: S,
    shutdown: impl Future<Output = ()>,
) where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let tls = tls.map(Live::new);
    serve_with(listener, Options { tls, ..Options::default() }, service, shutdown).await;
}

/// Serves `service` to all who connect to `listener`, until `shutdown` is ready. Then it accepts no
/// more connections, and waits for the answers that are under way, up to the
/// [`drain_timeout`](Options::drain_timeout).
///
/// With TLS, ALPN decides on the version of HTTP; without it, the first bytes of a connection do. A
/// connection runs on the worker that was least busy when it came. Every request has the address of
/// its sender among its extensions, as a [`PeerAddr`], and that of the client, as a
/// [`ClientAddress`](oblivious_service::ClientAddress), if it is
/// [known](Options::client_addresses). A request whose sender goes away is dropped together with
/// the future that answers it.
///
/// No error on one connection ends the server, nor does a failure to accept one.
pub async fn serve_with<S, B>(
    listener: TcpListener,
    options: Options,
    service: S,
    shutdown: impl Future<Output = ()>,
) where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let max_connections = options.max_connections.max(1);
    let workers = options.workers.clone().unwrap_or_else(Workers::current);
    let (stop, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept(), if connections.len() < max_connections => accepted,
            // Takes finished connections out of the set. One that panicked ends alone.
            Some(_) = connections.join_next() => continue,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let acceptor = options.tls.as_ref().map(|tls| TlsAcceptor::from(tls.current()));
                let streams = StreamLimits {
                    whole: options.exchange_timeout,
                    stalled: options.write_timeout,
                };
                let limits = Limits {
                    head: options.head_timeout,
                    write: options.write_timeout,
                    exchange: options.exchange_timeout,
                    max_streams: options.max_streams,
                    streams: Streams::new(workers.clone(), streams),
                };
                let arrival = Arriving { peer, addresses: options.client_addresses.clone() };
                let (service, stopping) = (service.clone(), stopping.clone());
                let connection = connection(stream, arrival, acceptor, limits, service, stopping);
                connections.spawn_on(connection, workers.idlest());
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    // Dropping the sender is the signal.
    drop(stop);
    let drained = async { while connections.join_next().await.is_some() {} };
    if timeout(options.drain_timeout, drained).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections cut off at shutdown");
    }
}

/// A connection of which only the peer is known so far.
struct Arriving {
    peer: SocketAddr,
    addresses: ClientAddresses,
}

/// What the requests of a connection have in common.
#[derive(Clone)]
struct Arrival {
    peer: SocketAddr,
    client: ConnectionClient,
    certificate: bool,
}

impl Arriving {
    /// Finds out who the client is, if the connection says so.
    async fn arrive(self, stream: &mut TcpStream) -> io::Result<Arrival> {
        let own = self.peer.ip();
        let client = match self.addresses {
            ClientAddresses::Socket => ConnectionClient::Known(own.into()),
            ClientAddresses::Proxies(proxies) => ConnectionClient::Told { peer: own, proxies },
            ClientAddresses::ProxyProtocol => match proxy_protocol::read(stream).await? {
                ProxiedFor::Client(client) => ConnectionClient::Known(client.into()),
                ProxiedFor::Itself => ConnectionClient::Known(own.into()),
                ProxiedFor::Unknown => ConnectionClient::Unknown,
            },
        };
        Ok(Arrival { peer: self.peer, client, certificate: false })
    }
}

/// What a connection may take.
struct Limits {
    head: Duration,
    write: Duration,
    exchange: Duration,
    max_streams: u32,
    streams: Streams,
}

/// Serves one connection, from its TLS handshake to its end.
async fn connection<S, B>(
    stream: TcpStream,
    arriving: Arriving,
    acceptor: Option<TlsAcceptor>,
    limits: Limits,
    service: S,
    stopping: watch::Receiver<()>,
) where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let Ok(mut stream) = here(stream) else { return };
    let arrival = match timeout(HANDSHAKE_LIMIT, arriving.arrive(&mut stream)).await {
        Ok(Ok(arrival)) => arrival,
        Ok(Err(error)) => {
            tracing::debug!(%error, "connection closed");
            return;
        }
        Err(_) => {
            tracing::debug!("connection closed: no PROXY header came");
            return;
        }
    };
    // A response is written in whole pieces; waiting for more to send would only delay it.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limits.write));
    let stream = Box::pin(stream);
    let Some(acceptor) = acceptor else {
        return requests(stream, arrival, limits, service, stopping).await;
    };
    // Boxed, or a connection without TLS would take as much memory as one with it.
    match Box::pin(timeout(HANDSHAKE_LIMIT, acceptor.accept(stream))).await {
        Ok(Ok(stream)) => {
            let certificate = stream.get_ref().1.peer_certificates().is_some();
            let arrival = Arrival { certificate, ..arrival };
            requests(Box::new(stream), arrival, limits, service, stopping).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake took too long"),
    }
}

/// A stream whose events wake the calling thread, not the one that accepted it.
fn here(stream: TcpStream) -> io::Result<TcpStream> {
    TcpStream::from_std(stream.into_std()?)
}

/// Serves the requests of one connection.
async fn requests<S, B>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    arrival: Arrival,
    limits: Limits,
    service: S,
    mut stopping: watch::Receiver<()>,
) where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let mut builder = auto::Builder::new(limits.streams.clone());
    // Most messages are small: copying one into a buffer costs less than writing from several.
    builder.http1().writev(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .max_concurrent_streams(limits.max_streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);

    let began = Arc::new(AtomicBool::new(false));
    let http1 = Http1Exchange::default();
    let service = {
        let (began, http1) = (began.clone(), http1.clone());
        service_fn(move |request: Request<Incoming>| {
            began.store(true, Ordering::Relaxed);
            // HTTP/2 streams are timed one by one.
            let exchange = (request.version() <= Version::HTTP_11).then(|| http1.clone());
            if let Some(exchange) = &exchange {
                exchange.begin();
            }
            let reading = exchange.clone().map(Reading::new);
            let mut request = request.map(|body| RequestBody::new(body, reading));
            if let Some(client) = arrival.client.of_request(request.headers()) {
                request.extensions_mut().insert(client);
            }
            request.extensions_mut().insert(PeerAddr(arrival.peer));
            if arrival.certificate {
                request.extensions_mut().insert(ClientCertificate);
            }
            let answer = match transfer_coding::is_coded(request.headers()) {
                false => Ok(service.clone().oneshot(request)),
                true => Err(refuse_transfer_coding()),
            };
            async move {
                let response = match answer {
                    Ok(answer) => answer.await?.map(FramedBody::new).map(Either::Left),
                    Err(refusal) => refusal.map(Either::Right),
                };
                Ok::<_, Infallible>(response.map(|body| WatchedBody::new(body, exchange)))
            }
        })
    };
    let stream = WatchedStream::new(stream, http1.clone());
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut overdue = pin!(http1.overdue(limits.head, limits.exchange));
    // These limits begin before the version of HTTP is known.
    let mut first_request = pin!(sleep(limits.head));
    // hyper has no such limit for HTTP/2.
    let idle = || limits.streams.idle(limits.head);
    let mut idling = pin!(idle());
    let (mut waiting, mut serving) = (true, true);
    loop {
        let event = {
            let event = async {
                tokio::select! {
                    () = &mut first_request, if waiting => Event::FirstRequest,
                    () = &mut overdue => Event::Overdue,
                    () = &mut idling => Event::Idle,
                    _ = stopping.changed(), if serving => Event::Stopping,
                }
            };
            let mut event = pin!(Seldom::new(event));
            let next = poll_fn(|cx| match connection.as_mut().poll(cx) {
                // A request that has arrived is served in any case.
                Poll::Ready(end) => Poll::Ready(Event::End(end)),
                Poll::Pending => event.as_mut().poll(cx),
            });
            next.await
        };
        match event {
            Event::End(Ok(())) => return,
            Event::End(Err(error)) => {
                tracing::debug!(%error, "connection failed");
                return;
            }
            Event::FirstRequest if began.load(Ordering::Relaxed) => waiting = false,
            Event::FirstRequest => {
                tracing::debug!("connection closed: no request came");
                return;
            }
            Event::Overdue => {
                tracing::debug!("connection closed: an exchange or a head took too long");
                return;
            }
            Event::Idle if !serving => return,
            Event::Idle => {
                // A request that is on its way is still served.
                connection.as_mut().graceful_shutdown();
                serving = false;
                idling.set(idle());
            }
            Event::Stopping => {
                connection.as_mut().graceful_shutdown();
                serving = false;
            }
        }
    }
}

/// What can happen to a connection.
enum Event {
    End(Result<(), BoxError>),
    /// The time for the first request is over.
    FirstRequest,
    /// That of an exchange or of the head of a later one.
    Overdue,
    /// There has been nothing to do for too long.
    Idle,
    /// The server shuts down.
    Stopping,
}

/// RFC 9112 §6.1: the answer to an unsupported transfer coding.
fn refuse_transfer_coding() -> Response<Full<Bytes>> {
    let text = "Send the request without a transfer coding, or only with chunked.\n";
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    response
}
