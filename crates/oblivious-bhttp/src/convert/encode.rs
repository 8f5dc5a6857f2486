//! Requests and responses to binary messages.

use std::vec::Vec;

use bytes::BytesMut;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};

use super::Content;
use super::decode::Informational;
use super::fields::{Lines, Named, Of};
use crate::encodable::{Head, HeadInfo, Kind, Section, note_content_length, status_varint};
use crate::encoder::{self, Framing};
use crate::error::EncodeError;
use crate::fields::{prefixed_len, put_prefixed};
use crate::padding::Padding;
use crate::syntax;

/// Encodes a request behind what is in `out`; padding counts from where the message begins.
///
/// Scheme, authority and path come from the URI (RFC 9292 §3.4), and a `host` field is left out,
/// as are the fields that concern a connection (RFC 9110 §7.6.1). All other fields are written in
/// the order in which the map gives them.
///
/// # Errors
/// An [`EncodeError`] if the URI is not absolute or has user information, if the method is
/// CONNECT, if a `host` field disagrees with the URI or a `content-length` with the content, if a
/// value has blanks around it, or if the padding is too short. Nothing is written then.
///
/// ```
/// use bytes::BytesMut;
/// use oblivious_bhttp::{Content, Framing, Padding, encode_request_into};
///
/// let request = http::Request::get("https://example.com/").body(Content::default())?;
/// let mut out = BytesMut::from("something before it");
/// encode_request_into(&request, Framing::KnownLength, &Padding::ToExact(64), &mut out)?;
/// assert_eq!(out.len(), 19 + 64);
/// assert!(out[19..].starts_with(b"\0\x03GET\x05https\x0bexample.com\x01/\0"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn encode_request_into(
    request: &Request<Content>,
    framing: Framing,
    padding: &Padding,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    let head = RequestParts::of(request);
    let Content { data, trailers } = request.body();
    let trailers = trailer_lines(trailers.as_ref(), head.fields.named());
    let informational: &[StatusParts<'_>] = &[];
    encoder::encode_message(informational, &head, data, &trailers, framing, padding, out)
}

/// The number of bytes that [`encode_request_into`] writes.
///
/// # Errors
/// Those of [`encode_request_into`].
pub fn encoded_request_len(
    request: &Request<Content>,
    framing: Framing,
    padding: &Padding,
) -> Result<usize, EncodeError> {
    let head = RequestParts::of(request);
    let Content { data, trailers } = request.body();
    let trailers = trailer_lines(trailers.as_ref(), head.fields.named());
    let informational: &[StatusParts<'_>] = &[];
    encoder::message_len(informational, &head, data, &trailers, framing, padding)
}

/// Encodes a response behind what is in `out`; padding counts from where the message begins.
///
/// Informational responses are taken from the extension [`Informational`]. Fields that concern a
/// connection are left out (RFC 9110 §7.6.1).
///
/// # Errors
/// An [`EncodeError`] if the status code is not in 200..=599, or that of an informational
/// response not in 100..=199 (RFC 9292 §3.5), if a `content-length` disagrees with content that
/// is not empty (it may be the answer to a HEAD), if a value has blanks around it, or if the
/// padding is too short. Nothing is written then.
pub fn encode_response_into(
    response: &Response<Content>,
    framing: Framing,
    padding: &Padding,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    let head = StatusParts::of(response);
    let Content { data, trailers } = response.body();
    let trailers = trailer_lines(trailers.as_ref(), head.fields.named());
    encoder::encode_message(&informational(response), &head, data, &trailers, framing, padding, out)
}

/// The number of bytes that [`encode_response_into`] writes.
///
/// # Errors
/// Those of [`encode_response_into`].
pub fn encoded_response_len(
    response: &Response<Content>,
    framing: Framing,
    padding: &Padding,
) -> Result<usize, EncodeError> {
    let head = StatusParts::of(response);
    let Content { data, trailers } = response.body();
    let trailers = trailer_lines(trailers.as_ref(), head.fields.named());
    encoder::message_len(&informational(response), &head, data, &trailers, framing, padding)
}

pub(super) fn informational<B>(response: &Response<B>) -> Vec<StatusParts<'_>> {
    let informational = response.extensions().get::<Informational>();
    informational.map_or_else(Vec::new, |all| all.0.iter().map(StatusParts::of).collect())
}

fn trailer_lines<'a>(trailers: Option<&'a HeaderMap>, named: &Named) -> TrailerLines<'a> {
    TrailerLines(trailers.map(|map| Lines::trailers(map, named)))
}

/// Trailers, if there are any.
struct TrailerLines<'a>(Option<Lines<'a>>);

impl Section for TrailerLines<'_> {
    fn section_len(&self) -> Result<usize, EncodeError> {
        self.0.as_ref().map_or(Ok(0), Section::section_len)
    }

    fn put_lines(&self, out: &mut BytesMut) {
        if let Some(lines) = &self.0 {
            lines.put_lines(out);
        }
    }

    fn may_be_trailers(&self) -> bool {
        self.0.as_ref().is_none_or(Section::may_be_trailers)
    }
}

/// The head of a request.
pub(super) struct RequestParts<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    pub(super) fields: Lines<'a>,
}

impl<'a> RequestParts<'a> {
    pub(super) fn of<B>(request: &'a Request<B>) -> Self {
        let headers = request.headers();
        Self {
            method: request.method(),
            uri: request.uri(),
            headers,
            fields: Lines::header(headers, Of::RequestHeader),
        }
    }

    /// Scheme, authority, and what comes before path and query that lack the slash they begin
    /// with, and path and query.
    fn target(&self) -> Result<[&'a str; 4], EncodeError> {
        let scheme = self.uri.scheme_str().ok_or(EncodeError::AbsoluteUriRequired)?;
        let authority = self.uri.authority().ok_or(EncodeError::AbsoluteUriRequired)?;
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let slash = if path.starts_with('?') { "/" } else { "" };
        Ok([scheme, authority.as_str(), slash, path])
    }
}

impl<'a> Head for RequestParts<'a> {
    type Section = Lines<'a>;

    fn info(&self) -> Result<HeadInfo, EncodeError> {
        if *self.method == Method::CONNECT {
            return Err(EncodeError::Connect);
        }
        let [scheme, authority, slash, path] = self.target()?;
        let method = self.method.as_str();
        let checked = if slash.is_empty() { path } else { slash };
        let [method_bytes, scheme_bytes, authority_bytes, checked] =
            [method, scheme, authority, checked].map(str::as_bytes);
        syntax::check_control(method_bytes, scheme_bytes, authority_bytes, checked, false)?;

        let mut hosts = self.headers.get_all(HOST).iter();
        let host = hosts.next();
        if hosts.next().is_some()
            || host.is_some_and(|host| {
                !syntax::same_authority(scheme_bytes, authority_bytes, host.as_bytes())
            })
        {
            return Err(EncodeError::Host);
        }
        let parts = [method.len(), scheme.len(), authority.len(), slash.len() + path.len()];
        Ok(HeadInfo {
            control_len: parts.into_iter().map(prefixed_len).sum(),
            section_len: self.fields.section_len()?,
            content_length: content_length(self.headers)?,
            kind: Kind::Request,
        })
    }

    fn put_control(&self, out: &mut BytesMut) {
        // `info` has refused a request without a target.
        let Ok([scheme, authority, slash, path]) = self.target() else { return };
        put_prefixed(out, self.method.as_str().as_bytes());
        put_prefixed(out, scheme.as_bytes());
        put_prefixed(out, authority.as_bytes());
        if slash.is_empty() {
            put_prefixed(out, path.as_bytes());
        } else {
            crate::fields::length_varint(slash.len() + path.len()).encode(out);
            out.extend_from_slice(slash.as_bytes());
            out.extend_from_slice(path.as_bytes());
        }
    }

    fn section(&self) -> &Lines<'a> {
        &self.fields
    }
}

/// The head of a response.
pub(super) struct StatusParts<'a> {
    status: StatusCode,
    headers: &'a HeaderMap,
    pub(super) fields: Lines<'a>,
}

impl<'a> StatusParts<'a> {
    pub(super) fn of<B>(response: &'a Response<B>) -> Self {
        let headers = response.headers();
        Self { status: response.status(), headers, fields: Lines::header(headers, Of::Other) }
    }
}

impl<'a> Head for StatusParts<'a> {
    type Section = Lines<'a>;

    fn info(&self) -> Result<HeadInfo, EncodeError> {
        let kind = Kind::of_status(self.status.as_u16())?;
        let content_length = if kind == Kind::Final { content_length(self.headers)? } else { None };
        Ok(HeadInfo {
            control_len: status_varint(self.status.as_u16()).encoded_len(),
            section_len: self.fields.section_len()?,
            content_length,
            kind,
        })
    }

    fn put_control(&self, out: &mut BytesMut) {
        status_varint(self.status.as_u16()).encode(out);
    }

    fn section(&self) -> &Lines<'a> {
        &self.fields
    }
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, EncodeError> {
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        note_content_length(&mut length, value.as_bytes())?;
    }
    Ok(length)
}
