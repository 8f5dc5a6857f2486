//! Oblivious HTTP key configurations (RFC 9458 §3): what a gateway publishes and a client reads
//! before it can encapsulate a request.
//!
//! It handles only public data: private keys are in `oblivious-hpke`.
//!
//! ```
//! use oblivious_keys::{KemId, KeyConfig, KeyConfigList, Preferences, SymmetricSuite};
//!
//! // A gateway publishes a list, as `application/ohttp-keys`.
//! let config = KeyConfig::new(
//!     1,
//!     KemId::X25519_HKDF_SHA256,
//!     vec![0x31; 32],
//!     vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM],
//! )?;
//! let published = KeyConfigList::new(vec![config])?.encode();
//!
//! // A client reads it and chooses what it prefers.
//! let list = KeyConfigList::decode(&published)?;
//! let chosen = list.select(&Preferences::default())?;
//! assert_eq!(chosen.config.key_id(), 1);
//! assert_eq!(chosen.suite, SymmetricSuite::HKDF_SHA256_AES_128_GCM);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Unknown identifiers are not errors: they are kept as numbers, and what uses them is skipped, so
//! a gateway can offer new algorithms beside old ones.
//!
//! # Features
//!
//! `extended` adds a draft format in which configurations say when they are valid. Off by default.
//!
//! The crate is `no_std` and needs `alloc`.

#![no_std]

extern crate alloc;

mod config;
mod error;
#[cfg(feature = "extended")]
mod extended;
mod ids;
mod list;
mod reader;
mod select;

pub use config::KeyConfig;
pub use error::{DecodeError, KeyConfigError, SelectError};
#[cfg(feature = "extended")]
pub use extended::{ExtendedKeyConfig, ExtendedKeyConfigList};
pub use ids::{AeadId, KdfId, KemId, ParseIdError, SymmetricSuite};
pub use list::{KeyConfigList, SkippedConfig};
pub use select::{Preferences, Selection};
