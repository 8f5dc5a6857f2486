//! A connection over which many HTTP/2 exchanges go at a time.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::bytes_body::Outgoing;
use crate::connector::Io;
use crate::http_error::HttpError;
use crate::windows::{CONNECTION_WINDOW, STREAM_WINDOW};

/// How many requests may wait for answers on one connection before another is opened. Servers allow
/// at least as many streams (RFC 9113 §6.5.2).
const FULL: usize = 100;

/// How often a connection with requests under way is pinged.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// How long the answer to a ping may take.
const PING_LIMIT: Duration = Duration::from_secs(5);

/// Why there is no response.
pub(crate) enum AskError {
    /// The connection was closed, and nothing was written of the request.
    Unsent(Box<Request<Outgoing>>),
    Failed(HttpError),
}

/// Clones share the connection.
#[derive(Clone)]
pub(crate) struct Http2Connection {
    sender: SendRequest<Outgoing>,
    /// One for each clone.
    clones: Arc<()>,
}

impl Http2Connection {
    /// Takes over a stream. A task in this runtime drives the connection.
    pub(crate) async fn new(io: Io) -> hyper::Result<Self> {
        let (mut sender, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            // Otherwise a connection that died silently would get every request.
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_LIMIT)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(io)
            .await?;
        tokio::spawn(connection);
        sender.ready().await?;
        Ok(Self { sender, clones: Arc::default() })
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn ask(
        mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, AskError> {
        self.sender.try_send_request(request).await.map_err(|mut error| {
            match error.take_message() {
                // hyper hands back a request only if it wrote nothing of it.
                Some(request) => AskError::Unsent(Box::new(request)),
                None => AskError::Failed(HttpError::Http2(error.into_error())),
            }
        })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whether this is the only clone.
    pub(crate) fn is_unused(&self) -> bool {
        Arc::strong_count(&self.clones) == 1
    }

    /// Whether it should get no more requests for now.
    pub(crate) fn is_full(&self) -> bool {
        Arc::strong_count(&self.clones) > FULL
    }
}
