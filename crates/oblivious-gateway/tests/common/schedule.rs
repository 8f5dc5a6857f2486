//! Schedules, and requests to what they publish.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use oblivious_gateway::{GatewayKeys, KeySchedule, ScheduleSettings, Seed, UnixSeconds};
use oblivious_hpke::{Provider, Recipient};
use oblivious_keys::{KemId, KeyConfigList, SymmetricSuite};

pub(crate) const X25519: KemId = KemId::X25519_HKDF_SHA256;
pub(crate) const AES_128: SymmetricSuite = SymmetricSuite::HKDF_SHA256_AES_128_GCM;

pub(crate) const INTERVAL: u64 = 1000;
pub(crate) const MAX_AGE: u64 = 300;
pub(crate) const GRACE: u64 = 100;
pub(crate) const SKEW: u64 = 30;
/// The start of epoch 100.
pub(crate) const START: u64 = 100 * INTERVAL;

pub(crate) fn settings(kems: &[KemId]) -> ScheduleSettings {
    ScheduleSettings::default()
        .with_interval(Duration::from_secs(INTERVAL))
        .with_max_age(Duration::from_secs(MAX_AGE))
        .with_grace(Duration::from_secs(GRACE))
        .with_skew(Duration::from_secs(SKEW))
        .with_kems(kems.to_vec())
        .with_suites(vec![AES_128])
}

pub(crate) fn seeded(kems: &[KemId]) -> KeySchedule {
    KeySchedule::seed(settings(kems), Seed::new(&mut [9; Seed::LEN])).unwrap()
}

/// An empty folder for the files of one test.
pub(crate) fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub(crate) fn ratchet(state: &Path) -> KeySchedule {
    KeySchedule::ratchet(settings(&[X25519]), state).unwrap()
}

/// A schedule with a state file made at `now`.
pub(crate) fn new_ratchet(state: &Path, now: u64) -> KeySchedule {
    let schedule = ratchet(state);
    assert!(schedule.create_state(UnixSeconds(now)).unwrap());
    schedule
}

pub(crate) fn published(schedule: &KeySchedule, now: u64) -> KeyConfigList {
    schedule.keys_at(UnixSeconds(now)).unwrap().published(UnixSeconds(now)).unwrap().list
}

/// A request sealed to the `index`th configuration of a list.
pub(crate) fn request(list: &KeyConfigList, index: usize) -> Bytes {
    let recipient = Recipient::new(&list.configs()[index], AES_128, Provider::default()).unwrap();
    recipient.encapsulate(b"a question").unwrap().0
}

/// Whether the keys open a request at a time.
pub(crate) fn opens(keys: &GatewayKeys, request: &Bytes, now: u64) -> bool {
    match keys.ring().at(UnixSeconds(now)).decapsulate(request.clone().into()) {
        Ok((question, _)) => {
            assert_eq!(question, "a question");
            true
        }
        Err(_) => false,
    }
}
