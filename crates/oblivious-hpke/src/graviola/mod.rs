//! Primitives of graviola: verified assembly in a crate of plain Rust, for x86-64 and aarch64.

mod aead;
mod group;
#[cfg(feature = "post-quantum")]
mod ml_kem;

pub(crate) use aead::{Aes128Gcm, Aes256Gcm, ChaCha20Poly1305};
pub(crate) use group::X25519;
#[cfg(feature = "nist")]
pub(crate) use group::{P256, P384};
#[cfg(feature = "post-quantum")]
pub(crate) use ml_kem::MlKem768;

/// Whether this processor has the instructions that graviola needs.
pub(crate) fn is_supported() -> bool {
    graviola::util::is_cpu_supported()
}

/// Ends what used the wide halves of the vector registers.
///
/// graviola clears the registers at the end of its calls, but what it wipes when values are dropped
/// puts the wide halves into use again. On many processors each instruction of the older kind, which
/// the hashes here are made of, then waits for them: the set-up of an AES key took 4 µs instead of
/// 0.5. Any cheap call that ends in clearing helps.
#[cfg(target_arch = "x86_64")]
fn settle() {
    use std::sync::LazyLock;

    use graviola::key_agreement::x25519::StaticPrivateKey;

    static ANY: LazyLock<StaticPrivateKey> =
        LazyLock::new(|| StaticPrivateKey::from_array(&[0; 32]));
    core::hint::black_box(ANY.as_bytes());
}

#[cfg(not(target_arch = "x86_64"))]
fn settle() {}

/// Calls [`settle`] when it is dropped: as the last field, after the others.
struct Settle;

impl Drop for Settle {
    fn drop(&mut self) {
        settle();
    }
}
