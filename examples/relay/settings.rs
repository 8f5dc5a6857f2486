//! What an operator can set. Each setting is a flag, a variable and a key of the configuration
//! file.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, Parser};
use examples::admin::ObservationSettings;
use examples::seconds::Seconds;
use examples::server::{ConnectionLimits, ServerSettings};
use examples::settings::Settings as ProgramSettings;
use serde::{Deserialize, Serialize};

use crate::route_settings::RouteSettings;

/// All settings, as they are in effect.
#[derive(Clone, Debug, Parser, Serialize)]
#[command(
    name = "relay",
    version,
    about = "An Oblivious HTTP relay (RFC 9458)\n\n\
        It passes encapsulated requests on to gateways, and the encapsulated answers back, without \
        anything that tells whose they are. It cannot read either. SIGTERM ends it once the \
        requests under way are answered. SIGHUP makes it read its routes again, as the file of \
        --config now has them, and the files that they and --tls-cert, --tls-key and --ca name; all \
        else takes a restart, and the log names what would change."
)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Settings {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) server: ServerSettings,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) gateways: GatewaySettings,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) clients: ClientSettings,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) limits: LimitSettings,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) connections: ConnectionLimits,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) observation: ObservationSettings,
}

#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Gateways")]
pub(crate) struct GatewaySettings {
    /// Gateway for requests to the path /gateway.
    #[arg(long, value_name = "URL")]
    pub(crate) gateway: Option<String>,

    /// Gateways for requests to other paths. In the file each is a [[route]] with path, host or
    /// both, and gateway; it may have name, keys, token-file, client-cert, client-key, ca (the only
    /// authorities to trust), and payload (media types of other protocols).
    #[arg(long, value_name = "PATH=URL", value_delimiter = ',')]
    pub(crate) route: Vec<RouteSettings>,

    /// URL of the key configurations of the gateway of --gateway. All clients get the same ones
    /// with GET on its path, to compare with those from elsewhere.
    #[arg(long, value_name = "URL")]
    pub(crate) keys: Option<String>,

    /// File with the bearer token for the gateway of --gateway. It is read again every ten seconds.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Certificate chain to show to the gateway of --gateway (PEM).
    #[arg(long, value_name = "FILE")]
    pub(crate) client_cert: Option<PathBuf>,

    /// Private key of that certificate (PEM).
    #[arg(long, value_name = "FILE")]
    pub(crate) client_key: Option<PathBuf>,

    /// Certificate authorities to trust for gateways, besides the public ones (PEM).
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// Name of this relay in the Via field that gateways get, by which it detects loops. Replicas
    /// of one relay must share a name, and so must relays that could call each other. Random by
    /// default.
    #[arg(long, value_name = "NAME")]
    pub(crate) via: Option<String>,

    /// Allow gateways with http URLs, for tests and for a gateway on the same machine.
    #[arg(long)]
    pub(crate) allow_http_gateway: bool,

    /// Stop asking a gateway after this many failures in a row: its clients get a 503 at once.
    /// Never by default.
    #[arg(long, value_name = "N")]
    pub(crate) breaker_failures: Option<NonZeroU32>,

    /// How long to wait before the next request finds out whether such a gateway answers again.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::new(5),
        value_parser = Seconds::above_zero)]
    pub(crate) breaker_pause: Seconds,

    /// Hold each request and each answer for a random time up to this, so that times do not reveal
    /// who asked what. It only helps if many requests arrive in that time. No delay by default.
    #[arg(long, value_name = "SECONDS", value_parser = Seconds::above_zero)]
    pub(crate) delay: Option<Seconds>,

    /// Hold requests until there are so many for the same gateway, and send them together in random
    /// order; likewise the answers. It hides which is whose among as many clients, if they are of
    /// different clients and of the same size. No batches by default.
    #[arg(long, value_name = "N", value_parser = two_or_more)]
    pub(crate) batch: Option<NonZeroUsize>,

    /// How long a request or an answer may wait for its batch, which then goes out smaller.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::new(1),
        value_parser = Seconds::above_zero)]
    pub(crate) batch_timeout: Seconds,
}

#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Clients")]
pub(crate) struct ClientSettings {
    /// Requests per second that each client may send. Further ones get a 429. No limit by default.
    #[arg(long, value_name = "N")]
    pub(crate) client_rate: Option<NonZeroU32>,

    /// Requests that a client may send at once after a pause. By default as many as in a second.
    #[arg(long, value_name = "N")]
    pub(crate) client_burst: Option<NonZeroU32>,

    /// How many clients are remembered for --client-rate, at 40 bytes each.
    #[arg(long, value_name = "N", default_value = "65536")]
    pub(crate) clients_remembered: NonZeroUsize,

    /// Exchanges that each client may have under way at a time. No limit by default.
    #[arg(long, value_name = "N")]
    pub(crate) client_concurrency: Option<NonZeroU32>,

    /// Leading bits of an IPv4 address that identify a client.
    #[arg(long, value_name = "BITS", default_value_t = 32)]
    pub(crate) client_ipv4_bits: u8,

    /// Leading bits of an IPv6 address that identify a client.
    #[arg(long, value_name = "BITS", default_value_t = 56)]
    pub(crate) client_ipv6_bits: u8,

    /// Expect a PROXY protocol header, version 1 or 2, at the start of every connection, in which a
    /// load balancer in front says who the client is.
    #[arg(long)]
    pub(crate) proxy_protocol: bool,

    /// Networks of proxies in front, such as 10.0.0.0/8, that are trusted to say who the client is.
    /// Any other peer is itself a client.
    #[arg(long, value_name = "NETWORK", value_delimiter = ',')]
    pub(crate) trusted_proxy: Vec<String>,

    /// Header field in which those proxies say it: Forwarded, or one that only has addresses.
    #[arg(long, value_name = "NAME", default_value = "x-forwarded-for")]
    pub(crate) proxy_field: String,
}

#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitSettings {
    /// Longest request or response.
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20)]
    pub(crate) body_limit: u64,

    /// Exchanges under way at a time. Further requests get a 503 with Retry-After.
    #[arg(long, value_name = "N", default_value = "10000")]
    pub(crate) concurrency: NonZeroUsize,

    /// How long an exchange may stand still, with no data in either direction.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::new(30),
        value_parser = Seconds::above_zero)]
    pub(crate) idle_timeout: Seconds,
}

fn two_or_more(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<NonZeroUsize>() {
        Ok(number) if number.get() > 1 => Ok(number),
        Ok(_) => Err("a batch is two or more".into()),
        Err(error) => Err(error.to_string()),
    }
}

impl ProgramSettings for Settings {
    const PREFIX: &'static str = "RELAY";
    const DEFAULTS: &'static [(&'static str, &'static str)] = &[("listen", "127.0.0.1:8082")];
    const TABLES: &'static [&'static str] = &["route"];

    fn read_tables(&mut self, file: &str) -> Result<(), toml::de::Error> {
        #[derive(Deserialize)]
        struct Tables {
            #[serde(default)]
            route: Vec<RouteSettings>,
        }

        let Tables { route } = toml::from_str(file)?;
        // Flags replace what the file says.
        if self.gateways.route.is_empty() {
            self.gateways.route = route;
        }
        Ok(())
    }
}

impl GatewaySettings {
    /// Takes over what the others say of routes, which is what can change while the relay runs.
    pub(crate) fn take_routes(&mut self, others: &Self) {
        let Self { gateway, route, keys, token_file, client_cert, client_key, .. } = others.clone();
        *self = Self { gateway, route, keys, token_file, client_cert, client_key, ..self.clone() };
    }
}
