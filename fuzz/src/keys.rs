//! Key configurations, and lists of them.

use oblivious_keys::{KeyConfig, KeyConfigList, Preferences};

/// Any bytes are a list or are refused; what is read can be written, and is then the same.
pub fn key_configs(data: &[u8]) {
    if let Ok(list) = KeyConfigList::decode(data) {
        let written = list.encode();
        if list.skipped().is_empty() {
            assert_eq!(written, data, "a list is written as it was read");
        }
        if list.configs().is_empty() {
            assert!(!list.skipped().is_empty(), "a list holds something");
        } else {
            let again = KeyConfigList::decode(&written).expect("what is written can be read");
            assert_eq!(again.configs(), list.configs());
        }
        let preferences = Preferences::default();
        let best = list.select(&preferences).ok();
        assert_eq!(best, list.candidates(&preferences).next());
        for chosen in list.candidates(&preferences) {
            assert!(chosen.config.suites().contains(&chosen.suite));
        }
    }
    if let Ok(config) = KeyConfig::decode_bare(data) {
        let mut written = Vec::new();
        config.encode(&mut written);
        assert_eq!(written, data, "a configuration is written as it was read");
        assert_eq!(written.len(), config.encoded_len());
    }
}
