//! The guard against replayed requests.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use oblivious_http::gateway::{
    DatePolicy, GatewayLayer, MemoryReplayGuard, RedisReplayGuard, ReplayGuard,
};
use oblivious_http::hpke::UnixSeconds;
use oblivious_http::service::{Timeout, TokioTimer};

use crate::settings::{KeySettings, ReplaySettings, Settings};

pub(crate) fn dates(settings: &Settings) -> DatePolicy {
    DatePolicy::default()
        .with_window(settings.replay.date_window.duration())
        .with_required_date(settings.replay.require_date)
        .with_skew(settings.keys.key_skew.duration())
}

/// The guard that the settings ask for; none if they ask for none.
pub(crate) fn guard(all: &Settings) -> anyhow::Result<Option<Arc<dyn ReplayGuard>>> {
    let settings = &all.replay;
    let redis = settings.redis_url.is_some() || settings.redis_url_file.is_some();
    if settings.no_replay_guard {
        anyhow::ensure!(!redis, "--no-replay-guard and Redis exclude each other");
        return Ok(None);
    }
    if redis {
        return Ok(Some(Arc::new(redis_guard(settings)?)));
    }
    let guard = MemoryReplayGuard::new(settings.replay_capacity, UnixSeconds::now())
        .context("--replay-capacity cannot be used")?;
    check_capacity(&guard, all)?;
    Ok(Some(Arc::new(guard)))
}

/// Checks that there is room for the rate that is expected, and says what rate there is room for.
fn check_capacity(guard: &MemoryReplayGuard, settings: &Settings) -> anyhow::Result<()> {
    let ReplaySettings { replay_capacity: capacity, replay_rate, .. } = settings.replay;
    let Some(kept) = longest_memory(settings) else {
        anyhow::ensure!(
            replay_rate.is_none(),
            "--replay-rate needs --require-date, or keys that all retire: without either, requests \
             must be remembered forever"
        );
        tracing::warn!(
            capacity,
            "requests without a date are remembered forever, since some keys never \
             retire: once the replay guard is full, every request is refused until the gateway is \
             restarted. Use --require-date, --state-file without --key-file, or --redis-url"
        );
        return Ok(());
    };
    if let Some(rate) = replay_rate {
        guard.check_capacity(rate, kept).context("--replay-capacity is too small")?;
    }
    let remembered_seconds = kept.as_secs();
    let requests_per_second = capacity as u64 / remembered_seconds.max(1);
    tracing::info!(
        capacity,
        remembered_seconds,
        requests_per_second,
        "how many requests the replay guard has room for, and the rate that it withstands"
    );
    Ok(())
}

/// How long a request is remembered at most, if it is not dated too far ahead; without end if
/// there are keys that stay.
fn longest_memory(settings: &Settings) -> Option<Duration> {
    if settings.replay.require_date {
        return Some(dates(settings).longest_memory());
    }
    // A key is accepted one skew before it is published, and a request is remembered one skew after
    // the key has expired.
    let KeySettings { key_skew, key_interval, key_max_age, key_grace, .. } = settings.keys;
    let lifetime = [key_skew, key_interval, key_max_age, key_grace, key_skew];
    let follow_one_another = settings.keys.state_file.is_some() || settings.keys.rotate;
    let all_retire = follow_one_another && settings.keys.key_file.is_empty();
    all_retire.then(|| lifetime.iter().map(|part| part.duration()).sum())
}

fn redis_guard(settings: &ReplaySettings) -> anyhow::Result<RedisReplayGuard> {
    let url = match (&settings.redis_url, &settings.redis_url_file) {
        (Some(url), None) => {
            // The URL of a socket has it among its parameters.
            let password = url.contains('@') || url.contains("pass=");
            anyhow::ensure!(
                !password,
                "the URL has a password: put it into a file, and name that with --redis-url-file"
            );
            url.clone()
        }
        (None, Some(path)) => std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?
            .trim()
            .to_owned(),
        _ => anyhow::bail!("--redis-url and --redis-url-file exclude each other"),
    };
    let timeout = Timeout::new(settings.redis_timeout.duration(), TokioTimer);
    Ok(RedisReplayGuard::new(&url, timeout)?)
}

/// Puts both into a gateway.
pub(crate) fn apply(
    layer: GatewayLayer,
    guard: Option<Arc<dyn ReplayGuard>>,
    settings: &Settings,
) -> GatewayLayer {
    let layer = layer.dates(dates(settings));
    match guard {
        Some(guard) => layer.replay_guard(guard),
        None => layer.without_replay_guard(),
    }
}
