//! ML-KEM over libcrux: Rust whose functional correctness and secret independence are proven, with
//! vector instructions where the processor has them.
//!
//! Keys are kept unpacked, with the matrix whose seed is in the public key: expanding it takes half
//! the time of a decapsulation, and two thirds of that of an encapsulation.

use alloc::{boxed::Box, sync::Arc};

use zeroize::Zeroizing;

use super::ml_kem::{MlKem, SEED_LEN, Secret};

/// A boxed value that is overwritten when it is dropped.
pub(crate) struct Wiped<T: Default>(Box<T>);

impl<T: Default> Drop for Wiped<T> {
    fn drop(&mut self) {
        *self.0 = T::default();
        zeroize::optimization_barrier(&*self.0);
    }
}

/// A value made by the vector code, or by the portable code. The two must not be mixed.
#[derive(Clone)]
pub(crate) enum For<V, P> {
    Vectors(V),
    Portable(P),
}

/// Whether the processor has the instructions that the vector code needs.
fn has_vectors() -> bool {
    match () {
        #[cfg(target_arch = "x86_64")]
        () => libcrux_platform::simd256_support(),
        #[cfg(target_arch = "aarch64")]
        () => libcrux_platform::simd128_support(),
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        () => false,
    }
}

macro_rules! parameter_sets {
    ($($(#[$doc:meta])* $name:ident = $set:ident($key_pair:ident, $public_key:ident);)*) => {$(
        $(#[$doc])*
        pub(crate) enum $name {}

        mod $set {
            use libcrux_ml_kem::$set;

            pub(super) use $set::portable::unpacked as portable;
            #[cfg(target_arch = "x86_64")]
            pub(super) use $set::avx2::unpacked as vectors;
            #[cfg(target_arch = "aarch64")]
            pub(super) use $set::neon::unpacked as vectors;
            #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
            pub(super) use $set::portable::unpacked as vectors;
        }

        impl $name {
            /// A private key for the vector code, or for the portable code.
            fn private_for(vectors: bool, seed: &[u8; SEED_LEN]) -> <Self as MlKem>::Private {
                Arc::new(if vectors {
                    let mut keys = Wiped(Box::new($set::vectors::init_key_pair()));
                    $set::vectors::generate_key_pair_mut(*seed, &mut keys.0);
                    For::Vectors(keys)
                } else {
                    let mut keys = Wiped(Box::new($set::portable::init_key_pair()));
                    $set::portable::generate_key_pair_mut(*seed, &mut keys.0);
                    For::Portable(keys)
                })
            }

            /// A public key for the vector code, or for the portable code.
            fn public_for(vectors: bool, bytes: &[u8]) -> Option<<Self as MlKem>::Public> {
                let bytes = bytes.try_into().ok()?;
                libcrux_ml_kem::$set::validate_public_key(&bytes).then_some(())?;
                Some(Arc::new(if vectors {
                    let mut key = $set::vectors::init_public_key();
                    $set::vectors::unpacked_public_key(&bytes, &mut key);
                    For::Vectors(key)
                } else {
                    let mut key = $set::portable::init_public_key();
                    $set::portable::unpacked_public_key(&bytes, &mut key);
                    For::Portable(key)
                }))
            }
        }

        impl MlKem for $name {
            type Hpke = hpke::kem::$name;
            type Private = Arc<For<
                Wiped<$set::vectors::$key_pair>,
                Wiped<$set::portable::$key_pair>,
            >>;
            type Public = Arc<For<$set::vectors::$public_key, $set::portable::$public_key>>;

            fn private(seed: &[u8; SEED_LEN]) -> Option<Self::Private> {
                Some(Self::private_for(has_vectors(), seed))
            }

            fn write_public(private: &Self::Private, out: &mut [u8]) -> Option<()> {
                let public = match &**private {
                    For::Vectors(keys) => $set::vectors::key_pair_serialized_public_key(&keys.0),
                    For::Portable(keys) => $set::portable::key_pair_serialized_public_key(&keys.0),
                };
                out.copy_from_slice(public.as_ref());
                Some(())
            }

            fn public(bytes: &[u8]) -> Option<Self::Public> {
                Self::public_for(has_vectors(), bytes)
            }

            fn encapsulate(
                public: &Self::Public,
                randomness: &Secret,
                enc: &mut [u8],
            ) -> Option<Secret> {
                let (ciphertext, secret) = match &**public {
                    For::Vectors(key) => $set::vectors::encapsulate(key, **randomness),
                    For::Portable(key) => $set::portable::encapsulate(key, **randomness),
                };
                enc.copy_from_slice(ciphertext.as_ref());
                Some(Zeroizing::new(secret))
            }

            fn decapsulate(private: &Self::Private, enc: &[u8]) -> Option<Secret> {
                let enc = enc.try_into().ok()?;
                Some(Zeroizing::new(match &**private {
                    For::Vectors(keys) => $set::vectors::decapsulate(&keys.0, &enc),
                    For::Portable(keys) => $set::portable::decapsulate(&keys.0, &enc),
                }))
            }
        }
    )*};
}

parameter_sets! {
    /// ML-KEM-768.
    MlKem768 = mlkem768(MlKem768KeyPairUnpacked, MlKem768PublicKeyUnpacked);
    /// ML-KEM-1024.
    MlKem1024 = mlkem1024(MlKem1024KeyPairUnpacked, MlKem1024PublicKeyUnpacked);
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! both_ways_alike {
        ($name:ident) => {
            let (seed, randomness) = ([5; SEED_LEN], Zeroizing::new([6; 32]));
            let of = |vectors| {
                let private = $name::private_for(vectors, &seed);
                let mut public = alloc::vec![0; $name::public_len()];
                $name::write_public(&private, &mut public).unwrap();
                let expanded = $name::public_for(vectors, &public).unwrap();
                let mut enc = alloc::vec![0; $name::enc_len()];
                let secret = $name::encapsulate(&expanded, &randomness, &mut enc).unwrap();
                assert_eq!($name::decapsulate(&private, &enc).unwrap(), secret);
                let mut damaged = enc.clone();
                damaged[0] ^= 1;
                (public, enc, secret, $name::decapsulate(&private, &damaged).unwrap())
            };
            assert_eq!(of(has_vectors()), of(false));
        };
    }

    #[test]
    fn without_vector_instructions_the_results_are_the_same() {
        both_ways_alike!(MlKem768);
        both_ways_alike!(MlKem1024);
    }
}
