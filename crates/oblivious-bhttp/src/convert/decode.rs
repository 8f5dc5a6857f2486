//! Binary messages to requests and responses.

use std::fmt;
use std::vec::Vec;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use oblivious_wire::Content;

use super::ConvertError;
use super::fields::{self, ConnectionNames, SectionKind, header_map};
use crate::decoder::{Decoder, Event, Sink};
use crate::fields::Fields;
use crate::head::{RequestHead, ResponseHead};
use crate::joined::Joined;
use crate::options::DecodeOptions;

/// The informational responses that came before a response (RFC 9292 §3.5.1), in their order: an
/// extension of the [`http::Response`], both when it is decoded and when it is encoded.
///
/// `Debug` shows how many there are, never what they say.
#[derive(Clone, Default)]
pub struct Informational(pub Vec<Response<()>>);

impl fmt::Debug for Informational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Informational({} responses)", self.0.len())
    }
}

/// Decodes a request, of either framing.
///
/// The URI is made of scheme, effective authority and path (RFC 9292 §3.4): a `host` field is not
/// in the headers, since it says nothing that the URI does not. Fields that are for a single
/// connection are left out too (RFC 9110 §7.6.1), `cookie` lines come as one (RFC 9292 §3.6), and
/// everything else is unchanged: repeated fields in their order and number, values that are not
/// UTF-8, trailers. Header values, path, authority and content are slices of `message`, which stays
/// in memory as long as any of them.
///
/// # Errors
/// A [`ConvertError`] if `message` is not a valid request, exceeds a limit, or is one that `http`
/// cannot hold: CONNECT, `OPTIONS *`, a request without any authority, a path with a fragment,
/// pseudo-fields, too many different fields, control characters in values.
///
/// ```
/// use oblivious_bhttp::{DecodeOptions, decode_request};
///
/// let message = &b"\0\x03GET\x05https\x0bexample.com\x02/?"[..];
/// let request = decode_request(message.into(), &DecodeOptions::default())?;
/// assert_eq!(request.uri(), "https://example.com/?");
/// # Ok::<(), oblivious_bhttp::ConvertError>(())
/// ```
pub fn decode_request(
    message: Bytes,
    options: &DecodeOptions,
) -> Result<Request<Content>, ConvertError> {
    let mut whole = Whole {
        head: Request::new(()),
        informational: Vec::new(),
        content: Joined::of(&message),
        trailers: None,
        named: ConnectionNames::default(),
    };
    Decoder::for_request(options).decode_whole(message, &mut whole)?;
    let body = Content { data: whole.content.into_bytes(), trailers: whole.trailers };
    Ok(whole.head.map(|()| body))
}

/// Decodes the response to a request with this method, of either framing.
///
/// Informational responses arrive as [`Informational`] in the extensions, if there are any. Fields
/// are treated as in [`decode_request`], except that `host` has no meaning here and stays.
///
/// # Errors
/// A [`ConvertError`] if `message` is not a valid response, exceeds a limit, or is one that `http`
/// cannot hold.
pub fn decode_response(
    message: Bytes,
    request_method: &Method,
    options: &DecodeOptions,
) -> Result<Response<Content>, ConvertError> {
    let mut whole = Whole {
        head: Response::new(()),
        informational: Vec::new(),
        content: Joined::of(&message),
        trailers: None,
        named: ConnectionNames::default(),
    };
    let decoder = Decoder::for_response(request_method.as_str(), options);
    decoder.decode_whole(message, &mut whole)?;
    let body = Content { data: whole.content.into_bytes(), trailers: whole.trailers };
    let mut response = whole.head.map(|()| body);
    if !whole.informational.is_empty() {
        response.extensions_mut().insert(Informational(whole.informational));
    }
    Ok(response)
}

/// What has been decoded of a whole message so far.
struct Whole<H> {
    head: H,
    informational: Vec<Response<()>>,
    content: Joined,
    trailers: Option<HeaderMap>,
    named: ConnectionNames,
}

impl Sink for Whole<Request<()>> {
    type Error = ConvertError;

    #[inline]
    fn give(&mut self, event: Event) -> Result<(), ConvertError> {
        match event {
            Event::Request(head) => put_request_head(head, &mut self.head, &mut self.named)?,
            Event::Content(piece) => self.content.push(piece),
            Event::Trailers(fields) => self.trailers = trailers(fields, &mut self.named)?,
            _ => {}
        }
        Ok(())
    }
}

impl Sink for Whole<Response<()>> {
    type Error = ConvertError;

    #[inline]
    fn give(&mut self, event: Event) -> Result<(), ConvertError> {
        match event {
            Event::Informational(head) => self.informational.push(informational_response(head)?),
            Event::Response(head) => put_response_head(head, &mut self.head, &mut self.named)?,
            Event::Content(piece) => self.content.push(piece),
            Event::Trailers(fields) => self.trailers = trailers(fields, &mut self.named)?,
            _ => {}
        }
        Ok(())
    }
}

pub(super) fn put_request_head<B>(
    head: RequestHead,
    request: &mut Request<B>,
    named: &mut ConnectionNames,
) -> Result<(), ConvertError> {
    let RequestHead { control, fields } = head;
    let method = Method::from_bytes(control.method()).map_err(|_| ConvertError::Method)?;
    if method == Method::CONNECT {
        return Err(ConvertError::Connect);
    }
    // In an absolute URI the asterisk would become part of the host to anyone who parses it.
    if control.path() == b"*" {
        return Err(ConvertError::AsteriskForm);
    }
    let scheme = scheme(control.scheme());
    let (authority, path) = control.into_target();
    let authority = if authority.is_empty() { fields::host(&fields) } else { Some(authority) };
    let authority = authority.ok_or(ConvertError::MissingAuthority)?;
    *request.uri_mut() = uri(scheme?, authority, path)?;
    *request.method_mut() = method;
    *request.headers_mut() = header_map(fields, SectionKind::RequestHeader, named)?;
    Ok(())
}

fn scheme(scheme: &[u8]) -> Result<Scheme, ConvertError> {
    match scheme {
        b"https" => Ok(Scheme::HTTPS),
        b"http" => Ok(Scheme::HTTP),
        _ => Scheme::try_from(scheme).map_err(|_| ConvertError::Scheme),
    }
}

fn uri(scheme: Scheme, authority: Bytes, path: Bytes) -> Result<Uri, ConvertError> {
    // The decoder has refused what these would silently cut off: a fragment, and whatever ends an
    // authority.
    let authority = Authority::from_maybe_shared(authority).map_err(|_| ConvertError::Authority)?;
    let path = PathAndQuery::from_maybe_shared(path).map_err(|_| ConvertError::Path)?;
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(scheme);
    parts.authority = Some(authority);
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).map_err(|_| ConvertError::Path)
}

pub(super) fn put_response_head<B>(
    head: ResponseHead,
    response: &mut Response<B>,
    named: &mut ConnectionNames,
) -> Result<(), ConvertError> {
    let status = StatusCode::from_u16(head.status).map_err(|_| ConvertError::Status)?;
    *response.status_mut() = status;
    *response.headers_mut() = header_map(head.fields, SectionKind::Other, named)?;
    Ok(())
}

pub(super) fn informational_response(head: ResponseHead) -> Result<Response<()>, ConvertError> {
    let mut response = Response::new(());
    put_response_head(head, &mut response, &mut ConnectionNames::default())?;
    Ok(response)
}

pub(super) fn trailers(
    fields: Fields,
    named: &mut ConnectionNames,
) -> Result<Option<HeaderMap>, ConvertError> {
    let trailers = header_map(fields, SectionKind::Other, named)?;
    Ok((!trailers.is_empty()).then_some(trailers))
}
