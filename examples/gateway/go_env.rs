//! The environment of the Go gateway that most deployments run, so that one can be replaced.

use anyhow::Context;
use oblivious_http::gateway::Seed;
use serde::Deserialize;

use crate::settings::{LogFormat, Settings};

/// The key of the Go gateway.
pub(crate) struct GoKey {
    pub(crate) seed: Seed,
    pub(crate) configuration_id: u8,
}

/// A destination of TARGET_REWRITES.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Destination {
    scheme: String,
    host: String,
}

/// Replaces what the environment says. Returns its key, if it has one.
pub(crate) fn apply(settings: &mut Settings) -> anyhow::Result<Option<GoKey>> {
    let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let port = get("PORT").unwrap_or_else(|| "8080".into());
    settings.listen = format!("0.0.0.0:{port}");
    settings.tls_cert = get("CERT").map(Into::into).or(settings.tls_cert.take());
    settings.tls_key = get("KEY").map(Into::into).or(settings.tls_key.take());
    let path = |name: &str, default: &str| get(name).unwrap_or_else(|| default.into());
    settings.gateway_path = path("GATEWAY_ENDPOINT", "/gateway");
    settings.keys_path = path("CONFIG_ENDPOINT", "/ohttp-keys");
    settings.legacy_keys_path = Some(path("LEGACY_CONFIG_ENDPOINT", "/ohttp-configs"));
    settings.health_path = path("HEALTH_ENDPOINT", "/health");
    if let Some(path) = get("ECHO_ENDPOINT") {
        settings.echo_path = path;
    }
    if get("LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json")) {
        settings.log_format = LogFormat::Json;
    }
    for host in get("ALLOWED_TARGET_ORIGINS").iter().flat_map(|hosts| hosts.split(',')) {
        settings.allow_target.push(format!("https://{}", host.trim()));
    }
    if let Some(json) = get("TARGET_REWRITES") {
        let rewrites: std::collections::BTreeMap<String, Destination> = serde_json::from_str(&json)
            .context(
                "TARGET_REWRITES must be JSON: {\"host\": {\"Scheme\": \"http\", \"Host\": \
                 \"localhost:8080\"}}",
            )?;
        for (host, Destination { scheme, host: to }) in rewrites {
            settings.rewrite.push(format!("{host}={scheme}://{to}"));
        }
    }
    let Some(seed) = get("SEED_SECRET_KEY") else { return Ok(None) };
    let seed = Seed::from_hex(seed.as_bytes()).context("SEED_SECRET_KEY cannot be used")?;
    let configuration_id = match get("CONFIGURATION_ID") {
        Some(id) => id.parse().context("CONFIGURATION_ID must be a number from 0 to 255")?,
        None => 0,
    };
    Ok(Some(GoKey { seed, configuration_id }))
}

/// Whether the environment is one of the Go gateway without being told so.
pub(crate) fn is_there() -> bool {
    std::env::var_os("SEED_SECRET_KEY").is_some()
}
