//! What can go wrong: an enum for each operation, so that a peer's fault and a caller's are told
//! apart.

use oblivious_keys::{KdfId, KemId, KeyConfigError, SelectError, SymmetricSuite};
use thiserror::Error;

/// No recipient can be made from a key configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecipientError {
    /// No configuration offers what the preferences ask for and the provider supports.
    #[error(transparent)]
    NothingUsable(#[from] SelectError),
    /// The configuration does not offer this suite.
    #[error("the key configuration does not offer the suite {0}")]
    NotOffered(SymmetricSuite),
    /// The KDF has one stage alone.
    #[error(
        "the KDF {0} cannot be used: the keys of a response come from Extract and Expand, and a \
         one-stage KDF does not have them"
    )]
    OneStageKdf(KdfId),
    /// The provider has no such combination.
    #[error("{kem} with {suite} is not supported by this provider")]
    Unsupported {
        /// The configuration's KEM.
        kem: KemId,
        /// The suite asked for.
        suite: SymmetricSuite,
    },
    /// The public key is not one of its KEM.
    #[error("the public key in the key configuration is not valid; fetch the configuration again")]
    InvalidPublicKey,
}

/// A request or response could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// The provider's source of randomness gave none.
    #[error("there is no randomness, so nothing was encrypted")]
    Randomness,
    /// The key or the message cannot be used: the recipient's public key, or its X25519 half, has a
    /// low order, so that the shared secret would be known to everybody, or the message is longer
    /// than the AEAD takes.
    #[error("encryption is impossible with this public key, or for a message of this length")]
    Refused,
    /// The request is to be in chunks, and the [`Labels`](crate::Labels) have none for that.
    #[error("the labels of this protocol are for whole messages alone; add some for chunks")]
    NoChunkedLabels,
    /// The message has more chunks than [`ChunkLimits`](crate::ChunkLimits) allows.
    #[error("the message has more chunks than the limit allows; raise the limit or send less")]
    TooManyChunks,
    /// The function that writes the message removed bytes that were there before it was called.
    #[error("the function that writes the message must only append to the buffer")]
    BufferShrunk,
}

/// An encapsulated request could not be decapsulated.
///
/// What a gateway answers: [`Truncated`](Self::Truncated) is a 400, and
/// [`NoChunkedLabels`](Self::NoChunkedLabels) a 415. The other two get one and the same answer, so
/// that nobody learns more from it (RFC 9458 §5.3 and §6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecapsulateError {
    /// The request is shorter than its own structure.
    #[error("the encapsulated request is cut short")]
    Truncated,
    /// A request in chunks is to be opened, and the ring's [`Labels`](crate::Labels) have none for
    /// that: no message that comes in chunks can be meant for it.
    #[error("the labels of this key ring are for whole messages alone; add some for chunks")]
    NoChunkedLabels,
    /// No key in the ring has this id, KEM and suite.
    #[error("the encapsulated request is for a key or suite that is not in use here")]
    UnknownKey,
    /// The request does not open under the key.
    #[error("the encapsulated request cannot be decrypted")]
    Failed,
}

/// An encapsulated response could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The response is shorter than its own structure.
    #[error("the encapsulated response is cut short")]
    Truncated,
    /// The response does not open: it was altered, or answers another request.
    #[error("the encapsulated response cannot be decrypted")]
    Failed,
}

/// A message in chunks could not be opened to its end.
///
/// What a gateway answers as long as it has nothing to answer encapsulated: the same as to a
/// [`DecapsulateError::Failed`]. Later the answer is broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChunkError {
    /// The stream ended before the final chunk, or within a chunk.
    #[error("the stream of chunks was cut off")]
    Truncated,
    /// A chunk does not open: it was altered, is out of order, is empty without being the final
    /// one, or is not the final one although the stream ends with it.
    #[error("a chunk cannot be decrypted")]
    Failed,
    /// A chunk is longer than the limit.
    #[error("a chunk is longer than {limit} bytes")]
    ChunkTooLong {
        /// The limit, in bytes of plaintext.
        limit: usize,
    },
    /// There are more chunks than the limit.
    #[error("the message has more chunks than the limit allows")]
    TooManyChunks,
    /// The caller pushed bytes after it had said that there are no more.
    #[error("bytes were pushed after the end of the stream had been announced")]
    PushAfterFinish,
}

/// A limit on the length of chunks is below what every receiver has to take
/// (draft-ietf-ohai-chunked-ohttp §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "chunks may not be limited to {bytes} bytes: every receiver must take 16384; set that or more"
)]
pub struct ChunkLimitError {
    /// The limit that was asked for, in bytes of plaintext.
    pub bytes: usize,
}

/// A key pair could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyPairError {
    /// The provider does not have the KEM.
    #[error("the KEM {0} is not supported by this provider")]
    UnsupportedKem(KemId),
    /// The private key's bytes are not a key of the KEM.
    #[error("a private key of {kem} has {expected} bytes that form a valid key")]
    InvalidSecretKey {
        /// The KEM asked for.
        kem: KemId,
        /// The length of its private keys, in bytes.
        expected: usize,
    },
    /// The seed is shorter than a private key, so a key from it would be weaker than the KEM.
    #[error("a seed for {kem} needs at least {at_least} bytes of good randomness")]
    ShortSeed {
        /// The KEM asked for.
        kem: KemId,
        /// The smallest length of a seed, in bytes.
        at_least: usize,
    },
    /// The provider's source of randomness gave none.
    #[error("there is no randomness, so no key was made")]
    Randomness,
}

/// A key cannot be put into a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyRingError {
    /// Another key of the ring has this id.
    #[error("the key id {0} is taken by another key of this ring")]
    DuplicateKeyId(u8),
    /// The KDF has one stage alone.
    #[error(
        "the KDF {0} cannot be used: the keys of a response come from Extract and Expand, and a \
         one-stage KDF does not have them"
    )]
    OneStageKdf(KdfId),
    /// The provider of the key does not have this combination.
    #[error("{kem} with {suite} is not supported by the key's provider")]
    Unsupported {
        /// The key's KEM.
        kem: KemId,
        /// The suite asked for.
        suite: SymmetricSuite,
    },
    /// The key and suites make no key configuration.
    #[error(transparent)]
    Config(#[from] KeyConfigError),
}
