//! The list of key configurations that a gateway publishes (RFC 9458 §3.2).

use alloc::vec::Vec;

use bytes::{BufMut, Bytes};

use crate::config::Entry;
use crate::reader::Reader;
use crate::{DecodeError, KemId, KeyConfig, KeyConfigError};

/// The content of an `application/ohttp-keys` resource (RFC 9458 §3.2): key configurations in the
/// gateway's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyConfigList {
    configs: Vec<KeyConfig>,
    skipped: Vec<SkippedConfig>,
}

/// An entry of a list whose KEM this crate does not know, so that only its start could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedConfig {
    /// The number that identifies the key.
    pub key_id: u8,
    /// The identifier that is not known.
    pub kem: KemId,
}

impl KeyConfigList {
    /// Makes a list to publish.
    ///
    /// # Errors
    /// If it is empty: a list holds at least one configuration.
    pub fn new(configs: Vec<KeyConfig>) -> Result<Self, KeyConfigError> {
        if configs.is_empty() {
            return Err(KeyConfigError::EmptyList);
        }
        Ok(Self { configs, skipped: Vec::new() })
    }

    /// Reads a list.
    ///
    /// Entries with an unknown KEM are skipped and reported by [`skipped`](Self::skipped), so the
    /// list may hold nothing usable; [`select`](Self::select) then fails.
    ///
    /// # Errors
    /// If there is an encoding error anywhere: then no entry is used (RFC 9458 §3.2), since what
    /// follows the error may not be what the gateway meant.
    pub fn decode(encoded: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(encoded);
        if reader.is_empty() {
            return Err(DecodeError::EmptyList);
        }
        let mut list = Self { configs: Vec::new(), skipped: Vec::new() };
        while !reader.is_empty() {
            match Entry::decode(reader.u16_prefixed()?)? {
                Entry::Known(config) => list.configs.push(config),
                Entry::UnknownKem { key_id, kem } => {
                    list.skipped.push(SkippedConfig { key_id, kem });
                }
            }
        }
        Ok(list)
    }

    /// The list as it is published, with the media type `application/ohttp-keys`.
    ///
    /// Entries that were skipped when the list was decoded are not in it.
    pub fn encode(&self) -> Bytes {
        let length = |config: &KeyConfig| {
            u16::try_from(config.encoded_len()).expect("checked when the value was made")
        };
        let total = self.configs.iter().map(|c| size_of::<u16>() + c.encoded_len()).sum();
        let mut out = Vec::with_capacity(total);
        for config in &self.configs {
            out.put_u16(length(config));
            config.encode(&mut out);
        }
        out.into()
    }

    /// The configurations with a known KEM, in the gateway's order.
    pub fn configs(&self) -> &[KeyConfig] {
        &self.configs
    }

    /// The entries with an unknown KEM, in the gateway's order.
    pub fn skipped(&self) -> &[SkippedConfig] {
        &self.skipped
    }
}
