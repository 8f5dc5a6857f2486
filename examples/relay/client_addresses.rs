//! How the relay learns its clients' addresses.

use oblivious_http::service::TrustedProxies;
use oblivious_hyper::ClientAddresses;

use crate::settings::ClientSettings;

/// What the settings say of machines in front.
pub(crate) fn client_addresses(settings: &ClientSettings) -> anyhow::Result<ClientAddresses> {
    if settings.trusted_proxy.is_empty() {
        return Ok(match settings.proxy_protocol {
            true => ClientAddresses::ProxyProtocol,
            false => ClientAddresses::Socket,
        });
    }
    anyhow::ensure!(
        !settings.proxy_protocol,
        "--trusted-proxy and --proxy-protocol exclude each other"
    );
    Ok(TrustedProxies::new(&settings.trusted_proxy, &settings.proxy_field)?.into())
}
