//! Field sections to header maps and back, without the fields that are not passed on.

use std::collections::HashSet;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use oblivious_wire::{connection_options, is_connection_field};

use super::ConvertError;
use crate::encodable::EncodableFields;
use crate::error::EncodeError;
use crate::fields::{Fields, is_pseudo_field, line_at, line_len, put_prefixed};
use crate::syntax;

/// Which section it is: in the header of a request, `host` repeats what the URI says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SectionKind {
    RequestHeader,
    Other,
}

/// The names in `connection` fields: fields with these names are for a single connection as well,
/// in header and trailers (RFC 9110 §7.6.1).
///
/// A set, since a message may name thousands of them; nearly all messages name none.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionNames(Option<HashSet<HeaderName>>);

impl ConnectionNames {
    fn note(&mut self, value: &[u8]) {
        let names = connection_options(value).filter_map(|name| HeaderName::from_bytes(name).ok());
        self.0.get_or_insert_default().extend(names);
    }

    #[inline]
    fn contains(&self, name: &HeaderName) -> bool {
        self.0.as_ref().is_some_and(|names| names.contains(name))
    }

    fn iter(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().flat_map(|names| names.iter())
    }
}

/// Whether a field is left out: it is for a single connection, or is the `host` of a request, where
/// only the effective authority counts, which the URI has.
#[inline]
fn is_left_out(name: &[u8], value: &[u8], kind: SectionKind) -> bool {
    is_connection_field(name, value) || kind == SectionKind::RequestHeader && name == b"host"
}

/// A section as a header map: without the fields that are not passed on, `cookie` lines in one,
/// everything else as it was. Values are slices of the section.
///
/// `named` is what the message has named so far; what this section names is added.
pub(super) fn header_map(
    fields: Fields,
    kind: SectionKind,
    named: &mut ConnectionNames,
) -> Result<HeaderMap, ConvertError> {
    if fields.is_empty() {
        return Ok(HeaderMap::new());
    }
    let (count, lines) = (fields.len(), fields.into_shared());
    let mut map = build_map(&lines, count, kind, named)?;
    if named.iter().any(|name| map.contains_key(name)) {
        // Some came before the field that names them. Taking them out would change the order.
        map = build_map(&lines, count, kind, named)?;
    }
    Ok(map)
}

fn build_map(
    lines: &Bytes,
    count: usize,
    kind: SectionKind,
    named: &mut ConnectionNames,
) -> Result<HeaderMap, ConvertError> {
    // Room for what most messages have; more is only reserved once it has arrived.
    let mut map = HeaderMap::with_capacity(count.min(48));
    let mut cookies = 0;
    let mut at = 0;
    while let Some((name, value)) = line_at(lines, at) {
        at = value.end;
        let name = &lines[name];
        if is_left_out(name, &lines[value.clone()], kind) {
            if name == b"connection" {
                named.note(&lines[value]);
            }
            continue;
        }
        if is_pseudo_field(name) {
            return Err(ConvertError::PseudoField);
        }
        let name = HeaderName::from_lowercase(name).map_err(|_| ConvertError::FieldName)?;
        if named.contains(&name) {
            continue;
        }
        let value = HeaderValue::from_maybe_shared(lines.slice(value))
            .map_err(|_| ConvertError::FieldValue)?;
        cookies += usize::from(name == COOKIE);
        map.try_append(name, value).map_err(|_| ConvertError::TooManyFields)?;
    }
    if cookies > 1 {
        join_cookies(&mut map)?;
    }
    Ok(map)
}

/// RFC 9292 §3.6, RFC 9113 §8.2.3: `cookie` lines are one, divided by semicolons. Empty lines mean
/// nothing, and would leave a trailing blank, which a value must not have.
fn join_cookies(map: &mut HeaderMap) -> Result<(), ConvertError> {
    let mut joined = BytesMut::new();
    for cookie in map.get_all(COOKIE).iter().filter(|cookie| !cookie.is_empty()) {
        if !joined.is_empty() {
            joined.extend_from_slice(b"; ");
        }
        joined.extend_from_slice(cookie.as_bytes());
    }
    let joined = HeaderValue::from_maybe_shared(joined.freeze());
    map.insert(COOKIE, joined.map_err(|_| ConvertError::FieldValue)?);
    Ok(())
}

/// The `host` field of a request that has no authority in its control data.
pub(super) fn host(fields: &Fields) -> Option<Bytes> {
    fields.get("host").filter(|host| !host.is_empty()).map(Bytes::copy_from_slice)
}

/// A header map as a section to write, without the fields that are not passed on.
pub(super) struct KeptFields<'a> {
    map: &'a HeaderMap,
    kind: SectionKind,
    named: ConnectionNames,
}

impl<'a> KeptFields<'a> {
    pub(super) fn header(map: &'a HeaderMap, kind: SectionKind) -> Self {
        let mut named = ConnectionNames::default();
        for value in map.get_all(CONNECTION) {
            named.note(value.as_bytes());
        }
        Self { map, kind, named }
    }

    /// Trailers, and what the header section that they belong to has named.
    pub(super) fn trailers(map: &'a HeaderMap, named: &ConnectionNames) -> Self {
        let mut trailers = Self::header(map, SectionKind::Other);
        if named.0.is_some() {
            trailers.named.0.get_or_insert_default().extend(named.iter().cloned());
        }
        trailers
    }

    pub(super) fn into_named(self) -> ConnectionNames {
        self.named
    }

    pub(super) fn named(&self) -> &ConnectionNames {
        &self.named
    }

    fn kept(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.map.iter().filter_map(|(name, value)| {
            let bytes = name.as_str().as_bytes();
            let left_out =
                is_left_out(bytes, value.as_bytes(), self.kind) || self.named.contains(name);
            (!left_out).then_some((bytes, value.as_bytes()))
        })
    }
}

impl EncodableFields for KeptFields<'_> {
    fn section_len(&self) -> Result<usize, EncodeError> {
        self.kept().try_fold(0_usize, |length, (name, value)| {
            if !syntax::is_field_value(value) {
                return Err(EncodeError::FieldValue);
            }
            Ok(length.saturating_add(line_len(name, value)))
        })
    }

    fn put_lines(&self, out: &mut BytesMut) {
        for (name, value) in self.kept() {
            put_prefixed(out, name);
            put_prefixed(out, value);
        }
    }

    fn may_be_trailers(&self) -> bool {
        // No name in a header map begins with a colon.
        true
    }
}
