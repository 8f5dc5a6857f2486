//! Informational responses, as they come.

use std::{fmt, sync::Arc};

use http::Response;

/// Takes the informational responses (1xx) that precede an answer (RFC 9292 §3.5.1): an extension
/// of the request.
///
/// In chunks they are passed on as they come in; in a whole message, when it has arrived. Without
/// this extension they are in the response, as the extension
/// [`Informational`](oblivious_bhttp::Informational).
///
/// ```
/// use http::Request;
/// use oblivious_client::OnInformational;
///
/// let mut request = Request::get("https://example.com/").body(())?;
/// request.extensions_mut().insert(OnInformational::new(|early| println!("{}", early.status())));
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone)]
pub struct OnInformational {
    take: Arc<dyn Fn(Response<()>) + Send + Sync>,
}

impl OnInformational {
    /// Calls `take` for each of them. It must not block.
    pub fn new(take: impl Fn(Response<()>) + Send + Sync + 'static) -> Self {
        Self { take: Arc::new(take) }
    }

    pub(crate) fn give(&self, response: Response<()>) {
        (self.take)(response);
    }
}

impl fmt::Debug for OnInformational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnInformational").finish_non_exhaustive()
    }
}
