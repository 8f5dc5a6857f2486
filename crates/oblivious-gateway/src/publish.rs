//! The key configurations, as a resource that clients fetch (RFC 9458 §3.2).

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use oblivious_keys::{KemId, KeyConfigList};
use oblivious_service::{
    Clock, Content, Live, MediaType, SystemClock, names_entity_tag, plain_text,
};
use sha2::{Digest, Sha256};
use tower_service::Service;

use crate::keys::GatewayKeys;

/// The default of [`PublishKeys::max_age`]: one hour.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(3600);
/// How much of the hash is in an entity tag, in bytes.
const ETAG_LEN: usize = 16;
/// What legacy endpoints have always sent: there is no media type for one bare configuration.
const BARE_CONTENT_TYPE: &str = "application/octet-stream";

/// Answers GET and HEAD with the key configurations in use, as `application/ohttp-keys`.
///
/// `Cache-Control` gives the [`max_age`](Self::max_age), or less if one of the keys expires before:
/// no copy outlives a key. The `ETag` changes with the list, and with `If-None-Match` a client that
/// has it gets a 304. Without a key the answer is a 503.
///
/// Clients must get the list in a way that they can trust, for instance over TLS from the gateway
/// itself: anyone who can replace the key can read the requests (RFC 9458 §6.1).
#[derive(Clone)]
pub struct PublishKeys {
    keys: Live<GatewayKeys>,
    max_age: Duration,
    bare: Option<KemId>,
    /// Whether the form with times is published too.
    #[cfg(feature = "extended-keys")]
    extended: bool,
    clock: Arc<dyn Clock>,
}

impl PublishKeys {
    /// Publishes `keys`, for clients to keep for an hour.
    pub fn new(keys: impl Into<Live<GatewayKeys>>) -> Self {
        Self {
            keys: keys.into(),
            max_age: DEFAULT_MAX_AGE,
            bare: None,
            #[cfg(feature = "extended-keys")]
            extended: false,
            clock: Arc::new(SystemClock),
        }
    }

    /// Sets how long clients may keep the configurations without asking again, in whole seconds.
    /// With a schedule, set it to that of
    /// [`ScheduleSettings::with_max_age`](crate::ScheduleSettings::with_max_age).
    #[must_use]
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Publishes only the first configuration of a KEM, without the length before it and as
    /// `application/octet-stream`: the form that older clients fetch from a legacy endpoint, such
    /// as `/ohttp-configs` of the Go gateway.
    #[must_use]
    pub fn bare(mut self, kem: KemId) -> Self {
        self.bare = Some(kem);
        self
    }

    /// Also publishes the form in which each key says how long it is valid, as
    /// `application/ohttp-keys-ext-00`, to clients that name it in `Accept` and do not prefer the
    /// plain one: a draft (draft-schinazi-httpbis-ohttp-ext-key-config), whose name will change
    /// with it. The configurations are the same, so that clients can compare them. It has no
    /// meaning for the [`bare`](Self::bare) form.
    #[cfg(feature = "extended-keys")]
    #[must_use]
    pub fn extended(mut self) -> Self {
        self.extended = true;
        self
    }

    /// Sets the clock that decides which keys are published; otherwise the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    fn respond(&self, method: &Method, headers: &HeaderMap) -> Response<Content> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut response =
                plain_text(StatusCode::METHOD_NOT_ALLOWED, "Fetch the keys with GET.\n");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let form = self.form(headers);
        let keys = self.keys.current();
        let published = keys.published(self.clock.now().into());
        let Some((encoded, valid_for)) = published.and_then(|published| {
            Some((form.encode(&published.list, &keys)?, published.valid_for))
        }) else {
            return plain_text(StatusCode::SERVICE_UNAVAILABLE, "This gateway has no key.\n");
        };
        let max_age = self.max_age.min(valid_for.unwrap_or(Duration::MAX)).as_secs();
        let etag = format!("\"{}\"", hex::encode(&Sha256::digest(&encoded)[..ETAG_LEN]));
        let is_known = names_entity_tag(headers, &etag);
        let length = HeaderValue::from(encoded.len());
        let has_body = method == Method::GET && !is_known;

        let mut response =
            Response::new(if has_body { encoded.into() } else { Content::default() });
        let headers = response.headers_mut();
        headers.insert(header::ETAG, value(&etag));
        headers.insert(header::CACHE_CONTROL, value(&format!("max-age={max_age}")));
        if self.is_negotiated() {
            headers.insert(header::VARY, HeaderValue::from_static("accept"));
        }
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
            headers.insert(header::CONTENT_LENGTH, length);
        }
        response
    }

    /// The form in which a client gets the configurations.
    #[cfg_attr(
        not(feature = "extended-keys"),
        expect(unused_variables, reason = "only that form depends on it")
    )]
    fn form(&self, headers: &HeaderMap) -> Form {
        if let Some(kem) = self.bare {
            return Form::Bare(kem);
        }
        #[cfg(feature = "extended-keys")]
        if self.extended && crate::extended::is_preferred(headers) {
            return Form::Extended;
        }
        Form::List
    }

    /// Whether the form depends on `Accept`, which caches must know (RFC 9110 §12.5.5).
    fn is_negotiated(&self) -> bool {
        #[cfg(feature = "extended-keys")]
        let is_extended = self.extended;
        #[cfg(not(feature = "extended-keys"))]
        let is_extended = false;
        is_extended && self.bare.is_none()
    }
}

/// How the configurations are written.
enum Form {
    List,
    Bare(KemId),
    #[cfg(feature = "extended-keys")]
    Extended,
}

impl Form {
    #[cfg_attr(
        not(feature = "extended-keys"),
        expect(unused_variables, reason = "only that form depends on it")
    )]
    fn encode(&self, list: &KeyConfigList, keys: &GatewayKeys) -> Option<Bytes> {
        match self {
            Self::List => Some(list.encode()),
            Self::Bare(kem) => {
                let config = list.configs().iter().find(|config| config.kem() == *kem)?;
                let mut encoded = Vec::with_capacity(config.encoded_len());
                config.encode(&mut encoded);
                Some(encoded.into())
            }
            #[cfg(feature = "extended-keys")]
            Self::Extended => Some(crate::extended::with_times(list, keys)?.encode()),
        }
    }

    fn content_type(&self) -> &'static str {
        match self {
            Self::List => MediaType::OhttpKeys.as_str(),
            Self::Bare(_) => BARE_CONTENT_TYPE,
            #[cfg(feature = "extended-keys")]
            Self::Extended => oblivious_keys::ExtendedKeyConfigList::MEDIA_TYPE,
        }
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("digits and punctuation are a field value")
}

impl fmt::Debug for PublishKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishKeys")
            .field("keys", &self.keys)
            .field("max_age", &self.max_age)
            .field("bare", &self.bare)
            .finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for PublishKeys {
    type Response = Response<Content>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Content>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.respond(request.method(), request.headers())))
    }
}
