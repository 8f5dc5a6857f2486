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

/// The value of a variable that is set to something.
fn get(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Replaces what the environment says, and where neither it nor the file says anything, our
/// defaults by those of the Go gateway. Returns its key, if it has one.
pub(crate) fn apply(settings: &mut Settings) -> anyhow::Result<Option<GoKey>> {
    let ours = Settings::default();
    if let Some(port) = get("PORT") {
        settings.listen = format!("0.0.0.0:{port}");
    } else if settings.listen == ours.listen {
        settings.listen = "0.0.0.0:8080".into();
    }
    let replace = |path: &mut String, name: &str| {
        if let Some(value) = get(name) {
            *path = value;
        }
    };
    // Their defaults are ours.
    replace(&mut settings.gateway_path, "GATEWAY_ENDPOINT");
    replace(&mut settings.keys_path, "CONFIG_ENDPOINT");
    replace(&mut settings.health_path, "HEALTH_ENDPOINT");
    replace(&mut settings.echo_path, "ECHO_ENDPOINT");
    let legacy = settings.legacy_keys_path.get_or_insert_with(|| "/ohttp-configs".into());
    replace(legacy, "LEGACY_CONFIG_ENDPOINT");
    settings.tls_cert = get("CERT").map(Into::into).or(settings.tls_cert.take());
    settings.tls_key = get("KEY").map(Into::into).or(settings.tls_key.take());
    if get("LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json")) {
        settings.log_format = LogFormat::Json;
    }
    let hosts = get("ALLOWED_TARGET_ORIGINS").unwrap_or_default();
    for host in hosts.split(',').map(str::trim).filter(|host| !host.is_empty()) {
        settings.allow_target.push(format!("https://{host}"));
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

/// Which lines are logged if RUST_LOG says nothing.
pub(crate) fn log_level() -> anyhow::Result<&'static str> {
    let Some(level) = get("LOG_LEVEL") else { return Ok("info") };
    ["debug", "info", "warn", "error"]
        .into_iter()
        .find(|known| level.eq_ignore_ascii_case(known))
        .context("LOG_LEVEL must be debug, info, warn or error")
}

/// Whether the environment is one of the Go gateway without being told so.
pub(crate) fn is_there() -> bool {
    std::env::var_os("SEED_SECRET_KEY").is_some()
}
