//! Routes, tokens and certificates, read again while the relay runs.

use examples::reload;
use examples::settings::{Settings as _, Source};
use oblivious_http::relay::Routes;
use oblivious_http::service::Live;
use rustls::ServerConfig;

use crate::routes;
use crate::settings::Settings;

/// What is replaced at SIGHUP, and what says where it is read from.
pub(crate) struct Reloading {
    pub(crate) source: Source<Settings>,
    /// Those in effect.
    pub(crate) settings: Settings,
    pub(crate) routes: Live<Routes>,
    pub(crate) tls: Option<Live<ServerConfig>>,
}

impl Reloading {
    /// Replaces it from now on.
    pub(crate) fn start(mut self) {
        reload::at_hang_ups("routes, tokens and certificates", move || self.reload());
    }

    /// Replaces all, or nothing if anything is wrong.
    fn reload(&mut self) -> anyhow::Result<()> {
        let read = self.source.read()?;
        let mut settings = self.settings.clone();
        settings.gateways.gateway = read.gateways.gateway.clone();
        settings.gateways.keys = read.gateways.keys.clone();
        settings.gateways.token_file = read.gateways.token_file.clone();
        settings.gateways.route = read.gateways.route.clone();
        let routes = routes::routes(&settings)?;
        let tls = settings.server.tls(None)?;
        if settings.to_toml()? != read.to_toml()? {
            tracing::warn!(
                "settings other than those of routes have changed: they take effect at a restart"
            );
        }
        self.routes.replace(routes);
        if let (Some(shared), Some(tls)) = (&self.tls, tls) {
            shared.replace(tls);
        }
        self.settings = settings;
        Ok(())
    }
}
