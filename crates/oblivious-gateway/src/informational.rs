//! Informational responses (1xx) on their way from the target to the client.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
};

use http::{Response, StatusCode};
use oblivious_service::strip_connection_fields;

/// The most informational responses that one answer carries; more are left out.
const MAX_INFORMATIONAL: usize = 16;

/// Takes the informational responses (RFC 9292 §3.5.1) that precede an answer.
///
/// The target service finds one in the extensions of each request. What it sends there reaches the
/// client in front of the final response.
#[derive(Clone, Debug, Default)]
pub struct InformationalSender {
    shared: Arc<Mutex<Queue>>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Response<()>>,
    /// How many were sent, those already taken among them.
    sent: usize,
    /// The task that passes them on as they come.
    taker: Option<Waker>,
}

impl InformationalSender {
    /// Sends an informational response. In answer to a request in chunks it is passed on at once,
    /// in answer to a whole request together with the final response.
    ///
    /// Responses that are not informational, and 101 (Switching Protocols), which has no meaning
    /// here, are left out; so is what exceeds 16 responses.
    pub fn send(&self, mut response: Response<()>) {
        let status = response.status();
        if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        strip_connection_fields(response.headers_mut());
        let mut queue = self.lock();
        if queue.sent < MAX_INFORMATIONAL {
            queue.sent += 1;
            queue.waiting.push(response);
            let taker = queue.taker.take();
            // A waker may run anything, so it is not called under the lock.
            drop(queue);
            if let Some(taker) = taker {
                taker.wake();
            }
        }
    }

    /// Takes what has been sent so far, in order.
    pub(crate) fn take(&self) -> Vec<Response<()>> {
        std::mem::take(&mut self.lock().waiting)
    }

    /// [`take`](Self::take), and wakes the task when there is more.
    pub(crate) fn poll_take(&self, cx: &Context<'_>) -> Vec<Response<()>> {
        let mut queue = self.lock();
        queue.taker = Some(cx.waker().clone());
        std::mem::take(&mut queue.waiting)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics under the lock.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
