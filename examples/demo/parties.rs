//! The four parties, each with its own socket, certificate and witness.

use std::task::{Context, Poll};

use anyhow::ensure;
use axum::Router;
use axum::routing::{any_service, get, get_service, post};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body::Body;
use hyper::body::Incoming;
use oblivious_http::gateway::{GatewayBody, GatewayKeys, GatewayLayer, Origin, PublishKeys};
use oblivious_http::hpke::{KeyPair, KeyRing, Provider};
use oblivious_http::keys::{KemId, SymmetricSuite};
use oblivious_http::service::{BoxError, FullBody, Live, collect};
use oblivious_hyper::{Forward, HttpClient, HttpError, ResponseFuture, self_signed, server, tls};
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt, service_fn};
use tower_service::Service;

use crate::witness::Witness;

/// What the client's HTTP library tells every server that it talks to: here, the relay.
pub(crate) const USER_AGENT: &str = "HealthApp/7.3 (Alice's phone)";
/// A cookie that the relay once set, and by which it could recognize the client.
pub(crate) const COOKIE: &str = "relay-session=alice-4711";

/// The server that has the answers.
pub(crate) struct Target {
    pub(crate) witness: Witness,
    origin: String,
    ca: String,
}

impl Target {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let witness = Witness::default();
        let router = Router::new()
            .route("/advice", get(|| async { "Less coffee after noon, and no screens in bed." }))
            .route("/measurements", post(|| async { (StatusCode::CREATED, "Noted.") }));
        let (origin, ca) = start(witness.watch(router)).await?;
        Ok(Self { witness, origin, ca })
    }

    /// The URI of one of the target's resources.
    pub(crate) fn uri(&self, path_and_query: &str) -> anyhow::Result<Uri> {
        Ok(format!("{}{path_and_query}", self.origin).parse()?)
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }
}

/// Opens what the client sealed, and asks the target.
pub(crate) struct Gateway {
    /// What reached the gateway over the network.
    pub(crate) witness: Witness,
    /// What came out of it: the decapsulated requests, on their way to the target.
    pub(crate) inside: Witness,
    pub(crate) uri: Uri,
    keys_uri: Uri,
    ca: String,
}

impl Gateway {
    pub(crate) async fn start(target: &Target) -> anyhow::Result<Self> {
        let pair = KeyPair::generate(KemId::X25519_HKDF_SHA256, Provider::default())?;
        let mut ring = KeyRing::new();
        ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM])?;
        let keys = Live::new(GatewayKeys::from(ring));

        let (witness, inside) = (Witness::default(), Witness::default());
        let forward = Forward::new(HttpClient::new(tls::client_config(Some(&target.ca))?));
        let origin: Origin = target.origin.parse()?;
        let noted = inside.clone();
        let ask = service_fn(move |request: Request<GatewayBody>| {
            let (noted, forward) = (noted.clone(), forward.clone());
            async move {
                let request = noted.note_request(request).await?;
                Ok::<_, BoxError>(forward.oneshot(request).await?)
            }
        });
        let gateway = GatewayLayer::new(keys.clone()).targets(origin).layer(ask);
        let router = Router::new()
            .route("/gateway", any_service(gateway))
            .route("/ohttp-keys", get_service(PublishKeys::new(keys)));
        let (origin, ca) = start(witness.watch(router)).await?;
        Ok(Self {
            witness,
            inside,
            uri: format!("{origin}/gateway").parse()?,
            keys_uri: format!("{origin}/ohttp-keys").parse()?,
            ca,
        })
    }
}

/// Carries what it cannot read.
pub(crate) struct Relay {
    pub(crate) witness: Witness,
    pub(crate) uri: Uri,
    ca: String,
    gateway_ca: String,
}

impl Relay {
    pub(crate) async fn start(gateway: &Gateway) -> anyhow::Result<Self> {
        let witness = Witness::default();
        let http_client = HttpClient::new(tls::client_config(Some(&gateway.ca))?);
        let relay = oblivious_http::relay::Relay::new(http_client)
            .route("/gateway", gateway.uri.clone())?;
        let router = Router::new().fallback_service(relay);
        let (origin, ca) = start(witness.watch(router)).await?;
        let gateway_ca = gateway.ca.clone();
        Ok(Self { witness, uri: format!("{origin}/gateway").parse()?, ca, gateway_ca })
    }
}

/// An HTTP client as applications have it: it tells every server something about its user.
#[derive(Clone)]
pub(crate) struct Client {
    http_client: HttpClient,
}

impl Client {
    pub(crate) fn new(relay: &Relay) -> anyhow::Result<Self> {
        let authorities = format!("{}{}", relay.ca, relay.gateway_ca);
        Ok(Self { http_client: HttpClient::new(tls::client_config(Some(&authorities))?) })
    }

    pub(crate) async fn fetch_keys(&self, gateway: &Gateway) -> anyhow::Result<Bytes> {
        let request = Request::get(gateway.keys_uri.clone()).body(FullBody::empty())?;
        let response = self.http_client.clone().oneshot(request).await?;
        ensure!(response.status() == StatusCode::OK, "the gateway publishes no keys");
        // The demonstration is about requests, so the witness forgets this one.
        gateway.witness.take();
        Ok(collect(response.into_body(), 1 << 16).await?.data.freeze())
    }
}

impl<B> Service<Request<B>> for Client
where
    B: Body<Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Incoming>;
    type Error = HttpError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), HttpError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> ResponseFuture {
        let headers = request.headers_mut();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.insert(header::COOKIE, HeaderValue::from_static(COOKIE));
        self.http_client.call(request)
    }
}

/// Serves a router on a free port of loopback, until the program ends. Returns its origin, and the
/// authority that its certificate is signed by.
async fn start(router: Router) -> anyhow::Result<(String, String)> {
    let (config, ca) = self_signed(&["localhost"])?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("https://localhost:{}", listener.local_addr()?.port());
    tokio::spawn(server::serve(listener, Some(config), router, std::future::pending()));
    Ok((origin, ca))
}
