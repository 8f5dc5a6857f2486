//! Keys that are fetched when necessary, and no more often.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::Uri;
use oblivious_hpke::{Provider, Recipient, RecipientError};
use oblivious_keys::{KeyConfigList, SelectError};
use oblivious_service::{Timeout, Timer};

use super::{
    Demand, FetchedKeys, KeySource, KeySourceError, StoredKeys,
    refresh::{Current, InUse, Refresh},
    settings::Settings,
};

/// The keys of a gateway, fetched from a [`KeySource`] and kept for as long as they are fresh.
///
/// The first request waits for them. They are fetched again
///
/// - before they expire, at a random moment within the last quarter of their lifetime;
/// - after a sign that they are stale: the gateway rejects the key, an answer is not encapsulated,
///   or the program says so. This happens after a random delay, and from the source itself, not
///   from a cache on the path.
///
/// However many requests ask for it, there is one fetch at a time, and none before the least
/// interval since the last one has passed: a relay that fakes signs of stale keys achieves no more
/// than that (RFC 9458 §5.3). Requests use the present keys until new ones have arrived. If none
/// arrive before the old ones expire, requests fail, and the fetch is repeated after a pause that
/// grows to the least interval.
///
/// Clones share the keys.
#[derive(Clone)]
pub struct KeyCache {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_loaded: bool,
    kept: Option<Kept>,
    /// Counts the fetches that there have been, since one that was abandoned may still end.
    fetches: u64,
    running: Option<Running>,
    /// There has been a sign of stale keys, and no fetch since.
    is_stale: bool,
    /// When the random delay after that sign is over.
    stale_until: Option<SystemTime>,
    /// When the next fetch may begin.
    not_before: Option<SystemTime>,
    failures: u32,
    error: Option<Arc<KeySourceError>>,
    generations: u64,
}

/// Keys that were fetched.
struct Kept {
    list: Bytes,
    current: Current,
    uses: u64,
    refresh_at: SystemTime,
    fresh_until: SystemTime,
}

struct Running {
    number: u64,
    refresh: Refresh,
    /// If it still runs by then, it has been abandoned.
    abandoned_at: SystemTime,
}

enum Next {
    Use(InUse),
    Wait(Refresh, Option<Current>),
    Fail(Arc<KeySourceError>),
}

impl KeyCache {
    /// A cache of what `source` says, with the defaults that
    /// [`KeyCacheBuilder`](crate::KeyCacheBuilder) names.
    pub fn new(source: impl KeySource, timer: impl Timer) -> Self {
        Self::with_settings(Settings::new(source, timer))
    }

    pub(crate) fn with_settings(settings: Settings) -> Self {
        Self { inner: Arc::new(Inner { settings, state: Mutex::default() }) }
    }

    /// What requests are sealed to now. Fetches the keys if there are none, or if they have
    /// expired.
    ///
    /// # Errors
    /// If the source has no keys that can be used.
    pub async fn recipient(&self) -> Result<Arc<Recipient>, Arc<KeySourceError>> {
        Ok(self.in_use().await?.current.recipient)
    }

    /// Says that the keys seem to be stale, for a reason that only the program knows: some gateways
    /// say so in a response field of their own. The keys are fetched again after the random delay,
    /// if the least interval allows it.
    pub fn note_stale(&self) {
        self.note(None);
    }

    /// Waits until the keys have been fetched again, if a fetch is under way or due; for a program
    /// that wants to try again after the gateway has rejected the key.
    ///
    /// # Errors
    /// If the fetch fails, or if the last one did and it is too early for another. Then there are
    /// at best the old keys, which [`recipient`](Self::recipient) goes on to return until they
    /// expire.
    pub async fn refreshed(&self) -> Result<Arc<Recipient>, Arc<KeySourceError>> {
        match self.next() {
            Next::Use(InUse { current, refresh: None }) => match self.last_error() {
                Some(error) => Err(error),
                None => Ok(current.recipient),
            },
            Next::Use(InUse { refresh: Some(refresh), .. }) | Next::Wait(refresh, _) => {
                Ok(refresh.wait().await?.recipient)
            }
            Next::Fail(error) => Err(error),
        }
    }

    /// Why the keys in use were not replaced when they should have been.
    fn last_error(&self) -> Option<Arc<KeySourceError>> {
        self.inner.lock().error.clone()
    }

    pub(crate) async fn in_use(&self) -> Result<InUse, Arc<KeySourceError>> {
        match self.next() {
            Next::Use(in_use) => Ok(in_use),
            Next::Wait(refresh, fallback) => {
                let fetched = refresh.wait().await;
                let current = fetched.or_else(|error| fallback.ok_or(error))?;
                Ok(InUse { current, refresh: None })
            }
            Next::Fail(error) => Err(error),
        }
    }

    /// Notes a sign that the keys are stale: those of a generation, or whichever are in use.
    pub(crate) fn note(&self, generation: Option<u64>) {
        let now = self.inner.settings.clock.now();
        let mut state = self.inner.lock();
        let is_current = |kept: &Kept| generation.is_none_or(|of| kept.current.generation == of);
        if !state.kept.as_ref().is_some_and(is_current) {
            return;
        }
        state.is_stale = true;
        let _started = self.refresh(state, now);
    }

    pub(crate) fn is_independent_of(&self, relay: &Uri) -> bool {
        self.inner.settings.source.is_independent_of(relay)
    }

    /// The keys to use, or what to wait for.
    fn next(&self) -> Next {
        let settings = &self.inner.settings;
        let now = settings.clock.now();
        let mut state = self.inner.lock();
        self.inner.load(&mut state, now);
        let usable = state.kept.as_mut().filter(|kept| kept.is_fresh(now, settings));
        let current = usable.map(|kept| kept.take(settings));
        // Where nothing fetches in the background, requests that are few and short would never see
        // a fetch to its end: once the delay is over, the next one waits for it.
        let is_overdue = settings.spawn.is_none()
            && state.is_stale
            && state.stale_until.is_some_and(|until| until <= now);
        let refresh = self.refresh(state, now);
        match (current, refresh) {
            (None, Ok(refresh)) => Next::Wait(refresh, None),
            (Some(current), Ok(refresh)) if is_overdue => Next::Wait(refresh, Some(current)),
            (Some(current), refresh) => Next::Use(InUse { current, refresh: refresh.ok() }),
            (None, Err(error)) => Next::Fail(error),
        }
    }

    /// The fetch that is under way, or a new one if it is time; otherwise why the last one failed.
    fn refresh(
        &self,
        mut state: MutexGuard<'_, State>,
        now: SystemTime,
    ) -> Result<Refresh, Arc<KeySourceError>> {
        let settings = &self.inner.settings;
        if let Some(running) = state.running.as_ref().filter(|running| now < running.abandoned_at) {
            return Ok(running.refresh.clone());
        }
        let fresh = state.kept.as_ref().filter(|kept| kept.is_fresh(now, settings));
        let due = fresh.is_none_or(|kept| state.is_stale || now >= kept.refresh_at);
        let wait = state.not_before.and_then(|from| from.duration_since(now).ok());
        // Longer than the interval only if the clock was set back.
        let is_early = wait.is_some_and(|wait| !wait.is_zero() && wait <= settings.min_interval);
        if !due || (is_early && (fresh.is_some() || state.error.is_some())) {
            return Err(state.error.clone().unwrap_or_else(|| settings.timed_out()));
        }
        // Without usable keys there is nothing to hide either: any client would fetch.
        let is_hidden = state.is_stale && fresh.is_some();
        let begin = match is_hidden {
            true => *state
                .stale_until
                .get_or_insert_with(|| now + random_up_to(settings.max_delay, settings.provider)),
            false => now,
        };
        let demand = if state.is_stale { Demand::Revalidated } else { Demand::Cached };
        state.fetches += 1;
        let number = state.fetches;
        let refresh = self.start(number, begin, demand);
        let abandoned_at = begin.max(now) + settings.fetch_timeout + settings.fetch_timeout;
        state.running = Some(Running { number, refresh: refresh.clone(), abandoned_at });
        // The executor may run it at once.
        drop(state);
        if let Some(spawn) = &settings.spawn {
            let refresh = refresh.clone();
            spawn(Box::pin(async move {
                let _outcome = refresh.wait().await;
            }));
        }
        Ok(refresh)
    }

    fn start(&self, number: u64, begin: SystemTime, demand: Demand) -> Refresh {
        let settings = &self.inner.settings;
        let (clock, max_delay) = (Arc::clone(&settings.clock), settings.max_delay);
        let (source, timer) = (Arc::clone(&settings.source), Arc::clone(&settings.timer));
        let timeout = Timeout::new(settings.fetch_timeout, Arc::clone(&timer));
        // Weak, since the cache holds this future.
        let inner = Arc::downgrade(&self.inner);
        Refresh::new(async move {
            // What is left of the delay: it counts also while nobody goes on with this.
            let delay = begin.duration_since(clock.now()).unwrap_or_default().min(max_delay);
            if !delay.is_zero() {
                timer.sleep(delay).await;
            }
            let timed_out = || KeySourceError::TimedOut { name: source.name() };
            let fetched = timeout.run(source.fetch(demand)).await;
            let fetched = fetched.unwrap_or_else(|_| Err(timed_out()));
            let Some(inner) = inner.upgrade() else { return Err(Arc::new(timed_out())) };
            inner.finish(number, fetched)
        })
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the outcome of a fetch.
    fn finish(
        &self,
        number: u64,
        fetched: Result<FetchedKeys, KeySourceError>,
    ) -> Result<Current, Arc<KeySourceError>> {
        let now = self.settings.clock.now();
        let mut state = self.lock();
        if state.running.as_ref().is_none_or(|running| running.number != number) {
            // It was abandoned, and the cache goes by the fetch that has taken its place.
            let kept = state.kept.as_ref().filter(|kept| kept.is_fresh(now, &self.settings));
            let current = kept.map(|kept| kept.current.clone());
            return current.ok_or_else(|| self.settings.timed_out());
        }
        state.running = None;
        let fetched = fetched.and_then(|fetched| {
            let lifetime = fetched.fresh_for.unwrap_or(self.settings.default_lifetime);
            let lifetime = lifetime.min(self.settings.max_lifetime).max(self.settings.min_interval);
            self.keep(&mut state, fetched.list, now, lifetime)
        });
        let current = match fetched {
            Ok(current) => current,
            Err(error) => {
                tracing::debug!(%error, "key configurations could not be fetched");
                let error = Arc::new(error);
                let pause = Duration::from_secs(1 << state.failures.min(16));
                state.failures = state.failures.saturating_add(1);
                // Who has keys to go on with can wait, whoever made the fetch fail.
                let is_usable =
                    state.kept.as_ref().is_some_and(|k| k.is_fresh(now, &self.settings));
                let least = self.settings.min_interval;
                let pause = if is_usable { least } else { pause.min(least) };
                state.not_before = Some(now + pause);
                state.error = Some(Arc::clone(&error));
                state.stale_until = None;
                return Err(error);
            }
        };
        state.failures = 0;
        state.error = None;
        state.is_stale = false;
        state.stale_until = None;
        state.not_before = Some(now + self.settings.min_interval);
        let stored = state.kept.as_ref().map(|kept| StoredKeys {
            source: self.settings.source.name(),
            list: kept.list.clone(),
            fresh_until: kept.fresh_until,
        });
        drop(state);
        if let (Some(store), Some(stored)) = (&self.settings.store, stored)
            && let Err(error) = store.save(&stored)
        {
            tracing::warn!(%error, "key configurations could not be stored");
        }
        Ok(current)
    }

    fn keep(
        &self,
        state: &mut State,
        list: Bytes,
        now: SystemTime,
        lifetime: Duration,
    ) -> Result<Current, KeySourceError> {
        let same = state.kept.as_ref().filter(|kept| kept.list == list);
        let (current, uses) = match same {
            Some(kept) => (kept.current.clone(), kept.uses),
            None => {
                let recipient = Arc::new(self.settings.recipient(&list)?);
                state.generations += 1;
                let header = recipient.header();
                tracing::debug!(
                    key_id = header.key_id,
                    kem = %header.kem,
                    suite = %header.suite,
                    seconds = lifetime.as_secs(),
                    "key configurations are there"
                );
                (Current { recipient, generation: state.generations }, 0)
            }
        };
        let quarter = lifetime / 4;
        let refresh_at = now + (lifetime - quarter) + random_up_to(quarter, self.settings.provider);
        let fresh_until = now + lifetime;
        let kept = Kept { list, current: current.clone(), uses, refresh_at, fresh_until };
        state.kept = Some(kept);
        Ok(current)
    }

    /// Takes, once, what the last run of the program has stored.
    fn load(&self, state: &mut State, now: SystemTime) {
        let Some(store) = &self.settings.store else { return };
        if std::mem::replace(&mut state.is_loaded, true) {
            return;
        }
        let stored = match store.load() {
            Ok(Some(stored)) if stored.source == self.settings.source.name() => stored,
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "stored key configurations cannot be read");
                return;
            }
        };
        let Ok(lifetime) = stored.fresh_until.duration_since(now) else { return };
        let lifetime = lifetime.min(self.settings.max_lifetime);
        if self.keep(state, stored.list, now, lifetime).is_err() {
            tracing::warn!("stored key configurations cannot be used");
        }
    }
}

impl Settings {
    fn timed_out(&self) -> Arc<KeySourceError> {
        Arc::new(KeySourceError::TimedOut { name: self.source.name() })
    }

    fn recipient(&self, list: &[u8]) -> Result<Recipient, KeySourceError> {
        let name = || self.source.name();
        let list = KeyConfigList::decode(list)
            .map_err(|error| KeySourceError::Invalid { name: name(), error })?;
        let unusable = |error| KeySourceError::Unusable { name: name(), error };
        let nothing = || RecipientError::from(SelectError { configs: list.configs().len() });
        let chosen = list
            .candidates(&self.preferences)
            .find(|candidate| self.provider.supports(candidate.config.kem(), candidate.suite))
            .ok_or_else(|| unusable(nothing()))?;
        Recipient::with_labels(chosen.config, chosen.suite, self.provider, &self.labels)
            .map_err(unusable)
    }
}

impl Kept {
    fn is_fresh(&self, now: SystemTime, settings: &Settings) -> bool {
        // Longer than the maximum only if the clock was set back.
        let rest = self.fresh_until.duration_since(now).unwrap_or_default();
        !rest.is_zero() && rest <= settings.max_lifetime.max(settings.min_interval)
    }

    /// What the next request is sealed to.
    fn take(&mut self, settings: &Settings) -> Current {
        self.uses = self.uses.saturating_add(1);
        if self.uses == settings.precompute_after
            && let Ok(recipient) = settings.recipient(&self.list)
        {
            self.current.recipient = Arc::new(recipient.precomputed());
        }
        self.current.clone()
    }
}

/// A random time, to the millisecond.
fn random_up_to(most: Duration, provider: Provider) -> Duration {
    let mut random = [0; 8];
    // Without randomness nothing is sealed, so nothing is gained by a delay.
    if provider.random().fill(&mut random).is_err() {
        return Duration::ZERO;
    }
    let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX - 1);
    Duration::from_millis(u64::from_le_bytes(random) % (most + 1))
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.inner.settings.source.name();
        f.debug_struct("KeyCache").field("source", &source).finish_non_exhaustive()
    }
}
