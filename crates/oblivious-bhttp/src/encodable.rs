//! What an encoder can write: heads and field sections, of this crate's types and of others.

use bytes::BytesMut;
use oblivious_wire::VarInt;

use crate::error::EncodeError;
use crate::fields::{Fields, prefixed_len, put_prefixed};
use crate::head::{RequestHead, ResponseHead};
use crate::syntax;

/// Something that can be written as a field section.
pub(crate) trait EncodableFields {
    /// The number of bytes that [`put_lines`](Self::put_lines) writes, or why it cannot.
    fn section_len(&self) -> Result<usize, EncodeError>;
    /// Writes the lines without a length or terminator.
    fn put_lines(&self, out: &mut BytesMut);
    /// Whether it may be a trailer section.
    fn may_be_trailers(&self) -> bool;
}

/// Something that can be written as control data and a header section.
pub(crate) trait EncodableHead {
    type Fields: EncodableFields;
    /// Checks it, and measures it.
    fn info(&self) -> Result<HeadInfo, EncodeError>;
    /// Writes the control data.
    fn put_control(&self, out: &mut BytesMut);
    /// The header section.
    fn fields(&self) -> &Self::Fields;
}

/// What is known of a head that has been checked.
#[derive(Debug)]
pub(crate) struct HeadInfo {
    pub(crate) control_len: usize,
    pub(crate) section_len: usize,
    /// What `content-length` says.
    pub(crate) content_length: Option<u64>,
    pub(crate) kind: Kind,
}

impl HeadInfo {
    /// Checks a `content-length` against the length of the content (RFC 9113 §8.1.1). The response
    /// to HEAD and a 304 have no content, whatever the field says, and an encoder does not know
    /// which request a response answers.
    pub(crate) fn check_content_length(&self, length: u64) -> Result<(), EncodeError> {
        match self.content_length {
            Some(_) if length == 0 && self.kind == Kind::Final => Ok(()),
            Some(declared) if declared != length => Err(EncodeError::ContentLengthMismatch),
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Informational,
    Final,
}

impl Kind {
    /// RFC 9292 §3.5.
    pub(crate) fn of_status(status: u16) -> Result<Self, EncodeError> {
        match status {
            100..=199 => Ok(Self::Informational),
            200..=599 => Ok(Self::Final),
            _ => Err(EncodeError::Status),
        }
    }
}

pub(crate) fn status_varint(status: u16) -> VarInt {
    VarInt::from(status)
}

impl EncodableFields for Fields {
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

impl EncodableHead for RequestHead {
    type Fields = Fields;

    fn info(&self) -> Result<HeadInfo, EncodeError> {
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
        Ok(HeadInfo {
            control_len: control.iter().map(|part| prefixed_len(part.len())).sum(),
            section_len: self.fields.as_bytes().len(),
            content_length,
            kind: Kind::Request,
        })
    }

    fn put_control(&self, out: &mut BytesMut) {
        for part in self.control.parts() {
            put_prefixed(out, part);
        }
    }

    fn fields(&self) -> &Fields {
        &self.fields
    }
}

impl EncodableHead for ResponseHead {
    type Fields = Fields;

    fn info(&self) -> Result<HeadInfo, EncodeError> {
        let kind = Kind::of_status(self.status)?;
        let mut content_length = None;
        if kind == Kind::Final {
            for value in self.fields.get_all("content-length") {
                note_content_length(&mut content_length, value)?;
            }
        }
        Ok(HeadInfo {
            control_len: status_varint(self.status).encoded_len(),
            section_len: self.fields.as_bytes().len(),
            content_length,
            kind,
        })
    }

    fn put_control(&self, out: &mut BytesMut) {
        status_varint(self.status).encode(out);
    }

    fn fields(&self) -> &Fields {
        &self.fields
    }
}

/// The length of a trailer section, if it may be one (RFC 9292 §3.6).
pub(crate) fn trailers_len<F: EncodableFields>(trailers: &F) -> Result<usize, EncodeError> {
    if !trailers.may_be_trailers() {
        return Err(EncodeError::PseudoFieldInTrailers);
    }
    trailers.section_len()
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
