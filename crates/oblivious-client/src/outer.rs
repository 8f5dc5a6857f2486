//! What the relay gets to see.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use oblivious_service::{
    BoxError, Content, MediaType, Problem, collect, has_content_coding, media_type,
};
use thiserror::Error;

use crate::{ClientError, Gateway, config::Config, erased::AnyBody};

/// How much of an answer that is not encapsulated is read, in bytes.
const MAX_PROBLEM: usize = 16 << 10;

const INCREMENTAL: HeaderName = HeaderName::from_static("incremental");

/// The body of what is posted to the relay: an encapsulated request, whole or in chunks.
pub struct OuterBody(Kind);

enum Kind {
    Whole(Content),
    Chunked(AnyBody),
}

impl OuterBody {
    pub(crate) fn chunked(
        body: impl Body<Data = Bytes, Error = BoxError> + Send + 'static,
    ) -> Self {
        Self(Kind::Chunked(Box::pin(body)))
    }
}

impl From<Content> for OuterBody {
    fn from(whole: Content) -> Self {
        Self(Kind::Whole(whole))
    }
}

impl Body for OuterBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::Whole(body) => {
                Pin::new(body).poll_frame(cx).map_err(|impossible| match impossible {})
            }
            Kind::Chunked(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(body) => body.is_end_stream(),
            Kind::Chunked(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(body) => body.size_hint(),
            Kind::Chunked(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for OuterBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OuterBody").finish_non_exhaustive()
    }
}

/// The request to the relay: the same for all clients but for its content (RFC 9458 §5, §6.1).
pub(crate) fn request(
    config: &Config,
    gateway: &Gateway,
    content_type: HeaderValue,
    body: OuterBody,
) -> Request<OuterBody> {
    let in_chunks = matches!(body.0, Kind::Chunked(_));
    let mut outer = Request::new(body);
    *outer.method_mut() = Method::POST;
    *outer.uri_mut() = gateway.relay.clone();
    let headers = outer.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    if in_chunks {
        // RFC 10036: intermediaries should not wait for the end.
        headers.insert(INCREMENTAL, HeaderValue::from_static("?1"));
    }
    for (name, value) in &config.outer_fields {
        headers.append(name, value.clone());
    }
    outer
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Adds a field to all outer requests.
pub(crate) fn add_field(
    fields: &mut HeaderMap,
    name: HeaderName,
    value: HeaderValue,
) -> Result<(), OuterFieldError> {
    let framing = [
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
        header::UPGRADE,
        header::EXPECT,
        header::HOST,
        header::TE,
        header::TRAILER,
        INCREMENTAL,
    ];
    if framing.contains(&name) {
        return Err(OuterFieldError::Reserved { name });
    }
    let identifying = [header::COOKIE, header::FORWARDED, header::FROM, header::VIA, FORWARDED_FOR];
    if identifying.contains(&name) {
        return Err(OuterFieldError::Identifying { name });
    }
    fields.append(name, value);
    Ok(())
}

/// A field cannot be added to all outer requests.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OuterFieldError {
    /// The client or its transport sets it.
    #[error("the client itself sets the field {name} of outer requests; leave it out")]
    Reserved {
        /// The name of the field.
        name: HeaderName,
    },
    /// It exists to tell clients apart.
    #[error("the field {name} would let the relay tell clients apart; leave it out")]
    Identifying {
        /// The name of the field.
        name: HeaderName,
    },
}

/// Whether an answer is one that can be opened.
pub(crate) fn is_encapsulated(
    status: StatusCode,
    headers: &HeaderMap,
    has_type: impl FnOnce(&HeaderMap) -> bool,
) -> bool {
    status == StatusCode::OK && has_type(headers) && !has_content_coding(headers)
}

/// What an answer outside the encapsulation means (RFC 9458 §5.3). Peers report a key problem with
/// different statuses, so the problem's type is the signal.
pub(crate) async fn not_encapsulated<R>(
    status: StatusCode,
    headers: &HeaderMap,
    body: R,
) -> ClientError
where
    R: Body,
    R::Error: Into<BoxError>,
{
    tracing::debug!(status = status.as_u16(), "the answer is not encapsulated");
    if status.is_client_error()
        && media_type(headers) == Some(MediaType::ProblemJson)
        && let Ok(document) = collect(body, MAX_PROBLEM).await
        && Problem::parse(&document.data) == Some(Problem::OhttpKey)
    {
        return ClientError::KeyRejected;
    }
    ClientError::NotEncapsulated { status }
}
