//! The relay with the limits that the settings describe.

use anyhow::Context;
use oblivious_http::relay::{Batching, Breaker, ClientPrefixes, Delay, RateLimit, Relay, Routes};
use oblivious_http::service::{Live, Pseudonym, Timeout, TokioTimer};
use oblivious_hyper::HttpClient;

use crate::settings::{ClientSettings, GatewaySettings, Settings};

/// A relay that sends requests with `http_client`.
pub(crate) fn relay(
    settings: &Settings,
    routes: Live<Routes>,
    http_client: HttpClient,
) -> anyhow::Result<Relay<HttpClient>> {
    let Settings { gateways, clients, limits, connections, .. } = settings;
    anyhow::ensure!(
        gateways.batch.is_none_or(|size| size <= limits.concurrency),
        "--batch is more than --concurrency: no batch would ever be full"
    );
    // The server ends exchanges that take too long too, but not requests that go on after their
    // answers.
    let whole = Timeout::new(connections.exchange_timeout.duration(), TokioTimer);
    let mut relay = Relay::new(http_client)
        .routes(routes)
        .body_limit(limits.body_limit)
        .concurrency_limit(limits.concurrency)
        .idle_timeout(Timeout::new(limits.idle_timeout.duration(), TokioTimer))
        .exchange_timeout(whole);
    relay = with_gateway_settings(relay, gateways)?;
    with_client_settings(relay, clients)
}

fn with_gateway_settings(
    mut relay: Relay<HttpClient>,
    settings: &GatewaySettings,
) -> anyhow::Result<Relay<HttpClient>> {
    if let Some(name) = &settings.via {
        relay = relay.pseudonym(Pseudonym::new(name).context("--via is wrong")?);
    }
    if let Some(failures) = settings.breaker_failures {
        relay = relay.breaker(Breaker::new(failures, settings.breaker_pause.duration()));
    }
    if let Some(most) = settings.delay {
        relay = relay.delay(Delay::up_to(most.duration(), TokioTimer));
    }
    if let Some(size) = settings.batch {
        let wait = Timeout::new(settings.batch_timeout.duration(), TokioTimer);
        relay = relay.batching(Batching::of(size, wait));
    }
    Ok(relay)
}

fn with_client_settings(
    relay: Relay<HttpClient>,
    settings: &ClientSettings,
) -> anyhow::Result<Relay<HttpClient>> {
    let prefixes = ClientPrefixes::new(settings.client_ipv4_bits, settings.client_ipv6_bits)
        .context("--client-ipv4-bits or --client-ipv6-bits is wrong")?;
    let mut relay = relay.client_prefixes(prefixes);
    if let Some(rate) = settings.client_rate {
        let limit = RateLimit::per_second(rate).remember(settings.clients_remembered);
        relay = relay.rate_limit(match settings.client_burst {
            Some(burst) => limit.burst(burst),
            None => limit,
        });
    } else {
        anyhow::ensure!(settings.client_burst.is_none(), "--client-burst needs --client-rate");
    }
    if let Some(most) = settings.client_concurrency {
        relay = relay.client_concurrency_limit(most);
    }
    Ok(relay)
}
