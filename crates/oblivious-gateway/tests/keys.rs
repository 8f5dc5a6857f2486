//! Keys that follow one another: when which is published and accepted, and under which id.

mod common;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use common::schedule::{
    AES_128, GRACE, INTERVAL, MAX_AGE, SKEW, START, X25519, folder, new_ratchet, opens, published,
    ratchet, request, seeded, settings,
};
use oblivious_gateway::{
    FixedKey, GatewayKeys, KeyRotation, KeySchedule, ScheduleError, ScheduleSettings, Seed,
    UnixSeconds, go_gateway_key,
};
use oblivious_hpke::{KeyPair, KeyRing, Provider, Validity};
use oblivious_keys::{AeadId, KdfId, KemId, SymmetricSuite};
use oblivious_service::{Clock, Sleep, Timer};

/// What is asked of the keys round a rotation.
const MOMENTS: [u64; 12] = [
    START,
    START + 1,
    START + INTERVAL - SKEW - 1,
    START + INTERVAL - SKEW,
    START + INTERVAL - 1,
    START + INTERVAL,
    START + INTERVAL + 1,
    START + INTERVAL + MAX_AGE,
    START + INTERVAL + MAX_AGE + GRACE,
    START + INTERVAL + MAX_AGE + GRACE + 1,
    START + 2 * INTERVAL - 1,
    START + 2 * INTERVAL,
];

/// RFC 9458 §6.4: keys are replaced, and each is accepted exactly while somebody may use it. With
/// keys made anew each time. `replica` is one with the same secret.
fn requests_succeed_exactly_at_the_right_times(schedule: &KeySchedule, replica: &KeySchedule) {
    let list = published(replica, START);
    assert_eq!(list, published(replica, START + INTERVAL - 1));
    let next = published(replica, START + INTERVAL);
    assert_ne!(list.configs()[0].public_key(), next.configs()[0].public_key());
    let requests: Vec<_> = (0..list.configs().len()).map(|index| request(&list, index)).collect();

    let first = START - SKEW;
    let last = START + INTERVAL + MAX_AGE + GRACE;
    // The accepted seconds are those between; a ratchet only goes on, so in the order of time.
    for (moment, accepted) in [
        (first, true),
        (START, true),
        (START + INTERVAL - 1, true),
        (START + INTERVAL, true),
        (last - 1, true),
        (last, true),
        (last + 1, false),
        (last + 2, false),
        (last + 300 * INTERVAL, false),
    ] {
        let keys = schedule.keys_at(UnixSeconds(moment)).unwrap();
        for request in &requests {
            assert_eq!(opens(&keys, request, moment), accepted, "at {moment}");
        }
        let end = keys.accepted_until(list.configs()[0].key_id());
        assert_eq!(end == Some(UnixSeconds(last)), accepted, "{end:?} at {moment}");
    }
}

#[test]
fn a_seeds_keys_are_accepted_at_their_times() {
    for kems in [&[X25519][..], &[X25519, KemId::X_WING]] {
        requests_succeed_exactly_at_the_right_times(&seeded(kems), &seeded(kems));
    }
    // Before its time a key is not accepted, although it is there already.
    let schedule = seeded(&[X25519]);
    let request = request(&published(&schedule, START), 0);
    let keys = schedule.keys_at(UnixSeconds(START - SKEW - 1)).unwrap();
    assert!(!opens(&keys, &request, START - SKEW - 1));
    assert!(opens(&keys, &request, START - SKEW));
}

#[test]
fn a_ratchets_keys_are_accepted_at_their_times() {
    let state = folder("a_ratchets_keys_are_accepted_at_their_times").join("state");
    let schedule = new_ratchet(&state, START - SKEW);
    let copy = state.with_extension("copy");
    std::fs::copy(&state, &copy).unwrap();
    requests_succeed_exactly_at_the_right_times(&schedule, &ratchet(&copy));
}

/// Old, current and next key beside one another, second by second, in one set of keys.
#[test]
fn keys_that_are_not_replaced_change_at_the_second() {
    let schedule = seeded(&[X25519]);
    let next_published = START + INTERVAL;
    let now = next_published - 1;
    let keys = schedule.keys_at(UnixSeconds(now)).unwrap();
    let [old, current, next] =
        [START - 1, START, next_published].map(|at| request(&published(&schedule, at), 0));
    let lists = [START, next_published].map(|at| published(&schedule, at));
    for now in START..next_published + INTERVAL + MAX_AGE + GRACE + 2 {
        assert!(!opens(&keys, &old, now), "the old key is gone");
        assert_eq!(opens(&keys, &current, now), now <= next_published + MAX_AGE + GRACE, "{now}");
        let accepted = next_published - SKEW..=next_published + INTERVAL + MAX_AGE + GRACE;
        assert_eq!(opens(&keys, &next, now), accepted.contains(&now), "{now}");
        let list = keys.published(UnixSeconds(now)).map(|published| published.list);
        let expected = match now {
            _ if now < next_published => Some(&lists[0]),
            _ if accepted.contains(&now) => Some(&lists[1]),
            _ => None,
        };
        assert_eq!(list.as_ref(), expected, "{now}");
    }
}

/// RFC 9458 §6.4: whatever second it was fetched, a copy is stale before its key is refused, and
/// with the schedule's own max-age it is kept for all of that.
#[test]
fn no_copy_outlives_its_key() {
    for kems in [&[X25519][..], &[KemId::X_WING, X25519]] {
        let schedule = seeded(kems);
        let keys = schedule.keys_at(UnixSeconds(START)).unwrap();
        for now in START..START + 2 * INTERVAL + MAX_AGE + GRACE {
            let Some(published) = keys.published(UnixSeconds(now)) else {
                panic!("nothing is published at {now}");
            };
            let valid_for = published.valid_for.unwrap().as_secs();
            for config in published.list.configs() {
                let last = keys.accepted_until(config.key_id()).unwrap();
                assert!(now + valid_for <= last.0, "at {now}");
                if now < START + 2 * INTERVAL {
                    assert!(valid_for >= MAX_AGE, "at {now}");
                    assert!(now + valid_for + GRACE <= last.0, "at {now}");
                }
            }
        }
    }
}

/// Replicas agree without talking.
#[test]
fn two_schedules_from_one_seed_publish_the_same() {
    let kems = [X25519, KemId::X_WING];
    let (one, other) = (seeded(&kems), seeded(&kems));
    for now in MOMENTS {
        assert_eq!(published(&one, now), published(&other, now), "at {now}");
    }
    let unlike = KeySchedule::seed(settings(&kems), Seed::new(&mut [8; 32])).unwrap();
    assert_ne!(published(&one, START), published(&unlike, START));
}

#[test]
fn two_schedules_from_one_state_file_publish_the_same() {
    let folder = folder("two_schedules_from_one_state_file_publish_the_same");
    let (here, there) = (folder.join("here"), folder.join("there"));
    let one = new_ratchet(&here, START);
    std::fs::copy(&here, &there).unwrap();
    let other = ratchet(&there);
    let third_state = folder.join("third");
    std::fs::copy(&here, &third_state).unwrap();
    for now in MOMENTS {
        assert_eq!(published(&one, now), published(&other, now), "at {now}");
    }
    // One that has slept through all of it, too.
    let now = MOMENTS[MOMENTS.len() - 1];
    assert_eq!(published(&one, now), published(&ratchet(&third_state), now));
    let unlike = new_ratchet(&folder.join("unlike"), now);
    assert_ne!(published(&one, now), published(&unlike, now));
}

#[test]
fn each_kem_has_one_configuration_and_x25519_is_first() {
    let schedule = seeded(&[KemId::X_WING, KemId::P256_HKDF_SHA256, X25519]);
    for now in MOMENTS {
        let list = published(&schedule, now);
        let kems: Vec<_> = list.configs().iter().map(|config| config.kem()).collect();
        assert_eq!(kems, [X25519, KemId::X_WING, KemId::P256_HKDF_SHA256]);
        let mut ids: Vec<_> = list.configs().iter().map(|config| config.key_id()).collect();
        ids.dedup();
        assert_eq!(ids.len(), 3);
    }
}

#[test]
fn every_kem_can_follow_a_schedule() {
    for kem in [
        X25519,
        KemId::P256_HKDF_SHA256,
        KemId::P384_HKDF_SHA384,
        KemId::P521_HKDF_SHA512,
        KemId::X_WING,
        KemId::ML_KEM_768,
        KemId::ML_KEM_1024,
        KemId::MLKEM768_P256,
        KemId::MLKEM1024_P384,
    ] {
        let schedule = seeded(&[kem]);
        let request = request(&published(&schedule, START), 0);
        assert!(opens(&schedule.keys_at(UnixSeconds(START)).unwrap(), &request, START), "{kem}");
    }
}

#[test]
fn without_fixed_keys_the_id_is_the_epoch() {
    let schedule = seeded(&[X25519]);
    for epoch in [0, 1, 99, 255, 256, 20_782] {
        let list = published(&schedule, epoch * INTERVAL);
        assert_eq!(u64::from(list.configs()[0].key_id()), epoch % 256);
    }
}

fn fixed(key_id: u8) -> FixedKey {
    let pair = KeyPair::derive(X25519, &[key_id; 32], Provider::default()).unwrap();
    FixedKey::new(key_id, pair, vec![AES_128])
}

#[test]
fn ids_of_fixed_keys_are_skipped() {
    let taken = [3, 4, 128, 255];
    let schedule = seeded(&[X25519, KemId::X_WING]);
    let schedule = schedule.with_fixed(taken.into_iter().map(fixed).collect()).unwrap();
    let mut used = std::collections::BTreeSet::new();
    for epoch in 0..300 {
        let now = epoch * INTERVAL;
        let keys = schedule.keys_at(UnixSeconds(now)).unwrap();
        for config in keys.published(UnixSeconds(now)).unwrap().list.configs() {
            assert!(!taken.contains(&config.key_id()));
            used.insert(config.key_id());
        }
    }
    assert_eq!(used.len(), 252, "all others are used");
}

/// A fixed key is accepted forever, and published if that is asked for.
#[test]
fn fixed_keys_stay_beside_a_schedule() {
    let go = go_gateway_key(&Seed::new(&mut [0; 32]), 0, Provider::default()).unwrap();
    let schedule = seeded(&[KemId::X_WING]).with_fixed(vec![fixed(7), go.published()]).unwrap();
    let mut ring = KeyRing::new();
    fixed(7).add_to(&mut ring).unwrap();
    let request = request(&ring.config_list().unwrap(), 0);
    for now in MOMENTS {
        let keys = schedule.keys_at(UnixSeconds(now)).unwrap();
        assert!(opens(&keys, &request, now));
        assert_eq!(keys.accepted_until(7), None);
        let list = keys.published(UnixSeconds(now)).unwrap().list;
        let kems: Vec<_> = list.configs().iter().map(|config| config.kem()).collect();
        assert_eq!(kems, [X25519, KemId::X_WING]);
        assert_eq!(list.configs()[0].key_id(), 128);
    }
}

/// RFC 9458 §7: clients that see two configurations of one KEM are told apart by which they take.
#[test]
fn a_kem_is_published_once() {
    let published = |key_id: u8| fixed(key_id).published();
    let refused = |kems: &[KemId], keys| seeded(kems).with_fixed(keys).map(drop);
    let already = |key_id| Err(ScheduleError::PublishedKem { key_id, kem: X25519 });
    assert_eq!(refused(&[X25519], vec![published(7)]), already(7));
    assert_eq!(refused(&[KemId::X_WING, X25519], vec![fixed(6), published(7)]), already(7));
    assert_eq!(refused(&[KemId::X_WING], vec![published(7), published(8)]), already(8));
    assert_eq!(refused(&[X25519], vec![fixed(7)]), Ok(()), "it is accepted only");
    assert_eq!(refused(&[KemId::X_WING], vec![published(7), fixed(8)]), Ok(()));

    // A ring: the first of each is published, the others are accepted.
    let mut ring = KeyRing::new();
    let x_wing = KeyPair::derive(KemId::X_WING, &[5; 32], Provider::default()).unwrap();
    ring.add(5, x_wing, vec![AES_128]).unwrap();
    for key_id in [9, 3] {
        fixed(key_id).add_to(&mut ring).unwrap();
    }
    let requests = [1, 2].map(|index| request(&ring.config_list().unwrap(), index));
    let keys = GatewayKeys::from(ring);
    let list = keys.published(UnixSeconds(START)).unwrap().list;
    let ids: Vec<_> = list.configs().iter().map(|config| config.key_id()).collect();
    assert_eq!(ids, [9, 5], "X25519 first");
    assert!(requests.iter().all(|request| opens(&keys, request, START)));
}

#[test]
fn what_cannot_be_followed_is_refused_at_the_start() {
    let refused = |change: fn(ScheduleSettings) -> ScheduleSettings| {
        let settings = change(settings(&[X25519]));
        KeySchedule::seed(settings, Seed::new(&mut [9; 32])).unwrap_err()
    };
    let short = refused(|s| s.with_interval(Duration::from_millis(999)));
    assert_eq!(short, ScheduleError::IntervalTooShort);
    let long = refused(|s| s.with_skew(Duration::from_secs(INTERVAL)));
    assert_eq!(long, ScheduleError::SkewTooLong);
    assert_eq!(refused(|s| s.with_grace(Duration::ZERO)), ScheduleError::GraceTooShort);
    assert_eq!(refused(|s| s.with_kems(vec![])), ScheduleError::NoKem);
    assert_eq!(refused(|s| s.with_suites(vec![])), ScheduleError::NoSuite);
    let twice = refused(|s| s.with_kems(vec![X25519, X25519]));
    assert_eq!(twice, ScheduleError::DuplicateKem(X25519));
    assert!(matches!(
        refused(|s| s.with_kems(vec![X25519, KemId::X448_HKDF_SHA512])),
        ScheduleError::Unsupported { kem: KemId::X448_HKDF_SHA512, .. }
    ));
    let export_only = SymmetricSuite { kdf: KdfId::HKDF_SHA256, aead: AeadId::EXPORT_ONLY };
    let suites = [AES_128, export_only].to_vec();
    let settings_for = settings(&[X25519]).with_suites(suites);
    assert!(matches!(
        KeySchedule::seed(settings_for, Seed::new(&mut [9; 32])).unwrap_err(),
        ScheduleError::Unsupported { kem: X25519, .. }
    ));

    // A key that is accepted for 253 intervals after its epoch: at the start of an epoch the keys
    // of 254 past ones are, and there are the present and the next.
    let ending_after = |intervals: u64, kems: &[KemId]| {
        let max_age = Duration::from_secs(intervals * INTERVAL - GRACE);
        let settings = settings(kems).with_max_age(max_age);
        KeySchedule::seed(settings, Seed::new(&mut [9; 32]))
    };
    assert!(ending_after(253, &[X25519]).is_ok());
    let all_alive =
        ending_after(253, &[X25519]).unwrap().keys_at(UnixSeconds(300 * INTERVAL)).unwrap();
    assert_eq!(all_alive.ring().keys().count(), 256);
    let needed = |needed, available| ScheduleError::TooManyKeys { needed, available };
    assert_eq!(ending_after(254, &[X25519]).unwrap_err(), needed(257, 256));
    assert_eq!(ending_after(126, &[X25519, KemId::X_WING]).unwrap_err(), needed(258, 256));
    let with_fixed = ending_after(253, &[X25519]).unwrap().with_fixed(vec![fixed(1)]);
    assert_eq!(with_fixed.unwrap_err(), needed(256, 255));
    let twice = seeded(&[X25519]).with_fixed(vec![fixed(1), fixed(1)]);
    assert!(matches!(twice, Err(ScheduleError::FixedKey(_))));
}

/// Keys of a plain ring are published, each only while it is valid; then the next one of its KEM is.
#[test]
fn a_ring_is_published_as_long_as_its_keys_are_valid() {
    let pair = |seed| KeyPair::derive(X25519, &[seed; 32], Provider::default()).unwrap();
    let mut ring = KeyRing::new();
    let validity = Validity { not_before: UnixSeconds(10), not_after: UnixSeconds(20) };
    ring.add_valid(2, pair(2), vec![AES_128], validity).unwrap();
    ring.add(1, pair(1), vec![AES_128]).unwrap();
    let keys = GatewayKeys::from(ring);
    let at = |now| {
        let published = keys.published(now).unwrap();
        let ids: Vec<_> = published.list.configs().iter().map(|c| c.key_id()).collect();
        (ids, published.valid_for)
    };
    assert_eq!(at(UnixSeconds(9)), (vec![1], None));
    assert_eq!(at(UnixSeconds(10)), (vec![2], Some(Duration::from_secs(10))));
    assert_eq!(at(UnixSeconds(20)), (vec![2], Some(Duration::ZERO)));
    assert_eq!(at(UnixSeconds(21)), (vec![1], None));
    assert_eq!(keys.accepted_until(1), None);
    assert_eq!(keys.accepted_until(2), Some(UnixSeconds(20)));
    assert_eq!(keys.accepted_until(3), Some(UnixSeconds(0)));
    assert_eq!(GatewayKeys::from(KeyRing::new()).published(UnixSeconds(0)), None);
}

/// A clock that stands still until the test sets it, and a timer that goes by it.
#[derive(Clone)]
struct Hands(Arc<AtomicU64>);

impl Clock for Hands {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

impl Timer for Hands {
    fn sleep(&self, duration: Duration) -> Sleep {
        let hands = self.clone();
        let due = hands.now() + duration;
        Box::pin(std::future::poll_fn(move |_| {
            if hands.now() >= due { Poll::Ready(()) } else { Poll::Pending }
        }))
    }
}

#[test]
fn a_rotation_follows_the_clock_and_outlives_failures() {
    let state = folder("a_rotation_follows_the_clock_and_outlives_failures").join("state");
    let schedule = new_ratchet(&state, START);
    let hands = Hands(Arc::new(AtomicU64::new(START)));
    let rotation = KeyRotation::start(schedule, hands.clone(), hands.clone()).unwrap();
    let keys = rotation.keys();
    let mut run = pin!(rotation.run());
    let mut until = |now: u64| {
        while hands.0.load(Ordering::SeqCst) < now {
            hands.0.fetch_add(1, Ordering::SeqCst);
            let mut context = Context::from_waker(Waker::noop());
            assert!(run.as_mut().poll(&mut context).is_pending());
        }
        keys.current()
    };
    let ids = |keys: &GatewayKeys| {
        keys.ring().keys().map(|(config, _)| config.key_id()).collect::<Vec<_>>()
    };

    assert_eq!(ids(&until(START + 1)), [99, 100, 101]);
    assert_eq!(ids(&until(START + MAX_AGE + GRACE)), [99, 100, 101]);
    assert_eq!(ids(&until(START + MAX_AGE + GRACE + 1)), [100, 101], "the old key is destroyed");
    assert_eq!(ids(&until(START + INTERVAL - 1)), [100, 101]);
    assert_eq!(ids(&until(START + INTERVAL)), [100, 101, 102]);

    // Without the state file the present keys go on.
    let elsewhere = state.with_extension("elsewhere");
    std::fs::rename(&state, &elsewhere).unwrap();
    let now = START + 2 * INTERVAL + 5;
    let present = until(now);
    assert_eq!(ids(&present), [100, 101, 102]);
    assert_eq!(present.published(UnixSeconds(now)).unwrap().list.configs()[0].key_id(), 102);
    assert!(!state.exists(), "a lost state is not made up for with another one");
    std::fs::rename(&elsewhere, &state).unwrap();
    assert_eq!(ids(&until(now + 10)), [101, 102, 103]);
}

/// A clock that is set back is noticed within a minute.
#[test]
fn a_rotation_notices_a_clock_that_is_set_back() {
    let clock = Hands(Arc::new(AtomicU64::new(START + 5 * INTERVAL)));
    let timer = Hands(Arc::new(AtomicU64::new(0)));
    let rotation = KeyRotation::start(seeded(&[X25519]), clock.clone(), timer.clone()).unwrap();
    let keys = rotation.keys();
    let mut run = pin!(rotation.run());
    let mut context = Context::from_waker(Waker::noop());
    assert!(run.as_mut().poll(&mut context).is_pending());

    clock.0.store(START, Ordering::SeqCst);
    assert_eq!(keys.current().published(UnixSeconds(START)), None);
    timer.0.store(60, Ordering::SeqCst);
    assert!(run.as_mut().poll(&mut context).is_pending());
    let list = keys.current().published(UnixSeconds(START)).unwrap().list;
    assert_eq!(list, published(&seeded(&[X25519]), START));
}
