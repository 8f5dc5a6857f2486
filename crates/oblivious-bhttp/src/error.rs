//! What can be wrong with a message, and what to do about it.
//!
//! No error contains bytes of the message: what is inside an encapsulation must not reach a log.

use thiserror::Error;

use crate::syntax::ControlFault;

/// Why bytes are not a message.
///
/// All but [`Limit`](Self::Limit) and [`PushAfterFinish`](Self::PushAfterFinish) mean that the
/// message is invalid (RFC 9292 §4): stop processing it, including what the decoder returned before
/// the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The message ends where it must not (RFC 9292 §3.8).
    #[error("the message ends in the middle of {0}; only empty parts at its end may be left out")]
    Truncated(Part),
    /// The framing indicator is not one of the four (RFC 9292 §3.3).
    #[error("the framing indicator is unknown; a binary message begins with 0, 1, 2 or 3")]
    Framing,
    /// A response came where a request was expected.
    #[error("the message is a response; decode it as one")]
    ExpectedRequest,
    /// A request came where a response was expected.
    #[error("the message is a request; decode it as one")]
    ExpectedResponse,
    /// The framing indicator is repeated after an informational response (RFC 9292 §3.5.1).
    #[error(
        "the framing indicator is repeated after an informational response; if the sender cannot \
         be fixed, set `accept_repeated_framing`"
    )]
    RepeatedFraming,
    /// The method is not a token (RFC 9292 §3.4, RFC 9110 §9.1).
    #[error("the method is not a token")]
    Method,
    /// The scheme is missing where it is needed, or is not a scheme (RFC 9292 §3.4).
    #[error("the scheme is not one that the method can have")]
    Scheme,
    /// The authority has bytes or user information that it must not have (RFC 9292 §3.4).
    #[error("the authority is not a host with an optional port")]
    Authority,
    /// The path is missing where it is needed, or is not a path (RFC 9292 §3.4).
    #[error("the path is not one that the method can have")]
    Path,
    /// The status code is outside 100..=599 (RFC 9292 §3.5).
    #[error("the status code is not in 100..=599")]
    Status,
    /// A field line in a section of known length has a name of no bytes (RFC 9292 §3.6).
    #[error("a field has an empty name")]
    EmptyFieldName,
    /// A field name is not a token (RFC 9292 §3.6).
    #[error("a field name is not a token")]
    FieldName,
    /// A field value has NUL, CR or LF in it, or blanks at an end (RFC 9292 §3.6).
    #[error("a field value has a NUL, a line end, or blanks around it")]
    FieldValue,
    /// A field line runs past the end of its section (RFC 9292 §3.1).
    #[error("a field line is longer than what is left of its section")]
    FieldOverrun,
    /// One of the five pseudo-fields whose place is the control data (RFC 9292 §3.6).
    #[error("a pseudo-field repeats what belongs in the control data")]
    ForbiddenPseudoField,
    /// A pseudo-field after another field, or in the trailers (RFC 9292 §3.6).
    #[error("a pseudo-field is not before all other fields of the header section")]
    MisplacedPseudoField,
    /// A `content-length` that is not a number, or more than one of them (RFC 9110 §8.6).
    #[error("the `content-length` is not a single number")]
    InvalidContentLength,
    /// The `content-length` is not the length of the content (RFC 9113 §8.1.1).
    #[error("the `content-length` is not the length of the content")]
    ContentLengthMismatch,
    /// More than one `host` field, one that is not an authority, or one that names another authority
    /// than the control data (RFC 9113 §8.3.1).
    #[error("the `host` field is repeated, or disagrees with the authority of the request")]
    Host,
    /// A padding byte is not zero (RFC 9292 §3.8).
    #[error(
        "the padding has bytes other than zero; if the sender cannot be fixed, set \
         `accept_nonzero_padding`"
    )]
    NonZeroPadding,
    /// A part exceeds one of the receiver's limits.
    #[error("the message exceeds the limit `{0}`; raise it if such messages are expected")]
    Limit(Limit),
    /// [`Decoder::push`](crate::Decoder::push) was called after
    /// [`Decoder::finish`](crate::Decoder::finish).
    #[error("bytes were pushed after `finish`; use a new decoder for each message")]
    PushAfterFinish,
}

impl From<ControlFault> for DecodeError {
    fn from(fault: ControlFault) -> Self {
        match fault {
            ControlFault::Method => Self::Method,
            ControlFault::Scheme => Self::Scheme,
            ControlFault::Authority => Self::Authority,
            ControlFault::Path => Self::Path,
        }
    }
}

/// A part of a message, for [`DecodeError::Truncated`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The framing indicator (RFC 9292 §3.3).
    FramingIndicator,
    /// The control data of a request or response (RFC 9292 §3.4, §3.5).
    ControlData,
    /// An informational response, or the final one that must follow it (RFC 9292 §3.5.1).
    InformationalResponse,
    /// The header section (RFC 9292 §3.6).
    Header,
    /// The content (RFC 9292 §3.7).
    Content,
    /// The trailer section (RFC 9292 §3.6).
    Trailer,
}

impl core::fmt::Display for Part {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::FramingIndicator => "its framing indicator",
            Self::ControlData => "its control data",
            Self::InformationalResponse => "an informational response",
            Self::Header => "its header section",
            Self::Content => "its content",
            Self::Trailer => "its trailer section",
        })
    }
}

/// Which of the [`Limits`](crate::Limits) a message exceeds; each has the name of the field there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::control_data`](crate::Limits::control_data).
    ControlData,
    /// [`Limits::field_section`](crate::Limits::field_section).
    FieldSection,
    /// [`Limits::fields`](crate::Limits::fields).
    Fields,
    /// [`Limits::field_name`](crate::Limits::field_name).
    FieldName,
    /// [`Limits::field_value`](crate::Limits::field_value).
    FieldValue,
    /// [`Limits::informational`](crate::Limits::informational).
    Informational,
    /// [`Limits::content`](crate::Limits::content).
    Content,
    /// [`Limits::padding`](crate::Limits::padding).
    Padding,
}

impl core::fmt::Display for Limit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::ControlData => "control_data",
            Self::FieldSection => "field_section",
            Self::Fields => "fields",
            Self::FieldName => "field_name",
            Self::FieldValue => "field_value",
            Self::Informational => "informational",
            Self::Content => "content",
            Self::Padding => "padding",
        })
    }
}

/// Why a message cannot be encoded. The fault is the caller's; discard what has been written to the
/// output by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The method is not a token (RFC 9292 §3.4, RFC 9110 §9.1).
    #[error("the method is not a token")]
    Method,
    /// The scheme is missing where it is needed, or is not a scheme (RFC 9292 §3.4).
    #[error("the scheme is not one that the method can have")]
    Scheme,
    /// The authority has bytes or user information that it must not have (RFC 9292 §3.4).
    #[error("the authority is not a host with an optional port; leave user information out")]
    Authority,
    /// The path is missing where it is needed, or is not a path (RFC 9292 §3.4).
    #[error("the path is not one that the method can have; for `https` it begins with a slash")]
    Path,
    /// The status code is outside the range of its kind of response (RFC 9292 §3.5).
    #[error(
        "the status code is not in 100..=199 for an informational response, or 200..=599 for a \
         final one"
    )]
    Status,
    /// A field value has blanks at an end (RFC 9292 §3.6), which the `http` crate allows.
    #[error("a field value has blanks around it, which binary HTTP does not allow; trim it")]
    FieldValue,
    /// A pseudo-field in the trailers (RFC 9292 §3.6).
    #[error("the trailers have a pseudo-field, which belongs before all other header fields")]
    PseudoFieldInTrailers,
    /// A `content-length` that is not a number, or more than one of them (RFC 9110 §8.6).
    #[error("the `content-length` is not a single number")]
    InvalidContentLength,
    /// The `content-length` is not the length of the content (RFC 9113 §8.1.1).
    #[error("the `content-length` is not the length of the content; correct it or leave it out")]
    ContentLengthMismatch,
    /// More than one `host` field, or one that names another authority than the request does
    /// (RFC 9113 §8.3.1).
    #[error("the `host` field is repeated, or disagrees with the authority of the request")]
    Host,
    /// A request whose URI lacks the scheme or the authority (RFC 9292 §3.4).
    #[error("the request has no absolute URI; give it a scheme and an authority")]
    AbsoluteUriRequired,
    /// A CONNECT request, which needs a connection; there is none here (RFC 9292 §6).
    #[error("a CONNECT request cannot be sent as a message, since it needs a connection")]
    Connect,
    /// The content is shorter or longer than the length that was given for it.
    #[error("the content does not have the length that was announced for it")]
    DeclaredLength,
    /// The known-length framing was chosen, but the body does not give its exact length.
    #[error("the body does not give its exact length; use the framing of indeterminate length")]
    UnknownLength,
    /// The message is longer than the exact length it should be padded to.
    #[error("the message is longer than the length it should be padded to; choose a larger one")]
    PaddingTooShort,
    /// A length does not fit in 62 bits, or the message does not fit in memory.
    #[error("the message is too long to be encoded")]
    TooLong,
    /// A part was given to an [`Encoder`](crate::Encoder) out of turn.
    #[error("the parts of the message came in the wrong order")]
    OutOfOrder,
}

impl From<ControlFault> for EncodeError {
    fn from(fault: ControlFault) -> Self {
        match fault {
            ControlFault::Method => Self::Method,
            ControlFault::Scheme => Self::Scheme,
            ControlFault::Authority => Self::Authority,
            ControlFault::Path => Self::Path,
        }
    }
}

/// Why [`Fields::push`](crate::Fields::push) does not take a field (RFC 9292 §3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The name is empty, or is not a token.
    #[error("the field name is not a token")]
    Name,
    /// The value has NUL, CR or LF in it, or blanks at an end.
    #[error("the field value has a NUL, a line end, or blanks around it")]
    Value,
    /// The name is one of the five pseudo-fields whose place is the control data.
    #[error("the pseudo-field belongs in the control data")]
    ForbiddenPseudoField,
    /// The name is that of a pseudo-field, but a regular field came before it.
    #[error("pseudo-fields come before all other fields")]
    MisplacedPseudoField,
}
