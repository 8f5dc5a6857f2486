//! Routes, tokens and certificates, read again while the relay runs.

use examples::reload;
use examples::settings::Source;
use oblivious_http::relay::Routes;
use oblivious_http::service::Live;
use oblivious_hyper::ClientTls;
use rustls::ServerConfig;

use crate::settings::Settings;
use crate::{gateway_tls, routes};

/// What is replaced at SIGHUP, and what says where it is read from.
pub(crate) struct Reloading {
    pub(crate) source: Source<Settings>,
    /// Those in effect.
    pub(crate) settings: Settings,
    pub(crate) routes: Live<Routes>,
    pub(crate) client_tls: Live<ClientTls>,
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
        settings.gateways.take_routes(&read.gateways);
        let before = routes::Before { settings: &self.settings, routes: &self.routes.current() };
        let routes = routes::routes(&settings, Some(before))?;
        let client_tls = gateway_tls::client_tls(&settings.gateways)?;
        let tls = settings.server.tls(None)?;
        reload::warn_of_changes(&settings, &read)?;
        self.client_tls.replace(client_tls);
        self.routes.replace(routes);
        if let (Some(shared), Some(tls)) = (&self.tls, tls) {
            shared.replace(tls);
        }
        self.settings = settings;
        Ok(())
    }
}
