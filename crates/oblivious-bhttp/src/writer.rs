//! The bytes of a message that has been checked, part by part.

use bytes::BytesMut;
use oblivious_wire::VarInt;

use crate::encodable::{EncodableFields, EncodableHead, HeadInfo, Kind};
use crate::fields::length_varint;

/// Writes the parts of one message in the order of the calls. Nothing here can fail, so the caller
/// must have checked the message.
///
/// Empty parts at the end of a message of known length are left out (RFC 9292 §3.8).
#[derive(Debug)]
pub(crate) struct Writer {
    /// The length of all content, in a message of known length.
    content_len: Option<VarInt>,
    /// Whether a part of the message has been written.
    begun: bool,
    /// Whether there has been content.
    has_content: bool,
    /// Empty parts of known length, written as zeros if something comes after them.
    owed: usize,
    /// Bytes of the message so far, content included.
    written: u64,
}

impl Writer {
    /// Begins a message: `content_len` is the length of its content, where that is known.
    pub(crate) fn new(content_len: Option<VarInt>) -> Self {
        Self { content_len, begun: false, has_content: false, owed: 0, written: 0 }
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    fn is_known_length(&self) -> bool {
        self.content_len.is_some()
    }

    pub(crate) fn head<H: EncodableHead>(&mut self, head: &H, info: &HeadInfo, out: &mut BytesMut) {
        if !self.begun {
            self.begun = true;
            let response = u8::from(info.kind != Kind::Request);
            let indeterminate = u8::from(!self.is_known_length());
            self.put_varint(VarInt::from(response + 2 * indeterminate), out);
        }
        head.put_control(out);
        self.written += info.control_len as u64;
        // Only the last head has a section that the message may end before.
        if info.section_len == 0 && info.kind != Kind::Informational && self.is_known_length() {
            self.owed += 1;
        } else {
            self.section(head.fields(), info.section_len, out);
        }
    }

    /// What precedes `length` bytes of content, which the caller writes. Zero bytes make no chunk.
    pub(crate) fn content_prefix(&mut self, length: usize, out: &mut BytesMut) {
        if length == 0 {
            return;
        }
        self.write_owed(out);
        match self.content_len {
            // The length of all content comes once, before its first bytes.
            Some(_) if self.has_content => {}
            Some(all) => self.put_varint(all, out),
            None => self.put_varint(length_varint(length), out),
        }
        self.has_content = true;
        self.written = self.written.saturating_add(length as u64);
    }

    /// The trailer section, of `length` bytes: after all content, also if it is empty.
    pub(crate) fn trailers<F: EncodableFields>(
        &mut self,
        trailers: &F,
        length: usize,
        out: &mut BytesMut,
    ) {
        if !self.is_known_length() {
            // The terminator of the content.
            self.put_varint(VarInt::default(), out);
        } else if !self.has_content {
            self.owed += 1;
        }
        if length > 0 || !self.is_known_length() {
            self.write_owed(out);
            self.section(trailers, length, out);
        }
    }

    /// Writes the empty parts that were held back.
    pub(crate) fn write_owed(&mut self, out: &mut BytesMut) {
        put_zeros(out, self.owed);
        self.written += self.owed as u64;
        self.owed = 0;
    }

    fn section<F: EncodableFields>(&mut self, fields: &F, length: usize, out: &mut BytesMut) {
        if self.is_known_length() {
            self.put_varint(length_varint(length), out);
            fields.put_lines(out);
        } else {
            fields.put_lines(out);
            self.put_varint(VarInt::default(), out);
        }
        self.written += length as u64;
    }

    fn put_varint(&mut self, value: VarInt, out: &mut BytesMut) {
        value.encode(out);
        self.written += value.encoded_len() as u64;
    }
}

/// Writes padding, or empty parts: they look the same.
pub(crate) fn put_zeros(out: &mut BytesMut, count: usize) {
    out.resize(out.len() + count, 0);
}
