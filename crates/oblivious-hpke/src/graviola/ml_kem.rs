//! ML-KEM-768: decapsulation. Encapsulation is libcrux's, which keeps the public key expanded and
//! so takes half the time.
//!
//! graviola's documented API only takes a random private key that can be used once. The functions
//! underneath are public, but hidden from its documentation; only this file uses them.

use alloc::sync::Arc;

use graviola::key_agreement::mlkem768::DecapKey;
use zeroize::Zeroizing;

use super::settle;
use crate::kem::{self, MlKem, SEED_LEN, Secret};

/// ML-KEM-768.
pub(crate) enum MlKem768 {}

impl MlKem for MlKem768 {
    type Hpke = hpke::kem::MlKem768;
    type Private = Arc<DecapKey>;
    type Public = <kem::MlKem768 as MlKem>::Public;

    fn private(seed: &[u8; SEED_LEN]) -> Option<Arc<DecapKey>> {
        Some(Arc::new(DecapKey::keygen_internal(seed)))
    }

    fn write_public(private: &Arc<DecapKey>, out: &mut [u8]) -> Option<()> {
        out.copy_from_slice(&private.encapsulation_key().as_bytes());
        Some(())
    }

    fn public(bytes: &[u8]) -> Option<Self::Public> {
        kem::MlKem768::public(bytes)
    }

    fn encapsulate(public: &Self::Public, randomness: &Secret, enc: &mut [u8]) -> Option<Secret> {
        kem::MlKem768::encapsulate(public, randomness, enc)
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
