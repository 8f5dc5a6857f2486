//! Relay, gateway and model, and the clients that ask.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::any_service;
use examples::loopback::{Party, gateway_keys, http_client};
use http_body_util::BodyExt;
use oblivious_http::client::{Client, ClientLayer, Gateway};
use oblivious_http::gateway::{GatewayKeys, GatewayLayer, Origin};
use oblivious_http::hpke::{Provider, Recipient};
use oblivious_http::keys::Preferences;
use oblivious_http::relay::Relay;
use oblivious_http::service::Live;
use oblivious_hyper::{Forward, HttpClient};
use tower::Layer;

use crate::model::{self, Written};

pub(crate) struct Parties {
    pub(crate) model: Party,
    pub(crate) written: Written,
    relay: Party,
    pub(crate) relayed: Relayed,
    keys: Live<GatewayKeys>,
}

/// Clients with connections of their own.
pub(crate) struct Clients {
    pub(crate) direct: HttpClient,
    pub(crate) in_chunks: Client<HttpClient>,
    pub(crate) whole: Client<HttpClient>,
}

impl Parties {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let written = Written::default();
        let model = Party::start(model::router(written.clone())).await?;

        let keys = gateway_keys()?;
        let gateway = GatewayLayer::new(keys.clone())
            .targets(model.origin().parse::<Origin>()?)
            .layer(Forward::new(http_client(&[&model])?));
        let gateway = Router::new().route("/gateway", any_service(gateway));
        let gateway = Party::start(gateway).await?;

        let relayed = Relayed::default();
        let relay =
            Relay::new(http_client(&[&gateway])?).route("/gateway", gateway.uri("/gateway")?)?;
        let relay = Router::new().fallback_service(relay);
        let relay = relay.layer(from_fn_with_state(relayed.clone(), note));
        let relay = Party::start(relay).await?;
        Ok(Self { model, written, relay, relayed, keys })
    }

    pub(crate) fn clients(&self) -> anyhow::Result<Clients> {
        let published = self.keys.current().ring().config_list()?;
        let keys = Recipient::select(&published, &Preferences::default(), Provider::default())?;
        let gateway =
            Gateway::new(self.relay.uri("/gateway")?, keys)?.allow(self.model.origin().parse()?);
        let layer = ClientLayer::new(gateway);
        Ok(Clients {
            direct: http_client(&[&self.model])?,
            in_chunks: layer.clone().in_chunks().layer(http_client(&[&self.relay])?),
            whole: layer.layer(http_client(&[&self.relay])?),
        })
    }
}

/// How long the pieces of answers were that the relay passed on.
#[derive(Clone, Default)]
pub(crate) struct Relayed(Arc<Mutex<Vec<usize>>>);

impl Relayed {
    /// Those since the last call.
    pub(crate) fn take(&self) -> Vec<usize> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, length: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(length);
    }
}

/// Notes what passes, and holds nothing back.
async fn note(State(relayed): State<Relayed>, request: Request, next: Next) -> Response {
    next.run(request).await.map(|body| {
        Body::new(body.map_frame(move |frame| {
            frame.data_ref().into_iter().for_each(|data| relayed.add(data.len()));
            frame
        }))
    })
}
