//! What can be set for one gateway: a `[[route]]` of the file.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// Which requests go to which gateway, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct RouteSettings {
    /// The path of the requests; without one, all paths of the host.
    pub(crate) path: Option<String>,
    /// The host of the requests; without one, all hosts.
    pub(crate) host: Option<String>,
    /// The gateway's URL.
    pub(crate) gateway: String,
    /// The name in log lines and metrics; without one, the path, or else the host.
    pub(crate) name: Option<String>,
    /// The URL of the gateway's key configurations, for clients that GET them here.
    pub(crate) keys: Option<String>,
    /// A file with the bearer token to show to the gateway.
    pub(crate) token_file: Option<PathBuf>,
    /// A file with the only authorities that are trusted for this gateway.
    pub(crate) ca: Option<PathBuf>,
    /// A file with the certificate chain to show to the gateway.
    pub(crate) client_cert: Option<PathBuf>,
    /// A file with its private key.
    pub(crate) client_key: Option<PathBuf>,
    /// Further protocols whose encapsulated messages are accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) payload: Vec<PayloadSettings>,
}

/// The media types of a protocol other than Oblivious HTTP (RFC 9458 §4.6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct PayloadSettings {
    pub(crate) request: String,
    pub(crate) response: String,
}

impl RouteSettings {
    /// A plain route.
    pub(crate) fn new(path: &str, gateway: &str) -> Self {
        Self { path: Some(path.into()), gateway: gateway.into(), ..Self::default() }
    }

    /// Its name for the operator.
    pub(crate) fn label(&self) -> &str {
        let named = self.name.as_deref().or(self.path.as_deref()).or(self.host.as_deref());
        named.unwrap_or("without path and host")
    }
}

impl FromStr for RouteSettings {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (path, gateway) =
            text.split_once('=').context("write PATH=URL, as in /other=https://HOST/")?;
        Ok(Self::new(path, gateway))
    }
}
