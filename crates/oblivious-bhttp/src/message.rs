//! Whole messages, and the heads that they share with the incremental codec.

use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use crate::control::ControlData;
use crate::decoder::{Decoder, Event, Sink};
use crate::encoder::{self, Framing};
use crate::error::{DecodeError, EncodeError};
use crate::fields::Fields;
use crate::options::DecodeOptions;
use crate::padding::Padding;
use crate::syntax;

/// Control data and header section of a request (RFC 9292 §3.4, §3.6).
///
/// `Debug` shows how long the parts are, never what they say.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RequestHead {
    pub(crate) control: ControlData,
    /// The header section.
    pub fields: Fields,
}

impl RequestHead {
    /// A head without fields. What it is made of is checked when it is encoded.
    pub fn new(
        method: impl AsRef<[u8]>,
        scheme: impl AsRef<[u8]>,
        authority: impl AsRef<[u8]>,
        path: impl AsRef<[u8]>,
    ) -> Self {
        let parts = [method.as_ref(), scheme.as_ref(), authority.as_ref(), path.as_ref()];
        Self { control: ControlData::join(parts), fields: Fields::new() }
    }

    /// The method, such as `GET`.
    #[inline]
    pub fn method(&self) -> &[u8] {
        self.control.method()
    }

    /// The scheme, such as `https`; empty for CONNECT.
    #[inline]
    pub fn scheme(&self) -> &[u8] {
        self.control.scheme()
    }

    /// The authority of the control data. May be empty, with a `host` field in its place: see
    /// [`effective_authority`](Self::effective_authority).
    #[inline]
    pub fn authority(&self) -> &[u8] {
        self.control.authority()
    }

    /// Path and query; empty for CONNECT.
    #[inline]
    pub fn path(&self) -> &[u8] {
        self.control.path()
    }

    /// What the request is addressed to: the authority of the control data, or else the `host`
    /// field (RFC 9292 §3.4, RFC 9113 §8.3.1). Decoding has made sure that they agree.
    pub fn effective_authority(&self) -> Option<&[u8]> {
        if self.authority().is_empty() {
            return self.fields.get("host").filter(|host| !host.is_empty());
        }
        Some(self.authority())
    }
}

/// Control data and header section of a response, informational or final (RFC 9292 §3.5, §3.6).
///
/// `Debug` shows how long the parts are, never what they say.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// The header section.
    pub fields: Fields,
}

/// A whole request.
///
/// ```
/// use oblivious_bhttp::{DecodeOptions, Framing, Padding, Request};
///
/// let mut request = Request::new("POST", "https", "example.com", "/");
/// request.head.fields.push("content-type", "text/plain")?;
/// request.content = "hello".into();
///
/// let message = request.encode(Framing::KnownLength, &Padding::ToMultiple(64))?;
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
    /// A request without fields and content. What it is made of is checked when it is encoded.
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
        // What is returned is written to from the start, and not moved there in the end.
        let mut decoded = Ok(Self::default());
        if let Ok(request) = &mut decoded {
            let mut whole = WholeRequest { request, content };
            let done = Decoder::request(options).decode_whole(message, &mut whole);
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
    pub fn encode(&self, framing: Framing, padding: &Padding) -> Result<Bytes, EncodeError> {
        let mut out = BytesMut::new();
        self.encode_into(framing, padding, &mut out)?;
        Ok(out.freeze())
    }

    /// Encodes the message behind what is in `out`. Padding counts from where the message begins.
    ///
    /// # Errors
    /// An [`EncodeError`] if RFC 9292 does not allow the message, or the padding is too short.
    /// Nothing is written then.
    pub fn encode_into(
        &self,
        framing: Framing,
        padding: &Padding,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        encoder::encode_message::<ResponseHead, _, _>(
            &[],
            &self.head,
            &self.content,
            &self.trailers,
            framing,
            padding,
            out,
        )
    }

    /// The number of bytes that [`encode_into`](Self::encode_into) writes.
    ///
    /// # Errors
    /// Those of [`encode_into`](Self::encode_into).
    pub fn encoded_len(&self, framing: Framing, padding: &Padding) -> Result<usize, EncodeError> {
        encoder::message_len::<ResponseHead, _, _>(
            &[],
            &self.head,
            &self.content,
            &self.trailers,
            framing,
            padding,
        )
    }
}

/// A whole response.
///
/// ```
/// use oblivious_bhttp::{Framing, Padding, Response};
///
/// let response = Response::new(200);
/// let message = response.encode(Framing::KnownLength, &Padding::None)?;
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
        Decoder::response(request_method, options).decode_whole(message, &mut whole)?;
        whole.response.content = whole.content.into_bytes();
        Ok(whole.response)
    }

    /// Encodes the message.
    ///
    /// # Errors
    /// See [`encode_into`](Self::encode_into).
    pub fn encode(&self, framing: Framing, padding: &Padding) -> Result<Bytes, EncodeError> {
        let mut out = BytesMut::new();
        self.encode_into(framing, padding, &mut out)?;
        Ok(out.freeze())
    }

    /// Encodes the message behind what is in `out`. Padding counts from where the message begins.
    ///
    /// # Errors
    /// An [`EncodeError`] if RFC 9292 does not allow the message, or the padding is too short.
    /// Nothing is written then.
    pub fn encode_into(
        &self,
        framing: Framing,
        padding: &Padding,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        encoder::encode_message(
            &self.informational,
            &self.head,
            &self.content,
            &self.trailers,
            framing,
            padding,
            out,
        )
    }

    /// The number of bytes that [`encode_into`](Self::encode_into) writes.
    ///
    /// # Errors
    /// Those of [`encode_into`](Self::encode_into).
    pub fn encoded_len(&self, framing: Framing, padding: &Padding) -> Result<usize, EncodeError> {
        encoder::message_len(
            &self.informational,
            &self.head,
            &self.content,
            &self.trailers,
            framing,
            padding,
        )
    }
}

struct WholeRequest<'a> {
    request: &'a mut Request,
    content: Joined,
}

impl Sink for WholeRequest<'_> {
    type Error = DecodeError;

    #[inline(always)]
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

    #[inline(always)]
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

/// All content of a message that is there as a whole: the only piece as it is, several joined.
pub(crate) struct Joined {
    only: Option<Bytes>,
    joined: BytesMut,
    /// The length of the message, which is more than all its content.
    most: usize,
}

impl Joined {
    pub(crate) fn of(message: &Bytes) -> Self {
        Self { only: None, joined: BytesMut::new(), most: message.len() }
    }

    #[inline]
    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.only.is_none() && self.joined.is_empty() {
            self.only = Some(piece);
            return;
        }
        if let Some(first) = self.only.take() {
            // The message is in memory, so its length is no claim; and this is the one allocation.
            self.joined.reserve(self.most);
            self.joined.extend_from_slice(&first);
        }
        self.joined.extend_from_slice(&piece);
    }

    #[inline]
    pub(crate) fn into_bytes(self) -> Bytes {
        self.only.unwrap_or_else(|| self.joined.freeze())
    }
}

impl encoder::Section for Fields {
    fn section_len(&self) -> Result<usize, EncodeError> {
        Ok(self.as_bytes().len())
    }

    fn put_lines(&self, out: &mut BytesMut) {
        out.extend_from_slice(self.as_bytes());
    }

    fn may_be_trailers(&self) -> bool {
        !self.has_pseudo_fields()
    }
}

impl encoder::Head for RequestHead {
    type Section = Fields;

    fn facts(&self) -> Result<encoder::Facts, EncodeError> {
        let mut content_length = None;
        let mut host = None;
        let mut extended_connect = false;
        for field in &self.fields {
            match field.name {
                b"content-length" => note_content_length(&mut content_length, field.value)?,
                b"host" if host.is_some() => return Err(EncodeError::Host),
                b"host" => host = Some(field.value),
                b":protocol" => extended_connect = true,
                _ => {}
            }
        }
        let control = self.control.parts();
        let [method, scheme, authority, path] = control;
        syntax::check_control(method, scheme, authority, path, extended_connect)?;
        if let Some(host) = host
            && !syntax::host_agrees(scheme, authority, host)
        {
            return Err(EncodeError::Host);
        }
        Ok(encoder::Facts {
            control_len: control.iter().map(|part| crate::fields::prefixed_len(part.len())).sum(),
            section_len: self.fields.as_bytes().len(),
            content_length,
            kind: encoder::Kind::Request,
        })
    }

    fn put_control(&self, out: &mut BytesMut) {
        for part in self.control.parts() {
            crate::fields::put_prefixed(out, part);
        }
    }

    fn section(&self) -> &Fields {
        &self.fields
    }
}

impl encoder::Head for ResponseHead {
    type Section = Fields;

    fn facts(&self) -> Result<encoder::Facts, EncodeError> {
        let kind = encoder::Kind::of_status(self.status)?;
        let mut content_length = None;
        if kind == encoder::Kind::Final {
            for value in self.fields.get_all("content-length") {
                note_content_length(&mut content_length, value)?;
            }
        }
        Ok(encoder::Facts {
            control_len: encoder::status_varint(self.status).encoded_len(),
            section_len: self.fields.as_bytes().len(),
            content_length,
            kind,
        })
    }

    fn put_control(&self, out: &mut BytesMut) {
        encoder::status_varint(self.status).encode(out);
    }

    fn section(&self) -> &Fields {
        &self.fields
    }
}

/// Takes note of a `content-length`: a single number (RFC 9110 §8.6).
pub(crate) fn note_content_length(
    noted: &mut Option<u64>,
    value: &[u8],
) -> Result<(), EncodeError> {
    let length = syntax::content_length(value);
    if length.is_none() || noted.is_some() {
        return Err(EncodeError::InvalidContentLength);
    }
    *noted = length;
    Ok(())
}

impl core::fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.method().len())
            .field("scheme", &self.scheme().len())
            .field("authority", &self.authority().len())
            .field("path", &self.path().len())
            .field("fields", &self.fields)
            .finish()
    }
}

impl core::fmt::Debug for ResponseHead {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ResponseHead")
            .field("status", &self.status)
            .field("fields", &self.fields)
            .finish()
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
