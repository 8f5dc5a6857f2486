//! What a source of key configurations is.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Uri;

use super::KeySourceError;

/// A place to get a gateway's key configurations from.
///
/// Anyone who can substitute their own key can read everything that is sealed to it, so a source
/// must give answers that come from the gateway unchanged (RFC 9458 §3 and §6.1). The relay is not
/// such a source; its answers can only be compared with those of others, or with a digest.
pub trait KeySource: Send + Sync + 'static {
    /// Its name in errors: for a URL, that URL.
    fn name(&self) -> String;

    /// Gets the configurations. Dropping the future ends the attempt.
    fn fetch(&self, demand: Demand) -> Fetching<'_>;

    /// Whether the operator of this relay could not have chosen these keys. Otherwise a client for
    /// the relay cannot be built.
    fn is_independent_of(&self, relay: &Uri) -> bool;
}

/// The future of [`KeySource::fetch`].
pub type Fetching<'a> =
    Pin<Box<dyn Future<Output = Result<FetchedKeys, KeySourceError>> + Send + 'a>>;

/// How recent an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Demand {
    /// Caches in between may answer, if what they have is fresh.
    Cached,
    /// The answer must come from the source itself, since there is a sign that others are stale.
    Revalidated,
}

/// What a source has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedKeys {
    /// The list, as `application/ohttp-keys` (RFC 9458 §3.2): what is compared byte for byte.
    pub list: Bytes,
    /// How long it may be used from now on, if the source says so.
    pub fresh_for: Option<Duration>,
}

impl<S: KeySource + ?Sized> KeySource for Box<S> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn fetch(&self, demand: Demand) -> Fetching<'_> {
        (**self).fetch(demand)
    }

    fn is_independent_of(&self, relay: &Uri) -> bool {
        (**self).is_independent_of(relay)
    }
}

impl<S: KeySource + ?Sized> KeySource for Arc<S> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn fetch(&self, demand: Demand) -> Fetching<'_> {
        (**self).fetch(demand)
    }

    fn is_independent_of(&self, relay: &Uri) -> bool {
        (**self).is_independent_of(relay)
    }
}
