//! Requests and responses to binary messages.

use std::fmt;
use std::vec::Vec;

use bytes::BytesMut;
use http::{Request, Response};
use oblivious_wire::Content;

use super::parts::{RequestParts, ResponseParts, TrailerFields, informational, trailer_fields};
use crate::error::EncodeError;
use crate::options::EncodeOptions;
use crate::whole::{Measured, WholeMessage};

/// Appends an encoded request to `out`; padding counts from where the message begins.
///
/// Scheme, authority and path come from the URI (RFC 9292 §3.4), and a `host` field is left out,
/// as are the fields that are for a single connection (RFC 9110 §7.6.1). All other fields are
/// written in the order in which the map has them.
///
/// # Errors
/// An [`EncodeError`] if the URI is not absolute or has user information, if the method is
/// CONNECT, if a `host` field disagrees with the URI or a `content-length` with the content, if a
/// value has blanks around it, or if the padding is too short. Nothing is written then.
///
/// ```
/// use bytes::BytesMut;
/// use oblivious_bhttp::{Content, EncodeOptions, Padding, encode_request_into};
///
/// let request = http::Request::get("https://example.com/").body(Content::default())?;
/// let options = EncodeOptions::default().with_padding(Padding::ToExact(64));
/// let mut out = BytesMut::from("something before it");
/// encode_request_into(&request, &options, &mut out)?;
/// assert_eq!(out.len(), 19 + 64);
/// assert!(out[19..].starts_with(b"\0\x03GET\x05https\x0bexample.com\x01/\0"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn encode_request_into(
    request: &Request<Content>,
    options: &EncodeOptions,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    with_request(request, |message| message.encode_into(options, out))
}

/// Appends an encoded response to `out`; padding counts from where the message begins.
///
/// Informational responses are taken from the extension [`Informational`]. Fields that are for a
/// single connection are left out (RFC 9110 §7.6.1).
///
/// # Errors
/// An [`EncodeError`] if the status code is not in 200..=599, or that of an informational
/// response not in 100..=199 (RFC 9292 §3.5), if a `content-length` disagrees with content that
/// is not empty (a response to HEAD has none), if a value has blanks around it, or if the padding
/// is too short. Nothing is written then.
///
/// [`Informational`]: crate::Informational
pub fn encode_response_into(
    response: &Response<Content>,
    options: &EncodeOptions,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    with_response(response, |message| message.encode_into(options, out))
}

/// A request that was checked and can be encoded, and its length.
///
/// Use it to learn before writing how much to allocate, or whether there is an error to handle.
/// Nothing is checked again when it is written.
///
/// ```
/// use bytes::BytesMut;
/// use oblivious_bhttp::{Content, EncodableRequest, EncodeOptions};
///
/// let request = http::Request::get("https://example.com/").body(Content::default())?;
/// let request = EncodableRequest::new(request, &EncodeOptions::default())?;
/// let mut out = BytesMut::with_capacity(request.encoded_len());
/// request.encode_into(&mut out);
/// assert_eq!(out.len(), request.encoded_len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// `Debug` shows only the length.
#[must_use = "nothing has been written yet"]
pub struct EncodableRequest {
    request: Request<Content>,
    measured: Measured,
}

impl fmt::Debug for EncodableRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodableRequest({} bytes)", self.encoded_len())
    }
}

impl EncodableRequest {
    /// Checks and measures the request.
    ///
    /// # Errors
    /// Those of [`encode_request_into`].
    pub fn new(request: Request<Content>, options: &EncodeOptions) -> Result<Self, EncodeError> {
        let measured = with_request(&request, |message| message.measure(options))?;
        Ok(Self { request, measured })
    }

    /// The number of bytes that [`encode_into`](Self::encode_into) writes, padding included.
    pub fn encoded_len(&self) -> usize {
        self.measured.encoded_len()
    }

    /// Appends the encoded request to `out`.
    pub fn encode_into(&self, out: &mut BytesMut) {
        with_request(&self.request, |message| message.write(&self.measured, out));
    }

    /// The request.
    pub fn get_ref(&self) -> &Request<Content> {
        &self.request
    }

    /// Returns the request itself.
    pub fn into_inner(self) -> Request<Content> {
        self.request
    }
}

/// A response that was checked and can be encoded, and its length.
///
/// Use it to learn before writing how much to allocate, or whether there is an error to handle.
/// Nothing is checked again when it is written.
///
/// ```
/// use oblivious_bhttp::{Content, EncodableResponse, EncodeError, EncodeOptions};
///
/// let response = http::Response::builder().status(999).body(Content::default())?;
/// let refused = EncodableResponse::new(response, &EncodeOptions::default()).unwrap_err();
/// assert_eq!(refused, EncodeError::Status);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// `Debug` shows only the length.
#[must_use = "nothing has been written yet"]
pub struct EncodableResponse {
    response: Response<Content>,
    measured: Measured,
}

impl fmt::Debug for EncodableResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodableResponse({} bytes)", self.encoded_len())
    }
}

impl EncodableResponse {
    /// Checks and measures the response.
    ///
    /// # Errors
    /// Those of [`encode_response_into`].
    pub fn new(response: Response<Content>, options: &EncodeOptions) -> Result<Self, EncodeError> {
        let measured = with_response(&response, |message| message.measure(options))?;
        Ok(Self { response, measured })
    }

    /// The number of bytes that [`encode_into`](Self::encode_into) writes, padding included.
    pub fn encoded_len(&self) -> usize {
        self.measured.encoded_len()
    }

    /// Appends the encoded response to `out`.
    pub fn encode_into(&self, out: &mut BytesMut) {
        with_response(&self.response, |message| message.write(&self.measured, out));
    }

    /// The response.
    pub fn get_ref(&self) -> &Response<Content> {
        &self.response
    }

    /// Returns the response itself.
    pub fn into_inner(self) -> Response<Content> {
        self.response
    }
}

/// A message of the `http` crate: informational responses are those of a response.
type HttpMessage<'m, 'a, H> = WholeMessage<'m, ResponseParts<'a>, H, TrailerFields<'a>>;

fn with_request<'a, T>(
    request: &'a Request<Content>,
    use_message: impl FnOnce(&HttpMessage<'_, 'a, RequestParts<'a>>) -> T,
) -> T {
    let head = RequestParts::of(request);
    let Content { data, trailers } = request.body();
    let trailers = trailer_fields(trailers.as_ref(), head.fields.named());
    use_message(&WholeMessage {
        informational: &[],
        head: &head,
        content: data,
        trailers: &trailers,
    })
}

fn with_response<'a, T>(
    response: &'a Response<Content>,
    use_message: impl FnOnce(&HttpMessage<'_, 'a, ResponseParts<'a>>) -> T,
) -> T {
    let informational: Vec<_> = informational(response).collect();
    let head = ResponseParts::of(response);
    let Content { data, trailers } = response.body();
    let trailers = trailer_fields(trailers.as_ref(), head.fields.named());
    use_message(&WholeMessage {
        informational: &informational,
        head: &head,
        content: data,
        trailers: &trailers,
    })
}
