//! A gateway that forwards decapsulated requests to the targets that it is told to allow.
//!
//! ```sh
//! cargo run --release --example gateway -- --generate-key --allow-target https://example.com
//! ```

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use axum::{
    Router,
    routing::{any_service, get, get_service},
};
use clap::Parser;
use examples::{
    cli::{self, Hint, TlsArgs},
    egress,
    forward::Forward,
    server, tls,
};
use oblivious_http::gateway::{
    GatewayKeys, GatewayLayer, Origin, PublishKeys, TargetPolicy, TargetRule,
};
use oblivious_http::hpke::{KeyPair, KeyRing, Provider};
use oblivious_http::keys::{KemId, SymmetricSuite};
use oblivious_http::service::{Shared, Timeout, TokioTimer};
use tower::Layer;

/// An Oblivious HTTP gateway: decapsulates requests, asks the targets, encapsulates the answers.
///
/// Encapsulated requests are taken by POST at /gateway and /.well-known/ohttp-gateway; the key
/// configurations are at /ohttp-keys and, by GET, at /.well-known/ohttp-gateway; /health answers
/// while the gateway runs. There is no guard against replayed requests: allow only targets for
/// which a request that is processed twice does no harm.
#[derive(Parser)]
#[command(name = "gateway", version)]
struct Args {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8081")]
    listen: String,

    /// A target that may be asked, as scheme, host and port: https://example.com or
    /// http://localhost:8080. Repeat it for more; in the environment separate them by commas.
    /// Everything else is refused, and so is a name that leads to an address that is not public.
    #[arg(
        long,
        value_name = "ORIGIN",
        required_unless_present = "allow_internal_target",
        value_delimiter = ','
    )]
    allow_target: Vec<Origin>,

    /// As --allow-target, for a host of your own: its name may lead to any address.
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    allow_internal_target: Vec<Origin>,

    /// File with the secret that the key is derived from: 64 hexadecimal digits, readable by this
    /// user alone. The same file gives the same key at every start.
    #[arg(long, value_name = "FILE", required_unless_present = "generate_key")]
    seed_file: Option<PathBuf>,

    /// Make a new key at every start. Clients must then fetch the key configurations again.
    #[arg(long, conflicts_with = "seed_file")]
    generate_key: bool,

    /// The number by which requests name the key.
    #[arg(long, value_name = "N", default_value_t = 1)]
    key_id: u8,

    #[command(flatten)]
    tls: TlsArgs,

    /// File with certificate authorities (PEM) to trust for targets, besides the public ones.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// The largest encapsulated request, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20)]
    body_limit: usize,

    /// The largest content of a target's response, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20)]
    response_limit: usize,

    /// How long a target may take to answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = cli::seconds)]
    timeout: Duration,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = cli::parse("GATEWAY");
    cli::report(run(args).await)
}

async fn run(args: Args) -> anyhow::Result<()> {
    cli::init_logging("info");
    let server_tls = args.tls.server_config()?;
    let keys = Shared::new(GatewayKeys::from(key_ring(&args)?));
    let policy = policy(&args);
    let client_tls = tls::client_config_with_file(args.ca.as_deref())?;
    let target = Forward::new(egress::client(policy.clone(), client_tls));
    let timeout = Timeout::new(args.timeout, TokioTimer);
    let gateway = GatewayLayer::new(keys.clone())
        .allow(policy)
        .body_limit(args.body_limit)
        .response_limit(args.response_limit)
        .request_timeout(timeout.clone())
        .target_timeout(timeout)
        .layer(target);
    let published = PublishKeys::new(keys);
    let router = Router::new()
        .route("/gateway", any_service(gateway.clone()))
        .route("/.well-known/ohttp-gateway", get_service(published.clone()).post_service(gateway))
        .route("/ohttp-keys", any_service(published))
        .route("/health", get(|| async { "ok\n" }));

    for origin in args.allow_target.iter().chain(&args.allow_internal_target) {
        tracing::info!(%origin, "target allowed");
    }
    let listener = cli::listen(&args.listen, server_tls.is_some()).await?;
    server::serve(listener, server_tls, router, cli::shutdown()).await;
    Ok(())
}

fn policy(args: &Args) -> TargetPolicy {
    let public = args.allow_target.iter().cloned().map(TargetRule::new);
    let internal = args.allow_internal_target.iter().cloned().map(TargetRule::new);
    public.chain(internal.map(|rule| rule.internal(true))).collect()
}

/// A ring with the one key that the arguments ask for.
fn key_ring(args: &Args) -> anyhow::Result<KeyRing> {
    let kem = KemId::X25519_HKDF_SHA256;
    let pair = match &args.seed_file {
        Some(path) => KeyPair::derive(kem, &read_seed(path)?, Provider::default())?,
        None => KeyPair::generate(kem, Provider::default())?,
    };
    let mut ring = KeyRing::new();
    let suites = vec![
        SymmetricSuite::HKDF_SHA256_AES_128_GCM,
        SymmetricSuite::HKDF_SHA256_AES_256_GCM,
        SymmetricSuite::HKDF_SHA256_CHACHA20_POLY1305,
    ];
    ring.add(args.key_id, pair, suites)?;
    Ok(ring)
}

fn read_seed(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the seed file {shown}"))
        .context(Hint("make one with: (umask 077; openssl rand -hex 32 > seed.hex)"))?;
    warn_if_readable_by_others(path);
    hex::decode(text.trim())
        .ok()
        .filter(|seed| seed.len() == 32)
        .with_context(|| format!("the seed file {shown} does not hold 64 hexadecimal digits"))
        .context(Hint("make one with: (umask 077; openssl rand -hex 32 > seed.hex)"))
}

fn warn_if_readable_by_others(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let others =
            std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0);
        if others {
            tracing::warn!("the seed file is readable by other users; chmod 600 protects it");
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}
