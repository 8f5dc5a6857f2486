//! What a message is, said to HPKE (RFC 9458 §4.3, §4.4).

/// The labels that bind an exchange to its media types.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels {
    /// The start of HPKE's `info`.
    pub(crate) request: &'static [u8],
    /// The exporter context of the response's secret.
    pub(crate) response: &'static [u8],
}

impl Labels {
    /// Binary HTTP in whole messages (RFC 9458 §4.3 and §4.4).
    pub(crate) const BINARY_HTTP: Self =
        Self { request: b"message/bhttp request", response: b"message/bhttp response" };
}
