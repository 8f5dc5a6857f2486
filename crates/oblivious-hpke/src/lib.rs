//! Oblivious HTTP encapsulation (RFC 9458 §4): requests sealed to a gateway's public key, and
//! responses that only the sender of the request can open.
//!
//! ```
//! # #[cfg(all(feature = "getrandom", feature = "std"))] {
//! use oblivious_hpke::{KeyPair, KeyRing, Provider, Recipient, UnixSeconds};
//! use oblivious_keys::{KemId, Preferences, SymmetricSuite};
//!
//! // The gateway makes a key and publishes its configuration.
//! let pair = KeyPair::generate(KemId::X25519_HKDF_SHA256, Provider::default())?;
//! let mut ring = KeyRing::new();
//! ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM])?;
//! let published = ring.config_list()?;
//!
//! // The client seals a request to it, and keeps what will open the answer.
//! let recipient = Recipient::select(&published, &Preferences::default(), Provider::default())?;
//! let (request, pending) = recipient.encapsulate(b"a question")?;
//!
//! // The gateway opens the request and seals the answer.
//! let (question, reply) = ring.at(UnixSeconds::now()).decapsulate(request.into())?;
//! assert_eq!(question, "a question");
//! let response = reply.seal(b"an answer")?;
//!
//! // Only this client can open it.
//! assert_eq!(pending.open(response.into())?, "an answer");
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Misuse does not compile: [`Reply`] and [`PendingResponse`] are consumed by the one response
//! they are for.
//!
//! The messages themselves are bytes to this crate; `oblivious-bhttp` makes and reads them. For
//! large messages, [`Recipient::encapsulate_into`] and [`Reply::seal_into`] let you write directly
//! where the message will be encrypted, and [`KeyRingAt::decapsulate`] and
//! [`PendingResponse::open`] decrypt in the buffer that came from the network.
//!
//! The key schedule comes from the `hpke` crate, primitives and randomness from a [`Provider`].
//! This crate joins them: DHKEM over each provider's groups, the hybrid KEMs, which combine two
//! shared secrets with one hash, and the keys of a response (RFC 9458 §4.4). The crate is `no_std`
//! and needs `alloc`; the feature `std`, on by default, adds the system's clock.

#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod aead;
#[cfg(feature = "http-body")]
mod body;
mod chunked;
mod error;
mod exchange;
#[cfg(fuzzing)]
mod fuzzing;
#[cfg(feature = "graviola")]
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), path = "graviola/absent.rs")]
mod graviola;
mod header;
mod in_place;
mod kem;
mod key_pair;
mod key_ring;
mod labels;
mod provider;
mod random;
mod recipient;
mod response;
mod suite;
mod time;

#[cfg(feature = "http-body")]
pub use body::{OpeningBody, OpeningError, SealingBody, SealingError};
pub use chunked::{Chunk, ChunkLimits, ChunkOpener, ChunkSealer};
pub use error::{
    ChunkError, ChunkLimitError, DecapsulateError, KeyPairError, KeyRingError, OpenError,
    RecipientError, SealError,
};
pub use header::RequestHeader;
pub use key_pair::KeyPair;
pub use key_ring::{KeyRing, KeyRingAt};
pub use labels::{Labels, LabelsError};
#[cfg(feature = "graviola")]
pub use provider::ProcessorError;
pub use provider::Provider;
pub use random::{Random, RandomError};
pub use recipient::Recipient;
pub use response::{ChunkedReply, PendingChunkedResponse, PendingResponse, Reply};
pub use time::{UnixSeconds, Validity};
