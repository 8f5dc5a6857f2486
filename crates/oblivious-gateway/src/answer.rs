//! From a decapsulated request to the answer that will be encapsulated.

use std::future::poll_fn;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use oblivious_bhttp::{Content, Informational, decode_request};
use oblivious_service::{
    BoxError, CollectError, collect, expects_continue, strip_connection_fields,
    strip_forwarding_fields,
};
use tower_service::Service;
use tracing::debug;

use crate::{GatewayBody, InformationalSender, layer::Config, refusal::InnerRefusal};

/// The target's answer to a decapsulated message, or the gateway's own.
pub(crate) async fn answer<S, T>(config: &Config, target: S, message: Bytes) -> Response<Content>
where
    S: Service<Request<GatewayBody>, Response = Response<T>>,
    T: Body,
    T::Error: Into<BoxError>,
{
    let request = match decode_request(message, &config.decode_options) {
        Ok(request) => request,
        Err(error) => {
            debug!(%error, "decapsulated request is not binary HTTP");
            return InnerRefusal::NotBinaryHttp.into_response();
        }
    };
    let is_head = request.method() == Method::HEAD;
    let asked = match admit(config, request) {
        Ok(request) => ask(config, target, request).await,
        Err(refusal) => Err(refusal),
    };
    let mut response = asked.unwrap_or_else(|refusal| {
        debug!(?refusal, "request not answered by the target");
        refusal.into_response()
    });
    if is_head {
        // RFC 9110 §9.3.2: no content in answer to HEAD, whatever the target service returned.
        *response.body_mut() = Content::default();
    }
    response
}

/// Decides whether the target may see the request, and takes away what it must not see.
fn admit(
    config: &Config,
    mut request: Request<Content>,
) -> Result<Request<GatewayBody>, InnerRefusal> {
    // RFC 9458 §5.1: there is nobody to send a 100 (Continue) in time.
    if expects_continue(request.headers()) {
        return Err(InnerRefusal::ExpectContinue);
    }
    let admitted = config.policy.admit(request.method(), request.uri())?;
    strip_connection_fields(request.headers_mut());
    strip_forwarding_fields(request.headers_mut());
    *request.uri_mut() = admitted.uri;
    request.extensions_mut().insert(admitted.addresses);
    Ok(request.map(GatewayBody::new))
}

/// Calls the target and reads its whole response, within the time limit.
async fn ask<S, T>(
    config: &Config,
    target: S,
    mut request: Request<GatewayBody>,
) -> Result<Response<Content>, InnerRefusal>
where
    S: Service<Request<GatewayBody>, Response = Response<T>>,
    T: Body,
    T::Error: Into<BoxError>,
{
    let informational = InformationalSender::default();
    request.extensions_mut().insert(informational.clone());
    let calling = call(target, request, config.response_limit);
    let mut response = match &config.target_timeout {
        Some(timeout) => timeout.run(calling).await.map_err(|_| InnerRefusal::TargetTooSlow)??,
        None => calling.await?,
    };
    // Nothing of what a service notes for others in the same process belongs on the wire.
    response.extensions_mut().clear();
    let mut informational = informational.take();
    for response in &mut informational {
        strip_connection_fields(response.headers_mut());
    }
    if !informational.is_empty() {
        response.extensions_mut().insert(Informational(informational));
    }
    Ok(response)
}

async fn call<S, T>(
    mut target: S,
    request: Request<GatewayBody>,
    limit: usize,
) -> Result<Response<Content>, InnerRefusal>
where
    S: Service<Request<GatewayBody>, Response = Response<T>>,
    T: Body,
    T::Error: Into<BoxError>,
{
    // The errors' own text may name the target, which belongs in no log and no answer.
    let failed = |_| InnerRefusal::TargetFailed;
    poll_fn(|cx| target.poll_ready(cx)).await.map_err(failed)?;
    let response = target.call(request).await.map_err(failed)?;
    let (mut parts, body) = response.into_parts();
    if parts.status.is_informational() {
        return Err(InnerRefusal::TargetInvalid);
    }
    let collected = collect(body, limit).await.map_err(|error| match error {
        CollectError::TooLarge { .. } => InnerRefusal::TargetTooLarge,
        _ => InnerRefusal::TargetFailed,
    })?;
    strip_connection_fields(&mut parts.headers);
    let content = Content { data: collected.data.freeze(), trailers: collected.trailers };
    Ok(Response::from_parts(parts, content))
}
