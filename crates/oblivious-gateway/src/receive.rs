//! Encapsulated requests, as they arrive.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use oblivious_hpke::{ChunkedReply, OpeningBody, OpeningError, RequestHeader};
use oblivious_service::{BoxError, CollectError, Sleep, Timeout, collect};

use crate::{
    any_body::AnyBody,
    concurrency::Permit,
    config::Config,
    refusal::{OuterRefusal, RequestFault},
    time_limits::{Idle, has_passed, until},
};

/// The tag of a sealed message: all three AEADs have one of this length (RFC 9180 §7.3).
const TAG_LEN: usize = 16;

/// A whole request.
pub(crate) async fn receive<B>(config: &Config, body: B) -> Result<BytesMut, OuterRefusal>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let collecting = collect(body, config.request_limit);
    let collected = match &config.request_timeout {
        Some(timeout) => timeout.run(collecting).await.map_err(|_| OuterRefusal::TooSlow)?,
        None => collecting.await,
    };
    match collected {
        Ok(content) => Ok(content.data.into()),
        Err(CollectError::TooLarge { .. }) => Err(OuterRefusal::TooLarge),
        Err(_) => Err(OuterRefusal::BodyFailed),
    }
}

/// A request in chunks, which is opened while it is read.
pub(crate) type OpenedRequest = OpeningBody<Received>;

/// A request in chunks, up to its first chunk, which has been opened: from then on it is certain
/// that the request was sealed to one of our keys.
pub(crate) async fn receive_first_chunk(
    config: &Config,
    body: AnyBody,
    deadline: &mut Option<Sleep>,
    permit: Arc<Permit>,
) -> Result<(OpenedRequest, ChunkedReply), OuterRefusal> {
    let starting = async {
        let starting = open_first_chunk(config, body, permit);
        match &config.request_timeout {
            Some(timeout) => timeout.run(starting).await.map_err(|_| OuterRefusal::TooSlow)?,
            None => starting.await,
        }
    };
    until(deadline, starting).await.ok_or(OuterRefusal::TooSlow)?
}

async fn open_first_chunk(
    config: &Config,
    body: AnyBody,
    permit: Arc<Permit>,
) -> Result<(OpenedRequest, ChunkedReply), OuterRefusal> {
    let mut body = Received {
        body,
        left: config.stream_limit,
        idle: Idle::new(config.idle_timeout.clone()),
        deadline: config.exchange_timeout.as_ref().map(Timeout::start),
        _permit: permit,
    };
    let mut received = BytesMut::new();
    let (opener, reply) = loop {
        if is_structured(&received) {
            // The present keys, and only for this moment: a slow sender must not keep a withdrawn
            // key in use or in memory (RFC 9458 §6.6).
            let (keys, now) = (config.keys.current(), config.now());
            let begun =
                keys.ring().at(now).decapsulate_chunked(&mut received, &config.chunk_limits)?;
            if let Some(begun) = begun {
                break begun;
            }
        }
        match poll_fn(|cx| body.poll_next(cx)).await? {
            Some(data) => received.extend_from_slice(&data),
            None => return Err(OuterRefusal::Truncated),
        }
    };
    let mut opened = OpeningBody::new(body, opener);
    match opened.open_next().await {
        Ok(()) => Ok((opened, reply)),
        // Everything that does not decrypt gets the same answer (RFC 9458 §5.3), including what is
        // cut off.
        Err(OpeningError::Chunk(error)) => Err(error.into()),
        Err(error) => Err(RequestFault::from(error).into()),
    }
}

/// Whether enough has arrived not to be cut short, as far as can be seen without a key. It is the
/// same as for a whole request, so that the same bytes get the same answer (RFC 9458 §5.2 and
/// §5.3).
fn is_structured(received: &[u8]) -> bool {
    RequestHeader::decode(received).is_some_and(|header| {
        let shortest = header.kem.enc_len().map(|enc_len| RequestHeader::LEN + enc_len + TAG_LEN);
        // If the KEM's length is unknown, there is no key for it anyway.
        shortest.is_none_or(|shortest| received.len() >= shortest)
    })
}

/// The body of a request in chunks, counted and timed.
///
/// A target may read on after its answer has ended, so the limits on the exchange hold here too.
pub(crate) struct Received {
    body: AnyBody,
    left: u64,
    idle: Idle,
    deadline: Option<Sleep>,
    _permit: Arc<Permit>,
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received").field("left", &self.left).finish_non_exhaustive()
    }
}

impl Received {
    /// The next data, `None` at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, RequestFault>> {
        loop {
            if has_passed(&mut self.deadline, cx) {
                return Poll::Ready(Err(RequestFault::TooSlow));
            }
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                ready!(self.idle.poll_elapsed(cx));
                return Poll::Ready(Err(RequestFault::TooSlow));
            };
            self.idle.reset();
            let Some(frame) = frame else { return Poll::Ready(Ok(None)) };
            let frame = frame.map_err(|_| RequestFault::Broken)?;
            // Trailers of the outer request mean nothing here.
            let Ok(data) = frame.into_data() else { continue };
            let left = self.left.checked_sub(data.len() as u64);
            self.left = left.ok_or(RequestFault::TooLarge)?;
            return Poll::Ready(Ok(Some(data)));
        }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = RequestFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestFault>>> {
        self.poll_next(cx).map(|next| next.map(|data| data.map(Frame::data)).transpose())
    }
}
