//! An exchange while it is under way: what its two bodies have in common.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::limits::Permits;
use crate::observe::{GatewayMetrics, InFlight};
use crate::timing::{Elapsed, Timing};

/// The place of an exchange among those that may be under way, and what its bodies tell each other.
///
/// Each of the two bodies holds a clone until its own end: an exchange is over when both are. They
/// may be used by different tasks.
#[derive(Clone)]
pub(crate) struct UnderWay {
    shared: Arc<Shared>,
}

struct Shared {
    metrics: Arc<GatewayMetrics>,
    _permits: Permits,
    _in_flight: InFlight,
    state: Mutex<State>,
}

struct State {
    timing: Timing,
    /// The client is asked for more of the request, and has not delivered it.
    awaits_client: bool,
    fault: Option<Fault>,
    /// The answer is over, so that the limits on time are kept by the request.
    is_answered: bool,
    /// The task that waits for the answer, or for more of it.
    answering: Option<Waker>,
    /// The task that waits for more of the request.
    sending: Option<Waker>,
}

/// Why the body of a request broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    TooLarge,
    Broken,
}

impl UnderWay {
    pub(crate) fn new(metrics: Arc<GatewayMetrics>, permits: Permits, timing: Timing) -> Self {
        let in_flight = metrics.begin();
        let state = Mutex::new(State {
            timing,
            awaits_client: false,
            fault: None,
            is_answered: false,
            answering: None,
            sending: None,
        });
        let shared = Shared { metrics, _permits: permits, _in_flight: in_flight, state };
        Self { shared: Arc::new(shared) }
    }

    /// Data of the request passed, or it ended.
    pub(crate) fn moved(&self) {
        let mut state = self.lock();
        state.timing.moved();
        state.awaits_client = false;
        let answering = state.answering.take();
        wake(state, answering);
    }

    /// The limit that the request has passed, if the answer is over.
    pub(crate) fn over(&self) -> Option<Elapsed> {
        let state = self.lock();
        if state.is_answered { state.timing.over() } else { None }
    }

    /// The client is waited for, by this task. Is ready when a limit has passed that the request has
    /// to keep.
    pub(crate) fn poll_client(&self, cx: &mut Context<'_>) -> Poll<Elapsed> {
        let mut state = self.lock();
        state.awaits_client = true;
        remember(&mut state.sending, cx);
        if state.is_answered { state.timing.poll_elapsed(cx) } else { Poll::Pending }
    }

    /// The body of the request failed.
    pub(crate) fn failed(&self, fault: Fault) {
        let mut state = self.lock();
        state.fault = Some(fault);
        state.awaits_client = false;
        let answering = state.answering.take();
        wake(state, answering);
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        self.lock().fault
    }

    /// Whether it is the client that everyone waits for.
    pub(crate) fn is_awaiting_client(&self) -> bool {
        self.lock().awaits_client
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock, and each field is valid by itself.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remember(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        none => *none = Some(cx.waker().clone()),
    }
}

/// Wakes a task, without holding the lock: a waker may run anything.
fn wake(state: MutexGuard<'_, State>, waker: Option<Waker>) {
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The side of the answer, from the wait for its head to its end. It keeps the limits on time.
pub(crate) struct Answering {
    under_way: UnderWay,
}

impl Answering {
    pub(crate) const fn new(under_way: UnderWay) -> Self {
        Self { under_way }
    }

    pub(crate) const fn under_way(&self) -> &UnderWay {
        &self.under_way
    }

    /// Something of the answer passed.
    pub(crate) fn moved(&self) {
        self.under_way.lock().timing.moved();
    }

    /// The limit that has passed, if any. This also ends an exchange that never stands still.
    pub(crate) fn over(&self) -> Option<Elapsed> {
        self.under_way.lock().timing.over()
    }

    /// Is ready when a limit has passed. The task is also woken when the body of the request moves
    /// or fails.
    pub(crate) fn poll_elapsed(&self, cx: &mut Context<'_>) -> Poll<Elapsed> {
        let mut state = self.under_way.lock();
        remember(&mut state.answering, cx);
        state.timing.poll_elapsed(cx)
    }

    /// The answer broke off.
    pub(crate) fn cut_off(&self, reason: &'static str) {
        self.under_way.shared.metrics.cut_off(reason);
    }
}

impl Drop for Answering {
    /// From now on the request, if there is still any of it, keeps the limits.
    fn drop(&mut self) {
        let mut state = self.under_way.lock();
        state.is_answered = true;
        let sending = state.sending.take();
        wake(state, sending);
    }
}
