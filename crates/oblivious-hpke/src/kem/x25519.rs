//! X25519 (RFC 7748 §5) over the dalek crates.

use alloc::sync::Arc;

use curve25519_dalek::{
    MontgomeryPoint,
    edwards::EdwardsBasepointTable,
    traits::{BasepointTable, IsIdentity},
};
use hpke::kdf::HkdfSha256;
use subtle::ConstantTimeEq;
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use super::dh::Group;

/// The X25519 group.
pub(crate) enum X25519 {}

/// A public key; for many agreements with it, with a table of its multiples.
#[derive(Clone)]
pub(crate) struct Point {
    montgomery: MontgomeryPoint,
    pub(super) table: Option<Table>,
}

impl Group for X25519 {
    type Hpke = hpke::kem::X25519HkdfSha256;
    type Kdf = HkdfSha256;
    type Secret = StaticSecret;
    type Point = Point;

    fn secret(bytes: &[u8]) -> Option<StaticSecret> {
        let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(bytes.try_into().ok()?);
        Some(StaticSecret::from(*bytes))
    }

    fn public_key(secret: &StaticSecret, out: &mut [u8]) -> Option<()> {
        out.copy_from_slice(x25519_dalek::PublicKey::from(secret).as_bytes());
        Some(())
    }

    /// Any 32 bytes are a public key (RFC 7748 §5).
    fn point(bytes: &[u8]) -> Option<Point> {
        Some(Point { montgomery: MontgomeryPoint(bytes.try_into().ok()?), table: None })
    }

    fn agree<T>(
        secret: &StaticSecret,
        point: &Point,
        with: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        match &point.table {
            Some(table) => table.agree(secret.as_bytes(), with),
            None => {
                let shared = secret.diffie_hellman(&point.montgomery.0.into());
                // RFC 9180 §7.1.4: with a point of low order anyone knows the result.
                shared.was_contributory().then_some(())?;
                with(shared.as_bytes())
            }
        }
    }

    fn precompute(point: &mut Point) -> bool {
        point.table = Table::new(point.montgomery);
        point.table.is_some()
    }
}

/// Multiples of a public key, which cut the time of an agreement to a quarter. They take about 30
/// KiB, and as long to make as about twenty agreements.
#[derive(Clone)]
pub(crate) struct Table(Arc<EdwardsBasepointTable>);

impl Table {
    /// A table for `point`; `None` if it has no Edwards form, because it is on the twist.
    pub(crate) fn new(point: MontgomeryPoint) -> Option<Self> {
        // Both points of this u-coordinate have the same u-coordinate when multiplied, so which
        // of the two is taken makes no difference.
        let edwards = point.to_edwards(0)?;
        // Points of low order are left to the plain agreement.
        (!edwards.mul_by_cofactor().is_identity())
            .then(|| Self(Arc::new(EdwardsBasepointTable::create(&edwards))))
    }

    /// X25519 (RFC 7748 §5) of a private key and the point of the table.
    pub(crate) fn agree<T>(
        &self,
        secret: &[u8; 32],
        with: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let shared = Zeroizing::new(self.0.mul_base_clamped(*secret).to_montgomery().0);
        let is_zero: bool = shared.ct_eq(&[0; 32]).into();
        (!is_zero).then_some(())?;
        with(&*shared)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use hex_literal::hex;
    use proptest::prelude::*;

    use super::*;

    /// The plain agreement and the one by table, each of which may refuse.
    fn both(secret: [u8; 32], public: [u8; 32]) -> (Option<Vec<u8>>, Option<Option<Vec<u8>>>) {
        let secret = X25519::secret(&secret).unwrap();
        let mut point = X25519::point(&public).unwrap();
        let keep = |shared: &[u8]| Some(shared.to_vec());
        let plain = X25519::agree(&secret, &point, keep);
        let table = X25519::precompute(&mut point);
        (plain, table.then(|| X25519::agree(&secret, &point, keep)))
    }

    /// RFC 7748 §5.2: the first vector, by both ways.
    #[test]
    fn the_vector_of_the_document() {
        let (plain, table) = both(
            hex!("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
            hex!("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
        );
        let shared = hex!("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
        assert_eq!(plain.as_deref(), Some(&shared[..]));
        assert!(table.is_none_or(|table| table == plain));
    }

    /// RFC 7748 §5: the highest bit is ignored and values from p on are reduced, both ways.
    #[test]
    fn encodings_that_are_not_canonical_mean_what_they_reduce_to() {
        let secret = [0x42; 32];
        let nine = hex!("0900000000000000000000000000000000000000000000000000000000000000");
        let same = [
            hex!("0900000000000000000000000000000000000000000000000000000000000080"),
            hex!("f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
            hex!("f6ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
        ];
        let (expected, table) = both(secret, nine);
        assert_eq!(table.unwrap(), expected);
        for public in same {
            let (plain, table) = both(secret, public);
            assert_eq!(plain, expected);
            assert_eq!(table.unwrap(), expected);
        }
    }

    #[test]
    fn points_on_the_twist_fall_back_to_the_plain_agreement() {
        // 2 is the u-coordinate of a point on the twist.
        let mut two = [0; 32];
        two[0] = 2;
        let (plain, table) = both([0x42; 32], two);
        assert!(plain.is_some());
        assert!(table.is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn by_table_the_agreement_is_the_same(secret: [u8; 32], public: [u8; 32]) {
            let (plain, table) = both(secret, public);
            prop_assert!(plain.is_some());
            if let Some(table) = table {
                prop_assert_eq!(table, plain);
            }
        }

        /// A point plus one of order 8: multiplying by a clamped secret cancels the latter.
        #[test]
        fn points_with_a_component_of_low_order_agree_too(secret: [u8; 32], scalar: [u8; 32], i in 0..8_usize) {
            use curve25519_dalek::{constants::EIGHT_TORSION, edwards::EdwardsPoint};
            let mixed = EdwardsPoint::mul_base_clamped(scalar) + EIGHT_TORSION[i];
            let (plain, table) = both(secret, mixed.to_montgomery().0);
            prop_assert_eq!(table.unwrap(), plain);
        }
    }
}
