//! One exchange: a request that goes to the gateway, and the answer that comes back.

use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

use http::header::LOCATION;
use http::{Response, StatusCode};
use http_body::Body;
use oblivious_service::{BoxError, resolve_location};

use crate::body::RelayResponseBody;
use crate::media::Kind;
use crate::refusal::{Failure, Refusal};
use crate::response::filter;
use crate::route::Route;
use crate::under_way::{Answering, Fault};

/// Waits for the gateway's answer to the `call` with a request of this kind, and turns it into the
/// one for the client, which may have up to `limit` bytes.
pub(crate) async fn exchange<RB, E>(
    call: impl Future<Output = Result<Response<RB>, E>>,
    kind: Kind,
    route: &Route,
    limit: u64,
    answering: Answering,
) -> Result<Response<RelayResponseBody<RB>>, Refusal>
where
    E: Into<BoxError>,
    RB: Body,
{
    let began = Instant::now();
    let mut call = pin!(call);
    let answer = poll_fn(|cx| {
        if let Poll::Ready(answer) = call.as_mut().poll(cx) {
            return Poll::Ready(Some(answer));
        }
        let elapsed = answering.poll_elapsed(cx);
        if answering.under_way().fault().is_some() {
            // A gateway that got only part of a request has nothing to say that is worth waiting
            // for.
            return Poll::Ready(None);
        }
        elapsed.map(|_| None)
    })
    .await;
    // If the body of the request failed, whatever the gateway says is only about part of it.
    match answering.under_way().fault() {
        Some(Fault::TooLarge) => return Err(Refusal::TooLarge),
        Some(Fault::Broken) => return Err(Refusal::BodyBroken),
        None => {}
    }
    match answer {
        Some(Ok(response)) => {
            route.metrics.answered(began);
            answering.moved();
            note_move(route, &response);
            let status = response.status().as_u16();
            let filtered = filter(response, &route.media, kind, limit, answering);
            if filtered.is_err() {
                let gateway = route.name();
                tracing::debug!(gateway, status, "the gateway's answer does not pass");
            }
            filtered
        }
        Some(Err(error)) => {
            let error = error.into();
            let cause = Chain(&*error);
            tracing::warn!(gateway = route.name(), %cause, "request to the gateway failed");
            Err(Refusal::Unreachable(Failure::of(&*error)))
        }
        None if answering.under_way().is_awaiting_client() => Err(Refusal::ClientStalled),
        None => Err(Refusal::GatewayStalled),
    }
}

/// A gateway that was found by its well-known URI may say that it has moved (RFC 9540 §5). Later
/// requests go there; this one does not, since it has already been sent (RFC 9458 §6.5).
fn note_move<B>(route: &Route, response: &Response<B>) {
    let is_discovered = route.keys.as_ref() == Some(&route.gateway);
    if !is_discovered || response.status() != StatusCode::PERMANENT_REDIRECT {
        return;
    }
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    if let Some(uri) = location.and_then(|location| resolve_location(route.destination(), location))
    {
        route.move_to(uri);
    }
}

/// Shows an error with its causes, on one line.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
