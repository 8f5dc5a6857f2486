//! The settings of a client, as an exchange reads them.

use std::sync::Arc;

use http::Uri;
use oblivious_bhttp::{DecodeOptions, EncodeOptions};
use oblivious_hpke::Recipient;
use oblivious_service::{Clock, Live, Timeout};

/// The settings that [`ClientLayer`](crate::ClientLayer) collects.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) relay: Uri,
    pub(crate) recipient: Live<Recipient>,
    pub(crate) request_limit: usize,
    pub(crate) response_limit: usize,
    pub(crate) timeout: Option<Timeout>,
    /// For the `Date` of requests; `None` if none is to be added.
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) encode_options: EncodeOptions,
    pub(crate) decode_options: DecodeOptions,
}
