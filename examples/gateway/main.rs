//! A gateway that forwards decapsulated requests to the targets that it is told to allow.
//!
//! ```sh
//! cargo run --release --example gateway -- --generate-key --allow-target https://example.com
//! ```
//!
//! `--help` tells all settings; each is also a key of the file that `--config` names, and a
//! variable: `--body-limit` is `body-limit` there and `GATEWAY_BODY_LIMIT` in the environment.

mod admin;
mod go_env;
mod keys;
mod middleware;
mod replay;
mod routes;
mod settings;
mod targets;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use examples::cli::{self, Hint};
use oblivious_http::bhttp::Padding;
use oblivious_http::gateway::{GatewayKeys, KeyRotation, ReplayGuard, TargetPolicy};
use oblivious_http::hpke::ChunkLimits;
use oblivious_http::service::{Live, Pseudonym};
use oblivious_hyper::server::{self, Options};
use oblivious_hyper::{Credentials, Workers, tls};
use rustls::{ClientConfig, ServerConfig};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::admin::Draining;
use crate::go_env::GoKey;
use crate::keys::Keys;
use crate::routes::Parts;
use crate::settings::{Flags, LogFormat, Settings};

/// An Oblivious HTTP gateway: decapsulates requests, asks the targets, encapsulates the answers.
///
/// Encapsulated requests are taken by POST at /gateway and /.well-known/ohttp-gateway; the key
/// configurations are at /ohttp-keys and, by GET, at /.well-known/ohttp-gateway; /health answers
/// while the gateway runs. SIGTERM ends the gateway once the requests under way are answered;
/// SIGHUP reads keys and certificates again.
#[derive(Parser)]
#[command(name = "gateway", version)]
struct Args {
    /// A file with settings (TOML); flags and environment replace what it says.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Check all settings, print those in effect as such a file, and end.
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    flags: Flags,
}

// Requests are answered by threads of their own.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args: Args = cli::parse("GATEWAY");
    let check = args.check;
    let prepared = match Prepared::new(args) {
        Ok(prepared) => prepared,
        Err(error) => {
            cli::report(Err(error));
            return ExitCode::from(2);
        }
    };
    if check {
        return match prepared.settings.to_toml() {
            Ok(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Err(error) => cli::report(Err(error)),
        };
    }
    cli::report(prepared.run().await)
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
    fn new(args: Args) -> anyhow::Result<Self> {
        let mut settings = match &args.config {
            Some(path) => Settings::read(path)?,
            None => Settings::default(),
        };
        let go_env = settings.go_env || go_env::is_there();
        settings.go_env = args.flags.go_env.unwrap_or(go_env);
        let go = if settings.go_env { go_env::apply(&mut settings)? } else { None };
        settings.replace(args.flags);
        if settings.go_env && go.is_none() && !settings.names_keys() {
            settings.generate_key = true;
        }
        let level = if settings.go_env { go_env::log_level()? } else { "info" };
        match settings.log_format {
            LogFormat::Json => cli::init_json_logging(level),
            LogFormat::Text => cli::init_logging(level),
        }
        routes::check_paths(&settings)?;
        Ok(Self {
            keys: Keys::load(&settings, go.as_ref())?,
            tls: settings.tls()?,
            credentials: settings.credentials()?,
            policy: targets::policy(&settings)?,
            guard: replay::guard(&settings)?,
            padding: padding(settings.pad_responses.as_deref())?,
            chunks: ChunkLimits::default()
                .with_max_chunk_len(settings.chunk_limit)
                .context("--chunk-limit is too small")?,
            pseudonym: match &settings.via {
                Some(name) => Pseudonym::new(name).context("--via is wrong")?,
                None => Pseudonym::random("gateway"),
            },
            client_tls: tls::client_config_with_file(settings.ca.as_deref())?,
            settings,
            go,
        })
    }

    async fn run(self) -> anyhow::Result<()> {
        let settings = self.settings;
        let (keys, rotation) = self.keys.start(None)?;
        let tls = self.tls.map(Live::new);
        let credentials = Live::new(self.credentials);
        let draining = Draining::default();
        if let Some(address) = &settings.admin {
            let metrics = admin::record_metrics()?;
            tokio::spawn(admin::sum_up(metrics.clone()));
            let router = admin::router(metrics, keys.clone(), draining.clone());
            let listener = TcpListener::bind(address)
                .await
                .with_context(|| format!("cannot listen on {address}"))
                .context(Hint("choose another address with --admin HOST:PORT"))?;
            tracing::info!(address = %listener.local_addr()?, "metrics and readiness are served");
            tokio::spawn(server::serve(listener, None, router, std::future::pending()));
        }
        for target in settings.allow_target.iter().chain(&settings.allow_internal_target) {
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
        let service = middleware::before(router, credentials.clone(), draining.clone());
        let workers = Workers::start(settings.workers)
            .context("cannot start threads")
            .context(Hint("ask for fewer with --workers N"))?;
        let options = Options {
            tls: tls.clone(),
            head_limit: settings.head_timeout.duration(),
            drain_limit: settings.drain.duration(),
            max_connections: settings.max_connections,
            max_streams: settings.concurrency.try_into().unwrap_or(u32::MAX),
            write_limit: settings.idle_timeout.duration(),
            exchange_limit: settings.exchange_timeout.duration(),
            workers: Some(workers),
        };
        let lame_duck = settings.lame_duck.duration();
        let shutdown = async move {
            cli::shutdown().await;
            draining.begin();
            tokio::time::sleep(lame_duck).await;
        };
        let listener = cli::listen(&settings.listen, tls.is_some()).await?;
        Reloading { settings, go: self.go, keys, tls, credentials }.spawn(rotation);
        server::serve_with(listener, options, service, shutdown).await;
        Ok(())
    }
}

/// Reads keys, certificates and tokens again at SIGHUP.
struct Reloading {
    settings: Settings,
    go: Option<GoKey>,
    keys: Live<GatewayKeys>,
    tls: Option<Live<ServerConfig>>,
    credentials: Live<Credentials>,
}

impl Reloading {
    fn spawn(self, rotation: Option<KeyRotation>) {
        let mut hang_ups = cli::hang_ups();
        let mut running = rotation.map(start);
        tokio::spawn(async move {
            loop {
                hang_ups.next().await;
                match self.reload() {
                    Ok(rotation) => {
                        if let Some(rotation) = rotation {
                            let before = running.replace(start(rotation));
                            before.inspect(JoinHandle::abort);
                        }
                        tracing::info!("keys, certificates and tokens were read again");
                    }
                    Err(error) => tracing::error!(
                        error = format!("{error:#}"),
                        "nothing was read again: what is in use stays"
                    ),
                }
            }
        });
    }

    /// Replaces all, or nothing if anything is wrong. Returns what changes the keys from now on.
    fn reload(&self) -> anyhow::Result<Option<KeyRotation>> {
        let (tls, credentials) = (self.settings.tls()?, self.settings.credentials()?);
        // A key that was generated has no file to be read from.
        let rotation = if self.settings.generate_key {
            None
        } else {
            let keys = Keys::load(&self.settings, self.go.as_ref())?;
            // A new file would replace keys that clients have and other replicas use.
            keys.ensure_there()?;
            keys.start(Some(self.keys.clone()))?.1
        };
        if let (Some(shared), Some(tls)) = (&self.tls, tls) {
            shared.replace(tls);
        }
        self.credentials.replace(credentials);
        Ok(rotation)
    }
}

fn start(rotation: KeyRotation) -> JoinHandle<()> {
    tokio::spawn(rotation.run())
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
