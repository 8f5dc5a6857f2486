//! Requests: HPKE contexts of the `hpke` crate (RFC 9458 §4.3).

use alloc::boxed::Box;
use core::marker::PhantomData;

use hpke::{
    Deserializable, OpModeR, OpModeS, Serializable,
    aead::{Aead, AeadCtxR, AeadCtxS, AeadTag},
};
use rand_core::CryptoRng;

use super::objects::{
    Failed, Kdf, Marker, OpenChunk, Receiver, ResponseSecret, SealChunk, Sender, TAG_LEN,
    entropy_len,
};
use crate::{
    kem::PreparedKem,
    labels::{Info, Purpose},
};

/// A key parsed for one suite: a [`Sender`] over a public key, a [`Receiver`] over a private one.
pub(super) struct KeyAndInfo<K, D, A, Key> {
    key: Key,
    info: Info,
    suite: Marker<(K, D, A)>,
}

impl<K, D, A, Key: Deserializable> KeyAndInfo<K, D, A, Key> {
    pub(super) fn new(key: &[u8], info: Info) -> Result<Self, Failed> {
        Ok(Self { key: Key::from_bytes(key)?, info, suite: PhantomData })
    }
}

type Sending<K, D, A> = AeadCtxS<A, <D as Kdf>::Hpke, K>;
type Receiving<K, D, A> = AeadCtxR<A, <D as Kdf>::Hpke, K>;

impl<K: PreparedKem, D: Kdf, A: Aead> KeyAndInfo<K, D, A, K::PublicKey> {
    /// SetupBaseS (RFC 9180 §5.1.1), and what the response will need of the context.
    fn set_up_sender(
        &self,
        purpose: &Purpose,
        mut rng: &mut dyn CryptoRng,
        enc: &mut [u8],
    ) -> Result<(Sending<K, D, A>, ResponseSecret), Failed> {
        let (encapped_key, context) = hpke::setup_sender_with_rng::<A, D::Hpke, K>(
            &OpModeS::Base,
            &self.key,
            &purpose.info,
            &mut rng,
        )?;
        encapped_key.write_exact(enc);
        let secret = ResponseSecret::export(entropy_len::<A>(), |out| {
            context.export(purpose.response_label, out)
        })?;
        Ok((context, secret))
    }
}

impl<K: PreparedKem, D: Kdf, A: Aead> KeyAndInfo<K, D, A, K::PrivateKey> {
    /// SetupBaseR (RFC 9180 §5.1.1), and what the response will need of the context.
    fn set_up_receiver(
        &self,
        purpose: &Purpose,
        enc: &[u8],
    ) -> Result<(Receiving<K, D, A>, ResponseSecret), Failed> {
        let context = hpke::setup_receiver::<A, D::Hpke, K>(
            &OpModeR::Base,
            &self.key,
            &K::EncappedKey::from_bytes(enc)?,
            &purpose.info,
        )?;
        let secret = ResponseSecret::export(entropy_len::<A>(), |out| {
            context.export(purpose.response_label, out)
        })?;
        Ok((context, secret))
    }
}

impl<K, D, A> Sender for KeyAndInfo<K, D, A, K::PublicKey>
where
    K: PreparedKem,
    D: Kdf,
    A: Aead + 'static,
{
    fn seal(
        &self,
        rng: &mut dyn CryptoRng,
        enc: &mut [u8],
        message: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<ResponseSecret, Failed> {
        let (mut context, secret) = self.set_up_sender(&self.info.whole, rng, enc)?;
        context.seal_chunk(&[], message, tag)?;
        Ok(secret)
    }

    fn start(
        &self,
        rng: &mut dyn CryptoRng,
        enc: &mut [u8],
    ) -> Result<(Box<dyn SealChunk>, ResponseSecret), Failed> {
        let purpose = self.info.chunked.as_ref().ok_or(Failed)?;
        let (context, secret) = self.set_up_sender(purpose, rng, enc)?;
        Ok((Box::new(context), secret))
    }

    fn precompute(&mut self) -> bool {
        K::precompute(&mut self.key)
    }
}

impl<K, D, A> Receiver for KeyAndInfo<K, D, A, K::PrivateKey>
where
    K: PreparedKem,
    D: Kdf,
    A: Aead + 'static,
{
    fn open(
        &self,
        enc: &[u8],
        message: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<ResponseSecret, Failed> {
        let (mut context, secret) = self.set_up_receiver(&self.info.whole, enc)?;
        context.open_chunk(&[], message, tag)?;
        Ok(secret)
    }

    fn start(&self, enc: &[u8]) -> Result<(Box<dyn OpenChunk>, ResponseSecret), Failed> {
        let purpose = self.info.chunked.as_ref().ok_or(Failed)?;
        let (context, secret) = self.set_up_receiver(purpose, enc)?;
        Ok((Box::new(context), secret))
    }
}

impl<K, D, A> SealChunk for AeadCtxS<A, D, K>
where
    K: PreparedKem,
    D: hpke::kdf::Kdf + Send + Sync,
    A: Aead,
{
    fn seal_chunk(
        &mut self,
        aad: &[u8],
        message: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), Failed> {
        self.seal_inout_detached(message.into(), aad)?.write_exact(tag);
        Ok(())
    }
}

impl<K, D, A> OpenChunk for AeadCtxR<A, D, K>
where
    K: PreparedKem,
    D: hpke::kdf::Kdf + Send + Sync,
    A: Aead,
{
    fn open_chunk(
        &mut self,
        aad: &[u8],
        message: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Failed> {
        let tag = AeadTag::from_bytes(tag)?;
        Ok(self.open_inout_detached(message.into(), aad, &tag)?)
    }
}
