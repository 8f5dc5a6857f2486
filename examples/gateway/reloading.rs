//! Keys, certificates and tokens, read again while the gateway runs.

use examples::reload;
use examples::settings::Source;
use oblivious_http::gateway::{GatewayKeys, KeyRotation};
use oblivious_http::service::Live;
use oblivious_hyper::Credentials;
use rustls::ServerConfig;
use tokio::task::JoinHandle;

use crate::go_env::GoKey;
use crate::keys::Keys;
use crate::settings::Settings;

/// What is replaced at SIGHUP, and what says where it is read from.
pub(crate) struct Reloading {
    pub(crate) source: Source<Settings>,
    /// Those in effect.
    pub(crate) settings: Settings,
    pub(crate) go: Option<GoKey>,
    pub(crate) keys: Live<GatewayKeys>,
    pub(crate) tls: Option<Live<ServerConfig>>,
    pub(crate) credentials: Live<Credentials>,
}

impl Reloading {
    /// Replaces them from now on, and rotates the keys meanwhile.
    pub(crate) fn start(self, rotation: Option<KeyRotation>) {
        let mut running = rotation.map(run);
        reload::at_hang_ups("keys, certificates and tokens", move || {
            if let Some(rotation) = self.reload()? {
                let before = running.replace(run(rotation));
                before.inspect(JoinHandle::abort);
            }
            Ok(())
        });
    }

    /// Replaces all, or nothing if anything is wrong. Returns what changes the keys from now on.
    fn reload(&self) -> anyhow::Result<Option<KeyRotation>> {
        let settings = &self.settings;
        let read = self.source.read()?;
        let tls = settings.server.tls(settings.relays.client_ca.as_deref())?;
        let credentials = settings.credentials()?;
        // A generated key has no file to read.
        let rotation = if settings.keys.generate_key {
            None
        } else {
            let keys = Keys::load(&settings.keys, self.go.as_ref())?;
            // A new file would replace keys that clients have and other replicas use.
            keys.ensure_there()?;
            keys.start(Some(self.keys.clone()))?.1
        };
        reload::warn_of_changes(settings, &read)?;
        if let (Some(shared), Some(tls)) = (&self.tls, tls) {
            shared.replace(tls);
        }
        self.credentials.replace(credentials);
        Ok(rotation)
    }
}

fn run(rotation: KeyRotation) -> JoinHandle<()> {
    tokio::spawn(rotation.run())
}
