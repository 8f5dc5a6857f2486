//! Messages that are complete: checked and measured first, then written in one go.

use alloc::vec::Vec;

use bytes::BytesMut;

use crate::encodable::{EncodableFields, EncodableHead, HeadInfo, Kind, trailers_len};
use crate::error::EncodeError;
use crate::fields::length_varint;
use crate::options::{EncodeOptions, Framing};
use crate::writer::{Writer, put_zeros};

/// All parts of a message.
pub(crate) struct WholeMessage<'a, I, H, T> {
    pub(crate) informational: &'a [I],
    pub(crate) head: &'a H,
    pub(crate) content: &'a [u8],
    pub(crate) trailers: &'a T,
}

/// The lengths of a message that can be encoded.
#[derive(Debug)]
pub(crate) struct Measured {
    framing: Framing,
    informational: Vec<HeadInfo>,
    head: HeadInfo,
    trailers_len: usize,
    /// Without padding.
    unpadded: usize,
    padded: usize,
}

impl Measured {
    #[cfg(feature = "http")]
    /// The number of bytes that the message takes, padding included.
    pub(crate) fn encoded_len(&self) -> usize {
        self.padded
    }
}

impl<I: EncodableHead, H: EncodableHead, T: EncodableFields> WholeMessage<'_, I, H, T> {
    /// Appends the encoded message to `out`; after an error nothing is written.
    pub(crate) fn encode_into(
        &self,
        options: &EncodeOptions,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let measured = self.measure(options)?;
        self.write(&measured, out);
        Ok(())
    }

    /// Checks everything that could be wrong with the message, so that a measured message can be
    /// written.
    pub(crate) fn measure(&self, options: &EncodeOptions) -> Result<Measured, EncodeError> {
        let mut measured = Measured {
            framing: options.framing,
            informational: Vec::new(),
            head: self.head.info()?,
            trailers_len: trailers_len(self.trailers)?,
            unpadded: 0,
            padded: 0,
        };
        if measured.head.kind == Kind::Informational {
            return Err(EncodeError::Status);
        }
        measured.head.check_content_length(self.content.len() as u64)?;
        for head in self.informational {
            let info = head.info()?;
            if info.kind != Kind::Informational {
                return Err(EncodeError::Status);
            }
            measured.informational.push(info);
        }
        measured.unpadded = measured.len_with(self.content.len());
        measured.padded = options.padding.padded_len(measured.unpadded)?;
        // No buffer can hold more.
        if isize::try_from(measured.padded).is_err() {
            return Err(EncodeError::TooLong);
        }
        Ok(measured)
    }

    /// Writes the message that was measured.
    pub(crate) fn write(&self, measured: &Measured, out: &mut BytesMut) {
        out.reserve(measured.padded);
        let mut writer = Writer::new(match measured.framing {
            Framing::KnownLength => Some(length_varint(self.content.len())),
            Framing::IndeterminateLength => None,
        });
        for (head, info) in self.informational.iter().zip(&measured.informational) {
            writer.head(head, info, out);
        }
        writer.head(self.head, &measured.head, out);
        writer.content_prefix(self.content.len(), out);
        out.extend_from_slice(self.content);
        writer.trailers(self.trailers, measured.trailers_len, out);
        debug_assert_eq!(writer.written(), measured.unpadded as u64);
        put_zeros(out, measured.padded - measured.unpadded);
    }
}

impl Measured {
    /// The length without padding, saturating: of lengths in memory, so one that saturates could
    /// not be allocated either.
    fn len_with(&self, content: usize) -> usize {
        let section = |length: usize| match self.framing {
            Framing::KnownLength => length_varint(length).encoded_len().saturating_add(length),
            Framing::IndeterminateLength => length.saturating_add(1),
        };
        let mut all = 1_usize;
        let mut add = |length: usize| all = all.saturating_add(length);
        for info in &self.informational {
            add(info.control_len);
            add(section(info.section_len));
        }
        add(self.head.control_len);
        // RFC 9292 §3.8: in a message of known length, a part is left out if it and all after it
        // are empty.
        let all_parts = self.framing == Framing::IndeterminateLength;
        let (header, trailers) = (self.head.section_len, self.trailers_len);
        if header > 0 || content > 0 || trailers > 0 || all_parts {
            add(section(header));
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
        all
    }
}
