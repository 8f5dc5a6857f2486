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

/// Clears the wide halves of the vector registers.
///
/// graviola clears them at the end of its calls, but wiping a dropped value uses them again. On
/// many processors every instruction of the older kind, such as those of the hashes here, then has
/// to wait for them: setting up an AES key took 4 µs instead of 0.5 µs. Any cheap call that ends by
/// clearing them helps.
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

/// Calls [`settle`] when it is dropped. It must be the last field, to be dropped after the others.
struct Settle;

impl Drop for Settle {
    fn drop(&mut self) {
        settle();
    }
}
