//! What can go wrong: an enum for each operation, which keeps a peer's faults apart from a
//! caller's.

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
    /// The public key is not valid for its KEM.
    #[error("the public key in the key configuration is not valid; fetch the configuration again")]
    InvalidPublicKey,
}

/// A request or response could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// The provider's source of randomness gave none.
    #[error("no randomness is available, so nothing was encrypted")]
    Randomness,
    /// The key or the message cannot be used: the recipient's public key, or its X25519 half, has a
    /// low order, so anyone would know the shared secret; or the message is longer than the AEAD
    /// allows.
    #[error(
        "this public key cannot be used, or the message is too long for the AEAD: fetch the key \
         configuration again, or send less"
    )]
    Refused,
    /// The request is to be sent in chunks, but the [`Labels`](crate::Labels) have none for chunks.
    #[error("the labels of this protocol are only for whole messages; add labels for chunks")]
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
/// What a gateway answers: a 400 for [`Truncated`](Self::Truncated), a 415 for
/// [`NoChunkedLabels`](Self::NoChunkedLabels). The other two get the same answer, so that it
/// reveals nothing more (RFC 9458 §5.3 and §6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecapsulateError {
    /// The request is too short for the parts that it must have.
    #[error("the encapsulated request is cut short")]
    Truncated,
    /// The request is in chunks, but the ring's [`Labels`](crate::Labels) have none for chunks: no
    /// message in chunks can be meant for it.
    #[error("the labels of this key ring are only for whole messages; add labels for chunks")]
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
    /// The response is too short for the parts that it must have.
    #[error("the encapsulated response is cut short")]
    Truncated,
    /// The response does not open: it was altered, or it answers another request.
    #[error("the encapsulated response cannot be decrypted")]
    Failed,
}

/// A message in chunks could not be opened to its end.
///
/// A gateway that has not begun its encapsulated answer responds as it does to
/// [`DecapsulateError::Failed`]. Later it breaks the answer off.
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
    /// The caller pushed bytes after it had announced the end of the stream.
    #[error("bytes were pushed after the end of the stream had been announced")]
    PushAfterFinish,
}

/// A limit on the length of chunks is below what every receiver must accept
/// (draft-ietf-ohai-chunked-ohttp §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a chunk limit of {bytes} bytes is too low: every receiver must accept 16384; set that or more"
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
    #[error(
        "this is not a valid private key for {kem}, which has {expected} bytes; check its encoding"
    )]
    InvalidSecretKey {
        /// The KEM asked for.
        kem: KemId,
        /// The length of its private keys, in bytes.
        expected: usize,
    },
    /// The seed is shorter than a private key, so a key from it would be weaker than the KEM.
    #[error("the seed is too short: {kem} needs at least {at_least} random bytes")]
    ShortSeed {
        /// The KEM asked for.
        kem: KemId,
        /// The smallest length of a seed, in bytes.
        at_least: usize,
    },
    /// The provider's source of randomness gave none.
    #[error("no randomness is available, so no key was made")]
    Randomness,
}

/// A key cannot be put into a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyRingError {
    /// Another key of the ring has this id.
    #[error("the key id {0} belongs to another key of this ring; choose another id")]
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
    /// The key and suites do not form a key configuration.
    #[error(transparent)]
    Config(#[from] KeyConfigError),
}
