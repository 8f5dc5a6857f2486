//! Bodies whose data are `Bytes`.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use oblivious_service::BoxError;
use pin_project_lite::pin_project;

/// The content of a request on its way to a server.
#[cfg(feature = "client")]
pub(crate) type Outgoing = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

pin_project! {
    /// A body whose data are `Bytes`; data that already are `Bytes` are not copied. Its size hint
    /// is kept, unlike with `BodyExt::map_frame`, so that a message of known length has a
    /// `content-length`.
    pub(crate) struct BytesBody<B> {
        #[pin]
        body: B,
    }
}

impl<B> BytesBody<B> {
    pub(crate) fn new(body: B) -> Self {
        Self { body }
    }
}

impl<B> Body for BytesBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.project().body.poll_frame(cx));
        let with_bytes =
            |frame: Frame<B::Data>| frame.map_data(|mut data| data.copy_to_bytes(data.remaining()));
        Poll::Ready(frame.map(|frame| frame.map(with_bytes).map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
