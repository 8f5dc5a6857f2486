//! ML-KEM over AWS-LC: decapsulation, with the private key imported in its expanded form once.
//!
//! Encapsulation is libcrux's, which keeps the public key expanded and takes its randomness from
//! the caller; `aws-lc-rs` does neither. libcrux also expands the seeds.

use alloc::sync::Arc;

use aws_lc_rs::kem::{DecapsulationKey, ML_KEM_768, ML_KEM_1024};
use zeroize::Zeroizing;

use super::{
    libcrux,
    ml_kem::{MlKem, SEED_LEN, Secret},
};

macro_rules! parameter_sets {
    ($($(#[$doc:meta])* $name:ident($set:ident, $underlying:ident, $public:ident) = $algorithm:ident;)*) => {$(
        $(#[$doc])*
        pub(crate) enum $name {}

        impl MlKem for $name {
            type Hpke = <libcrux::$underlying as MlKem>::Hpke;
            /// The key, which AWS-LC wipes, and the public key.
            type Private = Arc<(DecapsulationKey, libcrux_ml_kem::$set::$public)>;
            type Public = <libcrux::$underlying as MlKem>::Public;

            fn private(seed: &[u8; SEED_LEN]) -> Option<Self::Private> {
                let (private, public) =
                    libcrux_ml_kem::$set::generate_key_pair(*seed).into_parts();
                let private = Zeroizing::new(<[u8; _]>::from(private));
                let key = DecapsulationKey::new(&$algorithm, &*private).ok()?;
                Some(Arc::new((key, public)))
            }

            fn write_public(private: &Self::Private, out: &mut [u8]) -> Option<()> {
                out.copy_from_slice(private.1.as_ref());
                Some(())
            }

            fn public(bytes: &[u8]) -> Option<Self::Public> {
                libcrux::$underlying::public(bytes)
            }

            fn encapsulate(
                public: &Self::Public,
                randomness: &Secret,
                enc: &mut [u8],
            ) -> Option<Secret> {
                libcrux::$underlying::encapsulate(public, randomness, enc)
            }

            fn decapsulate(private: &Self::Private, enc: &[u8]) -> Option<Secret> {
                let secret = private.0.decapsulate(enc.into()).ok()?;
                Some(Zeroizing::new(secret.as_ref().try_into().ok()?))
            }
        }
    )*};
}

parameter_sets! {
    /// ML-KEM-768 over AWS-LC.
    AwsMlKem768(mlkem768, MlKem768, MlKem768PublicKey) = ML_KEM_768;
    /// ML-KEM-1024 over AWS-LC.
    AwsMlKem1024(mlkem1024, MlKem1024, MlKem1024PublicKey) = ML_KEM_1024;
}
