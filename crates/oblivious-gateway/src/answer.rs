//! Between decapsulation and the target: what is the same for whole requests and for chunks.

use std::future::poll_fn;

use http::{HeaderMap, Request, Response, header::HOST};
use http_body::Body;
use oblivious_hpke::RequestHeader;
use oblivious_service::{
    BoxError, expects_continue, strip_connection_fields, strip_forwarding_fields,
};
use tower_service::Service;

use crate::{
    DatePolicy, GatewayBody, ReplayEntry, ReplayVerdict, layer::Config, observe,
    refusal::InnerRefusal,
};

/// What tells a decapsulated request from all others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened<'a> {
    pub(crate) header: RequestHeader,
    pub(crate) enc: &'a [u8],
}

/// Decides whether the target may see the request, and takes away what it must not see.
pub(crate) async fn admit<B>(
    config: &Config,
    opened: Opened<'_>,
    mut request: Request<B>,
) -> Result<Request<B>, InnerRefusal> {
    guard(config, opened, request.headers()).await?;
    // RFC 9458 §5.1: there is nobody to send a 100 (Continue) in time.
    if expects_continue(request.headers()) {
        return Err(InnerRefusal::ExpectContinue);
    }
    let admitted = config.policy.admit(request.method(), request.uri())?;
    strip_connection_fields(request.headers_mut());
    strip_forwarding_fields(request.headers_mut());
    *request.uri_mut() = admitted.uri;
    if let Some(host) = admitted.host {
        request.headers_mut().insert(HOST, host);
    }
    request.extensions_mut().insert(admitted.addresses);
    Ok(request)
}

/// Refuses what would have to be remembered after its key's end, what was seen before, then what
/// has no acceptable date; in that order, so that the answer to a copy says nothing of dates
/// (RFC 9458 §6.5.2).
async fn guard(
    config: &Config,
    opened: Opened<'_>,
    headers: &HeaderMap,
) -> Result<(), InnerRefusal> {
    let now = config.now();
    let mut remembers_since = None;
    if let Some(guard) = &config.guard {
        let key_id = opened.header.key_id;
        let accepted_until = config.keys.current().accepted_until(key_id);
        // One in chunks was opened when it began, and copies of it may have been held open all the
        // time. Nothing is remembered for them beyond the key's end.
        if accepted_until.is_some_and(|last| last < now) {
            return Err(InnerRefusal::KeyEnded);
        }
        // A date that cannot be read is refused, now and when it comes again.
        let date = DatePolicy::read(headers).unwrap_or(Some(now));
        let remember_until = config.dates.remember_until(date, now, accepted_until);
        let entry = ReplayEntry { enc: opened.enc, key_id, now, remember_until };
        match guard.check_and_insert(entry).await {
            Ok(ReplayVerdict::Fresh) => {}
            Ok(ReplayVerdict::Seen) => return Err(InnerRefusal::Replayed),
            Err(_) => return Err(InnerRefusal::GuardUnavailable),
        }
        if let Some(load) = guard.load() {
            observe::guard_load(load);
        }
        remembers_since = guard.remembers_since();
    }
    let judged = config.dates.check(headers, now, remembers_since);
    judged.map(drop).map_err(|reason| InnerRefusal::Date { reason, now })
}

/// Calls the target, as soon as it is ready, and waits for the head of its answer.
///
/// The fields that concern a connection are still there, for the encoder to leave out: without
/// `connection` it would not know what to leave out of the trailers.
pub(crate) async fn call<S, T>(
    mut target: S,
    request: Request<GatewayBody>,
) -> Result<Response<T>, InnerRefusal>
where
    S: Service<Request<GatewayBody>, Response = Response<T>>,
    T: Body,
    T::Error: Into<BoxError>,
{
    // The errors' own text may name the target, which belongs in no log and no answer.
    let failed = |_| InnerRefusal::TargetFailed;
    poll_fn(|cx| target.poll_ready(cx)).await.map_err(failed)?;
    let mut response = target.call(request).await.map_err(failed)?;
    if response.status().is_informational() {
        return Err(InnerRefusal::TargetInvalid);
    }
    // Nothing of what a service notes for others in the same process belongs on the wire.
    response.extensions_mut().clear();
    Ok(response)
}
