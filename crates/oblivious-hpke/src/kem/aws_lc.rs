//! X25519 and the NIST curves over AWS-LC.

use alloc::sync::Arc;

use aws_lc_rs::agreement::{self, Algorithm, ParsedPublicKey, UnparsedPublicKey};
use curve25519_dalek::MontgomeryPoint;
use hpke::kdf::HkdfSha256;
use zeroize::Zeroizing;

use super::{dh::Group, x25519::Table};

/// Reads a private key of `algorithm`.
fn secret(algorithm: &'static Algorithm, bytes: &[u8]) -> Option<Arc<agreement::PrivateKey>> {
    agreement::PrivateKey::from_private_key(algorithm, bytes).ok().map(Arc::new)
}

fn public_key(secret: &agreement::PrivateKey, out: &mut [u8]) -> Option<()> {
    out.copy_from_slice(secret.compute_public_key().ok()?.as_ref());
    Some(())
}

/// Reads a public key of `algorithm`, and checks it.
fn point(algorithm: &'static Algorithm, bytes: &[u8]) -> Option<ParsedPublicKey> {
    UnparsedPublicKey::new(algorithm, bytes).try_into().ok()
}

fn agree<T>(
    secret: &agreement::PrivateKey,
    point: &ParsedPublicKey,
    with: impl FnOnce(&[u8]) -> Option<T>,
) -> Option<T> {
    agreement::agree(secret, point.clone(), (), |shared| with(shared).ok_or(())).ok()
}

/// The X25519 group over AWS-LC; agreements with a prepared key over dalek's table.
pub(crate) enum AwsX25519 {}

#[derive(Clone)]
pub(crate) struct X25519Secret {
    key: Arc<agreement::PrivateKey>,
    bytes: Zeroizing<[u8; 32]>,
}

#[derive(Clone)]
pub(crate) struct X25519Point {
    key: ParsedPublicKey,
    table: Option<Table>,
}

impl Group for AwsX25519 {
    type Hpke = hpke::kem::X25519HkdfSha256;
    type Kdf = HkdfSha256;
    type Secret = X25519Secret;
    type Point = X25519Point;

    fn secret(bytes: &[u8]) -> Option<X25519Secret> {
        let key = secret(&agreement::X25519, bytes)?;
        Some(X25519Secret { key, bytes: Zeroizing::new(bytes.try_into().ok()?) })
    }

    fn public_key(secret: &X25519Secret, out: &mut [u8]) -> Option<()> {
        public_key(&secret.key, out)
    }

    fn point(bytes: &[u8]) -> Option<X25519Point> {
        Some(X25519Point { key: point(&agreement::X25519, bytes)?, table: None })
    }

    /// AWS-LC itself refuses points of low order (RFC 9180 §7.1.4).
    fn agree<T>(
        secret: &X25519Secret,
        point: &X25519Point,
        with: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        match &point.table {
            Some(table) => table.agree(&secret.bytes, with),
            None => agree(&secret.key, &point.key, with),
        }
    }

    fn precompute(point: &mut X25519Point) -> bool {
        let bytes = point.key.as_ref().try_into();
        point.table = bytes.ok().and_then(|bytes| Table::new(MontgomeryPoint(bytes)));
        point.table.is_some()
    }
}

#[cfg(feature = "nist")]
pub(crate) use nist::{AwsP256, AwsP384, AwsP521};

#[cfg(feature = "nist")]
mod nist {
    use hpke::kdf::{HkdfSha256, HkdfSha384, HkdfSha512};

    use super::*;
    use crate::kem::nist::is_uncompressed;

    macro_rules! curves {
        ($($(#[$doc:meta])* $name:ident($algorithm:ident, $hpke:ident, $kdf:ident, $first_byte:literal);)*) => {$(
            $(#[$doc])*
            pub(crate) enum $name {}

            impl Group for $name {
                type Hpke = hpke::kem::$hpke;
                type Kdf = $kdf;
                type Secret = Arc<agreement::PrivateKey>;
                type Point = ParsedPublicKey;

                const FIRST_BYTE: u8 = $first_byte;

                fn secret(bytes: &[u8]) -> Option<Self::Secret> {
                    secret(&agreement::$algorithm, bytes)
                }

                fn public_key(secret: &Self::Secret, out: &mut [u8]) -> Option<()> {
                    public_key(secret, out)
                }

                fn point(bytes: &[u8]) -> Option<Self::Point> {
                    is_uncompressed(bytes).then(|| point(&agreement::$algorithm, bytes))?
                }

                fn agree<T>(
                    secret: &Self::Secret,
                    point: &Self::Point,
                    with: impl FnOnce(&[u8]) -> Option<T>,
                ) -> Option<T> {
                    agree(secret, point, with)
                }
            }
        )*};
    }

    curves! {
        /// P-256 over AWS-LC.
        AwsP256(ECDH_P256, DhP256HkdfSha256, HkdfSha256, 0xff);
        /// P-384 over AWS-LC.
        AwsP384(ECDH_P384, DhP384HkdfSha384, HkdfSha384, 0xff);
        /// P-521 over AWS-LC.
        AwsP521(ECDH_P521, DhP521HkdfSha512, HkdfSha512, 0x01);
    }
}
