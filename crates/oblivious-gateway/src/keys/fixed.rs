//! Keys that stay.

use std::path::Path;

use oblivious_hpke::{KeyPair, KeyPairError, KeyRing, KeyRingError, Provider};
use oblivious_keys::{KemId, SymmetricSuite};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{SecretFileError, secret_file};

/// A key with an id, which is used until the operator takes it away.
///
/// In a ring of fixed keys, to which [`add_to`](Self::add_to) adds it, it is published unless a key
/// of its KEM was added before. Beside a [`KeySchedule`](super::KeySchedule) it is accepted, but
/// published only if [`published`](Self::published) asks for it. Either way each KEM has one
/// published configuration: clients that see two can be told apart by their choice.
///
/// It must serve no other protocol under the same labels (RFC 9458 §6.4): see
/// [`KeyPair`](oblivious_hpke::KeyPair).
///
/// A fixed key has no forward secrecy: anyone who gets it later can read what was sent before (RFC
/// 9458 §6.6).
#[derive(Debug)]
pub struct FixedKey {
    key_id: u8,
    pair: KeyPair,
    suites: Vec<SymmetricSuite>,
    is_published: bool,
}

impl FixedKey {
    /// A key under `key_id`, to be used with any of `suites`. To get the same pair everywhere, use
    /// [`Seed::key_pair`](super::Seed::key_pair).
    pub fn new(key_id: u8, pair: KeyPair, suites: Vec<SymmetricSuite>) -> Self {
        Self { key_id, pair, suites, is_published: false }
    }

    /// Also publishes the key beside those of a schedule, which must have no key of its KEM.
    #[must_use]
    pub fn published(mut self) -> Self {
        self.is_published = true;
        self
    }

    /// The number that identifies the key.
    pub fn key_id(&self) -> u8 {
        self.key_id
    }

    pub(crate) fn kem(&self) -> KemId {
        self.pair.kem()
    }

    pub(crate) fn is_published(&self) -> bool {
        self.is_published
    }

    /// Adds the key to a ring, to be accepted at any time.
    ///
    /// # Errors
    /// If the ring has its id, or the key cannot be used with its suites.
    pub fn add_to(self, ring: &mut KeyRing) -> Result<(), KeyRingError> {
        ring.add(self.key_id, self.pair, self.suites)
    }

    /// A copy of the key, for a ring of another time.
    pub(crate) fn again(&self, provider: Provider) -> Result<Self, KeyPairError> {
        let secret_key = self.pair.expose_secret_key();
        let pair = KeyPair::from_secret_key(self.pair.kem(), secret_key, provider)?;
        Ok(Self { pair, suites: self.suites.clone(), ..*self })
    }

    /// Reads keys from a file, to be used with any of `suites`. On Unix it must be readable by its
    /// owner alone.
    ///
    /// Each line has a key id, the KEM and the private key in hexadecimal, serialized as
    /// RFC 9180 §7.1.2 says, with white space between. Empty lines, and lines that begin with `#`,
    /// are skipped.
    ///
    /// ```text
    /// # The key of 2026.
    /// 1 x25519 3c168975674b2fa8e465970b79c8dcf09f1c741626480bd4c6162fc5b6a98e1a
    /// ```
    ///
    /// The KEMs are `x25519`, `p256`, `p384`, `p521`, `x-wing`, `ml-kem-768`, `ml-kem-1024`,
    /// `mlkem768-p256` and `mlkem1024-p384`, or their numbers, such as `0x0020`: whatever [`KemId`]
    /// can parse, without blanks.
    ///
    /// # Errors
    /// If the file cannot be read, others can read it, or a line is not a key. The error names the
    /// line, but not its content.
    pub fn read_file(
        path: &Path,
        suites: &[SymmetricSuite],
        provider: Provider,
    ) -> Result<Vec<Self>, FixedKeyError> {
        Self::parse(&secret_file::read(path)?, suites, provider)
    }

    /// [`read_file`](Self::read_file), for the content of the file.
    ///
    /// # Errors
    /// If a line is not a key.
    pub fn parse(
        text: &[u8],
        suites: &[SymmetricSuite],
        provider: Provider,
    ) -> Result<Vec<Self>, FixedKeyError> {
        let mut keys: Vec<Self> = Vec::new();
        for (line, text) in (1..).zip(text.split(|&byte| byte == b'\n')) {
            let text = text.trim_ascii();
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            let (key_id, kem, secret_key) =
                parse_line(text).ok_or(FixedKeyError::NotAKey { line })?;
            if keys.iter().any(|key| key.key_id == key_id) {
                return Err(FixedKeyError::DuplicateKeyId { line, key_id });
            }
            let pair = KeyPair::from_secret_key(kem, &secret_key, provider)
                .map_err(|error| FixedKeyError::KeyPair { line, error })?;
            keys.push(Self::new(key_id, pair, suites.to_vec()));
        }
        if keys.is_empty() {
            return Err(FixedKeyError::Empty);
        }
        Ok(keys)
    }
}

fn parse_line(text: &[u8]) -> Option<(u8, KemId, Zeroizing<Vec<u8>>)> {
    let mut words = str::from_utf8(text).ok()?.split_ascii_whitespace();
    let (key_id, kem, digits) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    let mut secret_key = Zeroizing::new(vec![0; digits.len() / 2]);
    hex::decode_to_slice(digits, &mut secret_key).ok()?;
    Some((key_id.parse().ok()?, kem.parse().ok()?, secret_key))
}

/// A file does not contain fixed keys.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FixedKeyError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// There is no key in it.
    #[error("there is no key in the file: write a line with key id, KEM and private key")]
    Empty,
    /// A line is not a key.
    #[error(
        "line {line} is not a key: write a key id from 0 to 255, a KEM such as x25519, and the \
         private key in hexadecimal"
    )]
    NotAKey {
        /// The line, counted from 1.
        line: usize,
    },
    /// A private key is not valid for its KEM.
    #[error("line {line}: {error}")]
    KeyPair {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        error: KeyPairError,
    },
    /// Two lines have the same id.
    #[error("line {line}: another key has the id {key_id} already")]
    DuplicateKeyId {
        /// The second line, counted from 1.
        line: usize,
        /// The id.
        key_id: u8,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITES: &[SymmetricSuite] = &[SymmetricSuite::HKDF_SHA256_AES_128_GCM];
    const SECRET: &str = "3c168975674b2fa8e465970b79c8dcf09f1c741626480bd4c6162fc5b6a98e1a";
    const PUBLIC: &str = "31e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e798155";

    fn parse(text: &str) -> Result<Vec<FixedKey>, FixedKeyError> {
        FixedKey::parse(text.as_bytes(), SUITES, Provider::default())
    }

    /// The key of RFC 9458 Appendix A.
    #[test]
    fn a_line_is_a_key() {
        let keys = parse(&format!(
            "# two keys\n\n 1\tx25519  {SECRET} \r\n2 0x647A {}\n",
            "07".repeat(32)
        ))
        .unwrap();
        assert_eq!((keys[0].key_id, keys[1].key_id), (1, 2));
        assert_eq!(hex::encode(keys[0].pair.public_key()), PUBLIC);
        assert_eq!(keys[1].pair.kem(), KemId::X_WING);

        let mut ring = KeyRing::new();
        for key in keys {
            key.add_to(&mut ring).unwrap();
        }
        assert_eq!(ring.config_list().unwrap().configs().len(), 2);
    }

    #[test]
    fn what_is_no_key_is_named_by_its_line_and_not_shown() {
        for text in [
            "1 x25519".to_owned(),
            format!("256 x25519 {SECRET}"),
            format!("-1 x25519 {SECRET}"),
            format!("1 x25518 {SECRET}"),
            format!("1 32 {SECRET}"),
            format!("1 x25519 {SECRET} again"),
            format!("1 x25519 {}", &SECRET[1..]),
            format!("1 x25519 {}g", &SECRET[1..]),
        ] {
            let error = parse(&format!("# comment\n{text}")).unwrap_err();
            assert!(matches!(error, FixedKeyError::NotAKey { line: 2 }), "{text}: {error}");
            assert!(!error.to_string().contains(&SECRET[1..9]));
        }
        let short = parse(&format!("1 x25519 {}", &SECRET[2..])).unwrap_err();
        assert!(matches!(short, FixedKeyError::KeyPair { line: 1, .. }), "{short}");
        let twice = parse(&format!("1 x25519 {SECRET}\n1 x25519 {SECRET}")).unwrap_err();
        assert!(matches!(twice, FixedKeyError::DuplicateKeyId { line: 2, key_id: 1 }), "{twice}");
        assert!(matches!(parse("# nothing\n"), Err(FixedKeyError::Empty)));
    }
}
