//! What can be wrong with key configurations, received or made here.

use thiserror::Error;

use crate::KemId;

/// Why bytes are not key configurations (RFC 9458 §3).
///
/// Discard a list with any such error as a whole, and fetch it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There are no bytes at all.
    #[error("the key configuration list is empty; it must hold at least one configuration")]
    EmptyList,
    /// The input ends in the middle of a configuration.
    #[error("the key configuration is cut short")]
    Truncated,
    /// A configuration ends before its length says.
    #[error("a key configuration is followed by bytes that do not belong to it")]
    TrailingBytes,
    /// The suites' length is zero or not a multiple of four.
    #[error("the length of the symmetric suites must be a multiple of 4, and not zero")]
    SuitesLength,
    /// An extension has a value that its kind does not allow, or appears twice.
    #[cfg(feature = "extended")]
    #[error("an extension of a key configuration has an invalid value, or appears twice")]
    Extension,
    /// A bare configuration names a KEM whose key length is not known.
    #[error("the key configuration uses the unknown KEM {0}, so it cannot be read")]
    UnknownKem(KemId),
}

/// Why parts do not make a configuration, or configurations a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyConfigError {
    /// The KEM is not one whose key length is known.
    #[error("the KEM {0} is unknown, so its keys cannot be published")]
    UnknownKem(KemId),
    /// The public key does not have the KEM's length.
    #[error("a public key of {kem} has {expected} bytes, not {actual}")]
    PublicKeyLength {
        /// The KEM asked for.
        kem: KemId,
        /// The length of its public keys, in bytes.
        expected: usize,
        /// The length of the key given, in bytes.
        actual: usize,
    },
    /// A configuration must offer a suite.
    #[error("a key configuration needs at least one symmetric suite")]
    NoSuites,
    /// The encoding would not fit behind a two-byte length.
    #[error("too many symmetric suites: the encoded configuration may have at most 65535 bytes")]
    TooManySuites,
    /// A list must hold a configuration.
    #[error("a key configuration list needs at least one configuration")]
    EmptyList,
}

/// Nothing in a list fits the client's preferences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "none of the {configs} readable key configurations offers a KEM and a suite among the \
     preferences; widen the preferences or ask the gateway's operator"
)]
pub struct SelectError {
    /// How many configurations with a known KEM the list holds.
    pub configs: usize,
}
