//! Stops sending requests to a gateway that does not answer.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// When to stop asking a gateway, and for how long.
///
/// After that many failures in a row, with no answer in between, clients get a 503 at once. When
/// the pause is over, one client's request is let through to see whether the gateway answers again;
/// until it does, one more after each pause.
///
/// A failure is a gateway that cannot be reached, breaks off, or lets a time limit pass. An HTTP
/// answer is never a failure, whatever it says. Nor is what a client does: one that leaves or stops
/// sending says nothing about the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    failures: NonZeroU32,
    pause: Duration,
}

impl Breaker {
    /// Pauses for `pause` after this many failures in a row.
    pub const fn new(failures: NonZeroU32, pause: Duration) -> Self {
        Self { failures, pause }
    }
}

/// What is known of one gateway. While it answers, no lock is taken.
#[derive(Debug, Default)]
pub(crate) struct Circuit {
    failures: AtomicU32,
    open: AtomicBool,
    pause: Mutex<Pause>,
}

#[derive(Debug, Default)]
struct Pause {
    /// When one request may try, on the monotonic clock.
    until: Duration,
    /// The number of the last one that was let through.
    attempts: u64,
}

/// A request that was let through, until its outcome is reported. If it never is, because the
/// client left, the next one may try at once.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    circuit: &'a Circuit,
    breaker: Breaker,
    /// Its number, if it is there to find out whether the gateway answers again.
    probe: Option<u64>,
}

impl Circuit {
    /// Lets a request through at the time `now`, or says how long to wait.
    pub(crate) fn admit(&self, breaker: Breaker, now: Duration) -> Result<Attempt<'_>, Duration> {
        if !self.open.load(Ordering::Acquire) {
            return Ok(Attempt { circuit: self, breaker, probe: None });
        }
        let mut pause = self.lock();
        if let Some(left) = pause.until.checked_sub(now).filter(|left| !left.is_zero()) {
            return Err(left);
        }
        // Whatever becomes of this one, another may try after the pause: a client that sends slowly
        // does not hold up the others any longer.
        pause.until = now + breaker.pause;
        pause.attempts += 1;
        Ok(Attempt { circuit: self, breaker, probe: Some(pause.attempts) })
    }

    fn lock(&self) -> MutexGuard<'_, Pause> {
        // Nothing panics under the lock, and each field is valid by itself.
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// The gateway answered. Returns whether that closed the circuit.
    pub(crate) fn succeeded(mut self) -> bool {
        // No write as long as all goes well.
        if self.circuit.failures.load(Ordering::Relaxed) > 0 {
            self.circuit.failures.store(0, Ordering::Relaxed);
        }
        self.probe.take().is_some() && self.circuit.open.swap(false, Ordering::AcqRel)
    }

    /// The gateway did not answer, as of `now`. Returns whether that opened the circuit.
    pub(crate) fn failed(mut self, now: Duration) -> bool {
        let mut pause = self.circuit.lock();
        if self.probe.take().is_some() {
            pause.until = now + self.breaker.pause;
            return false;
        }
        let failures = self.circuit.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let opens = failures >= self.breaker.failures.get()
            && !self.circuit.open.swap(true, Ordering::AcqRel);
        if opens {
            pause.until = now + self.breaker.pause;
        }
        opens
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.probe {
            let mut pause = self.circuit.lock();
            if pause.attempts == number {
                pause.until = Duration::ZERO;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BREAKER: Breaker = Breaker::new(NonZeroU32::new(3).unwrap(), Duration::from_secs(10));

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn fail(circuit: &Circuit, now: u64) -> bool {
        circuit.admit(BREAKER, at(now)).unwrap().failed(at(now))
    }

    /// One that is open since `at(100)`.
    fn open() -> Circuit {
        let circuit = Circuit::default();
        assert_eq!([100; 3].map(|now| fail(&circuit, now)), [false, false, true]);
        circuit
    }

    #[test]
    fn it_takes_failures_in_a_row() {
        let circuit = Circuit::default();
        for _ in 0..5 {
            assert!(!fail(&circuit, 1));
            assert!(!fail(&circuit, 1));
            assert!(!circuit.admit(BREAKER, at(1)).unwrap().succeeded());
        }
        assert_eq!(open().admit(BREAKER, at(101)).unwrap_err(), at(9));
    }

    #[test]
    fn one_request_finds_out() {
        let circuit = open();
        let probe = circuit.admit(BREAKER, at(110)).unwrap();
        assert_eq!(circuit.admit(BREAKER, at(111)).unwrap_err(), at(9));
        assert!(!probe.failed(at(115)));
        assert_eq!(circuit.admit(BREAKER, at(120)).unwrap_err(), at(5));
        assert!(circuit.admit(BREAKER, at(125)).unwrap().succeeded());
        // It takes as many failures as before to open it again.
        assert!(!fail(&circuit, 125));
        assert!(circuit.admit(BREAKER, at(125)).is_ok());
    }

    /// ohttp-relay wedges a gateway forever when a client leaves during a probe.
    #[test]
    fn a_client_that_leaves_leaves_the_probe_to_the_next() {
        let circuit = open();
        for _ in 0..3 {
            drop(circuit.admit(BREAKER, at(110)).unwrap());
        }
        assert!(circuit.admit(BREAKER, at(110)).unwrap().succeeded());
    }

    #[test]
    fn a_client_that_stalls_holds_nobody_up() {
        let circuit = open();
        let stalled = circuit.admit(BREAKER, at(110)).unwrap();
        let second = circuit.admit(BREAKER, at(120)).unwrap();
        // The end of the first says nothing of the second.
        drop(stalled);
        assert!(circuit.admit(BREAKER, at(121)).is_err());
        assert!(second.succeeded());
        assert!(circuit.admit(BREAKER, at(121)).is_ok());
    }

    #[test]
    fn those_under_way_when_it_opens_change_nothing() {
        let circuit = Circuit::default();
        let under_way: Vec<_> = (0..4).map(|_| circuit.admit(BREAKER, at(1)).unwrap()).collect();
        assert!((0..3).any(|_| fail(&circuit, 1)));
        for attempt in under_way {
            assert!(!attempt.failed(at(5)));
        }
        assert_eq!(circuit.admit(BREAKER, at(6)).unwrap_err(), at(5));
    }
}
