//! The relay that the settings describe.

use anyhow::Context;
use examples::error_report::Hint;
use http::Uri;
use oblivious_http::relay::{Relay, RouteError};
use oblivious_http::service::{Pseudonym, Timeout, TokioTimer};
use oblivious_hyper::HttpClient;

use crate::settings::{Route, Settings};

/// The path of `--gateway`: clients know `https://RELAY/gateway`.
const GATEWAY_PATH: &str = "/gateway";

/// A relay that sends requests with `http_client`.
pub(crate) fn relay(
    settings: &Settings,
    pseudonym: Pseudonym,
    http_client: HttpClient,
) -> anyhow::Result<Relay<HttpClient>> {
    let timeout = Timeout::new(settings.limits.timeout.duration(), TokioTimer);
    let mut relay = Relay::new(http_client)
        .body_limit(settings.limits.body_limit)
        .timeout(timeout)
        .pseudonym(pseudonym);
    if settings.gateways.allow_http_gateway {
        relay = relay.allow_http_gateways();
    }
    for Route { path, gateway } in routes(settings)? {
        anyhow::ensure!(
            path != settings.server.health_path,
            "{path} is the path of --health-path, and not free for a route"
        );
        let uri: Uri = gateway
            .parse()
            .with_context(|| format!("the gateway of {path} is no URL"))
            .context(Hint("write it as https://HOST/PATH"))?;
        relay = relay.route(&path, uri).map_err(explain)?;
    }
    Ok(relay)
}

/// All routes, that of `--gateway` first.
pub(crate) fn routes(settings: &Settings) -> anyhow::Result<Vec<Route>> {
    let default = settings.gateways.gateway.iter();
    let default = default.map(|url| Route { path: GATEWAY_PATH.into(), gateway: url.clone() });
    let routes = default.chain(settings.gateways.route.iter().cloned()).collect::<Vec<_>>();
    anyhow::ensure!(
        !routes.is_empty(),
        "no gateway is named: name one with --gateway URL, or several with --route PATH=URL or as \
         [[route]] in the file of --config"
    );
    Ok(routes)
}

fn explain(error: RouteError) -> anyhow::Error {
    match error {
        RouteError::Scheme { gateway } if gateway.scheme_str() == Some("http") => {
            anyhow::anyhow!("the gateway {gateway} is not https")
                .context(Hint("use its https URL, or --allow-http-gateway for a test"))
        }
        error => error.into(),
    }
}
