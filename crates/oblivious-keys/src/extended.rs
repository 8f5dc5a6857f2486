//! Key configurations that say how long they are valid: `application/ohttp-keys-ext-00`
//! (draft-schinazi-httpbis-ohttp-ext-key-config).

use alloc::vec::Vec;

use bytes::{BufMut, Bytes};
use oblivious_wire::VarInt;

use crate::config::Entry;
use crate::reader::Reader;
use crate::{DecodeError, KeyConfig, KeyConfigError, KeyConfigList};

/// The extension that says after which second a key can no longer be used.
const EXPIRATION: u64 = 0;
/// The extension that says before which second a key cannot be used yet.
const NOT_BEFORE: u64 = 1;

/// A key configuration and when it is valid. Times are seconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedKeyConfig {
    /// The configuration.
    pub config: KeyConfig,
    /// The first second at which it may be used; `None` if it does not say.
    pub not_before: Option<u64>,
    /// The last second at which it may be used; `None` if it does not say.
    pub expiration: Option<u64>,
}

impl ExtendedKeyConfig {
    /// Whether it may be used at this second.
    pub fn is_valid_at(&self, now: u64) -> bool {
        self.not_before.is_none_or(|from| from <= now)
            && self.expiration.is_none_or(|until| now <= until)
    }

    fn extensions(&self) -> impl Iterator<Item = (u64, VarInt)> {
        // A time that does not fit is as good as none.
        let fitting = |id, time: Option<u64>| Some((id, VarInt::new(time?).ok()?));
        let expiration = fitting(EXPIRATION, self.expiration);
        expiration.into_iter().chain(fitting(NOT_BEFORE, self.not_before))
    }

    fn encoded_len(&self) -> usize {
        let extension = |(_, time): (u64, VarInt)| 2 + time.encoded_len();
        self.config.encoded_len() + self.extensions().map(extension).sum::<usize>()
    }
}

impl From<KeyConfig> for ExtendedKeyConfig {
    fn from(config: KeyConfig) -> Self {
        Self { config, not_before: None, expiration: None }
    }
}

/// The content of an `application/ohttp-keys-ext-00` resource: key configurations that say when
/// they are valid, in the gateway's order. The format is a draft, and its name will change with it.
///
/// ```
/// # use oblivious_keys::{KemId, KeyConfig, SymmetricSuite};
/// use oblivious_keys::{ExtendedKeyConfig, ExtendedKeyConfigList};
///
/// # let config = KeyConfig::new(1, KemId::X25519_HKDF_SHA256, vec![0x31; 32],
/// #     vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM])?;
/// let until_2030 = ExtendedKeyConfig { expiration: Some(1_893_456_000), ..config.into() };
/// let published = ExtendedKeyConfigList::new(vec![until_2030])?.encode();
///
/// let list = ExtendedKeyConfigList::decode(&published)?;
/// let (keys, valid_until) = list.valid_at(1_800_000_000).expect("a key for that time");
/// assert_eq!(keys.configs().len(), 1);
/// assert_eq!(valid_until, Some(1_893_456_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedKeyConfigList {
    configs: Vec<ExtendedKeyConfig>,
}

impl ExtendedKeyConfigList {
    /// The media type.
    pub const MEDIA_TYPE: &str = "application/ohttp-keys-ext-00";

    /// Makes a list to publish.
    ///
    /// # Errors
    /// If it is empty, or an entry is too long for its two-byte length.
    pub fn new(configs: Vec<ExtendedKeyConfig>) -> Result<Self, KeyConfigError> {
        if configs.is_empty() {
            return Err(KeyConfigError::EmptyList);
        }
        if configs.iter().any(|config| config.encoded_len() > usize::from(u16::MAX)) {
            return Err(KeyConfigError::TooManySuites);
        }
        Ok(Self { configs })
    }

    /// Reads a list. Entries with an unknown KEM, and unknown extensions, are skipped.
    ///
    /// # Errors
    /// If there is an encoding error anywhere, even in an extension: then no entry is used. A
    /// repeated extension is such an error.
    pub fn decode(encoded: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(encoded);
        if reader.is_empty() {
            return Err(DecodeError::EmptyList);
        }
        let mut configs = Vec::new();
        while !reader.is_empty() {
            let mut entry = Reader::new(reader.u16_prefixed()?);
            if let Entry::Known(config) = Entry::read(&mut entry)? {
                configs.push(with_extensions(config, entry)?);
            }
        }
        Ok(Self { configs })
    }

    /// The list as it is published.
    pub fn encode(&self) -> Bytes {
        let total = self.configs.iter().map(|config| 2 + config.encoded_len()).sum();
        let mut out = Vec::with_capacity(total);
        for config in &self.configs {
            let length = u16::try_from(config.encoded_len());
            out.put_u16(length.expect("checked when the value was made"));
            config.config.encode(&mut out);
            for (id, time) in config.extensions() {
                put_varint(id, &mut out);
                put_varint(time.encoded_len() as u64, &mut out);
                time.encode(&mut out);
            }
        }
        out.into()
    }

    /// The configurations with a known KEM, in the gateway's order.
    pub fn configs(&self) -> &[ExtendedKeyConfig] {
        &self.configs
    }

    /// Those that are valid at this second, and the last second at which all of them are; `None` if
    /// none is.
    pub fn valid_at(&self, now: u64) -> Option<(KeyConfigList, Option<u64>)> {
        let valid: Vec<_> = self.configs.iter().filter(|config| config.is_valid_at(now)).collect();
        let until = valid.iter().filter_map(|config| config.expiration).min();
        let configs = valid.into_iter().map(|config| config.config.clone()).collect();
        Some((KeyConfigList::new(configs).ok()?, until))
    }
}

/// The smallest integers take one byte each.
fn put_varint(value: u64, out: &mut Vec<u8>) {
    VarInt::new(value).unwrap_or_default().encode(out);
}

fn with_extensions(
    config: KeyConfig,
    mut rest: Reader<'_>,
) -> Result<ExtendedKeyConfig, DecodeError> {
    let mut extended = ExtendedKeyConfig::from(config);
    while !rest.is_empty() {
        let id = rest.varint()?;
        let length = usize::try_from(rest.varint()?).map_err(|_| DecodeError::Truncated)?;
        let value = rest.bytes(length)?;
        let time = match id {
            EXPIRATION => &mut extended.expiration,
            NOT_BEFORE => &mut extended.not_before,
            _ => continue,
        };
        let mut value = Reader::new(value);
        let seconds = value.varint().map_err(|_| DecodeError::Extension)?;
        value.finish().map_err(|_| DecodeError::Extension)?;
        if time.replace(seconds).is_some() {
            return Err(DecodeError::Extension);
        }
    }
    Ok(extended)
}
