//! The keys of one gateway, however they are kept.

use http::Uri;
use oblivious_hpke::Recipient;
use oblivious_service::Live;

use super::{InUse, KeyCache, KeySourceError, refresh::Current};

/// What requests to a gateway are sealed to: a [`KeyCache`], or a [`Recipient`] that the program
/// has made and may replace through [`Live`].
#[derive(Clone, Debug)]
pub struct Keys(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Given(Live<Recipient>),
    Cached(KeyCache),
}

impl Keys {
    pub(crate) async fn in_use(&self) -> Result<InUse, std::sync::Arc<KeySourceError>> {
        match &self.0 {
            Kind::Given(live) => {
                let current = Current { recipient: live.current(), generation: 0 };
                Ok(InUse { current, refresh: None })
            }
            Kind::Cached(cache) => cache.in_use().await,
        }
    }

    /// Notes a sign that these keys are stale.
    pub(crate) fn note_stale(&self, current: &Current) {
        if let Kind::Cached(cache) = &self.0 {
            cache.note(Some(current.generation));
        }
    }

    /// Whether the operator of this relay could not have chosen them.
    pub(crate) fn is_independent_of(&self, relay: &Uri) -> bool {
        match &self.0 {
            Kind::Given(_) => true,
            Kind::Cached(cache) => cache.is_independent_of(relay),
        }
    }
}

impl From<Recipient> for Keys {
    fn from(recipient: Recipient) -> Self {
        Live::new(recipient).into()
    }
}

impl From<Live<Recipient>> for Keys {
    fn from(live: Live<Recipient>) -> Self {
        Self(Kind::Given(live))
    }
}

impl From<KeyCache> for Keys {
    fn from(cache: KeyCache) -> Self {
        Self(Kind::Cached(cache))
    }
}
