//! What an operator can set. Each setting is a flag, a variable and a key of the configuration
//! file.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use clap::{Args, Parser};
use examples::admin::ObservationSettings;
use examples::seconds::Seconds;
use examples::server::{ConnectionLimits, ServerSettings};
use examples::settings::Settings as ProgramSettings;
use serde::{Deserialize, Serialize};

/// All settings, as they are in effect.
#[derive(Clone, Debug, Parser, Serialize)]
#[command(
    name = "relay",
    version,
    about = "An Oblivious HTTP relay (RFC 9458)\n\n\
        It passes encapsulated requests on to gateways, and the encapsulated answers back, without \
        anything that tells whose they are. It cannot read either. SIGTERM ends it once the \
        requests under way are answered; SIGHUP makes it read its routes and certificates again."
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

    /// Gateways for requests to other paths. In the file each is a [[route]] with path and gateway.
    #[arg(long, value_name = "PATH=URL", value_delimiter = ',')]
    pub(crate) route: Vec<Route>,

    /// Certificate authorities to trust for gateways, besides the public ones (PEM).
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// Name of this relay in the Via field that gateways get, by which it knows a loop. Replicas of
    /// one relay share a name, and so do relays that could call each other. Random unless set.
    #[arg(long, value_name = "NAME")]
    pub(crate) via: Option<String>,

    /// Allow gateways with http URLs: for tests, and for a gateway on the same machine.
    #[arg(long)]
    pub(crate) allow_http_gateway: bool,
}

#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitSettings {
    /// Longest request or response.
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20)]
    pub(crate) body_limit: u64,

    /// How long an exchange may stand still, with no data in either direction.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::new(30),
        value_parser = Seconds::above_zero)]
    pub(crate) timeout: Seconds,
}

/// A path of the relay, and where its requests go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Route {
    pub(crate) path: String,
    pub(crate) gateway: String,
}

impl FromStr for Route {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (path, gateway) =
            text.split_once('=').context("write PATH=URL, as in /other=https://HOST/")?;
        Ok(Self { path: path.into(), gateway: gateway.into() })
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
            route: Vec<Route>,
        }

        let Tables { route } = toml::from_str(file)?;
        // Flags replace what the file says.
        if self.gateways.route.is_empty() {
            self.gateways.route = route;
        }
        Ok(())
    }
}
