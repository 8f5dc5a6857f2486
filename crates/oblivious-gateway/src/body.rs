//! The bodies on both sides of a gateway.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, header::HOST};
use http_body::{Body, Frame, SizeHint};
use oblivious_bhttp::{Content, MessageBody};
use oblivious_service::{BoxError, strip_connection_fields, strip_forwarding_fields};

use crate::{
    chunked_answer::ChunkedAnswer,
    receive::OpenedRequest,
    refusal::{Fault, RequestFault},
    time_limits::Renewal,
};

/// The content of a decapsulated request, with its trailers, as the target reads it.
///
/// The content of a request that came in chunks is decrypted while it is read, and nothing is read
/// ahead. If the rest of such a request does not arrive or does not decrypt, this body ends with an
/// error and never as if it were complete.
#[derive(Debug, Default)]
pub struct GatewayBody {
    content: RequestContent,
}

#[derive(Debug)]
enum RequestContent {
    Whole(Content),
    Streamed { message: Box<MessageBody<OpenedRequest>>, fault: Fault, renewal: Renewal },
}

impl Default for RequestContent {
    fn default() -> Self {
        Self::Whole(Content::default())
    }
}

impl GatewayBody {
    pub(crate) fn whole(mut content: Content) -> Self {
        if let Some(trailers) = &mut content.trailers {
            strip_trailers(trailers);
        }
        Self { content: RequestContent::Whole(content) }
    }

    /// Faults while this is read are also noted in `fault`, and each part that the target takes
    /// renews its time limit.
    pub(crate) fn streamed(
        message: MessageBody<OpenedRequest>,
        fault: Fault,
        renewal: Renewal,
    ) -> Self {
        Self { content: RequestContent::Streamed { message: Box::new(message), fault, renewal } }
    }
}

/// Removes what the target must not see: the same as in the header section (RFC 9458 §6.3), and
/// `host`, which only repeats the URI.
fn strip_trailers(trailers: &mut HeaderMap) {
    strip_connection_fields(trailers);
    strip_forwarding_fields(trailers);
    trailers.remove(HOST);
}

impl Body for GatewayBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.content {
            RequestContent::Whole(content) => Pin::new(content)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|never| match never {}))),
            RequestContent::Streamed { message, fault, renewal } => {
                let frame = ready!(Pin::new(&mut **message).poll_frame(cx));
                renewal.renew();
                Poll::Ready(match frame {
                    Some(Ok(mut frame)) => {
                        let emptied = frame.trailers_mut().is_some_and(|trailers| {
                            strip_trailers(trailers);
                            trailers.is_empty()
                        });
                        // Trailers are the last frame, so without them this is the end.
                        (!emptied).then_some(Ok(frame))
                    }
                    Some(Err(error)) => {
                        let error = RequestFault::from(error);
                        fault.note(error);
                        Some(Err(error.into()))
                    }
                    None => None,
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            RequestContent::Whole(content) => content.is_end_stream(),
            RequestContent::Streamed { message, .. } => message.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            RequestContent::Whole(content) => content.size_hint(),
            RequestContent::Streamed { message, .. } => message.size_hint(),
        }
    }
}

/// The body of a gateway's response: an encapsulated answer, or a refusal in clear.
///
/// An answer in chunks is encrypted while it is read, and nothing is read ahead. If the target's
/// answer breaks off, this body fails, so that what has been sent has no final chunk.
#[derive(Debug, Default)]
pub struct EncapsulatedBody {
    body: ResponseBody,
}

#[derive(Debug)]
enum ResponseBody {
    Full(Content),
    Chunked(Box<ChunkedAnswer>),
}

impl Default for ResponseBody {
    fn default() -> Self {
        Self::Full(Content::default())
    }
}

impl From<Content> for EncapsulatedBody {
    fn from(body: Content) -> Self {
        Self { body: ResponseBody::Full(body) }
    }
}

impl From<ChunkedAnswer> for EncapsulatedBody {
    fn from(answer: ChunkedAnswer) -> Self {
        Self { body: ResponseBody::Chunked(Box::new(answer)) }
    }
}

impl Body for EncapsulatedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.body {
            ResponseBody::Full(body) => Pin::new(body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|never| match never {}))),
            ResponseBody::Chunked(answer) => answer.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            ResponseBody::Full(body) => body.is_end_stream(),
            ResponseBody::Chunked(answer) => answer.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            ResponseBody::Full(body) => body.size_hint(),
            ResponseBody::Chunked(_) => SizeHint::default(),
        }
    }
}
