//! A gateway that forwards decapsulated requests to the targets that its settings allow.
//!
//! ```sh
//! cargo run --release --example gateway -- --generate-key --allow-target https://example.com
//! ```
//!
//! `--help` lists all settings; each is also a key of the file that `--config` names, and a
//! variable: `--request-limit` is `request-limit` there and `GATEWAY_REQUEST_LIMIT` in the environment.

mod credentials;
mod go_env;
mod keys;
mod reloading;
mod replay;
mod routes;
mod settings;
mod targets;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use examples::server::Serving;
use examples::settings::Source;
use examples::shutdown::Draining;
use examples::{admin, logging, program};
use oblivious_http::bhttp::Padding;
use oblivious_http::gateway::{ReplayGuard, TargetPolicy, describe_metrics};
use oblivious_http::hpke::{ChunkLimits, UnixSeconds};
use oblivious_http::service::{Live, Pseudonym};
use oblivious_hyper::{ClientAddresses, Credentials, tls};
use rustls::{ClientConfig, ServerConfig};

use crate::go_env::GoKey;
use crate::keys::Keys;
use crate::reloading::Reloading;
use crate::routes::Parts;
use crate::settings::Settings;

// Separate threads answer the requests.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    program::run(Prepared::new, Prepared::run).await
}

/// A gateway whose settings are all valid.
struct Prepared {
    settings: Settings,
    /// Among the keys, but read from the environment once.
    go: Option<GoKey>,
    keys: Keys,
    tls: Option<ServerConfig>,
    credentials: Credentials,
    policy: TargetPolicy,
    guard: Option<Arc<dyn ReplayGuard>>,
    padding: Padding,
    chunks: ChunkLimits,
    pseudonym: Pseudonym,
    client_tls: ClientConfig,
}

impl Prepared {
    fn new(settings: Settings) -> anyhow::Result<Self> {
        let go_env = settings.has_go_env();
        let go = if go_env { go_env::key()? } else { None };
        let level = if go_env { go_env::log_level()? } else { "info" };
        logging::init(settings.observation.log_format, level);
        routes::check_paths(&settings)?;
        Ok(Self {
            keys: Keys::load(&settings.keys, go.as_ref())?,
            tls: settings.server.tls(settings.relays.client_ca.as_deref())?,
            credentials: settings.credentials()?,
            policy: targets::policy(&settings)?,
            guard: replay::guard(&settings)?,
            padding: padding(settings.limits.pad_responses.as_deref())?,
            chunks: ChunkLimits::default()
                .with_max_chunk_len(settings.limits.chunk_limit)
                .context("--chunk-limit is too small")?,
            pseudonym: match &settings.targets.via {
                Some(name) => Pseudonym::new(name).context("--via is wrong")?,
                None => Pseudonym::random("gateway"),
            },
            client_tls: tls::client_config_with_file(settings.targets.ca.as_deref())?,
            settings,
            go,
        })
    }

    async fn run(self, source: Source<Settings>) -> anyhow::Result<()> {
        let settings = self.settings;
        let (keys, rotation) = self.keys.start(None)?;
        let tls = self.tls.map(Live::new);
        let credentials = Live::new(self.credentials);
        let draining = Draining::default();
        if let Some(address) = &settings.observation.admin {
            let keys = keys.clone();
            let unready = move || {
                keys.current().published(UnixSeconds::now()).is_none().then_some("no valid key\n")
            };
            admin::serve(address, describe_metrics, draining.clone(), unready).await?;
        }
        let targets = &settings.targets;
        for target in targets.allow_target.iter().chain(&targets.allow_internal_target) {
            tracing::info!(target_allowed = target, "target allowed");
        }
        let parts = Parts {
            keys: keys.clone(),
            policy: self.policy,
            guard: self.guard,
            padding: self.padding,
            chunks: self.chunks,
            pseudonym: self.pseudonym,
            client_tls: self.client_tls,
        };
        let router = routes::router(&settings, parts);
        let service = credentials::before(router, credentials.clone());
        let server = settings.server.clone();
        let serving = Serving {
            connections: settings.connections.clone(),
            stall: settings.limits.idle_timeout,
            // Its clients are relays.
            client_addresses: ClientAddresses::Socket,
            tls: tls.clone(),
            draining,
        };
        Reloading { source, settings, go: self.go, keys, tls, credentials }.start(rotation);
        server.serve(serving, service).await
    }
}

/// Reads `multiple:N` and `buckets:N:N`.
fn padding(text: Option<&str>) -> anyhow::Result<Padding> {
    let Some(text) = text else { return Ok(Padding::None) };
    let wrong = "--pad-responses must be multiple:N or buckets:N:N, as in buckets:1024:4096";
    let (kind, numbers) = text.split_once(':').context(wrong)?;
    let numbers = numbers
        .split(':')
        .map(|number| number.parse().ok().filter(|&number: &usize| number > 0))
        .collect::<Option<Vec<_>>>()
        .context(wrong)?;
    match (kind, numbers.as_slice()) {
        ("multiple", &[multiple]) => Ok(Padding::ToMultiple(multiple)),
        ("buckets", _) => Ok(Padding::Buckets(numbers.into())),
        _ => anyhow::bail!(wrong),
    }
}
