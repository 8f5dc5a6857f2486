//! One copy of a gateway's keys for all clients, fetched by one of them at a time.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};
use oblivious_service::Clock;

use crate::key_list::KeyList;
use crate::refusal::Refusal;

/// How long a failure is the answer to everyone, before the gateway is asked again.
const FAILURE_PAUSE: Duration = Duration::from_secs(5);

/// A fetch, whose outcome goes to all who wait for it.
pub(crate) type Fetch = Pin<Box<dyn Future<Output = Result<Arc<KeyList>, Refusal>> + Send>>;

/// The keys of one gateway.
#[derive(Default)]
pub(crate) struct KeyCache {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    list: Option<Arc<KeyList>>,
    failed: Option<(Duration, Refusal)>,
    /// Runs as long as someone waits for it, and is dropped when all have left.
    fetch: Option<WeakShared<Fetch>>,
}

impl KeyCache {
    /// The list that was fetched last, fresh or not.
    pub(crate) fn last(&self) -> Option<Arc<KeyList>> {
        self.lock().list.clone()
    }

    /// The keys, from the gateway if need be: `fetch` then asks it, unless a fetch is already under
    /// way, which is awaited instead.
    pub(crate) async fn get(
        self: &Arc<Self>,
        clock: &Arc<dyn Clock>,
        fetch: impl FnOnce() -> Fetch,
    ) -> Result<Arc<KeyList>, Refusal> {
        let shared = {
            let uptime = clock.uptime();
            let mut state = self.lock();
            if let Some(list) = state.list.as_ref().filter(|list| list.is_fresh(uptime)) {
                return Ok(Arc::clone(list));
            }
            if let Some((until, refusal)) = &state.failed
                && uptime < *until
            {
                return Err(refusal.clone());
            }
            match state.fetch.as_ref().and_then(WeakShared::upgrade) {
                Some(under_way) => under_way,
                None => {
                    let shared = Arc::clone(self).keep(Arc::clone(clock), fetch());
                    state.fetch = shared.downgrade();
                    shared
                }
            }
        };
        shared.await
    }

    /// `fetch`, whose outcome is stored before anyone gets it.
    fn keep(self: Arc<Self>, clock: Arc<dyn Clock>, fetch: Fetch) -> Shared<Fetch> {
        let kept: Fetch = Box::pin(async move {
            let outcome = fetch.await;
            let mut state = self.lock();
            state.fetch = None;
            match &outcome {
                Ok(list) => {
                    state.list = Some(Arc::clone(list));
                    state.failed = None;
                }
                Err(refusal) => {
                    state.failed = Some((clock.uptime() + FAILURE_PAUSE, refusal.clone()));
                }
            }
            drop(state);
            outcome
        });
        kept.shared()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock, and each field is valid by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCache").finish_non_exhaustive()
    }
}
