//! The replay guard in memory, with a million requests in it.
//!
//! `cargo bench -p benches --bench replay`

use std::{
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
    thread::scope,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use oblivious_gateway::{
    MemoryReplayGuard, ReplayCheck, ReplayEntry, ReplayError, ReplayGuard, ReplayVerdict,
    UnixSeconds,
};

const LIVE: u64 = 1_000_000;
/// Requests per second of the guard's time, so that as many expire as come.
const RATE: u64 = 10_000;
const START: UnixSeconds = UnixSeconds(1_800_000_000);

fn insert(guard: &MemoryReplayGuard, id: u64) -> Result<ReplayVerdict, ReplayError> {
    let mut enc = [0; 32];
    enc[..8].copy_from_slice(&id.to_be_bytes());
    let now = START + id / RATE;
    let remember_until = Some(now + LIVE / RATE);
    match guard.check_and_insert(ReplayEntry { enc: &enc, key_id: 1, now, remember_until }) {
        ReplayCheck::Ready(outcome) => outcome,
        ReplayCheck::Pending(_) => unreachable!("memory has nothing to wait for"),
    }
}

/// A guard that is as full as it becomes at this rate, and the next request.
fn filled() -> (MemoryReplayGuard, AtomicU64) {
    let guard = MemoryReplayGuard::new(1_250_000, START).unwrap();
    for id in 0..2 * LIVE {
        assert_eq!(insert(&guard, id), Ok(ReplayVerdict::Fresh));
    }
    (guard, AtomicU64::new(2 * LIVE))
}

/// The time that `calls` new requests take when they come from several threads at once.
fn race(guard: &MemoryReplayGuard, next: &AtomicU64, threads: u64, calls: u64) -> Duration {
    let first = next.fetch_add(calls.next_multiple_of(threads), Ordering::Relaxed);
    let start = Instant::now();
    scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                for call in 0..calls.div_ceil(threads) {
                    let outcome = insert(guard, first + call * threads + thread);
                    assert_eq!(outcome, Ok(ReplayVerdict::Fresh));
                }
            });
        }
    });
    start.elapsed()
}

fn replay(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replay guard, a million requests held");
    group.sample_size(20).measurement_time(Duration::from_secs(3));
    let (guard, next) = filled();
    for threads in [1, 2, 4] {
        group.bench_function(BenchmarkId::new("fresh, threads", threads), |bencher| {
            bencher.iter_custom(|calls| race(&guard, &next, threads, calls));
        });
    }
    group.bench_function("seen", |bencher| {
        let last = next.load(Ordering::Relaxed) - LIVE / 2;
        let mut id = last;
        bencher.iter(|| {
            id = last + (id - last + 7_919) % (LIVE / 2);
            assert_eq!(black_box(insert(&guard, id)), Ok(ReplayVerdict::Seen));
        });
    });

    // The longest that one call took: expiring never stops the rest.
    let mut longest = Duration::ZERO;
    for id in next.fetch_add(3 * LIVE, Ordering::Relaxed).. {
        let start = Instant::now();
        let _ = black_box(insert(&guard, id));
        longest = longest.max(start.elapsed());
        if id % (3 * LIVE) == 0 {
            break;
        }
    }
    println!("longest call: {longest:?}");
    group.finish();
}

criterion_group!(benches, replay);
criterion_main!(benches);
