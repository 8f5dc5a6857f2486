//! The guard in memory (RFC 9458 §6.5).

use std::{
    collections::HashMap,
    fmt::Debug,
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use allocation_counter::measure;
use oblivious_gateway::{
    CapacityError, DatePolicy, MemoryReplayGuard, ReplayCheck, ReplayEntry, ReplayError,
    ReplayGuard, ReplayLoad, ReplayVerdict, UnixSeconds, required_capacity,
};
use proptest::prelude::*;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

const START: u64 = 1_800_000_000;

use ReplayVerdict::{Fresh, Seen};

fn guard(capacity: usize) -> MemoryReplayGuard {
    MemoryReplayGuard::new(capacity, UnixSeconds(START)).unwrap()
}

fn insert(
    guard: &impl ReplayGuard,
    enc: &[u8],
    now: u64,
    remember_until: Option<u64>,
) -> Result<ReplayVerdict, ReplayError> {
    let (now, remember_until) = (UnixSeconds(now), remember_until.map(UnixSeconds));
    let entry = ReplayEntry { enc, key_id: 1, now, remember_until };
    match guard.check_and_insert(entry) {
        ReplayCheck::Ready(outcome) => outcome,
        ReplayCheck::Pending(_) => panic!("memory has nothing to wait for"),
    }
}

fn fill(guard: &MemoryReplayGuard, ids: std::ops::Range<u64>, now: u64, until: Option<u64>) {
    for id in ids {
        assert_eq!(insert(guard, &id.to_be_bytes(), now, until), Ok(Fresh), "{id}");
    }
}

fn entries(guard: &MemoryReplayGuard) -> usize {
    guard.load().unwrap().entries
}

/// `usize` for capacities, `u64` for what is counted in times.
fn size(count: u64) -> usize {
    count.try_into().unwrap()
}

#[tokio::test]
async fn a_request_is_fresh_once_and_its_copies_are_seen() {
    let guard = guard(10);
    let entry =
        ReplayEntry { enc: &[1; 32], key_id: 1, now: UnixSeconds(START), remember_until: None };
    assert_eq!(guard.check_and_insert(entry).await, Ok(Fresh));
    assert_eq!(guard.check_and_insert(entry).await, Ok(Seen));
    // The same `enc` to another key is another request, and so is a longer one.
    assert_eq!(guard.check_and_insert(ReplayEntry { key_id: 2, ..entry }).await, Ok(Fresh));
    assert_eq!(guard.check_and_insert(ReplayEntry { enc: &[1; 1120], ..entry }).await, Ok(Fresh));
    assert_eq!(guard.load(), Some(ReplayLoad { entries: 3, capacity: 10 }));
}

#[test]
fn the_last_second_counts() {
    let guard = guard(10);
    assert_eq!(insert(&guard, b"enc", START, Some(START + 60)), Ok(Fresh));
    assert_eq!(insert(&guard, b"enc", START + 60, Some(START + 120)), Ok(Seen));
    // Being seen did not prolong it.
    assert_eq!(insert(&guard, b"enc", START + 61, Some(START + 61)), Ok(Fresh));
    // What is over already is remembered for this second, and what has no end forever.
    assert_eq!(insert(&guard, b"old", START + 61, Some(START)), Ok(Fresh));
    assert_eq!(insert(&guard, b"old", START + 61, Some(START)), Ok(Seen));
    assert_eq!(insert(&guard, b"endless", START + 61, None), Ok(Fresh));
    assert_eq!(insert(&guard, b"far", START + 61, Some(u64::MAX)), Ok(Fresh));
    for enc in [&b"endless"[..], b"far"] {
        assert_eq!(insert(&guard, enc, u64::MAX, None), Ok(Seen));
    }
    // A clock that was set back forgets nothing.
    assert_eq!(insert(&guard, b"endless", 0, None), Ok(Seen));
    assert_eq!(insert(&guard, b"early", 0, Some(10)), Ok(Fresh));
    assert_eq!(insert(&guard, b"early", 10, Some(10)), Ok(Seen));
}

#[test]
fn a_full_guard_refuses_and_forgets_nothing() {
    let guard = guard(100);
    fill(&guard, 0..50, START, Some(START + 10));
    fill(&guard, 50..100, START, None);
    assert_eq!(insert(&guard, b"one more", START + 10, None), Err(ReplayError::Full));
    for id in 0..100_u64 {
        assert_eq!(insert(&guard, &id.to_be_bytes(), START + 10, None), Ok(Seen));
    }
    // Half of it expires.
    fill(&guard, 100..150, START + 11, None);
    assert_eq!(insert(&guard, b"one more", START + 11, None), Err(ReplayError::Full));
    assert_eq!(entries(&guard), 100);
}

/// Over many tables a guard holds what it promises, and not much more.
#[test]
fn the_capacity_is_the_capacity() {
    const CAPACITY: u64 = 100_000;
    let guard = guard(size(CAPACITY));
    fill(&guard, 0..CAPACITY, START, None);
    assert_eq!(entries(&guard), size(CAPACITY));
    let more = CAPACITY + CAPACITY / 20;
    let refused = (CAPACITY..2 * more)
        .filter(|id| insert(&guard, &id.to_be_bytes(), START, None) == Err(ReplayError::Full))
        .count();
    assert_eq!(entries(&guard), size(2 * more) - refused);
    assert!(entries(&guard) <= size(more));
}

/// About 28 bytes for each request, all of it taken at the start.
#[test]
fn memory_is_bounded() {
    const CAPACITY: u64 = 100_000;
    let mut made = None;
    let at_start = measure(|| made = Some(guard(size(CAPACITY))));
    let guard = made.unwrap();
    let bytes = u64::try_from(at_start.bytes_current).unwrap();
    assert!((26 * CAPACITY..30 * CAPACITY).contains(&bytes), "{bytes} bytes");
    assert_eq!(at_start.bytes_max, at_start.bytes_total);

    let later = measure(|| {
        for id in 0..5 * CAPACITY {
            // It fills, is full, expires, and fills again.
            let now = START + 3 * id / CAPACITY;
            let _ = insert(&guard, &id.to_be_bytes(), now, Some(now + 3));
        }
    });
    assert_eq!(later.count_total, 0);
}

/// What has expired goes as others come: a steady rate is held by the capacity that it requires,
/// and with room to spare what is held stays near what is needed.
#[test]
fn a_steady_rate_never_fills_a_guard_of_the_required_capacity() {
    const RATE: u64 = 500;
    const KEPT: u64 = 60;
    // The second that ends is still needed when the next one begins.
    let kept = Duration::from_secs(KEPT + 1);
    let needed = required_capacity(RATE, kept);
    for guard in
        [MemoryReplayGuard::sized_for(RATE, kept, UnixSeconds(START)).unwrap(), guard(2 * needed)]
    {
        let mut most = 0;
        for second in 0..400 {
            let now = START + second;
            fill(&guard, RATE * second..RATE * (second + 1), now, Some(now + KEPT));
            most = most.max(entries(&guard));
        }
        assert!(most >= needed && most < needed + needed / 5, "{most} of {needed}");
    }
}

/// RFC 9458 §6.5: a guard that has lost its state says so, for earlier dates to be refused.
#[test]
fn after_a_restart_it_remembers_since_then() {
    let before = guard(10);
    assert_eq!(insert(&before, b"enc", START, Some(START + 300)), Ok(Fresh));
    drop(before);
    let after = MemoryReplayGuard::new(10, UnixSeconds(START + 5)).unwrap();
    assert_eq!(after.remembers_since(), Some(UnixSeconds(START + 5)));
    assert_eq!(insert(&after, b"enc", START + 6, Some(START + 300)), Ok(Fresh));
}

#[test]
fn of_many_copies_at_once_one_is_fresh() {
    const THREADS: usize = 8;
    const REQUESTS: u64 = 5_000;
    let guard: Arc<dyn ReplayGuard> = Arc::new(guard(size(REQUESTS)));
    let (fresh, start) = (AtomicUsize::new(0), Barrier::new(THREADS));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                for id in 0..REQUESTS {
                    match insert(&guard, &id.to_be_bytes(), START, Some(START + 60)) {
                        Ok(Fresh) => drop(fresh.fetch_add(1, Ordering::Relaxed)),
                        outcome => assert_eq!(outcome, Ok(Seen)),
                    }
                }
            });
        }
    });
    // Not one too few, so each was fresh once.
    assert_eq!(fresh.into_inner(), size(REQUESTS));
    assert_eq!(guard.load().unwrap().entries, size(REQUESTS));
}

#[test]
fn the_required_capacity_is_rate_times_time() {
    assert_eq!(required_capacity(5_000, DatePolicy::default().longest_memory()), 3_300_000);
    assert_eq!(required_capacity(3, Duration::from_millis(1_500)), 5);
    assert_eq!(required_capacity(0, Duration::MAX), 0);
    assert_eq!(required_capacity(u64::MAX, Duration::MAX), usize::MAX);
}

#[test]
fn a_capacity_that_cannot_be_is_a_typed_error() {
    let new = |capacity| MemoryReplayGuard::new(capacity, UnixSeconds(START)).map(drop);
    assert_eq!(new(0), Err(CapacityError::Zero));
    for capacity in [usize::MAX, usize::MAX / 20, usize::MAX / 64] {
        assert_eq!(new(capacity), Err(CapacityError::NoMemory { capacity }));
    }
    let guard = guard(1_000);
    assert_eq!(guard.check_capacity(10, Duration::from_secs(100)), Ok(()));
    let too_small = CapacityError::TooSmall { capacity: 1_000, required: 1_100 };
    assert_eq!(guard.check_capacity(11, Duration::from_secs(100)), Err(too_small));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against a map that forgets at once.
    #[test]
    fn it_behaves_like_a_map_that_expires(
        capacity in 1_usize..60,
        calls in prop::collection::vec(
            (0_u8..80, 0_u64..4, prop::option::weighted(0.9, 0_u64..100)),
            1..800,
        ),
    ) {
        let guard = guard(capacity);
        let mut model: HashMap<u8, Option<u64>> = HashMap::new();
        let mut now = START;
        for (id, passed, kept) in calls {
            now += passed;
            let until = kept.map(|kept| now + kept);
            model.retain(|_, until| until.is_none_or(|until| until >= now));
            let expected = if model.contains_key(&id) {
                Ok(Seen)
            } else if model.len() == capacity {
                Err(ReplayError::Full)
            } else {
                model.insert(id, until);
                Ok(Fresh)
            };
            prop_assert_eq!(insert(&guard, &[id; 32], now, until), expected);
            prop_assert!(entries(&guard) >= model.len() && entries(&guard) <= capacity);
        }
    }
}

/// Writes down warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0 += &format!("{field}={value:?} ");
    }
}

#[test]
fn a_warning_comes_once_at_80_percent() {
    let warnings = Warnings::default();
    let count = || warnings.0.lock().unwrap().len();
    tracing::subscriber::with_default(warnings.clone(), || {
        let guard = guard(100);
        fill(&guard, 0..79, START, Some(START + 10));
        assert_eq!(count(), 0);
        fill(&guard, 79..80, START, Some(START + 10));
        assert_eq!(count(), 1);
        fill(&guard, 80..100, START, Some(START + 10));
        assert_eq!(insert(&guard, b"one more", START, None), Err(ReplayError::Full));
        assert_eq!(count(), 1);
        // All of them expire, and it fills again.
        fill(&guard, 100..160, START + 11, None);
        assert_eq!(count(), 1);
        fill(&guard, 160..200, START + 11, None);
        assert_eq!(count(), 2);
    });
    let line = warnings.0.lock().unwrap()[0].clone();
    assert!(line.contains("nearly full") && line.contains("capacity=100"), "{line}");
}
