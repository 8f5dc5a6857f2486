//! The four parties, each with its own socket, certificate and witness.

use std::task::{Context, Poll};

use anyhow::ensure;
use axum::Router;
use axum::routing::{any_service, get, get_service, post};
use bytes::Bytes;
use examples::loopback::{Party, gateway_keys, http_client};
use examples::witness::Witness;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body::Body;
use oblivious_http::gateway::{GatewayBody, GatewayLayer, Origin, PublishKeys};
use oblivious_http::service::{BoxError, Content, collect};
use oblivious_hyper::{Forward, HttpClient, HttpError, ResponseBody, ResponseFuture};
use tower::{Layer, ServiceExt, service_fn};
use tower_service::Service;

/// What the client's HTTP library tells every server that it talks to: here, the relay.
pub(crate) const USER_AGENT: &str = "HealthApp/7.3 (Alice's phone)";
/// A cookie that the relay once set, and by which it could recognize the client.
pub(crate) const COOKIE: &str = "relay-session=alice-4711";

/// The server that has the answers.
pub(crate) struct Target {
    pub(crate) witness: Witness,
    pub(crate) party: Party,
}

impl Target {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let witness = Witness::default();
        let router = Router::new()
            .route("/advice", get(|| async { "Less coffee after noon, and no screens in bed." }))
            .route("/measurements", post(|| async { (StatusCode::CREATED, "Noted.") }));
        Ok(Self { party: Party::start(witness.watch(router)).await?, witness })
    }
}

/// Opens what the client sealed, and asks the target.
pub(crate) struct Gateway {
    /// What reached the gateway over the network.
    pub(crate) witness: Witness,
    /// What came out of it: the decapsulated requests, on their way to the target.
    pub(crate) inside: Witness,
    pub(crate) uri: Uri,
    party: Party,
}

impl Gateway {
    pub(crate) async fn start(target: &Target) -> anyhow::Result<Self> {
        let keys = gateway_keys()?;
        let (witness, inside) = (Witness::default(), Witness::default());
        let forward = Forward::new(http_client(&[&target.party])?);
        let origin: Origin = target.party.origin().parse()?;
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
        let party = Party::start(witness.watch(router)).await?;
        Ok(Self { witness, inside, uri: party.uri("/gateway")?, party })
    }
}

/// Carries what it cannot read.
pub(crate) struct Relay {
    pub(crate) witness: Witness,
    pub(crate) uri: Uri,
    party: Party,
}

impl Relay {
    pub(crate) async fn start(gateway: &Gateway) -> anyhow::Result<Self> {
        let witness = Witness::default();
        let relay = oblivious_http::relay::Relay::new(http_client(&[&gateway.party])?)
            .route("/gateway", gateway.uri.clone())?;
        let party = Party::start(witness.watch(Router::new().fallback_service(relay))).await?;
        Ok(Self { witness, uri: party.uri("/gateway")?, party })
    }
}

/// An HTTP client as applications have it: it tells every server something about its user.
#[derive(Clone)]
pub(crate) struct Client {
    http_client: HttpClient,
}

impl Client {
    pub(crate) fn new(relay: &Relay, gateway: &Gateway) -> anyhow::Result<Self> {
        Ok(Self { http_client: http_client(&[&relay.party, &gateway.party])? })
    }

    pub(crate) async fn fetch_keys(&self, gateway: &Gateway) -> anyhow::Result<Bytes> {
        let request = Request::get(gateway.party.uri("/ohttp-keys")?).body(Content::default())?;
        let response = self.http_client.clone().oneshot(request).await?;
        ensure!(response.status() == StatusCode::OK, "the gateway publishes no keys");
        // The demonstration is about requests, so the witness forgets this one.
        gateway.witness.take();
        Ok(collect(response.into_body(), 1 << 16).await?.data)
    }
}

impl<B> Service<Request<B>> for Client
where
    B: Body<Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody>;
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
