//! The streams of an HTTP/2 connection: where they run, and for how long.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::rt::Executor;
use tokio::time::{sleep, timeout};

use crate::workers::Workers;

/// How many streams of a connection run where the connection does.
const OWN: usize = 4;

/// Runs the streams of one HTTP/2 connection: a few with the connection, so that no thread has to
/// wake up another for them, and more on the least busy worker. One connection may carry enough for
/// all workers.
#[derive(Clone)]
pub(crate) struct Streams {
    workers: Workers,
    limits: StreamLimits,
    counts: Arc<Counts>,
}

/// How long a stream may take.
#[derive(Clone, Copy)]
pub(crate) struct StreamLimits {
    /// In all.
    pub(crate) whole: Duration,
    /// With data of the answer ready, but no window for it.
    pub(crate) stalled: Duration,
}

#[derive(Default)]
struct Counts {
    begun: AtomicUsize,
    under_way: AtomicUsize,
}

impl Streams {
    pub(crate) fn new(workers: Workers, limits: StreamLimits) -> Self {
        Self { workers, limits, counts: Arc::default() }
    }

    /// Whether there has been any.
    pub(crate) fn have_begun(&self) -> bool {
        self.counts.begun.load(Ordering::Relaxed) > 0
    }

    /// Is ready when there has been no stream for `limit`, or somewhat longer. Never for a
    /// connection that has had none.
    pub(crate) async fn idle(&self, limit: Duration) {
        let mut before = 0;
        loop {
            sleep(limit).await;
            let begun = self.counts.begun.load(Ordering::Relaxed);
            let none = self.counts.under_way.load(Ordering::Relaxed) == 0;
            if none && begun == before && begun > 0 {
                return;
            }
            before = begun;
        }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        let counted = Counted::new(&self.counts);
        let StreamLimits { whole, stalled } = self.limits;
        let stream = async move {
            let _counted = counted;
            let progress = Progress::default();
            let stream = PROGRESS.scope(progress.clone(), stream);
            // A stream that is dropped before its end is reset.
            tokio::select! {
                _ = timeout(whole, stream) => {}
                () = progress.stands_still(stalled) => {}
            }
        };
        // The timers are those of the worker.
        if self.counts.under_way.load(Ordering::Relaxed) <= OWN {
            tokio::spawn(stream);
        } else {
            self.workers.idlest().spawn(stream);
        }
    }
}

/// A stream that is under way until this is dropped.
struct Counted(Arc<Counts>);

impl Counted {
    fn new(counts: &Arc<Counts>) -> Self {
        counts.under_way.fetch_add(1, Ordering::Relaxed);
        counts.begun.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(counts))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

tokio::task_local! {
    static PROGRESS: Progress;
}

/// Since when the answer on a stream has been waiting for its peer, if it has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    waiting: Arc<Mutex<Option<Instant>>>,
}

impl Progress {
    /// The one of the stream in whose task this is called.
    pub(crate) fn of_this_stream() -> Option<Self> {
        PROGRESS.try_with(Clone::clone).ok()
    }

    /// Something was handed over for which the peer must make room.
    pub(crate) fn waits_for_peer(&self) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// The peer has made room: any wait from now on is not its fault.
    pub(crate) fn peer_takes(&self) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Is ready when the peer has made no room for `limit`.
    async fn stands_still(&self, limit: Duration) {
        loop {
            let waiting = *self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let left = match waiting {
                Some(since) => limit.saturating_sub(since.elapsed()),
                None => limit,
            };
            if left.is_zero() {
                break;
            }
            sleep(left).await;
        }
    }
}
