//! The NIST curves P-256, P-384 and P-521 (RFC 9180 §7.1), over the RustCrypto crates.

use hpke::kdf::{HkdfSha256, HkdfSha384, HkdfSha512};

use super::dh::Group;

/// The first byte of an uncompressed point (SEC 1 §2.3.3), the only form that RFC 9180 §7.1.1 has.
const UNCOMPRESSED: u8 = 4;

/// Whether bytes of the right length are in the uncompressed form. The length rules out the
/// compressed form; this rules out the hybrid one.
pub(crate) fn is_uncompressed(bytes: &[u8]) -> bool {
    bytes.first() == Some(&UNCOMPRESSED)
}

macro_rules! curves {
    ($($(#[$doc:meta])* $name:ident($curve:ident, $hpke:ident, $kdf:ident, $first_byte:literal);)*) => {$(
        $(#[$doc])*
        pub(crate) enum $name {}

        impl Group for $name {
            type Hpke = hpke::kem::$hpke;
            type Kdf = $kdf;
            type Secret = $curve::SecretKey;
            type Point = $curve::PublicKey;

            const FIRST_BYTE: u8 = $first_byte;

            fn secret(bytes: &[u8]) -> Option<Self::Secret> {
                $curve::SecretKey::from_slice(bytes).ok()
            }

            fn public_key(secret: &Self::Secret, out: &mut [u8]) -> Option<()> {
                use $curve::elliptic_curve::sec1::ToSec1Point;
                out.copy_from_slice(secret.public_key().to_sec1_point(false).as_bytes());
                Some(())
            }

            fn point(bytes: &[u8]) -> Option<Self::Point> {
                is_uncompressed(bytes).then(|| $curve::PublicKey::from_sec1_bytes(bytes).ok())?
            }

            fn agree<T>(
                secret: &Self::Secret,
                point: &Self::Point,
                with: impl FnOnce(&[u8]) -> Option<T>,
            ) -> Option<T> {
                let shared =
                    $curve::ecdh::diffie_hellman(secret.to_nonzero_scalar(), point.as_affine());
                with(shared.raw_secret_bytes())
            }
        }
    )*};
}

curves! {
    /// P-256.
    P256(p256, DhP256HkdfSha256, HkdfSha256, 0xff);
    /// P-384.
    P384(p384, DhP384HkdfSha384, HkdfSha384, 0xff);
    /// P-521, whose private keys have 521 bits.
    P521(p521, DhP521HkdfSha512, HkdfSha512, 0x01);
}
