//! The control data of requests.

use bytes::{Buf, Bytes};
use oblivious_wire::VarInt;

use crate::error::{DecodeError, Limit};
use crate::fields::Fields;
use crate::message::RequestHead;

/// The control data of a request, of which the header section is still to come.
#[derive(Debug)]
pub(super) struct RequestControl {
    bytes: Bytes,
    /// Where method, scheme, authority and path lie; the path is last.
    parts: [(usize, usize); 4],
}

impl RequestControl {
    pub(super) fn new(bytes: Bytes, parts: [(usize, usize); 4]) -> Self {
        Self { bytes, parts }
    }

    pub(super) fn parts(&self) -> [&[u8]; 4] {
        self.parts.map(|(start, end)| &self.bytes[start..end])
    }

    /// The head of the request; method and scheme that nearly every message has need no share in
    /// the memory of the message.
    #[inline(always)]
    pub(super) fn into_head(self, fields: Fields) -> RequestHead {
        let [method, scheme, ..] = self.parts();
        let [method, scheme] = [known_method(method), known_scheme(scheme)];
        let Self { mut bytes, parts } = self;
        let slice = |(start, end)| bytes.slice(start..end);
        let method = method.unwrap_or_else(|| slice(parts[0]));
        let scheme = scheme.unwrap_or_else(|| slice(parts[1]));
        let authority = slice(parts[2]);
        bytes.advance(parts[3].0);
        RequestHead { method, scheme, authority, path: bytes, fields }
    }
}

/// Where the four parts of the control data of a request lie; or how many bytes have to be there
/// to tell.
#[inline]
pub(super) fn split_control(
    bytes: &[u8],
    limit: usize,
) -> Result<Result<[(usize, usize); 4], usize>, DecodeError> {
    let mut parts = [(0, 0); 4];
    let mut at = 0;
    for part in &mut parts {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some((length, width)) = VarInt::decode(rest) else {
            let width = rest.first().map_or(1, |&first| VarInt::len_from_first_byte(first));
            // No more than this length, though other parts follow: it may exceed the limit.
            return Ok(Err(at + width));
        };
        let start = at + width;
        let length = within(length, limit, Limit::ControlData)?;
        at = start.saturating_add(length);
        if at > limit {
            return Err(DecodeError::Limit(Limit::ControlData));
        }
        *part = (start, at);
    }
    Ok(if at <= bytes.len() { Ok(parts) } else { Err(at) })
}

/// A claimed length, if the limit allows it.
pub(super) fn within(claimed: VarInt, limit: usize, name: Limit) -> Result<usize, DecodeError> {
    match usize::try_from(claimed.get()) {
        Ok(length) if length <= limit => Ok(length),
        _ => Err(DecodeError::Limit(name)),
    }
}

#[inline]
fn known_method(method: &[u8]) -> Option<Bytes> {
    let known: &[u8] = match method {
        b"GET" => b"GET",
        b"POST" => b"POST",
        b"PUT" => b"PUT",
        b"HEAD" => b"HEAD",
        b"DELETE" => b"DELETE",
        b"OPTIONS" => b"OPTIONS",
        b"PATCH" => b"PATCH",
        _ => return None,
    };
    Some(Bytes::from_static(known))
}

/// The two schemes of the web, in lower case (RFC 3986 §3.1).
#[inline]
fn known_scheme(scheme: &[u8]) -> Option<Bytes> {
    if scheme.eq_ignore_ascii_case(b"https") {
        Some(Bytes::from_static(b"https"))
    } else if scheme.eq_ignore_ascii_case(b"http") {
        Some(Bytes::from_static(b"http"))
    } else {
        None
    }
}
