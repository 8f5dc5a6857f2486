//! Keys fetched over HTTP.

use std::{
    fmt,
    future::poll_fn,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use oblivious_keys::{KeyConfig, KeyConfigList};
use oblivious_service::{
    BoxError, CollectError, Content, MediaType, SendBody, Timeout, collect, media_type,
    resolve_location,
};
use tower_service::Service;

use super::{
    Demand, FetchedKeys, Fetching, KeySource, KeySourceError,
    freshness::fresh_for,
    location::{self, KeyUrlError},
};

/// The longest answer that is read, in bytes. The longest configurations have about two thousand.
const MAX_LEN: usize = 256 << 10;
/// The most redirects that are followed.
const MAX_REDIRECTS: usize = 5;
/// RFC 9540 §5.
const WELL_KNOWN: &str = "/.well-known/ohttp-gateway";

/// The key configurations at a URL, fetched by any tower service that sends HTTP requests.
///
/// The server is asked for `application/ohttp-keys`, and with its last `ETag` if it gave one
/// ([`without_etag`](Self::without_etag)); apart from what the service adds, nothing else tells one
/// client's request from another's. The server sees the client's address. To hide it, let the
/// service go through an HTTP proxy with CONNECT, so that TLS ends at the gateway.
pub struct UrlKeys<C> {
    uri: Uri,
    // In a lock, so that the service need not be `Sync` to be cloned.
    http_client: Mutex<C>,
    allow_http: bool,
    max_redirects: usize,
    bare: bool,
    /// Set if lists that say when their keys are valid are accepted.
    #[cfg(feature = "extended-keys")]
    extended: Option<std::sync::Arc<dyn oblivious_service::Clock>>,
    by_relay: bool,
    etag: bool,
    timeout: Option<Timeout>,
    kept: Mutex<Option<Kept>>,
}

/// The last answer, to be used again if the server says that it still holds.
#[derive(Clone)]
struct Kept {
    uri: Uri,
    etag: HeaderValue,
    answer: Answer,
}

/// What a server has said.
#[derive(Clone)]
struct Answer {
    body: Bytes,
    form: Form,
    fresh_for: Option<Duration>,
}

#[derive(Clone)]
enum Form {
    List,
    Bare,
    #[cfg(feature = "extended-keys")]
    Extended(std::sync::Arc<dyn oblivious_service::Clock>),
}

impl<C> UrlKeys<C> {
    /// The list at `uri`, which must be https (RFC 9458 §6.1). Redirects are not followed.
    ///
    /// # Errors
    /// If keys cannot be fetched from such a URL.
    pub fn new(uri: Uri, http_client: C) -> Result<Self, KeyUrlError> {
        Self::checked(uri, http_client, false)
    }

    /// Like [`new`](Self::new), but `uri` may be http. Only for tests and closed networks: anyone
    /// on the path can replace the keys, and read everything.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn allowing_http(uri: Uri, http_client: C) -> Result<Self, KeyUrlError> {
        Self::checked(uri, http_client, true)
    }

    /// Discovers the keys of the gateway that serves this origin (RFC 9540 §5 and §6): those at
    /// `/.well-known/ohttp-gateway`, following its redirects over https. Path and query of `origin`
    /// are ignored.
    ///
    /// Where redirects lead only matters for this fetch. The relay is not told, since it could be a
    /// URL made for one client.
    ///
    /// # Errors
    /// If keys cannot be fetched from such a URL.
    pub fn discover(origin: &Uri, http_client: C) -> Result<Self, KeyUrlError> {
        Ok(Self { max_redirects: MAX_REDIRECTS, ..Self::new(well_known(origin)?, http_client)? })
    }

    /// Like [`discover`](Self::discover), but over http or https: see
    /// [`allowing_http`](Self::allowing_http).
    ///
    /// # Errors
    /// Those of [`discover`](Self::discover).
    pub fn discover_allowing_http(origin: &Uri, http_client: C) -> Result<Self, KeyUrlError> {
        let found = Self::allowing_http(well_known(origin)?, http_client)?;
        Ok(Self { max_redirects: MAX_REDIRECTS, ..found })
    }

    fn checked(uri: Uri, http_client: C, allow_http: bool) -> Result<Self, KeyUrlError> {
        location::check(&uri, allow_http)?;
        Ok(Self {
            uri,
            http_client: Mutex::new(http_client),
            allow_http,
            max_redirects: 0,
            bare: false,
            #[cfg(feature = "extended-keys")]
            extended: None,
            by_relay: false,
            etag: true,
            timeout: None,
            kept: Mutex::new(None),
        })
    }

    /// Reads the answer as one bare configuration, whatever its media type: what older gateways
    /// publish, such as the Go gateway at `/ohttp-configs`. The two forms cannot be told apart, so
    /// the caller must know.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// Also asks for lists whose keys say when they are valid, which `clock` decides: of
    /// `application/ohttp-keys-ext-00`, a draft (draft-schinazi-httpbis-ohttp-ext-key-config). Those
    /// that are valid become a plain list, which is what is compared with others and pinned; it is
    /// used for no longer than all of them are valid.
    #[cfg(feature = "extended-keys")]
    #[must_use]
    pub fn extended(mut self, clock: impl oblivious_service::Clock) -> Self {
        self.extended = Some(std::sync::Arc::new(clock));
        self
    }

    /// Says that the relay answers at this URL, though it is not the relay's own address: its
    /// answers then only count if they are compared with others, or pinned. For the relay's own
    /// address this need not be said.
    #[must_use]
    pub fn by_relay(mut self) -> Self {
        self.by_relay = true;
        self
    }

    /// Never sends an `ETag` back: a server could make one for each client, and recognize a client
    /// behind a proxy by it. Every fetch then transfers the whole list.
    #[must_use]
    pub fn without_etag(mut self) -> Self {
        self.etag = false;
        self
    }

    /// Sets how long a fetch may take, redirects included. Without it, only the caller limits the
    /// time.
    #[must_use]
    pub fn timeout(mut self, timeout: Timeout) -> Self {
        self.timeout = Some(timeout);
        self
    }

    #[cfg(feature = "dns")]
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    fn kept(&self) -> Option<Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, kept: Option<Kept>) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }

    fn request(&self, uri: &Uri, demand: Demand, kept: Option<&Kept>) -> Request<Content> {
        let mut request = Request::new(Content::default());
        *request.uri_mut() = uri.clone();
        let headers = request.headers_mut();
        if let Some(accepted) = self.accepted() {
            headers.insert(header::ACCEPT, accepted);
        }
        if demand == Demand::Revalidated {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        if let Some(kept) = kept {
            headers.insert(header::IF_NONE_MATCH, kept.etag.clone());
        }
        request
    }

    /// The list in an answer, as a plain one, and how long it may be used.
    fn read(&self, answer: &Answer) -> Result<FetchedKeys, KeySourceError> {
        let invalid = |error| KeySourceError::Invalid { name: self.uri.to_string(), error };
        let Answer { body, form, fresh_for } = answer;
        let (list, fresh_for) = match form {
            Form::List => {
                KeyConfigList::decode(body).map_err(invalid)?;
                (body.clone(), *fresh_for)
            }
            Form::Bare => {
                let config = KeyConfig::decode_bare(body).map_err(invalid)?;
                let list = KeyConfigList::new(vec![config]).expect("one configuration is a list");
                (list.encode(), *fresh_for)
            }
            #[cfg(feature = "extended-keys")]
            Form::Extended(clock) => {
                let (list, valid_for) = super::extended::valid_now(body, &**clock)
                    .map_err(invalid)?
                    .ok_or_else(|| KeySourceError::NoneValid { name: self.uri.to_string() })?;
                (list, [*fresh_for, valid_for].into_iter().flatten().min())
            }
        };
        Ok(FetchedKeys { list, fresh_for })
    }

    /// What an answer is, by its fields; `None` if it is not what was asked for.
    fn form_of(&self, headers: &HeaderMap) -> Option<Form> {
        #[cfg(feature = "extended-keys")]
        if let Some(clock) = &self.extended
            && super::extended::is_extended(headers)
        {
            return Some(Form::Extended(std::sync::Arc::clone(clock)));
        }
        match self.bare {
            true => Some(Form::Bare),
            false => (media_type(headers) == Some(MediaType::OhttpKeys)).then_some(Form::List),
        }
    }

    /// The media types that are asked for.
    fn accepted(&self) -> Option<HeaderValue> {
        #[cfg(feature = "extended-keys")]
        if self.extended.is_some() {
            return Some(super::extended::accepted());
        }
        // Servers of the bare form do not know the media types.
        (!self.bare).then(|| HeaderValue::from_static(MediaType::OhttpKeys.as_str()))
    }
}

impl<C, R> UrlKeys<C>
where
    C: Service<Request<Content>, Response = Response<R>> + Clone + Send + 'static,
    C::Future: Send,
    C::Error: Into<BoxError>,
    R: SendBody,
{
    async fn fetch_following(&self, demand: Demand) -> Result<FetchedKeys, KeySourceError> {
        let mut uri = self.uri.clone();
        for _ in 0..=self.max_redirects {
            let kept = self.kept().filter(|kept| kept.uri == uri);
            let response = self.ask(self.request(&uri, demand, kept.as_ref())).await?;
            let status = response.status();
            if let (StatusCode::NOT_MODIFIED, Some(mut kept)) = (status, kept) {
                kept.answer.fresh_for = fresh_for(response.headers()).or(kept.answer.fresh_for);
                return self.read(&kept.answer);
            }
            if is_redirect(status) {
                uri = self.redirected(&uri, response.headers())?;
                continue;
            }
            return self.accept(&uri, response).await;
        }
        Err(KeySourceError::Redirect { name: self.name() })
    }

    async fn ask(&self, request: Request<Content>) -> Result<Response<R>, KeySourceError> {
        let mut http_client =
            self.http_client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let failed = |error: C::Error| self.unreachable(error.into());
        poll_fn(|cx| http_client.poll_ready(cx)).await.map_err(failed)?;
        http_client.call(request).await.map_err(failed)
    }

    fn unreachable(&self, error: BoxError) -> KeySourceError {
        KeySourceError::Unreachable { name: self.uri.to_string(), error }
    }

    fn redirected(&self, base: &Uri, headers: &HeaderMap) -> Result<Uri, KeySourceError> {
        let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        location
            .and_then(|location| resolve_location(base, location))
            .filter(|uri| location::check(uri, self.allow_http).is_ok())
            .ok_or_else(|| KeySourceError::Redirect { name: self.name() })
    }

    async fn accept(
        &self,
        uri: &Uri,
        response: Response<R>,
    ) -> Result<FetchedKeys, KeySourceError> {
        let name = || self.uri.to_string();
        let (parts, body) = response.into_parts();
        if parts.status != StatusCode::OK {
            return Err(KeySourceError::Status { name: name(), status: parts.status });
        }
        let media_type = || KeySourceError::MediaType { name: name() };
        let form = self.form_of(&parts.headers).ok_or_else(media_type)?;
        let body = collect(body, MAX_LEN).await.map_err(|error| match error {
            CollectError::TooLarge { limit } => KeySourceError::TooLong { name: name(), limit },
            CollectError::Body(error) => self.unreachable(error),
            other => self.unreachable(other.into()),
        })?;
        let fresh_for = fresh_for(&parts.headers);
        let answer = Answer { body: body.data, form, fresh_for };
        let keys = self.read(&answer)?;
        let etag = parts.headers.get(header::ETAG).filter(|_| self.etag).cloned();
        self.keep(etag.map(|etag| Kept { uri: uri.clone(), etag, answer }));
        Ok(keys)
    }
}

impl<C, R> KeySource for UrlKeys<C>
where
    C: Service<Request<Content>, Response = Response<R>> + Clone + Send + 'static,
    C::Future: Send,
    C::Error: Into<BoxError>,
    R: SendBody,
{
    fn name(&self) -> String {
        self.uri.to_string()
    }

    fn fetch(&self, demand: Demand) -> Fetching<'_> {
        let fetching = self.fetch_following(demand);
        let Some(timeout) = &self.timeout else { return Box::pin(fetching) };
        Box::pin(async move {
            let in_time = timeout.run(fetching).await;
            in_time.unwrap_or_else(|_| Err(KeySourceError::TimedOut { name: self.name() }))
        })
    }

    fn is_independent_of(&self, relay: &Uri) -> bool {
        !self.by_relay && !location::same_origin(&self.uri, relay)
    }
}

/// Whether the answer is elsewhere (RFC 9110 §15.4).
fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn well_known(origin: &Uri) -> Result<Uri, KeyUrlError> {
    let mut parts = origin.clone().into_parts();
    parts.path_and_query = Some(http::uri::PathAndQuery::from_static(WELL_KNOWN));
    Uri::from_parts(parts).map_err(|_| KeyUrlError::NotAbsolute { uri: origin.clone() })
}

impl<C> fmt::Debug for UrlKeys<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrlKeys").field("uri", &self.uri).finish_non_exhaustive()
    }
}
