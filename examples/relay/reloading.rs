//! Routes and certificates, read again while the relay runs.

use examples::reload;
use examples::settings::{Settings as _, Source};
use oblivious_http::relay::Relay;
use oblivious_http::service::{Live, Pseudonym};
use oblivious_hyper::HttpClient;
use rustls::ServerConfig;

use crate::routes;
use crate::settings::Settings;

/// What is replaced at SIGHUP, and what says where it is read from.
pub(crate) struct Reloading {
    pub(crate) source: Source<Settings>,
    /// Those in effect.
    pub(crate) settings: Settings,
    pub(crate) http_client: HttpClient,
    pub(crate) pseudonym: Pseudonym,
    pub(crate) relay: Live<Relay<HttpClient>>,
    pub(crate) tls: Option<Live<ServerConfig>>,
}

impl Reloading {
    /// Replaces it from now on.
    pub(crate) fn start(mut self) {
        reload::at_hang_ups("routes and certificates", move || self.reload());
    }

    /// Replaces all, or nothing if anything is wrong.
    fn reload(&mut self) -> anyhow::Result<()> {
        let read = self.source.read()?;
        let mut settings = self.settings.clone();
        settings.gateways.gateway = read.gateways.gateway.clone();
        settings.gateways.route = read.gateways.route.clone();
        let pseudonym = self.pseudonym.clone();
        let relay = routes::relay(&settings, pseudonym, self.http_client.clone())?;
        let tls = settings.server.tls(None)?;
        if settings.to_toml()? != read.to_toml()? {
            tracing::warn!(
                "some settings that changed are not those of routes: they are used after a restart"
            );
        }
        self.relay.replace(relay);
        if let (Some(shared), Some(tls)) = (&self.tls, tls) {
            shared.replace(tls);
        }
        self.settings = settings;
        Ok(())
    }
}
