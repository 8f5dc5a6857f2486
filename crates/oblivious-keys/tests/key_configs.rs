//! Encoding, decoding and selection of key configurations, and agreement with the crate `ohttp`.

use hex_literal::hex;
use oblivious_keys::{
    AeadId, DecodeError, KdfId, KemId, KeyConfig, KeyConfigError, KeyConfigList, Preferences,
    SelectError, SymmetricSuite,
};
use proptest::{collection::vec, prelude::*};

/// The configuration of RFC 9458 Appendix A: key 1, X25519, AES-128-GCM and ChaCha20-Poly1305.
const APPENDIX_A: [u8; 45] = hex!(
    "01002031e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e79815500080001000100010003"
);

const X25519: KemId = KemId::X25519_HKDF_SHA256;
const AES_128: SymmetricSuite = SymmetricSuite::HKDF_SHA256_AES_128_GCM;
const AES_256: SymmetricSuite = SymmetricSuite::HKDF_SHA256_AES_256_GCM;
const CHACHA: SymmetricSuite = SymmetricSuite::HKDF_SHA256_CHACHA20_POLY1305;

fn config(key_id: u8, suites: &[SymmetricSuite]) -> KeyConfig {
    KeyConfig::new(key_id, X25519, vec![key_id; 32], suites.to_vec()).unwrap()
}

/// Puts a two-byte length before each entry.
fn list_of(entries: &[&[u8]]) -> Vec<u8> {
    let prefixed = |entry: &&[u8]| {
        let length = u16::try_from(entry.len()).unwrap().to_be_bytes();
        [&length[..], entry].concat()
    };
    entries.iter().flat_map(prefixed).collect()
}

/// An entry of a KEM that nobody has registered, with a key of some length.
const UNKNOWN_KEM: [u8; 12] = hex!("07 fffe 0102030405 0002 0001");

/// RFC 9458 Appendix A
#[test]
fn the_configuration_of_the_document_is_read_and_written() {
    let config = KeyConfig::decode_bare(&APPENDIX_A).unwrap();
    assert_eq!(config.key_id(), 1);
    assert_eq!(config.kem(), X25519);
    assert_eq!(config.public_key()[..], APPENDIX_A[3..35]);
    assert_eq!(config.suites(), [AES_128, CHACHA]);
    assert_eq!(config.encoded_len(), APPENDIX_A.len());

    let mut encoded = Vec::new();
    config.encode(&mut encoded);
    assert_eq!(encoded, APPENDIX_A);

    let list = KeyConfigList::decode(&list_of(&[&APPENDIX_A])).unwrap();
    assert_eq!(list.configs(), [config]);
    assert_eq!(list.encode()[..], list_of(&[&APPENDIX_A]));
}

/// RFC 9458 §3.1: an unknown KEM or suite is no encoding error, and does not hide what is known.
#[test]
fn unknown_identifiers_are_skipped() {
    let list = KeyConfigList::decode(&list_of(&[&UNKNOWN_KEM, &APPENDIX_A])).unwrap();
    assert_eq!(list.configs().len(), 1);
    assert_eq!(list.skipped()[0].key_id, 7);
    assert_eq!(list.skipped()[0].kem, KemId(0xfffe));

    let odd = SymmetricSuite { kdf: KdfId(0x7777), aead: AeadId(0x8888) };
    let list = KeyConfigList::new(vec![config(1, &[odd, CHACHA])]).unwrap();
    let list = KeyConfigList::decode(&list.encode()).unwrap();
    assert_eq!(list.configs()[0].suites(), [odd, CHACHA]);
    assert_eq!(list.select(&Preferences::default()).unwrap().suite, CHACHA);
}

/// RFC 9458 §3.2: one error anywhere, and no entry of the list is taken.
#[test]
fn a_list_with_an_error_is_discarded_whole() {
    let good = list_of(&[&APPENDIX_A]);
    for cut in 1..good.len() {
        assert_eq!(KeyConfigList::decode(&good[..cut]), Err(DecodeError::Truncated), "{cut}");
        let after_good = [&good[..], &good[..cut]].concat();
        assert_eq!(KeyConfigList::decode(&after_good), Err(DecodeError::Truncated), "{cut}");
    }
    assert_eq!(KeyConfigList::decode(&[]), Err(DecodeError::EmptyList));

    let longer = [&APPENDIX_A[..], &[0]].concat();
    let decoded = KeyConfigList::decode(&list_of(&[&APPENDIX_A, &longer]));
    assert_eq!(decoded, Err(DecodeError::TrailingBytes));

    // An unknown KEM does not excuse an entry too short to name one.
    for short in [&[][..], &[1], &[1, 0xff]] {
        let decoded = KeyConfigList::decode(&list_of(&[&APPENDIX_A, short]));
        assert_eq!(decoded, Err(DecodeError::Truncated));
    }
}

/// RFC 9458 §3.1: the suites' length is a multiple of four, from 4 to 65532.
#[test]
fn the_length_of_the_suites_is_checked() {
    let key = &APPENDIX_A[..35];
    let suites = |length: u16| [key, &length.to_be_bytes(), &vec![0; length.into()]].concat();
    for wrong in [0, 1, 2, 3, 5, 6, 7, 65529, 65535] {
        let decoded = KeyConfig::decode_bare(&suites(wrong));
        assert_eq!(decoded, Err(DecodeError::SuitesLength), "{wrong}");
    }
    for right in [4, 8, 65532] {
        let decoded = KeyConfig::decode_bare(&suites(right)).unwrap();
        assert_eq!(decoded.suites().len(), usize::from(right) / 4);
    }
}

#[test]
fn the_bare_form_is_exactly_one_configuration() {
    assert_eq!(KeyConfig::decode_bare(&UNKNOWN_KEM), Err(DecodeError::UnknownKem(KemId(0xfffe))));
    for cut in 0..APPENDIX_A.len() {
        assert_eq!(KeyConfig::decode_bare(&APPENDIX_A[..cut]), Err(DecodeError::Truncated));
    }
    // A list is not mistaken for a bare configuration, nor the other way round.
    assert!(KeyConfig::decode_bare(&list_of(&[&APPENDIX_A])).is_err());
    assert!(KeyConfigList::decode(&APPENDIX_A).is_err());
}

#[test]
fn what_could_not_be_published_cannot_be_made() {
    let new = |kem, key_len: usize, suites| KeyConfig::new(1, kem, vec![0; key_len], suites);
    let kem = KemId(0x9999);
    assert_eq!(new(kem, 32, vec![AES_128]), Err(KeyConfigError::UnknownKem(kem)));
    assert_eq!(
        new(X25519, 31, vec![AES_128]),
        Err(KeyConfigError::PublicKeyLength { kem: X25519, expected: 32, actual: 31 })
    );
    assert_eq!(new(X25519, 32, vec![]), Err(KeyConfigError::NoSuites));
    let most = (65535 - 37) / 4;
    assert!(new(X25519, 32, vec![AES_128; most]).is_ok());
    assert_eq!(new(X25519, 32, vec![AES_128; most + 1]), Err(KeyConfigError::TooManySuites));
    assert_eq!(KeyConfigList::new(vec![]), Err(KeyConfigError::EmptyList));
}

/// RFC 9458 §3.2: the client's preference decides, and where it is silent the gateway's order.
#[test]
fn selection_follows_the_preferences_and_then_the_list() {
    let list = KeyConfigList::new(vec![
        KeyConfig::new(9, KemId::P256_HKDF_SHA256, vec![4; 65], vec![AES_128]).unwrap(),
        config(1, &[CHACHA, AES_256]),
        config(2, &[AES_128]),
    ])
    .unwrap();
    let choose = |kems: &[KemId], suites: &[SymmetricSuite]| {
        let preferences = Preferences::new(kems.to_vec(), suites.to_vec());
        list.select(&preferences).map(|chosen| (chosen.config.key_id(), chosen.suite))
    };
    let p256 = KemId::P256_HKDF_SHA256;
    assert_eq!(choose(&[X25519], &[AES_128, AES_256, CHACHA]), Ok((1, AES_256)));
    assert_eq!(choose(&[X25519], &[CHACHA, AES_256]), Ok((1, CHACHA)));
    assert_eq!(choose(&[X25519], &[AES_128]), Ok((2, AES_128)));
    assert_eq!(choose(&[X25519, p256], &[AES_128, CHACHA]), Ok((1, CHACHA)));
    assert_eq!(choose(&[p256, X25519], &[CHACHA, AES_128]), Ok((9, AES_128)));

    let everything = Preferences::new(vec![X25519, p256], vec![AES_128, AES_256, CHACHA]);
    let ids: Vec<u8> = list.candidates(&everything).map(|c| c.config.key_id()).collect();
    assert_eq!(ids, [1, 1, 2, 9]);
}

/// A fault found elsewhere: a list without anything usable made the client panic.
#[test]
fn a_list_without_anything_usable_is_a_typed_error() {
    let unusable = SymmetricSuite { kdf: KdfId::HKDF_SHA256, aead: AeadId::EXPORT_ONLY };
    let list = KeyConfigList::new(vec![config(1, &[unusable])]).unwrap();
    let nothing = list.select(&Preferences::default());
    assert!(matches!(nothing, Err(SelectError { configs: 1, .. })));

    let list = KeyConfigList::decode(&list_of(&[&UNKNOWN_KEM])).unwrap();
    let nothing = list.select(&Preferences::default());
    assert!(matches!(nothing, Err(SelectError { configs: 0, .. })));
}

#[test]
fn the_crate_ohttp_reads_our_list_and_we_read_its() {
    use ohttp::hpke::{Aead, Kdf, Kem};
    let theirs = ohttp::KeyConfig::new(
        3,
        Kem::X25519Sha256,
        vec![
            ohttp::SymmetricSuite::new(Kdf::HkdfSha256, Aead::Aes128Gcm),
            ohttp::SymmetricSuite::new(Kdf::HkdfSha256, Aead::ChaCha20Poly1305),
        ],
    )
    .unwrap();
    let encoded = ohttp::KeyConfig::encode_list(&[&theirs]).unwrap();
    let ours = KeyConfigList::decode(&encoded).unwrap();
    assert_eq!(ours.configs()[0].key_id(), 3);
    assert_eq!(ours.configs()[0].suites(), [AES_128, CHACHA]);
    assert_eq!(ours.encode()[..], encoded);

    let back = ohttp::KeyConfig::decode_list(&ours.encode()).unwrap();
    assert_eq!(back[0].encode().unwrap(), theirs.encode().unwrap());
}

fn any_config() -> impl Strategy<Value = KeyConfig> {
    let kems = [X25519, KemId::P256_HKDF_SHA256, KemId::X_WING, KemId::MLKEM1024_P384];
    let suite = any::<(u16, u16)>()
        .prop_map(|(kdf, aead)| SymmetricSuite { kdf: KdfId(kdf), aead: AeadId(aead) });
    (any::<u8>(), prop::sample::select(kems.to_vec()), any::<u8>(), vec(suite, 1..20)).prop_map(
        |(key_id, kem, fill, suites)| {
            let key = vec![fill; kem.public_key_len().unwrap()];
            KeyConfig::new(key_id, kem, key, suites).unwrap()
        },
    )
}

proptest! {
    #[test]
    fn decode_undoes_encode(configs in vec(any_config(), 1..6)) {
        let list = KeyConfigList::new(configs).unwrap();
        prop_assert_eq!(KeyConfigList::decode(&list.encode()).unwrap(), list);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        if let Ok(list) = KeyConfigList::decode(&bytes)
            && list.skipped().is_empty()
        {
            prop_assert_eq!(&list.encode()[..], &bytes[..]);
        }
        let _ = KeyConfig::decode_bare(&bytes);
    }
}
