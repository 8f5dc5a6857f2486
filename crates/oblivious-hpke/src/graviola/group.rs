//! X25519, P-256 and P-384.

use alloc::sync::Arc;

use curve25519_dalek::MontgomeryPoint;
use graviola::key_agreement::x25519;
use hpke::kdf::HkdfSha256;
use zeroize::Zeroizing;

use super::{Settle, settle};
use crate::kem::{Group, Table};

/// The X25519 group; agreements with a prepared key over dalek's table.
pub(crate) enum X25519 {}

pub(crate) struct Secret<K> {
    key: K,
    _settle: Settle,
}

impl<K> Secret<K> {
    fn new(key: K) -> Arc<Self> {
        Arc::new(Self { key, _settle: Settle })
    }
}

#[derive(Clone)]
pub(crate) struct X25519Point {
    bytes: [u8; 32],
    table: Option<Table>,
}

impl Group for X25519 {
    type Hpke = hpke::kem::X25519HkdfSha256;
    type Kdf = HkdfSha256;
    type Secret = Arc<Secret<x25519::StaticPrivateKey>>;
    type Point = X25519Point;

    fn secret(bytes: &[u8]) -> Option<Self::Secret> {
        Some(Secret::new(x25519::StaticPrivateKey::try_from_slice(bytes).ok()?))
    }

    fn public_key(secret: &Self::Secret, out: &mut [u8]) -> Option<()> {
        out.copy_from_slice(&secret.key.public_key().as_bytes());
        Some(())
    }

    /// Any 32 bytes are a public key (RFC 7748 §5).
    fn point(bytes: &[u8]) -> Option<X25519Point> {
        Some(X25519Point { bytes: bytes.try_into().ok()?, table: None })
    }

    /// graviola itself refuses points of low order (RFC 9180 §7.1.4).
    fn agree<T>(
        secret: &Self::Secret,
        point: &X25519Point,
        with: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        if let Some(table) = &point.table {
            return table.agree(&Zeroizing::new(secret.key.as_bytes()), with);
        }
        let public = x25519::PublicKey::from_array(&point.bytes);
        let shared = secret.key.diffie_hellman(&public).map(|shared| Zeroizing::new(shared.0));
        settle();
        with(&*shared.ok()?)
    }

    fn precompute(point: &mut X25519Point) -> bool {
        point.table = Table::new(MontgomeryPoint(point.bytes));
        point.table.is_some()
    }
}

#[cfg(feature = "nist")]
pub(crate) use nist::{P256, P384};

#[cfg(feature = "nist")]
mod nist {
    use graviola::key_agreement::{p256, p384};
    use hpke::kdf::{HkdfSha256, HkdfSha384};

    use super::*;
    use crate::kem::is_uncompressed;

    macro_rules! curves {
        ($($(#[$doc:meta])* $name:ident($curve:ident, $hpke:ident, $kdf:ident);)*) => {$(
            $(#[$doc])*
            pub(crate) enum $name {}

            impl Group for $name {
                type Hpke = hpke::kem::$hpke;
                type Kdf = $kdf;
                type Secret = Arc<Secret<$curve::StaticPrivateKey>>;
                type Point = $curve::PublicKey;

                fn secret(bytes: &[u8]) -> Option<Self::Secret> {
                    Some(Secret::new($curve::StaticPrivateKey::from_bytes(bytes).ok()?))
                }

                fn public_key(secret: &Self::Secret, out: &mut [u8]) -> Option<()> {
                    out.copy_from_slice(&secret.key.public_key_uncompressed());
                    Some(())
                }

                fn point(bytes: &[u8]) -> Option<Self::Point> {
                    is_uncompressed(bytes)
                        .then(|| $curve::PublicKey::from_x962_uncompressed(bytes).ok())?
                }

                fn agree<T>(
                    secret: &Self::Secret,
                    point: &Self::Point,
                    with: impl FnOnce(&[u8]) -> Option<T>,
                ) -> Option<T> {
                    let shared =
                        secret.key.diffie_hellman(point).map(|shared| Zeroizing::new(shared.0));
                    settle();
                    with(&*shared.ok()?)
                }
            }
        )*};
    }

    curves! {
        /// P-256.
        P256(p256, DhP256HkdfSha256, HkdfSha256);
        /// P-384.
        P384(p384, DhP384HkdfSha384, HkdfSha384);
    }
}
