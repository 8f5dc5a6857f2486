//! Who the client is, for limits that go by it.

use std::convert::Infallible;

use http::{Request, Response};
use oblivious_http::service::{ClientAddress, TrustedProxies};
use oblivious_hyper::RequestBody;
use oblivious_hyper::server::PeerAddr;
use tower::{Service, ServiceExt, service_fn};

use crate::settings::ClientSettings;

/// The proxies that are believed, if there are any.
pub(crate) fn proxies(settings: &ClientSettings) -> anyhow::Result<Option<TrustedProxies>> {
    if settings.trusted_proxy.is_empty() {
        return Ok(None);
    }
    Ok(Some(TrustedProxies::new(&settings.trusted_proxy, &settings.proxy_field)?))
}

/// Puts the address of the client into the extensions of each request, where it is known.
pub(crate) fn before<S, B>(
    service: S,
    proxies: Option<TrustedProxies>,
) -> impl Service<Request<RequestBody>, Response = Response<B>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
    B: 'static,
{
    let client = move |request: &Request<RequestBody>| {
        let PeerAddr(peer) = request.extensions().get::<PeerAddr>()?;
        match &proxies {
            Some(proxies) => proxies.client(peer.ip(), request.headers()),
            None => Some(ClientAddress::from(peer.ip())),
        }
    };
    service_fn(move |mut request: Request<RequestBody>| {
        if let Some(client) = client(&request) {
            request.extensions_mut().insert(client);
        }
        service.clone().oneshot(request)
    })
}
