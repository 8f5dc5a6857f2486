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

#[derive(Default)]
struct State {
    /// Data of the request passed since this was last asked.
    moved: bool,
    /// The client is asked for more of the request, and has not delivered it.
    awaits_client: bool,
    fault: Option<Fault>,
    /// The task that waits for the answer, or for more of it.
    answering: Option<Waker>,
    /// The task that waits for more of the request.
    sending: Option<Waker>,
    /// Those of the answer, once that is over and the request is not.
    timing: Option<Timing>,
}

/// Why the body of a request broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    TooLarge,
    Broken,
}

impl UnderWay {
    pub(crate) fn new(metrics: Arc<GatewayMetrics>, permits: Permits) -> Self {
        let in_flight = metrics.begin();
        let state = Mutex::default();
        let shared = Shared { metrics, _permits: permits, _in_flight: in_flight, state };
        Self { shared: Arc::new(shared) }
    }

    /// Data of the request passed, or it ended. Returns the limits that the request has to keep
    /// from now on, if the answer is over.
    pub(crate) fn moved(&self) -> Option<Timing> {
        let mut state = self.lock();
        state.moved = true;
        state.awaits_client = false;
        let timing = state.timing.take();
        let answering = state.answering.take();
        wake(state, answering);
        timing
    }

    /// The client is waited for, by this task. Returns the same.
    pub(crate) fn awaits_client(&self, cx: &Context<'_>) -> Option<Timing> {
        let mut state = self.lock();
        state.awaits_client = true;
        remember(&mut state.sending, cx);
        state.timing.take()
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

    /// Whether data passed since the last call. The task is woken when some does.
    fn take_moved(&self, cx: &Context<'_>) -> bool {
        let mut state = self.lock();
        remember(&mut state.answering, cx);
        std::mem::take(&mut state.moved)
    }

    /// From now on the request, if there is still any of it, keeps the limits.
    fn hand_over(&self, timing: Timing) {
        let mut state = self.lock();
        state.timing = Some(timing);
        let sending = state.sending.take();
        wake(state, sending);
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
    timing: Timing,
}

impl Answering {
    pub(crate) const fn new(under_way: UnderWay, timing: Timing) -> Self {
        Self { under_way, timing }
    }

    pub(crate) const fn under_way(&self) -> &UnderWay {
        &self.under_way
    }

    /// Something of the answer passed.
    pub(crate) fn moved(&mut self) {
        self.timing.moved();
    }

    /// The limit that has passed, if any. This also ends an exchange that never stands still.
    pub(crate) fn over(&self) -> Option<Elapsed> {
        self.timing.over()
    }

    /// Is ready when a limit has passed. The task is also woken when the body of the request moves
    /// or fails.
    pub(crate) fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<Elapsed> {
        if self.under_way.take_moved(cx) {
            self.timing.moved();
        }
        self.timing.poll_elapsed(cx)
    }

    /// The answer broke off.
    pub(crate) fn cut_off(&self, reason: &'static str) {
        self.under_way.shared.metrics.cut_off(reason);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let timing = std::mem::replace(&mut self.timing, Timing::unlimited());
        self.under_way.hand_over(timing);
    }
}
