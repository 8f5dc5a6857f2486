//! The clear header of an encapsulated request (RFC 9458 §4.3).

use oblivious_keys::{AeadId, KdfId, KemId, SymmetricSuite};

/// The seven bytes in front of every encapsulated request: which key it is for, and which
/// algorithms it uses (RFC 9458 §4.3).
///
/// It can be read without any key, for instance to decide where to send the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestHeader {
    /// The number that names the gateway's key.
    pub key_id: u8,
    /// The KEM of that key.
    pub kem: KemId,
    /// The KDF and the AEAD.
    pub suite: SymmetricSuite,
}

impl RequestHeader {
    /// The length in bytes.
    pub const LEN: usize = 7;

    /// Reads the header from the start of an encapsulated request; `None` if it is shorter.
    pub fn decode(request: &[u8]) -> Option<Self> {
        let &[key_id, m0, m1, d0, d1, a0, a1] = request.first_chunk::<{ Self::LEN }>()?;
        Some(Self {
            key_id,
            kem: KemId(u16::from_be_bytes([m0, m1])),
            suite: SymmetricSuite {
                kdf: KdfId(u16::from_be_bytes([d0, d1])),
                aead: AeadId(u16::from_be_bytes([a0, a1])),
            },
        })
    }

    /// The header's bytes.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let [m0, m1] = self.kem.0.to_be_bytes();
        let [d0, d1] = self.suite.kdf.0.to_be_bytes();
        let [a0, a1] = self.suite.aead.0.to_be_bytes();
        [self.key_id, m0, m1, d0, d1, a0, a1]
    }
}
