//! Messages to bytes, part by part.

use bytes::BytesMut;
use oblivious_wire::VarInt;

use crate::encodable::{EncodableFields, EncodableHead, Kind, trailers_len};
use crate::error::EncodeError;
use crate::fields::Fields;
use crate::head::{RequestHead, ResponseHead};
use crate::padding::Padding;
use crate::writer::{Writer, put_zeros};

/// Encodes one message part by part.
///
/// The parts are appended to a buffer that the caller may empty at any time. Empty parts at the end
/// of a message of known length are left out (RFC 9292 §3.8). A message of indeterminate length
/// gets all its terminators, since some receivers need them.
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
#[must_use = "a message is complete once it is finished"]
pub struct Encoder {
    writer: Writer,
    stage: Stage,
    /// The length of the content, in a message of known length.
    length: Option<u64>,
    /// What `content-length` says.
    declared: Option<u64>,
    /// Whether there may be no content whatever it says (RFC 9113 §8.1.1).
    may_be_absent: bool,
    /// Bytes of content so far.
    sent: u64,
}

/// Which part comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Start,
    /// A head, after an informational response.
    ResponseHead,
    Content,
    End,
}

impl Encoder {
    /// An encoder for a message whose content has this length (RFC 9292 §3.1).
    pub fn known_length(content_length: u64) -> Self {
        // A length that is too long is refused with the first content.
        let in_varint = VarInt::new(content_length).unwrap_or(VarInt::MAX);
        Self { length: Some(content_length), ..Self::new(Writer::new(Some(in_varint))) }
    }

    /// An encoder for a message whose content length is not known yet (RFC 9292 §3.2).
    pub fn indeterminate_length() -> Self {
        Self::new(Writer::new(None))
    }

    fn new(writer: Writer) -> Self {
        Self {
            writer,
            stage: Stage::Start,
            length: None,
            declared: None,
            may_be_absent: false,
            sent: 0,
        }
    }

    /// Control data and header section of a request: the first part.
    ///
    /// # Errors
    /// An [`EncodeError`] for what RFC 9292 §3.4 does not allow, for a `content-length` or `host`
    /// that contradicts the message, and if this is not the first part. Nothing is written then.
    pub fn request(&mut self, head: &RequestHead, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.encodable_head(head, out)
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
        self.encodable_head(head, out)
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
        self.encodable_head(head, out)
    }

    /// Content. In a message of indeterminate length each call makes a chunk, unless it has no
    /// bytes.
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

    /// Writes what precedes `length` bytes of content. The caller sends those bytes itself, right
    /// after what this writes, without copying them to `out`.
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
        if self.length.is_some_and(|all| all > VarInt::MAX.get()) {
            return Err(EncodeError::TooLong);
        }
        self.writer.content_prefix(length, out);
        self.sent = sent;
        Ok(())
    }

    /// The trailer section, once, after all content. Not needed if there is none.
    ///
    /// # Errors
    /// [`EncodeError::PseudoFieldInTrailers`] (RFC 9292 §3.6), [`EncodeError::DeclaredLength`] or
    /// [`EncodeError::ContentLengthMismatch`] if there was less content than announced,
    /// [`EncodeError::OutOfOrder`] before the head and after trailers. Nothing is written then.
    pub fn trailers(&mut self, trailers: &Fields, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.encodable_trailers(trailers, out)
    }

    /// Ends the message, with the padding. Padding counts all bytes of this message.
    ///
    /// # Errors
    /// [`EncodeError::PaddingTooShort`], [`EncodeError::DeclaredLength`] or
    /// [`EncodeError::ContentLengthMismatch`] if there was less content than announced,
    /// [`EncodeError::OutOfOrder`] before the head.
    pub fn finish(mut self, padding: &Padding, out: &mut BytesMut) -> Result<(), EncodeError> {
        if self.stage != Stage::End {
            self.encodable_trailers(&Fields::new(), out)?;
        }
        let written = usize::try_from(self.writer.written()).map_err(|_| EncodeError::TooLong)?;
        // Empty parts that have not been written yet read the same as padding.
        put_zeros(out, padding.padded_len(written)? - written);
        Ok(())
    }

    /// Appends a head of any kind, if its turn has come.
    pub(crate) fn encodable_head<H: EncodableHead>(
        &mut self,
        head: &H,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let info = head.info()?;
        let in_turn = match info.kind {
            Kind::Request => self.stage == Stage::Start,
            Kind::Informational | Kind::Final => {
                matches!(self.stage, Stage::Start | Stage::ResponseHead)
            }
        };
        if !in_turn {
            return Err(EncodeError::OutOfOrder);
        }
        if info.kind == Kind::Informational {
            self.stage = Stage::ResponseHead;
        } else {
            if let Some(length) = self.length {
                info.check_content_length(length)?;
            }
            self.declared = info.content_length;
            self.may_be_absent = info.kind == Kind::Final;
            self.stage = Stage::Content;
        }
        self.writer.head(head, &info, out);
        Ok(())
    }

    /// Appends trailers of any kind, if their turn has come.
    pub(crate) fn encodable_trailers<F: EncodableFields>(
        &mut self,
        trailers: &F,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let length = trailers_len(trailers)?;
        if self.stage != Stage::Content {
            return Err(EncodeError::OutOfOrder);
        }
        self.check_content_is_complete()?;
        self.stage = Stage::End;
        self.writer.trailers(trailers, length, out);
        Ok(())
    }

    fn check_content_is_complete(&self) -> Result<(), EncodeError> {
        if self.length.is_some_and(|length| self.sent != length) {
            return Err(EncodeError::DeclaredLength);
        }
        match self.declared {
            Some(_) if self.sent == 0 && self.may_be_absent => Ok(()),
            Some(declared) if declared != self.sent => Err(EncodeError::ContentLengthMismatch),
            _ => Ok(()),
        }
    }

    /// Appends the empty parts that were held back, so that the receiver can see where the head
    /// ends.
    #[cfg(feature = "http")]
    pub(crate) fn flush(&mut self, out: &mut BytesMut) {
        self.writer.write_owed(out);
    }
}
