//! HTTP/2 towards clients, which is hyper's, with limits around it.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use oblivious_service::BoxError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep;

use crate::framed_body::FramedBody;
use crate::http2_streams::Streams;
use crate::request_body::RequestBody;
use crate::seldom::Seldom;
use crate::windows::{CONNECTION_WINDOW, STREAM_WINDOW};

/// How often the peer of a connection must show that it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// What a connection may take.
pub(crate) struct Http2Limits {
    /// Until its first request, and without any.
    pub(crate) idle: Duration,
    pub(crate) max_streams: u32,
    pub(crate) streams: Streams,
}

/// What can happen to a connection.
enum Event {
    End(hyper::Result<()>),
    /// The time for the first request is over.
    FirstRequest,
    /// There has been nothing to do for too long.
    Idle,
    Stop,
}

/// Serves a connection until it ends, or until `stop` is ready and its requests are answered.
pub(crate) async fn serve<IO, F, B>(
    stream: IO,
    limits: Http2Limits,
    stop: impl Future<Output = ()>,
    answer: impl Fn(Request<RequestBody>) -> F,
) where
    IO: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = Result<Response<B>, Infallible>> + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let mut builder = http2::Builder::new(limits.streams.clone());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .max_concurrent_streams(limits.max_streams)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(request.map(RequestBody::http2));
        async move { Ok::<_, Infallible>(answer.await?.map(FramedBody::new)) }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut first_request = pin!(sleep(limits.idle));
    // hyper has no such limit.
    let idle = || limits.streams.idle(limits.idle);
    let (mut idling, mut stop) = (pin!(idle()), pin!(stop));
    let (mut waiting, mut serving) = (true, true);
    loop {
        let event = {
            let event = async {
                tokio::select! {
                    () = &mut first_request, if waiting => Event::FirstRequest,
                    () = &mut idling => Event::Idle,
                    () = &mut stop, if serving => Event::Stop,
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
            Event::FirstRequest if limits.streams.have_begun() => waiting = false,
            Event::FirstRequest => {
                tracing::debug!("connection closed: no request came");
                return;
            }
            Event::Idle if !serving => return,
            Event::Idle => {
                // A request that is on its way is still served.
                connection.as_mut().graceful_shutdown();
                serving = false;
                idling.set(idle());
            }
            Event::Stop => {
                connection.as_mut().graceful_shutdown();
                serving = false;
            }
        }
    }
}
