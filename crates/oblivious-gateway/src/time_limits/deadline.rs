//! The end of an exchange.

use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll},
};

use oblivious_service::Sleep;

/// What the future returns; `None` if the deadline, if there is one, passes first.
pub(crate) async fn until<F: Future>(deadline: &mut Option<Sleep>, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if has_passed(deadline, cx) {
            return Poll::Ready(None);
        }
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Whether the deadline, if there is one, has passed. It is then cleared.
pub(crate) fn has_passed(deadline: &mut Option<Sleep>, cx: &mut Context<'_>) -> bool {
    let passed = deadline.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready());
    if passed {
        *deadline = None;
    }
    passed
}
