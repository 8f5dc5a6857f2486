//! A gateway, as a client knows it.

use http::Uri;
use thiserror::Error;

use crate::{
    TargetPattern,
    keys::{KeyUrlError, Keys, check_url},
};

/// A gateway: the relay that leads to it, its keys, and the targets it may be asked for.
///
/// Requests for targets that are not [allowed](Self::allow) are never sent to it; without any
/// allowed target, nothing is sent.
#[derive(Clone, Debug)]
pub struct Gateway {
    pub(crate) relay: Uri,
    pub(crate) keys: Keys,
    targets: Vec<TargetPattern>,
}

impl Gateway {
    /// The gateway behind the relay resource at `relay`, an https URL (RFC 9458 §6). `keys` is a
    /// [`KeyCache`](crate::KeyCache) or a [`Recipient`](oblivious_hpke::Recipient).
    ///
    /// # Errors
    /// If the URL is not https, or if the keys come only from the relay: it could substitute its
    /// own key and read everything (RFC 9458 §6.1).
    pub fn new(relay: Uri, keys: impl Into<Keys>) -> Result<Self, GatewayError> {
        Self::checked(relay, keys.into(), false)
    }

    /// Like [`new`](Self::new), but the relay may be http. Only for tests and closed networks:
    /// others on the path see who asks, and can impersonate the relay.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn allowing_http(relay: Uri, keys: impl Into<Keys>) -> Result<Self, GatewayError> {
        Self::checked(relay, keys.into(), true)
    }

    fn checked(relay: Uri, keys: Keys, allow_http: bool) -> Result<Self, GatewayError> {
        check_url(&relay, allow_http).map_err(|error| match error {
            KeyUrlError::NotAbsolute { uri } | KeyUrlError::NoDomainName { uri } => {
                GatewayError::NotAbsolute { relay: uri }
            }
            KeyUrlError::Scheme { uri } => GatewayError::Scheme { relay: uri },
            KeyUrlError::UserInfo => GatewayError::UserInfo,
        })?;
        if !keys.is_independent_of(&relay) {
            return Err(GatewayError::KeysOfRelay { relay });
        }
        Ok(Self { relay, keys, targets: Vec::new() })
    }

    /// Lets requests for these targets go through this gateway, which reads them
    /// (RFC 9458 §6.1).
    #[must_use]
    pub fn allow(mut self, targets: TargetPattern) -> Self {
        self.targets.push(targets);
        self
    }

    /// Whether requests for this target may go through this gateway.
    pub(crate) fn serves(&self, target: &Uri) -> bool {
        self.targets.iter().any(|pattern| pattern.matches(target))
    }
}

/// A gateway cannot be used with these settings.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The relay's URL names no scheme and host.
    #[error("{relay} is not an absolute URL: write https://HOST/PATH")]
    NotAbsolute {
        /// The URL as given.
        relay: Uri,
    },
    /// The relay's URL is not https.
    #[error(
        "the relay {relay} is not https, so others on the path could impersonate it \
         (RFC 9458 §6); for a test there is Gateway::allowing_http"
    )]
    Scheme {
        /// The URL as given.
        relay: Uri,
    },
    /// The relay's URL contains a user name or password, which would tell the relay who asks.
    #[error(
        "the URL of the relay contains a user name or password, which must not be sent; remove it"
    )]
    UserInfo,
    /// The relay could substitute its own key, and nothing would reveal it.
    #[error(
        "the keys come only from the relay {relay}, which could substitute its own and read \
         everything: fetch them from the gateway, compare them with another source (Agreement), or pin \
         their digest (PinnedKeys)"
    )]
    KeysOfRelay {
        /// The URL of the relay.
        relay: Uri,
    },
}
