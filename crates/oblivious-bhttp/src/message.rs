//! Whole messages.

use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use crate::decoder::{Decoder, Event, Sink};
use crate::error::{DecodeError, EncodeError};
use crate::fields::Fields;
use crate::head::{RequestHead, ResponseHead};
use crate::joined::Joined;
use crate::options::{DecodeOptions, EncodeOptions};
use crate::whole::WholeMessage;

/// A whole request.
///
/// ```
/// use oblivious_bhttp::{EncodeOptions, Padding, Request};
///
/// let mut request = Request::new("POST", "https", "example.com", "/");
/// request.head.fields.push("content-type", "text/plain")?;
/// request.content = "hello".into();
///
/// let options = EncodeOptions::default().with_padding(Padding::ToMultiple(64));
/// let message = request.encode(&options)?;
/// assert_eq!(message.len(), 64);
/// assert_eq!(Request::decode(message)?, request);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Control data and header section.
    pub head: RequestHead,
    /// The content.
    pub content: Bytes,
    /// The trailer section.
    pub trailers: Fields,
}

impl Request {
    /// A request without fields and content. Its parts are checked when it is encoded.
    pub fn new(
        method: impl AsRef<[u8]>,
        scheme: impl AsRef<[u8]>,
        authority: impl AsRef<[u8]>,
        path: impl AsRef<[u8]>,
    ) -> Self {
        Self { head: RequestHead::new(method, scheme, authority, path), ..Self::default() }
    }

    /// Decodes a message with the [default options](DecodeOptions).
    ///
    /// # Errors
    /// See [`decode_with`](Self::decode_with).
    pub fn decode(message: Bytes) -> Result<Self, DecodeError> {
        Self::decode_with(message, &DecodeOptions::DEFAULT)
    }

    /// Decodes a message, of either framing. All parts are slices of `message`, but content in
    /// more than one chunk is joined.
    ///
    /// # Errors
    /// A [`DecodeError`] if `message` is not a valid request, or exceeds a limit.
    pub fn decode_with(message: Bytes, options: &DecodeOptions) -> Result<Self, DecodeError> {
        let content = Joined::of(&message);
        // The return value is written in place from the start, to avoid moving it at the end.
        let mut decoded = Ok(Self::default());
        if let Ok(request) = &mut decoded {
            let mut whole = WholeRequest { request, content };
            let done = Decoder::for_request(options).decode_whole(message, &mut whole);
            request.content = whole.content.into_bytes();
            if let Err(error) = done {
                decoded = Err(error);
            }
        }
        decoded
    }

    /// Encodes the message.
    ///
    /// # Errors
    /// See [`encode_into`](Self::encode_into).
    pub fn encode(&self, options: &EncodeOptions) -> Result<Bytes, EncodeError> {
        let mut out = BytesMut::new();
        self.encode_into(options, &mut out)?;
        Ok(out.freeze())
    }

    /// Appends the encoded message to `out`. Padding counts from where the message begins.
    ///
    /// # Errors
    /// An [`EncodeError`] if RFC 9292 does not allow the message, or the padding is too short.
    /// Nothing is written then.
    pub fn encode_into(
        &self,
        options: &EncodeOptions,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let message = WholeMessage {
            informational: &[] as &[ResponseHead],
            head: &self.head,
            content: &self.content,
            trailers: &self.trailers,
        };
        message.encode_into(options, out)
    }
}

/// A whole response.
///
/// ```
/// use oblivious_bhttp::{EncodeOptions, Response};
///
/// let response = Response::new(200);
/// let message = response.encode(&EncodeOptions::default())?;
/// assert_eq!(message, [0x01, 0x40, 0xc8][..]);
/// assert_eq!(Response::decode(message, "GET")?, response);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The informational responses that came before, in their order (RFC 9292 §3.5.1).
    pub informational: Vec<ResponseHead>,
    /// Status code and header section of the final response.
    pub head: ResponseHead,
    /// The content.
    pub content: Bytes,
    /// The trailer section.
    pub trailers: Fields,
}

impl Response {
    /// A response without fields and content. The status code is checked when it is encoded.
    pub fn new(status: u16) -> Self {
        Self { head: ResponseHead { status, fields: Fields::new() }, ..Self::default() }
    }

    /// Decodes a message with the [default options](DecodeOptions). The method is that of the
    /// request that the message answers.
    ///
    /// # Errors
    /// See [`decode_with`](Self::decode_with).
    pub fn decode(message: Bytes, request_method: &str) -> Result<Self, DecodeError> {
        Self::decode_with(message, request_method, &DecodeOptions::DEFAULT)
    }

    /// Decodes a message, of either framing. All parts are slices of `message`, but content in
    /// more than one chunk is joined. The method is that of the request that the message answers:
    /// the response to HEAD may have a `content-length` without the content (RFC 9113 §8.1.1).
    ///
    /// # Errors
    /// A [`DecodeError`] if `message` is not a valid response, or exceeds a limit.
    pub fn decode_with(
        message: Bytes,
        request_method: &str,
        options: &DecodeOptions,
    ) -> Result<Self, DecodeError> {
        let mut whole = WholeResponse { response: Self::default(), content: Joined::of(&message) };
        Decoder::for_response(request_method, options).decode_whole(message, &mut whole)?;
        whole.response.content = whole.content.into_bytes();
        Ok(whole.response)
    }

    /// Encodes the message.
    ///
    /// # Errors
    /// See [`encode_into`](Self::encode_into).
    pub fn encode(&self, options: &EncodeOptions) -> Result<Bytes, EncodeError> {
        let mut out = BytesMut::new();
        self.encode_into(options, &mut out)?;
        Ok(out.freeze())
    }

    /// Appends the encoded message to `out`. Padding counts from where the message begins.
    ///
    /// # Errors
    /// An [`EncodeError`] if RFC 9292 does not allow the message, or the padding is too short.
    /// Nothing is written then.
    pub fn encode_into(
        &self,
        options: &EncodeOptions,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let message = WholeMessage {
            informational: &self.informational,
            head: &self.head,
            content: &self.content,
            trailers: &self.trailers,
        };
        message.encode_into(options, out)
    }
}

struct WholeRequest<'a> {
    request: &'a mut Request,
    content: Joined,
}

impl Sink for WholeRequest<'_> {
    type Error = DecodeError;

    #[inline]
    fn give(&mut self, event: Event) -> Result<(), DecodeError> {
        match event {
            Event::Request(head) => self.request.head = head,
            Event::Content(piece) => self.content.push(piece),
            Event::Trailers(trailers) => self.request.trailers = trailers,
            _ => {}
        }
        Ok(())
    }
}

struct WholeResponse {
    response: Response,
    content: Joined,
}

impl Sink for WholeResponse {
    type Error = DecodeError;

    #[inline]
    fn give(&mut self, event: Event) -> Result<(), DecodeError> {
        match event {
            Event::Informational(head) => self.response.informational.push(head),
            Event::Response(head) => self.response.head = head,
            Event::Content(piece) => self.content.push(piece),
            Event::Trailers(trailers) => self.response.trailers = trailers,
            _ => {}
        }
        Ok(())
    }
}

impl core::fmt::Debug for Request {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Request")
            .field("head", &self.head)
            .field("content", &self.content.len())
            .field("trailers", &self.trailers)
            .finish()
    }
}

impl core::fmt::Debug for Response {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Response")
            .field("informational", &self.informational)
            .field("head", &self.head)
            .field("content", &self.content.len())
            .field("trailers", &self.trailers)
            .finish()
    }
}
