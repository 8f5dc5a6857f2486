//! What HPKE is told about the messages (RFC 9458 §4.3, §4.4, §4.6).

use alloc::vec::Vec;

use thiserror::Error;

use crate::RequestHeader;

/// The labels that bind an exchange to what its messages are.
///
/// Binary HTTP uses [`BINARY_HTTP`](Self::BINARY_HTTP), the default. A protocol that carries
/// something else, such as DNS messages, needs its own labels, so that a message sealed for one is
/// never opened as the other (RFC 9458 §4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels {
    whole: [&'static str; 2],
    chunked: Option<[&'static str; 2]>,
}

impl Labels {
    /// Binary HTTP: `message/bhttp request` and `message/bhttp response` (RFC 9458 §4.3 and §4.4),
    /// and the same with `chunked` for messages in chunks (draft-ietf-ohai-chunked-ohttp §6).
    pub const BINARY_HTTP: Self = Self {
        whole: ["message/bhttp request", "message/bhttp response"],
        chunked: Some(["message/bhttp chunked request", "message/bhttp chunked response"]),
    };

    /// Labels of another protocol, for whole messages. Messages in chunks are then an error: see
    /// [`with_chunked`](Self::with_chunked).
    ///
    /// RFC 9458 §4.6 recommends the media types of request and response. A zero byte in a label
    /// would make it ambiguous where it ends.
    ///
    /// # Errors
    /// If the two labels are the same, or one is empty or has a zero byte.
    pub fn new(request: &'static str, response: &'static str) -> Result<Self, LabelsError> {
        Self { whole: [request, response], chunked: None }.checked()
    }

    /// Adds labels for messages in chunks, if the protocol has them.
    ///
    /// # Errors
    /// If two of the four labels are the same, or one is empty or has a zero byte.
    pub fn with_chunked(
        self,
        request: &'static str,
        response: &'static str,
    ) -> Result<Self, LabelsError> {
        Self { chunked: Some([request, response]), ..self }.checked()
    }

    pub(crate) fn has_chunked(&self) -> bool {
        self.chunked.is_some()
    }

    fn checked(self) -> Result<Self, LabelsError> {
        let all: Vec<_> =
            self.whole.into_iter().chain(self.chunked.into_iter().flatten()).collect();
        let repeated = (1..all.len()).any(|i| all[..i].contains(&all[i]));
        if repeated || all.iter().any(|label| label.is_empty() || label.contains('\0')) {
            return Err(LabelsError);
        }
        Ok(self)
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self::BINARY_HTTP
    }
}

/// The labels do not tell request and response, or whole and chunked messages, apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("labels must all be different, and none may be empty or contain a zero byte")]
pub struct LabelsError;

/// What HPKE is told about messages under one key and suite, computed once.
pub(crate) struct Info {
    pub(crate) whole: Purpose,
    pub(crate) chunked: Option<Purpose>,
}

/// What HPKE is told about one kind of messages.
pub(crate) struct Purpose {
    /// `info`: the request's label, a zero byte, the header (RFC 9458 §4.3).
    pub(crate) info: Vec<u8>,
    /// The exporter context of the response's secret (RFC 9458 §4.4).
    pub(crate) response_label: &'static [u8],
}

impl Info {
    pub(crate) fn new(header: &RequestHeader, labels: &Labels) -> Self {
        let purpose = |[request, response]: [&'static str; 2]| Purpose {
            info: [request.as_bytes(), &[0], &header.encode()].concat(),
            response_label: response.as_bytes(),
        };
        Self { whole: purpose(labels.whole), chunked: labels.chunked.map(purpose) }
    }
}
