//! ML-KEM-768.
//!
//! What graviola offers openly draws its own randomness, and takes a private key that can be used
//! once. The functions underneath are public and hidden from its documentation; their use stays in
//! this file.

use alloc::sync::Arc;

use graviola::key_agreement::mlkem768::{DecapKey, EncapKey, Message};
use zeroize::Zeroizing;

use super::settle;
use crate::kem::{MlKem, SEED_LEN, Secret};

/// ML-KEM-768.
pub(crate) enum MlKem768 {}

impl MlKem for MlKem768 {
    type Hpke = hpke::kem::MlKem768;
    type Private = Arc<DecapKey>;
    type Public = EncapKey;

    fn private(seed: &[u8; SEED_LEN]) -> Option<Arc<DecapKey>> {
        Some(Arc::new(DecapKey::keygen_internal(seed)))
    }

    fn write_public(private: &Arc<DecapKey>, out: &mut [u8]) -> Option<()> {
        out.copy_from_slice(&private.encapsulation_key().as_bytes());
        Some(())
    }

    fn public(bytes: &[u8]) -> Option<EncapKey> {
        EncapKey::from_bytes(bytes.try_into().ok()?).ok()
    }

    fn encapsulate(public: &EncapKey, randomness: &Secret, enc: &mut [u8]) -> Option<Secret> {
        let (secret, ciphertext) = public.clone().encaps_internal(Message(**randomness));
        enc.copy_from_slice(ciphertext.as_ref());
        let copy = Zeroizing::new(*secret.as_ref());
        drop(secret);
        settle();
        Some(copy)
    }

    fn decapsulate(private: &Arc<DecapKey>, enc: &[u8]) -> Option<Secret> {
        let enc: [u8; 1088] = enc.try_into().ok()?;
        let secret = private.decaps_internal(&enc.into());
        let copy = Zeroizing::new(*secret.as_ref());
        drop(secret);
        settle();
        Some(copy)
    }
}
