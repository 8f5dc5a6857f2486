//! What relays must show before a request is routed.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use oblivious_http::service::Live;
use oblivious_hyper::{Credentials, RequestBody};
use tower::{Service, ServiceExt, service_fn};

/// Puts `router` behind the [credentials](Credentials::refusal).
pub(crate) fn before(
    router: Router,
    credentials: Live<Credentials>,
) -> impl Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    service_fn(move |mut request: Request<RequestBody>| {
        let refusal = credentials.current().refusal(&mut request);
        let router = router.clone();
        async move {
            match refusal {
                Some(refusal) => Ok(refusal.map(Body::new)),
                None => router.oneshot(request).await,
            }
        }
    })
}
