//! Measuring in turn.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode};

use crate::report::{Claim, Report, Result};

/// How often the contenders take turns within a sample.
const TURNS: u64 = 16;

/// Times below this say more of the clock than of the work.
const SHORTEST_SAMPLE: Duration = Duration::from_micros(200);

/// Contenders for the same work.
pub struct Race<'a> {
    name: &'a str,
    units: u32,
    contenders: Vec<Contender<'a>>,
    claims: Vec<Claim>,
}

struct Contender<'a> {
    name: &'a str,
    /// Does the work so many times, and says how long it took.
    time: Box<dyn FnMut(u64) -> Duration + 'a>,
}

impl<'a> Race<'a> {
    /// A race without contenders yet.
    pub fn new(name: &'a str) -> Self {
        Self { name, units: 1, contenders: Vec::new(), claims: Vec::new() }
    }

    /// Adds a contender; what `work` returns is dropped within the measured time.
    #[must_use]
    pub fn contender<T>(mut self, name: &'a str, mut work: impl FnMut() -> T + 'a) -> Self {
        let time = move |count| {
            let start = Instant::now();
            for _ in 0..count {
                drop(black_box(work()));
            }
            start.elapsed()
        };
        self.contenders.push(Contender { name, time: Box::new(time) });
        self
    }

    /// Adds a contender that measures itself: `time` does the work so many times, and returns how
    /// long the part took that counts.
    #[must_use]
    pub fn timed(mut self, name: &'a str, time: impl FnMut(u64) -> Duration + 'a) -> Self {
        self.contenders.push(Contender { name, time: Box::new(time) });
        self
    }

    /// Says that the work consists of so many units; the report gives times per unit.
    #[must_use]
    pub fn units(self, units: u32) -> Self {
        Self { units, ..self }
    }

    /// Claims that `contender` takes at most `ratio` of the time of `other`.
    #[must_use]
    pub fn at_most(mut self, contender: &str, ratio: f64, other: &str) -> Self {
        let (contender, other) = (self.index(contender), self.index(other));
        self.claims.push(Claim::Ratio { contender, other, ratio });
        self
    }

    /// Claims that `contender` takes at most so many nanoseconds per unit.
    #[must_use]
    pub fn at_most_ns(mut self, contender: &str, ns: f64) -> Self {
        let contender = self.index(contender);
        self.claims.push(Claim::Time { contender, ns });
        self
    }

    fn index(&self, name: &str) -> usize {
        let index = self.contenders.iter().position(|contender| contender.name == name);
        index.expect("a claim is about contenders that were added before it")
    }

    /// Runs the race: a group of criterion, of which the command line may choose only a part.
    pub fn run(mut self, criterion: &mut Criterion, report: &mut Report) {
        let mut rounds = Vec::new();
        let mut group = criterion.benchmark_group(self.name);
        // All samples alike, since each of them is a round of its own here.
        group.sampling_mode(SamplingMode::Flat);
        for (index, name) in
            self.contenders.iter().map(|one| one.name).enumerate().collect::<Vec<_>>()
        {
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|count| {
                    let times = self.round(count);
                    if times.iter().all(|time| *time >= SHORTEST_SAMPLE) {
                        let per_unit = |time: &Duration| {
                            time.as_nanos() as f64 / count as f64 / f64::from(self.units)
                        };
                        rounds.push(times.iter().map(per_unit).collect());
                    }
                    times[index]
                });
            });
        }
        group.finish();
        report.add(Result {
            race: self.name.to_owned(),
            contenders: self.contenders.iter().map(|one| one.name.to_owned()).collect(),
            claims: self.claims,
            rounds,
        });
    }

    /// Has every contender do the work `count` times, a slice at a time, in turn.
    fn round(&mut self, count: u64) -> Vec<Duration> {
        let mut times = vec![Duration::ZERO; self.contenders.len()];
        let mut left = count;
        let mut first = 0;
        while left > 0 {
            let slice = count.div_ceil(TURNS).min(left);
            left -= slice;
            // Who comes first changes too: the clock and the caches may favour one place.
            for step in 0..times.len() {
                let turn = (first + step) % times.len();
                times[turn] += (self.contenders[turn].time)(slice);
            }
            first += 1;
        }
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn contenders_take_turns_and_do_the_same_number() {
        let log = RefCell::new(String::new());
        let mut race = Race::new("race")
            .contender("a", || log.borrow_mut().push('a'))
            .contender("b", || log.borrow_mut().push('b'));
        assert_eq!(race.round(3).len(), 2);
        assert_eq!(*log.borrow(), "abbaab");
        log.borrow_mut().clear();
        race.round(1000);
        assert_eq!(log.borrow().matches('a').count(), 1000);
        assert_eq!(log.borrow().matches('b').count(), 1000);
        assert!(log.borrow().starts_with(&format!("{}{}", "a".repeat(63), "b".repeat(63))));
    }
}
