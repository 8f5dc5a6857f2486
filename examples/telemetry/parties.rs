//! Devices, relay, gateway and collector, each of the last three with a witness beside it.

use anyhow::ensure;
use axum::Router;
use axum::routing::{any_service, post};
use examples::loopback::{Party, gateway_keys, http_client};
use examples::witness::Witness;
use http::{HeaderValue, Request, StatusCode, header};
use oblivious_http::bhttp::Padding;
use oblivious_http::client::{self, Client, ClientLayer};
use oblivious_http::gateway::{GatewayBody, GatewayLayer, Origin};
use oblivious_http::hpke::{Provider, Recipient};
use oblivious_http::keys::{KeyConfigList, Preferences};
use oblivious_http::service::{BoxError, Content};
use oblivious_hyper::{Forward, HttpClient};
use tower::{Layer, ServiceExt, service_fn};

use crate::reports::Report;

/// Longer than any report of this app with all that goes with it, so that all look alike.
const LENGTH: usize = 512;

/// Takes reports.
pub(crate) struct Collector {
    pub(crate) witness: Witness,
    party: Party,
}

impl Collector {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let witness = Witness::default();
        let router = Router::new().route("/reports", post(|| async { StatusCode::NO_CONTENT }));
        Ok(Self { party: Party::start(witness.watch(router)).await?, witness })
    }

    fn request(&self, report: &Report) -> anyhow::Result<Request<Content>> {
        let json = HeaderValue::from_static("application/json");
        let request = Request::post(self.party.uri("/reports")?).header(header::CONTENT_TYPE, json);
        Ok(request.body(report.text().into())?)
    }
}

/// Opens what the devices sealed, and hands it to the collector.
pub(crate) struct Gateway {
    /// What reached the gateway over the network.
    pub(crate) witness: Witness,
    /// What came out of it, on its way to the collector.
    pub(crate) inside: Witness,
    /// What the app was shipped with: the same for all devices, and not from the relay.
    published: KeyConfigList,
    party: Party,
}

impl Gateway {
    pub(crate) async fn start(collector: &Collector) -> anyhow::Result<Self> {
        let keys = gateway_keys()?;
        let published = keys.current().ring().config_list()?;
        let (witness, inside) = (Witness::default(), Witness::default());
        let forward = Forward::new(http_client(&[&collector.party])?);
        let origin: Origin = collector.party.origin().parse()?;
        let noted = inside.clone();
        let ask = service_fn(move |request: Request<GatewayBody>| {
            let (noted, forward) = (noted.clone(), forward.clone());
            async move {
                let request = noted.note_request(request).await?;
                Ok::<_, BoxError>(forward.oneshot(request).await?)
            }
        });
        let gateway = GatewayLayer::new(keys).targets(origin).layer(ask);
        let router = Router::new().route("/gateway", any_service(gateway));
        Ok(Self { party: Party::start(witness.watch(router)).await?, witness, inside, published })
    }
}

/// Carries what it cannot read.
pub(crate) struct Relay {
    pub(crate) witness: Witness,
    party: Party,
}

impl Relay {
    pub(crate) async fn start(gateway: &Gateway) -> anyhow::Result<Self> {
        let witness = Witness::default();
        let relay = oblivious_http::relay::Relay::new(http_client(&[&gateway.party])?)
            .route("/gateway", gateway.party.uri("/gateway")?)?;
        let party = Party::start(witness.watch(Router::new().fallback_service(relay))).await?;
        Ok(Self { witness, party })
    }
}

/// Devices, each with a connection of its own to whom it sends.
pub(crate) struct Devices {
    http_clients: Vec<HttpClient>,
    oblivious: Vec<Client<HttpClient>>,
}

impl Devices {
    pub(crate) fn new(
        count: usize,
        relay: &Relay,
        gateway: &Gateway,
        collector: &Collector,
    ) -> anyhow::Result<Self> {
        let preferences = Preferences::default();
        let keys = Recipient::select(&gateway.published, &preferences, Provider::default())?;
        let gateway = client::Gateway::new(relay.party.uri("/gateway")?, keys)?
            .allow(collector.party.origin().parse()?);
        let layer = ClientLayer::new(gateway).pad_requests(Padding::ToExact(LENGTH));
        let new = || http_client(&[&relay.party, &collector.party]);
        let http_clients = (0..count).map(|_| new()).collect::<anyhow::Result<Vec<_>>>()?;
        let oblivious = http_clients.iter().map(|client| layer.layer(client.clone())).collect();
        Ok(Self { http_clients, oblivious })
    }

    pub(crate) async fn send_directly(
        &self,
        report: &Report,
        collector: &Collector,
    ) -> anyhow::Result<()> {
        let http_client = self.http_clients[report.device].clone();
        taken(http_client.oneshot(collector.request(report)?).await?.status())
    }

    pub(crate) async fn send_obliviously(
        &self,
        report: &Report,
        collector: &Collector,
    ) -> anyhow::Result<()> {
        let client = self.oblivious[report.device].clone();
        taken(client.oneshot(collector.request(report)?).await?.status())
    }
}

fn taken(status: StatusCode) -> anyhow::Result<()> {
    ensure!(status == StatusCode::NO_CONTENT, "the report was answered with status {status}");
    Ok(())
}
