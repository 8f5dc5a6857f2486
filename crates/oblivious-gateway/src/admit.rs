//! Between decapsulation and the target: what is the same for whole requests and for chunks.

use std::future::poll_fn;

use http::{
    HeaderMap, HeaderValue, Request, Response,
    header::{CONTENT_LENGTH, HOST},
};
use oblivious_hpke::RequestHeader;
use oblivious_service::{
    BoxError, expects_continue, strip_connection_fields, strip_forwarding_fields,
};
use tower_service::Service;

use crate::{
    DatePolicy, GatewayBody, ReplayEntry, ReplayVerdict, TargetError, config::Config, max_forwards,
    nesting::Hops, observe, refusal::InnerRefusal,
};

/// What tells a decapsulated request from all others.
#[derive(Clone, Debug)]
pub(crate) struct Opened<'a> {
    pub(crate) header: RequestHeader,
    pub(crate) enc: &'a [u8],
    /// The way that it has come by.
    pub(crate) hops: Hops,
}

/// Decides whether the target may see the request, and takes away what it must not see.
pub(crate) async fn admit<B>(
    config: &Config,
    opened: Opened<'_>,
    mut request: Request<B>,
) -> Result<Request<B>, InnerRefusal> {
    guard(config, &opened, request.headers()).await?;
    // RFC 9458 §5.1: there is nobody to send a 100 (Continue) in time.
    if expects_continue(request.headers()) {
        return Err(InnerRefusal::ExpectContinue);
    }
    let admitted = config.policy.admit(request.method(), request.uri())?;
    let method = request.method().clone();
    max_forwards::count(&method, request.headers_mut())?;
    strip_connection_fields(request.headers_mut());
    strip_forwarding_fields(request.headers_mut());
    // Each layer of a nested request costs its sender a few bytes, and the gateways that may ask
    // each other a whole exchange.
    config.nesting.pass(opened.hops, request.headers_mut())?;
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
    S::Error: Into<BoxError>,
{
    // The errors' own text may name the target, which belongs in no log and no answer.
    let failed = |error: S::Error| InnerRefusal::Target(TargetError::of(&*error.into()));
    poll_fn(|cx| target.poll_ready(cx)).await.map_err(failed)?;
    let mut response = target.call(request).await.map_err(failed)?;
    if response.status().is_informational() {
        return Err(InnerRefusal::Target(TargetError::InvalidResponse));
    }
    join_content_lengths(response.headers_mut());
    // Nothing of what a service notes for others in the same process belongs on the wire.
    response.extensions_mut().clear();
    Ok(response)
}

/// Makes one field of lengths that are all the same: RFC 9110 §8.6 lets a recipient do so. Others
/// stay as they are, for the encoder to refuse.
fn join_content_lengths(headers: &mut HeaderMap) {
    let joined = {
        let mut lengths = headers
            .get_all(CONTENT_LENGTH)
            .iter()
            .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
            .map(<[u8]>::trim_ascii);
        let first = lengths.next();
        let mut repeated = false;
        let mut all_equal = true;
        for length in lengths {
            repeated = true;
            all_equal &= Some(length) == first;
        }
        first
            .filter(|_| repeated && all_equal)
            .and_then(|first| HeaderValue::from_bytes(first).ok())
    };
    if let Some(length) = joined {
        headers.insert(CONTENT_LENGTH, length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9110 §8.6
    #[test]
    fn lengths_that_are_all_the_same_are_one() {
        let joined = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_LENGTH, HeaderValue::from_static(value));
            }
            join_content_lengths(&mut headers);
            let left = headers.get_all(CONTENT_LENGTH).iter();
            left.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(joined(&["3"]), ["3"]);
        assert_eq!(joined(&["3", "3"]), ["3"]);
        assert_eq!(joined(&["3 ,\t3", "3"]), ["3"]);
        assert_eq!(joined(&["3, 4"]), ["3, 4"]);
        assert_eq!(joined(&["3", "4"]), ["3", "4"]);
        assert_eq!(joined(&["3", "03"]), ["3", "03"]);
        assert!(joined(&[]).is_empty());
    }
}
