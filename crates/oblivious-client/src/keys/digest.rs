//! A list of key configurations known by its digest.

use std::{fmt, str::FromStr};

use http::Uri;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{Demand, Fetching, KeySource, KeySourceError};

/// The SHA-256 digest of an encoded list of key configurations, in hexadecimal as text.
///
/// ```
/// use oblivious_client::KeyDigest;
///
/// let digest = KeyDigest::of(b"the bytes of an application/ohttp-keys resource");
/// assert_eq!(digest.to_string().parse(), Ok(digest));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest of a list.
    pub fn of(list: &[u8]) -> Self {
        Self(Sha256::digest(list).into())
    }
}

impl From<[u8; 32]> for KeyDigest {
    fn from(digest: [u8; 32]) -> Self {
        Self(digest)
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyDigest({self})")
    }
}

impl FromStr for KeyDigest {
    type Err = KeyDigestError;

    /// Reads 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, KeyDigestError> {
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).map_err(|_| KeyDigestError)?;
        Ok(Self(digest))
    }
}

/// The text is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a SHA-256 digest is 64 hexadecimal digits, as sha256sum prints them")]
pub struct KeyDigestError;

/// A source whose list must have one of these digests, whoever it comes from: the simplest check
/// that a client has the keys that all others have (RFC 9458 §7).
///
/// Whenever the gateway's keys change, so must the digest: pin the next one beforehand.
#[derive(Debug)]
pub struct PinnedKeys<S> {
    source: S,
    pinned: KeyDigest,
    next: Vec<KeyDigest>,
}

impl<S: KeySource> PinnedKeys<S> {
    /// Takes a list from `source` if this is its digest.
    pub fn new(source: S, pinned: KeyDigest) -> Self {
        Self { source, pinned, next: Vec::new() }
    }

    /// Takes a list with this digest as well: that of the keys to come.
    #[must_use]
    pub fn or(mut self, digest: KeyDigest) -> Self {
        self.next.push(digest);
        self
    }
}

impl<S: KeySource> KeySource for PinnedKeys<S> {
    fn name(&self) -> String {
        self.source.name()
    }

    fn fetch(&self, demand: Demand) -> Fetching<'_> {
        Box::pin(async move {
            let fetched = self.source.fetch(demand).await?;
            let found = KeyDigest::of(&fetched.list);
            if found != self.pinned && !self.next.contains(&found) {
                let (name, pinned) = (self.name(), self.pinned);
                return Err(KeySourceError::Digest { name, found, pinned });
            }
            Ok(fetched)
        })
    }

    /// The digest vouches for the keys, even those that the relay hands out.
    fn is_independent_of(&self, _: &Uri) -> bool {
        true
    }
}
