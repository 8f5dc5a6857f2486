//! The key of a deployment that migrates from the Go gateway.

use oblivious_hpke::{KeyPair, KeyPairError, Provider};
use oblivious_keys::{KemId, SymmetricSuite};
use zeroize::Zeroizing;

use super::{FixedKey, Seed};

/// The X25519 key that the widely deployed Go gateway (`privacy-gateway-server-go`) derives from
/// its `SEED_SECRET_KEY` and `CONFIGURATION_ID`, so that a deployment can migrate without its
/// X25519 clients noticing.
///
/// That gateway also publishes a key of X25519Kyber768Draft00 (0x0030), which is obsolete and not
/// supported here: a client that uses it gets the `ohttp-key` problem, like one with an old key,
/// and has to fetch the configurations again. [`PublishKeys::bare`](crate::PublishKeys::bare)
/// replaces the endpoint for one bare configuration.
///
/// # Errors
/// If the provider does not have X25519.
pub fn go_gateway_key(
    seed: &Seed,
    configuration_id: u8,
    provider: Provider,
) -> Result<FixedKey, KeyPairError> {
    let mut material = Zeroizing::new(*seed.expose());
    material[Seed::LEN - 1] ^= 0xff;
    let pair = KeyPair::derive(KemId::X25519_HKDF_SHA256, &*material, provider)?;
    let suites = vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM];
    Ok(FixedKey::new(key_id(configuration_id), pair, suites))
}

/// That gateway's own arithmetic: minus 128 in eight bits, then modulo 255.
const fn key_id(configuration_id: u8) -> u8 {
    configuration_id.wrapping_sub(128) % 255
}

#[cfg(test)]
mod tests {
    use oblivious_hpke::KeyRing;

    use super::*;

    #[test]
    fn the_key_of_the_zero_seed_is_the_one_that_the_go_gateway_publishes() {
        let seed = Seed::new(&mut [0; Seed::LEN]);
        let key = go_gateway_key(&seed, 0, Provider::default()).unwrap();
        let mut ring = KeyRing::new();
        key.add_to(&mut ring).unwrap();
        let mut bare = Vec::new();
        ring.config_list().unwrap().configs()[0].encode(&mut bare);
        let expected = hex_literal::hex!(
            "80 0020 b935ae8410fdea07147f8c577036a83fcf2b835fadb157c071eb8c7408d0d37c"
            "0004 0001 0001"
        );
        assert_eq!(bare, expected);
    }

    #[test]
    fn ids_wrap_as_they_do_there() {
        assert_eq!(key_id(0), 128);
        assert_eq!(key_id(1), 129);
        assert_eq!(key_id(126), 254);
        assert_eq!(key_id(127), 0);
        assert_eq!(key_id(128), 0);
        assert_eq!(key_id(255), 127);
    }
}
