//! Between decapsulation and the target: what is the same for whole requests and for chunks.

use std::future::poll_fn;

use http::{Method, Request, Response};
use http_body::Body;
use oblivious_hpke::RequestHeader;
use oblivious_service::{
    BoxError, expects_continue, strip_connection_fields, strip_forwarding_fields,
};
use tower_service::Service;

use crate::{GatewayBody, layer::Config, refusal::InnerRefusal};

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
    let _ = opened;
    // RFC 9458 §5.1: there is nobody to send a 100 (Continue) in time.
    if expects_continue(request.headers()) {
        return Err(InnerRefusal::ExpectContinue);
    }
    // Userinfo could make one host look like another (RFC 9110 §4.2.4).
    if request.uri().authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err(InnerRefusal::NotAnOrigin);
    }
    let tunnels = matches!(*request.method(), Method::CONNECT | Method::TRACE);
    if tunnels || !config.policy.allows(request.uri()) {
        return Err(InnerRefusal::Forbidden);
    }
    strip_connection_fields(request.headers_mut());
    strip_forwarding_fields(request.headers_mut());
    Ok(request)
}

/// Calls the target, as soon as it is ready, and waits for the head of its answer.
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
    strip_connection_fields(response.headers_mut());
    // Nothing of what a service notes for others in the same process belongs on the wire.
    response.extensions_mut().clear();
    Ok(response)
}
