//! Remembers requests, so that none is answered twice (RFC 9458 §6.5).
//!
//! Anyone who handles an encapsulated request can send it again. A client makes a fresh `enc` for
//! every request, so a second request with the same `enc` is a copy.
//!
//! # The order of the checks
//!
//! 1. The request is opened (of a chunked request: its first chunk). The guard is only asked after
//!    that, so requests that do not open cannot fill it.
//! 2. The key must still be accepted, or the answer is an encapsulated 408: the head of a chunked
//!    request may arrive long after its first chunk, and what was sent to a key is forgotten soon
//!    after the key expires.
//! 3. [`ReplayGuard::check_and_insert`], once, before anything acts on the request. A request that
//!    was seen before gets an encapsulated 409 without a problem type; the date of a copy is not
//!    checked. If the guard cannot tell, the answer is an encapsulated 503: a request that may be a
//!    copy is not served.
//! 4. The [`DatePolicy`](crate::DatePolicy). A request whose `Date` is refused is remembered all
//!    the same: its client may send another with a corrected date (RFC 9458 §6.5.2), and the first
//!    must not be served later, when its date is acceptable.
//! 5. The target is called.
//!
//! How long a request is remembered follows from its `Date`. One with a date is remembered until
//! the date leaves the window of the [`DatePolicy`](crate::DatePolicy), even if it is dated ahead,
//! but not longer than its key is accepted; one without a date until its key retires, or as if it
//! had one where dates are required. The skew of clocks is added.
//!
//! # Which guard
//!
//! [`MemoryReplayGuard`] for one process, `RedisReplayGuard` (feature `redis`) for replicas that
//! share their keys: a copy may reach another replica than the original did.

mod memory;
#[cfg(feature = "redis")]
mod redis;
mod shard;

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use oblivious_hpke::UnixSeconds;
use thiserror::Error;

pub use self::memory::{CapacityError, MemoryReplayGuard, required_capacity};
#[cfg(feature = "redis")]
pub use self::redis::{RedisGuardError, RedisReplayGuard};

/// What a guard is told about one request.
#[derive(Clone, Copy, Debug)]
pub struct ReplayEntry<'a> {
    /// The encapsulated key of the request (`enc`, RFC 9458 §4.3).
    pub enc: &'a [u8],
    /// The identifier of the key that opened it.
    pub key_id: u8,
    /// The time now.
    pub now: UnixSeconds,
    /// The last second at which a copy could still be accepted, by whichever replica, by the clock
    /// of `now`; `None` for as long as the guard can.
    pub remember_until: Option<UnixSeconds>,
}

/// What a guard knows of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayVerdict {
    /// It was not seen before, and is remembered from now on.
    Fresh,
    /// It was seen before: this is a copy.
    Seen,
}

/// A guard cannot say whether it has seen a request, so the request must not be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// There is no room for another request, and no request that is still needed is forgotten.
    #[error("the replay guard is full: give it more capacity, or require dates")]
    Full,
    /// The store did not answer, or not in time.
    #[error("the store of the replay guard does not answer: check that it runs and is reachable")]
    Unavailable,
}

/// The outcome of a check, now or later. It is a future either way.
///
/// A future that is dropped may leave the request remembered.
pub enum ReplayCheck {
    /// The outcome is known already.
    Ready(Result<ReplayVerdict, ReplayError>),
    /// It is not known yet.
    Pending(PendingCheck),
}

/// The future of a [`ReplayCheck`] that has to wait.
pub type PendingCheck = Pin<Box<dyn Future<Output = Result<ReplayVerdict, ReplayError>> + Send>>;

impl Future for ReplayCheck {
    type Output = Result<ReplayVerdict, ReplayError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Ready(outcome) => Poll::Ready(*outcome),
            Self::Pending(pending) => pending.as_mut().poll(cx),
        }
    }
}

impl fmt::Debug for ReplayCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(outcome) => f.debug_tuple("Ready").field(outcome).finish(),
            Self::Pending(_) => f.debug_tuple("Pending").finish_non_exhaustive(),
        }
    }
}

/// How much a guard holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayLoad {
    /// How many requests are held. It may include some that need no longer be remembered.
    pub entries: usize,
    /// How many there is room for.
    pub capacity: usize,
}

/// Tells requests from their copies.
pub trait ReplayGuard: Send + Sync + 'static {
    /// Looks a request up and remembers it, in one step: of several calls with the same `enc` and
    /// key, at the same time or one after another, exactly one gets [`Fresh`](ReplayVerdict::Fresh)
    /// for as long as the request is remembered.
    ///
    /// Resolves to a [`ReplayError`] when the guard cannot tell.
    fn check_and_insert(&self, entry: ReplayEntry<'_>) -> ReplayCheck;

    /// Since when this guard remembers; `None` when nothing was forgotten.
    ///
    /// It is no longer known whether a request with an earlier date was answered, so the
    /// [`DatePolicy`](crate::DatePolicy) refuses it.
    fn remembers_since(&self) -> Option<UnixSeconds>;

    /// How full the guard is, for a gauge; `None` when it does not know.
    fn load(&self) -> Option<ReplayLoad>;
}

impl<G: ReplayGuard + ?Sized> ReplayGuard for Arc<G> {
    fn check_and_insert(&self, entry: ReplayEntry<'_>) -> ReplayCheck {
        (**self).check_and_insert(entry)
    }

    fn remembers_since(&self) -> Option<UnixSeconds> {
        (**self).remembers_since()
    }

    fn load(&self) -> Option<ReplayLoad> {
        (**self).load()
    }
}
