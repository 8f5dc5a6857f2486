//! A server for HTTP/1.1 and HTTP/2, with or without TLS, around any tower service.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
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

pub use crate::arrival::{ClientCertificate, PeerAddr};

use crate::arrival::{Arrival, Arriving};
use crate::client_addresses::ClientAddresses;
use crate::deadline::Deadline;
use crate::http1_server::{End, Http1Server};
use crate::http2_server::{self, Http2Limits};
use crate::http2_streams::{StreamLimits, Streams};
use crate::request_body::RequestBody;
use crate::rewound::Rewound;
use crate::seldom::Seldom;
use crate::workers::Workers;

/// How long a TLS handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How long to wait when a connection cannot be accepted, usually until a file descriptor is free
/// again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
/// The first bytes of a connection decide on the version of HTTP, and with TLS, ALPN does before. A
/// connection runs on the worker that was least busy when it came. Every request has the address of
/// its sender among its extensions, as a [`PeerAddr`], and that of the client, as a
/// [`ClientAddress`](oblivious_service::ClientAddress), if it is
/// [known](Options::client_addresses). A request whose sender goes away is dropped together with
/// the future that answers it.
///
/// What is not a valid request of HTTP/1.1, or could be read in two ways, is refused with a text
/// that says why, and its connection is closed (RFC 9112 §3.2, §6.1, §6.3); a head may have 64 KiB
/// and 100 fields. HTTP/1.0 is answered, a request at a time.
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
    mut service: S,
    mut stopping: watch::Receiver<()>,
) where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let stop = stopping.clone();
    let deadline = Deadline::new(limits.head, limits.exchange);
    // An error is the signal: there will be no more changes.
    let stopping = Seldom::new(async move { _ = stopping.changed().await });
    match Http1Server::new(stream, deadline, stopping).serve(&mut service, &arrival).await {
        Ok(End::Closed) => {}
        Ok(End::Http2(begun, stream)) => {
            let Limits { head: idle, max_streams, streams, .. } = limits;
            let limits = Http2Limits { idle, max_streams, streams };
            let answer = move |request: Request<RequestBody>| {
                let (mut head, body) = request.into_parts();
                arrival.mark(&mut head);
                service.clone().oneshot(Request::from_parts(head, body))
            };
            let stop = async move { _ = { stop }.changed().await };
            // Boxed, or a connection over HTTP/1.1 would take as much memory as one over HTTP/2.
            Box::pin(http2_server::serve(Rewound::new(begun, stream), limits, stop, answer)).await;
        }
        Err(error) => tracing::debug!(%error, "connection closed"),
    }
}
