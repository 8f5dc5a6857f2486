//! A connection over which one HTTP/1.1 exchange goes after the other.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri, Version, header::HOST};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use tokio::runtime::{self, Handle};

use crate::bytes_body::Outgoing;
use crate::connector::Io;
use crate::moving_stream::Moves;

/// A connection that is not being used.
///
/// It has no task of its own: while the head of an answer is awaited, the task of the exchange
/// drives it. That saves waking up one task for the other at every step.
pub(crate) struct Http1Connection {
    sender: SendRequest<Outgoing>,
    connection: Connection<Io, Outgoing>,
    /// What the server's name is in requests.
    host: HeaderValue,
    /// Which runtime gets its events.
    home: runtime::Id,
    moves: Moves,
    /// Counts those of the same home, once the pool has seen it.
    at_home: Option<Arc<()>>,
}

/// What is left of a connection after an exchange.
pub(crate) enum Left {
    /// It can have the next one.
    Idle(Box<Http1Connection>),
    /// Content is still under way, in either direction.
    Busy(Box<Http1Connection>),
    Closed,
}

impl Http1Connection {
    /// Takes over a stream that was opened in this runtime.
    pub(crate) async fn new(io: Io, host: HeaderValue, moves: Moves) -> hyper::Result<Box<Self>> {
        // Most messages are small: copying one into a buffer costs less than writing from several.
        let (sender, connection) = Builder::new().writev(false).handshake(io).await?;
        Ok(Box::new(Self {
            sender,
            connection,
            host,
            home: Handle::current().id(),
            moves,
            at_home: None,
        }))
    }

    /// Is used by this runtime from now on, and counted there.
    pub(crate) fn move_to(&mut self, runtime: runtime::Id, count: &Arc<()>) {
        if self.home != runtime {
            self.home = runtime;
            self.moves.begin();
        }
        if !self.at_home.as_ref().is_some_and(|counted| Arc::ptr_eq(counted, count)) {
            self.at_home = Some(Arc::clone(count));
        }
    }

    /// Sends a request and waits for the head of its answer.
    ///
    /// If this is dropped before, the connection is closed.
    pub(crate) async fn ask(
        mut self: Box<Self>,
        mut request: Request<Outgoing>,
    ) -> Result<(Response<Incoming>, Left), TrySendError<Request<Outgoing>>> {
        if !request.headers().contains_key(HOST) {
            request.headers_mut().insert(HOST, self.host.clone());
        }
        *request.uri_mut() = origin_form(request.uri());
        *request.version_mut() = Version::HTTP_11;
        let mut answer = pin!(self.sender.try_send_request(request));
        // What else is ready in this thread comes first, so that many requests go out together. A
        // server that is woken for each alone costs the system more than the request costs us.
        tokio::task::yield_now().await;
        let mut open = Some(self);
        let answer = poll_fn(|cx| {
            if let Some(this) = &mut open
                && Pin::new(&mut this.connection).poll(cx).is_ready()
            {
                // A request that it did not get to send comes back when it is dropped.
                open = None;
            }
            answer.as_mut().poll(cx)
        });
        let answer = answer.await?;
        Ok((answer, open.map_or(Left::Closed, |this| this.left())))
    }

    fn left(self: Box<Self>) -> Left {
        if self.sender.is_ready() { Left::Idle(self) } else { Left::Busy(self) }
    }

    /// Drives the connection until there is no more content under way. It is `None` if that closed
    /// it.
    pub(crate) async fn settle(mut self: Box<Self>) -> Option<Box<Self>> {
        let settled = poll_fn(|cx| {
            if Pin::new(&mut self.connection).poll(cx).is_ready() {
                return Poll::Ready(false);
            }
            if self.sender.is_ready() { Poll::Ready(true) } else { Poll::Pending }
        });
        settled.await.then_some(self)
    }

    /// Closes the connection as its protocols want it.
    pub(crate) async fn close(self) {
        let Self { sender, connection, .. } = self;
        drop(sender);
        _ = connection.await;
    }
}

/// RFC 9112 §3.2.1
fn origin_form(uri: &Uri) -> Uri {
    let path = uri.path_and_query().cloned();
    path.unwrap_or_else(|| PathAndQuery::from_static("/")).into()
}
