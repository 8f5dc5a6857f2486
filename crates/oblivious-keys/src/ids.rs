//! HPKE algorithm identifiers: any number, with names for those that are known.

use core::fmt;
use core::str::FromStr;

use thiserror::Error;

/// Declares an open registry: a 16-bit number, constants for the known ones, their registered names
/// and, where there is one, a short name that people write.
macro_rules! registry {
    (
        $(#[$doc:meta])*
        $type:ident { $(
            $(#[$item_doc:meta])* $constant:ident = $value:literal, $name:literal $($short:literal)?;
        )* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(pub u16);

        impl $type {
            $($(#[$item_doc])* pub const $constant: Self = Self($value);)*

            /// The registered name, if this crate knows the identifier.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($name),)*
                    _ => None,
                }
            }
        }

        /// The registered name, or the number in hexadecimal.
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{:#06x}", self.0),
                }
            }
        }

        /// What `Display` shows, in any letter case.
        impl FromStr for $type {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                $(
                    if [$name $(, $short)?].iter().any(|name| text.eq_ignore_ascii_case(name)) {
                        return Ok(Self($value));
                    }
                )*
                parse_number(text).map(Self)
            }
        }

        impl From<u16> for $type {
            fn from(number: u16) -> Self {
                Self(number)
            }
        }

        impl From<$type> for u16 {
            fn from(id: $type) -> Self {
                id.0
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($type))
            }
        }
    };
}

/// A text is not the name or number of an HPKE algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error(
    "this is not a known name of an HPKE algorithm; use a registered name, or a \
     number such as 0x0020"
)]
#[non_exhaustive]
pub struct ParseIdError;

/// Hexadecimal digits behind `0x`, the way `Display` shows a number without a name.
fn parse_number(text: &str) -> Result<u16, ParseIdError> {
    let digits = text.strip_prefix("0x").ok_or(ParseIdError)?;
    // `from_str_radix` would take a sign.
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(ParseIdError);
    }
    u16::from_str_radix(digits, 16).map_err(|_| ParseIdError)
}

registry! {
    /// A key encapsulation mechanism (RFC 9180 §7.1 and its IANA registry).
    ///
    /// As text it is the registered name, such as `DHKEM(X25519, HKDF-SHA256)`, or a number. The
    /// DHKEMs also parse from the name of their curve: `x25519`, `x448`, `p256`, `p384`, `p521`.
    ///
    /// ```
    /// use oblivious_keys::KemId;
    ///
    /// assert_eq!("X-Wing".parse(), Ok(KemId::X_WING));
    /// assert_eq!("x25519".parse(), Ok(KemId::X25519_HKDF_SHA256));
    /// assert_eq!("0x647a".parse(), Ok(KemId::X_WING));
    /// assert_eq!(KemId::X_WING.to_string(), "X-Wing");
    /// ```
    KemId {
        /// DHKEM(P-256, HKDF-SHA256).
        P256_HKDF_SHA256 = 0x0010, "DHKEM(P-256, HKDF-SHA256)" "p256";
        /// DHKEM(P-384, HKDF-SHA384).
        P384_HKDF_SHA384 = 0x0011, "DHKEM(P-384, HKDF-SHA384)" "p384";
        /// DHKEM(P-521, HKDF-SHA512).
        P521_HKDF_SHA512 = 0x0012, "DHKEM(P-521, HKDF-SHA512)" "p521";
        /// DHKEM(X25519, HKDF-SHA256), which practically every deployment of Oblivious HTTP
        /// supports.
        X25519_HKDF_SHA256 = 0x0020, "DHKEM(X25519, HKDF-SHA256)" "x25519";
        /// DHKEM(X448, HKDF-SHA512).
        X448_HKDF_SHA512 = 0x0021, "DHKEM(X448, HKDF-SHA512)" "x448";
        /// X25519Kyber768Draft00: obsolete, and still published by some gateways.
        X25519_KYBER768_DRAFT00 = 0x0030, "X25519Kyber768Draft00";
        /// ML-KEM-512 (draft-ietf-hpke-pq).
        ML_KEM_512 = 0x0040, "ML-KEM-512";
        /// ML-KEM-768 (draft-ietf-hpke-pq).
        ML_KEM_768 = 0x0041, "ML-KEM-768";
        /// ML-KEM-1024 (draft-ietf-hpke-pq).
        ML_KEM_1024 = 0x0042, "ML-KEM-1024";
        /// MLKEM768-P256 (draft-ietf-hpke-pq).
        MLKEM768_P256 = 0x0050, "MLKEM768-P256";
        /// MLKEM1024-P384 (draft-ietf-hpke-pq).
        MLKEM1024_P384 = 0x0051, "MLKEM1024-P384";
        /// X-Wing, also called MLKEM768-X25519 (draft-ietf-hpke-pq).
        X_WING = 0x647a, "X-Wing";
    }
}

impl KemId {
    /// The length of a public key in bytes, Npk (RFC 9180 §7.1); `None` for an unknown KEM.
    pub const fn public_key_len(self) -> Option<usize> {
        Some(match self {
            Self::P256_HKDF_SHA256 => 65,
            Self::P384_HKDF_SHA384 => 97,
            Self::P521_HKDF_SHA512 => 133,
            Self::X25519_HKDF_SHA256 => 32,
            Self::X448_HKDF_SHA512 => 56,
            Self::X25519_KYBER768_DRAFT00 | Self::X_WING => 1216,
            Self::ML_KEM_512 => 800,
            Self::ML_KEM_768 => 1184,
            Self::ML_KEM_1024 => 1568,
            Self::MLKEM768_P256 => 1249,
            Self::MLKEM1024_P384 => 1665,
            _ => return None,
        })
    }

    /// The length of an encapsulated key (`enc`) in bytes, Nenc (RFC 9180 §7.1); `None` for an
    /// unknown KEM.
    pub const fn enc_len(self) -> Option<usize> {
        Some(match self {
            Self::P256_HKDF_SHA256 => 65,
            Self::P384_HKDF_SHA384 => 97,
            Self::P521_HKDF_SHA512 => 133,
            Self::X25519_HKDF_SHA256 => 32,
            Self::X448_HKDF_SHA512 => 56,
            Self::X25519_KYBER768_DRAFT00 | Self::X_WING => 1120,
            Self::ML_KEM_512 => 768,
            Self::ML_KEM_768 => 1088,
            Self::ML_KEM_1024 => 1568,
            Self::MLKEM768_P256 => 1153,
            Self::MLKEM1024_P384 => 1665,
            _ => return None,
        })
    }
}

registry! {
    /// A key derivation function (RFC 9180 §7.2 and its IANA registry).
    KdfId {
        /// HKDF-SHA256.
        HKDF_SHA256 = 0x0001, "HKDF-SHA256";
        /// HKDF-SHA384.
        HKDF_SHA384 = 0x0002, "HKDF-SHA384";
        /// HKDF-SHA512.
        HKDF_SHA512 = 0x0003, "HKDF-SHA512";
        /// SHAKE128: one-stage, so without the Extract and Expand that Oblivious HTTP needs.
        SHAKE128 = 0x0010, "SHAKE128";
        /// SHAKE256: one-stage, so without the Extract and Expand that Oblivious HTTP needs.
        SHAKE256 = 0x0011, "SHAKE256";
        /// TurboSHAKE128: one-stage, so without the Extract and Expand that Oblivious HTTP needs.
        TURBO_SHAKE128 = 0x0012, "TurboSHAKE128";
        /// TurboSHAKE256: one-stage, so without the Extract and Expand that Oblivious HTTP needs.
        TURBO_SHAKE256 = 0x0013, "TurboSHAKE256";
    }
}

impl KdfId {
    /// Whether it is a one-stage KDF, without the Extract and Expand that derive the keys of a
    /// response (RFC 9458 §4.4). Such a KDF cannot be used for Oblivious HTTP.
    pub const fn is_one_stage(self) -> bool {
        matches!(
            self,
            Self::SHAKE128 | Self::SHAKE256 | Self::TURBO_SHAKE128 | Self::TURBO_SHAKE256
        )
    }
}

registry! {
    /// An authenticated encryption function (RFC 9180 §7.3 and its IANA registry).
    AeadId {
        /// AES-128-GCM.
        AES_128_GCM = 0x0001, "AES-128-GCM";
        /// AES-256-GCM.
        AES_256_GCM = 0x0002, "AES-256-GCM";
        /// ChaCha20-Poly1305.
        CHACHA20_POLY1305 = 0x0003, "ChaCha20-Poly1305";
        /// Export-only: cannot encrypt, so it is never usable for Oblivious HTTP.
        EXPORT_ONLY = 0xffff, "Export-only";
    }
}

/// The symmetric part of a ciphersuite: a KDF and an AEAD (RFC 9458 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SymmetricSuite {
    /// The key derivation function.
    pub kdf: KdfId,
    /// The authenticated encryption function.
    pub aead: AeadId,
}

impl SymmetricSuite {
    /// HKDF-SHA256 with AES-128-GCM.
    pub const HKDF_SHA256_AES_128_GCM: Self =
        Self { kdf: KdfId::HKDF_SHA256, aead: AeadId::AES_128_GCM };
    /// HKDF-SHA256 with AES-256-GCM.
    pub const HKDF_SHA256_AES_256_GCM: Self =
        Self { kdf: KdfId::HKDF_SHA256, aead: AeadId::AES_256_GCM };
    /// HKDF-SHA256 with ChaCha20-Poly1305.
    pub const HKDF_SHA256_CHACHA20_POLY1305: Self =
        Self { kdf: KdfId::HKDF_SHA256, aead: AeadId::CHACHA20_POLY1305 };

    /// The length of a suite in a key configuration, in bytes.
    pub(crate) const ENCODED_LEN: usize = 4;
}

impl fmt::Display for SymmetricSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}", self.kdf, self.aead)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn unknown_numbers_are_shown_as_numbers() {
        assert_eq!(KemId(0x1234).to_string(), "0x1234");
        assert_eq!(AeadId::AES_128_GCM.to_string(), "AES-128-GCM");
        assert_eq!(alloc::format!("{:?}", KdfId(9)), "KdfId(0x0009)");
    }

    #[test]
    fn text_is_read_as_it_is_written() {
        for id in 0..=u16::MAX {
            assert_eq!(KemId(id).to_string().parse(), Ok(KemId(id)));
            assert_eq!(KdfId(id).to_string().to_ascii_lowercase().parse(), Ok(KdfId(id)));
            assert_eq!(
                AeadId(id).to_string().to_ascii_uppercase().replace("0X", "0x").parse(),
                Ok(AeadId(id))
            );
        }
        for short in ["X25519", "p256", "P384", "p521", "x448"] {
            let kem: KemId = short.parse().unwrap();
            assert!(kem.to_string().starts_with("DHKEM("), "{short}");
        }
        for text in ["", "x", "0x", "0x1_0", "0x+020", "0x10000", "32", " x25519", "X-Wing "] {
            assert_eq!(text.parse::<KemId>(), Err(ParseIdError), "{text:?}");
        }
    }

    #[test]
    fn every_named_kem_has_its_lengths() {
        for id in 0..=u16::MAX {
            let kem = KemId(id);
            assert_eq!(kem.name().is_some(), kem.public_key_len().is_some(), "{kem}");
            assert_eq!(kem.name().is_some(), kem.enc_len().is_some(), "{kem}");
        }
    }
}
