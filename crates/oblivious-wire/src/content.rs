//! Content that is complete in memory.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec::Vec;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

/// The content and the trailers of a message, all of them in memory; as a
/// [`Body`], one frame each.
///
/// `Debug` shows only lengths.
#[derive(Clone, Default)]
pub struct Content {
    /// The content.
    pub data: Bytes,
    /// The trailers, if there are any. An empty map is the same as none.
    pub trailers: Option<HeaderMap>,
}

impl Content {
    /// Content without trailers.
    pub fn new(data: impl Into<Bytes>) -> Self {
        Self { data: data.into(), trailers: None }
    }

    /// The same content with these trailers.
    #[must_use]
    pub fn with_trailers(self, trailers: HeaderMap) -> Self {
        Self { trailers: Some(trailers), ..self }
    }

    fn some_trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref().filter(|trailers| !trailers.is_empty())
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.data)))));
        }
        let trailers = self.trailers.take().filter(|trailers| !trailers.is_empty());
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty() && self.some_trailers().is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.len() as u64)
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data && self.some_trailers() == other.some_trailers()
    }
}

impl Eq for Content {}

impl From<()> for Content {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl From<Bytes> for Content {
    fn from(data: Bytes) -> Self {
        Self::new(data)
    }
}

impl From<BytesMut> for Content {
    fn from(data: BytesMut) -> Self {
        Self::new(data)
    }
}

impl From<Vec<u8>> for Content {
    fn from(data: Vec<u8>) -> Self {
        Self::new(data)
    }
}

impl From<std::string::String> for Content {
    fn from(data: std::string::String) -> Self {
        Self::new(data)
    }
}

impl From<&'static str> for Content {
    fn from(data: &'static str) -> Self {
        Self::new(data)
    }
}

impl From<&'static [u8]> for Content {
    fn from(data: &'static [u8]) -> Self {
        Self::new(data)
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content")
            .field("data", &self.data.len())
            .field("trailers", &self.trailers.as_ref().map(HeaderMap::len))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::task::Waker;

    use super::*;

    #[test]
    fn gives_data_and_then_trailers() {
        let mut trailers = HeaderMap::new();
        trailers.insert("a", "secret".parse().unwrap());
        let mut content = Content::from("secret").with_trailers(trailers);
        assert_eq!(format!("{content:?}"), "Content { data: 6, trailers: Some(1) }");
        assert_eq!(content.size_hint().exact(), Some(6));

        let mut cx = Context::from_waker(Waker::noop());
        let mut next = || {
            let ended = content.is_end_stream();
            match Pin::new(&mut content).poll_frame(&mut cx) {
                Poll::Ready(frame) => (ended, frame.map(|frame| frame.unwrap().is_data())),
                Poll::Pending => panic!("it is all there"),
            }
        };
        assert_eq!(next(), (false, Some(true)));
        assert_eq!(next(), (false, Some(false)));
        assert_eq!(next(), (true, None));
    }

    #[test]
    fn no_trailers_equal_an_empty_map() {
        let empty = Content::from("a").with_trailers(HeaderMap::new());
        assert_eq!(empty, Content::from("a"));
        let mut trailers = HeaderMap::new();
        trailers.insert("a", "b".parse().unwrap());
        assert_ne!(empty, Content::from("a").with_trailers(trailers));
        assert_ne!(empty, Content::from("b"));
    }

    #[test]
    fn nothing_is_at_its_end_from_the_start() {
        assert!(Content::default().is_end_stream());
        assert!(Content::from(()).with_trailers(HeaderMap::new()).is_end_stream());
        assert!(!Content::from(std::vec![0]).is_end_stream());
    }
}
