//! Informational responses (RFC 9110 §15.2).

use std::fmt;
use std::sync::Arc;

use http::Response;

/// In the extensions of a request: who wants the informational responses to it.
#[derive(Clone)]
pub(crate) struct OnInformational(Arc<dyn Fn(Response<()>) + Send + Sync>);

impl OnInformational {
    #[cfg(feature = "egress")]
    pub(crate) fn new(tell: impl Fn(Response<()>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(crate) fn tell(&self, response: Response<()>) {
        (self.0)(response);
    }
}

impl fmt::Debug for OnInformational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnInformational").finish_non_exhaustive()
    }
}
