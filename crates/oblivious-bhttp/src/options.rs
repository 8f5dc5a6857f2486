//! What a decoder accepts, how strict it is, and how an encoder writes.

use crate::padding::Padding;

/// How large the parts of a message may be.
///
/// A message beyond a limit is an error that names it
/// ([`DecodeError::Limit`](crate::DecodeError::Limit)). Lengths are checked as soon as they are
/// claimed, before any byte of what they announce is kept; the memory of a
/// [`Decoder`](crate::Decoder) is bounded by the larger of `control_data` and `field_section`,
/// since content passes through.
///
/// ```
/// use oblivious_bhttp::DecodeOptions;
///
/// let mut options = DecodeOptions::default();
/// options.limits.content = Some(10 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the control data of a request, lengths included (RFC 9292 §3.4). Default: 16 KiB.
    pub control_data: usize,
    /// Bytes of one header or trailer section, lengths of names and values included
    /// (RFC 9292 §3.6). Default: 64 KiB.
    pub field_section: usize,
    /// Field lines in one section. Default: 1,024.
    pub fields: usize,
    /// Bytes of a field name. Default: 1 KiB.
    pub field_name: usize,
    /// Bytes of a field value. Default: 32 KiB.
    pub field_value: usize,
    /// Informational responses before the final one (RFC 9292 §3.5.1). Default: 16.
    pub informational: usize,
    /// Bytes of content, over all chunks (RFC 9292 §3.7). Default: `None`, which is 1 GiB, or what
    /// the limits of a service that reads the message allow.
    pub content: Option<u64>,
    /// Bytes of padding (RFC 9292 §3.8). Default: 1 MiB.
    pub padding: u64,
}

impl Limits {
    pub(crate) fn content_limit(&self) -> u64 {
        self.content.unwrap_or(1 << 30)
    }
}

impl Default for Limits {
    fn default() -> Self {
        DecodeOptions::DEFAULT.limits
    }
}

/// The limits of a decoder, and what it tolerates. The default is strict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeOptions {
    /// How large the parts of a message may be.
    pub limits: Limits,
    /// Skips a framing indicator that is repeated between an informational response and the control
    /// data after it. RFC 9292 §3.5.1 has none there, but some Java and Swift libraries write it.
    /// It cannot be mistaken for a status code. Default: off, and such messages are invalid.
    pub accept_repeated_framing: bool,
    /// Does not look at the value of padding bytes, which RFC 9292 §3.8 leaves to the receiver.
    /// Some clients pad with random bytes. Sections that such a sender leaves out are still read
    /// from the padding, so this only helps if it writes all of them. Default: off, and padding
    /// other than zeros is invalid.
    pub accept_nonzero_padding: bool,
}

impl DecodeOptions {
    /// A constant, so that they need not be built for every message.
    pub(crate) const DEFAULT: Self = Self {
        limits: Limits {
            control_data: 16 << 10,
            field_section: 64 << 10,
            fields: 1024,
            field_name: 1 << 10,
            field_value: 32 << 10,
            informational: 16,
            content: None,
            padding: 1 << 20,
        },
        accept_repeated_framing: false,
        accept_nonzero_padding: false,
    };
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How a message is written. The default is with known lengths and without padding.
///
/// ```
/// use oblivious_bhttp::{EncodeOptions, Framing, Padding};
///
/// let padded = EncodeOptions::default().with_padding(Padding::ToMultiple(256));
/// assert_eq!(padded.framing, Framing::KnownLength);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EncodeOptions {
    /// How the parts of the message are delimited.
    pub framing: Framing,
    /// How much padding follows the message.
    pub padding: Padding,
}

impl EncodeOptions {
    /// The same options with this framing.
    #[must_use]
    pub fn with_framing(self, framing: Framing) -> Self {
        Self { framing, ..self }
    }

    /// The same options with this padding.
    #[must_use]
    pub fn with_padding(self, padding: Padding) -> Self {
        Self { padding, ..self }
    }
}

/// How the parts of a message are delimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Framing {
    /// A length before each part (RFC 9292 §3.1): for messages whose content is complete.
    #[default]
    KnownLength,
    /// A terminator after each part, and content in chunks (RFC 9292 §3.2): for messages that are
    /// sent while they are produced. All three terminators are always written.
    IndeterminateLength,
}
