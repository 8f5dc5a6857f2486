//! The settings of a client, as an exchange reads them.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, Uri};
use oblivious_bhttp::{DecodeOptions, EncodeOptions};
use oblivious_hpke::ChunkLimits;
use oblivious_service::{Clock, Timeout};

use crate::{ClientError, Gateway};

/// The settings that [`ClientLayer`](crate::ClientLayer) collects.
#[derive(Clone)]
pub(crate) struct Config {
    /// In the order in which they are tried; never empty.
    pub(crate) gateways: Vec<Gateway>,
    /// Fields of every outer request.
    pub(crate) outer_fields: HeaderMap,
    pub(crate) in_chunks: bool,
    pub(crate) allow_cookies: bool,
    pub(crate) allow_authorization: bool,
    pub(crate) request_limit: usize,
    pub(crate) response_limit: usize,
    pub(crate) timeout: Option<Timeout>,
    pub(crate) idle_timeout: Option<Timeout>,
    /// For the `Date` of requests; `None` if none is to be added.
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) date_precision: Duration,
    pub(crate) correct_date: bool,
    pub(crate) encode_options: EncodeOptions,
    pub(crate) decode_options: DecodeOptions,
    pub(crate) chunk_limits: ChunkLimits,
}

impl Config {
    /// The first gateway that may serve a target (RFC 9458 §6.1).
    pub(crate) fn gateway_for(&self, target: &Uri) -> Result<&Gateway, ClientError> {
        let gateway = self.gateways.iter().find(|gateway| gateway.serves(target));
        gateway.ok_or(ClientError::NoGateway)
    }
}
