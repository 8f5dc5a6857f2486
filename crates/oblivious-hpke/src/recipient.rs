//! The client's side of a request (RFC 9458 §4.3).

use alloc::boxed::Box;
use core::fmt;

use bytes::{Bytes, BytesMut};
use oblivious_keys::{KeyConfig, KeyConfigList, Preferences, SelectError, SymmetricSuite};

use crate::{
    ChunkLimits, ChunkSealer, Labels, PendingChunkedResponse, PendingResponse, Provider, Random,
    RecipientError, RequestHeader, SealError,
    exchange::Exchange,
    in_place,
    labels::Info,
    suite::{ResponseCipher, Sender, TAG_LEN},
};

/// A gateway's public key and a suite, made ready once and used for any number of requests.
///
/// Each request gets an HPKE context of its own (RFC 9458 §6.1).
pub struct Recipient {
    header: RequestHeader,
    enc_len: usize,
    in_chunks: bool,
    sender: Box<dyn Sender>,
    response: &'static dyn ResponseCipher,
    random: &'static dyn Random,
}

impl Recipient {
    /// Takes the best configuration and suite of a list that the provider supports.
    ///
    /// # Errors
    /// If there is none, or the public key of the best one is not valid.
    pub fn select(
        list: &KeyConfigList,
        preferences: &Preferences,
        provider: Provider,
    ) -> Result<Self, RecipientError> {
        let chosen = list
            .candidates(preferences)
            .find(|candidate| provider.supports(candidate.config.kem(), candidate.suite))
            .ok_or(SelectError { configs: list.configs().len() })?;
        Self::new(chosen.config, chosen.suite, provider)
    }

    /// Takes a configuration, and one of its suites.
    ///
    /// # Errors
    /// If the configuration does not offer the suite, the provider does not support the two, or
    /// the public key is not valid.
    pub fn new(
        config: &KeyConfig,
        suite: SymmetricSuite,
        provider: Provider,
    ) -> Result<Self, RecipientError> {
        Self::with_labels(config, suite, provider, &Labels::BINARY_HTTP)
    }

    /// [`new`](Self::new) for messages that are not binary HTTP (RFC 9458 §4.6).
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn with_labels(
        config: &KeyConfig,
        suite: SymmetricSuite,
        provider: Provider,
        labels: &Labels,
    ) -> Result<Self, RecipientError> {
        let kem = config.kem();
        if !config.suites().contains(&suite) {
            return Err(RecipientError::NotOffered(suite));
        }
        if suite.kdf.is_one_stage() {
            return Err(RecipientError::OneStageKdf(suite.kdf));
        }
        let unsupported = RecipientError::Unsupported { kem, suite };
        let table = provider.kem(kem).and_then(|kem| kem.suite(suite)).ok_or(unsupported)?;
        let header = RequestHeader { key_id: config.key_id(), kem, suite };
        let info = Info::new(&header, labels);
        let sender = (table.sender)(config.public_key(), info)
            .map_err(|_| RecipientError::InvalidPublicKey)?;
        let enc_len = kem.enc_len().ok_or(unsupported)?;
        let in_chunks = labels.has_chunked();
        let random = provider.random();
        Ok(Self { header, enc_len, in_chunks, sender, response: table.response, random })
    }

    /// Computes once what every request to this key would compute again: encapsulation with X25519
    /// then takes about half the time, and with X-Wing two thirds, over
    /// [`rust_crypto`](Provider::rust_crypto).
    ///
    /// It takes as long as about twenty encapsulations, and about 30 KiB, so it is for clients that
    /// send many requests to one key. The recipient stays as it is where there is nothing to gain:
    /// with other KEMs, and with a public key on the twist of the curve. The public key of ML-KEM
    /// is always expanded once, to about 6 KiB.
    #[must_use]
    pub fn precomputed(mut self) -> Self {
        self.sender.precompute();
        self
    }

    /// The header that precedes each request: key id and algorithms.
    pub fn header(&self) -> RequestHeader {
        self.header
    }

    /// How many bytes longer an encapsulated request is than the request itself.
    pub fn overhead(&self) -> usize {
        self.prefix_len() + TAG_LEN
    }

    /// Encapsulates a request.
    ///
    /// Returns what goes on the wire, and what opens the answer to it.
    ///
    /// # Errors
    /// If there is no randomness or the key cannot be used.
    pub fn encapsulate(&self, request: &[u8]) -> Result<(Bytes, PendingResponse), SealError> {
        let mut out = BytesMut::with_capacity(request.len() + self.overhead());
        let pending = self.encapsulate_into(&mut out, |out| in_place::append(out, request))?;
        Ok((out.freeze(), pending))
    }

    /// Appends an encapsulated request to `out`, without copying the request: `write` appends the
    /// request to the buffer it is given, and there it is encrypted in place.
    ///
    /// Reserving [`overhead`](Self::overhead) and the request's length beforehand saves the buffer
    /// from growing.
    ///
    /// # Errors
    /// What `write` returns, or a [`SealError`]; `out` is then as it was.
    pub fn encapsulate_into<E: From<SealError>>(
        &self,
        out: &mut BytesMut,
        write: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<PendingResponse, E> {
        in_place::with_random(self.random, out, |out, rng| {
            in_place::seal(out, self.prefix_len(), write, |prefix, message, tag| {
                let (header, enc) = prefix.split_at_mut(RequestHeader::LEN);
                header.copy_from_slice(&self.header.encode());
                let secret = self.sender.seal(rng, enc, message, tag)?;
                Ok(PendingResponse::new(Exchange::new(secret, enc, self.response)))
            })
        })
    }

    /// Begins a request in chunks (draft-ietf-ohai-chunked-ohttp §6.1): appends what precedes the
    /// chunks to `out`.
    ///
    /// Returns what seals the chunks, and what opens the answer, which may begin before the request
    /// is complete.
    ///
    /// # Errors
    /// If there is no randomness, the key cannot be used, or the recipient's [`Labels`] have none
    /// for chunks; `out` is then as it was.
    pub fn start_chunked(
        &self,
        out: &mut BytesMut,
        limits: &ChunkLimits,
    ) -> Result<(ChunkSealer, PendingChunkedResponse), SealError> {
        if !self.in_chunks {
            return Err(SealError::NoChunkedLabels);
        }
        in_place::with_random(self.random, out, |out, rng| {
            let start = out.len();
            out.extend_from_slice(&self.header.encode());
            out.resize(start + self.prefix_len(), 0);
            let enc = &mut out[start + RequestHeader::LEN..];
            match self.sender.start(rng, enc) {
                Ok((sealer, secret)) => {
                    let exchange = Exchange::new(secret, enc, self.response);
                    let sealer = ChunkSealer::new(sealer, limits);
                    Ok((sealer, PendingChunkedResponse::new(exchange)))
                }
                Err(_) => {
                    out.truncate(start);
                    Err(SealError::Refused)
                }
            }
        })
    }

    fn prefix_len(&self) -> usize {
        RequestHeader::LEN + self.enc_len
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipient").field("header", &self.header).finish_non_exhaustive()
    }
}
