//! Bodies in pieces that are not too large.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use oblivious_http::service::BoxError;
use pin_project_lite::pin_project;

use crate::streams::Progress;

/// As much as fits into a DATA frame of any HTTP/2 peer (RFC 9113 §6.5.2).
const PIECE: usize = 16 * 1024;

pin_project! {
    /// A body whose data are `Bytes`. What it says of its length stays, unlike with
    /// `BodyExt::map_frame`, so that a message of known length has a `content-length`.
    pub(crate) struct Pieces<B> {
        #[pin]
        body: B,
        // Of a frame that is longer than a piece.
        rest: Bytes,
        limit: usize,
        progress: Option<Progress>,
    }
}

impl<B> Pieces<B> {
    /// The frames as they are.
    pub(crate) fn whole(body: B) -> Self {
        Self { body, rest: Bytes::new(), limit: PIECE, progress: None }
    }

    /// The body of an answer to the request that is being served.
    ///
    /// For an HTTP/2 stream it is cut up. hyper asks for a frame when there is window for any of
    /// it, and takes all of it into memory: the answers of a peer that opens its windows by a byte
    /// would pile up there, and their streams would count as done.
    pub(crate) fn answer(body: B) -> Self {
        let Some(progress) = Progress::of_this_stream() else { return Self::whole(body) };
        // hyper waits for window even before it asks for the first frame.
        progress.waits_for_peer();
        Self { limit: PIECE, progress: Some(progress), ..Self::whole(body) }
    }
}

impl<B> Body for Pieces<B>
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
        if let Some(progress) = this.progress {
            progress.peer_takes();
        }
        if this.rest.is_empty() {
            match ready!(this.body.poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    // Data that are `Bytes` already are not copied.
                    Ok(mut data) => *this.rest = data.copy_to_bytes(data.remaining()),
                    Err(other) => return Poll::Ready(Some(Ok(other.map_data(|_| Bytes::new())))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(*this.limit));
        if let Some(progress) = this.progress {
            progress.waits_for_peer();
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
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
