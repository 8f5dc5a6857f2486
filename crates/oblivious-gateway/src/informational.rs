//! Informational responses (1xx) on their way from the target to the client.

use std::sync::{Arc, Mutex, PoisonError};

use http::{Response, StatusCode};

/// The most informational responses that one answer carries; more are left out.
const MAX_INFORMATIONAL: usize = 16;

/// Takes the informational responses (RFC 9292 §3.5.1) that precede an answer.
///
/// The target service finds one in the extensions of each request. What it sends there reaches the
/// client in front of the final response.
#[derive(Clone, Debug, Default)]
pub struct InformationalSender {
    sent: Arc<Mutex<Vec<Response<()>>>>,
}

impl InformationalSender {
    /// Sends an informational response.
    ///
    /// Responses that are not informational, and 101 (Switching Protocols), which has no meaning
    /// here, are left out; so is what exceeds 16 responses.
    pub fn send(&self, response: Response<()>) {
        let status = response.status();
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if status.is_informational()
            && status != StatusCode::SWITCHING_PROTOCOLS
            && sent.len() < MAX_INFORMATIONAL
        {
            sent.push(response);
        }
    }

    /// Takes what has been sent so far, in order.
    pub(crate) fn take(&self) -> Vec<Response<()>> {
        std::mem::take(&mut self.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
