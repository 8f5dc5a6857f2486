//! The bodies of answers, cut into frames that are not too large.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use oblivious_service::BoxError;
use pin_project_lite::pin_project;

use crate::bytes_body::BytesBody;
use crate::http2_streams::Progress;

/// As much as fits into a DATA frame of any HTTP/2 peer (RFC 9113 §6.5.2).
const MAX_FRAME: usize = 16 * 1024;

pin_project! {
    /// The body of an answer to the request that is being served.
    ///
    /// For an HTTP/2 stream it is cut up. hyper asks for a frame as soon as the window has room for
    /// any of it, and takes the whole frame into memory: answers to a peer that opens its windows
    /// byte by byte would pile up there, and their streams would count as done.
    pub(crate) struct FramedBody<B> {
        #[pin]
        body: BytesBody<B>,
        // Of data that are longer than a frame.
        rest: Bytes,
        // That of the HTTP/2 stream, if it is one.
        progress: Option<Progress>,
    }
}

impl<B> FramedBody<B> {
    /// Call it in the task of the stream that the answer goes to.
    pub(crate) fn new(body: B) -> Self {
        let progress = Progress::of_this_stream();
        if let Some(progress) = &progress {
            // hyper waits for window even before it asks for the first frame.
            progress.waits_for_peer();
        }
        Self { body: BytesBody::new(body), rest: Bytes::new(), progress }
    }
}

impl<B> Body for FramedBody<B>
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
        let this = self.project();
        let Some(progress) = this.progress else { return this.body.poll_frame(cx) };
        progress.peer_takes();
        if this.rest.is_empty() {
            match ready!(this.body.poll_frame(cx)?) {
                Some(frame) => match frame.into_data() {
                    Ok(data) => *this.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                None => return Poll::Ready(None),
            }
        }
        let frame = this.rest.split_to(this.rest.len().min(MAX_FRAME));
        progress.waits_for_peer();
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let hint = self.body.size_hint();
        let mut with_rest = SizeHint::new();
        with_rest.set_lower(hint.lower().saturating_add(rest));
        if let Some(upper) = hint.upper().and_then(|upper| upper.checked_add(rest)) {
            with_rest.set_upper(upper);
        }
        with_rest
    }
}
