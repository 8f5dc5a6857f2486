//! The gateway's side of a request (RFC 9458 §4.3).

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use bytes::BytesMut;
use oblivious_keys::{KeyConfig, KeyConfigError, KeyConfigList, SymmetricSuite};

use crate::{
    ChunkLimits, ChunkOpener, ChunkedReply, DecapsulateError, KeyPair, KeyRingError, Labels,
    Random, Reply, RequestHeader, UnixSeconds, Validity,
    exchange::Exchange,
    in_place,
    labels::Info,
    suite::{Receiver, ResponseCipher, TAG_LEN},
};

/// The keys that a gateway decapsulates with, each under its id, with the suites it accepts and the
/// time during which it may be used.
///
/// Which key is used depends only on the clear header of a request, never on a secret.
#[derive(Default)]
pub struct KeyRing {
    keys: Vec<Key>,
    labels: Labels,
}

struct Key {
    pair: KeyPair,
    config: KeyConfig,
    validity: Validity,
    openers: Vec<Opener>,
}

/// A key made ready for one of its suites.
struct Opener {
    suite: SymmetricSuite,
    receiver: Box<dyn Receiver>,
    response: &'static dyn ResponseCipher,
    random: &'static dyn Random,
}

impl KeyRing {
    /// A ring without keys: it decapsulates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A ring for messages that are not binary HTTP (RFC 9458 §4.6).
    pub fn with_labels(labels: Labels) -> Self {
        Self { keys: Vec::new(), labels }
    }

    /// Adds a key under `key_id`, to be used with any of `suites`, at any time.
    ///
    /// # Errors
    /// If the id is taken, there is no suite, or the key's provider does not have one of them. The
    /// ring is then as it was.
    pub fn add(
        &mut self,
        key_id: u8,
        pair: KeyPair,
        suites: Vec<SymmetricSuite>,
    ) -> Result<(), KeyRingError> {
        self.add_valid(key_id, pair, suites, Validity::ALWAYS)
    }

    /// [`add`](Self::add) for a key that may only be used for a limited time.
    ///
    /// # Errors
    /// Those of [`add`](Self::add).
    pub fn add_valid(
        &mut self,
        key_id: u8,
        pair: KeyPair,
        suites: Vec<SymmetricSuite>,
        validity: Validity,
    ) -> Result<(), KeyRingError> {
        if self.keys.iter().any(|key| key.config.key_id() == key_id) {
            return Err(KeyRingError::DuplicateKeyId(key_id));
        }
        let opener = |&suite: &SymmetricSuite| {
            let kem = pair.kem();
            if suite.kdf.is_one_stage() {
                return Err(KeyRingError::OneStageKdf(suite.kdf));
            }
            let unsupported = KeyRingError::Unsupported { kem, suite };
            let table = pair.table().suite(suite).ok_or(unsupported)?;
            let info = Info::new(&RequestHeader { key_id, kem, suite }, &self.labels);
            // The pair's own key always parses.
            let receiver =
                (table.receiver)(pair.expose_secret_key(), info).map_err(|_| unsupported)?;
            Ok(Opener { suite, receiver, response: table.response, random: pair.random() })
        };
        let openers = suites.iter().map(opener).collect::<Result<_, KeyRingError>>()?;
        let config = pair.config(key_id, suites)?;
        self.keys.push(Key { pair, config, validity, openers });
        Ok(())
    }

    /// Removes the keys whose time is over, and destroys them. Returns their ids.
    pub fn remove_expired(&mut self, now: UnixSeconds) -> Vec<u8> {
        let (kept, expired) =
            self.keys.drain(..).partition::<Vec<_>, _>(|key| !key.validity.is_over(now));
        self.keys = kept;
        expired.iter().map(|key| key.config.key_id()).collect()
    }

    /// The key configurations of all keys, in the order they were added, whenever they are valid:
    /// what a gateway publishes (RFC 9458 §3.2).
    ///
    /// # Errors
    /// If the ring is empty.
    pub fn config_list(&self) -> Result<KeyConfigList, KeyConfigError> {
        KeyConfigList::new(self.keys.iter().map(|key| key.config.clone()).collect())
    }

    /// The configuration of each key and when it may be used, in the order they were added.
    pub fn keys(&self) -> impl Iterator<Item = (&KeyConfig, Validity)> {
        self.keys.iter().map(|key| (&key.config, key.validity))
    }

    /// The ring as it is at a time: with the keys that are valid then. It opens requests.
    pub fn at(&self, now: UnixSeconds) -> KeyRingAt<'_> {
        KeyRingAt { ring: self, now }
    }
}

/// A [`KeyRing`] at a point in time.
#[derive(Clone, Copy, Debug)]
pub struct KeyRingAt<'a> {
    ring: &'a KeyRing,
    now: UnixSeconds,
}

impl<'ring> KeyRingAt<'ring> {
    /// The key configurations of the keys that are valid at the time, in the order they were added.
    ///
    /// # Errors
    /// If no key is valid.
    pub fn config_list(&self) -> Result<KeyConfigList, KeyConfigError> {
        let valid = self.ring.keys.iter().filter(|key| key.validity.includes(self.now));
        KeyConfigList::new(valid.map(|key| key.config.clone()).collect())
    }

    /// Opens an encapsulated request, in the buffer it came in.
    ///
    /// Returns the request, and what seals the answer to it.
    ///
    /// # Errors
    /// If the request is cut short, is for no key that is valid, or does not open.
    pub fn decapsulate(
        &self,
        mut request: BytesMut,
    ) -> Result<(BytesMut, Reply), DecapsulateError> {
        let (_, reply) = self.open_in_place(&mut request)?;
        let prefix_len = RequestHeader::LEN + reply.enc().len();
        Ok((in_place::strip(request, prefix_len), reply))
    }

    /// [`decapsulate`](Self::decapsulate) for any slice: returns the part of it that holds the
    /// request.
    ///
    /// # Errors
    /// If the request is cut short, is for no key that is valid, or does not open.
    pub fn open_in_place<'a>(
        &self,
        request: &'a mut [u8],
    ) -> Result<(&'a mut [u8], Reply), DecapsulateError> {
        let header = RequestHeader::decode(request).ok_or(DecapsulateError::Truncated)?;
        let enc_len = header.kem.enc_len().ok_or(DecapsulateError::UnknownKey)?;
        let (prefix, message, tag): (_, _, &[u8; TAG_LEN]) =
            in_place::split(request, RequestHeader::LEN + enc_len)
                .ok_or(DecapsulateError::Truncated)?;
        let opener = self.opener(header).ok_or(DecapsulateError::UnknownKey)?;
        let enc = &prefix[RequestHeader::LEN..];
        let secret =
            opener.receiver.open(enc, message, tag).map_err(|_| DecapsulateError::Failed)?;
        let exchange = Exchange::new(secret, enc, opener.response);
        Ok((message, Reply::new(header, exchange, opener.random)))
    }

    /// Begins to decapsulate a request in chunks (draft-ietf-ohai-chunked-ohttp §6.1), once enough
    /// of it has been received.
    ///
    /// Returns `None`, and leaves `received` as it is, as long as it does not hold the header and
    /// `enc`; a request that ends there is cut short. Then it takes all that was received, and
    /// returns what opens the chunks and what seals the answer, which may begin before the request
    /// is complete. What follows goes to [`ChunkOpener::push`].
    ///
    /// # Errors
    /// If the request is for no key that is valid, `enc` is not one of its KEM, or the ring's
    /// [`Labels`] have none for chunks. Only an opened first chunk proves that the sender sealed to
    /// the key.
    pub fn decapsulate_chunked(
        &self,
        received: &mut BytesMut,
        limits: &ChunkLimits,
    ) -> Result<Option<(ChunkOpener, ChunkedReply)>, DecapsulateError> {
        if !self.ring.labels.has_chunked() {
            return Err(DecapsulateError::NoChunkedLabels);
        }
        let Some(header) = RequestHeader::decode(received) else { return Ok(None) };
        let opener = self.opener(header).ok_or(DecapsulateError::UnknownKey)?;
        let enc_len = header.kem.enc_len().ok_or(DecapsulateError::UnknownKey)?;
        let prefix_len = RequestHeader::LEN + enc_len;
        let Some(enc) = received.get(RequestHeader::LEN..prefix_len) else { return Ok(None) };
        let (chunks, secret) = opener.receiver.start(enc).map_err(|_| DecapsulateError::Failed)?;
        let exchange = Exchange::new(secret, enc, opener.response);
        let rest = received.split().split_off(prefix_len);
        let chunks = ChunkOpener::request(chunks, rest, limits);
        Ok(Some((chunks, ChunkedReply::new(header, exchange, opener.random))))
    }

    fn opener(&self, header: RequestHeader) -> Option<&'ring Opener> {
        let is_meant = |key: &&Key| {
            key.config.key_id() == header.key_id
                && key.pair.kem() == header.kem
                && key.validity.includes(self.now)
        };
        let key = self.ring.keys.iter().find(is_meant)?;
        key.openers.iter().find(|opener| opener.suite == header.suite)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.config)).finish()
    }
}
