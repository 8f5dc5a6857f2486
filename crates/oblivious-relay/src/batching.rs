//! Hides which outgoing request is which incoming one by their order.

use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use oblivious_service::Timeout;

use crate::random::Random;

/// Holds the requests to a gateway until there are several, and then sends all of them at once, in
/// random order; and the same for the answers on their way to the clients.
///
/// Anyone who watches both sides of a relay can match requests going out with those coming in by
/// their times and their order (RFC 9458 §6.2.3). Of a batch only the whole can be matched: which
/// of its requests is whose cannot be told by either. That is what this gives, and no more:
///
/// - It counts requests, not clients. Somebody who sends all but one request of a batch knows which
///   one is left. A [limit on each client](crate::Relay::client_concurrency_limit) below the size of
///   a batch makes that harder for one client, not for many.
/// - What waits too long goes out in a smaller batch: where fewer requests arrive in that time than
///   a batch has, some go alone. Choose the time by the traffic of the quietest hour.
/// - It does not hide sizes, which the relay cannot change: client and gateway must add padding,
///   inside the encryption.
/// - It hides where a message begins. What of it comes later, in chunks above all, passes as it
///   comes. So does the rest of a request whose client is still sending it.
/// - Who asks again and again is in batch after batch; over many of them that shows.
/// - Relay and gateway together know everything as before.
///
/// Held messages are in memory; a limit on [exchanges under
/// way](crate::Relay::concurrency_limit) bounds how much that can be, and must be well above the
/// size of a batch.
#[derive(Clone)]
pub struct Batching {
    size: NonZeroUsize,
    wait: Timeout,
    random: Arc<Random>,
}

impl Batching {
    /// Batches of this many messages, or of fewer if one of them has waited for `wait`.
    pub fn of(size: NonZeroUsize, wait: Timeout) -> Self {
        Self { size, wait, random: Arc::default() }
    }
}

impl fmt::Debug for Batching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batching")
            .field("size", &self.size)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

/// Those who wait for the batch that goes out next.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    waiting: Mutex<Vec<Arc<Place>>>,
}

/// One of them.
#[derive(Debug, Default)]
struct Place {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// It is its turn.
    released: bool,
    /// Nobody is there any more.
    gone: bool,
    waker: Option<Waker>,
    /// Whose turn is next.
    next: Option<Arc<Place>>,
}

impl Batch {
    /// Waits for the batch that is being gathered. Whoever stops waiting is not counted any more.
    pub(crate) async fn join(&self, batching: &Batching) {
        let member = Member::new(self);
        let mut overdue = batching.wait.start();
        poll_fn(|cx| {
            if member.place.poll_released(cx).is_ready() {
                return Poll::Ready(());
            }
            let least = match overdue.as_mut().poll(cx) {
                Poll::Ready(()) => 0,
                Poll::Pending => batching.size.get(),
            };
            let first = chain(self.take(least), &batching.random);
            first.into_iter().for_each(release);
            member.place.poll_released(cx)
        })
        .await;
    }

    /// All of them, or none if there are fewer than `least`.
    fn take(&self, least: usize) -> Vec<Arc<Place>> {
        let mut waiting = self.lock();
        if waiting.len() < least { Vec::new() } else { mem::take(&mut *waiting) }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Place>>> {
        // Nothing panics under the lock but an allocation that fails.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a batch in random order, and returns the first.
///
/// They go one after the other, each at the end of the one before: were all woken at once, the one
/// whose arrival completed the batch would be the last to run, or the first.
fn chain(mut batch: Vec<Arc<Place>>, random: &Random) -> Option<Arc<Place>> {
    random.shuffle(&mut batch);
    batch.into_iter().reduce(|next, place| {
        place.lock().next = Some(next);
        place
    })
}

/// Lets a place go, or the next one where somebody still is.
fn release(place: Arc<Place>) {
    let mut next = Some(place);
    while let Some(place) = next {
        let mut state = place.lock();
        state.released = true;
        let waker = state.waker.take();
        next = if state.gone { state.next.take() } else { None };
        // A waker may run anything.
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Place {
    fn poll_released(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.released {
            return Poll::Ready(());
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock, and each field is valid by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a batch, given up when this is dropped.
struct Member<'a> {
    batch: &'a Batch,
    place: Arc<Place>,
}

impl<'a> Member<'a> {
    fn new(batch: &'a Batch) -> Self {
        let place = Arc::<Place>::default();
        batch.lock().push(Arc::clone(&place));
        Self { batch, place }
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        let mut state = self.place.lock();
        if state.released {
            let next = state.next.take();
            drop(state);
            next.into_iter().for_each(release);
        } else {
            // It may be in a batch that is going out just now.
            state.gone = true;
            drop(state);
            self.batch.lock().retain(|other| !Arc::ptr_eq(other, &self.place));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use oblivious_service::TokioTimer;
    use tokio::time::{Instant, sleep, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn batching(size: usize) -> Batching {
        let wait = Timeout::new(10 * SECOND, TokioTimer);
        Batching::of(NonZeroUsize::new(size).unwrap(), wait)
    }

    /// The order in which this many get out, and when.
    async fn outcome(batch: &Arc<Batch>, batching: &Batching, count: usize) -> (Vec<usize>, u64) {
        let start = Instant::now();
        let out = Arc::<Mutex<Vec<usize>>>::default();
        let joining: Vec<_> = (0..count)
            .map(|number| {
                let (batch, batching, out) = (batch.clone(), batching.clone(), out.clone());
                tokio::spawn(async move {
                    batch.join(&batching).await;
                    out.lock().unwrap().push(number);
                })
            })
            .collect();
        for one in joining {
            one.await.unwrap();
        }
        let order = out.lock().unwrap().clone();
        (order, start.elapsed().as_secs())
    }

    /// The one who completes the batch, and so never has to wait, is like the others.
    #[tokio::test(start_paused = true)]
    async fn a_full_batch_goes_at_once_in_any_order() {
        let (batch, batching) = (Arc::default(), batching(3));
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..6000 {
            let (order, seconds) = outcome(&batch, &batching, 3).await;
            assert_eq!(seconds, 0);
            *counts.entry(order).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|&count| (800..1200).contains(&count)), "{counts:?}");
        assert!(batch.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_longer_than_the_limit() {
        let (batch, batching) = (Arc::default(), batching(4));
        let (order, seconds) = outcome(&batch, &batching, 3).await;
        assert_eq!((order.len(), seconds), (3, 10));
        let (order, seconds) = outcome(&batch, &batching, 6).await;
        assert_eq!((order.len(), seconds), (6, 10));
        // All that are there go along with the one whose time is up.
        let late = async {
            sleep(9 * SECOND).await;
            outcome(&batch, &batching, 1).await
        };
        let (early, late) = tokio::join!(outcome(&batch, &batching, 1), late);
        assert_eq!((early.1, late.1), (10, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_is_not_counted() {
        let (batch, batching) = (Arc::<Batch>::default(), batching(2));
        for _ in 0..3 {
            assert!(timeout(SECOND, batch.join(&batching)).await.is_err());
        }
        assert!(batch.lock().is_empty());
        assert_eq!(outcome(&batch, &batching, 2).await.1, 0);
    }

    /// Whoever leaves while the batch goes out holds nobody up.
    #[test]
    fn one_has_its_turn_at_a_time() {
        let batch = Batch::default();
        let mut members: Vec<_> = (0..100).map(|_| Member::new(&batch)).collect();
        let first = chain(batch.take(100), &Random::default()).unwrap();
        members.truncate(70);
        release(first);
        while !members.is_empty() {
            let has_turn = |member: &Member<'_>| member.place.lock().released;
            let turn: Vec<_> = (0..members.len()).filter(|&n| has_turn(&members[n])).collect();
            assert_eq!(turn.len(), 1);
            members.remove(turn[0]);
            if members.len() % 3 == 0 {
                members.pop();
            }
        }
    }
}
