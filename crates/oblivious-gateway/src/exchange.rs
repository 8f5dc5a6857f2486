//! One exchange, from the encapsulated request to the encapsulated response.

use std::sync::Arc;

use http::{Method, Request, Response};
use http_body::Body;
use oblivious_service::{BoxError, FullBody, MediaType, has_content_coding, media_type};
use tower_service::Service;
use tracing::Instrument;

use crate::{
    EncapsulatedBody, GatewayBody, chunked, config::Config, observe::Exchange,
    refusal::OuterRefusal, unchunked,
};

/// Serves a request: what goes wrong before it is decapsulated is answered in clear, everything
/// after encapsulated (RFC 9458 §5.2).
pub(crate) async fn serve<S, B, T>(
    config: Arc<Config>,
    target: S,
    request: Request<B>,
) -> Response<EncapsulatedBody>
where
    S: Service<Request<GatewayBody>, Response = Response<T>> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
    T: Body + Send + 'static,
    T::Data: Send,
    T::Error: Into<BoxError>,
{
    let exchange = Arc::new(Exchange::begin());
    let span = exchange.span();
    let outcome = dispatch(config, target, request, &exchange).instrument(span).await;
    outcome.unwrap_or_else(|refusal| {
        exchange.refused(refusal);
        refusal.into_response().map(EncapsulatedBody::from)
    })
}

async fn dispatch<S, B, T>(
    config: Arc<Config>,
    target: S,
    request: Request<B>,
    exchange: &Arc<Exchange>,
) -> Result<Response<EncapsulatedBody>, OuterRefusal>
where
    S: Service<Request<GatewayBody>, Response = Response<T>> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
    T: Body + Send + 'static,
    T::Data: Send,
    T::Error: Into<BoxError>,
{
    if request.method() != Method::POST {
        return Err(OuterRefusal::Method);
    }
    let kind = media_type(request.headers());
    if kind.is_some() && has_content_coding(request.headers()) {
        return Err(OuterRefusal::ContentCoding);
    }
    let hops = config.nesting.hops(request.headers());
    let permit = config.concurrency.enter().ok_or(OuterRefusal::Busy)?;
    match kind {
        Some(MediaType::OhttpRequest) => {
            let response =
                unchunked::serve(&config, target, request.into_body(), hops, exchange).await?;
            let counted = |body: FullBody| FullBody::from(permit.held_by(body.into_bytes()));
            Ok(response.map(|body| counted(body).into()))
        }
        Some(MediaType::OhttpChunkedRequest) if config.chunked => {
            chunked::serve(config, target, request.into_body(), hops, exchange, permit).await
        }
        _ => Err(OuterRefusal::MediaType),
    }
}
