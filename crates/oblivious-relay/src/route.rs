//! One route: which requests it takes, and where they go (RFC 9458 §8.2).

use std::fmt;
use std::sync::Arc;

use http::uri::{Authority, PathAndQuery};
use http::{Request, Uri};
use oblivious_service::{Authorization, Payload};

use crate::gateway_uri;
use crate::learned::Learned;
use crate::media::Media;
use crate::observe::GatewayMetrics;
use crate::route_error::RouteError;

/// Which requests go to which gateway, and how.
///
/// A route is fixed: nothing that a client sends changes where its request goes (RFC 9458 §8.2). It
/// is served once it is among the [`Routes`](crate::Routes) of a relay.
///
/// ```
/// use oblivious_relay::{Route, Routes};
/// use oblivious_service::{Authorization, Payload};
///
/// let mut routes = Routes::new();
/// routes.add(
///     Route::path("/gateway", "https://gateway.example/gateway".parse()?)?
///         .named("example")
///         .keys("https://gateway.example/ohttp-keys".parse()?)
///         .authorization(Authorization::bearer("0123456789abcdef0123456789abcdef")?)
///         .payload(Payload::new("message/example-req", "message/example-res")?),
/// )?;
/// routes.add(Route::host("dns.relay.example", "https://dns.example/gateway".parse()?)?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Route {
    pub(crate) path: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) gateway: Uri,
    pub(crate) media: Media,
    pub(crate) authorization: Option<Authorization>,
    pub(crate) keys: Option<Uri>,
    pub(crate) allow_http: bool,
    pub(crate) metrics: Arc<GatewayMetrics>,
    pub(crate) learned: Arc<Learned>,
}

impl Route {
    /// Takes the requests for exactly `path`, and passes them on to `gateway`.
    ///
    /// Of a request's URI only path and host count; its query is not passed on.
    ///
    /// # Errors
    ///
    /// If the path is not valid.
    pub fn path(path: &str, gateway: Uri) -> Result<Self, RouteError> {
        let parsed = path.parse::<PathAndQuery>();
        if !path.starts_with('/') || parsed.map_or(true, |parsed| parsed.path() != path) {
            return Err(RouteError::Path { path: path.to_owned() });
        }
        Ok(Self::new(Some(path.to_owned()), None, gateway))
    }

    /// Takes the requests for any path of `host`, such as `relay.example`, that has no route of its
    /// own.
    ///
    /// # Errors
    ///
    /// If the host is not valid, or has a port.
    pub fn host(host: &str, gateway: Uri) -> Result<Self, RouteError> {
        Ok(Self::new(None, Some(checked_host(host)?), gateway))
    }

    fn new(path: Option<String>, host: Option<String>, gateway: Uri) -> Self {
        let name = path.clone().or_else(|| host.clone()).unwrap_or_default();
        Self {
            path,
            host,
            gateway,
            media: Media::default(),
            authorization: None,
            keys: None,
            allow_http: false,
            metrics: Arc::new(GatewayMetrics::new(name)),
            learned: Arc::default(),
        }
    }

    /// Takes requests for its path only if they are for this host.
    ///
    /// # Errors
    ///
    /// If the host is not valid, or has a port.
    pub fn only_host(mut self, host: &str) -> Result<Self, RouteError> {
        self.host = Some(checked_host(host)?);
        Ok(self)
    }

    /// The name in events and metrics; by default the path, or else the host.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.metrics = Arc::new(GatewayMetrics::new(name.to_owned()));
        self
    }

    /// Also takes the encapsulated messages of another protocol (RFC 9458 §4.6). Every route takes
    /// those of Oblivious HTTP itself, whole and chunked.
    #[must_use]
    pub fn payload(mut self, payload: Payload) -> Self {
        self.media.add(payload);
        self
    }

    /// What the relay sends to the gateway in the `Authorization` field, the same for all clients.
    ///
    /// It is only sent to the server of the gateway's URI. If there is none at present, the relay
    /// answers 500 instead of sending a request that would be refused.
    #[must_use]
    pub fn authorization(mut self, authorization: Authorization) -> Self {
        self.authorization = Some(authorization);
        self
    }

    /// Answers GET with the key configurations that the gateway publishes at `keys`.
    ///
    /// The relay fetches them for itself and keeps them as long as the gateway's `Cache-Control`
    /// allows, so all clients get the same ones, and the gateway does not learn which client asked
    /// when. Redirects of the gateway are followed (RFC 9540 §5); if `keys` is the URI of the
    /// gateway itself and has moved permanently, requests go to the new place as well.
    ///
    /// A client can compare these keys with those from elsewhere, but must not rely on them alone:
    /// a relay that put its own key there could read the requests (RFC 9458 §7).
    #[must_use]
    pub fn keys(mut self, keys: Uri) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Allows `http` for the gateway and its keys.
    ///
    /// RFC 9458 §6 requires HTTPS: without it anyone on the path can match clients with what the
    /// gateway got. This is for tests, and for gateways behind a proxy on the same machine.
    #[must_use]
    pub fn allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    pub(crate) fn check(&self) -> Result<(), RouteError> {
        for uri in std::iter::once(&self.gateway).chain(&self.keys) {
            gateway_uri::check(uri, self.allow_http, self.name())?;
        }
        Ok(())
    }

    /// Whether both take the same requests, to the same gateway with the same keys.
    pub(crate) fn leads_like(&self, other: &Self) -> bool {
        self.is_for_the_same(other)
            && self.gateway == other.gateway
            && self.keys == other.keys
            && self.allow_http == other.allow_http
    }

    /// Whether both take the requests for the same path and host.
    pub(crate) fn is_for_the_same(&self, other: &Self) -> bool {
        let same_host = match (&self.host, &other.host) {
            (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
            (one, other) => one == other,
        };
        same_host && self.path == other.path
    }

    pub(crate) fn name(&self) -> &str {
        self.metrics.name()
    }

    /// Where requests go now.
    pub(crate) fn destination(&self) -> &Uri {
        self.learned.moved.get().unwrap_or(&self.gateway)
    }

    /// The gateway says that it is at `uri` from now on (RFC 9540 §5). Only the first such move is
    /// followed; a second needs a change of the settings.
    ///
    /// This applies to all clients alike, and the credential of this gateway is sent to no other.
    pub(crate) fn move_to(&self, uri: Uri) {
        let permitted = gateway_uri::check(&uri, self.allow_http, self.name()).is_ok()
            && (self.authorization.is_none() || gateway_uri::same_origin(&uri, &self.gateway));
        if permitted && uri != self.gateway && self.learned.moved.set(uri).is_ok() {
            tracing::warn!(gateway = self.name(), "the gateway has moved: change its URI");
        }
    }

    pub(crate) fn takes_host(&self, host: Option<&str>) -> bool {
        let Some(own) = &self.host else { return true };
        host.is_some_and(|host| host.eq_ignore_ascii_case(own))
    }
}

fn checked_host(host: &str) -> Result<String, RouteError> {
    match host.parse::<Authority>() {
        Ok(parsed) if parsed.host() == host => Ok(host.to_owned()),
        _ => Err(RouteError::Host { host: host.to_owned() }),
    }
}

/// The host that a request is for, without its port.
pub(crate) fn host_of<B>(request: &Request<B>) -> Option<&str> {
    if let Some(host) = request.uri().host() {
        return Some(host);
    }
    let value = request.headers().get(http::header::HOST)?.to_str().ok()?;
    let end = match value.rsplit_once(':') {
        // A colon inside brackets does not precede a port.
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.len(),
        _ => value.len(),
    };
    value.get(..end)
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("path", &self.path)
            .field("host", &self.host)
            .field("gateway", &self.gateway)
            .field("media", &self.media)
            .field("authorization", &self.authorization)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::header::HOST;

    use super::*;

    #[test]
    fn the_host_of_a_request_has_no_port() {
        for (uri, field, expected) in [
            ("/a", Some("relay.example"), Some("relay.example")),
            ("/a", Some("relay.example:8443"), Some("relay.example")),
            ("/a", Some("[2001:db8::1]"), Some("[2001:db8::1]")),
            ("/a", Some("[2001:db8::1]:443"), Some("[2001:db8::1]")),
            ("https://relay.example:1/a", None, Some("relay.example")),
            // HTTP/2 and proxies: the URI goes before the field (RFC 9112 §3.2.2).
            ("https://relay.example/a", Some("other.example"), Some("relay.example")),
            ("/a", None, None),
        ] {
            let mut request = Request::new(());
            *request.uri_mut() = uri.parse().unwrap();
            if let Some(field) = field {
                request.headers_mut().insert(HOST, field.parse().unwrap());
            }
            assert_eq!(host_of(&request), expected, "{uri} {field:?}");
        }
    }

    #[test]
    fn a_gateway_moves_once_and_takes_no_credential_along() {
        let gateway = || "https://g.example/a".parse::<Uri>().unwrap();
        let route = Route::path("/a", gateway()).unwrap();
        route.move_to("http://g.example/b".parse().unwrap());
        assert_eq!(route.destination(), &gateway());
        route.move_to("https://h.example/b".parse().unwrap());
        route.move_to("https://h.example/c".parse().unwrap());
        assert_eq!(route.destination(), "https://h.example/b");

        let known = Authorization::bearer("secret").unwrap();
        let route = Route::path("/a", gateway()).unwrap().authorization(known);
        route.move_to("https://h.example/b".parse().unwrap());
        assert_eq!(route.destination(), &gateway());
        route.move_to("https://g.example/b".parse().unwrap());
        assert_eq!(route.destination(), "https://g.example/b");
        assert!(!format!("{route:?}").contains("secret"));
    }
}
