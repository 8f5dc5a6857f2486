//! Connections: which certificates are trusted, and what names resolve to.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use examples::seconds::Seconds;
use http::Uri;
use oblivious_hyper::tls::{self, Roots};
use oblivious_hyper::{Connector, HttpClient};
use rustls::ClientConfig;

use crate::failure::Failure;
use crate::unverified::Unverified;

#[derive(clap::Args)]
#[command(next_help_heading = "Connections")]
pub(crate) struct ConnectionArgs {
    /// Trust the authorities in this file (PEM) instead of the public ones.
    #[arg(long, alias = "ca", value_name = "FILE", env = "CLIENT_CACERT", hide_env = true)]
    cacert: Option<PathBuf>,

    /// Do not check certificates. Only for tests: anyone on the path can then replace the keys and
    /// read everything.
    #[arg(short = 'k', long)]
    insecure: bool,

    /// Connect to ADDRESS for this host and port. Repeat it for more.
    #[arg(long, value_name = "HOST:PORT:ADDRESS[,ADDRESS...]")]
    resolve: Vec<Resolve>,

    /// Allow http for relay, keys and target. Only for tests and closed networks: others on the
    /// path see who asks, and can replace the keys.
    #[arg(long, env = "CLIENT_ALLOW_HTTP", hide_env = true,
        value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) allow_http: bool,

    /// How long it may take to connect to a server, in seconds; ten by default.
    #[arg(long, value_name = "SECONDS", value_parser = Seconds::above_zero)]
    connect_timeout: Option<Seconds>,

    /// How long everything may take, in seconds. By default five minutes for whole messages; in
    /// chunks, as long as something moves at least every five minutes.
    #[arg(short = 'm', long, value_name = "SECONDS", alias = "timeout",
        value_parser = Seconds::above_zero)]
    pub(crate) max_time: Option<Seconds>,
}

/// An entry of `--resolve`.
#[derive(Clone, Debug, PartialEq)]
struct Resolve {
    host: String,
    port: u16,
    addresses: Vec<IpAddr>,
}

impl ConnectionArgs {
    /// A client for HTTP that connects as the command line says.
    pub(crate) fn http_client(&self) -> anyhow::Result<HttpClient> {
        Ok(HttpClient::with_connector(self.tls()?, self.connector(Connector::unguarded())))
    }

    /// The same, by way of an HTTP proxy.
    pub(crate) fn http_client_through(&self, proxy: &Uri) -> anyhow::Result<HttpClient> {
        let tls = self.tls()?;
        let connector = Connector::through_proxy(proxy.clone(), tls.clone());
        let connector = connector.with_context(|| format!("cannot use the proxy {proxy}"))?;
        Ok(HttpClient::with_connector(tls, self.connector(connector)))
    }

    pub(crate) fn is_insecure(&self) -> bool {
        self.insecure
    }

    fn connector(&self, connector: Connector) -> Connector {
        let connector = connector.with_resolver(Arc::new(|host| Box::pin(look_up(host))));
        let connector = match self.connect_timeout {
            Some(seconds) => connector.with_connect_timeout(seconds.duration()),
            None => connector,
        };
        self.resolve.iter().fold(connector, |connector, Resolve { host, port, addresses }| {
            connector.with_addresses(host, *port, addresses.clone())
        })
    }

    fn tls(&self) -> anyhow::Result<ClientConfig> {
        let roots = self.cacert.as_deref().map_or(Roots::Public, Roots::Only);
        let mut config =
            tls::client_config_with(roots, None).map_err(|error| Failure::CaFile(error.into()))?;
        if self.insecure {
            let verifier = Unverified::new(Arc::clone(config.crypto_provider()));
            config.dangerous().set_certificate_verifier(Arc::new(verifier));
        }
        Ok(config)
    }
}

/// Looks up a name as the system does, and says what it could not find.
async fn look_up(host: String) -> io::Result<Vec<IpAddr>> {
    let found = tokio::net::lookup_host((host.as_str(), 0)).await;
    let found = found.map(|addresses| addresses.map(|address| address.ip()).collect());
    found.map_err(|source| io::Error::other(Failure::Resolve { host, source }))
}

impl FromStr for Resolve {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "write it as HOST:PORT:ADDRESS, as in example.com:443:127.0.0.1";
        let (host, rest) = text.split_once(':').ok_or(FORM)?;
        let (port, addresses) = rest.split_once(':').ok_or(FORM)?;
        let bare = |address: &str| address.trim_matches(['[', ']']).parse();
        let addresses: Result<_, _> = addresses.split(',').map(bare).collect();
        let (port, addresses) = (port.parse().map_err(|_| FORM)?, addresses.map_err(|_| FORM)?);
        Ok(Self { host: host.to_owned(), port, addresses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_a_name_is_written_as_curl_has_it() {
        let resolve: Resolve = "a.example:443:127.0.0.1,[::1]".parse().unwrap();
        assert_eq!((&*resolve.host, resolve.port), ("a.example", 443));
        let expected: [IpAddr; 2] = ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        assert_eq!(resolve.addresses, expected);
        for wrong in ["", "a.example", "a.example:443", "a.example:x:127.0.0.1", "a:1:b.example"] {
            assert!(wrong.parse::<Resolve>().is_err(), "{wrong}");
        }
    }
}
