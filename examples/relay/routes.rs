//! The routes that the settings describe.

use anyhow::Context;
use examples::error_report::Hint;
use http::Uri;
use oblivious_http::relay::{Route, RouteError, Routes};
use oblivious_http::service::Payload;
use oblivious_hyper::TokenFile;

use crate::route_settings::RouteSettings;
use crate::settings::{GatewaySettings, Settings};

/// The path of `--gateway`: clients know `https://RELAY/gateway`.
const GATEWAY_PATH: &str = "/gateway";

/// What is served until new routes take its place.
pub(crate) struct Before<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) routes: &'a Routes,
}

impl Before<'_> {
    /// The routes of which one may go on with what it has learned, if it is set like this.
    fn of(&self, route: &RouteSettings) -> Option<&Routes> {
        all(&self.settings.gateways).contains(route).then_some(self.routes)
    }
}

/// The routes, with their tokens read anew. Those that are as before keep the keys of their
/// gateways, and whether these answer.
pub(crate) fn routes(settings: &Settings, before: Option<Before<'_>>) -> anyhow::Result<Routes> {
    let mut routes = Routes::new();
    let all = all(&settings.gateways);
    anyhow::ensure!(
        !all.is_empty(),
        "no gateway is named: name one with --gateway URL, or several with --route PATH=URL or as \
         [[route]] in the file of --config"
    );
    for one in &all {
        anyhow::ensure!(
            one.path.as_ref() != Some(&settings.server.health_path),
            "{} is the path of --health-path, so it cannot be a route",
            settings.server.health_path
        );
        let known = before.as_ref().and_then(|before| before.of(one));
        let added = route(one, settings.gateways.allow_http_gateway).and_then(|route| {
            let added = match known {
                Some(before) => routes.add_keeping(route, before),
                None => routes.add(route),
            };
            added.map_err(explain)
        });
        added.with_context(|| format!("the route {} cannot be served", one.label()))?;
    }
    Ok(routes)
}

/// All routes, that of `--gateway` first.
pub(crate) fn all(settings: &GatewaySettings) -> Vec<RouteSettings> {
    let default = settings.gateway.iter().map(|url| RouteSettings {
        keys: settings.keys.clone(),
        token_file: settings.token_file.clone(),
        client_cert: settings.client_cert.clone(),
        client_key: settings.client_key.clone(),
        ..RouteSettings::new(GATEWAY_PATH, url)
    });
    default.chain(settings.route.iter().cloned()).collect()
}

fn route(settings: &RouteSettings, allow_http: bool) -> anyhow::Result<Route> {
    let gateway = url(&settings.gateway)?;
    let mut route = match (&settings.path, &settings.host) {
        (Some(path), None) => Route::path(path, gateway)?,
        (Some(path), Some(host)) => Route::path(path, gateway)?.only_host(host)?,
        (None, Some(host)) => Route::host(host, gateway)?,
        (None, None) => anyhow::bail!("a route needs a path or a host"),
    };
    if let Some(name) = &settings.name {
        route = route.named(name);
    }
    if let Some(keys) = &settings.keys {
        route = route.keys(url(keys)?);
    }
    if let Some(path) = &settings.token_file {
        route = route.authorization(TokenFile::open(path)?.into());
    }
    for payload in &settings.payload {
        route = route.payload(Payload::new(&payload.request, &payload.response)?);
    }
    Ok(if allow_http { route.allow_http() } else { route })
}

/// A URL of the settings.
pub(crate) fn url(text: &str) -> anyhow::Result<Uri> {
    // It could contain a password.
    text.parse().context("a URL is wrong").context(Hint("write it as https://HOST/PATH"))
}

fn explain(error: RouteError) -> anyhow::Error {
    match error {
        RouteError::Scheme { gateway } if gateway.scheme_str() == Some("http") => {
            anyhow::anyhow!("{gateway} is not https")
                .context(Hint("use its https URL, or --allow-http-gateway for a test"))
        }
        error => error.into(),
    }
}
