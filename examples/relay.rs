//! An Oblivious HTTP relay (RFC 9458): passes encapsulated requests on to gateways, and nothing
//! that tells whose they are.
//!
//! ```sh
//! cargo run --release --example relay -- --gateway https://gateway.example/gateway
//! ```

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::routing::get;
use clap::Parser;
use examples::cli::{self, Hint, TlsArgs};
use http::Uri;
use oblivious_http::relay::{Relay, RouteError};
use oblivious_http::service::{Live, Pseudonym, Timeout, TokioTimer};
use oblivious_hyper::server::{self, Options};
use oblivious_hyper::{HttpClient, Workers, tls};

/// The path of `--gateway`: clients know `https://RELAY/gateway`.
const GATEWAY_PATH: &str = "/gateway";

/// Answers 200, for whoever supervises the program.
const HEALTH_PATH: &str = "/health";

/// An Oblivious HTTP relay (RFC 9458)
///
/// Clients send their encapsulated requests to this relay; it passes them on to the gateway,
/// without anything that tells whose they are, and the encapsulated answers back. It cannot read
/// either.
#[derive(Debug, Parser)]
#[command(
    name = "relay",
    version,
    after_help = "Every flag can be given by the environment too: --listen as RELAY_LISTEN, \
                  --tls-cert as RELAY_TLS_CERT, and so on.\nRUST_LOG=debug shows every exchange, \
                  without a trace of who asked for what.\n\nExample:\n  relay --listen \
                  0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem \\\n        --gateway \
                  https://gateway.example/gateway"
)]
struct RelayArgs {
    /// Where to listen; port 0 takes any free one, which is printed
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8082")]
    listen: String,

    /// The gateway for requests to the path /gateway
    #[arg(long, value_name = "URL", required_unless_present = "route")]
    gateway: Option<Uri>,

    /// A gateway for requests to another path; repeat it, or separate with commas
    #[arg(long, value_name = "PATH=URL", value_parser = path_and_url, value_delimiter = ',')]
    route: Vec<(String, Uri)>,

    #[command(flatten)]
    tls: TlsArgs,

    /// Trust the certificate authorities in this PEM file too, for connections to gateways
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// The most bytes that a request or a response may have
    #[arg(long, value_name = "BYTES", default_value_t = 16 * 1024 * 1024)]
    body_limit: u64,

    /// How long an exchange may stand still, with no data in either direction
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = cli::seconds)]
    timeout: Duration,

    /// The name of this relay in the Via field that gateways get, by which it knows a loop; by
    /// default a random one. Replicas of one relay share one, as do relays that could call each
    /// other
    #[arg(long, value_name = "NAME")]
    via: Option<String>,

    /// Allow gateways with http URLs: for tests, and for a gateway on the same machine
    #[arg(long)]
    allow_http_gateway: bool,
}

// Requests are answered by threads of their own.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = cli::parse("RELAY");
    cli::init_logging("info");
    cli::report(run(args).await)
}

async fn run(args: RelayArgs) -> anyhow::Result<()> {
    let http_client = HttpClient::new(tls::client_config_with_file(args.ca.as_deref())?);
    let relay = relay(&args, http_client)?;
    let app = Router::new().route(HEALTH_PATH, get(|| async { "ok\n" })).fallback_service(relay);

    let tls = args.tls.server_config()?;
    let listener = cli::listen(&args.listen, tls.is_some()).await?;
    if tls.is_none() {
        tracing::warn!("serving http: let nobody but a TLS proxy in front connect to this port");
    }
    let options = Options {
        tls: tls.map(Live::new),
        workers: Some(Workers::start(None).context("cannot start threads")?),
        ..Options::default()
    };
    server::serve_with(listener, options, app, cli::shutdown()).await;
    Ok(())
}

/// The relay that the command line describes.
fn relay(args: &RelayArgs, http_client: HttpClient) -> anyhow::Result<Relay<HttpClient>> {
    let timeout = Timeout::new(args.timeout, TokioTimer);
    let mut relay = Relay::new(http_client).body_limit(args.body_limit).timeout(timeout);
    if args.allow_http_gateway {
        relay = relay.allow_http_gateways();
    }
    if let Some(name) = &args.via {
        relay = relay.pseudonym(Pseudonym::new(name).context("--via is wrong")?);
    }
    let default = args.gateway.iter().map(|gateway| (GATEWAY_PATH, gateway));
    let routes = args.route.iter().map(|(path, gateway)| (&**path, gateway));
    for (path, gateway) in default.chain(routes) {
        anyhow::ensure!(path != HEALTH_PATH, "{HEALTH_PATH} is not free for a route");
        relay = relay.route(path, gateway.clone()).map_err(explain)?;
        tracing::info!(path, %gateway, "route");
    }
    Ok(relay)
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

fn path_and_url(value: &str) -> anyhow::Result<(String, Uri)> {
    let (path, url) = value.split_once('=').context("write PATH=URL, as /other=https://HOST/")?;
    Ok((path.to_owned(), url.parse().with_context(|| format!("{url} is no URL"))?))
}
