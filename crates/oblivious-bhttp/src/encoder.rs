//! Messages to bytes, part by part or at once.

use bytes::BytesMut;
use oblivious_wire::VarInt;

use crate::encodable::{Head, HeadInfo, Kind, Section};
use crate::error::EncodeError;
use crate::fields::{Fields, length_varint};
use crate::head::{RequestHead, ResponseHead};
use crate::padding::Padding;

/// How the parts of a message are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Framing {
    /// A length before each part (RFC 9292 §3.1): for messages that are there as a whole.
    #[default]
    KnownLength,
    /// Terminators behind the parts, and content in chunks (RFC 9292 §3.2): for messages that are
    /// sent while they are made. All three terminators are always written.
    IndeterminateLength,
}

/// Encodes one message part by part.
///
/// The parts are appended to a buffer that the caller may empty at any time. Empty parts at the
/// end of a message of known length are left out (RFC 9292 §3.8). One of indeterminate length has
/// all its terminators: not every receiver takes a message without them.
///
/// ```
/// use bytes::BytesMut;
/// use oblivious_bhttp::{Encoder, Fields, Padding, Response, ResponseHead};
///
/// let mut out = BytesMut::new();
/// let mut encoder = Encoder::indeterminate_length();
/// encoder.response(&ResponseHead { status: 200, fields: Fields::new() }, &mut out)?;
/// encoder.content(b"hello, ", &mut out)?;
/// encoder.content(b"world", &mut out)?;
/// encoder.finish(&Padding::None, &mut out)?;
/// assert_eq!(Response::decode(out.freeze(), "GET")?.content, "hello, world");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Encoder {
    /// The length of the content, in a message of known length.
    length: Option<u64>,
    stage: Stage,
    /// Empty parts of known length, written as zeros if something comes after them.
    owed: usize,
    /// Bytes of the message so far, for the padding.
    written: u64,
    /// Bytes of content so far.
    sent: u64,
    /// What `content-length` says.
    declared: Option<u64>,
    /// Whether there may be no content whatever it says (RFC 9113 §8.1.1).
    may_be_absent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Start,
    Informational,
    Content,
    Trailers,
}

impl Encoder {
    /// An encoder for a message whose content has this length (RFC 9292 §3.1).
    pub fn known_length(content_length: u64) -> Self {
        Self::new(Some(content_length))
    }

    /// An encoder for a message whose content has a length yet to be seen (RFC 9292 §3.2).
    pub fn indeterminate_length() -> Self {
        Self::new(None)
    }

    fn new(length: Option<u64>) -> Self {
        Self {
            length,
            stage: Stage::Start,
            owed: 0,
            written: 0,
            sent: 0,
            declared: None,
            may_be_absent: false,
        }
    }

    /// Control data and header section of a request: the first part.
    ///
    /// # Errors
    /// An [`EncodeError`] for what RFC 9292 §3.4 does not allow, for a `content-length` or `host`
    /// that contradicts the message, and if this is not the first part. Nothing is written then.
    pub fn request(&mut self, head: &RequestHead, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.head(head, out)
    }

    /// An informational response: before the final one, any number of times.
    ///
    /// # Errors
    /// [`EncodeError::Status`] for a status code outside 100..=199 (RFC 9292 §3.5.1),
    /// [`EncodeError::OutOfOrder`] after the final response. Nothing is written then.
    pub fn informational(
        &mut self,
        head: &ResponseHead,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        if !(100..=199).contains(&head.status) {
            return Err(EncodeError::Status);
        }
        self.head(head, out)
    }

    /// Status code and header section of the final response.
    ///
    /// # Errors
    /// [`EncodeError::Status`] for a status code outside 200..=599 (RFC 9292 §3.5), an error for a
    /// `content-length` that contradicts the message, [`EncodeError::OutOfOrder`] if there was a
    /// head before. Nothing is written then.
    pub fn response(&mut self, head: &ResponseHead, out: &mut BytesMut) -> Result<(), EncodeError> {
        if (100..=199).contains(&head.status) {
            return Err(EncodeError::Status);
        }
        self.head(head, out)
    }

    /// Content. In a message of indeterminate length each call makes a chunk; no bytes, no chunk.
    ///
    /// # Errors
    /// [`EncodeError::DeclaredLength`] or [`EncodeError::ContentLengthMismatch`] if this is more
    /// content than was announced, [`EncodeError::OutOfOrder`] before the head and after trailers.
    /// Nothing is written then.
    pub fn content(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), EncodeError> {
        self.content_prefix(bytes.len(), out)?;
        out.extend_from_slice(bytes);
        Ok(())
    }

    /// What comes before `length` bytes of content that the caller sends on by itself, without a
    /// copy: they must follow what this writes.
    ///
    /// # Errors
    /// Those of [`content`](Self::content).
    pub fn content_prefix(&mut self, length: usize, out: &mut BytesMut) -> Result<(), EncodeError> {
        if self.stage != Stage::Content {
            return Err(EncodeError::OutOfOrder);
        }
        if length == 0 {
            return Ok(());
        }
        let sent = self.sent.saturating_add(length as u64);
        if self.length.is_some_and(|length| sent > length) {
            return Err(EncodeError::DeclaredLength);
        }
        if self.declared.is_some_and(|declared| sent > declared) {
            return Err(EncodeError::ContentLengthMismatch);
        }
        let prefix = match self.length {
            // The length of all of it comes once, before the first bytes.
            Some(_) if self.sent > 0 => None,
            Some(all) => Some(VarInt::new(all).map_err(|_| EncodeError::TooLong)?),
            None => Some(VarInt::try_from(length).map_err(|_| EncodeError::TooLong)?),
        };
        self.pay(out);
        if let Some(prefix) = prefix {
            self.put_varint(prefix, out);
        }
        self.sent = sent;
        self.written = self.written.saturating_add(length as u64);
        Ok(())
    }

    /// The trailer section, once, after all content. Need not be called when there is none.
    ///
    /// # Errors
    /// [`EncodeError::PseudoFieldInTrailers`] (RFC 9292 §3.6), [`EncodeError::DeclaredLength`] or
    /// [`EncodeError::ContentLengthMismatch`] if there was less content than announced,
    /// [`EncodeError::OutOfOrder`] before the head and after trailers. Nothing is written then.
    pub fn trailers(&mut self, trailers: &Fields, out: &mut BytesMut) -> Result<(), EncodeError> {
        let length = trailers_len(trailers)?;
        self.trailers_of(trailers, length, out)
    }

    /// Ends the message, with the padding. Padding counts all bytes of this message.
    ///
    /// # Errors
    /// [`EncodeError::PaddingTooShort`], [`EncodeError::DeclaredLength`] or
    /// [`EncodeError::ContentLengthMismatch`] if there was less content than announced,
    /// [`EncodeError::OutOfOrder`] before the head.
    pub fn finish(mut self, padding: &Padding, out: &mut BytesMut) -> Result<(), EncodeError> {
        if self.stage != Stage::Trailers {
            self.trailers_of(&Fields::new(), 0, out)?;
        }
        let written = usize::try_from(self.written).map_err(|_| EncodeError::TooLong)?;
        // Zeros that are owed need not be told from padding: they read the same.
        let zeros = padding.padded_len(written)? - written;
        put_zeros(out, zeros);
        Ok(())
    }

    pub(crate) fn head<H: Head>(
        &mut self,
        head: &H,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        self.head_with(head, &head.info()?, out)
    }

    fn head_with<H: Head>(
        &mut self,
        head: &H,
        info: &HeadInfo,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let fitting = match info.kind {
            Kind::Request => self.stage == Stage::Start,
            Kind::Informational | Kind::Final => {
                matches!(self.stage, Stage::Start | Stage::Informational)
            }
        };
        if !fitting {
            return Err(EncodeError::OutOfOrder);
        }
        if info.kind != Kind::Informational {
            self.declared = info.content_length;
            self.may_be_absent = info.kind == Kind::Final;
            if let Some(length) = self.length {
                check_content_length(info, length)?;
            }
        }
        if self.stage == Stage::Start {
            let request = info.kind == Kind::Request;
            let indicator = u8::from(!request) + 2 * u8::from(self.length.is_none());
            self.put_varint(VarInt::from(indicator), out);
        }
        head.put_control(out);
        self.written += info.control_len as u64;
        if info.kind == Kind::Informational {
            self.stage = Stage::Informational;
            self.put_section(head.section(), info.section_len, out);
            return Ok(());
        }
        self.stage = Stage::Content;
        if info.section_len == 0 && self.length.is_some() {
            self.owed = 1;
        } else {
            self.put_section(head.section(), info.section_len, out);
        }
        Ok(())
    }

    pub(crate) fn trailers_of<S: Section>(
        &mut self,
        trailers: &S,
        length: usize,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        if self.stage != Stage::Content {
            return Err(EncodeError::OutOfOrder);
        }
        self.end_content(out)?;
        if length > 0 || self.length.is_none() {
            self.pay(out);
            self.put_section(trailers, length, out);
        }
        Ok(())
    }

    fn end_content(&mut self, out: &mut BytesMut) -> Result<(), EncodeError> {
        if self.length.is_some_and(|length| self.sent != length) {
            return Err(EncodeError::DeclaredLength);
        }
        match self.declared {
            Some(_) if self.sent == 0 && self.may_be_absent => {}
            Some(declared) if declared != self.sent => {
                return Err(EncodeError::ContentLengthMismatch);
            }
            _ => {}
        }
        if self.length.is_none() {
            self.put_varint(VarInt::default(), out);
        } else if self.sent == 0 {
            self.owed += 1;
        }
        self.stage = Stage::Trailers;
        Ok(())
    }

    /// Writes the empty parts that were held back.
    pub(crate) fn pay(&mut self, out: &mut BytesMut) {
        put_zeros(out, self.owed);
        self.written += self.owed as u64;
        self.owed = 0;
    }

    fn put_section<S: Section>(&mut self, section: &S, length: usize, out: &mut BytesMut) {
        if self.length.is_some() {
            self.put_varint(length_varint(length), out);
            section.put_lines(out);
        } else {
            section.put_lines(out);
            self.put_varint(VarInt::default(), out);
        }
        self.written += length as u64;
    }

    fn put_varint(&mut self, value: VarInt, out: &mut BytesMut) {
        value.encode(out);
        self.written += value.encoded_len() as u64;
    }
}

/// The length of a trailer section, if it may be one (RFC 9292 §3.6).
pub(crate) fn trailers_len<S: Section>(trailers: &S) -> Result<usize, EncodeError> {
    if !trailers.may_be_trailers() {
        return Err(EncodeError::PseudoFieldInTrailers);
    }
    trailers.section_len()
}

/// RFC 9113 §8.1.1; the answer to a HEAD and a 304 have no content whatever the field says, and
/// an encoder is not told what a response answers.
fn check_content_length(info: &HeadInfo, length: u64) -> Result<(), EncodeError> {
    match info.content_length {
        Some(_) if length == 0 && info.kind == Kind::Final => Ok(()),
        Some(declared) if declared != length => Err(EncodeError::ContentLengthMismatch),
        _ => Ok(()),
    }
}

/// Encodes a message that is there as a whole, behind what is in `out`.
pub(crate) fn encode_message<I: Head, H: Head, T: Section>(
    informational: &[I],
    head: &H,
    content: &[u8],
    trailers: &T,
    framing: Framing,
    padding: &Padding,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    let info = head.info()?;
    let trailers_len = trailers_len(trailers)?;
    let before = out.len();
    let length = whole_len(informational, &info, content.len(), trailers_len, framing)?;
    let padded = padding.padded_len(length)?;
    before.checked_add(padded).ok_or(EncodeError::TooLong)?;
    out.reserve(padded);

    let mut encoder = match framing {
        Framing::KnownLength => Encoder::known_length(content.len() as u64),
        Framing::IndeterminateLength => Encoder::indeterminate_length(),
    };
    for head in informational {
        encoder.head(head, out)?;
    }
    encoder.head_with(head, &info, out)?;
    encoder.content(content, out)?;
    encoder.trailers_of(trailers, trailers_len, out)?;
    debug_assert_eq!(encoder.written, length as u64);
    encoder.finish(padding, out)
}

/// The length of a message that is there as a whole.
pub(crate) fn message_len<I: Head, H: Head, T: Section>(
    informational: &[I],
    head: &H,
    content: &[u8],
    trailers: &T,
    framing: Framing,
    padding: &Padding,
) -> Result<usize, EncodeError> {
    let info = head.info()?;
    let trailers = trailers_len(trailers)?;
    padding.padded_len(whole_len(informational, &info, content.len(), trailers, framing)?)
}

/// The length without padding. All that could fail while writing fails here.
fn whole_len<I: Head>(
    informational: &[I],
    info: &HeadInfo,
    content: usize,
    trailers: usize,
    framing: Framing,
) -> Result<usize, EncodeError> {
    if info.kind == Kind::Informational {
        return Err(EncodeError::Status);
    }
    check_content_length(info, content as u64)?;
    let section = |length: usize| match framing {
        Framing::KnownLength => length_varint(length).encoded_len().saturating_add(length),
        Framing::IndeterminateLength => length.saturating_add(1),
    };
    let mut all = 1_usize;
    let mut add = |length: usize| {
        all = all.saturating_add(length);
    };
    for head in informational {
        let info = head.info()?;
        if info.kind != Kind::Informational {
            return Err(EncodeError::Status);
        }
        add(info.control_len);
        add(section(info.section_len));
    }
    add(info.control_len);
    // RFC 9292 §3.8: of known length, a part is left out when it and all after it are empty.
    let all_parts = framing == Framing::IndeterminateLength;
    if info.section_len > 0 || content > 0 || trailers > 0 || all_parts {
        add(section(info.section_len));
    }
    if content > 0 {
        add(length_varint(content).encoded_len());
        add(content);
        add(usize::from(all_parts));
    } else if trailers > 0 || all_parts {
        add(1);
    }
    if trailers > 0 || all_parts {
        add(section(trailers));
    }
    // A sum of lengths in memory; one that saturated could not be reserved either.
    if all == usize::MAX { Err(EncodeError::TooLong) } else { Ok(all) }
}

fn put_zeros(out: &mut BytesMut, count: usize) {
    out.resize(out.len() + count, 0);
}
