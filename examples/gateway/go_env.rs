//! The environment of the Go gateway that most deployments run, so that one can be replaced.

use anyhow::Context;
use examples::settings::Given;
use oblivious_http::gateway::Seed;
use serde::Deserialize;

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

/// The variable that has their key.
const SEED: &str = "SEED_SECRET_KEY";

/// Their variables that are ours under another name. Where a path has a default, it is ours.
const SAME: [(&str, &str); 7] = [
    ("GATEWAY_ENDPOINT", "gateway-path"),
    ("CONFIG_ENDPOINT", "keys-path"),
    ("LEGACY_CONFIG_ENDPOINT", "legacy-keys-path"),
    ("HEALTH_ENDPOINT", "health-path"),
    ("ECHO_ENDPOINT", "echo-path"),
    ("CERT", "tls-cert"),
    ("KEY", "tls-key"),
];

/// Replaces what the file gives by what the environment says, and where neither says anything, our
/// defaults by those of the Go gateway. It has a key of its own if the settings name none.
pub(crate) fn apply(given: &mut Given, keys_are_named: bool) -> anyhow::Result<()> {
    for (variable, setting) in SAME {
        if let Some(value) = get(variable) {
            given.insert(setting.into(), vec![value]);
        }
    }
    given.insert("go-env".into(), vec!["yes".into()]);
    given.entry("legacy-keys-path".into()).or_insert_with(|| vec!["/ohttp-configs".into()]);
    match get("PORT") {
        Some(port) => _ = given.insert("listen".into(), vec![format!("0.0.0.0:{port}")]),
        None => _ = given.entry("listen".into()).or_insert_with(|| vec!["0.0.0.0:8080".into()]),
    }
    if get("LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json")) {
        given.insert("log-format".into(), vec!["json".into()]);
    }
    let hosts = get("ALLOWED_TARGET_ORIGINS").unwrap_or_default();
    let hosts = hosts.split(',').map(str::trim).filter(|host| !host.is_empty());
    let origins = hosts.map(|host| format!("https://{host}")).collect::<Vec<_>>();
    given.entry("allow-target".into()).or_default().extend(origins);
    given.entry("rewrite".into()).or_default().extend(rewrites()?);
    if get(SEED).is_none() && !keys_are_named {
        given.insert("generate-key".into(), vec!["yes".into()]);
    }
    Ok(())
}

fn rewrites() -> anyhow::Result<Vec<String>> {
    let Some(json) = get("TARGET_REWRITES") else { return Ok(Vec::new()) };
    let rewrites: std::collections::BTreeMap<String, Destination> = serde_json::from_str(&json)
        .context(
            "TARGET_REWRITES must be JSON: {\"host\": {\"Scheme\": \"http\", \"Host\": \
             \"localhost:8080\"}}",
        )?;
    let rewrite = |(host, to): (String, Destination)| format!("{host}={}://{}", to.scheme, to.host);
    Ok(rewrites.into_iter().map(rewrite).collect())
}

/// The key that the environment names, if it names one.
pub(crate) fn key() -> anyhow::Result<Option<GoKey>> {
    let Some(seed) = get(SEED) else { return Ok(None) };
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
    std::env::var_os(SEED).is_some()
}
