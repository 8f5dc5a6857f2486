//! What one client, and all clients together, may use of a relay.

mod client_prefix;
mod concurrency;
mod rate;
mod table;

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use http::Extensions;
use oblivious_service::{ClientAddress, Clock};

use concurrency::{Concurrency, PerClient};
use rate::Limiter;

pub use client_prefix::{ClientPrefixes, ClientPrefixesError};
pub(crate) use concurrency::Permits;
pub use rate::RateLimit;

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    /// There are limits per client, but the client's address is unknown.
    NoAddress,
    /// This client may send its next request after this time.
    Rate(Duration),
    /// The limit on exchanges under way is reached, for this client or for all.
    Concurrency,
}

/// The limits that are set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) prefixes: ClientPrefixes,
    rate: Option<(RateLimit, Arc<Limiter>)>,
    overall: Option<Concurrency>,
    per_client: Option<PerClient>,
}

impl Limits {
    pub(crate) fn set_rate(&mut self, rate: RateLimit, clock: Arc<dyn Clock>) {
        self.rate = Some((rate, Arc::new(Limiter::new(rate, clock))));
    }

    pub(crate) fn set_clock(&mut self, clock: Arc<dyn Clock>) {
        if let Some((rate, _)) = self.rate {
            self.set_rate(rate, clock);
        }
    }

    pub(crate) fn set_overall(&mut self, most: NonZeroUsize) {
        self.overall = Some(Concurrency::new(most));
    }

    pub(crate) fn set_per_client(&mut self, most: NonZeroU32) {
        self.per_client = Some(PerClient::new(most));
    }

    /// Lets a request with these extensions in, for as long as what is returned is held.
    pub(crate) fn admit(&self, extensions: &Extensions) -> Result<Permits, Excess> {
        let mut permits = Permits::default();
        if self.rate.is_some() || self.per_client.is_some() {
            let address = extensions.get::<ClientAddress>().ok_or(Excess::NoAddress)?;
            let client = self.prefixes.of(address.ip());
            if let Some((_, limiter)) = &self.rate {
                limiter.check(&client).map_err(Excess::Rate)?;
            }
            if let Some(per_client) = &self.per_client {
                permits.of_client = Some(per_client.enter(client).ok_or(Excess::Concurrency)?);
            }
        }
        if let Some(overall) = &self.overall {
            permits.of_all = Some(overall.enter().ok_or(Excess::Concurrency)?);
        }
        Ok(permits)
    }
}
