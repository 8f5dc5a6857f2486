//! Bodies held in one piece: reading one up to a limit, and sending one.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use thiserror::Error;

use crate::BoxError;

/// The most that is reserved for data that was announced and has not arrived.
const MAX_RESERVE: usize = 64 * 1024;

/// Any body that can be sent to another thread and owns its data. It is a shorthand for these
/// bounds: every such [`Body`] implements it.
pub trait SendBody: Body<Data: Send, Error: Into<BoxError>> + Send + 'static {}

impl<B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static> SendBody for B {}

/// A body read to its end by [`collect`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Collected {
    /// All data, in one piece that can be modified in place.
    pub data: BytesMut,
    /// The trailers, if the body ended with some.
    pub trailers: Option<HeaderMap>,
}

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
/// in memory that nothing else holds, is not copied.
///
/// # Errors
///
/// [`CollectError::TooLarge`] when more than `limit` bytes are announced or arrive,
/// [`CollectError::Body`] when the body fails first.
///
/// # Cancellation
///
/// Dropping the future drops the body.
pub async fn collect<B>(body: B, limit: usize) -> Result<Collected, CollectError>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    if exceeds(body.size_hint().lower(), limit) {
        return Err(CollectError::TooLarge { limit });
    }
    let mut body = pin!(body);
    let mut collected = Collected::default();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|error| CollectError::Body(error.into()))?;
        match frame.into_data() {
            Ok(chunk) => {
                let room = limit - collected.data.len();
                if chunk.remaining() > room {
                    return Err(CollectError::TooLarge { limit });
                }
                append(&mut collected.data, chunk, body.size_hint().lower(), room);
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    // Trailers are the end of a body, whatever the body says.
                    collected.trailers = Some(trailers);
                    break;
                }
            }
        }
    }
    Ok(collected)
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

/// A body that is complete in memory: one frame of data, or none when it is empty.
///
/// The outer requests of a client and the outer responses of a gateway have this body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FullBody {
    data: Bytes,
}

impl FullBody {
    /// A body without data.
    pub const fn empty() -> Self {
        Self { data: Bytes::new() }
    }

    /// The data that has not been read yet.
    pub fn into_bytes(self) -> Bytes {
        self.data
    }
}

impl From<Bytes> for FullBody {
    fn from(data: Bytes) -> Self {
        Self { data }
    }
}

impl From<BytesMut> for FullBody {
    fn from(data: BytesMut) -> Self {
        Self { data: data.freeze() }
    }
}

impl From<Vec<u8>> for FullBody {
    fn from(data: Vec<u8>) -> Self {
        Self { data: data.into() }
    }
}

impl From<&'static str> for FullBody {
    fn from(data: &'static str) -> Self {
        Self { data: Bytes::from_static(data.as_bytes()) }
    }
}

impl From<String> for FullBody {
    fn from(data: String) -> Self {
        Self { data: data.into() }
    }
}

impl Body for FullBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.data.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.data)))))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        // A usize fits in a u64 on every platform that Rust supports.
        SizeHint::with_exact(self.data.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use bytes::buf::Chain;

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
        assert!(collect(FullBody::empty(), 0).await.unwrap().data.is_empty());
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
        assert!(collected.data.capacity() <= 2 * MAX_RESERVE);
    }

    #[tokio::test]
    async fn a_single_frame_is_not_copied() {
        let data = Bytes::from(vec![7; 4096]);
        let address = data.as_ptr();
        let collected = collect(FullBody::from(data), 4096).await.unwrap();
        assert_eq!(collected.data.as_ptr(), address);

        // While someone else holds the memory it must not change in place: a copy is right.
        let data = Bytes::from(vec![7; 4096]);
        let collected = collect(FullBody::from(data.clone()), 4096).await.unwrap();
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
