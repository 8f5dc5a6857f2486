//! One key configuration (RFC 9458 §3.1).

use alloc::vec::Vec;

use bytes::{BufMut, Bytes};

use crate::reader::Reader;
use crate::{AeadId, DecodeError, KdfId, KemId, KeyConfigError, SymmetricSuite};

/// A public key of a gateway, and the symmetric suites that may be used with it
/// (RFC 9458 §3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyConfig {
    key_id: u8,
    kem: KemId,
    public_key: Bytes,
    suites: Vec<SymmetricSuite>,
}

impl KeyConfig {
    /// The largest encoding, in bytes: a list gives each entry a two-byte length.
    const MAX_LEN: usize = u16::MAX as usize;
    /// What precedes the public key: the key id and the KEM id.
    const PREFIX_LEN: usize = 3;

    /// Puts a configuration together.
    ///
    /// The public key is in the KEM's own serialization (RFC 9180 §4). Only its length is checked
    /// here, since this crate holds no cryptography.
    ///
    /// # Errors
    /// If the KEM is unknown, the key does not have the KEM's length, there is no suite, or there
    /// are more suites than the encoding can hold.
    pub fn new(
        key_id: u8,
        kem: KemId,
        public_key: impl Into<Bytes>,
        suites: Vec<SymmetricSuite>,
    ) -> Result<Self, KeyConfigError> {
        let public_key = public_key.into();
        let expected = kem.public_key_len().ok_or(KeyConfigError::UnknownKem(kem))?;
        if public_key.len() != expected {
            let actual = public_key.len();
            return Err(KeyConfigError::PublicKeyLength { kem, expected, actual });
        }
        if suites.is_empty() {
            return Err(KeyConfigError::NoSuites);
        }
        let config = Self { key_id, kem, public_key, suites };
        if config.encoded_len() > Self::MAX_LEN {
            return Err(KeyConfigError::TooManySuites);
        }
        Ok(config)
    }

    /// The number that identifies this key in a request.
    pub fn key_id(&self) -> u8 {
        self.key_id
    }

    /// The KEM that the public key belongs to.
    pub fn kem(&self) -> KemId {
        self.kem
    }

    /// The public key, as the KEM serializes it.
    pub fn public_key(&self) -> &Bytes {
        &self.public_key
    }

    /// The suites that may be used with the key, in the gateway's order; never empty.
    pub fn suites(&self) -> &[SymmetricSuite] {
        &self.suites
    }

    /// The number of bytes of the encoding.
    pub fn encoded_len(&self) -> usize {
        Self::PREFIX_LEN
            + self.public_key.len()
            + size_of::<u16>()
            + self.suites.len() * SymmetricSuite::ENCODED_LEN
    }

    /// Writes the configuration, without the length prefix that it has in a list.
    pub fn encode(&self, out: &mut impl BufMut) {
        out.put_u8(self.key_id);
        out.put_u16(self.kem.0);
        out.put_slice(&self.public_key);
        let suites_length = self.suites.len() * SymmetricSuite::ENCODED_LEN;
        out.put_u16(u16::try_from(suites_length).expect("checked when the value was made"));
        for suite in &self.suites {
            out.put_u16(suite.kdf.0);
            out.put_u16(suite.aead.0);
        }
    }

    /// Reads one bare configuration, the form that some legacy endpoints publish.
    ///
    /// `application/ohttp-keys` is a list, with a length before each entry: read it with
    /// [`KeyConfigList::decode`](crate::KeyConfigList::decode). The two forms cannot be told apart
    /// reliably, so the caller must know which it has.
    ///
    /// # Errors
    /// If the bytes are not exactly one configuration, or the KEM is unknown: without its key
    /// length the rest cannot be read.
    pub fn decode_bare(encoded: &[u8]) -> Result<Self, DecodeError> {
        match Entry::decode(encoded)? {
            Entry::Known(config) => Ok(config),
            Entry::UnknownKem { kem, .. } => Err(DecodeError::UnknownKem(kem)),
        }
    }
}

/// One entry of a list.
pub(crate) enum Entry {
    Known(KeyConfig),
    UnknownKem { key_id: u8, kem: KemId },
}

impl Entry {
    /// Reads one configuration that spans all of `encoded`.
    pub(crate) fn decode(encoded: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(encoded);
        let entry = Self::read(&mut reader)?;
        match entry {
            Self::Known(_) => reader.finish()?,
            // Only its length says where it ends.
            Self::UnknownKem { .. } => {}
        }
        Ok(entry)
    }

    /// Reads one configuration, as far as it goes.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let key_id = reader.u8()?;
        let kem = KemId(reader.u16()?);
        let Some(public_key_len) = kem.public_key_len() else {
            return Ok(Self::UnknownKem { key_id, kem });
        };
        let public_key = Bytes::copy_from_slice(reader.bytes(public_key_len)?);
        let suites = decode_suites(reader.u16_prefixed()?)?;
        Ok(Self::Known(KeyConfig { key_id, kem, public_key, suites }))
    }
}

/// RFC 9458 §3.1: one or more pairs of two-byte identifiers.
fn decode_suites(encoded: &[u8]) -> Result<Vec<SymmetricSuite>, DecodeError> {
    let (pairs, rest) = encoded.as_chunks::<{ SymmetricSuite::ENCODED_LEN }>();
    if pairs.is_empty() || !rest.is_empty() {
        return Err(DecodeError::SuitesLength);
    }
    let suite = |&[k0, k1, a0, a1]: &[u8; 4]| SymmetricSuite {
        kdf: KdfId(u16::from_be_bytes([k0, k1])),
        aead: AeadId(u16::from_be_bytes([a0, a1])),
    };
    Ok(pairs.iter().map(suite).collect())
}
