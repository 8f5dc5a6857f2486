//! The gateway's side of a request (RFC 9458 §4.3).

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use bytes::BytesMut;
use oblivious_keys::{InvalidKeyConfig, KeyConfig, KeyConfigList, SymmetricSuite};

use crate::{
    DecapsulateError, KeyPair, KeyRingError, Labels, Reply, RequestHeader, frame,
    suite::{Info, Receiver, ResponseCipher, TAG_LEN},
};

/// The keys that a gateway decapsulates with, each under its id and with the suites it accepts.
#[derive(Default)]
pub struct KeyRing {
    keys: Vec<Key>,
}

struct Key {
    pair: KeyPair,
    config: KeyConfig,
    openers: Vec<Opener>,
}

/// A key made ready for one of its suites.
struct Opener {
    suite: SymmetricSuite,
    receiver: Box<dyn Receiver>,
    response: &'static dyn ResponseCipher,
}

impl KeyRing {
    /// A ring without keys: it decapsulates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key under `key_id`, to be used with any of `suites`.
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
        if self.find(key_id).is_some() {
            return Err(KeyRingError::DuplicateKeyId(key_id));
        }
        let opener = |&suite| {
            let kem = pair.kem();
            let unsupported = KeyRingError::Unsupported { kem, suite };
            let table = pair.table().suite(suite).ok_or(unsupported)?;
            let header = RequestHeader { key_id, kem, suite };
            let info = Info::new(&header, &Labels::BINARY_HTTP);
            // The pair's own key always parses.
            let receiver =
                (table.receiver)(pair.expose_secret_key(), info).map_err(|_| unsupported)?;
            Ok(Opener { suite, receiver, response: table.response })
        };
        let openers = suites.iter().map(opener).collect::<Result<_, KeyRingError>>()?;
        let config = pair.config(key_id, suites)?;
        self.keys.push(Key { pair, config, openers });
        Ok(())
    }

    /// The key configurations of all keys, in the order they were added: what a gateway publishes
    /// (RFC 9458 §3.2).
    ///
    /// # Errors
    /// If the ring is empty.
    pub fn config_list(&self) -> Result<KeyConfigList, InvalidKeyConfig> {
        KeyConfigList::new(self.keys.iter().map(|key| key.config.clone()).collect())
    }

    /// Opens an encapsulated request, in the buffer it came in.
    ///
    /// Returns the request, and what seals the answer to it.
    ///
    /// # Errors
    /// If the request is cut short, is for no key of this ring, or does not open.
    pub fn decapsulate(
        &self,
        mut request: BytesMut,
    ) -> Result<(BytesMut, Reply), DecapsulateError> {
        let (_, reply) = self.open_in_place(&mut request)?;
        let prefix_len = RequestHeader::LEN + reply.enc().len();
        Ok((frame::strip(request, prefix_len), reply))
    }

    /// [`decapsulate`](Self::decapsulate) for any slice: returns the part of it that holds the
    /// request.
    ///
    /// # Errors
    /// If the request is cut short, is for no key of this ring, or does not open.
    pub fn open_in_place<'a>(
        &self,
        request: &'a mut [u8],
    ) -> Result<(&'a mut [u8], Reply), DecapsulateError> {
        let header = RequestHeader::decode(request).ok_or(DecapsulateError::Truncated)?;
        let enc_len = header.kem.enc_len().ok_or(DecapsulateError::UnknownKey)?;
        let (prefix, message, tag): (_, _, &[u8; TAG_LEN]) =
            frame::split(request, RequestHeader::LEN + enc_len)
                .ok_or(DecapsulateError::Truncated)?;
        let opener = self.opener(header).ok_or(DecapsulateError::UnknownKey)?;
        let enc = &prefix[RequestHeader::LEN..];
        let secret =
            opener.receiver.open(enc, message, tag).map_err(|_| DecapsulateError::Failed)?;
        Ok((message, Reply::new(header, secret, enc, opener.response)))
    }

    fn opener(&self, header: RequestHeader) -> Option<&Opener> {
        let key = self.find(header.key_id).filter(|key| key.pair.kem() == header.kem)?;
        key.openers.iter().find(|opener| opener.suite == header.suite)
    }

    fn find(&self, key_id: u8) -> Option<&Key> {
        self.keys.iter().find(|key| key.config.key_id() == key_id)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.config)).finish()
    }
}
