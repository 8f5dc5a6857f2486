//! Reading a body up to a limit.

use std::future::poll_fn;
use std::pin::pin;

use bytes::{Buf, BufMut, BytesMut};
use http_body::Body;
use oblivious_wire::Content;
use thiserror::Error;

use crate::BoxError;

/// The most that is reserved for data that was announced and has not arrived.
const MAX_RESERVE: usize = 64 * 1024;

/// Any body that can be sent to another thread and owns its data. It is a shorthand for these
/// bounds: every such [`Body`] implements it.
pub trait SendBody: Body<Data: Send, Error: Into<BoxError>> + Send + 'static {}

impl<B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static> SendBody for B {}

/// Why [`collect`] gave up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CollectError {
    /// The body is longer than the limit, or says that it will be.
    #[error("the body is longer than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body itself failed, for example because its connection broke.
    #[error("the body failed")]
    Body(#[source] BoxError),
}

/// Reads `body` to its end, or fails as soon as it is known to hold more than `limit` bytes of
/// data.
///
/// Memory grows with what arrives, not with what is announced. A body that comes as a single frame,
/// in memory that nothing else holds, is not copied. Nothing else holds the data that is returned,
/// so `BytesMut::from` makes it mutable without copying it.
///
/// # Errors
///
/// [`CollectError::TooLarge`] when more than `limit` bytes are announced or arrive,
/// [`CollectError::Body`] when the body fails first.
///
/// # Cancellation
///
/// Dropping the future drops the body.
pub async fn collect<B>(body: B, limit: usize) -> Result<Content, CollectError>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    if exceeds(body.size_hint().lower(), limit) {
        return Err(CollectError::TooLarge { limit });
    }
    let mut body = pin!(body);
    let mut data = BytesMut::new();
    let mut trailers = None;
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|error| CollectError::Body(error.into()))?;
        match frame.into_data() {
            Ok(chunk) => {
                let room = limit - data.len();
                if chunk.remaining() > room {
                    return Err(CollectError::TooLarge { limit });
                }
                append(&mut data, chunk, body.size_hint().lower(), room);
            }
            Err(frame) => {
                trailers = frame.into_trailers().ok();
                // Trailers are the end of a body, whatever the body says.
                if trailers.is_some() {
                    break;
                }
            }
        }
    }
    Ok(Content { data: data.freeze(), trailers })
}

/// Adds `chunk`, which is known to fit in `room`; `announced` more bytes are said to follow.
fn append(data: &mut BytesMut, mut chunk: impl Buf, announced: u64, room: usize) {
    let length = chunk.remaining();
    if data.is_empty() {
        *data = BytesMut::from(chunk.copy_to_bytes(length));
        return;
    }
    if data.capacity() - data.len() < length {
        let announced = usize::try_from(announced).unwrap_or(usize::MAX).min(MAX_RESERVE);
        data.reserve(length.saturating_add(announced).min(room));
    }
    data.put(chunk);
}

fn exceeds(length: u64, limit: usize) -> bool {
    usize::try_from(length).map_or(true, |length| length > limit)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use bytes::{Bytes, buf::Chain};
    use http::HeaderMap;
    use http_body::{Frame, SizeHint};

    use super::*;

    /// A body of frames prepared in advance, with a size hint that may be a lie.
    struct Frames<D> {
        frames: VecDeque<Result<Frame<D>, BoxError>>,
        lower: u64,
    }

    impl<D: Buf> Frames<D> {
        fn new(frames: impl IntoIterator<Item = Frame<D>>) -> Self {
            Self { frames: frames.into_iter().map(Ok).collect(), lower: 0 }
        }

        fn data(chunks: impl IntoIterator<Item = D>) -> Self {
            Self::new(chunks.into_iter().map(Frame::data))
        }
    }

    impl<D: Buf + Unpin> Body for Frames<D> {
        type Data = D;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<D>, BoxError>>> {
            Poll::Ready(self.frames.pop_front())
        }

        fn size_hint(&self) -> SizeHint {
            let mut hint = SizeHint::new();
            hint.set_lower(self.lower);
            hint
        }
    }

    #[tokio::test]
    async fn data_and_trailers_arrive_in_order() {
        let mut trailers = HeaderMap::new();
        trailers.insert("a", "b".parse().unwrap());
        let body = Frames::new([
            Frame::data(&b"one "[..]),
            Frame::data(b""),
            Frame::data(b"two"),
            Frame::trailers(trailers.clone()),
            Frame::data(b"never read"),
        ]);
        let collected = collect(body, 7).await.unwrap();
        assert_eq!(&collected.data[..], b"one two");
        assert_eq!(collected.trailers, Some(trailers));
    }

    #[tokio::test]
    async fn the_limit_is_the_last_length_that_fits() {
        let body = || Frames::data([&b"abc"[..], b"de"]);
        assert_eq!(&collect(body(), 5).await.unwrap().data[..], b"abcde");
        assert!(matches!(collect(body(), 4).await, Err(CollectError::TooLarge { limit: 4 })));
        assert!(collect(Content::default(), 0).await.unwrap().data.is_empty());
    }

    #[tokio::test]
    async fn an_announced_length_over_the_limit_fails_before_any_frame() {
        let mut body = Frames::data([&b"a"[..]]);
        body.frames.push_front(Err("must not be read".into()));
        body.lower = 11;
        assert!(matches!(collect(body, 10).await, Err(CollectError::TooLarge { limit: 10 })));
    }

    #[tokio::test]
    async fn an_announced_length_is_not_allocated() {
        let mut body = Frames::data([&b"abc"[..], b"d"]);
        body.lower = 1 << 40;
        let collected = collect(body, usize::MAX).await.unwrap();
        assert_eq!(&collected.data[..], b"abcd");
        assert!(BytesMut::from(collected.data).capacity() <= 2 * MAX_RESERVE);
    }

    #[tokio::test]
    async fn a_single_frame_is_not_copied() {
        let data = Bytes::from(vec![7; 4096]);
        let address = data.as_ptr();
        let collected = collect(Content::from(data), 4096).await.unwrap();
        assert_eq!(collected.data.as_ptr(), address);

        // While someone else holds the memory it must not change in place: a copy is right.
        let data = Bytes::from(vec![7; 4096]);
        let collected = collect(Content::from(data.clone()), 4096).await.unwrap();
        assert_ne!(collected.data.as_ptr(), data.as_ptr());
        assert_eq!(collected.data, data);
    }

    #[tokio::test]
    async fn data_in_several_pieces_is_joined() {
        let chunk: Chain<&[u8], &[u8]> = b"ab".chain(&b"cd"[..]);
        let collected = collect(Frames::data([chunk]), 4).await.unwrap();
        assert_eq!(&collected.data[..], b"abcd");
    }

    #[tokio::test]
    async fn a_failing_body_is_an_error_and_no_short_body() {
        let mut body = Frames::data([&b"abc"[..]]);
        body.frames.push_back(Err("connection reset".into()));
        assert!(matches!(collect(body, 10).await, Err(CollectError::Body(_))));
    }
}
