//! Key configurations that say when they are valid (draft-schinazi-httpbis-ohttp-ext-key-config).

use hex_literal::hex;
use oblivious_keys::{
    DecodeError, ExtendedKeyConfig, ExtendedKeyConfigList, KemId, KeyConfig, KeyConfigError,
    KeyConfigList, SymmetricSuite,
};
use proptest::{collection::vec, prelude::*};

/// The configuration of RFC 9458 Appendix A.
const PLAIN: [u8; 45] = hex!(
    "01002031e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e79815500080001000100010003"
);

/// An entry with these extensions behind it.
fn entry(extensions: &[u8]) -> Vec<u8> {
    let length = u16::try_from(PLAIN.len() + extensions.len()).unwrap().to_be_bytes();
    [&length[..], &PLAIN, extensions].concat()
}

fn decode(extensions: &[u8]) -> Result<ExtendedKeyConfig, DecodeError> {
    Ok(ExtendedKeyConfigList::decode(&entry(extensions))?.configs()[0].clone())
}

#[test]
fn extensions_are_read_in_any_order_and_unknown_ones_skipped() {
    let none = decode(b"").unwrap();
    assert_eq!((none.not_before, none.expiration), (None, None));
    assert!(none.is_valid_at(0) && none.is_valid_at(u64::MAX));
    // EXPIRATION 1000, NOT_BEFORE 500, and 0x17 with three bytes, which means nothing.
    for extensions in
        [&hex!("0002 43e8 0102 41f4 1703 616263")[..], &hex!("1700 0102 41f4 0002 43e8")]
    {
        let config = decode(extensions).unwrap();
        assert_eq!((config.not_before, config.expiration), (Some(500), Some(1000)));
        for (now, is_valid) in [(499, false), (500, true), (1000, true), (1001, false)] {
            assert_eq!(config.is_valid_at(now), is_valid, "{now}");
        }
    }
    // Longer forms of integers are allowed.
    assert_eq!(decode(&hex!("4000 4001 05")).unwrap().expiration, Some(5));
}

#[test]
fn an_error_in_an_extension_is_one_in_the_list() {
    for (extensions, error) in [
        (&hex!("00")[..], DecodeError::Truncated),
        (&hex!("0002 43"), DecodeError::Truncated),
        (&hex!("1704 616263"), DecodeError::Truncated),
        (&hex!("17 ffffffffffffffff"), DecodeError::Truncated),
        (&hex!("0000"), DecodeError::Extension),
        (&hex!("0001 43"), DecodeError::Extension),
        (&hex!("0003 43e8 00"), DecodeError::Extension),
        (&hex!("0001 05 0001 05"), DecodeError::Extension),
    ] {
        assert_eq!(decode(extensions).unwrap_err(), error, "{extensions:?}");
        let behind_a_good_one = [entry(b""), entry(extensions)].concat();
        assert_eq!(ExtendedKeyConfigList::decode(&behind_a_good_one).unwrap_err(), error);
    }
    assert_eq!(ExtendedKeyConfigList::decode(b"").unwrap_err(), DecodeError::EmptyList);
}

/// The plain format has no extensions.
#[test]
fn an_extension_in_a_plain_list_is_an_error() {
    let extended = entry(&hex!("0001 05"));
    assert_eq!(KeyConfigList::decode(&extended).unwrap_err(), DecodeError::TrailingBytes);
    assert!(KeyConfigList::decode(&entry(b"")).is_ok());
}

#[test]
fn an_unknown_kem_is_skipped_with_all_that_follows_it() {
    let unknown = hex!("0007 07 fffe 01020304");
    let list = ExtendedKeyConfigList::decode(&[&unknown[..], &entry(b"")].concat()).unwrap();
    assert_eq!(list.configs().len(), 1);
}

fn config(key_id: u8) -> ExtendedKeyConfig {
    let suites = vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM];
    KeyConfig::new(key_id, KemId::X25519_HKDF_SHA256, vec![key_id; 32], suites).unwrap().into()
}

#[test]
fn those_that_are_valid_make_a_plain_list() {
    let list = ExtendedKeyConfigList::new(vec![
        ExtendedKeyConfig { not_before: Some(100), ..config(1) },
        ExtendedKeyConfig { expiration: Some(200), ..config(2) },
        ExtendedKeyConfig { expiration: Some(150), ..config(3) },
    ])
    .unwrap();
    let valid = |now| {
        let (keys, until) = list.valid_at(now)?;
        let ids: Vec<_> = keys.configs().iter().map(KeyConfig::key_id).collect();
        Some((ids, until))
    };
    assert_eq!(valid(50), Some((vec![2, 3], Some(150))));
    assert_eq!(valid(120), Some((vec![1, 2, 3], Some(150))));
    assert_eq!(valid(180), Some((vec![1, 2], Some(200))));
    assert_eq!(valid(300), Some((vec![1], None)));
    let over = ExtendedKeyConfig { expiration: Some(5), ..config(1) };
    assert_eq!(ExtendedKeyConfigList::new(vec![over]).unwrap().valid_at(6), None);
    assert_eq!(ExtendedKeyConfigList::new(vec![]).unwrap_err(), KeyConfigError::EmptyList);
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        times in vec((proptest::option::of(0..1_u64 << 62), proptest::option::of(0..1_u64 << 62)), 1..4),
    ) {
        let configs = times.into_iter().map(|(not_before, expiration)| {
            ExtendedKeyConfig { not_before, expiration, ..config(1) }
        });
        let list = ExtendedKeyConfigList::new(configs.collect()).unwrap();
        prop_assert_eq!(ExtendedKeyConfigList::decode(&list.encode()).unwrap(), list);
    }

    #[test]
    fn no_input_panics(input in vec(any::<u8>(), 0..200)) {
        let _ = ExtendedKeyConfigList::decode(&input);
        let _ = decode(&input);
    }
}
