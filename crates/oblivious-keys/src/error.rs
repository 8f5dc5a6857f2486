//! What can be wrong with key configurations, received or one's own.

use thiserror::Error;

use crate::KemId;

/// Why bytes are not key configurations (RFC 9458 §3).
///
/// A list with any such error is to be discarded whole and fetched again.
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
    #[error("there are bytes left after the end of a key configuration")]
    TrailingBytes,
    /// The suites' length is zero or not a multiple of four.
    #[error("the length of the symmetric suites must be a multiple of 4, and at least 4")]
    SuitesLength,
    /// An extension has another value than its kind allows, or is there twice.
    #[cfg(feature = "extended")]
    #[error("an extension of a key configuration has a value that it cannot have")]
    Extension,
    /// A bare configuration names a KEM whose key length is not known.
    #[error("the key configuration uses the KEM {0}, which is not known here")]
    UnknownKem(KemId),
}

/// Why parts do not make a configuration, or configurations a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyConfigError {
    /// The KEM is not one whose key length is known.
    #[error("the KEM {0} is not known here, so its keys cannot be published")]
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
    #[error("too many symmetric suites: the encoded configuration may have 65535 bytes at most")]
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
