//! Requests and responses of `http` as an encoder sees them.

use bytes::BytesMut;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};

use super::decode::Informational;
use super::fields::{ConnectionNames, KeptFields, SectionKind};
use crate::encodable::{
    EncodableFields, EncodableHead, HeadInfo, Kind, note_content_length, status_varint,
};
use crate::error::EncodeError;
use crate::fields::{prefixed_len, put_prefixed};
use crate::syntax;

/// The informational responses that are to be encoded before this one.
pub(super) fn informational<B>(response: &Response<B>) -> impl Iterator<Item = ResponseParts<'_>> {
    let informational = response.extensions().get::<Informational>();
    informational.into_iter().flat_map(|all| &all.0).map(ResponseParts::of)
}

pub(super) fn trailer_fields<'a>(
    trailers: Option<&'a HeaderMap>,
    named: &ConnectionNames,
) -> TrailerFields<'a> {
    TrailerFields(trailers.map(|map| KeptFields::trailers(map, named)))
}

/// Trailers, if there are any.
pub(super) struct TrailerFields<'a>(Option<KeptFields<'a>>);

impl EncodableFields for TrailerFields<'_> {
    fn section_len(&self) -> Result<usize, EncodeError> {
        self.0.as_ref().map_or(Ok(0), EncodableFields::section_len)
    }

    fn put_lines(&self, out: &mut BytesMut) {
        if let Some(lines) = &self.0 {
            lines.put_lines(out);
        }
    }

    fn may_be_trailers(&self) -> bool {
        self.0.as_ref().is_none_or(EncodableFields::may_be_trailers)
    }
}

/// The head of a request.
pub(super) struct RequestParts<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    pub(super) fields: KeptFields<'a>,
}

impl<'a> RequestParts<'a> {
    pub(super) fn of<B>(request: &'a Request<B>) -> Self {
        let headers = request.headers();
        Self {
            method: request.method(),
            uri: request.uri(),
            headers,
            fields: KeptFields::header(headers, SectionKind::RequestHeader),
        }
    }

    /// Scheme, authority, a slash if path and query lack the one that they must begin with, and
    /// path and query.
    fn target(&self) -> Result<[&'a str; 4], EncodeError> {
        let scheme = self.uri.scheme_str().ok_or(EncodeError::AbsoluteUriRequired)?;
        let authority = self.uri.authority().ok_or(EncodeError::AbsoluteUriRequired)?;
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let slash = if path.starts_with('?') { "/" } else { "" };
        Ok([scheme, authority.as_str(), slash, path])
    }
}

impl<'a> EncodableHead for RequestParts<'a> {
    type Fields = KeptFields<'a>;

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

    fn fields(&self) -> &KeptFields<'a> {
        &self.fields
    }
}

/// The head of a response.
pub(super) struct ResponseParts<'a> {
    status: StatusCode,
    headers: &'a HeaderMap,
    pub(super) fields: KeptFields<'a>,
}

impl<'a> ResponseParts<'a> {
    pub(super) fn of<B>(response: &'a Response<B>) -> Self {
        let headers = response.headers();
        Self {
            status: response.status(),
            headers,
            fields: KeptFields::header(headers, SectionKind::Other),
        }
    }
}

impl<'a> EncodableHead for ResponseParts<'a> {
    type Fields = KeptFields<'a>;

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

    fn fields(&self) -> &KeptFields<'a> {
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
