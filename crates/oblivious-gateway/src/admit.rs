//! Between decapsulation and the target: what is the same for whole requests and for chunks.

use http::{HeaderMap, Request, header::HOST};
use oblivious_hpke::RequestHeader;
use oblivious_service::{expects_continue, strip_connection_fields, strip_forwarding_fields};

use crate::{
    DatePolicy, ReplayEntry, ReplayVerdict, config::Config, max_forwards, nesting::Hops, observe,
    refusal::InnerRefusal,
};

/// What identifies a decapsulated request.
#[derive(Clone, Debug)]
pub(crate) struct Opened<'a> {
    pub(crate) header: RequestHeader,
    pub(crate) enc: &'a [u8],
    /// The path that it has taken.
    pub(crate) hops: Hops,
}

/// Decides whether the target may see the request, and removes what it must not see.
pub(crate) async fn admit<B>(
    config: &Config,
    opened: Opened<'_>,
    mut request: Request<B>,
) -> Result<Request<B>, InnerRefusal> {
    guard(config, &opened, request.headers()).await?;
    // RFC 9458 §5.1: a 100 (Continue) could not arrive in time.
    if expects_continue(request.headers()) {
        return Err(InnerRefusal::ExpectContinue);
    }
    let admitted = config.policy.admit(request.method(), request.uri())?;
    let method = request.method().clone();
    max_forwards::count(&method, request.headers_mut())?;
    strip_connection_fields(request.headers_mut());
    strip_forwarding_fields(request.headers_mut());
    // Each layer of a nested request costs its sender a few bytes, but costs the gateways a whole
    // exchange.
    config.nesting.pass(opened.hops, request.headers_mut())?;
    *request.uri_mut() = admitted.uri;
    if let Some(host) = admitted.host {
        request.headers_mut().insert(HOST, host);
    }
    request.extensions_mut().insert(admitted.addresses);
    Ok(request)
}

/// Refuses what would have to be remembered after its key expires, then what was seen before, then
/// what has no acceptable date; in that order, so that the answer to a copy says nothing about
/// dates (RFC 9458 §6.5.2).
pub(crate) async fn guard(
    config: &Config,
    opened: &Opened<'_>,
    headers: &HeaderMap,
) -> Result<(), InnerRefusal> {
    let now = config.now();
    let mut remembers_since = None;
    if let Some(guard) = &config.guard {
        let key_id = opened.header.key_id;
        let accepted_until = config.keys.current().accepted_until(key_id);
        // A request in chunks was opened when it began, and copies of it may have been held open
        // since. Nothing is remembered for them after the key has expired.
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
