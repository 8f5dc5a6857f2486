//! The body of a request that the target gets to read.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use oblivious_bhttp::Content;
use oblivious_service::BoxError;

/// The content of a decapsulated request, with its trailers.
#[derive(Debug, Default)]
pub struct GatewayBody {
    content: Content,
}

impl GatewayBody {
    pub(crate) fn new(content: Content) -> Self {
        Self { content }
    }
}

impl Body for GatewayBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.content)
            .poll_frame(cx)
            .map(|frame| frame.map(|frame| frame.map_err(|never| match never {})))
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }
}
