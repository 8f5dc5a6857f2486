//! The key configurations, as a resource that clients fetch (RFC 9458 §3.2).

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use oblivious_hpke::KeyRing;
use oblivious_service::{FullBody, MediaType, Shared, plain_text};
use tower_service::Service;

/// The default of [`PublishKeys::max_age`]: one hour.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(3600);

/// Answers GET and HEAD with the key configurations in use, as `application/ohttp-keys`.
///
/// Clients must get them in a way that they can trust, over TLS from the gateway itself for
/// instance: who can exchange the key can read the requests (RFC 9458 §6.1).
#[derive(Clone, Debug)]
pub struct PublishKeys {
    keys: Shared<KeyRing>,
    max_age: Duration,
}

impl PublishKeys {
    /// Publishes `keys`, for clients to keep for an hour.
    pub fn new(keys: impl Into<Shared<KeyRing>>) -> Self {
        Self { keys: keys.into(), max_age: DEFAULT_MAX_AGE }
    }

    /// Sets how long clients may keep the configurations without asking again; whole seconds
    /// count. A key must stay in the ring at least so long after its last publication.
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    fn respond(&self, method: &Method) -> Response<FullBody> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut response =
                plain_text(StatusCode::METHOD_NOT_ALLOWED, "Fetch the keys with GET.\n");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let Ok(list) = self.keys.current().config_list() else {
            return plain_text(StatusCode::SERVICE_UNAVAILABLE, "This gateway has no key.\n");
        };
        let encoded = list.encode();
        let length = HeaderValue::from(encoded.len());
        let body = if method == Method::HEAD { FullBody::empty() } else { encoded.into() };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        let content_type = HeaderValue::from_static(MediaType::OhttpKeys.as_str());
        headers.insert(header::CONTENT_TYPE, content_type);
        headers.insert(header::CONTENT_LENGTH, length);
        let max_age = format!("max-age={}", self.max_age.as_secs());
        if let Ok(cache_control) = HeaderValue::try_from(max_age) {
            headers.insert(header::CACHE_CONTROL, cache_control);
        }
        response
    }
}

impl<B> Service<Request<B>> for PublishKeys {
    type Response = Response<FullBody>;
    type Error = Infallible;
    type Future = Ready<Result<Response<FullBody>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.respond(request.method())))
    }
}
