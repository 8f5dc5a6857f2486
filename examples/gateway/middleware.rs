//! What every request passes before it is routed.

use std::convert::Infallible;

use axum::Router;
use axum::http::{HeaderValue, Request, Response, Version, header};
use oblivious_http::service::Live;
use oblivious_hyper::{Credentials, RequestBody};
use tower::{Service, ServiceExt, service_fn};

use crate::admin::Draining;

/// Puts `router` behind the [credentials](Credentials::refusal) that relays must show.
///
/// While the gateway is draining, HTTP/1 clients are told with the answers that it will not be
/// there much longer. Were connections just closed, a request that is on its way would be lost.
/// HTTP/2 has a way of its own.
pub(crate) fn before(
    router: Router,
    credentials: Live<Credentials>,
    draining: Draining,
) -> impl Service<
    Request<RequestBody>,
    Response = Response<axum::body::Body>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static {
    service_fn(move |mut request: Request<RequestBody>| {
        let refusal = credentials.current().refusal(&mut request);
        let (router, draining) = (router.clone(), draining.clone());
        async move {
            let http1 = request.version() <= Version::HTTP_11;
            let mut response = match refusal {
                Some(refusal) => refusal.map(axum::body::Body::new),
                None => router.oneshot(request).await?,
            };
            if http1 && draining.has_begun() {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(response)
        }
    })
}
