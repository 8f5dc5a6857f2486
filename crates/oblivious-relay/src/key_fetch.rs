//! Fetches the keys of a gateway, for the relay itself and thus for all its clients.

use std::future::poll_fn;
use std::sync::Arc;

use http::header::{ACCEPT, AUTHORIZATION, LOCATION, VIA};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body::Body;
use oblivious_keys::KeyConfigList;
use oblivious_service::{
    BoxError, Clock, MediaType, Timeout, collect, has_content_coding, media_type, resolve_location,
};
use tower_service::Service;

use crate::body::RelayRequestBody;
use crate::exchange::Chain;
use crate::gateway_uri;
use crate::key_list::KeyList;
use crate::refusal::{Failure, Refusal};
use crate::route::Route;

/// The longest list that is accepted. Nine configurations, one of each KEM, are less than 8 KiB.
const LONGEST_LIST: usize = 64 * 1024;

/// How many redirects of a gateway are followed.
const MAX_REDIRECTS: usize = 5;

/// What a fetch needs besides an HTTP client.
pub(crate) struct KeyFetch {
    pub(crate) route: Arc<Route>,
    pub(crate) via: HeaderValue,
    /// For the whole fetch.
    pub(crate) timeout: Option<Timeout>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl KeyFetch {
    pub(crate) async fn run<S, B, RB>(self, client: S) -> Result<Arc<KeyList>, Refusal>
    where
        S: Service<Request<RelayRequestBody<B>>, Response = Response<RB>>,
        S::Error: Into<BoxError>,
        RB: Body,
        RB::Error: Into<BoxError>,
    {
        let fetched = match &self.timeout {
            Some(timeout) => match timeout.run(self.fetch(client)).await {
                Ok(fetched) => fetched,
                Err(_) => Err(Refusal::GatewayStalled),
            },
            None => self.fetch(client).await,
        };
        if let Err(refusal) = &fetched {
            self.route.metrics.keys_fetched("failed");
            tracing::warn!(gateway = self.route.name(), "keys cannot be fetched: {refusal:?}");
        }
        fetched.map(Arc::new)
    }

    async fn fetch<S, B, RB>(&self, mut client: S) -> Result<KeyList, Refusal>
    where
        S: Service<Request<RelayRequestBody<B>>, Response = Response<RB>>,
        S::Error: Into<BoxError>,
        RB: Body,
        RB::Error: Into<BoxError>,
    {
        let mut uri = self.route.keys.clone().ok_or(Refusal::NoKeys)?;
        let known = self.route.learned.key_cache.last();
        let mut for_good = true;
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.request(uri.clone())?;
            if let Some(known) = &known {
                known.make_conditional(&mut request);
            }
            let response = send(&mut client, request).await.map_err(|error| {
                let cause = Chain(&*error);
                tracing::warn!(gateway = self.route.name(), %cause, "request for keys failed");
                Refusal::Unreachable(Failure::of(&*error))
            })?;
            let status = response.status();
            if let Some(next) = redirect(&uri, &response) {
                gateway_uri::check(&next, self.route.allow_http, self.route.name())
                    .map_err(|_| Refusal::NoKeys)?;
                for_good &= matches!(
                    status,
                    StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT
                );
                uri = next;
                continue;
            }
            let list = match (status, known) {
                (StatusCode::OK, _) => self.read(response).await?,
                (StatusCode::NOT_MODIFIED, Some(known)) => {
                    self.route.metrics.keys_fetched("unchanged");
                    known.confirmed(response.headers(), self.clock.now(), self.clock.uptime())
                }
                _ => return Err(Refusal::NoKeys),
            };
            if for_good && self.route.keys.as_ref() == Some(&self.route.gateway) {
                // RFC 9540 §5: a redirect of the gateway's resource is one for requests as well.
                self.route.move_to(uri);
            }
            return Ok(list);
        }
        Err(Refusal::NoKeys)
    }

    /// The same for all clients, since it is not made for any of them.
    fn request<B>(&self, uri: Uri) -> Result<Request<RelayRequestBody<B>>, Refusal> {
        let mut request = Request::new(RelayRequestBody::empty());
        let own = gateway_uri::same_origin(&uri, &self.route.gateway);
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, MediaType::OhttpKeys.into());
        headers.insert(VIA, self.via.clone());
        if let Some(authorization) = self.route.authorization.as_ref().filter(|_| own) {
            headers.insert(AUTHORIZATION, authorization.value().ok_or(Refusal::NoCredential)?);
        }
        Ok(request)
    }

    /// Accepts a list only if it is valid from the first byte to the last (RFC 9458 §3.2).
    async fn read<RB>(&self, response: Response<RB>) -> Result<KeyList, Refusal>
    where
        RB: Body,
        RB::Error: Into<BoxError>,
    {
        let (head, body) = response.into_parts();
        let is_list = media_type(&head.headers) == Some(MediaType::OhttpKeys)
            && !has_content_coding(&head.headers);
        if !is_list {
            return Err(Refusal::NoKeys);
        }
        let encoded = collect(body, LONGEST_LIST).await.map_err(|_| Refusal::NoKeys)?.data;
        KeyConfigList::decode(&encoded).map_err(|_| Refusal::NoKeys)?;
        self.route.metrics.keys_fetched("fetched");
        Ok(KeyList::new(encoded, &head.headers, self.clock.now(), self.clock.uptime()))
    }
}

async fn send<S, B, RB>(
    client: &mut S,
    request: Request<RelayRequestBody<B>>,
) -> Result<Response<RB>, BoxError>
where
    S: Service<Request<RelayRequestBody<B>>, Response = Response<RB>>,
    S::Error: Into<BoxError>,
{
    poll_fn(|cx| client.poll_ready(cx)).await.map_err(Into::into)?;
    client.call(request).await.map_err(Into::into)
}

/// Where a response redirects to. One that does not say where is not a redirect.
fn redirect<B>(from: &Uri, response: &Response<B>) -> Option<Uri> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    resolve_location(from, location)
}
